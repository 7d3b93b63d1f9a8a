"""The load generator: webhooks over kept-alive connections, from a process of its own.

    python -m benchmarks.load < job.json

The job is one line of JSON (`Job`), the outcome another (`Outcome`). Bodies are prebuilt but for their numbers, all of the same
width, so a request costs the generator a few microseconds. Three ways to send:

    closed      each connection sends its next request when the last one is answered
    open        `rate` a second whatever the answers do; a request is timed from the moment it was due, also while it waits for a
                free connection
    window      closed, but at most as many requests as the last number read from standard input: the caller holds the backlog

With `again` a request that was refused or cut off is sent again with the same number until it is answered 200, as providers do.
"""

import asyncio
import json
import sys
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast

import uvloop

FIRST_NUMBER = 1_000_000_000
"""Numbers have ten digits, so that every body has the same length."""
FIRST_PERSON = 5_000_000_000
EVERY = 10
"""Where some messages bring a file, so many have one that does."""
SLOW_SECONDS = 0.2
PAUSE_SECONDS = 0.05
"""Before a refused or cut-off request is sent again."""
ANSWER_SECONDS = 30.0
"""How long answers are waited for at the end."""


@dataclass(frozen=True)
class Target:
    """Where to post, and the secret that goes with it."""

    path: str
    secret: str


@dataclass(frozen=True)
class Job:
    port: int
    targets: list[Target]
    way: Literal["closed", "open", "window"]
    seconds: float
    first: int = FIRST_NUMBER
    """Number of the first webhook: update id, message id and part of the text."""
    people: int = 1000
    connections: int = 32
    rate: float = 0.0
    again: bool = False
    document: str = ""
    """What every tenth webhook brings, as Telegram shows a file (JSON); nothing when empty."""


@dataclass
class Outcome:
    """`answers` counts by status, 0 for a connection that was cut off; seconds and latencies in seconds."""

    sent: int = 0
    seconds: float = 0.0
    answers: dict[int, int] = field(default_factory=dict)
    p50: float = 0.0
    p99: float = 0.0
    longest: float = 0.0
    slow: int = 0
    """Answers later than SLOW_SECONDS."""
    accepted: list[int] = field(default_factory=list)
    """Numbers answered 200, for `again` jobs only."""
    refused_at: list[tuple[float, int]] = field(default_factory=list)
    """Monotonic time and status of every answer but 200, for `again` jobs only."""

    @property
    def ok(self) -> int:
        return self.answers.get(200, 0)

    @property
    def per_second(self) -> float:
        return self.ok / self.seconds


def outcome_of(text: str) -> Outcome:
    values = json.loads(text)
    return Outcome(**values | {"answers": {int(status): count for status, count in values["answers"].items()}})


def request_template(target: Target, document: str = "") -> bytes:
    """A request with `%d` for update id, message id, person (twice), time and the number in the text or the document's caption."""
    content = f'"document":{document},"caption"' if document else '"text"'
    person = '"id":%d,"first_name":"Jörg","last_name":"Özdemir","username":"joerg_oe"'
    body = (
        '{"update_id":%d,"message":{"message_id":%d,"from":{' + person + ',"is_bot":false,"language_code":"de"},"chat":{' + person
        + ',"type":"private"},"date":%d,' + content + ':"Guten Tag, ist meine Bestellung %d schon unterwegs?"}}'
    ).encode()  # fmt: skip
    length = len(body % ((FIRST_NUMBER,) * 6))
    head = (
        f"POST {target.path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"x-telegram-bot-api-secret-token: {target.secret}\r\ncontent-length: {length}\r\n\r\n"
    ).encode()
    return head + body


