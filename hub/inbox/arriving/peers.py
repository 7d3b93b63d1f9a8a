"""Public keys of the people at the other end, where messages are encrypted between the ends (`KnowsPeers`).

A key is fetched once, with no transaction open, and pinned: the first one counts. Nobody's message is read or written with a key
that another one took the place of; then a person decides (`forget_key`).
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from hub.channels import health
from hub.channels.accounts import OpenChannel
from hub.connectors.contract import KnowsPeers, RawRequest
from hub.connectors.errors import MalformedPayload, Rejected, SendError
from hub.connectors.http import connector_client
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.lanes import Lane
from hub.inbox.sending.waiting import fail_messages, keep_waiting
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.runtime import Runtime

log = structlog.get_logger()

FINGERPRINT_BYTES: Final = 16
TRY_AGAIN: Final = timedelta(seconds=30)
"""After the provider did not hand a key out: messages that need it wait so long."""
AT_ONCE: Final = 20
"""Keys that are fetched for messages on their way out before some of them are sent."""


@dataclass(slots=True)
class Peers:
    """Keys for one batch of deliveries. `refused`: addresses that do not exist. `waits`: some keys could not be fetched now."""

    keys: dict[str, bytes] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    waits: bool = False


async def load_keys(unit: UnitOfWork, channel_id: UUID, addresses: Collection[str]) -> dict[str, bytes]:
    """The pinned keys of these addresses."""
    rows = await unit.sql.fetch(
        "SELECT address, key FROM peer_key WHERE organisation_id = $1 AND channel_id = $2 AND address = ANY($3::text[])",
        unit.tenant,
        channel_id,
        list(addresses),
    )
    return {row["address"]: row["key"] for row in rows}


def peer_of(channel: OpenChannel, request: RawRequest) -> str:
    """Whose key this delivery needs; nobody's where it cannot even be told."""
    assert isinstance(channel.connector, KnowsPeers)
    try:
        return channel.connector.peer_of(request, channel.account)
    except MalformedPayload:
        return ""


async def keys_for(runtime: Runtime, lane: Lane, channel: OpenChannel, requests: Sequence[RawRequest]) -> Peers:
    """The keys that these deliveries need; unknown ones are fetched and pinned. Called with no transaction open."""
    addresses = {address for request in requests if (address := peer_of(channel, request))}
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        peers = Peers(await load_keys(unit, lane.channel_id, addresses))
    await _fetch(runtime, lane, channel, sorted(addresses - peers.keys.keys()), peers)
    return peers


async def keys_for_waiting(runtime: Runtime, lane: Lane, channel: OpenChannel) -> None:
    """Fetch the keys that due messages need and nobody has yet. Messages to an address that does not exist fail; where the provider
    cannot be asked they wait."""
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        rows = await unit.sql.fetch(
            """
            SELECT DISTINCT i.provider_user_id AS address FROM message_part p
            JOIN conversation c ON c.organisation_id = p.organisation_id AND c.id = p.conversation_id
            JOIN identity i ON i.organisation_id = c.organisation_id AND i.id = c.identity_id
            LEFT JOIN peer_key k ON k.organisation_id = p.organisation_id AND k.channel_id = p.channel_id
                 AND k.address = i.provider_user_id
            WHERE p.organisation_id = $1 AND p.channel_id = $2 AND p.state = 'queued' AND p.due_at <= $3 AND k.address IS NULL
            LIMIT $4
            """,
            unit.tenant,
            lane.channel_id,
            clock.now(),
            AT_ONCE,
        )
    missing = [row["address"] for row in rows]
    if not missing:
        return
    peers = Peers()
    await _fetch(runtime, lane, channel, missing, peers)
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        for address in missing:
            if address not in peers.keys:
                await _put_off(unit, lane.channel_id, address, is_final=address in peers.refused)


async def _fetch(runtime: Runtime, lane: Lane, channel: OpenChannel, addresses: Sequence[str], peers: Peers) -> None:
    if not addresses:
        return
    assert isinstance(channel.connector, KnowsPeers)
    found: dict[str, bytes] = {}
    async with connector_client(runtime.settings.trusted_hosts) as http:
        for address in addresses:
            try:
                found[address] = await channel.connector.fetch_peer_key(address, channel.account, http)
            except Rejected:
                peers.refused.add(address)
            except SendError as error:
                log.warning("peer_key_waits", error=error.code, channel=ids.show("chn", channel.channel_id))
                peers.waits = True
                break
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        await _pin(unit, channel.channel_id, found)
    peers.keys |= found


