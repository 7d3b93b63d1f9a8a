"""Tables of this room."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from hub.core.models import Tenant, TenantRow, one_of, refers, when

APPROVALS = ("applied", "approved", "refused", "revoked")
"""The provider's own word on an account (R-186, R-196); an account that needs none has ''."""


class Channel(TenantRow, table=True):
    """One business's connected account at one messenger.

    `state`: `on` sends and receives; `off` was switched off by the business; `blocked` by the kill switch (R-183, `block_reason`
    says why). Whatever the state, what a provider delivers is stored (I9). `health` is our view of the provider side: `failing`
    has a cause and an end time after which we try again; `attention` waits for a person (credentials, a ban). A warning says that
    the account works and somebody should know (a bad rating). `health_text` and `warning_text` are the provider's own words.
    `told_at`: when those who can mend it had a mail.

    `endpoint` names the address that it shares with the other accounts of one app (`SharesEndpoint`). `credentials_expire_at`: they
    are renewed before. `care_at`: when the account is looked after next (`care.py`). `welcome` is what somebody who opens the chat
    is told first, where the messenger asks for it (`AnswersInline`); empty: nothing.
    """

    __table_args__ = (
        UniqueConstraint("id"),
        one_of("state", "on", "off", "blocked"),
        one_of("health", "healthy", "failing", "attention"),
        one_of("approval", "", *APPROVALS),
        Index("channel_endpoint", "connector", "endpoint", postgresql_where=text("endpoint <> ''")),
        Index("channel_care", "care_at", "organisation_id", "id", postgresql_where=text("care_at IS NOT NULL")),
    )
    connector: str
    title: str
    address: str = ""
    own_id: str = ""
    state: str = "off"
    block_reason: str = ""
    health: str = "healthy"
    health_cause: str = ""
    health_since: datetime | None = when(default=None, nullable=True)
    health_until: datetime | None = when(default=None, nullable=True)
    health_text: str = Field(default="", sa_column_kwargs={"server_default": ""})
    warning_cause: str = Field(default="", sa_column_kwargs={"server_default": ""})
    warning_text: str = Field(default="", sa_column_kwargs={"server_default": ""})
    warning_since: datetime | None = when(default=None, nullable=True)
    told_at: datetime | None = when(default=None, nullable=True)
    settings_sealed: bytes
    """The connector's settings as JSON, sealed by the vault."""
    secrets_sealed: bytes
    """The webhook's secrets as a JSON list, the newest first, sealed by the vault."""
    per_second: float | None = None
    """Messages per second agreed with the provider for this account; None: the messenger's usual limit."""
    callback_url: str = Field(default="", sa_column_kwargs={"server_default": ""})
    """Where the provider was told to deliver; empty: we ask for what came in, or the account was never set up."""
    endpoint: str = Field(default="", sa_column_kwargs={"server_default": ""})
    credentials_expire_at: datetime | None = when(default=None, nullable=True)
    care_at: datetime | None = when(default=None, nullable=True)
    welcome: str = Field(default="", sa_column_kwargs={"server_default": ""})
    created_at: datetime = when()
    tested_at: datetime | None = when(default=None, nullable=True)
    """When a message had come in and an answer had gone out; None: nobody knows yet whether the account works."""
    terms_due_at: datetime | None = when(default=None, nullable=True)
    """From when on the channel only receives unless the provider's new terms are accepted (R-180); None: they are."""
    approval: str = Field(default="", sa_column_kwargs={"server_default": ""})
    account_name: str = Field(default="", sa_column_kwargs={"server_default": ""})
    """What the provider calls the account, and shows to customers."""
    automation_stopped_at: datetime | None = when(default=None, nullable=True)
    """Since when what programs write is kept back because nobody is there to take over (R-188); None: somebody is."""


class ChannelBlock(Tenant, table=True):
    """The kill switch above a channel (R-183): nothing leaves through any account of this messenger; `connector` '': of any. A
    channel that is connected later is stopped as well. `blocked_by` None: the operator."""

    __tablename__ = "channel_block"
    __table_args__ = (refers("blocked_by", "member"),)
    connector: str = Field(primary_key=True)
    reason: str
    blocked_at: datetime = when()
    blocked_by: UUID | None = None


class ProviderDemand(TenantRow, table=True):
    """A provider demanded that its messengers are stopped for this organisation (R-187): on which ground, in which words, who asked
    and when. What was done about it are the `channel_block` rows that the operator set."""

    __tablename__ = "provider_demand"
    __table_args__ = (one_of("ground", "i", "ii"),)
    provider: str
    ground: str
    text: str
    demanded_by: str
    demanded_at: datetime = when()
    executed_at: datetime = when()


