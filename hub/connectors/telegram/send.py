"""An action -> one request of the Bot API, and its result -> a receipt (provider file, 7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hub.connectors.contract import (
    AnswerPress,
    DeleteMessage,
    EditMessage,
    MarkRead,
    OutboundAction,
    OutboundFile,
    OutboundMessage,
    React,
    Receipt,
    ShowTyping,
)
from hub.connectors.errors import MalformedPayload, OutcomeUnknown, UnsupportedContent
from hub.connectors.events import Album, Choice, Location, Media, MediaKind, OutboundContent, Text
from hub.connectors.telegram.media import kind_of
from hub.connectors.telegram.payloads import message_id_of, message_key, moment
from hub.connectors.telegram.reading import Json, need_integer
from hub.connectors.telegram.split import split_content
from hub.connectors.telegram.text import write_entities

MOST_DELETED: Final = 100
"""Messages of one request (7)."""

METHODS: Final[dict[MediaKind, tuple[str, str]]] = {
    "image": ("sendPhoto", "photo"),
    "animation": ("sendAnimation", "animation"),
    "sticker": ("sendSticker", "sticker"),
    "voice": ("sendVoice", "voice"),
    "audio": ("sendAudio", "audio"),
    "video": ("sendVideo", "video"),
    "video_note": ("sendVideoNote", "video_note"),
    "document": ("sendDocument", "document"),
}
"""How a file of each kind is sent, and the name of its part in the form."""
MEASURES: Final[dict[MediaKind, tuple[tuple[str, str], ...]]] = {
    "animation": (("width", "width"), ("height", "height"), ("duration", "duration")),
    "voice": (("duration", "duration"),),
    "audio": (("duration", "duration"),),
    "video": (("width", "width"), ("height", "height"), ("duration", "duration")),
    "video_note": (("length", "width"), ("duration", "duration")),
}
"""Telegram's name and ours of what it is told about a file."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. `settled`: a piece of the refusal, in lower case, that means it is as we want it already."""

    method: str
    parameters: Json
    files: Mapping[str, OutboundFile] = field(default_factory=dict)
    settled: str = ""


def request_for(action: OutboundAction) -> Request:
    """The request of an action. Raises UnsupportedContent for what Telegram cannot express."""
    if isinstance(action, AnswerPress):
        return Request("answerCallbackQuery", {"callback_query_id": action.press}, settled="query is too old")
    if not (action.address.isascii() and action.address.isdigit() and len(action.address) < 20):
        raise UnsupportedContent("no_chat_id")
    chat: Json = {"chat_id": int(action.address)}
    match action:
        case OutboundMessage():
            return _message(chat | _reply(action), action.content, action.files)
        case EditMessage():
            return _edit(chat | {"message_id": _number(action.target_key, action.address)}, action.content)
        case DeleteMessage():
            return _delete(chat, [_number(key, action.address) for key in action.target_keys])
        case React():
            number = _number(action.target_key, action.address)
            reaction = [{"type": "emoji", "emoji": action.emoji}] if action.emoji else []
            return Request("setMessageReaction", chat | {"message_id": number, "reaction": reaction})
        case ShowTyping():
            return Request("sendChatAction", chat | {"action": "typing"})
        case MarkRead():
            raise UnsupportedContent("not_for_telegram")  # a bot's chats have no read mark (6)


def receipt_for(action: OutboundAction, result: Any) -> Receipt:
    """What Telegram's answer says: of a message its numbers, one for each file of an album. Raises OutcomeUnknown."""
    if not isinstance(action, OutboundMessage):
        return Receipt(status="sent")
    messages = result if isinstance(result, list) and result else [result]
    numbers, at = [], None
    if all(isinstance(message, dict) for message in messages):
        try:
            numbers = [need_integer(message, "message_id") for message in messages]
            at = moment(need_integer(messages[0], "date"))
        except MalformedPayload:
            at = None
    if at is None:
        raise OutcomeUnknown("unreadable_answer")
    keys = tuple(message_key(action.address, number) for number in numbers if number)  # 0 is no key (3)
    return Receipt(status="sent", keys=keys, at=at, sequence=numbers[0])


def _number(key: str, chat_id: str) -> int:
    number = message_id_of(key, chat_id)
    if not number:
        raise UnsupportedContent("no_message_number")
    return number


