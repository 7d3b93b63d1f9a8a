"""A number or bot moves: the channel gets another account at its messenger and keeps its conversations.

The provider is asked first, as for a new account. Its deliveries may begin at once, and their keys may be those that the former
account used for other things (message ids of a bot begin anew), so nothing of the channel is applied until the former keys are out
of the way (`AccountReplaced`): the lane is stopped meanwhile, and what arrives waits on disk (I1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from hub.channels import history
from hub.channels.accounts import OpenChannel
from hub.channels.hooks import AccountReplaced
from hub.channels.service import check_with_provider, endpoint_of, open_accepted, store_settings, take_over
from hub.channels.settings import read_settings
from hub.connectors.contract import SetupResult
from hub.connectors.errors import ConnectorError
from hub.connectors.http import connector_client
from hub.connectors.sharing import SharesSubscription
from hub.core import ids, lanes
from hub.core.db import UnitOfWork
from hub.core.lanes import Lane
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.runtime import Runtime

log = structlog.get_logger()

STOPPED_FOR: Final = timedelta(minutes=3)
"""How long the lane stands still at most, should we die in between; asking a provider takes a minute and a half at worst."""


async def replace_account(
    runtime: Runtime, access: Access, channel_id: UUID, values: Mapping[str, Any]
) -> tuple[bool, SetupResult]:
    """Put the account that these settings open in the place of the channel's present one; every secret has to be typed.

    Whether it is another one (else only its credentials were renewed), and what the provider said. Until it takes them nothing
    changes. Raises InvalidInput (names the field) and what `switch_on` raises.
    """
    channel = await open_accepted(runtime, access, channel_id)
    settings = read_settings(channel.connector.settings, values)
    lane = await _stop(runtime, channel)
    try:
        account = replace(channel.account, settings=settings, own_id="")
        fresh = replace(channel, account=account, endpoint=endpoint_of(channel.connector, account))
        result = await check_with_provider(runtime, fresh)
        async with runtime.database.unit_of_work(access.organisation_id) as unit:
            await lane.hold(unit)
            former = await unit.sql.fetchval(
                "SELECT address FROM channel WHERE organisation_id = $1 AND id = $2", unit.tenant, channel_id
            )
            await store_settings(runtime, unit, access, channel, settings)
            await take_over(runtime, unit, fresh, result)
            is_other = result.own_id != channel.account.own_id
            if is_other:
                await runtime.hooks.publish(unit, AccountReplaced(channel_id))
                await _poll_anew(unit, channel_id)
                detail = {"former": former, "now": result.address}
                await audit.record(unit, access, "channel.account_replaced", ids.show("chn", channel_id), detail)
                await history.note(unit, channel_id, "change", "account_replaced", f"{former} → {result.address}", by=access)
    finally:
        while not await lane.let_go():
            pass  # whoever asked for a look gets it from the nudge below
        await runtime.queue.nudge_lane(access.organisation_id, channel_id, "in")
    if is_other:
        await _take_leave(runtime, channel)
    return is_other, result


async def _stop(runtime: Runtime, channel: OpenChannel) -> Lane:
    async with runtime.database.unit_of_work(channel.organisation_id) as unit:
        return await lanes.stop_in(runtime.database, unit, channel.channel_id, "in", ids.new_id(), STOPPED_FOR)


async def _poll_anew(unit: UnitOfWork, channel_id: UUID) -> None:
    """A poller's place in the former account's updates is no place in the new one's; whoever polls now loses the lane."""
    await unit.sql.execute(
        """
        UPDATE channel_lane SET cursor = '', fence = fence + 1, leased_by = NULL, lease_until = NULL
        WHERE organisation_id = $1 AND channel_id = $2 AND direction = 'listen'
        """,
        unit.tenant,
        channel_id,
    )


async def _take_leave(runtime: Runtime, channel: OpenChannel) -> None:
    """Take the webhook of the former account away, if it still lets us and no other channel hears through it."""
    try:
        async with connector_client(runtime.settings.trusted_hosts) as http:
            if isinstance(channel.connector, SharesSubscription):
                needed = await channel.connector.needed_by(channel.account, http)
                if await _are_any_here(runtime, channel, needed):
                    log.info("subscription_still_needed", channel=ids.show("chn", channel.channel_id))
                    return
            await channel.connector.teardown(channel.account, http)
    except ConnectorError as error:
        log.warning("former_account_kept_its_webhook", channel=ids.show("chn", channel.channel_id), error=type(error).__name__)


async def _are_any_here(runtime: Runtime, former: OpenChannel, accounts: Sequence[tuple[str, str]]) -> bool:
    """Whether a channel of any organisation stands for one of these accounts, through the same app."""
    async with runtime.database.system() as unit:
        return bool(
            await unit.sql.fetchval(
                """
                SELECT EXISTS (
                    SELECT FROM channel h
                    JOIN unnest($1::text[], $2::text[]) AS account(connector, own_id) USING (connector, own_id)
                    WHERE h.endpoint = $3)
                """,
                [connector for connector, _ in accounts],
                [own_id for _, own_id in accounts],
                former.endpoint,
            )
        )
