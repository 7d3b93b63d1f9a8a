"""What a person does with the phone. Each returns what the bot will get to know. `at` is in unix seconds; None is now.

Raises NotFound for a message that is not there, Conflict for what the app would not offer.
"""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hub.core import clock
from hub.core.errors import Conflict, InvalidInput, NotFound
from hub.sandbox.telegram.chats import Chat, Entry, Person, without_reply, words_of
from hub.sandbox.telegram.entities import marked, text_content
from hub.sandbox.telegram.updates import QUERY_LIFE, State, Update
from hub.sandbox.telegram.wire import Json, unix_now, utf16
from hub.sandbox.telegram.world import Bot, OpenQuery


def write(
    bot: Bot,
    chat: Chat,
    content: Json,
    at: int | None = None,
    reply_to: int | None = None,
    *,
    quote: str | None = None,
    sender: Person | None = None,
) -> Entry:
    """Send a message with this content; as `sender` where that is not the chat's person. Raises Conflict while the bot is blocked,
    as the app offers no way to write then."""
    entry = _say(chat, content, at, reply_to, quote, sender or chat.person)
    return _tell(bot, chat, entry)


def write_album(
    bot: Bot, chat: Chat, contents: Sequence[Json], at: int | None = None, *, shuffled: bool = False, reply_to: int | None = None
) -> list[Entry]:
    """Send several files as one message: an update each. `shuffled`: they reach the bot in another order than they were sent."""
    group = {"media_group_id": str(random.randint(10**16, 10**17))}
    at = unix_now() if at is None else at
    entries = [_say(chat, group | content, at, reply_to, None, chat.person) for content in contents]
    order = [*entries[1::2], *entries[0::2]] if shuffled else entries
    for entry in order:
        _tell(bot, chat, entry)
    return entries


def _say(chat: Chat, content: Json, at: int | None, reply_to: int | None, quote: str | None, sender: Person) -> Entry:
    """The message appears on the phone."""
    if chat.is_blocked:
        raise Conflict("the person has blocked the bot")
    at = unix_now() if at is None else at
    original = None if reply_to is None else _message(chat, reply_to)
    chat.is_open = True
    message = chat.frame(sender.as_user(), at)
    if original is not None:
        message["reply_to_message"] = without_reply(original)
        message |= _quoted(original, quote)
    message |= content
    entry = Entry(at, message=message)
    chat.add(entry)
    if chat.keyboard is not None and chat.keyboard.get("one_time_keyboard"):
        chat.keyboard = None
    return entry


def _quoted(original: Json, quote: str | None) -> Json:
    if not quote:
        return {}
    whole = words_of(original)
    if quote not in whole:
        raise InvalidInput("the quote is no part of that message", field="quote")
    return {"quote": {"text": quote, "position": utf16(whole.partition(quote)[0]), "is_manual": True}}


def _tell(bot: Bot, chat: Chat, entry: Entry) -> Entry:
    """The bot gets to know of a message, or that it was changed."""
    assert entry.message is not None
    kind = f"edited_{chat.kind}" if "edit_date" in entry.message else chat.kind
    entry.update = bot.queue(kind, dict(entry.message), chat.queue)
    return entry


def start(bot: Bot, chat: Chat, payload: str = "", at: int | None = None) -> Entry:
    """Press Start, or open a deep link. Of a blocked bot that is Restart: it unblocks first."""
    if payload and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", payload):
        raise InvalidInput("a start payload is up to 64 letters, digits, _ or -", field="start")
    if chat.is_blocked:
        set_blocked(bot, chat, False, at)
    return write(bot, chat, text_content(f"/start {payload}"), at)


def edit(
    bot: Bot,
    chat: Chat,
    message_id: int,
    text: str | None = None,
    *,
    location: Json | None = None,
    at: int | None = None,
    marks: Sequence[Json] = (),
) -> Entry:
    """Change the text or caption of a message of one's own, or move a live location."""
    entry = chat.find(message_id)
    if entry is None or entry.message is None:
        raise NotFound(f"no message {message_id}")
    if entry.from_bot:
        raise Conflict("only messages of one's own can be edited")
    if chat.is_blocked:
        raise Conflict("the person has blocked the bot")
    content = _changed(entry.message, text, location, marks)
    for name in ("entities", "caption_entities"):
        if text is not None:
            entry.message.pop(name, None)
    entry.message |= {"edit_date": unix_now() if at is None else at} | content
    return _tell(bot, chat, entry)


