"""Apply the events of one batch: a fixed number of set-based statements, however many events.

    1  address locks           consent and windows change under them, before any row
    2  provider keys           what was seen before ends here (I2)
    3  people                  identity, contact, conversation, in this order, never doubled
    4  messages                numbered under the conversation's lock, with their files; an item of an album joins its message; the
                               conversation is reopened and drawn anew
    5  effects                 statuses and edits; parked when their message is not known yet (I3)
    6  consent                 provider signals and opt-out words, into the ledger

Times that order things are the provider's; nothing relies on the order of draining.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from hub.channels.accounts import OpenChannel
from hub.connectors.events import (
    ConsentChanged,
    Event,
    Media,
    MessageEdited,
    MessageReceived,
    Sender,
    StatusChanged,
    Unrecognised,
)
from hub.consent import ledger, locks, words
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.feed import note_change
from hub.inbox.attachments import Item, add_items, draw_captions, nudge_fetching, tell
from hub.inbox.content import Stored, clean, store
from hub.inbox.effects import Effect, apply_effects, note_messages_changed
from hub.inbox.models import SERVICE
from hub.inbox.preview import NEWEST, PREVIEW, redraw_previews
from hub.inbox.replays import find_replays
from hub.runtime import Runtime

SIGNALS: Final[dict[str, ledger.Kind]] = {
    "blocked": "blocked",
    "unblocked": "unblocked",
    "opted_out": "opt_out",
    "marketing_stopped": "opt_out",
}
"""What a provider's word about a person's wish does in the ledger. An opt-out leaves answers free, as a stop of marketing does."""


@dataclass(slots=True)
class Delivery:
    """One raw delivery on its way through a batch. `state` and `why` are what becomes of it."""

    id: UUID
    received_at: datetime
    body: bytes
    events: Sequence[Event] = ()
    state: str = "applied"
    why: str = ""
    identity_keys: list[str] = field(default_factory=list)
    message_ids: list[UUID] = field(default_factory=list)
    """Messages that it brought; for the log."""


@dataclass(slots=True)
class _Talk:
    """One person's conversation while a batch is applied."""

    sender: Sender
    identity_id: UUID
    contact_id: UUID
    conversation_id: UUID
    is_new: bool
    state: str = "open"
    seq: int = 0
    received: list["_Incoming"] = field(default_factory=list)


@dataclass(slots=True)
class _Incoming:
    """A fresh message with the id it gets. `joins`: an item of an album whose message exists already; `id` is that message."""

    id: UUID
    event: MessageReceived
    stored: Stored
    joins: bool = False


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


async def apply_events(runtime: Runtime, unit: UnitOfWork, channel: OpenChannel, deliveries: Sequence[Delivery]) -> None:
    """Apply every event of these deliveries, each once. Marks on each delivery whom it speaks of."""
    events: list[Event] = []
    for delivery in deliveries:
        events += [event for event in delivery.events if not isinstance(event, Unrecognised)]
        delivery.identity_keys = sorted({address for event in delivery.events if (address := _address(event))})
    if not events:
        return
    await locks.lock_addresses(
        unit, [(channel.connector.connector, channel.scope, address) for event in events if (address := _address(event))]
    )
    fresh = await _fresh(unit, channel, events)
    messages = [incoming for incoming in fresh if isinstance(incoming, _Incoming)]
    others = [event for event in fresh if not isinstance(event, _Incoming)]
    await _store_messages(runtime, unit, channel, messages)
    effects = [effect for event in others if (effect := _effect(event))]
    await apply_effects(runtime, unit, channel.channel_id, effects, new_keys=[incoming.event.key for incoming in messages])
    await _record_consent(runtime, unit, channel, messages, others)
    written = {incoming.event.key: incoming.id for incoming in messages}
    for delivery in deliveries:
        delivery.message_ids = [written[event.key] for event in delivery.events if event.key in written]


def _address(event: Event) -> str:
    return clean(event.sender.provider_user_id) if isinstance(event, MessageReceived | ConsentChanged) else ""


