"""Push: from "organisation X is at N" to every open stream of this process, and whispers beside it.

One subscription to Valkey per process. An announcement makes the process read the new entries once per organisation into a short
ring in memory, from which all streams of that organisation take. A stream that has fallen off the ring reads the table by its
cursor, so a slow reader costs no memory. Without Valkey the table is polled: streams are late then, never wrong.

A whisper is what holds only now (who looks, who types). It goes through Valkey to whoever listens at this moment, is kept nowhere
and may be lost.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import structlog
from redis.exceptions import RedisError

from hub.core.db import STORE_TROUBLE, Database
from hub.core.feed import Change, changes_after
from hub.core.queue import FEED_CHANNEL, WHISPER_CHANNEL, Queue

log = structlog.get_logger()

RING = 1000
LOOK_SECONDS = 5.0
"""How often the table is asked although nothing was announced: an announcement may have been lost."""
POLL_SECONDS = 1.0
"""How often it is asked while Valkey cannot be reached."""
WHISPERS = 64
"""How many a stream may be behind before it misses some."""


@dataclass(frozen=True, slots=True)
class Whisper:
    """Something that holds only now. `data` holds shown ids and names of colleagues, never a message's text."""

    data: dict[str, Any]


class _Recent:
    """The newest entries of one organisation, shared by its streams."""

    def __init__(self, head: int) -> None:
        self.head = head
        self.ring: deque[Change] = deque(maxlen=RING)
        self.streams = 0
        self.changed = asyncio.Event()
        self.whispers: deque[Whisper] = deque(maxlen=WHISPERS)
        self.whispered = 0
        self.reader: asyncio.Task[None] | None = None
        self.again = False

    def after(self, seq: int) -> list[Change] | None:
        """Entries after a cursor, or None when the ring does not reach back that far."""
        if seq >= self.head:
            return []
        if not self.ring or self.ring[0].seq > seq + 1:
            return None
        return [change for change in self.ring if change.seq > seq]

    def take(self, changes: list[Change]) -> None:
        self.ring.extend(changes)
        self.head = changes[-1].seq
        self.wake()

    def hear(self, whisper: Whisper) -> None:
        self.whispers.append(whisper)
        self.whispered += 1
        self.wake()

    def whispers_since(self, count: int) -> list[Whisper]:
        """Those after the first `count`, as far as they are kept."""
        missed = min(self.whispered - count, len(self.whispers))
        return list(self.whispers)[len(self.whispers) - missed :]

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class Live:
    """The streams of this process and the task that feeds them."""

    def __init__(self, database: Database, queue: Queue) -> None:
        self._database = database
        self._queue = queue
        self._recent: dict[UUID, _Recent] = {}
        self._runner: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._runner = asyncio.create_task(self._run())

    async def stop(self) -> None:
        tasks = [self._runner, *(recent.reader for recent in self._recent.values())]
        for task in tasks:
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def follow(self, organisation_id: UUID, after: int) -> AsyncIterator[Change | Whisper | None]:
        """Every change after a cursor, each once, in order, for ever, and what is whispered meanwhile. None: the cursor is older
        than the feed is kept, the page must reload; the stream ends with it."""
        recent = self._recent.setdefault(organisation_id, _Recent(after))
        recent.streams += 1
        heard = recent.whispered
        self._read_soon(organisation_id, recent)
        try:
            while True:
                changed = recent.changed
                changes = recent.after(after)
                if changes is None:
                    changes = await changes_after(self._database, organisation_id, after)
                if changes is None:
                    yield None
                    return
                for change in changes:
                    after = change.seq
                    yield change
                whispers, heard = recent.whispers_since(heard), recent.whispered
                for whisper in whispers:
                    yield whisper
                if not changes and not whispers:
                    await changed.wait()
        finally:
            recent.streams -= 1
            if recent.streams == 0 and self._recent.get(organisation_id) is recent:
                del self._recent[organisation_id]

    async def whisper(self, organisation_id: UUID, data: dict[str, Any]) -> None:
        """Tell everybody who looks at this organisation right now; without Valkey nobody hears it."""
        try:
            await self._queue.redis.publish(WHISPER_CHANNEL, organisation_id.bytes + orjson.dumps(data))
        except (RedisError, OSError) as error:
            log.warning("whisper_failed", error=type(error).__name__)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                log.warning("live_without_valkey", error=type(error).__name__)
                await asyncio.sleep(POLL_SECONDS)
                self._look()

    async def _listen(self) -> None:
        async with self._queue.redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(FEED_CHANNEL, WHISPER_CHANNEL)
            self._look()
            while True:
                message = await pubsub.get_message(timeout=LOOK_SECONDS)
                if message is None:
                    self._look()
                    continue
                if message["channel"] == WHISPER_CHANNEL.encode():
                    self._hear(message["data"])
                    continue
                shown, _, seq = message["data"].partition(b":")
                organisation_id = UUID(hex=shown.decode())
                recent = self._recent.get(organisation_id)
                if recent is not None and recent.head < int(seq):
                    self._read_soon(organisation_id, recent)

    def _hear(self, told: bytes) -> None:
        recent = self._recent.get(UUID(bytes=told[:16]))
        if recent is not None:
            recent.hear(Whisper(orjson.loads(told[16:])))

    def _look(self) -> None:
        for organisation_id, recent in self._recent.items():
            self._read_soon(organisation_id, recent)

    def _read_soon(self, organisation_id: UUID, recent: _Recent) -> None:
        """One reader per organisation; a call while it runs makes it look once more."""
        recent.again = True
        if recent.reader is None or recent.reader.done():
            recent.reader = asyncio.create_task(self._read(organisation_id, recent))

    async def _read(self, organisation_id: UUID, recent: _Recent) -> None:
        while recent.again:
            recent.again = False
            try:
                changes = await changes_after(self._database, organisation_id, recent.head)
            except STORE_TROUBLE as error:
                log.warning("feed_unreadable", error=type(error).__name__)
                return
            if changes is None:
                recent.head += 1
                recent.ring.clear()
                recent.wake()
            elif changes:
                recent.take(changes)
                recent.again = True
