"""The way out, second half: what was submitted is claimed and leaves with a permit.

    claim    the lane's worker holds a rate token; address locks; the gate is asked again; attempt row; queued -> sending; a Permit
    dispatch.py sends with no transaction open and records what came back

This file is the only one that imports the maker of permits (I4): what is shown and not kept (typing, a read mark) and the greeting
that rides in a webhook's answer get theirs here as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from hub.channels import caps
from hub.channels.accounts import OpenChannel
from hub.connectors.contract import (
    AnswerPress,
    DeleteMessage,
    EditMessage,
    KnowsPeers,
    MarkRead,
    OutboundAction,
    OutboundFile,
    OutboundMessage,
    Permit,
    React,
    ShowTyping,
)
from hub.connectors.events import Media, Text
from hub.consent import gate, locks
from hub.consent.gate import Decision
from hub.consent.permit import issue_permit
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.feed import note_change
from hub.inbox.arriving.peers import load_keys
from hub.inbox.arriving.people import Talk
from hub.inbox.content import file_ids, read_part
from hub.inbox.models import BULK, CHAT, SERVICE
from hub.inbox.page.preview import redraw_previews
from hub.inbox.sending.facts import Asked, Recipient, load_asked
from hub.inbox.sending.outbound import keep_decisions, load_recipient, request_for
from hub.inbox.sending.waiting import RETRY_BLOCKS, fail_messages, keep_waiting
from hub.inbox.stored.attachments import load_files
from hub.runtime import Runtime

Sign = Literal["typing", "read"]
"""What is shown to a customer and not kept."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A part that may leave now, once. `wanted_at`: when its message was written; of something done to an older message, when it
    was first tried."""

    permit: Permit
    action: OutboundAction
    message_id: UUID
    conversation_id: UUID
    recipient: Recipient
    tries: int
    wanted_at: datetime


_CANDIDATES = """
SELECT p.id, p.message_id, p.conversation_id, p.action, p.text, p.content, p.reply_to_key, p.target_key, p.tries,
       p.action = 'message' AND p.part_no = 0 AND p.tries = 0 AS is_new,
       i.provider_user_id AS address, COALESCE(p.author_id, m.author_id) IS NOT NULL AS by_person,
       m.purpose_id, m.content ->> 'purpose' AS purpose,
       CASE p.action WHEN 'message' THEN m.arrived_at ELSE COALESCE(
           (SELECT min(a.permit_at) FROM attempt a WHERE a.organisation_id = p.organisation_id AND a.part_id = p.id), $3
       ) END AS wanted_at
