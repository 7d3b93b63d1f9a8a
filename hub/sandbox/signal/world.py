"""The business's account, people with their apps, files and chats of the simulated Signal."""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from hub.core import clock
from hub.core.errors import NotFound
from hub.sandbox.messengers import PhoneFile, PhoneLine

SAMPLE_NUMBER: Final = "+4983829990011"
SAMPLE_UUID: Final = "6f1d9c3a-2f60-4e0b-9a57-5d0f6a3c1e10"
JOERG: Final = "0b6f4a52-6c1d-4b7e-8d2f-1a2b3c4d5e6f"
AYSE: Final = "7c2e8d10-93b4-4f6a-a1c5-9f8e7d6c5b4a"
UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(slots=True)
class Account:
    """What signal-cli has. `receives`: another program does so already, and nobody can ask. `challenge`: what a captcha is wanted
    with, while one is wanted."""

    number: str
    uuid: str
    title: str
    receives: bool = False
    is_registered: bool = True
    challenge: str = ""


@dataclass(slots=True)
class Person:
    """Somebody with the app. Without a number they hide it. `is_trusted`: their safety number is the one that signal-cli knows;
    `held`: what it keeps until then."""

    uuid: str
    name: str
    number: str = ""
    username: str = ""
    is_trusted: bool = True
    held: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Chat:
    """What one person's app has of the business. `unread`: timestamps that the person has not seen."""

    lines: list[PhoneLine] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)
    is_blocked: bool = False
    is_typing: bool = False

    def line(self, line: str) -> PhoneLine:
        found = next((one for one in self.lines if one.id == line), None)
        if found is None:
            raise NotFound("no such message")
        return found

    def has(self, line: str) -> bool:
        return any(one.id == line for one in self.lines)

    def change(self, line: str, changed: Callable[[PhoneLine], PhoneLine]) -> PhoneLine:
        new = changed(self.line(line))
        self.lines = [new if one.id == line else one for one in self.lines]
        return new


class World:
    """Everything that the simulated Signal knows, with one account and two people, one of whom hides her number."""

    def __init__(self) -> None:
        self.account = Account(SAMPLE_NUMBER, SAMPLE_UUID, "Radwerk")
        self.people = {
            JOERG: Person(JOERG, "Jörg Özdemir", "+491701234567"),
            AYSE: Person(AYSE, "Ayşe Köhler", username="ayse.42"),
        }
        self.attachments: dict[str, bytes] = {}
        self.stickers: dict[tuple[str, int], bytes] = {}
        self.files: dict[str, tuple[PhoneFile, bytes]] = {}
        self._chats: dict[str, Chat] = {}
        self._stamps: set[int] = set()

    def own(self, account: str) -> Account:
        if account != self.account.number:
            raise NotFound("no such account")
        return self.account

    def person(self, person: str) -> Person:
        if person not in self.people:
            raise NotFound("no such person")
        return self.people[person]

    def find(self, address: str) -> Person | None:
        """By uuid, or by a number that is not hidden."""
        known = self.people.get(address)
        return known or next((one for one in self.people.values() if one.number and one.number == address), None)

    def chat(self, person: str) -> Chat:
        self.person(person)
        return self._chats.setdefault(person, Chat())

    def add_person(self, name: str, address: str) -> Person:
        """By number, or by uuid: then, and without an address, the number is hidden."""
        known = self.find(address) if address else None
        if known is not None:
            known.name = name
            return known
        new = Person(str(uuid.uuid4()), name, address) if not UUID.fullmatch(address) else Person(address, name)
        self.people[new.uuid] = new
        return new

    def stamp(self, at: datetime | None = None) -> int:
        """Milliseconds that name a new message: no two are the same."""
        found = int((at or clock.now()).timestamp() * 1000)
        while found in self._stamps:
            found += 1
        self._stamps.add(found)
        return found

    def keep_file(self, file: PhoneFile, content: bytes) -> PhoneFile:
        self.files[file.id] = (file, content)
        return file
