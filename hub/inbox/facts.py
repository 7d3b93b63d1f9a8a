"""Fill the gate's facts: the one query that looks at organisation, channel, consent and inbox together.

Used by `outbound.py`, `claiming.py` and `welcome.py` only, at submit, at the claim and for the composer, so that all three ask the
same question."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.billing import ports as billing
from hub.channels import humans
from hub.channels.endings import first_moment
from hub.connectors.contract import AnyConnector
from hub.connectors.registry import Registry
from hub.consent.facts import Facts
from hub.core import clock
from hub.core.db import UnitOfWork


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a message goes to and what the gate knows about it."""

    conversation_id: UUID
    channel_id: UUID
    connector: AnyConnector
    scope: str
    address: str
    facts: Facts

    @property
    def consent_key(self) -> tuple[str, str, str]:
        return (self.connector.connector, self.scope, self.address)


_CHANNEL = f"""
       h.id AS channel_id, h.connector, h.state AS channel_state, h.block_reason, h.health, h.health_cause, h.health_until,
       h.approval, h.terms_due_at, e.from_day AS ended_from, o.zone, o.state AS organisation_state,
       (SELECT b.reason FROM channel_block b
        WHERE b.organisation_id = h.organisation_id AND b.connector IN ('', h.connector) ORDER BY b.connector LIMIT 1) AS stopped,
       s.choice, s.choice_at, s.marketing, s.reach, s.reach_at,
       h.connector = ANY($4::text[]) AND NOT {humans.SOMEBODY} AS human_missing
"""
_BESIDE = """
LEFT JOIN messenger_end e ON e.connector = h.connector
LEFT JOIN consent_state s ON s.organisation_id = h.organisation_id AND s.messenger = h.connector
     AND s.scope = CASE WHEN h.connector = ANY($3::text[]) THEN h.id::text ELSE '' END
"""
_FACTS = f"""
SELECT c.id AS conversation_id, c.last_inbound_at, i.provider_user_id AS address, {_CHANNEL}
FROM conversation c
JOIN organisation o ON o.id = c.organisation_id
JOIN identity i ON i.organisation_id = c.organisation_id AND i.id = c.identity_id
JOIN channel h ON h.organisation_id = c.organisation_id AND h.id = c.channel_id
{_BESIDE} AND s.address = i.provider_user_id
WHERE c.organisation_id = $1 AND c.id = ANY($2::uuid[])
"""
_STRANGER = f"""
SELECT NULL::timestamptz AS last_inbound_at, {_CHANNEL}
FROM channel h
JOIN organisation o ON o.id = h.organisation_id
{_BESIDE} AND s.address = $5
WHERE h.organisation_id = $1 AND h.id = $2
"""


async def load_recipients(unit: UnitOfWork, connectors: Registry, conversation_ids: list[UUID]) -> dict[UUID, Recipient]:
    """Recipients of these conversations by conversation; those that do not exist are missing."""
    standing, now, recipients = await billing.standing(unit), clock.now(), {}
    for row in await unit.sql.fetch(_FACTS, unit.tenant, conversation_ids, *_kinds(connectors)):
        connector = connectors.get(row["connector"])
        scope = str(row["channel_id"]) if connector.capabilities.address_scope == "channel" else ""
        facts = _facts(row, connector, standing, now)
        recipients[row["conversation_id"]] = Recipient(
            row["conversation_id"], row["channel_id"], connector, scope, row["address"], facts
        )
    return recipients


async def load_stranger(unit: UnitOfWork, connectors: Registry, channel_id: UUID, address: str) -> Facts:
    """What is known about an address with which there is no conversation."""
    row = await unit.sql.fetchrow(_STRANGER, unit.tenant, channel_id, *_kinds(connectors), address)
    return _facts(row, connectors.get(row["connector"]), await billing.standing(unit), clock.now())


def _kinds(connectors: Registry) -> tuple[list[str], list[str]]:
    """Messengers where an address means somebody on one channel only, and those where a person must be able to take over."""
    narrow = [name for name, connector in connectors.items() if connector.capabilities.address_scope == "channel"]
    return narrow, [name for name in connectors if humans.needs_human(name)]


def _facts(row: Any, connector: AnyConnector, standing: str, now: datetime) -> Facts:
    return Facts(
        organisation_state=row["organisation_state"],
        standing=standing,
        channel_state=row["channel_state"] if row["stopped"] is None else "blocked",
        block_reason=row["stopped"] or row["block_reason"],
        ended_at=row["ended_from"] and first_moment(row["ended_from"], ZoneInfo(row["zone"])),
        approval=row["approval"],
        terms_due_at=row["terms_due_at"],
        health=row["health"],
        health_cause=row["health_cause"],
        health_until=row["health_until"],
        choice=row["choice"] or "none",
        choice_at=row["choice_at"],
        marketing=row["marketing"] or "free",
        reach=row["reach"] or "reachable",
        reach_at=row["reach_at"],
        last_inbound_at=row["last_inbound_at"],
        reply_window_hours=connector.capabilities.reply_window_hours,
        human_agent_days=connector.capabilities.human_agent_days,
        templates=connector.capabilities.templates,
        human_missing=row["human_missing"],
        now=now,
    )
