"""Lists of agreements (R-222), in two steps: checked, then, once somebody has said so, taken over.

check   the list is read to its end; nothing is written but how many rows are good, and which are refused and why
start   from here on it runs, in whatever process sweeps
work    PIECE rows at a time: their locks, their entries hashed in memory, one update of the ledger's head, and how far it got,
        in one transaction; so a crash repeats nothing and skips nothing. A piece is small enough for PostgreSQL's lock table
"""

import asyncio
import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from hub.consent import purposes
from hub.consent.agreeing import import_rows, papers, roads
from hub.consent.agreeing.import_rows import BadRow, GoodRow, Known, read_rows
from hub.consent.agreeing.papers import Paper
from hub.consent.books.chain import Change
from hub.consent.purposes import Wording
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, InvalidInput, NotFound
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.runtime import Runtime

log = structlog.get_logger()

PIECE: Final = 1000
PIECES_AT_ONCE: Final = 5
"""Pieces of one list in one pass of the sweeper, so that nothing else waits long."""
LISTED: Final = 200
"""Refused rows that are kept by number; all of them are counted."""


@dataclass(frozen=True, slots=True)
class Import:
    """A list and how far it is; as `models.ConsentImport`."""

    id: UUID
    name: str
    state: str
    rows: int
    good: int
    refused: list[tuple[int, str]]
    reasons: Mapping[str, int]
    done_rows: int
    by: str
    created_at: datetime

    @property
    def shown(self) -> str:
        return ids.show("imp", self.id)

    @property
    def bad(self) -> int:
        return self.rows - self.good


async def check(runtime: Runtime, access: Access, paper: Paper) -> UUID:
    """Read a stored list and keep what is in it; the import's id. InvalidInput(field="file") when it is no such list."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        known = await _known(runtime, unit)
    good, refused, reasons = await asyncio.to_thread(_count, runtime, access.organisation_id, paper.id, known)
    rows = good + sum(reasons.values())
    if not rows:
        raise InvalidInput("the list has no rows", field="file", reason="empty")
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await papers.use_paper(unit, paper.id)
        await unit.sql.execute(
            """
            INSERT INTO consent_import (organisation_id, id, state, rows, good, refused, reasons, done_rows, member_id, created_at)
            VALUES ($1, $2, 'checked', $3, $4, $5::jsonb, $6::jsonb, 0, $7, $8)
            """,
            unit.tenant,
            paper.id,
            rows,
            good,
            json.dumps([[one.number, one.reason] for one in refused]),
            json.dumps(dict(reasons)),
            access.member_id,
            clock.now(),
        )
        detail = {"name": paper.name, "sha256": paper.sha256.hex(), "rows": rows, "good": good}
        await audit.record(unit, access, "import.checked", ids.show("imp", paper.id), detail)
    return paper.id


def _count(runtime: Runtime, organisation_id: UUID, paper_id: UUID, known: Known) -> tuple[int, list[BadRow], Counter[str]]:
    good, refused, reasons = 0, list[BadRow](), Counter[str]()
    with _lines(runtime, organisation_id, paper_id) as lines:
        try:
            for row in read_rows(lines, known):
                if isinstance(row, GoodRow):
                    good += 1
                    continue
                reasons[row.reason] += 1
                if len(refused) < LISTED:
                    refused.append(row)
        except UnicodeDecodeError:
            raise InvalidInput("not UTF-8", field="file", reason="encoding") from None
    return good, refused, reasons


async def start(runtime: Runtime, access: Access, import_id: UUID) -> None:
    """Take the good rows over. NotFound; Conflict when that was said before."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        row = await unit.sql.fetchrow(
            """
            UPDATE consent_import SET state = 'running', started_at = $3, member_id = $4
            WHERE organisation_id = $1 AND id = $2 AND state = 'checked' AND good > 0 RETURNING good
            """,
            unit.tenant,
            import_id,
            clock.now(),
            access.member_id,
        )
        if row is None:
            await read_import(unit, import_id)
            raise Conflict("this list is taken over already, or has no good row", field="file")
        await audit.record(unit, access, "import.started", ids.show("imp", import_id), {"rows": row["good"]})


async def list_imports(unit: UnitOfWork) -> list[Import]:
    """All lists, the newest first."""
    return [_import(row) for row in await unit.sql.fetch(_READ, unit.tenant, None)]


async def read_import(unit: UnitOfWork, import_id: UUID) -> Import:
    """One of them; NotFound."""
    row = await unit.sql.fetchrow(_READ, unit.tenant, import_id)
    if row is None:
        raise NotFound("no such import")
    return _import(row)


