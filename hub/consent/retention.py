"""How long proofs are kept (R-200): as long as messages are sent, and then to the end of a calendar year some years later."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from hub.core.calendar import Unit, day_of
from hub.organisations.policy import span


def last_day_of_proof(last_message_at: datetime, zone: ZoneInfo, retention: Mapping[str, Any]) -> date:
    """The last day on which the proof of a recipient is kept, until 24:00 (`calendar.end_of_day`). `retention` is the parameter
    `proof.retention`: whole years after the calendar year of the last message. Raises ValueError for another unit."""
    number, unit = span(retention)
    if unit is not Unit.YEARS:
        raise ValueError(f"proof.retention counts calendar years: {retention!r}")
    return date(day_of(last_message_at, zone).year + number, 12, 31)
