"""What the gate would say to everybody whom a newsletter is meant for, now: counted, nothing written. The real run at the same time
counts the same, because both ask `deciding.decide`."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from hub.campaigns.audience import BATCH, read_audience, read_batch
from hub.campaigns.deciding import decide, load_plan
from hub.campaigns.models import Campaign
from hub.core.db import UnitOfWork
from hub.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Count:
    """So many recipients on this channel got this answer."""

    channel_id: UUID
    verdict: str
    rule: str
    count: int


@dataclass(frozen=True, slots=True)
class Counts:
    """All answers. `going`: who gets a message, at once or later; `staying`: who gets none."""

    rows: tuple[Count, ...] = ()

    @property
    def chosen(self) -> int:
        return sum(row.count for row in self.rows)

    @property
    def going(self) -> int:
        return sum(row.count for row in self.rows if row.verdict != "refuse")

    @property
    def staying(self) -> int:
        return self.chosen - self.going

    def later(self, verdict: str) -> int:
        """Of those that go, how many wait first: `defer` for the end of their quiet hours, `hold` for a second person."""
        return sum(row.count for row in self.rows if row.verdict == verdict)

    def rules(self) -> list[tuple[str, int]]:
        """By which rule people get none, the most frequent first."""
        counted: Counter[str] = Counter()
        for row in self.rows:
            if row.verdict == "refuse":
                counted[row.rule] += row.count
        return sorted(counted.items(), key=lambda one: (-one[1], one[0]))

    def cost(self, prices: Mapping[str, str]) -> tuple[Decimal, int]:
        """What the messages cost at these prices, in euros, and for how many of them no price is known."""
        known, unknown = Decimal(0), 0
        for row in self.rows:
            if row.verdict == "refuse":
                continue
            price = prices.get(str(row.channel_id))
            if price is None:
                unknown += row.count
            else:
                known += Decimal(price) * row.count
        return known, unknown

    def store(self) -> list[Any]:
        """As a row keeps them."""
        return [[str(row.channel_id), row.verdict, row.rule, row.count] for row in self.rows]


def read_counts(kept: Iterable[Any]) -> Counts:
    """The counts of a row."""
    return Counts(tuple(Count(UUID(channel), verdict, rule, count) for channel, verdict, rule, count in kept))


def count(rows: Mapping[tuple[UUID, str, str], int]) -> Counts:
    """Counts in an order of their own."""
    return Counts(tuple(Count(*key, number) for key, number in sorted(rows.items(), key=lambda one: (str(one[0][0]), *one[0][1:]))))


async def simulate(runtime: Runtime, unit: UnitOfWork, campaign: Campaign) -> Counts:
    """Ask about the whole audience, batch by batch. Memory grows only with the ids of those who would get it."""
    audience, plan = read_audience(campaign.audience), await load_plan(runtime, unit, campaign)
    counted: Counter[tuple[UUID, str, str]] = Counter()
    addressed: set[UUID] = set()
    after = None
    while batch := await read_batch(runtime, unit, audience, campaign.purpose_id, after):
        for one in await decide(runtime, unit, plan, batch, addressed):
            counted[one.chosen.channel_id, one.verdict, one.rule] += 1
        after = batch[-1].conversation_id
        if len(batch) < BATCH:
            break
    return count(counted)
