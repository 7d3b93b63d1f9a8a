"""What a simulated messenger is: an ASGI application that speaks the provider's API, and a phone to be its customer with.

Each lives in a folder of its own, `hub/sandbox/<connector>/`, whose `simulator.py` has `create(http) -> Simulator`. The sandbox
finds them by their folders and mounts each under `/{connector}/`: the settings of the demo's account point there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from starlette.types import Receive, Scope, Send

from hub.sandbox.courier import Delivery
from hub.sandbox.faults import Faults

Act = Literal["write", "file", "voice", "place", "contact", "reply", "react", "edit", "delete", "press", "read", "typing", "block"]
"""What a person can do on this messenger, where the business gets to know of it."""
FileKind = Literal["image", "video", "voice", "audio", "document", "sticker"]
Style = Literal["bold", "italic", "underline", "strike", "code", "quote", "link"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneAccount:
    """A business's account as a customer finds it. `id` stands in a path: no slash."""

    id: str
    title: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhonePerson:
    """A customer. `address` is what the messenger tells the business of them (a number, an id)."""

    id: str
    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneFile:
    id: str
    kind: FileKind
    name: str
    mime: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneButton:
    """Something to press below a message: `id` is what comes back; `url` leads away instead. `is_waiting`: pressed, and the app
    shows that the business has not answered to it yet."""

    id: str
    label: str
    description: str = ""
    url: str = ""
    is_waiting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSpan:
    """A part of a text in another style, from character `start` to before `end`; a link has its `url`."""

    start: int
    end: int
    style: Style
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneLine:
    """One message on the phone. `is_theirs`: the business wrote it. `place`: latitude, longitude; `contact`: name, phone.
    `state` of a message of one's own is what the messenger shows of it: sent, delivered, or read by the business. `note`: an event
    instead of a message, in the catalogue's words (`sandbox.note.<note>`, which may name `{text}`)."""

    id: str
    at: datetime
    is_theirs: bool
    text: str = ""
    spans: tuple[PhoneSpan, ...] = ()
    files: tuple[PhoneFile, ...] = ()
    place: tuple[float, float] | None = None
    contact: tuple[str, str] | None = None
    buttons: tuple[PhoneButton, ...] = ()
    reply_to: str = ""
    reactions: tuple[str, ...] = ()
    state: Literal["", "sent", "delivered", "read"] = ""
    is_edited: bool = False
    is_deleted: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneChat:
    """What the phone shows of one conversation."""

    lines: tuple[PhoneLine, ...]
    is_blocked: bool = False
    is_typing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneDraft:
    """What a person sends: a text, or a file, place or contact (name, phone) with or without one. `at`: as if it had been then."""

    text: str = ""
    reply_to: str = ""
    file: PhoneFile | None = None
    content: bytes = field(default=b"", repr=False)
    place: tuple[float, float] | None = None
    contact: tuple[str, str] | None = None
    at: datetime | None = None


class Deliveries(Protocol):
    """The webhooks of a simulator: `Courier` where it need not be more."""

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """The last tries, oldest first."""

    @property
    def waiting(self) -> int:
        """How many are not delivered yet."""

    async def settled(self) -> None:
        """Until everything is delivered, lost or given up."""


class Phone(Protocol):
    """The customer's side. Methods raise NotFound for what is not there and Conflict for what the app would not offer."""

    can: frozenset[Act]
    extras: Mapping[str, str]
    """Kinds of message that only this messenger has (an order, an answer to a story): name to a catalogue key."""

    def accounts(self) -> Sequence[PhoneAccount]: ...

    def people(self, account: str) -> Sequence[PhonePerson]: ...

    def add_person(self, account: str, name: str, address: str = "") -> PhonePerson:
        """Somebody new; the same address again renames them."""

    def chat(self, account: str, person: str) -> PhoneChat: ...

    def file(self, account: str, file: str) -> tuple[PhoneFile, bytes]: ...

    def write(self, account: str, person: str, draft: PhoneDraft) -> PhoneLine: ...

    def extra(self, account: str, person: str, name: str) -> None: ...

    def press(self, account: str, person: str, line: str, button: str) -> None: ...

    def react(self, account: str, person: str, line: str, emoji: str) -> None:
        """No emoji takes it back."""

    def edit(self, account: str, person: str, line: str, text: str) -> None: ...

    def delete(self, account: str, person: str, line: str) -> None: ...

    def read(self, account: str, person: str) -> None:
        """Everything the business wrote is seen."""

    def set_typing(self, account: str, person: str, typing: bool) -> None: ...

    def set_blocked(self, account: str, person: str, blocked: bool) -> None: ...

    def restore(self, account: str, person: str, lines: Sequence[PhoneLine]) -> None:
        """Lines that an earlier process of the sandbox showed; the business is told nothing."""


class Simulator(Protocol):
    """One messenger of the sandbox. `connector` is its folder's name and the hub's connector, `mark` the short name of its sign."""

    connector: str
    label: str
    mark: str
    faults: Faults

    @property
    def phone(self) -> Phone: ...

    @property
    def courier(self) -> Deliveries: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The provider's API; `scope["path"]` begins behind `/{connector}`."""

    def sample_settings(self, origin: str) -> dict[str, Any]:
        """What a business types into the set-up form to connect the sample account that this simulator has from its start; `origin`
        is where the sandbox is reached (`http://127.0.0.1:8765`)."""

    def point_to(self, callback_url: str) -> None:
        """Deliver to this address from now on, where a provider's customers enter it by hand in its console (SMS gateways, Apple,
        Google). One that is told by request ignores it. The demo calls it once the sample account is connected."""

    async def stop(self) -> None:
        """End all deliveries."""
