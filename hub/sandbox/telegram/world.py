"""Bots, people, their chats, and what a person does with a phone. No network: `webhook.py` and `server.py` carry updates away.

All ids are those Telegram would use: a bot's id is the number before the colon of its token, a private chat has the id of its
person, a `message_id` counts inside its chat, an `update_id` inside its bot. Nothing survives the process; so that a hub
which already knows the ids of an earlier one meets no old id again, both kinds of number start with the time.
"""

import itertools
import json
import random
import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal

from hub.core import clock
from hub.core.errors import Conflict, InvalidInput, NotFound
from hub.sandbox.telegram.faults import Faults

if TYPE_CHECKING:
    from hub.sandbox.telegram.webhook import Delivery, Webhook

Json = dict[str, Any]

TOKEN: Final = re.compile(r"([1-9][0-9]{0,19}):[A-Za-z0-9_-]{20,100}")
UPDATE_KINDS: Final = (
    "message", "edited_message", "channel_post", "edited_channel_post", "inline_query", "chosen_inline_result",
    "callback_query", "shipping_query", "pre_checkout_query", "poll", "poll_answer", "my_chat_member", "chat_member",
    "chat_join_request", "chat_boost", "removed_chat_boost", "message_reaction", "message_reaction_count",
    "business_connection", "business_message", "edited_business_message", "deleted_business_messages",
    "purchased_paid_media", "managed_bot", "guest_message", "subscription",
)  # fmt: skip
DEFAULT_UPDATES: Final = frozenset(UPDATE_KINDS) - {"chat_member", "message_reaction", "message_reaction_count"}

UPDATE_LIFE: Final = timedelta(hours=24)
QUERY_LIFE: Final = timedelta(seconds=150)
QUERIES: Final = frozenset({"callback_query", "shipping_query", "pre_checkout_query"})
TYPING_LIFE: Final = timedelta(seconds=5)
DELIVERIES_KEPT: Final = 200

FIRST_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
IDS_PER_SECOND: Final = 4
"""How far the first number of a process lies behind the first number of one that started a second earlier. Ids are 32 bits
wide: enough for 16 years from FIRST_DAY."""


def first_number() -> int:
    """Where message and update ids of this process start: higher than any that a process before it will have reached."""
    seconds = (clock.now() - FIRST_DAY).total_seconds()
    return max(0, int(seconds * IDS_PER_SECOND)) + random.randint(1, 1000)


def unix_now() -> int:
    return int(clock.now().timestamp())


def utf16(text: str) -> int:
    """The length that Telegram counts: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def dump(value: object) -> str:
    """JSON as it goes over the wire: no spaces, letters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def entities(text: str) -> list[Json]:
    """Commands and links as Telegram marks them, in UTF-16 units."""
    found = []
    for match in re.finditer(r"(?<!\S)/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?!\S)|https?://\S+", text):
        kind = "bot_command" if match[0].startswith("/") else "url"
        found.append({"offset": utf16(text[: match.start()]), "length": utf16(match[0]), "type": kind})
    return found


def text_content(text: str) -> Json:
    """The fields of a text message. Telegram drops white space at its ends."""
    text = text.strip()
    marks = entities(text)
    return {"text": text, "entities": marks} if marks else {"text": text}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a phone."""

    id: int
    first_name: str
    last_name: str | None = None
    username: str | None = None
    language_code: str | None = None

    def as_user(self) -> Json:
        return {"id": self.id, "is_bot": False} | self._names() | _present(language_code=self.language_code)

    def as_chat(self) -> Json:
        return {"id": self.id} | self._names() | {"type": "private"}

    def _names(self) -> Json:
        return {"first_name": self.first_name} | _present(last_name=self.last_name, username=self.username)


class State(StrEnum):
    """What became of an update."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    DROPPED = "dropped"
    """Its life was over, or the bot asked to drop what waits."""
    NOT_ASKED = "not_asked"
    """The kind is not among the bot's allowed updates: it was never queued."""


