"""What is composed -> the messages that Meta takes (messenger.md, 6 and 12; instagram.md, 4 and 6)."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hub.connectors.contract import CardsLimit, ChoiceLimit, MediaLimit
from hub.connectors.errors import UnsupportedContent
from hub.connectors.events import Album, Card, Cards, Choice, Media, MediaKind, Option, OutboundContent, Text

CHOICE: Final = ChoiceLimit(options=13, label=20)
LONGEST_PAYLOAD: Final = 1000
"""Characters of what a button brings back."""
BUTTONS: Final = 3
"""Of a button template, and of a card."""
LONGEST_QUESTION: Final = 640
"""Characters of the text of a button template."""
CARDS: Final = CardsLimit(cards=10, title=80, text=80, options=BUTTONS, label=CHOICE.label)
"""Elements of a generic template."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a text may be, counted by `size`, and which files are taken."""

    text: int
    size: Callable[[str], int]
    media: Mapping[MediaKind, MediaLimit]


def split_content(content: OutboundContent, limits: Limits) -> Sequence[OutboundContent]:
    """The parts a message is sent as: each file alone, its words behind it. Raises UnsupportedContent."""
    match content:
        case Text():
            return [Text(text=part) for part in split_text(content.text, limits)]
        case Choice():
            return _choice(content, limits)
        case Media():
            return _files([content], content.caption, limits)
        case Album():
            return _files(content.items, content.caption, limits)
        case Cards():
            _check_cards(content)
            words = split_text(content.text, limits) if content.text.strip() else []
            return [*(Text(text=part) for part in words), replace(content, text="")]
        case _:
            raise UnsupportedContent("not_for_meta")


def is_template(content: Choice) -> bool:
    """Whether a question goes with buttons, which stay, or with quick replies, which vanish when the person goes on."""
    return len(content.options) <= BUTTONS and len(content.text.text) <= LONGEST_QUESTION


def _choice(content: Choice, limits: Limits) -> list[OutboundContent]:
    """Of a question that is too long the last part has the answers, so that they stand at its end."""
    if not 0 < len(content.options) <= CHOICE.options:
        raise UnsupportedContent("too_many_options" if content.options else "no_options")
    _check_options(content.options)
    *before, last = split_text(content.text.text, limits)
    return [*(Text(text=part) for part in before), replace(content, text=Text(text=last))]


def _check_options(options: Sequence[Option]) -> None:
    for option in options:
        if not 0 < len(option.id) <= LONGEST_PAYLOAD:
            raise UnsupportedContent("option_too_long")
        if not option.label.strip() or len(option.label) > CHOICE.label:
            raise UnsupportedContent("label_too_long" if option.label.strip() else "no_label")
        _check_unicode(option.label)


def _check_cards(content: Cards) -> None:
    if not 0 < len(content.items) <= CARDS.cards:
        raise UnsupportedContent("too_many_cards" if content.items else "no_cards")
    for card in content.items:
        _check_card(card)


def _check_card(card: Card) -> None:
    """A title alone is no element: something must stand beside it."""
    if not card.title.strip() or len(card.title) > CARDS.title or len(card.text) > CARDS.text:
        raise UnsupportedContent("card_text_too_long" if card.title.strip() else "no_card_title")
    if not (card.text or card.media or card.options):
        raise UnsupportedContent("card_of_a_title_only")
    if len(card.options) > BUTTONS:
        raise UnsupportedContent("too_many_options")
    _check_options(card.options)
    _check_unicode(card.title + card.text)


def _files(items: Sequence[Media], caption: Text | None, limits: Limits) -> list[OutboundContent]:
    for item in items:
        kind_of(item, limits.media)
    words = split_text(caption.text, limits) if caption is not None and caption.text.strip() else []
    return [*(replace(item, caption=None) for item in items), *(Text(text=part) for part in words)]


def kind_of(media: Media, taken: Mapping[MediaKind, MediaLimit]) -> MediaKind:
    """As what a file is sent: as a document where its type or size is not what is taken of its kind. Raises UnsupportedContent for
    a file that is not taken at all."""
    if media.size == 0:
        raise UnsupportedContent("empty_file")
    kinds: tuple[MediaKind, MediaKind] = (media.kind, "document")
    by_type = [kind for kind in kinds if kind in taken and _is_of(media, taken[kind])]
    for kind in by_type:
        if (media.size or 0) <= taken[kind].bytes:
            return kind
    raise UnsupportedContent("file_too_large" if by_type else "file_type")


def _is_of(media: Media, limit: MediaLimit) -> bool:
    return not limit.types or media.mime.partition(";")[0].strip().lower() in limit.types


def split_text(text: str, limits: Limits) -> list[str]:
    """Parts that fit: cut on line borders, else word borders, never inside a character. White space at a border is dropped. Raises
    UnsupportedContent for an empty text."""
    _check_unicode(text)
    if not text.strip():
        raise UnsupportedContent("empty_text")
    if limits.size(text) <= limits.text:
        return [text]
    parts, rest = [], text.strip()
    while limits.size(rest) > limits.text:
        end = _border(rest, limits)
        parts.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*parts, rest] if rest else parts


def _border(text: str, limits: Limits) -> int:
    """Where to cut a text that is too long and begins with a visible character."""
    fits = _fitting(text, limits)
    within = text[: fits + 1]  # a border right behind the last character that fits counts too
    line = within.rfind("\n")
    if line > 0:
        return line
    word = max((found.start() for found in re.finditer(r"\s", within)), default=0)
    return word or fits


def _fitting(text: str, limits: Limits) -> int:
    """How many characters fit."""
    low, high = 1, min(len(text), limits.text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if limits.size(text[:middle]) <= limits.text else (low, middle - 1)
    return low


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnsupportedContent("no_unicode") from None
