"""B1: webhooks in. One web process, one worker, 32 connections; each hub figure beside a bare run of the same minute."""

import asyncio
import time
from typing import Final

from benchmarks.load import FIRST_NUMBER, Job, Outcome
from benchmarks.place import Generator, Place, Shop, load
from benchmarks.report import Figure, Section

WINDOW: Final = 4000
"""Webhooks that may be accepted and not yet applied while the applied rate is measured: the backlog cannot grow beyond it."""
LOOK_SECONDS: Final = 0.05
NEWS: Final = """
SELECT max(seq) AS seq, count(*) FILTER (WHERE kind = 'message') AS messages
FROM feed_entry WHERE organisation_id = $1 AND seq > $2
"""
"""What the feed got since: a file that was fetched is an entry too, but no message."""
GENTLE_RATE: Final = 400.0
BUSY_RATE: Final = 3300.0


class Run:
    """The benchmark under way: hands out fresh numbers, so that no run repeats a webhook of another."""

    def __init__(self, place: Place, section: Section, bare_port: int, *, first: int = FIRST_NUMBER, people: int = 1000) -> None:
        self.place = place
        self.section = section
        self.bare_port = bare_port
        self.next = first
        self.people = people
        self.lost = 0
        self.document = ""
        """What every tenth webhook brings (`load.Job`)."""

    def _job(self, port: int, shop: Shop, way: str, seconds: float, rate: float = 0.0) -> Job:
        return Job(
            port,
            shop.targets,
            way,  # type: ignore[arg-type]
            seconds,
            first=self.next,
            people=self.people,
            rate=rate,
            document=self.document,
        )

    async def bare(self, shop: Shop, seconds: float, *, rate: float = 0.0) -> Outcome:
        """The same load on the bare application, which knows the secret of the shop's first channel."""
        self.section.note_load()
        job = Job(
            self.bare_port, shop.targets[:1], "open" if rate else "closed", seconds, first=self.next, rate=rate
        )  # fmt: skip
        outcome = await load(job)
        assert outcome.ok == outcome.sent, outcome.answers
        return outcome

    async def accepted(self, shop: Shop, seconds: float, *, rate: float = 0.0) -> Outcome:
        """Answered 200 after a durable commit; then everything is applied and counted."""
        before = await self._counts(shop)
        outcome = await load(self._job(self.place.port, shop, "open" if rate else "closed", seconds, rate))
        await self._check(shop, outcome, before)
        return outcome

    async def applied(self, shop: Shop, seconds: float) -> float:
        """Messages a second that are in the inbox and in the feed, while at most WINDOW webhooks wait."""
        before = await self._counts(shop)
        seq = await self.place.value("SELECT seq FROM feed_head WHERE organisation_id = $1", shop.organisation_id)
        applied = 0
        generator = await Generator.start(self._job(self.place.port, shop, "window", seconds))
        reading = asyncio.create_task(generator.outcome())
        first = last = (0.0, 0)
        async with self.place.runtime() as runtime:
            while not reading.done():
                async with runtime.database.unit_of_work(shop.organisation_id) as unit:
                    news = await unit.sql.fetchrow(NEWS, shop.organisation_id, seq)
                now = time.monotonic()
                seq, applied = news["seq"] or seq, applied + news["messages"]
                if news["messages"]:
                    first = first if first[0] else (now, applied)
                    last = (now, applied)
                generator.tell(str(self.next + applied + WINDOW))
                await asyncio.sleep(LOOK_SECONDS)
        outcome = await reading
        await self._check(shop, outcome, before)
        return float((last[1] - first[1]) / (last[0] - first[0]))

    async def _counts(self, shop: Shop) -> tuple[int, int]:
        stored = await self.place.value("SELECT count(*) FROM webhook_delivery WHERE organisation_id = $1", shop.organisation_id)
        messages = await self.place.value("SELECT count(*) FROM message WHERE organisation_id = $1", shop.organisation_id)
        return stored, messages

    async def _check(self, shop: Shop, outcome: Outcome, before: tuple[int, int]) -> None:
        """Every webhook that was answered 200 is stored, and becomes a message once."""
        await self.place.drained()
        self.next += outcome.sent
        stored, messages = await self._counts(shop)
        self.lost += abs(stored - before[0] - outcome.ok) + abs(messages - before[1] - outcome.ok)


