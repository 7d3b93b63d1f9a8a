"""Days, periods and deadlines as the German Civil Code counts them (§§ 187-193 BGB). Pure: no clock, no database.

Contract and billing days are `date`s in the seller's zone; instants are aware UTC. How long a period is, when it starts and
whether § 193 applies to it are policy parameters of the caller (R-001); here is only the arithmetic.

    an event, then a period           period_from_event   § 187(1)   a notice of 31 January, one month -> 28 February
    a period that starts with a day   period_from_start   § 187(2)   a licence from 28 February, 12 months -> 27 February
    terms one after the other         next_term, terms    § 190      each counted from its own first day
    a day that may be no working day  shift_193           § 193      only for a declaration or a performance
    notice counted backward           last_day_of_notice  R-006
    hours                             after_hours         R-007      real hours, whatever the clocks do

A computed day carries the steps that led to it, for the page that explains a deadline.
"""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import holidays

from hub.core.errors import InvalidInput

_DAY: Final = timedelta(days=1)


class Unit(StrEnum):
    """What a period is counted in. Hours are no calendar unit: see `after_hours`."""

    DAYS = "days"
    WEEKS = "weeks"
    MONTHS = "months"
    YEARS = "years"


_DAYS: Final = {Unit.DAYS: 1, Unit.WEEKS: 7}
_MONTHS: Final = {Unit.MONTHS: 1, Unit.YEARS: 12}


class Rule(StrEnum):
    """Why a step ends where it ends."""

    EVENT = "bgb_187_1"
    """The day of the event is not counted; weeks, months and years end on the corresponding day, § 188(2) first half."""
    START = "bgb_187_2"
    """The first day is counted; weeks, months and years end on the day before the corresponding one, § 188(2) second half."""
    MONTH_END = "bgb_188_3"
    """The month has no corresponding day: its last day takes the place."""
    WORKING_DAY = "bgb_193"
    """Saturday, Sunday or public holiday: the next working day takes the place."""
    NOTICE = "notice"
    """Counted backward from the end (R-006)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a computed day: under `rule`, from `start` (the day of the event, the first day, or the end that a notice
    is counted back from) to `end`. `shifted_from` is the day that `end` takes the place of, under § 193 only.
    """

    rule: Rule
    start: date
    end: date
    shifted_from: date | None = None


@dataclass(frozen=True, slots=True)
class Deadline:
    """The last day of a period, and how it was found. It ends at 24:00 of that day: see `end_of_day`."""

    day: date
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Term:
    """A run of days, both ends counted, and how its last day was found."""

    first_day: date
    last_day: date
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class HolidayCalendar:
    """The public holidays of one region (R-008)."""

    region: str
    _days: holidays.HolidayBase = field(repr=False, compare=False)

    def is_holiday(self, day: date) -> bool:
        return day in self._days

    def is_working_day(self, day: date) -> bool:
        """Neither Saturday, Sunday nor public holiday, as § 193 has it."""
        return day.isoweekday() <= 5 and not self.is_holiday(day)


@cache
def holiday_calendar(region: str = "DE-BW") -> HolidayCalendar:
    """The calendar of a country or one of its parts, in ISO 3166 codes: `DE`, `DE-BW`, `AT`. Raises InvalidInput.

    The default is R-008's: nationwide and Baden-Württemberg.
    """
    country, _, part = region.partition("-")
    try:
        return HolidayCalendar(region, holidays.country_holidays(country, subdiv=part or None))
    except NotImplementedError as error:
        raise InvalidInput(f"no holiday calendar for {region!r}", field="region") from error


def day_of(at: datetime, zone: ZoneInfo) -> date:
    """The calendar day of an instant in `zone`: the day of an event (R-002). Raises ValueError for a naive instant."""
    return _aware(at).astimezone(zone).date()


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """24:00 of `day` in `zone`, which is 00:00 of the next day, as an aware UTC instant (R-002)."""
    return datetime.combine(day + _DAY, time.min, zone).astimezone(UTC)