class ConsentDocument(TenantRow, table=True):
    """A written consent that opens a messenger (`documents.py`): the file lies in the media store under this id. `kind` is the
    answer of the declaration that it proves."""

    __tablename__ = "consent_document"
    __table_args__ = (
        Index("consent_document_list", "organisation_id", "connector", "kind", "uploaded_at"),
        refers("uploaded_by", "member"),
        one_of("kind", "consent", "industry_consent", "region"),
    )
    connector: str
    kind: str
    name: str
    mime: str
    size: int = Field(sa_type=BigInteger)
    sha256: bytes
    scanned: str
    uploaded_by: UUID
    uploaded_at: datetime = when()


class CapCount(Tenant, table=True):
    """How many messages left in one window of a cap (`caps.py`). `subject_id` is what `per` counts: the organisation, a channel or
    a conversation; `messenger` '' counts all of them."""

    __tablename__ = "cap_count"
    messenger: str = Field(primary_key=True)
    per: str = Field(primary_key=True)
    subject_id: UUID = Field(primary_key=True)
    span: str = Field(primary_key=True)
    began_at: datetime = when(primary_key=True)
    sent: int


class ChannelOutage(TenantRow, table=True):
    """A time in which nothing could leave over a channel, and whose fault it was (R-184). `ended_at` None: it goes on."""

    __tablename__ = "channel_outage"
    __table_args__ = (
        Index("channel_outage_list", "organisation_id", "channel_id", "began_at", "id"),
        Index("channel_outage_open", "organisation_id", "channel_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        refers("channel_id", "channel"),
        one_of("fault", "provider", "network", "ours"),
    )
    channel_id: UUID
    began_at: datetime = when()
    ended_at: datetime | None = when(default=None, nullable=True)
    fault: str
    cause: str
    text: str


class ChannelDeclaration(Tenant, table=True):
    """What a business says of itself because the contract asks for it before a messenger is opened (`conditions.py`)."""

    __tablename__ = "channel_declaration"
    __table_args__ = (refers("declared_by", "member"),)
    connector: str = Field(primary_key=True)
    answers: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    declared_at: datetime = when()
    declared_by: UUID


class MessengerEnd(SQLModel, table=True):
    """A provider ends its messenger (R-185): nothing leaves from the beginning of `from_day` on, in the zone of each organisation.
    Stands above the organisations, since it holds for all."""

    __tablename__ = "messenger_end"
    connector: str = Field(primary_key=True)
    from_day: date
    reason: str
    decided_at: datetime = when()


class ChannelTerms(Tenant, table=True):
    """The acceptance of a provider's terms by a member, with what the terms were (R-180, R-192)."""

    __tablename__ = "channel_terms"
    __table_args__ = (Index("channel_terms_member", "organisation_id", "accepted_by"), refers("accepted_by", "member"))
    connector: str = Field(primary_key=True)
    version: str = Field(primary_key=True)
    documents: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    accepted_by: UUID
    accepted_at: datetime = when()


class ChannelEvent(TenantRow, table=True):
    """A line in a channel's history. `level`: how the account is from then on, or `change`: somebody did something with it.

    `source` says who told us: the provider (then `at` is its time), the hub itself, or a member. `cause` is the reason's short
    name, of a change what was done (`switched_on`); `text` the provider's words, or what was given as reason.
    """

    __tablename__ = "channel_event"
    __table_args__ = (
        Index("channel_event_list", "organisation_id", "channel_id", "at", "id"),
        refers("channel_id", "channel"),
        refers("member_id", "member"),
        one_of("level", "ok", "warning", "failing", "attention", "change"),
        one_of("source", "provider", "hub", "member"),
    )
    channel_id: UUID
    at: datetime = when()
    source: str
    level: str
    cause: str = ""
    text: str = ""
    member_id: UUID | None = None


class Template(TenantRow, table=True):
    """A message whose words the provider has approved, as it keeps it: `category`, `status` and `components` are its own, the first
    two in lower case. `gone_at`: the provider has it no more."""

    __table_args__ = (
        UniqueConstraint("organisation_id", "channel_id", "name", "language"),
        refers("channel_id", "channel"),
    )
    channel_id: UUID
    provider_id: str
    name: str
    language: str
    category: str
    status: str
    components: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    reason: str = ""
    updated_at: datetime = when()
    gone_at: datetime | None = when(default=None, nullable=True)


class TemplateEvent(TenantRow, table=True):
    """A line in a template's history: what it became. `status` `gone`: the provider has it no more. `member_id`: whose act it
    was."""

    __tablename__ = "template_event"
    __table_args__ = (
        Index("template_event_list", "organisation_id", "template_id", "at", "id"),
        refers("template_id", "template"),
        refers("member_id", "member"),
    )
    template_id: UUID
    at: datetime = when()
    status: str
    category: str
    reason: str = ""
    member_id: UUID | None = None
