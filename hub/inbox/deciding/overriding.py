"""Writing without a recorded consent (R-226): a rare, visible decision of a person with the right to make it.

It is itself an entry of the ledger, for one address and one purpose, with the reason in that person's words, and ends after a day.
It lifts the missing consent and nothing else: no stop, no block, no provider's rule, and nothing on a messenger that always needs
an opt-in. What has left under it is a candidate for a spam event like everything that left without consent (R-225), and the owners
are sent a list of all of it after each month's end.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.consent import locks
from hub.consent.books import aliases, ledger
from hub.consent.books.chain import Change, open_details
from hub.consent.purposes import read_purpose
from hub.core import clock, ids
from hub.core.calendar import day_of
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, InvalidInput
from hub.core.vault import Vault
from hub.inbox.sending.facts import Asked
from hub.inbox.sending.outbound import load_one
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.runtime import Runtime

LASTS: Final = timedelta(days=1)
SHORTEST: Final = 20
"""Characters of a reason below which nobody understands it a month later."""


class NoOverride(Conflict):
    """What stands against the message is not the business's to lift. `rule` in values names the gate's rule."""

    code = "no_override"


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month of the organisation's zone: its first day, and the instants at which it begins and ends."""

    first: date
    begins: datetime
    ends: datetime

    @property
    def shown(self) -> str:
        return f"{self.first:%Y-%m}"


def read_month(month: str, zone: ZoneInfo) -> Month:
    """A month as `2026-11`; empty: the present one. InvalidInput."""
    try:
        first = date.fromisoformat(f"{month}-01") if month else day_of(clock.now(), zone).replace(day=1)
    except ValueError as error:
        raise InvalidInput("a month looks like 2026-11", field="month") from error
    following = (first + timedelta(days=31)).replace(day=1)
    return Month(first, datetime.combine(first, time(), zone), datetime.combine(following, time(), zone))


@dataclass(frozen=True, slots=True)
class Override:
    """One decision to write without a recorded consent, as the month's report lists it. `sent`: messages that left under it."""

    seq: int
    at: datetime
    messenger: str
    address: str
    purpose_id: UUID
    by: str
    reason: str
    sent: int


async def override(runtime: Runtime, access: Access, conversation_id: UUID, purpose_id: UUID, reason: str) -> datetime:
    """Answer by name for writing to this person for this purpose; until when. InvalidInput (no reason), NotFound, NoOverride."""
    reason = reason.strip()
    if len(reason) < SHORTEST:
        raise InvalidInput(f"a reason of at least {SHORTEST} characters is needed", field="reason")
    now = clock.now()
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        purpose = await read_purpose(unit, purpose_id)
        recipient = await load_one(runtime, unit, Asked(conversation_id, purpose_id))
        facts = recipient.facts
        stands = {
            "opt_in_needed": facts.opt_in_always,
            "opted_out": facts.choice == "opted_out",
            "barred": facts.bar_at is not None,
            "person_blocked": facts.reach == "blocked",
            "marketing_stopped": facts.marketing == "stopped" and purpose.kind == "marketing",
        }
        for rule, holds in stands.items():
            if holds:
                raise NoOverride("this is not the business's to lift", rule=rule)
        people = await aliases.families(unit, [recipient.consent_key])
        await locks.lock_addresses(unit, people[recipient.consent_key])
        evidence = {"source": "agent", "method": "override", "actor": access.person_name, "note": reason}
        change = Change(*recipient.consent_key, "overridden", now, evidence, purpose_id=purpose_id, until=now + LASTS)
        await ledger.record(unit, runtime.vault, runtime.hooks, [change])
        detail = {"conversation": ids.show("conv", conversation_id), "purpose": purpose.key, "reason": reason}
        await audit.record(unit, access, "consent.overridden", ids.show("conv", conversation_id), detail)
    return now + LASTS


async def overrides_between(unit: UnitOfWork, vault: Vault, since: datetime, until: datetime) -> list[Override]:
    """All overrides of these days with what left under them, the oldest first; those of erased people are not told."""
    rows = await unit.sql.fetch(
        """
        SELECT e.seq, e.at, e.subject_id, e.details_sealed, s.key_sealed, s.messenger, s.address
        FROM consent_entry e JOIN consent_subject s ON s.organisation_id = e.organisation_id AND s.id = e.subject_id
        WHERE e.organisation_id = $1 AND e.kind = 'overridden' AND e.at >= $2 AND e.at < $3 ORDER BY e.seq
        """,
        unit.tenant,
        since,
        until,
    )
    counted = await unit.sql.fetch(
        """
        SELECT (d.evidence ->> 'entry')::bigint AS seq, count(DISTINCT d.message_id) AS sent
        FROM gate_decision d JOIN message m ON m.organisation_id = d.organisation_id AND m.id = d.message_id
        WHERE d.organisation_id = $1 AND d.rule = 'overridden' AND d.at >= $2
          AND m.state IN ('accepted', 'sent', 'delivered', 'read')
        GROUP BY 1
        """,
        unit.tenant,
        since,
    )
    sent = {row["seq"]: row["sent"] for row in counted}
    found = []
    for row in rows:
        said = open_details(vault, unit.tenant, row["subject_id"], row["key_sealed"], row["details_sealed"])
        evidence = said["evidence"]
        found.append(
            Override(
                row["seq"],
                row["at"],
                row["messenger"],
                row["address"],
                UUID(said["purpose"]),
                evidence["actor"],
                evidence["note"],
                sent.get(row["seq"], 0),
            )
        )
    return found
