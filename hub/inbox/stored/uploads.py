"""Files that agents attach: streamed into the store, examined like any other, and fitted to what the messenger takes.

An upload belongs to its member and conversation until it is sent (`attachments.take_uploads`), removed, or swept after a day. What
is refused leaves nothing in the store and a line in the audit log.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from hub.channels.accounts import read_channel
from hub.connectors.contract import MediaLimit
from hub.connectors.events import MediaKind
from hub.core import clock, ids
from hub.core.errors import HubError, NotFound
from hub.core.media import Refusal
from hub.core.storage import TooLarge
from hub.core.uploads import FileUpload
from hub.inbox.stored.examining import Examined, examine
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.runtime import Runtime

KINDS: Final[tuple[tuple[str, tuple[MediaKind, ...]], ...]] = (
    ("image/gif", ("animation", "image", "document")),
    ("image/", ("image", "document")),
    ("video/", ("video", "document")),
    ("audio/", ("audio", "voice", "document")),
    ("", ("document",)),
)
"""As what a file of a type may be sent, the best first; the first beginning that fits counts."""


REASONS: Final = ("too_large", "empty", "not_taken", "infected", *(one.value for one in Refusal))
"""Why an upload is not taken; the words are `file.upload.<reason>`."""


class FileRefused(HubError):
    """An upload that is not taken; `reason` is one of REASONS."""

    code = "file_refused"
    http_status = 422

    def __init__(self, reason: str, **values: object) -> None:
        super().__init__(reason, **values)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that waits to be sent."""

    id: UUID
    name: str
    size: int
    kind: MediaKind
    mime: str
    has_thumbnail: bool


async def add_upload(
    runtime: Runtime, access: Access, conversation_id: UUID, *, content_type: str, body: AsyncIterator[bytes]
) -> Upload:
    """Take the file of a form (field `file`) for a conversation. Raises NotFound before anything is read, FileRefused, and
    InvalidInput for a form that is none."""
    media = await _accepted_media(runtime, access.organisation_id, conversation_id)
    if not media:
        raise FileRefused("not_taken")
    form = FileUpload(content_type, body, field="file")
    name = await form.name()
    organisation_id, object_id = access.organisation_id, ids.new_id()
    limit = min(runtime.settings.media_limit, max(one.bytes for one in media.values()))
    try:
        try:
            async with runtime.storage.writing(organisation_id, object_id, limit=limit) as writing:
                async for piece in form.pieces():
                    await writing.write(piece)
        except TooLarge as error:
            raise FileRefused("too_large", **error.values) from None
        if not writing.size:
            raise FileRefused("empty")
        examined = await examine(runtime, organisation_id, object_id, name=name, size=writing.size)
        if examined.state != "stored":
            await _note_refusal(runtime, access, conversation_id, examined, writing.sha256)
            raise FileRefused(examined.reason, found=examined.found)
        kind = choose_kind(media, examined.mime, writing.size)
        upload = Upload(object_id, examined.name, writing.size, kind, examined.mime, examined.has_small)
        await _insert(runtime, access, conversation_id, upload, examined, writing.sha256)
    except BaseException:
        runtime.storage.delete(organisation_id, object_id)
        raise
    return upload


def choose_kind(media: Mapping[MediaKind, MediaLimit], mime: str, size: int) -> MediaKind:
    """As what the messenger takes this file. FileRefused: `too_large` when only its size is in the way, else `not_taken`."""
    wanted = next(kinds for start, kinds in KINDS if mime.startswith(start))
    fitting = [kind for kind in wanted if kind in media and (not media[kind].types or mime in media[kind].types)]
    if not fitting:
        raise FileRefused("not_taken")
    for kind in fitting:
        if size <= media[kind].bytes:
            return kind
    raise FileRefused("too_large", **TooLarge(max(media[kind].bytes for kind in fitting)).values)


async def _accepted_media(runtime: Runtime, organisation_id: UUID, conversation_id: UUID) -> Mapping[MediaKind, MediaLimit]:
    async with runtime.database.unit_of_work(organisation_id) as unit:
        channel_id = await unit.sql.fetchval(
            "SELECT channel_id FROM conversation WHERE organisation_id = $1 AND id = $2", unit.tenant, conversation_id
        )
        if channel_id is None:
            raise NotFound("no such conversation")
        return (await read_channel(runtime, unit, channel_id)).connector.capabilities.media


async def _note_refusal(runtime: Runtime, access: Access, conversation_id: UUID, examined: Examined, sha256: bytes) -> None:
    """R-231: who tried to send what, without its content."""
    file = {"name": examined.name, "mime": examined.mime, "sha256": sha256.hex()}
    detail = {"reason": examined.reason, "found": examined.found, **file}
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await audit.record(unit, access, "file.refused", ids.show("conv", conversation_id), detail)


async def _insert(
    runtime: Runtime, access: Access, conversation_id: UUID, upload: Upload, examined: Examined, sha256: bytes
) -> None:
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await unit.sql.execute(
            """
            INSERT INTO attachment (organisation_id, id, conversation_id, channel_id, position, kind, ref, "unique", event_key,
                                    name, mime, size, label, caption, width, height, state, reason, scanned, sha256,
                                    has_thumbnail, due_at, tries, uploaded_by, created_at, stored_at)
            SELECT $1, $2, $3, channel_id, 0, $4, '', '', '', $5, $6, $7, '', '', $8, $9, 'stored', '', $10, $11, $12, $13, 0, $14,
                   $13, $13
            FROM conversation WHERE organisation_id = $1 AND id = $3
            """,
            unit.tenant,
            upload.id,
            conversation_id,
            upload.kind,
            upload.name,
            upload.mime,
            upload.size,
            examined.width,
            examined.height,
            examined.scanned,
            sha256,
            upload.has_thumbnail,
            clock.now(),
            access.member_id,
        )


async def remove_upload(runtime: Runtime, access: Access, attachment_id: UUID) -> None:
    """Take back an upload of one's own that was not sent. NotFound for everything else."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        removed = await unit.sql.fetchval(
            """
            DELETE FROM attachment WHERE organisation_id = $1 AND id = $2 AND uploaded_by = $3 AND message_id IS NULL RETURNING true
            """,
            unit.tenant,
            attachment_id,
            access.member_id,
        )
    if not removed:
        raise NotFound("no such upload")
    runtime.storage.delete(access.organisation_id, attachment_id)
