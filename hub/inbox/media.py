"""Files, from a row to bytes in the store: the lane of direction `media`, what happens to every file, and what is cleared away.

    claim      due attachments, a few at once; each claim is counted and moves `due_at`, so a file that kills its worker waits
    fetch      the connector streams it into the store, with no transaction open and at most HUB_MEDIA_LIMIT
    examine    scanned (`core/scanner.py`), type by its content (`core/media.py`), a small picture (`core/picture.py`); films
               are not decoded here: the provider's own small picture of one is fetched and drawn anew
    record     stored, refused, quarantined, gone or failed, with the reason; or waiting for another try

Dying anywhere in between leaves a row that is due again and, at most, an object that the next try replaces. An object that no row
keeps goes with `sweep`. Uploads pass the same `examine` (`uploads.py`).
"""

import asyncio
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, BinaryIO, Final
from uuid import UUID

import structlog
from httpx import AsyncClient
from prometheus_client import Counter

from hub.channels.accounts import OpenChannel, read_channel
from hub.channels.health import mark_attention
from hub.connectors.contract import FetchesMedia, FileHead
from hub.connectors.errors import (
    AuthFailed,
    FetchError,
    FileGone,
    FileTooLarge,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SendError,
    Unavailable,
)
from hub.connectors.http import connector_client
from hub.core import clock, lanes, picture
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, NotFound
from hub.core.lanes import LANE_TROUBLE, LEASE, Lane
from hub.core.media import Refusal, inspect, safe_name
from hub.core.scanner import Scanner, Verdict
from hub.core.storage import PARTS, Form, TooLarge, Writing
from hub.inbox.attachments import nudge_fetching
from hub.inbox.effects import note_messages_changed
from hub.inbox.results import backoff
from hub.runtime import Runtime

log = structlog.get_logger()

AT_ONCE: Final = 4
"""Files of one channel that are fetched at the same time."""
TURN_SECONDS: Final = 10.0
"""How long one job takes on new files before it lets the next job go on; a job has a time limit."""
FILE_SECONDS: Final = 130.0
"""For one file from the first byte to the end of its examination; with TURN_SECONDS it ends before its job does."""
COPY_BYTES: Final = 262_144
CLAIMED: Final = timedelta(minutes=3)
"""When a claimed file is due again if nothing is heard of it: longer than FILE_SECONDS."""
RENEW_SECONDS: Final = LEASE.total_seconds() / 3
MOST_TRIES: Final = 300
"""About a day, at five minutes each in the end."""
SMALL_PIXELS: Final = 640
"""Longest side of a small picture: 320 CSS pixels on a screen of double density."""
SMALL_BYTES: Final = 2_000_000
"""Of one that we draw, and of one that a provider has of a film (Telegram's have less than 200 kB)."""
KEPT_UNSENT: Final = timedelta(days=1)
"""How long an upload waits to be sent."""
ORPHAN_SECONDS: Final = 86_400.0
"""How old an object without a row must be (machine time) before it goes: longer than any transaction that would still name it."""
SWEEP_SECONDS: Final = 60
"""The store is swept in PARTS steps, one for each minute: all of it in about four hours."""

REASONS: Final = (
    *("too_large", "infected", *(one.value for one in Refusal), "gone", "rejected", "internal"),
    *("provider_unavailable", "rate_limited", "auth_failed", "outcome_unknown", "not_stored"),
)
"""Why a file is not there (`attachment.reason`); the words are `file.reason.<reason>`. Those of the second line are tried again
and stay when that did not help for a day."""

fetched = Counter("hub_files_total", "Fetched files by what became of them", ["connector", "state"])


@dataclass(frozen=True, slots=True)
class Examined:
    """What a stored object turned out to be. `state` is stored, refused or quarantined; `found` the scanner's word. `width` and
    `height` in pixels where we decoded it."""

    state: str
    name: str
    mime: str
    scanned: str
    reason: str = ""
    found: str = ""
    has_small: bool = False
    width: int | None = None
    height: int | None = None


