"""The door: `POST /hooks/{connector}/{channel}`. A webhook answered 200 is on disk (I1).

    find the channel (cached)        unknown: 404
    read the body                    too large: 413
    a test of the address            answered as the provider wants it (`Handshakes`; GET as well)
    connector.verify(bytes)          not from the provider: 401, counted, not stored
    append webhook_delivery          shares a commit with everything that arrived while the last one was in flight
    200 after that commit            store down or disk nearly full: 503
    nudge the channel's lane         `ingest.py` goes on from here

`POST /hooks/{connector}/{endpoint}` is the address that the accounts of one app share (`SharesEndpoint`): each gets a delivery of
its own with what speaks of it; what names nobody we know is kept for the operator. Some answers carry a greeting (`welcome.py`).

Plain ASGI over asyncpg as hub_door: nothing is parsed here, so nothing can fail after the bytes are safe.
"""

import asyncio
import re
import shutil
import time
from contextvars import Context
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter

from hub.channels.accounts import ACCOUNT_COLUMNS, OpenChannel, open_channel
from hub.connectors.contract import AnswersInline, Handshakes, RawRequest, Reply
from hub.connectors.errors import MalformedPayload, SignatureInvalid
from hub.connectors.events import Sender
from hub.connectors.sharing import Share, SharesEndpoint
from hub.core import ids
from hub.core.db import STORE_ERRORS
from hub.core.errors import NotFound
from hub.inbox.arriving.arrivals import Arrival, append, arrival, keep_unrouted, note_stored, passes
from hub.inbox.arriving.welcome import greet
from hub.runtime import Runtime

log = structlog.get_logger()

OWN_ADDRESS = "chn_"
PATH = re.compile(r"^/hooks/([a-z]+)/([a-z0-9_-]{1,64})$")
CACHE_SECONDS = 5.0
"""How long an opened channel is served from memory; a rotated secret overlaps by far more."""
CACHE_ADDRESSES = 10_000
BATCH = 500
DISK_LOOK_SECONDS = 5.0
NUDGE_PAUSE_SECONDS = 0.005

answered = Counter("hub_webhook_answers_total", "Webhook requests by answer", ["connector", "status"])


@dataclass(slots=True)
class _Waiting:
    """An arrival waiting for its commit."""

    arrival: Arrival
    stored: asyncio.Future[bool]


class BodyTooLarge(Exception):
    """More bytes than `HUB_BODY_LIMIT`."""


class BodyCutOff(Exception):
    """The provider hung up in the middle of the body: nobody hears an answer, and it will deliver again."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A connector, and what of it concerns the door: asked once, since each request would pay for it."""

    connector: Any
    handshakes: bool
    shares: bool
    greets: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """Who is behind an address, and until when that is served from memory."""

    channels: tuple[OpenChannel, ...]
    read_at: float


