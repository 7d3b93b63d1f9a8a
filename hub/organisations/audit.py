"""The audit log: who did what, with member and session (R-047). Append-only: no role may change or delete an entry.

Its entries are chained like those of the consent ledger (R-310): each holds the hash of the one before, and `audit_head` the last
one. So an entry that was changed, taken away or put in behind the hub's back is found, and named, by `audit_check.py`.

    hash   SHA-256(previous hash, organisation, seq, at, id, member, session, SHA-256 of action, of target, of detail)

`at` is microseconds since 1970 in eight bytes, an absent member or session sixteen zero bytes, detail the text that PostgreSQL
gives for the stored value, which is the same for the same value.
"""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from hub.core import clock, ids
from hub.core.db import Last, UnitOfWork
from hub.organisations.actor import Access

EMPTY: Final = bytes(hashlib.sha256().digest_size)
"""What the first entry has before it."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOBODY: Final = UUID(int=0)


async def record(unit: UnitOfWork, access: Access | None, action: str, target: str, detail: dict[str, Any]) -> None:
    """Write down one change in the transaction that makes it; it gets its number right before the commit.

    `action` is `thing.done` (`member.deactivated`), `target` the shown id of what changed, `detail` what was agreed or set, never
    a secret or a message body (I10). `access` is None when no signed-in person acted.
    """
    member_id, session_id = (access.member_id, access.session_id) if access else (None, None)
    await record_by(unit, member_id, session_id, action, target, detail)


async def record_by(
    unit: UnitOfWork, member_id: UUID | None, session_id: UUID | None, action: str, target: str, detail: dict[str, Any]
) -> None:
    """The same for who became a member in this very transaction and has no `Access` yet."""
    entry = (ids.new_id(), clock.now(), member_id, session_id, action, target, json.dumps(detail))
    unit.notes.setdefault("audit", []).append(entry)
    unit.before_commit(Last.AUDIT, _append)


async def begin_audit(unit: UnitOfWork) -> None:
    """Give a new organisation its log."""
    await unit.sql.execute("INSERT INTO audit_head (organisation_id, seq, hash) VALUES ($1, 0, $2)", unit.tenant, EMPTY)


async def _append(unit: UnitOfWork) -> None:
    """Number the entries of this transaction and chain them to the organisation's head, which stays locked until the commit."""
    entries: list[tuple[Any, ...]] = unit.notes.pop("audit")
    head = await unit.sql.fetchrow("SELECT seq, hash FROM audit_head WHERE organisation_id = $1 FOR UPDATE", unit.tenant)
    if head is None:
        raise RuntimeError("the organisation has no audit head")
    stored = await unit.sql.fetch(
        "SELECT detail::jsonb::text AS detail FROM unnest($1::text[]) WITH ORDINALITY AS row(detail, no) ORDER BY no",
        [entry[-1] for entry in entries],
    )
    seq, previous = head["seq"], head["hash"]
    rows = []
    for entry, row in zip(entries, stored, strict=True):
        seq += 1
        here = link(previous, unit.tenant, seq, *(*entry[:-1], row["detail"]))
        rows.append((*entry[:-1], row["detail"], seq, previous, here))
        previous = here
    await unit.sql.execute(
        """
        INSERT INTO audit_entry (organisation_id, id, at, member_id, session_id, action, target, detail, seq, previous_hash, hash)
        SELECT $1, id, at, member_id, session_id, action, target, detail::jsonb, seq, previous_hash, hash
        FROM unnest($2::uuid[], $3::timestamptz[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::bigint[],
                    $10::bytea[], $11::bytea[])
            AS row(id, at, member_id, session_id, action, target, detail, seq, previous_hash, hash)
        """,
        unit.tenant,
        *(list(column) for column in zip(*rows, strict=True)),
    )
    await unit.sql.execute("UPDATE audit_head SET seq = $2, hash = $3 WHERE organisation_id = $1", unit.tenant, seq, previous)


def link(
    previous: bytes,
    organisation_id: UUID,
    seq: int,
    id: UUID,
    at: datetime,
    member_id: UUID | None,
    session_id: UUID | None,
    action: str,
    target: str,
    detail: str,
) -> bytes:
    """The hash of an entry; the parts as told on top of this file, all of fixed length."""
    microseconds = (at - _EPOCH) // timedelta(microseconds=1)
    who = id.bytes + (member_id or _NOBODY).bytes + (session_id or _NOBODY).bytes
    said = b"".join(hashlib.sha256(text.encode()).digest() for text in (action, target, detail))
    fixed = organisation_id.bytes + seq.to_bytes(8) + microseconds.to_bytes(8, signed=True) + who
    return hashlib.sha256(previous + fixed + said).digest()
