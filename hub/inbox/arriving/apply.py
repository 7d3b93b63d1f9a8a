"""Apply the events of one batch: a fixed number of set-based statements, however many events.

    1  address locks           consent and windows change under them, before any row
    2  provider keys           what was seen before ends here (I2)
    3  people and messages     `people.py`, `storing.py`
    4  effects                 statuses, edits, deletions, reactions; parked when their message is not known yet (I3)
    5  reports                 what a provider says about a person, the account or its templates (`reports.py`)
    6  consent                 provider signals, opt-out words and addresses of one person, into the ledger

Times that order things are the provider's; nothing relies on the order of draining.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from hub.channels.accounts import OpenChannel
from hub.connectors.events import (
    ConsentChanged,
    Event,
    IdentityChanged,
    Interactive,
    Media,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessageSent,
    PersonNamed,
    ReactionChanged,
    StatusChanged,
    Text,
    Typing,
    Unrecognised,
)
from hub.consent import locks
from hub.consent.agreeing import hearing
from hub.consent.agreeing.hearing import Said, Vocabulary, Wish
from hub.consent.books import aliases, ledger
from hub.consent.books.chain import Change
from hub.consent.books.states import Kind
from hub.consent.locks import Key
from hub.core.db import UnitOfWork
from hub.inbox.arriving.effects import Effect, apply_effects
from hub.inbox.arriving.people import Link, names_of
from hub.inbox.arriving.replays import find_replays
from hub.inbox.arriving.reports import apply_reports, whisper_typing
from hub.inbox.arriving.storing import Incoming, read_message, store_messages
from hub.inbox.content import clean, store
from hub.inbox.persons import quiet
from hub.inbox.stored.attachments import tell
from hub.runtime import Runtime

SIGNALS: Final[dict[str, Kind]] = {
    "blocked": "blocked",
    "unblocked": "unblocked",
    "opted_out": "opt_out",
    "opted_in": "opted_in",
    "marketing_stopped": "marketing_stopped",
    "marketing_resumed": "marketing_resumed",
}
"""What a provider's word about a person's wish (`ConsentChanged.change`) is called in the ledger."""


@dataclass(slots=True)
class Delivery:
    """One raw delivery on its way through a batch. `state` and `why` are what becomes of it."""

    id: UUID
    received_at: datetime
    headers: dict[str, str]
    body: bytes
    events: Sequence[Event] = ()
    state: str = "applied"
    why: str = ""
    identity_keys: list[str] = field(default_factory=list)
    message_ids: list[UUID] = field(default_factory=list)
    """Messages that it brought; for the log."""
    peer: str = ""
    """Whose key it was read with (`peers.py`)."""


async def apply_events(runtime: Runtime, unit: UnitOfWork, channel: OpenChannel, deliveries: Sequence[Delivery]) -> None:
    """Apply every event of these deliveries, each once. Marks on each delivery whom it speaks of."""
    events: list[Event] = []
    for delivery in deliveries:
        events += [event for event in delivery.events if not isinstance(event, Unrecognised | Typing)]
        delivery.identity_keys = sorted({name for event in delivery.events for name in (*_named(event), *_spoken_of(event))})
    await whisper_typing(
        runtime, unit, channel, [one for delivery in deliveries for one in delivery.events if isinstance(one, Typing)]
    )
    if not events:
        return
    vocabulary = await hearing.load_vocabulary(unit, channel.channel_id)
    await locks.lock_addresses(unit, await _touched(unit, channel, vocabulary, events))
    fresh = await _fresh(unit, channel, events)
    messages = [incoming for incoming in fresh if isinstance(incoming, Incoming)]
    others = [event for event in fresh if not isinstance(event, Incoming)]
    links, strangers = await store_messages(runtime, unit, channel, messages)
    effects = [effect for event in others if (effect := _effect(event))]
    await apply_effects(runtime, unit, channel, effects, new_keys=[incoming.event.key for incoming in messages])
    links += await apply_reports(runtime, unit, channel, others)
    if strangers:
        met = {consent_key(channel, address) for address in strangers}
        await ledger.record(unit, runtime.vault, runtime.hooks, [], met=met)
        await quiet.bar_strangers(unit, met)
    await _record_consent(runtime, unit, channel, vocabulary, links, messages, others)
    written = {incoming.event.key: incoming.id for incoming in messages}
    for delivery in deliveries:
        delivery.message_ids = [written[event.key] for event in delivery.events if event.key in written]


def _named(event: Event) -> list[str]:
    """Addresses of the person an event names."""
    match event:
        case MessageReceived() | ConsentChanged() | PersonNamed() | Typing():
            return names_of(event.sender)
        case MessageSent():
            return names_of(event.recipient)
        case IdentityChanged():
            return names_of(event.sender) + names_of(event.now)
        case _:
            return []


def _spoken_of(event: Event) -> list[str]:
    """The key of the message that an event speaks of: by it an erasure finds a delivery that names nobody."""
    match event:
        case MessageEdited() | StatusChanged() | MessageDeleted() | ReactionChanged():
            return [clean(event.target_key)]
        case _:
            return []


async def _touched(unit: UnitOfWork, channel: OpenChannel, vocabulary: Vocabulary, events: Sequence[Event]) -> set[Key]:
    """Addresses whose consent or window these events may change, with all addresses of whoever says something about consent."""
    keys = {consent_key(channel, name) for event in events for name in _named(event)}
    asked = {
        consent_key(channel, name)
        for event in events
        if isinstance(event, ConsentChanged | IdentityChanged) or (isinstance(event, MessageReceived) and _wish(vocabulary, event))
        for name in _named(event)
    }
    return keys.union(*(await aliases.families(unit, asked)).values())


def consent_key(channel: OpenChannel, address: str) -> Key:
    """What consent of this address is keyed by."""
    return (channel.connector.connector, channel.scope, address)


async def _fresh(unit: UnitOfWork, channel: OpenChannel, events: list[Event]) -> list[Any]:
    """Keep what was not seen before: the key goes in first, and only its first writer goes on."""
    nonces = {clean(event.key): event.nonce for event in events if isinstance(event, MessageReceived) and event.nonce}
    replays = await find_replays(unit, channel.channel_id, nonces)
    by_key: dict[str, Any] = {}
    for event in events:
        key = clean(event.key)
        if key not in by_key and key not in replays:
            by_key[key] = read_message(event) if isinstance(event, MessageReceived | MessageSent) else event
    await _join_albums(unit, channel, [item for item in by_key.values() if isinstance(item, Incoming)])
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
        [item.id if isinstance(item, Incoming) else None for item in by_key.values()],
    )
    fresh = {row["key"] for row in rows}
    return [item for key, item in by_key.items() if key in fresh]


async def _join_albums(unit: UnitOfWork, channel: OpenChannel, incoming: list[Incoming]) -> None:
    """Items of one album are one message, in whatever order and however far apart they come: the first one's. The album has a key
    of its own by which the others find it."""
    first: dict[str, Incoming] = {}
    for one in incoming:
        if one.album:
            first.setdefault(one.album, one)
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
        if one.album and one.id != message_of[one.album]:
            one.id, one.joins = message_of[one.album], True


def _effect(event: Event) -> Effect | None:
    """What an event does to a message that exists already."""
    match event:
        case MessageEdited():
            stored = store(event.content)
            edit: dict[str, Any] = {"key": clean(event.key), "text": stored.text, "kind": stored.kind, "content": stored.content}
            if isinstance(event.content, Media):
                edit["file"] = tell(event.content)
            return Effect("edit", clean(event.target_key), event.at, edit)
        case StatusChanged():
            told: dict[str, Any] = {"code": clean(event.provider_code), "text": clean(event.provider_text)}
            if event.price:
                price = event.price
                told["price"] = {"category": clean(price.category), "model": clean(price.model), "is_billable": price.is_billable}
            return Effect("status", clean(event.target_key), event.at, {"status": event.status, **told})
        case MessageDeleted():
            return Effect("delete", clean(event.target_key), event.at, {})
        case ReactionChanged():
            return Effect("reaction", clean(event.target_key), event.at, {"emoji": clean(event.emoji)})
        case _:
            return None


async def _record_consent(
    runtime: Runtime,
    unit: UnitOfWork,
    channel: OpenChannel,
    vocabulary: Vocabulary,
    links: list[Link],
    messages: list[Incoming],
    others: list[Event],
) -> None:
    """Which addresses are one person's, what messages say about consent, and what the provider itself reports."""
    changes = linked(channel, links)
    for change in others:
        if isinstance(change, ConsentChanged):
            evidence = {"source": "provider", "key": clean(change.key), "change": change.change}
            if change.text:
                evidence["text"] = clean(change.text)
            key = consent_key(channel, clean(change.sender.provider_user_id))
            signal = Change(*key, SIGNALS[change.change], change.at, evidence)
            changes.append(signal)
            if signal.kind == "opted_in":
                changes += hearing.subscribed(vocabulary, signal)
    said = []
    for incoming in messages:
        event = incoming.event
        if isinstance(event, MessageReceived) and (wish := _wish(vocabulary, event)):
            key, spoken = consent_key(channel, clean(event.sender.provider_user_id)), clean(event.sender.language)
            said.append(Said(key, wish, event.at, incoming.id, _words(event), spoken))
    if changes or said:
        await hearing.hear(runtime, unit, channel.channel_id, vocabulary, said, changes)


def linked(channel: OpenChannel, links: Sequence[Link]) -> list[Change]:
    """What the ledger is told of addresses that are one person's, at both of them."""
    return [
        Change(*consent_key(channel, address), "linked", link.at, {"source": "provider", "key": link.key}, other)
        for link in links
        for address, other in ((link.address, link.other), (link.other, link.address))
    ]


def _wish(vocabulary: Vocabulary, event: MessageReceived) -> Wish | None:
    """What a message says about consent, if anything."""
    payload = None if event.start_payload is None else clean(event.start_payload)
    return hearing.understand(vocabulary, _words(event), payload)


def _words(event: MessageReceived) -> str:
    """What a message says in words; a pressed answer says its own."""
    match event.content:
        case Text():
            return clean(event.content.text)
        case Interactive():
            return clean(event.content.label)
        case _:
            return ""
