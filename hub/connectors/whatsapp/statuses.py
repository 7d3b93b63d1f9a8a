"""What became of our messages, and what a person wants to hear of us (provider file, 6 and 7)."""

from typing import Final, Literal

from hub.connectors.events import ChannelHealth, ConsentChanged, Event, Price, StatusChanged
from hub.connectors.whatsapp.codes import MARKETING_STOPPED, PAUSED, WAITS
from hub.connectors.whatsapp.content import details_of
from hub.connectors.whatsapp.people import Contacts, a_bsuid, a_phone
from hub.connectors.whatsapp.reading import Json, a_moment, a_text, an_id, an_object, objects
from hub.connectors.whatsapp.scope import LONGEST_ID, Scope

Status = Literal["sent", "delivered", "read", "failed"]
STATUSES: Final[dict[str, Status]] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "played": "read",  # a voice message was heard for the first time
    "failed": "failed",
}
WISHES: Final[dict[str, Literal["marketing_stopped", "marketing_resumed"]]] = {
    "stop": "marketing_stopped",
    "resume": "marketing_resumed",
    "signup": "marketing_resumed",
}


def read_status(status: Json, contacts: Contacts, scope: Scope) -> list[Event]:
    """A status, and what a failure says besides about the person or the account. People are found by the message, never by the
    number: it can be missing (6)."""
    target, word = a_text(status, "id"), a_text(status, "status")
    if not 0 < len(target) <= LONGEST_ID:
        return [scope.unrecognised("status", status, "the status names no message")]
    if a_text(status, "recipient_type") == "group":
        return [scope.unrecognised("status", status, "groups are not handled")]
    if word not in STATUSES:
        return [scope.unrecognised(f"status {word}", status, "this status is not known")]
    errors = objects(status, "errors") if word == "failed" else []
    key = f"s:{target}:{word}"
    changed = StatusChanged(
        key=key,
        at=a_moment(status, "timestamp", scope.at),
        target_key=target,
        status=STATUSES[word],
        provider_code=an_id(errors[0], "code") if errors else "",
        provider_text=details_of(errors),
        price=_price(an_object(status, "pricing")),
    )
    return [changed, *_besides(changed, status, contacts)]


def read_preference(preference: Json, contacts: Contacts, scope: Scope) -> Event:
    """A person's word about marketing, said in WhatsApp itself. It lifts or sets the provider's stop and nothing else (13)."""
    wish = WISHES.get(a_text(preference, "value"))
    person = contacts.person(a_phone(preference, "wa_id"), a_bsuid(preference, "user_id", "wa_id"))
    if wish is None or a_text(preference, "category") != "marketing_messages" or person is None:
        return scope.unrecognised("user_preferences", preference, "this preference is not known")
    at = a_moment(preference, "timestamp", scope.at)
    key = f"p:{person.provider_user_id}:{a_text(preference, 'value')}:{int(at.timestamp())}"
    return ConsentChanged(key=key, at=at, sender=person, change=wish, text=a_text(preference, "detail"))


def read_error(error: Json, scope: Scope) -> Event:
    """An error that belongs to no message (5.15). It has no time of its own: the same one on another day is another one."""
    code, text = _number(an_id(error, "code")), details_of([error])
    if code in (0, 131000):
        return scope.unrecognised("errors", error, "an error that names no cause")
    cause = PAUSED.get(code) or ("busy" if code in WAITS else "error")
    key = f"{scope.key('errors', error)}:{scope.at.date().isoformat()}"
    return ChannelHealth(key=key, at=scope.at, level="warning", cause=cause, text=text)


def _besides(changed: StatusChanged, status: Json, contacts: Contacts) -> list[Event]:
    """131050 is the same as a stop whose own event was lost (13); what stops the account stops the queue, as in a send's answer."""
    number = _number(changed.provider_code)
    if number == MARKETING_STOPPED:
        person = contacts.person(a_phone(status, "recipient_id"), a_bsuid(status, "recipient_user_id", "recipient_id"))
        if person is None:
            return []
        return [ConsentChanged(key=f"{changed.key}:stop", at=changed.at, sender=person, change="marketing_stopped")]
    if number in PAUSED:
        text = changed.provider_text
        return [ChannelHealth(key=f"{changed.key}:h", at=changed.at, level="attention", cause=PAUSED[number], text=text)]
    return []


def _number(code: str) -> int:
    return int(code) if code.isascii() and code.isdigit() and len(code) < 10 else 0


def _price(pricing: Json) -> Price | None:
    """`type` is what counts; `billable` is being phased out and only stands in for it (6)."""
    category, kind = a_text(pricing, "category"), a_text(pricing, "type")
    if not category:
        return None
    is_billable = kind == "regular" if kind else pricing.get("billable") is not False
    return Price(category=category, model=a_text(pricing, "pricing_model"), is_billable=is_billable)
