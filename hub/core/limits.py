"""How often somebody without a session may do something: counted in windows in Valkey (R-232).

While Valkey cannot be reached each process counts by itself and lets through a quarter, as log-in does (`organisations/limits.py`).
"""

from dataclasses import dataclass
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

import structlog
from redis.exceptions import RedisError

from hub.core import clock
from hub.core.errors import TooMany
from hub.core.queue import Queue

log = structlog.get_logger()

ALONE_SHARE: Final = 4
ALONE_KEYS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` in each window of `seconds`."""

    name: str
    most: int
    seconds: int


_COUNT: Final = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return count
"""

_alone: WeakKeyDictionary[Queue, dict[str, int]] = WeakKeyDictionary()


async def take(queue: Queue, limit: Limit, who: str) -> None:
    """Count one; TooMany says when the next window begins."""
    now = int(clock.now().timestamp())
    key = f"limit:{limit.name}:{who}:{now // limit.seconds}"
    try:
        counted = int(await cast(Any, queue.redis.eval(_COUNT, 1, key, str(limit.seconds))))
        most = limit.most
    except (RedisError, OSError) as error:
        log.warning("limits_without_valkey", error=type(error).__name__)
        counted, most = _count_alone(queue, key), max(1, limit.most // ALONE_SHARE)
    if counted > most:
        raise TooMany(limit.name, retry_after=limit.seconds - now % limit.seconds)


def _count_alone(queue: Queue, key: str) -> int:
    counts = _alone.setdefault(queue, {})
    if len(counts) >= ALONE_KEYS:
        counts.clear()
    counts[key] = counts.get(key, 0) + 1
    return counts[key]
