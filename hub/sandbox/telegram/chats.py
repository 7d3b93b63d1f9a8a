"""People, groups, and what was said in their chats with a bot.

A private chat has the id of its person; a `message_id` counts inside its chat.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from hub.core import clock
from hub.sandbox.telegram.updates import Update
from hub.sandbox.telegram.wire import Json, present

TYPING_LIFE: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a phone."""

    id: int
    first_name: str
    last_name: str | None = None
    username: str | None = None
    language_code: str | None = None

    def as_user(self) -> Json:
        return {"id": self.id, "is_bot": False} | self._names() | present(language_code=self.language_code)

    def as_chat(self) -> Json:
        return {"id": self.id} | self._names() | {"type": "private"}

    def _names(self) -> Json:
        return {"first_name": self.first_name} | present(last_name=self.last_name, username=self.username)


@dataclass(slots=True)
class Entry:
    """One line of a chat: a message, or something that happened (`event`)."""

    at: int
    """Unix seconds."""
    from_bot: bool = False
    message: Json | None = None
    update: Update | None = None
    event: Literal["blocked", "unblocked", "answer", "elsewhere"] | None = None
    text: str = ""
    """Of an answer to a pressed button; of something elsewhere the kind of update."""
    is_alert: bool = False
    """An answer that has to be confirmed, instead of one that fades away."""
    is_deleted: bool = False
    reaction: str | None = None
    """Of the bot."""


@dataclass(slots=True)
class Chat:
    """What one person and one bot said to each other; or what was said in a group, a channel or a business chat."""

    person: Person
    next_message_id: int
    group: Json | None = None
    """Telegram's Chat object of a group, supergroup or channel; None: a private chat."""
    migrated_to: int | None = None
    """The supergroup that this group has become."""
    connection_id: str = ""
    """The business connection a private chat belongs to; empty: the bot's own."""
    is_open: bool = False
    """The person has written at least once; before that the bot may not write."""
    is_blocked: bool = False
    entries: list[Entry] = field(default_factory=list)
    typing_until: datetime | None = None
    keyboard: Json | None = None
    """The reply keyboard below the text field: Telegram's ReplyKeyboardMarkup."""

    @property
    def id(self) -> int:
        return self.person.id if self.group is None else int(self.group["id"])

    @property
    def kind(self) -> str:
        """The kind of update that tells of a message here."""
        if self.connection_id:
            return "business_message"
        return "channel_post" if self.group is not None and self.group["type"] == "channel" else "message"

    @property
    def queue(self) -> tuple[str, int]:
        """Where the updates about messages of this chat stand in line."""
        return self.kind, self.id

    def as_chat(self) -> Json:
        return self.person.as_chat() if self.group is None else dict(self.group)

    def frame(self, sender: Json, at: int) -> Json:
        """The fields that every new message here has."""
        message: Json = {"message_id": self._draw_message_id()}
        if self.connection_id:
            message["business_connection_id"] = self.connection_id
        message |= {"sender_chat": self.as_chat()} if self.kind == "channel_post" else {"from": sender}
        return message | {"chat": self.as_chat(), "date": at}

    def find(self, message_id: int) -> Entry | None:
        """The message, unless it was deleted."""
        for entry in self.entries:
            if entry.message is not None and entry.message["message_id"] == message_id and not entry.is_deleted:
                return entry
        return None

    def was_written_since(self, at: int) -> bool:
        """Whether the person sent something since then (unix seconds)."""
        mine = (entry.message for entry in self.entries if entry.message is not None and entry.at >= at)
        return any(message.get("from", {}).get("id") == self.person.id for message in mine)

    def is_typing(self) -> bool:
        return self.typing_until is not None and clock.now() < self.typing_until

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)

    def _draw_message_id(self) -> int:
        number = self.next_message_id
        self.next_message_id += 1
        return number


def timeline(chat: Chat) -> Sequence[Entry]:
    """The lines of a chat by their time; equal times in the order they happened."""
    return sorted(chat.entries, key=lambda entry: entry.at)


def words_of(message: Json) -> str:
    """The text of a message, or its caption."""
    return str(message.get("text", message.get("caption", "")))


def without_reply(message: Json) -> Json:
    """A quoted message quotes no other."""
    return {key: value for key, value in message.items() if key not in ("reply_to_message", "quote")}
