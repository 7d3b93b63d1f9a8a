"""Requests as they are kept before anything is read of them: the one way in, of webhooks and of polls."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
import structlog
from prometheus_client import Counter

from hub.channels.accounts import OpenChannel
from hub.connectors.contract import AnyConnector, RawRequest, Share
from hub.core import clock, ids
from hub.core.db import Database
from hub.core.telemetry import is_told

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
INSERT INTO unrouted_delivery (id, received_at, connector, endpoint, own_id, headers, body)
SELECT id, $1, $2, $3, own_id, $4::jsonb, body FROM unnest($5::uuid[], $6::text[], $7::bytea[]) AS row(id, own_id, body)
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
        )
    unrouted.labels(connector.connector).inc(len(lost))
