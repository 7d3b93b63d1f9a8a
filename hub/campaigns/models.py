"""Tables of this room: a newsletter, and what the gate said about each of its recipients."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from hub.core.models import Tenant, TenantRow, one_of, refers, when

CAMPAIGN_STATES = ("draft", "planned", "running", "paused", "stopped", "finished")


class Campaign(TenantRow, table=True):
    """A newsletter. Drafts may be changed, everything later only goes its way.

    `audience`: `audience.Audience`; `letters` and `prices` are by channel (`writing.Letter`; euros for one message, as decimal
    text; a channel without a price is unknown). `simulation`: `simulation.Counts` of the last one, at `simulated_at`; a change
    forgets it. `due_at`: when the worker has to look at it next, null while it has nothing to do. `reached`: the last conversation
    that was decided; `decided_at`: when all were.
    """

    __table_args__ = (
        Index("campaign_list", "organisation_id", "created_at", "id"),
        Index("campaign_due", "due_at", "organisation_id", "id", postgresql_where=text("due_at IS NOT NULL")),
        refers("purpose_id", "purpose"),
        refers("created_by", "member"),
        refers("started_by", "member"),
        refers("stopped_by", "member"),
        refers("test_conversation_id", "conversation"),
        one_of("state", *CAMPAIGN_STATES),
    )
    name: str
    purpose_id: UUID
    state: str = "draft"
    audience: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    letters: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    prices: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False))
    simulation: list[Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True))
    simulated_at: datetime | None = when(default=None, nullable=True)
    test_conversation_id: UUID | None = None
    """Where its author looks at a test of it."""
    send_at: datetime | None = when(default=None, nullable=True)
    due_at: datetime | None = when(default=None, nullable=True)
    reached: UUID | None = None
    decided_at: datetime | None = when(default=None, nullable=True)
    created_at: datetime = when()
    created_by: UUID
    started_at: datetime | None = when(default=None, nullable=True)
    started_by: UUID | None = None
    stopped_by: UUID | None = None
    finished_at: datetime | None = when(default=None, nullable=True)


class CampaignRecipient(Tenant, table=True):
    """What was decided about somebody whom a newsletter's filter chose; kept for everybody. What became of the message says the
    message itself."""

    __tablename__ = "campaign_recipient"
    __table_args__ = (
        Index(
            "campaign_recipient_contact",
            "organisation_id",
            "campaign_id",
            "contact_id",
            postgresql_where=text("message_id IS NOT NULL"),
        ),
        refers("campaign_id", "campaign"),
        refers("conversation_id", "conversation"),
        refers("message_id", "message"),
        one_of("verdict", "allow", "defer", "hold", "refuse"),
    )
    campaign_id: UUID = Field(primary_key=True)
    conversation_id: UUID = Field(primary_key=True)
    contact_id: UUID
    channel_id: UUID
    at: datetime = when()
    verdict: str
    rule: str
    message_id: UUID | None = None
