"""What a simulator gets back after its process ended: the hub's own records say what it knew."""

from collections.abc import Mapping
from typing import Any, Final, cast
from uuid import UUID

from hub.core.db import UnitOfWork
from hub.runtime import Runtime
from hub.sandbox import stories
from hub.sandbox.demo.basics import Place
from hub.sandbox.demo.phones import TELEGRAM, Messenger
from hub.sandbox.messengers import FileKind, PhoneFile, PhoneLine

REMEMBERED: Final = 200
"""Messages of one chat that the simulator gets back."""
FILE_KINDS: Final[dict[str, FileKind]] = {"animation": "video", "video_note": "video"}
"""The hub's kinds of files that a phone calls otherwise."""


async def give_memory(runtime: Runtime, place: Place, messenger: Messenger) -> None:
    """People and chats as the hub's records know them. Safe to repeat."""
    for story in stories.STORIES:
        if story.connector == place.connector and story.address:
            await messenger.introduce(story)
    people = {known: person for person in await messenger.people() for known in (person.id, person.address)}
    async with runtime.database.unit_of_work(place.organisation_id) as unit:
        rows = await unit.sql.fetch(
            """
            SELECT i.provider_user_id, i.display_name, c.id AS conversation_id, COALESCE(s.reach = 'blocked', false) AS is_blocked
            FROM identity i
            JOIN conversation c ON c.organisation_id = i.organisation_id AND c.identity_id = i.id
            LEFT JOIN consent_state s ON s.organisation_id = i.organisation_id AND s.messenger = $3 AND s.scope = ''
                 AND s.address = i.provider_user_id
            WHERE i.organisation_id = $1 AND i.channel_id = $2 ORDER BY i.created_at, i.id
            """,
            place.organisation_id,
            place.channel_id,
            place.connector,
        )
        chats = [(row, await _past(unit, place.connector, row["conversation_id"])) for row in rows]
    for row, past in chats:
        address = row["provider_user_id"]
        person = people.get(address) or await messenger.add_person(row["display_name"] or address, address)
        await messenger.restore(person, past + _blocked(past) if row["is_blocked"] else past)


def _blocked(past: list[PhoneLine]) -> list[PhoneLine]:
    """What says on a phone that the person has blocked the business."""
    return [PhoneLine(id="blocked", at=line.at, is_theirs=False, note="blocked") for line in past[-1:]]


async def _past(unit: UnitOfWork, connector: str, conversation_id: UUID) -> list[PhoneLine]:
    rows = await unit.sql.fetch(
        """
        SELECT m.direction, m.kind, m.text, m.content, m.at, m.seq, m.sequence, a.kind AS file_kind, a.ref, a.name, a.mime, a.size,
               COALESCE(m.provider_key, p.key, '') AS key
        FROM message m
        LEFT JOIN LATERAL (
            SELECT keys[1] AS key FROM message_part
            WHERE organisation_id = $1 AND message_id = m.id AND action = 'message' ORDER BY part_no LIMIT 1
        ) p ON true
        LEFT JOIN LATERAL (
            SELECT kind, ref, name, mime, size FROM attachment
            WHERE organisation_id = $1 AND message_id = m.id ORDER BY position, id LIMIT 1
        ) a ON true
        WHERE m.organisation_id = $1 AND m.conversation_id = $2 AND m.kind <> 'interactive'
          AND (m.direction = 'in' OR m.direction = 'out' AND m.state IN ('accepted', 'sent', 'delivered', 'read', 'unknown'))
        ORDER BY m.at DESC, m.sequence DESC, m.seq DESC LIMIT $3
        """,
        unit.tenant,
        conversation_id,
        REMEMBERED,
    )
    return [_line(connector, row) for row in reversed(rows)]


def _line(connector: str, row: Mapping[str, Any]) -> PhoneLine:
    """A past message; of its files the first stands for all. Its id on the phone is the end of its key; one that never came back
    has none on Telegram, where ids are numbers in order."""
    is_theirs = row["direction"] == "out"
    elsewhere = row["key"].rpartition(":")[2] or f"restored-{row['seq']}"
    known = str(row["sequence"] or "") if connector == TELEGRAM else elsewhere
    return PhoneLine(id=known, at=row["at"], is_theirs=is_theirs, state="" if is_theirs else "delivered", **_said(row))


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    """Text, place, contact or file. What no phone can show again is named by its kind."""
    text, content = row["text"], row["content"]
    match row["kind"]:
        case "location":
            return {"place": (content["latitude"], content["longitude"])}
        case "contact":
            return {"contact": (text, content["phone"])}
        case "media":
            kind = FILE_KINDS.get(row["file_kind"], cast(FileKind, row["file_kind"] or "image"))
            file = PhoneFile(id=row["ref"] or "", kind=kind, name=row["name"] or "", mime=row["mime"] or "", size=row["size"] or 0)
            return {"text": text, "files": (file,)}
        case "unsupported":
            return {"text": text or f"({content['kind']})"}
        case kind:
            return {"text": text or f"({kind})"}
