"""The load of B2, from a process of its own: open streams, then webhooks, and when each message arrived where.

    python -m benchmarks.streams < job.json > outcome.json

One clock serves both ends. Answers are read from raw sockets: at two thousand events a second an HTTP client would be what is
measured.
"""

import asyncio
import json
import re
import sys
import time
from array import array
from dataclasses import asdict, dataclass, field
from typing import Any, Final, cast

import redis.asyncio
import uvloop

from benchmarks.load import FIRST_NUMBER, FIRST_PERSON, Target, request_template

ARRIVED: Final = re.compile(rb'"kind":"message","data":\{[^}]*"message":"(msg_[0-9a-z]{26})"')
AT_ONCE: Final = 50
"""Streams that are opened at the same time."""
ROUND_TRIPS: Final = 2000
LAST_SECONDS: Final = 2.0
"""How long late events are waited for."""


@dataclass(frozen=True)
class Stream:
    """An open page: path with the number it has seen, and the cookie of its session."""

    path: str
    cookie: str


@dataclass(frozen=True)
class Job:
    port: int
    redis_url: str
    targets: list[Target]
    """One per organisation."""
    streams: list[Stream]
    rate: float
    seconds: float


@dataclass
class Outcome:
    """Times in seconds of one monotonic clock."""

    sent: list[float] = field(default_factory=list)
    """When webhook FIRST_NUMBER + index was written to its connection."""
    refused: int = 0
    arrived: list[tuple[int, str, float]] = field(default_factory=list)
    """(stream, shown id of the message, time)."""
    ended: int = 0
    """Streams that ended by themselves."""
    round_trips: list[float] = field(default_factory=list)
    """Publish to receive through Valkey, one after the other, before the load."""


class _Follower(asyncio.Protocol):
    """One stream. Remembers what arrived when."""

    def __init__(self, number: int, stream: Stream, outcome: Outcome, opened: asyncio.Future[None]) -> None:
        self._number = number
        self._stream = stream
        self._outcome = outcome
        self._opened = opened
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        head = f"GET {self._stream.path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: {self._stream.cookie}\r\n\r\n"
        cast(asyncio.Transport, transport).write(head.encode())

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if not self._opened.done():
            if not data.startswith(b"HTTP/1.1 200"):
                self._opened.set_exception(RuntimeError(data[:200].decode(errors="replace")))
                return
            self._opened.set_result(None)
        text, self._rest = self._rest + data, b""
        for found in ARRIVED.finditer(text):
            self._outcome.arrived.append((self._number, found[1].decode(), now))
        unfinished = text.rfind(b"data:")
        if unfinished > text.rfind(b"\n\n"):
            self._rest = text[unfinished:]

    def connection_lost(self, error: Exception | None) -> None:
        self._outcome.ended += 1


class _Sender(asyncio.Protocol):
    """One connection that posts webhooks; answers are only counted."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._outcome.refused += data.count(b"HTTP/1.1 ") - data.count(b"HTTP/1.1 200")


async def run(job: Job) -> Outcome:
    outcome = Outcome(sent=[0.0] * int(job.rate * job.seconds))
    outcome.round_trips = await _round_trips(job.redis_url)
    loop = asyncio.get_running_loop()
    for first in range(0, len(job.streams), AT_ONCE):
        await asyncio.gather(*(
            _follow(job.port, number, stream, outcome)
            for number, stream in enumerate(job.streams[first : first + AT_ONCE], first)
        ))  # fmt: skip
    senders = [(await loop.create_connection(lambda: _Sender(outcome), "127.0.0.1", job.port))[1] for _ in job.targets]
    templates = [request_template(target) for target in job.targets]
    await asyncio.sleep(LAST_SECONDS)
    outcome.ended = 0
    started = time.monotonic()
    for index in range(len(outcome.sent)):
        await asyncio.sleep(max(0.0, started + index / job.rate - time.monotonic()))
        number, place = FIRST_NUMBER + index, index % len(job.targets)
        numbers = (number, number, FIRST_PERSON + place, FIRST_PERSON + place, int(time.time()), number)
        outcome.sent[index] = time.monotonic()
        senders[place].transport.write(templates[place] % numbers)
    await asyncio.sleep(LAST_SECONDS)
    return outcome


async def _follow(port: int, number: int, stream: Stream, outcome: Outcome) -> None:
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[None] = loop.create_future()
    await loop.create_connection(lambda: _Follower(number, stream, outcome, opened), "127.0.0.1", port)
    await opened


async def _round_trips(redis_url: str) -> list[float]:
    """From publishing to receiving, through one connection each."""
    client: Any = redis.asyncio.from_url(redis_url)  # type: ignore[no-untyped-call]
    times = array("d")
    async with client, client.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.subscribe("benchmark")
        while await pubsub.get_message(timeout=0.2) is not None:
            pass
        for _ in range(ROUND_TRIPS):
            started = time.monotonic()
            await client.publish("benchmark", b"1")
            while await pubsub.get_message(timeout=1.0) is None:
                pass
            times.append(time.monotonic() - started)
    return list(times)


def read_job(text: str) -> Job:
    values: dict[str, Any] = json.loads(text)
    values["targets"] = [Target(**target) for target in values["targets"]]
    values["streams"] = [Stream(**stream) for stream in values["streams"]]
    return Job(**values)


def main() -> None:
    job = read_job(sys.stdin.read())
    sys.stdout.write(json.dumps(asdict(uvloop.run(run(job)))))


if __name__ == "__main__":
    main()
