"""Tables of this room, in the order of the road: what came in raw, who wrote, what was said, what we tried to send."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Index,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy import (
    Identity as Counted,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from hub.core.ids import new_id
from hub.core.models import Tenant, TenantRow, one_of, refers, when

MESSAGE_STATES = ("held", "queued", "sending", "accepted", "sent", "delivered", "read", "failed", "unknown")
"""States of an outgoing message; the allowed steps are drawn in `docs/architecture.md`. Inbound messages have none."""
MESSAGE_KINDS = (
    "text", "media", "location", "contact", "choice", "interactive", "sheet", "template", "cards", "times", "unsupported",
)  # fmt: skip
"""What a message is; how each is stored stands in `content.py`."""
CHAT, SERVICE, BULK = 0, 1, 2
"""Priorities of a part. What is done to messages that exist goes as service, so that it never keeps a chat message waiting."""
PART_ACTIONS = ("message", "edit", "delete", "react", "answer")
"""What a part does at the provider. Only `message` parts make a message's state."""
ATTACHMENT_STATES = ("waiting", "stored", "failed", "gone", "refused", "quarantined")
"""`waiting` to be fetched, `stored`, `failed` (may be fetched again), `gone` at the provider, `refused` by a rule of ours
(`reason`), `quarantined`: stored and never handed out, because a scanner found something."""


class WebhookDelivery(SQLModel, table=True):
    """A request exactly as a provider delivered it, partitioned by day of arrival and dropped by age.

    `received`: waits in its lane. `applied`, `ignored` (with why), `dead` (with cause; replayable).
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id", "received_at"),
        Index(
            "webhook_delivery_due",
            "channel_id",
            "received_at",
            "id",
            postgresql_where=text("state = 'received'"),
        ),
        Index("webhook_delivery_dead", "organisation_id", "received_at", postgresql_where=text("state = 'dead'")),
        one_of("state", "received", "applied", "ignored", "dead"),
        {"postgresql_partition_by": "RANGE (received_at)"},
    )
    organisation_id: UUID
    id: UUID = Field(default_factory=new_id)
    received_at: datetime = when()
    channel_id: UUID
    state: str = "received"
    headers: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False))
    body: bytes


class UnroutedDelivery(SQLModel, table=True):
    """A verified part of a shared delivery (`SharesEndpoint`) that names no account we know: no organisation's, for the operator's
    eyes only, kept for 7 days. `own_id` is the account that it names, empty where it names none. `whole` and `sent` are the request
    as the provider signed it: an account that is connected later has to verify it before the part is its own."""

    __tablename__ = "unrouted_delivery"
    __table_args__ = (
        Index("unrouted_delivery_age", "received_at", "id"),
        Index("unrouted_delivery_account", "connector", "endpoint", "own_id", "received_at", "id"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    received_at: datetime = when()
    connector: str
    endpoint: str
    own_id: str
    headers: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False))
    body: bytes
    whole: bytes = Field(sa_column_kwargs={"server_default": ""})
    sent: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False, server_default="{}"))


class DeliveryResult(Tenant, table=True):
    """What became of a delivery; stays when the raw body is dropped. `identity_keys`, addresses of people and keys of messages that
    it speaks of, lets an erasure find it."""

    __tablename__ = "delivery_result"
    __table_args__ = (
        Index(
            "delivery_result_list",
            "organisation_id",
            "state",
            "received_at",
            "delivery_id",
            postgresql_where=text("state <> 'applied'"),
        ),
        one_of("state", "applied", "ignored", "dead"),
    )
    delivery_id: UUID = Field(primary_key=True)
    channel_id: UUID
    received_at: datetime = when()
    finished_at: datetime = when()
    state: str
    why: str = ""
    body_sha256: bytes
    identity_keys: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))


class Contact(TenantRow, table=True):
    """A person who writes to the business, over any number of channels."""

    name: str
    language: str = ""
    zone: str = Field(default="", sa_column_kwargs={"server_default": ""})
    """Where their day is, by IANA name; empty: as their phone number says, or the organisation's."""
    created_at: datetime = when()


