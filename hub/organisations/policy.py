"""Policy (R-001): every period, form and rule that a contract may set differently is a named parameter.

The code holds the table: parameters with the defaults of `whappodo`, and what the other profiles say instead (requirements.md, 20).
`sync_policies` writes the values of each profile into `policy_version`, a new version only when they changed. An organisation keeps
the profile and version it was founded with, so a change of the code changes no running contract.

Values are JSON. A span of time is `{"days": 30}`, `{"weeks": 6}`, `{"months": 1}` or `{"hours": 24}`: see `span`. A dict with a
`rule` names the rule in words; `{"rule": "agreed"}` means that nothing holds until it is agreed individually.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.core import clock
from hub.core.calendar import Unit
from hub.core.db import Database, NoNudges, UnitOfWork
from hub.core.settings import Settings

DEFAULT_PROFILE: Final = "whappodo"
PRECEDENCE: Final = ("individual", "order", "product", "special")
"""Levels of `policy_override`, the strongest first (R-012); all are stronger than the version."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named value with where its default comes from. `unit` says what the value measures."""

    name: str
    default: Any
    unit: str
    seed: str
    clause: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """The value that holds for an organisation, and why: an override's source, or profile, version and clause."""

    value: Any
    unit: str
    source: str


AGREED: Final = {"rule": "agreed"}

PARAMETERS: Final = (
    Parameter("zone", "Europe/Berlin", "time zone of contract and billing days", "whappodo", "II.12.1"),
    Parameter("holidays", "DE-BW", "region of the holiday calendar", "whappodo", "II.12.1"),
    Parameter(
        "apply_193",
        [
            "payment",
            "objection",
            "defect_notice",
            "timesheet_objection",
            "handover_complaint",
            "putting_into_operation",
            "special_termination",
        ],
        "periods that § 193 BGB moves to a working day; all others stay (R-005)",
        "law",
        "§ 193 BGB",
    ),
    Parameter("activation_link_hours", 24, "real hours a confirmation link is valid", "nexcore", "5.2"),
    Parameter("terms.lead", {"days": 30}, "from receipt of the notice to the day before effect", "whappodo", "I.8.1"),
    Parameter("terms.objection", {"until": "effect"}, "how long terms may be objected to", "whappodo", "I.8.2"),
    Parameter("deadline_basis", {"counts_by": "receipt"}, "what decides whether an objection is in time", "whappodo", "I.8.2"),
    Parameter(
        "terms.after_reject",
        {
            "terms": "old",
            "operator_may_end": {"legal_change": "at_once", "other": {"months": 3}, "within": {"months": 3}},
        },
        "what holds after an objection to terms",
        "whappodo",
        "I.8.4",
    ),
    Parameter("price.lead", {"months": 1, "cost_factors": True}, "from receipt to effect of a price", "whappodo", "I.3.4, I.3.5"),
    Parameter("price.exit", {"rule": "operator_after_objection"}, "who may leave on an increase", "whappodo", "I.3.5"),
    Parameter("cancel.notice", {"days": 31, "to": "end_of_term"}, "the customer's ordinary notice", "whappodo", "II.14.1"),
    Parameter("cancel.operator", {"days": 31, "to": "end_of_term"}, "the operator's ordinary notice", "whappodo", "II.14.1"),
    Parameter("cancel.forms", ["platform", "writing"], "forms of a cancellation", "whappodo", "II.14.3"),
    Parameter("due", {"days": 30, "from": "invoice_date"}, "when an invoice is due", "whappodo", "I.3.3, II.10.2"),
    Parameter("default.rule", {"longer_than": {"months": 1}, "dunning": True}, "default that ends", "whappodo", "II.14.4(i)"),
    Parameter("trial.days", {"days": 14, "functions": "full"}, "length and extent of the trial", "whappodo", "II.5.1"),
    Parameter("delete.after", {"days": 14}, "from the end to deletion; the longest that applies wins", "whappodo", "II.14.5"),
    Parameter("sla", {"percent": "98.0", "per": "month"}, "promised availability", "whappodo", "II.3.1"),
    Parameter("support", {"days": "workdays", "from": "08:00", "until": "17:00"}, "support hours", "whappodo", "II.12.1"),
    Parameter("backup", {"runs": "daily, Monday to Friday", "keep": {"days": 7}}, "backups", "whappodo", "II.7.4"),
    Parameter("subproc.objection", {"days": 14}, "to object to a sub-processor", "innovaphone", "K.9.3"),
    Parameter("provider_terms.grace", {"days": 30}, "how long a channel sends under terms not yet accepted", "hub", "R-180"),
    Parameter("threema.territory", ["DE", "AT", "GB"], "registered seats that may use Threema", "whappodo", "III.7.2"),
    Parameter("allowed_regions", ["any"], "where messengers may process data; others need a consent", "innovaphone", "K.5.6"),
    Parameter(
        "caps",
        [{"messenger": "viber", "per": "recipient", "most": 100, "span": "hour", "then": "queue"}],
        "messages that may leave in a window; Viber takes 100 an hour for each person",
        "whappodo",
        "III.9.4",
    ),
    Parameter("consent.frequency", {"messages": 4, "days": 7}, "advertising to one person for one purpose", "hub", "issue 5"),
    Parameter(
        "consent.quiet_hours", {"from": "20:00", "until": "08:00"}, "no advertising, in the recipient's day", "hub", "issue 5"
    ),
    Parameter("consent.service_opt_in", [], "messengers whose service messages need an opt-in after the window", "hub", "R-221"),
    Parameter(
        "content_review",
        {
            "rivals": [
                "WhatsApp",
                "Telegram",
                "Signal",
                "Threema",
                "Facebook Messenger",
                "Instagram",
                "WeChat",
                "LINE",
                "KakaoTalk",
            ],
            "invitations": ["t.me", "telegram.me", "wa.me", "chat.whatsapp.com", "m.me", "ig.me", "signal.me", "signal.group"],
            "sponsorship": [
                "sponsored by Viber",
                "gesponsert von Viber",
                "Viber empfiehlt",
                "Viber recommends",
                "powered by Viber",
            ],
        },
        "what a second person looks at before it leaves over Viber",
        "whappodo",
        "III.9.6",
    ),
    Parameter(
        "proof.retention", {"years": 3, "to": "end_of_year"}, "proofs of consent after the last message", "whappodo", "III.9.7"
    ),
    Parameter("signup.flow", {"accepted_by": ["confirmation", "credentials"]}, "acceptance of a sign-up", "whappodo", "II.4.4"),
)

