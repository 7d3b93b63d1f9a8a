"""What the simulator gets back after its process ended: the hub's own records say what it knew."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from hub.core.db import UnitOfWork
from hub.runtime import Runtime
from hub.sandbox import stories
from hub.sandbox.acts import Story
from hub.sandbox.demo.basics import CONNECTOR, Place
from hub.sandbox.demo.client import Simulator

REMEMBERED: Final = 200
"""Messages of one chat that the simulator gets back."""


async def give_memory(runtime: Runtime, place: Place, simulator: Simulator) -> None:
    """Bot, people and chats as the hub's records know them. Safe to repeat."""
    await simulator.create_bot()
    known: dict[int, dict[str, Any]] = {story.id: _person_of(story) for story in stories.STORIES}
    async with runtime.database.unit_of_work(place.organisation_id) as unit:
        rows = await unit.sql.fetch(
            """
            SELECT i.provider_user_id, i.display_name, i.username, i.language, c.id AS conversation_id,
                   COALESCE(s.reach = 'blocked', false) AS is_blocked
            FROM identity i
            JOIN conversation c ON c.organisation_id = i.organisation_id AND c.identity_id = i.id
            LEFT JOIN consent_state s ON s.organisation_id = i.organisation_id AND s.messenger = $3 AND s.scope = ''
                 AND s.address = i.provider_user_id
            WHERE i.organisation_id = $1 AND i.channel_id = $2 ORDER BY i.created_at, i.id
            """,
            place.organisation_id,
            place.channel_id,
            CONNECTOR,
        )
        chats = [(int(row["provider_user_id"]), row, await _past(unit, row["conversation_id"])) for row in rows]
    for number, row, _ in chats:
        first, _, last = row["display_name"].partition(" ")
        told = {"first_name": first[:64], "last_name": last[:64] or None, "username": row["username"] or None}
        known.setdefault(number, {"id": number, "language_code": row["language"] or None} | told)
    for person in known.values():
        await simulator.create_person(person)
    for number, row, past in chats:
        await simulator.restore(number, past, row["is_blocked"])


def _person_of(story: Story) -> dict[str, Any]:
    names = {"first_name": story.first_name, "last_name": story.last_name, "username": story.username}
    return {"id": story.id, "language_code": story.language} | names


async def _past(unit: UnitOfWork, conversation_id: UUID) -> list[dict[str, Any]]:
    """What the simulator knew of a chat. A message that may have arrived without its number coming back gets a free one near
    its place: it did appear on the phone."""
    rows = await unit.sql.fetch(
        """
        SELECT m.direction, m.kind, m.text, m.content, m.at, m.sequence, a.kind AS file_kind, a.ref
        FROM message m
        LEFT JOIN LATERAL (
            SELECT kind, ref FROM attachment WHERE organisation_id = $1 AND message_id = m.id ORDER BY position, id LIMIT 1
        ) a ON true
        WHERE m.organisation_id = $1 AND m.conversation_id = $2 AND m.kind <> 'interactive'
          AND (m.direction = 'in' OR m.direction = 'out' AND m.state IN ('accepted', 'sent', 'delivered', 'read', 'unknown'))
        ORDER BY m.at DESC, m.sequence DESC, m.seq DESC LIMIT $3
        """,
        unit.tenant,
        conversation_id,
        REMEMBERED,
    )
    taken = {row["sequence"] for row in rows}
    number, past = 0, []
    for row in reversed(rows):
        number = row["sequence"] or number + 1
        while not row["sequence"] and number in taken:
            number += 1
        taken.add(number)
        from_bot = row["direction"] == "out"
        past.append({"message_id": number, "date": int(row["at"].timestamp()), "from_bot": from_bot, **_said(row)})
    return past


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    """Text or content of a past message. A file the simulator does not know any more is shown by its kind alone; of an album the
    first one stands for all."""
    text, content = row["text"], row["content"]
    match row["kind"]:
        case "location":
            return {"content": {"location": {"latitude": content["latitude"], "longitude": content["longitude"]}}}
        case "contact":
            return {"content": {"contact": {"first_name": text, "phone_number": content["phone"]}}}
        case "media":
            field = "photo" if row["file_kind"] in ("image", None) else row["file_kind"]
            return {"content": {field: {"file_id": row["ref"]} if row["ref"] else {}} | ({"caption": text} if text else {})}
        case "unsupported":
            return {"content": {content["kind"]: {}}}
        case kind:
            return {"text": text} if text else {"content": {kind: {}}}
