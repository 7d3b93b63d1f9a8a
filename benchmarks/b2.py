"""B2: from a webhook to every open inbox of its organisation."""

import asyncio
import json
import sys
from dataclasses import asdict
from typing import Final

from benchmarks.load import FIRST_NUMBER
from benchmarks.place import REPOSITORY, Place, Shop
from benchmarks.report import Figure, Section
from benchmarks.streams import Job, Outcome, Stream
from hub.core import ids

RATE: Final = 100.0
SLICES: Final = 5
"""The run is cut into so many parts, each with percentiles of its own."""


async def measure(place: Place, *, quick: bool) -> Section:
    """All of B2."""
    section = Section("b2", "B2 From a webhook to the open inboxes")
    organisations, per_organisation, seconds = (5, 10, 10.0) if quick else (50, 20, 60.0)
    place.start_hub()
    streams: list[Stream] = []
    shops: list[Shop] = []
    async with place.runtime() as runtime:
        for number in range(organisations):
            shop = await place.found(runtime, f"shop-{number}", channels=1)
            shops.append(shop)
            seq = await place.value("SELECT seq FROM feed_head WHERE organisation_id = $1", shop.organisation_id)
            streams += [
                Stream(f"/o/{shop.slug}/stream?after={seq}", await place.session(runtime, shop)) for _ in range(per_organisation)
            ]
    assert place.settings.redis_url is not None
    targets = [shop.targets[0] for shop in shops]
    section.note_load()
    outcome = await _run(Job(place.port, place.settings.redis_url.get_secret_value(), targets, streams, RATE, seconds))
    await place.drained()
    numbers = {
        ids.show("msg", row["id"]): int(row["sequence"]) - FIRST_NUMBER
        for row in await place.fetch("SELECT id, sequence FROM message WHERE direction = 'in'")
    }
    slices: list[list[float]] = [[] for _ in range(SLICES)]
    seen = set()
    for stream, message, at in outcome.arrived:
        index = numbers[message]
        seen.add((stream, index))
        slices[index * SLICES // len(outcome.sent)].append(at - outcome.sent[index])
    expected = len(outcome.sent) * per_organisation
    trip = _percentile(outcome.round_trips, 50)
    middles = [_percentile(part, 50) for part in slices]
    section.figures = [
        Figure("webhook to stream, p50", [1000 * value for value in middles], "ms", goal=40, better="less", digits=1),
        Figure(
            "webhook to stream, p99",
            [1000 * _percentile(part, 99) for part in slices],
            "ms",
            goal=100,
            better="less",
            digits=1,
        ),
        Figure("webhook to stream, longest", [1000 * max(part) for part in slices], "ms", digits=1),
        Figure("Valkey, publish to receive, p50", [1000 * trip], "ms", digits=2),
        Figure("Valkey, publish to receive, p99", [1000 * _percentile(outcome.round_trips, 99)], "ms", digits=2),
        Figure("p50 as a multiple of a Valkey round trip", [value / trip for value in middles], digits=1),
        Figure("events missing in a stream", [expected - len(seen)], goal=0, better="less"),
        Figure("events twice in a stream", [len(outcome.arrived) - len(seen)], goal=0, better="less"),
        Figure("webhooks refused", [outcome.refused], goal=0, better="less"),
        Figure("streams that ended", [outcome.ended], goal=0, better="less"),
    ]
    section.notes = [
        f"{len(streams):,} streams in {organisations} organisations, each stream with a session of its own, one web process and "
        f"one worker; {RATE:.0f} webhooks a second for {seconds:.0f} s make {RATE * per_organisation:,.0f} events a second. Min, "
        f"median and max are over {SLICES} parts of the run.",
        "Timed from the write of the webhook to the arrival of its event in each stream of the organisation: door, commit, nudge, "
        "batch, feed, announcement, reading and the check that the session may still look all lie between.",
        "The Valkey round trip was measured in the same process just before the load, through redis-py on both sides.",
        f"Messages stored: {len(numbers):,} of {len(outcome.sent):,} sent.",
    ]
    return section


def _percentile(values: list[float], percent: int) -> float:
    return sorted(values)[len(values) * percent // 100]


async def _run(job: Job) -> Outcome:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.streams",
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    answer, _ = await process.communicate(json.dumps(asdict(job)).encode())
    values = json.loads(answer)
    return Outcome(**values | {"arrived": [tuple(one) for one in values["arrived"]]})
