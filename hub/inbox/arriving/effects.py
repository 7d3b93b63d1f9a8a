"""Statuses, edits, deletions and reactions: what a later event does to a message that exists already (I3).

An effect for a key nobody knows yet is parked in `pending_effect` and applied when the key appears: a receipt may overtake the
answer to the request it speaks of. The key of an edit becomes another name of its message: later ones may name either (Signal).
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.channels.accounts import OpenChannel
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.feed import note_change
from hub.inbox.arriving.erasing import erase_messages
from hub.inbox.page.preview import redraw_previews
from hub.inbox.sending.status import draw_messages, furthest, lock_messages
from hub.inbox.stored.attachments import ItemChange, change_item, draw_captions, nudge_fetching
from hub.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Effect:
    """`kind` status, edit, delete or reaction; `content` as stored in `pending_effect`, of an edit with its own `key`."""

    kind: str
    target_key: str
    at: datetime
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Target:
    """What a key stands for: a message, which of its parts, and the key that the provider named first."""

    message_id: UUID
    part_no: int
    key: str


async def apply_effects(
    runtime: Runtime, unit: UnitOfWork, channel: OpenChannel, effects: list[Effect], *, new_keys: list[str]
) -> None:
    """Apply effects, and those parked earlier for keys that have appeared just now."""
    channel_id = channel.channel_id
    effects = effects + await _unpark(unit, channel_id, new_keys)
    if not effects:
        return
    found = await _find(unit, channel_id, effects)
    statuses: dict[tuple[UUID, int], list[Effect]] = defaultdict(list)
    edits: dict[tuple[UUID, str], Effect] = {}
    deletions: dict[UUID, Effect] = {}
    reactions: dict[UUID, Effect] = {}
    for effect, target in sorted(found, key=lambda pair: pair[0].at):
        match effect.kind:
            case "status":
                statuses[target.message_id, target.part_no].append(effect)
            case "edit":
                edits[target.message_id, target.key] = effect
            case "delete":
                deletions[target.message_id] = effect
            case "reaction":
                reactions[target.message_id] = effect
    await lock_messages(unit, {target.message_id for _, target in found})
    if statuses:
        await _apply_statuses(unit, statuses)
    if edits:
        await _apply_edits(runtime, unit, channel_id, edits)
    if reactions:
        await _apply_reactions(unit, reactions)
    if deletions:
        await _apply_deletions(runtime, unit, channel, deletions)


async def _find(unit: UnitOfWork, channel_id: UUID, effects: Sequence[Effect]) -> list[tuple[Effect, _Target]]:
    """Which message each effect is about; the others are parked. An edit that is found gives its message another name, under which
    more may be found, of these and of those that were parked: a chain of edits ends in one message in whatever order they come."""
    found: list[tuple[Effect, _Target]] = []
    waiting = list(effects)
    while waiting:
        targets = await _targets(unit, channel_id, {effect.target_key for effect in waiting})
        known = [(effect, targets[effect.target_key]) for effect in waiting if effect.target_key in targets]
        waiting = [effect for effect in waiting if effect.target_key not in targets]
        found += known
        names = {effect.content["key"]: target for effect, target in known if "key" in effect.content}
        if not names:
            break
        await _name(unit, channel_id, names)
        waiting += await _unpark(unit, channel_id, list(names))
    await _park(unit, channel_id, waiting)
    return found


async def _targets(unit: UnitOfWork, channel_id: UUID, keys: set[str]) -> dict[str, _Target]:
    """The messages that these keys stand for, as far as they are known."""
    rows = await unit.sql.fetch(
        """
        SELECT key, message_id, part_no, COALESCE(alias_of, key) AS first FROM provider_key
        WHERE organisation_id = $1 AND channel_id = $2 AND key = ANY($3::text[]) AND message_id IS NOT NULL
        """,
        unit.tenant,
        channel_id,
        list(keys),
    )
    return {row["key"]: _Target(row["message_id"], row["part_no"], row["first"]) for row in rows}


async def _name(unit: UnitOfWork, channel_id: UUID, names: dict[str, _Target]) -> None:
    """Keys of edits, which are known as seen, stand for the edited message from now on."""
    await unit.sql.execute(
        """
        UPDATE provider_key AS k SET message_id = row.message_id, part_no = row.part_no, alias_of = row.first
        FROM unnest($3::text[], $4::uuid[], $5::int[], $6::text[]) AS row(key, message_id, part_no, first)
        WHERE k.organisation_id = $1 AND k.channel_id = $2 AND k.key = row.key AND k.message_id IS NULL
        """,
        unit.tenant,
        channel_id,
        list(names),
        [target.message_id for target in names.values()],
        [target.part_no for target in names.values()],
        [target.key for target in names.values()],
    )


async def _unpark(unit: UnitOfWork, channel_id: UUID, keys: list[str]) -> list[Effect]:
    if not keys:
        return []
    rows = await unit.sql.fetch(
        """
        DELETE FROM pending_effect WHERE organisation_id = $1 AND channel_id = $2 AND target_key = ANY($3::text[])
        RETURNING kind, target_key, at, content
        """,
        unit.tenant,
        channel_id,
        keys,
    )
    return [Effect(row["kind"], row["target_key"], row["at"], row["content"]) for row in rows]


async def _park(unit: UnitOfWork, channel_id: UUID, effects: list[Effect]) -> None:
    if not effects:
        return
    await unit.sql.execute(
        """
        INSERT INTO pending_effect (organisation_id, id, channel_id, target_key, kind, at, content, created_at)
        SELECT $1, id, $2, target_key, kind, at, content::jsonb, $3
        FROM unnest($4::uuid[], $5::text[], $6::text[], $7::timestamptz[], $8::text[]) AS row(id, target_key, kind, at, content)
        """,
        unit.tenant,
        channel_id,
        clock.now(),
        [ids.new_id() for _ in effects],
        [effect.target_key for effect in effects],
        [effect.kind for effect in effects],
        [effect.at for effect in effects],
        [json.dumps(effect.content) for effect in effects],
    )


async def _apply_statuses(unit: UnitOfWork, statuses: dict[tuple[UUID, int], list[Effect]]) -> None:
    await _keep_prices(unit, statuses)
    message_ids = sorted({message_id for message_id, _ in statuses})
    rows = await unit.sql.fetch(
        "SELECT id, message_id, part_no, state FROM message_part WHERE organisation_id = $1 AND message_id = ANY($2::uuid[])",
        unit.tenant,
        message_ids,
    )
    with_parts = {row["message_id"] for row in rows}
    await _apply_to_echoes(unit, {place: found for place, found in statuses.items() if place[0] not in with_parts})
    changed: list[tuple[UUID, str]] = []
    for row in rows:
        state = row["state"]
        for effect in statuses.get((row["message_id"], row["part_no"]), ()):
            state = furthest(state, effect.content["status"])
        if state != row["state"]:
            changed.append((row["id"], state))
    if not changed:
        return
    await unit.sql.execute(
        """
        UPDATE message_part AS p SET state = row.state FROM unnest($2::uuid[], $3::text[]) AS row(id, state)
        WHERE p.organisation_id = $1 AND p.id = row.id
        """,
        unit.tenant,
        [part_id for part_id, _ in changed],
        [state for _, state in changed],
    )
    failures = {
        message_id: effect
        for (message_id, _), reported in statuses.items()
        for effect in reported
        if effect.content["status"] == "failed"
    }
    if failures:
        await unit.sql.execute(
            """
            UPDATE message AS m SET failure = 'rejected', failure_text = row.text
            FROM unnest($2::uuid[], $3::text[]) AS row(id, text) WHERE m.organisation_id = $1 AND m.id = row.id
            """,
            unit.tenant,
            list(failures),
            [f"{effect.content['code']} {effect.content['text']}".strip() for effect in failures.values()],
        )
    note_messages_changed(unit, await draw_messages(unit, message_ids))


async def _apply_to_echoes(unit: UnitOfWork, statuses: dict[tuple[UUID, int], list[Effect]]) -> None:
    """Messages of ours that were written elsewhere have no parts: they have a state of their own."""
    if not statuses:
        return
    echoes = await unit.sql.fetch(
        "SELECT id, conversation_id, state FROM message WHERE organisation_id = $1 AND id = ANY($2::uuid[]) AND direction = 'out'",
        unit.tenant,
        list({message_id for message_id, _ in statuses}),
    )
    states = {row["id"]: row["state"] for row in echoes}
    for (message_id, _), reported in statuses.items():
        for effect in reported:
            if message_id in states:
                states[message_id] = furthest(states[message_id], effect.content["status"])
    changed = [row for row in echoes if states[row["id"]] != row["state"]]
    await unit.sql.execute(
        """
        UPDATE message AS m SET state = row.state FROM unnest($2::uuid[], $3::text[]) AS row(id, state)
        WHERE m.organisation_id = $1 AND m.id = row.id
        """,
        unit.tenant,
        [row["id"] for row in changed],
        [states[row["id"]] for row in changed],
    )
    note_messages_changed(unit, [(row["id"], row["conversation_id"]) for row in changed])


async def _keep_prices(unit: UnitOfWork, statuses: dict[tuple[UUID, int], list[Effect]]) -> None:
    """What the provider says that a part costs: its last word."""
    prices = {
        part: effect.content["price"] for part, reported in statuses.items() for effect in reported if "price" in effect.content
    }
    if not prices:
        return
    await unit.sql.execute(
        """
        UPDATE message_part AS p SET price = row.price::jsonb
        FROM unnest($2::uuid[], $3::int[], $4::text[]) AS row(message_id, part_no, price)
        WHERE p.organisation_id = $1 AND p.message_id = row.message_id AND p.part_no = row.part_no
        """,
        unit.tenant,
        [message_id for message_id, _ in prices],
        [part_no for _, part_no in prices],
        [json.dumps(price) for price in prices.values()],
    )


CONTENT_KEYS = [
    "spans", "media", "latitude", "longitude", "address", "is_live", "accuracy", "phone", "is_sender", "option", "options", "kind",
    "sheet", "said", "details", "url",
]  # fmt: skip
"""What an edit replaces of a message's content (`content.py`); the rest (what it answers, who wrote it first) stays."""


