"""Fresh messages become lines of their threads, in as many statements for 200 as for one: numbered under the conversation's lock,
with their files, the conversation drawn anew. What a colleague wrote elsewhere (`MessageSent`) is a line of ours and an answer."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from hub.channels.accounts import OpenChannel
from hub.connectors.events import Media, MessageReceived, MessageSent
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.feed import note_change
from hub.inbox.arriving.effects import note_messages_changed
from hub.inbox.arriving.people import Link, Named, Talk, open_talks
from hub.inbox.content import Stored, clean, store
from hub.inbox.models import SERVICE
from hub.inbox.page.preview import NEWEST, PREVIEW, redraw_previews
from hub.inbox.stored.attachments import Item, add_items, draw_captions, nudge_fetching
from hub.runtime import Runtime


@dataclass(slots=True)
class Incoming:
    """A fresh message with the id it gets. `joins`: an item of an album whose message exists already; `id` is that message."""

    id: UUID
    event: MessageReceived | MessageSent
    stored: Stored
    joins: bool = False

    @property
    def album(self) -> str:
        return clean(self.event.album) if isinstance(self.event, MessageReceived) else ""

    @property
    def is_news(self) -> bool:
        return not self.event.is_earlier

    @property
    def person(self) -> Named:
        sender = self.event.sender if isinstance(self.event, MessageReceived) else self.event.recipient
        return Named(sender, self.event.key, self.event.at)


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of a thread that is written."""

    id: UUID
    conversation_id: UUID
    seq: int
    direction: str
    stored: Stored
    at: datetime
    sequence: int = 0
    provider_key: str | None = None


@dataclass(frozen=True, slots=True)
class _Update:
    """What a conversation gets: its number, how many new messages of the customer are work, the time of the newest of all, when
    anything was said last, whether we answered elsewhere, and whether all of it is earlier and nobody has to do anything about
    it."""

    conversation_id: UUID
    seq: int
    work: int
    received_at: datetime | None
    sort_at: datetime
    is_answered: bool
    is_past: bool


def read_message(event: MessageReceived | MessageSent) -> Incoming:
    """How a message is kept (`content.py`), with what stands around its content."""
    stored = store(event.content)
    about: dict[str, Any] = {"reply_to": event.reply_to_key, "piece_of": event.piece_of}
    if isinstance(event, MessageSent):
        about["by"] = event.by
    else:
        about |= {"quote": event.quote, "forwarded_from": event.forwarded_from, "from_phone": event.sender.phone}
        if event.referral:
            stored.content["referral"] = {name: clean(value) for name, value in asdict(event.referral).items() if value}
        if event.start_payload is not None:
            stored.content["start"] = clean(event.start_payload)
    stored.content.update({name: clean(value) for name, value in about.items() if value})
    return Incoming(ids.new_id(), event, stored)