class Identity(TenantRow, table=True):
    """That person's address on one channel. `name_due_at`: when the provider is to be asked what they are called (`naming.py`)."""

    __table_args__ = (
        UniqueConstraint("organisation_id", "channel_id", "provider_user_id"),
        Index("identity_contact", "organisation_id", "contact_id"),
        Index(
            "identity_nameless",
            "organisation_id",
            "channel_id",
            "name_due_at",
            postgresql_where=text("name_due_at IS NOT NULL"),
        ),
        refers("contact_id", "contact", deferred=True),
        refers("channel_id", "channel"),
    )
    channel_id: UUID
    provider_user_id: str
    contact_id: UUID
    display_name: str = ""
    username: str = ""
    language: str = ""
    created_at: datetime = when()
    name_due_at: datetime | None = when(default=None, nullable=True)


class IdentityAlias(Tenant, table=True):
    """Another address of a person on this channel, by which they are found as well: the provider names both (a phone number and an
    id), or the person has moved from one to the other."""

    __tablename__ = "identity_alias"
    __table_args__ = (
        Index("identity_alias_identity", "organisation_id", "identity_id"),
        refers("channel_id", "channel"),
        refers("identity_id", "identity"),
    )
    channel_id: UUID = Field(primary_key=True)
    alias: str = Field(primary_key=True)
    identity_id: UUID
    created_at: datetime = when()


class PeerKey(Tenant, table=True):
    """The public key of an address, where messages are encrypted between the ends (`KnowsPeers`). The first one that the provider
    names is pinned: another one later is not taken over by itself. `fingerprint` begins its SHA-256 in hex, for people to
    compare."""

    __tablename__ = "peer_key"
    __table_args__ = (refers("channel_id", "channel"),)
    channel_id: UUID = Field(primary_key=True)
    address: str = Field(primary_key=True)
    key: bytes
    fingerprint: str
    pinned_at: datetime = when()


class Conversation(TenantRow, table=True):
    """All that is said with one identity. Reopened, never doubled.

    `state`: open, snoozed (put away until `snoozed_until`, or until the customer writes) or done. `turn`: whose move it is; ours
    after the customer wrote, when what we wrote did not arrive and when a snooze is over, the customer's after our answer and when
    it is done. `last_*` is what the list shows. `unread` counts inbound messages since an agent last opened it. `delivered_to` and
    `read_to`: the customer has all of our messages up to this provider time, where the messenger tells it that way.

    In charge are a team, a member, both or nobody. `due_at` is until when we want to have finished, agreed on at `due_from`;
    `overdue` says that it has passed and the thread tells so. When a snooze is over, `snoozed_until` stays: since when it is back.

    `muted_at`: what they write is no new work and newsletters leave them out; `barred_at`: the same, and nothing goes out either
    (`quiet.py`).

    PostgreSQL computes where a list has it: `urgency` is its group (2 a due time runs, 1 our turn, 0 the rest), `place` its place
    in the group, the higher the further up; and `rings_at`, when time alone changes it (`alarm.py`).
    """

    __table_args__ = (
        UniqueConstraint("organisation_id", "identity_id"),
        Index("conversation_all", "organisation_id", "state", "urgency", "place", "id"),
        Index(
            "conversation_mine",
            "organisation_id",
            "assignee_id",
            "state",
            "urgency",
            "place",
            "id",
            postgresql_where=text("assignee_id IS NOT NULL"),
        ),
        Index(
            "conversation_team",
            "organisation_id",
            "team_id",
            "state",
            "urgency",
            "place",
            "id",
            postgresql_where=text("team_id IS NOT NULL"),
        ),
        Index(
            "conversation_unassigned",
            "organisation_id",
            "state",
            "urgency",
            "place",
            "id",
            postgresql_where=text("assignee_id IS NULL AND team_id IS NULL"),
        ),
        Index("conversation_rings", "rings_at", "organisation_id", "id", postgresql_where=text("rings_at IS NOT NULL")),
        refers("identity_id", "identity"),
        refers("channel_id", "channel"),
        refers("contact_id", "contact"),
        refers("assignee_id", "member"),
        refers("team_id", "team"),
        one_of("state", "open", "snoozed", "done"),
        one_of("turn", "us", "customer"),
        CheckConstraint("(due_at IS NULL) = (due_from IS NULL)", name="due_whole"),
        CheckConstraint("state <> 'snoozed' OR snoozed_until IS NOT NULL", name="snoozed_until_known"),
    )
    identity_id: UUID
    channel_id: UUID
    contact_id: UUID
    state: str = "open"
    turn: str = "us"
    assignee_id: UUID | None = None
    team_id: UUID | None = None
    due_at: datetime | None = when(default=None, nullable=True)
    due_from: datetime | None = when(default=None, nullable=True)
    overdue: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    snoozed_until: datetime | None = when(default=None, nullable=True)
    last_seq: int = Field(default=0, sa_type=BigInteger)
    unread: int = 0
    last_text: str = ""
    last_direction: str = "in"
    last_kind: str = "text"
    last_inbound_at: datetime | None = when(default=None, nullable=True)
    delivered_to: datetime | None = when(default=None, nullable=True)
    read_to: datetime | None = when(default=None, nullable=True)
    sort_at: datetime = when()
    created_at: datetime = when()
    done_at: datetime | None = when(default=None, nullable=True)
    muted_at: datetime | None = when(default=None, nullable=True)
    barred_at: datetime | None = when(default=None, nullable=True)
    urgency: int = Field(sa_column=Column(SmallInteger, Computed("conversation_urgency(state, turn, due_at)"), nullable=False))
    place: int = Field(
        sa_column=Column(BigInteger, Computed("conversation_place(state, due_at, snoozed_until, sort_at)"), nullable=False)
    )
    rings_at: datetime | None = Field(
        sa_column=Column(
            DateTime(timezone=True), Computed("conversation_rings_at(state, due_at, overdue, snoozed_until)"), nullable=True
        )
    )


