"""Formatted text: Telegram's entities <-> spans, and cutting what is too long.

Telegram counts in UTF-16 units, an emoji is two of them; spans count characters (provider file, 5.1 and 12).
"""

import re
from collections.abc import Iterable
from itertools import accumulate
from typing import Final
from urllib.parse import urlsplit

from hub.connectors.errors import UnsupportedContent
from hub.connectors.events import Span, Style, Text
from hub.connectors.telegram.reading import Json, a_text

STYLES: Final[dict[str, Style]] = {
    "bold": "bold",
    "italic": "italic",
    "underline": "underline",
    "strikethrough": "strike",
    "spoiler": "spoiler",
    "code": "code",
    "pre": "pre",
    "expandable_blockquote": "quote",
    "blockquote": "quote",
    "text_link": "link",
}
"""Kinds of entity that are formatting. The others (mention, hashtag, url …) stand readable in the text itself."""
ENTITIES: Final = {style: kind for kind, style in STYLES.items()}
"""The reverse: `quote` goes out as `blockquote`, which stands behind the other one."""
LINKS: Final = frozenset({"http", "https", "mailto", "tel", "tg"})
"""Schemes that a link may have, in either direction; one to anything else is plain text."""


def read_text(text: str, entities: object) -> Text:
    """Text and its formatting. Entities that are not as documented, lie outside or cut through others are left out."""
    known = [entity for entity in entities if a_text(entity, "type") in STYLES] if isinstance(entities, list) else []
    if not known:
        return Text(text=text)
    places = {units: place for place, units in enumerate(_units_before(text))}
    return Text(text=text, spans=_nested(span for entity in known if (span := _read_entity(entity, places)) is not None))


def _read_entity(entity: Json, places: dict[int, int]) -> Span | None:
    """`places`: characters by the units before them; there is none in the middle of a pair."""
    offset, length = entity.get("offset"), entity.get("length")
    if type(offset) is not int or type(length) is not int or length <= 0 or offset not in places or offset + length not in places:
        return None
    style, url = STYLES[entity["type"]], a_text(entity, "url")
    if style == "link" and not _is_link(url):
        return None
    return Span(start=places[offset], end=places[offset + length], style=style, url=url if style == "link" else "")


def _is_link(url: str) -> bool:
    try:
        return urlsplit(url).scheme in LINKS
    except ValueError:  # a broken IPv6 address
        return False


def _nested(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Outer before inner; one that begins inside another and ends outside it is left out."""
    kept: list[Span] = []
    open_: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        while open_ and open_[-1].end <= span.start:
            open_.pop()
        if not open_ or span.end <= open_[-1].end:
            kept.append(span)
            open_.append(span)
    return tuple(kept)


def write_entities(text: Text) -> list[Json]:
    """The entities of a text that is sent."""
    before = _units_before(text.text)
    return [
        {"type": ENTITIES[span.style], "offset": before[span.start], "length": before[span.end] - before[span.start]}
        | ({"url": span.url} if span.style == "link" else {})
        for span in text.spans
        if span.style != "link" or _is_link(span.url)
    ]


def count_units(text: str) -> int:
    """Length in UTF-16 units. UnsupportedContent for text that no provider could be sent: half of a surrogate pair."""
    try:
        return len(text.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        raise UnsupportedContent("no_unicode") from None


def split_text(text: Text, longest: int) -> list[Text]:
    """Parts of at most `longest` units, each with its share of the formatting: cut on line borders, else word borders, never inside
    a surrogate pair. White space at a border is dropped: Telegram drops it at the ends of a message anyway. Raises
    UnsupportedContent for an empty text."""
    if not text.text.strip():
        raise UnsupportedContent("empty_text")
    if count_units(text.text) <= longest:
        return [text]
    parts = []
    start, last = _trim(text.text, 0, len(text.text))
    while count_units(text.text[start:last]) > longest:
        end = start + _border(text.text[start:last], longest)
        parts.append(_cut(text, *_trim(text.text, start, end)))
        start, _ = _trim(text.text, end, last)
    return [*parts, _cut(text, start, last)]


def _units_before(text: str) -> list[int]:
    """UTF-16 units before each character, and before the end."""
    return list(accumulate((1 + (ord(letter) > 0xFFFF) for letter in text), initial=0))


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The same stretch without white space at its ends."""
    inner = text[start:end]
    return end - len(inner.lstrip()), start + len(inner.rstrip())


def _cut(text: Text, start: int, end: int) -> Text:
    shares = ((max(span.start, start), min(span.end, end), span) for span in text.spans)
    spans = (Span(start=a - start, end=b - start, style=span.style, url=span.url) for a, b, span in shares if a < b)
    return Text(text=text.text[start:end], spans=tuple(spans))


def _border(text: str, longest: int) -> int:
    """Where to cut a text that is too long and begins with a visible character: at the last line that fits, else the last
    word, else the last character."""
    head = text.encode("utf-16-le")[: longest * 2].decode("utf-16-le", "ignore")  # ignores half a pair at the end
    within = text[: len(head) + 1]  # a border right behind the last character that fits counts too
    line = within.rfind("\n")
    if line > 0:
        return line
    word = max((found.start() for found in re.finditer(r"\s", within)), default=0)
    return word or len(head)