async def _apply_edits(runtime: Runtime, unit: UnitOfWork, channel_id: UUID, edits: dict[tuple[UUID, str], Effect]) -> None:
    """The newest edit of each thing by provider time wins, in whatever order they come, whoever wrote it and wherever. Items of an
    album are edited one by one: an item is as its own newest edit says, however late that comes, and the rest of the message as the
    newest of all. Words alone that change a file are its new caption: some messengers send nothing else (Threema). What left as
    several requests stays as it is: an edit speaks of one of them. What was taken back stays so."""
    rows = await unit.sql.fetch(
        """
        UPDATE message AS m SET
            text = row.text, edited_at = row.at,
            kind = CASE WHEN m.kind = 'media' AND row.kind = 'text' THEN m.kind ELSE row.kind END,
            content = (m.content - CASE WHEN m.kind = 'media' AND row.kind = 'text' THEN '{spans}' ELSE $6::text[] END)
                || row.content::jsonb
        FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $7::timestamptz[], $8::bool[])
             AS row(id, text, kind, content, at, is_item)
        WHERE m.organisation_id = $1 AND m.id = row.id AND m.deleted_at IS NULL
          AND NOT EXISTS (SELECT FROM message_part p
                          WHERE p.organisation_id = $1 AND p.message_id = m.id AND p.action = 'message' AND p.part_no > 0)
          AND (m.edited_at IS NULL OR m.edited_at < row.at OR m.edited_at = row.at AND row.is_item)
        RETURNING m.id, m.conversation_id, m.kind
        """,
        unit.tenant,
        [message_id for message_id, _ in edits],
        [effect.content["text"] for effect in edits.values()],
        [effect.content["kind"] for effect in edits.values()],
        [json.dumps(effect.content["content"]) for effect in edits.values()],
        CONTENT_KEYS,
        [effect.at for effect in edits.values()],
        ["file" in effect.content for effect in edits.values()],  # the items of an album share its time
    )
    files: dict[UUID, list[ItemChange]] = defaultdict(list)
    for (message_id, key), effect in edits.items():
        told = effect.content.get("file")
        if told and (change := await change_item(unit, channel_id, message_id, key, effect.at, told)):
            files[message_id].append(change)
    pictured = {row["id"] for row in rows if row["kind"] == "media"}
    captions = {place: effect for place, effect in edits.items() if place[0] in pictured and "file" not in effect.content}
    await _change_captions(unit, captions)
    await draw_captions(unit, {*files, *(message_id for message_id, _ in captions)})
    changed = {row["id"]: row["conversation_id"] for row in rows}
    changed |= {message_id: changes[0].conversation_id for message_id, changes in files.items()}
    await redraw_previews(unit, set(changed.values()))
    if any(change.is_other_file for changes in files.values() for change in changes):
        nudge_fetching(runtime, unit, channel_id)
    note_messages_changed(unit, changed.items())


