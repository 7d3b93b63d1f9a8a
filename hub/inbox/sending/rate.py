"""Send rates, shared between all workers: token buckets in Valkey.

A bucket refills with machine time and holds at most a quarter of a second's tokens (at least two), so a channel is paced evenly. A
bucket that Valkey lost counts as empty. Bulk takes from a second bucket of 80 % of the rate as well and never the last token, so
that a chat message always finds its turn. `hold` closes a channel for a while: the provider said when it wants to hear from us
again.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hub.connectors.sharing import Budget
from hub.core.queue import Queue

BURST_SECONDS = 0.25
BULK_SHARE = 0.8

_TAKE = """
local now = redis.call('TIME')
now = tonumber(now[1]) + tonumber(now[2]) / 1e6
local held = tonumber(redis.call('GET', KEYS[3]) or '0')
if held > now then return {0, 0, tostring(held - now)} end
local function refill(key, rate)
    local capacity = math.max(2, rate * tonumber(ARGV[4]))
    local bucket = redis.call('HMGET', key, 'tokens', 'at')
    local tokens = tonumber(bucket[1] or '0')
    local at = tonumber(bucket[2] or tostring(now))
    return math.min(capacity, tokens + math.max(0, now - at) * rate)
end
local function put(key, tokens)
    redis.call('HSET', key, 'tokens', tostring(tokens), 'at', string.format('%.6f', now))
    redis.call('EXPIRE', key, 3600)
end
local rate, wanted = tonumber(ARGV[1]), tonumber(ARGV[2])
local bulk_rate = rate * tonumber(ARGV[3])
local tokens, bulk = refill(KEYS[1], rate), refill(KEYS[2], bulk_rate)
local taken = math.min(wanted, math.floor(tokens))
local bulk_taken = math.max(0, math.min(taken, math.floor(bulk), math.floor(tokens) - 1))
put(KEYS[1], tokens - taken)
put(KEYS[2], bulk - bulk_taken)
return {taken, bulk_taken, tostring(math.max(0, (1 - (tokens - taken)) / rate))}
"""

_GIVE_BACK = """
redis.call('HINCRBYFLOAT', KEYS[1], 'tokens', ARGV[1])
redis.call('HINCRBYFLOAT', KEYS[2], 'tokens', ARGV[2])
"""

_SPEND = """
local now = redis.call('TIME')
now = tonumber(now[1]) + tonumber(now[2]) / 1e6
local rate, capacity, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(bucket[1] or '1')
tokens = math.min(capacity, tokens + math.max(0, now - tonumber(bucket[2] or tostring(now))) * rate)
local taken = math.min(wanted, math.floor(tokens))
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens - taken), 'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], math.ceil(capacity / rate) + 3600)
return {taken, tostring(math.max(0, (1 - (tokens - taken)) / rate))}
"""


@dataclass(frozen=True, slots=True)
class Tokens:
    """`any` messages may go now, of which at most `bulk` bulk ones; the next token is there in `wait` seconds."""

    any: int
    bulk: int
    wait: float


class Rate:
    """The bucket of one channel."""

    def __init__(self, queue: Queue, channel_id: UUID, per_second: float) -> None:
        self._redis = queue.redis
        self._take: Any = queue.redis.register_script(_TAKE)  # redis-py types scripts for both of its clients at once
        self._give_back: Any = queue.redis.register_script(_GIVE_BACK)
        self._keys = [f"rate:{channel_id.hex}", f"rate:{channel_id.hex}:bulk", f"rate:{channel_id.hex}:hold"]
        self._per_second = per_second

    async def take(self, wanted: int) -> Tokens:
        """Take up to `wanted` tokens. Raises RedisError or OSError when Valkey is down: nothing is sent then."""
        arguments = [self._per_second, wanted, BULK_SHARE, BURST_SECONDS]
        taken, bulk, wait = await self._take(keys=self._keys, args=arguments)
        return Tokens(int(taken), int(bulk), float(wait))

    async def give_back(self, any_: int, bulk: int) -> None:
        """Return tokens that were not needed."""
        if any_ > 0 or bulk > 0:
            await self._give_back(keys=self._keys[:2], args=[max(0, any_), max(0, bulk)])

    async def hold(self, seconds: float) -> None:
        """Close the channel for this long, for all workers."""
        now, micro = await self._redis.time()
        await self._redis.set(self._keys[2], now + micro / 1e6 + seconds, px=max(1, int(seconds * 1000)))


class SharedBudget:
    """A limit that several accounts share (`SharesBudget`): a bucket of a tenth of it, refilled so that in no span of its seconds
    more than it is spent. A bucket that nobody knows holds one."""

    def __init__(self, queue: Queue, budget: Budget) -> None:
        self._spend: Any = queue.redis.register_script(_SPEND)
        self._redis = queue.redis
        self._key = f"budget:{budget.name}"
        self._capacity = max(1, budget.most // 10)
        self._per_second = max(1, budget.most - self._capacity) / budget.seconds

    async def take(self, wanted: int) -> tuple[int, float]:
        """Take up to `wanted`; how many there were, and in how many seconds the next one is there. Raises RedisError or OSError."""
        taken, wait = await self._spend(keys=[self._key], args=[self._per_second, self._capacity, wanted])
        return int(taken), float(wait)

    async def give_back(self, unused: int) -> None:
        """Return what was not needed."""
        await self._redis.hincrbyfloat(self._key, "tokens", unused)  # type: ignore[misc]  # redis-py types both of its clients at once