PROFILES: Final[Mapping[str, Mapping[str, tuple[Any, str]]]] = {
    "whappodo": {},
    "innovaphone": {
        "terms.lead": ({"weeks": 4}, "A.11.1"),
        "terms.objection": ({"weeks": 4, "from": "receipt"}, "A.11"),
        "terms.after_reject": ({"terms": "old"}, "A.11"),
        "price.lead": ({"weeks": 4, "law": "§ 315 BGB"}, "I.5.7"),
        "price.exit": ({"rule": "customer_at_once"}, "I.5.9"),
        "cancel.notice": ({"rule": "next_day"}, "I.6.2, J.15.2"),
        "cancel.operator": ({"months": 2, "to": "end_of_month", "rental": {"months": 1}}, "J.15.3, I.6.3, H.12.2"),
        "cancel.forms": (["writing", "electronic"], "A.13.3"),
        "due": ({"days": 10, "from": "receipt", "prepay": True}, "A.4.5, A.4.6, H.3.8"),
        "default.rule": ({"rule": "suspend"}, "J.8"),
        "trial.days": ({"sandbox": {"hours": 8}, "test_licence": {"days": 90}, "beta": "until_release"}, "G.2.1"),
        "delete.after": ({"days": 5, "for": "download"}, "J.15.6"),
        "sla": ({"percent": "99.9", "per": "year"}, "J.6.4"),
        "support": ({"rule": "partner"}, "I.9.1.2, J.12.2"),
        "backup": ({"rule": "tenant"}, "requirements 20"),
        "subproc.objection": ({"days": 14}, "K.9.3"),
        "signup.flow": ({"accepted_by": ["confirmation", "address", "click"]}, "A.3.5-A.3.7"),
    },
    "nexcore": {
        "terms.lead": ({"weeks": 6}, "25"),
        "terms.objection": ({"weeks": 4, "before": "effect"}, "25"),
        "deadline_basis": ({"counts_by": "receipt", "form": "text"}, "25"),
        "price.lead": ({"rule": "current_list"}, "17.1"),
        "cancel.notice": ({"rule": "agreed", "form": "writing"}, "20.1"),
        "cancel.operator": (AGREED, "20.1"),
        "cancel.forms": (["writing"], "20.1, 26.4"),
        "due": ({"rule": "in_advance"}, "17.3"),
        "default.rule": ({"rule": "two_months"}, "20.3"),
        "trial.days": ({"rule": "as_granted"}, "17.4"),
        "delete.after": ({"days": 30, "from": "hand_over"}, "10"),
        "sla": (AGREED, "2.3"),
        "support": (AGREED, "2.3"),
        "backup": ({"runs": "Monday to Friday", "keep": {"weeks": 1}, "duty": False}, "12"),
        "subproc.objection": (AGREED, "data processing agreement"),
        "signup.flow": ({"accepted_by": ["email_link"], "link": {"hours": 24}}, "5.2"),
    },
    "inopla": {
        "terms.lead": ({"days": 14}, "Änderungsvorbehalt"),
        "terms.objection": ({"weeks": 4, "from": "receipt"}, "Änderungsvorbehalt"),
        "deadline_basis": ({"counts_by": "dispatch", "form": "writing", "price_exit": "receipt"}, "Änderungsvorbehalt"),
        "price.lead": ({"rule": "first_of_next_month_after_receipt"}, "Änderungsvorbehalt"),
        "price.exit": ({"rule": "customer", "weeks": 6, "above_percent": "5"}, "Änderungsvorbehalt"),
        "cancel.notice": (AGREED, "offer"),
        "due": (AGREED, "offer"),
        "default.rule": ({"rule": "refuse_service"}, "Leistungsumfang"),
        "trial.days": ({"rule": "demo"}, "Zulassung"),
        "sla": ({"rule": "average", "per": "year"}, "Leistungsumfang"),
        "subproc.objection": (AGREED, "data processing agreement"),
        "signup.flow": ({"accepted_by": ["signed_offer"]}, "Zulassung"),
    },
}
"""What a profile says instead of the default. Where its seed says nothing, the default holds. Credit transfer belongs to the
kind of credit and is no parameter of a profile."""


