"""What is held against an organisation, and what it reports itself.

GET  /o/{slug}/consent/cases                      spam events and cases; the form that reports prohibited use
POST /o/{slug}/consent/cases                      such a report, without a message
GET  /o/{slug}/messages/{message}/report          the same form about one message; POST files it
GET  /o/{slug}/consent/cases/{case}               one case with its steps
POST /o/{slug}/consent/cases/{case}/…             export for the provider, disconnect the source, keep it, close
POST /o/{slug}/consent/spam/{event}/answer        what the organisation says to an event
POST /o/{slug}/consent/spam/{event}/file          the file that proves it; GET hands it out
"""

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from babel.numbers import format_currency
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from hub.consent.abuse import cases, spam
from hub.core import clock, ids
from hub.core.bodies import takes_file
from hub.core.errors import HubError, InvalidInput
from hub.core.pages import locale_of, render
from hub.core.storage import TooLarge
from hub.core.uploads import FileUpload
from hub.inbox.page.schemas import MessageId
from hub.inbox.page.screen import runtime_of
from hub.inbox.persons import case_work
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right

router = APIRouter()

Reader = Annotated[Access, requires(Right.READ_CONSENT)]
Writer = Annotated[Access, requires(Right.WRITE_INBOX)]
Manager = Annotated[Access, requires(Right.MANAGE_CONSENT)]
Categories = Annotated[Sequence[str], Form()]
Words = Annotated[str, Form(max_length=cases.LONGEST)]


def _case_id(case: str) -> UUID:
    return ids.read("case", case)


def _event_id(event: str) -> UUID:
    return ids.read("spam", event)


CaseId = Annotated[UUID, Depends(_case_id)]
EventId = Annotated[UUID, Depends(_event_id)]


@router.get("/o/{slug}/consent/cases")
async def cases_page(request: Request, access: Reader, filed: str = "") -> Response:
    """Everything that is held against the organisation, and what it reported."""
    return await _page(request, access, filed=filed[:20])


async def _page(request: Request, access: Access, *, error: HubError | None = None, **kept: Any) -> Response:
    async with runtime_of(request).database.unit_of_work(access.organisation_id) as unit:
        events, known = await spam.list_events(unit), await cases.list_cases(unit)
    context = {"filed": "", "typed": {}, "answered": None, **kept}
    return render(
        request,
        "consent/cases.html",
        status=error.http_status if error else 200,
        events=[one for one in events if one.state != "grouped"],
        cases=known,
        categories=cases.CATEGORIES,
        money=lambda amount: format_currency(amount, "EUR", locale=locale_of(request)),
        now=clock.now(),
        error=error,
        **context,
    )


@router.post("/o/{slug}/consent/cases")
async def report_organisation(request: Request, access: Writer, categories: Categories = (), note: Words = "") -> Response:
    """Report prohibited use that is no single message."""
    try:
        _, number = await case_work.report_organisation(runtime_of(request), access, categories=categories, note=note)
    except InvalidInput as error:
        return await _page(request, access, error=error, typed={"categories": categories, "note": note})
    return RedirectResponse(f"/o/{access.slug}/consent/cases?filed={number}", 303)


@router.get("/o/{slug}/messages/{message}/report")
async def report_page(request: Request, access: Writer, message: MessageId) -> Response:
    """The form about one message; NotFound."""
    return await _report_page(request, access, message)


async def _report_page(
    request: Request, access: Access, message_id: UUID, *, error: HubError | None = None, typed: dict[str, Any] | None = None
) -> Response:
    async with runtime_of(request).database.unit_of_work(access.organisation_id) as unit:
        said = await case_work.read_said(unit, message_id)
    return render(
        request,
        "consent/report.html",
        status=error.http_status if error else 200,
        said=said,
        shown=ids.show("msg", message_id),
        categories=cases.CATEGORIES,
        error=error,
        typed=typed or {},
    )


@router.post("/o/{slug}/messages/{message}/report")
async def report_message(
    request: Request, access: Writer, message: MessageId, categories: Categories = (), note: Words = ""
) -> Response:
    """Report one message."""
    try:
        case_id, _ = await case_work.report_message(runtime_of(request), access, message, categories=categories, note=note)
    except InvalidInput as error:
        return await _report_page(request, access, message, error=error, typed={"categories": categories, "note": note})
    return RedirectResponse(f"/o/{access.slug}/consent/cases/{ids.show('case', case_id)}", 303)


