"""Tables of this room. `organisation`, `person`, `login_session` and `policy_version` stand above any organisation."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from hub.core.ids import new_id
from hub.core.models import Tenant, TenantRow, one_of, refers, when


class Organisation(SQLModel, table=True):
    """A business that uses the hub: the tenant. `slug` is its name in addresses. `zone` is the seller's zone of contract days."""

    __table_args__ = (one_of("state", "active", "suspended", "ended"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    slug: str = Field(unique=True)
    name: str
    zone: str = "Europe/Berlin"
    locale: str = "de"
    state: str = "active"
    policy_profile: str
    policy_version: int
    created_at: datetime = when()


class Person(SQLModel, table=True):
    """A human being with one log-in (R-027), member of any number of organisations. `email` is stored in lower case."""

    id: UUID = Field(default_factory=new_id, primary_key=True)
    email: str = Field(unique=True)
    name: str
    locale: str = "de"
    password_hash: str | None = None
    """argon2id; None until the person has chosen one."""
    created_at: datetime = when()


class Member(TenantRow, table=True):
    """A person's place in an organisation, with a role (R-040). Deactivated members stay, for the record (R-048)."""

    __table_args__ = (
        UniqueConstraint("organisation_id", "person_id"),
        Index("member_person", "person_id"),
        one_of("role", "owner", "admin", "billing", "agent", "readonly"),
    )
    person_id: UUID = Field(foreign_key="person.id")
    role: str
    created_at: datetime = when()
    deactivated_at: datetime | None = when(default=None, nullable=True)


class Team(TenantRow, table=True):
    """Members who share work (R-300). Removed teams stay, for the record; a name is unique among those that are there."""

    __table_args__ = (
        Index("team_name", "organisation_id", text("lower(name)"), unique=True, postgresql_where=text("removed_at IS NULL")),
    )
    name: str
    created_at: datetime = when()
    removed_at: datetime | None = when(default=None, nullable=True)


class TeamMember(Tenant, table=True):
    """Who is in which team: any number of each."""

    __tablename__ = "team_member"
    __table_args__ = (
        Index("team_member_member", "organisation_id", "member_id"),
        refers("team_id", "team"),
        refers("member_id", "member"),
    )
    team_id: UUID = Field(primary_key=True)
    member_id: UUID = Field(primary_key=True)


class Invitation(TenantRow, table=True):
    """A single-use link by which a person joins with a role. Only the token's SHA-256 is kept. `standing` (R-046): their mail has a
    domain of the organisation, or an owner has answered for it that they are own personnel, or released in writing."""

    __table_args__ = (
        one_of("role", "owner", "admin", "billing", "agent", "readonly"),
        one_of("standing", "own_domain", "own_personnel", "released"),
    )
    email: str
    name: str
    role: str
    token_hash: bytes = Field(unique=True)
    invited_by: UUID
    created_at: datetime = when()
    expires_at: datetime = when()
    accepted_at: datetime | None = when(default=None, nullable=True)
    standing: str = Field(default="own_domain", sa_column_kwargs={"server_default": "own_domain"})


class MailDomain(Tenant, table=True):
    """A domain in which the organisation's own people have their mail (R-046)."""

    __tablename__ = "mail_domain"
    domain: str = Field(primary_key=True)


class LoginSession(SQLModel, table=True):
    """A signed-in browser. Only the token's SHA-256 is kept. `last_seen_at` is written at most once a minute."""

    __tablename__ = "login_session"
    __table_args__ = (Index("login_session_person", "person_id", postgresql_where=text("ended_at IS NULL")),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    person_id: UUID = Field(foreign_key="person.id")
    token_hash: bytes = Field(unique=True)
    created_at: datetime = when()
    last_seen_at: datetime = when()
    expires_at: datetime = when()
    ended_at: datetime | None = when(default=None, nullable=True)
    address: str
    user_agent: str


class PolicyVersion(SQLModel, table=True):
    """The values of one profile at one time. A running contract keeps the version it was concluded under (R-001)."""

    __tablename__ = "policy_version"
    profile: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    parameters: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = when()


class PolicyOverride(Tenant, table=True):
    """An individually agreed value. `level` is its place in the order of precedence (R-012)."""

    __tablename__ = "policy_override"
    __table_args__ = (one_of("level", "individual", "order", "product", "special"),)
    name: str = Field(primary_key=True)
    level: str = Field(primary_key=True)
    parameter: Any = Field(sa_column=Column(JSONB, nullable=False))
    source: str
    created_at: datetime = when()


class AuditEntry(TenantRow, table=True):
    """Who did what (R-047): every change of state by a person, with member and session. `hash` chains it to the entry before
    (`audit.py`)."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("audit_entry_at", "organisation_id", "at"),
        UniqueConstraint("organisation_id", "seq", name="audit_entry_seq"),
        refers("member_id", "member"),
    )
    at: datetime = when()
    member_id: UUID | None = None
    session_id: UUID | None = None
    action: str
    target: str
    detail: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    seq: int = Field(sa_type=BigInteger)
    previous_hash: bytes
    hash: bytes


class AuditHead(Tenant, table=True):
    """The last entry of an organisation's audit log."""

    __tablename__ = "audit_head"
    seq: int = Field(default=0, sa_type=BigInteger)
    hash: bytes