async def measure(place: Place, *, quick: bool) -> Section:
    """All of B1."""
    section = Section("b1", "B1 Webhooks in")
    runs, short, long = (2, 2.0, 6.0) if quick else (5, 5.0, 60.0)
    async with place.runtime() as runtime:
        one = await place.found(runtime, "one", channels=1)
        fifty = await place.found(runtime, "fifty", channels=50)
    run = Run(place, section, place.start_bare(one.targets[0].secret))
    place.start_hub()
    for shop in (one, fifty):
        await run.accepted(shop, 2.0)
    await place.settle()
    bare, accepted, applied_one, applied_fifty = [], [], [], []
    for _ in range(runs):
        bare.append((await run.bare(one, short)).per_second)
        accepted.append((await run.accepted(one, short)).per_second)
        applied_one.append(await run.applied(one, short * 2))
        applied_fifty.append(await run.applied(fifty, short * 2))
    yardstick = Figure("", bare).median
    gentle_bare, gentle = [], []
    for _ in range(runs):
        gentle_bare.append((await run.bare(one, short, rate=GENTLE_RATE)).p99)
        gentle.append((await run.accepted(one, short, rate=GENTLE_RATE)).p99)
    busy = await run.accepted(one, long, rate=BUSY_RATE)
    minute_one = await run.applied(one, long)
    minute_fifty = await run.applied(fifty, long)

    def ratio(values: list[float]) -> list[float]:
        return [value / beside for value, beside in zip(values, bare, strict=True)]

    section.figures = [
        Figure("bare, answers a second", bare),
        Figure("a: accepted after a durable commit, a second", accepted),
        Figure("a: ratio to bare", ratio(accepted), goal=0.22, digits=3),
        Figure("b: applied a second, 1 channel", applied_one),
        Figure("b: ratio to bare, 1 channel", ratio(applied_one), goal=0.15, digits=3),
        Figure("b: applied a second, 50 channels", applied_fifty),
        Figure("b: ratio to bare, 50 channels", ratio(applied_fifty), goal=0.15, digits=3),
        Figure(f"b: {long:.0f} s, 1 channel, ratio to bare's median", [minute_one / yardstick], goal=0.15, digits=3),
        Figure(f"b: {long:.0f} s, 50 channels, ratio to bare's median", [minute_fifty / yardstick], goal=0.15, digits=3),
        Figure(f"c: {GENTLE_RATE:.0f} a second, bare's p99", [value * 1000 for value in gentle_bare], "ms", digits=2),
        Figure(f"c: {GENTLE_RATE:.0f} a second, p99", [value * 1000 for value in gentle], "ms", digits=2),
        Figure(
            "c: p99 as a multiple of bare's",
            [value / beside for value, beside in zip(gentle, gentle_bare, strict=True)],
            goal=3.0,
            better="less",
            digits=2,
        ),
        Figure(f"c: {BUSY_RATE:,.0f} a second for {long:.0f} s, p50", [busy.p50 * 1000], "ms", digits=1),
        Figure(f"c: {BUSY_RATE:,.0f} a second for {long:.0f} s, p99", [busy.p99 * 1000], "ms", digits=1),
        Figure("c: share of answers later than 200 ms", [100 * busy.slow / busy.sent], "%", goal=1.0, better="less", digits=3),
        Figure("c: answers other than 200", [busy.sent - busy.ok], goal=0, better="less"),
        Figure("webhooks lost or doubled in any run", [run.lost], goal=0, better="less"),
    ]
    section.notes = [
        "Bare is `benchmarks/bare.py`: the same secret compared in the same way, on uvicorn with the settings of `hub web`; it "
        "reads no body. The load generator (`benchmarks/load.py`) has a process of its own and shares the cores with all the rest.",
        f"Applied is counted in the feed while at most {WINDOW:,} accepted webhooks wait, so no backlog can grow. The "
        "worker runs in every measurement, also in a.",
        f"After every run the stored deliveries and messages were counted: {run.next - FIRST_NUMBER:,} webhooks in all.",
    ]
    return section
