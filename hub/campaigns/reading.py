"""What the pages read of a newsletter that was started: progress, results, every recipient's decision."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from hub.campaigns.models import Campaign
from hub.campaigns.service import STOPPED
from hub.campaigns.simulation import Count, Counts
from hub.core import clock
from hub.core.db import UnitOfWork

ROWS: Final = 50
MEASURED: Final = timedelta(minutes=1)
"""The estimate looks so far back."""
LEFT: Final = ("accepted", "sent", "delivered", "read")
WAITING: Final = ("queued", "held")


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a newsletter stands. `counts` are the decisions so far, `states` the messages by state, `causes` those that failed by
    cause; `per_second` left in the last minute, None as long as none did."""

    counts: Counts
    states: Mapping[str, int] = field(default_factory=dict)
    causes: Sequence[tuple[str, int]] = ()
    per_second: float | None = None

    def sum(self, *states: str) -> int:
        """How many messages are in one of these states."""
        return sum(self.states.get(state, 0) for state in states)

    @property
    def waiting(self) -> int:
        return self.sum(*WAITING)

    @property
    def stopped(self) -> int:
        """Those that an emergency stop gave up."""
        return dict(self.causes).get(STOPPED, 0)

    @property
    def done(self) -> int:
        """Those that need nothing more of us, and were not given up."""
        return self.counts.going - self.waiting - self.sum("sending") - self.stopped

    @property
    def seconds_left(self) -> int | None:
        """At the rate of the last minute; None where there is none."""
        return round(self.waiting / self.per_second) if self.per_second and self.waiting else None


async def read_progress(unit: UnitOfWork, campaign: Campaign) -> Progress:
    """Count everything anew, in one query over the newsletter's own rows."""
    now = clock.now()
    began = max(now - MEASURED, campaign.started_at or now)
    rows = await unit.sql.fetch(
        """
        SELECT r.channel_id, r.verdict, r.rule, m.state, m.failure, count(*) AS count,
               count(*) FILTER (WHERE m.state = ANY($4::text[]) AND m.at > $3) AS fresh
        FROM campaign_recipient r
        LEFT JOIN message m ON m.organisation_id = r.organisation_id AND m.id = r.message_id
        WHERE r.organisation_id = $1 AND r.campaign_id = $2 GROUP BY 1, 2, 3, 4, 5
        """,
        unit.tenant,
        campaign.id,
        began,
        list(LEFT),
    )
    decided: Counter[tuple[UUID, str, str]] = Counter()
    states: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    for row in rows:
        decided[row["channel_id"], row["verdict"], row["rule"]] += row["count"]
        if row["state"] is not None:
            states[row["state"]] += row["count"]
        if row["state"] in ("failed", "unknown"):
            causes[row["failure"]] += row["count"]
    fresh, seconds = sum(row["fresh"] for row in rows), (now - began).total_seconds()
    return Progress(
        Counts(tuple(Count(*key, number) for key, number in decided.items())),
        states,
        causes.most_common(),
        fresh / seconds if fresh and seconds > 0 else None,
    )


@dataclass(frozen=True, slots=True)
class Reached:
    """What was decided about one recipient, and what became of their message; `state` is empty where there is none."""

    conversation_id: UUID
    name: str
    address: str
    channel_id: UUID
    at: datetime
    verdict: str
    rule: str
    state: str
    failure: str


async def list_recipients(
    unit: UnitOfWork, campaign_id: UUID, *, rule: str = "", state: str = "", after: UUID | None = None, limit: int = ROWS
) -> tuple[list[Reached], UUID | None]:
    """A page of recipients in the order of their decision, of one rule and one message state where they are named; and the
    conversation after which the next page goes on."""
    rows = await unit.sql.fetch(
        """
        SELECT r.conversation_id, k.name, i.provider_user_id AS address, r.channel_id, r.at, r.verdict, r.rule,
               COALESCE(m.state, '') AS state, COALESCE(m.failure, '') AS failure
        FROM campaign_recipient r
        JOIN conversation c ON c.organisation_id = r.organisation_id AND c.id = r.conversation_id
        JOIN identity i ON i.organisation_id = c.organisation_id AND i.id = c.identity_id
        JOIN contact k ON k.organisation_id = r.organisation_id AND k.id = r.contact_id
        LEFT JOIN message m ON m.organisation_id = r.organisation_id AND m.id = r.message_id
        WHERE r.organisation_id = $1 AND r.campaign_id = $2 AND ($3 = '' OR r.rule = $3) AND ($4 = '' OR m.state = $4)
          AND ($5::uuid IS NULL OR r.conversation_id > $5)
        ORDER BY r.conversation_id LIMIT $6
        """,
        unit.tenant,
        campaign_id,
        rule,
        state,
        after,
        limit + 1,
    )
    found = [Reached(**row) for row in rows]
    return found[:limit], found[limit - 1].conversation_id if len(found) > limit else None


@dataclass(frozen=True, slots=True)
class TestPlace:
    """A conversation that a test may go to."""

    id: UUID
    name: str
    channel: str


async def test_places(unit: UnitOfWork, channel_ids: Sequence[UUID], chosen: UUID | None) -> list[TestPlace]:
    """Conversations for a test: the chosen one first, then those that were written in last."""
    rows = await unit.sql.fetch(
        """
        SELECT c.id, k.name, h.title AS channel FROM conversation c
        JOIN contact k ON k.organisation_id = c.organisation_id AND k.id = c.contact_id
        JOIN channel h ON h.organisation_id = c.organisation_id AND h.id = c.channel_id
        WHERE c.organisation_id = $1 AND (c.channel_id = ANY($2::uuid[]) OR c.id = $3)
        ORDER BY c.id = $3 DESC NULLS LAST, c.sort_at DESC LIMIT 30
        """,
        unit.tenant,
        list(channel_ids),
        chosen,
    )
    return [TestPlace(**row) for row in rows]


async def counts_of(unit: UnitOfWork) -> Mapping[UUID, tuple[int, int]]:
    """For the list: how many messages each newsletter wrote, and how many of them have left."""
    rows = await unit.sql.fetch(
        """
        SELECT r.campaign_id, count(*) AS written, count(*) FILTER (WHERE m.state = ANY($2::text[])) AS sent
        FROM campaign_recipient r
        JOIN message m ON m.organisation_id = r.organisation_id AND m.id = r.message_id
        WHERE r.organisation_id = $1 GROUP BY 1
        """,
        unit.tenant,
        list(LEFT),
    )
    return {row["campaign_id"]: (row["written"], row["sent"]) for row in rows}
