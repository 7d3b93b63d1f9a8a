"""What the channels page shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from hub.channels import live_test
from hub.channels.blocks import Block, block_of, read_blocks
from hub.channels.endings import Ending, read_endings
from hub.channels.providers import Provider, provider_of
from hub.connectors.contract import AnyConnector
from hub.connectors.registry import Registry
from hub.core import ids
from hub.core.db import UnitOfWork
from hub.core.errors import NotFound

LOOKED_THROUGH: Final = 50
"""Conversations, the ones that moved last, among which the newest answer of a channel is looked for."""
HISTORY: Final = 50
"""Entries of a channel's history that the page shows, the newest."""


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One connected account.

    `waiting` counts messages that have not left yet. `block` is a kill switch set for its messenger or for all, `ending` the end
    of its messenger. `out_state` and `out_at` are of the newest answer.
    """

    id: UUID
    connector: AnyConnector
    title: str
    address: str
    own_id: str
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
    welcome: str
    tested_at: datetime | None
    terms_due_at: datetime | None
    approval: str
    account_name: str
    automation_stopped_at: datetime | None
    callback_url: str
    per_second: float | None
    created_at: datetime
    provider: Provider
    terms_accepted_at: datetime | None
    block: Block | None
    ending: Ending | None
    last_in_at: datetime | None
    out_state: str | None
    out_at: datetime | None
    waiting: int

    @property
    def shown(self) -> str:
        return ids.show("chn", self.id)

    @property
    def name(self) -> str:
        return self.title or self.address or self.connector.label

    @property
    def terms_last_at(self) -> datetime | None:
        """The last moment under terms that were not accepted."""
        return self.terms_due_at and self.terms_due_at - timedelta(microseconds=1)

    @property
    def is_stopped(self) -> bool:
        """A kill switch is set, whatever for."""
        return self.state == "blocked" or self.block is not None

    @property
    def is_red(self) -> bool:
        """Something keeps an open channel from working; somebody or only time can mend it."""
        return self.state == "on" and self.health != "healthy"

    @property
    def link(self) -> str:
        """Where a customer begins to write."""
        return self.provider.link_to(self.own_id, self.address)


async def list_channels(unit: UnitOfWork, connectors: Registry) -> list[ChannelRow]:
    """All channels of the organisation, oldest first. What has worked both ways meanwhile counts as tested from now on."""
    await _settle_tests(unit)
    return await _read(unit, connectors, None)


async def get_channel(unit: UnitOfWork, connectors: Registry, channel_id: UUID) -> ChannelRow:
    """One of them; NotFound."""
    rows = await _read(unit, connectors, channel_id)
    if not rows:
        raise NotFound("no such channel")
    return rows[0]


async def _settle_tests(unit: UnitOfWork) -> None:
    untested = await unit.sql.fetch("SELECT id FROM channel WHERE organisation_id = $1 AND tested_at IS NULL", unit.tenant)
    for row in untested:
        await live_test.settle(unit, row["id"])


async def _read(unit: UnitOfWork, connectors: Registry, channel_id: UUID | None) -> list[ChannelRow]:
    rows = await unit.sql.fetch(
        """
        SELECT h.id, h.connector, h.title, h.address, h.own_id, h.state, h.block_reason, h.health, h.health_cause, h.health_since,
               h.health_text, h.warning_cause, h.warning_text, h.warning_since, h.endpoint, h.credentials_expire_at, h.welcome,
               h.tested_at, h.terms_due_at, h.approval, h.account_name, h.automation_stopped_at,
               h.callback_url, h.per_second, h.created_at,
               (SELECT max(c.last_inbound_at) FROM conversation c
                WHERE c.organisation_id = h.organisation_id AND c.channel_id = h.id) AS last_in_at,
               (SELECT count(*) FROM message_part p
                WHERE p.organisation_id = h.organisation_id AND p.channel_id = h.id AND p.state = 'queued') AS waiting,
               newest.state AS out_state, newest.at AS out_at
        FROM channel h
        LEFT JOIN LATERAL (
            SELECT m.state, m.at FROM (
                SELECT c.id FROM conversation c WHERE c.organisation_id = h.organisation_id AND c.channel_id = h.id
                ORDER BY c.sort_at DESC LIMIT $3
            ) AS moved
            JOIN LATERAL (
                SELECT state, at FROM message
                WHERE organisation_id = h.organisation_id AND conversation_id = moved.id AND direction = 'out'
                ORDER BY at DESC LIMIT 1
            ) AS m ON true
            ORDER BY m.at DESC LIMIT 1
        ) AS newest ON true
        WHERE h.organisation_id = $1 AND ($2::uuid IS NULL OR h.id = $2) ORDER BY h.created_at, h.id
        """,
        unit.tenant,
        channel_id,
        LOOKED_THROUGH,
    )
    accepted = {
        (row["connector"], row["version"]): row["accepted_at"]
        for row in await unit.sql.fetch(
            "SELECT connector, version, accepted_at FROM channel_terms WHERE organisation_id = $1", unit.tenant
        )
    }
    blocks, endings = await read_blocks(unit), await read_endings(unit)
    found = []
    for row in rows:
        values = dict(row)
        name = values.pop("connector")
        provider = provider_of(name)
        found.append(
            ChannelRow(
                connector=connectors.get(name),
                provider=provider,
                terms_accepted_at=accepted.get((name, provider.version)),
                block=block_of(blocks, name),
                ending=endings.get(name),
                **values,
            )
        )
    return found


async def list_red(unit: UnitOfWork) -> Sequence[tuple[UUID, str]]:
    """Id and name of the open channels that do not work, for the mark on every page."""
    rows = await unit.sql.fetch(
        """
        SELECT id, COALESCE(NULLIF(title, ''), address) AS name FROM channel
        WHERE organisation_id = $1 AND state = 'on' AND health <> 'healthy' ORDER BY created_at, id
        """,
        unit.tenant,
    )
    return [(row["id"], row["name"]) for row in rows]