class Door:
    """The ASGI application behind `/hooks/`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._kinds = {
            name: _Kind(
                connector,
                isinstance(connector, Handshakes),
                isinstance(connector, SharesEndpoint),
                isinstance(connector, AnswersInline),
            )
            for name, connector in runtime.connectors.items()
        }
        self._found: dict[tuple[str, str], _Found] = {}
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None
        self._lanes_due: set[tuple[UUID, UUID]] = set()
        self._nudger: asyncio.Task[None] | None = None
        self._disk_looked = float("-inf")
        self._disk_is_full = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        match = PATH.match(scope["path"])
        kind = self._kinds.get(match[1]) if match else None
        reply = await self._serve(scope, receive, kind, match[2]) if match and kind else 404
        status, body = (reply, b"") if isinstance(reply, int) else (reply.status, reply.body)
        answered.labels(kind.connector.connector if kind else "unknown", status).inc()
        headers = [(b"content-length", str(len(body)).encode())]
        if not isinstance(reply, int):
            headers.append((b"content-type", reply.media_type.encode()))
        elif status == 503:
            headers.append((b"retry-after", b"5"))
        elif status == 405:
            headers.append((b"allow", b"GET, POST" if kind and kind.handshakes else b"POST"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _serve(self, scope: Any, receive: Any, kind: _Kind, name: str) -> int | Reply:
        method: str = scope["method"]
        if method != "POST" and not (method == "GET" and kind.handshakes):
            return 405
        try:
            channels = await self._channels(kind, name)
        except NotFound:
            return 404
        except STORE_ERRORS as error:
            log.error("door_store_down", error=type(error).__name__)
            return 503
        if not channels:
            return 404
        try:
            body = await self._read(scope, receive)
        except BodyTooLarge:
            return 413
        except BodyCutOff:
            return 400
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request = RawRequest(method, headers, body, query=scope["query_string"].decode("latin-1"))
        if kind.handshakes:
            tested = _shake_hands(kind.connector, request, channels)
            if tested is not None or method == "GET":
                return tested or 405
        verified = next((channel for channel in channels if passes(channel, request)), None)
        if verified is None:
            return SignatureInvalid.http_status
        if self._disk_nearly_full():
            return 503
        if not name.startswith(OWN_ADDRESS):
            return await self._store_shares(kind, name, channels, verified, request)
        if kind.greets and (sender := _wants_greeting(kind.connector, request, verified)):
            return await self._greet(verified, request, sender)
        return 200 if await self._store(arrival(verified, request)) else 503

    async def channel(self, connector: str, shown: str) -> OpenChannel | None:
        """The channel of a connector with this shown id. NotFound for what is no channel's id; raises STORE_ERRORS."""
        channels = await self._channels(self._kinds[connector], shown)
        return channels[0] if channels else None

    async def take(self, channel: OpenChannel, request: RawRequest) -> int:
        """Verify a request for this channel and keep it: 200 once it is on disk, 401 or 503. Our own website chat comes in here."""
        if not passes(channel, request):
            return SignatureInvalid.http_status
        if self._disk_nearly_full():
            return 503
        return 200 if await self._store(arrival(channel, request)) else 503

    async def _greet(self, channel: OpenChannel, request: RawRequest, sender: Sender) -> int | Reply:
        """Store the delivery and answer it with a greeting, where the business has one and the gate lets it out."""
        try:
            reply = await greet(self._runtime, channel, arrival(channel, request), sender)
        except STORE_ERRORS as error:
            log.error("door_store_down", error=type(error).__name__)
            return 503
        if reply is not None:
            return reply
        return 200 if await self._store(arrival(channel, request)) else 503

    async def _store_shares(
        self, kind: _Kind, endpoint: str, channels: tuple[OpenChannel, ...], verified: OpenChannel, request: RawRequest
    ) -> int:
        """A delivery for each account that is named, with its elements alone, and for all of them what names none; 200 only when
        everything is on disk."""
        try:
            shares = kind.connector.shares(request)
        except MalformedPayload as error:
            log.warning("shares_unreadable", connector=kind.connector.connector, cause=str(error))
            shares = ()
        try:
            if {share.own_id for share in shares if share.own_id} - {channel.account.own_id for channel in channels}:
                # an account that is named may have been connected just now; only who knows the app's secret gets here
                channels = await self._channels(kind, endpoint, within=0.0)
            arrivals, lost = [], [] if shares else [Share(own_id="", body=request.body)]
            for share in shares:
                named = [
                    one
                    for one in channels
                    if share.own_id in ("", one.account.own_id) and (one is verified or passes(one, request))
                ]
                arrivals += [arrival(one, replace(request, body=share.body)) for one in named]
                if not named:
                    lost.append(share)
            if lost:
                await keep_unrouted(self._runtime.database, kind.connector, endpoint, request, lost)
        except STORE_ERRORS as error:
            log.error("door_store_down", error=type(error).__name__)
            return 503
        return 200 if all(await asyncio.gather(*map(self._store, arrivals))) else 503

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

    async def _channels(self, kind: _Kind, name: str, *, within: float = CACHE_SECONDS) -> tuple[OpenChannel, ...]:
        """Who is behind an address, from memory or from the database; unknown ones are remembered too, so that guessing costs no
        query. NotFound for what is no address at all."""
        place = (kind.connector.connector, name)
        found = self._found.get(place)
        if found is not None and found.read_at > time.monotonic() - within:
            return found.channels
        key: UUID | str
        if name.startswith(OWN_ADDRESS):
            query, key = "id = $2", ids.read("chn", name)
        elif kind.shares:
            query, key = "endpoint = $2", name
        else:
            raise NotFound("no such address")
        async with self._runtime.database.door() as connection:
            rows = await connection.fetch(f"SELECT {ACCOUNT_COLUMNS} FROM channel WHERE connector = $1 AND {query}", place[0], key)
        channels = tuple(open_channel(self._runtime.vault, self._runtime.connectors, row) for row in rows)
        if len(self._found) >= CACHE_ADDRESSES:
            self._found.clear()
        self._found[place] = _Found(channels, time.monotonic())
        return channels

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


def _shake_hands(connector: Any, request: RawRequest, channels: tuple[OpenChannel, ...]) -> int | Reply | None:
    """The answer to a test of the address by the first account that knows it; None: it was no test."""
    refused = False
    for channel in channels:
        try:
            reply: Reply | None = connector.handshake(request, channel.account)
        except SignatureInvalid:
            refused = True
            continue
        if reply is not None:
            return reply
    return SignatureInvalid.http_status if refused else None


def _wants_greeting(connector: Any, request: RawRequest, channel: OpenChannel) -> Sender | None:
    """Who may be greeted in the answer; nobody where the bytes cannot be read, which `ingest.py` says."""
    try:
        sender: Sender | None = connector.wants_answer(request, channel.account)
    except MalformedPayload:
        return None
    return sender
