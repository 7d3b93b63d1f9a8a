"""Telegram's updates -> events. Bot API 10.2, object `Update` and what hangs on it.

What an update needs to have a place (its id; chat, time and number of a message; id of a pressed button) must be there and of the
right type, else the bytes are malformed and the delivery becomes a dead letter. What a message says is read in `content.py`.
"""

import re
from datetime import UTC, datetime
from typing import Final

from hub.connectors.contract import RawRequest
from hub.connectors.errors import MalformedPayload
from hub.connectors.events import ConsentChanged, Event, Interactive, Media, MessageEdited, MessageReceived, Sender, Unrecognised
from hub.connectors.telegram.content import LONGEST_KIND, name_of, read_content
from hub.connectors.telegram.reading import Json, a_list, a_text, an_object, need_integer, need_object, read_json, words

LATEST: Final = 253_402_300_799
"""31 December 9999, the last second Python can name."""
START_PAYLOAD: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a deep link can carry (provider file, 11). People may type anything behind `/start`; that is text, not a payload."""
MESSAGE_KEY: Final = re.compile(r"m::([^:]*):([0-9]{1,19})")
CONSENT: Final = {"kicked": "blocked", "member": "unblocked"}
LONGEST_ID: Final = 64
"""Telegram's ids that are texts have about 20 characters; they become parts of keys."""
LONGEST_OPTION: Final = 64
"""Bytes of what a button brings back (7)."""

WHY: Final = {
    "channel_post": "posts of channels are not handled",
    "edited_channel_post": "posts of channels are not handled",
    "business_connection": "Telegram Business accounts are not handled",
    "business_message": "Telegram Business accounts are not handled",
    "edited_business_message": "Telegram Business accounts are not handled",
    "deleted_business_messages": "Telegram Business accounts are not handled",
    "message_reaction": "Telegram tells of reactions only in groups, which are not handled",
    "message_reaction_count": "Telegram tells of reactions only in groups, which are not handled",
    "chat_member": "members of groups are not handled",
    "chat_join_request": "members of groups are not handled",
    "inline_query": "inline queries are not handled",
    "chosen_inline_result": "inline queries are not handled",
    "poll": "polls are not handled",
    "poll_answer": "polls are not handled",
}
"""Updates that are ignored on purpose. Most of them come only to a bot that another program had set up."""
NOT_KNOWN: Final = "this kind of update is not handled"
ONLY_PRIVATE: Final = "only private chats are handled"


def read_update(request: RawRequest) -> list[Event]:
    """The events of one update. Raises MalformedPayload and nothing else."""
    try:
        update = read_json(request.body)
    except ValueError as error:
        raise MalformedPayload("not JSON") from error
    if not isinstance(update, dict):
        raise MalformedPayload("not an object")
    update_id = need_integer(update, "update_id")
    if "message" in update:
        return [_message(update_id, need_object(update, "message"))]
    if "edited_message" in update:
        return [_edited(update_id, need_object(update, "edited_message"))]
    if "callback_query" in update:
        return [_pressed(update_id, need_object(update, "callback_query"), request.received_at)]
    if "my_chat_member" in update:
        return [_member(update_id, need_object(update, "my_chat_member"))]
    kind = next((key for key in update if key != "update_id"), "empty")
    return [_unrecognised(update_id, kind, update.get(kind), WHY.get(kind, NOT_KNOWN))]


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
        return _unrecognised(update_id, "message", message, ONLY_PRIVATE)
    sender = _sender(chat, message)
    date, message_id = need_integer(message, "date"), need_integer(message, "message_id")
    content = read_content(message)
    return MessageReceived(
        key=message_key(sender.provider_user_id, message_id) if message_id else _update_key(update_id, date),
        at=moment(date),
        sender=sender,
        content=content,
        sequence=message_id,
        reply_to_key=_key_of(an_object(message, "reply_to_message"), sender.provider_user_id),
        quote=a_text(an_object(message, "quote"), "text"),
        forwarded_from=_origin(an_object(message, "forward_origin")),
        album=_album(message, sender.provider_user_id) if isinstance(content, Media) else "",
        start_payload=_start_payload(message),
    )


def _edited(update_id: int, message: Json) -> Event:
    """Text, caption, another file, or a live location that has moved."""
    chat = _chat(message)
    if chat["type"] != "private":
        return _unrecognised(update_id, "edited_message", message, ONLY_PRIVATE)
    message_id = need_integer(message, "message_id")
    if not message_id:
        return _unrecognised(update_id, "edited_message", message, "the message has no number of its own")
    date = need_integer(message, "edit_date" if "edit_date" in message else "date")
    return MessageEdited(
        key=_update_key(update_id, date),
        at=moment(date),
        target_key=message_key(str(need_integer(chat, "id")), message_id),
        content=read_content(message),
    )


