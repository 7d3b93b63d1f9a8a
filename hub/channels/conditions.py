"""What the contract asks of a business before a messenger is opened, besides its provider's terms.

    seat        its registered seat lies in the messenger's territory (R-193)
    consent     the provider's written consent that its service may be passed on (R-190, also for the successor)
    industry    it belongs to none of the banned industries; asked again every year (R-197)
    region      messages stay in the allowed regions, or the business has consented in writing that they leave (R-262)

The business declares it in the set-up form; the newest declaration for each messenger is kept and checked whenever a channel is
switched on. A consent is named by its date and file number, and uploaded (`documents.py`).
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from babel import Locale

from hub.channels import history
from hub.channels.documents import read_documents
from hub.channels.providers import Provider, provider_of
from hub.core import clock
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict
from hub.organisations import audit, policy
from hub.organisations.actor import Access

ANY: Final = "any"
"""In `allowed_regions`: wherever it is."""
HERE: Final = "here"
"""The region of a messenger whose messages never leave this hub."""
NONE: Final = "none"
"""The answer of a business that belongs to no banned industry."""
INDUSTRIES: Final = (
    "gambling",
    "currencies",
    "credit",
    "pawnbroking",
    "tobacco_alcohol",
    "weapons_drugs",
    "open_portals",
    "politics",
    "religion",
    "spiritual",
    "competition",
)
"""The eleven classes of whappodo III.9.5 (i)-(xi)."""
WITH_CONSENT: Final = frozenset({"credit"})
"""Classes that the provider's prior written consent opens; for all others there is no way."""
NO_COUNTRIES: Final = frozenset({"EU", "EZ", "UN", "ZZ", "XA", "XB"})
"""Codes of the list of territories that are none."""
ASKED_AGAIN: Final = timedelta(days=365)


class ConditionNotMet(Conflict):
    """The contract does not let this business use the messenger, or not yet. `reason` is machine-readable and has words
    (`channels.condition.<reason>`), `field` is the answer that decides."""

    code = "condition_not_met"

    def __init__(self, reason: str, field: str) -> None:
        super().__init__(reason, field=field)
        self.reason = reason
        self.field = field


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of one messenger in one organisation. `territory` are country codes, empty for everywhere; `consent_of` is
    whose consent is needed; `leaves` are the regions outside the allowed ones that it uses."""

    territory: tuple[str, ...] = ()
    consent_of: str = ""
    asks_industry: bool = False
    leaves: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """The answers that are asked for."""
        asked = {
            "seat": bool(self.territory),
            "consent": bool(self.consent_of),
            "industry": self.asks_industry,
            "industry_consent": self.asks_industry,
            "region": bool(self.leaves),
        }
        return tuple(name for name, is_asked in asked.items() if is_asked)


TERRITORY: Final = {"threema": "threema.territory"}
"""The policy parameter that holds a messenger's territory (whappodo III.7.2)."""
CONSENT_OF: Final = {"google": "Google"}
"""Whose consent a messenger needs (whappodo III.4.2)."""
ASKS_INDUSTRY: Final = frozenset({"viber"})
"""Messengers with banned industries (whappodo III.9.5)."""
NEEDS_APPROVAL: Final = frozenset({"viber", "apple"})
"""Messengers whose provider approves each account (whappodo III.2, III.9.3): a new one is `applied`."""


async def conditions_of(unit: UnitOfWork, connector: str) -> Conditions:
    """What holds for a messenger in the unit's organisation."""
    territory: tuple[str, ...] = ()
    if connector in TERRITORY:
        territory = tuple((await policy.resolve(unit, TERRITORY[connector])).value)
    allowed = (await policy.resolve(unit, "allowed_regions")).value
    leaves = () if ANY in allowed else _outside(provider_of(connector), allowed)
    return Conditions(territory, CONSENT_OF.get(connector, ""), connector in ASKS_INDUSTRY, leaves)