class Message(TenantRow, table=True):
    """One message, note or event line of a conversation.

    `direction`: `in` from the customer, `out` to the customer, `note` and `event` internal: those two have no state, no parts and
    so can never be sent. `seq` is given under the conversation's row lock. Threads sort by (`at`, `sequence`, `seq`): provider
    time, provider order, arrival. `content` holds what is not text (`content.py`). `provider_key` is the key of an inbound
    message, by which we answer it or react to it, and of one of ours that was written elsewhere (`MessageSent`): that one has no
    parts and no author. `deleted_at`: taken back at the provider; the row stays for the record, without its words and files where
    the provider wants that (`erasing.py`).
    """

    __table_args__ = (
        UniqueConstraint("organisation_id", "conversation_id", "seq"),
        Index(
            "message_client_key",
            "organisation_id",
            "conversation_id",
            "client_key",
            unique=True,
            postgresql_where=text("client_key IS NOT NULL"),
        ),
        Index("message_thread", "organisation_id", "conversation_id", "at", "sequence", "seq"),
        Index(
            "message_protocol",
            "organisation_id",
            "conversation_id",
            "seq",
            postgresql_where=text("direction IN ('note', 'event')"),
        ),
        refers("conversation_id", "conversation"),
        refers("author_id", "member"),
        refers("purpose_id", "purpose"),
        refers("reviewed_by", "member"),
        Index("message_held", "organisation_id", "arrived_at", postgresql_where=text("state = 'held'")),
        Index(
            "message_purpose",
            "organisation_id",
            "conversation_id",
            "purpose_id",
            "arrived_at",
            postgresql_where=text("purpose_id IS NOT NULL"),
        ),
        one_of("direction", "in", "out", "note", "event"),
        one_of("kind", *MESSAGE_KINDS),
        CheckConstraint(
            f"(direction = 'out') = (state IS NOT NULL) AND (state IS NULL OR state IN {MESSAGE_STATES})", name="state_known"
        ),
    )
    conversation_id: UUID
    seq: int = Field(sa_type=BigInteger)
    direction: str
    kind: str = "text"
    text: str = ""
    content: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False, server_default="{}"))
    at: datetime = when()
    sequence: int = Field(default=0, sa_type=BigInteger)
    arrived_at: datetime = when()
    edited_at: datetime | None = when(default=None, nullable=True)
    deleted_at: datetime | None = when(default=None, nullable=True)
    provider_key: str | None = None
    author_id: UUID | None = None
    session_id: UUID | None = None
    client_key: str | None = None
    purpose_id: UUID | None = None
    """What it was written for, where that is more than an answer (`hub.consent.models.Purpose`)."""
    reviewed_by: UUID | None = None
    reviewed_at: datetime | None = when(default=None, nullable=True)
    """Who let a held message go, or not (R-238)."""
    state: str | None = None
    failure: str = ""
    """The gate's rule or the error code of a failed or unknown message; its words are in the catalogue."""
    failure_text: str = ""
    """The provider's own words, if any."""


