"""The envelope around everything that comes in: who it is from, when, and how things are named.

Keys: `m:{person}:{timestamp}` for what a person wrote, `o:{timestamp}` for what our side wrote, since a receipt names nothing else;
a further file of one message has its number behind that.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from hub.connectors.events import Sender, Unrecognised
from hub.connectors.signal.reading import Json, a_text

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
OWN: Final = re.compile(r"o:([0-9]{1,15})(?::[0-9]{1,3})?")
THEIRS: Final = re.compile(r"m:([^:]{1,64}):([0-9]{1,15})(?::[0-9]{1,3})?")
ONLY_ONE: Final = "only chats with one person are handled"


@dataclass(frozen=True, slots=True)
class Envelope:
    """`at` and `timestamp` are by the clock of the sender's phone; `device` is which of its devices it was. `has_stickers`: their
    pictures can be fetched."""

    sender: Sender
    at: datetime
    timestamp: int
    device: int | None
    has_stickers: bool

    @property
    def person(self) -> str:
        return self.sender.provider_user_id

    def own_key(self, kind: str) -> str:
        """For what is no message: `kind` keeps things of one moment apart."""
        return f"{kind}:{self.person}:{self.timestamp}"

    def key_by(self, author: Json, prefix: str, timestamp: int) -> str:
        """The key of a message of this chat. In a chat of two, whoever is not the person is us: `author` names them in its fields
        `{prefix}Uuid` and `{prefix}Number`."""
        named = {a_text(author, f"{prefix}Uuid"), a_text(author, f"{prefix}Number")} - {""}
        known = {self.person, self.sender.phone, *self.sender.aliases}
        return message_key(self.person, timestamp) if named & known else our_key(timestamp)

    def ignored(self, kind: str, why: str) -> Unrecognised:
        return Unrecognised(key=self.own_key(kind), at=self.at, kind=kind, why=why)


def moment(timestamp: int) -> datetime:
    """Milliseconds since 1970, exactly."""
    return EPOCH + timedelta(milliseconds=timestamp)


def message_key(person: str, timestamp: int) -> str:
    return f"m:{person}:{timestamp}"


def our_key(timestamp: int) -> str:
    return f"o:{timestamp}"


def author_and_timestamp(key: str, own: str) -> tuple[str, int] | None:
    """Who wrote the message with this key, and when; `own` is our number."""
    if found := OWN.fullmatch(key):
        return own, int(found[1])
    found = THEIRS.fullmatch(key)
    return (found[1], int(found[2])) if found else None


def read_person(told: Json, prefix: str) -> Sender | None:
    """Somebody by their fields `{prefix}Uuid`, `{prefix}Number`, `{prefix}Name`: the uuid is theirs for good, the number may be
    hidden or come later (provider file, 2). None when neither is there."""
    uuid, number = a_text(told, f"{prefix}Uuid").lower()[:64], a_text(told, f"{prefix}Number")[:64]
    if not (uuid or number):
        return None
    return Sender(
        provider_user_id=uuid or number,
        display_name=a_text(told, f"{prefix}Name"),
        phone=number,
        aliases=(number,) if uuid and number else (),
    )
