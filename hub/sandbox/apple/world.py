"""The business, its provider's secret, people with their chats, and Apple's storage for files."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from hub.core import clock
from hub.core.errors import InvalidInput, NotFound
from hub.sandbox.messengers import PhoneFile, PhoneLine, PhonePerson

BUSINESS: Final = "3f0c8f52-6a7e-4b11-9d55-5a2d6c7e8f90"
MSP: Final = "sandbox-msp-0001"
SECRET: Final = base64.b64encode(hashlib.sha256(b"sandbox of Apple Messages for Business").digest()).decode()
PEOPLE: Final = (("Ilse Kramer", "de_DE"), ("Emre Şahin", "en_DE"))
ANSWER_SECONDS: Final = 5.0
"""How long a long answer lies at the storage (provider file, 4: its address dies within seconds)."""


@dataclass(slots=True)
class Chat:
    """One person's chat with the business. `is_open`: they have written and not deleted it. `asked` are questions by the id of
    their line."""

    person: PhonePerson
    locale: str
    lines: list[PhoneLine] = field(default_factory=list)
    is_open: bool = False
    is_deleted: bool = False
    is_typing: bool = False
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)

    def line(self, number: str) -> PhoneLine:
        """NotFound."""
        found = next((line for line in self.lines if line.id == number), None)
        if found is None:
            raise NotFound("no such message")
        return found

    def newest_of_the_business(self) -> PhoneLine | None:
        return next((line for line in reversed(self.lines) if line.is_theirs), None)


@dataclass(frozen=True, slots=True)
class Stored:
    """A sealed file at the storage."""

    owner: str
    signature: bytes
    sealed: bytes
    until: datetime | None = None


class World:
    def __init__(self) -> None:
        self.chats: dict[str, Chat] = {}
        self.files: dict[str, tuple[PhoneFile, bytes]] = {}
        """What phones show, opened."""
        self.storage: dict[str, Stored] = {}
        """By the last part of their address."""
        self.uploads: dict[str, int] = {}
        """Places that were given out: name to the bytes that were announced."""
        for name, locale in PEOPLE:
            self.add(name, "", locale)

    def add(self, name: str, address: str, locale: str = "de_DE") -> PhonePerson:
        """Raises InvalidInput for what is no opaque id."""
        seed = hashlib.sha384(name.encode()).digest() if len(self.chats) < len(PEOPLE) else secrets.token_bytes(48)
        opaque = address.strip() or f"urn:mbid:AQAAY{base64.b64encode(seed).decode()}=="
        if not opaque.startswith("urn:mbid:") or not opaque.isascii() or " " in opaque:
            raise InvalidInput("an opaque id like urn:mbid:AQAAY…", field="address")
        person = PhonePerson(id=opaque, name=name, address=opaque)
        if opaque in self.chats:
            self.chats[opaque].person = person
        else:
            self.chats[opaque] = Chat(person, locale)
        return person

    def chat(self, person: str) -> Chat:
        found = self.chats.get(person)
        if found is None:
            raise NotFound("no such person")
        return found

    def put(self, chat: Chat, number: str, **what: Any) -> PhoneLine:
        line = PhoneLine(**{"id": number, "at": clock.now(), **what})
        chat.lines.append(line)
        return line

    def change(self, chat: Chat, number: str, **what: Any) -> None:
        chat.lines[chat.lines.index(chat.line(number))] = replace(chat.line(number), **what)

    def store(self, sealed: bytes, name: str = "", *, seconds: float | None = None) -> str:
        """Keep a sealed file; its name."""
        name = name or f"M{secrets.token_hex(8)}"
        signature = b"\x81" + hashlib.sha256(sealed).digest()[:16]
        until = None if seconds is None else clock.now() + timedelta(seconds=seconds)
        self.storage[name] = Stored(f"{name}.C01USN00", signature, sealed, until)
        return name

    def stored(self, name: str) -> Stored | None:
        """None for one that is not there, or no longer."""
        found = self.storage.get(name)
        return None if found is None or (found.until is not None and clock.now() >= found.until) else found

    def keep(self, file: PhoneFile, content: bytes) -> PhoneFile:
        kept = PhoneFile(id=secrets.token_hex(8), kind=file.kind, name=file.name, mime=file.mime, size=len(content))
        self.files[kept.id] = (kept, content)
        return kept


def crypt(content: bytes, key: bytes) -> bytes:
    """Seals and opens: AES-256 in counter mode from zero (provider file, 6)."""
    return Cipher(AES(key), CTR(bytes(16))).encryptor().update(content)