def is_in_time(at: datetime, last_day: date, zone: ZoneInfo) -> bool:
    """Whether the instant lies before 24:00 of `last_day` in `zone`; 24:00 itself is late (R-006)."""
    return _aware(at) < end_of_day(last_day, zone)


def period_from_event(day: date, n: int, unit: Unit) -> Deadline:
    """The last day of a period of `n` units triggered by an event in the course of `day` (§§ 187(1), 188; R-003)."""
    _positive(n)
    if unit in _DAYS:
        return _deadline(Rule.EVENT, day, day + timedelta(days=n * _DAYS[unit]))
    end, missing = _corresponding_day(day, n * _MONTHS[unit])
    return _deadline(Rule.MONTH_END if missing else Rule.EVENT, day, end)


def period_from_start(day: date, n: int, unit: Unit) -> Deadline:
    """The last day of a period of `n` units that starts with the beginning of `day` (§§ 187(2), 188; R-003).

    Where the corresponding day is missing, the month's last day is the end itself: no day is taken off it (§ 188(3)).
    """
    _positive(n)
    if unit in _DAYS:
        return _deadline(Rule.START, day, day + timedelta(days=n * _DAYS[unit]) - _DAY)
    corresponding, missing = _corresponding_day(day, n * _MONTHS[unit])
    return _deadline(Rule.MONTH_END, day, corresponding) if missing else _deadline(Rule.START, day, corresponding - _DAY)


def next_term(previous_end: date, months: int) -> Term:
    """The term of `months` that follows one which ended on `previous_end` (§ 190, R-004)."""
    return _term(previous_end + _DAY, months)


def terms(first_day: date, months: int, n: int) -> Sequence[Term]:
    """The first `n` terms of `months` each, without gap or overlap; each is counted from its own first day (R-004)."""
    _positive(n)
    chain = [_term(first_day, months)]
    while len(chain) < n:
        chain.append(next_term(chain[-1].last_day, months))
    return chain


def shift_193(deadline: Deadline, calendar: HolidayCalendar) -> Deadline:
    """Move a last day that is a Saturday, Sunday or public holiday to the next working day (§ 193, R-005).

    Only for a period in which something must be declared or performed; the caller's `apply_193` says which.
    """
    day = deadline.day
    while not calendar.is_working_day(day):
        day += _DAY
    if day == deadline.day:
        return deadline
    step = Step(Rule.WORKING_DAY, deadline.day, day, shifted_from=deadline.day)
    return Deadline(day, (*deadline.steps, step))


def last_day_of_notice(end: date, days: int) -> Deadline:
    """The last day D on which a notice of `days` to the end day `end` may arrive: D + days <= end (R-006)."""
    _positive(days)
    return _deadline(Rule.NOTICE, end, end - timedelta(days=days))


def is_notice_in_time(arrived_at: datetime, end: date, days: int, zone: ZoneInfo) -> bool:
    """Whether a notice of `days` to `end` that arrived at this instant is in time (R-006)."""
    return is_in_time(arrived_at, last_day_of_notice(end, days).day, zone)


def after_hours(at: datetime, hours: int) -> datetime:
    """The UTC instant when `hours` real hours have passed, also across a switch to or from summer time (R-007).

    From this instant on the period is over. Raises ValueError for a naive instant.
    """
    _positive(hours)
    return _aware(at).astimezone(UTC) + timedelta(hours=hours)


def _deadline(rule: Rule, start: date, end: date) -> Deadline:
    return Deadline(end, (Step(rule, start, end),))


def _term(first_day: date, months: int) -> Term:
    end = period_from_start(first_day, months, Unit.MONTHS)
    return Term(first_day, end.day, end.steps)


def _corresponding_day(day: date, months: int) -> tuple[date, bool]:
    """The day of the same number `months` later, or the month's last day where that is missing; and whether it is."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    last = monthrange(year, month)[1]
    return date(year, month, min(day.day, last)), day.day > last


def _positive(n: int) -> None:
    if n < 1:
        raise ValueError(f"a period has a length of 1 or more, not {n}")


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("an instant needs its zone; stored times are aware UTC")
    return at
