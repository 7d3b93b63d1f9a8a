"""How a message's content is kept: kind, text, and the rest as JSON. And back, for what we send.

| kind        | text                  | content                                                     |
| ----------- | --------------------- | ----------------------------------------------------------- |
| text        | what was written      | spans                                                       |
| media       | caption               | media (kind of the first file), spans; files in `attachment` |
| location    | title                 | latitude, longitude, address, is_live, accuracy             |
| contact     | name                  | phone, is_sender                                            |
| choice      | the question          | spans, options: [[id, label] …]                             |
| interactive | the answer's words    | option                                                      |
| unsupported | what can be said      | kind (the provider's word)                                  |

`spans` are [start, end, style, url] in characters. A part of ours keeps the same, with `files`: ids of attachments.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from hub.connectors.events import (
    Album,
    Choice,
    ContactCard,
    Content,
    Interactive,
    Location,
    Media,
    Option,
    OutboundContent,
    Span,
    Text,
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
            options = [[clean(option.id), clean(option.label)] for option in content.options]
            return Stored("choice", clean(content.text.text), {"options": options, **_spans(content.text)})
        case Interactive():
            return Stored("interactive", clean(content.label or content.option), {"option": clean(content.option)})
        case Unsupported():
            return Stored("unsupported", clean(content.summary), {"kind": clean(content.kind)})


def store_part(content: OutboundContent) -> Stored:
    """How a part of ours is kept: as `store`, with the ids of its files."""
    stored = store(content)
    if isinstance(content, Media | Album):
        items = content.items if isinstance(content, Album) else (content,)
        return Stored(stored.kind, stored.text, {**stored.content, "files": [item.ref for item in items]})
    return stored


def read_part(text: str, content: Mapping[str, Any], files: Mapping[str, Media]) -> OutboundContent:
    """A part of ours as it was split. `files` are its media by id."""
    words = Text(text=text, spans=read_spans(content))
    if "files" in content:
        items = tuple(files[ref] for ref in content["files"])
        caption = words if text else None
        return Album(items=items, caption=caption) if len(items) > 1 else replace(items[0], caption=caption)
    if "latitude" in content:
        return Location(latitude=content["latitude"], longitude=content["longitude"], title=text, address=content["address"])
    if "options" in content:
        return Choice(text=words, options=tuple(Option(id=id_, label=label) for id_, label in content["options"]))
    return words


def read_spans(content: Mapping[str, Any]) -> tuple[Span, ...]:
    """The formatted stretches of a kept text."""
    return tuple(Span(start=start, end=end, style=style, url=url) for start, end, style, url in content.get("spans", ()))


def file_ids(content: Mapping[str, Any]) -> list[UUID]:
    """Attachments that a part sends."""
    return [UUID(hex=ref) for ref in content.get("files", ())]


def _spans(text: Text) -> dict[str, Any]:
    """NUL and surrogates are replaced one for one, so the places stay."""
    return {"spans": [[span.start, span.end, span.style, clean(span.url)] for span in text.spans]} if text.spans else {}