def _reply(message: OutboundMessage) -> Json:
    """What has no number of its own, or is in another chat, cannot be answered as such: the words go out all the same."""
    number = message_id_of(message.reply_to_key, message.address) if message.reply_to_key else None
    return {"reply_parameters": {"message_id": number, "allow_sending_without_reply": True}} if number else {}


def _message(about: Json, content: OutboundContent, files: Mapping[str, OutboundFile]) -> Request:
    """Text goes without parse_mode, so that what a person typed arrives as it is."""
    parts = split_content(content)
    if len(parts) != 1:
        raise UnsupportedContent("text_too_long" if isinstance(content, Text | Choice) else "not_one_message")
    match content:
        case Text():
            return Request("sendMessage", about | _words("text", "entities", content))
        case Choice():
            return Request("sendMessage", about | _words("text", "entities", content.text) | _keyboard(content))
        case Media():
            return _file(about, content, files)
        case Album():
            return _album(about, content, files)
        case Location():
            return _place(about, content)
        case _:
            raise UnsupportedContent("not_for_telegram")


def _words(text_name: str, entities_name: str, text: Text | None) -> Json:
    if text is None or not text.text:
        return {}
    entities = write_entities(text)
    return {text_name: text.text} | ({entities_name: entities} if entities else {})


def _keyboard(content: Choice) -> Json:
    """One answer a row: labels are read, not squeezed."""
    rows = [[{"text": option.label, "callback_data": option.id}] for option in content.options]
    return {"reply_markup": {"inline_keyboard": rows}}


def _file(about: Json, media: Media, files: Mapping[str, OutboundFile]) -> Request:
    kind = kind_of(media)
    method, part = METHODS[kind]
    parameters = about | _words("caption", "caption_entities", media.caption) | _measures(kind, media)
    if kind == "video":
        parameters["supports_streaming"] = True
    if kind == "document":
        parameters["disable_content_type_detection"] = True  # else a picture sent as a file becomes something else again
    return Request(method, parameters, {part: _opened(media, files)})


def _album(about: Json, album: Album, files: Mapping[str, OutboundFile]) -> Request:
    """The caption of the first item is that of the album."""
    items: list[Json] = []
    for number, media in enumerate(album.items):
        kind = kind_of(media)
        item = {"type": METHODS[kind][1], "media": f"attach://f{number}", **_measures(kind, media)}
        items.append(item if number else item | _words("caption", "caption_entities", album.caption))
    parts = {f"f{number}": _opened(media, files) for number, media in enumerate(album.items)}
    return Request("sendMediaGroup", about | {"media": items}, parts)


def _measures(kind: MediaKind, media: Media) -> Json:
    known = ((name, getattr(media, ours)) for name, ours in MEASURES.get(kind, ()))
    return {name: value for name, value in known if value is not None}


def _opened(media: Media, files: Mapping[str, OutboundFile]) -> OutboundFile:
    if media.ref not in files:
        raise UnsupportedContent("no_file")
    return files[media.ref]


def _place(about: Json, place: Location) -> Request:
    """A place with a name is a venue, which has an address: what is missing of the two is said by the other."""
    parameters = about | {"latitude": place.latitude, "longitude": place.longitude}
    if place.title or place.address:
        named = {"title": place.title or place.address, "address": place.address or place.title}
        return Request("sendVenue", parameters | named)
    if place.accuracy is not None:
        parameters["horizontal_accuracy"] = place.accuracy
    return Request("sendLocation", parameters)


def _edit(about: Json, content: OutboundContent) -> Request:
    """Answers to press are sent again with the text, else they would go."""
    settled = "message is not modified"
    match content:
        case Text() | Choice() | Media() | Album() if len(split_content(content)) != 1:
            raise UnsupportedContent("text_too_long")
        case Text():
            return Request("editMessageText", about | _words("text", "entities", content), settled=settled)
        case Choice():
            words = _words("text", "entities", content.text)
            return Request("editMessageText", about | words | _keyboard(content), settled=settled)
        case Media() | Album():
            return Request("editMessageCaption", about | _words("caption", "caption_entities", content.caption), settled=settled)
        case _:
            raise UnsupportedContent("not_editable")


def _delete(about: Json, numbers: Sequence[int]) -> Request:
    """Several at once skip those that are not there (7)."""
    if len(numbers) > MOST_DELETED:
        raise UnsupportedContent("too_many_messages")
    if len(numbers) == 1:
        return Request("deleteMessage", about | {"message_id": numbers[0]}, settled="message to delete not found")
    return Request("deleteMessages", about | {"message_ids": list(numbers)})