@router.get("/o/{slug}/consent/cases/{case}")
async def case_page(request: Request, access: Reader, case: CaseId) -> Response:
    """One case."""
    return await _case_page(request, access, case)


async def _case_page(request: Request, access: Access, case_id: UUID, *, error: HubError | None = None) -> Response:
    runtime = runtime_of(request)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        case = await cases.read_case(unit, case_id)
        evidence = await cases.read_evidence(unit, runtime.vault, case_id)
        sources = await case_work.sources_of(unit, case)
    return render(
        request,
        "consent/case.html",
        status=error.http_status if error else 200,
        case=case,
        shown=ids.show("case", case_id),
        evidence=evidence,
        sources=sources,
        prefixes=case_work.PREFIXES,
        now=clock.now(),
        error=error,
    )


def _case_again(access: Access, case_id: UUID) -> RedirectResponse:
    return RedirectResponse(f"/o/{access.slug}/consent/cases/{ids.show('case', case_id)}", 303)


@router.post("/o/{slug}/consent/cases/{case}/export")
async def export(request: Request, access: Manager, case: CaseId) -> Response:
    """The case for the provider, as a ZIP."""
    runtime = runtime_of(request)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        name, packed = await cases.export(unit, runtime.vault, access, case)
    return Response(packed, media_type="application/zip", headers={"content-disposition": f'attachment; filename="{name}"'})


@router.post("/o/{slug}/consent/cases/{case}/disconnect")
async def disconnect(request: Request, access: Manager, case: CaseId, source: Annotated[str, Form(max_length=60)]) -> Response:
    """Step (iii): disconnect what caused it."""
    kind = next((kind for kind, prefix in case_work.PREFIXES.items() if source.startswith(f"{prefix}_")), "person")
    await case_work.disconnect(runtime_of(request), access, case, kind, ids.read(case_work.PREFIXES[kind], source))
    return _case_again(access, case)


@router.post("/o/{slug}/consent/cases/{case}/keep")
async def keep(request: Request, access: Manager, case: CaseId, reason: Words = "") -> Response:
    """Step (iii) is not done, for a reason."""
    try:
        async with runtime_of(request).database.unit_of_work(access.organisation_id) as unit:
            await cases.refuse_source(unit, access, case, reason)
    except InvalidInput as error:
        return await _case_page(request, access, case, error=error)
    return _case_again(access, case)


@router.post("/o/{slug}/consent/cases/{case}/close")
async def close(request: Request, access: Manager, case: CaseId) -> Response:
    """Close the case; refused before step (iii)."""
    try:
        async with runtime_of(request).database.unit_of_work(access.organisation_id) as unit:
            await cases.close(unit, access, case)
    except cases.SourceOpen as error:
        return await _case_page(request, access, case, error=error)
    return _case_again(access, case)


@router.post("/o/{slug}/consent/spam/{event}/answer")
async def answer(request: Request, access: Manager, event: EventId, answer: Words = "") -> Response:
    """What the organisation says to an event."""
    runtime = runtime_of(request)
    try:
        async with runtime.database.unit_of_work(access.organisation_id) as unit:
            await spam.answer(unit, access, event, answer)
    except InvalidInput as error:
        return await _page(request, access, error=error, answered=event, typed={"answer": answer})
    return RedirectResponse(f"/o/{access.slug}/consent/cases", 303)


@router.post("/o/{slug}/consent/spam/{event}/file")
@takes_file
async def take_answer_file(request: Request, access: Manager, event: EventId) -> Response:
    """The file that proves an answer; the answer itself comes first."""
    runtime = runtime_of(request)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await spam.check_event(unit, event)
    form = FileUpload(request.headers.get("content-type", ""), request.stream(), field="file")
    name, content = await form.name(), bytearray()
    async for piece in form.pieces():
        content += piece
        if len(content) > spam.LARGEST:
            raise TooLarge(spam.LARGEST)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await spam.prove_answer(unit, runtime.vault, access, event, name, bytes(content))
    return RedirectResponse(f"/o/{access.slug}/consent/cases", 303)


@router.get("/o/{slug}/consent/spam/{event}/file")
async def answer_file(request: Request, access: Reader, event: EventId) -> Response:
    """The file of an answer, as a download."""
    runtime = runtime_of(request)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        name, content = await spam.read_answer_file(unit, runtime.vault, event)
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return Response(content, media_type="application/octet-stream", headers=headers)
