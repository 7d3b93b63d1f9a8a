"""Tables of this room. Keyed by (organisation, messenger, scope, address), not by contact: an opt-out outlives the contact.

`scope` is the empty string where an address means the same person on every channel of the messenger, else the channel's id.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from hub.core.models import Tenant, TenantRow, one_of, refers, when


class ConsentSubject(TenantRow, table=True):
    """The key of one person's ledger details, sealed by the vault. Erasing the row makes the details unreadable for ever
    while the chain still verifies (I7)."""

    __tablename__ = "consent_subject"
    __table_args__ = (Index("consent_subject_address", "organisation_id", "messenger", "scope", "address", unique=True),)
    messenger: str
    scope: str
    address: str
    key_sealed: bytes


class ConsentEntry(Tenant, table=True):
    """One change in the ledger, append-only by trigger. `hash` chains it to the entry before (`chain.py`); the details are sealed
    under the subject's key."""

    __tablename__ = "consent_entry"
    __table_args__ = (
        Index("consent_entry_subject", "organisation_id", "subject_id", "seq"),
        Index("consent_entry_overrides", "organisation_id", "at", postgresql_where=text("kind = 'overridden'")),
    )
    seq: int = Field(sa_type=BigInteger, primary_key=True)
    at: datetime = when()
    kind: str
    subject_id: UUID
    commitment: bytes
    details_sealed: bytes
    previous_hash: bytes
    hash: bytes


class LedgerHead(Tenant, table=True):
    """The last entry of an organisation's chain."""

    __tablename__ = "ledger_head"
    seq: int = Field(default=0, sa_type=BigInteger)
    hash: bytes


class LedgerKey(TenantRow, table=True):
    """The key by which an organisation's ledger is signed (Ed25519): the private half sealed by the vault, the public half handed
    out with each proof."""

    __tablename__ = "ledger_key"
    __table_args__ = (UniqueConstraint("organisation_id"),)
    public_key: bytes
    private_sealed: bytes
    created_at: datetime = when()


class LedgerCheckpoint(Tenant, table=True):
    """A signed statement about the entries after `after_seq` up to `seq`: the hash of the last one, and the Merkle root over the
    hashes of all of them (`checkpoints.py`). Append-only by trigger."""

    __tablename__ = "ledger_checkpoint"
    __table_args__ = (refers("key_id", "ledger_key"),)
    seq: int = Field(sa_type=BigInteger, primary_key=True)
    after_seq: int = Field(sa_type=BigInteger)
    at: datetime = when()
    head: bytes
    root: bytes
    signature: bytes
    key_id: UUID


class LedgerWatch(Tenant, table=True):
    """The daily care for an organisation's books (`watch.py`): when it is due, up to which day the uses are sealed, and what the
    last check found. `ledger_seq` and `audit_seq`: how many entries it went through, or with a problem the first broken one."""

    __tablename__ = "ledger_watch"
    due_at: datetime = when()
    uses_until: date | None = None
    checked_at: datetime | None = when(default=None, nullable=True)
    ledger_seq: int = Field(default=0, sa_type=BigInteger)
    ledger_problem: str = ""
    audit_seq: int = Field(default=0, sa_type=BigInteger)
    audit_problem: str = ""


class ConsentState(Tenant, table=True):
    """What holds now for an address as a whole (`states.State`). `choice` is the person's word, `marketing` their word about
    advertising alone, `reach` the provider's, `bar` the business's own; each with the time of the event it rests on, because events
    come late and out of order, and with the entry that says so. `stopped_at`: the newest opt-out, lifted or not. `last_used_at`:
    when the provider last accepted a message to this address; `told_at`: when they were last told that their stop is heard."""

    __tablename__ = "consent_state"
    __table_args__ = (
        one_of("choice", "none", "opted_in", "opted_out"),
        one_of("reach", "reachable", "blocked"),
        one_of("marketing", "free", "stopped"),
        one_of("bar", "open", "barred"),
    )
    messenger: str = Field(primary_key=True)
    scope: str = Field(primary_key=True)
    address: str = Field(primary_key=True)
    choice: str = "none"
    choice_at: datetime | None = when(default=None, nullable=True)
    choice_seq: int | None = Field(default=None, sa_type=BigInteger)
    reach: str = "reachable"
    reach_at: datetime | None = when(default=None, nullable=True)
    reach_seq: int | None = Field(default=None, sa_type=BigInteger)
    marketing: str = Field(default="free", sa_column_kwargs={"server_default": "free"})
    marketing_at: datetime | None = when(default=None, nullable=True)
    marketing_seq: int | None = Field(default=None, sa_type=BigInteger)
    bar: str = Field(default="open", sa_column_kwargs={"server_default": "open"})
    bar_at: datetime | None = when(default=None, nullable=True)
    bar_seq: int | None = Field(default=None, sa_type=BigInteger)
    stopped_at: datetime | None = when(default=None, nullable=True)
    stopped_seq: int | None = Field(default=None, sa_type=BigInteger)
    last_used_at: datetime | None = when(default=None, nullable=True)
    told_at: datetime | None = when(default=None, nullable=True)