async def _fresh(unit: UnitOfWork, channel: OpenChannel, events: list[Event]) -> list[Any]:
    """Keep what was not seen before: the key goes in first, and only its first writer goes on."""
    nonces = {clean(event.key): event.nonce for event in events if isinstance(event, MessageReceived) and event.nonce}
    replays = await find_replays(unit, channel.channel_id, nonces)
    by_key: dict[str, Any] = {}
    for event in events:
        key = clean(event.key)
        if key not in by_key and key not in replays:
            by_key[key] = _incoming(event) if isinstance(event, MessageReceived) else event
    await _join_albums(unit, channel, [item for item in by_key.values() if isinstance(item, _Incoming)])
    rows = await unit.sql.fetch(
        """
        INSERT INTO provider_key (organisation_id, channel_id, key, message_id, part_no)
        SELECT $1, $2, row.key, row.message_id, CASE WHEN row.message_id IS NULL THEN NULL ELSE 0 END
        FROM unnest($3::text[], $4::uuid[]) AS row(key, message_id)
        ON CONFLICT DO NOTHING RETURNING key
        """,
        unit.tenant,
        channel.channel_id,
        list(by_key),
        [item.id if isinstance(item, _Incoming) else None for item in by_key.values()],
    )
    fresh = {row["key"] for row in rows}
    return [item for key, item in by_key.items() if key in fresh]


def _incoming(event: MessageReceived) -> _Incoming:
    stored = store(event.content)
    about = {"reply_to": event.reply_to_key, "quote": event.quote, "forwarded_from": event.forwarded_from}
    stored.content.update({name: clean(value) for name, value in about.items() if value})
    if event.start_payload is not None:
        stored.content["start"] = clean(event.start_payload)
    return _Incoming(ids.new_id(), event, stored)


async def _join_albums(unit: UnitOfWork, channel: OpenChannel, incoming: list[_Incoming]) -> None:
    """Items of one album are one message, in whatever order and however far apart they come: the first one's. The album has a key
    of its own by which the others find it."""
    first: dict[str, _Incoming] = {}
    for one in incoming:
        if one.event.album:
            first.setdefault(clean(one.event.album), one)
    if not first:
        return
    await unit.sql.execute(
        """
        INSERT INTO provider_key (organisation_id, channel_id, key, message_id, part_no)
        SELECT $1, $2, row.key, row.message_id, 0 FROM unnest($3::text[], $4::uuid[]) AS row(key, message_id)
        ON CONFLICT DO NOTHING
        """,
        unit.tenant,
        channel.channel_id,
        list(first),
        [one.id for one in first.values()],
    )
    rows = await unit.sql.fetch(
        "SELECT key, message_id FROM provider_key WHERE organisation_id = $1 AND channel_id = $2 AND key = ANY($3::text[])",
        unit.tenant,
        channel.channel_id,
        list(first),
    )
    message_of = {row["key"]: row["message_id"] for row in rows}
    for one in incoming:
        if one.event.album and one.id != message_of[clean(one.event.album)]:
            one.id, one.joins = message_of[clean(one.event.album)], True


async def _store_messages(runtime: Runtime, unit: UnitOfWork, channel: OpenChannel, messages: list[_Incoming]) -> None:
    """Store fresh messages with their people and files, in as many statements for 200 as for one."""
    if not messages:
        return
    by_person: dict[str, list[_Incoming]] = defaultdict(list)
    for incoming in messages:
        by_person[clean(incoming.event.sender.provider_user_id)].append(incoming)
    talks = await _people(unit, channel, by_person)
    rows: list[_Row] = []
    updates: list[tuple[Any, ...]] = []
    items: list[Item] = []
    presses: list[tuple[Any, ...]] = []
    now = clock.now()
    for talk in talks:
        seq = talk.seq
        own = [incoming for incoming in talk.received if not incoming.joins]
        if own and talk.state != "open":
            seq += 1
            reopened = Stored("text", "", {"event": "reopened"})
            rows.append(_Row(ids.new_id(), talk.conversation_id, seq, "event", reopened, now))
        for incoming in talk.received:
            event = incoming.event
            if isinstance(event.content, Media):
                items.append(Item(incoming.id, talk.conversation_id, event.sequence, event.content, clean(event.key)))
            if incoming.joins:
                continue
            seq += 1
            key = clean(event.key)
            rows.append(_Row(incoming.id, talk.conversation_id, seq, "in", incoming.stored, event.at, event.sequence, key))
            if event.press:
                presses.append((ids.new_id(), incoming.id, talk.conversation_id, seq, clean(event.press)))
        if own:
            newest_at = max(incoming.event.at for incoming in own)
            # a provider's clock that runs ahead must not pin the row on top
            updates.append((talk.conversation_id, seq, len(own), newest_at, min(newest_at, now)))
    await _insert_messages(unit, rows, now)
    await add_items(unit, channel.channel_id, items)
    joined = {incoming.id for incoming in messages if incoming.joins}
    conversation_of = {item.message_id: item.conversation_id for item in items}
    await draw_captions(unit, joined)
    await _redraw(unit, updates)
    await redraw_previews(unit, {conversation_of[message_id] for message_id in joined} - {update[0] for update in updates})
    await _answer_presses(unit, channel, presses, now)
    for row in rows:
        note_change(
            unit,
            "message",
            {
                "conversation": ids.show("conv", row.conversation_id),
                "message": ids.show("msg", row.id),
                "direction": row.direction,
            },
        )
    note_messages_changed(unit, [(message_id, conversation_of[message_id]) for message_id in joined])
    if items:
        nudge_fetching(runtime, unit, channel.channel_id)
    if presses:
        tenant = unit.tenant
        unit.after_commit(lambda: runtime.queue.nudge_lane(tenant, channel.channel_id, "out"))


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


