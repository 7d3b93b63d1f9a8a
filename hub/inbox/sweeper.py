"""The sweeper: finds due work that nobody was nudged for, and keeps the tables small.

Every 2 seconds it looks, as hub_system, for lanes with due rows and no live lease, so that losing Valkey or a process costs time
and no message, and for conversations whose time has come (`alarm.py`). Every minute it does the housekeeping; every pass is safe to
run on several workers at once.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter
from redis.exceptions import RedisError

from hub.channels import caps, humans
from hub.channels.incidents import tell_owners
from hub.channels.moving import register_moved
from hub.channels.terms import ask_again
from hub.connectors.contract import Polls
from hub.consent.agreeing import imports
from hub.consent.erasing import destroy_archives
from hub.core import clock
from hub.core.db import STORE_ERRORS, UnitOfWork
from hub.core.feed import trim_feed
from hub.core.queue import WORKER_ALIVE
from hub.inbox import alarm
from hub.inbox.arriving.arrivals import UNROUTED_KEPT, take_up
from hub.inbox.deciding.report import report_overrides
from hub.inbox.sending import notices
from hub.inbox.sending.uses import keep_books
from hub.inbox.stored import clearing
from hub.runtime import Runtime

log = structlog.get_logger()

LOOK_SECONDS = 2.0
LOOK_FAILED: tuple[type[Exception], ...] = (RedisError, *STORE_ERRORS)
HOUSEKEEPING_SECONDS = 60.0
DROP_PENDING_AFTER = timedelta(days=30)
"""How long a status or edit waits for its message (I3)."""

dropped_effects = Counter("hub_pending_effects_dropped_total", "Parked effects whose message never appeared")

_DUE_IN = """
SELECT l.organisation_id, l.channel_id FROM channel_lane l
WHERE l.direction = 'in' AND (l.lease_until IS NULL OR l.lease_until < $1)
  AND EXISTS (SELECT FROM webhook_delivery d WHERE d.channel_id = l.channel_id AND d.state = 'received')
"""
_DUE_OUT = """
SELECT l.organisation_id, l.channel_id FROM channel_lane l
WHERE l.direction = 'out' AND (l.lease_until IS NULL OR l.lease_until < $1)
  AND (EXISTS (SELECT FROM message_part p WHERE p.organisation_id = l.organisation_id AND p.channel_id = l.channel_id
               AND p.state = 'queued' AND p.due_at <= $2)
       OR EXISTS (SELECT FROM attempt a WHERE a.organisation_id = l.organisation_id AND a.channel_id = l.channel_id
                  AND a.outcome = 'sending'))
"""
_DUE_LISTEN = """
SELECT l.organisation_id, l.channel_id FROM channel_lane l
JOIN channel h ON h.organisation_id = l.organisation_id AND h.id = l.channel_id
WHERE l.direction = 'listen' AND (l.lease_until IS NULL OR l.lease_until < $1)
  AND h.callback_url = '' AND h.own_id <> '' AND h.health <> 'attention' AND h.connector = ANY($3::text[])
  AND (h.health_until IS NULL OR h.health_until <= $2)
"""
_DUE_MEDIA = """
SELECT l.organisation_id, l.channel_id FROM channel_lane l
WHERE l.direction = 'media' AND (l.lease_until IS NULL OR l.lease_until < $1)
  AND EXISTS (SELECT FROM attachment a WHERE a.organisation_id = l.organisation_id AND a.channel_id = l.channel_id
              AND a.state = 'waiting' AND a.due_at <= $2)
"""
_DUE_CARE = """
SELECT l.organisation_id, l.channel_id FROM channel h
JOIN channel_lane l ON l.organisation_id = h.organisation_id AND l.channel_id = h.id AND l.direction = 'care'
WHERE h.care_at <= $2 AND (l.lease_until IS NULL OR l.lease_until < $1)
"""
_DUE_NAMES = """
SELECT l.organisation_id, l.channel_id FROM channel_lane l
JOIN channel h ON h.organisation_id = l.organisation_id AND h.id = l.channel_id
WHERE l.direction = 'names' AND (l.lease_until IS NULL OR l.lease_until < $1) AND h.state = 'on'
  AND EXISTS (SELECT FROM identity i WHERE i.organisation_id = l.organisation_id AND i.channel_id = l.channel_id
              AND i.name_due_at <= $2)