async def store_messages(
    runtime: Runtime, unit: UnitOfWork, channel: OpenChannel, messages: Sequence[Incoming]
) -> tuple[list[Link], set[str]]:
    """Store fresh messages with their people and files; addresses of people that were not known to be theirs, and those of people
    who were not known at all."""
    if not messages:
        return [], set()
    found, links = await open_talks(unit, channel, [incoming.person for incoming in messages])
    said: dict[UUID, tuple[Talk, list[Incoming]]] = {}
    for talk, incoming in zip(found, messages, strict=True):
        said.setdefault(talk.conversation_id, (talk, []))[1].append(incoming)
    rows: list[_Row] = []
    updates: list[_Update] = []
    items: list[Item] = []
    presses: list[tuple[Any, ...]] = []
    now = clock.now()
    for talk, received in said.values():
        seq = talk.seq
        own = [incoming for incoming in received if not incoming.joins]
        news = [incoming for incoming in own if incoming.is_news]
        theirs = [incoming.event.at for incoming in own if isinstance(incoming.event, MessageReceived)]
        received_now = sum(isinstance(incoming.event, MessageReceived) for incoming in news)
        work = 0 if talk.is_quiet else received_now
        if work and talk.state != "open":
            seq += 1
            reopened = Stored("text", "", {"event": "reopened"})
            rows.append(_Row(ids.new_id(), talk.conversation_id, seq, "event", reopened, now))
        for incoming in received:
            event, key = incoming.event, clean(incoming.event.key)
            if isinstance(event.content, Media):
                items.append(Item(incoming.id, talk.conversation_id, event.sequence, event.content, key))
            if incoming.joins:
                continue
            seq += 1
            direction = "in" if isinstance(event, MessageReceived) else "out"
            rows.append(_Row(incoming.id, talk.conversation_id, seq, direction, incoming.stored, event.at, event.sequence, key))
            if isinstance(event, MessageReceived) and event.press:
                presses.append((ids.new_id(), incoming.id, talk.conversation_id, seq, clean(event.press)))
        if own:
            # a provider's clock that runs ahead must not pin the row on top
            sort_at = min(max(incoming.event.at for incoming in own), now)
            newest = max(theirs, default=None)
            is_answered, is_past = received_now < len(news), talk.is_new and not news
            updates.append(_Update(talk.conversation_id, seq, work, newest, sort_at, is_answered, is_past))
    await _insert_messages(unit, rows, now)
    await add_items(unit, channel.channel_id, items)
    joined = {incoming.id for incoming in messages if incoming.joins}
    conversation_of = {item.message_id: item.conversation_id for item in items}
    await draw_captions(unit, joined)
    await _redraw(unit, updates)
    await redraw_previews(
        unit, {conversation_of[message_id] for message_id in joined} - {update.conversation_id for update in updates}
    )
    await _answer_presses(unit, channel, presses, now)
    earlier = {incoming.id for incoming in messages if not incoming.is_news}
    for row in rows:
        if row.id not in earlier:
            shown = {"conversation": ids.show("conv", row.conversation_id), "message": ids.show("msg", row.id)}
            note_change(unit, "message", {**shown, "direction": row.direction})
    for conversation_id in sorted({row.conversation_id for row in rows if row.id in earlier}):
        note_change(unit, "conversation", {"conversation": ids.show("conv", conversation_id)})
    note_messages_changed(unit, [(message_id, conversation_of[message_id]) for message_id in joined])
    if items:
        nudge_fetching(runtime, unit, channel.channel_id)
    if presses:
        tenant = unit.tenant
        unit.after_commit(lambda: runtime.queue.nudge_lane(tenant, channel.channel_id, "out"))
    return links, {talk.address for talk in found if talk.is_new}


async def _answer_presses(unit: UnitOfWork, channel: OpenChannel, presses: list[tuple[Any, ...]], now: datetime) -> None:
    """Pressed buttons wait to hear that we heard: parts of the customer's message that leave by the road of everything else."""
    if not presses:
        return
    await unit.sql.execute(
        """
        INSERT INTO message_part (organisation_id, id, message_id, part_no, action, conversation_id, channel_id, message_seq, text,
                                  target_key, priority, state, due_at, tries)
        SELECT $1, id, message_id, 0, 'answer', conversation_id, $2, seq, '', press, $3, 'queued', $4, 0
        FROM unnest($5::uuid[], $6::uuid[], $7::uuid[], $8::bigint[], $9::text[])
             AS row(id, message_id, conversation_id, seq, press)
        """,
        unit.tenant,
        channel.channel_id,
        SERVICE,
        now,
        *(list(column) for column in zip(*presses, strict=True)),
    )


async def _insert_messages(unit: UnitOfWork, rows: list[_Row], now: datetime) -> None:
    if not rows:
        return
    await unit.sql.execute(
        """
        INSERT INTO message (organisation_id, id, conversation_id, seq, direction, kind, text, content, at, sequence, provider_key,
                             arrived_at, state, failure, failure_text)
        SELECT $1, id, conversation_id, seq, direction, kind, text, content::jsonb, at, sequence, provider_key, $12,
               CASE direction WHEN 'out' THEN 'sent' END, '', ''
        FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::timestamptz[],
                    $10::bigint[], $11::text[])
            AS row(id, conversation_id, seq, direction, kind, text, content, at, sequence, provider_key)
        """,
        unit.tenant,
        [row.id for row in rows],
        [row.conversation_id for row in rows],
        [row.seq for row in rows],
        [row.direction for row in rows],
        [row.stored.kind for row in rows],
        [row.stored.text for row in rows],
        [orjson.dumps(row.stored.content).decode() for row in rows],
        [row.at for row in rows],
        [row.sequence for row in rows],
        [row.provider_key for row in rows],
        now,
    )


