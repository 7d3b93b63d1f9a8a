"""The queue and the announcements: arq and pub/sub on Valkey. It carries nudges only; PostgreSQL is the truth.

A lane is nudged at most once until its drainer has looked again: the flag `nudged:…` is set with NX before the job is put, and
the drainer takes it away *before* its last look, so a row committed before the flag was seen is always found. Losing Valkey
loses nothing: the sweeper looks for due rows every 2 seconds.
"""

from uuid import UUID

import structlog
from arq.connections import ArqRedis, RedisSettings, create_pool
from redis.exceptions import RedisError

log = structlog.get_logger()

QUEUE = "hub:queue"
FEED_CHANNEL = "hub:feed"
WHISPER_CHANNEL = "hub:whisper"
WORKER_ALIVE = "hub:worker"
"""Set by every worker that sweeps; gone soon after the last one."""
NUDGE_SECONDS = 10
SIGN_SECONDS = 4
"""Messengers show typing for about 5 seconds after each call."""

_RAISE_FLAGS = """
local raised = {}
for number, key in ipairs(KEYS) do
    if redis.call('SET', key, '1', 'NX', 'EX', ARGV[1]) then table.insert(raised, number) end
end
return raised
"""


class Queue:
    """Implements `hub.core.db.Nudges`."""

    def __init__(self, redis: ArqRedis) -> None:
        self.redis = redis
        self._raise_flags = redis.register_script(_RAISE_FLAGS)

    async def announce(self, organisation_id: UUID, seq: int) -> None:
        try:
            await self.redis.publish(FEED_CHANNEL, f"{organisation_id.hex}:{seq}")
        except (RedisError, OSError) as error:
            log.warning("announce_failed", error=type(error).__name__)

    async def nudge_lane(self, organisation_id: UUID, channel_id: UUID, direction: str) -> None:
        await self.nudge_lanes([(organisation_id, channel_id)], direction)

    async def nudge_lanes(self, lanes: list[tuple[UUID, UUID]], direction: str) -> None:
        """Nudge several lanes in one round trip; those already nudged are left alone."""
        try:
            flags = [_flag(channel_id, direction) for _, channel_id in lanes]
            for number in await self._raise_flags(keys=flags, args=[NUDGE_SECONDS]):
                organisation_id, channel_id = lanes[number - 1]
                await self.redis.enqueue_job("drain_lane", organisation_id.hex, channel_id.hex, direction, _queue_name=QUEUE)
        except (RedisError, OSError) as error:
            log.warning("nudge_failed", error=type(error).__name__)

    async def nudge_sign(self, organisation_id: UUID, conversation_id: UUID, sign: str) -> None:
        """Somebody writes in this conversation (`typing`) or has read it (`read`): shown to the customer at most every
        SIGN_SECONDS."""
        try:
            if await self.redis.set(f"{sign}:{conversation_id.hex}", b"1", nx=True, ex=SIGN_SECONDS):
                await self.redis.enqueue_job("show_sign", organisation_id.hex, conversation_id.hex, sign, _queue_name=QUEUE)
        except (RedisError, OSError) as error:
            log.warning("nudge_failed", error=type(error).__name__)

    async def unflag(self, channel_id: UUID, direction: str) -> None:
        """From here on a nudge for this lane puts a job again. Called by the drainer before its last look."""
        try:
            await self.redis.delete(_flag(channel_id, direction))
        except (RedisError, OSError) as error:
            log.warning("unflag_failed", error=type(error).__name__)


def _flag(channel_id: UUID, direction: str) -> str:
    return f"nudged:{direction}:{channel_id.hex}"


async def open_queue(redis_url: str) -> Queue:
    """Connect to Valkey; raises OSError or RedisError when it cannot be reached."""
    settings = RedisSettings.from_dsn(redis_url)
    settings.conn_timeout = 2
    return Queue(await create_pool(settings, default_queue_name=QUEUE))
