"""Tables of this room: who writes from a website, and which websites show the chat."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from hub.core.models import Tenant, TenantRow, refers, when


class WebchatVisitor(TenantRow, table=True):
    """A browser that has written to a chat. It is known by a token of which only the hash is here; `ended_at`: the visitor has
    ended the conversation in it, and the token is good for nothing. What was written stays with the conversation."""

    __tablename__ = "webchat_visitor"
    __table_args__ = (
        UniqueConstraint("organisation_id", "channel_id", "token_hash"),
        refers("channel_id", "channel"),
    )
    channel_id: UUID
    token_hash: bytes
    name: str
    email: str = ""
    language: str = ""
    created_at: datetime = when()
    seen_at: datetime = when()
    ended_at: datetime | None = when(default=None, nullable=True)


class WebchatPlace(Tenant, table=True):
    """A website on which the chat was loaded (R-297): since when, and when last, to the hour."""

    __tablename__ = "webchat_place"
    __table_args__ = (refers("channel_id", "channel"),)
    channel_id: UUID = Field(primary_key=True)
    origin: str = Field(primary_key=True)
    first_at: datetime = when()
    last_at: datetime = when()
