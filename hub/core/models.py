"""What the tables of every room share. SQLModel table classes do not validate: a request becomes a row through `schemas.py`."""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKeyConstraint
from sqlmodel import Field, SQLModel

from hub.core.ids import new_id


class Tenant(SQLModel):
    """Base of every table that belongs to one organisation: its keys lead with `organisation_id`, its rows are guarded by
    row-level security (I6)."""

    organisation_id: UUID = Field(primary_key=True)


class TenantRow(Tenant):
    """A tenant table with an id of its own."""

    id: UUID = Field(default_factory=new_id, primary_key=True)


def when(**options: Any) -> Any:
    """A column holding an instant: `timestamptz`, aware UTC in Python."""
    return Field(sa_type=DateTime(timezone=True), **options)


def one_of(column: str, *values: str) -> CheckConstraint:
    """States are text with a check, never a PostgreSQL enum."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def refers(column: str, table: str, *, deferred: bool = False) -> ForeignKeyConstraint:
    """A foreign key inside one organisation, so that a row can never point at another one's; `deferred`: checked at commit."""
    return ForeignKeyConstraint(
        ["organisation_id", column],
        [f"{table}.organisation_id", f"{table}.id"],
        deferrable=deferred or None,
        initially="DEFERRED" if deferred else None,
    )
