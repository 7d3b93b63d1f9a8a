"""The way out, first half: `submit` writes a permitted message; `claiming.py` lets its parts go one attempt at a time.

    submit   gate, then capabilities, message, parts and decision in ONE transaction; nudge the channel's lane

There is no other road. After a withdrawal has committed only attempts already claimed can still arrive.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol
from uuid import UUID

import structlog

from hub.channels import caps
from hub.channels.templates import Kept, read_template
from hub.connectors.errors import UnsupportedContent
from hub.connectors.events import Location, OutboundContent
from hub.consent import gate
from hub.consent.books.ledger import note_told
from hub.consent.gate import Decision, SendBlocked
from hub.consent.purposes import first_purpose
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, InvalidInput, NotFound
from hub.core.feed import note_change
from hub.inbox.content import clean, store, store_part
from hub.inbox.models import CHAT
from hub.inbox.page.drafts import remove_draft
from hub.inbox.page.preview import PREVIEW
from hub.inbox.sending.compose import DraftCard, Filled, Times, compose, compose_template
from hub.inbox.sending.facts import Asked, Recipient, load_asked, load_recipients
from hub.inbox.sending.findings import find_in
from hub.inbox.sending.waiting import due_after_earlier
from hub.inbox.stored.attachments import lock_uploads, take_uploads
from hub.runtime import Runtime

log = structlog.get_logger()

CLIENT_KEY_LENGTH = 64
MARKETING: Final = "marketing"
"""The category of a template that is advertising, in the providers' word."""


class Author(Protocol):
    """A person who acts: `hub.organisations.access.Access`."""

    @property
    def organisation_id(self) -> UUID: ...
    @property
    def member_id(self) -> UUID: ...
    @property
    def session_id(self) -> UUID: ...


@dataclass(frozen=True, slots=True)
class Program:
    """A newsletter, a rule, a confirmation: what acts for an organisation without a person at this moment."""

    organisation_id: UUID
    member_id: None = None
    session_id: None = None


async def may_reply(runtime: Runtime, unit: UnitOfWork, conversation_id: UUID) -> Decision:
    """What the gate would say to a reply now: the composer's state. Nothing is written."""
    return gate.decide((await load_recipient(runtime, unit, conversation_id)).facts, gate.Request(purpose="reply"))


async def may_write(runtime: Runtime, unit: UnitOfWork, conversation_id: UUID, purpose_id: UUID | None) -> Decision:
    """What the gate would say now to a message for this purpose, or to an answer. Nothing is written."""
    recipient = await load_one(runtime, unit, Asked(conversation_id, purpose_id))
    form: str | None = "" if recipient.connector.capabilities.templates else None
    return gate.decide(recipient.facts, request_for(recipient.purpose_kind, purpose_id, form, by_person=True))


async def may_reply_all(runtime: Runtime, unit: UnitOfWork, conversation_ids: list[UUID]) -> dict[UUID, Decision]:
    """The same for the rows of a list, in one query."""
    recipients = await load_recipients(unit, runtime.connectors, conversation_ids)
    return {one.conversation_id: gate.decide(one.facts, gate.Request(purpose="reply")) for one in recipients.values()}


async def submit(
    runtime: Runtime,
    author: Author | Program,
    conversation_id: UUID,
    *,
    purpose: Literal["reply", "opt_in_request", "opt_out_receipt"] = "reply",
    purpose_id: UUID | None = None,
    text: str = "",
    client_key: str,
    files: Sequence[UUID] = (),
    options: Sequence[str] = (),
    location: Location | None = None,
    times: Times | None = None,
    cards: Sequence[DraftCard] = (),
    template: Filled | None = None,
    reply_to: UUID | None = None,
    priority: int = CHAT,
) -> UUID:
    """Write a message and queue it; its id. The same `client_key` again gives the same message: a double click sends once.

    Without more it is an answer; with a `purpose_id` it is what the business writes by itself for that purpose. A template that is
    advertising is always for one: for the organisation's first, where none is named. `files` are the author's uploads in this
    conversation (those of `cards` are named there), `options` the answers to press, `times` those to pick, `reply_to` the message
    that is answered; a `template` goes without text, with the files or the place that it needs. What the content rules find waits,
    held, for a second person (`reviews.py`).
    Raises InvalidInput (empty or not expressible), NotFound, or SendBlocked, for which only the decision is kept.
    """
    text = clean(text.replace("\r\n", "\n")).strip()
    files = [*files, *(card.picture for card in cards if card.picture)]
    if not (text or files or location or cards or template):
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
        kept = await _read_template(unit, conversation_id, template) if template else None
        if kept and kept.category == MARKETING and purpose_id is None:
            purpose_id = await first_purpose(unit, "marketing")
        message_id = ids.new_id()
        recipient = await load_one(runtime, unit, Asked(conversation_id, purpose_id, message_id))
        if purpose_id and not recipient.purpose_kind:
            raise NotFound("no such purpose")
        request = replace(
            request_for(
                recipient.purpose_kind, purpose_id, kept.category if kept else None, by_person=author.member_id is not None
            ),
            findings=await find_in(unit, recipient.connector, "\n".join((text, *options))),
        )
        if purpose != "reply":
            request = replace(request, purpose=purpose)
        counters = await caps.open_counters(
            unit, recipient.connector.connector, recipient.channel_id, [conversation_id], hold=False
        )
        decision = gate.decide(replace(recipient.facts, cap=counters.reached(conversation_id)), request)
        if decision.verdict == "refuse":
            await keep_decisions(unit, "submit", [(decision, conversation_id, None, author.member_id)], purpose_id)
        else:
            reply_to_key = await key_of(unit, conversation_id, reply_to) if reply_to else None
            uploads = await lock_uploads(unit, conversation_id, author.member_id, files) if author.member_id else []
            if uploads and recipient.connector.capabilities.media_by_link and runtime.settings.public_url is None:
                raise InvalidInput(
                    "the provider fetches files, and this hub has no address", field="files", reason="no_public_address"
                )
            if template and kept:
                content: OutboundContent = compose_template(kept, template, uploads, location)
            else:
                can = recipient.connector.capabilities
                content = compose(can, text, uploads, options, location, times=times, cards=cards)
            category = kept.category if kept else ""
            message = _Written(
                message_id, content, split(recipient, content), client_key, reply_to_key, priority, category, purpose, purpose_id
            )
            await _write(unit, author, conversation, recipient, message, decision)
            await take_uploads(unit, message_id, files)
            if author.member_id and purpose_id is None:
                await remove_draft(unit, author.member_id, conversation_id, "reply")
            await keep_decisions(unit, "submit", [(decision, conversation_id, message_id, author.member_id)], purpose_id)
            if purpose == "opt_out_receipt":
                await note_told(unit, recipient.consent_key)
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
    return await load_one(runtime, unit, Asked(conversation_id))


