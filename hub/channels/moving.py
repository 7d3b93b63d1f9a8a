"""The hub's public address came, changed or went: accounts are registered anew, so that providers deliver to where we are.

Nothing is lost in between: what a provider could not deliver it keeps, hands to the next poll or delivers to the new address, and
what comes twice ends at its key (I2).
"""

from uuid import UUID

import structlog

from hub.channels.accounts import read_channel
from hub.channels.service import callback_url, check_with_provider, take_over
from hub.connectors.errors import ConnectorError
from hub.core import ids
from hub.core.feed import note_change
from hub.runtime import Runtime

log = structlog.get_logger()


async def register_moved(runtime: Runtime) -> int:
    """Register every account whose provider delivers somewhere else than here; how many worked. The others are tried again by the
    next call."""
    async with runtime.database.system() as unit:
        rows = await unit.sql.fetch(
            """
            SELECT organisation_id, id, connector, callback_url, endpoint FROM channel
            WHERE own_id <> '' AND health <> 'attention'
            """
        )
    moved = [row for row in rows if row["callback_url"] != callback_url(runtime, row["connector"], row["id"], row["endpoint"])]
    return sum([await _register(runtime, row["organisation_id"], row["id"]) for row in moved])


async def _register(runtime: Runtime, organisation_id: UUID, channel_id: UUID) -> bool:
    async with runtime.database.unit_of_work(organisation_id) as unit:
        channel = await read_channel(runtime, unit, channel_id)
    try:
        result = await check_with_provider(runtime, channel)
    except ConnectorError as error:
        log.warning("channel_not_registered", channel=ids.show("chn", channel_id), error=type(error).__name__)
        return False
    async with runtime.database.unit_of_work(organisation_id) as unit:
        await take_over(runtime, unit, channel, result)
        note_change(unit, "channel", {"channel": ids.show("chn", channel_id)})
    log.info("channel_registered", channel=ids.show("chn", channel_id), connector=channel.connector.connector)
    return True