async def _pin(unit: UnitOfWork, channel_id: UUID, found: dict[str, bytes]) -> None:
    await unit.sql.execute(
        """
        INSERT INTO peer_key (organisation_id, channel_id, address, key, fingerprint, pinned_at)
        SELECT $1, $2, address, key, fingerprint, $3 FROM unnest($4::text[], $5::bytea[], $6::text[]) AS row(address, key,
        fingerprint) ON CONFLICT DO NOTHING
        """,
        unit.tenant,
        channel_id,
        clock.now(),
        list(found),
        list(found.values()),
        [hashlib.sha256(key).digest()[:FINGERPRINT_BYTES].hex() for key in found.values()],
    )


async def _put_off(unit: UnitOfWork, channel_id: UUID, address: str, *, is_final: bool) -> None:
    rows: list[Any] = await unit.sql.fetch(
        """
        SELECT p.id, p.message_id FROM message_part p
        JOIN conversation c ON c.organisation_id = p.organisation_id AND c.id = p.conversation_id
        JOIN identity i ON i.organisation_id = c.organisation_id AND i.id = c.identity_id
        WHERE p.organisation_id = $1 AND p.channel_id = $2 AND p.state = 'queued' AND i.provider_user_id = $3
        """,
        unit.tenant,
        channel_id,
        address,
    )
    if is_final:
        await fail_messages(unit, list({row["message_id"] for row in rows}), "unreachable")
        return
    until = clock.now() + TRY_AGAIN
    await unit.sql.execute(
        "UPDATE message_part SET due_at = GREATEST(due_at, $3) WHERE organisation_id = $1 AND id = ANY($2::uuid[])",
        unit.tenant,
        [row["id"] for row in rows],
        until,
    )
    await keep_waiting(unit, [(row["id"], until) for row in rows])


async def look_for_changes(runtime: Runtime, lane: Lane, channel: OpenChannel, suspects: dict[UUID, str]) -> None:
    """What could not be read with the pinned key: perhaps the person has another one by now. Then the delivery's cause says so and
    the channel warns; the new key is not taken over. `suspects` are addresses by delivery."""
    if not suspects:
        return
    assert isinstance(channel.connector, KnowsPeers)
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        pinned = await load_keys(unit, lane.channel_id, set(suspects.values()))
    changed = set()
    async with connector_client(runtime.settings.trusted_hosts) as http:
        for address in sorted(set(suspects.values())):
            try:
                if await channel.connector.fetch_peer_key(address, channel.account, http) != pinned.get(address):
                    changed.add(address)
            except SendError as error:
                log.warning("peer_key_unchecked", error=error.code, channel=ids.show("chn", channel.channel_id))
    if not changed:
        return
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        by_delivery = {delivery_id: address for delivery_id, address in suspects.items() if address in changed}
        await unit.sql.execute(
            """
            UPDATE delivery_result AS r SET why = 'peer_key_changed: ' || row.address
            FROM unnest($2::uuid[], $3::text[]) AS row(id, address) WHERE r.organisation_id = $1 AND r.delivery_id = row.id
            """,
            unit.tenant,
            list(by_delivery),
            list(by_delivery.values()),
        )
        await health.warn(unit, lane.channel_id, "peer_key_changed", ", ".join(sorted(changed)))


async def forget_key(runtime: Runtime, access: Access, channel_id: UUID, address: str) -> None:
    """A person has made sure that this address has another key now: the next one that the provider names is pinned."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        forgotten = await unit.sql.fetchval(
            """
            DELETE FROM peer_key WHERE organisation_id = $1 AND channel_id = $2 AND address = $3 RETURNING fingerprint
            """,
            unit.tenant,
            channel_id,
            address,
        )
        shown = {"address": address, "fingerprint": forgotten or ""}
        await audit.record(unit, access, "channel.peer_key_forgotten", ids.show("chn", channel_id), shown)
