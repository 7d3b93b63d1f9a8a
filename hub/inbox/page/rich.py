"""A kept text with its formatting -> HTML for a bubble. Everything is escaped; only http(s) addresses become links."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from markupsafe import Markup, escape

from hub.connectors.events import Span, Style
from hub.inbox.content import read_spans

_ADDRESS: Final = re.compile(r"\bhttps?://[^\s<>\"“”„«»]+", re.IGNORECASE)
_TRAILING: Final = ".,;:!?'’*_~"
_BRACKETS: Final = {")": "(", "]": "[", "}": "{"}
_TAGS: Final[dict[Style, str]] = {
    "bold": "b",
    "italic": "i",
    "underline": "u",
    "strike": "s",
    "code": "code",
    "pre": "pre",
    "quote": "blockquote",
}
_BLOCKS: Final = ("pre", "quote")
_LITERAL: Final = ("code", "pre", "link")
"""In these an address is not made a link of its own."""


def draw_text(text: str, content: Mapping[str, Any]) -> Markup:
    """The text of a message as its sender formatted it. Addresses in it can be followed."""
    spans = [span for span in read_spans(content) if 0 <= span.start < span.end <= len(text)]
    spans += _addresses(text, [span for span in spans if span.style in _LITERAL])
    return _draw(text, 0, len(text), sorted(spans, key=_outermost))


def _outermost(span: Span) -> tuple[int, int]:
    return span.start, -span.end


def _addresses(text: str, taken: Sequence[Span]) -> list[Span]:
    """Addresses written out in the text. Punctuation behind one belongs to the sentence."""
    found = []
    for match in _ADDRESS.finditer(text):
        url = match[0]
        while url[-1] in _TRAILING or (url[-1] in _BRACKETS and url.count(url[-1]) > url.count(_BRACKETS[url[-1]])):
            url = url[:-1]
        span = Span(start=match.start(), end=match.start() + len(url), style="link", url=url)
        if len(url) > len("https://") and not any(one.start < span.end and span.start < one.end for one in taken):
            found.append(span)
    return found


def _draw(text: str, start: int, end: int, spans: Sequence[Span]) -> Markup:
    """`spans` lie between start and end, the outermost first. One that reaches over the end of another is drawn in two pieces."""
    drawn = Markup()
    at = start
    waiting = list(spans)
    while waiting:
        span = waiting.pop(0)
        drawn += escape(text[at : span.start])
        inner, rest = [], []
        for one in waiting:
            if one.start >= span.end:
                rest.append(one)
                continue
            inner.append(replace(one, end=min(one.end, span.end)))
            if one.end > span.end:
                rest.append(replace(one, start=span.end))
        drawn += _wrap(span, _draw(text, span.start, span.end, inner))
        waiting = sorted(rest, key=_outermost)
        at = span.end
        if span.style in _BLOCKS and text[at : at + 1] == "\n" and not (waiting and waiting[0].start == at):
            at += 1  # a block ends its line by itself
    return drawn + escape(text[at:end])


def _wrap(span: Span, inner: Markup) -> Markup:
    if span.style == "link":
        if not span.url.lower().startswith(("http://", "https://")):
            return inner
        return Markup('<a href="{0}" title="{0}" target="_blank" rel="noopener noreferrer">{1}</a>').format(span.url, inner)
    if span.style == "spoiler":
        return Markup('<label class="spoiler"><input type="checkbox" class="sr"><span>{0}</span></label>').format(inner)
    return Markup("<{0}>{1}</{0}>").format(_TAGS[span.style], inner)
