"""What is composed -> the messages that Viber takes (provider file, A5)."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from hub.connectors.contract import ChoiceLimit, MediaLimit
from hub.connectors.errors import UnsupportedContent
from hub.connectors.events import Album, Choice, ContactCard, Location, Media, MediaKind, OutboundContent, Text

LONGEST_TEXT: Final = 7000
LONGEST_CAPTION: Final = 512
"""Of a picture, in characters; videos and files have none. One document says 768, two public clients 512."""
CHOICE: Final = ChoiceLimit(options=12, label=64)
"""One answer a row: a keyboard shows twelve in portrait. The length of the words is ours: longer ones are cut by the app."""
LONGEST_OPTION: Final = 64
LONGEST_VIDEO: Final = 180
"""Seconds."""
LONGEST_CONTACT, LONGEST_PHONE = 28, 18
MEDIA: Final[dict[MediaKind, MediaLimit]] = {
    "image": MediaLimit(bytes=1_000_000, types=frozenset({"image/jpeg", "image/png"})),  # what iPhones show
    "video": MediaLimit(bytes=26_000_000, types=frozenset({"video/mp4"})),
    "document": MediaLimit(bytes=50_000_000),
}


def split_content(content: OutboundContent) -> Sequence[OutboundContent]:
    """The parts a message is sent as. Raises UnsupportedContent."""
    match content:
        case Text():
            return split_text(content)
        case Choice():
            return _choice(content)
        case Media():
            return _files([content], content.caption)
        case Album():
            return _files(content.items, content.caption)
        case Location():
            return [_place(content)]
        case ContactCard():
            return [_card(content)]
        case _:
            raise UnsupportedContent("not_for_viber")


def kind_of(media: Media) -> MediaKind:
    """As what a file is sent: as a document where its type, size or length is not what Viber takes of its kind. Raises
    UnsupportedContent for a file that it does not take at all."""
    if media.size == 0:
        raise UnsupportedContent("empty_file")
    size, limit = media.size or 0, MEDIA.get(media.kind)
    if size > MEDIA["document"].bytes:
        raise UnsupportedContent("file_too_large")
    mime = media.mime.partition(";")[0].strip().lower()
    fits = limit is not None and size <= limit.bytes and (not limit.types or mime in limit.types)
    if not fits or (media.kind == "video" and (media.duration or 0) > LONGEST_VIDEO):
        return "document"
    return media.kind


def split_text(text: Text) -> list[OutboundContent]:
    """Parts of at most 7,000 characters: cut on line borders, else word borders, else anywhere. White space at a border is dropped.
    Raises UnsupportedContent for an empty text."""
    left = text.text
    if not left.strip():
        raise UnsupportedContent("empty_text")
    try:
        left.encode()
    except UnicodeEncodeError:
        raise UnsupportedContent("no_unicode") from None
    if len(left) <= LONGEST_TEXT:
        return [Text(text=left)]
    left = left.strip()
    parts: list[OutboundContent] = []
    while len(left) > LONGEST_TEXT:
        end = _border(left)
        parts.append(Text(text=left[:end].rstrip()))
        left = left[end:].lstrip()
    return [*parts, Text(text=left)]


def _border(text: str) -> int:
    """Where to cut a text that is too long and begins with a visible character."""
    within = text[: LONGEST_TEXT + 1]  # a border right behind the last character that fits counts too
    line = within.rfind("\n")
    if line > 0:
        return line
    word = max((found.start() for found in re.finditer(r"\s", within)), default=0)
    return word or LONGEST_TEXT


def _choice(content: Choice) -> list[OutboundContent]:
    """Of a question that is too long the last part has the answers: a keyboard goes with the newest message."""
    if not 0 < len(content.options) <= CHOICE.options:
        raise UnsupportedContent("too_many_options" if content.options else "no_options")
    labels = [option.label for option in content.options]
    if len(set(labels)) != len(labels):
        raise UnsupportedContent("same_label")  # the words are what comes back
    for option in content.options:
        if not 0 < len(option.id) <= LONGEST_OPTION:
            raise UnsupportedContent("option_too_long")
        if not option.label.strip() or len(option.label) > CHOICE.label:
            raise UnsupportedContent("label_too_long" if option.label.strip() else "no_label")
    *before, last = split_text(content.text)
    assert isinstance(last, Text)
    return [*before, replace(content, text=last)]


def _files(items: Sequence[Media], caption: Text | None) -> list[OutboundContent]:
    """Each file is a message; a text goes with the first if that is a picture, else, or when it is too long, behind them."""
    kinds = [kind_of(item) for item in items]
    bare: list[OutboundContent] = [replace(item, caption=None) for item in items]
    if caption is None or not caption.text.strip():
        return bare
    if kinds[0] == "image" and len(caption.text) <= LONGEST_CAPTION:
        return [replace(items[0], caption=Text(text=caption.text)), *bare[1:]]
    return [*bare, *split_text(Text(text=caption.text))]


def _place(content: Location) -> Location:
    if content.is_live:
        raise UnsupportedContent("live_location")
    if not (-90 <= content.latitude <= 90 and -180 <= content.longitude <= 180):
        raise UnsupportedContent("no_place")
    return content


def _card(content: ContactCard) -> ContactCard:
    if not 0 < len(content.name) <= LONGEST_CONTACT or not 0 < len(content.phone) <= LONGEST_PHONE:
        raise UnsupportedContent("contact_too_long")
    return content