async def _people(unit: UnitOfWork, channel: OpenChannel, by_person: dict[str, list[_Incoming]]) -> list[_Talk]:
    """Everybody's conversation, locked in the order of ids; unknown people get identity, contact and conversation."""
    addresses = list(by_person)
    known = await unit.sql.fetch(
        """
        SELECT i.provider_user_id, i.id AS identity_id, i.contact_id, c.id AS conversation_id, c.state, c.last_seq
        FROM unnest($3::text[]) AS asked(address)
        JOIN identity i ON i.organisation_id = $1 AND i.channel_id = $2 AND i.provider_user_id = asked.address
        JOIN conversation c ON c.organisation_id = i.organisation_id AND c.identity_id = i.id
        ORDER BY c.id FOR UPDATE OF c
        """,
        unit.tenant,
        channel.channel_id,
        addresses,
    )
    talks: dict[str, _Talk] = {}
    for row in known:
        received = by_person[row["provider_user_id"]]
        talks[row["provider_user_id"]] = _Talk(
            sender=received[-1].event.sender,
            identity_id=row["identity_id"],
            contact_id=row["contact_id"],
            conversation_id=row["conversation_id"],
            is_new=False,
            state=row["state"],
            seq=row["last_seq"],
            received=received,
        )
    for address, received in by_person.items():
        if address not in talks:
            sender = received[-1].event.sender
            talks[address] = _Talk(sender, ids.new_id(), ids.new_id(), ids.new_id(), True, received=received)
    new = [(address, talk) for address, talk in talks.items() if talk.is_new]
    if new:
        await _insert_people(unit, channel, new)
    return list(talks.values())


async def _insert_people(unit: UnitOfWork, channel: OpenChannel, new: list[tuple[str, _Talk]]) -> None:
    now = clock.now()
    names = [clean(talk.sender.display_name or talk.sender.username or address) for address, talk in new]
    await unit.sql.execute(
        """
        WITH row AS (
            SELECT * FROM unnest($3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[])
                AS row(address, identity_id, contact_id, conversation_id, name, username, language)
        ), identities AS (
            INSERT INTO identity (organisation_id, id, channel_id, provider_user_id, contact_id, display_name, username, language,
                                  created_at)
            SELECT $1, identity_id, $2, address, contact_id, name, username, language, $10 FROM row
        ), contacts AS (
            INSERT INTO contact (organisation_id, id, name, language, created_at)
            SELECT $1, contact_id, name, language, $10 FROM row
        )
        INSERT INTO conversation (organisation_id, id, identity_id, channel_id, contact_id, state, turn, last_seq, unread,
                                  last_text, last_direction, last_kind, sort_at, created_at)
        SELECT $1, conversation_id, identity_id, $2, contact_id, 'open', 'us', 0, 0, '', 'in', 'text', $11, $10 FROM row
        """,
        unit.tenant,
        channel.channel_id,
        [address for address, _ in new],
        [talk.identity_id for _, talk in new],
        [talk.contact_id for _, talk in new],
        [talk.conversation_id for _, talk in new],
        names,
        [clean(talk.sender.username) for _, talk in new],
        [clean(talk.sender.language) for _, talk in new],
        now,
        datetime.fromtimestamp(0, now.tzinfo),
    )


