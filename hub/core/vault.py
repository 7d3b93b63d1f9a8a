"""Secrets at rest (R-263, I10): sealed with AES-256-GCM, each bound to the one place it is stored in.

A sealed value is `key id`, `:`, 12 random bytes, ciphertext and tag. Organisation, table, column and row are authenticated
with it (as associated data), so a value copied to another row, column or organisation does not open.

Master keys come from HUB_MASTER_KEY or, when that is unset, from a file in the data folder, beside the database's folder and
never inside it or its dumps. Both are written `id:base64[,id:base64…]`, 32 bytes each; the FIRST key seals, all open. To
rotate, put a new key in front, seal again what `needs_rotation`, then drop the old one: `hub keys` (`hub/keys.py`).

Running processes follow the file: they look whether it was replaced before they seal anything, and when a value names a key they do
not hold. So nothing is sealed with a key that is about to go, and nothing new stays shut. HUB_MASTER_KEY is read at the start only.

Random nonces keep one key safe for 2^32 values (NIST SP 800-38D, 8.3): far more than a hub ever seals.
"""

import base64
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.core.errors import HubError
from hub.core.settings import Settings

KEY_FILE: Final = "master.key"

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_KEY_ID: Final = re.compile(r"[a-z0-9_-]{1,32}")
_SEALED: Final = re.compile(rb"([a-z0-9_-]{1,32}):(.{%d,})" % (_NONCE_BYTES + _TAG_BYTES), re.DOTALL)


class SealBroken(HubError):
    """A sealed value does not open here: changed, moved to another place, or sealed with a key we do not hold."""

    code = "seal_broken"
    http_status = 500


class MasterKeyUnusable(HubError):
    """HUB_MASTER_KEY or the key file cannot be used. The message says what to mend and never shows a key."""

    code = "master_key_unusable"
    http_status = 500


class Vault:
    """Seals and opens; safe to share between tasks and threads. Its repr names key ids, never keys."""

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        """`current` is the id of the key that seals; all `keys` open. Raises MasterKeyUnusable for an unfit id or length."""
        self._held = _ciphers(keys, current)

    @property
    def current(self) -> str:
        """The id of the key that seals."""
        return self._held[0]

    @property
    def key_ids(self) -> list[str]:
        """The ids of all keys that open, the one that seals first."""
        return list(self._held[1])

    def __repr__(self) -> str:
        return f"Vault(current={self.current!r}, key_ids={sorted(self.key_ids)!r})"

    def _follow(self) -> None:
        """Take over keys that have changed outside; these do not."""

    def seal(self, plain: bytes | str, *, organisation_id: UUID, table: str, column: str, row_id: UUID) -> bytes:
        """The sealed form of `plain` (text as UTF-8) for exactly this place. Never the same bytes twice."""
        self._follow()
        current, ciphers = self._held
        nonce = os.urandom(_NONCE_BYTES)
        data = plain.encode() if isinstance(plain, str) else plain
        sealed = ciphers[current].encrypt(nonce, data, _place(organisation_id, table, column, row_id))
        return current.encode() + b":" + nonce + sealed

    def open(self, sealed: bytes, *, organisation_id: UUID, table: str, column: str, row_id: UUID) -> bytes:
        """What was sealed for this place. Raises SealBroken, which shows neither the sealed value nor any of its content."""
        key_id, body = _split(sealed)
        if key_id not in self._held[1]:
            self._follow()
        cipher = self._held[1].get(key_id)
        where = f"{table}.{column} of row {row_id}"
        if cipher is None:
            raise SealBroken(f"{where} was sealed with key {key_id!r}, which this hub does not hold")
        try:
            return cipher.decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], _place(organisation_id, table, column, row_id))
        except InvalidTag:
            raise SealBroken(f"{where} was changed, moved, or sealed with another key called {key_id!r}") from None

    def needs_rotation(self, sealed: bytes) -> bool:
        """Whether another key than the current one sealed this. Raises SealBroken when it is no sealed value at all."""
        return _split(sealed)[0] != self.current


class FileVault(Vault):
    """The keys of a key file, followed as long as the process lives."""

    def __init__(self, path: Path) -> None:
        """Raises MasterKeyUnusable."""
        self._path = path
        self._seen = _mark(path)
        super().__init__(*_parse(_read_key_file(path), str(path)))

    def _follow(self) -> None:
        """Raises MasterKeyUnusable, also when the file is gone: what is sealed now could not be opened after the next start."""
        seen = _mark(self._path)
        if seen != self._seen:
            self._held = _ciphers(*_parse(_read_key_file(self._path), str(self._path)))
            self._seen = seen


def load_vault(settings: Settings) -> Vault:
    """The vault of this installation; without HUB_MASTER_KEY from the key file, made at the first start.

    Several processes may start at once: they all end with the same file. Raises MasterKeyUnusable; OSError when the data
    folder cannot be written.
    """
    if settings.master_key is not None:
        return Vault(*_parse(settings.master_key.get_secret_value(), "HUB_MASTER_KEY"))
    path = settings.data / KEY_FILE
    if not path.exists():
        _make_key_file(path)
    return FileVault(path)


