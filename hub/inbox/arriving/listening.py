"""The lane of direction `listen`: a hub without a public address asks the provider for what came in.

    poll        one long request, with no transaction open; its answer passes the same `arrivals.append` as a webhook
    cursor      kept only after that commit, so the provider is told that an update is safe when it is: dying in between repeats it,
                and its key ends the repetition (I2)

A channel whose provider delivers by webhook is not polled; which of the two it is says `channel.callback_url`.
"""

import time
from datetime import timedelta
from uuid import UUID

import structlog
from httpx import AsyncClient

from hub.channels.accounts import OpenChannel, read_channel
from hub.channels.health import mark_attention, mark_failing, mark_healthy
from hub.connectors.contract import Polled, Polls
from hub.connectors.errors import AuthFailed, RateLimited, SendError, TakenElsewhere
from hub.connectors.http import connector_client
from hub.core import clock, lanes
from hub.core.lanes import LANE_TROUBLE, Lane
from hub.inbox.arriving.arrivals import append, arrival, note_stored
from hub.runtime import Runtime

log = structlog.get_logger()

TURN_SECONDS = 20.0
"""How long one job polls before it lets the next job go on."""
TRY_AGAIN = timedelta(seconds=5)
"""After a poll that found nobody there."""


async def drain(
    runtime: Runtime, organisation_id: UUID, channel_id: UUID, worker_id: UUID, *, seconds: float = TURN_SECONDS
) -> None:
    """Poll one channel, once at least and for so long. Returns at once when another worker does or there is nothing to poll."""
    lane = await lanes.take(runtime.database, organisation_id, channel_id, "listen", worker_id)
    if lane is None:
        return
    until = time.monotonic() + seconds
    try:
        async with connector_client(runtime.settings.trusted_hosts) as http:
            while (goes_on := await _poll_once(runtime, lane, http)) and time.monotonic() < until:
                pass
        await runtime.queue.unflag(channel_id, "listen")
        while not await lane.let_go():
            pass  # whoever asked for another look gets it from the next job
        if goes_on:
            await runtime.queue.nudge_lane(organisation_id, channel_id, "listen")
    except LANE_TROUBLE as error:
        log.warning("lane_left", direction="listen", error=type(error).__name__)


async def _poll_once(runtime: Runtime, lane: Lane, http: AsyncClient) -> bool:
    """One poll and what came of it; whether the next one may follow at once."""
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        channel = await read_channel(runtime, unit, lane.channel_id)
        row = await unit.sql.fetchrow(
            """
            SELECT h.callback_url = '' AND h.own_id <> '' AND h.health <> 'attention'
                   AND (h.health_until IS NULL OR h.health_until <= $3) AS wanted, h.health, l.cursor
            FROM channel h JOIN channel_lane l ON l.organisation_id = h.organisation_id AND l.channel_id = h.id
            WHERE h.organisation_id = $1 AND h.id = $2 AND l.direction = 'listen'
            """,
            unit.tenant,
            lane.channel_id,
            clock.now(),
        )
    if not row["wanted"] or not isinstance(channel.connector, Polls):
        return False
    try:
        polled = await lanes.hold_while(runtime.database, lane, channel.connector.poll(channel.account, http, row["cursor"]))
    except SendError as error:
        await _note_trouble(runtime, lane, error)
        return False
    await _keep(runtime, lane, channel, polled, was_healthy=row["health"] == "healthy")
    return True


async def _keep(runtime: Runtime, lane: Lane, channel: OpenChannel, polled: Polled, *, was_healthy: bool) -> None:
    """Store what came, then remember how far we are."""
    if polled.requests:
        arrivals = [arrival(channel, request) for request in polled.requests]
        await append(runtime.database, arrivals)
        note_stored(arrivals)
        await runtime.queue.nudge_lane(lane.organisation_id, lane.channel_id, "in")
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        if polled.requests:
            await unit.sql.execute(
                """
                UPDATE channel_lane SET cursor = $3
                WHERE organisation_id = $1 AND channel_id = $2 AND direction = 'listen'
                """,
                unit.tenant,
                lane.channel_id,
                polled.cursor,
            )
        if not was_healthy:
            await mark_healthy(unit, lane.channel_id)


async def _note_trouble(runtime: Runtime, lane: Lane, error: SendError) -> None:
    """What a failed poll says about the channel; the sweeper comes back when it is time. Nothing, if meanwhile the provider was
    told to deliver to us: that is what ended the poll."""
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        callback_url = "SELECT callback_url FROM channel WHERE organisation_id = $1 AND id = $2"
        if await unit.sql.fetchval(callback_url, unit.tenant, lane.channel_id):
            return
        if isinstance(error, AuthFailed):
            await mark_attention(unit, lane.channel_id, "auth_failed")
        else:
            wait = timedelta(seconds=error.retry_after) if isinstance(error, RateLimited) else TRY_AGAIN
            cause = error.code if isinstance(error, TakenElsewhere) else "provider_unavailable"
            await mark_failing(unit, lane.channel_id, cause, clock.now() + wait, error)
