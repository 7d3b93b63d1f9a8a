"""What a connector is: a small typed core. Read an example beside it: `telegram/connector.py`.

A connector turns bytes into events and a permitted message into one request. It knows no database, no queue, no clock and
no other connector. Everything it can or cannot do stands in `capabilities`, as data.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, ClassVar, Generic, Literal, NoReturn, Protocol, TypeVar, runtime_checkable
from uuid import UUID

from httpx import AsyncClient
from pydantic import BaseModel, ConfigDict

from hub.connectors.errors import SendError
from hub.connectors.events import Event, MediaKind, OutboundContent, Sender, Style


class Settings(BaseModel):
    """Base of a connector's settings: what a business types into the set-up form. Secrets are `SecretStr`.

    Field titles and descriptions are catalogue keys (`channel.telegram.bot_token`). A refused value is not quoted in the
    text of pydantic's error: it may be a secret (I10). `given` names fields that the provider gives us at set-up or renewal (an
    access token): they are no part of the form.
    """

    given: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


S = TypeVar("S", bound=Settings)
S_co = TypeVar("S_co", bound=Settings, covariant=True)
S_contra = TypeVar("S_contra", bound=Settings, contravariant=True)


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request exactly as it came. `headers` have lower-case names; `body` is untouched bytes; `query` what stands behind the
    question mark, undecoded.

    `received_at` is when the hub got it, None until it is kept: for what carries no time of its own (a pressed button). `peer_key`
    is the sender's public key where the connector `KnowsPeers`.
    """

    method: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime | None = None
    query: str = ""
    peer_key: bytes = b""


@dataclass(frozen=True, slots=True)
class Account(Generic[S_co]):
    """One business's connected account: the opened settings of one channel, and what `setup` learnt about it.

    `webhook_secrets`: the newest first; two are valid while one is being replaced. `own_id` is the account's own id at the
    provider (a bot's user id). No secret appears in the repr (I10).
    """

    channel_id: UUID
    settings: S_co
    own_id: str
    webhook_secrets: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLimit:
    """What the provider takes of one kind of file: at most `bytes`; `types` are the MIME types, empty for any."""

    bytes: int
    types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceLimit:
    """How many answers a choice may have, and how long their words may be, in characters."""

    options: int
    label: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CardsLimit:
    """How many cards may stand side by side; of each how long title and text may be, in characters, and how many answers it has, of
    how many characters."""

    cards: int
    title: int
    text: int
    options: int
    label: int


