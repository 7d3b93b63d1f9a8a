"""What is composed -> the messages of the chat."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from hub.connectors.contract import ChoiceLimit, MediaLimit
from hub.connectors.errors import UnsupportedContent
from hub.connectors.events import Album, Choice, Media, MediaKind, OutboundContent, Span, Text

LONGEST_TEXT: Final = 4000
"""Characters: what can be read in a panel without getting lost."""
CHOICE: Final = ChoiceLimit(options=10, label=80)
LARGEST_FILE: Final = 25_000_000
"""Bytes, in both directions: what a phone fetches over a mobile network without giving up."""
KINDS: Final[tuple[MediaKind, ...]] = ("image", "animation", "voice", "audio", "video", "document")
MEDIA: Final[dict[MediaKind, MediaLimit]] = {kind: MediaLimit(bytes=LARGEST_FILE) for kind in KINDS}


def split_content(content: OutboundContent) -> Sequence[OutboundContent]:
    """The parts a message is sent as. Raises UnsupportedContent."""
    match content:
        case Text():
            return split_text(content)
        case Choice():
            _check_choice(content)
            *before, last = split_text(content.text)
            return [*before, replace(content, text=last)]
        case Media():
            return _files(content, [content], content.caption)
        case Album():
            return _files(content, content.items, content.caption)
        case _:
            raise UnsupportedContent("not_for_webchat")


def _check_choice(content: Choice) -> None:
    if not 0 < len(content.options) <= CHOICE.options:
        raise UnsupportedContent("too_many_options" if content.options else "no_options")
    for option in content.options:
        if not option.label.strip() or len(option.label) > CHOICE.label:
            raise UnsupportedContent("label_too_long" if option.label.strip() else "no_label")


def _files(content: Media | Album, items: Sequence[Media], caption: Text | None) -> list[OutboundContent]:
    """All files are one message. A text that is too long for it follows."""
    for item in items:
        if item.kind not in MEDIA:
            raise UnsupportedContent("not_for_webchat")
        if not item.size or item.size > LARGEST_FILE:
            raise UnsupportedContent("file_too_large" if item.size else "empty_file")
    if caption is None or len(caption.text) <= LONGEST_TEXT:
        return [content]
    return [replace(content, caption=None), *split_text(caption)]


def split_text(text: Text) -> list[Text]:
    """Parts that fit, each with its share of the formatting, cut on line borders, else word borders. White space at a border is
    dropped. Raises UnsupportedContent for an empty text."""
    if not text.text.strip():
        raise UnsupportedContent("empty_text")
    if len(text.text) <= LONGEST_TEXT:
        return [text]
    parts = []
    start, end = _trim(text.text, 0, len(text.text))
    while end - start > LONGEST_TEXT:
        border = start + _border(text.text[start : start + LONGEST_TEXT + 1])
        parts.append(_cut(text, *_trim(text.text, start, border)))
        start, _ = _trim(text.text, border, end)
    return [*parts, _cut(text, start, end)]


def _border(text: str) -> int:
    """Where to cut: at the last line that fits, else the last word, else the last character."""
    line = text.rfind("\n")
    word = max((place for place, letter in enumerate(text) if letter.isspace()), default=0)
    return line if line > 0 else word or LONGEST_TEXT


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The same stretch without white space at its ends."""
    inner = text[start:end]
    return end - len(inner.lstrip()), start + len(inner.rstrip())


def _cut(text: Text, start: int, end: int) -> Text:
    shares = ((max(span.start, start), min(span.end, end), span) for span in text.spans)
    spans = (Span(start=a - start, end=b - start, style=span.style, url=span.url) for a, b, span in shares if a < b)
    return Text(text=text.text[start:end], spans=tuple(spans))
