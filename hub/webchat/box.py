"""A visitor's box: what they see of their conversation. It is a view of the message rows and nothing besides.

Of ours it holds what a permitted attempt has brought here, that is messages that are `sent`, `delivered` or `read`; edits and
deletions are in those rows once their own attempt is recorded. Of theirs it holds everything, with our read mark: the newest
`conversation.unread` messages have not been opened by anybody yet.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import orjson

from hub.connectors.webchat.wire import id_of
from hub.core import ids
from hub.core.db import UnitOfWork
from hub.core.vault import Vault
from hub.inbox.stored.links import Linked, make_link

NEWEST: Final = 200
"""Messages of a box."""
ARRIVED: Final = ("sent", "delivered", "read")
LINK_LASTS: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Box:
    """The newest messages, oldest first, as the widget gets them; files are without address still (`with_links`).
    `conversation` is its shown id, empty while the first message is on its way."""

    conversation: str
    messages: Sequence[dict[str, Any]]

    @property
    def version(self) -> str:
        """Another one as soon as anything in the box looks different."""
        return sha256(orjson.dumps(self.messages)).hexdigest()[:20]


async def load_box(unit: UnitOfWork, channel_id: UUID, address: str) -> Box:
    """The box of the visitor with this address."""
    talk = await unit.sql.fetchrow(
        """
        SELECT c.id, c.unread FROM identity i
        JOIN conversation c ON c.organisation_id = i.organisation_id AND c.identity_id = i.id
        WHERE i.organisation_id = $1 AND i.channel_id = $2 AND i.provider_user_id = $3
        """,
        unit.tenant,
        channel_id,
        address,
    )
    if talk is None:
        return Box("", ())
    rows = await unit.sql.fetch(
        """
        SELECT id, direction, kind, text, content, at, provider_key, state, edited_at, deleted_at FROM message
        WHERE organisation_id = $1 AND conversation_id = $2 AND (direction = 'in' OR direction = 'out' AND state = ANY($3::text[]))
        ORDER BY at DESC, sequence DESC, seq DESC LIMIT $4
        """,
        unit.tenant,
        talk["id"],
        list(ARRIVED),
        NEWEST,
    )
    files = await _files(unit, [row["id"] for row in rows if row["kind"] == "media"])
    messages, unread = [], talk["unread"]
    for row in rows:
        messages.append(_message(row, files[row["id"]], is_read=unread <= 0))
        unread -= row["direction"] == "in"
    return Box(ids.show("conv", talk["id"]), messages[::-1])


async def _files(unit: UnitOfWork, message_ids: list[UUID]) -> Mapping[UUID, list[dict[str, Any]]]:
    """The files of messages, in their order; one that is not stored (yet, or any more) has a name and no more."""
    found: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    rows = await unit.sql.fetch(
        """
        SELECT message_id, id, name, mime, size, state, has_thumbnail, width, height FROM attachment
        WHERE organisation_id = $1 AND message_id = ANY($2::uuid[]) ORDER BY message_id, position, id
        """,
        unit.tenant,
        message_ids,
    )
    for row in rows:
        file = {"name": row["name"], "mime": row["mime"], "size": row["size"]}
        if row["state"] == "stored":
            file |= {"id": ids.show("file", row["id"]), "picture": row["has_thumbnail"], "at": [row["width"], row["height"]]}
        found[row["message_id"]].append(file)
    return found


def _message(row: Any, files: list[dict[str, Any]], *, is_read: bool) -> dict[str, Any]:
    is_ours = row["direction"] == "out"
    shown: dict[str, Any] = {
        "id": ids.show("msg", row["id"]) if is_ours else id_of(row["provider_key"]),
        "mine": not is_ours,
        "at": int(row["at"].timestamp() * 1000),
        "state": row["state"] if is_ours else "read" if is_read else "sent",
    }
    if row["deleted_at"]:
        return {**shown, "deleted": True}
    shown["text"] = row["text"]
    if row["edited_at"]:
        shown["edited"] = True
    if spans := row["content"].get("spans"):
        shown["spans"] = spans
    if is_ours and (options := row["content"].get("options")):
        shown["options"] = [option[:2] for option in options]
    if files:
        shown["files"] = files
    return shown


def with_links(vault: Vault, organisation_id: UUID, key: str, messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same messages with the addresses of their files, each for one file and one day."""

    def link(file: dict[str, Any]) -> dict[str, Any]:
        if "id" not in file:
            return file
        linked = Linked(organisation_id, ids.read("file", file["id"]))
        return {**file, "url": make_link(vault, f"/webchat/{key}", linked, LINK_LASTS, name="")}

    return [{**one, "files": [link(file) for file in one["files"]]} if "files" in one else one for one in messages]


async def keys_of(unit: UnitOfWork, channel_id: UUID, address: str, message_ids: Sequence[UUID]) -> list[str]:
    """The keys by which statuses speak of these messages; only those of this visitor's own conversation are there."""
    rows = await unit.sql.fetch(
        """
        SELECT unnest(p.keys) AS key FROM message_part p
        JOIN conversation c ON c.organisation_id = p.organisation_id AND c.id = p.conversation_id
        JOIN identity i ON i.organisation_id = c.organisation_id AND i.id = c.identity_id
        WHERE p.organisation_id = $1 AND p.message_id = ANY($4::uuid[]) AND p.action = 'message'
          AND i.channel_id = $2 AND i.provider_user_id = $3
        """,
        unit.tenant,
        channel_id,
        address,
        list(message_ids),
    )
    return [row["key"] for row in rows]
