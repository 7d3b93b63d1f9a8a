"""What is composed -> the messages that Telegram takes (provider file, 7 and 12)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from hub.connectors.contract import ChoiceLimit
from hub.connectors.errors import UnsupportedContent
from hub.connectors.events import Album, Choice, Location, Media, OutboundContent, Text
from hub.connectors.telegram.media import CAPTIONED, albums_of, kind_of
from hub.connectors.telegram.text import count_units, split_text

LONGEST_TEXT: Final = 4096
LONGEST_CAPTION: Final = 1024
"""Both counted as entities are, in UTF-16 units: an emoji is two."""
CHOICE: Final = ChoiceLimit(options=20, label=64)
"""Ours: Telegram names no limits for a keyboard but refuses one that is "too long" (10); this is far below."""
LONGEST_OPTION: Final = 64
"""Bytes of what a button brings back (7)."""


def split_content(content: OutboundContent) -> Sequence[OutboundContent]:
    """The parts a message is sent as. Raises UnsupportedContent."""
    match content:
        case Text():
            return split_text(content, LONGEST_TEXT)
        case Choice():
            return _choice(content)
        case Media():
            return _files([content], content.caption)
        case Album():
            return _files(content.items, content.caption)
        case Location():
            return [_place(content)]
        case _:
            raise UnsupportedContent("not_for_telegram")


def _choice(content: Choice) -> list[OutboundContent]:
    """Of a question that is too long the last part has the answers, so that they stand at its end."""
    if not 0 < len(content.options) <= CHOICE.options:
        raise UnsupportedContent("too_many_options" if content.options else "no_options")
    for option in content.options:
        if not 0 < len(option.id.encode("utf-8", "replace")) <= LONGEST_OPTION:
            raise UnsupportedContent("option_too_long")
        if not option.label.strip() or len(option.label) > CHOICE.label:
            raise UnsupportedContent("label_too_long" if option.label.strip() else "no_label")
        count_units(option.label)
    *before, last = split_text(content.text, LONGEST_TEXT)
    return [*before, replace(content, text=last)]


def _files(items: Sequence[Media], caption: Text | None) -> list[OutboundContent]:
    """Files in as few messages as Telegram has for them. A text goes with the first; one that is too long for that, or a file that
    can have none, makes it a message of its own behind them."""
    if any(item.size == 0 for item in items):
        raise UnsupportedContent("empty_file")
    groups = albums_of(items)
    if caption is None or not caption.text.strip():
        return [_group(group, None) for group in groups]
    if kind_of(groups[0][0]) in CAPTIONED and count_units(caption.text) <= LONGEST_CAPTION:
        return [_group(group, None if number else caption) for number, group in enumerate(groups)]
    return [*(_group(group, None) for group in groups), *split_text(caption, LONGEST_TEXT)]


def _group(items: Sequence[Media], caption: Text | None) -> OutboundContent:
    return replace(items[0], caption=caption) if len(items) == 1 else Album(items=tuple(items), caption=caption)


def _place(content: Location) -> Location:
    if content.is_live:
        raise UnsupportedContent("live_location")
    if not (-90 <= content.latitude <= 90 and -180 <= content.longitude <= 180):
        raise UnsupportedContent("no_place")
    return content
