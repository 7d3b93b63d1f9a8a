"""One business's number, the people who write to it, and what WhatsApp keeps of both. No network."""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from hub.core import clock
from hub.core.errors import InvalidInput, NotFound
from hub.sandbox.messengers import PhoneButton, PhoneFile
from hub.sandbox.whatsapp.templates import Templates

WINDOW: Final = timedelta(hours=24)
PAIR_SECONDS, PAIR_BURST = 6.0, 45
"""One message to one person in so many seconds, and so many ahead of time (provider file, 14)."""


@dataclass(slots=True)
class Person:
    """A customer. `phone` in digits; `hides_number`: they have a username, and the business is told their id alone."""

    phone: str
    bsuid: str
    name: str
    username: str = ""
    hides_number: bool = False


@dataclass(slots=True)
class Line:
    """A message on the phone. `kind` is WhatsApp's word; `said` what stands under it in a webhook."""

    id: str
    at: datetime
    is_theirs: bool
    kind: str
    said: dict[str, Any]
    text: str = ""
    files: tuple[PhoneFile, ...] = ()
    place: tuple[float, float] | None = None
    buttons: tuple[PhoneButton, ...] = ()
    reply_to: str = ""
    reactions: dict[str, str] = field(default_factory=dict)
    state: str = ""
    is_edited: bool = False
    is_deleted: bool = False
    note: str = ""


@dataclass(slots=True)
class Chat:
    """`wrote_at` opens the window for 24 hours; `debt_until` is the moment at which the pair's borrowed messages are paid."""

    person: Person
    lines: list[Line] = field(default_factory=list)
    wrote_at: datetime | None = None
    debt_until: datetime | None = None
    is_blocked: bool = False
    no_marketing: bool = False
    typing_until: datetime | None = None

    def is_open(self) -> bool:
        return self.wrote_at is not None and clock.now() - self.wrote_at < WINDOW

    def line(self, message: str) -> Line:
        found = next((one for one in self.lines if one.id == message), None)
        if found is None:
            raise NotFound(f"no message {message}")
        return found

    def pays(self) -> bool:
        """Count one message to this person; False when too many were sent ahead of time."""
        now = clock.now()
        due = max(now, self.debt_until or now) + timedelta(seconds=PAIR_SECONDS)
        if (due - now).total_seconds() > PAIR_SECONDS * PAIR_BURST:
            return False
        self.debt_until = due
        return True


@dataclass(slots=True)
class Medium:
    """A file at WhatsApp. `is_ours`: the business uploaded it."""

    file: PhoneFile
    content: bytes = field(repr=False)
    is_ours: bool


@dataclass(slots=True)
class Hook:
    """Where webhooks go. `headers`: those that 360dialog sends along. `fields`: what Meta was asked for; empty: everything."""

    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    fields: frozenset[str] = frozenset()


class Number:
    """A business's number with everything WhatsApp keeps for it."""

    def __init__(self) -> None:
        self.id, self.waba_id, self.app_id = "104558822731906", "117290046610385", "106600000000042"
        self.phone, self.display, self.name = "493023125042", "+49 30 23125042", "Radwerk Lindau"
        self.api_key, self.platform_secret = "sandboxKeyOfRadwerk_01AK", "sandbox-platform-secret-01"
        self.access_token, self.app_secret = "EAAsandboxTokenOfRadwerk", "5a4db0c0ffee5a4db0c0ffee5a4db0c0"
        self.quality = "GREEN"
        self.is_restricted = False
        self.at_360dialog, self.at_meta = Hook(), Hook()
        self.is_subscribed = False
        self.chats: dict[str, Chat] = {}
        self.media: dict[str, Medium] = {}
        self.templates = Templates()

    def chat(self, person: str) -> Chat:
        """The chat with the person of this number. Raises NotFound."""
        if person not in self.chats:
            raise NotFound(f"no person {person}")
        return self.chats[person]

    def by_address(self, address: str) -> Chat | None:
        """The chat with whoever has this number or id."""
        fits = (chat for chat in self.chats.values() if address in (chat.person.phone, chat.person.bsuid))
        return next(fits, None)

    def add_person(self, name: str, phone: str) -> Person:
        digits = "".join(letter for letter in phone if letter.isdigit()) or f"49151{int.from_bytes(os.urandom(4)) % 10**8:08}"
        if len(digits) < 6:
            raise InvalidInput("a phone number has more digits", field="address")
        if digits in self.chats:
            self.chats[digits].person.name = name
        else:
            person = Person(digits, f"DE.{int.from_bytes(os.urandom(7)) % 10**17:017}", name)
            self.chats[digits] = Chat(person)
        return self.chats[digits].person

    def keep(self, kind: Any, name: str, mime: str, content: bytes, *, is_ours: bool) -> PhoneFile:
        """A file that WhatsApp takes from either side, under a new id."""
        media_id = str(10**15 + int.from_bytes(os.urandom(7)) % 10**15)
        file = PhoneFile(id=media_id, kind=kind, name=name, mime=mime, size=len(content))
        self.media[media_id] = Medium(file, content, is_ours)
        return file


def new_wamid() -> str:
    return f"wamid.{base64.b64encode(os.urandom(36)).decode()}"