def new_key() -> str:
    """A new master key as it is written, `id:base64`. The id is random: what was sealed with a key that is lost names that key
    instead of looking damaged."""
    return f"k{secrets.token_hex(4)}:{base64.b64encode(os.urandom(_KEY_BYTES)).decode()}"


def put_key_first(path: Path, entry: str) -> None:
    """Let another key (as `new_key` writes it) seal from now on; the keys of the file still open."""
    with _changing(path):
        _replace_key_file(path, [entry, *_entries(_read_key_file(path))])


def remove_key(path: Path, key_id: str) -> None:
    """Take a key out of the file, for good. Raises MasterKeyUnusable when it is not there or the one that seals."""
    with _changing(path):
        entries = _entries(_read_key_file(path))
        kept = [entry for entry in entries if _id_of(entry) != key_id]
        if len(kept) == len(entries) or _id_of(entries[0]) == key_id:
            raise MasterKeyUnusable(f"{key_id!r} is not an older key of {path}")
        _replace_key_file(path, kept)


@contextmanager
def _changing(path: Path) -> Iterator[None]:
    """One at a time: of two changes at once, the second would undo the first, and with it a key."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
        os.fsync(folder)
    finally:
        os.close(folder)


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.strip().split(",")]


def _id_of(entry: str) -> str:
    return entry.partition(":")[0]


def _parse(text: str, source: str) -> tuple[dict[str, bytes], str]:
    """The keys, and the id of the one that seals."""
    keys: dict[str, bytes] = {}
    for number, entry in enumerate(_entries(text), start=1):
        try:
            key = base64.b64decode(entry.partition(":")[2], validate=True)
        except ValueError:
            raise MasterKeyUnusable(f"{source}: entry {number} is not id:base64") from None
        if _id_of(entry) in keys:
            raise MasterKeyUnusable(f"{source}: entry {number} repeats the id of an earlier key")
        keys[_id_of(entry)] = key
    current = next(iter(keys))
    try:
        _ciphers(keys, current)
    except MasterKeyUnusable as error:
        raise MasterKeyUnusable(f"{source}: {error}") from None
    return keys, current


def _ciphers(keys: Mapping[str, bytes], current: str) -> tuple[str, dict[str, AESGCM]]:
    """The id of the key that seals, and every key ready for use."""
    for key_id, key in keys.items():
        if not _KEY_ID.fullmatch(key_id):
            raise MasterKeyUnusable("a key id is 1 to 32 characters out of a-z, 0-9, _ and -")
        if len(key) != _KEY_BYTES:
            raise MasterKeyUnusable(f"key {key_id!r} has {len(key)} bytes; it must have {_KEY_BYTES}")
    if current not in keys:
        raise MasterKeyUnusable("the key that seals is not among the keys")
    return current, {key_id: AESGCM(key) for key_id, key in keys.items()}


def _mark(path: Path) -> tuple[int, int, int]:
    """Changes with every replacement of the file."""
    try:
        found = path.stat()
    except OSError as error:
        raise MasterKeyUnusable(f"the key file {path} cannot be read: {error.strerror}") from error
    return found.st_ino, found.st_mtime_ns, found.st_size


def _make_key_file(path: Path) -> None:
    """Write a new key, whole and durable; a file that appears meanwhile wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = _write_beside(path, new_key())
    try:
        with _changing(path), suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink()


def _replace_key_file(path: Path, entries: list[str]) -> None:
    """Whole or not at all, and with the owner it had: who rotates may be root, who reads need not be."""
    owner = path.stat()
    fresh = _write_beside(path, ",".join(entries))
    os.chown(fresh, owner.st_uid, owner.st_gid)
    fresh.rename(path)


def _write_beside(path: Path, text: str) -> Path:
    """A durable file beside `path`, 0600 from its first byte."""
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    return fresh


def _read_key_file(path: Path) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read()
    except OSError as error:
        raise MasterKeyUnusable(f"the key file {path} cannot be read: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise MasterKeyUnusable(
            f"the key file {path} has mode {mode:04o}, so others than its owner may use it; "
            f"run `chmod 600 {path}`, and take the key for known if others had access to this machine"
        )
    return text


def _place(organisation_id: UUID, table: str, column: str, row_id: UUID) -> bytes:
    """The associated data. Unambiguous: two ids of fixed length, then two names that cannot hold a zero byte."""
    return organisation_id.bytes + row_id.bytes + f"{table}\0{column}".encode()


def _split(sealed: bytes) -> tuple[str, bytes]:
    found = _SEALED.fullmatch(sealed)
    if found is None:
        raise SealBroken("this is not a sealed value")
    return found[1].decode(), found[2]
