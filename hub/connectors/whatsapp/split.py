"""What is composed -> the messages that WhatsApp takes (provider file, 8 and 10). Text goes out as it was typed: WhatsApp itself
reads *bold*, _italic_, ~struck out~ and ```code``` in it."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from hub.connectors.contract import ChoiceLimit
from hub.connectors.errors import UnsupportedContent
from hub.connectors.events import Album, Choice, ContactCard, Location, Media, Option, OutboundContent, Template, Text
from hub.connectors.whatsapp.media import CAPTIONED, kind_of

LONGEST_TEXT: Final = 4096
LONGEST_CAPTION: Final = 1024
LONGEST_QUESTION: Final = 1024
MOST_BUTTONS: Final = 3
LONGEST_BUTTON: Final = 20
CHOICE: Final = ChoiceLimit(options=10, label=24)
"""Rows of a list; up to three short ones go as buttons."""
LONGEST_OPTION: Final = 200
"""Characters of what a row brings back; a button could have 256."""
LONGEST_DESCRIPTION: Final = 72
LONGEST_CLUSTER: Final = 64
"""Characters of one visible sign at most: longer ones are no emoji and may be cut."""


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
        case ContactCard():
            return [_card(content)]
        case Template():
            return [content]
        case _:
            raise UnsupportedContent("not_for_whatsapp")


def is_list(options: Sequence[Option]) -> bool:
    """Whether a question goes as a list: too many or too long for buttons, or with descriptions, which only rows have."""
    return len(options) > MOST_BUTTONS or any(len(one.label) > LONGEST_BUTTON or one.description for one in options)


def split_text(text: Text, longest: int) -> list[Text]:
    """Parts of at most `longest` characters, cut on line borders, else word borders, never inside a visible sign. White space at a
    border is dropped. Raises UnsupportedContent for an empty text or one that is no Unicode."""
    if not text.text.strip():
        raise UnsupportedContent("empty_text")
    if any(unicodedata.category(letter) == "Cs" for letter in text.text):
        raise UnsupportedContent("no_unicode")
    if len(text.text) <= longest:
        return [Text(text=text.text)]
    parts, rest = [], text.text.strip()
    while len(rest) > longest:
        end = _border(rest, longest)
        parts.append(Text(text=rest[:end].rstrip()))
        rest = rest[end:].lstrip()
    return [*parts, Text(text=rest)]


def _border(text: str, longest: int) -> int:
    """Where to cut a text that is too long and begins with a visible sign."""
    line = text.rfind("\n", 0, longest + 1)
    if line > 0:
        return line
    word = max((found.start() for found in re.finditer(r"\s", text[: longest + 1])), default=0)
    if word:
        return word
    end = longest
    while end > longest - LONGEST_CLUSTER and _is_inside(text, end):
        end -= 1
    return end if end > longest - LONGEST_CLUSTER else longest


def _is_inside(text: str, place: int) -> bool:
    """Whether a sign goes on here: what joins, varies, colours or marks the character before it, or the second half of a flag."""
    here, before = text[place], text[place - 1]
    joins = here == "\u200d" or before == "\u200d" or "\ufe00" <= here <= "\ufe0f" or "\U0001f3fb" <= here <= "\U0001f3ff"
    return joins or unicodedata.combining(here) > 0 or (_is_flag(here) and _is_flag(before))


def _is_flag(letter: str) -> bool:
    return "\U0001f1e6" <= letter <= "\U0001f1ff"


def _choice(content: Choice) -> list[OutboundContent]:
    """Of a question that is too long the last part has the answers, so that they stand at its end."""
    options = content.options
    if not 0 < len(options) <= CHOICE.options:
        raise UnsupportedContent("too_many_options" if options else "no_options")
    for option in options:
        if not 0 < len(option.id) <= LONGEST_OPTION:
            raise UnsupportedContent("option_too_long")
        if not option.label.strip() or len(option.label) > CHOICE.label:
            raise UnsupportedContent("label_too_long" if option.label.strip() else "no_label")
        if len(option.description) > LONGEST_DESCRIPTION:
            raise UnsupportedContent("description_too_long")
    if len({option.id for option in options}) < len(options):
        raise UnsupportedContent("same_option_twice")
    if not is_list(options) and len({option.label for option in options}) < len(options):
        raise UnsupportedContent("same_label_twice")
    before = split_text(content.text, LONGEST_TEXT)
    *questions, last = split_text(before[-1], LONGEST_QUESTION)
    return [*before[:-1], *questions, replace(content, text=last)]


def _files(items: Sequence[Media], caption: Text | None) -> list[OutboundContent]:
    """WhatsApp knows no albums: a message for each file. A text goes with the first that can have one; one that is too long follows
    as a message of its own (10)."""
    if any(item.size == 0 for item in items):
        raise UnsupportedContent("empty_file")
    kinds = [kind_of(item) for item in items]
    alone = [replace(item, caption=None) for item in items]
    if caption is None or not caption.text.strip():
        return list(alone)
    place = next((number for number, kind in enumerate(kinds) if kind in CAPTIONED), None)
    if place is None or len(caption.text) > LONGEST_CAPTION:
        return [*alone, *split_text(caption, LONGEST_TEXT)]
    return [replace(item, caption=caption) if number == place else item for number, item in enumerate(alone)]


def _place(content: Location) -> Location:
    if content.is_live:
        raise UnsupportedContent("live_location")
    if not (-90 <= content.latitude <= 90 and -180 <= content.longitude <= 180):
        raise UnsupportedContent("no_place")
    return content


def _card(content: ContactCard) -> ContactCard:
    if not content.name.strip():
        raise UnsupportedContent("no_name")
    return content
