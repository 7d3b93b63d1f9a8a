"""The one clock (R-011). Everything that asks for the time asks here, so that a test can move it.

Leases, rate tokens and time-outs use the machine's monotonic clock instead: they measure waiting, not business time.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def _machine_time() -> datetime:
    return datetime.now(UTC)


_read: Callable[[], datetime] = _machine_time


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return _read()


def set_clock(read: Callable[[], datetime] | None) -> None:
    """Replace the clock; None gives the machine's time back. For tests."""
    global _read
    _read = read or _machine_time


class FakeClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, at: datetime) -> None:
        if at.tzinfo is None:
            raise ValueError("a clock needs an aware time")
        self._at = at.astimezone(UTC)

    def __call__(self) -> datetime:
        return self._at

    def advance(self, **by: float) -> datetime:
        """Move forward by a timedelta given as keywords (`days=14`, `seconds=3`) and return the new time."""
        self._at += timedelta(**by)
        return self._at

    def set(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)
