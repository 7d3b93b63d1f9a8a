"""Webhooks that did not become messages: what waits, what could not be read and can be replayed, what was passed over and why (I1),
and statuses or edits whose message never came (I3).

    GET  /o/{slug}/deliveries                      a list by `kind`: dead, ignored, parked; by channel, paged by key
    GET  /o/{slug}/deliveries/count                how many dead letters there are, for the mark in the rail
    GET  /o/{slug}/deliveries/{delivery}           one of them, with its raw body as text
    POST /o/{slug}/deliveries/replay               put selected ones back into their lanes, or all that came in a span of time
    POST /o/{slug}/deliveries/{delivery}/replay    put one back
    POST /o/{slug}/deliveries/{delivery}/trust     take over the key that its sender has now, and put it back
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput, NotFound
from hub.core.pages import render
from hub.inbox.arriving.ingest import replay
from hub.inbox.arriving.peers import forget_key
from hub.inbox.page.queries import from_micros, to_micros
from hub.inbox.page.screen import runtime_of
from hub.inbox.page.when import read_local
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right

router = APIRouter()
Operator = Annotated[Access, requires(Right.READ_OPERATIONS)]
Manager = Annotated[Access, requires(Right.MANAGE_CHANNELS)]

ROWS: Final = 50
SHOWN_BYTES: Final = 65_536
"""How much of a body the page shows; the rest is counted."""
PARKED_AFTER: Final = timedelta(hours=24)
"""From here on a parked effect is shown (I3): its message will hardly come any more."""

CAUSES: Final = ("malformed", "apply", "peer", "peer_key_changed")
"""How `why` of a dead delivery begins, as far as there are words for it."""


class Kind(StrEnum):
    """The lists."""

    DEAD = "dead"
    IGNORED = "ignored"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery and what became of it. `why` is the technical cause. `state` of the raw row, None when its body is dropped."""

    id: UUID
    received_at: datetime
    finished_at: datetime
    channel_id: UUID
    result: str
    why: str
    state: str | None

    @property
    def cause(self) -> str:
        """Which words of the catalogue say it plainly."""
        if self.result == "ignored":
            return "ignored"
        cause = self.why.partition(":")[0]
        return cause if cause in CAUSES else "other"


@dataclass(frozen=True, slots=True)
class Parked:
    """A status or edit whose message is not known."""

    id: UUID
    channel_id: UUID
    kind: str
    target_key: str
    at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ChannelCount:
    """A channel with what waits in its lane and what could not be read."""

    id: UUID
    connector: str
    title: str
    received: int
    dead: int


def _delivery_id(delivery: str) -> UUID:
    return ids.read("dlv", delivery)


DeliveryId = Annotated[UUID, Depends(_delivery_id)]
Local = Annotated[str, Form(max_length=32)]


_SELECT: Final = """
SELECT r.delivery_id AS id, r.received_at, r.finished_at, r.channel_id, r.state AS result, r.why, d.state
FROM delivery_result r
LEFT JOIN webhook_delivery d ON d.organisation_id = r.organisation_id AND d.id = r.delivery_id AND d.received_at = r.received_at
WHERE r.organisation_id = $1
"""


async def deliveries(
    unit: UnitOfWork, kind: Kind, channel_id: UUID | None, place: tuple[datetime, UUID]
) -> tuple[list[Delivery], str | None]:
    """A page of dead or ignored deliveries, the newest first, and the key after which the next one goes on. Dead ones that were
    replayed are dead no more, whatever came of it."""
    rows = await unit.sql.fetch(
        f"""
        {_SELECT} AND r.state = $2 AND ($2 <> 'dead' OR d.state = 'dead') AND ($3::uuid IS NULL OR r.channel_id = $3)
          AND (r.received_at, r.delivery_id) < ($4, $5)
        ORDER BY r.received_at DESC, r.delivery_id DESC LIMIT $6
        """,
        unit.tenant,
        kind.value,
        channel_id,
        *place,
        ROWS + 1,
    )
    found = [Delivery(**row) for row in rows]
    return found[:ROWS], key_of_place(found[ROWS - 1].received_at, found[ROWS - 1].id) if len(found) > ROWS else None