@dataclass(slots=True)
class Update:
    """Something a bot gets to know."""

    id: int
    kind: str
    payload: Json
    queue: tuple[str, int]
    """Updates of one queue are delivered strictly one after the other, those of different queues overtake each other."""
    expires_at: datetime
    state: State = State.WAITING

    def as_json(self) -> Json:
        return {"update_id": self.id, self.kind: self.payload}


@dataclass(slots=True)
class Entry:
    """One line of a chat: a message, or something that happened (`event`)."""

    at: int
    """Unix seconds."""
    from_bot: bool = False
    message: Json | None = None
    update: Update | None = None
    event: Literal["blocked", "unblocked", "answer"] | None = None
    text: str = ""
    """Of an answer to a pressed button."""
    is_deleted: bool = False
    reaction: str | None = None


@dataclass(slots=True)
class Chat:
    """What one person and one bot said to each other."""

    person: Person
    next_message_id: int
    is_open: bool = False
    """The person has written at least once; before that the bot may not write."""
    is_blocked: bool = False
    entries: list[Entry] = field(default_factory=list)
    typing_until: datetime | None = None

    def find(self, message_id: int) -> Entry | None:
        """The message, unless it was deleted."""
        for entry in self.entries:
            if entry.message is not None and entry.message["message_id"] == message_id and not entry.is_deleted:
                return entry
        return None

    def is_typing(self) -> bool:
        return self.typing_until is not None and clock.now() < self.typing_until

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)

    def draw_message_id(self) -> int:
        number = self.next_message_id
        self.next_message_id += 1
        return number


class Bot:
    """One bot with everything Telegram keeps for it."""

    def __init__(self, token: str, name: str, username: str) -> None:
        match = TOKEN.fullmatch(token)
        if match is None:
            raise InvalidInput("a token is digits, a colon and about 35 letters, digits, _ or -", field="token")
        self.token = token
        self.id = int(match[1])
        self.name = name
        self.username = username
        self.first_message_id = first_number()
        self.chats: dict[int, Chat] = {}
        self.faults = Faults()
        self.allowed_updates: frozenset[str] = DEFAULT_UPDATES
        self.pending: dict[int, Update] = {}
        """By id, oldest first."""
        self.webhook: Webhook | None = None
        self.deliveries: deque[Delivery] = deque(maxlen=DELIVERIES_KEPT)
        self.open_queries: dict[str, tuple[int, datetime]] = {}
        """Pressed buttons that wait for answerCallbackQuery: query id -> person and end of life."""
        self.on_update: Callable[[Update], None] | None = None
        """Called for each queued update while no webhook is set (getUpdates waits for it)."""
        self._update_ids = itertools.count(first_number())

    def __repr__(self) -> str:
        return f"Bot({self.id})"

    def as_user(self) -> Json:
        return {"id": self.id, "is_bot": True, "first_name": self.name, "username": self.username}

    def chat(self, person: Person) -> Chat:
        """The chat with this person; begun when there is none."""
        found = self.chats.get(person.id)
        if found is None:
            found = self.chats[person.id] = Chat(person, self.first_message_id)
        return found

    def say(self, chat: Chat, content: Json, *, reply_to: Entry | None = None, reply_markup: Json | None = None) -> Json:
        """A message of the bot appears on the phone; the message as the Bot API shows it."""
        at = unix_now()
        message = {"message_id": chat.draw_message_id(), "from": self.as_user(), "chat": chat.person.as_chat(), "date": at}
        if reply_to is not None and reply_to.message is not None:
            message["reply_to_message"] = without_reply(reply_to.message)
        message |= content
        if reply_markup is not None and "inline_keyboard" in reply_markup:
            message["reply_markup"] = reply_markup
        chat.typing_until = None
        chat.add(Entry(at, from_bot=True, message=message))
        return message

    def queue(self, kind: str, payload: Json, queue: tuple[str, int]) -> Update:
        """Something happened: it waits for delivery, if the bot asked for its kind. Its life counts from now, so that messages
        with an earlier date can be made for demos."""
        life = QUERY_LIFE if kind in QUERIES else UPDATE_LIFE
        if kind in UPDATE_KINDS and kind not in self.allowed_updates:
            return Update(0, kind, payload, queue, clock.now() + life, State.NOT_ASKED)
        update = Update(next(self._update_ids), kind, payload, queue, clock.now() + life)
        self.pending[update.id] = update
        if self.webhook is not None:
            self.webhook.add(update)
        elif self.on_update is not None:
            self.on_update(update)
        return update

    def settle(self, update: Update, state: State) -> None:
        """The update leaves the queue."""
        update.state = state
        self.pending.pop(update.id, None)

    def drop_pending(self) -> None:
        for update in list(self.pending.values()):
            self.settle(update, State.DROPPED)

    def live_pending(self) -> list[Update]:
        """What waits, oldest first; what is too old goes."""
        now = clock.now()
        for update in [update for update in self.pending.values() if update.expires_at < now]:
            self.settle(update, State.DROPPED)
        return list(self.pending.values())


