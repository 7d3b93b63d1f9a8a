"""Messages that left although no valid consent held when the provider took them (R-225): each becomes a candidate by itself.

The withdrawal's time, the person's, is compared with the provider's acceptance, both when a message is accepted and when a
withdrawal is recorded late. What the gate lets through after a withdrawal is none: the confirmation of the stop itself, and answers
to somebody who wrote afterwards, except over Viber, where only a new opt-in lifts it. A message that left under an override (R-226)
is one too.
"""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from hub.connectors.events import ChannelHealth
from hub.consent.abuse.message_evidence import Evidence, seal_evidence
from hub.consent.abuse.spam import PENALTIES, Suspect, raise_candidates
from hub.consent.hooks import ConsentWithdrawn
from hub.core import ids
from hub.core.db import UnitOfWork
from hub.core.vault import Vault

COMPLAINTS: Final = frozenset({("whatsapp", "quality"), ("whatsapp", "spam"), ("viber", "blocked"), ("x", "looks_automated")})
"""What a provider says about an account because of what its recipients complained about (`ChannelHealth.cause`)."""

_SUSPECTS: Final = """
SELECT m.id AS message_id, m.author_id AS member_id, m.at AS accepted_at, h.connector AS messenger, h.id AS channel_id,
       CASE WHEN broken.at IS NULL THEN 'override' ELSE 'gate' END AS raised_by,
       CASE WHEN broken.at IS NULL THEN 'no_consent' ELSE 'withdrawn' END AS ground, broken.at AS withdrawn_at,
       jsonb_strip_nulls(jsonb_build_object(
           'choice', COALESCE(s.choice, 'none'), 'choice_at', s.choice_at, 'bar', COALESCE(s.bar, 'open'), 'bar_at', s.bar_at,
           'reach', COALESCE(s.reach, 'reachable'), 'marketing', COALESCE(s.marketing, 'free'), 'granted_at', g.granted_at,
           'withdrawn_at', g.withdrawn_at))::text AS consent
FROM message m
JOIN conversation c ON c.organisation_id = m.organisation_id AND c.id = m.conversation_id
JOIN identity i ON i.organisation_id = c.organisation_id AND i.id = c.identity_id
JOIN channel h ON h.organisation_id = c.organisation_id AND h.id = c.channel_id
LEFT JOIN consent_state s ON s.organisation_id = m.organisation_id AND s.messenger = h.connector AND s.scope IN ('', h.id::text)
     AND s.address = i.provider_user_id
LEFT JOIN consent_grant g ON g.organisation_id = s.organisation_id AND g.messenger = s.messenger AND g.scope = s.scope
     AND g.address = s.address AND g.purpose_id = m.purpose_id
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN s.bar = 'barred' AND s.bar_at < m.at THEN s.bar_at
        WHEN s.choice = 'opted_out' AND s.choice_at < m.at
             AND (h.connector = ANY($3::text[]) OR COALESCE(m.content ->> 'purpose', '') <> 'opt_out_receipt'
                  AND (c.last_inbound_at IS NULL OR c.last_inbound_at <= s.choice_at)) THEN s.choice_at
        WHEN g.withdrawn_at < m.at AND (g.granted_at IS NULL OR g.granted_at <= g.withdrawn_at) THEN g.withdrawn_at
    END AS at
) AS broken
WHERE m.organisation_id = $1 AND m.id = ANY($2::uuid[]) AND m.direction = 'out'
  AND (broken.at IS NOT NULL
       OR m.purpose_id IS NOT NULL AND EXISTS (
           SELECT FROM gate_decision d
           WHERE d.organisation_id = m.organisation_id AND d.message_id = m.id AND d.verdict = 'allow' AND d.rule = 'overridden'))
"""


async def compare(unit: UnitOfWork, message_ids: Collection[UUID]) -> None:
    """Raise candidates among messages that the provider has accepted; `message.at` is its time."""
    if message_ids:
        rows = await unit.sql.fetch(_SUSPECTS, unit.tenant, list(message_ids), list(PENALTIES))
        await raise_candidates(unit, [Suspect(**row) for row in rows])


