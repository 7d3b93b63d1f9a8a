"""An action -> the body of send_message, and its answer -> a receipt (provider file, A5)."""

import html
from collections.abc import Mapping
from typing import Final

import orjson

from hub.connectors.contract import OutboundAction, OutboundFile, OutboundMessage, Receipt
from hub.connectors.errors import MalformedPayload, OutcomeUnknown, UnsupportedContent
from hub.connectors.events import Choice, ContactCard, Location, Media, OutboundContent, Text
from hub.connectors.viber.payloads import ANSWERS, message_key
from hub.connectors.viber.reading import Json, a_token, need_user
from hub.connectors.viber.settings import ViberSettings
from hub.connectors.viber.split import kind_of, split_content

LARGEST_BODY: Final = 30_000
"""Bytes of the whole JSON."""
LONGEST_FILE_NAME: Final = 256
KEYBOARD_COLUMNS: Final = 6
"""A button over the whole width."""


def body_for(action: OutboundAction, settings: ViberSettings) -> Json:
    """The message to its receiver. Raises UnsupportedContent for what Viber cannot express."""
    if not isinstance(action, OutboundMessage):
        raise UnsupportedContent("not_for_viber")
    try:
        receiver = need_user(action.address)
    except MalformedPayload:
        raise UnsupportedContent("no_user") from None
    return {"receiver": receiver, **message_for(action, settings)}


def message_for(message: OutboundMessage, settings: ViberSettings) -> Json:
    """The message without a receiver: as it rides in an answer, or goes to many."""
    if len(split_content(message.content)) != 1:
        raise UnsupportedContent("text_too_long" if isinstance(message.content, Text | Choice) else "not_one_message")
    sender = {"name": settings.sender_name} | ({"avatar": settings.sender_avatar} if settings.sender_avatar else {})
    body = {"min_api_version": 1, "sender": sender, **_content(message.content, message.files)}
    if len(orjson.dumps(body)) > LARGEST_BODY:
        raise UnsupportedContent("message_too_large")
    return body


def receipt_for(action: OutboundAction, answer: Json) -> Receipt:
    """Taken, and nothing more: it can still fail on the device. Raises OutcomeUnknown."""
    token = a_token(answer)
    if not token:
        raise OutcomeUnknown("unreadable_answer")
    return Receipt(status="accepted", keys=(message_key(action.address, token),))


def _content(content: OutboundContent, files: Mapping[str, OutboundFile]) -> Json:
    match content:
        case Text():
            return {"type": "text", "text": content.text}
        case Choice():
            return {"type": "text", "text": content.text.text, **_keyboard(content)}
        case Location():
            return {"type": "location", "location": {"lat": content.latitude, "lon": content.longitude}}
        case ContactCard():
            return {"type": "contact", "contact": {"name": content.name, "phone_number": content.phone}}
        case Media():
            return _media(content, files)
        case _:
            raise UnsupportedContent("not_for_viber")


def _keyboard(content: Choice) -> Json:
    """What a button brings back is shown as the person's own words: the words on it, then, and what they stand for rides along."""
    buttons = [
        {
            "Columns": KEYBOARD_COLUMNS,
            "Rows": 1,
            "ActionType": "reply",
            "ActionBody": option.label,
            "Text": html.escape(option.label, quote=False),
            "TextSize": "regular",
        }
        for option in content.options
    ]
    answers = {option.label: option.id for option in content.options}
    return {
        "keyboard": {"Type": "keyboard", "DefaultHeight": False, "Buttons": buttons},
        "tracking_data": orjson.dumps({ANSWERS: answers}).decode(),
    }


def _media(media: Media, files: Mapping[str, OutboundFile]) -> Json:
    """By the public address of the file: Viber takes no upload."""
    file = files.get(media.ref)
    if file is None or not file.link:
        raise UnsupportedContent("no_file" if file is None else "no_link")
    match kind_of(media):
        case "image":
            return {"type": "picture", "media": file.link, "text": media.caption.text if media.caption else ""}
        case "video":
            length = {} if media.duration is None else {"duration": media.duration}
            return {"type": "video", "media": file.link, "size": file.size, **length}
        case _:
            return {"type": "file", "media": file.link, "size": file.size, "file_name": _file_name(file.name)}


def _file_name(name: str) -> str:
    """With its ending, which Viber wants, however long the name is."""
    stem, dot, ending = name.rpartition(".")
    if len(name) <= LONGEST_FILE_NAME or not dot:
        return name[:LONGEST_FILE_NAME]
    return f"{stem[: LONGEST_FILE_NAME - len(ending) - 1]}.{ending}"
