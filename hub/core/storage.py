"""The media store: files as objects under (organisation, random id) in one folder. PostgreSQL says what they are.

    <HUB_MEDIA>/<organisation>/<last two digits of the id>/<id>          the file
    <HUB_MEDIA>/<organisation>/<last two digits of the id>/<id>.small    its small picture, if it has one
    <HUB_MEDIA>/<organisation>/<last two digits of the id>/<id>.aside    a file that came before its message (our own website chat)

Names are made of 32 hexadecimal digits: no path ever comes from what somebody typed or sent. Folders are 0700 and files 0600, so
all processes of the hub must run as the same user. An object is whole or not there: it is written beside its place, made durable
and renamed; writing the same id again replaces it, so a repeated fetch does no harm. What a crash leaves unfinished goes with
`sweep_unfinished`; objects that no row names are found with `listed`, one small part of the store at a time.

Whole files are never held in memory, and nothing here unpacks an archive.
"""

import asyncio
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

from hub.core.errors import HubError

PARTS: Final = 256
"""Folders that an organisation's objects are spread over; `listed` looks at one."""

_UNFINISHED: Final = ".part"
_OBJECT: Final = re.compile(r"([0-9a-f]{32})(?:\.small)?")


class Form(StrEnum):
    """What is kept under an id; the value ends the name."""

    FILE = ""
    SMALL = ".small"
    ASIDE = ".aside"


class TooLarge(HubError):
    """More bytes came than are allowed; none of them is kept. `limit` in values is whole megabytes."""

    code = "file_too_large"
    http_status = 413

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} bytes", limit=max(1, limit // 1_000_000))


class Writing:
    """An object while it is written: how many bytes there are so far, and their SHA-256."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file = file
        self._limit = limit
        self._digest = hashlib.sha256()
        self.size = 0

    async def write(self, piece: bytes) -> None:
        """Raises TooLarge before more than the limit is stored, OSError when the disk does not take it."""
        self.size += len(piece)
        if self.size > self._limit:
            raise TooLarge(self._limit)
        self._digest.update(piece)
        await asyncio.to_thread(self._file.write, piece)

    @property
    def sha256(self) -> bytes:
        return self._digest.digest()


class Storage:
    """The objects below `root`. Safe to share between tasks and processes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, organisation_id: UUID, object_id: UUID, form: Form = Form.FILE) -> Path:
        """Where an object is, or would be."""
        return self._part(organisation_id, object_id.int % PARTS) / f"{object_id.hex}{form}"

    def _part(self, organisation_id: UUID, part: int) -> Path:
        return self._root / organisation_id.hex / f"{part:02x}"

    @asynccontextmanager
    async def writing(
        self, organisation_id: UUID, object_id: UUID, *, limit: int, form: Form = Form.FILE
    ) -> AsyncIterator[Writing]:
        """Store an object of at most `limit` bytes. It is there, and durable, once the block has ended; when the block raises,
        nothing of it is left. OSError when the disk does not take it."""
        path = self.path(organisation_id, object_id, form)
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}{_UNFINISHED}")
        file = _create(self._root, fresh)
        try:
            with file:
                yield Writing(file, limit)
                await asyncio.to_thread(_settle, file, fresh, path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise

    def open(self, organisation_id: UUID, object_id: UUID, form: Form = Form.FILE) -> BinaryIO:
        """A stored file from its start; FileNotFoundError. The caller closes it."""
        return open(self.path(organisation_id, object_id, form), "rb")

    def set_aside(self, organisation_id: UUID, object_id: UUID) -> None:
        """Keep a written file until its message comes for it: no row names it yet, so `listed` must not find it. Its small picture
        goes. FileNotFoundError when there is no such file."""
        self.path(organisation_id, object_id).rename(self.path(organisation_id, object_id, Form.ASIDE))
        self.path(organisation_id, object_id, Form.SMALL).unlink(missing_ok=True)

    def sweep_aside(self, organisation_id: UUID, part: int, *, older_than: float) -> None:
        """Remove what was set aside in one of the PARTS; `older_than` as in `listed`, as long as its message may still come."""
        for path in _old_files(self._part(organisation_id, part), older_than):
            if path.suffix == Form.ASIDE:
                path.unlink(missing_ok=True)

    def delete(self, organisation_id: UUID, object_id: UUID) -> None:
        """Remove a file and its small picture; what is gone already is no error."""
        for form in Form:
            self.path(organisation_id, object_id, form).unlink(missing_ok=True)

    def delete_organisation(self, organisation_id: UUID) -> None:
        """Remove everything that an organisation has here. Blocking; takes as long as there are files."""
        folder = self._root / organisation_id.hex
        if folder.exists():
            shutil.rmtree(folder)

    def listed(self, organisation_id: UUID, part: int, *, older_than: float) -> set[UUID]:
        """Ids in one of the PARTS with an object that was written more than `older_than` seconds of machine time ago."""
        found = (_OBJECT.fullmatch(path.name) for path in _old_files(self._part(organisation_id, part), older_than))
        return {UUID(hex=name[1]) for name in found if name}

    def sweep_unfinished(self, organisation_id: UUID, part: int, *, older_than: float) -> None:
        """Remove what writers that died left in one of the PARTS; `older_than` as above, longer than any writer takes."""
        for path in _old_files(self._part(organisation_id, part), older_than):
            if path.suffix == _UNFINISHED:
                path.unlink(missing_ok=True)


def _create(root: Path, path: Path) -> BinaryIO:
    """A new private file; folders that are missing are made private too."""
    for folder in (root, path.parent.parent, path.parent):
        folder.mkdir(mode=0o700, parents=folder is root, exist_ok=True)
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")


def _settle(file: BinaryIO, fresh: Path, path: Path) -> None:
    """Make the bytes durable, then the name."""
    file.flush()
    os.fsync(file.fileno())
    os.rename(fresh, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _old_files(folder: Path, older_than: float) -> list[Path]:
    before = time.time() - older_than
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries if entry.stat(follow_symlinks=False).st_mtime < before]
    except FileNotFoundError:
        return []
