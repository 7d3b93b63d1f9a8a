"""Files of messages as rows: what the provider told us, until the file itself is fetched (`media.py`).

An item of a message has a caption of its own; the message's text is what the captions say together, in the order of the files.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, BinaryIO, Final
from uuid import UUID

from hub.connectors.contract import OutboundFile
from hub.connectors.events import Media, Text
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput
from hub.inbox.content import clean
from hub.inbox.stored.links import Linked, make_link
from hub.runtime import Runtime

LINK_LASTS: Final = timedelta(hours=23)


@dataclass(frozen=True, slots=True)
class Item:
    """A file that came with a message. `event_key` is the event that brought it."""

    message_id: UUID
    conversation_id: UUID
    position: int
    media: Media
    event_key: str
    edited_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ItemChange:
    """What an edit did to a file: its caption is another one, or another file took its place, which has to be fetched."""

    conversation_id: UUID
    is_other_file: bool


def tell(media: Media) -> dict[str, Any]:
    """What a provider said about a file, as JSON can hold it; of the caption only its words."""
    told = asdict(media) | {"caption": media.caption.text if media.caption else ""}
    return {name: clean(value) if isinstance(value, str) else value for name, value in told.items()}


def read_told(told: Mapping[str, Any]) -> Media:
    """The file behind what `tell` made of it."""
    return Media(**{**told, "caption": Text(text=told["caption"])})


async def add_items(unit: UnitOfWork, channel_id: UUID, items: Collection[Item]) -> None:
    """Write the files of fresh messages; they wait to be fetched."""
    if not items:
        return
    now = clock.now()
    told = [tell(item.media) for item in items]
    await unit.sql.execute(
        """
        INSERT INTO attachment (organisation_id, id, conversation_id, channel_id, message_id, position, kind, ref, "unique",
                                event_key, name, mime, size, label, caption, duration, width, height, state, reason, scanned,
                                has_thumbnail, due_at, tries, created_at, edited_at, small_ref)
        SELECT $1, id, conversation_id, $2, message_id, position, kind, ref, "unique", event_key, name, mime, size, label, caption,
               duration, width, height, 'waiting', '', '', false, $3, 0, $3, edited_at, small_ref
        FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::bigint[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
                    $13::text[], $14::bigint[], $15::text[], $16::text[], $17::int[], $18::int[], $19::int[],
                    $20::timestamptz[], $21::text[])
             AS row(id, conversation_id, message_id, position, kind, ref, "unique", event_key, name, mime, size, label, caption,
                    duration, width, height, edited_at, small_ref)
        """,
        unit.tenant,
        channel_id,
        now,
        [ids.new_id() for _ in items],
        [item.conversation_id for item in items],
        [item.message_id for item in items],
        [item.position for item in items],
        [one["kind"] for one in told],
        [one["ref"] for one in told],
        [one["unique"] for one in told],
        [item.event_key for item in items],
        [one["name"] for one in told],
        [one["mime"] for one in told],
        [one["size"] for one in told],
        [one["label"] for one in told],
        [one["caption"] for one in told],
        [one["duration"] for one in told],
        [one["width"] for one in told],
        [one["height"] for one in told],
        [item.edited_at for item in items],
        [one["small_ref"] for one in told],
    )


async def change_item(
    unit: UnitOfWork, channel_id: UUID, message_id: UUID, event_key: str, at: datetime, told: Mapping[str, Any]
) -> ItemChange | None:
    """An edited file of a message that the hub did not send: the same one has another caption at most; another one takes its place.
    None when a newer edit of this file, or of a message that had none, came before, and for what was taken back."""
    known = await unit.sql.fetchrow(
        """
        SELECT m.conversation_id, COALESCE(a.position, m.sequence) AS position, a.id, a."unique",
               CASE WHEN a.id IS NULL THEN m.edited_at ELSE a.edited_at END AS edited_at
        FROM message m
        LEFT JOIN attachment a ON a.organisation_id = m.organisation_id AND a.message_id = m.id AND a.event_key = $3
        WHERE m.organisation_id = $1 AND m.id = $2 AND m.deleted_at IS NULL
          AND NOT EXISTS (SELECT FROM message_part p WHERE p.organisation_id = $1 AND p.message_id = m.id AND p.action = 'message')
        """,
        unit.tenant,
        message_id,
        event_key,
    )
    if known is None or (known["edited_at"] is not None and known["edited_at"] > at):
        return None
    media, conversation_id = read_told(told), known["conversation_id"]
    if known["id"] is not None and media.unique and known["unique"] == media.unique:
        await unit.sql.execute(
            "UPDATE attachment SET caption = $3, edited_at = $4 WHERE organisation_id = $1 AND id = $2",
            unit.tenant,
            known["id"],
            told["caption"],
            at,
        )
        return ItemChange(conversation_id, is_other_file=False)
    await unit.sql.execute("DELETE FROM attachment WHERE organisation_id = $1 AND id = $2", unit.tenant, known["id"])
    await add_items(unit, channel_id, [Item(message_id, conversation_id, known["position"], media, event_key, edited_at=at)])
    return ItemChange(conversation_id, is_other_file=True)


async def draw_captions(unit: UnitOfWork, message_ids: Collection[UUID]) -> None:
    """Write the captions of a message's files as its text. Formatting is kept while only one file has a caption."""
    if not message_ids:
        return
    await unit.sql.execute(
        """
        UPDATE message AS m SET text = said.text, content = CASE WHEN said.captions > 1 THEN m.content - 'spans' ELSE m.content END
        FROM (
            SELECT message_id, count(*) FILTER (WHERE caption <> '') AS captions,
                   COALESCE(string_agg(caption, E'\n' ORDER BY position, id) FILTER (WHERE caption <> ''), '') AS text
            FROM attachment WHERE organisation_id = $1 AND message_id = ANY($2::uuid[]) GROUP BY message_id
        ) AS said
        WHERE m.organisation_id = $1 AND m.id = said.message_id
        """,
        unit.tenant,
        list(message_ids),
    )