class MessagePart(TenantRow, table=True):
    """What leaves as one request. The queue: a part is claimed when it is `queued` and due.

    `action`: a part of the message itself, or something done to a message that exists (its parts come after those of the message
    and have a state of their own). `text` and `content` are what is sent (`content.py`); `target_key` is the message that an
    edit, a reaction or a deletion is about, or the press that is answered. `keys` are those of the provider's receipt. `priority`
    0 chat, 1 service, 2 bulk. `due_at` moves with each retry. The message shows its least advanced part. `author_id`: who asked
    for the action. `price`: what the provider says that it costs (`events.Price`), None until it does.
    """

    __tablename__ = "message_part"
    __table_args__ = (
        UniqueConstraint("organisation_id", "message_id", "part_no"),
        Index(
            "message_part_due",
            "organisation_id",
            "channel_id",
            "priority",
            "due_at",
            "id",
            postgresql_where=text("state = 'queued'"),
        ),
        Index(
            "message_part_open",
            "organisation_id",
            "conversation_id",
            "message_seq",
            "part_no",
            postgresql_where=text("state IN ('queued', 'sending')"),
        ),
        refers("message_id", "message"),
        refers("conversation_id", "conversation"),
        one_of("state", *MESSAGE_STATES),
        one_of("action", *PART_ACTIONS),
    )
    message_id: UUID
    part_no: int
    action: str = Field(default="message", sa_column_kwargs={"server_default": "message"})
    conversation_id: UUID
    channel_id: UUID
    message_seq: int = Field(sa_type=BigInteger)
    text: str
    content: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False, server_default="{}"))
    reply_to_key: str | None = None
    target_key: str | None = None
    keys: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False, server_default="{}"))
    failure: str = Field(default="", sa_column_kwargs={"server_default": ""})
    author_id: UUID | None = None
    priority: int = 0
    state: str = "queued"
    due_at: datetime = when()
    tries: int = 0
    price: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True))


class Attachment(TenantRow, table=True):
    """A file of a message. Its bytes lie in the media store under its id; here stands what we know about it.

    `ref` is the provider's handle of an inbound one, `unique` names equal files, `event_key` the event that brought it, `edited_at`
    (provider's time) says when it or its caption was last changed. `name`,
    `mime` and `size` are what the sender's side said until the file is stored, then what we found; they may be wrong before.
    `position` orders the files of one message. An uploaded file has `uploaded_by` and no message until it is sent. `reason` says
    why it is not stored. `small_ref` is the handle of the provider's own small picture, for a film, of which we draw none.
    """

    __table_args__ = (
        Index("attachment_message", "organisation_id", "message_id", "position"),
        Index("attachment_conversation", "organisation_id", "conversation_id"),
        Index("attachment_due", "organisation_id", "channel_id", "due_at", "id", postgresql_where=text("state = 'waiting'")),
        Index("attachment_unsent", "organisation_id", "created_at", postgresql_where=text("message_id IS NULL")),
        refers("conversation_id", "conversation"),
        refers("message_id", "message"),
        refers("uploaded_by", "member"),
        one_of("state", *ATTACHMENT_STATES),
        one_of("scanned", "", "clean", "unscanned", "infected"),
    )
    conversation_id: UUID
    channel_id: UUID
    message_id: UUID | None = None
    position: int = Field(default=0, sa_type=BigInteger)
    kind: str
    ref: str = ""
    unique: str = ""
    event_key: str = ""
    name: str = ""
    mime: str = ""
    size: int | None = Field(default=None, sa_type=BigInteger)
    label: str = ""
    caption: str = ""
    duration: int | None = None
    width: int | None = None
    height: int | None = None
    small_ref: str = Field(default="", sa_column_kwargs={"server_default": ""})
    state: str = "waiting"
    reason: str = ""
    scanned: str = ""
    sha256: bytes | None = None
    has_thumbnail: bool = False
    due_at: datetime = when()
    tries: int = 0
    uploaded_by: UUID | None = None
    created_at: datetime = when()
    stored_at: datetime | None = when(default=None, nullable=True)
    edited_at: datetime | None = when(default=None, nullable=True)


