"""`parse_mode` HTML, as strict as Telegram's reader: a tag it does not know, one that is not closed, or `<` as a letter is refused.

The texts of the refusals name byte offsets of the source, as the real ones do.
"""

import re
from dataclasses import dataclass, field
from typing import Final, NoReturn

from hub.sandbox.telegram.errors import bad
from hub.sandbox.telegram.wire import Json, utf16

TAGS: Final = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline", "s": "strikethrough",
    "strike": "strikethrough", "del": "strikethrough", "tg-spoiler": "spoiler", "span": "spoiler", "a": "text_link", "code": "code",
    "pre": "pre", "blockquote": "blockquote", "tg-emoji": "custom_emoji",
}  # fmt: skip
NAMED: Final = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
"""The only named characters; any other `&name;` stays as it is."""
_TAG_NAME: Final = re.compile(r"[^\s>]*")
_ATTRIBUTE: Final = re.compile(r"\s*([^\s=>]+)\s*(?:=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+)))?")
_CHARACTER: Final = re.compile(r"&(?:#(\d+)|#[xX]([0-9A-Fa-f]+)|([A-Za-z]+));?")


@dataclass(frozen=True, slots=True)
class _Open:
    tag: str
    start: int
    """Units of the text before it."""
    values: dict[str, str] = field(default_factory=dict)


def parse_html(source: str) -> tuple[str, list[Json]]:
    """The text and its marks. Raises Refused."""
    text, marks, open_tags, at = "", list[Json](), list[_Open](), 0
    while at < len(source):
        letter = source[at]
        if letter == "&":
            found, at = _character(source, at)
            text += found
        elif letter != "<":
            text += letter
            at += 1
        elif source.startswith("</", at):
            at = _close(source, at, open_tags, text, marks)
        else:
            opened, at = _open(source, at, utf16(text))
            open_tags.append(opened)
    if open_tags:
        _refuse(f'Can\'t find end tag corresponding to start tag "{open_tags[-1].tag}"')
    return text, sorted(marks, key=lambda mark: (mark["offset"], -mark["length"]))


def _character(source: str, at: int) -> tuple[str, int]:
    match = _CHARACTER.match(source, at)
    if match is None:
        return "&", at + 1
    if match[3] is not None:
        known = NAMED.get(match[3])
        return (known, match.end()) if known is not None else ("&", at + 1)
    code = int(match[1]) if match[1] else int(match[2], 16)
    return (chr(code), match.end()) if 0 < code < 0x110000 else ("&", at + 1)


def _open(source: str, at: int, units: int) -> tuple[_Open, int]:
    name = _TAG_NAME.match(source, at + 1)
    assert name is not None
    tag, here = name[0].lower(), name.end()
    if tag not in TAGS:
        _refuse(f'Unsupported start tag "{tag}" at byte offset {_bytes(source, at)}')
    values: dict[str, str] = {}
    while (match := _ATTRIBUTE.match(source, here)) is not None:
        values[match[1].lower()] = _decoded(match[2] or match[3] or match[4] or "")
        here = match.end()
    while here < len(source) and source[here].isspace():
        here += 1
    if source[here : here + 1] != ">":
        _refuse(f"Unclosed start tag at byte offset {_bytes(source, at)}")
    if tag == "span" and values.get("class") != "tg-spoiler":
        _refuse(f'Tag "span" must have class "tg-spoiler" at byte offset {_bytes(source, at)}')
    return _Open(tag, units, values), here + 1


def _close(source: str, at: int, open_tags: list[_Open], text: str, marks: list[Json]) -> int:
    end = source.find(">", at)
    if end < 0:
        _refuse(f"Unclosed end tag at byte offset {_bytes(source, at)}")
    if not open_tags:
        _refuse(f"Unexpected end tag at byte offset {_bytes(source, at)}")
    opened, found = open_tags.pop(), source[at + 2 : end].strip().lower()
    if found and found != opened.tag:
        _refuse(f'Unmatched end tag at byte offset {_bytes(source, at)}, expected "</{opened.tag}>", found "</{found}>"')
    length = utf16(text) - opened.start
    mark = _mark(opened, text)
    if length and mark is not None:
        if mark["type"] == "pre":
            _take_language(marks, mark, opened.start, length)
        marks.append({"offset": opened.start, "length": length} | mark)
    return end + 1


def _mark(opened: _Open, text: str) -> Json | None:
    """What the tag says about its text; None: nothing."""
    kind = TAGS[opened.tag]
    if opened.tag == "a":
        inside = text.encode("utf-16-le")[2 * opened.start :].decode("utf-16-le")
        url = opened.values.get("href", "") or inside
        return {"type": kind, "url": url} if re.match(r"(https?|tg|mailto|tel):", url) or "." in url else None
    if opened.tag == "tg-emoji":
        return {"type": kind, "custom_emoji_id": opened.values.get("emoji-id", "")}
    if opened.tag == "blockquote" and "expandable" in opened.values:
        return {"type": "expandable_blockquote"}
    language = opened.values.get("class", "")
    if opened.tag == "code" and language.startswith("language-"):
        return {"type": kind, "language": language.removeprefix("language-")}
    return {"type": kind}


def _take_language(marks: list[Json], mark: Json, start: int, length: int) -> None:
    """`<pre><code class="language-x">` is one mark with a language."""
    inner = marks[-1] if marks else {}
    if inner.get("type") == "code" and (inner["offset"], inner["length"]) == (start, length):
        marks.pop()
        if inner.get("language"):
            mark["language"] = inner["language"]


def _decoded(value: str) -> str:
    out, at = "", 0
    while at < len(value):
        found, at = _character(value, at) if value[at] == "&" else (value[at], at + 1)
        out += found
    return out


def _bytes(source: str, at: int) -> int:
    return len(source[:at].encode("utf-8", "surrogatepass"))


def _refuse(why: str) -> NoReturn:
    raise bad(f"can't parse entities: {why}")