class World:
    """All bots and people of one sandbox."""

    def __init__(self) -> None:
        self.bots: dict[int, Bot] = {}
        self.people: dict[int, Person] = {}

    def create_bot(self, token: str, name: str, username: str) -> Bot:
        """A bot with this token, or the one that has it, under its new name. Another token of the same bot id is what a
        revoked and renewed token is: the bot stays, the old token is worth nothing any more."""
        new = Bot(token, name, username)
        bot = self.bots.setdefault(new.id, new)
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

    def chat(self, bot_id: int, person_id: int) -> tuple[Bot, Chat]:
        bot = self.bot(bot_id)
        if person_id not in self.people:
            raise NotFound(f"no person {person_id}")
        return bot, bot.chat(self.people[person_id])

    def by_token(self, token: str) -> Bot | None:
        match = TOKEN.fullmatch(token)
        bot = self.bots.get(int(match[1])) if match else None
        return bot if bot is not None and bot.token == token else None

    def _free_id(self) -> int:
        """As wide as ids of recent accounts: more than 32 bits."""
        while (number := random.randint(5_000_000_000, 8_999_999_999)) in self.people:
            pass
        return number


# What a person does with the phone. Each returns what the bot will get to know. `at` is in unix seconds; None is now.


def write(bot: Bot, chat: Chat, content: Json, at: int | None = None, reply_to: int | None = None) -> Entry:
    """Send a message with this content. Raises Conflict while the bot is blocked, as the app offers no way to write then."""
    if chat.is_blocked:
        raise Conflict("the person has blocked the bot")
    at = unix_now() if at is None else at
    chat.is_open = True
    person = chat.person
    message = {"message_id": chat.draw_message_id(), "from": person.as_user(), "chat": person.as_chat(), "date": at}
    if reply_to is not None:
        original = _message(chat, reply_to)
        message["reply_to_message"] = without_reply(original)
    message |= content
    update = bot.queue("message", dict(message), ("message", person.id))
    entry = Entry(at, message=message, update=update)
    chat.add(entry)
    return entry


def start(bot: Bot, chat: Chat, payload: str = "", at: int | None = None) -> Entry:
    """Press Start, or open a deep link. Of a blocked bot that is Restart: it unblocks first."""
    if payload and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", payload):
        raise InvalidInput("a start payload is up to 64 letters, digits, _ or -", field="start")
    if chat.is_blocked:
        set_blocked(bot, chat, False, at)
    return write(bot, chat, text_content(f"/start {payload}"), at)


def edit(bot: Bot, chat: Chat, message_id: int, text: str, at: int | None = None) -> Entry:
    """Change the text of a message of one's own."""
    entry = chat.find(message_id)
    if entry is None or entry.message is None:
        raise NotFound(f"no message {message_id}")
    if entry.from_bot or "text" not in entry.message:
        raise Conflict("only texts of one's own can be edited")
    if chat.is_blocked:
        raise Conflict("the person has blocked the bot")
    entry.message.pop("entities", None)
    entry.message |= {"edit_date": unix_now() if at is None else at} | text_content(text)
    entry.update = bot.queue("edited_message", dict(entry.message), ("message", chat.person.id))
    return entry


