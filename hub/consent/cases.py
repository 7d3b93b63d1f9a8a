"""Cases of prohibited use (R-201, R-230, R-233): from the report to its closing, in the steps of III.9.8.

(i)    reported to operator and provider at once: the deadline runs from the report
(ii)   the five fields of each message, exported for the provider
(iii)  what caused it is disconnected, or it is written down why not; before that no case closes
"""

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from hub.consent.message_evidence import FIELDS, Evidence, open_evidence, seal_evidence
from hub.core import clock, ids
from hub.core.calendar import after_hours
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, InvalidInput, NotFound
from hub.core.vault import Vault
from hub.organisations import audit
from hub.organisations.actor import Access

CATEGORIES: Final = (
    "data_protection", "provider_terms", "hate", "pornography", "youth", "extremism", "unlawful", "third_party_rights", "malware",
    "spreading", "overload", "marks", "licence_bypass",
)  # fmt: skip
"""R-230, in its order."""
REPORT_WITHIN_HOURS: Final = 24
"""DECISION: "at once" (III.9.8) is within a day of the report."""
LONGEST: Final = 2000
SOURCES: Final = ("person", "member", "channel")
"""What can be disconnected, the mildest means first (R-234)."""


class SourceOpen(Conflict):
    """Step (iii) is neither done nor refused with a reason: the case cannot be closed."""

    code = "case_source_open"


@dataclass(frozen=True, slots=True)
class Reported:
    """A message that is reported. `author_id`: the member who wrote it."""

    message_id: UUID
    channel_id: UUID
    at: datetime
    evidence: Evidence
    author_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A case as it is shown. `repeats`: the number of a closed case before it (R-202)."""

    id: UUID
    number: str
    categories: list[str]
    note: str
    opened_at: datetime
    due_at: datetime
    repeats: str
    exported_at: datetime | None
    source: str
    source_name: str
    blocked_at: datetime | None
    not_blocked_reason: str
    closed_at: datetime | None
    messages: int

    @property
    def is_source_settled(self) -> bool:
        return self.blocked_at is not None or bool(self.not_blocked_reason)

    def is_late(self, now: datetime) -> bool:
        """Whether the deadline passed before it was told to the provider."""
        return self.exported_at is None and self.closed_at is None and now >= self.due_at


async def open_case(
    unit: UnitOfWork,
    vault: Vault,
    access: Access | None,
    *,
    categories: Sequence[str],
    note: str,
    messages: Sequence[Reported] = (),
    is_ours: bool = False,
) -> tuple[UUID, str]:
    """File a report; id and number. `is_ours`: about messages of the organisation itself, so that one after a closed case is a
    repeat. InvalidInput names the field."""
    if not categories or not set(categories) <= set(CATEGORIES):
        raise InvalidInput("at least one of the categories", field="categories")
    if len(note) > LONGEST:
        raise InvalidInput(f"at most {LONGEST} characters", field="note")
    repeats = await _closed_before(unit) if is_ours else None
    case_id, now, number = ids.new_id(), clock.now(), None
    while number is None:  # two cases at once: the second waits for the first and takes the next number
        number = await unit.sql.fetchval(
            """
            INSERT INTO abuse_case (organisation_id, id, number, categories, note, opened_at, opened_by, due_at, repeats, source,
                                    source_name, not_blocked_reason)
            SELECT $1, $2, $3 || lpad((COALESCE(max(split_part(number, '-', 3)::int), 0) + 1)::text, 4, '0'), $4, $5, $6, $7, $8,
                   $9, '', '', ''
            FROM abuse_case WHERE organisation_id = $1 AND number LIKE $3 || '%'
            ON CONFLICT (organisation_id, number) DO NOTHING RETURNING number
            """,
            unit.tenant,
            case_id,
            f"F-{now.year}-",
            [one for one in CATEGORIES if one in categories],
            note.strip(),
            now,
            access.member_id if access else None,
            after_hours(now, REPORT_WITHIN_HOURS),
            repeats,
        )
    for one in messages:
        row_id = ids.new_id()
        await unit.sql.execute(
            """
            INSERT INTO case_message (organisation_id, id, case_id, message_id, channel_id, author_id, at, evidence_sealed)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            unit.tenant,
            row_id,
            case_id,
            one.message_id,
            one.channel_id,
            one.author_id,
            one.at,
            seal_evidence(vault, one.evidence, organisation_id=unit.tenant, table="case_message", row_id=row_id),
        )
    await audit.record(unit, access, "case.opened", number, {"categories": list(categories), "messages": len(messages)})
    return case_id, number


async def _closed_before(unit: UnitOfWork) -> UUID | None:
    found: UUID | None = await unit.sql.fetchval(
        "SELECT id FROM abuse_case WHERE organisation_id = $1 AND closed_at IS NOT NULL ORDER BY closed_at DESC LIMIT 1",
        unit.tenant,
    )
    return found


