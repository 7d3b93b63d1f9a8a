"""Telegram's updates -> events. Bot API 10.2, object `Update` and what hangs on it.

What an update needs to have a place (its id; chat, time and number of a message) must be there and of the right type, else
the bytes are malformed and the delivery becomes a dead letter. Everything beside that counts as absent when it is not as
documented: a new form of a name or a quotation costs nobody a message.
"""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from hub.connectors.errors import MalformedPayload
from hub.connectors.events import (
    ConsentChanged,
    Content,
    Event,
    MessageEdited,
    MessageReceived,
    Sender,
    Text,
    Unrecognised,
    Unsupported,
)

Json = dict[str, Any]

LATEST: Final = 253_402_300_799
"""31 December 9999, the last second Python can name."""
START_PAYLOAD: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a deep link can carry (provider file, 11). People may type anything behind `/start`; that is text, not a payload."""
MESSAGE_KEY: Final = re.compile(r"m::([^:]*):([0-9]{1,19})")
LONGEST_KIND: Final = 64
CONSENT: Final = {"kicked": "blocked", "member": "unblocked"}

KINDS: Final[dict[str, tuple[str, ...]]] = {
    "animation": ("file_name",),  # before document: an animation comes as both (5.6)
    "live_photo": (),  # before photo
    "venue": ("title", "address"),  # before location
    "audio": ("file_name",),
    "checklist": ("title",),
    "contact": ("first_name", "last_name"),
    "dice": ("emoji",),
    "document": ("file_name",),
    "game": ("title",),
    "gift": (),
    "invoice": ("title",),
    "location": (),
    "paid_media": (),
    "photo": (),
    "poll": ("question",),
    "rich_message": (),
    "sticker": ("emoji",),
    "story": (),
    "video": ("file_name",),
    "video_note": (),
    "voice": (),
    "web_app_data": ("button_text",),
}
"""Contents a person can send, and the fields that say in words what is in them. Asked in this order."""

ENVELOPE: Final = frozenset({
    "author_signature", "business_connection_id", "caption", "caption_entities", "chat", "date",
    "direct_messages_topic", "edit_date", "effect_id", "entities", "ephemeral_message_id", "external_reply",
    "forward_date", "forward_from", "forward_from_chat", "forward_from_message_id", "forward_origin",
    "forward_sender_name", "forward_signature", "from", "guest_bot_caller_chat", "guest_bot_caller_user",
    "guest_query_id", "has_media_spoiler", "has_protected_content", "is_automatic_forward", "is_from_offline",
    "is_paid_post", "is_topic_message", "link_preview_options", "media_group_id", "message_id", "message_thread_id",
    "paid_star_count", "quote", "receiver_user", "reply_markup", "reply_to_checklist_task_id", "reply_to_message",
    "reply_to_poll_option_id", "reply_to_story", "sender_boost_count", "sender_business_bot", "sender_chat",
    "sender_tag", "show_caption_above_media", "suggested_post_info", "via_bot",
})  # fmt: skip
"""Fields of a message that are about it; what is neither here nor in KINDS is a content we do not know."""


def read_update(body: bytes) -> list[Event]:
    """The events of one update. Raises MalformedPayload and nothing else."""
    update = _read_json(body)
    if not isinstance(update, dict):
        raise MalformedPayload("not an object")
    update_id = _integer(update, "update_id")
    if "message" in update:
        return [_message(update_id, _object(update, "message"))]
    if "edited_message" in update:
        return [_edited(update_id, _object(update, "edited_message"))]
    if "my_chat_member" in update:
        return [_member(update_id, _object(update, "my_chat_member"))]
    kind = next((key for key in update if key != "update_id"), "empty")
    return [_unrecognised(update_id, kind, update.get(kind), "this kind of update is not handled")]


def _read_json(body: bytes) -> Any:
    """JSON as Telegram may send it. Half of a surrogate pair, written as an escape, is refused by the fast reader and taken by the
    standard one: a broken emoji costs nobody a message."""
    try:
        return orjson.loads(body)
    except ValueError as error:  # no JSON, broken UTF-8, nested deeper than 1024
        if rb"\u" not in body:
            raise MalformedPayload("not JSON") from error
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedPayload("not JSON") from error


def message_key(chat_id: str, message_id: int) -> str:
    """`m:{connection}:{chat}:{message_id}`; the business connection is empty in chats with the bot itself (3)."""
    return f"m::{chat_id}:{message_id}"


def message_id_of(key: str, chat_id: str) -> int | None:
    """The reverse of `message_key` for a message of this chat; None for every other key."""
    found = MESSAGE_KEY.fullmatch(key)
    return int(found[2]) if found and found[1] == chat_id else None


def moment(seconds: int) -> datetime:
    """Telegram's time; MalformedPayload for one outside the calendar."""
    if not 0 <= seconds <= LATEST:
        raise MalformedPayload("date out of range")
    return datetime.fromtimestamp(seconds, UTC)


