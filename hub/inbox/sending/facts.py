"""Fill the gate's facts: the one query that looks at organisation, channel, consent and inbox together.

Used by `outbound.py`, `claiming.py` and `welcome.py` only, at submit, at the claim and for the composer, so that all three ask the
same question."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.billing import ports as billing
from hub.channels import humans
from hub.channels.endings import first_moment
from hub.connectors.contract import AnyConnector
from hub.connectors.registry import Registry
from hub.consent.books.ledger import read_grant
from hub.consent.facts import Facts
from hub.core import clock
from hub.core.db import UnitOfWork
from hub.inbox.sending.zones import zone_of
from hub.organisations import policy


@dataclass(frozen=True, slots=True)
class Asked:
    """What the gate is asked about: something for a conversation, for a purpose unless it is an answer. `message_id` and `at` are a
    message that exists: what was written to the person after it does not count against it."""

    conversation_id: UUID
    purpose_id: UUID | None = None
    message_id: UUID | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a message goes to and what the gate knows about it. `purpose_kind`: of the purpose that was asked about, or empty."""

    conversation_id: UUID
    channel_id: UUID
    connector: AnyConnector
    scope: str
    address: str
    purpose_kind: str
    facts: Facts

    @property
    def consent_key(self) -> tuple[str, str, str]:
        return (self.connector.connector, self.scope, self.address)


_CHANNEL = """
       h.id AS channel_id, h.connector, h.state AS channel_state, h.block_reason, h.health, h.health_cause, h.health_until,
       h.approval, h.terms_due_at, e.from_day AS ended_from, o.zone, o.state AS organisation_state,
       (SELECT b.reason FROM channel_block b
        WHERE b.organisation_id = h.organisation_id AND b.connector IN ('', h.connector) ORDER BY b.connector LIMIT 1) AS stopped,
       s.choice, s.choice_at, s.marketing, s.reach, s.reach_at, s.stopped_at, s.told_at,
       CASE s.bar WHEN 'barred' THEN s.bar_at END AS bar_at
"""
_BESIDE = """
LEFT JOIN messenger_end e ON e.connector = h.connector
LEFT JOIN consent_state s ON s.organisation_id = h.organisation_id AND s.messenger = h.connector
     AND s.scope = CASE WHEN h.connector = ANY($3::text[]) THEN h.id::text ELSE '' END
"""


def _human_missing(demanding: str) -> str:
    """Whether the messenger is one of those (a placeholder) where a person must be able to take over, and nobody can (R-188)."""
    return f"h.connector = ANY({demanding}::text[]) AND NOT {humans.SOMEBODY} AS human_missing"


_FACTS = f"""
SELECT w.conversation_id, w.purpose_id, w.message_id, c.last_inbound_at, i.provider_user_id AS address, k.zone AS person_zone,
       p.kind AS purpose_kind, p.archived_at,
       g.asked_at, g.asked_until, g.asked_seq, g.granted_at, g.granted_seq, g.withdrawn_at, g.withdrawn_seq, g.overridden_at,
       g.overridden_until, g.overridden_seq,
       CASE p.kind WHEN 'marketing' THEN (
           SELECT count(*) FROM identity known
           JOIN conversation t ON t.organisation_id = known.organisation_id AND t.identity_id = known.id
           JOIN message m ON m.organisation_id = t.organisation_id AND m.conversation_id = t.id AND m.purpose_id = w.purpose_id
           WHERE known.organisation_id = c.organisation_id AND known.contact_id = c.contact_id
             AND m.id IS DISTINCT FROM w.message_id AND m.state <> 'failed' AND m.arrived_at > $7 AND m.arrived_at <= w.at
       ) ELSE 0 END AS recent, {_human_missing("$8")}, {_CHANNEL}
FROM unnest($2::uuid[], $4::uuid[], $5::uuid[], $6::timestamptz[]) AS w(conversation_id, purpose_id, message_id, at)
JOIN conversation c ON c.organisation_id = $1 AND c.id = w.conversation_id
JOIN organisation o ON o.id = c.organisation_id
JOIN identity i ON i.organisation_id = c.organisation_id AND i.id = c.identity_id
JOIN contact k ON k.organisation_id = c.organisation_id AND k.id = c.contact_id
JOIN channel h ON h.organisation_id = c.organisation_id AND h.id = c.channel_id
{_BESIDE} AND s.address = i.provider_user_id
LEFT JOIN purpose p ON p.organisation_id = c.organisation_id AND p.id = w.purpose_id
LEFT JOIN consent_grant g ON g.organisation_id = c.organisation_id AND g.messenger = s.messenger AND g.scope = s.scope
     AND g.address = s.address AND g.purpose_id = w.purpose_id
"""
"""Who has a grant has a state: the ledger writes both."""
_STRANGER = f"""
SELECT NULL::timestamptz AS last_inbound_at, $4 AS address, {_human_missing("$5")}, {_CHANNEL}
FROM channel h
JOIN organisation o ON o.id = h.organisation_id
{_BESIDE} AND s.address = $4
WHERE h.organisation_id = $1 AND h.id = $2
"""


@dataclass(frozen=True, slots=True)
class _Rules:
    """What the organisation's policy says about messages for a purpose; loaded where there is one."""

    most: int | None = None
    most_days: int = 0
    quiet: tuple[time, time] | None = None
    service_opt_in: frozenset[str] = frozenset()