_CASES: Final = """
SELECT c.id, c.number, c.categories, c.note, c.opened_at, c.due_at, COALESCE(before.number, '') AS repeats, c.exported_at, c.source,
       c.source_name, c.blocked_at, c.not_blocked_reason, c.closed_at,
       (SELECT count(*) FROM case_message m WHERE m.organisation_id = c.organisation_id AND m.case_id = c.id) AS messages
FROM abuse_case c
LEFT JOIN abuse_case before ON before.organisation_id = c.organisation_id AND before.id = c.repeats
WHERE c.organisation_id = $1
"""


async def list_cases(unit: UnitOfWork) -> list[Case]:
    """All cases, the newest first."""
    return [Case(**row) for row in await unit.sql.fetch(f"{_CASES} ORDER BY c.opened_at DESC, c.number DESC", unit.tenant)]


async def read_case(unit: UnitOfWork, case_id: UUID) -> Case:
    """One case; NotFound."""
    row = await unit.sql.fetchrow(f"{_CASES} AND c.id = $2", unit.tenant, case_id)
    if row is None:
        raise NotFound("no such case")
    return Case(**row)


async def read_evidence(unit: UnitOfWork, vault: Vault, case_id: UUID) -> list[Evidence]:
    """The five fields of each message of a case, oldest first."""
    rows = await unit.sql.fetch(
        "SELECT id, evidence_sealed FROM case_message WHERE organisation_id = $1 AND case_id = $2 ORDER BY at, id",
        unit.tenant,
        case_id,
    )
    return [
        open_evidence(vault, row["evidence_sealed"], organisation_id=unit.tenant, table="case_message", row_id=row["id"])
        for row in rows
    ]


async def export(unit: UnitOfWork, vault: Vault, access: Access, case_id: UUID) -> tuple[str, bytes]:
    """The case for the provider (R-313): name and bytes of a ZIP with JSON and CSV. The first export stops the
    deadline. NotFound."""
    case = await read_case(unit, case_id)
    evidence = await read_evidence(unit, vault, case_id)
    told = {
        "number": case.number,
        "categories": case.categories,
        "note": case.note,
        "reported_at": case.opened_at.isoformat(),
        "exported_at": clock.now().isoformat(),
        "source_disconnected_at": case.blocked_at.isoformat() if case.blocked_at else None,
        "messages": [asdict(one) for one in evidence],
    }
    table = io.StringIO()
    writer = csv.DictWriter(table, FIELDS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in asdict(one).items()} for one in evidence)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("case.json", json.dumps(told, ensure_ascii=False, indent=2))
        archive.writestr("messages.csv", "\ufeff" + table.getvalue())
    await unit.sql.execute(
        "UPDATE abuse_case SET exported_at = COALESCE(exported_at, $3) WHERE organisation_id = $1 AND id = $2",
        unit.tenant,
        case_id,
        clock.now(),
    )
    await audit.record(unit, access, "case.exported", case.number, {"messages": len(evidence)})
    return f"{case.number}.zip", packed.getvalue()


def _cell(value: str) -> str:
    """A spreadsheet takes a text that begins like this for a formula; a telephone number is harmless."""
    begins = value[:1] in ("=", "+", "-", "@", "\t", "\r") and not value.removeprefix("+").isdigit()
    return f"'{value}" if begins else value


async def note_source(unit: UnitOfWork, access: Access, case_id: UUID, source: str, name: str) -> None:
    """Step (iii) is done: this was disconnected."""
    await unit.sql.execute(
        """
        UPDATE abuse_case SET source = $3, source_name = $4, blocked_at = $5, not_blocked_reason = ''
        WHERE organisation_id = $1 AND id = $2
        """,
        unit.tenant,
        case_id,
        source,
        name,
        clock.now(),
    )
    await audit.record(unit, access, "case.source_disconnected", ids.show("case", case_id), {"source": source})


async def refuse_source(unit: UnitOfWork, access: Access, case_id: UUID, reason: str) -> None:
    """Step (iii) is not done, for this reason. InvalidInput, NotFound."""
    if not reason.strip() or len(reason) > LONGEST:
        raise InvalidInput("a reason is needed", field="reason")
    await read_case(unit, case_id)
    await unit.sql.execute(
        "UPDATE abuse_case SET not_blocked_reason = $3 WHERE organisation_id = $1 AND id = $2 AND blocked_at IS NULL",
        unit.tenant,
        case_id,
        reason.strip(),
    )
    await audit.record(unit, access, "case.source_kept", ids.show("case", case_id), {})


async def close(unit: UnitOfWork, access: Access, case_id: UUID) -> None:
    """Close a case. SourceOpen before step (iii); NotFound."""
    case = await read_case(unit, case_id)
    if not case.is_source_settled:
        raise SourceOpen(f"{case.number}: the source is neither disconnected nor kept with a reason")
    await unit.sql.execute(
        "UPDATE abuse_case SET closed_at = $3, closed_by = $4 WHERE organisation_id = $1 AND id = $2 AND closed_at IS NULL",
        unit.tenant,
        case_id,
        clock.now(),
        access.member_id,
    )
    await audit.record(unit, access, "case.closed", case.number, {})
