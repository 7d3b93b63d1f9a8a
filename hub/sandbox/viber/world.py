"""Bots, people, their chats and files of the simulated Viber."""

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, Final

from hub.core.errors import NotFound
from hub.sandbox.messengers import PhoneFile, PhoneLine
from hub.sandbox.numbers import first_number

Json = dict[str, Any]
SAMPLE_TOKEN: Final = "4f6b1c2d3e4f5a60-7b8c9d0e1f2a3b4c-5d6e7f8091a2b3c4"
SAMPLE_ID: Final = "pa:75346594275468546724"
FIRST_TOKEN: Final = 5931240000000000001
"""Message tokens are beyond 2^53, as Viber's are."""


@dataclass(slots=True)
class Bot:
    """`webhook` is where its events go, empty for nowhere; `events` those it asked for. `may_broadcast`: Viber has activated it."""

    id: str
    token: str
    name: str
    uri: str
    webhook: str = ""
    events: tuple[str, ...] = ()
    wants_names: bool = False
    may_broadcast: bool = False


@dataclass(slots=True)
class Person:
    """Somebody as one bot knows them: the id is this bot's alone."""

    id: str
    name: str
    language: str = "de-DE"


@dataclass(slots=True)
class Chat:
    """What one person's app has of one bot. `tracking_data` is what the bot last gave along; `unanswered` counts its messages in
    `hour` that got no reply; `unread` those that were not seen."""

    lines: list[PhoneLine] = field(default_factory=list)
    is_subscribed: bool = False
    tracking_data: str = ""
    unread: list[str] = field(default_factory=list)
    hour: datetime | None = None
    unanswered: int = 0

    def line(self, line: str) -> PhoneLine:
        found = next((one for one in self.lines if one.id == line), None)
        if found is None:
            raise NotFound("no such message")
        return found

    def change(self, line: str, changed: Callable[[PhoneLine], PhoneLine]) -> None:
        new = changed(self.line(line))
        self.lines = [new if one.id == line else one for one in self.lines]


class World:
    """Everything that the simulated Viber knows, with one bot and two people."""

    def __init__(self) -> None:
        self.bots = {SAMPLE_ID: Bot(SAMPLE_ID, SAMPLE_TOKEN, "Radwerk", "radwerk")}
        self.people = {
            one.id: one
            for one in (Person("Qm9+x/Lk2Aa0vYyZz1Ww3A==", "Jörg Özdemir"), Person("h0Vb3n/Qx7s+L2kYpZ4tRw==", "Ayşe Köhler"))
        }
        self.files: dict[str, tuple[PhoneFile, bytes]] = {}
        self._chats: dict[tuple[str, str], Chat] = {}
        self._tokens = count(FIRST_TOKEN + 7 * first_number(), 7)

    def bot(self, bot: str) -> Bot:
        if bot not in self.bots:
            raise NotFound("no such bot")
        return self.bots[bot]

    def by_token(self, token: str) -> Bot | None:
        return next((bot for bot in self.bots.values() if bot.token == token), None)

    def person(self, person: str) -> Person:
        if person not in self.people:
            raise NotFound("no such person")
        return self.people[person]

    def chat(self, bot: str, person: str) -> Chat:
        self.bot(bot), self.person(person)
        return self._chats.setdefault((bot, person), Chat())

    def add_person(self, name: str, address: str) -> Person:
        address = address or base64.b64encode(os.urandom(16)).decode()
        person = self.people.setdefault(address, Person(address, name))
        person.name = name
        return person

    def subscribers(self, bot: str) -> int:
        return sum(chat.is_subscribed for (of, _), chat in self._chats.items() if of == bot)

    def next_token(self) -> int:
        return next(self._tokens)

    def keep_file(self, file: PhoneFile, content: bytes) -> PhoneFile:
        self.files[file.id] = (file, content)
        return file
