"""Where a recipient's day is: quiet hours are theirs (design 4)."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
from phonenumbers.timezone import time_zones_for_number

_SEASONS: Final = (datetime(2026, 1, 15, 12, tzinfo=UTC), datetime(2026, 7, 15, 12, tzinfo=UTC))


def zone_of(address: str, *, is_phone: bool, known: str, usual: str) -> str:
    """The zone of somebody's day: what is known of the contact, else what their phone number tells if it tells just one country's
    time, else the organisation's. An IANA name."""
    if known:
        return known
    return (is_phone and _zone_of_number(address)) or usual


@lru_cache(maxsize=10_000)
def _zone_of_number(address: str) -> str:
    """The zone of a number in digits, with or without a plus; empty where it has none, or several that differ now."""
    try:
        number = phonenumbers.parse("+" + address.lstrip("+"))
    except phonenumbers.NumberParseException:
        return ""
    zones = [zone for zone in time_zones_for_number(number) if zone in _known()]
    return zones[0] if zones and len({_offsets(zone) for zone in zones}) == 1 else ""


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=1000)
def _offsets(zone: str) -> tuple[str, ...]:
    """How a zone's clocks go in winter and in summer."""
    here = ZoneInfo(zone)
    return tuple(str(moment.astimezone(here).utcoffset()) for moment in _SEASONS)