class Connection(asyncio.Protocol):
    """One kept-alive connection with at most one request under way."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._number = 0
        self._due = 0.0
        self._is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def send(self, number: int, due: float) -> None:
        self._number, self._due, self._is_busy = number, due, True
        assert self._transport is not None
        self._transport.write(self._load.request(number))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._buffer.endswith(b"\r\n\r\n"):
            return
        status, self._buffer, self._is_busy = int(self._buffer[9:12]), b"", False
        self._load.answered(self, status, self._number, self._due)

    def connection_lost(self, error: Exception | None) -> None:
        if self._is_busy:
            self._is_busy = False
            self._load.answered(None, 0, self._number, self._due)
        self._load.lost(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Load:
    """One job while it runs."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._loop = asyncio.get_running_loop()
        self._templates = [request_template(target) for target in job.targets]
        self._with_document = [request_template(target, job.document) for target in job.targets]
        self._idle: deque[Connection] = deque()
        self._due: deque[tuple[int, float]] = deque()
        self._next = job.first
        self._limit = job.first if job.way == "window" else sys.maxsize
        self._under_way = 0
        self._times: list[float] = []
        self._answers: Counter[int] = Counter()
        self._accepted: list[int] = []
        self._refused_at: list[tuple[float, int]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_over = False
        self._last_answer = 0.0

    def request(self, number: int) -> bytes:
        person = FIRST_PERSON + number % self._job.people
        templates = self._templates if number % EVERY else self._with_document
        return templates[number % len(templates)] % (number, number, person, person, int(time.time()), number)

    def answered(self, connection: Connection | None, status: int, number: int, due: float) -> None:
        """An answer has come on this connection, or its connection was cut off (None)."""
        now = self._last_answer = time.monotonic()
        self._under_way -= 1
        self._answers[status] += 1
        self._times.append(now - due)
        if self._job.again:
            if status == 200:
                self._accepted.append(number)
            else:
                self._refused_at.append((now, status))
                self._loop.call_later(PAUSE_SECONDS, self._put, number)
        if connection is not None:
            self._idle.append(connection)
            self._send_due()

    def lost(self, connection: Connection) -> None:
        """Replace a connection that was cut off."""
        if connection in self._idle:
            self._idle.remove(connection)
        if self._has_more():
            self._keep(self._loop.create_task(self._connect()))

    def _has_more(self) -> bool:
        """Whether a connection is still needed."""
        return not self._is_over or (self._job.again and len(self._accepted) < self._next - self._job.first)

    def _put(self, number: int) -> None:
        self._due.append((number, time.monotonic()))
        self._send_due()

    def _send_due(self) -> None:
        while self._idle:
            if self._due:
                number, due = self._due.popleft()
            elif self._job.way != "open" and not self._is_over and self._next < self._limit:
                number, due = self._next, time.monotonic()
                self._next += 1
            else:
                return
            self._under_way += 1
            self._idle.popleft().send(number, due)

    async def _connect(self) -> None:
        while self._has_more():
            try:
                _, connection = await self._loop.create_connection(lambda: Connection(self), "127.0.0.1", self._job.port)
            except OSError:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            self._idle.append(connection)
            self._send_due()
            return

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run(self) -> Outcome:
        connections = [self._loop.create_task(self._connect()) for _ in range(self._job.connections)]
        if self._job.way == "open":
            await asyncio.gather(*connections)
        started = time.monotonic()
        if self._job.way == "open":
            await self._make_due(started)
        elif self._job.way == "window":
            await self._read_limits(started)
        else:
            await asyncio.sleep(self._job.seconds)
        self._is_over = True
        deadline = time.monotonic() + ANSWER_SECONDS
        # looking now and then is cheaper than an event that each of 30,000 answers a second would set
        while (self._under_way or self._has_more()) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        for connection in self._idle:
            connection.close()
        times = sorted(self._times) or [0.0]
        return Outcome(
            sent=self._next - self._job.first,
            seconds=max(self._last_answer - started, 0.001),
            answers=dict(self._answers),
            p50=times[len(times) // 2],
            p99=times[len(times) * 99 // 100],
            longest=times[-1],
            slow=sum(seconds > SLOW_SECONDS for seconds in times),
            accepted=self._accepted,
            refused_at=self._refused_at,
        )

    async def _make_due(self, started: float) -> None:
        """Requests become due evenly; the loop's timer ticks in milliseconds, so each counts from the tick that sends it."""
        total = int(self._job.rate * self._job.seconds)
        while (made := self._next - self._job.first) < total:
            now = time.monotonic()
            for _ in range(min(total, int((now - started) * self._job.rate) + 1) - made):
                self._due.append((self._next, now))
                self._next += 1
            self._send_due()
            await asyncio.sleep(max(0.0, started + (self._next - self._job.first) / self._job.rate - time.monotonic()))

    async def _read_limits(self, started: float) -> None:
        """New limits come as lines until the time is up."""
        reader = asyncio.StreamReader()
        await self._loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while (left := started + self._job.seconds - time.monotonic()) > 0:
            try:
                line = await asyncio.wait_for(reader.readline(), left)
            except TimeoutError:
                return
            if not line:
                return
            self._limit = int(line)
            self._send_due()


def read_job(text: str) -> Job:
    values: dict[str, Any] = json.loads(text)
    return Job(**values | {"targets": [Target(**target) for target in values["targets"]]})


def main() -> None:
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as lines:  # unbuffered: more lines may follow
        job = read_job(lines.readline().decode())
    outcome = uvloop.run(_run(job))
    sys.stdout.write(json.dumps(asdict(outcome)) + "\n")


async def _run(job: Job) -> Outcome:
    return await Load(job).run()


if __name__ == "__main__":
    main()
