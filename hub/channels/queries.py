"""What the channels page shows."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hub.channels.providers import Provider, provider_of
from hub.connectors.contract import AnyConnector
from hub.connectors.registry import Registry
from hub.core.db import UnitOfWork


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One connected account. `waiting` counts messages that have not left yet."""

    id: UUID
    connector: AnyConnector
    title: str
    address: str
    state: str
    block_reason: str
    health: str
    health_cause: str
    health_since: datetime | None
    health_text: str
    warning_cause: str
    warning_text: str
    warning_since: datetime | None
    endpoint: str
    credentials_expire_at: datetime | None
    provider: Provider
    terms_accepted_at: datetime | None
    last_in_at: datetime | None
    waiting: int


async def list_channels(unit: UnitOfWork, connectors: Registry) -> list[ChannelRow]:
    """All channels of the organisation, oldest first."""
    rows = await unit.sql.fetch(
        """
        SELECT h.id, h.connector, h.title, h.address, h.state, h.block_reason, h.health, h.health_cause, h.health_since,
               h.health_text, h.warning_cause, h.warning_text, h.warning_since, h.endpoint, h.credentials_expire_at,
               (SELECT max(c.last_inbound_at) FROM conversation c
                WHERE c.organisation_id = h.organisation_id AND c.channel_id = h.id) AS last_in_at,
               (SELECT count(*) FROM message_part p
                WHERE p.organisation_id = h.organisation_id AND p.channel_id = h.id AND p.state = 'queued') AS waiting
        FROM channel h WHERE h.organisation_id = $1 ORDER BY h.created_at, h.id
        """,
        unit.tenant,
    )
    accepted = {
        (row["connector"], row["version"]): row["accepted_at"]
        for row in await unit.sql.fetch(
            "SELECT connector, version, accepted_at FROM channel_terms WHERE organisation_id = $1", unit.tenant
        )
    }
    found = []
    for row in rows:
        provider = provider_of(row["connector"])
        values = dict(row)
        name = values.pop("connector")
        found.append(
            ChannelRow(
                connector=connectors.get(name),
                provider=provider,
                terms_accepted_at=accepted.get((name, provider.version)),
                **values,
            )
        )
    return found