async def examine(runtime: Runtime, organisation_id: UUID, object_id: UUID, *, name: str, size: int) -> Examined:
    """Look at an object that was written just now, and give it its small picture. Whoever calls removes what is refused.

    Malware comes first: an infected program is quarantined, not just refused. FileNotFoundError when there is no such object.
    """
    with runtime.storage.open(organisation_id, object_id) as file:
        verdict = await Scanner(runtime.settings.clamd).scan(file)
        inspection = await asyncio.to_thread(inspect, file, size, name)
        examined = Examined("stored", safe_name(name, inspection.mime), inspection.mime, verdict.state)
        if verdict.state == "infected":
            return _quarantined(examined, verdict)
        if inspection.refusal is not None:
            return replace(examined, state="refused", reason=inspection.refusal.value)
        return await _with_small_picture(runtime, organisation_id, object_id, file, examined)


def _quarantined(examined: Examined, verdict: Verdict) -> Examined:
    log.warning("file_infected", found=verdict.name)
    return replace(examined, state="quarantined", reason="infected", found=verdict.name)


async def _with_small_picture(
    runtime: Runtime, organisation_id: UUID, object_id: UUID, file: BinaryIO, examined: Examined
) -> Examined:
    if examined.mime not in picture.FORMATS:
        return examined
    try:
        small = await picture.thumbnail(file, examined.mime, SMALL_PIXELS)
    except picture.Bomb:
        return replace(examined, state="refused", reason="bomb")
    except picture.Unreadable:
        return examined
    await _store_small_picture(runtime, organisation_id, object_id, small)
    return replace(examined, has_small=True, width=small.image_width, height=small.image_height)


async def _store_small_picture(runtime: Runtime, organisation_id: UUID, object_id: UUID, small: picture.Thumbnail) -> None:
    async with runtime.storage.writing(organisation_id, object_id, limit=SMALL_BYTES, form=Form.SMALL) as writing:
        await writing.write(small.body)


@dataclass(frozen=True, slots=True)
class _Due:
    """A claimed attachment."""

    id: UUID
    conversation_id: UUID
    message_id: UUID
    kind: str
    ref: str
    name: str
    size: int | None
    small_ref: str
    tries: int


@dataclass(frozen=True, slots=True)
class _Kept:
    """The file is in the store, or was and had to go again."""

    examined: Examined
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class _Ended:
    """The file will not come: `state` gone, refused or failed."""

    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Again:
    """Another try after `seconds`."""

    reason: str
    seconds: float
    needs_attention: bool = False


_Outcome = _Kept | _Ended | _Again