async def compare_withdrawal(unit: UnitOfWork, event: ConsentWithdrawn) -> None:
    """Raise candidates among messages that were accepted after a withdrawal which is recorded only now."""
    rows = await unit.sql.fetch(
        """
        SELECT m.id FROM identity i
        JOIN channel h ON h.organisation_id = i.organisation_id AND h.id = i.channel_id
        JOIN conversation c ON c.organisation_id = i.organisation_id AND c.identity_id = i.id
        JOIN consent_state s ON s.organisation_id = i.organisation_id AND s.messenger = $2 AND s.scope = $3 AND s.address = $4
        LEFT JOIN consent_grant g ON g.organisation_id = s.organisation_id AND g.messenger = s.messenger AND g.scope = s.scope
             AND g.address = s.address AND g.purpose_id = $5
        JOIN message m ON m.organisation_id = c.organisation_id AND m.conversation_id = c.id
        WHERE i.organisation_id = $1 AND h.connector = $2 AND ($3 = '' OR h.id::text = $3) AND i.provider_user_id = $4
          AND m.direction = 'out' AND m.state IN ('accepted', 'sent', 'delivered', 'read')
          AND m.at > CASE WHEN $5::uuid IS NOT NULL THEN g.withdrawn_at WHEN s.bar = 'barred' THEN s.bar_at ELSE s.choice_at END
          AND EXISTS (SELECT FROM message_part p WHERE p.organisation_id = m.organisation_id AND p.message_id = m.id)
        """,
        unit.tenant,
        event.messenger,
        event.scope,
        event.address,
        event.purpose_id,
    )
    await compare(unit, [row["id"] for row in rows])


async def hear_complaint(unit: UnitOfWork, messenger: str, channel_id: UUID, event: ChannelHealth) -> None:
    """Raise a candidate about an account of which the provider says that recipients complained."""
    if (messenger, event.cause) in COMPLAINTS:
        await raise_candidates(unit, [Suspect(messenger, channel_id, "complaint", "provider", accepted_at=event.at)])


async def read_evidence(unit: UnitOfWork, message_ids: Collection[UUID]) -> dict[UUID, Evidence]:
    """The five fields of messages (R-201), in either direction."""
    rows = await unit.sql.fetch(
        """
        SELECT m.id, m.at, m.direction, m.text, m.content, i.provider_user_id AS address, h.own_id, h.title,
               COALESCE(p.name, '') AS author,
               COALESCE(m.provider_key, (SELECT k.key FROM provider_key k WHERE k.organisation_id = m.organisation_id
                   AND k.channel_id = h.id AND k.message_id = m.id ORDER BY k.key LIMIT 1)) AS key
        FROM message m
        JOIN conversation c ON c.organisation_id = m.organisation_id AND c.id = m.conversation_id
        JOIN identity i ON i.organisation_id = c.organisation_id AND i.id = c.identity_id
        JOIN channel h ON h.organisation_id = c.organisation_id AND h.id = c.channel_id
        LEFT JOIN member a ON a.organisation_id = m.organisation_id AND a.id = m.author_id
        LEFT JOIN person p ON p.id = a.person_id
        WHERE m.organisation_id = $1 AND m.id = ANY($2::uuid[])
        """,
        unit.tenant,
        list(message_ids),
    )
    return {row["id"]: _evidence(row) for row in rows}


def _evidence(row: Any) -> Evidence:
    account = f"{row['title']} {row['own_id']}".strip()
    is_ours = row["direction"] == "out"
    return Evidence(
        timestamp=row["at"].isoformat(),
        content=row["text"] or f"[{', '.join(sorted(row['content']))}]",
        destination=row["address"] if is_ours else account,
        message_id=row["key"] or ids.show("msg", row["id"]),
        sender=" / ".join(filter(None, (account, row["author"]))) if is_ours else row["address"],
    )


async def freeze_evidence(unit: UnitOfWork, vault: Vault, message_ids: Collection[UUID]) -> None:
    """Seal what messages with a candidate said, before they are erased."""
    events = await unit.sql.fetch(
        """
        SELECT id, message_id FROM spam_event
        WHERE organisation_id = $1 AND message_id = ANY($2::uuid[]) AND evidence_sealed IS NULL
        """,
        unit.tenant,
        list(message_ids),
    )
    evidence = await read_evidence(unit, [row["message_id"] for row in events])
    for row in events:
        sealed = seal_evidence(
            vault, evidence[row["message_id"]], organisation_id=unit.tenant, table="spam_event", row_id=row["id"]
        )
        await unit.sql.execute(
            "UPDATE spam_event SET evidence_sealed = $3 WHERE organisation_id = $1 AND id = $2", unit.tenant, row["id"], sealed
        )