def _pressed(update_id: int, query: Json, received_at: datetime | None) -> Event:
    """A pressed button. Telegram does not say when. The hub gets it within 150 seconds (3), so our time stands for it, but never
    one before the question's. Of a message that is not accessible any more there is the number and nothing else; its date is 0
    (5.11)."""
    message, option = an_object(query, "message"), a_text(query, "data")
    if not message:
        return _unrecognised(update_id, "callback_query", query, "only buttons of messages in chats are handled")
    chat = _chat(message)
    if chat["type"] != "private":
        return _unrecognised(update_id, "callback_query", query, ONLY_PRIVATE)
    if not option:
        return _unrecognised(update_id, "callback_query", query, "only buttons with an answer are handled")
    press = a_text(query, "id")
    if not 0 < len(press) <= LONGEST_ID:
        raise MalformedPayload("id is not the id of a query")
    sender = _sender(chat, query)
    asked_at = moment(need_integer(message, "date"))
    return MessageReceived(
        key=f"u:{update_id}:{press}",
        at=asked_at if received_at is None else max(asked_at, received_at),
        sender=sender,
        content=Interactive(option=_first_bytes(option), label=_label(message, option)),
        reply_to_key=_key_of(message, sender.provider_user_id),
        press=press,
    )


def _first_bytes(option: str) -> str:
    """What comes back is the client's word: longer than any button of ours it is cut."""
    return option.encode("utf-8", "replace")[:LONGEST_OPTION].decode("utf-8", "ignore")


def _label(message: Json, option: str) -> str:
    """The words on the button, where the message has it."""
    rows = a_list(an_object(message, "reply_markup"), "inline_keyboard")
    buttons = (button for row in rows if isinstance(row, list) for button in row if isinstance(button, dict))
    return next((a_text(button, "text") for button in buttons if button.get("callback_data") == option), "")


def _member(update_id: int, change: Json) -> Event:
    """In private chats Telegram sends this only when a person blocks or unblocks the bot (5.12)."""
    chat = _chat(change)
    if chat["type"] != "private":
        return _unrecognised(update_id, "my_chat_member", change, ONLY_PRIVATE)
    meaning = CONSENT.get(a_text(need_object(change, "new_chat_member"), "status"))
    if meaning is None:
        return _unrecognised(update_id, "my_chat_member", change, "this status of membership is not known")
    date = need_integer(change, "date")
    return ConsentChanged(
        key=_update_key(update_id, date),
        at=moment(date),
        sender=_sender(chat, change),
        change="blocked" if meaning == "blocked" else "unblocked",
    )


def _unrecognised(update_id: int, kind: str, value: object, why: str) -> Unrecognised:
    """Updates without a time of their own (a deletion) carry the epoch: their key is the update's id."""
    date = value.get("date") if isinstance(value, dict) else None
    if type(date) is not int or not 0 <= date <= LATEST:
        date = 0
    return Unrecognised(key=_update_key(update_id, date), at=moment(date), kind=kind[:LONGEST_KIND], why=why)


def _update_key(update_id: int, date: int) -> str:
    """With the time, since update ids start again at a random number after a quiet week (3)."""
    return f"u:{update_id}:{date}"


def _sender(chat: Json, said: Json) -> Sender:
    """The person of a private chat. The chat has the id to answer to; the language stands only in `from`."""
    return Sender(
        provider_user_id=str(need_integer(chat, "id")),
        display_name=words(chat, ("first_name", "last_name")),
        username=a_text(chat, "username"),
        language=a_text(an_object(said, "from"), "language_code"),
    )


def _key_of(message: Json, chat_id: str) -> str | None:
    """The key of a message that another one is about. One in another chat is not known here (`external_reply`)."""
    number = message.get("message_id")
    return message_key(chat_id, number) if type(number) is int and 0 < number < 2**63 else None


def _origin(origin: Json) -> str:
    """Who wrote a passed-on message first, by name: a person, one who does not show their account, a group or a channel."""
    return (
        a_text(origin, "sender_user_name")
        or name_of(an_object(origin, "sender_user"))
        or name_of(an_object(origin, "sender_chat"))
        or name_of(an_object(origin, "chat"))
    )


def _album(message: Json, chat_id: str) -> str:
    """`g:{connection}:{chat}:{media_group_id}`: items come as updates of their own, and nothing says which is the last (5.4)."""
    group = a_text(message, "media_group_id")
    return f"g::{chat_id}:{group}" if 0 < len(group) <= LONGEST_ID else ""


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
    chat = need_object(value, "chat")
    if not isinstance(chat.get("type"), str):
        raise MalformedPayload("chat has no type")
    return chat
