"""Caps: how many messages may leave in a window of time, for an organisation, a channel or a person (R-198).

The policy parameter `caps` is a list; each entry says

    messenger   for which one; '' counts all messengers together
    per         organisation, channel or recipient
    most        so many messages leave in one window
    span        hour, day or month: the window. A day begins at 00:00 in the zone of the contract (`zone`, R-002), a month with its
                first day there, an hour with each full hour
    then        what happens to one more: `queue` waits for the next window, `refuse` fails with `cap_reached`

A message counts once, with its first attempt. There is a row for each window, and only for what a cap speaks of: the claim holds
the rows it needs until its commit, so that workers of several channels never count past a cap together. A messenger without a cap
costs one look at the policy.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.consent.facts import CapReached
from hub.core import clock
from hub.core.calendar import day_of, end_of_day
from hub.core.db import UnitOfWork
from hub.organisations import policy

PER: Final = ("organisation", "channel", "recipient")
SPANS: Final = ("hour", "day", "month")
FORGET: Final = timedelta(days=62)
"""Counts of windows that began so long ago are of no use."""


@dataclass(frozen=True, slots=True)
class Cap:
    """One entry of the policy parameter."""

    messenger: str
    per: str
    most: int
    span: str
    then: Literal["queue", "refuse"]


@dataclass(frozen=True, slots=True, order=True)
class _Key:
    """The row of `cap_count` that counts for a cap. In this order they are held."""

    messenger: str
    per: str
    subject_id: UUID
    span: str
    began_at: datetime


def read_caps(value: Sequence[Mapping[str, Any]]) -> list[Cap]:
    """The entries of the parameter. ValueError for one that cannot be meant."""
    caps = [Cap(**entry) for entry in value]
    for cap in caps:
        if cap.per not in PER or cap.span not in SPANS or cap.then not in ("queue", "refuse") or cap.most < 0:
            raise ValueError(f"not a cap: {cap}")
    return caps


def window(at: datetime, span: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Begin and end, as UTC instants, of the window that an instant lies in."""
    if span == "hour":
        began = at.replace(minute=0, second=0, microsecond=0)
        return began, began + timedelta(hours=1)
    day = day_of(at, zone)
    if span == "day":
        return end_of_day(day - timedelta(days=1), zone), end_of_day(day, zone)
    first = day.replace(day=1)
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return end_of_day(first - timedelta(days=1), zone), end_of_day(last, zone)


@dataclass(slots=True)
class Counters:
    """What has left in the present windows, and what is about to."""

    organisation_id: UUID
    channel_id: UUID
    caps: Sequence[Cap] = ()
    windows: Mapping[str, tuple[datetime, datetime]] = field(default_factory=dict)
    sent: Counter[_Key] = field(default_factory=Counter)

    def reached(self, conversation_id: UUID | None) -> CapReached | None:
        """The cap that one more message in this conversation would pass; one that refuses goes before one that waits."""
        passed = [cap for cap in self.caps if self.sent[self._key(cap, conversation_id)] >= cap.most]
        if not passed:
            return None
        cap = min(passed, key=lambda one: one.then == "queue")
        return CapReached(cap.per, cap.most, cap.span, self.windows[cap.span][1], cap.then == "queue")

    def take(self, conversation_id: UUID) -> None:
        """One more is about to leave."""
        self.sent.update(self.keys([conversation_id]))

    def keys(self, conversation_ids: Iterable[UUID]) -> list[_Key]:
        """The rows that a message in each of these conversations counts in."""
        return [self._key(cap, one) for one in conversation_ids for cap in self._different()]

    def _different(self) -> list[Cap]:
        """Two caps may count the same row; it is counted once."""
        return list({(cap.messenger, cap.per, cap.span): cap for cap in self.caps}.values())

    def _key(self, cap: Cap, conversation_id: UUID | None) -> _Key:
        subjects = {"organisation": self.organisation_id, "channel": self.channel_id}
        subject = subjects.get(cap.per, conversation_id) or self.channel_id  # nobody has written to a stranger yet
        return _Key(cap.messenger, cap.per, subject, cap.span, self.windows[cap.span][0])


async def open_counters(
    unit: UnitOfWork, messenger: str, channel_id: UUID, conversation_ids: Iterable[UUID], *, hold: bool
) -> Counters:
    """What counts for messages in these conversations of a channel. `hold`: nobody else counts there until the commit."""
    resolved = await policy.resolve_all(unit, ("caps", "zone"))
    caps = [cap for cap in read_caps(resolved["caps"].value) if cap.messenger in ("", messenger)]
    counters = Counters(unit.tenant, channel_id, caps)
    if not caps:
        return counters
    zone, now = ZoneInfo(resolved["zone"].value), clock.now()
    counters.windows = {span: window(now, span, zone) for span in SPANS}
    keys = sorted(set(counters.keys(conversation_ids)))
    rows = await unit.sql.fetch(_HOLD if hold else _LOOK, unit.tenant, *_columns(keys))
    counters.sent.update({_Key(**{name: row[name] for name in _NAMES}): row["sent"] for row in rows})
    return counters


async def keep(unit: UnitOfWork, counters: Counters, conversation_ids: Iterable[UUID]) -> None:
    """Count messages that leave now, one for each entry."""
    counted = Counter(counters.keys(conversation_ids))
    if counted:
        keys = sorted(counted)
        await unit.sql.execute(_COUNT, unit.tenant, *_columns(keys), [counted[key] for key in keys])


async def forget(unit: UnitOfWork) -> None:
    """Drop the counts of windows that are long over."""
    await unit.sql.execute("DELETE FROM cap_count WHERE organisation_id = $1 AND began_at < $2", unit.tenant, clock.now() - FORGET)


_NAMES: Final = ("messenger", "per", "subject_id", "span", "began_at")
_KEYS: Final = "unnest($2::text[], $3::text[], $4::uuid[], $5::text[], $6::timestamptz[]"
_LOOK: Final = f"""
SELECT messenger, per, subject_id, span, began_at, sent FROM cap_count
JOIN {_KEYS}) AS key(messenger, per, subject_id, span, began_at) USING (messenger, per, subject_id, span, began_at)
WHERE organisation_id = $1
"""
_HOLD: Final = f"""
INSERT INTO cap_count (organisation_id, messenger, per, subject_id, span, began_at, sent)
SELECT $1, messenger, per, subject_id, span, began_at, 0 FROM {_KEYS}) AS key(messenger, per, subject_id, span, began_at)
ON CONFLICT (organisation_id, messenger, per, subject_id, span, began_at) DO UPDATE SET sent = cap_count.sent
RETURNING messenger, per, subject_id, span, began_at, sent
"""
"""Makes what is missing and locks what is there, in the order of the keys."""
_COUNT: Final = f"""
INSERT INTO cap_count (organisation_id, messenger, per, subject_id, span, began_at, sent)
SELECT $1, messenger, per, subject_id, span, began_at, sent
FROM {_KEYS}, $7::int[]) AS key(messenger, per, subject_id, span, began_at, sent)
ON CONFLICT (organisation_id, messenger, per, subject_id, span, began_at) DO UPDATE SET sent = cap_count.sent + EXCLUDED.sent
"""


def _columns(keys: Sequence[_Key]) -> list[list[Any]]:
    return [[getattr(key, name) for key in keys] for name in _NAMES]
