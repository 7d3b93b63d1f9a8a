"""What concerns a person as a whole: block, mute and the person's own stop; their data, as one file; and erasing them.

GET  /o/{slug}/people/{contact}           what holds, what each of the three does, and what an erasure would take and keep
POST /o/{slug}/people/{contact}/…         block, unblock, mute, unmute, stop; name corrects how we call them
POST /o/{slug}/people/{contact}/export    everything that is held about them, as one file (R-260)
POST /o/{slug}/people/{contact}/erase     confirmed by typing the name
"""

from enum import StrEnum
from typing import Annotated
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse
from starlette.background import BackgroundTask

from hub.consent.erasing import read_standings
from hub.core import ids
from hub.core.errors import HubError, InvalidInput
from hub.core.i18n import Translator
from hub.core.pages import locale_of, render
from hub.inbox.page.screen import runtime_of
from hub.inbox.persons import access_request, erasure, person, wishes
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right

router = APIRouter()

Reader = Annotated[Access, requires(Right.READ_CONSENT)]
Writer = Annotated[Access, requires(Right.WRITE_INBOX)]
Manager = Annotated[Access, requires(Right.MANAGE_CONSENT)]
Words = Annotated[str, Form(max_length=wishes.LONGEST)]
PIECE = 65_536


class Said(StrEnum):
    """What was just done, for the page that comes next."""

    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"
    MUTED = "muted"
    UNMUTED = "unmuted"
    STOPPED = "stopped"
    NAMED = "named"


def _contact_id(contact: str) -> UUID:
    return ids.read("con", contact)


ContactId = Annotated[UUID, Depends(_contact_id)]


@router.get("/o/{slug}/people/{contact}")
async def person_page(request: Request, access: Reader, contact: ContactId, said: Said | None = None) -> Response:
    """A person with everything that can be done about them."""
    return await _page(request, access, contact, said=said)


async def _page(
    request: Request,
    access: Access,
    contact_id: UUID,
    *,
    said: Said | None = None,
    error: HubError | None = None,
    about: str = "",
    typed: str = "",
) -> Response:
    runtime = runtime_of(request)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        who = await person.read_person(unit, runtime.connectors, contact_id)
        standings = {one.key: one for one in await read_standings(unit, who.written_to)}
        preview = await erasure.preview(unit, who, ZoneInfo(access.zone))
    return render(
        request,
        "consent/person_actions.html",
        status=error.http_status if error else 200,
        who=who,
        shown=ids.show("con", contact_id),
        standings=standings,
        preview=preview,
        said=said,
        error=error,
        about=about,
        typed=typed,
    )


def _back(access: Access, contact_id: UUID, said: Said) -> RedirectResponse:
    return RedirectResponse(f"/o/{access.slug}/people/{ids.show('con', contact_id)}?said={said}", 303)


@router.post("/o/{slug}/people/{contact}/block")
async def block(request: Request, access: Manager, contact: ContactId, reason: Words = "") -> Response:
    """Write to this person no more."""
    try:
        await wishes.block(runtime_of(request), access, contact, reason)
    except InvalidInput as error:
        return await _page(request, access, contact, error=error, about="block")
    return _back(access, contact, Said.BLOCKED)


@router.post("/o/{slug}/people/{contact}/unblock")
async def unblock(request: Request, access: Manager, contact: ContactId, reason: Words = "") -> Response:
    """Lift the block."""
    try:
        await wishes.unblock(runtime_of(request), access, contact, reason)
    except InvalidInput as error:
        return await _page(request, access, contact, error=error, about="unblock")
    return _back(access, contact, Said.UNBLOCKED)


@router.post("/o/{slug}/people/{contact}/mute")
async def mute(request: Request, access: Writer, contact: ContactId) -> Response:
    """No interruption by this person any more."""
    await wishes.set_mute(runtime_of(request), access, contact, True)
    return _back(access, contact, Said.MUTED)


@router.post("/o/{slug}/people/{contact}/unmute")
async def unmute(request: Request, access: Writer, contact: ContactId) -> Response:
    """Hear this person again."""
    await wishes.set_mute(runtime_of(request), access, contact, False)
    return _back(access, contact, Said.UNMUTED)


@router.post("/o/{slug}/people/{contact}/stop")
async def stop(request: Request, access: Writer, contact: ContactId, note: Words = "") -> Response:
    """Write down that the person wants nothing more, on their behalf."""
    try:
        await wishes.record_stop(runtime_of(request), access, contact, note)
    except InvalidInput as error:
        return await _page(request, access, contact, error=error, about="stop", typed=note)
    return _back(access, contact, Said.STOPPED)


@router.post("/o/{slug}/people/{contact}/name")
async def correct(request: Request, access: Writer, contact: ContactId, name: Words = "") -> Response:
    """Correct how the person is called."""
    try:
        await wishes.correct_name(runtime_of(request), access, contact, name)
    except InvalidInput as error:
        return await _page(request, access, contact, error=error, about="name", typed=name)
    return _back(access, contact, Said.NAMED)


@router.post("/o/{slug}/people/{contact}/export")
async def export(request: Request, access: Manager, contact: ContactId) -> Response:
    """Everything that is held about the person."""
    name, packed = await access_request.collect(runtime_of(request), access, contact, Translator(locale_of(request)))
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return StreamingResponse(
        iter(lambda: packed.read(PIECE), b""),
        media_type="application/zip",
        headers=headers,
        background=BackgroundTask(packed.close),
    )


@router.post("/o/{slug}/people/{contact}/erase")
async def erase(
    request: Request, access: Manager, contact: ContactId, name: Words = "", never_again: Annotated[bool, Form()] = False
) -> Response:
    """Erase the person; the page that comes says what is kept."""
    try:
        kept = await erasure.erase(runtime_of(request), access, contact, typed_name=name, never_again=never_again)
    except (InvalidInput, erasure.OnItsWay) as error:
        return await _page(request, access, contact, error=error, about="erase", typed=name)
    return render(request, "consent/person_erased.html", kept=kept)