"""


async def look(runtime: Runtime) -> int:
    """Nudge every lane that has due work and no holder; how many there were."""
    machine_now, now = datetime.now(UTC), clock.now()
    polled = [name for name, connector in runtime.connectors.items() if isinstance(connector, Polls)]
    async with runtime.database.system() as unit:
        due = {
            "in": await unit.sql.fetch(_DUE_IN, machine_now),
            "out": await unit.sql.fetch(_DUE_OUT, machine_now, now),
            "listen": await unit.sql.fetch(_DUE_LISTEN, machine_now, now, polled),
            "media": await unit.sql.fetch(_DUE_MEDIA, machine_now, now),
            "care": await unit.sql.fetch(_DUE_CARE, machine_now, now),
            "names": await unit.sql.fetch(_DUE_NAMES, machine_now, now),
        }
    for direction, rows in due.items():
        if rows:
            await runtime.queue.nudge_lanes([(row["organisation_id"], row["channel_id"]) for row in rows], direction)
    return sum(map(len, due.values()))


async def keep_house(runtime: Runtime) -> None:
    """Partitions, counters, feed, parked effects: each organisation in a transaction of its own."""
    settings = runtime.settings
    now = clock.now()
    async with runtime.database.system() as unit:
        await unit.sql.execute("SELECT keep_delivery_days($1, $2)", now.date(), settings.keep_raw_days)
        await unit.sql.execute("DELETE FROM unrouted_delivery WHERE received_at < $1", now - UNROUTED_KEPT)
        organisations: list[UUID] = [row["id"] for row in await unit.sql.fetch("SELECT id FROM organisation")]
    for organisation_id in organisations:
        async with runtime.database.unit_of_work(organisation_id) as unit:
            await fold_counters(unit)
            await destroy_archives(unit)
            await caps.forget(unit)
            await trim_feed(unit, now - timedelta(days=settings.keep_feed_days))
            dropped = await unit.sql.fetchval(
                """
                WITH gone AS (DELETE FROM pending_effect WHERE organisation_id = $1 AND created_at < $2 RETURNING 1)
                SELECT count(*) FROM gone
                """,
                organisation_id,
                now - DROP_PENDING_AFTER,
            )
            dropped_effects.inc(dropped)
        await clearing.sweep(runtime, organisation_id)


async def fold_counters(unit: UnitOfWork) -> None:
    """Replace each list's changes by their sum; the sum a reader sees is the same before and after."""
    await unit.sql.execute(
        """
        WITH old AS (DELETE FROM conversation_counter WHERE organisation_id = $1 RETURNING list, change)
        INSERT INTO conversation_counter (organisation_id, list, change)
        SELECT $1, list, sum(change) FROM old GROUP BY list HAVING sum(change) <> 0
        """,
        unit.tenant,
    )


async def run(runtime: Runtime) -> None:
    """Look and keep house until cancelled; an unreachable database is waited for."""
    kept_house = float("-inf")
    while True:
        try:
            await notices.send_due(runtime)
            await imports.work(runtime)
            await look(runtime)
            await alarm.ring(runtime)
            await runtime.queue.redis.set(WORKER_ALIVE, b"1", ex=15)
            if time.monotonic() - kept_house > HOUSEKEEPING_SECONDS:
                await keep_house(runtime)
                await register_moved(runtime)
                await take_up(runtime)
                await ask_again(runtime)
                await tell_owners(runtime)
                await humans.watch(runtime)
                await report_overrides(runtime)
                await keep_books(runtime)
                kept_house = time.monotonic()
        except LOOK_FAILED as error:
            log.error("sweeper_failed", error=type(error).__name__)
        await asyncio.sleep(LOOK_SECONDS)
