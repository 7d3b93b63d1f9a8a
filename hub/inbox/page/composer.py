"""What may be sent now, as the page says it: one state with its reason and the lawful next step, from the gate's decision."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from hub.connectors.contract import Capabilities
from hub.consent.gate import Decision
from hub.core import clock, i18n
from hub.core.errors import InvalidInput
from hub.core.i18n import Translator, catalogue

ABOUT_PERSON: Final = frozenset({"opted_out", "person_blocked"})
"""Rules that speak of this person alone: the list shows them as the conversation's state."""
OTHER_WAYS: Final = {"template_needed": "template", "opted_out": "opt_in"}
"""Rules that something else than a free reply is lawful under, and what: the composer says where that stands."""


@dataclass(frozen=True, slots=True)
class Permission:
    """`state`: free, wait (what is written now waits in the queue) or no. `reason` and `next` are empty for free."""

    state: str
    rule: str
    reason: str = ""
    next: str = ""

    @property
    def about_person(self) -> bool:
        return self.state == "no" and self.rule in ABOUT_PERSON

    @property
    def other_way(self) -> str:
        """template, opt_in or, where there is none, empty."""
        return OTHER_WAYS.get(self.rule, "")


def read_decision(decision: Decision, t: Translator, zone: ZoneInfo) -> Permission:
    """The gate's word in this person's language."""
    state = {"allow": "free", "defer": "wait", "refuse": "no"}[decision.verdict]
    if state == "free":
        return Permission(state, decision.rule)
    values = {name: _shown(value, t, zone) for name, value in {**decision.evidence, "until": decision.until}.items()}
    return Permission(state, decision.rule, t(f"gate.{decision.rule}.reason", **values), t(f"gate.{decision.rule}.next", **values))


def _shown(value: object, t: Translator, zone: ZoneInfo) -> object:
    """Instants in the page's zone: the time, and the day unless it is today."""
    if not isinstance(value, datetime):
        return value
    time = i18n.format_time(value, t.locale, zone)
    if value.astimezone(zone).date() == clock.now().astimezone(zone).date():
        return time
    return f"{i18n.format_date(value, t.locale, zone)}, {time}"


def wrong_input(error: InvalidInput, t: Translator) -> str:
    """What is wrong with a composed message, by its reason or its field, and what to do."""
    texts = catalogue(t.locale)
    for name in ("reason", "field"):
        key = f"inbox.wrong.{error.values.get(name)}"
        if key in texts:
            return t(key)
    return t("error.invalid_input")


def media_rules(capabilities: Capabilities) -> dict[str, dict[str, Any]]:
    """What files the messenger takes, for the page, which says it before anything is uploaded."""
    return {kind: {"bytes": limit.bytes, "types": sorted(limit.types)} for kind, limit in capabilities.media.items()}


def failure_words(failure: str, t: Translator) -> tuple[str, str]:
    """Why a message failed and what to do now. `failure` is a rule of the gate or a send error's code (`message.failure`)."""
    texts = catalogue(t.locale)
    for stem in (f"inbox.failure.{failure}", f"gate.{failure}"):
        if f"{stem}.reason" in texts:
            return _plain(t, f"{stem}.reason"), _plain(t, f"{stem}.next")
    return t("inbox.failure.other.reason"), t("inbox.failure.other.next")


def _plain(t: Translator, key: str) -> str:
    """A text whose values were not kept with the message: only texts without placeholders may stand here."""
    if i18n.placeholders(catalogue(t.locale)[key]):
        return t("inbox.failure.other.reason" if key.endswith(".reason") else "inbox.failure.other.next")
    return t(key)
