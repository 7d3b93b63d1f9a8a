"""Whether the audit log is what was written into it (R-310): `hub audit verify`, and the daily check."""

from dataclasses import dataclass
from typing import Final, Literal

from hub.core.db import UnitOfWork
from hub.organisations.audit import EMPTY, link

BATCH: Final = 1000
Problem = Literal["missing", "link", "hash", "behind_head", "head"]
"""
missing      there is no entry of this number, and there are later ones, or the head names it
link         it does not name the hash of the entry before it
hash         a column was changed: its hash is another one
behind_head  it stands behind the last entry that the head names
head         the head names another hash for it
"""


@dataclass(frozen=True, slots=True)
class Checked:
    """`seq`: how many entries there are, or with a problem the first broken one."""

    seq: int
    problem: Problem | None = None


async def verify_audit(unit: UnitOfWork) -> Checked:
    """Go through the log in the order of its numbers, a batch at a time. Must be the first thing in its transaction, which only
    reads: writers go on meanwhile, and nothing is reported that was only half seen."""
    await unit.sql.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    head = await unit.sql.fetchrow("SELECT seq, hash FROM audit_head WHERE organisation_id = $1", unit.tenant)
    seq, previous, after = 0, EMPTY, None
    while True:
        rows = await unit.sql.fetch(
            """
            SELECT id, at, member_id, session_id, action, target, detail::text, seq, previous_hash, hash FROM audit_entry
            WHERE organisation_id = $1 AND ($2::bigint IS NULL OR seq > $2) ORDER BY seq LIMIT $3
            """,
            unit.tenant,
            after,
            BATCH,
        )
        for row in rows:
            seq += 1
            values = dict(row)
            number, before, here = values.pop("seq"), values.pop("previous_hash"), values.pop("hash")
            if number != seq:
                return Checked(min(number, seq), "behind_head" if number < seq else "missing")
            if before != previous:
                return Checked(seq, "link")
            if here != link(previous, unit.tenant, seq, **values):
                return Checked(seq, "hash")
            if seq > head["seq"]:
                return Checked(seq, "behind_head")
            previous = here
        if len(rows) < BATCH:
            break
        after = rows[-1]["seq"]
    if seq < head["seq"]:
        return Checked(seq + 1, "missing")
    return Checked(seq) if previous == head["hash"] else Checked(seq, "head")