ActionKind = Literal["edit", "delete", "react", "typing", "read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the messenger can do, as data. Limits are the provider's, with its document named in the connector's README.

    max_text            longest text of one message
    text_unit           what `max_text` and `max_caption` count
    confirms            statuses the provider ever reports for our messages, besides accepting them
    reply_window_hours  free replies are allowed for this long after the person's last message; None: without end
    address_scope       `messenger`: an address means the same person on every channel of this messenger; `channel`: only here
    idempotent_sends    the provider takes a key that makes repeating an ambiguous send safe
    per_second          messages the provider takes per second from one account
    styles              formatting of text that arrives as such; empty: text is sent as it was typed
    media               kinds of file that can be sent; one of another kind, or beyond the limit of its kind, goes as a
                        document where that is possible
    max_caption         longest text of a file
    location            a place can be sent
    choice              a question with answers to press can be sent
    replies             a message can answer a certain earlier one
    actions             what can be done to messages that exist, and whether typing can be shown
    reactions           the emoji that are taken as reaction; empty with `react` in `actions`: any
    edit_hours          how long our own message can be changed or deleted; None: without end
    contact             a contact card can be sent
    cards               cards side by side can be sent
    times               a question for a time can be sent
    templates           messages the provider has approved before are needed outside the reply window, and can be sent
    human_agent_days    a person (no program) may still answer so many days after the customer's last message, marked as such
    opt_in_always       not even an answer may leave without an opt-in on record (the provider's or the operator's contract)
    content_review      texts are looked at by the content rules (R-199), and what these find by a second person
    phone_addresses     addresses are phone numbers in digits, so that they tell where in the world somebody is
    media_by_link       the provider fetches files itself: `OutboundFile.link` is filled
    erases_deleted      the provider wants what was taken back deleted here as well, words and files; else it goes from view
    webhook             the provider delivers to our address; False: we ask, whatever address we have (`Polls`)
    media_at_hand       files that come in were set aside in our own store before their message (the hub's own chat): `Media.ref` is
                        their id there, and nothing is fetched
    """

    max_text: int
    text_unit: Literal["utf16", "characters", "utf8"]
    confirms: frozenset[Literal["sent", "delivered", "read"]]
    reply_window_hours: int | None
    address_scope: Literal["messenger", "channel"]
    idempotent_sends: bool
    per_second: float
    styles: frozenset[Style] = frozenset()
    media: Mapping[MediaKind, MediaLimit] = field(default_factory=dict)
    max_caption: int = 0
    location: bool = False
    choice: ChoiceLimit | None = None
    replies: bool = False
    actions: frozenset[ActionKind] = frozenset()
    reactions: tuple[str, ...] = ()
    edit_hours: int | None = None
    contact: bool = False
    cards: CardsLimit | None = None
    times: bool = False
    templates: bool = False
    human_agent_days: int = 0
    opt_in_always: bool = False
    content_review: bool = False
    phone_addresses: bool = False
    media_by_link: bool = False
    erases_deleted: bool = False
    webhook: bool = True
    media_at_hand: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundFile:
    """A file of ours on its way out. `open` gives it from its start, to be closed by who opened it. `name` is safe to show. `link`
    is a public address of this file alone that ends within a day, where the messenger fetches files itself (`media_by_link`)."""

    name: str
    mime: str
    size: int
    open: Callable[[], BinaryIO] = field(repr=False)
    link: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outbound:
    """What every action carries: `address` is the recipient's provider_user_id; `attempt_id` may serve as idempotency key where the
    provider takes one; `peer_key` is the recipient's public key where the connector `KnowsPeers`."""

    part_id: UUID
    attempt_id: UUID
    address: str
    peer_key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundMessage(_Outbound):
    """One part of one message, ready for one attempt. `reply_to_key` is the key of the message this one answers; `files` are
    those of the content's media, by `ref`. `tag`: sent after the reply window, by a person to a person (`human_agent_days`)."""

    content: OutboundContent
    reply_to_key: str | None = None
    files: Mapping[str, OutboundFile] = field(default_factory=dict)
    tag: Literal["", "human_agent"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditMessage(_Outbound):
    """Change the text (of a file: the caption) of our message with this key."""

    target_key: str
    content: OutboundContent


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteMessage(_Outbound):
    """Take back the message of ours that has these keys (an album has one for each file)."""

    target_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class React(_Outbound):
    """Our reaction to the customer's message with this key; no emoji takes it back."""

    target_key: str
    emoji: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPress(_Outbound):
    """Tell the provider that a pressed button was heard (`MessageReceived.press`)."""

    press: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowTyping(_Outbound):
    """Show the customer that somebody writes. Lossy by nature. `target_key` is the key of their newest message, empty if there is
    none."""

    target_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkRead(_Outbound):
    """Tell the customer that their message with this key, and those before it, were read."""

    target_key: str


OutboundAction = OutboundMessage | EditMessage | DeleteMessage | React | AnswerPress | ShowTyping | MarkRead


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The provider took it. `status` says how far its word goes.

    For a message: `keys` are the keys under which later events speak of it (the same form as `MessageReceived.key`); `at` is the
    provider's time and `sequence` its order within a second, used to sort the thread. `at` is None for the other actions.
    """

    status: Literal["accepted", "sent"]
    keys: tuple[str, ...] = ()
    at: datetime | None = None
    sequence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupResult:
    """What `setup` learnt: the account's own id, its public address (`@muster_optik_bot`), a title, and notes for the page
    (catalogue keys, e.g. another system's webhook was replaced).

    `settings`: those to keep from now on, where the provider changed what was typed (a short token became a long one); None: as
    they are. `lasts_seconds`: how long the credentials last from now unless they are renewed; None: without end. `per_second`: the
    provider's limit for this account, where it names one.
    """

    own_id: str
    address: str
    title: str
    notes: tuple[str, ...] = ()
    settings: Settings | None = field(default=None, repr=False)
    lasts_seconds: int | None = None
    per_second: float | None = None


PERMIT_SECONDS = 5.0
"""How long a permit lives after its claim (design of the claim, `docs/architecture.md`)."""


class PermitInvalid(RuntimeError):
    """A permit was used twice, too late or for another message: an error of ours, never of the user."""


class Permit:
    """Leave to send one part of one message once. It has no constructor: only `hub.consent.permit` makes one (I4).

    It lives 5 seconds, serves one attempt, cannot be copied or pickled.
    """

    __slots__ = ("_attempt_id", "_deadline", "_part_id", "_spent")
    _attempt_id: UUID
    _part_id: UUID
    _deadline: float
    _spent: bool

    def __init__(self) -> None:
        raise TypeError("a Permit is made only by hub.consent.permit")

    def __init_subclass__(cls) -> None:
        raise TypeError("a Permit has no subclasses")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Permit cannot be pickled or copied")

    @property
    def expired(self) -> bool:
        return time.monotonic() > self._deadline

    def spend(self, action: OutboundAction) -> None:
        """Use the permit up. The first line of every `Connector.send`; raises PermitInvalid before any request."""
        if self._spent:
            raise PermitInvalid("this permit was used before")
        if action.attempt_id != self._attempt_id or action.part_id != self._part_id:
            raise PermitInvalid("this permit is for another message")
        if self.expired:
            raise PermitInvalid("this permit is too old")
        self._spent = True


@runtime_checkable
class Connector(Protocol[S]):
    """One messenger. Instances hold no state: everything about an account comes in as `account`."""

    connector: str
    """Name of the folder; part of the webhook's address `/hooks/{connector}/{channel}`."""
    label: str
    """The messenger's name as people write it. A proper name, the same in every language."""
    mark: str
    """Name of the pictogram and colour in the pages (`tg`)."""
    capabilities: Capabilities
    settings: type[S]
    keeps_headers: frozenset[str]
    """Headers that `parse` needs and that are stored with the delivery; never one that carries a secret."""

    def verify(self, request: RawRequest, account: Account[S]) -> None:
        """Raise SignatureInvalid unless the provider sent exactly these bytes to this account. No IO, constant time.

        An account without secret is never served: there is no soft mode.
        """

    def parse(self, request: RawRequest, account: Account[S]) -> Sequence[Event]:
        """Bytes to events. Pure: no network, database or clock. Unknown kinds become Unrecognised or Unsupported, never an
        error; MalformedPayload only for bytes that cannot be read at all."""

    def split(self, content: OutboundContent) -> Sequence[OutboundContent]:
        """The parts a message must be sent as, at least one. Pure. Raises UnsupportedContent for what cannot be expressed."""

    async def send(self, permit: Permit, action: OutboundAction, account: Account[S], http: AsyncClient) -> Receipt:
        """One attempt, no retries inside. Spends the permit first. Raises a SendError that says what happens next."""

    async def setup(self, account: Account[S], callback_url: str | None, http: AsyncClient) -> SetupResult:
        """Check the credentials, register the webhook with the newest secret. Safe to repeat. Raises CredentialsRejected
        naming the form field, Unavailable, or Rejected with the provider's words when it does not take our address.

        `callback_url` None: this hub has no public address. A connector that `Polls` takes an earlier webhook away and loses
        nothing; another one raises Rejected(code `needs_public_address`)."""

    async def teardown(self, account: Account[S], http: AsyncClient) -> None:
        """Take the webhook away. Tolerates that it is already gone or that the credentials no longer work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What one poll brought. `cursor` goes into the next poll, which tells the provider that these requests are safe with us."""

    requests: tuple[RawRequest, ...]
    cursor: str


@runtime_checkable
class Polls(Protocol[S_contra]):
    """A connector that can ask for what came in, for hubs that no provider can reach."""

    async def poll(self, account: Account[S_contra], http: AsyncClient, cursor: str) -> Polled:
        """Wait at most some ten seconds for updates and return them as the webhook would have brought them; they pass `parse` and
        not `verify`. `cursor` is empty the first time. Repeating a cursor repeats its updates, so nothing is lost when we die
        before they are stored. Raises a SendError: AuthFailed when the credentials are refused, TakenElsewhere when another
        program asks as well or a webhook is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileHead:
    """What the provider says about a file when it is fetched; empty and None where it says nothing."""

    mime: str = ""
    name: str = ""
    size: int | None = None


class FileSink(Protocol):
    """Where a fetched file goes, piece by piece."""

    async def write(self, piece: bytes) -> None:
        """Raises FileTooLarge when more comes than may be kept."""


@runtime_checkable
class FetchesMedia(Protocol[S_contra]):
    """A connector whose messages name files that have to be fetched."""

    async def fetch(
        self, ref: str, account: Account[S_contra], http: AsyncClient, sink: FileSink, *, size: int | None = None
    ) -> FileHead:
        """Fetch one file (`Media.ref`) into the sink, in one try. `size` is what the message said of it, if anything.

        Raises Unavailable or RateLimited (again later), AuthFailed, FileTooLarge (the provider does not hand out files of this
        size, or the sink took no more), FileGone (not there any more), Rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP answer that a provider expects in its own words."""

    status: int
    body: bytes = b""
    media_type: str = "text/plain"


@runtime_checkable
class Handshakes(Protocol[S_contra]):
    """A connector whose provider tests our address before, or at any time."""

    def handshake(self, request: RawRequest, account: Account[S_contra]) -> Reply | None:
        """The answer to a request that only tests the address; None for any other one, which is verified and kept as a delivery.
        Pure. Raises SignatureInvalid for a test that does not know our secret. GET reaches a channel only through here."""


@runtime_checkable
class AnswersInline(Protocol[S_contra]):
    """A connector where one kind of message rides in the answer to a webhook (Viber's welcome)."""

    def wants_answer(self, request: RawRequest, account: Account[S_contra]) -> Sender | None:
        """Who may be welcomed in the answer to this delivery; None: it is answered as any other. Pure."""

    def render_inline(self, permit: Permit, message: OutboundMessage, account: Account[S_contra]) -> Reply:
        """The message as that answer. Spends the permit first."""


@runtime_checkable
class KnowsPeers(Protocol[S_contra]):
    """A connector whose messages are encrypted between the ends: the other end's public key is needed to read and to write. It is
    asked for once and kept; another key later is not taken over by itself."""

    def peer_of(self, request: RawRequest, account: Account[S_contra]) -> str:
        """Whose key `parse` needs for this delivery: an address; empty: nobody's. Pure."""

    async def fetch_peer_key(self, address: str, account: Account[S_contra], http: AsyncClient) -> bytes:
        """The public key of an address. Raises Unavailable or RateLimited (again later), Rejected (there is no such address)."""


@runtime_checkable
class WritesFirst(Protocol):
    """A connector where somebody can be written to who has not written before. Its catalogue names what to type
    (`channel.<name>.first`) and, where it `FindsPeople` too, says that nobody was found (`.first.nobody`)."""

    def read_address(self, typed: str) -> Sender | None:
        """Who is meant by what a person typed: a phone number, an id, a name; None: nobody can be. Pure. Where the connector
        `FindsPeople` too, `provider_user_id` is what is asked for and the answer counts."""


@runtime_checkable
class FindsPeople(Protocol[S_contra]):
    """A connector that can tell whether somebody can be reached, and under which address, before anything is sent."""

    async def find(self, query: str, account: Account[S_contra], http: AsyncClient) -> Sender | None:
        """Who that is (`WritesFirst.read_address`); None: nobody who could be reached. Raises a SendError; Unreachable: it is
        somebody, who takes no messages from us."""


@runtime_checkable
class NamesPeople(Protocol[S_contra]):
    """A connector whose messages do not say who writes: names are asked for, once, when somebody is new."""

    async def name_of(self, address: str, account: Account[S_contra], http: AsyncClient) -> Sender | None:
        """What this person is called; None: nobody tells us. Raises a SendError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRecord:
    """A template as the provider keeps it. `components` are the provider's own; `status` and `category` its own words in lower
    case (`approved`, `marketing`)."""

    provider_id: str
    name: str
    language: str
    category: str
    status: str
    components: tuple[Mapping[str, Any], ...] = ()
    reason: str = ""


@runtime_checkable
class SyncsTemplates(Protocol[S_contra]):
    """A connector whose provider keeps templates. All raise CredentialsRejected, Unavailable or Rejected (the provider's words)."""

    async def list_templates(self, account: Account[S_contra], http: AsyncClient) -> Sequence[TemplateRecord]:
        """All of them, through every page of the provider's list."""

    async def create_template(self, template: TemplateRecord, account: Account[S_contra], http: AsyncClient) -> TemplateRecord:
        """Submit one; what the provider made of it. `provider_id` and `status` of the given one are not used."""

    async def delete_template(self, template: TemplateRecord, account: Account[S_contra], http: AsyncClient) -> None:
        """Take it away; one that is gone already is fine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """Credentials that were renewed, and how many seconds they last from now; None: without end."""

    settings: Settings = field(repr=False)
    lasts_seconds: int | None


@runtime_checkable
class Renews(Protocol[S_contra]):
    """A connector whose credentials end and can be renewed without a person."""

    renew_seconds_before: int
    """So long before their end they are renewed."""

    async def renew(self, account: Account[S_contra], http: AsyncClient) -> Renewal:
        """New credentials for old ones, which may be worthless afterwards. Raises CredentialsRejected (a person has to log in
        again), Unavailable or RateLimited (again later)."""


@runtime_checkable
class Checks(Protocol[S_contra]):
    """A connector whose account can be asked how it is, now and then and when somebody looks: subscription, quality, credits."""

    async def check(self, account: Account[S_contra], http: AsyncClient) -> Sequence[Event]:
        """What it says, as `ChannelHealth` events. Puts right what it can by itself (a subscription that was lost). Raises what
        `setup` raises."""


@runtime_checkable
class CountsPieces(Protocol):
    """A connector whose provider charges a text by the pieces that it is cut into on its way (SMS)."""

    def count_pieces(self, text: str) -> int:
        """How many pieces a text costs, at least one; more than one message too, where `split` makes several. Pure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """What became of one message to many, by address: the receipt of whoever it was taken for, the error of everybody else."""

    receipts: Mapping[str, Receipt]
    failed: Mapping[str, SendError]


@runtime_checkable
class Broadcasts(Protocol[S_contra]):
    """A connector that can send one content to many people in one request. The gate decides for each of them all the same, and each
    message has its own permit."""

    most_receivers: int

    async def broadcast(
        self, permits: Sequence[Permit], messages: Sequence[OutboundMessage], account: Account[S_contra], http: AsyncClient
    ) -> Broadcast:
        """One attempt for all of them: the same content to 1 to `most_receivers` different addresses. Spends every permit first.
        What is raised (as by `send`) holds for all."""


AnyConnector = Connector[Any]