_READ: Final = """
SELECT i.id, f.name, i.state, i.rows, i.good, i.refused, i.reasons, i.done_rows, p.name AS by, i.created_at
FROM consent_import i
JOIN consent_file f ON f.organisation_id = i.organisation_id AND f.id = i.id
JOIN member m ON m.organisation_id = i.organisation_id AND m.id = i.member_id
JOIN person p ON p.id = m.person_id
WHERE i.organisation_id = $1 AND ($2::uuid IS NULL OR i.id = $2) ORDER BY i.created_at DESC, i.id
"""


def _import(row: Any) -> Import:
    values = dict(row)
    values["refused"] = [(number, reason) for number, reason in values["refused"]]
    return Import(**values)


async def work(runtime: Runtime) -> int:
    """Take over a few pieces of each list that runs; how many pieces."""
    async with runtime.database.system() as unit:
        running = await unit.sql.fetch("SELECT organisation_id, id FROM consent_import WHERE state = 'running'")
    pieces = 0
    for row in running:
        for _ in range(PIECES_AT_ONCE):
            if not await _take_piece(runtime, row["organisation_id"], row["id"]):
                break
            pieces += 1
    return pieces


async def _take_piece(runtime: Runtime, organisation_id: UUID, import_id: UUID) -> bool:
    """The next piece; False when another process is at it or it was the last."""
    async with runtime.database.unit_of_work(organisation_id) as unit:
        row = await unit.sql.fetchrow(
            """
            SELECT i.done_rows, i.started_at, i.member_id, f.sha256 FROM consent_import i
            JOIN consent_file f ON f.organisation_id = i.organisation_id AND f.id = i.id
            WHERE i.organisation_id = $1 AND i.id = $2 AND i.state = 'running' FOR UPDATE OF i SKIP LOCKED
            """,
            unit.tenant,
            import_id,
        )
        if row is None:
            return False
        known = await _known(runtime, unit)
        piece = await asyncio.to_thread(_piece, runtime, organisation_id, import_id, known, row["done_rows"])
        good = [one for one in piece if isinstance(one, GoodRow)]
        proof = {
            "file": f"{ids.show('file', import_id)} sha256:{row['sha256'].hex()}",
            "imported_by": ids.show("mem", row["member_id"]),
        }
        changes = [_change(one, proof) for one in good]
        if changes:
            await roads.write(runtime, unit, changes)
        is_last = len(piece) < PIECE
        await unit.sql.execute(
            """
            UPDATE consent_import SET done_rows = done_rows + $3, state = CASE WHEN $4 THEN 'done' ELSE state END,
                   done_at = CASE WHEN $4 THEN $5::timestamptz END
            WHERE organisation_id = $1 AND id = $2
            """,
            unit.tenant,
            import_id,
            len(piece),
            is_last,
            clock.now(),
        )
    log.info("import", rows=len(good), done=is_last)
    return not is_last


def _piece(runtime: Runtime, organisation_id: UUID, import_id: UUID, known: Known, done_rows: int) -> list[GoodRow | BadRow]:
    with _lines(runtime, organisation_id, import_id) as lines:
        return list(islice(read_rows(lines, known), done_rows, done_rows + PIECE))


def _lines(runtime: Runtime, organisation_id: UUID, paper_id: UUID) -> io.TextIOWrapper:
    """A stored list from its start."""
    return io.TextIOWrapper(runtime.storage.open(organisation_id, paper_id), "utf-8", newline="")


def _change(row: GoodRow, proof: Mapping[str, str]) -> Change:
    evidence = {**row.evidence, **proof, "row": str(row.number), **roads.worded(row.wording, row.version, row.language)}
    return Change(*row.key, "granted", row.at, evidence, purpose_id=row.purpose_id)


async def _known(runtime: Runtime, unit: UnitOfWork) -> Known:
    """What rows are read against now. What the check knew may have changed: a row that is bad by now is passed over."""
    offered = {purpose.key: purpose.id for purpose in await purposes.list_purposes(unit)}
    channels = await unit.sql.fetch("SELECT id, connector FROM channel WHERE organisation_id = $1", unit.tenant)
    texts = await unit.sql.fetch(
        """
        SELECT p.key, t.version, t.language, t.name, t.text FROM purpose_text t
        JOIN purpose p ON p.organisation_id = t.organisation_id AND p.id = t.purpose_id WHERE t.organisation_id = $1
        """,
        unit.tenant,
    )
    zone = await unit.sql.fetchval("SELECT zone FROM organisation WHERE id = $1", unit.tenant)
    return Known(
        messengers={name: one.capabilities.address_scope == "channel" for name, one in runtime.connectors.items()},
        channels={ids.show("chn", row["id"]): (row["connector"], row["id"]) for row in channels},
        purposes=offered,
        words={(row["key"], row["version"], row["language"]): Wording(row["name"], row["text"]) for row in texts},
        zone=ZoneInfo(zone),
        now=clock.now(),
    )


COLUMNS: Final = (*import_rows.NEEDED, *import_rows.OPTIONAL)
"""What the page names."""
