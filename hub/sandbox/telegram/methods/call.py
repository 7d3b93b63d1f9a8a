"""What a method gets and gives, and how it finds the chat and the message it is about."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import httpx

from hub.sandbox.telegram.arguments import Arguments
from hub.sandbox.telegram.chats import Chat, Entry, words_of
from hub.sandbox.telegram.entities import marked, read_formatted
from hub.sandbox.telegram.errors import Refused, bad, blocked, too_many
from hub.sandbox.telegram.markup import read_markup
from hub.sandbox.telegram.webhook import Options
from hub.sandbox.telegram.wire import Json, unix_now, utf16
from hub.sandbox.telegram.world import Bot, World

LONGEST_CAPTION: Final = 1024
BUSINESS_SECONDS: Final = 24 * 3600
"""How long after a customer's last message a bot may write for a business account (provider file, 5.13)."""


@dataclass(frozen=True, slots=True)
class Call:
    """A method that a bot asks for."""

    world: World
    bot: Bot
    arguments: Arguments
    options: Options
    http: httpx.AsyncClient
    """Carries updates to webhooks."""
    run: Callable[[str, Json], Awaitable[None]]
    """Executes another method for this bot; nobody hears what becomes of it."""


@dataclass(frozen=True, slots=True)
class Done:
    """An answer that is ok."""

    result: object
    description: str = ""


Method = Callable[[Call], Awaitable[Done]]


@dataclass(frozen=True, slots=True)
class Reply:
    """The message that is replied to; number 0: none."""

    message_id: int
    may_miss: bool
    quote: str = ""


def chat_of(call: Call) -> Chat:
    """The chat that is named. Raises Refused."""
    if not call.arguments.text("chat_id"):
        raise bad("chat_id is empty")
    chat_id = call.arguments.integer("chat_id", low=-(2**52), high=2**52)
    connection = call.arguments.text("business_connection_id")
    if connection:
        return _business_chat(call.bot, connection, chat_id)
    if chat_id in call.bot.groups:
        return call.bot.groups[chat_id]
    person = call.world.people.get(chat_id)
    if person is None:
        raise bad("chat not found")
    return call.bot.chat(person)


def _business_chat(bot: Bot, connection_id: str, person_id: int) -> Chat:
    connection = bot.connections.get(connection_id)
    if connection is None or not connection.is_enabled:
        raise bad("business connection not found")
    chat = bot.business.get((connection_id, person_id))
    if chat is None or not chat.was_written_since(unix_now() - BUSINESS_SECONDS):
        raise bad("BUSINESS_PEER_INVALID")
    if not connection.can_reply:
        raise bad("BUSINESS_CONNECTION_NOT_ALLOWED")
    return chat


def writable_chat(call: Call, count: int = 1) -> Chat:
    """The chat that is named, if so many messages may go there now. Raises Refused."""
    chat = chat_of(call)
    if not chat.is_open:
        raise Refused(403, "Forbidden: bot can't initiate conversation with a user")
    if chat.migrated_to is not None:
        raise Refused(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=chat.migrated_to)
    if chat.is_blocked:
        raise blocked() if chat.group is None else Refused(403, f"Forbidden: bot was kicked from the {chat.group['type']} chat")
    if call.bot.faults.active().get("flood_limits") and (seconds := call.bot.limits.wait(chat.id, count)):
        raise too_many(seconds)
    return chat


def message_of(call: Call, what: str) -> tuple[Chat, Entry, Json]:
    """The message that is named. Raises Refused with `what` is not found."""
    chat = chat_of(call)
    entry = chat.find(call.arguments.integer("message_id"))
    if entry is None or entry.message is None:
        raise bad(f"{what} not found")
    return chat, entry, entry.message


def send(call: Call, content: Json) -> Done:
    """A new message with this content; reply and buttons as the call says. Raises Refused."""
    reply = read_reply(call.arguments)
    markup = read_markup(call.arguments)
    if call.arguments.text("business_connection_id") and markup and "inline_keyboard" not in markup:
        raise bad("BUSINESS_REPLY_MARKUP_INVALID")
    chat = writable_chat(call)
    original, quote = replied(chat, reply)
    content = options_of(call.arguments) | content
    return Done(call.bot.say(chat, content, reply_to=original, quote=quote, reply_markup=markup))


def replied(chat: Chat, reply: Reply) -> tuple[Entry | None, Json | None]:
    """The message that is replied to, and the part of it that is quoted. Raises Refused."""
    original = chat.find(reply.message_id) if reply.message_id else None
    if original is None or original.message is None:
        if reply.message_id and not reply.may_miss:
            raise bad("message to be replied not found")
        return None, None
    if not reply.quote:
        return original, None
    whole = words_of(original.message)
    if reply.quote not in whole:
        raise bad("QUOTE_TEXT_INVALID")
    return original, {"text": reply.quote, "position": utf16(whole.partition(reply.quote)[0])}


def read_reply(arguments: Arguments) -> Reply:
    """Raises Refused."""
    given = arguments.json("reply_parameters", "can't parse reply parameters JSON object")
    if given is None:
        return Reply(arguments.integer("reply_to_message_id"), arguments.boolean("allow_sending_without_reply"))
    if not isinstance(given, dict):
        raise bad("object expected as reply parameters")
    if not given:
        return Reply(0, may_miss=True)
    message_id = given.get("message_id")
    if message_id is None:
        raise bad('can\'t find field "message_id"')
    if not isinstance(message_id, int):
        raise bad('field "message_id" must be a valid Number')
    return Reply(message_id, given.get("allow_sending_without_reply") is True, str(given.get("quote", "")))


def options_of(arguments: Arguments) -> Json:
    """The fields of a message that say how it was sent."""
    content: Json = {}
    if arguments.boolean("protect_content"):
        content["has_protected_content"] = True
    preview = arguments.json("link_preview_options", "can't parse link preview options JSON object")
    if preview is not None:
        if not isinstance(preview, dict):
            raise bad("object expected as link preview options")
        content["link_preview_options"] = preview
    return content


def caption_of(text: str, parse_mode: str, entities: object) -> Json:
    """The fields of a caption; none for an empty one. Raises Refused."""
    plain, marks = read_formatted(text, parse_mode, entities)
    if utf16(plain) > LONGEST_CAPTION:
        raise bad("message caption is too long")
    return marked("caption", plain, marks) if plain else {}


def caption_of_call(arguments: Arguments) -> Json:
    return caption_of(arguments.text("caption"), arguments.text("parse_mode"), given_entities(arguments, "caption_entities"))


def given_entities(arguments: Arguments, name: str) -> object:
    """An `entities` parameter; one that is no JSON is as good as none, as on the real server."""
    try:
        return arguments.json(name, "")
    except Refused:
        return None