async def parked(unit: UnitOfWork, channel_id: UUID | None, place: tuple[datetime, UUID]) -> tuple[list[Parked], str | None]:
    """The same for parked effects that are older than a day."""
    rows = await unit.sql.fetch(
        """
        SELECT id, channel_id, kind, target_key, at, created_at FROM pending_effect
        WHERE organisation_id = $1 AND created_at < $2 AND ($3::uuid IS NULL OR channel_id = $3)
          AND (created_at, id) < ($4, $5)
        ORDER BY created_at DESC, id DESC LIMIT $6
        """,
        unit.tenant,
        clock.now() - PARKED_AFTER,
        channel_id,
        *place,
        ROWS + 1,
    )
    found = [Parked(**row) for row in rows]
    return found[:ROWS], key_of_place(found[ROWS - 1].created_at, found[ROWS - 1].id) if len(found) > ROWS else None


def key_of_place(at: datetime, row_id: UUID) -> str:
    """A place in a list, as a link names it."""
    return f"{to_micros(at)}.{row_id.hex}"


def read_place(after: str) -> tuple[datetime, UUID]:
    """The place that a link names, the top for none; InvalidInput."""
    if not after:
        return datetime.max.replace(tzinfo=UTC), UUID(int=0)
    try:
        micros, shown = after.split(".")
        return from_micros(micros), UUID(hex=shown)
    except (ValueError, OverflowError) as error:
        raise InvalidInput("not a place in a list", field="after") from error


async def channel_counts(unit: UnitOfWork) -> dict[UUID, ChannelCount]:
    """All channels with what waits and what is dead."""
    rows = await unit.sql.fetch(
        """
        SELECT h.id, h.connector, h.title,
               (SELECT count(*) FROM webhook_delivery d
                WHERE d.organisation_id = $1 AND d.channel_id = h.id AND d.state = 'received') AS received,
               (SELECT count(*) FROM webhook_delivery d
                WHERE d.organisation_id = $1 AND d.channel_id = h.id AND d.state = 'dead') AS dead
        FROM channel h WHERE h.organisation_id = $1 ORDER BY h.created_at, h.id
        """,
        unit.tenant,
    )
    return {row["id"]: ChannelCount(**row) for row in rows}


@router.get("/o/{slug}/deliveries")
async def list_page(
    request: Request, access: Operator, kind: Kind = Kind.DEAD, channel: str = "", after: str = "", replayed: int = 0
) -> Response:
    """What did not become a message."""
    return await _page(request, access, kind, channel, after, replayed=replayed)


async def _page(
    request: Request, access: Access, kind: Kind, channel: str = "", after: str = "", *, status: int = 200, **more: Any
) -> Response:
    channel_id = ids.read("chn", channel) if channel else None
    async with runtime_of(request).database.unit_of_work(access.organisation_id) as unit:
        channels = await channel_counts(unit)
        if channel_id is not None and channel_id not in channels:
            raise NotFound("no such channel")
        rows: Sequence[Delivery | Parked]
        if kind is Kind.PARKED:
            rows, next_key = await parked(unit, channel_id, read_place(after))
        else:
            rows, next_key = await deliveries(unit, kind, channel_id, read_place(after))
    query = {"kind": kind.value, **({"channel": channel} if channel else {})}
    values = {"replayed": 0, "error": "", "since": "", "until": "", **more}
    return render(
        request,
        "inbox/deliveries.html",
        status=status,
        kinds=list(Kind),
        kind=kind,
        channels=channels,
        connectors=dict(runtime_of(request).connectors.items()),
        channel_id=channel_id,
        rows=rows,
        more=urlencode({**query, "after": next_key}) if next_key else "",
        **values,
    )


@router.get("/o/{slug}/deliveries/count")
async def count(request: Request, access: Operator) -> JSONResponse:
    """How many dead letters wait for somebody."""
    async with runtime_of(request).database.unit_of_work(access.organisation_id) as unit:
        dead = await unit.sql.fetchval(
            "SELECT count(*) FROM webhook_delivery WHERE organisation_id = $1 AND state = 'dead'", unit.tenant
        )
    return JSONResponse({"dead": dead})