async def load_recipients(unit: UnitOfWork, connectors: Registry, conversation_ids: list[UUID]) -> dict[UUID, Recipient]:
    """Recipients of answers in these conversations, by conversation; those that do not exist are missing."""
    found = await load_asked(unit, connectors, [Asked(conversation_id) for conversation_id in conversation_ids])
    return {asked.conversation_id: recipient for asked, recipient in found.items()}


async def load_asked(unit: UnitOfWork, connectors: Registry, asked: Collection[Asked]) -> dict[Asked, Recipient]:
    """The recipient of each of these; where the conversation does not exist it is missing. One query for all, and the policy's
    values where some are for a purpose: a whole audience may be asked about at once."""
    rules = await _load_rules(unit) if any(one.purpose_id for one in asked) else _Rules()
    standing, now, recipients = await billing.standing(unit), clock.now(), {}
    narrow, demanding = _kinds(connectors)
    by_row = {(one.conversation_id, one.purpose_id, one.message_id): one for one in asked}
    rows = await unit.sql.fetch(
        _FACTS,
        unit.tenant,
        [one.conversation_id for one in by_row.values()],
        narrow,
        [one.purpose_id for one in by_row.values()],
        [one.message_id for one in by_row.values()],
        [one.at or now for one in by_row.values()],
        now - timedelta(days=rules.most_days),
        demanding,
    )
    for row in rows:
        connector = connectors.get(row["connector"])
        scope = str(row["channel_id"]) if connector.capabilities.address_scope == "channel" else ""
        facts = replace(_facts(row, connector, standing, now, rules), **_of_purpose(row, connector, rules, now))
        recipients[by_row[row["conversation_id"], row["purpose_id"], row["message_id"]]] = Recipient(
            row["conversation_id"], row["channel_id"], connector, scope, row["address"], row["purpose_kind"] or "", facts
        )
    return recipients


async def _load_rules(unit: UnitOfWork) -> _Rules:
    frequency = (await policy.resolve(unit, "consent.frequency")).value
    quiet = (await policy.resolve(unit, "consent.quiet_hours")).value
    service = (await policy.resolve(unit, "consent.service_opt_in")).value
    hours = (time.fromisoformat(quiet["from"]), time.fromisoformat(quiet["until"])) if quiet else None
    return _Rules(
        most=frequency["messages"] if frequency else None,
        most_days=frequency["days"] if frequency else 0,
        quiet=hours,
        service_opt_in=frozenset(service),
    )


def _of_purpose(row: Any, connector: AnyConnector, rules: _Rules, now: datetime) -> dict[str, Any]:
    """What is known about the purpose that was asked about."""
    if row["purpose_id"] is None:
        return {}
    grant = read_grant(row)
    return {
        "grant": grant.state(row["stopped_at"], now),
        "grant_at": grant.granted.at,
        "grant_seq": grant.granted.seq,
        "overridden_until": grant.overridden_until,
        "overridden_seq": grant.overridden.seq,
        "is_offered": row["purpose_kind"] is not None and row["archived_at"] is None,
        "recent": row["recent"],
        "most": rules.most,
        "most_days": rules.most_days,
        "quiet": rules.quiet,
        "zone": zone_of(
            row["address"], is_phone=connector.capabilities.phone_addresses, known=row["person_zone"], usual=row["zone"]
        ),
    }


async def load_stranger(unit: UnitOfWork, connectors: Registry, channel_id: UUID, address: str) -> Facts:
    """What is known about an address with which there is no conversation."""
    narrow, demanding = _kinds(connectors)
    row = await unit.sql.fetchrow(_STRANGER, unit.tenant, channel_id, narrow, address, demanding)
    return _facts(row, connectors.get(row["connector"]), await billing.standing(unit), clock.now(), _Rules())


def _kinds(connectors: Registry) -> tuple[list[str], list[str]]:
    """Messengers where an address means somebody on one channel only, and those where a person must be able to take over."""
    narrow = [name for name, connector in connectors.items() if connector.capabilities.address_scope == "channel"]
    return narrow, [name for name in connectors if humans.needs_human(name)]


def _facts(row: Any, connector: AnyConnector, standing: str, now: datetime, rules: _Rules) -> Facts:
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
        bar_at=row["bar_at"],
        choice=row["choice"] or "none",
        choice_at=row["choice_at"],
        told_at=row["told_at"],
        marketing=row["marketing"] or "free",
        reach=row["reach"] or "reachable",
        reach_at=row["reach_at"],
        grant="unknown",
        grant_at=None,
        grant_seq=None,
        overridden_until=None,
        overridden_seq=None,
        is_offered=True,
        recent=0,
        most=None,
        most_days=0,
        quiet=None,
        zone=row["zone"],
        last_inbound_at=row["last_inbound_at"],
        reply_window_hours=connector.capabilities.reply_window_hours,
        human_agent_days=connector.capabilities.human_agent_days,
        templates=connector.capabilities.templates,
        human_missing=row["human_missing"],
        opt_in_always=connector.capabilities.opt_in_always,
        service_opt_in=connector.connector in rules.service_opt_in,
        now=now,
    )
