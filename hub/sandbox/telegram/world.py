"""Bots and people, and the chats they have. No network: `webhook.py` and `server.py` carry updates away; `doing.py` is what a
person does with a phone.

All ids are those Telegram would use: a bot's id is the number before the colon of its token.
"""

import random
from dataclasses import dataclass
from datetime import datetime

from hub.core.errors import Conflict, InvalidInput, NotFound
from hub.sandbox.faults import Faults
from hub.sandbox.telegram import samples
from hub.sandbox.telegram.chats import Chat, Entry, Person, without_reply
from hub.sandbox.telegram.faults import KINDS
from hub.sandbox.telegram.files import Files
from hub.sandbox.telegram.limits import FloodLimits
from hub.sandbox.telegram.updates import Mailbox, first_number
from hub.sandbox.telegram.wire import TOKEN, Json, unix_now


@dataclass(frozen=True, slots=True)
class OpenQuery:
    """A pressed button that waits for answerCallbackQuery."""

    chat: Chat
    message_id: int
    data: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Connection:
    """A Telegram Business account that lets the bot work for it."""

    id: str
    owner: Person
    is_enabled: bool
    can_reply: bool

    def as_json(self, at: int) -> Json:
        rights = {"can_reply": True, "can_read_messages": True} if self.can_reply else {"can_read_messages": True}
        return {
            "id": self.id,
            "user": self.owner.as_user(),
            "user_chat_id": self.owner.id,
            "date": at,
            "rights": rights,
            "is_enabled": self.is_enabled,
        }


class Bot(Mailbox):
    """One bot with everything Telegram keeps for it."""

    def __init__(self, token: str, name: str, username: str, faults: Faults) -> None:
        super().__init__()
        match = TOKEN.fullmatch(token)
        if match is None:
            raise InvalidInput("a token is digits, a colon and about 35 letters, digits, _ or -", field="token")
        self.token = token
        self.id = int(match[1])
        self.name = name
        self.username = username
        self.first_message_id = first_number()
        self.chats: dict[int, Chat] = {}
        """Private chats by person."""
        self.groups: dict[int, Chat] = {}
        """Groups and channels by their id."""
        self.business: dict[tuple[str, int], Chat] = {}
        """By connection and person."""
        self.connections: dict[str, Connection] = {}
        self.files = Files(self.id)
        self.faults = faults
        self.limits = FloodLimits()
        self.open_queries: dict[str, OpenQuery] = {}

    def __repr__(self) -> str:
        return f"Bot({self.id})"

    def as_user(self) -> Json:
        return {"id": self.id, "is_bot": True, "first_name": self.name, "username": self.username}

    def chat(self, person: Person) -> Chat:
        """The chat with this person; begun when there is none."""
        return self.chats.setdefault(person.id, Chat(person, self.first_message_id))

    def group(self, person: Person, group: Json) -> Chat:
        """The group or channel with this id; `person` speaks there now."""
        chat = self.groups.setdefault(int(group["id"]), Chat(person, self.first_message_id, group, is_open=True))
        chat.person, chat.group = person, group
        return chat

    def business_chat(self, connection_id: str, person: Person) -> Chat:
        """The chat of this customer with the owner of a business account. Raises NotFound for an unknown connection."""
        if connection_id not in self.connections:
            raise NotFound(f"no business connection {connection_id}")
        chat = Chat(person, self.first_message_id, connection_id=connection_id, is_open=True)
        return self.business.setdefault((connection_id, person.id), chat)

    def say(
        self,
        chat: Chat,
        content: Json,
        *,
        reply_to: Entry | None = None,
        quote: Json | None = None,
        reply_markup: Json | None = None,
    ) -> Json:
        """A message of the bot appears on the phone; the message as the Bot API shows it."""
        at = unix_now()
        message = chat.frame(self.as_user(), at)
        if chat.connection_id:
            message["sender_business_bot"] = self.as_user()
        if reply_to is not None and reply_to.message is not None:
            message["reply_to_message"] = without_reply(reply_to.message)
            message |= {"quote": quote} if quote else {}
        message |= content
        if reply_markup is not None:
            self._put_keyboard(chat, message, reply_markup)
        chat.typing_until = None
        chat.add(Entry(at, from_bot=True, message=message))
        return message

    def _put_keyboard(self, chat: Chat, message: Json, markup: Json) -> None:
        if "inline_keyboard" in markup:
            message["reply_markup"] = markup
        elif "keyboard" in markup:
            chat.keyboard = markup
        elif markup.get("remove_keyboard"):
            chat.keyboard = None


class World:
    """All bots and people of one sandbox."""

    def __init__(self) -> None:
        self.faults = Faults(KINDS)
        """The same for all bots: it is the messenger that fails."""
        self.bots: dict[int, Bot] = {}
        self.people: dict[int, Person] = {}

    def create_bot(self, token: str, name: str, username: str) -> Bot:
        """A bot with this token, or the one that has it, under its new name. Another token of the same bot id is what a
        revoked and renewed token is: the bot stays, the old token is worth nothing any more."""
        new = Bot(token, name, username, self.faults)
        bot = self.bots.setdefault(new.id, new)
        samples.acquaint(bot.files)
        bot.token, bot.name, bot.username = token, name, username
        return bot

    def create_person(
        self,
        first_name: str,
        last_name: str | None = None,
        username: str | None = None,
        language_code: str | None = None,
        id_: int | None = None,
    ) -> Person:
        """A new person, or new names for the one with this id."""
        if id_ is not None and id_ in self.bots:
            raise Conflict("this id belongs to a bot")
        person_id = id_ if id_ is not None else self._free_id()
        person = Person(person_id, first_name, last_name, username, language_code)
        self.people[person_id] = person
        for bot in self.bots.values():
            if person_id in bot.chats:
                bot.chats[person_id].person = person
        return person

    def bot(self, bot_id: int) -> Bot:
        if bot_id not in self.bots:
            raise NotFound(f"no bot {bot_id}")
        return self.bots[bot_id]

    def person(self, person_id: int) -> Person:
        if person_id not in self.people:
            raise NotFound(f"no person {person_id}")
        return self.people[person_id]

    def chat(self, bot_id: int, person_id: int) -> tuple[Bot, Chat]:
        bot = self.bot(bot_id)
        return bot, bot.chat(self.person(person_id))

    def by_token(self, token: str) -> Bot | None:
        match = TOKEN.fullmatch(token)
        bot = self.bots.get(int(match[1])) if match else None
        return bot if bot is not None and bot.token == token else None

    def _free_id(self) -> int:
        """As wide as ids of recent accounts: more than 32 bits."""
        while (number := random.randint(5_000_000_000, 8_999_999_999)) in self.people:
            pass
        return number
