"""Requests as they are kept before anything is read of them: the one way in, of webhooks and of polls.

What names an account that nobody has is kept beside (`keep_unrouted`); when somebody connects that account within UNROUTED_KEPT, it
goes the same way as if it had come then (`take_up`).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
import structlog
from prometheus_client import Counter

from hub.channels.accounts import ACCOUNT_COLUMNS, OpenChannel, open_channel
from hub.connectors.contract import AnyConnector, RawRequest
from hub.connectors.errors import SignatureInvalid
from hub.connectors.sharing import Share
from hub.core import clock, ids
from hub.core.db import Database, UnitOfWork
from hub.core.telemetry import is_told
from hub.runtime import Runtime

log = structlog.get_logger()

UNROUTED_KEPT: Final = timedelta(days=7)
"""How long what names nobody we know is kept (`sweeper.py`)."""

unrouted = Counter("hub_unrouted_deliveries_total", "Parts of shared deliveries that name no account we know", ["connector"])

_APPEND: Final = """
INSERT INTO webhook_delivery (organisation_id, id, received_at, channel_id, state, headers, body)
SELECT organisation_id, id, received_at, channel_id, 'received', headers::jsonb, body
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[], $5::text[], $6::bytea[])
    AS row(organisation_id, id, received_at, channel_id, headers, body)
"""
_KEEP_UNROUTED: Final = """
INSERT INTO unrouted_delivery (id, received_at, connector, endpoint, own_id, headers, body, sent, whole)
SELECT id, $1, $2, $3, own_id, $4::jsonb, body, $8::jsonb, $9
FROM unnest($5::uuid[], $6::text[], $7::bytea[]) AS row(id, own_id, body)
"""
TAKEN_UP_AT_ONCE: Final = 100
_CONNECTED: Final = f"""
SELECT {ACCOUNT_COLUMNS} FROM channel h
WHERE own_id <> '' AND endpoint <> '' AND EXISTS (
    SELECT FROM unrouted_delivery u WHERE u.connector = h.connector AND u.endpoint = h.endpoint AND u.own_id = h.own_id)
"""
_WAITING: Final = """
SELECT id, received_at, headers::text, body, sent::text, whole FROM unrouted_delivery
WHERE connector = $1 AND endpoint = $2 AND own_id = $3 ORDER BY received_at, id LIMIT $4 FOR UPDATE SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request that a provider made or that we asked for, as it is kept. `headers`: those that `parse` needs, as JSON."""

    organisation_id: UUID
    id: UUID
    channel_id: UUID
    received_at: datetime
    headers: str
    body: bytes


def arrival(channel: OpenChannel, request: RawRequest) -> Arrival:
    """A request of this channel that arrives now. It has been verified, or comes from the provider's own answer."""
    headers = _kept_headers(channel.connector, request)
    return Arrival(channel.organisation_id, ids.new_id(), channel.channel_id, clock.now(), headers, request.body)


def _kept_headers(connector: AnyConnector, request: RawRequest) -> str:
    """Those that the connector needs later, as JSON."""
    return orjson.dumps({name: value for name, value in request.headers.items() if name in connector.keeps_headers}).decode()


async def append(database: Database, arrivals: Sequence[Arrival]) -> None:
    """Append raw deliveries; they are on disk when this returns. Raises STORE_ERRORS."""
    async with database.door() as connection:
        await append_in(connection, arrivals)


async def append_in(connection: Any, arrivals: Sequence[Arrival]) -> None:
    """The same inside a transaction that has more to write."""
    await connection.execute(
        _APPEND,
        [one.organisation_id for one in arrivals],
        [one.id for one in arrivals],
        [one.received_at for one in arrivals],
        [one.channel_id for one in arrivals],
        [one.headers for one in arrivals],
        [one.body for one in arrivals],
    )


def note_stored(arrivals: Sequence[Arrival]) -> None:
    """A line for each delivery that is on disk; its id leads on to what became of it (`ingest.py`)."""
    if not is_told(logging.INFO):
        return
    for one in arrivals:
        log.info("stored", delivery=ids.show("dlv", one.id), channel=ids.show("chn", one.channel_id))


async def keep_unrouted(
    database: Database, connector: AnyConnector, endpoint: str, request: RawRequest, lost: Sequence[Share]
) -> None:
    """Keep verified parts of a shared delivery that name no account we know. Raises STORE_ERRORS."""
    async with database.door() as connection:
        await connection.execute(
            _KEEP_UNROUTED,
            clock.now(),
            connector.connector,
            endpoint,
            _kept_headers(connector, request),
            [ids.new_id() for _ in lost],
            [share.own_id for share in lost],
            [share.body for share in lost],
            orjson.dumps(dict(request.headers)).decode(),
            request.body,
        )
    unrouted.labels(connector.connector).inc(len(lost))


@dataclass(frozen=True, slots=True)
class Unrouted:
    """What came for one account that nobody has connected."""

    connector: str
    endpoint: str
    own_id: str
    count: int
    first_at: datetime
    last_at: datetime


async def list_unrouted(unit: UnitOfWork) -> list[Unrouted]:
    """Everything that waits for an account, the newest first; never what it says. `own_id` empty: it names none, or could not be
    read. Needs a system unit."""
    rows = await unit.sql.fetch(
        """
        SELECT connector, endpoint, own_id, count(*) AS count, min(received_at) AS first_at, max(received_at) AS last_at
        FROM unrouted_delivery GROUP BY connector, endpoint, own_id ORDER BY last_at DESC
        """
    )
    return [Unrouted(**row) for row in rows]


async def take_up(runtime: Runtime) -> int:
    """Give what waits to the accounts that were connected meanwhile; how many deliveries that makes. Safe for several workers at
    once: a part is taken and appended in one transaction."""
    async with runtime.database.door() as connection:
        rows = await connection.fetch(_CONNECTED)
    owners: dict[tuple[str, str, str], list[OpenChannel]] = {}
    for row in rows:
        account = (row["connector"], row["endpoint"], row["own_id"])
        owners.setdefault(account, []).append(open_channel(runtime.vault, runtime.connectors, row))
    taken = 0
    for account, channels in owners.items():
        while arrivals := await _take_some(runtime.database, account, channels):
            note_stored(arrivals)
            await runtime.queue.nudge_lanes([(one.organisation_id, one.channel_id) for one in channels], "in")
            taken += len(arrivals)
    return taken


async def _take_some(database: Database, account: tuple[str, str, str], channels: Sequence[OpenChannel]) -> list[Arrival]:
    """Append some of what waits for an account to each channel that has it and for which the provider's signature holds."""
    async with database.door() as connection:
        rows = await connection.fetch(_WAITING, *account, TAKEN_UP_AT_ONCE)
        taken, arrivals = [], []
        for row in rows:
            request = RawRequest("POST", orjson.loads(row["sent"]), row["whole"])
            ours = [channel for channel in channels if passes(channel, request)]
            taken += [row["id"]] if ours else []
            arrivals += [
                Arrival(one.organisation_id, ids.new_id(), one.channel_id, row["received_at"], row["headers"], row["body"])
                for one in ours
            ]
        await append_in(connection, arrivals)
        await connection.execute("DELETE FROM unrouted_delivery WHERE id = ANY($1::uuid[])", taken)
    return arrivals


def passes(channel: OpenChannel, request: RawRequest) -> bool:
    """Whether the provider sent these bytes to this account."""
    try:
        channel.connector.verify(request, channel.account)
    except SignatureInvalid:
        return False
    return True
