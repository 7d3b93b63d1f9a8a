"""The way out: `submit` writes a permitted message, `claim` lets its parts go one attempt at a time.

    submit   gate, then capabilities, message, parts and decision in ONE transaction; nudge the channel's lane
    claim    the lane's worker holds a rate token; address locks; the gate is asked again; attempt row; queued -> sending; a Permit
    dispatch.py sends with no transaction open and records what came back

There is no other road: this file is the only one that imports the maker of permits (I4), and the only one that fills the gate's
facts. After a withdrawal has committed only attempts already claimed can still arrive.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Protocol
from uuid import UUID

import structlog

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
from hub.connectors.errors import UnsupportedContent
from hub.connectors.events import Location, Media, OutboundContent, Text
from hub.consent import gate, locks
from hub.consent.gate import Decision, SendBlocked
from hub.consent.permit import issue_permit
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, InvalidInput, NotFound
from hub.core.feed import note_change
from hub.inbox.attachments import load_files, lock_uploads, take_uploads
from hub.inbox.compose import compose
from hub.inbox.content import clean, file_ids, read_part, store, store_part
from hub.inbox.drafts import remove_draft
from hub.inbox.facts import Recipient, load_recipients
from hub.inbox.models import BULK, CHAT, SERVICE
from hub.inbox.peers import load_keys
from hub.inbox.people import Talk
from hub.inbox.preview import PREVIEW, redraw_previews
from hub.inbox.waiting import RETRY_BLOCKS, due_after_earlier, fail_messages, keep_waiting
from hub.runtime import Runtime

log = structlog.get_logger()

CLIENT_KEY_LENGTH = 64
MARKETING: Final = "marketing"
"""The category of a template that is advertising, in the providers' word."""
Sign = Literal["typing", "read"]
"""What is shown to a customer and not kept."""


class Author(Protocol):
    """Who acts: `hub.organisations.access.Access`."""

    @property
    def organisation_id(self) -> UUID: ...
    @property
    def member_id(self) -> UUID: ...
    @property
    def session_id(self) -> UUID: ...


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


async def may_reply(runtime: Runtime, unit: UnitOfWork, conversation_id: UUID) -> Decision:
    """What the gate would say to a reply now: the composer's state. Nothing is written."""
    return gate.decide((await load_recipient(runtime, unit, conversation_id)).facts, gate.Request(purpose="reply"))


async def may_reply_all(runtime: Runtime, unit: UnitOfWork, conversation_ids: list[UUID]) -> dict[UUID, Decision]:
    """The same for the rows of a list, in one query."""
    recipients = await load_recipients(unit, runtime.connectors, conversation_ids)
    return {one.conversation_id: gate.decide(one.facts, gate.Request(purpose="reply")) for one in recipients.values()}


async def submit(
    runtime: Runtime,
    author: Author,
    conversation_id: UUID,
    *,
    text: str = "",
    client_key: str,
    files: Sequence[UUID] = (),
    options: Sequence[str] = (),
    location: Location | None = None,
    reply_to: UUID | None = None,
    priority: int = CHAT,
) -> UUID:
    """Write a reply and queue it; the message's id. The same `client_key` again gives the same message: a double click sends once.

    `files` are the author's uploads in this conversation, `options` the answers to press, `reply_to` the message that is answered.
    Raises InvalidInput (empty or not expressible), NotFound, or SendBlocked, for which only the decision is kept.
    """
    text = clean(text.replace("\r\n", "\n")).strip()
    if not (text or files or location):
        raise InvalidInput("the message is empty", field="text")
    if not 0 < len(client_key) <= CLIENT_KEY_LENGTH:
        raise InvalidInput("a client key is needed", field="client_key")
    async with runtime.database.unit_of_work(author.organisation_id) as unit:
        conversation = await _lock_conversation(unit, conversation_id)
        existing: UUID | None = await unit.sql.fetchval(
            "SELECT id FROM message WHERE organisation_id = $1 AND conversation_id = $2 AND client_key = $3",
            unit.tenant,
            conversation_id,
            client_key,
        )
        if existing is not None:
            return existing
        recipient = await load_recipient(runtime, unit, conversation_id)
        decision = gate.decide(recipient.facts, gate.Request(purpose="reply"))
        message_id = ids.new_id()
        if decision.verdict == "refuse":
            await keep_decisions(unit, "submit", [(decision, conversation_id, None, author.member_id)])
        else:
            reply_to_key = await key_of(unit, conversation_id, reply_to) if reply_to else None
            uploads = await lock_uploads(unit, conversation_id, author.member_id, files)
            if uploads and recipient.connector.capabilities.media_by_link and runtime.settings.public_url is None:
                raise InvalidInput(
                    "the provider fetches files, and this hub has no address", field="files", reason="no_public_address"
                )
            content = compose(recipient.connector.capabilities, text, uploads, options, location)
            message = _Written(message_id, content, split(recipient, content), client_key, reply_to_key, priority)
            await _write(unit, author, conversation, recipient, message, decision)
            await take_uploads(unit, message_id, files)
            await remove_draft(unit, author.member_id, conversation_id, "reply")
            await keep_decisions(unit, "submit", [(decision, conversation_id, message_id, author.member_id)])
            tenant = unit.tenant
            unit.after_commit(lambda: runtime.queue.nudge_lane(tenant, recipient.channel_id, "out"))
            if conversation["unread"] and "read" in recipient.connector.capabilities.actions:  # whoever answers has read
                unit.after_commit(lambda: runtime.queue.nudge_sign(tenant, conversation_id, "read"))
    if decision.verdict == "refuse":
        log.info("refused", conversation=ids.show("conv", conversation_id), rule=decision.rule)
        raise SendBlocked(decision)
    log.info("submitted", conversation=ids.show("conv", conversation_id), message=ids.show("msg", message_id))
    return message_id