class Purpose(TenantRow, table=True):
    """What an organisation writes to people for, in the words that they agree to (`purpose_text`). `kind`: advertising needs a
    grant everywhere, service where messenger or profile asks for one. `key` names it in exports and in the API. An archived purpose
    is offered nowhere, and nothing more leaves for it."""

    __table_args__ = (UniqueConstraint("organisation_id", "key"), one_of("kind", "service", "marketing"))
    key: str
    kind: str
    position: int = 0
    created_at: datetime = when()
    archived_at: datetime | None = when(default=None, nullable=True)


class PurposeText(Tenant, table=True):
    """One version of what people agree to, in one language. Written once: another wording is another version. `text_hash`: SHA-256
    of the text in UTF-8, as evidence names it."""

    __tablename__ = "purpose_text"
    __table_args__ = (refers("purpose_id", "purpose"), refers("created_by", "member"), one_of("language", "de", "en"))
    purpose_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    language: str = Field(primary_key=True)
    name: str
    text: str
    text_hash: bytes
    created_at: datetime = when()
    created_by: UUID | None = None


class ConsentGrant(Tenant, table=True):
    """What was said about one purpose at one address (`states.Grant`), each with the entry that says so. Without a row it is
    unknown."""

    __tablename__ = "consent_grant"
    __table_args__ = (
        refers("purpose_id", "purpose"),
        Index("consent_grant_purpose", "organisation_id", "purpose_id", "messenger", "scope", "address"),
    )
    messenger: str = Field(primary_key=True)
    scope: str = Field(primary_key=True)
    address: str = Field(primary_key=True)
    purpose_id: UUID = Field(primary_key=True)
    asked_at: datetime | None = when(default=None, nullable=True)
    asked_until: datetime | None = when(default=None, nullable=True)
    asked_seq: int | None = Field(default=None, sa_type=BigInteger)
    granted_at: datetime | None = when(default=None, nullable=True)
    granted_seq: int | None = Field(default=None, sa_type=BigInteger)
    withdrawn_at: datetime | None = when(default=None, nullable=True)
    withdrawn_seq: int | None = Field(default=None, sa_type=BigInteger)
    overridden_at: datetime | None = when(default=None, nullable=True)
    overridden_until: datetime | None = when(default=None, nullable=True)
    overridden_seq: int | None = Field(default=None, sa_type=BigInteger)


class ConsentAlias(Tenant, table=True):
    """Two addresses of one person, once in each direction: what is wanted at one of them holds for the other. The ledger names the
    event that linked them."""

    __tablename__ = "consent_alias"
    messenger: str = Field(primary_key=True)
    scope: str = Field(primary_key=True)
    address: str = Field(primary_key=True)
    other: str = Field(primary_key=True)


class GateDecision(TenantRow, table=True):
    """What the gate said, each refusal too, with rule, reason and evidence (I4). A greeting may be refused before there is a
    conversation."""

    __tablename__ = "gate_decision"
    __table_args__ = (
        Index("gate_decision_message", "organisation_id", "message_id"),
        one_of("stage", "submit", "claim"),
        one_of("verdict", "allow", "defer", "hold", "refuse"),
    )
    at: datetime = when()
    stage: str
    conversation_id: UUID | None = None
    message_id: UUID | None = None
    member_id: UUID | None = None
    purpose_id: UUID | None = None
    verdict: str
    rule: str
    evidence: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    until: datetime | None = when(default=None, nullable=True)


class OptinFlow(TenantRow, table=True):
    """A road by which people agree to one or more purposes on one channel (`flows.py`). `key` is the payload of its links.
    `language`: of the words where the person's own choice of words does not say it. `double_opt_in`: a word or a link is answered
    with a question, and only the answer grants (R-227). `counts_subscription`: subscribing to the account is the active
    registration (R-221, Viber). An archived flow is a link to nothing."""

    __tablename__ = "optin_flow"
    __table_args__ = (
        UniqueConstraint("organisation_id", "key"),
        Index("optin_flow_channel", "organisation_id", "channel_id"),
        refers("channel_id", "channel"),
        one_of("language", "de", "en"),
    )
    key: str
    channel_id: UUID
    language: str
    double_opt_in: bool
    counts_subscription: bool
    created_at: datetime = when()
    archived_at: datetime | None = when(default=None, nullable=True)


class OptinFlowPurpose(Tenant, table=True):
    """What a flow asks for: all of its purposes at once."""

    __tablename__ = "optin_flow_purpose"
    __table_args__ = (refers("flow_id", "optin_flow"), refers("purpose_id", "purpose"))
    flow_id: UUID = Field(primary_key=True)
    purpose_id: UUID = Field(primary_key=True)


