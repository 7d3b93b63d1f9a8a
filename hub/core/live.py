"""Push: from "organisation X is at N" to every open stream of this process, and whispers beside it.

    with live.follow(organisation_id, after) as follower:
        told = await follower.next(0.8)

One subscription to Valkey per process. An announcement makes the process read the new entries once per organisation into a short
ring in memory, from which all followers of that organisation take. A follower keeps a number and no entries, so thousands of open
pages cost little, and a slow one costs no more than a fast one: what has fallen off the ring it reads from the table by its number.
Without Valkey the table is polled: followers are late then, never wrong.

A whisper is what holds only now (who looks, who types). It goes through Valkey to whoever listens at this moment, is kept nowhere
and may be lost.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import structlog
from redis.exceptions import RedisError

from hub.core.db import STORE_TROUBLE, Database
from hub.core.feed import Change, changes_after, last_seq
from hub.core.queue import FEED_CHANNEL, WHISPER_CHANNEL, Queue

log = structlog.get_logger()

RING = 1000
BEHIND = 100
"""Entries that a follower who has fallen off the ring reads at once."""
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


class Outdated(Exception):
    """The follower's number is older than the feed is kept: the page must reload."""


class _Recent:
    """The newest entries of one organisation, shared by its followers. Numbers have no gaps, so a place in the ring is a number."""

    def __init__(self) -> None:
        self.head: int | None = None
        """Up to where the feed was read; None until the first reading."""
        self.ring: deque[Change] = deque(maxlen=RING)
        self.followers: set[Follower] = set()
        self.whispers: deque[Whisper] = deque(maxlen=WHISPERS)
        self.whispered = 0
        self.reader: asyncio.Task[None] | None = None
        self.again = False

    def after(self, seq: int) -> Change | None:
        """The entry that follows a number; None when the ring does not hold it."""
        place = seq + 1 - self.ring[0].seq if self.ring else -1
        return self.ring[place] if 0 <= place < len(self.ring) else None

    def start_at(self, head: int) -> None:
        """Nothing up to here is in the ring."""
        self.ring.clear()
        self.head = head
        self.wake()

    def take(self, changes: list[Change]) -> None:
        self.ring.extend(changes)
        self.head = changes[-1].seq
        self.wake()

    def hear(self, whisper: Whisper) -> None:
        self.whispers.append(whisper)
        self.whispered += 1
        self.wake()

    def wake(self) -> None:
        for follower in self.followers:
            follower.wake()


class Follower:
    """One open stream's place in the feed: it gets every change after a number, each once and in order."""

    __slots__ = ("_behind", "_database", "_heard", "_organisation_id", "_recent", "_waiter", "seq")

    def __init__(self, database: Database, organisation_id: UUID, recent: _Recent, after: int) -> None:
        self.seq = after
        self._database = database
        self._organisation_id = organisation_id
        self._recent = recent
        self._heard = recent.whispered
        self._behind: list[Change] = []  # the next one last
        self._waiter: asyncio.Future[None] | None = None

    async def next(self, seconds: float) -> Change | Whisper | None:
        """The next change, or what is whispered while there is none; None when nothing happens for so long, or `wake` was called.
        Raises Outdated, or STORE_TROUBLE."""
        if self._is_at_head and self._heard == self._recent.whispered:
            await self._wait(seconds)
        if self._is_at_head:
            return self._next_whisper()
        change = self._behind.pop() if self._behind else self._recent.after(self.seq) or await self._look_behind()
        if change is not None:
            self.seq = change.seq
        return change

    def _next_whisper(self) -> Whisper | None:
        missed = min(self._recent.whispered - self._heard, len(self._recent.whispers))
        if not missed:
            return None
        self._heard = self._recent.whispered - missed + 1
        return self._recent.whispers[-missed]

    def wake(self) -> None:
        """Let `next` look whether there is anything, and return."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def _is_at_head(self) -> bool:
        return self._recent.head is None or self.seq >= self._recent.head

    async def _wait(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(seconds, self.wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    async def _look_behind(self) -> Change | None:
        found = await changes_after(self._database, self._organisation_id, self.seq, limit=BEHIND)
        if found is None:
            raise Outdated
        self._behind = found[::-1]
        return self._behind.pop() if self._behind else None


class Live:
    """The followers of this process and the task that feeds them."""

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

    @contextlib.contextmanager
    def follow(self, organisation_id: UUID, after: int) -> Iterator[Follower]:
        """Follow an organisation's feed from a number on."""
        recent = self._recent.setdefault(organisation_id, _Recent())
        follower = Follower(self._database, organisation_id, recent, after)
        recent.followers.add(follower)
        if recent.head is None:
            self._read_soon(organisation_id, recent)
        try:
            yield follower
        finally:
            recent.followers.discard(follower)
            if not recent.followers and self._recent.get(organisation_id) is recent:
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
                if recent is not None and (recent.head is None or recent.head < int(seq)):
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
                head = recent.head
                changes = None if head is None else await changes_after(self._database, organisation_id, head)
                if changes is None:  # nothing was read yet; or what was read last is trimmed already
                    recent.start_at(await self._last_seq(organisation_id))
            except STORE_TROUBLE as error:
                log.warning("feed_unreadable", error=type(error).__name__)
                return
            if changes:
                recent.take(changes)
                recent.again = True

    async def _last_seq(self, organisation_id: UUID) -> int:
        async with self._database.unit_of_work(organisation_id) as unit:
            return await last_seq(unit)