def split(recipient: Recipient, content: OutboundContent) -> Sequence[OutboundContent]:
    """The parts a content is sent as. InvalidInput says why this messenger cannot express it."""
    try:
        return recipient.connector.split(content)
    except UnsupportedContent as error:
        raise InvalidInput(str(error), field="text", reason=error.provider_code) from error


async def _lock_conversation(unit: UnitOfWork, conversation_id: UUID) -> Any:
    row = await unit.sql.fetchrow(
        "SELECT id, state, last_seq, sort_at, unread FROM conversation WHERE organisation_id = $1 AND id = $2 FOR UPDATE",
        unit.tenant,
        conversation_id,
    )
    if row is None:
        raise NotFound("no such conversation")
    return row


async def load_recipient(runtime: Runtime, unit: UnitOfWork, conversation_id: UUID) -> Recipient:
    """Whom a conversation is with; NotFound."""
    recipients = await load_recipients(unit, runtime.connectors, [conversation_id])
    if conversation_id not in recipients:
        raise NotFound("no such conversation")
    return recipients[conversation_id]


async def key_of(unit: UnitOfWork, conversation_id: UUID, message_id: UUID) -> str:
    """The provider's key of a message of this conversation. NotFound; Conflict while the provider has not got it."""
    row = await unit.sql.fetchrow(
        """
        SELECT COALESCE(m.provider_key, (
            SELECT p.keys[1] FROM message_part p
            WHERE p.organisation_id = m.organisation_id AND p.message_id = m.id AND p.action = 'message' ORDER BY p.part_no LIMIT 1
        )) AS key
        FROM message m WHERE m.organisation_id = $1 AND m.conversation_id = $2 AND m.id = $3 AND m.direction IN ('in', 'out')
        """,
        unit.tenant,
        conversation_id,
        message_id,
    )
    if row is None:
        raise NotFound("no such message")
    if row["key"] is None:
        raise Conflict("the provider does not have this message yet")
    key: str = row["key"]
    return key


@dataclass(frozen=True, slots=True)
class _Written:
    """A message that is about to be queued."""

    id: UUID
    content: OutboundContent
    parts: Sequence[OutboundContent]
    client_key: str
    reply_to_key: str | None
    priority: int


