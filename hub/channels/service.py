"""Connect a messenger account, accept its provider's terms, renew its settings, switch it on and off, and the kill switch of one
channel (`blocks.py` has the wider ones, `replacing.py` moves a channel to another account).

Whatever the state, what a provider delivers is stored (I9, R-183); the gate alone decides what may leave.
"""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from hub.billing import ports as billing
from hub.channels import conditions, history, humans, outages
from hub.channels.accounts import OpenChannel, read_channel
from hub.channels.hooks import ChannelBlocked, ChannelOpened
from hub.channels.models import Channel, ChannelTerms
from hub.channels.providers import provider_of
from hub.channels.settings import is_secret, merge_settings, read_settings, seal_settings
from hub.connectors.contract import Account, AnyConnector, Settings, SetupResult
from hub.connectors.http import connector_client
from hub.connectors.sharing import SharesEndpoint
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, InvalidInput, NotFound, PaymentRequired
from hub.core.feed import note_change
from hub.core.lanes import DIRECTIONS, ChannelLane
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.runtime import Runtime

SECRET_BYTES = 32
ENDPOINT = re.compile(r"[a-z0-9-]{0,64}")


class TermsNotAccepted(Conflict):
    """The provider's terms must be accepted before the channel may be switched on (R-180, R-192)."""

    code = "terms_not_accepted"


class NotInTariff(PaymentRequired):
    """The tariff has not got this messenger, or no room for another channel (R-182, R-043)."""

    code = "not_in_tariff"


class StillBlocked(Conflict):
    """The kill switch is set: it has to be lifted, with a reason, before the channel can be switched on (R-183)."""

    code = "still_blocked"