class Attempt(TenantRow, table=True):
    """One try to send one part: written before the request leaves (I5), finished with what came of it. It outlives the part: when a
    person is erased, that something left at that time stays on record."""

    __table_args__ = (
        UniqueConstraint("organisation_id", "part_id", "no"),
        Index("attempt_open", "organisation_id", "channel_id", postgresql_where=text("outcome = 'sending'")),
        Index("attempt_permit", "permit_at", postgresql_using="brin"),
        one_of("outcome", "sending", "accepted", "retry", "failed", "unknown"),
    )
    part_id: UUID
    channel_id: UUID
    no: int
    permit_at: datetime = when()
    facts_version: str
    fence: int = Field(sa_type=BigInteger)
    finished_at: datetime | None = when(default=None, nullable=True)
    outcome: str = "sending"
    error: str = ""
    provider_code: str = ""
    provider_text: str = ""


class ProviderKey(Tenant, table=True):
    """How a thing happens once (I2) and how later events find their message: the key is made by the connector. That of an edit is
    another name of the edited message: `alias_of` is the key that it had first."""

    __tablename__ = "provider_key"
    channel_id: UUID = Field(primary_key=True)
    key: str = Field(primary_key=True)
    message_id: UUID | None = None
    part_no: int | None = None
    alias_of: str | None = None


class PendingEffect(TenantRow, table=True):
    """A status, edit, deletion or reaction for a message we do not know yet; applied when its key appears (I3), dropped after 30
    days."""

    __tablename__ = "pending_effect"
    __table_args__ = (
        Index("pending_effect_target", "organisation_id", "channel_id", "target_key"),
        Index("pending_effect_age", "organisation_id", "created_at", "id"),
        one_of("kind", "status", "edit", "delete", "reaction"),
    )
    channel_id: UUID
    target_key: str
    kind: str
    at: datetime = when()
    content: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = when()


class Notice(TenantRow, table=True):
    """A message that the hub itself writes to somebody about their consent (`notices.py`), once: submitted like any other when it
    is due. `purpose` is the gate's, `request_id` the question that it asks. `rule`: why the gate refused it."""

    __table_args__ = (
        Index("notice_due", "due_at", postgresql_where=text("state = 'due'")),
        refers("channel_id", "channel"),
        refers("request_id", "optin_request"),
        refers("purpose_id", "purpose"),
        one_of("state", "due", "sent", "refused"),
        one_of("purpose", "reply", "opt_in_request", "opt_out_receipt"),
    )
    channel_id: UUID
    address: str
    purpose: str
    purpose_id: UUID | None = None
    text: str
    request_id: UUID | None = None
    state: str
    rule: str
    message_id: UUID | None = None
    created_at: datetime = when()
    due_at: datetime = when()


class Draft(Tenant, table=True):
    """What a member has begun to write and not sent: theirs alone, one reply and one note for each conversation.

    `version` is the millisecond of saving, at least one more than before: who saves names the one they know, so that two open pages
    never overwrite each other in silence.
    """

    __table_args__ = (refers("member_id", "member"), refers("conversation_id", "conversation"), one_of("kind", "reply", "note"))
    member_id: UUID = Field(primary_key=True)
    conversation_id: UUID = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    text: str
    version: int = Field(sa_type=BigInteger)
    updated_at: datetime = when()


class ConversationCounter(Tenant, table=True):
    """How many conversations a list holds, as a sum of changes: a trigger on `conversation` appends, the sweeper folds. Exact in
    every snapshot, and no writer waits for another. `list`: `all`, `unassigned`, `snoozed`, `done`, the id of a member for "mine"
    or of a team; of open ones the same with `.due` for those with a due time, `.us` for those in which it is our turn, `.late` for
    those that are overdue."""

    __tablename__ = "conversation_counter"
    list: str = Field(primary_key=True)
    id: int = Field(sa_column=Column(BigInteger, Counted(always=True), primary_key=True))
    change: int
