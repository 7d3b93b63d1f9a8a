"""The gate's decisions as they are kept, and each of them explained step by step."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, cast
from uuid import UUID

from hub.consent.gate import STEP_OF, STEPS, Decision, Step, Verdict
from hub.core.db import UnitOfWork
from hub.core.errors import NotFound

ROWS: Final = 50
Outcome = Literal["passed", "stopped", "waits", "later"]
_OUTCOMES: Final[dict[str, Outcome]] = {"refuse": "stopped", "defer": "waits", "hold": "waits"}


@dataclass(frozen=True, slots=True)
class Kept:
    """A decision with what it was about. `person` and `text` are empty where there is no conversation or message."""

    id: UUID
    at: datetime
    stage: str
    verdict: str
    rule: str
    evidence: dict[str, Any]
    until: datetime | None
    conversation_id: UUID | None
    message_id: UUID | None
    purpose_id: UUID | None
    connector: str
    channel: str
    person: str
    by: str
    text: str

    def as_decision(self) -> Decision:
        """The decision itself."""
        return Decision(cast("Verdict", self.verdict), self.rule, self.evidence, self.until)


_SELECT: Final = """
SELECT d.id, d.at, d.stage, d.verdict, d.rule, d.evidence, d.until, d.conversation_id, d.message_id, d.purpose_id,
       COALESCE(h.connector, '') AS connector, COALESCE(h.title, '') AS channel, COALESCE(k.name, '') AS person,
       COALESCE(p.name, '') AS by, COALESCE(left(m.text, 200), '') AS text
FROM gate_decision d
LEFT JOIN conversation c ON c.organisation_id = d.organisation_id AND c.id = d.conversation_id
LEFT JOIN channel h ON h.organisation_id = c.organisation_id AND h.id = c.channel_id
LEFT JOIN contact k ON k.organisation_id = c.organisation_id AND k.id = c.contact_id
LEFT JOIN message m ON m.organisation_id = d.organisation_id AND m.id = d.message_id
LEFT JOIN member b ON b.organisation_id = d.organisation_id AND b.id = COALESCE(d.member_id, m.author_id)
LEFT JOIN person p ON p.id = b.person_id
WHERE d.organisation_id = $1
"""


async def list_decisions(
    unit: UnitOfWork, *, verdict: str, rule: str, place: tuple[datetime, UUID]
) -> tuple[list[Kept], tuple[datetime, UUID] | None]:
    """A page of decisions, the newest first, of one verdict and one rule where they are named; and the place after which the next
    page goes on."""
    rows = await unit.sql.fetch(
        f"""
        {_SELECT} AND ($2 = '' OR d.verdict = $2) AND ($3 = '' OR d.rule = $3) AND (d.at, d.id) < ($4, $5)
        ORDER BY d.at DESC, d.id DESC LIMIT $6
        """,
        unit.tenant,
        verdict,
        rule,
        *place,
        ROWS + 1,
    )
    found = [Kept(**row) for row in rows]
    return found[:ROWS], (found[ROWS - 1].at, found[ROWS - 1].id) if len(found) > ROWS else None


async def read_kept(unit: UnitOfWork, decision_id: UUID) -> Kept:
    """One decision; NotFound."""
    row = await unit.sql.fetchrow(f"{_SELECT} AND d.id = $2", unit.tenant, decision_id)
    if row is None:
        raise NotFound("no such decision")
    return Kept(**row)


def explain(verdict: str, rule: str) -> list[tuple[Step, Outcome]]:
    """What became of each step of the gate: those before the one that spoke were passed, those after it were not asked."""
    spoke = STEP_OF.get(rule)
    if verdict == "allow" or spoke is None:
        return [(step, "passed") for step in STEPS]
    order = list(STEPS)
    place = order.index(spoke)
    before: list[tuple[Step, Outcome]] = [(step, "passed") for step in order[:place]]
    return [*before, (spoke, _OUTCOMES[verdict]), *((step, "later") for step in order[place + 1 :])]
