"""Tables of what is held against an organisation: messages that may be spam, the cases about them, and what they may cost.

What a message said and to whom it went is sealed by the vault: it stays readable for the case when the person is erased.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, Numeric, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from hub.core.models import TenantRow, one_of, refers, when


class AbuseCase(TenantRow, table=True):
    """A report of prohibited use (R-201, R-230, R-233), with its number `F-2026-0001`. `due_at`: until when it has to be told to
    the provider. `repeats`: a closed case before it (R-202). `source`: what of ours caused it, `blocked_at` when that was
    disconnected, or `not_blocked_reason` why not; one of the two before it closes."""

    __tablename__ = "abuse_case"
    __table_args__ = (
        UniqueConstraint("organisation_id", "number"),
        refers("opened_by", "member"),
        refers("closed_by", "member"),
        refers("repeats", "abuse_case"),
        one_of("source", "", "person", "member", "channel"),
    )
    number: str
    categories: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    note: str
    opened_at: datetime = when()
    opened_by: UUID | None = None
    due_at: datetime = when()
    repeats: UUID | None = None
    exported_at: datetime | None = when(default=None, nullable=True)
    source: str = ""
    source_name: str = ""
    blocked_at: datetime | None = when(default=None, nullable=True)
    not_blocked_reason: str = ""
    closed_at: datetime | None = when(default=None, nullable=True)
    closed_by: UUID | None = None


class CaseMessage(TenantRow, table=True):
    """A message of a case with its five fields (`message_evidence.py`), as they were when it was reported."""

    __tablename__ = "case_message"
    __table_args__ = (UniqueConstraint("organisation_id", "case_id", "message_id"), refers("case_id", "abuse_case"))
    case_id: UUID
    message_id: UUID
    channel_id: UUID
    author_id: UUID | None = None
    at: datetime = when()
    evidence_sealed: bytes


class SpamEvent(TenantRow, table=True):
    """A message that may not have been allowed (R-203, R-225), or a complaint of a provider about a channel.

    `candidate` until the operator confirms or rejects it, or groups it with others under `lead_id`: then it counts no more by
    itself. `consent`: what held for the address when the provider accepted the message.
    """

    __tablename__ = "spam_event"
    __table_args__ = (
        Index(
            "spam_event_message",
            "organisation_id",
            "message_id",
            unique=True,
            postgresql_where=text("message_id IS NOT NULL"),
        ),
        refers("member_id", "member"),
        refers("answered_by", "member"),
        refers("lead_id", "spam_event"),
        one_of("state", "candidate", "confirmed", "rejected", "grouped"),
        CheckConstraint("(state = 'grouped') = (lead_id IS NOT NULL)", name="lead_known"),
    )
    state: str = "candidate"
    grounds: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    raised_by: str
    raised_at: datetime = when()
    messenger: str
    channel_id: UUID
    message_id: UUID | None = None
    member_id: UUID | None = None
    accepted_at: datetime | None = when(default=None, nullable=True)
    withdrawn_at: datetime | None = when(default=None, nullable=True)
    consent: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    evidence_sealed: bytes | None = None
    lead_id: UUID | None = None
    decided_at: datetime | None = when(default=None, nullable=True)
    decided_by: str = ""
    decision_reason: str = ""
    answer: str = ""
    answered_at: datetime | None = when(default=None, nullable=True)
    answered_by: UUID | None = None
    answer_file: str = ""
    answer_file_sealed: bytes | None = None


class ProposedCharge(TenantRow, table=True):
    """What an organisation may have to pay for a confirmed event; billing makes lines of it. `tax` is `none`: a penalty is no
    turnover (R-203). One for each event."""

    __tablename__ = "proposed_charge"
    __table_args__ = (
        UniqueConstraint("organisation_id", "spam_event_id"),
        refers("spam_event_id", "spam_event"),
        one_of("kind", "viber_spam_event"),
        one_of("tax", "none"),
    )
    kind: str
    amount: Decimal = Field(sa_column=Column(Numeric(12, 2), nullable=False))
    currency: str = "EUR"
    tax: str = "none"
    spam_event_id: UUID
    proposed_at: datetime = when()
    proposed_by: str
