"""How often a password may be tried: per e-mail and per address, five wrong tries, then pauses that grow (R-033).

A try is counted before the password is looked at and given back when it was right, so a hundred tries at once are a hundred tries.
Whether an e-mail exists makes no difference to what is counted or told. The counts live in Valkey; while it cannot be reached each
process counts by itself and more strictly, and log-in goes on working.
"""

import hashlib
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

import structlog
from redis.exceptions import RedisError

from hub.core import clock
from hub.core.queue import Queue

log = structlog.get_logger()

TRIES_PER_EMAIL: Final = 5
TRIES_PER_ADDRESS: Final = 20
"""More than per e-mail: a whole office shares one address."""
FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=1)
FORGET: Final = timedelta(hours=24)
"""A count is forgotten this long after its last wrong try."""

ALONE_TRIES_PER_EMAIL: Final = 3
ALONE_TRIES_PER_ADDRESS: Final = 10
ALONE_PAUSE: Final = timedelta(minutes=15)
ALONE_KEYS: Final = 10_000

_TAKE = """
local failures = tonumber(redis.call('HGET', KEYS[1], 'failures') or 0)
local pause_until = tonumber(redis.call('HGET', KEYS[1], 'until') or 0)
local limit, now, first, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if now < pause_until then return {0, 0, pause_until} end
failures = failures + 1
pause_until = 0
if failures >= limit then pause_until = now + math.min(longest, first * 2 ^ math.min(failures - limit, 20)) end
redis.call('HSET', KEYS[1], 'failures', failures, 'until', pause_until)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return {1, math.max(0, limit - failures), pause_until}
"""
_GIVE_BACK = """
local failures = tonumber(redis.call('HGET', KEYS[1], 'failures') or 0)
if failures > 1 then redis.call('HSET', KEYS[1], 'failures', failures - 1, 'until', 0) else redis.call('DEL', KEYS[1]) end
return 0
"""


@dataclass(frozen=True, slots=True)
class Try:
    """Whether a password may be looked at. `left`: tries until the pause if this one is wrong; `pause_until`: when it ends."""

    allowed: bool
    left: int
    pause_until: datetime | None


class LoginLimits:
    """The counts of one queue (Valkey)."""

    def __init__(self, queue: Queue) -> None:
        self._redis = queue.redis
        self._alone: dict[str, tuple[int, datetime]] = {}

    async def take(self, email: str, address: str) -> Try:
        """Count one try for an e-mail from an address. A try that is refused counts for neither."""
        by_email = await self._take(_email_key(email), TRIES_PER_EMAIL, ALONE_TRIES_PER_EMAIL)
        if not by_email.allowed:
            return by_email
        by_address = await self._take(_address_key(address), TRIES_PER_ADDRESS, ALONE_TRIES_PER_ADDRESS)
        if not by_address.allowed:
            await self._give_back(_email_key(email))
            return by_address
        return min(by_email, by_address, key=lambda one: one.left)

    async def was_right(self, email: str, address: str) -> None:
        """The counted try was right: forget the e-mail's wrong ones and give the address its try back."""
        self._alone.pop(_email_key(email), None)
        try:
            await self._redis.delete(f"login:{_email_key(email)}")
        except (RedisError, OSError) as error:
            log.warning("login_limits_without_valkey", error=type(error).__name__)
        await self._give_back(_address_key(address))

    async def _give_back(self, key: str) -> None:
        if key in self._alone:
            count, until = self._alone[key]
            self._alone[key] = (max(0, count - 1), until)
        try:
            await self._run(_GIVE_BACK, key)
        except (RedisError, OSError) as error:
            log.warning("login_limits_without_valkey", error=type(error).__name__)

    async def _take(self, key: str, tries: int, tries_alone: int) -> Try:
        now = int(clock.now().timestamp() * 1000)
        spans = (span // timedelta(milliseconds=1) for span in (FIRST_PAUSE, LONGEST_PAUSE, FORGET))
        try:
            allowed, left, pause_until = await self._run(_TAKE, key, tries, now, *spans)
        except (RedisError, OSError) as error:
            log.warning("login_limits_without_valkey", error=type(error).__name__)
            return self._take_alone(key, tries_alone)
        return Try(bool(allowed), left, datetime.fromtimestamp(pause_until / 1000, UTC) if pause_until else None)

    async def _run(self, script: str, key: str, *arguments: int) -> Any:
        return await cast(Awaitable[Any], self._redis.eval(script, 1, f"login:{key}", *map(str, arguments)))

    def _take_alone(self, key: str, tries: int) -> Try:
        """So many tries in a quarter of an hour, in this process. When there is no room to count, nobody may try."""
        now = clock.now()
        if len(self._alone) >= ALONE_KEYS:
            self._alone = {one: count for one, count in self._alone.items() if count[1] > now}
        count, until = self._alone.get(key, (0, now))
        if until <= now:
            count, until = 0, now + ALONE_PAUSE
        if count >= tries or len(self._alone) >= ALONE_KEYS:
            return Try(False, 0, until)
        self._alone[key] = (count + 1, until)
        left = tries - count - 1
        return Try(True, left, None if left else until)


def _email_key(email: str) -> str:
    """E-mails stand in Valkey as their hash only."""
    return f"email:{hashlib.sha256(email.encode()).hexdigest()}"


def _address_key(address: str) -> str:
    return f"address:{address}"


_limits: WeakKeyDictionary[Queue, LoginLimits] = WeakKeyDictionary()


def login_limits(queue: Queue) -> LoginLimits:
    """The limits that belong to a process's queue."""
    return _limits.setdefault(queue, LoginLimits(queue))