def profile_values(profile: str) -> dict[str, Any]:
    """The values of a profile as they are stored: by name, each with `value`, `unit` and `source`."""
    theirs = PROFILES[profile]
    values = {}
    for one in PARAMETERS:
        if one.name in theirs:
            value, clause = theirs[one.name]
            values[one.name] = {"value": value, "unit": one.unit, "source": f"{profile} {clause}"}
        else:
            values[one.name] = {"value": one.default, "unit": one.unit, "source": f"{one.seed} {one.clause}"}
    return values


def span(value: Mapping[str, Any]) -> tuple[int, Unit]:
    """`{"weeks": 6}` -> (6, Unit.WEEKS), ready for `core/calendar`. Raises ValueError for what is no span of days or more."""
    found = [(int(value[unit.value]), unit) for unit in Unit if unit.value in value]
    if len(found) != 1:
        raise ValueError(f"not a span of days, weeks, months or years: {value!r}")
    return found[0]


async def resolve(unit: UnitOfWork, name: str) -> Resolved:
    """The value of a parameter for the unit's organisation: the strongest override, else its version (R-012).

    A parameter younger than the organisation's version has the value it was introduced with. KeyError: no such parameter.
    """
    return (await resolve_all(unit, (name,)))[name]


async def resolve_all(unit: UnitOfWork, names: Sequence[str]) -> dict[str, Resolved]:
    """The values of several parameters in one query. KeyError names one that does not exist."""
    rows = await unit.sql.fetch(_RESOLVE, unit.tenant, list(names), list(PRECEDENCE))
    found = {row["name"]: row for row in rows}
    return {name: _resolved(found[name]) for name in names}


_RESOLVE: Final = """
SELECT wanted.name, general.profile, general.version, general.parameter AS general, special.level, special.parameter, special.source
FROM organisation o
CROSS JOIN unnest($2::text[]) AS wanted(name)
JOIN LATERAL (
    SELECT profile, version, parameters -> wanted.name AS parameter FROM policy_version
    WHERE profile = o.policy_profile AND version >= o.policy_version AND parameters ? wanted.name ORDER BY version LIMIT 1
) AS general ON true
LEFT JOIN LATERAL (
    SELECT level, parameter, source FROM policy_override
    WHERE organisation_id = $1 AND name = wanted.name ORDER BY array_position($3::text[], level) LIMIT 1
) AS special ON true
WHERE o.id = $1
"""


def _resolved(row: Any) -> Resolved:
    general = row["general"]
    if row["level"] is not None:
        return Resolved(row["parameter"], general["unit"], f"{row['level']}: {row['source']}")
    return Resolved(general["value"], general["unit"], f"{row['profile']} version {row['version']}: {general['source']}")


async def newest_version(unit: UnitOfWork, profile: str) -> int:
    """The version a new contract is concluded under. LookupError: the profile has never been written down."""
    version: int | None = await unit.sql.fetchval("SELECT max(version) FROM policy_version WHERE profile = $1", profile)
    if version is None:
        raise LookupError(f"policy profile {profile!r} has no version; run `hub migrate`")
    return version


async def sync_policy(unit: UnitOfWork) -> None:
    """Write a new version of each profile whose values in the code differ from its newest version. Needs a system unit."""
    await unit.sql.execute("SELECT pg_advisory_xact_lock(4811)")
    newest = await unit.sql.fetch(
        "SELECT DISTINCT ON (profile) profile, version, parameters FROM policy_version ORDER BY profile, version DESC"
    )
    stored = {row["profile"]: (row["version"], row["parameters"]) for row in newest}
    for profile in PROFILES:
        version, values = stored.get(profile, (0, None))
        if values != profile_values(profile):
            await unit.sql.execute(
                "INSERT INTO policy_version (profile, version, parameters, created_at) VALUES ($1, $2, $3, $4)",
                profile,
                version + 1,
                json.dumps(profile_values(profile)),
                clock.now(),
            )


async def sync_policies(settings: Settings) -> None:
    """`sync_policy` on its own connection, after migrations. Safe to repeat and to run twice at once."""
    if settings.database_url is None:
        raise ValueError("HUB_DATABASE_URL must be set")
    database = Database(settings.database_url.get_secret_value(), NoNudges(), pool=1)
    try:
        async with database.system() as unit:
            await sync_policy(unit)
    finally:
        await database.close()
