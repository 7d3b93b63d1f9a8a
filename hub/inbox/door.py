"""The door: `POST /hooks/{connector}/{channel}`. A webhook answered 200 is on disk (I1).

    find the channel (cached)        unknown: 404
    read the body                    too large: 413
    connector.verify(bytes)          not from the provider: 401, counted, not stored
    append webhook_delivery          shares a commit with everything that arrived while the last one was in flight
    200 after that commit            store down or disk nearly full: 503
    nudge the channel's lane         `ingest.py` goes on from here

Plain ASGI over asyncpg as hub_door: nothing is parsed here, so nothing can fail after the bytes are safe.
"""

import asyncio
import logging
import re
import shutil
import time
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import structlog
from prometheus_client import Counter

from hub.channels.accounts import ACCOUNT_COLUMNS, OpenChannel, open_channel
from hub.connectors.contract import RawRequest
from hub.connectors.errors import SignatureInvalid
from hub.core import clock, ids
from hub.core.db import STORE_ERRORS, Database
from hub.core.errors import NotFound
from hub.core.telemetry import is_told
from hub.runtime import Runtime

log = structlog.get_logger()

PATH = re.compile(r"^/hooks/([a-z]+)/(chn_[0-9a-z]{26})$")
CACHE_SECONDS = 5.0
"""How long an opened channel is served from memory; a rotated secret overlaps by far more."""
CACHE_CHANNELS = 10_000
BATCH = 500
DISK_LOOK_SECONDS = 5.0
NUDGE_PAUSE_SECONDS = 0.005

answered = Counter("hub_webhook_answers_total", "Webhook requests by answer", ["connector", "status"])

_APPEND = """
INSERT INTO webhook_delivery (organisation_id, id, received_at, channel_id, state, headers, body)
SELECT organisation_id, id, received_at, channel_id, 'received', headers::jsonb, body
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[], $5::text[], $6::bytea[])
    AS row(organisation_id, id, received_at, channel_id, headers, body)
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
    kept = {name: value for name, value in request.headers.items() if name in channel.connector.keeps_headers}
    return Arrival(
        channel.organisation_id, ids.new_id(), channel.channel_id, clock.now(), orjson.dumps(kept).decode(), request.body
    )


async def append(database: Database, arrivals: Sequence[Arrival]) -> None:
    """Append raw deliveries; they are on disk when this returns. The one way in, of webhooks and of polls. Raises STORE_ERRORS."""
    async with database.door() as connection:
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


@dataclass(slots=True)
class _Waiting:
    """An arrival waiting for its commit."""

    arrival: Arrival
    stored: asyncio.Future[bool]


class BodyTooLarge(Exception):
    """More bytes than `HUB_BODY_LIMIT`."""


class BodyCutOff(Exception):
    """The provider hung up in the middle of the body: nobody hears an answer, and it will deliver again."""


class Door:
    """The ASGI application behind `/hooks/`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._channels: dict[str, tuple[float, OpenChannel | None]] = {}
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None
        self._lanes_due: set[tuple[UUID, UUID]] = set()
        self._nudger: asyncio.Task[None] | None = None
        self._disk_looked = float("-inf")
        self._disk_is_full = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        match = PATH.match(scope["path"])
        connector = match[1] if match and match[1] in self._runtime.connectors else "unknown"
        status = await self._serve(scope, receive, match)
        answered.labels(connector, status).inc()
        headers = [(b"content-length", b"0")]
        if status == 503:
            headers.append((b"retry-after", b"5"))
        elif status == 405:
            headers.append((b"allow", b"POST"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _serve(self, scope: Any, receive: Any, match: re.Match[str] | None) -> int:
        if match is None:
            return 404
        if scope["method"] != "POST":
            return 405
        try:
            channel = await self._channel(match[2])
        except NotFound:
            return 404
        except STORE_ERRORS as error:
            log.error("door_store_down", error=type(error).__name__)
            return 503
        if channel is None or channel.connector.connector != match[1]:
            return 404
        try:
            body = await self._read(scope, receive)
        except BodyTooLarge:
            return 413
        except BodyCutOff:
            return 400
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request = RawRequest("POST", headers, body)
        try:
            channel.connector.verify(request, channel.account)
        except SignatureInvalid:
            return SignatureInvalid.http_status
        if self._disk_nearly_full():
            return 503
        return 200 if await self._store(arrival(channel, request)) else 503

    async def _read(self, scope: Any, receive: Any) -> bytes:
        limit = self._runtime.settings.body_limit
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > limit:
                raise BodyTooLarge
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise BodyCutOff
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise BodyTooLarge
            if not message.get("more_body"):
                return b"".join((*chunks, chunk)) if chunks else chunk
            chunks.append(chunk)

    async def _channel(self, shown: str) -> OpenChannel | None:
        """The channel from memory or from the database; unknown ones are remembered too, so that guessing costs no query."""
        cached = self._channels.get(shown)
        if cached is not None and cached[0] > time.monotonic():
            return cached[1]
        channel_id = ids.read("chn", shown)
        async with self._runtime.database.door() as connection:
            row = await connection.fetchrow(f"SELECT {ACCOUNT_COLUMNS} FROM channel WHERE id = $1", channel_id)
        channel = None if row is None else open_channel(self._runtime.vault, self._runtime.connectors, row)
        if len(self._channels) >= CACHE_CHANNELS:
            self._channels.clear()
        self._channels[shown] = (time.monotonic() + CACHE_SECONDS, channel)
        return channel

    def _disk_nearly_full(self) -> bool:
        """Only where the database is ours: with an outside server its operator watches the disk."""
        if time.monotonic() - self._disk_looked > DISK_LOOK_SECONDS:
            self._disk_looked = time.monotonic()
            settings = self._runtime.settings
            least = settings.minimum_free_disk_mb * 1_000_000
            self._disk_is_full = bool(least and settings.data.exists() and shutil.disk_usage(settings.data).free < least)
            if self._disk_is_full:
                log.error("disk_nearly_full", path=str(settings.data))
        return self._disk_is_full

    async def _store(self, arrived: Arrival) -> bool:
        """Wait for the commit that holds this delivery; False when it failed."""
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(arrived, stored))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), context=Context())  # it works for all requests, not for this one
        is_stored = await stored
        if is_stored:
            note_stored([arrived])
        return is_stored

    async def _write(self) -> None:
        """Group commit without a timer: what arrives during one commit goes into the next."""
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            is_stored = False
            try:
                is_stored = await self._append([waiting.arrival for waiting in batch])
            finally:
                for waiting in batch:
                    if not waiting.stored.done():
                        waiting.stored.set_result(is_stored)
            if is_stored:
                self._lanes_due |= {(waiting.arrival.organisation_id, waiting.arrival.channel_id) for waiting in batch}
                if self._nudger is None or self._nudger.done():
                    self._nudger = asyncio.create_task(self._nudge())

    async def close(self) -> None:
        """Finish what is under way: called before the pools and the queue are closed."""
        for task in (self._writer, self._nudger):
            if task is not None:
                await task

    async def _nudge(self) -> None:
        """A lane that becomes due is nudged at once; under load the lanes of the next few milliseconds share a round trip."""
        while self._lanes_due:
            lanes, self._lanes_due = self._lanes_due, set()
            await self._runtime.queue.nudge_lanes(list(lanes), "in")
            await asyncio.sleep(NUDGE_PAUSE_SECONDS)

    async def _append(self, batch: list[Arrival]) -> bool:
        try:
            await append(self._runtime.database, batch)
        except STORE_ERRORS as error:
            log.error("door_store_down", error=type(error).__name__)
            return False
        return True
