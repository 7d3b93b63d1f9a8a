"""Tables of this room. Keyed by (organisation, messenger, scope, address), not by contact: an opt-out outlives the contact.

`scope` is the empty string where an address means the same person on every channel of the messenger, else the channel's id.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from hub.core.models import Tenant, TenantRow, one_of, when


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
    """One change in the ledger, append-only by trigger. `hash` = SHA-256 over previous hash, sequence, time, kind and the
    salted commitment to the details; the details are sealed under the subject's key."""

    __tablename__ = "consent_entry"
    __table_args__ = (Index("consent_entry_subject", "organisation_id", "subject_id", "seq"),)
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


class ConsentState(Tenant, table=True):
    """What holds now for an address. `choice` is the person's word, `marketing` their word about advertising alone, `reach` the
    provider's; each with the time of the event it rests on, because events come late and out of order."""

    __tablename__ = "consent_state"
    __table_args__ = (
        one_of("choice", "none", "opted_in", "opted_out"),
        one_of("reach", "reachable", "blocked"),
        one_of("marketing", "free", "stopped"),
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
        one_of("verdict", "allow", "defer", "refuse"),
    )
    at: datetime = when()
    stage: str
    conversation_id: UUID | None = None
    message_id: UUID | None = None
    member_id: UUID | None = None
    verdict: str
    rule: str
    evidence: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    until: datetime | None = when(default=None, nullable=True)
