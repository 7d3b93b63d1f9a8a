"""Policy: parameters, profiles, versions and the order of precedence (R-001, R-012)."""

import json
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from hub.core.calendar import Unit, period_from_event
from hub.organisations import policy, service
from hub.organisations.policy import PARAMETERS, PROFILES, Parameter, Resolved, resolve, span, sync_policy
from tests.support import PASSWORD, HubUnderTest

RECEIVED = date(2026, 3, 2)
EFFECT = date(2026, 4, 6)
"""A notice that is received 35 days before it shall take effect."""

SECTION_20 = [
    ("whappodo", "terms.lead", {"days": 30}),
    ("innovaphone", "terms.lead", {"weeks": 4}),
    ("nexcore", "terms.lead", {"weeks": 6}),
    ("inopla", "terms.lead", {"days": 14}),
    ("whappodo", "terms.objection", {"until": "effect"}),
    ("nexcore", "deadline_basis", {"counts_by": "receipt", "form": "text"}),
    ("inopla", "deadline_basis", {"counts_by": "dispatch", "form": "writing", "price_exit": "receipt"}),
    ("whappodo", "cancel.notice", {"days": 31, "to": "end_of_term"}),
    ("whappodo", "cancel.forms", ["platform", "writing"]),
    ("innovaphone", "cancel.forms", ["writing", "electronic"]),
    ("nexcore", "cancel.forms", ["writing"]),
    ("whappodo", "due", {"days": 30, "from": "invoice_date"}),
    ("innovaphone", "due", {"days": 10, "from": "receipt", "prepay": True}),
    ("whappodo", "trial.days", {"days": 14, "functions": "full"}),
    ("nexcore", "delete.after", {"days": 30, "from": "hand_over"}),
    ("whappodo", "delete.after", {"days": 14}),
    ("innovaphone", "sla", {"percent": "99.9", "per": "year"}),
    ("whappodo", "sla", {"percent": "98.0", "per": "month"}),
    ("innovaphone", "support", {"rule": "partner"}),
    ("nexcore", "backup", {"runs": "Monday to Friday", "keep": {"weeks": 1}, "duty": False}),
    ("whappodo", "activation_link_hours", 24),
    ("whappodo", "zone", "Europe/Berlin"),
]
"""Section 20 of the requirements, in the words of the parameters."""


async def found(hub: HubUnderTest, slug: str, profile: str) -> UUID:
    founded = await service.found_organisation(
        hub.runtime,
        name=slug.title(),
        slug=slug,
        owner_email=f"owner@{slug}.example",
        owner_name="Olga Inhaber",
        owner_password=PASSWORD,
        profile=profile,
    )
    return founded.organisation_id


async def value_of(hub: HubUnderTest, organisation_id: UUID, name: str) -> Resolved:
    async with hub.runtime.database.unit_of_work(organisation_id) as unit:
        return await resolve(unit, name)


async def sync(hub: HubUnderTest) -> dict[str, int]:
    """Write new versions; the newest of each profile."""
    async with hub.runtime.database.system() as unit:
        await sync_policy(unit)
        rows = await unit.sql.fetch("SELECT profile, max(version) AS version FROM policy_version GROUP BY profile")
    return {row["profile"]: row["version"] for row in rows}


async def in_time(hub: HubUnderTest, organisation_id: UUID) -> bool:
    """Whether the notice keeps the lead that this organisation's contract gives."""
    length, unit = span((await value_of(hub, organisation_id, "terms.lead")).value)
    return period_from_event(RECEIVED, length, unit).day < EFFECT


@pytest.mark.parametrize("changed", [{"days": 60}, {"days": 1}])
async def test_two_tenants_keep_their_own_lead(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch, changed: dict[str, int]) -> None:
    """R-001: given one tenant on `whappodo`, one on `nexcore`, a notice of the same day for the same date is checked against 30
    calendar days and against six weeks; changing the global default later changes neither running contract."""
    whappodo, nexcore = await found(hub, "one", "whappodo"), await found(hub, "two", "nexcore")
    assert (await value_of(hub, whappodo, "terms.lead")).value == {"days": 30}
    assert (await value_of(hub, nexcore, "terms.lead")).value == {"weeks": 6}
    assert (await in_time(hub, whappodo), await in_time(hub, nexcore)) == (True, False)

    lead = next(one for one in PARAMETERS if one.name == "terms.lead")
    newer = Parameter(lead.name, changed, lead.unit, lead.seed, lead.clause)
    monkeypatch.setattr(policy, "PARAMETERS", tuple(newer if one is lead else one for one in PARAMETERS))
    monkeypatch.setattr(policy, "PROFILES", {**PROFILES, "nexcore": {**PROFILES["nexcore"], "terms.lead": (changed, "25")}})
    assert await sync(hub) == {"whappodo": 2, "innovaphone": 1, "nexcore": 2, "inopla": 1}

    assert (await in_time(hub, whappodo), await in_time(hub, nexcore)) == (True, False)
    assert (await value_of(hub, whappodo, "terms.lead")).source == "whappodo version 1: whappodo I.8.1"
    for slug, profile in (("three", "whappodo"), ("four", "nexcore")):
        assert (await value_of(hub, await found(hub, slug, profile), "terms.lead")).value == changed


