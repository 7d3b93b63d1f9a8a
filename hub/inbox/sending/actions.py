"""What a person does to a message that exists: change it, take it back, react to it; send it again or settle it when it is unclear.

The first three leave by the road of every message: the gate's decision is kept, a part is queued behind those of the message,
claimed with a permit and tried as one attempt. What the thread shows changes when the provider has taken it
(`results.record_done`), not before.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import structlog

from hub.consent import gate
from hub.consent.gate import SendBlocked
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, InvalidInput, NotFound
from hub.inbox.arriving.effects import note_messages_changed
from hub.inbox.content import clean, file_ids, read_part, store, store_part
from hub.inbox.models import SERVICE
from hub.inbox.sending.compose import read_text
from hub.inbox.sending.facts import Asked, Recipient
from hub.inbox.sending.findings import find_in
from hub.inbox.sending.offer import Change, why_not
from hub.inbox.sending.outbound import Author, keep_decisions, key_of, load_one, load_recipient, request_for, split
from hub.inbox.sending.status import draw_messages, lock_messages, pass_turn
from hub.inbox.sending.waiting import due_after_earlier
from hub.inbox.stored.attachments import load_media
from hub.runtime import Runtime

log = structlog.get_logger()


class NotPossible(Conflict):
    """This messenger cannot do it, or not with this message any more; `reason` in values says which."""

    code = "not_possible"


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A part that is about to be queued."""

    action: str
    target_key: str | None
    text: str
    content: dict[str, Any]


_Prepare = Callable[[UnitOfWork, Any, Recipient], Awaitable[_Prepared]]
"""(unit, message row, recipient) -> the part, in the transaction that writes it."""


async def edit(runtime: Runtime, author: Author, message_id: UUID, text: str) -> None:
    """Change the words of our message; of a file, its caption. Raises InvalidInput, NotFound, NotPossible, SendBlocked."""
    text = clean(text.replace("\r\n", "\n")).strip()
    if not text:
        raise InvalidInput("the message is empty", field="text")

    async def prepare(unit: UnitOfWork, message: Any, recipient: Recipient) -> _Prepared:
        part = (await _changeable(unit, message_id, message, recipient, "edit"))[0]
        words = read_text(recipient.connector.capabilities, text)
        kept = {name: value for name, value in part["content"].items() if name != "spans"} | store(words).content
        changed = split(recipient, read_part(words.text, kept, await load_media(unit, file_ids(kept))))
        if len(changed) != 1:
            raise InvalidInput("the new text needs more than one message", field="text", reason="text_too_long")
        stored = store_part(changed[0])
        return _Prepared("edit", part["keys"][0], stored.text, stored.content)

    await _queue(runtime, author, message_id, prepare)


async def delete(runtime: Runtime, author: Author, message_id: UUID) -> None:
    """Take our message back at the provider. Raises NotFound, NotPossible, SendBlocked."""

    async def prepare(unit: UnitOfWork, message: Any, recipient: Recipient) -> _Prepared:
        parts = await _changeable(unit, message_id, message, recipient, "delete")
        keys = [key for part in parts for key in part["keys"]]
        return _Prepared("delete", None, "", {"targets": keys})

    await _queue(runtime, author, message_id, prepare)


async def react(runtime: Runtime, author: Author, message_id: UUID, emoji: str) -> None:
    """Set our one reaction to a customer's message; an empty one takes it back. Raises InvalidInput, NotFound, NotPossible,
    SendBlocked."""

    async def prepare(unit: UnitOfWork, message: Any, recipient: Recipient) -> _Prepared:
        capabilities = recipient.connector.capabilities
        if "react" not in capabilities.actions or message["direction"] != "in":
            raise NotPossible("no reactions here", reason="no_reactions")
        if emoji and capabilities.reactions and emoji not in capabilities.reactions:
            raise InvalidInput("not a reaction of this messenger", field="emoji")
        return _Prepared("react", await key_of(unit, message["conversation_id"], message_id), clean(emoji), {})

    await _queue(runtime, author, message_id, prepare)


async def _changeable(unit: UnitOfWork, message_id: UUID, message: Any, recipient: Recipient, change: Change) -> list[Any]:
    """The parts of a message of ours that can be changed; NotPossible with the reason."""
    parts: list[Any] = await unit.sql.fetch(
        """
        SELECT keys, text, content FROM message_part
        WHERE organisation_id = $1 AND message_id = $2 AND action = 'message' ORDER BY part_no
        """,
        unit.tenant,
        message_id,
    )
    reason = why_not(
        recipient.connector.capabilities,
        change,
        direction=message["direction"],
        kind=message["kind"],
        state=message["state"],
        is_deleted=message["deleted_at"] is not None,
        parts=len(parts),
        has_key=any(part["keys"] for part in parts),
        age=clock.now() - message["at"],
    )
    if reason is not None:
        raise NotPossible(f"cannot {change}: {reason}", reason=reason)
    return parts


