"""What a provider told us, in neutral words: the output of `Connector.parse`.

Frozen values with provider ids as opaque strings and aware UTC times. `key` is unique per channel: the database holds it,
so each thing happens once however often a provider delivers it (I2).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Plain text as the person wrote it. Never HTML."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported:
    """A message of a kind the hub cannot show yet: kept raw, shown as an honest card.

    `kind` is the provider's own word (`photo`, `dice`); `summary` is what can be said about it without rendering it
    (a caption, a file name), possibly empty.
    """

    kind: str
    summary: str


Content = Text | Unsupported


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
    """

    key: str
    at: datetime
    sender: Sender
    content: Content
    sequence: int = 0
    reply_to_key: str | None = None
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
