"""What a provider told us, in neutral words: the output of `Connector.parse`.

Frozen values with provider ids as opaque strings and aware UTC times. `key` is unique per channel: the database holds it,
so each thing happens once however often a provider delivers it (I2).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Style = Literal["bold", "italic", "underline", "strike", "spoiler", "code", "pre", "quote", "link"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of a text that is shown in a style: characters (code points) `start` to before `end`. `url` only for a link."""

    start: int
    end: int
    style: Style
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Plain text as the person wrote it, never HTML, and the stretches of it that are formatted: none is empty, they lie inside the
    text, and of two that overlap one contains the other and stands first."""

    text: str
    spans: tuple[Span, ...] = ()


MediaKind = Literal["image", "animation", "sticker", "voice", "audio", "video", "video_note", "document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A file. `ref` is how it is fetched: the provider's handle for an inbound one, the shown id of our attachment for an outbound.

    `mime`, `name` and `size` (bytes) are what the sender's side says and may be wrong or missing; what is in the file is found
    out when it is fetched; equal files have the same `unique`, where the provider names one. `label` says in words what is in it:
    a sticker's emoji, performer and title of a piece of music. `duration` in seconds, `width` and `height` in pixels. `small_ref`:
    the handle of the provider's own small picture of it, where there is one.
    """

    kind: MediaKind
    ref: str
    unique: str = ""
    mime: str = ""
    name: str = ""
    size: int | None = None
    label: str = ""
    duration: int | None = None
    width: int | None = None
    height: int | None = None
    small_ref: str = ""
    caption: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    """Several files that are one message, whose text is `caption` and not those of the items. Only outbound: an inbound one grows
    item by item (`MessageReceived.album`)."""

    items: tuple[Media, ...]
    caption: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place, in degrees. `is_live`: it moves for a while; each move is an edit. `accuracy` in metres."""

    latitude: float
    longitude: float
    title: str = ""
    address: str = ""
    is_live: bool = False
    accuracy: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactCard:
    """Somebody's card. `is_sender`: the provider vouches that it is the sender's own number."""

    name: str
    phone: str
    is_sender: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One answer of a choice: what comes back (`id`) and what is read (`label`)."""

    id: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A question with answers to press. Only outbound."""

    text: Text
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interactive:
    """A customer pressed an answer. `option` is its id as the provider returned it, to be checked; `label` its words, may be
    empty."""

    option: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported:
    """A message of a kind the hub cannot show: kept raw, shown as an honest card.

    `kind` is the provider's own word (`poll`, `dice`); `summary` is what can be said about it without rendering it, possibly empty.
    """

    kind: str
    summary: str


Content = Text | Media | Location | ContactCard | Interactive | Unsupported
"""What a customer can send us."""
OutboundContent = Text | Media | Album | Location | Choice
"""What we can send, as far as the messenger's capabilities go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The person at the other end, as the provider names them.

    `provider_user_id` is the address on this channel; the other fields are hints for the page and may be empty.
    """

    provider_user_id: str
    display_name: str = ""
    username: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived:
    """A customer wrote. `sequence` orders messages of the same provider second (0 where the provider has none).

    `start_payload` is the payload of a deep link (Telegram `/start x`, at most 64 characters), None where the message is
    not a start; a start without payload is the empty string.

    `quote` is the part of the answered message that the customer marked. `forwarded_from` names who wrote it first, where it was
    passed on. Items with the same `album` are one message, whose files stand in the order of `sequence`. `press` is the provider's
    handle of a pressed button that waits to be answered.
    """

    key: str
    at: datetime
    sender: Sender
    content: Content
    sequence: int = 0
    reply_to_key: str | None = None
    quote: str = ""
    forwarded_from: str = ""
    album: str = ""
    press: str = ""
    start_payload: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEdited:
    """A customer changed an earlier message; `target_key` is the key of that message."""

    key: str
    at: datetime
    target_key: str
    content: Content


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChanged:
    """The provider's word about a message of ours; `target_key` is one of the keys of its receipt."""

    key: str
    at: datetime
    target_key: str
    status: Literal["sent", "delivered", "read", "failed"]
    provider_code: str = ""
    provider_text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentChanged:
    """The provider itself reports that a person blocked us or can be reached again.

    `unblocked` makes the person reachable and is not a consent (provider file of Telegram, 5.12).
    """

    key: str
    at: datetime
    sender: Sender
    change: Literal["blocked", "unblocked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrecognised:
    """An update that is not a message and that we do not know, or that we ignore on purpose (`why`).

    Its delivery is kept and shown to the operator; nothing else happens.
    """

    key: str
    at: datetime
    kind: str
    why: str


Event = MessageReceived | MessageEdited | StatusChanged | ConsentChanged | Unrecognised