def nudge_fetching(runtime: Runtime, unit: UnitOfWork, channel_id: UUID) -> None:
    """Fetch what waits, once this transaction has committed."""
    tenant = unit.tenant
    unit.after_commit(lambda: runtime.queue.nudge_lane(tenant, channel_id, "media"))


async def lock_uploads(unit: UnitOfWork, conversation_id: UUID, member_id: UUID, attachment_ids: Sequence[UUID]) -> list[Media]:
    """This member's uploads as what is sent, in this order; nobody takes them meanwhile. InvalidInput when one is not there (any
    more), is not stored, or was sent before."""
    if not attachment_ids:
        return []
    locked = await unit.sql.fetch(
        """
        SELECT id FROM attachment
        WHERE organisation_id = $1 AND conversation_id = $2 AND uploaded_by = $3 AND id = ANY($4::uuid[]) AND message_id IS NULL
          AND state = 'stored' ORDER BY id FOR UPDATE
        """,
        unit.tenant,
        conversation_id,
        member_id,
        list(attachment_ids),
    )
    if len(locked) != len(attachment_ids):
        raise InvalidInput("a file is not there any more", field="files")
    media = await load_media(unit, list(attachment_ids))
    return [media[attachment_id.hex] for attachment_id in attachment_ids]


async def take_uploads(unit: UnitOfWork, message_id: UUID, attachment_ids: Sequence[UUID]) -> None:
    """Make locked uploads files of a message that is written, in this order."""
    await unit.sql.execute(
        """
        UPDATE attachment AS a SET message_id = $2, position = row.position
        FROM unnest($3::uuid[]) WITH ORDINALITY AS row(id, position) WHERE a.organisation_id = $1 AND a.id = row.id
        """,
        unit.tenant,
        message_id,
        list(attachment_ids),
    )


async def load_media(unit: UnitOfWork, attachment_ids: Collection[UUID]) -> dict[str, Media]:
    """Stored files as what is sent, by id; without captions, which the message has."""
    if not attachment_ids:
        return {}
    rows = await unit.sql.fetch(
        """
        SELECT id, kind, name, mime, size, label, duration, width, height FROM attachment
        WHERE organisation_id = $1 AND id = ANY($2::uuid[])
        """,
        unit.tenant,
        list(attachment_ids),
    )
    return {row["id"].hex: Media(ref=row["id"].hex, **dict(list(row.items())[1:])) for row in rows}


async def load_files(
    runtime: Runtime, unit: UnitOfWork, attachment_ids: Collection[UUID], *, with_links: bool
) -> dict[str, tuple[Media, OutboundFile]]:
    """The files of claimed parts, by id, ready to be read, or by the provider under a link that ends within a day."""
    media = await load_media(unit, attachment_ids)
    return {ref: (one, _outbound_file(runtime, unit.tenant, ref, one, with_links)) for ref, one in media.items()}


def _outbound_file(runtime: Runtime, organisation_id: UUID, ref: str, media: Media, with_links: bool) -> OutboundFile:
    def open_() -> BinaryIO:
        return runtime.storage.open(organisation_id, UUID(hex=ref))

    link, base = "", runtime.settings.public_url
    if with_links and base is not None:  # without an address nothing is fetched, and the connector says so
        link = make_link(runtime.vault, base, Linked(organisation_id, UUID(hex=ref)), LINK_LASTS, name=media.name)
    return OutboundFile(name=media.name, mime=media.mime, size=media.size or 0, open=open_, link=link)