async def _queue(runtime: Runtime, author: Author, message_id: UUID, prepare: _Prepare) -> None:
    """The gate's word, then the part and the decision in one transaction."""
    async with runtime.database.unit_of_work(author.organisation_id) as unit:
        await lock_messages(unit, [message_id])
        message = await unit.sql.fetchrow(
            """
            SELECT conversation_id, direction, COALESCE(content ->> 'media', kind) AS kind, state, at, seq, deleted_at FROM message
            WHERE organisation_id = $1 AND id = $2 AND direction IN ('in', 'out')
            """,
            unit.tenant,
            message_id,
        )
        if message is None:
            raise NotFound("no such message")
        recipient = await load_recipient(runtime, unit, message["conversation_id"])
        decision = gate.decide(recipient.facts, gate.Request(purpose="reply"))
        await keep_decisions(unit, "submit", [(decision, message["conversation_id"], message_id, author.member_id)])
        if decision.verdict != "refuse":
            part = await prepare(unit, message, recipient)
            if await find_in(unit, recipient.connector, part.text):
                raise NotPossible("a second person has to look at this text first", reason="content_review")
            await unit.sql.execute(
                """
                INSERT INTO message_part (organisation_id, id, message_id, part_no, action, conversation_id, channel_id,
                                          message_seq, text, content, target_key, author_id, priority, state, due_at, tries)
                SELECT $1, $2, $3, (SELECT COALESCE(max(part_no), -1) + 1 FROM message_part
                                    WHERE organisation_id = $1 AND message_id = $3),
                       $4, $5, $6, $7, $8, $9::jsonb, $10, $11, $12, 'queued', $13, 0
                """,
                unit.tenant,
                ids.new_id(),
                message_id,
                part.action,
                message["conversation_id"],
                recipient.channel_id,
                message["seq"],
                part.text,
                json.dumps(part.content),
                part.target_key,
                author.member_id,
                SERVICE,
                decision.until or clock.now(),
            )
            note_messages_changed(unit, [(message_id, message["conversation_id"])])
            tenant = unit.tenant
            unit.after_commit(lambda: runtime.queue.nudge_lane(tenant, recipient.channel_id, "out"))
    if decision.verdict == "refuse":
        log.info("refused", message=ids.show("msg", message_id), rule=decision.rule)
        raise SendBlocked(decision)
    log.info("submitted_action", message=ids.show("msg", message_id), action=part.action)


async def resend(runtime: Runtime, author: Author, message_id: UUID) -> UUID:
    """A person sends a failed or unclear message again: the parts that did not arrive are queued anew, after the gate's word."""
    async with runtime.database.unit_of_work(author.organisation_id) as unit:
        await lock_messages(unit, [message_id])
        row = await unit.sql.fetchrow(
            """
            SELECT conversation_id, state, seq, content ->> 'category' AS category, content ->> 'purpose' AS purpose, purpose_id,
                   arrived_at
            FROM message
            WHERE organisation_id = $1 AND id = $2 AND direction = 'out'
            """,
            unit.tenant,
            message_id,
        )
        if row is None:
            raise NotFound("no such message")
        if row["state"] not in ("failed", "unknown"):
            raise Conflict("only a failed or unclear message can be sent again")
        recipient = await load_one(runtime, unit, Asked(row["conversation_id"], row["purpose_id"], message_id, row["arrived_at"]))
        request = request_for(recipient.purpose_kind, row["purpose_id"], row["category"], by_person=True)
        decision = gate.decide(recipient.facts, replace(request, purpose=row["purpose"]) if row["purpose"] else request)
        await keep_decisions(unit, "submit", [(decision, row["conversation_id"], message_id, author.member_id)])
        if decision.verdict != "refuse":
            await unit.sql.execute(
                """
                UPDATE message_part SET state = 'queued', due_at = $3
                WHERE organisation_id = $1 AND message_id = $2 AND state IN ('failed', 'unknown') AND action = 'message'
                """,
                unit.tenant,
                message_id,
                await due_after_earlier(unit, row["conversation_id"], row["seq"], decision.until or clock.now()),
            )
            note_messages_changed(unit, await draw_messages(unit, [message_id]))
            tenant = unit.tenant
            unit.after_commit(lambda: runtime.queue.nudge_lane(tenant, recipient.channel_id, "out"))
    if decision.verdict == "refuse":
        log.info("refused", message=ids.show("msg", message_id), rule=decision.rule)
        raise SendBlocked(decision)
    log.info("submitted_again", message=ids.show("msg", message_id))
    return message_id


async def settle_unknown(runtime: Runtime, author: Author, message_id: UUID) -> None:
    """A person has seen that an unclear message arrived. The state stays `unknown`, since only the provider's evidence moves it;
    who settled it and when is kept with the message, and the page stops asking."""
    settled = json.dumps({"settled_by": ids.show("mem", author.member_id), "settled_at": clock.now().isoformat()})
    async with runtime.database.unit_of_work(author.organisation_id) as unit:
        await lock_messages(unit, [message_id])
        row = await unit.sql.fetchrow(
            "SELECT conversation_id, state FROM message WHERE organisation_id = $1 AND id = $2 AND direction = 'out'",
            unit.tenant,
            message_id,
        )
        if row is None:
            raise NotFound("no such message")
        if row["state"] != "unknown":
            raise Conflict("only an unclear message can be settled")
        await unit.sql.execute(
            "UPDATE message SET content = content || $3::jsonb WHERE organisation_id = $1 AND id = $2",
            unit.tenant,
            message_id,
            settled,
        )
        await pass_turn(unit, {row["conversation_id"]: False})
        note_messages_changed(unit, [(message_id, row["conversation_id"])])
