"""The account's own affairs: templates, quality, limits, bans (provider file, 7). These payloads have no `metadata`."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal

from hub.connectors.events import ChannelHealth, Event, TemplateChanged
from hub.connectors.whatsapp.reading import Json, a_moment, a_text, an_id, an_object, objects
from hub.connectors.whatsapp.scope import Scope

Level = Literal["ok", "warning", "attention"]

NOTHING_FOLLOWS: Final = "nothing follows from it"
STILL_IN_FORCE: Final = "reinstated"
"""A template that Meta took back into use is approved again, as its list says it."""
BANS: Final[dict[str, tuple[Level, str]]] = {
    "SCHEDULE_FOR_DISABLE": ("warning", "ban_planned"),
    "DISABLE": ("attention", "disabled"),
    "REINSTATE": ("ok", "reinstated"),
}
ACCOUNT: Final[dict[str, tuple[Level, str]]] = {
    "ACCOUNT_VIOLATION": ("warning", "violation"),
    "ACCOUNT_DELETED": ("attention", "disconnected"),
    "PARTNER_REMOVED": ("attention", "disconnected"),
    "ACCOUNT_OFFBOARDED": ("attention", "disconnected"),
    "ACCOUNT_RECONNECTED": ("ok", "reconnected"),
}
QUALITY: Final[dict[str, tuple[Level, str]]] = {
    "FLAGGED": ("warning", "quality"),
    "DOWNGRADE": ("warning", "limit"),
    "UNFLAGGED": ("ok", "quality"),
    "UPGRADE": ("ok", "limit"),
}
REVIEWS: Final[dict[str, tuple[Level, str]]] = {"APPROVED": ("ok", "review"), "REJECTED": ("attention", "review")}
NAMES: Final[dict[str, tuple[Level, str]]] = {"APPROVED": ("ok", "name"), "REJECTED": ("warning", "name")}


def read_affair(field: str, value: Json, scope: Scope) -> Event:
    """The event of one of the `AFFAIRS`."""
    return AFFAIRS[field](field, value, scope)


def _template(field: str, value: Json, scope: Scope) -> Event:
    """A decision on a template. Its reason is a word of Meta's, and what Meta says about it where it says more."""
    word = a_text(value, "event").lower()
    rejection, other = an_object(value, "rejection_info"), an_object(value, "other_info")
    disabled_on = an_id(an_object(value, "disable_info"), "disable_date")
    said = [a_text(rejection, "reason"), a_text(rejection, "recommendation"), a_text(other, "description"), disabled_on]
    reason = a_text(value, "reason")
    return _changed(
        field,
        value,
        scope,
        status="approved" if word == STILL_IN_FORCE else word,
        category=a_text(value, "message_template_category").lower(),
        reason=" ".join(one for one in ("" if reason == "NONE" else reason, *said) if one),
    )


def _template_quality(field: str, value: Json, scope: Scope) -> Event:
    score = a_text(value, "new_quality_score").lower()
    return _changed(field, value, scope, reason=f"quality {score}" if score else "")


def _template_category(field: str, value: Json, scope: Scope) -> Event:
    """Another category, in force; or a notice that one is coming, whose `new_category` is the one still in force (7)."""
    coming = a_text(value, "correct_category")
    if not coming:
        return _changed(field, value, scope, category=a_text(value, "new_category").lower())
    when = a_moment(value, "category_update_timestamp", datetime.fromtimestamp(0, UTC))
    day = when.date().isoformat() if when.timestamp() else ""
    return _changed(field, value, scope, reason=f"{coming.lower()} {day}".strip())


def _template_components(field: str, value: Json, scope: Scope) -> Event:
    return _changed(field, value, scope, reason="components changed")


def _changed(field: str, value: Json, scope: Scope, *, status: str = "", category: str = "", reason: str = "") -> Event:
    provider_id, name = an_id(value, "message_template_id"), a_text(value, "message_template_name")
    if not provider_id and not name:
        return scope.unrecognised(field, value, "it names no template")
    return TemplateChanged(
        key=scope.key(field, value),
        at=scope.at,
        provider_id=provider_id,
        name=name,
        language=a_text(value, "message_template_language"),
        status=status,
        category=category,
        reason=reason,
    )


def _account(field: str, value: Json, scope: Scope) -> Event:
    """What happened to the business account. A restriction of messages that we begin leaves answers alone; any other stops all."""
    word = a_text(value, "event")
    if word == "ACCOUNT_RESTRICTION":
        kinds = [a_text(one, "restriction_type") for one in objects(value, "restriction_info")]
        only_ours = bool(kinds) and all("BIZ_INITIATED" in kind or "ADD_PHONE" in kind for kind in kinds)
        return _health(field, value, scope, ("warning" if only_ours else "attention", "restricted"), ", ".join(kinds))
    if word == "DISABLED_UPDATE":
        state = a_text(an_object(value, "ban_info"), "waba_ban_state")
        return _health(field, value, scope, BANS.get(state), state)
    text = a_text(an_object(value, "violation_info"), "violation_type") or a_text(an_object(value, "disconnection_info"), "reason")
    return _health(field, value, scope, ACCOUNT.get(word), text or word)


def _alert(field: str, value: Json, scope: Scope) -> Event:
    text = a_text(value, "alert_description") or a_text(value, "alert_type") or a_text(an_object(value, "alert_info"), "alert_type")
    return _health(field, value, scope, ("warning", "alert"), text)


def _quality(field: str, value: Json, scope: Scope) -> Event:
    return _health(field, value, scope, QUALITY.get(a_text(value, "event")), a_text(value, "current_limit"))


def _review(field: str, value: Json, scope: Scope) -> Event:
    return _health(field, value, scope, REVIEWS.get(a_text(value, "decision")), a_text(value, "decision"))


def _name(field: str, value: Json, scope: Scope) -> Event:
    said = [a_text(value, "requested_verified_name"), a_text(value, "rejection_reason")]
    text = " ".join(one for one in said if one not in ("", "NONE"))
    return _health(field, value, scope, NAMES.get(a_text(value, "decision")), text)


def _security(field: str, value: Json, scope: Scope) -> Event:
    return _health(field, value, scope, ("warning", "security"), a_text(value, "event"))


def _health(field: str, value: Json, scope: Scope, meaning: tuple[Level, str] | None, text: str) -> Event:
    if meaning is None:
        return scope.unrecognised(f"{field} {a_text(value, 'event')}".strip(), value, NOTHING_FOLLOWS)
    level, cause = meaning
    return ChannelHealth(key=scope.key(field, value), at=scope.at, level=level, cause=cause, text=text)


AFFAIRS: Final[dict[str, Callable[[str, Json, Scope], Event]]] = {
    "message_template_status_update": _template,
    "message_template_quality_update": _template_quality,
    "template_category_update": _template_category,
    "message_template_components_update": _template_components,
    "account_update": _account,
    "account_alerts": _alert,
    "account_review_update": _review,
    "phone_number_quality_update": _quality,
    "phone_number_name_update": _name,
    "security": _security,
}
