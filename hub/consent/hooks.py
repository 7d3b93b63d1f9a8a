"""What this room tells higher ones, inside the transaction that changes it: `hub/listeners.py` subscribes."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from hub.consent.locks import Key


@dataclass(frozen=True, slots=True)
class ConsentWithdrawn:
    """The person does not want to hear from us: whatever is queued for this address must not leave (R-223).

    `scope` is empty where the address means the same person on every channel of the messenger, else the channel's id. `rule` is the
    gate's rule that what waits fails with; with a `purpose_id` only what was written for that purpose is meant.
    """

    messenger: str
    scope: str
    address: str
    rule: str = "opted_out"
    purpose_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class PersonBlocked:
    """The messenger itself keeps us from this address; same fields as `ConsentWithdrawn`."""

    messenger: str
    scope: str
    address: str


@dataclass(frozen=True, slots=True)
class BarLifted:
    """The business writes to this address again; same fields as `ConsentWithdrawn`."""

    messenger: str
    scope: str
    address: str


@dataclass(frozen=True, slots=True)
class PersonErased:
    """A person is being erased: every room takes away what it holds under these addresses, conversations and messages. Told before
    their rows go."""

    keys: frozenset[Key]
    conversation_ids: tuple[UUID, ...]
    message_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What higher rooms know of an address: how its person is called and which address people read, on which channel that is, and
    all addresses of the same person on whatever messenger. `contact_id`: in whose book of contacts they stand."""

    contact_id: UUID
    name: str
    shown: str
    channel: str
    addresses: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class PeopleAsked:
    """Who is behind these addresses? Subscribers write into `known`; who is in nobody's book is in no answer."""

    keys: Collection[Key]
    known: dict[Key, Known] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PeopleSought:
    """Whose name holds this text? Subscribers write addresses into `found`, at most `limit`."""

    text: str
    limit: int
    found: set[Key] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class AnswerDue:
    """Something is to be said to somebody about their consent, once. Consent itself never sends: the inbox writes the message, and
    the gate decides about it like about any other.

    `purpose` is the gate's; `request_id` the question that this is, `purpose_id` what it is for.
    """

    channel_id: UUID
    address: str
    purpose: Literal["reply", "opt_in_request", "opt_out_receipt"]
    text: str
    purpose_id: UUID | None = None
    request_id: UUID | None = None