class OptinFlowText(Tenant, table=True):
    """A flow in one language: the word that enters it as a whole message, as it is compared (`words.plain`), and what is said once
    somebody agreed; empty for none, and for the text of the catalogue."""

    __tablename__ = "optin_flow_text"
    __table_args__ = (refers("flow_id", "optin_flow"), one_of("language", "de", "en"))
    flow_id: UUID = Field(primary_key=True)
    language: str = Field(primary_key=True)
    keyword: str
    confirmation: str


class OptinRequest(TenantRow, table=True):
    """The one question whether somebody agreed (R-227). `versions`: the version of each purpose's words that is asked about, by the
    purpose's id. Only a question that left can be answered: `sent_at`."""

    __tablename__ = "optin_request"
    __table_args__ = (
        Index("optin_request_address", "organisation_id", "messenger", "scope", "address"),
        refers("flow_id", "optin_flow"),
        one_of("language", "de", "en"),
    )
    messenger: str
    scope: str
    address: str
    flow_id: UUID
    language: str
    versions: dict[str, int] = Field(sa_column=Column(JSONB, nullable=False))
    source: str
    asked_at: datetime = when()
    until: datetime = when()
    sent_at: datetime | None = when(default=None, nullable=True)
    confirmed_at: datetime | None = when(default=None, nullable=True)


class ConsentText(Tenant, table=True):
    """What an organisation says instead of the catalogue's words when somebody agrees, stops or asks for their data
    (`texts.py`)."""

    __tablename__ = "consent_text"
    __table_args__ = (one_of("language", "de", "en"),)
    kind: str = Field(primary_key=True)
    language: str = Field(primary_key=True)
    text: str


class ConsentFile(TenantRow, table=True):
    """A file that proves an agreement (a scan), or a list that is imported: an object of the store under the same id. `used_at`:
    when an entry of the ledger first named it; one that nobody used is swept."""

    __tablename__ = "consent_file"
    __table_args__ = (refers("member_id", "member"),)
    name: str
    mime: str
    size: int
    sha256: bytes
    member_id: UUID
    created_at: datetime = when()
    used_at: datetime | None = when(default=None, nullable=True)


class ConsentImport(TenantRow, table=True):
    """A list that was checked and, once somebody has said so, is taken over in pieces (`imports.py`); `id` is its file's.
    `refused`: the first refused rows as [number, reason]; `reasons`: how many were refused for each. `done_rows` counts rows of
    the file, those passed over too."""

    __tablename__ = "consent_import"
    __table_args__ = (refers("id", "consent_file"), refers("member_id", "member"), one_of("state", "checked", "running", "done"))
    state: str
    rows: int
    good: int
    refused: list[Any] = Field(sa_column=Column(JSONB, nullable=False))
    reasons: dict[str, int] = Field(sa_column=Column(JSONB, nullable=False))
    done_rows: int
    member_id: UUID
    created_at: datetime = when()
    started_at: datetime | None = when(default=None, nullable=True)
    done_at: datetime | None = when(default=None, nullable=True)


class SuppressionKey(TenantRow, table=True):
    """The key of an organisation's suppressed addresses, sealed by the vault: without it a digest names nobody."""

    __tablename__ = "suppression_key"
    __table_args__ = (UniqueConstraint("organisation_id"),)
    key_sealed: bytes


class Suppression(Tenant, table=True):
    """What is remembered of an address that we must not know any more, or do not know yet (`suppression.py`). `digest`: HMAC-SHA256
    of the address. `cause`: the person's own stop; the business's block; or that somebody demanded it. `at`: when that was."""

    __table_args__ = (one_of("cause", "opt_out", "barred", "request"),)
    messenger: str = Field(primary_key=True)
    scope: str = Field(primary_key=True)
    digest: bytes = Field(primary_key=True)
    cause: str = Field(primary_key=True)
    at: datetime = when()
    lifted_at: datetime | None = when(default=None, nullable=True)
    reason: str = ""


class Erasure(TenantRow, table=True):
    """That a person was erased: for a restore, which brings them back and has to erase them again (R-259). `addresses`: messenger,
    scope and digest in hex of each; `counts`: how much went."""

    __table_args__ = (refers("member_id", "member"),)
    at: datetime = when()
    member_id: UUID | None = None
    addresses: list[list[str]] = Field(sa_column=Column(JSONB, nullable=False))
    counts: dict[str, int] = Field(sa_column=Column(JSONB, nullable=False))


class ProofArchive(TenantRow, table=True):
    """What the ledger said of an erased person to whom messages went over Viber: proofs that must be kept (R-200), sealed, until
    `delete_on`."""

    __tablename__ = "proof_archive"
    __table_args__ = (Index("proof_archive_due", "organisation_id", "delete_on"),)
    made_at: datetime = when()
    delete_on: date
    entries: int
    content_sealed: bytes
