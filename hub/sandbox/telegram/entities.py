"""Formatting as Telegram stores it: a text and marks on it, counted in UTF-16 units.

Marks come from three sides: a `parse_mode` (`html.py`, `markdown.py`), an `entities` parameter, and what Telegram finds by itself.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from hub.sandbox.telegram.errors import Refused, bad
from hub.sandbox.telegram.html import parse_html
from hub.sandbox.telegram.markdown import parse_markdown
from hub.sandbox.telegram.wire import Json, utf16

LONGEST_SOURCE: Final = 1 << 15
"""Bytes of a text before its mark-up is read."""
FOUND: Final = frozenset({"mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "bank_card_number"})
"""Kinds that Telegram finds by itself; it ignores them in an `entities` parameter."""
GIVEN: Final = frozenset({
    "bold", "italic", "underline", "strikethrough", "spoiler", "blockquote", "expandable_blockquote", "code", "pre", "text_link",
    "text_mention", "custom_emoji", "date_time",
})  # fmt: skip
_FIND: Final = re.compile(
    r"(?P<bot_command>(?<!\S)/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?!\S))"
    r"|(?P<url>https?://[^\s<>\"]*[^\s<>\".,;:!?)])"
    r"|(?P<email>[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,})"
    r"|(?P<mention>(?<![\w@/])@[A-Za-z0-9_]{4,32}(?!\w))"
    r"|(?P<hashtag>(?<![\w#/&])#\w*[^\W\d]\w*)"
)

TYPED: Final = {"**": "bold", "__": "italic", "~~": "strikethrough", "||": "spoiler", "`": "code"}
_TYPED: Final = re.compile(r"(?P<sign>\*\*|__|~~|\|\||`)(?P<inside>\S(?:.*?\S)?)(?P=sign)")


def text_content(text: str) -> Json:
    """The fields of a text message that somebody typed. Telegram drops white space at its ends."""
    return marked("text", text.strip(), ())


def marked(field: str, text: str, marks: Sequence[Json]) -> Json:
    """The fields `text` and `entities`, or `caption` and `caption_entities`, with what Telegram finds by itself. Nothing is found
    inside code."""
    taken = [(mark["offset"], mark["offset"] + mark["length"]) for mark in marks if mark["type"] in ("code", "pre", "text_link")]
    both = [*marks, *(found for found in find_entities(text) if not _overlaps(found, taken))]
    both.sort(key=lambda mark: (mark["offset"], -mark["length"]))
    name = "entities" if field == "text" else "caption_entities"
    return {field: text} | ({name: both} if both else {})


def find_entities(text: str) -> list[Json]:
    """Commands, links, addresses, mentions and hashtags."""
    return [
        {"offset": utf16(text[: match.start()]), "length": utf16(match[0]), "type": match.lastgroup}
        for match in _FIND.finditer(text)
    ]


def read_formatted(text: str, parse_mode: str, entities: object) -> tuple[str, list[Json]]:
    """A text a bot gave, without mark-up, with its marks; white space at its ends is gone. Raises Refused."""
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST_SOURCE:
        raise bad("text is too long")
    mode = parse_mode.lower()
    if text and mode and mode != "none":
        if mode == "html":
            text, marks = parse_html(text)
        elif mode == "markdownv2":
            text, marks = parse_markdown(text)
        elif mode == "markdown":  # nobody should use it for anything new
            raise Refused(501, "Not Implemented: the simulator does not know the legacy parse_mode Markdown")
        else:
            raise bad("unsupported parse_mode")
    else:
        marks = _given(text, entities if isinstance(entities, list) else [])
    return _trimmed(text, marks)


def _given(text: str, entities: Iterable[Any]) -> list[Json]:
    """The marks of an `entities` parameter. Raises Refused for one that does not lie on whole letters of the text."""
    marks = []
    for entity in entities:
        problem = _problem(entity)
        if problem:
            raise bad(f"can't parse MessageEntity: {problem}")
        if entity["type"] in FOUND:
            continue
        start, end = entity["offset"], entity["offset"] + entity["length"]
        if end > utf16(text):
            raise bad(f"entity beginning at UTF-16 offset {start} ends after the end of the text at UTF-16 offset {end}")
        for at in (start, end):
            if utf16(_head(text, at)) != at:
                raise bad(f"entity beginning at UTF-16 offset {start} ends in a middle of a UTF-16 symbol at byte offset {at}")
        if entity["length"] > 0:
            marks.append(dict(entity))
    return marks


def _problem(entity: object) -> str:
    """What the reader of JSON has against an entity; empty when it is one."""
    if not isinstance(entity, dict):
        return "expected an Object"
    for name in ("offset", "length"):
        if name not in entity:
            return f'Can\'t find field "{name}"'
        if not isinstance(entity[name], int) or entity[name] < 0:
            return f'Field "{name}" must be a valid Number'
    if "type" not in entity:
        return 'Can\'t find field "type"'
    return "" if entity["type"] in GIVEN | FOUND else "Unsupported type specified"


def _head(text: str, units: int) -> str:
    """The letters that lie wholly in the first units."""
    return text.encode("utf-16-le", "surrogatepass")[: 2 * units].decode("utf-16-le", "ignore")


def _trimmed(text: str, marks: list[Json]) -> tuple[str, list[Json]]:
    lead = utf16(text[: len(text) - len(text.lstrip())])
    text = text.strip()
    end = utf16(text)
    kept = []
    for mark in marks:
        first, last = max(mark["offset"] - lead, 0), min(mark["offset"] + mark["length"] - lead, end)
        if first < last:
            kept.append(mark | {"offset": first, "length": last - first})
    return text, kept


def _overlaps(mark: Json, ranges: Iterable[tuple[int, int]]) -> bool:
    start, end = mark["offset"], mark["offset"] + mark["length"]
    return any(start < right and left < end for left, right in ranges)


def read_typed(text: str) -> tuple[str, list[Json]]:
    """What Telegram's apps make of signs that a person types: `**bold**`, `__italic__`, `~~struck~~`, `||hidden||` and `code`."""
    out, marks, at = "", list[Json](), 0
    text = text.strip()
    for match in _TYPED.finditer(text):
        out += text[at : match.start()]
        inside = match["inside"]
        marks.append({"offset": utf16(out), "length": utf16(inside), "type": TYPED[match["sign"]]})
        out, at = out + inside, match.end()
    return out + text[at:], marks
