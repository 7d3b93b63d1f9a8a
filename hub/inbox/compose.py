"""What an agent composed -> the content that is sent, as far as the messenger can express it.

Formatting is typed the way people know it from messengers: *bold*, _italic_, ~struck out~, `code`. A mark counts only at the
border of a word and around something, so that `2*3*4` and `file_name_x` stay what they are. Where a messenger knows no
formatting, the text goes out as it was typed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.channels.templates import APPROVED, Kept
from hub.connectors.contract import Capabilities
from hub.connectors.events import Album, Choice, Location, Media, Option, OutboundContent, Span, Style, Template, Text
from hub.core.errors import InvalidInput
from hub.inbox.content import clean
from hub.inbox.wording import FILES, fill, read_wording

MARKS: Final[dict[str, Style]] = {"*": "bold", "_": "italic", "~": "strike", "`": "code"}
_MARKED: Final = re.compile(r"(?<![\w*_~`])([*_~`])(?=\S)(.+?)(?<=\S)\1(?![\w*_~`])")


def read_text(capabilities: Capabilities, text: str) -> Text:
    """A typed text with its marks read as formatting, where the messenger has it."""
    if not capabilities.styles:
        return Text(text=text)
    plain, spans, end = "", [], 0
    for found in _MARKED.finditer(text):
        style = MARKS[found[1]]
        if style not in capabilities.styles:
            continue
        plain += text[end : found.start()]
        inner = found[2]
        nested = Text(text=inner) if style == "code" else read_text(capabilities, inner)
        start = len(plain)
        spans.append(Span(start=start, end=start + len(nested.text), style=style))
        spans += [Span(start=start + one.start, end=start + one.end, style=one.style, url=one.url) for one in nested.spans]
        plain += nested.text
        end = found.end()
    return Text(text=plain + text[end:], spans=tuple(spans))


def write_text(text: Text) -> str:
    """The text as an agent would type it: what `read_text` reads back. For changing a message."""
    marks = {style: mark for mark, style in MARKS.items()}
    opens: dict[int, str] = {}
    closes: dict[int, str] = {}
    for span in text.spans:
        if span.style in marks:
            opens[span.start] = opens.get(span.start, "") + marks[span.style]
            closes[span.end] = marks[span.style] + closes.get(span.end, "")
    places = range(len(text.text) + 1)
    return "".join(closes.get(at, "") + opens.get(at, "") + text.text[at : at + 1] for at in places)


def compose(
    capabilities: Capabilities, text: str, files: Sequence[Media], options: Sequence[str], location: Location | None
) -> OutboundContent:
    """One content out of what was composed. InvalidInput names the field that this messenger cannot express."""
    if sum((bool(files), bool(options), location is not None)) > 1:
        raise InvalidInput("files, answers and a place are messages of their own", field="files")
    if location is not None:
        if not capabilities.location or text:
            raise InvalidInput("a place goes alone, where the messenger takes it", field="location")
        return location
    words = read_text(capabilities, text)
    if options:
        return Choice(text=words, options=_options(capabilities, text, options))
    if not files:
        return words
    if not capabilities.media:
        raise InvalidInput("this messenger takes no files", field="files")
    caption = words if text else None
    if len(files) > 1:
        return Album(items=tuple(files), caption=caption)
    (one,) = files
    return Media(kind=one.kind, ref=one.ref, mime=one.mime, name=one.name, size=one.size, caption=caption)


@dataclass(frozen=True, slots=True)
class Filled:
    """A template that was chosen, with what stands in its blanks, in their order; moments are in `zone`."""

    template_id: UUID
    values: Sequence[str]
    zone: ZoneInfo


def compose_template(kept: Kept, filled: Filled, files: Sequence[Media], place: Location | None) -> Template:
    """A template of the provider's with its blanks filled. InvalidInput where one is open, a file or the place is missing or of
    another kind than the template has, or it is not approved (any more)."""
    if kept.status != APPROVED:
        raise InvalidInput("this template is not approved", field="template")
    wording = read_wording(kept.components)
    if wording.foreign:
        raise InvalidInput(f"the hub cannot fill {wording.foreign}", field="template", reason="template_foreign")
    if [file.kind for file in files] != [kind for kind, _ in wording.files]:
        raise InvalidInput("the template has other files", field="files", reason="template_files")
    if (place is not None) != wording.needs_place:
        raise InvalidInput("the template's place is missing", field="location", reason="template_place")
    parameters, text = fill(wording, [clean(value) for value in filled.values], filled.zone)
    above = 1 if wording.face.above in FILES else 0
    return Template(
        name=kept.name,
        language=kept.language,
        text=text,
        parameters=parameters,
        header=files[0] if above else place,
        cards=tuple(files[above:]),
    )


def _options(capabilities: Capabilities, text: str, options: Sequence[str]) -> tuple[Option, ...]:
    """Answers by number: what comes back is looked up in the question (`Interactive.option`)."""
    limit = capabilities.choice
    labels = [clean(option).strip() for option in options if option.strip()]
    if limit is None:
        raise InvalidInput("this messenger has no answers to press", field="options")
    if not text or not labels or len(set(labels)) < len(labels) or len(labels) > limit.options:
        raise InvalidInput(f"a question and 1 to {limit.options} different answers are needed", field="options")
    if any(len(label) > limit.label for label in labels):
        raise InvalidInput(f"an answer has at most {limit.label} characters", field="options")
    return tuple(Option(id=str(number), label=label) for number, label in enumerate(labels, 1))