@pytest.mark.parametrize(("profile", "name", "value"), SECTION_20)
async def test_profiles_say_what_the_seeds_say(hub: HubUnderTest, profile: str, name: str, value: Any) -> None:
    """R-001: each value of section 20, with its clause."""
    stored = policy.profile_values(profile)[name]
    assert stored["value"] == value
    assert stored["source"] and stored["unit"]
    async with hub.runtime.database.system() as unit:
        kept = await unit.sql.fetchval(
            "SELECT (parameters -> $2 -> 'value')::text FROM policy_version WHERE profile = $1", profile, name
        )
    assert json.loads(kept) == value


def test_every_profile_answers_for_every_parameter() -> None:
    """R-001: a profile without a word of its own has the default, and none names a parameter that does not exist."""
    names = [one.name for one in PARAMETERS]
    assert len(names) == len(set(names))
    for profile, theirs in PROFILES.items():
        assert set(theirs) <= set(names)
        assert list(policy.profile_values(profile)) == names


async def test_versions_are_written_once(hub: HubUnderTest) -> None:
    """R-001: writing the same values again makes no new version."""
    assert await sync(hub) == await sync(hub) == {profile: 1 for profile in PROFILES}


async def test_younger_parameter_has_the_value_it_came_with(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-001: a running contract that knows nothing of a parameter gets its first value, whatever it is changed to later."""
    for number in (1, 2):
        new = Parameter("new.rule", {"days": number}, "days", "law", "§ 1")
        monkeypatch.setattr(policy, "PARAMETERS", (*PARAMETERS, new))
        await sync(hub)
    assert (await value_of(hub, hub.organisation_id, "new.rule")) == Resolved({"days": 1}, "days", "whappodo version 2: law § 1")
    with pytest.raises(KeyError):
        await value_of(hub, hub.organisation_id, "no.such.rule")


@pytest.mark.parametrize("agreed", [("individual",), ("order", "individual"), ("special", "product", "order"), ("special",)])
async def test_stronger_agreement_wins(hub: HubUnderTest, agreed: tuple[str, ...]) -> None:
    """R-012: given a general due period of 30 days and an individual agreement of 14, 14 are used and the source is shown."""
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        assert (await resolve(unit, "due")).value["days"] == 30
        for level in agreed:
            days = {"individual": 14, "order": 20, "product": 21, "special": 22}[level]
            await unit.sql.execute(
                """
                INSERT INTO policy_override (organisation_id, name, level, parameter, source, created_at)
                VALUES ($1, 'due', $2, $3, 'agreement 7', $4)
                """,
                unit.tenant,
                level,
                json.dumps({"days": days, "from": "invoice_date"}),
                hub.clock(),
            )
        found = await resolve(unit, "due")
    strongest = min(agreed, key=policy.PRECEDENCE.index)
    assert found.value["days"] == {"individual": 14, "order": 20, "product": 21, "special": 22}[strongest]
    assert found.source == f"{strongest}: agreement 7"


async def test_unknown_profile_founds_nothing(hub: HubUnderTest) -> None:
    with pytest.raises(LookupError):
        await found(hub, "five", "no-such-profile")
    async with hub.runtime.database.system() as unit:
        assert await unit.sql.fetchval("SELECT count(*) FROM organisation") == 1


@pytest.mark.parametrize(
    ("value", "length"),
    [
        ({"days": 30}, (30, Unit.DAYS)),
        ({"weeks": 6}, (6, Unit.WEEKS)),
        ({"months": 1, "cost_factors": True}, (1, Unit.MONTHS)),
    ],
)
def test_span(value: dict[str, Any], length: tuple[int, Unit]) -> None:
    """R-003: a span of a parameter is ready for the calendar."""
    assert span(value) == length


@pytest.mark.parametrize("value", [{}, {"hours": 24}, {"rule": "agreed"}, {"days": 1, "weeks": 1}])
def test_what_is_no_span(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a span"):
        span(value)
