"""The files a bot knows, both ways: what people sent it and what it sent. `getFile` finds them, a path serves the same bytes back.

A `file_id` belongs to one bot and one kind of use; a `file_unique_id` is the same for all bots (provider file, section 8). Both
follow from the bytes, so what a process before this one told is still good for files that are known again: the samples.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from hub.core import clock
from hub.sandbox.telegram.wire import Json, present

FileKind = Literal["photo", "thumbnail", "voice", "video", "audio", "document", "animation", "sticker", "video_note"]

LARGEST_DOWNLOAD: Final = 20 << 20
LARGEST_PHOTO: Final = 10 << 20
LARGEST_UPLOAD: Final = 50 << 20
PATH_LIFE: Final = timedelta(hours=1)

_PREFIX: Final[dict[FileKind, str]] = {
    "photo": "AgACAgIAAxkB", "thumbnail": "AAMCAgADGQEA", "voice": "AwACAgIAAxkB", "video": "BAACAgIAAxkB",
    "audio": "CQACAgIAAxkB", "document": "BQACAgIAAxkB", "animation": "CgACAgQAAxkB", "sticker": "CAACAgIAAxkB",
    "video_note": "DQACAgIAAxkB",
}  # fmt: skip
_FOLDER: Final[dict[FileKind, str]] = {
    "photo": "photos", "thumbnail": "thumbnails", "voice": "voice", "video": "videos", "audio": "music",
    "document": "documents", "animation": "animations", "sticker": "stickers", "video_note": "video_notes",
}  # fmt: skip
_ENDING: Final = {
    "image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp", "video/mp4": ".mp4",
    "video/webm": ".webm", "audio/ogg": ".oga", "audio/mpeg": ".mp3", "audio/mp4": ".m4a", "application/pdf": ".pdf",
    "application/x-tgsticker": ".tgs",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file in one use."""

    id: str
    unique_id: str
    kind: FileKind
    data: bytes
    name: str
    media_type: str
    size: int
    """As told to the bot; larger than `data` for a file that only pretends its size, which nobody can download."""
    number: int

    @property
    def path(self) -> str:
        ending = Path(self.name).suffix or _ENDING.get(self.media_type, "")
        return f"{_FOLDER[self.kind]}/file_{self.number}{ending}"

    def as_json(self) -> Json:
        """The fields that every kind of file has."""
        return {"file_id": self.id, "file_unique_id": self.unique_id, "file_size": self.size}

    def as_document(self) -> Json:
        return present(file_name=self.name, mime_type=self.media_type)


class Files:
    """The files of one bot."""

    def __init__(self, bot_id: int) -> None:
        self._bot_id = bot_id
        self._by_id: dict[str, StoredFile] = {}
        self._paths: dict[str, tuple[StoredFile, datetime]] = {}
        self._contents: dict[str, Json] = {}

    def add(self, kind: FileKind, data: bytes, name: str = "", media_type: str = "", size: int | None = None) -> StoredFile:
        """Keep a file for this use; the same bytes under the same name are the same file. `size`: pretend this one."""
        content = hashlib.sha256(data if size is None else b"%d:" % size + data).digest()
        use = hashlib.sha256(f"{self._bot_id}:{kind}:{name}:{media_type}:".encode() + content).digest()
        file_id = _PREFIX[kind] + _letters(use)
        if file_id not in self._by_id:
            unique = ("AQAD" if kind in ("photo", "thumbnail") else "AgAD") + _letters(content)[:12]
            known = StoredFile(file_id, unique, kind, data, name, media_type, size or len(data), len(self._by_id))
            self._by_id[file_id] = known
        return self._by_id[file_id]

    def find(self, file_id: str) -> StoredFile | None:
        return self._by_id.get(file_id)

    def remember(self, content: Json) -> None:
        """These fields of a message show a file that may be sent again by its id."""
        for shown in content.values():
            for one in shown if isinstance(shown, list) else [shown]:
                self._contents[one["file_id"]] = content

    def content(self, file: StoredFile) -> Json:
        """The fields of a message that show this file. Raises KeyError for a thumbnail: it is shown by no message."""
        return self._contents[file.id]

    def recalled(self, content: Json) -> Json:
        """Fields of a message of which only the `file_id` is remembered: whole again for a file that is known, and without the
        file's field for any other."""
        whole: Json = {}
        for name, value in content.items():
            file_id = value.get("file_id") if isinstance(value, dict) and len(value) == 1 else None
            whole |= {name: value} if file_id is None else self._contents.get(file_id, {name: {}})
        return whole

    def open_path(self, file: StoredFile) -> str:
        """A path that is good for an hour from now."""
        self._paths[file.path] = (file, clock.now() + PATH_LIFE)
        return file.path

    def at_path(self, path: str) -> StoredFile | None:
        """The file, while its path is good."""
        file, ends_at = self._paths.get(path, (None, clock.now()))
        return file if clock.now() < ends_at else None


def _letters(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
