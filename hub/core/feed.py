"""The feed: what changed in an organisation, in an order without gaps (I11).

A room says `note_change(unit, kind, data)` anywhere in its transaction. Right before the commit the head is locked and the entries
get their numbers, so visible order equals number order and a roll-back gives the numbers back. After the commit Valkey carries only
"organisation X is at N"; who missed it asks the table.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import BigInteger, Column, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from hub.core import clock
from hub.core.db import Database, Last, UnitOfWork
from hub.core.models import Tenant, when


class FeedHead(Tenant, table=True):
    """The last sequence number of an organisation's feed."""

    __tablename__ = "feed_head"
    seq: int = Field(default=0, sa_type=BigInteger)


class FeedEntry(Tenant, table=True):
    """One change. `data` holds shown ids and flags, never a message's text."""

    __tablename__ = "feed_entry"
    __table_args__ = (Index("feed_entry_age", "organisation_id", "at"),)
    seq: int = Field(sa_type=BigInteger, primary_key=True)
    at: datetime = when()
    kind: str
    data: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


@dataclass(frozen=True, slots=True)
class Change:
    """A feed entry as it is read: `seq` is the browser's cursor."""

    seq: int
    kind: str
    data: dict[str, Any]


def note_change(unit: UnitOfWork, kind: str, data: dict[str, Any]) -> None:
    """Tell every open page of the organisation, once this transaction has committed."""
    unit.notes.setdefault("feed", []).append((kind, data))
    unit.before_commit(Last.FEED, _append)


async def _append(unit: UnitOfWork) -> None:
    changes: list[tuple[str, dict[str, Any]]] = unit.notes.pop("feed")
    head = await unit.sql.fetchval(
        """
        WITH head AS (
            UPDATE feed_head SET seq = seq + $2 WHERE organisation_id = $1 RETURNING seq
        ), entries AS (
            INSERT INTO feed_entry (organisation_id, seq, at, kind, data)
            SELECT $1, head.seq - $2 + row.no, $3, row.kind, row.data::jsonb
            FROM head, unnest($4::text[], $5::text[]) WITH ORDINALITY AS row(kind, data, no)
        )
        SELECT seq FROM head
        """,
        unit.tenant,
        len(changes),
        clock.now(),
        [kind for kind, _ in changes],
        [orjson.dumps(data).decode() for _, data in changes],
    )
    if head is None:
        raise RuntimeError("the organisation has no feed head")
    tenant = unit.tenant
    unit.after_commit(lambda: unit.nudges.announce(tenant, head))


async def last_seq(unit: UnitOfWork) -> int:
    """Where the feed stands: the cursor of a page that is drawn in this transaction."""
    return int(await unit.sql.fetchval("SELECT seq FROM feed_head WHERE organisation_id = $1", unit.tenant) or 0)


async def changes_after(database: Database, organisation_id: UUID, seq: int, *, limit: int = 500) -> list[Change] | None:
    """The entries after a cursor, oldest first; None when they are older than the feed is kept, so the page must reload."""
    async with database.unit_of_work(organisation_id) as unit:
        head = await last_seq(unit)  # before the entries: what is committed in between must not look like trimmed
        rows = await unit.sql.fetch(
            "SELECT seq, kind, data FROM feed_entry WHERE organisation_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
            organisation_id,
            seq,
            limit,
        )
    if not rows:
        return [] if head <= seq else None
    if rows[0]["seq"] != seq + 1:
        return None
    return [Change(row["seq"], row["kind"], row["data"]) for row in rows]


async def create_feed(unit: UnitOfWork) -> None:
    """Give a new organisation its feed."""
    await unit.sql.execute("INSERT INTO feed_head (organisation_id, seq) VALUES ($1, 0)", unit.tenant)


async def trim_feed(unit: UnitOfWork, before: datetime, *, batch: int = 5000) -> int:
    """Drop entries older than `before`, at most one batch; how many went."""
    return int(
        await unit.sql.fetchval(
            """
            WITH old AS (
                SELECT seq FROM feed_entry WHERE organisation_id = $1 AND at < $2 ORDER BY at LIMIT $3
            ), gone AS (
                DELETE FROM feed_entry WHERE organisation_id = $1 AND seq IN (SELECT seq FROM old) RETURNING 1
            )
            SELECT count(*) FROM gone
            """,
            unit.tenant,
            before,
            batch,
        )
    )
