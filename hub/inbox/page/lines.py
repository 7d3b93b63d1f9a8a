"""What a page of a thread needs beside its messages: their files, what they answer, what is being done to them. A fixed number of
queries, however many lines.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from hub.connectors.events import MediaKind
from hub.core import ids
from hub.core.db import UnitOfWork
from hub.core.media import INLINE_TYPES

QUOTED: Final = 160
"""Characters of an answered message that stand above the answer."""
WIDEST, TALLEST = 248, 320
"""Pixels of a picture in a bubble (look 7); `hub.css` shows no picture larger."""
ROUND: Final = 200
"""Pixels of a video note."""
_BEGINNINGS: Final = {"picture": "image/", "video": "video/", "sound": "audio/"}
"""What a look shows in place, of the types that may be shown at all (`INLINE_TYPES`); everything else is a card with a download."""
_LOOKS: Final[dict[str, tuple[str, ...]]] = {
    "image": ("picture",),
    "sticker": ("picture", "video"),
    "animation": ("video", "picture"),
    "video": ("video",),
    "video_note": ("video",),
    "voice": ("sound",),
    "audio": ("sound",),
    "document": (),
}


@dataclass(frozen=True, slots=True)
class File:
    """A file as the thread shows it; the fields are those of `models.Attachment`."""

    id: UUID
    kind: MediaKind
    name: str
    mime: str
    size: int | None
    label: str
    duration: int | None
    width: int | None
    height: int | None
    state: str
    reason: str
    scanned: str
    has_thumbnail: bool

    @property
    def shown(self) -> str:
        return ids.show("file", self.id)

    @property
    def look(self) -> str:
        """How it is drawn: picture, video or sound in place, else a card. A file that is fetched has the look it will have."""
        looks = _LOOKS[self.kind]
        if self.state == "waiting":
            return looks[0] if looks else "card"
        if self.state != "stored":
            return "card"
        is_shown = self.mime in INLINE_TYPES
        return next((look for look in looks if is_shown and self.mime.startswith(_BEGINNINGS[look])), "card")

    @property
    def box(self) -> tuple[int, int]:
        """Width and height in pixels at which a picture stands in its bubble, so that nothing jumps when it arrives."""
        if self.kind == "video_note":
            return ROUND, ROUND
        if not self.width or not self.height:
            return WIDEST, 3 * WIDEST // 4
        scale = min(1, WIDEST / self.width, TALLEST / self.height)
        return max(48, round(self.width * scale)), max(48, round(self.height * scale))

    @property
    def length(self) -> str:
        """Duration as players write it: `0:23`, `1:02:05`; empty when nobody said."""
        if self.duration is None:
            return ""
        minutes, seconds = divmod(self.duration, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

    @property
    def ending(self) -> str:
        """`PDF`, from the name; empty when the name has none."""
        _, dot, ending = self.name.rpartition(".")
        return ending.upper() if dot and 0 < len(ending) <= 5 and ending.isalnum() else ""


@dataclass(frozen=True, slots=True)
class Answered:
    """The message that a line answers. `kind` is the file's where it has one, `options` the answers that were offered."""

    id: UUID
    direction: str
    kind: str
    text: str
    author_id: UUID | None
    is_deleted: bool
    options: dict[str, str]


@dataclass(frozen=True, slots=True)
class Act:
    """The last edit, deletion or reaction of a message: `state` and `failure` are those of its part."""

    action: str
    state: str
    failure: str
    author_id: UUID | None
    text: str

    @property
    def is_open(self) -> bool:
        return self.state in ("queued", "sending")


@dataclass(frozen=True, slots=True)
class Details:
    """Everything beside the message itself. `parts` counts the requests that a message of ours left as; `has_key`: the provider has
    it, so it can be answered and changed."""

    files: tuple[File, ...] = ()
    answered: Answered | None = None
    acts: tuple[Act, ...] = ()
    parts: int = 0
    has_key: bool = False

    def act(self, action: str) -> Act | None:
        return next((act for act in self.acts if act.action == action), None)


