"""Tables of this room."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from hub.core.models import Tenant, TenantRow, one_of, refers, when


class Channel(TenantRow, table=True):
    """One business's connected account at one messenger.

    `state`: `on` sends and receives; `off` was switched off by the business; `blocked` by the kill switch (R-183, `block_reason`
    says why). Whatever the state, what a provider delivers is stored (I9). `health` is our view of the provider side: `failing`
    has a cause and an end time after which we try again; `attention` waits for a person (credentials).
    """

    __table_args__ = (
        UniqueConstraint("id"),
        one_of("state", "on", "off", "blocked"),
        one_of("health", "healthy", "failing", "attention"),
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
    settings_sealed: bytes
    """The connector's settings as JSON, sealed by the vault."""
    secrets_sealed: bytes
    """The webhook's secrets as a JSON list, the newest first, sealed by the vault."""
    per_second: float | None = None
    """Messages per second agreed with the provider for this account; None: the messenger's usual limit."""
    callback_url: str = Field(default="", sa_column_kwargs={"server_default": ""})
    """Where the provider was told to deliver; empty: we ask for what came in, or the account was never set up."""
    created_at: datetime = when()


class ChannelTerms(Tenant, table=True):
    """The acceptance of a provider's terms by a member, with what the terms were (R-180, R-192)."""

    __tablename__ = "channel_terms"
    __table_args__ = (Index("channel_terms_member", "organisation_id", "accepted_by"), refers("accepted_by", "member"))
    connector: str = Field(primary_key=True)
    version: str = Field(primary_key=True)
    documents: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    accepted_by: UUID
    accepted_at: datetime = when()
