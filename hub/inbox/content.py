"""How a message's content is kept: kind, text, and the rest as JSON. And back, for what we send.

| kind        | text                  | content                                                     |
| ----------- | --------------------- | ----------------------------------------------------------- |
| text        | what was written      | spans                                                       |
| media       | caption               | media (kind of the first file), spans; files in `attachment` |
| location    | title                 | latitude, longitude, address, is_live, accuracy             |
| contact     | name                  | phone, is_sender                                            |
| choice      | the question          | spans, options: [[id, label] …]                             |
| interactive | the answer's words    | option                                                      |
| sheet       | its heading           | sheet (kind), said, details: [[label, value] …], url         |
| template    | how it reads          | name, language, parameters, place, cards (how many have a file) |
| cards       | what is said instead  | cards: [{title, text, options} …]                           |
| times       | the question          | event_title, slots: [[id, start, minutes] …]                |
| unsupported | what can be said      | kind (the provider's word)                                  |

`spans` are [start, end, style, url] in characters. A part of ours keeps the same, with `files`: ids of attachments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.connectors.events import (
    Album,
    Card,
    Cards,
    Choice,
    ContactCard,
    Content,
    Interactive,
    Location,
    Media,
    Option,
    OutboundContent,
    Sheet,
    Slot,
    Span,
    Template,
    Text,
    TimeChoice,
    Unsupported,
)


def clean(text: str) -> str:
    """Text that PostgreSQL can hold: a NUL becomes U+FFFD, half of a surrogate pair a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")


@dataclass(frozen=True, slots=True)
class Stored:
    """A content as a row holds it; every text in it is clean."""

    kind: str
    text: str
    content: dict[str, Any]


def store(content: Content | OutboundContent) -> Stored:
    """How a content is kept."""
    match content:
        case Text():
            return Stored("text", clean(content.text), _spans(content))
        case Media():
            caption = content.caption or Text(text="")
            return Stored("media", clean(caption.text), {"media": content.kind, **_spans(caption)})
        case Album():
            caption = content.caption or Text(text="")
            return Stored("media", clean(caption.text), {"media": content.items[0].kind, **_spans(caption)})
        case Location():
            place = {
                "latitude": content.latitude,
                "longitude": content.longitude,
                "address": clean(content.address),
                "is_live": content.is_live,
                "accuracy": content.accuracy,
            }
            return Stored("location", clean(content.title), place)
        case ContactCard():
            return Stored("contact", clean(content.name), {"phone": clean(content.phone), "is_sender": content.is_sender})
        case Choice():
            return Stored("choice", clean(content.text.text), {"options": _options(content.options), **_spans(content.text)})
        case Interactive():
            return Stored("interactive", clean(content.label or content.option), {"option": clean(content.option)})
        case Sheet():
            details = [[clean(one.label), clean(one.value)] for one in content.details]
            sheet = {"sheet": content.kind, "said": clean(content.text), "details": details, "url": clean(content.url)}
            return Stored("sheet", clean(content.title), sheet)
        case Template():
            parameters = {clean(place): [clean(value) for value in values] for place, values in content.parameters.items()}
            template: dict[str, Any] = {"name": clean(content.name), "language": content.language, "parameters": parameters}
            if isinstance(content.header, Location):
                above = store(content.header)
                template["place"] = {**above.content, "title": above.text}
            if content.cards:
                template["cards"] = len(content.cards)
            return Stored("template", clean(content.text), template)
        case Cards():
            return Stored("cards", clean(content.text), {"cards": _cards(content.items)})
        case TimeChoice():
            slots = [[clean(slot.id), slot.start.isoformat(), slot.minutes] for slot in content.slots]
            return Stored("times", clean(content.text.text), {"event_title": clean(content.event_title), "slots": slots})
        case Unsupported():
            return Stored("unsupported", clean(content.summary), {"kind": clean(content.kind)})


