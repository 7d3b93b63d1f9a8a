"""What is composed -> the messages that Threema takes (provider file, 6, 7 and 9). Limits count bytes of UTF-8."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from hub.connectors.contract import MediaLimit
from hub.connectors.errors import UnsupportedContent
from hub.connectors.events import Album, Location, Media, MediaKind, OutboundContent, Text

LONGEST_TEXT: Final = 3500
LONGEST_CAPTION: Final = 1000
"""Ours: with the longest name and every sign of it written out, the container stays below the 4,000 bytes of older servers."""
LARGEST_FILE: Final = 20_000_000
"""Bytes: a little below the 20 MiB that a Gateway takes for certain; the apps' own protocol has 50 MiB (README)."""
MEDIA: Final[dict[MediaKind, MediaLimit]] = {
    "image": MediaLimit(bytes=LARGEST_FILE, types=frozenset({"image/jpeg", "image/png", "image/webp"})),
    "animation": MediaLimit(bytes=LARGEST_FILE, types=frozenset({"image/gif"})),
    "sticker": MediaLimit(bytes=LARGEST_FILE, types=frozenset({"image/png", "image/webp"})),
    "voice": MediaLimit(bytes=LARGEST_FILE, types=frozenset({"audio/aac", "audio/mp4", "audio/m4a", "audio/x-m4a"})),
    "video": MediaLimit(bytes=LARGEST_FILE, types=frozenset({"video/mp4"})),
    "document": MediaLimit(bytes=LARGEST_FILE),
}


def split_content(content: OutboundContent) -> Sequence[OutboundContent]:
    """The parts a message is sent as. Raises UnsupportedContent."""
    match content:
        case Text():
            return split_text(content)
        case Media():
            return _files([content], content.caption)
        case Album():
            return _files(content.items, content.caption)
        case Location():
            return [_place(content)]
        case _:
            raise UnsupportedContent("not_for_threema")


def kind_of(media: Media) -> MediaKind:
    """As what a file is shown: as a document where its type is not one that the apps show. Raises UnsupportedContent for a file
    that is not taken at all."""
    if media.size == 0:
        raise UnsupportedContent("empty_file")
    if (media.size or 0) > LARGEST_FILE:
        raise UnsupportedContent("file_too_large")
    limit = MEDIA.get(media.kind)
    mime = media.mime.partition(";")[0].strip().lower()
    return media.kind if limit and (not limit.types or mime in limit.types) else "document"


def split_text(text: Text) -> list[OutboundContent]:
    """Parts of at most 3,500 bytes: cut on line borders, else word borders, else between two characters. White space at a border is
    dropped. Raises UnsupportedContent for an empty text."""
    left = text.text
    if not left.strip():
        raise UnsupportedContent("empty_text")
    if size_of(left) <= LONGEST_TEXT:
        return [Text(text=left)]
    left = left.strip()
    parts: list[OutboundContent] = []
    while size_of(left) > LONGEST_TEXT:
        end = _border(left)
        parts.append(Text(text=left[:end].rstrip()))
        left = left[end:].lstrip()
    return [*parts, Text(text=left)]


def size_of(text: str) -> int:
    """Bytes of UTF-8. UnsupportedContent for text that no provider could be sent: half of a surrogate pair."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise UnsupportedContent("no_unicode") from None


def _border(text: str) -> int:
    """Where to cut a text that is too long and begins with a visible character."""
    head = text.encode()[:LONGEST_TEXT].decode("utf-8", "ignore")  # ignores a part of a character at the end
    within = text[: len(head) + 1]  # a border right behind the last character that fits counts too
    line = within.rfind("\n")
    if line > 0:
        return line
    word = max((place for place, letter in enumerate(within) if letter.isspace()), default=0)
    return word or len(head)


def _files(items: Sequence[Media], caption: Text | None) -> list[OutboundContent]:
    """Each file is a message; a text goes with the first, and one that is too long for that follows behind them."""
    for item in items:
        kind_of(item)
    if caption is None or not caption.text.strip():
        return [replace(item, caption=None) for item in items]
    if size_of(caption.text) <= LONGEST_CAPTION:
        return [replace(item, caption=None if number else Text(text=caption.text)) for number, item in enumerate(items)]
    return [*(replace(item, caption=None) for item in items), *split_text(Text(text=caption.text))]


def _place(content: Location) -> Location:
    if content.is_live:
        raise UnsupportedContent("live_location")
    if not (-90 <= content.latitude <= 90 and -180 <= content.longitude <= 180):
        raise UnsupportedContent("no_place")
    return content
