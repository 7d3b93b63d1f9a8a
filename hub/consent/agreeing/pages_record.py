"""What somebody said on the telephone, at the counter or on paper: a member writes it down, and answers for it by name.

GET  /o/{slug}/consent/record          the form; `channel` and `address` fill it in
POST /o/{slug}/consent/record          into the ledger
POST /o/{slug}/consent/record/file     the scan of a signed form, before the form itself: a part of the page comes back
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.requests import ClientDisconnect

from hub.consent import purposes
from hub.consent.agreeing import papers, roads
from hub.consent.agreeing.addresses import clean_address
from hub.consent.agreeing.roads import Attested
from hub.consent.locks import Key
from hub.consent.pages_purposes import errors_of, typed_in
from hub.core import clock, ids
from hub.core.bodies import takes_file
from hub.core.db import UnitOfWork
from hub.core.errors import HubError, InvalidInput, NotFound
from hub.core.i18n import LOCALES
from hub.core.pages import render
from hub.core.storage import TooLarge
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right
from hub.runtime import Runtime

router = APIRouter()

Writer = Annotated[Access, requires(Right.WRITE_INBOX)]
Given = Annotated[str, Query(max_length=200)]


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


async def _page(
    request: Request, access: Access, typed: Mapping[str, str], *, error: HubError | None = None, is_done: bool = False
) -> Response:
    runtime = _runtime(request)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        offered = await purposes.list_purposes(unit)
        rows = await unit.sql.fetch(
            "SELECT id, connector, title, address FROM channel WHERE organisation_id = $1 ORDER BY created_at, id", unit.tenant
        )
    now = clock.now().astimezone(ZoneInfo(access.zone))
    return render(
        request,
        "consent/record.html",
        status=error.http_status if error else 200,
        purposes=offered,
        channels=[
            (ids.show("chn", row["id"]), row["title"] or row["address"], runtime.connectors.get(row["connector"])) for row in rows
        ],
        typed={"at": now.strftime("%Y-%m-%dT%H:%M"), "language": access.locale, **typed},
        errors=errors_of(request, error),
        is_done=is_done,
        locales=LOCALES,
    )


@router.get("/o/{slug}/consent/record")
async def record_page(request: Request, access: Writer, channel: Given = "", address: Given = "", done: bool = False) -> Response:
    """The form."""
    return await _page(request, access, {"channel": channel, "address": address}, is_done=done)


@router.post("/o/{slug}/consent/record")
async def record(request: Request, access: Writer) -> Response:
    """Write down what somebody said."""
    typed = await typed_in(request)
    runtime = _runtime(request)
    try:
        async with runtime.database.unit_of_work(access.organisation_id) as unit:
            paper = await papers.use_paper(unit, _read("file", typed["file"], "file")) if typed.get("file") else None
            said = Attested(
                key=await _key(runtime, unit, typed),
                purpose_id=_read("pur", typed.get("purpose", ""), "purpose"),
                kind="withdrawn" if typed.get("kind") == "withdrawn" else "granted",
                method="paper" if typed.get("method") == "paper" else "agent",
                language=typed.get("language", ""),
                at=_moment(typed.get("at", ""), access.zone),
                note=typed.get("note", ""),
                source="record",
                file=paper.reference if paper else "",
            )
            await roads.attest(runtime, unit, access, said)
    except InvalidInput as error:
        return await _page(request, access, typed, error=error)
    return RedirectResponse(f"/o/{access.slug}/consent/record?done=true", 303)


async def _key(runtime: Runtime, unit: UnitOfWork, typed: Mapping[str, str]) -> Key:
    """Whom it is about."""
    channel_id = _read("chn", typed.get("channel", ""), "channel")
    name = await unit.sql.fetchval("SELECT connector FROM channel WHERE organisation_id = $1 AND id = $2", unit.tenant, channel_id)
    if name is None:
        raise InvalidInput("no such channel", field="channel")
    scope = "" if runtime.connectors.get(name).capabilities.address_scope == "messenger" else str(channel_id)
    return (name, scope, clean_address(name, typed.get("address", "")))


def _read(prefix: str, shown: str, field: str) -> UUID:
    try:
        return ids.read(prefix, shown)
    except NotFound:
        raise InvalidInput("not chosen", field=field) from None


def _moment(typed: str, zone: str) -> datetime:
    """A local time as the browser writes it."""
    try:
        return datetime.fromisoformat(typed).replace(tzinfo=ZoneInfo(zone))
    except ValueError:
        raise InvalidInput("a day and a time", field="at") from None


@router.post("/o/{slug}/consent/record/file")
@takes_file
async def add_scan(request: Request, access: Writer) -> Response:
    """Take a scan; the part of the form that names it comes back. What is not taken is told there."""
    content_type = request.headers.get("content-type", "")
    try:
        paper = await papers.take_paper(
            _runtime(request), access, content_type=content_type, body=request.stream(), types=papers.SCANS
        )
    except (InvalidInput, TooLarge) as error:
        wrong = errors_of(request, error if isinstance(error, InvalidInput) else InvalidInput("", field="file", reason="large"))
        return render(request, "consent/_scan.html", paper=None, wrong=wrong["file"])
    except ClientDisconnect:
        raise InvalidInput("the sender hung up", field="file") from None
    return render(request, "consent/_scan.html", paper=paper, wrong="")