async def _change_captions(unit: UnitOfWork, captions: dict[tuple[UUID, str], Effect]) -> None:
    if not captions:
        return
    await unit.sql.execute(
        """
        UPDATE attachment AS a SET caption = row.text, edited_at = row.at
        FROM unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[]) AS row(message_id, event_key, text, at)
        WHERE a.organisation_id = $1 AND a.message_id = row.message_id AND a.event_key = row.event_key
        """,
        unit.tenant,
        [message_id for message_id, _ in captions],
        [event_key for _, event_key in captions],
        [effect.content["text"] for effect in captions.values()],
        [effect.at for effect in captions.values()],
    )


async def _apply_reactions(unit: UnitOfWork, reactions: dict[UUID, Effect]) -> None:
    """The newest reaction of the customer by provider time; an empty one stays as well, so that an older one does not come back."""
    rows = await unit.sql.fetch(
        """
        UPDATE message AS m SET content = m.content || jsonb_build_object('reacted', row.reacted::jsonb)
        FROM unnest($2::uuid[], $3::text[], $4::timestamptz[]) AS row(id, reacted, at)
        WHERE m.organisation_id = $1 AND m.id = row.id
          AND COALESCE((m.content -> 'reacted' ->> 'at')::timestamptz <= row.at, true)
        RETURNING m.id, m.conversation_id
        """,
        unit.tenant,
        list(reactions),
        [json.dumps({"emoji": effect.content["emoji"], "at": effect.at.isoformat()}) for effect in reactions.values()],
        [effect.at for effect in reactions.values()],
    )
    note_messages_changed(unit, [(row["id"], row["conversation_id"]) for row in rows])