def _message(update_id: int, message: Json) -> Event:
    chat = _chat(message)
    if chat["type"] != "private":
        return _unrecognised(update_id, "message", message, "only private chats are handled")
    sender = _sender(chat, message)
    date, message_id = _integer(message, "date"), _integer(message, "message_id")
    return MessageReceived(
        key=message_key(sender.provider_user_id, message_id) if message_id else _update_key(update_id, date),
        at=moment(date),
        sender=sender,
        content=_content(message),
        sequence=message_id,
        reply_to_key=_reply(message, sender.provider_user_id),
        start_payload=_start_payload(message),
    )


def _edited(update_id: int, message: Json) -> Event:
    chat = _chat(message)
    if chat["type"] != "private":
        return _unrecognised(update_id, "edited_message", message, "only private chats are handled")
    message_id = _integer(message, "message_id")
    if not message_id:
        return _unrecognised(update_id, "edited_message", message, "the message has no number of its own")
    content = _content(message)
    if isinstance(content, Unsupported) and content.kind == "location":
        return _unrecognised(update_id, "edited_message", message, "a live location has moved")
    date = _integer(message, "edit_date" if "edit_date" in message else "date")
    return MessageEdited(
        key=_update_key(update_id, date),
        at=moment(date),
        target_key=message_key(str(_integer(chat, "id")), message_id),
        content=content,
    )


def _member(update_id: int, change: Json) -> Event:
    """In private chats Telegram sends this only when a person blocks or unblocks the bot (5.12)."""
    chat = _chat(change)
    if chat["type"] != "private":
        return _unrecognised(update_id, "my_chat_member", change, "only private chats are handled")
    meaning = CONSENT.get(_string(_object(change, "new_chat_member"), "status"))
    if meaning is None:
        return _unrecognised(update_id, "my_chat_member", change, "this status of membership is not known")
    date = _integer(change, "date")
    return ConsentChanged(
        key=_update_key(update_id, date),
        at=moment(date),
        sender=_sender(chat, change),
        change="blocked" if meaning == "blocked" else "unblocked",
    )


def _unrecognised(update_id: int, kind: str, value: object, why: str) -> Unrecognised:
    """Updates without a time of their own (a button press, a deletion) carry the epoch: their key is the update's id."""
    date = value.get("date") if isinstance(value, dict) else None
    if type(date) is not int or not 0 <= date <= LATEST:
        date = 0
    return Unrecognised(key=_update_key(update_id, date), at=moment(date), kind=kind[:LONGEST_KIND], why=why)


def _update_key(update_id: int, date: int) -> str:
    """With the time, since update ids start again at a random number after a quiet week (3)."""
    return f"u:{update_id}:{date}"


def _sender(chat: Json, message: Json) -> Sender:
    """The person of a private chat. The chat has the id to answer to; the language stands only in `from`."""
    person = message.get("from")
    return Sender(
        provider_user_id=str(_integer(chat, "id")),
        display_name=_words(chat, ("first_name", "last_name")),
        username=_string(chat, "username"),
        language=_string(person, "language_code") if isinstance(person, dict) else "",
    )


def _content(message: Json) -> Content:
    text = message.get("text")
    if isinstance(text, str):
        return Text(text=text)
    kind = next((kind for kind in KINDS if kind in message), None)
    if kind is None:
        kind = next((key for key in message if key not in ENVELOPE), "unknown")
    value = message.get(kind)
    own_words = _words(value, KINDS.get(kind, ())) if isinstance(value, dict) else ""
    return Unsupported(kind=kind[:LONGEST_KIND], summary=_string(message, "caption") or own_words)


def _reply(message: Json, chat_id: str) -> str | None:
    original = message.get("reply_to_message")
    number = original.get("message_id") if isinstance(original, dict) else None
    return message_key(chat_id, number) if type(number) is int and number else None


def _start_payload(message: Json) -> str | None:
    """The payload of `/start payload` or `/start@Bot payload`: only where Telegram marked a command at the very start (11)."""
    text, entities = message.get("text"), message.get("entities")
    if not isinstance(text, str) or not text.startswith("/start") or not isinstance(entities, list):
        return None
    length = next((entity["length"] for entity in entities if _is_first_command(entity)), None)
    if length is None or text[:length].partition("@")[0] != "/start":
        return None
    payload = text[length:].strip()
    return payload if START_PAYLOAD.fullmatch(payload) else ""


def _is_first_command(entity: object) -> bool:
    return (
        isinstance(entity, dict)
        and entity.get("type") == "bot_command"
        and entity.get("offset") == 0
        and type(entity.get("length")) is int
        and entity["length"] > 0
    )


def _chat(value: Json) -> Json:
    chat = _object(value, "chat")
    if not isinstance(chat.get("type"), str):
        raise MalformedPayload("chat has no type")
    return chat


def _object(value: Json, name: str) -> Json:
    found = value.get(name)
    if not isinstance(found, dict):
        raise MalformedPayload(f"{name} is not an object")
    return found


def _integer(value: Json, name: str) -> int:
    """An id or a time: exact, 64 bits with sign. Larger numbers are not Telegram's (3)."""
    found = value.get(name)
    if type(found) is not int or not -(2**63) <= found < 2**63:
        raise MalformedPayload(f"{name} is not a 64-bit integer")
    return found


def _string(value: Json, name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _words(value: Json, names: Iterable[str]) -> str:
    return " ".join(word for name in names if (word := _string(value, name)))