async def _insert_messages(unit: UnitOfWork, rows: list[_Row], now: datetime) -> None:
    if not rows:
        return
    await unit.sql.execute(
        """
        INSERT INTO message (organisation_id, id, conversation_id, seq, direction, kind, text, content, at, sequence, provider_key,
                             arrived_at, failure, failure_text)
        SELECT $1, id, conversation_id, seq, direction, kind, text, content::jsonb, at, sequence, provider_key, $12, '', ''
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


async def _redraw(unit: UnitOfWork, updates: list[tuple[Any, ...]]) -> None:
    """What the list shows: the newest message by the thread's own order, so that an older one that comes late counts but does not
    take its place."""
    if not updates:
        return
    newest = NEWEST.format(conversation="row.id", preview="$7")
    await unit.sql.execute(
        f"""
        UPDATE conversation AS c SET
            state = 'open', done_at = NULL, snoozed_until = NULL, turn = 'us', last_seq = row.seq, unread = c.unread + row.received,
            due_at = CASE WHEN c.state <> 'done' THEN c.due_at END, due_from = CASE WHEN c.state <> 'done' THEN c.due_from END,
            overdue = c.overdue AND c.state <> 'done',
            last_text = newest.preview, last_kind = newest.kind, last_direction = newest.direction,
            last_inbound_at = GREATEST(c.last_inbound_at, row.at), sort_at = GREATEST(c.sort_at, row.sort_at)
        FROM unnest($2::uuid[], $3::bigint[], $4::int[], $5::timestamptz[], $6::timestamptz[])
            AS row(id, seq, received, at, sort_at)
        CROSS JOIN LATERAL ({newest}) AS newest
        WHERE c.organisation_id = $1 AND c.id = row.id
        """,
        unit.tenant,
        *(list(column) for column in zip(*updates, strict=True)),
        PREVIEW,
    )


def _effect(event: Event) -> Effect | None:
    """What an event does to a message that exists already."""
    if isinstance(event, MessageEdited):
        stored = store(event.content)
        edit: dict[str, Any] = {"text": stored.text, "kind": stored.kind, "content": stored.content}
        if isinstance(event.content, Media):
            edit["file"] = tell(event.content)
        return Effect("edit", clean(event.target_key), event.at, edit)
    if isinstance(event, StatusChanged):
        told = {"code": clean(event.provider_code), "text": clean(event.provider_text)}
        return Effect("status", clean(event.target_key), event.at, {"status": event.status, **told})
    return None


async def _record_consent(
    runtime: Runtime, unit: UnitOfWork, channel: OpenChannel, messages: list[_Incoming], others: list[Event]
) -> None:
    """Opt-out words and fresh starts in messages, and what the provider itself reports."""
    changes = []
    for incoming in messages:
        event = incoming.event
        kind = _said(incoming)
        if kind is not None:
            evidence = {"source": "message", "message_id": str(incoming.id), "text": incoming.stored.text}
            changes.append(_change(channel, event.sender, kind, event.at, evidence))
    for other in others:
        if isinstance(other, ConsentChanged) and (kind := SIGNALS.get(other.change)):
            evidence = {"source": "provider", "key": clean(other.key)}
            changes.append(_change(channel, other.sender, kind, other.at, evidence))
    if changes:
        await ledger.record(unit, runtime.vault, runtime.hooks, changes)


def _said(incoming: _Incoming) -> ledger.Kind | None:
    """What a message says about consent, if anything."""
    if incoming.event.start_payload is not None:
        return "restart"
    return "opt_out" if incoming.stored.kind == "text" and words.is_opt_out(incoming.stored.text) else None


def _change(channel: OpenChannel, sender: Sender, kind: ledger.Kind, at: datetime, evidence: dict[str, str]) -> ledger.Change:
    address = clean(sender.provider_user_id)
    return ledger.Change(channel.connector.connector, channel.scope, address, kind, at, evidence)
