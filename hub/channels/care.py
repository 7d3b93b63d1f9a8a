"""The lane of direction `care`: an account is looked after at its set-up, once a day, and when something happened to it.

    renew      credentials that end soon, where no person is needed for it (`Renews`)
    check      how the account is; what the connector can put right it puts right (`Checks`)
    templates  the provider's list (`SyncsTemplates`)

`channel.care_at` says when. Nothing here keeps messages from flowing: what the provider does not answer is tried again within the
hour."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from httpx import AsyncClient

from hub.channels import health, history, templates
from hub.channels.accounts import OpenChannel, read_channel
from hub.channels.settings import seal_settings
from hub.connectors.contract import Checks, Renewal, Renews, SyncsTemplates
from hub.connectors.errors import ConnectorError, CredentialsRejected, RateLimited, Unavailable
from hub.connectors.events import ChannelHealth
from hub.connectors.http import connector_client
from hub.core import clock, ids, lanes
from hub.core.db import STORE_TROUBLE, UnitOfWork
from hub.core.lanes import LANE_TROUBLE, Lane
from hub.runtime import Runtime

log = structlog.get_logger()

DAILY: Final = timedelta(days=1)
SOON: Final = timedelta(hours=1)
"""After a provider that did not answer; a renewal is tried again after a tenth of the time that is left for it, if that is less."""
SHORTEST: Final = timedelta(seconds=10)
KEEP_TRIES: Final = 15
"""Seconds for which renewed credentials wait for a database that is away: the old ones may be worthless already."""


async def drain(runtime: Runtime, organisation_id: UUID, channel_id: UUID, worker_id: UUID) -> None:
    """Look after one account if it is time. Returns at once when another worker does."""
    lane = await lanes.take(runtime.database, organisation_id, channel_id, "care", worker_id)
    if lane is None:
        return
    try:
        await lanes.hold_while(runtime.database, lane, _look_after(runtime, lane))
        await runtime.queue.unflag(channel_id, "care")
        while not await lane.let_go():
            pass  # whoever asked for another look gets it from the sweeper
    except LANE_TROUBLE as error:
        log.warning("lane_left", direction="care", error=type(error).__name__)


async def _look_after(runtime: Runtime, lane: Lane) -> None:
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        row = await unit.sql.fetchrow(
            "SELECT care_at, credentials_expire_at FROM channel WHERE organisation_id = $1 AND id = $2 AND care_at <= $3",
            unit.tenant,
            lane.channel_id,
            clock.now(),
        )
        channel = await read_channel(runtime, unit, lane.channel_id)
    if row is None:
        return
    again = DAILY
    async with connector_client(runtime.settings.trusted_hosts) as http:
        before = _renewed_before(channel)
        if before and row["credentials_expire_at"] and clock.now() >= row["credentials_expire_at"] - before:
            again = min(again, await _try(runtime, lane, lambda: _renew(runtime, channel, http), min(SOON, before / 10)))
            async with runtime.database.unit_of_work(lane.organisation_id) as unit:
                channel = await read_channel(runtime, unit, lane.channel_id)
        if isinstance(channel.connector, Checks):
            again = min(again, await _try(runtime, lane, lambda: _check(runtime, lane, channel, http)))
        if isinstance(channel.connector, SyncsTemplates):
            again = min(again, await _try(runtime, lane, lambda: templates.sync(runtime, channel)))
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        await unit.sql.execute(  # unless something happened meanwhile; what ends soon is not left for a day
            """
            UPDATE channel SET care_at = LEAST($4, GREATEST(credentials_expire_at - $5::interval, $6))
            WHERE organisation_id = $1 AND id = $2 AND care_at = $3
            """,
            unit.tenant,
            lane.channel_id,
            row["care_at"],
            clock.now() + again,
            before,
            clock.now() + SHORTEST,
        )


async def _try(runtime: Runtime, lane: Lane, act: Callable[[], Awaitable[None]], soon: timedelta = SOON) -> timedelta:
    """Do one thing; when to look again. Credentials that are refused need a person."""
    shown = {"channel": ids.show("chn", lane.channel_id)}
    try:
        await act()
    except CredentialsRejected as error:
        log.warning("care_refused", **shown)
        async with runtime.database.unit_of_work(lane.organisation_id) as unit:
            await health.mark_attention(unit, lane.channel_id, "auth_failed", error.provider_text)
    except (Unavailable, RateLimited) as error:
        log.warning("care_waits", error=error.code, **shown)
        return soon
    except ConnectorError as error:
        log.warning("care_failed", error=error.code, **shown)
    return DAILY


def _renewed_before(channel: OpenChannel) -> timedelta | None:
    """So long before their end this account's credentials are renewed; None: nobody can."""
    if not isinstance(channel.connector, Renews):
        return None
    return timedelta(seconds=channel.connector.renew_seconds_before)


async def _renew(runtime: Runtime, channel: OpenChannel, http: AsyncClient) -> None:
    assert isinstance(channel.connector, Renews)
    renewal: Renewal = await channel.connector.renew(channel.account, http)
    for _ in range(KEEP_TRIES):
        try:
            async with runtime.database.unit_of_work(channel.organisation_id) as unit:
                await _keep(runtime, unit, channel, renewal)
            return
        except STORE_TROUBLE as error:
            log.error("renewal_waits", error=type(error).__name__, channel=ids.show("chn", channel.channel_id))
            await asyncio.sleep(1)


async def _keep(runtime: Runtime, unit: UnitOfWork, channel: OpenChannel, renewal: Renewal) -> None:
    lasts = renewal.lasts_seconds
    await unit.sql.execute(
        "UPDATE channel SET settings_sealed = $3, credentials_expire_at = $4 WHERE organisation_id = $1 AND id = $2",
        unit.tenant,
        channel.channel_id,
        seal_settings(runtime.vault, renewal.settings, unit.tenant, channel.channel_id),
        clock.now() + timedelta(seconds=lasts) if lasts is not None else None,
    )
    await health.recover(runtime, unit, channel.channel_id, "auth_failed")
    if lasts is None or lasts > DAILY.total_seconds():  # a token that lasts an hour is no news
        await history.note(unit, channel.channel_id, "change", "credentials_renewed")


async def _check(runtime: Runtime, lane: Lane, channel: OpenChannel, http: AsyncClient) -> None:
    assert isinstance(channel.connector, Checks)
    events = [event for event in await channel.connector.check(channel.account, http) if isinstance(event, ChannelHealth)]
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        for event in events:
            await health.hear(runtime, unit, lane.channel_id, event)