def set_blocked(bot: Bot, chat: Chat, blocked: bool, at: int | None = None) -> Update | None:
    """Block or unblock the bot; None when it already is so."""
    if chat.is_blocked == blocked:
        return None
    at = unix_now() if at is None else at
    chat.is_blocked = blocked
    member: Json = {"user": bot.as_user(), "status": "member"}
    kicked: Json = {"user": bot.as_user(), "status": "kicked", "until_date": 0}
    payload = {
        "chat": chat.person.as_chat(),
        "from": chat.person.as_user(),
        "date": at,
        "old_chat_member": member if blocked else kicked,
        "new_chat_member": kicked if blocked else member,
    }
    update = bot.queue("my_chat_member", payload, ("my_chat_member", chat.person.id))
    chat.add(Entry(at, update=update, event="blocked" if blocked else "unblocked"))
    return update


def press(bot: Bot, chat: Chat, message_id: int, data: str) -> Update:
    """Press an inline button of a message."""
    message = _message(chat, message_id)
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    if not any(button.get("callback_data") == data for row in rows for button in row):
        raise NotFound("no such button")
    query_id = str(random.randint(10**16, 10**17))
    payload = {
        "id": query_id,
        "from": chat.person.as_user(),
        "message": dict(message),
        "chat_instance": str(-chat.person.id * 4099 - bot.id),
        "data": data,
    }
    bot.open_queries[query_id] = (chat.person.id, clock.now() + QUERY_LIFE)
    return bot.queue("callback_query", payload, ("callback_query", chat.person.id))


def happen(bot: Bot, kind: str, payload: Json) -> Update:
    """Any other update, as it stands: kinds that a phone page does not make, samples of the provider's documents."""
    near: object = payload.get("chat") or payload.get("from") or payload.get("user") or {}
    who = near.get("id") if isinstance(near, dict) else None
    name = "message" if kind in ("message", "edited_message") else kind.removeprefix("edited_")
    return bot.queue(kind, payload, (name, who if isinstance(who, int) else 0))


@dataclass(frozen=True, slots=True)
class Past:
    """A message of an earlier life of this chat: it was delivered long ago. `content` are fields of a Message."""

    message_id: int
    at: int
    from_bot: bool
    content: Json


def restore(bot: Bot, chat: Chat, past: Iterable[Past], *, is_blocked: bool) -> None:
    """Give a chat its memory back, as a simulator that was started anew has forgotten it. The bot gets to know nothing of it.

    Raises Conflict for a chat in which something was said already.
    """
    if chat.entries:
        raise Conflict("only an empty chat can be given a past")
    chat.is_open, chat.is_blocked = True, is_blocked
    for one in past:
        sender = bot.as_user() if one.from_bot else chat.person.as_user()
        message = {"message_id": one.message_id, "from": sender, "chat": chat.person.as_chat(), "date": one.at} | one.content
        update = None if one.from_bot else Update(0, "message", message, ("message", chat.person.id), clock.now(), State.ACCEPTED)
        chat.add(Entry(one.at, from_bot=one.from_bot, message=message, update=update))
        chat.next_message_id = max(chat.next_message_id, one.message_id + 1)


def without_reply(message: Json) -> Json:
    """A quoted message quotes no other."""
    return {key: value for key, value in message.items() if key != "reply_to_message"}


def timeline(chat: Chat) -> Sequence[Entry]:
    """The lines of a chat by their time; equal times in the order they happened."""
    return sorted(chat.entries, key=lambda entry: entry.at)


def known_updates(names: Iterable[object]) -> frozenset[str]:
    """The kinds of an `allowed_updates` list: unknown names are dropped in silence, none left means the default set."""
    return frozenset(str(name).lower() for name in names) & frozenset(UPDATE_KINDS) or DEFAULT_UPDATES


def _message(chat: Chat, message_id: int) -> Json:
    entry = chat.find(message_id)
    if entry is None or entry.message is None:
        raise NotFound(f"no message {message_id}")
    return entry.message


def _present(**values: str | None) -> Json:
    return {name: value for name, value in values.items() if value is not None}
