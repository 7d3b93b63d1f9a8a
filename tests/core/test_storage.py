"""The media store: whole or not there, private, and never larger than allowed."""

import asyncio
import hashlib
import os
import stat
from pathlib import Path

import pytest

from hub.core import ids
from hub.core.storage import PARTS, Form, Storage, TooLarge

DAY = 86_400.0
ORGANISATION, OBJECT = ids.new_id(), ids.new_id()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data" / "media"


@pytest.fixture
def storage(root: Path) -> Storage:
    return Storage(root)


async def keep(storage: Storage, *pieces: bytes, limit: int = 1000, form: Form = Form.FILE) -> None:
    async with storage.writing(ORGANISATION, OBJECT, limit=limit, form=form) as file:
        for piece in pieces:
            await file.write(piece)


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def modes(root: Path) -> dict[bool, set[int]]:
    """The permissions of folders (True) and files."""
    found: dict[bool, set[int]] = {True: set(), False: set()}
    for path in (root, *root.rglob("*")):
        found[path.is_dir()].add(stat.S_IMODE(path.stat().st_mode))
    return found


async def test_what_was_written_is_read_back(storage: Storage) -> None:
    async with storage.writing(ORGANISATION, OBJECT, limit=10) as file:
        await file.write(b"Gut")
        await file.write(b"en Tag")
    assert (file.size, file.sha256) == (9, hashlib.sha256(b"Guten Tag").digest())
    with storage.open(ORGANISATION, OBJECT) as read:
        assert read.read() == b"Guten Tag"


async def test_folders_and_files_are_private(storage: Storage, root: Path) -> None:
    await keep(storage, b"x")
    assert modes(root) == {True: {0o700}, False: {0o600}}


async def test_more_than_the_limit_is_refused_and_nothing_is_kept(storage: Storage, root: Path) -> None:
    await keep(storage, b"12345", b"67890", limit=10)
    storage.delete(ORGANISATION, OBJECT)
    with pytest.raises(TooLarge):
        await keep(storage, b"12345", b"678901", limit=10)
    assert files(root) == []


async def test_what_is_not_finished_is_not_there(storage: Storage, root: Path) -> None:
    """A sender who stops in the middle, and a task that is cancelled, leave nothing; before the end there is no object."""
    with pytest.raises(ConnectionError):
        async with storage.writing(ORGANISATION, OBJECT, limit=10) as file:
            await file.write(b"half")
            assert not storage.path(ORGANISATION, OBJECT).exists()
            raise ConnectionError

    has_begun = asyncio.Event()

    async def waits() -> None:
        async with storage.writing(ORGANISATION, OBJECT, limit=10) as file:
            await file.write(b"half")
            has_begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(waits())
    await has_begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files(root) == []
    with pytest.raises(FileNotFoundError):
        storage.open(ORGANISATION, OBJECT)


async def test_writing_again_replaces(storage: Storage, root: Path) -> None:
    await keep(storage, b"one")
    await keep(storage, b"two")
    assert [path.read_bytes() for path in files(root)] == [b"two"]


async def test_delete_takes_the_small_picture_along(storage: Storage, root: Path) -> None:
    await keep(storage, b"photo")
    await keep(storage, b"small", form=Form.SMALL)
    assert len(files(root)) == 2
    storage.delete(ORGANISATION, OBJECT)
    storage.delete(ORGANISATION, OBJECT)
    assert files(root) == []


async def test_an_organisation_goes_alone(storage: Storage, root: Path) -> None:
    other = ids.new_id()
    await keep(storage, b"ours")
    async with storage.writing(other, OBJECT, limit=10) as file:
        await file.write(b"theirs")
    storage.delete_organisation(ORGANISATION)
    storage.delete_organisation(ORGANISATION)
    assert [path.read_bytes() for path in files(root)] == [b"theirs"]


async def test_old_objects_are_listed_and_what_a_crash_left_is_swept(storage: Storage, root: Path) -> None:
    await keep(storage, b"old")
    await keep(storage, b"old", form=Form.SMALL)
    path = storage.path(ORGANISATION, OBJECT)
    left = path.with_name(f"{ids.new_id().hex}.0123.part")
    left.write_bytes(b"half")
    stray = path.with_name("notes.txt")
    stray.write_bytes(b"somebody's")
    part = OBJECT.int % PARTS
    assert storage.listed(ORGANISATION, part, older_than=DAY) == set()
    storage.sweep_unfinished(ORGANISATION, part, older_than=DAY)
    assert left.exists()
    for one in files(root):
        os.utime(one, (one.stat().st_atime, one.stat().st_mtime - DAY - 1))
    assert storage.listed(ORGANISATION, part, older_than=DAY) == {OBJECT}
    assert storage.listed(ORGANISATION, (part + 1) % PARTS, older_than=DAY) == set()
    storage.sweep_unfinished(ORGANISATION, part, older_than=DAY)
    assert not left.exists() and stray.exists() and path.exists()
