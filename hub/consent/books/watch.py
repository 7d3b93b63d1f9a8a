"""The daily care for each organisation's books, found by its time in `ledger_watch`, never waited for: the day before is sealed
(`hub/inbox/sending/uses.py`), a checkpoint is signed, ledger and audit log are checked, and what was found is kept for the page.

    due_books    organisations whose time has come
    claim        one of them for this worker; what a worker that dies leaves undone is due again after an hour
    check        checkpoint, check, and the next time
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from hub.consent.books.checkpoints import make_checkpoint
from hub.consent.books.verify import verify_ledger
from hub.core import clock
from hub.core.calendar import day_of
from hub.core.db import UnitOfWork
from hub.organisations.audit_check import verify_audit
from hub.runtime import Runtime

log = structlog.get_logger()

CARE_AT: Final = time(6)
"""When the day's care is due, in the organisation's zone: before people come."""
AGAIN_AFTER: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Watch:
    """What the last check found (`models.LedgerWatch`)."""

    checked_at: datetime
    ledger_seq: int
    ledger_problem: str
    audit_seq: int
    audit_problem: str


async def due_books(unit: UnitOfWork) -> list[tuple[UUID, ZoneInfo]]:
    """Organisations whose time has come, with their zone. Needs a system unit."""
    rows = await unit.sql.fetch(
        """
        SELECT o.id, o.zone FROM organisation o LEFT JOIN ledger_watch w ON w.organisation_id = o.id
        WHERE w.due_at IS NULL OR w.due_at <= $1 ORDER BY o.id
        """,
        clock.now(),
    )
    return [(row["id"], ZoneInfo(row["zone"])) for row in rows]


async def claim(unit: UnitOfWork, zone: ZoneInfo) -> list[date] | None:
    """Take an organisation's care on, and which days are still to be sealed; None: somebody else has. At the first time that is
    yesterday."""
    now = clock.now()
    row = await unit.sql.fetchrow(
        """
        INSERT INTO ledger_watch (organisation_id, due_at, ledger_seq, ledger_problem, audit_seq, audit_problem)
        VALUES ($1, $2, 0, '', 0, '')
        ON CONFLICT (organisation_id) DO UPDATE SET due_at = excluded.due_at WHERE ledger_watch.due_at <= $3
        RETURNING uses_until
        """,
        unit.tenant,
        now + AGAIN_AFTER,
        now,
    )
    if row is None:
        return None
    yesterday = day_of(now, zone) - timedelta(days=1)
    first = row["uses_until"] + timedelta(days=1) if row["uses_until"] else yesterday
    return [first + timedelta(days=number) for number in range((yesterday - first).days + 1)]


async def note_sealed(unit: UnitOfWork, day: date) -> None:
    """The uses of this day, and of all before it, are in the ledger."""
    await unit.sql.execute("UPDATE ledger_watch SET uses_until = $2 WHERE organisation_id = $1", unit.tenant, day)


async def check(runtime: Runtime, organisation_id: UUID, zone: ZoneInfo) -> None:
    """Sign a checkpoint, check ledger and audit log, keep what was found and when the next time is."""
    async with runtime.database.unit_of_work(organisation_id) as unit:
        await make_checkpoint(unit, runtime.vault)
    async with runtime.database.unit_of_work(organisation_id) as unit:
        ledger = await verify_ledger(unit, runtime.vault)
    async with runtime.database.unit_of_work(organisation_id) as unit:
        audit = await verify_audit(unit)
    problem = ledger.broken.problem if ledger.broken else "astray" if ledger.astray else ""
    if problem or audit.problem:
        log.error("books_broken", organisation=str(organisation_id), ledger=problem, audit=audit.problem or "")
    now = clock.now()
    async with runtime.database.unit_of_work(organisation_id) as unit:
        await unit.sql.execute(
            """
            UPDATE ledger_watch SET due_at = $2, checked_at = $3, ledger_seq = $4, ledger_problem = $5, audit_seq = $6,
                   audit_problem = $7
            WHERE organisation_id = $1
            """,
            unit.tenant,
            datetime.combine(day_of(now, zone) + timedelta(days=1), CARE_AT, zone),
            now,
            ledger.broken.seq if ledger.broken else ledger.entries,
            problem,
            audit.seq,
            audit.problem or "",
        )


async def read_watch(unit: UnitOfWork) -> Watch | None:
    """What the last check found; None before the first one."""
    row = await unit.sql.fetchrow(
        """
        SELECT checked_at, ledger_seq, ledger_problem, audit_seq, audit_problem FROM ledger_watch
        WHERE organisation_id = $1 AND checked_at IS NOT NULL
        """,
        unit.tenant,
    )
    return Watch(**row) if row else None
