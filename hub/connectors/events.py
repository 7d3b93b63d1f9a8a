"""What a provider told us, in neutral words: the output of `Connector.parse`.

Frozen values with provider ids as opaque strings and aware UTC times. `key` is unique per channel: the database holds it,
so each thing happens once however often a provider delivers it (I2).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    """One answer of a choice: what comes back (`id`), what is read (`label`), and where a list has room for it a `description`."""

    id: str
    label: str
    description: str = ""


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
class Detail:
    """One line of a sheet: what it is (the provider's word, or a name of ours from the catalogue) and its value."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Something structured that a customer sent: an order, an answered form, a product, a story that mentions us. Shown as a card.

    `kind` is one of ours, for the card's heading; `url` leads to the thing where it has an address.
    """

    kind: Literal["order", "form", "product", "post", "story", "link", "event", "contact_request", "payment", "call"]
    title: str
    details: tuple[Detail, ...] = ()
    text: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A message whose words the provider has approved before (WhatsApp, Messenger). Only outbound.

    `parameters` fill the places of each component in their order: keys are `header`, `body` and `button:0` …, those of a card begin
    with `card:0:`, and a named place stands behind its component (`body:first_name`). `text` is how it reads, for the thread;
    `header` is the file or place above it, where it has one; `cards` are the files of the cards side by side.
    """

    name: str
    language: str
    text: str
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    header: Media | Location | None = None
    cards: tuple[Media, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One card of several that are shown side by side: a picture, words and answers to press."""

    title: str
    text: str = ""
    media: Media | None = None
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """Cards side by side (Google RCS, Messenger). Only outbound. `text` goes before them, where there is one."""

    text: str
    items: tuple[Card, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A time that can be picked: what comes back (`id`), its start, and how many minutes it lasts."""

    id: str
    start: datetime
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeChoice:
    """A question for a time (Apple's time picker). Only outbound."""

    text: Text
    event_title: str
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported:
    """A message of a kind the hub cannot show: kept raw, shown as an honest card.

    `kind` is the provider's own word (`poll`, `dice`); `summary` is what can be said about it without rendering it, possibly empty.
    """

    kind: str
    summary: str


Content = Text | Media | Location | ContactCard | Interactive | Sheet | Unsupported
"""What a customer can send us."""
OutboundContent = Text | Media | Album | Location | ContactCard | Choice | Template | Cards | TimeChoice
"""What we can send, as far as the messenger's capabilities go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The person at the other end, as the provider names them.

    `provider_user_id` is the address on this channel; `aliases` are other addresses of the same person that the provider names with
    it (WhatsApp: phone and BSUID), by which they are found again; the other fields are hints for the page and may be empty.
    `phone` is in international form with its plus.
    """

    provider_user_id: str
    display_name: str = ""
    username: str = ""
    language: str = ""
    phone: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """What led the person to write: an ad, a link with a payload, a product. `payload` is ours, as it stood in the link."""

    source: Literal["ad", "link", "post", "product", "web", "other"]
    id: str = ""
    title: str = ""
    url: str = ""
    payload: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What the provider says a message costs: its own words for category and model. No amount: that stands in its price list."""

    category: str
    model: str = ""
    is_billable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived:
    """A customer wrote. `sequence` orders messages of the same provider second (0 where the provider has none).

    `start_payload` is the payload of a deep link (Telegram `/start x`, at most 64 characters), None where the message is
    not a start; a start without payload is the empty string.

    `quote` is the part of the answered message that the customer marked. `forwarded_from` names who wrote it first, where it was
    passed on. Items with the same `album` are one message, whose files stand in the order of `sequence`. `press` is the provider's
    handle of a pressed button that waits to be answered. `piece_of`: the provider's one message was cut into several of the same
    time; the key of the first, with which the others are taken back. `is_earlier`: the provider hands over what was said before it
    told us of messages: a line at its own time, and no news. `nonce` is what the sender's encryption uses for this message alone:
    one that comes again under another key is a replay, and is dropped.
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
    referral: Referral | None = None
    piece_of: str = ""
    is_earlier: bool = False
    nonce: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSent:
    """Our side wrote from somewhere else: a colleague's phone, the provider's own inbox, another program (`by`, in the provider's
    words). Shown in the thread as ours; it never was on our way out. An echo of what the hub sent ends at its key. `piece_of` and
    `is_earlier` as in `MessageReceived`."""

    key: str
    at: datetime
    recipient: Sender
    content: Content
    sequence: int = 0
    reply_to_key: str | None = None
    piece_of: str = ""
    by: str = ""
    is_earlier: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDeleted:
    """Somebody took a message back; `target_key` is the key of that message, or of an edit of it."""

    key: str
    at: datetime
    target_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionChanged:
    """A customer reacted to the message with this key, theirs or ours; no emoji takes it back."""

    key: str
    at: datetime
    target_key: str
    emoji: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEdited:
    """Somebody changed an earlier message; `target_key` is the key of that message, or of an earlier edit of it."""

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
    price: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusUpTo:
    """The provider's word about all messages of ours to this person up to a time (a watermark)."""

    key: str
    at: datetime
    sender: Sender
    up_to: datetime
    status: Literal["delivered", "read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentChanged:
    """The provider itself reports what a person wants.

    blocked              nothing reaches them any more
    unblocked            they can be reached again; no consent (provider file of Telegram, 5.12)
    opted_out            they want nothing more that is not an answer (STOP, unsubscribed, conversation closed)
    opted_in             they agreed, in the provider's own dialogue; `text` is what it showed them, where it says so
    marketing_stopped    they want no marketing; answers and service go on
    marketing_resumed    the provider's stop is lifted; no consent
    """

    key: str
    at: datetime
    sender: Sender
    change: Literal["blocked", "unblocked", "opted_out", "opted_in", "marketing_stopped", "marketing_resumed"]
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityChanged:
    """The person is `sender` no longer and `now` from here on (a changed phone number, a page-scoped id that moved)."""

    key: str
    at: datetime
    sender: Sender
    now: Sender


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonNamed:
    """The business's own address book at the provider has a name (`sender.display_name`) for somebody. It names those whom we know
    by their address only, and makes nobody known."""

    key: str
    at: datetime
    sender: Sender


@dataclass(frozen=True, slots=True, kw_only=True)
class Typing:
    """The customer writes, or has stopped. Lossy by nature: shown or forgotten, never kept."""

    key: str
    at: datetime
    sender: Sender
    is_typing: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelHealth:
    """The provider says how the account itself is: quality, limits, a ban, a decision on it. `cause` is a catalogue key's end
    (`channel.<connector>.health.<cause>`), `text` the provider's own words.

    ok           whatever was wrong is over; `only_warnings`: what was warned of, while a pause goes on until a person ends it
    warning      it works; somebody should know
    attention    a person has to do something; the queue pauses
    """

    key: str
    at: datetime
    level: Literal["ok", "warning", "attention"]
    cause: str
    text: str = ""
    only_warnings: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateChanged:
    """The provider decided on a template, or changed it: its own id, its new status or category in the provider's words."""

    key: str
    at: datetime
    provider_id: str
    name: str
    language: str
    status: str = ""
    category: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrecognised:
    """An update that is not a message and that we do not know, or that we ignore on purpose (`why`).

    Its delivery is kept and shown to the operator; nothing else happens.
    """

    key: str
    at: datetime
    kind: str
    why: str


Event = (
    MessageReceived
    | MessageSent
    | MessageEdited
    | MessageDeleted
    | ReactionChanged
    | StatusChanged
    | StatusUpTo
    | ConsentChanged
    | IdentityChanged
    | PersonNamed
    | Typing
    | ChannelHealth
    | TemplateChanged
    | Unrecognised
)