async def _write(
    unit: UnitOfWork, author: Author, conversation: Any, recipient: Recipient, message: _Written, decision: Decision
) -> None:
    now = clock.now()
    seq = conversation["last_seq"] + 1
    due_at = await due_after_earlier(unit, conversation["id"], seq, decision.until or now)
    stored = store(message.content)
    about = {"reply_to": message.reply_to_key} if message.reply_to_key else {}
    await unit.sql.execute(
        """
        INSERT INTO message (organisation_id, id, conversation_id, seq, direction, kind, text, content, at, sequence, arrived_at,
                             author_id, session_id, client_key, state, failure, failure_text)
        VALUES ($1, $2, $3, $4, 'out', $5, $6, $7::jsonb, $8, 0, $8, $9, $10, $11, 'queued', '', '')
        """,
        unit.tenant,
        message.id,
        conversation["id"],
        seq,
        stored.kind,
        stored.text,
        json.dumps({**stored.content, **about}),
        now,
        author.member_id,
        author.session_id,
        message.client_key,
    )
    parts = [store_part(part) for part in message.parts]
    await unit.sql.execute(
        """
        INSERT INTO message_part (organisation_id, id, message_id, part_no, conversation_id, channel_id, message_seq, text, content,
                                  reply_to_key, priority, state, due_at, tries)
        SELECT $1, id, $2, no - 1, $3, $4, $5, text, content::jsonb, CASE no WHEN 1 THEN $6 END, $7, 'queued', $8, 0
        FROM unnest($9::uuid[], $10::text[], $11::text[]) WITH ORDINALITY AS row(id, text, content, no)
        """,
        unit.tenant,
        message.id,
        conversation["id"],
        recipient.channel_id,
        seq,
        message.reply_to_key,
        message.priority,
        due_at,
        [ids.new_id() for _ in parts],
        [part.text for part in parts],
        [json.dumps(part.content) for part in parts],
    )
    await unit.sql.execute(
        """
        UPDATE conversation SET last_seq = $3, last_text = $4, last_direction = 'out', last_kind = $5, turn = 'customer',
               sort_at = GREATEST(sort_at, $6) WHERE organisation_id = $1 AND id = $2
        """,
        unit.tenant,
        conversation["id"],
        seq,
        stored.text[:PREVIEW],
        stored.content.get("media", stored.kind),
        now,
    )
    note_change(
        unit,
        "message",
        {"conversation": ids.show("conv", conversation["id"]), "message": ids.show("msg", message.id), "direction": "out"},
    )


async def keep_decisions(unit: UnitOfWork, stage: str, kept: list[tuple[Decision, UUID | None, UUID | None, UUID | None]]) -> None:
    """Keep what the gate said: (decision, conversation, message, member)."""
    if not kept:
        return
    await unit.sql.execute(
        """
        INSERT INTO gate_decision (organisation_id, id, at, stage, conversation_id, message_id, member_id, verdict, rule,
                                   evidence, until)
        SELECT $1, id, $2, $3, conversation_id, message_id, member_id, verdict, rule, evidence::jsonb, until
        FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[], $9::text[], $10::text[], $11::timestamptz[])
            AS row(id, conversation_id, message_id, member_id, verdict, rule, evidence, until)
        """,
        unit.tenant,
        clock.now(),
        stage,
        [ids.new_id() for _ in kept],
        [conversation_id for _, conversation_id, _, _ in kept],
        [message_id for _, _, message_id, _ in kept],
        [member_id for _, _, _, member_id in kept],
        [decision.verdict for decision, *_ in kept],
        [decision.rule for decision, *_ in kept],
        [json.dumps(decision.evidence, default=str) for decision, *_ in kept],
        [decision.until for decision, *_ in kept],
    )


_CANDIDATES = """
SELECT p.id, p.message_id, p.conversation_id, p.action, p.text, p.content, p.reply_to_key, p.target_key, p.tries,
       i.provider_user_id AS address, COALESCE(p.author_id, m.author_id) IS NOT NULL AS by_person,
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
    recipients = await load_recipients(unit, runtime.connectors, [row["conversation_id"] for row in rows])
    decisions = {row["id"]: gate.decide(recipients[row["conversation_id"]].facts, _request(row)) for row in rows}
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
    wanted = [id_ for row in allowed for id_ in file_ids(row["content"])]
    files = await load_files(runtime, unit, wanted, with_links=connector.capabilities.media_by_link)
    claims = [
        Claim(
            permit=issue_permit(part_id=row["id"], attempt_id=(attempt_id := ids.new_id())),
            action=_action(row, attempt_id, files, decisions[row["id"]], peers.get(row["address"], b"")),
            message_id=row["message_id"],
            conversation_id=row["conversation_id"],
            recipient=recipients[row["conversation_id"]],
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


def _request(row: Any) -> gate.Request:
    """What a part is to the gate. What a person asked for was written by them, however long it waited."""
    content = row["content"]
    is_template = row["action"] == "message" and "parameters" in content
    return gate.Request(
        purpose="reply",
        form="template" if is_template else "free",
        marketing=is_template and content["category"] == MARKETING,
        by="person" if row["by_person"] else "program",
    )


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