async def connect_channel(
    runtime: Runtime,
    access: Access,
    *,
    connector: str,
    title: str,
    values: dict[str, Any],
    answers: Mapping[str, str] | None = None,
) -> UUID:
    """Store a new account, switched off; its id. `answers` are what the business declares (`conditions.py`), where it is asked.

    InvalidInput names the field of the set-up form that is wrong or missing; NotInTariff; ConditionNotMet.
    """
    kind = runtime.connectors.get(connector)
    settings = read_settings(kind.settings, values)
    channel_id = ids.new_id()
    secret = secrets.token_urlsafe(SECRET_BYTES)
    account = Account(channel_id=channel_id, settings=settings, own_id="", webhook_secrets=(secret,))
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        for what in ("channels", f"messenger.{connector}"):
            entitlement = await billing.entitled(unit, what)
            if not entitlement.allowed:
                raise NotInTariff(f"{what}: {entitlement.reason}")
        if answers is not None:
            await conditions.declare(unit, access, connector, answers)
        unit.session.add(
            Channel(
                organisation_id=access.organisation_id,
                id=channel_id,
                connector=connector,
                title=title.strip() or kind.label,
                settings_sealed=seal_settings(runtime.vault, settings, access.organisation_id, channel_id),
                secrets_sealed=runtime.vault.seal(
                    json.dumps([secret]),
                    organisation_id=access.organisation_id,
                    table="channel",
                    column="secrets_sealed",
                    row_id=channel_id,
                ),
                # before its set-up: the provider tests the address meanwhile
                endpoint=endpoint_of(kind, account),
                created_at=clock.now(),
                approval="applied" if connector in conditions.NEEDS_APPROVAL else "",
            )
        )
        await unit.session.flush()
        for direction in DIRECTIONS:
            unit.session.add(ChannelLane(organisation_id=access.organisation_id, channel_id=channel_id, direction=direction))
        await audit.record(unit, access, "channel.connected", ids.show("chn", channel_id), {"connector": connector})
        await history.note(unit, channel_id, "change", "connected", by=access)
        note_change(unit, "channel", {"channel": ids.show("chn", channel_id)})
    return channel_id


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
        await unit.sql.execute(
            "UPDATE channel SET terms_due_at = NULL WHERE organisation_id = $1 AND connector = $2", unit.tenant, connector
        )
        agreed = {"version": provider.version, **({"forwards": list(provider.forwards)} if provider.forwards else {})}
        await audit.record(unit, access, "terms.accepted", connector, agreed)
        await history.note_messenger(unit, connector, "terms_accepted", provider.version, by=access)


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

    Raises TermsNotAccepted, StillBlocked, ConditionNotMet, CredentialsRejected (names the field), Unavailable when the provider
    cannot be reached,
    or Rejected.
    """
    channel = await open_accepted(runtime, access, channel_id)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        state = await unit.sql.fetchval("SELECT state FROM channel WHERE organisation_id = $1 AND id = $2", unit.tenant, channel_id)
        await conditions.require(unit, channel.connector.connector)
    if state == "blocked":
        raise StillBlocked("the kill switch is set")
    result = await check_with_provider(runtime, channel)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await _set_state(unit, channel_id, "on", "")
        await audit.record(unit, access, "channel.switched_on", ids.show("chn", channel_id), {"address": result.address})
        await history.note(unit, channel_id, "change", "switched_on", by=access)
        await take_over(runtime, unit, channel, result)
    return result


async def change_settings(runtime: Runtime, access: Access, channel_id: UUID, values: Mapping[str, Any]) -> SetupResult:
    """Give a connected account other settings, mostly new credentials; a secret left empty keeps the stored one.

    The provider is asked first, once, as `switch_on` asks it: until it takes the new settings the old ones are in force, also
    after any error. What waited on an open channel goes; a channel that was switched off or blocked stays so.
    Raises InvalidInput (names the field) and what `switch_on` raises.
    """
    before = channel = await open_accepted(runtime, access, channel_id)
    settings = merge_settings(before.account.settings, values)
    account = replace(channel.account, settings=settings)
    channel = replace(channel, account=account, endpoint=endpoint_of(channel.connector, account))
    result = await check_with_provider(runtime, channel)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await store_settings(runtime, unit, access, before, settings)
        await take_over(runtime, unit, channel, result)
    return result


async def store_settings(runtime: Runtime, unit: UnitOfWork, access: Access, channel: OpenChannel, settings: Settings) -> None:
    """Put other settings in the place of those that the channel was opened with, unasked of the provider."""
    sealed = seal_settings(runtime.vault, settings, unit.tenant, channel.channel_id)
    await unit.sql.execute(
        "UPDATE channel SET settings_sealed = $3 WHERE organisation_id = $1 AND id = $2", unit.tenant, channel.channel_id, sealed
    )
    changed = [name for name, value in settings if value != getattr(channel.account.settings, name)]
    shown = ids.show("chn", channel.channel_id)
    await audit.record(unit, access, "channel.settings_changed", shown, {"fields": changed})
    await history.note(unit, channel.channel_id, "change", "settings_changed", ", ".join(changed), by=access)
    note_change(unit, "channel", {"channel": shown})


async def check_with_provider(runtime: Runtime, channel: OpenChannel) -> SetupResult:
    """Check the credentials and register the webhook; nothing of ours changes. Raises what `Connector.setup` raises."""
    url = callback_url(runtime, channel.connector.connector, channel.channel_id, channel.endpoint)
    async with connector_client(runtime.settings.trusted_hosts) as http:
        return await channel.connector.setup(channel.account, url or None, http)


def callback_url(runtime: Runtime, connector: str, channel_id: UUID, endpoint: str = "") -> str:
    """Where a provider shall deliver (`channel.callback_url`): to the account's own address, or to the one it shares. Empty for a
    hub that has no public address, and for a provider that delivers to none."""
    base = runtime.settings.public_url
    if base is None or not runtime.connectors.get(connector).capabilities.webhook:
        return ""
    return f"{base}/hooks/{connector}/{endpoint or ids.show('chn', channel_id)}"


def endpoint_of(connector: AnyConnector, account: Account[Any]) -> str:
    """The name of the address that this account shares; empty: it has one of its own. RuntimeError for one the door cannot have."""
    endpoint = connector.endpoint(account) if isinstance(connector, SharesEndpoint) else ""
    if not ENDPOINT.fullmatch(endpoint):
        raise RuntimeError(f"{connector.connector} names an endpoint that no address can have")
    return endpoint


async def take_over(runtime: Runtime, unit: UnitOfWork, channel: OpenChannel, result: SetupResult) -> None:
    """Keep what the provider said of an account it accepts; the rest is asked by `care.py`, at once. If the channel is on, what
    waited for it goes now."""
    settings = result.settings or channel.account.settings
    endpoint = endpoint_of(channel.connector, replace(channel.account, settings=settings, own_id=result.own_id))
    now = clock.now()
    state = await unit.sql.fetchval(
        """
        UPDATE channel SET own_id = $3, address = $4, callback_url = $5, endpoint = $6, health = 'healthy', health_cause = '',
               health_text = '', health_since = $7, health_until = NULL, settings_sealed = $8, credentials_expire_at = $9,
               per_second = COALESCE($10, per_second), care_at = $7, account_name = $11
        WHERE organisation_id = $1 AND id = $2 RETURNING state
        """,
        unit.tenant,
        channel.channel_id,
        result.own_id,
        result.address,
        callback_url(runtime, channel.connector.connector, channel.channel_id, endpoint),
        endpoint,
        now,
        seal_settings(runtime.vault, settings, unit.tenant, channel.channel_id),
        now + timedelta(seconds=result.lasts_seconds) if result.lasts_seconds is not None else None,
        result.per_second,
        result.title,
    )
    channel_id = channel.channel_id
    await outages.end(unit, channel_id)
    if state == "on":
        await runtime.hooks.publish(unit, ChannelOpened(channel_id))
        tenant = unit.tenant
        unit.after_commit(lambda: runtime.queue.nudge_lane(tenant, channel_id, "out"))


async def discard_channel(runtime: Runtime, access: Access, channel_id: UUID) -> None:
    """Forget an account whose set-up failed before it was ever opened; one that was open is kept with its history."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await unit.sql.execute(
            """
            WITH events AS (
                DELETE FROM channel_event e USING channel h
                WHERE e.organisation_id = $1 AND e.channel_id = $2 AND h.organisation_id = $1 AND h.id = $2 AND h.own_id = ''
            ), outages AS (
                DELETE FROM channel_outage u USING channel h
                WHERE u.organisation_id = $1 AND u.channel_id = $2 AND h.organisation_id = $1 AND h.id = $2 AND h.own_id = ''
            ), lanes AS (
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
        await history.note(unit, channel_id, "change", "switched_off", by=access)


async def block_channel(runtime: Runtime, access: Access, channel_id: UUID, reason: str) -> None:
    """The kill switch (R-183): sending ends at once, what is queued fails with `channel_blocked`, what comes in is kept."""
    if not reason.strip():
        raise InvalidInput("a reason is needed", field="reason")
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await _set_state(unit, channel_id, "blocked", reason.strip())
        await audit.record(unit, access, "channel.blocked", ids.show("chn", channel_id), {"reason": reason.strip()})
        await history.note(unit, channel_id, "change", "blocked", reason.strip(), by=access)
        await runtime.hooks.publish(unit, ChannelBlocked(channel_id, reason.strip()))


async def unblock_channel(runtime: Runtime, access: Access, channel_id: UUID, reason: str) -> None:
    """Lift the kill switch. The channel stays off until somebody switches it on, which asks the provider. Conflict when none is
    set."""
    if not reason.strip():
        raise InvalidInput("a reason is needed", field="reason")
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        state = await unit.sql.fetchval(
            "SELECT state FROM channel WHERE organisation_id = $1 AND id = $2 FOR UPDATE", unit.tenant, channel_id
        )
        if state is not None and state != "blocked":
            raise Conflict("the channel is not blocked")
        await _set_state(unit, channel_id, "off", "")
        await audit.record(unit, access, "channel.unblocked", ids.show("chn", channel_id), {"reason": reason.strip()})
        await history.note(unit, channel_id, "change", "unblocked", reason.strip(), by=access)


async def set_welcome(runtime: Runtime, access: Access, channel_id: UUID, text: str) -> None:
    """What somebody who opens the chat is told first, where the messenger asks for it; empty: nothing. InvalidInput when it is too
    long; HumanNeeded where nobody could take over."""
    text = text.replace("\r\n", "\n").strip()
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        channel = await read_channel(runtime, unit, channel_id)
        if len(text) > channel.connector.capabilities.max_text:
            raise InvalidInput("the welcome is too long", field="welcome")
        if text:
            await humans.require(unit, channel.connector.connector)
        await unit.sql.execute(
            "UPDATE channel SET welcome = $3 WHERE organisation_id = $1 AND id = $2", unit.tenant, channel_id, text
        )
        await audit.record(unit, access, "channel.welcome_changed", ids.show("chn", channel_id), {})
        await history.note(unit, channel_id, "change", "welcome_changed", by=access)


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
    if state != "on":  # nobody wants to send any more
        await outages.end(unit, channel_id)
    note_change(unit, "channel", {"channel": ids.show("chn", channel_id)})


async def shown_settings(runtime: Runtime, access: Access, channel_id: UUID) -> dict[str, str]:
    """What may be shown of a channel's settings: no secret is among them."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        settings = (await read_channel(runtime, unit, channel_id)).account.settings
    fields = type(settings).model_fields.items()
    return {name: str(getattr(settings, name) or "") for name, info in fields if not is_secret(info)}


async def open_accepted(runtime: Runtime, access: Access, channel_id: UUID) -> OpenChannel:
    """The opened channel; TermsNotAccepted unless its provider's present terms are accepted."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        channel = await read_channel(runtime, unit, channel_id)
        if not await _terms_accepted(unit, channel.connector.connector):
            raise TermsNotAccepted(channel.connector.connector)
    return channel