FROM (
    SELECT p.* FROM message_part p
    WHERE p.organisation_id = $1 AND p.channel_id = $2 AND p.state = 'queued' AND p.due_at <= $3 AND p.priority BETWEEN $4 AND $5
      AND NOT EXISTS (
          SELECT FROM message_part e
          WHERE e.organisation_id = p.organisation_id AND e.conversation_id = p.conversation_id
            AND e.state IN ('queued', 'sending') AND (e.message_seq, e.part_no) < (p.message_seq, p.part_no)
            AND (e.message_id = p.message_id
                 OR p.priority = 0 AND e.priority = 0
                    AND (e.state = 'sending' OR e.due_at <= $3 OR e.tries > 0 AND e.due_at < $6))
          OFFSET 0)
    ORDER BY p.priority, p.due_at, p.id LIMIT $7
) AS p
JOIN conversation c ON c.organisation_id = p.organisation_id AND c.id = p.conversation_id
JOIN identity i ON i.organisation_id = c.organisation_id AND i.id = c.identity_id
JOIN message m ON m.organisation_id = p.organisation_id AND m.id = p.message_id
ORDER BY p.priority, p.due_at, p.id
"""
"""Walks the index `message_part_due` from its head and stops at the limit, so a long queue costs no more than a short one. OFFSET 0
keeps the question about earlier parts a question per row: as a join it would be asked for the whole queue first."""


async def claim(runtime: Runtime, unit: UnitOfWork, channel_id: UUID, fence: int, *, any_: int, bulk: int) -> list[Claim]:
    """Claim up to `any_` due parts, chat first, at most `bulk` bulk ones. The caller commits and then sends at once.

    The order of a conversation is kept: nothing of it is claimed while an earlier chat message is due, on its way, or about to be
    tried again; unclear, failed and bulk messages never block.
    """
    now = clock.now()
    messenger = await unit.sql.fetchval(
        """
        SELECT h.connector FROM channel h JOIN organisation o ON o.id = h.organisation_id
        WHERE h.organisation_id = $1 AND h.id = $2 FOR SHARE
        """,  # kill switch and suspension change these rows: they wait for this claim, or this claim sees them
        unit.tenant,
        channel_id,
    )
    rows = await _candidates(unit, channel_id, now, CHAT, SERVICE, any_)
    rows += await _candidates(unit, channel_id, now, BULK, BULK, min(bulk, any_ - len(rows)))
    if not rows:
        return []
    connector = runtime.connectors.get(messenger)
    is_wide = connector.capabilities.address_scope == "messenger"
    keys = {row["address"]: (messenger, "" if is_wide else str(channel_id), row["address"]) for row in rows}
    free = await locks.share_addresses(unit, keys.values())
    rows = [row for row in rows if keys[row["address"]] in free]
    recipients = await load_asked(unit, runtime.connectors, {_asked(row) for row in rows})
    new = [row["conversation_id"] for row in rows if row["is_new"]]
    counters = await caps.open_counters(unit, messenger, channel_id, new, hold=True)
    decisions = {row["id"]: _decide(row, recipients[_asked(row)], counters) for row in rows}
    await _put_off(unit, [(row, decisions[row["id"]]) for row in rows])
    allowed = [row for row in rows if decisions[row["id"]].verdict == "allow"]
    peers: dict[str, bytes] = {}
    if isinstance(connector, KnowsPeers):  # those without a key are fetched before the next turn (`peers.py`)
        peers = await load_keys(unit, channel_id, {row["address"] for row in allowed})
        allowed = [row for row in allowed if row["address"] in peers]
    claimed = await unit.sql.fetch(
        """
        UPDATE message_part SET state = 'sending', tries = tries + 1
        WHERE organisation_id = $1 AND id = ANY($2::uuid[]) AND state = 'queued' RETURNING id, tries
        """,
        unit.tenant,
        [row["id"] for row in allowed],
    )
    tries = {row["id"]: row["tries"] for row in claimed}
    await caps.keep(unit, counters, [row["conversation_id"] for row in allowed if row["is_new"] and row["id"] in tries])
    wanted = [id_ for row in allowed for id_ in file_ids(row["content"])]
    files = await load_files(runtime, unit, wanted, with_links=connector.capabilities.media_by_link)
    claims = [
        Claim(
            permit=issue_permit(part_id=row["id"], attempt_id=(attempt_id := ids.new_id())),
            action=_action(row, attempt_id, files, decisions[row["id"]], peers.get(row["address"], b"")),
            message_id=row["message_id"],
            conversation_id=row["conversation_id"],
            recipient=recipients[_asked(row)],
            tries=tries[row["id"]],
            wanted_at=row["wanted_at"],
        )
        for row in allowed
        if row["id"] in tries
    ]
    await _write_attempts(unit, channel_id, fence, now, claims)
    return claims


async def _candidates(unit: UnitOfWork, channel_id: UUID, now: datetime, lowest: int, highest: int, limit: int) -> list[Any]:
    if limit <= 0:
        return []
    found: list[Any] = await unit.sql.fetch(_CANDIDATES, unit.tenant, channel_id, now, lowest, highest, now + RETRY_BLOCKS, limit)
    return found


def _decide(row: Any, recipient: Recipient, counters: caps.Counters) -> Decision:
    """What the gate says to a part. A message is counted with its first part; what follows it, or is done to it, is not held up."""
    request = _request(row, recipient)
    if not row["is_new"]:
        return gate.decide(recipient.facts, request)
    decision = gate.decide(replace(recipient.facts, cap=counters.reached(row["conversation_id"])), request)
    if decision.verdict == "allow":
        counters.take(row["conversation_id"])
    return decision


def _asked(row: Any) -> Asked:
    """What the gate is asked about a part: for something done to a message that exists, as for an answer."""
    if row["action"] != "message" or row["purpose_id"] is None:
        return Asked(row["conversation_id"])
    return Asked(row["conversation_id"], row["purpose_id"], row["message_id"], row["wanted_at"])


def _request(row: Any, recipient: Recipient) -> gate.Request:
    """What a part is to the gate. What a person asked for was written by them, however long it waited; what the content rules found
    was approved before it came here."""
    is_message = row["action"] == "message"
    category = row["content"]["category"] if is_message and "parameters" in row["content"] else None
    purpose_id = row["purpose_id"] if is_message else None
    request = request_for(recipient.purpose_kind, purpose_id, category, by_person=row["by_person"])
    return replace(request, purpose=row["purpose"], is_written=True) if is_message and row["purpose"] else request


def _action(
    row: Any, attempt_id: UUID, files: Mapping[str, tuple[Media, OutboundFile]], decision: Decision, peer_key: bytes
) -> OutboundAction:
    """What a claimed part does at the provider."""
    to: dict[str, Any] = {"part_id": row["id"], "attempt_id": attempt_id, "address": row["address"], "peer_key": peer_key}
    content: dict[str, Any] = row["content"]
    match row["action"]:
        case "delete":
            return DeleteMessage(**to, target_keys=tuple(content["targets"]))
        case "react":
            return React(**to, target_key=row["target_key"], emoji=row["text"])
        case "answer":
            return AnswerPress(**to, press=row["target_key"])
    media = {id_.hex: files[id_.hex] for id_ in file_ids(content)}
    what = read_part(row["text"], content, {ref: one for ref, (one, _) in media.items()})
    if row["action"] == "edit":
        return EditMessage(**to, target_key=row["target_key"], content=what)
    return OutboundMessage(
        **to,
        content=what,
        reply_to_key=row["reply_to_key"],
        files={ref: file for ref, (_, file) in media.items()},
        tag="human_agent" if decision.rule == "human_agent" else "",
    )


async def permit_sign(
    runtime: Runtime, unit: UnitOfWork, conversation_id: UUID, sign: Sign
) -> tuple[Permit, ShowTyping | MarkRead, UUID] | None:
    """Leave to show the customer that somebody writes, or has read, with the channel; None where the gate or the messenger says no,
    or there is nothing to be read. Nothing is stored."""
    recipient = await load_recipient(runtime, unit, conversation_id)
    decision = gate.decide(recipient.facts, gate.Request(purpose="reply"))
    if decision.verdict != "allow" or sign not in recipient.connector.capabilities.actions:
        return None
    newest: str | None = await unit.sql.fetchval(
        """
        SELECT provider_key FROM message
        WHERE organisation_id = $1 AND conversation_id = $2 AND direction = 'in' AND provider_key IS NOT NULL
        ORDER BY at DESC, sequence DESC, seq DESC LIMIT 1
        """,
        unit.tenant,
        conversation_id,
    )
    peer_key = (await load_keys(unit, recipient.channel_id, [recipient.address])).get(recipient.address, b"")
    to: dict[str, Any] = {"part_id": ids.new_id(), "attempt_id": ids.new_id(), "address": recipient.address, "peer_key": peer_key}
    if sign == "typing":
        action: ShowTyping | MarkRead = ShowTyping(**to, target_key=newest or "")
    elif newest is None:
        return None
    else:
        action = MarkRead(**to, target_key=newest)
    return issue_permit(part_id=action.part_id, attempt_id=action.attempt_id), action, recipient.channel_id


async def write_welcome(
    unit: UnitOfWork, channel: OpenChannel, talk: Talk, text: str, decision: Decision, facts_version: str
) -> tuple[Permit, OutboundMessage]:
    """Write a greeting that the gate let out, as sent and unclear: it leaves with the answer to a webhook (`welcome.py`). The
    caller holds the address's lock and the conversation's row."""
    message_id, part_id, attempt_id, now = ids.new_id(), ids.new_id(), ids.new_id(), clock.now()
    await unit.sql.execute(
        """
        WITH counted AS (
            UPDATE conversation SET last_seq = last_seq + 1, sort_at = GREATEST(sort_at, $6)
            WHERE organisation_id = $1 AND id = $2 RETURNING last_seq
        ), written AS (
            INSERT INTO message (organisation_id, id, conversation_id, seq, direction, kind, text, content, at, sequence,
                                 arrived_at, state, failure, failure_text)
            SELECT $1, $3, $2, last_seq, 'out', 'text', $7, '{"welcome": true}', $6, 0, $6, 'unknown', '', '' FROM counted
        ), parted AS (
            INSERT INTO message_part (organisation_id, id, message_id, part_no, conversation_id, channel_id, message_seq, text,
                                      priority, state, due_at, tries)
            SELECT $1, $4, $3, 0, $2, $8, last_seq, $7, $9, 'unknown', $6, 1 FROM counted
        )
        INSERT INTO attempt (organisation_id, id, part_id, channel_id, no, permit_at, facts_version, fence, finished_at, outcome,
                             error, provider_code, provider_text)
        VALUES ($1, $5, $4, $8, 1, $6, $10, 0, $6, 'unknown', 'in_the_answer', '', '')
        """,
        unit.tenant,
        talk.conversation_id,
        message_id,
        part_id,
        attempt_id,
        now,
        text,
        channel.channel_id,
        SERVICE,
        facts_version,
    )
    await keep_decisions(unit, "claim", [(decision, talk.conversation_id, message_id, None)])
    await redraw_previews(unit, [talk.conversation_id])
    shown = {"conversation": ids.show("conv", talk.conversation_id), "message": ids.show("msg", message_id)}
    note_change(unit, "message", {**shown, "direction": "out"})
    message = OutboundMessage(part_id=part_id, attempt_id=attempt_id, address=talk.address, content=Text(text=text))
    return issue_permit(part_id=part_id, attempt_id=attempt_id), message


async def _write_attempts(unit: UnitOfWork, channel_id: UUID, fence: int, now: datetime, claims: list[Claim]) -> None:
    if not claims:
        return
    await unit.sql.execute(
        """
        INSERT INTO attempt (organisation_id, id, part_id, channel_id, no, permit_at, facts_version, fence, outcome, error,
                             provider_code, provider_text)
        SELECT $1, id, part_id, $2, no, $3, facts_version, $4, 'sending', '', '', ''
        FROM unnest($5::uuid[], $6::uuid[], $7::int[], $8::text[]) AS row(id, part_id, no, facts_version)
        """,
        unit.tenant,
        channel_id,
        now,
        fence,
        [claim.action.attempt_id for claim in claims],
        [claim.action.part_id for claim in claims],
        [claim.tries for claim in claims],
        [claim.recipient.facts.version() for claim in claims],
    )


async def _put_off(unit: UnitOfWork, rows: list[tuple[Any, Decision]]) -> None:
    """Parts the gate does not let go any more: deferred ones wait, refused ones fail with the rule. Both are kept as decisions."""
    deferred = [(row, decision) for row, decision in rows if decision.verdict == "defer"]
    refused = [(row, decision) for row, decision in rows if decision.verdict == "refuse"]
    if deferred:
        await unit.sql.execute(
            """
            UPDATE message_part AS p SET due_at = row.until FROM unnest($2::uuid[], $3::timestamptz[]) AS row(id, until)
            WHERE p.organisation_id = $1 AND p.id = row.id AND p.state = 'queued'
            """,
            unit.tenant,
            [row["id"] for row, _ in deferred],
            [decision.until for _, decision in deferred],
        )
        await keep_waiting(unit, [(row["id"], decision.until) for row, decision in deferred if decision.until])
    for rule in {decision.rule for _, decision in refused}:
        await fail_messages(unit, [row["message_id"] for row, decision in refused if decision.rule == rule], rule)
    await keep_decisions(
        unit, "claim", [(decision, row["conversation_id"], row["message_id"], None) for row, decision in deferred + refused]
    )
