"""Many messages at once, each to a conversation of its own: what `outbound.submit` does for one, set-based for a batch.

    decide_all   the gate's word for each, and the parts that it is sent as; nothing is written
    write_all    messages, parts and decisions of a batch in the caller's transaction, and one nudge for each channel

The rules are those of `submit`: what is refused leaves its decision and nothing else, what the content rules find waits, held, for
a second person. Three things differ, because nobody answers somebody with it: what is written so has the priority BULK, it waits
behind everything else and holds nothing up; whose move it is in a conversation and where the list has it stay as they are; and
nobody has read anything.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from hub.connectors.events import OutboundContent
from hub.consent import gate
from hub.consent.content_rules import ContentRules, find_in_text
from hub.consent.gate import Decision
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput
from hub.inbox.content import store, store_part
from hub.inbox.models import BULK
from hub.inbox.page.preview import PREVIEW
from hub.inbox.sending.facts import Asked, Recipient, load_asked
from hub.inbox.sending.outbound import keep_decisions, request_for, split
from hub.organisations import policy
from hub.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Meant:
    """What somebody is to get. `content` is None where it cannot be written for this person; `category`: of a template, in the
    provider's words, None for everything else."""

    conversation_id: UUID
    content: OutboundContent | None
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What the gate said about it. `parts` are empty where there is nothing that this messenger could express."""

    meant: Meant
    recipient: Recipient
    decision: Decision
    parts: Sequence[OutboundContent]


async def decide_all(runtime: Runtime, unit: UnitOfWork, purpose_id: UUID, meant: Sequence[Meant]) -> list[Judged]:
    """Ask the gate for all of them in one query, each conversation once; those that do not exist are missing."""
    recipients = await load_asked(unit, runtime.connectors, {Asked(one.conversation_id, purpose_id) for one in meant})
    reviewed = {one.connector.connector for one in recipients.values() if one.connector.capabilities.content_review}
    rules = ContentRules(**(await policy.resolve(unit, "content_review")).value) if reviewed else None
    judged = []
    for one in meant:
        recipient = recipients.get(Asked(one.conversation_id, purpose_id))
        if recipient is None:
            continue
        request = request_for(recipient.purpose_kind, purpose_id, one.category, by_person=False)
        if rules and one.content and recipient.connector.connector in reviewed:
            request = replace(request, findings=find_in_text(rules, store(one.content).text))
        judged.append(Judged(one, recipient, gate.decide(recipient.facts, request), _parts(recipient, one.content)))
    return judged


def _parts(recipient: Recipient, content: OutboundContent | None) -> Sequence[OutboundContent]:
    if content is None:
        return ()
    try:
        return split(recipient, content)
    except InvalidInput:
        return ()


async def write_all(
    runtime: Runtime, unit: UnitOfWork, purpose_id: UUID, judged: Sequence[Judged], client_key: str, *, by: UUID | None
) -> Mapping[UUID, UUID]:
    """Write what is not refused and keep every decision, with the member `by` who started it; the new messages by conversation. The
    caller leaves out what it will not have written. The same `client_key` goes to a conversation once: a second time is an error of
    the caller."""
    going = [one for one in judged if one.decision.verdict != "refuse"]
    written = {one.meant.conversation_id: ids.new_id() for one in going}
    await unit.sql.execute(
        "SELECT 1 FROM conversation WHERE organisation_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR UPDATE",
        unit.tenant,
        list(written),
    )
    await _insert(unit, purpose_id, going, written, client_key)
    kept: list[tuple[Decision, UUID | None, UUID | None, UUID | None]] = [
        (one.decision, one.meant.conversation_id, written.get(one.meant.conversation_id), by) for one in judged
    ]
    await keep_decisions(unit, "submit", kept, purpose_id)
    tenant = unit.tenant
    for channel_id in {one.recipient.channel_id for one in going}:
        unit.after_commit(lambda channel_id=channel_id: runtime.queue.nudge_lane(tenant, channel_id, "out"))  # type: ignore[misc]
    return written


async def _insert(
    unit: UnitOfWork, purpose_id: UUID, going: Sequence[Judged], written: Mapping[UUID, UUID], client_key: str
) -> None:
    now = clock.now()
    messages, parts = [], []
    for one in going:
        content = one.meant.content
        if content is None or not one.parts:
            raise ValueError("nothing to write for a message that may go")
        message_id, stored = written[one.meant.conversation_id], store(content)
        state = "held" if one.decision.verdict == "hold" else "queued"
        kind = {"category": one.meant.category} if one.meant.category else {}
        found = {"findings": one.decision.evidence["findings"]} if one.decision.verdict == "hold" else {}
        whole = json.dumps({**stored.content, **found, **kind})
        shown = stored.content.get("media", stored.kind)
        messages.append((message_id, one.meant.conversation_id, stored.kind, stored.text, whole, state, shown))
        for number, part in enumerate(one.parts):
            kept = store_part(part)
            due_at = one.decision.until or now
            parts.append((ids.new_id(), message_id, number, kept.text, json.dumps({**kept.content, **kind}), state, due_at))
    if not messages:
        return
    await unit.sql.execute(
        """
        WITH row AS (
            SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
                AS row(id, conversation_id, kind, text, content, state, shown)
        ), part AS (
            SELECT * FROM unnest($9::uuid[], $10::uuid[], $11::int[], $12::text[], $13::text[], $14::text[], $15::timestamptz[])
                AS part(id, message_id, no, text, content, state, due_at)
        ), counted AS (
            UPDATE conversation AS c
            SET last_seq = c.last_seq + 1, last_text = left(row.text, $16), last_direction = 'out', last_kind = row.shown
            FROM row WHERE c.organisation_id = $1 AND c.id = row.conversation_id
            RETURNING c.id, c.last_seq, c.channel_id, row.id AS message_id
        ), messages AS (
            INSERT INTO message (organisation_id, id, conversation_id, seq, direction, kind, text, content, at, sequence,
                                 arrived_at, client_key, state, failure, failure_text, purpose_id)
            SELECT $1, row.id, counted.id, counted.last_seq, 'out', row.kind, row.text, row.content::jsonb, $17, 0, $17, $18,
                   row.state, '', '', $19
            FROM row JOIN counted ON counted.message_id = row.id
        )
        INSERT INTO message_part (organisation_id, id, message_id, part_no, conversation_id, channel_id, message_seq, text, content,
                                  priority, state, due_at, tries)
        SELECT $1, part.id, part.message_id, part.no, counted.id, counted.channel_id, counted.last_seq, part.text,
               part.content::jsonb, $20, part.state, part.due_at, 0
        FROM part JOIN counted ON counted.message_id = part.message_id
        """,
        unit.tenant,
        *(list(column) for column in zip(*messages, strict=True)),
        *(list(column) for column in zip(*parts, strict=True)),
        PREVIEW,
        now,
        client_key,
        purpose_id,
        BULK,
    )