async def _apply_deletions(runtime: Runtime, unit: UnitOfWork, channel: OpenChannel, deletions: dict[UUID, Effect]) -> None:
    """Messages that were taken back go from view, with all pieces that the provider's one was cut into, which share its time. Their
    rows stay for the record; what they say stays only where the provider lets it."""
    rows = await unit.sql.fetch(
        """
        UPDATE message AS m SET deleted_at = row.at
        FROM unnest($2::uuid[], $3::timestamptz[]) AS row(id, at)
        JOIN message AS named ON named.organisation_id = $1 AND named.id = row.id
        WHERE m.organisation_id = $1 AND m.conversation_id = named.conversation_id AND m.at = named.at AND m.deleted_at IS NULL
          AND (m.id = named.id OR m.content ->> 'piece_of' = named.provider_key)
        RETURNING m.id, m.conversation_id
        """,
        unit.tenant,
        list(deletions),
        [effect.at for effect in deletions.values()],
    )
    if channel.connector.capabilities.erases_deleted:
        await erase_messages(runtime, unit, [row["id"] for row in rows])
    await redraw_previews(unit, {row["conversation_id"] for row in rows})
    note_messages_changed(unit, [(row["id"], row["conversation_id"]) for row in rows])


def note_messages_changed(unit: UnitOfWork, messages: Iterable[tuple[UUID, UUID]]) -> None:
    """Tell the pages that (message, conversation) look different now."""
    for message_id, conversation_id in messages:
        note_change(
            unit,
            "message_changed",
            {"conversation": ids.show("conv", conversation_id), "message": ids.show("msg", message_id)},
        )
