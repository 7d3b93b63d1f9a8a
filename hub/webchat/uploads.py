"""Files of visitors: streamed into the store, examined like any other, and set aside until their message has come by the door.

The message names the file by its id in the store; the lane `media` takes it from there (`Capabilities.media_at_hand`). What is
refused leaves nothing behind.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from hub.connectors.webchat.split import LARGEST_FILE
from hub.core import ids
from hub.core.errors import HubError
from hub.core.storage import TooLarge
from hub.core.uploads import FileUpload
from hub.inbox.stored.examining import examine
from hub.runtime import Runtime

TYPES: Final = ("image", "video", "audio")
"""First half of a type that says how a file is shown; every other one is a document."""


class VisitorFileRefused(HubError):
    """A file that is not taken; `reason` is too_large, empty, infected or refused. The words are `webchat.file.<reason>`."""

    code = "file_refused"
    http_status = 422

    def __init__(self, reason: str, **values: object) -> None:
        super().__init__(reason, **values)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SetAside:
    """A file that waits for its message."""

    id: UUID
    name: str
    mime: str
    size: int

    @property
    def type(self) -> str:
        """As what it is shown."""
        kind = self.mime.partition("/")[0]
        return kind if kind in TYPES else "document"


async def take_file(runtime: Runtime, organisation_id: UUID, *, content_type: str, body: AsyncIterator[bytes]) -> SetAside:
    """Take the file of a form (field `file`). VisitorFileRefused; InvalidInput for a form that is none."""
    form = FileUpload(content_type, body, field="file")
    name, object_id = await form.name(), ids.new_id()
    limit = min(runtime.settings.media_limit, LARGEST_FILE)
    try:
        try:
            async with runtime.storage.writing(organisation_id, object_id, limit=limit) as writing:
                async for piece in form.pieces():
                    await writing.write(piece)
        except TooLarge as error:
            raise VisitorFileRefused("too_large", **error.values) from None
        if not writing.size:
            raise VisitorFileRefused("empty")
        examined = await examine(runtime, organisation_id, object_id, name=name, size=writing.size)
        if examined.state != "stored":
            raise VisitorFileRefused("infected" if examined.state == "quarantined" else "refused")
        runtime.storage.set_aside(organisation_id, object_id)
    except BaseException:
        runtime.storage.delete(organisation_id, object_id)
        raise
    return SetAside(object_id, examined.name, examined.mime, writing.size)
