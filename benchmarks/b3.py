"""B3: messages out, through gate, claim, attempt and result, to the Telegram simulator."""

import asyncio
import json
import sys
import time
from dataclasses import asdict
from datetime import timedelta
from typing import Final
from uuid import UUID

import httpx

from benchmarks.load import EVERY, FIRST_PERSON, Job
from benchmarks.place import REPOSITORY, Place, Shop, load
from benchmarks.posters import Job as PostersJob
from benchmarks.report import Figure, Section
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.inbox.models import BULK, CHAT
from hub.runtime import Runtime

TOKEN: Final = "7012345678:AAE-benchmark_token_of_35_characters"
UNLIMITED: Final = 100_000.0
"""Messages a second: far more than can be sent, so that the bucket takes its part in the work and never makes anybody wait."""
PACE: Final = 80.0
CHUNK: Final = 5000
PATIENCE_SECONDS: Final = 300.0


class Run:
    """The benchmark under way: one channel with people who have all written."""

    def __init__(self, place: Place, runtime: Runtime, shop: Shop, people: list[int], conversations: list[UUID]) -> None:
        self.place = place
        self.runtime = runtime
        self.shop = shop
        self.people = people
        self.conversations = conversations
        self.submitted = 0
        self.document = b""
        """What every tenth message brings, a PDF; nothing when empty."""

    async def post_plainly(self, count: int) -> float:
        """Messages a second without the hub."""
        url = f"http://127.0.0.1:{self.place.sandbox_port}/bot{TOKEN}/sendMessage"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.posters",
            cwd=REPOSITORY,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        answer, _ = await process.communicate(json.dumps(asdict(PostersJob(url, self.people, count))).encode())
        return float(answer)

    async def pace(self, per_second: float) -> None:
        await self.place.fetch("UPDATE channel SET per_second = $1", per_second)

    async def queue(self, count: int, *, priority: int = CHAT, wait: timedelta = timedelta(0)) -> None:
        """Queue messages as `outbound.submit` does, in large transactions: round by round through all conversations."""
        for first in range(0, count, CHUNK):
            async with self.runtime.database.unit_of_work(self.shop.organisation_id) as unit:
                await self._queue(unit, first, min(CHUNK, count - first), priority, wait)
        self.submitted += count

    async def _queue(self, unit: UnitOfWork, first: int, count: int, priority: int, wait: timedelta) -> None:
        now = clock.now()
        numbers = range(first, first + count)
        chosen = [self.conversations[number % len(self.conversations)] for number in numbers]
        files = [ids.new_id() if self.document and number % EVERY == 0 else None for number in numbers]
        for file_id in filter(None, files):
            async with self.runtime.storage.writing(unit.tenant, file_id, limit=len(self.document)) as writing:
                await writing.write(self.document)
        await unit.sql.execute(
            """
            WITH new AS (
                SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::int[], $11::uuid[])
                    AS row(conversation_id, message_id, part_id, no, file_id)
            ), numbered AS (
                SELECT new.*, c.channel_id,
                       c.last_seq + row_number() OVER (PARTITION BY new.conversation_id ORDER BY new.no) AS seq
                FROM new JOIN conversation c ON c.organisation_id = $1 AND c.id = new.conversation_id
            ), messages AS (
                INSERT INTO message (organisation_id, id, conversation_id, seq, direction, kind, text, content, at, sequence,
                                     arrived_at, author_id, session_id, client_key, state, failure, failure_text)
                SELECT $1, message_id, conversation_id, seq, 'out', CASE WHEN file_id IS NULL THEN 'text' ELSE 'media' END,
                       'Guten Tag, Nachricht ' || no,
                       CASE WHEN file_id IS NULL THEN '{}' ELSE '{"media": "document"}' END::jsonb, $6, 0, $6, $7, $8,
                       message_id::text, 'queued', '', ''
                FROM numbered
            ), files AS (
                INSERT INTO attachment (organisation_id, id, conversation_id, channel_id, message_id, position, kind, ref, "unique",
                                        event_key, name, mime, size, label, caption, state, reason, scanned, has_thumbnail, due_at,
                                        tries, uploaded_by, created_at, stored_at)
                SELECT $1, file_id, conversation_id, channel_id, message_id, 1, 'document', '', '', '', 'Rechnung.pdf',
                       'application/pdf', $12, '', '', 'stored', '', 'unscanned', false, $6, 0, $7, $6, $6
                FROM numbered WHERE file_id IS NOT NULL
            ), parts AS (
                INSERT INTO message_part (organisation_id, id, message_id, part_no, conversation_id, channel_id, message_seq, text,
                                          content, priority, state, due_at, tries)
                SELECT $1, part_id, message_id, 0, conversation_id, channel_id, seq, 'Guten Tag, Nachricht ' || no,
                       CASE WHEN file_id IS NULL THEN '{}'
                            ELSE jsonb_build_object('media', 'document', 'files', ARRAY[replace(file_id::text, '-', '')]) END,
                       $9, 'queued', $10::timestamptz + no * interval '1 microsecond', 0
                FROM numbered
            )
            UPDATE conversation AS c SET last_seq = latest.seq
            FROM (SELECT conversation_id, max(seq) AS seq FROM numbered GROUP BY 1) AS latest
            WHERE c.organisation_id = $1 AND c.id = latest.conversation_id
            """,
            unit.tenant,
            chosen,
            [ids.new_id() for _ in chosen],
            [ids.new_id() for _ in chosen],
            list(numbers),
            now,
            self.shop.access.member_id,
            self.shop.access.session_id,
            priority,
            now + wait,
            files,
            len(self.document),
        )

    async def start(self) -> float:
        """What is queued becomes due now and the lane is nudged; the machine's time."""
        started = time.time()
        await self.runtime.queue.nudge_lane(self.shop.organisation_id, self.shop.channels[0], "out")
        return started

    async def sent(self, count: int) -> None:
        """Wait until so many attempts in all are finished."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while await self.place.value("SELECT count(*) FROM attempt WHERE finished_at IS NOT NULL") < count:
            if time.monotonic() > deadline:
                raise AssertionError("the queue does not get empty")
            await asyncio.sleep(0.2)

    async def emptied(self) -> None:
        """Wait until nothing is queued or under way. Counts nothing: that would cost with a long history."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while await self.place.value("SELECT EXISTS (SELECT FROM message_part WHERE state IN ('queued', 'sending'))"):
            if time.monotonic() > deadline:
                raise AssertionError("the queue does not get empty")
            await asyncio.sleep(0.2)

    async def rate(self, since: float, *, first: int | None = None) -> float:
        """Messages a second from the first claim to the last result since then; of the `first` results only, where given."""
        row = (
            await self.place.fetch(
                """
                SELECT count(*) AS count, extract(epoch FROM max(finished_at) - min(permit_at))::float8 AS seconds FROM (
                    SELECT permit_at, finished_at FROM attempt
                    WHERE permit_at >= to_timestamp($1) AND finished_at IS NOT NULL ORDER BY finished_at LIMIT $2
                ) AS chosen
                """,
                since,
                first,
            )
        )[0]
        return float(row["count"] / row["seconds"])

    async def dispatch(self, count: int) -> float:
        """Queue and send; messages a second."""
        await self.queue(count)
        started = await self.start()
        await self.emptied()
        return await self.rate(started)

    async def paced(self, seconds: float) -> tuple[float, int]:
        """Send at PACE for so long; messages a second in between and the most of any full second."""
        await self.pace(PACE)
        await self.queue(int(PACE * seconds))
        started = await self.start()
        await self.emptied()
        times = [
            float(row["at"])
            for row in await self.place.fetch(
                "SELECT extract(epoch FROM permit_at)::float8 AS at FROM attempt WHERE permit_at >= to_timestamp($1) ORDER BY 1",
                started,
            )
        ]
        busiest = max(sum(at <= other < at + 1 for other in times) for at in times[:: len(times) // 50 or 1])
        await self.pace(UNLIMITED)
        return (len(times) - 1) / (times[-1] - times[0]), busiest

    async def with_a_queue_of(self, length: int, measured: int) -> float:
        """Messages a second at the head of a queue of this length; the rest is given up afterwards."""
        await self.queue(length, priority=BULK)
        await self.place.fetch("ANALYZE message_part")
        started = await self.start()
        before = self.submitted - length
        await self.sent(before + min(measured, length))
        rate = await self.rate(started, first=min(measured, length))
        await self.place.fetch("UPDATE message_part SET state = 'failed' WHERE state = 'queued'")
        await asyncio.sleep(1.0)
        self.submitted = await self.place.value("SELECT count(*) FROM attempt")
        return rate


async def set_up(place: Place, runtime: Runtime, people: list[int]) -> Run:
    """The simulator, and one channel without a pace on which all these people have written once."""
    place.start_sandbox()
    shop = await place.found(runtime, "shop", channels=1, token=TOKEN)
    await people_at_the_simulator(place, people)
    # FIRST_NUMBER is a multiple of the number of people: everybody writes once
    await load(Job(place.port, shop.targets, "open", 1.0, people=len(people), rate=float(len(people))))
    await place.drained()
    conversations = [row["id"] for row in await place.fetch("SELECT id FROM conversation ORDER BY id")]
    assert len(conversations) == len(people)
    run = Run(place, runtime, shop, people, conversations)
    await run.pace(UNLIMITED)
    return run


async def measure(place: Place, *, quick: bool) -> Section:
    """All of B3."""
    section = Section("b3", "B3 Messages out")
    runs, count, pacing, longest = (2, 1000, 5.0, 10_000) if quick else (5, 5000, 30.0, 100_000)
    lengths = (1000, 10_000, longest)
    place.start_hub()
    async with place.runtime() as runtime:
        people = [FIRST_PERSON + number for number in range(500 if quick else 2000)]
        run = await set_up(place, runtime, people)
        await run.dispatch(200)
        await place.settle()
        plain, dispatched = [], []
        for _ in range(runs):
            section.note_load()
            plain.append(await run.post_plainly(count))
            dispatched.append(await run.dispatch(count))
        paced, busiest = await run.paced(pacing)
        flat = [await run.with_a_queue_of(length, 1000 if quick else 3000) for length in lengths]
        outcomes = {row["outcome"]: row["n"] for row in await place.fetch("SELECT outcome, count(*) AS n FROM attempt GROUP BY 1")}
        shown = await _shown_at_the_simulator(place, people)
    posted = runs * (count + PostersJob.at_once)
    section.figures = [
        Figure("64 coroutines with httpx, messages a second", plain),
        Figure("dispatch, messages a second", dispatched),
        Figure("ratio", [value / beside for value, beside in zip(dispatched, plain, strict=True)], goal=0.85, digits=3),
        Figure(f"pacing at {PACE:.0f} a second: error", [abs(paced / PACE - 1) * 100], "%", goal=2, better="less", digits=2),
        Figure(f"pacing at {PACE:.0f} a second: most in any second", [busiest]),
        *(Figure(f"{length:,} waiting, messages a second", [rate]) for length, rate in zip(lengths, flat, strict=True)),
        Figure(f"{longest:,} waiting as a share of {lengths[0]:,}", [flat[-1] / flat[0]], goal=0.9, digits=2),
        Figure("attempts not accepted", [sum(outcomes.values()) - outcomes.get("accepted", 0)], goal=0, better="less"),
        Figure("messages lost or doubled at the simulator", [abs(shown - posted - run.submitted)], goal=0, better="less"),
    ]
    section.notes = [
        f"One channel, {len(people):,} conversations, {count:,} messages a run, at most 64 requests at once; gate, address locks, "
        "rate token, claim, attempt, result and provider key for every message. Measured from the first claim to the last result "
        "in the rows of `attempt`.",
        "The coroutines (`benchmarks/posters.py`) post the same messages to the same simulator, each with an httpx client of its "
        "own, and write nothing.",
        "The queues of growing length are of priority bulk; the first messages of each are timed.",
        f"After all runs the simulator's phones showed {shown:,} messages: those of the coroutines and one for each attempt.",
    ]
    return section


async def people_at_the_simulator(place: Place, people: list[int]) -> None:
    """A bot, and people who have written to it some time ago."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{place.sandbox_port}/control", trust_env=False) as control:
        await control.post("/bots", json={"token": TOKEN, "name": "Radwerk", "username": "radwerk_bot"})
        bot = TOKEN.partition(":")[0]
        for person in people:
            await control.post("/people", json={"id": person, "first_name": "Jörg"})
            (await control.post(f"/bots/{bot}/chats/{person}/open", json={})).raise_for_status()


async def _shown_at_the_simulator(place: Place, people: list[int]) -> int:
    bot = TOKEN.partition(":")[0]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{place.sandbox_port}/control", trust_env=False) as control:
        chats = [(await control.get(f"/bots/{bot}/chats/{person}")).json() for person in people]
    return sum(len(chat["entries"]) for chat in chats)