async def _redraw(unit: UnitOfWork, updates: list[_Update]) -> None:
    """What the list shows: the newest message by the thread's own order, so that an older one that comes late counts but does not
    take its place. Whoever answered elsewhere has read what was there, unless the customer wrote since. A conversation that begins
    with earlier messages alone was finished with the last of them. What is muted or blocked is no new work (`quiet.py`): its state,
    turn and unread count stay."""
    if not updates:
        return
    newest = NEWEST.format(conversation="row.id", preview="$8")
    await unit.sql.execute(
        f"""
        UPDATE conversation AS c SET
            state = CASE WHEN row.work > 0 THEN 'open' WHEN row.is_past THEN 'done' ELSE c.state END,
            done_at = CASE WHEN row.is_past THEN row.sort_at WHEN row.work = 0 THEN c.done_at END,
            snoozed_until = CASE WHEN row.work = 0 THEN c.snoozed_until END,
            turn = CASE WHEN row.is_past OR row.is_answered AND newest.direction = 'out' THEN 'customer'
                        WHEN row.work > 0 THEN 'us' ELSE c.turn END,
            unread = CASE WHEN row.is_answered AND newest.direction = 'out' THEN 0 ELSE c.unread + row.work END,
            last_seq = row.seq,
            due_at = CASE WHEN c.state <> 'done' OR row.work = 0 THEN c.due_at END,
            due_from = CASE WHEN c.state <> 'done' OR row.work = 0 THEN c.due_from END,
            overdue = c.overdue AND (c.state <> 'done' OR row.work = 0),
            last_text = newest.preview, last_kind = newest.kind, last_direction = newest.direction,
            last_inbound_at = GREATEST(c.last_inbound_at, row.received_at), sort_at = GREATEST(c.sort_at, row.sort_at)
        FROM unnest($2::uuid[], $3::bigint[], $4::int[], $5::timestamptz[], $6::timestamptz[], $7::bool[], $9::bool[])
            AS row(id, seq, work, received_at, sort_at, is_answered, is_past)
        CROSS JOIN LATERAL ({newest}) AS newest
        WHERE c.organisation_id = $1 AND c.id = row.id
        """,
        unit.tenant,
        [update.conversation_id for update in updates],
        [update.seq for update in updates],
        [update.work for update in updates],
        [update.received_at for update in updates],
        [update.sort_at for update in updates],
        [update.is_answered for update in updates],
        PREVIEW,
        [update.is_past for update in updates],
    )


async def write_event(unit: UnitOfWork, conversation_id: UUID, content: dict[str, Any]) -> None:
    """A line about the conversation itself, which nobody of us set off."""
    message_id, now = ids.new_id(), clock.now()
    await unit.sql.execute(
        """
        WITH counted AS (
            UPDATE conversation SET last_seq = last_seq + 1 WHERE organisation_id = $1 AND id = $2 RETURNING last_seq
        )
        INSERT INTO message (organisation_id, id, conversation_id, seq, direction, kind, text, content, at, sequence, arrived_at,
                             failure, failure_text)
        SELECT $1, $3, $2, last_seq, 'event', 'text', '', $4::jsonb, $5, 0, $5, '', '' FROM counted
        """,
        unit.tenant,
        conversation_id,
        message_id,
        orjson.dumps(content).decode(),
        now,
    )
    shown = {"conversation": ids.show("conv", conversation_id), "message": ids.show("msg", message_id)}
    note_change(unit, "message", {**shown, "direction": "event"})
