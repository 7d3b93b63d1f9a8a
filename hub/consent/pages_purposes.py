"""What an organisation writes to people for, in which words, and what the hub says by itself.

GET  /o/{slug}/consent/purposes                       all purposes; proposals where there is none
POST /o/{slug}/consent/purposes                       one more
GET  /o/{slug}/consent/purposes/{purpose}             one with its versions and what each changed, and the form for the next
POST /o/{slug}/consent/purposes/{purpose}/words       other words
POST /o/{slug}/consent/purposes/{purpose}/archive     offered no more
GET  POST /o/{slug}/consent/texts                     what the hub says to people who agree, stop or ask for their data
"""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from hub.consent import purposes, versions
from hub.consent.agreeing import texts
from hub.consent.purposes import Wording
from hub.core import ids
from hub.core.errors import Conflict, HubError, InvalidInput
from hub.core.i18n import LOCALES, Translator
from hub.core.pages import locale_of, render
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right
from hub.runtime import Runtime

router = APIRouter()

Manager = Annotated[Access, requires(Right.MANAGE_CONSENT)]
PROPOSED = (("service", "service"), ("newsletter", "marketing"))
"""Key and kind of what is proposed to an organisation that has no purpose."""


def _purpose_id(purpose: str) -> UUID:
    return ids.read("pur", purpose)


PurposeId = Annotated[UUID, Depends(_purpose_id)]
Typed = Annotated[str, Form()]


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


async def _page(
    request: Request, access: Access, *, error: HubError | None = None, typed: Mapping[str, str] | None = None
) -> Response:
    async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
        known = await purposes.list_purposes(unit, with_archived=True)
    proposals = {
        key: {language: texts.proposal(language, key, access.organisation_name) for language in LOCALES} for key, _ in PROPOSED
    }
    return render(
        request,
        "consent/purposes.html",
        status=error.http_status if error else 200,
        purposes=[one for one in known if not one.is_archived],
        archived=[one for one in known if one.is_archived],
        proposals=() if known else [(key, kind, proposals[key]) for key, kind in PROPOSED],
        errors=errors_of(request, error),
        typed=typed or {},
        locales=LOCALES,
    )


def errors_of(request: Request, error: HubError | None) -> dict[str, str]:
    """The words of an error at the field it names."""
    if error is None:
        return {}
    t, field = Translator(locale_of(request)), str(error.values.get("field", ""))
    reason = error.values.get("reason")
    name = field.removesuffix("_de").removesuffix("_en")
    if isinstance(error, Conflict):
        return {field: t(f"consent.taken.{name}")}
    return {field: t(f"consent.wrong.{name}.{reason}" if reason else f"consent.wrong.{name}")}


@router.get("/o/{slug}/consent/purposes")
async def purposes_page(request: Request, access: Manager) -> Response:
    """All purposes, with the form for one more."""
    return await _page(request, access)


@router.post("/o/{slug}/consent/purposes")
async def define(request: Request, access: Manager) -> Response:
    """One more purpose, typed or proposed."""
    typed = await typed_in(request)
    try:
        async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
            purpose_id = await purposes.define_purpose(
                unit, access, key=typed.get("key", "").strip(), kind=typed.get("kind", ""), words=_wordings(typed)
            )
    except (InvalidInput, Conflict) as error:
        return await _page(request, access, error=error, typed=typed)
    return RedirectResponse(f"/o/{access.slug}/consent/purposes#{ids.show('pur', purpose_id)}", 303)


async def typed_in(request: Request) -> dict[str, str]:
    """The fields of a form; files are none."""
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


def _wordings(typed: Mapping[str, str]) -> dict[str, Wording]:
    return {language: Wording(typed.get(f"name_{language}", ""), typed.get(f"text_{language}", "")) for language in LOCALES}


async def _one(
    request: Request, access: Access, purpose_id: UUID, *, error: HubError | None = None, typed: Mapping[str, str] | None = None
) -> Response:
    async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
        purpose = await purposes.read_purpose(unit, purpose_id)
        known = await versions.list_versions(unit, purpose_id)
    present: dict[str, Any] = {
        f"{part}_{code}": getattr(said, part) for code, said in purpose.words.items() for part in ("name", "text")
    }
    return render(
        request,
        "consent/purpose.html",
        status=error.http_status if error else 200,
        purpose=purpose,
        versions=known,
        errors=errors_of(request, error),
        typed=present | dict(typed or {}),
        locales=LOCALES,
    )


@router.get("/o/{slug}/consent/purposes/{purpose}")
async def purpose_page(request: Request, access: Manager, purpose: PurposeId) -> Response:
    """One purpose with all versions of its words. NotFound."""
    return await _one(request, access, purpose)


@router.post("/o/{slug}/consent/purposes/{purpose}/words")
async def reword(request: Request, access: Manager, purpose: PurposeId) -> Response:
    """Other words: a new version, that people agree to from now on."""
    typed = await typed_in(request)
    try:
        async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
            await purposes.revise_purpose(unit, access, purpose, _wordings(typed))
    except InvalidInput as error:
        return await _one(request, access, purpose, error=error, typed=typed)
    return RedirectResponse(f"/o/{access.slug}/consent/purposes/{ids.show('pur', purpose)}", 303)


@router.post("/o/{slug}/consent/purposes/{purpose}/archive")
async def archive(request: Request, access: Manager, purpose: PurposeId) -> Response:
    """Offered nowhere any more; nothing leaves for it."""
    async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
        await purposes.archive_purpose(unit, access, purpose)
    return RedirectResponse(f"/o/{access.slug}/consent/purposes", 303)


@router.get("/o/{slug}/consent/texts")
async def texts_page(request: Request, access: Manager) -> Response:
    """What the hub says by itself, in the organisation's words or the catalogue's."""
    return await _texts(request, access)


async def _texts(
    request: Request, access: Access, error: HubError | None = None, typed: Mapping[str, str] | None = None
) -> Response:
    async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
        said = await texts.load_texts(unit)
    return render(
        request,
        "consent/texts.html",
        status=error.http_status if error else 200,
        said=said,
        kinds=texts.KINDS,
        blanks=texts.BLANKS,
        errors=errors_of(request, error),
        typed=typed or {},
        locales=LOCALES,
    )


@router.post("/o/{slug}/consent/texts")
async def write_text(request: Request, access: Manager, kind: Typed = "", language: Typed = "", text: Typed = "") -> Response:
    """Say one of them in other words; an empty text takes the catalogue's again."""
    try:
        async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
            await texts.write_text(unit, access, kind, language, text)
    except InvalidInput as error:
        return await _texts(request, access, error, {"kind": kind, "language": language, "text": text})
    return RedirectResponse(f"/o/{access.slug}/consent/texts#{kind}", 303)