@router.get("/o/{slug}/deliveries/{delivery}")
async def detail_page(request: Request, access: Operator, delivery: DeliveryId) -> Response:
    """One delivery with its body. Personal data: shown as text to who holds the right, never run, and only so much of it."""
    async with runtime_of(request).database.unit_of_work(access.organisation_id) as unit:
        row = await unit.sql.fetchrow(f"{_SELECT} AND r.delivery_id = $2", unit.tenant, delivery)
        if row is None:
            raise NotFound("no such delivery")
        found = Delivery(**row)
        body: bytes | None = await unit.sql.fetchval(
            "SELECT body FROM webhook_delivery WHERE organisation_id = $1 AND id = $2 AND received_at = $3",
            unit.tenant,
            delivery,
            found.received_at,
        )
        channel = (await channel_counts(unit))[found.channel_id]
    return render(
        request,
        "inbox/delivery.html",
        one=found,
        channel=channel,
        connector=runtime_of(request).connectors.get(channel.connector),
        body=body[:SHOWN_BYTES].decode("utf-8", "replace").replace("\x00", "\ufffd") if body is not None else None,
        size=len(body) if body is not None else 0,
        limit=SHOWN_BYTES,
    )


@router.post("/o/{slug}/deliveries/replay")
async def replay_many(
    request: Request,
    access: Operator,
    delivery: Annotated[list[str], Form(default_factory=list)],
    since: Local = "",
    until: Local = "",
    channel: Annotated[str, Form()] = "",
) -> Response:
    """Selected dead letters, or all that arrived from `since` on and before `until` (local time of the page's zone)."""
    zone = ZoneInfo(access.zone)
    try:
        begin, end = (read_local(one, zone) if one else None for one in (since, until))
        if not delivery and begin is None:
            raise InvalidInput("nothing is chosen", field="delivery")
    except InvalidInput as error:
        return await _page(
            request, access, Kind.DEAD, channel, status=error.http_status, error=error.values["field"], since=since, until=until
        )
    replayed = await replay(
        runtime_of(request),
        access.organisation_id,
        delivery_ids=[ids.read("dlv", one) for one in delivery],
        since=begin,
        until=end,
        channel_id=ids.read("chn", channel) if channel else None,
        by=access,
    )
    query = {"replayed": replayed, **({"channel": channel} if channel else {})}
    return RedirectResponse(f"/o/{access.slug}/deliveries?{urlencode(query)}", 303)


@router.post("/o/{slug}/deliveries/{delivery}/replay")
async def replay_one(request: Request, access: Operator, delivery: DeliveryId) -> Response:
    """One dead letter; its page then shows what came of it. NotFound when it is none, or none any more."""
    if not await replay(runtime_of(request), access.organisation_id, delivery_ids=[delivery], by=access):
        raise NotFound("no such dead letter")
    return RedirectResponse(f"/o/{access.slug}/deliveries/{ids.show('dlv', delivery)}", 303)


@router.post("/o/{slug}/deliveries/{delivery}/trust")
async def trust_key(request: Request, access: Manager, delivery: DeliveryId) -> Response:
    """A person has made sure that whoever wrote this has another key now: it is taken over, and the delivery read again. NotFound
    when that is not what kept it from being read."""
    runtime = runtime_of(request)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        row = await unit.sql.fetchrow(f"{_SELECT} AND r.delivery_id = $2 AND d.state = 'dead'", unit.tenant, delivery)
    if row is None or (found := Delivery(**row)).cause != "peer_key_changed":
        raise NotFound("no such dead letter")
    await forget_key(runtime, access, found.channel_id, found.why.partition(": ")[2])
    await replay(runtime, access.organisation_id, delivery_ids=[delivery], by=access)
    return RedirectResponse(f"/o/{access.slug}/deliveries/{ids.show('dlv', delivery)}", 303)
