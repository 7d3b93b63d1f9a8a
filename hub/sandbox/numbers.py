"""Where the ids of a process begin. Nothing of a simulator survives its process; a hub which knows the ids of an earlier one must
meet none of them again, or it takes something new for a repetition."""

from datetime import UTC, datetime
from typing import Final

from hub.core import clock

FIRST_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)


def first_number() -> int:
    """Milliseconds since FIRST_DAY: no process before this one has come so far, unless it gave a thousand ids a second."""
    return int((clock.now() - FIRST_DAY).total_seconds() * 1000)
