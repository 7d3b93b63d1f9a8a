"""What is composed -> the messages that Signal takes (provider file, 7 and 8)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from hub.connectors.contract import MediaLimit
from hub.connectors.errors import UnsupportedContent
from hub.connectors.events import Album, Media, MediaKind, OutboundContent, Text
from hub.connectors.signal.text import LONGEST_TEXT, size_of, split_text

LARGEST_FILES: Final = 14_900_000
"""Bytes of the files of one message: they go as base64 in one text of JSON, and signal-cli reads texts of at most 20,000,000
characters (README)."""
MOST_FILES: Final = 32
"""Of one message, in the apps."""
MEDIA: Final[dict[MediaKind, MediaLimit]] = {
    "image": MediaLimit(bytes=LARGEST_FILES),
    "animation": MediaLimit(bytes=LARGEST_FILES),
    "voice": MediaLimit(bytes=LARGEST_FILES, types=frozenset({"audio/aac", "audio/mp4", "audio/ogg", "audio/mpeg"})),
    "audio": MediaLimit(bytes=LARGEST_FILES),
    "video": MediaLimit(bytes=LARGEST_FILES),
    "document": MediaLimit(bytes=LARGEST_FILES),
}


def split_content(content: OutboundContent) -> Sequence[OutboundContent]:
    """The parts a message is sent as. Raises UnsupportedContent."""
    match content:
        case Text():
            return split_text(content)
        case Media():
            return _with_words([content], content.caption)
        case Album():
            return _with_words(_albums(content.items), content.caption)
        case _:
            raise UnsupportedContent("not_for_signal")


def _with_words(parts: Sequence[Media | Album], words: Text | None) -> list[OutboundContent]:
    """The words go with the first part; those that are too long for that follow behind the last."""
    for part in parts:
        for item in part.items if isinstance(part, Album) else (part,):
            _check(item)
    bare = [_say(part, None) for part in parts]
    if words is None or not words.text.strip():
        return [*bare]
    if size_of(words.text) <= LONGEST_TEXT:
        return [_say(parts[0], words), *bare[1:]]
    return [*bare, *split_text(words)]


def _say(part: Media | Album, words: Text | None) -> Media | Album:
    return replace(part, caption=words)


def _check(media: Media) -> None:
    """Raises UnsupportedContent for a file that is not taken."""
    if media.size == 0:
        raise UnsupportedContent("empty_file")
    if (media.size or 0) > LARGEST_FILES:
        raise UnsupportedContent("file_too_large")


def _albums(items: Sequence[Media]) -> list[Media | Album]:
    """As many files in one message as fit."""
    found: list[list[Media]] = []
    room = 0
    for item in items:
        size = item.size or 0
        if not found or len(found[-1]) == MOST_FILES or size > room:
            found.append([])
            room = LARGEST_FILES
        found[-1].append(replace(item, caption=None))
        room -= size
    return [one[0] if len(one) == 1 else Album(items=tuple(one)) for one in found]
