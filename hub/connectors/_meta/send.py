"""An action -> the body of one call of `me/messages`, and its answer -> a receipt (messenger.md, 6; instagram.md, 4)."""

from collections.abc import Mapping, Sequence
from typing import Final

from hub.connectors._meta.payloads import message_key, mid_of
from hub.connectors._meta.reading import Json, an_id
from hub.connectors._meta.split import Limits, is_template, split_content
from hub.connectors.contract import (
    MarkRead,
    OutboundAction,
    OutboundFile,
    OutboundMessage,
    React,
    Receipt,
    ShowTyping,
)
from hub.connectors.errors import OutcomeUnknown, UnsupportedContent
from hub.connectors.events import Card, Cards, Choice, Media, MediaKind, Option, Template, Text

ATTACHMENTS: Final[dict[MediaKind, str]] = {
    "image": "image", "voice": "audio", "audio": "audio", "video": "video", "document": "file",
}  # fmt: skip
"""What Meta calls each kind of file."""
RECIPIENTS: Final = {"ref": "user_ref", "token": "notification_messages_token"}
"""Addresses that are no id of a person: a box ticked on a website, the token of a marketing topic."""


def request_for(action: OutboundAction, message: Json | None) -> Json:
    """The body of a call. `message` is what a message says, which the caller knows. Raises UnsupportedContent."""
    about: Json = {"recipient": _recipient(action.address)}
    match action:
        case OutboundMessage():
            return about | _reason(action) | _reply(action) | {"message": message}
        case React():
            about["sender_action"] = "react" if action.emoji else "unreact"
            payload = {"message_id": _mid(action.target_key)}
            return about | {"payload": payload | ({"reaction": action.emoji} if action.emoji else {})}
        case ShowTyping():
            return about | {"sender_action": "typing_on"}
        case MarkRead():
            return about | {"sender_action": "mark_seen"}
        case _:
            raise UnsupportedContent("not_for_meta")


def message_for(action: OutboundMessage, limits: Limits) -> Json:
    """What a message without a file says. Raises UnsupportedContent."""
    match only_part(action, limits):
        case Text(text=text):
            return {"text": text}
        case Choice() as choice:
            return _question(choice)
        case Cards() as cards:
            return _template({"template_type": "generic", "elements": [_element(card, action.files) for card in cards.items]})
        case _:
            raise UnsupportedContent("not_for_meta")


def only_part(action: OutboundMessage, limits: Limits) -> object:
    """The content of a message, which must be one for Meta too."""
    parts = split_content(action.content, limits)
    if len(parts) != 1:
        raise UnsupportedContent("text_too_long" if isinstance(action.content, Text | Choice) else "not_one_message")
    return parts[0]


def file_of(media: Media, files: Mapping[str, OutboundFile]) -> OutboundFile:
    if media.ref not in files:
        raise UnsupportedContent("no_file")
    return files[media.ref]


def receipt_for(action: OutboundAction, answer: Json) -> Receipt:
    """Raises OutcomeUnknown where a message was taken, it seems, but has no id."""
    if not isinstance(action, OutboundMessage):
        return Receipt(status="sent")
    mid = an_id(answer, "message_id")
    if not mid:
        raise OutcomeUnknown("no_message_id")
    return Receipt(status="sent", keys=(message_key(mid),))


def _recipient(address: str) -> Json:
    kind, _, rest = address.partition(":")
    if rest and kind in RECIPIENTS:
        return {RECIPIENTS[kind]: rest}
    if not (address.isascii() and address.isdigit()):
        raise UnsupportedContent("no_person")
    return {"id": address}


def _reason(action: OutboundMessage) -> Json:
    """Why we may write: a tag is for what a person writes after the window, never inside it (messenger.md, 8)."""
    if isinstance(action.content, Template):
        return {"messaging_type": "UTILITY"}
    if action.tag:
        return {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
    return {} if action.address.startswith("token:") else {"messaging_type": "RESPONSE"}


def _reply(action: OutboundMessage) -> Json:
    """What has no message id (a pressed button) cannot be answered as such: the words go out all the same."""
    mid = mid_of(action.reply_to_key) if action.reply_to_key else ""
    return {"reply_to": {"mid": mid}} if mid else {}


def _mid(key: str) -> str:
    mid = mid_of(key)
    if not mid:
        raise UnsupportedContent("no_message_id")
    return mid


def _question(choice: Choice) -> Json:
    text, options = choice.text.text, choice.options
    if is_template(choice):
        return _template({"template_type": "button", "text": text, "buttons": _buttons(options)})
    replies = [{"content_type": "text", "title": option.label, "payload": option.id} for option in options]
    return {"text": text, "quick_replies": replies}


def _element(card: Card, files: Mapping[str, OutboundFile]) -> Json:
    element: Json = {"title": card.title}
    if card.text:
        element["subtitle"] = card.text
    if card.media is not None:
        element["image_url"] = file_of(card.media, files).link
    if card.options:
        element["buttons"] = _buttons(card.options)
    return element


def _buttons(options: Sequence[Option]) -> list[Json]:
    return [{"type": "postback", "title": option.label, "payload": option.id} for option in options]


def _template(payload: Json) -> Json:
    return {"attachment": {"type": "template", "payload": payload}}