def _changed(message: Json, text: str | None, location: Json | None, marks: Sequence[Json]) -> Json:
    if location is not None:
        if "live_period" not in message.get("location", {}):
            raise Conflict("only a live location moves")
        return {"location": message["location"] | location}
    if text is None:
        raise InvalidInput("a text or a location", field="text")
    if "text" in message:
        return marked("text", text.strip(), marks)
    if not message.keys() & {"photo", "video", "animation", "audio", "document", "voice"}:
        raise Conflict("this kind of message has no text")
    return marked("caption", text.strip(), marks)


def set_blocked(bot: Bot, chat: Chat, blocked: bool, at: int | None = None) -> Update | None:
    """Block or unblock the bot; None when it already is so. Of a group: remove the bot, or add it again."""
    if chat.is_blocked == blocked:
        return None
    at = unix_now() if at is None else at
    chat.is_blocked = blocked
    member: Json = {"user": bot.as_user(), "status": "member"}
    kicked: Json = {"user": bot.as_user(), "status": "kicked", "until_date": 0}
    payload = {
        "chat": chat.as_chat(),
        "from": chat.person.as_user(),
        "date": at,
        "old_chat_member": member if blocked else kicked,
        "new_chat_member": kicked if blocked else member,
    }
    update = bot.queue("my_chat_member", payload, ("my_chat_member", chat.id))
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
    bot.open_queries[query_id] = OpenQuery(chat, message_id, data, clock.now() + QUERY_LIFE)
    return bot.queue("callback_query", payload, ("callback_query", chat.person.id))


def react(bot: Bot, chat: Chat, message_id: int, emoji: str | None, at: int | None = None) -> Update:
    """React to a message in a group; None takes the reaction back. Of private chats a bot gets to know nothing."""
    if chat.group is None:
        raise Conflict("a bot gets to know of reactions only in groups")
    _message(chat, message_id)
    reaction = [{"type": "emoji", "emoji": emoji}] if emoji else []
    payload = {
        "chat": chat.as_chat(),
        "message_id": message_id,
        "user": chat.person.as_user(),
        "date": unix_now() if at is None else at,
        "old_reaction": [],
        "new_reaction": reaction,
    }
    return bot.queue("message_reaction", payload, ("message_reaction", chat.id))


def delete_business(bot: Bot, chat: Chat, message_ids: Sequence[int]) -> Update:
    """Delete messages of a business chat. Of an ordinary chat a bot gets to know nothing."""
    if not chat.connection_id:
        raise Conflict("a bot gets to know of deletions only in business chats")
    for number in message_ids:
        entry = chat.find(number)
        if entry is None:
            raise NotFound(f"no message {number}")
        entry.is_deleted = True
    payload = {"business_connection_id": chat.connection_id, "chat": chat.as_chat(), "message_ids": list(message_ids)}
    return bot.queue("deleted_business_messages", payload, chat.queue)


def happen(bot: Bot, kind: str, payload: Json) -> Update:
    """Any other update, as it stands: kinds that a phone page does not make, samples of the provider's documents."""
    near: object = payload.get("chat") or payload.get("from") or payload.get("user") or {}
    who = near.get("id") if isinstance(near, dict) else None
    name = "message" if kind in ("message", "edited_message") else kind.removeprefix("edited_")
    return bot.queue(kind, payload, (name, who if isinstance(who, int) else 0))


def note_elsewhere(bot: Bot, person: Person, update: Update | None) -> None:
    """What the person did outside the chat is a line in it, so that the phone page shows it."""
    if update is not None:
        bot.chat(person).add(Entry(unix_now(), update=update, event="elsewhere", text=update.kind))


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
        message = {"message_id": one.message_id, "from": sender, "chat": chat.person.as_chat(), "date": one.at}
        message |= bot.files.recalled(one.content)
        update = None if one.from_bot else Update(0, "message", message, chat.queue, clock.now(), State.ACCEPTED)
        chat.add(Entry(one.at, from_bot=one.from_bot, message=message, update=update))
        chat.next_message_id = max(chat.next_message_id, one.message_id + 1)


def _message(chat: Chat, message_id: int) -> Json:
    entry = chat.find(message_id)
    if entry is None or entry.message is None:
        raise NotFound(f"no message {message_id}")
    return entry.message