async def load_details(unit: UnitOfWork, conversation_id: UUID, rows: Sequence[Any]) -> dict[UUID, Details]:
    """Details of these rows of `message` (id, kind, content, direction, has_key) by id."""
    files = await _files(unit, [row["id"] for row in rows if row["kind"] in ("media", "cards", "template")])
    answered = await _answered(unit, conversation_id, {row["content"]["reply_to"] for row in rows if "reply_to" in row["content"]})
    parts = await _parts(unit, [row["id"] for row in rows if row["direction"] in ("in", "out")])
    details = {}
    for row in rows:
        own = [part for part in parts[row["id"]] if part["action"] == "message"]
        acts = {
            part["action"]: Act(part["action"], part["state"], part["failure"], part["author_id"], part["text"])
            for part in parts[row["id"]]
            if part["action"] != "message"
        }
        details[row["id"]] = Details(
            tuple(files[row["id"]]),
            answered.get(row["content"].get("reply_to")),
            tuple(acts.values()),
            len(own),
            row["has_key"] or any(part["has_key"] for part in own),
        )
    return details


async def _files(unit: UnitOfWork, message_ids: list[UUID]) -> dict[UUID, list[File]]:
    files: dict[UUID, list[File]] = defaultdict(list)
    if message_ids:
        for row in await unit.sql.fetch(
            """
            SELECT message_id, id, kind, name, mime, size, label, duration, width, height, state, reason, scanned, has_thumbnail
            FROM attachment WHERE organisation_id = $1 AND message_id = ANY($2::uuid[]) ORDER BY message_id, position, id
            """,
            unit.tenant,
            message_ids,
        ):
            values = dict(row)
            files[values.pop("message_id")].append(File(**values))
    return files


async def _answered(unit: UnitOfWork, conversation_id: UUID, keys: set[str]) -> dict[str | None, Answered]:
    """Answered messages of this conversation by the provider's key. One that we never had is missing."""
    if not keys:
        return {}
    rows = await unit.sql.fetch(
        """
        SELECT k.key, m.id, m.direction, COALESCE(m.content ->> 'media', m.content ->> 'sheet', m.kind) AS kind, m.author_id,
               CASE m.kind WHEN 'unsupported' THEN m.content ->> 'kind' ELSE left(m.text, $4) END AS text,
               m.deleted_at IS NOT NULL AS is_deleted, COALESCE(m.content -> 'options', '[]') AS options
        FROM conversation c
        JOIN provider_key k ON k.organisation_id = c.organisation_id AND k.channel_id = c.channel_id AND k.key = ANY($3::text[])
        JOIN message m ON m.organisation_id = c.organisation_id AND m.id = k.message_id AND m.conversation_id = c.id
        WHERE c.organisation_id = $1 AND c.id = $2
        """,
        unit.tenant,
        conversation_id,
        list(keys),
        QUOTED,
    )
    answered: dict[str | None, Answered] = {}
    for row in rows:
        values = dict(row)
        key, options = values.pop("key"), {id_: label for id_, label, *_ in values.pop("options")}
        answered[key] = Answered(**values, options=options)
    return answered


async def _parts(unit: UnitOfWork, message_ids: list[UUID]) -> dict[UUID, list[Any]]:
    """What was sent of each message and done to it, in this order."""
    parts: dict[UUID, list[Any]] = defaultdict(list)
    if message_ids:
        for row in await unit.sql.fetch(
            """
            SELECT message_id, action, state, failure, author_id, text, cardinality(keys) > 0 AS has_key
            FROM message_part WHERE organisation_id = $1 AND message_id = ANY($2::uuid[]) AND action <> 'answer'
            ORDER BY message_id, part_no
            """,
            unit.tenant,
            message_ids,
        ):
            parts[row["message_id"]].append(row)
    return parts