def _outside(provider: Provider, allowed: list[str]) -> tuple[str, ...]:
    """Where a messenger goes beyond the allowed regions; one that says nothing may be anywhere."""
    return tuple(region for region in provider.regions or ("world",) if region not in (*allowed, HERE))


def check(conditions: Conditions, answers: Mapping[str, str], documents: Collection[str]) -> None:
    """Raises ConditionNotMet for the first condition that these answers do not meet. `documents` are the answers that are proved by
    one."""
    given = {name: answers.get(name, "").strip() for name in conditions.fields}
    if conditions.territory and given["seat"] not in conditions.territory:
        raise ConditionNotMet("territory", "seat")
    if conditions.consent_of and not given["consent"]:
        raise ConditionNotMet("consent", "consent")
    if conditions.asks_industry:
        if given["industry"] not in (NONE, *INDUSTRIES):
            raise ConditionNotMet("unanswered", "industry")
        if given["industry"] in WITH_CONSENT and not given["industry_consent"]:
            raise ConditionNotMet("industry_consent", "industry_consent")
        if given["industry"] not in (NONE, *WITH_CONSENT):
            raise ConditionNotMet("industry", "industry")
    if conditions.leaves and not given["region"]:
        raise ConditionNotMet("region", "region")
    for name in _consents(conditions, given):
        if name not in documents:
            raise ConditionNotMet("document", name)


def _consents(conditions: Conditions, given: Mapping[str, str]) -> list[str]:
    """Which of the answers are consents that are needed."""
    needed = {
        "consent": bool(conditions.consent_of),
        "industry_consent": given.get("industry") in WITH_CONSENT,
        "region": bool(conditions.leaves),
    }
    return [name for name, is_needed in needed.items() if is_needed]


async def declare(unit: UnitOfWork, access: Access, connector: str, answers: Mapping[str, str]) -> None:
    """Check what a business says and keep it, where there is anything to say. Raises ConditionNotMet."""
    conditions = await conditions_of(unit, connector)
    if not conditions.fields:
        return
    check(conditions, answers, await read_documents(unit, connector))
    kept = {name: answers.get(name, "").strip() for name in conditions.fields}
    await unit.sql.execute(
        """
        INSERT INTO channel_declaration (organisation_id, connector, answers, declared_at, declared_by)
        VALUES ($1, $2, $3::jsonb, $4, $5)
        ON CONFLICT (organisation_id, connector) DO UPDATE SET answers = $3::jsonb, declared_at = $4, declared_by = $5
        """,
        unit.tenant,
        connector,
        json.dumps(kept),
        clock.now(),
        access.member_id,
    )
    await audit.record(unit, access, "messenger.declared", connector, kept)
    await history.note_messenger(unit, connector, "declared", by=access)


async def read_answers(unit: UnitOfWork, connector: str) -> dict[str, str]:
    """What was declared last; nothing where nothing was."""
    answers: dict[str, str] | None = await unit.sql.fetchval(
        "SELECT answers FROM channel_declaration WHERE organisation_id = $1 AND connector = $2", unit.tenant, connector
    )
    return answers or {}


async def require(unit: UnitOfWork, connector: str) -> None:
    """Raises ConditionNotMet unless the newest declaration meets what holds today, and is not too old where it is asked again."""
    conditions = await conditions_of(unit, connector)
    row = await unit.sql.fetchrow(
        "SELECT answers, declared_at FROM channel_declaration WHERE organisation_id = $1 AND connector = $2", unit.tenant, connector
    )
    check(conditions, {} if row is None else row["answers"], await read_documents(unit, connector))
    if conditions.asks_industry and row["declared_at"] < clock.now() - ASKED_AGAIN:
        raise ConditionNotMet("unanswered", "industry")


def countries(locale: str) -> list[tuple[str, str]]:
    """Code and name of every country, by name, for the choice of a seat."""
    names = Locale.parse(locale).territories.items()
    found = [(code, name) for code, name in names if len(code) == 2 and code.isalpha() and code not in NO_COUNTRIES]
    return sorted(found, key=lambda one: one[1])
