"""A message -> one request of the older direct messages (provider file, 5 and 6). There is nothing else: no answers to press,
replies, reactions, read marks or changes.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from hub.connectors.contract import MediaLimit, OutboundAction, OutboundFile, OutboundMessage, Receipt
from hub.connectors.cutting import cut_text
from hub.connectors.errors import OutcomeUnknown, UnsupportedContent
from hub.connectors.events import Album, Location, Media, MediaKind, OutboundContent, Text

LONGEST_TEXT: Final = 10_000
MEGABYTE: Final = 1 << 20
MEDIA: Final[Mapping[MediaKind, MediaLimit]] = {
    "image": MediaLimit(bytes=5 * MEGABYTE, types=frozenset({"image/jpeg", "image/png", "image/webp"})),
    "animation": MediaLimit(bytes=15 * MEGABYTE, types=frozenset({"image/gif"})),
}
"""Films need an upload in pieces that X works on for a while afterwards: they go as a link that somebody pastes."""
CATEGORIES: Final[Mapping[MediaKind, str]] = {"image": "dm_image", "animation": "dm_gif"}


def split_content(content: OutboundContent) -> list[OutboundContent]:
    """A text, or a file with one. Raises UnsupportedContent."""
    match content:
        case Text():
            return _need([Text(text=part) for part in split_text(content.text)])
        case Media():
            return _files((content,), content.caption)
        case Album():
            return _files(content.items, content.caption)
        case _:
            raise UnsupportedContent("live_location" if isinstance(content, Location) else "not_for_x")


def split_text(text: str) -> list[str]:
    """Parts of at most LONGEST_TEXT characters."""
    return cut_text(text, LONGEST_TEXT, len)


def _need(parts: list[Any]) -> list[Any]:
    if not parts:
        raise UnsupportedContent("empty_text")
    return parts


def _files(items: tuple[Media, ...], caption: Text | None) -> list[OutboundContent]:
    """One file a message; the text goes with the first."""
    for item in items:
        if item.kind not in CATEGORIES:
            raise UnsupportedContent("kind_of_file")
        if item.size == 0:
            raise UnsupportedContent("empty_file")
    words = split_text(caption.text) if caption else []
    first = replace(items[0], caption=Text(text=words[0]) if words else None)
    return [first, *(replace(item, caption=None) for item in items[1:]), *(Text(text=part) for part in words[1:])]


def check(action: OutboundAction) -> OutboundMessage:
    """What can be sent as one message. Raises UnsupportedContent."""
    if not isinstance(action, OutboundMessage):
        raise UnsupportedContent("not_for_x")
    if not (action.address.isascii() and action.address.isdecimal() and len(action.address) < 20):
        raise UnsupportedContent("no_user_id")
    if len(split_content(action.content)) != 1:
        raise UnsupportedContent("text_too_long")
    return action


def file_of(message: OutboundMessage) -> tuple[OutboundFile, str] | None:
    """The file that a message needs to have uploaded, and X's word for its kind."""
    if not isinstance(message.content, Media):
        return None
    file = message.files.get(message.content.ref)
    if file is None:
        raise UnsupportedContent("no_file")
    return file, CATEGORIES[message.content.kind]


def body_of(message: OutboundMessage, media_id: str) -> dict[str, Any]:
    """Unknown keys are refused, and so is an empty text."""
    content = message.content
    text = content if isinstance(content, Text) else content.caption if isinstance(content, Media) else None
    words = text.text if text else ""
    return ({"text": words} if words else {}) | ({"attachments": [{"media_id": media_id}]} if media_id else {})


def receipt_of(told: Mapping[str, Any]) -> Receipt:
    """Raises OutcomeUnknown."""
    data = told.get("data")
    number = data.get("dm_event_id") if isinstance(data, dict) else None
    if not isinstance(number, str) or not number:
        raise OutcomeUnknown("unreadable_answer")
    return Receipt(status="sent", keys=(f"m:{number}",))
