"""Connect a messenger account, accept its provider's terms, switch it on and off, and the kill switch.

Whatever the state, what a provider delivers is stored (I9, R-183); the gate alone decides what may leave.
"""

import json
import secrets
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from hub.channels.accounts import ACCOUNT_COLUMNS, OpenChannel, open_channel
from hub.channels.hooks import ChannelBlocked, ChannelOpened
from hub.channels.models import Channel, ChannelTerms
from hub.channels.providers import provider_of
from hub.connectors.contract import SetupResult
from hub.connectors.http import connector_client
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, InvalidInput, NotFound
from hub.core.feed import note_change
from hub.core.lanes import ChannelLane
from hub.organisations import audit
from hub.organisations.access import Access
from hub.runtime import Runtime

SECRET_BYTES = 32


class TermsNotAccepted(Conflict):
    """The provider's terms must be accepted before the channel may be switched on (R-180, R-192)."""

    code = "terms_not_accepted"


async def connect_channel(runtime: Runtime, access: Access, *, connector: str, title: str, values: dict[str, Any]) -> UUID:
    """Store a new account, switched off; its id. InvalidInput names the field of the set-up form that is wrong or missing."""
    kind = runtime.connectors.get(connector)
    try:
        settings = kind.settings.model_validate(values)
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        raise InvalidInput(f"{field}: {error.errors()[0]['msg']}", field=field) from None
    channel_id = ids.new_id()
    place: dict[str, Any] = {"organisation_id": access.organisation_id, "table": "channel", "row_id": channel_id}
    opened = {name: _reveal(value) for name, value in settings}
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        unit.session.add(
            Channel(
                organisation_id=access.organisation_id,
                id=channel_id,
                connector=connector,
                title=title.strip() or kind.label,
                settings_sealed=runtime.vault.seal(json.dumps(opened), column="settings_sealed", **place),
                secrets_sealed=runtime.vault.seal(
                    json.dumps([secrets.token_urlsafe(SECRET_BYTES)]), column="secrets_sealed", **place
                ),
                created_at=clock.now(),
            )
        )
        await unit.session.flush()
        for direction in ("in", "out"):
            unit.session.add(ChannelLane(organisation_id=access.organisation_id, channel_id=channel_id, direction=direction))
        await audit.record(unit, access, "channel.connected", ids.show("chn", channel_id), {"connector": connector})
        note_change(unit, "channel", {"channel": ids.show("chn", channel_id)})
    return channel_id


def _reveal(value: object) -> object:
    reveal = getattr(value, "get_secret_value", None)
    return reveal() if reveal else value


async def accept_terms(runtime: Runtime, access: Access, connector: str) -> None:
    """Keep who accepted which version of the provider's terms, and when. Safe to repeat."""
    provider = provider_of(connector)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        if await _terms_accepted(unit, connector):
            return
        unit.session.add(
            ChannelTerms(
                organisation_id=access.organisation_id,
                connector=connector,
                version=provider.version,
                documents=list(provider.documents),
                accepted_by=access.member_id,
                accepted_at=clock.now(),
            )
        )
        await audit.record(unit, access, "terms.accepted", connector, {"version": provider.version})


async def _terms_accepted(unit: UnitOfWork, connector: str) -> bool:
    return bool(
        await unit.sql.fetchval(
            "SELECT true FROM channel_terms WHERE organisation_id = $1 AND connector = $2 AND version = $3",
            unit.tenant,
            connector,
            provider_of(connector).version,
        )
    )


async def switch_on(runtime: Runtime, access: Access, channel_id: UUID) -> SetupResult:
    """Check the credentials, register the webhook, open the channel for sending.

    Raises TermsNotAccepted, CredentialsRejected (names the field), or Unavailable when the provider cannot be reached.
    """
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        channel = await _open(runtime, unit, channel_id)
        if not await _terms_accepted(unit, channel.connector.connector):
            raise TermsNotAccepted(channel.connector.connector)
    callback_url = f"{runtime.settings.base_url}/hooks/{channel.connector.connector}/{ids.show('chn', channel_id)}"
    async with connector_client(runtime.settings.trusted_hosts) as http:
        result = await channel.connector.setup(channel.account, callback_url, http)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await unit.sql.execute(
            """
            UPDATE channel SET state = 'on', block_reason = '', own_id = $3, address = $4, health = 'healthy', health_cause = '',
                   health_since = $5, health_until = NULL
            WHERE organisation_id = $1 AND id = $2
            """,
            unit.tenant,
            channel_id,
            result.own_id,
            result.address,
            clock.now(),
        )
        await audit.record(unit, access, "channel.switched_on", ids.show("chn", channel_id), {"address": result.address})
        note_change(unit, "channel", {"channel": ids.show("chn", channel_id)})
        await runtime.hooks.publish(unit, ChannelOpened(channel_id))
        tenant = unit.tenant
        unit.after_commit(lambda: runtime.queue.nudge_lane(tenant, channel_id, "out"))
    return result


async def discard_channel(runtime: Runtime, access: Access, channel_id: UUID) -> None:
    """Forget an account whose set-up failed before it was ever opened; one that was open is kept with its history."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await unit.sql.execute(
            """
            WITH lanes AS (
                DELETE FROM channel_lane l USING channel h
                WHERE l.organisation_id = $1 AND l.channel_id = $2 AND h.organisation_id = $1 AND h.id = $2 AND h.own_id = ''
            )
            DELETE FROM channel WHERE organisation_id = $1 AND id = $2 AND own_id = ''
            """,
            unit.tenant,
            channel_id,
        )
        await audit.record(unit, access, "channel.discarded", ids.show("chn", channel_id), {})
        note_change(unit, "channel", {"channel": ids.show("chn", channel_id)})


async def switch_off(runtime: Runtime, access: Access, channel_id: UUID) -> None:
    """Stop sending. The webhook stays: what customers write meanwhile is kept."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await _set_state(unit, channel_id, "off", "")
        await audit.record(unit, access, "channel.switched_off", ids.show("chn", channel_id), {})


async def block_channel(runtime: Runtime, access: Access, channel_id: UUID, reason: str) -> None:
    """The kill switch (R-183): sending ends at once, what is queued fails with `channel_blocked`, what comes in is kept."""
    if not reason.strip():
        raise InvalidInput("a reason is needed", field="reason")
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await _set_state(unit, channel_id, "blocked", reason.strip())
        await audit.record(unit, access, "channel.blocked", ids.show("chn", channel_id), {"reason": reason.strip()})
        await runtime.hooks.publish(unit, ChannelBlocked(channel_id, reason.strip()))


async def _set_state(unit: UnitOfWork, channel_id: UUID, state: str, reason: str) -> None:
    found = await unit.sql.fetchval(
        "UPDATE channel SET state = $3, block_reason = $4 WHERE organisation_id = $1 AND id = $2 RETURNING true",
        unit.tenant,
        channel_id,
        state,
        reason,
    )
    if not found:
        raise NotFound("no such channel")
    note_change(unit, "channel", {"channel": ids.show("chn", channel_id)})


async def _open(runtime: Runtime, unit: UnitOfWork, channel_id: UUID) -> OpenChannel:
    row = await unit.sql.fetchrow(
        f"SELECT {ACCOUNT_COLUMNS} FROM channel WHERE organisation_id = $1 AND id = $2", unit.tenant, channel_id
    )
    if row is None:
        raise NotFound("no such channel")
    return open_channel(runtime.vault, runtime.connectors, row)
