"""The register: who agreed to what, in a list of all addresses; and proofs handed out for many (R-200).

GET  /o/{slug}/consent                    addresses, searched and narrowed, paged by key
GET  POST /o/{slug}/consent/hand-out      proofs for a list of recipients, handed out to somebody
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from hub.consent import hand_out, register
from hub.consent.checkpoints import public_keys
from hub.consent.hand_out import File
from hub.consent.locks import Key
from hub.consent.purposes import list_purposes
from hub.consent.register import WHOLE, Wish
from hub.consent.watch import read_watch
from hub.core import ids
from hub.core.errors import InvalidInput
from hub.core.pages import render
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right
from hub.runtime import Runtime

router = APIRouter()

Reader = Annotated[Access, requires(Right.READ_CONSENT)]
Writer = Annotated[Access, requires(Right.WRITE_INBOX)]
Manager = Annotated[Access, requires(Right.MANAGE_CONSENT)]
Text = Annotated[str, Query(max_length=200)]
Typed = Annotated[str, Form(max_length=400)]

GRANTS: Final = ("granted", "asked", "withdrawn", "unknown")


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def person_place(access: Access, key: Key, **more: str) -> str:
    values = {"messenger": key[0], "scope": key[1], "address": key[2], **more}
    return f"/o/{access.slug}/consent/person?{urlencode({name: value for name, value in values.items() if value})}"


@router.get("/o/{slug}/consent")
async def register_page(
    request: Request, access: Reader, q: Text = "", messenger: Text = "", purpose: Text = "", state: Text = "", after: Text = ""
) -> Response:
    """The register."""
    runtime = _runtime(request)
    if state not in ("", *GRANTS, *WHOLE):
        raise InvalidInput("no such state", field="state")
    wish = Wish(q.strip(), messenger, ids.read("pur", purpose) if purpose else None, state)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        listed = await register.list_people(runtime, unit, wish, _read_place(after))
        purposes = await list_purposes(unit, with_archived=True)
        watch = await read_watch(unit)
        keys = await public_keys(unit)
    values = {"q": q, "messenger": messenger, "purpose": purpose, "state": state}
    more = (
        {**{name: value for name, value in values.items() if value}, "after": "\x1f".join(listed.after)} if listed.after else None
    )
    return render(
        request,
        "consent/register.html",
        listed=listed,
        wish=wish,
        purposes={one.id: one for one in purposes},
        states=(*GRANTS, *WHOLE),
        more=urlencode(more) if more else "",
        watch=watch,
        public_key=next((key.hex() for key in keys.values()), ""),
        connectors=runtime.connectors,
        at=lambda key: person_place(access, key),
    )


def _read_place(after: str) -> Key:
    if not after:
        return ("", "", "")
    parts = after.split("\x1f")
    if len(parts) != 3:
        raise InvalidInput("not a place in a list", field="after")
    return (parts[0], parts[1], parts[2])


@router.get("/o/{slug}/consent/hand-out")
async def hand_out_page(request: Request, access: Manager, recipients: Text = "", messenger: Text = "") -> Response:
    """The form."""
    return _form(request, {"recipients": recipients, "messenger": messenger})


def _form(request: Request, typed: Mapping[str, Any], error: InvalidInput | None = None) -> Response:
    return render(
        request,
        "consent/hand_out.html",
        status=error.http_status if error else 200,
        typed=typed,
        wrong=str(error.values["field"]) if error else "",
        most=hand_out.MOST,
        connectors=_runtime(request).connectors,
    )


@router.post("/o/{slug}/consent/hand-out")
async def hand_out_proofs(
    request: Request,
    access: Manager,
    recipients: Annotated[str, Form(max_length=200_000)] = "",
    messenger: Typed = "",
    to: Typed = "",
    purpose: Typed = "",
) -> Response:
    """One signed file for all of them."""
    typed = {"recipients": recipients, "messenger": messenger, "to": to, "purpose": purpose}
    try:
        done = await hand_out.hand_out(
            _runtime(request), access, recipients=recipients, messenger=messenger, to=to, purpose=purpose
        )
    except InvalidInput as error:
        return _form(request, typed, error)
    return answer_file(done.file)


def answer_file(file: File) -> Response:
    """A file to keep."""
    name = file.name.encode("ascii", "ignore").decode()
    return Response(file.body, media_type=file.media_type, headers={"content-disposition": f'attachment; filename="{name}"'})