class _Sink:
    """Where a connector writes: the store, with the error that the contract names."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing

    async def write(self, piece: bytes) -> None:
        try:
            await self._writing.write(piece)
        except TooLarge:
            raise FileTooLarge from None


class _SmallSink:
    """Where a small picture goes before it is drawn anew."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = 0

    async def write(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > SMALL_BYTES:
            raise FileTooLarge
        self._file.write(piece)


async def drain(runtime: Runtime, organisation_id: UUID, channel_id: UUID, worker_id: UUID) -> None:
    """Fetch everything that is due on one channel. Returns at once when another worker has the lane."""
    lane = await lanes.take(runtime.database, organisation_id, channel_id, "media", worker_id)
    if lane is None:
        return
    until = time.monotonic() + TURN_SECONDS
    try:
        async with connector_client(runtime.settings.trusted_hosts) as http:
            while True:
                is_empty = await _work(runtime, lane, http, until)
                await runtime.queue.unflag(channel_id, "media")
                if is_empty:
                    is_empty = await _work(runtime, lane, http, until)
                if await lane.let_go():
                    break
        if not is_empty:
            await runtime.queue.nudge_lane(organisation_id, channel_id, "media")
    except LANE_TROUBLE as error:
        log.warning("lane_left", direction="media", error=type(error).__name__)


async def _work(runtime: Runtime, lane: Lane, http: AsyncClient, until: float) -> bool:
    """Fetch until nothing is due (True) or the time is up (False). What is under way is finished in either case."""
    running: set[asyncio.Task[None]] = set()
    try:
        while True:
            may_start = time.monotonic() < until
            channel, due = await _claim(runtime, lane, AT_ONCE - len(running) if may_start else 0)
            running |= {asyncio.create_task(_fetch_and_record(runtime, lane, channel, http, one)) for one in due}
            if not running:
                return may_start
            done, running = await asyncio.wait(running, timeout=RENEW_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _claim(runtime: Runtime, lane: Lane, limit: int) -> tuple[OpenChannel, list[_Due]]:
    """Renew the lease and take what is due."""
    now = clock.now()
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        rows = await unit.sql.fetch(
            """
            UPDATE attachment AS a SET tries = tries + 1, due_at = $4
            FROM (
                SELECT id FROM attachment
                WHERE organisation_id = $1 AND channel_id = $2 AND state = 'waiting' AND due_at <= $3
                ORDER BY due_at, id LIMIT $5
            ) AS due
            WHERE a.organisation_id = $1 AND a.id = due.id
            RETURNING a.id, a.conversation_id, a.message_id, a.kind, a.ref, a.name, a.size, a.small_ref, a.tries
            """,
            unit.tenant,
            lane.channel_id,
            now,
            now + CLAIMED,
            limit,
        )
        return await read_channel(runtime, unit, lane.channel_id), [_Due(**row) for row in rows]


async def _fetch_and_record(runtime: Runtime, lane: Lane, channel: OpenChannel, http: AsyncClient, due: _Due) -> None:
    outcome = await _fetch(runtime, channel, http, due)
    if isinstance(outcome, _Again) and due.tries >= MOST_TRIES:
        outcome = _Ended("failed", outcome.reason)
    if isinstance(outcome, _Kept) and outcome.examined.state == "refused":
        runtime.storage.delete(lane.organisation_id, due.id)
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        await _record(unit, channel, due, outcome)


async def _fetch(runtime: Runtime, channel: OpenChannel, http: AsyncClient, due: _Due) -> _Outcome:
    """One try. Whatever happened is the outcome; only what speaks of our own database or lease is raised."""
    try:
        async with asyncio.timeout(FILE_SECONDS):
            return await _fetch_and_examine(runtime, channel, http, due)
    except FileTooLarge:
        return _Ended("refused", "too_large")
    except FileGone:
        return _Ended("gone", "gone")
    except (RateLimited, AuthFailed, Unavailable, OutcomeUnknown) as error:
        seconds = error.retry_after if isinstance(error, RateLimited) else backoff(due.tries)
        return _Again(error.code, seconds, needs_attention=isinstance(error, AuthFailed))
    except Rejected:
        return _Ended("failed", "rejected")
    except TimeoutError:
        return _Again(Unavailable.code, backoff(due.tries))
    except OSError as error:  # the disk
        log.warning("file_not_stored", error=type(error).__name__)
        return _Again("not_stored", backoff(due.tries))
    except Exception as error:  # noqa: BLE001 - the edge: a defect of a connector must not stop the lane
        log.error("connector_defect", error=type(error).__name__, connector=channel.connector.connector)
        return _Ended("failed", "internal")


async def _fetch_and_examine(runtime: Runtime, channel: OpenChannel, http: AsyncClient, due: _Due) -> _Kept:
    limit = runtime.settings.media_limit
    async with runtime.storage.writing(channel.organisation_id, due.id, limit=limit) as writing:
        head = await _bring(runtime, channel, http, due, _Sink(writing))
    name = due.name or head.name or due.kind
    examined = await examine(runtime, channel.organisation_id, due.id, name=name, size=writing.size)
    connector = channel.connector
    if isinstance(connector, FetchesMedia) and examined.state == "stored" and examined.mime.startswith("video/") and due.small_ref:
        examined = replace(examined, has_small=await _fetch_small_picture(runtime, connector, channel, http, due))
    return _Kept(examined, writing.size, writing.sha256)


async def _bring(runtime: Runtime, channel: OpenChannel, http: AsyncClient, due: _Due, sink: _Sink) -> FileHead:
    """Let the connector fetch it, or take it from what was set aside in our own store (`Capabilities.media_at_hand`)."""
    connector = channel.connector
    if connector.capabilities.media_at_hand:
        return await _take_aside(runtime, channel.organisation_id, due.ref, sink)
    if not isinstance(connector, FetchesMedia):
        raise TypeError("this connector names files that it cannot fetch")
    head: FileHead = await connector.fetch(due.ref, channel.account, http, sink, size=due.size)
    return head


async def _take_aside(runtime: Runtime, organisation_id: UUID, ref: str, sink: _Sink) -> FileHead:
    """Copy what was set aside: it stays there as long as its raw delivery, which may be replayed."""
    try:
        file = runtime.storage.open(organisation_id, UUID(hex=ref), Form.ASIDE)
    except FileNotFoundError:
        raise FileGone from None
    with file:
        while piece := await asyncio.to_thread(file.read, COPY_BYTES):
            await sink.write(piece)
    return FileHead()


async def _fetch_small_picture(
    runtime: Runtime, connector: FetchesMedia[Any], channel: OpenChannel, http: AsyncClient, due: _Due
) -> bool:
    """The provider's small picture of a film. Whether it came, once tried: a film without has a plain ground."""
    with tempfile.TemporaryFile() as file:
        sink = _SmallSink(file)
        try:
            await connector.fetch(due.small_ref, channel.account, http, sink)
            mime = (await asyncio.to_thread(inspect, file, sink.size, "")).mime
            if mime not in picture.FORMATS:
                return False
            small = await picture.thumbnail(file, mime, SMALL_PIXELS)
        except (FetchError, SendError, picture.PictureRefused) as error:
            log.info("no_small_picture", error=type(error).__name__)
            return False
    await _store_small_picture(runtime, channel.organisation_id, due.id, small)
    return True


async def _record(unit: UnitOfWork, channel: OpenChannel, due: _Due, outcome: _Outcome) -> None:
    """Write what came of a claimed file and tell the pages. A file that is not wanted any more stays as it is."""
    match outcome:
        case _Kept():
            wanted = await _record_kept(unit, due, outcome)
            state = outcome.examined.state
        case _Ended():
            wanted = await _record_state(unit, due, outcome.state, outcome.reason, 0.0)
            state = outcome.state
        case _Again():
            wanted = await _record_state(unit, due, "waiting", outcome.reason, outcome.seconds)
            state = "again"
            if outcome.needs_attention:
                await mark_attention(unit, channel.channel_id, "auth_failed")
    if wanted and (state != "again" or due.tries == 1):
        note_messages_changed(unit, [(due.message_id, due.conversation_id)])
    fetched.labels(channel.connector.connector, state).inc()


async def _record_kept(unit: UnitOfWork, due: _Due, kept: _Kept) -> bool:
    examined = kept.examined
    row = await unit.sql.fetchval(
        """
        UPDATE attachment SET state = $3, reason = $4, name = $5, mime = $6, size = $7, sha256 = $8, scanned = $9,
               has_thumbnail = $10, width = COALESCE($11, width), height = COALESCE($12, height), stored_at = $13
        WHERE organisation_id = $1 AND id = $2 AND state = 'waiting' RETURNING true
        """,
        unit.tenant,
        due.id,
        examined.state,
        examined.reason,
        examined.name,
        examined.mime,
        kept.size,
        kept.sha256,
        examined.scanned,
        examined.has_small,
        examined.width,
        examined.height,
        clock.now(),
    )
    return bool(row)


async def _record_state(unit: UnitOfWork, due: _Due, state: str, reason: str, seconds: float) -> bool:
    row = await unit.sql.fetchval(
        """
        UPDATE attachment SET state = $3, reason = $4, due_at = $5
        WHERE organisation_id = $1 AND id = $2 AND state = 'waiting' RETURNING true
        """,
        unit.tenant,
        due.id,
        state,
        reason,
        clock.now() + timedelta(seconds=seconds),
    )
    return bool(row)


async def fetch_again(runtime: Runtime, organisation_id: UUID, attachment_id: UUID) -> tuple[UUID, UUID]:
    """Try once more to fetch a file that failed; its conversation and message. NotFound; Conflict when it did not fail."""
    async with runtime.database.unit_of_work(organisation_id) as unit:
        row = await unit.sql.fetchrow(
            """
            SELECT state, channel_id, conversation_id, message_id FROM attachment WHERE organisation_id = $1 AND id = $2 FOR UPDATE
            """,
            unit.tenant,
            attachment_id,
        )
        if row is None:
            raise NotFound("no such file")
        if row["state"] != "failed":
            raise Conflict("this file did not fail")
        await unit.sql.execute(
            """
            UPDATE attachment SET state = 'waiting', reason = '', due_at = $3, tries = 0 WHERE organisation_id = $1 AND id = $2
            """,
            unit.tenant,
            attachment_id,
            clock.now(),
        )
        note_messages_changed(unit, [(row["message_id"], row["conversation_id"])])
        nudge_fetching(runtime, unit, row["channel_id"])
    return row["conversation_id"], row["message_id"]


async def sweep(runtime: Runtime, organisation_id: UUID) -> None:
    """Clear away uploads that nobody sent, and of one part of the store what crashes left and what no row keeps."""
    async with runtime.database.unit_of_work(organisation_id) as unit:
        unsent: list[Any] = await unit.sql.fetch(
            "DELETE FROM attachment WHERE organisation_id = $1 AND message_id IS NULL AND created_at < $2 RETURNING id",
            unit.tenant,
            clock.now() - KEPT_UNSENT,
        )
    _delete(runtime, organisation_id, (row["id"] for row in unsent))
    await sweep_part(runtime, organisation_id, int(time.time()) // SWEEP_SECONDS % PARTS)


async def sweep_part(runtime: Runtime, organisation_id: UUID, part: int) -> None:
    """Of one part of the store: remove unfinished objects, and those that no document needs and whose attachment is gone or holds
    no file."""
    storage = runtime.storage
    await asyncio.to_thread(storage.sweep_unfinished, organisation_id, part, older_than=ORPHAN_SECONDS)
    await asyncio.to_thread(storage.sweep_aside, organisation_id, part, older_than=_aside_seconds(runtime))
    found = await asyncio.to_thread(storage.listed, organisation_id, part, older_than=ORPHAN_SECONDS)
    if not found:
        return
    async with runtime.database.unit_of_work(organisation_id) as unit:
        kept = await unit.sql.fetch(
            """
            SELECT id FROM attachment
            WHERE organisation_id = $1 AND id = ANY($2::uuid[]) AND state IN ('waiting', 'stored', 'quarantined')
            UNION ALL SELECT id FROM consent_document WHERE organisation_id = $1 AND id = ANY($2::uuid[])
            """,
            unit.tenant,
            list(found),
        )
    _delete(runtime, organisation_id, found - {row["id"] for row in kept})


def _aside_seconds(runtime: Runtime) -> float:
    """As long as the raw delivery that names it, and a day more."""
    return timedelta(days=runtime.settings.keep_raw_days + 1).total_seconds()


def _delete(runtime: Runtime, organisation_id: UUID, object_ids: Iterable[UUID]) -> None:
    for object_id in object_ids:
        runtime.storage.delete(organisation_id, object_id)