def store_part(content: OutboundContent) -> Stored:
    """How a part of ours is kept: as `store`, with the ids of its files."""
    stored = store(content)
    if files := [item.ref for item in media_of(content)]:
        return Stored(stored.kind, stored.text, {**stored.content, "files": files})
    return stored


def media_of(content: OutboundContent) -> Sequence[Media]:
    """The files of a content of ours, in their order."""
    match content:
        case Media():
            return (content,)
        case Album():
            return content.items
        case Template():
            return (*((content.header,) if isinstance(content.header, Media) else ()), *content.cards)
        case Cards():
            return [card.media for card in content.items if card.media]
        case _:
            return ()


def read_part(text: str, content: Mapping[str, Any], files: Mapping[str, Media]) -> OutboundContent:
    """A part of ours as it was split. `files` are its media by id."""
    words = Text(text=text, spans=read_spans(content))
    if "parameters" in content:
        return _read_template(text, content, [files[ref] for ref in content.get("files", ())])
    if "cards" in content:
        return Cards(text=text, items=_read_cards(content, files))
    if "slots" in content:
        slots = (Slot(id=id_, start=datetime.fromisoformat(start), minutes=minutes) for id_, start, minutes in content["slots"])
        return TimeChoice(text=words, event_title=content["event_title"], slots=tuple(slots))
    if "phone" in content:
        return ContactCard(name=text, phone=content["phone"])
    if "files" in content:
        items = tuple(files[ref] for ref in content["files"])
        caption = words if text else None
        return Album(items=items, caption=caption) if len(items) > 1 else replace(items[0], caption=caption)
    if "latitude" in content:
        return Location(latitude=content["latitude"], longitude=content["longitude"], title=text, address=content["address"])
    if "options" in content:
        return Choice(text=words, options=_read_options(content["options"]))
    return words


def _read_template(text: str, content: Mapping[str, Any], files: Sequence[Media]) -> Template:
    cards = content.get("cards", 0)
    place = Location(**content["place"]) if "place" in content else None
    above, beside = files[: len(files) - cards], files[len(files) - cards :]
    return Template(
        name=content["name"],
        language=content["language"],
        text=text,
        parameters={part: tuple(values) for part, values in content["parameters"].items()},
        header=above[0] if above else place,
        cards=tuple(beside),
    )


def _options(options: Sequence[Option]) -> list[list[str]]:
    """[id, label], and the description where there is one."""
    return [[clean(one.id), clean(one.label), *([clean(one.description)] if one.description else [])] for one in options]


def _cards(cards: Sequence[Card]) -> list[dict[str, Any]]:
    """`media` of a card is the place of its file among the part's."""
    pictured = [card for card in cards if card.media]
    return [
        {"title": clean(card.title), "text": clean(card.text), "options": _options(card.options)}
        | ({"media": pictured.index(card)} if card.media else {})
        for card in cards
    ]


def _read_options(options: Sequence[Sequence[str]]) -> tuple[Option, ...]:
    return tuple(Option(id=id_, label=label, description="".join(description)) for id_, label, *description in options)


def _read_cards(content: Mapping[str, Any], files: Mapping[str, Media]) -> tuple[Card, ...]:
    refs = content.get("files", ())
    return tuple(
        Card(
            title=card["title"],
            text=card["text"],
            media=files[refs[card["media"]]] if "media" in card else None,
            options=_read_options(card["options"]),
        )
        for card in content["cards"]
    )


def read_spans(content: Mapping[str, Any]) -> tuple[Span, ...]:
    """The formatted stretches of a kept text."""
    return tuple(Span(start=start, end=end, style=style, url=url) for start, end, style, url in content.get("spans", ()))


def file_ids(content: Mapping[str, Any]) -> list[UUID]:
    """Attachments that a part sends."""
    return [UUID(hex=ref) for ref in content.get("files", ())]


def _spans(text: Text) -> dict[str, Any]:
    """NUL and surrogates are replaced one for one, so the places stay."""
    return {"spans": [[span.start, span.end, span.style, clean(span.url)] for span in text.spans]} if text.spans else {}
