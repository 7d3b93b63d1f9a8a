"""Text as Signal has it: styles and mentions lie beside it and count UTF-16 units, where ours count characters.

A mention is one U+FFFC in the text (provider file, 3); the name is put in its place, so that the words can be read alone.
"""

from collections.abc import Iterable
from itertools import accumulate
from typing import Final

from hub.connectors.errors import UnsupportedContent
from hub.connectors.events import Span, Style, Text
from hub.connectors.signal.reading import Json, a_text, objects

LONGEST_TEXT: Final = 2000
"""Bytes of UTF-8: beyond them signal-cli sends the rest as a file that the apps join again (provider file, 8)."""
STYLES: Final[dict[str, Style]] = {
    "BOLD": "bold",
    "ITALIC": "italic",
    "SPOILER": "spoiler",
    "STRIKETHROUGH": "strike",
    "MONOSPACE": "code",
}
PLACEHOLDER: Final = "\ufffc"
NAMES: Final = {style: name for name, style in STYLES.items()}


def read_text(message: str, about: Json) -> Text:
    """A message's words with the names of those who are mentioned, and its styles. What lies outside is left out."""
    if "textStyles" not in about and "mentions" not in about:
        return Text(text=message)
    places = {units: place for place, units in enumerate(_units_before(message))}
    spans = [span for one in objects(about, "textStyles") if (span := _read_style(one, places)) is not None]
    for mention in sorted(objects(about, "mentions"), key=_start, reverse=True):
        name = a_text(mention, "name") or a_text(mention, "number") or a_text(mention, "uuid")
        start = places.get(_start(mention))
        if name and start is not None and message[start : start + 1] == PLACEHOLDER:
            message = f"{message[:start]}@{name}{message[start + 1 :]}"
            spans = [_moved(span, start, len(name)) for span in spans]
    return Text(text=message, spans=_nested(spans))


def write_styles(text: Text) -> list[str]:
    """The styles of a text that is sent: `start:length:STYLE` in UTF-16 units."""
    before = _units_before(text.text)
    return [
        f"{before[span.start]}:{before[span.end] - before[span.start]}:{NAMES[span.style]}"
        for span in text.spans
        if span.style in NAMES
    ]


def split_text(text: Text) -> list[Text]:
    """Parts of at most 2,000 bytes, each with its share of the styles: cut on line borders, else word borders, else between two
    characters. White space at a border is dropped. Raises UnsupportedContent for an empty text."""
    if not text.text.strip():
        raise UnsupportedContent("empty_text")
    if size_of(text.text) <= LONGEST_TEXT:
        return [text]
    parts = []
    start, last = _trim(text.text, 0, len(text.text))
    while size_of(text.text[start:last]) > LONGEST_TEXT:
        end = start + _border(text.text[start:last])
        parts.append(_cut(text, *_trim(text.text, start, end)))
        start, _ = _trim(text.text, end, last)
    return [*parts, _cut(text, start, last)]


def size_of(text: str) -> int:
    """Bytes of UTF-8. UnsupportedContent for text that no provider could be sent: half of a surrogate pair."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise UnsupportedContent("no_unicode") from None


def _read_style(one: Json, places: dict[int, int]) -> Span | None:
    """`places`: characters by the units before them; there is none in the middle of a pair."""
    style = STYLES.get(a_text(one, "style"))
    start, end = places.get(_start(one)), places.get(_start(one) + _length(one))
    if style is None or start is None or end is None or start >= end:
        return None
    return Span(start=start, end=end, style=style)


def _start(one: Json) -> int:
    found = one.get("start")
    return found if type(found) is int else -1


def _length(one: Json) -> int:
    found = one.get("length")
    return found if type(found) is int else 0


def _moved(span: Span, place: int, longer: int) -> Span:
    """A span after the character at this place has become longer by so many."""
    start, end = (one + (longer if one > place else 0) for one in (span.start, span.end))
    return Span(start=start, end=end, style=span.style)


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


def _border(text: str) -> int:
    """Where to cut a text that is too long and begins with a visible character."""
    head = text.encode()[:LONGEST_TEXT].decode("utf-8", "ignore")  # ignores a part of a character at the end
    within = text[: len(head) + 1]  # a border right behind the last character that fits counts too
    line = within.rfind("\n")
    if line > 0:
        return line
    word = max((place for place, letter in enumerate(within) if letter.isspace()), default=0)
    return word or len(head)