async def load_one(runtime: Runtime, unit: UnitOfWork, asked: Asked) -> Recipient:
    """What the gate knows about this; NotFound."""
    recipients = await load_asked(unit, runtime.connectors, [asked])
    if asked not in recipients:
        raise NotFound("no such conversation")
    return recipients[asked]


async def _read_template(unit: UnitOfWork, conversation_id: UUID, template: Filled) -> Kept:
    channel_id = await unit.sql.fetchval(
        "SELECT channel_id FROM conversation WHERE organisation_id = $1 AND id = $2", unit.tenant, conversation_id
    )
    return await read_template(unit, channel_id, template.template_id)


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
    category: str
    """Of a template, in the provider's words; empty for everything else."""
    purpose: str
    purpose_id: UUID | None


def request_for(kind: str, purpose_id: UUID | None, category: str | None, *, by_person: bool) -> gate.Request:
    """What the gate is asked for: an answer, or something for a purpose of this `kind`; as a template of this category, or freely.
    A template that is advertising stays advertising, whatever purpose it is sent for."""
    purpose: Literal["reply", "service", "marketing"] = "reply"
    if kind == "marketing" or category == MARKETING:
        purpose = "marketing"
    elif kind == "service":
        purpose = "service"
    form: Literal["free", "template"] = "free" if category is None else "template"
    return gate.Request(purpose=purpose, purpose_id=purpose_id, form=form, by="person" if by_person else "program")


async def _write(
    unit: UnitOfWork, author: Author | Program, conversation: Any, recipient: Recipient, message: _Written, decision: Decision
) -> None:
    now = clock.now()
    seq = conversation["last_seq"] + 1
    due_at = await due_after_earlier(unit, conversation["id"], seq, decision.until or now)
    stored = store(message.content)
    about: dict[str, object] = {"reply_to": message.reply_to_key} if message.reply_to_key else {}
    kind = {"category": message.category} if message.category else {}
    state = "held" if decision.verdict == "hold" else "queued"
    about |= {"findings": decision.evidence["findings"]} if decision.verdict == "hold" else {}
    if message.purpose != "reply":
        about |= {"purpose": message.purpose}
    await unit.sql.execute(
        """
        INSERT INTO message (organisation_id, id, conversation_id, seq, direction, kind, text, content, at, sequence, arrived_at,
                             author_id, session_id, client_key, state, failure, failure_text, purpose_id)
        VALUES ($1, $2, $3, $4, 'out', $5, $6, $7::jsonb, $8, 0, $8, $9, $10, $11, $12, '', '', $13)
        """,
        unit.tenant,
        message.id,
        conversation["id"],
        seq,
        stored.kind,
        stored.text,
        json.dumps({**stored.content, **about, **kind}),
        now,
        author.member_id,
        author.session_id,
        message.client_key,
        state,
        message.purpose_id,
    )
    parts = [store_part(part) for part in message.parts]
    await unit.sql.execute(
        """
        INSERT INTO message_part (organisation_id, id, message_id, part_no, conversation_id, channel_id, message_seq, text, content,
                                  reply_to_key, priority, state, due_at, tries)
        SELECT $1, id, $2, no - 1, $3, $4, $5, text, content::jsonb, CASE no WHEN 1 THEN $6 END, $7, $8, $9, 0
        FROM unnest($10::uuid[], $11::text[], $12::text[]) WITH ORDINALITY AS row(id, text, content, no)
        """,
        unit.tenant,
        message.id,
        conversation["id"],
        recipient.channel_id,
        seq,
        message.reply_to_key,
        message.priority,
        state,
        due_at,
        [ids.new_id() for _ in parts],
        [part.text for part in parts],
        [json.dumps({**part.content, **kind}) for part in parts],
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


async def keep_decisions(
    unit: UnitOfWork,
    stage: str,
    kept: list[tuple[Decision, UUID | None, UUID | None, UUID | None]],
    purpose_id: UUID | None = None,
) -> None:
    """Keep what the gate said: (decision, conversation, message, member), all for this purpose if they were for one."""
    if not kept:
        return
    await unit.sql.execute(
        """
        INSERT INTO gate_decision (organisation_id, id, at, stage, conversation_id, message_id, member_id, verdict, rule,
                                   evidence, until, purpose_id)
        SELECT $1, id, $2, $3, conversation_id, message_id, member_id, verdict, rule, evidence::jsonb, until, $12
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
        purpose_id,
    )
