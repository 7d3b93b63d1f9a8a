"""Spam events (R-203): what may be held against an organisation, and what the operator says about it.

A candidate is raised by the system or by a person. The operator, at their own discretion, confirms it, rejects it, or groups it
with others that are one event, as those of one newsletter are. Each confirmed event over Viber is a proposed charge of
EUR 5,000.00 without VAT; both grounds in one message are one event. What is grouped counts with its lead, what is not confirmed
costs nothing.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, InvalidInput, NotFound
from hub.core.vault import Vault
from hub.organisations import audit
from hub.organisations.actor import Access

Ground = Literal["withdrawn", "no_consent", "prohibited", "complaint"]
Raised = Literal["gate", "override", "provider", "member"]
PENALTIES: Final = {"viber": Decimal("5000.00")}
"""What a confirmed event costs, in EUR, by messenger (III.9.9)."""
LONGEST: Final = 2000
LARGEST: Final = 5_000_000
"""Bytes of a file with which an organisation answers."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A message, or with `message_id` None an account, that a candidate is raised about. `consent`: what held when the provider
    accepted it."""

    messenger: str
    channel_id: UUID
    ground: Ground
    raised_by: Raised
    message_id: UUID | None = None
    member_id: UUID | None = None
    accepted_at: datetime | None = None
    withdrawn_at: datetime | None = None
    consent: str = "{}"


@dataclass(frozen=True, slots=True)
class SpamEvent:
    """An event as it is shown. `amount`: the charge that is proposed for it; `grouped`: how many others count with it."""

    id: UUID
    state: str
    grounds: list[str]
    raised_by: str
    raised_at: datetime
    messenger: str
    message_id: UUID | None
    accepted_at: datetime | None
    withdrawn_at: datetime | None
    consent: dict[str, Any]
    decided_at: datetime | None
    decided_by: str
    decision_reason: str
    answer: str
    answered_at: datetime | None
    answer_file: str
    amount: Decimal | None
    grouped: int


async def raise_candidates(unit: UnitOfWork, suspects: Sequence[Suspect]) -> None:
    """Write candidates down. A message is one event, whatever and however often is found about it."""
    if not suspects:
        return
    await unit.sql.execute(
        """
        INSERT INTO spam_event AS e (organisation_id, id, state, grounds, raised_by, raised_at, messenger, channel_id, message_id,
                                     member_id, accepted_at, withdrawn_at, consent, decided_by, decision_reason, answer,
                                     answer_file)
        SELECT $1, id, 'candidate', ARRAY[ground], raised_by, $2, messenger, channel_id, message_id, member_id, accepted_at,
               withdrawn_at, consent::jsonb, '', '', '', ''
        FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::uuid[], $9::uuid[], $10::timestamptz[],
                    $11::timestamptz[], $12::text[])
            AS row(id, ground, raised_by, messenger, channel_id, message_id, member_id, accepted_at, withdrawn_at, consent)
        ON CONFLICT (organisation_id, message_id) WHERE message_id IS NOT NULL DO UPDATE
        SET grounds = e.grounds || excluded.grounds WHERE NOT e.grounds @> excluded.grounds
        """,
        unit.tenant,
        clock.now(),
        [ids.new_id() for _ in suspects],
        [one.ground for one in suspects],
        [one.raised_by for one in suspects],
        [one.messenger for one in suspects],
        [one.channel_id for one in suspects],
        [one.message_id for one in suspects],
        [one.member_id for one in suspects],
        [one.accepted_at for one in suspects],
        [one.withdrawn_at for one in suspects],
        [one.consent for one in suspects],
    )


async def list_events(unit: UnitOfWork) -> list[SpamEvent]:
    """Everything that is or was held against the organisation, the newest first; what is grouped shows with its lead."""
    rows = await unit.sql.fetch(
        """
        SELECT e.id, e.state, e.grounds, e.raised_by, e.raised_at, e.messenger, e.message_id, e.accepted_at, e.withdrawn_at,
               e.consent, e.decided_at, e.decided_by, e.decision_reason, e.answer, e.answered_at, e.answer_file, c.amount,
               (SELECT count(*) FROM spam_event g WHERE g.organisation_id = $1 AND g.lead_id = e.id) AS grouped
        FROM spam_event e
        LEFT JOIN proposed_charge c ON c.organisation_id = e.organisation_id AND c.spam_event_id = e.id
        WHERE e.organisation_id = $1 ORDER BY e.raised_at DESC, e.id
        """,
        unit.tenant,
    )
    return [SpamEvent(**row) for row in rows]


async def confirm(unit: UnitOfWork, event_ids: Sequence[UUID], *, by: str, reason: str = "") -> None:
    """Each of these is an event of its own, and is charged where its messenger has a penalty. NotFound; Conflict where one was
    decided already."""
    await _decide(unit, event_ids, "confirmed", by, reason)
    await _charge(unit, event_ids, by)


async def group(unit: UnitOfWork, event_ids: Sequence[UUID], *, by: str, reason: str = "") -> None:
    """These are one event, of which the first is the lead. InvalidInput for fewer than two; NotFound, Conflict as above."""
    lead, *others = dict.fromkeys(event_ids)
    if not others:
        raise InvalidInput("a group has at least two events", field="events")
    await _decide(unit, [lead], "confirmed", by, reason)
    await _decide(unit, others, "grouped", by, reason, lead)
    await _charge(unit, [lead], by)


async def reject(unit: UnitOfWork, event_ids: Sequence[UUID], *, by: str, reason: str) -> None:
    """These are no spam events. InvalidInput without a reason; NotFound, Conflict as above."""
    if not reason.strip():
        raise InvalidInput("a reason is needed", field="reason")
    await _decide(unit, event_ids, "rejected", by, reason)


async def _decide(
    unit: UnitOfWork, event_ids: Sequence[UUID], state: str, by: str, reason: str, lead_id: UUID | None = None
) -> None:
    states = {
        row["id"]: row["state"]
        for row in await unit.sql.fetch(
            "SELECT id, state FROM spam_event WHERE organisation_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR UPDATE",
            unit.tenant,
            list(event_ids),
        )
    }
    for event_id in event_ids:
        if event_id not in states:
            raise NotFound(f"no event {ids.show('spam', event_id)}")
        if states[event_id] != "candidate":
            raise Conflict(f"{ids.show('spam', event_id)} is {states[event_id]} already")
    await unit.sql.execute(
        """
        UPDATE spam_event SET state = $3, decided_at = $4, decided_by = $5, decision_reason = $6, lead_id = $7
        WHERE organisation_id = $1 AND id = ANY($2::uuid[])
        """,
        unit.tenant,
        list(event_ids),
        state,
        clock.now(),
        by,
        reason.strip(),
        lead_id,
    )
    for event_id in event_ids:
        await audit.record(unit, None, f"spam.{state}", ids.show("spam", event_id), {"by": by})


async def _charge(unit: UnitOfWork, event_ids: Sequence[UUID], by: str) -> None:
    for messenger, amount in PENALTIES.items():
        await unit.sql.execute(
            """
            INSERT INTO proposed_charge (organisation_id, id, kind, amount, currency, tax, spam_event_id, proposed_at, proposed_by)
            SELECT $1, row.id, 'viber_spam_event', $4, 'EUR', 'none', e.id, $5, $6
            FROM unnest($2::uuid[], $7::uuid[]) AS row(event_id, id)
            JOIN spam_event e ON e.organisation_id = $1 AND e.id = row.event_id AND e.messenger = $3
            """,
            unit.tenant,
            list(event_ids),
            messenger,
            amount,
            clock.now(),
            by,
            [ids.new_id() for _ in event_ids],
        )


async def answer(unit: UnitOfWork, access: Access, event_id: UUID, text: str) -> None:
    """What the organisation says to an event; the last word counts. NotFound, InvalidInput."""
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise InvalidInput(f"1 to {LONGEST} characters", field="answer")
    row = await unit.sql.fetchrow(
        """
        UPDATE spam_event SET answer = $3, answered_at = $4, answered_by = $5 WHERE organisation_id = $1 AND id = $2 RETURNING id
        """,
        unit.tenant,
        event_id,
        text,
        clock.now(),
        access.member_id,
    )
    if row is None:
        raise NotFound("no such event")
    await audit.record(unit, access, "spam.answered", ids.show("spam", event_id), {})


async def check_event(unit: UnitOfWork, event_id: UUID) -> None:
    """NotFound unless there is such an event."""
    if not await unit.sql.fetchval("SELECT true FROM spam_event WHERE organisation_id = $1 AND id = $2", unit.tenant, event_id):
        raise NotFound("no such event")


async def prove_answer(unit: UnitOfWork, vault: Vault, access: Access, event_id: UUID, name: str, content: bytes) -> None:
    """A file beside what the organisation says, sealed; the last one counts. NotFound, InvalidInput for an empty one."""
    if not content:
        raise InvalidInput("the file is empty", field="file")
    row = await unit.sql.fetchrow(
        """
        UPDATE spam_event SET answer_file = $3, answer_file_sealed = $4 WHERE organisation_id = $1 AND id = $2 RETURNING id
        """,
        unit.tenant,
        event_id,
        os.path.basename(name)[:200] or "file",
        vault.seal(content, **file_place(unit.tenant, event_id)),
    )
    if row is None:
        raise NotFound("no such event")
    await audit.record(unit, access, "spam.proved", ids.show("spam", event_id), {"bytes": len(content)})


async def read_answer_file(unit: UnitOfWork, vault: Vault, event_id: UUID) -> tuple[str, bytes]:
    """Name and bytes of the file of an answer; NotFound."""
    row = await unit.sql.fetchrow(
        "SELECT answer_file, answer_file_sealed FROM spam_event WHERE organisation_id = $1 AND id = $2", unit.tenant, event_id
    )
    if row is None or row["answer_file_sealed"] is None:
        raise NotFound("no such file")
    return row["answer_file"], vault.open(row["answer_file_sealed"], **file_place(unit.tenant, event_id))


def file_place(organisation_id: UUID, event_id: UUID) -> dict[str, Any]:
    """Where the vault seals the file of an answer to."""
    return {"organisation_id": organisation_id, "table": "spam_event", "column": "answer_file_sealed", "row_id": event_id}
