"""What an agent composed -> the content that is sent, as far as the messenger can express it.

Formatting is typed the way people know it from messengers: *bold*, _italic_, ~struck out~, `code`. A mark counts only at the
border of a word and around something, so that `2*3*4` and `file_name_x` stay what they are. Where a messenger knows no
formatting, the text goes out as it was typed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.channels.templates import APPROVED, Kept
from hub.connectors.contract import Capabilities
from hub.connectors.events import (
    Album,
    Card,
    Cards,
    Choice,
    Location,
    Media,
    Option,
    OutboundContent,
    Slot,
    Span,
    Style,
    Template,
    Text,
    TimeChoice,
)
from hub.core.errors import InvalidInput
from hub.inbox.content import clean
from hub.inbox.sending.wording import FILES, fill, read_wording

MOST_TIMES: Final = 20
"""How many times a question offers: more than that nobody reads on a phone."""
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


@dataclass(frozen=True, slots=True)
class Times:
    """Times to pick from, as they were composed; each lasts so many minutes. `title` says for what, where the question does not."""

    title: str
    starts: Sequence[datetime]
    minutes: int


@dataclass(frozen=True, slots=True)
class DraftCard:
    """A card as it was composed; `picture` is an upload."""

    title: str
    text: str
    picture: UUID | None
    options: Sequence[str]


def compose(
    capabilities: Capabilities,
    text: str,
    files: Sequence[Media],
    options: Sequence[str],
    location: Location | None,
    *,
    times: Times | None = None,
    cards: Sequence[DraftCard] = (),
) -> OutboundContent:
    """One content out of what was composed; where there are cards, `files` are theirs. InvalidInput names the field that this
    messenger cannot express."""
    if sum((bool(files and not cards), bool(options), location is not None, times is not None, bool(cards))) > 1:
        raise InvalidInput("files, answers, times, cards and a place are messages of their own", field="files")
    if cards:
        return _compose_cards(capabilities, text, files, cards)
    if times is not None:
        return _compose_times(capabilities, text, times)
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


def _compose_times(capabilities: Capabilities, text: str, times: Times) -> TimeChoice:
    """Times by number, in their order: what comes back names one."""
    count = len(set(times.starts))
    if not capabilities.times or not text or not 0 < count <= MOST_TIMES or count < len(times.starts):
        raise InvalidInput("a question and different times are needed, where the messenger takes them", field="slots")
    slots = [Slot(id=str(no), start=start, minutes=times.minutes) for no, start in enumerate(sorted(times.starts), 1)]
    return TimeChoice(text=read_text(capabilities, text), event_title=clean(times.title).strip(), slots=tuple(slots))


def _compose_cards(capabilities: Capabilities, text: str, files: Sequence[Media], cards: Sequence[DraftCard]) -> Cards:
    limit = capabilities.cards
    if limit is None or len(cards) > limit.cards:
        raise InvalidInput("this messenger has no cards, or fewer", field="cards")
    pictures = {file.ref: file for file in files}
    if pictures.keys() != {card.picture.hex for card in cards if card.picture} or any(file.kind != "image" for file in files):
        raise InvalidInput("the only files beside cards are their pictures", field="card_files")
    items = []
    for place, card in enumerate(cards):
        title, words, labels = clean(card.title).strip(), clean(card.text).strip(), _labels(card.options)
        if not title or len(title) > limit.title or len(words) > limit.text or not (words or card.picture or labels):
            raise InvalidInput("a card has a title and something besides, neither of them too long", field="cards")
        if len(labels) > limit.options or len(set(labels)) < len(labels) or any(len(one) > limit.label for one in labels):
            raise InvalidInput(f"a card has at most {limit.options} different, short answers", field="card_options")
        media = pictures[card.picture.hex] if card.picture else None
        options = tuple(Option(id=f"{place + 1}.{number}", label=label) for number, label in enumerate(labels, 1))
        items.append(Card(title=title, text=words, media=media, options=options))
    return Cards(text=text, items=tuple(items))


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
    labels = _labels(options)
    if limit is None:
        raise InvalidInput("this messenger has no answers to press", field="options")
    if not text or not labels or len(set(labels)) < len(labels) or len(labels) > limit.options:
        raise InvalidInput(f"a question and 1 to {limit.options} different answers are needed", field="options")
    if any(len(label) > limit.label for label in labels):
        raise InvalidInput(f"an answer has at most {limit.label} characters", field="options")
    return tuple(Option(id=str(number), label=label) for number, label in enumerate(labels, 1))


def _labels(options: Sequence[str]) -> list[str]:
    return [clean(option).strip() for option in options if option.strip()]
