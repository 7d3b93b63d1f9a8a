"""Points in time that an agent chooses, and what a list shows of them. Pure: a choice in, an instant out."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from hub.core.errors import InvalidInput

MORNING: Final = time(9)
EVENING: Final = time(17)
SOON_PART: Final = 5
"""The last fifth of the time until a due time counts as soon (look.md, 5)."""


class TimePassed(InvalidInput):
    """The chosen time is not after now."""

    code = "time_passed"


class Choice(StrEnum):
    """The quick choices for a due time or a snooze, and the own one."""

    HOUR = "hour"
    EVENING = "evening"
    TOMORROW = "tomorrow"
    MONDAY = "monday"
    OWN = "own"


def read_choice(choice: Choice, own: str, zone: ZoneInfo, now: datetime) -> datetime:
    """The instant of a choice. `own` is what a date and time field sends. Raises InvalidInput(field="at") for what is no
    time, TimePassed for what is not after now."""
    local = now.astimezone(zone)
    match choice:
        case Choice.HOUR:
            at = now.replace(second=0, microsecond=0) + timedelta(hours=1)
        case Choice.EVENING:
            at = datetime.combine(local.date(), EVENING, zone)
        case Choice.TOMORROW:
            at = datetime.combine(local.date() + timedelta(days=1), MORNING, zone)
        case Choice.MONDAY:
            at = datetime.combine(local.date() + timedelta(days=7 - local.weekday()), MORNING, zone)
        case Choice.OWN:
            at = read_local(own, zone)
    if at <= now:
        raise TimePassed(field="at")
    return at


def read_local(local: str, zone: ZoneInfo) -> datetime:
    """What a date and time field sends, in the page's zone. Raises InvalidInput(field="at")."""
    try:
        typed = datetime.fromisoformat(local)
    except ValueError as error:
        raise InvalidInput("not a date and time", field="at") from error
    if typed.tzinfo is not None or not 1970 < typed.year < 2200:
        raise InvalidInput("not a date and time of the page's zone", field="at")
    return typed.replace(tzinfo=zone)


def choices(zone: ZoneInfo, now: datetime) -> list[Choice]:
    """The quick choices that make sense now: after five there is no "today at five"."""
    passed = now.astimezone(zone).time() >= EVENING
    return [one for one in Choice if one is not Choice.OWN and not (passed and one is Choice.EVENING)]


@dataclass(frozen=True, slots=True)
class Signal:
    """The one time that a row shows. `kind`: due, snooze or back. `tone` is empty, soon or late; it turns to soon at `soon_at`."""

    kind: str
    at: datetime
    tone: str = ""
    soon_at: datetime | None = None


def read_signal(
    state: str, turn: str, due_at: datetime | None, due_from: datetime | None, snoozed_until: datetime | None, now: datetime
) -> Signal | None:
    """The nearest of a conversation's times, or, as long as it is our turn, since when it is back from its snooze."""
    if state == "done":
        return None
    due = _due(due_at, due_from, now) if due_at and due_from else None
    if state == "snoozed" and snoozed_until and not (due and due.at <= snoozed_until):
        return Signal("snooze", snoozed_until)
    if due is None and snoozed_until and turn == "us":
        return Signal("back", snoozed_until)
    return due


def _due(due_at: datetime, due_from: datetime, now: datetime) -> Signal:
    soon_at = due_at - (due_at - due_from) / SOON_PART
    tone = "late" if due_at <= now else "soon" if soon_at <= now else ""
    return Signal("due", due_at, tone, soon_at)
