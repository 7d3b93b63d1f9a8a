"""From a row to what a connector works with: the opened settings of a channel."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hub.connectors.contract import Account, AnyConnector
from hub.connectors.registry import Registry
from hub.core.db import UnitOfWork
from hub.core.errors import NotFound
from hub.core.vault import Vault
from hub.runtime import Runtime


@dataclass(frozen=True, slots=True)
class OpenChannel:
    """A channel with its connector and its opened account. Holds secrets: never logged, never stored."""

    organisation_id: UUID
    channel_id: UUID
    connector: AnyConnector
    account: Account[Any]
    per_second: float
    """Messages per second that may leave: agreed for this account, else the messenger's usual limit."""
    endpoint: str = ""
    """The name of the address that it shares with other accounts; empty: it has one of its own."""

    @property
    def scope(self) -> str:
        """Where an address of this channel means one person: the consent key's scope, '' for the whole messenger."""
        return scope_of(self.connector, self.channel_id)


def scope_of(connector: AnyConnector, channel_id: UUID) -> str:
    """The scope of consent keys of this channel: '' where an address means one person on the whole messenger."""
    return "" if connector.capabilities.address_scope == "messenger" else str(channel_id)


def open_channel(vault: Vault, registry: Registry, row: Any) -> OpenChannel:
    """Open the sealed settings of a channel row (`ACCOUNT_COLUMNS`)."""
    connector = registry.get(row["connector"])
    place = {"organisation_id": row["organisation_id"], "table": "channel", "row_id": row["id"]}
    settings = vault.open(row["settings_sealed"], column="settings_sealed", **place)
    secrets = vault.open(row["secrets_sealed"], column="secrets_sealed", **place)
    account = Account(
        channel_id=row["id"],
        settings=connector.settings.model_validate_json(settings),
        own_id=row["own_id"],
        webhook_secrets=tuple(json.loads(secrets)),
    )
    per_second = row["per_second"] or connector.capabilities.per_second
    return OpenChannel(row["organisation_id"], row["id"], connector, account, per_second, row["endpoint"])


ACCOUNT_COLUMNS = "organisation_id, id, connector, own_id, settings_sealed, secrets_sealed, per_second, endpoint"


async def read_channel(runtime: Runtime, unit: UnitOfWork, channel_id: UUID) -> OpenChannel:
    """The opened channel of the unit's organisation; NotFound."""
    row = await unit.sql.fetchrow(
        f"SELECT {ACCOUNT_COLUMNS} FROM channel WHERE organisation_id = $1 AND id = $2", unit.tenant, channel_id
    )
    if row is None:
        raise NotFound("no such channel")
    return open_channel(runtime.vault, runtime.connectors, row)
