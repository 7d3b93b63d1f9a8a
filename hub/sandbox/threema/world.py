"""Gateway IDs, people with their apps, files and chats of the simulated Threema."""

import hashlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from nacl.public import PrivateKey, PublicKey

from hub.core.errors import NotFound
from hub.sandbox.messengers import PhoneFile, PhoneLine
from hub.sandbox.threema.containers import EMAIL_KEY, PHONE_KEY, hash_of

ALPHABET: Final = "ABCDEFGHJKLMNPRSTUVWXYZ23456789"
SAMPLE_ID: Final = "*RADWERK"
SAMPLE_SECRET: Final = "Zq4vT8mWc1LdYp0K"
SAMPLE_KEY: Final = bytes.fromhex("4e241f0ba1c975762725861de1d9ae2b056aa136c735bcd92b5d565e739bfa91")
BASIC_ID: Final = "*RADWERB"
CREDITS: Final = 1000
CAPABILITIES: Final = ("text", "image", "video", "audio", "file")


@dataclass(slots=True)
class Gateway:
    """A business's id. In end-to-end mode Threema has its public key; in basic mode the private one as well (`private_key`).
    `callback_url` was entered in the console."""

    id: str
    secret: str
    title: str
    public_key: PublicKey
    private_key: PrivateKey | None = None
    credits: int = CREDITS
    callback_url: str = ""


@dataclass(slots=True)
class Person:
    """Somebody with the app. `phone` in digits with its country, `email` in lower case; both may be empty. `capabilities` are what
    the app can take."""

    id: str
    name: str
    private_key: PrivateKey
    phone: str = ""
    email: str = ""
    capabilities: tuple[str, ...] = CAPABILITIES


@dataclass(slots=True)
class Chat:
    """What one person's app has of one business. `nonces` that were used; `unread`: messages that the person has not seen."""

    lines: list[PhoneLine] = field(default_factory=list)
    nonces: set[bytes] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)
    is_blocked: bool = False

    def line(self, line: str) -> PhoneLine:
        found = next((one for one in self.lines if one.id == line), None)
        if found is None:
            raise NotFound("no such message")
        return found

    def change(self, line: str, changed: Callable[[PhoneLine], PhoneLine]) -> PhoneLine:
        new = changed(self.line(line))
        self.lines = [new if one.id == line else one for one in self.lines]
        return new


def key_of(person: str) -> PrivateKey:
    """The same for this ID in each process: the hub pins a customer's key, and one that changed keeps their messages out."""
    return PrivateKey(hashlib.sha256(f"sandbox of {person}".encode()).digest())


class World:
    """Everything that the simulated Threema knows, with one Gateway ID of each mode and two people."""

    def __init__(self) -> None:
        own = PrivateKey(SAMPLE_KEY)
        basic = PrivateKey.generate()
        self.gateways = {
            SAMPLE_ID: Gateway(SAMPLE_ID, SAMPLE_SECRET, "Radwerk", own.public_key),
            BASIC_ID: Gateway(BASIC_ID, SAMPLE_SECRET, "Radwerk (Basic)", basic.public_key, basic),
        }
        self.people = {
            "JOERG2EZ": Person("JOERG2EZ", "Jörg Özdemir", key_of("JOERG2EZ"), "491701234567", "joerg@radwerk.example"),
            "AYSE4KLM": Person("AYSE4KLM", "Ayşe Köhler", key_of("AYSE4KLM")),
        }
        self.blobs: dict[str, bytes] = {}
        self.files: dict[str, tuple[PhoneFile, bytes]] = {}
        self._chats: dict[tuple[str, str], Chat] = {}

    def gateway(self, gateway: str) -> Gateway:
        if gateway not in self.gateways:
            raise NotFound("no such Gateway ID")
        return self.gateways[gateway]

    def person(self, person: str) -> Person:
        if person not in self.people:
            raise NotFound("no such person")
        return self.people[person]

    def chat(self, gateway: str, person: str) -> Chat:
        self.gateway(gateway), self.person(person)
        return self._chats.setdefault((gateway, person), Chat())

    def add_person(self, name: str, address: str) -> Person:
        address = address or "".join(secrets.choice(ALPHABET) for _ in range(8))
        known = self.people.get(address)
        if known is not None:
            known.name = name
            return known
        self.people[address] = Person(address, name, key_of(address))
        return self.people[address]

    def public_key(self, id_: str) -> PublicKey | None:
        if id_ in self.gateways:
            return self.gateways[id_].public_key
        return self.people[id_].private_key.public_key if id_ in self.people else None

    def find(self, what: str, value: str) -> Person | None:
        """By `phone`, `phone_hash`, `email` or `email_hash`."""
        said: dict[str, Callable[[Person], str]] = {
            "phone": lambda person: person.phone,
            "email": lambda person: person.email,
            "phone_hash": lambda person: hash_of(PHONE_KEY, person.phone) if person.phone else "",
            "email_hash": lambda person: hash_of(EMAIL_KEY, person.email) if person.email else "",
        }
        return next((person for person in self.people.values() if value and said[what](person) == value), None)

    def keep_blob(self, sealed: bytes) -> str:
        blob = os.urandom(16).hex()
        self.blobs[blob] = sealed
        return blob

    def keep_file(self, file: PhoneFile, content: bytes) -> PhoneFile:
        self.files[file.id] = (file, content)
        return file
