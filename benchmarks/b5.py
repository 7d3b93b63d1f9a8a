"""B5: how fast each messenger's payloads become events, on one core, beside reading the same bytes with orjson alone."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from benchmarks.place import Place
from benchmarks.report import Figure, Section
from hub.connectors.contract import RawRequest
from tests.connectors.samples import ALL, Samples

GOAL: Final = 20_000
"""Payloads a second for messengers whose payloads need no cryptography to be read."""
SEALED: Final = frozenset({"threema", "apple"})


def _rate(work: Callable[[Any], object], things: Sequence[Any], seconds: float) -> float:
    done, started = 0, time.perf_counter()
    until = started + seconds
    while (now := time.perf_counter()) < until:
        for thing in things:
            work(thing)
        done += len(things)
    return done / (now - started)


def _is_read(body: bytes) -> bool:
    """Half a surrogate pair is more than orjson reads."""
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


def _requests(samples: Samples) -> list[RawRequest]:
    return [samples.kept(sample.body) for sample in samples.inbound()]


async def measure(place: Place, *, quick: bool) -> Section:
    """Every sample of a messenger in turn, again and again; runs of the connector and of orjson alternate."""
    section = Section("b5", "B5 Payloads read")
    runs, seconds = (2, 0.1) if quick else (5, 0.5)
    for samples in ALL:
        requests, account = _requests(samples), samples.account()
        parsed, read = [], []
        bodies = [sample.body for sample in samples.inbound() if sample.form == ".json" and _is_read(sample.body)]
        for _ in range(runs):
            section.note_load()
            parsed.append(_rate(lambda one: samples.connector.parse(one, account), requests, seconds))  # noqa: B023 - used at once
            if bodies:
                read.append(_rate(orjson.loads, bodies, seconds))
        goal = None if samples.connector.connector in SEALED else GOAL
        section.figures.append(Figure(f"{samples.connector.label}, payloads a second", parsed, goal=goal))
        if read:
            share = [one / other for one, other in zip(parsed, read, strict=True)]
            section.figures.append(Figure(f"{samples.connector.label}, share of orjson alone", share, digits=3))
    section.notes = [
        "Every inbound sample of a messenger in turn, in one thread. Those of Threema and Apple are opened while they are read.",
    ]
    return section
