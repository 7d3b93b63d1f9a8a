r"""`parse_mode` MarkdownV2, as strict as the real reader: each of `_*[]()~\`>#+-=|{}.!` is mark-up or stands behind a backslash."""

from dataclasses import dataclass
from typing import Final, NoReturn

from hub.sandbox.telegram.errors import bad
from hub.sandbox.telegram.wire import Json, utf16

RESERVED: Final = "_*[]()~`>#+-=|{}.!"
SIMPLE: Final = {"*": "bold", "__": "underline", "_": "italic", "~": "strikethrough", "||": "spoiler"}
NAMES: Final = {
    "bold": "Bold", "italic": "Italic", "underline": "Underline", "strikethrough": "Strikethrough", "spoiler": "Spoiler",
    "code": "Code", "pre": "PreCode", "text_link": "TextUrl", "blockquote": "BlockQuote",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Open:
    kind: str
    sign: str
    start: int
    """Units of the text before it."""
    at: int
    """Where it stands in the source."""


def parse_markdown(source: str) -> tuple[str, list[Json]]:
    """The text and its marks. Raises Refused."""
    return _Reader(source).read()


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._text = ""
        self._marks: list[Json] = []
        self._open: list[_Open] = []

    def read(self) -> tuple[str, list[Json]]:
        while self._at < len(self._source):
            self._step()
        self._end_quote()
        if self._open:
            last = self._open[-1]
            self._refuse(f"Can't find end of {NAMES[last.kind]} entity at byte offset {self._bytes(last.at)}")
        marks = [mark for mark in self._marks if mark["length"]]
        return self._text, sorted(marks, key=lambda mark: (mark["offset"], -mark["length"]))

    def _step(self) -> None:
        source, at = self._source, self._at
        letter = source[at]
        if letter == "\\" and at + 1 < len(source) and 0 < ord(source[at + 1]) < 127:
            self._take(source[at + 1], 2)
        elif letter == "`":
            self._code()
        elif letter == ">" and (at == 0 or source[at - 1] == "\n"):
            if not any(one.kind == "blockquote" for one in self._open):
                self._open.append(_Open("blockquote", ">", utf16(self._text), at))
            self._at += 1
        elif letter == "\n":
            if source[at + 1 : at + 2] != ">":
                self._end_quote()
            self._take("\n", 1)
        elif letter == "[":
            self._open.append(_Open("text_link", "[", utf16(self._text), at))
            self._at += 1
        elif letter == "]" and self._open and self._open[-1].sign == "[":
            self._link()
        elif letter in "_*~|":
            self._sign()
        elif letter in RESERVED:
            self._reserved(letter)
        else:
            self._take(letter, 1)

    def _take(self, letter: str, length: int) -> None:
        self._text += letter
        self._at += length

    def _sign(self) -> None:
        """A sign opens its mark, or closes it when that is the innermost one."""
        source, at = self._source, self._at
        sign = next((two for two in ("__", "||") if source.startswith(two, at)), source[at])
        if sign == "__" and self._open and self._open[-1].sign == "_" and source.startswith("___", at):
            sign = "_"  # the italic inside an underline ends first
        kind = SIMPLE.get(sign)
        if kind is None:
            self._reserved(sign)
        self._at += len(sign)
        if self._open and self._open[-1].sign == sign:
            self._close({})
        else:
            self._open.append(_Open(kind, sign, utf16(self._text), at))

    def _close(self, more: Json) -> None:
        opened = self._open.pop()
        self._marks.append({"offset": opened.start, "length": utf16(self._text) - opened.start, "type": opened.kind} | more)

    def _code(self) -> None:
        """Code runs to the next sign of its kind; inside only the sign and the backslash need one."""
        source, start = self._source, self._at
        sign, kind = ("```", "pre") if source.startswith("```", start) else ("`", "code")
        at, inside = start + len(sign), ""
        while not source.startswith(sign, at):
            if at >= len(source):
                self._refuse(f"Can't find end of {NAMES[kind]} entity at byte offset {self._bytes(start)}")
            if source[at] == "\\" and source[at + 1 : at + 2] in ("`", "\\"):
                at += 1
            inside += source[at]
            at += 1
        mark: Json = {"offset": utf16(self._text), "type": kind}
        if kind == "pre":
            first, _, rest = inside.partition("\n")
            if rest and first and " " not in first:
                mark["language"] = first
            inside = rest if rest and " " not in first else inside
        self._text += inside
        self._marks.append(mark | {"length": utf16(inside)})
        self._at = at + len(sign)

    def _link(self) -> None:
        opened, source, at = self._open[-1], self._source, self._at + 1
        if source[at : at + 1] != "(":
            self._refuse(f"Can't find end of {NAMES['text_link']} entity at byte offset {self._bytes(opened.at)}")
        url, at = "", at + 1
        while source[at : at + 1] != ")":
            if at >= len(source):
                self._refuse(f"Can't find end of a URL at byte offset {self._bytes(self._at + 1)}")
            if source[at] == "\\" and at + 1 < len(source):
                at += 1
            url += source[at]
            at += 1
        self._at = at + 1
        self._close({"url": url})

    def _end_quote(self) -> None:
        if self._open and self._open[-1].kind == "blockquote":
            self._close({})

    def _reserved(self, letter: str) -> NoReturn:
        self._refuse(f"Character '{letter}' is reserved and must be escaped with the preceding '\\'")

    def _bytes(self, at: int) -> int:
        return len(self._source[:at].encode("utf-8", "surrogatepass"))

    def _refuse(self, why: str) -> NoReturn:
        raise bad(f"can't parse entities: {why}")
