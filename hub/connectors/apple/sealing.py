"""How files are sealed, and where a received one lies (provider file, 6).

AES-256 in counter mode from zero, without padding or a check sum: a sealed file is as long as the file.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

KEY: Final = re.compile(r"(?:00)?([0-9a-fA-F]{64})")
WORD: Final = re.compile(r"[!-~]+")
"""What can stand in a header."""


def machine(key: bytes) -> CipherContext:
    """Seals and opens, which is the same."""
    return Cipher(AES(key), CTR(bytes(16))).encryptor()


def written_key(key: bytes) -> str:
    """A key as Apple writes it: two zeros before it."""
    return f"00{key.hex()}"


class NoRef(ValueError):
    """A word that names no file."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file lies. `bid` names the extension whose answer it is; empty: an attachment."""

    url: str
    owner: str
    signature: str
    key: str
    bid: str = ""

    def write(self) -> str:
        """As `Media.ref`."""
        return orjson.dumps([self.url, self.owner, self.signature, self.key, self.bid]).decode()

    @property
    def opens_with(self) -> bytes:
        """Raises NoRef."""
        found = KEY.fullmatch(self.key)
        if found is None:
            raise NoRef("no key")
        return bytes.fromhex(found[1])


def read_ref(ref: str) -> Place:
    """Raises NoRef."""
    try:
        told: Any = orjson.loads(ref)
    except orjson.JSONDecodeError as error:
        raise NoRef("no JSON") from error
    if not isinstance(told, list) or len(told) != 5 or not all(isinstance(word, str) for word in told):
        raise NoRef("not five words")
    place = Place(*told)
    if not all(WORD.fullmatch(word) for word in (place.url, place.owner, place.signature, place.bid or "-")):
        raise NoRef("not for a header")
    return place
