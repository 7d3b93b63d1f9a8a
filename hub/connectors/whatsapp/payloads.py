"""A delivery -> events (provider file, 3 to 7). Every list is read to its end, and one bad element costs none of its neighbours.

Only bytes without the envelope are malformed. Inside it whatever lacks what gives it a place is kept as unrecognised, with the
reason. The messages themselves are read in `messages.py`, statuses in `statuses.py`, the account's own affairs in `affairs.py`.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from hub.connectors.contract import RawRequest
from hub.connectors.errors import MalformedPayload
from hub.connectors.events import Event
from hub.connectors.whatsapp.affairs import AFFAIRS, read_affair
from hub.connectors.whatsapp.history import read_history, read_names
from hub.connectors.whatsapp.messages import read_agents_echo, read_echo, read_message, read_new_id
from hub.connectors.whatsapp.people import Contacts
from hub.connectors.whatsapp.reading import Json, a_moment, a_text, an_id, an_object, objects, read_json
from hub.connectors.whatsapp.scope import Scope
from hub.connectors.whatsapp.statuses import read_error, read_preference, read_status

EPOCH: Final = datetime.fromtimestamp(0, UTC)
OTHER_ACCOUNT: Final = "it is about another business account"
OTHER_NUMBER: Final = "it is about another number"
NOT_KNOWN: Final = "this kind of event is not handled"
WHY: Final = {
    "messaging_handovers": "who holds the conversation shows in who answers",
    "calls": "calls are not handled",
    "flows": "the state of forms is not handled",
}
"""Fields that are kept and ignored on purpose."""


def read_delivery(request: RawRequest, own_id: str, waba_id: str) -> list[Event]:
    """The events of a delivery for the account with this number (`own_id`) and business account; either may be empty, and then
    anything is taken. The same thing twice in one body is one event. Raises MalformedPayload and nothing else."""
    events: dict[str, Event] = {}
    for entry in envelope(request.body):
        for event in _entry(entry, request.received_at or EPOCH, own_id, waba_id):
            events.setdefault(event.key, event)
    return list(events.values())


def envelope(body: bytes) -> list[Json]:
    """The entries of a delivery, at least one. Raises MalformedPayload."""
    try:
        delivery = read_json(body)
    except ValueError as error:
        raise MalformedPayload("not JSON") from error
    if not isinstance(delivery, dict):
        raise MalformedPayload("not an object")
    entries = objects(delivery, "entry")
    if not entries:
        raise MalformedPayload("no entry")
    return entries


def number_of(value: Json) -> str:
    """The number that an event is about; empty for what concerns the business account."""
    return an_id(an_object(value, "metadata"), "phone_number_id") or an_id(an_object(value, "recipient"), "phone_number_id")


def _entry(entry: Json, received_at: datetime, own_id: str, waba_id: str) -> Iterator[Event]:
    at = a_moment(entry, "time", received_at)
    scope = Scope(at, int(at.timestamp()) if "time" in entry else 0, own_id)
    if waba_id and an_id(entry, "id") not in ("", waba_id):
        yield scope.unrecognised("entry", entry, OTHER_ACCOUNT)
        return
    changes = objects(entry, "changes")
    if not changes:
        yield scope.unrecognised("entry", entry, "it changes nothing")
    for change in changes:
        yield from _change(change, scope)


def _change(change: Json, scope: Scope) -> Iterator[Event]:
    field, value = a_text(change, "field"), an_object(change, "value")
    if number_of(value) not in ("", scope.own_id) and scope.own_id:
        yield scope.unrecognised(field, value, OTHER_NUMBER)
        return
    read = FIELDS.get(field)
    events = list(read(value, scope)) if read else [read_affair(field, value, scope)] if field in AFFAIRS else []
    yield from events or [scope.unrecognised(field or "change", change, WHY.get(field, NOT_KNOWN))]


def _messages(value: Json, scope: Scope) -> Iterator[Event]:
    contacts = Contacts(value)
    for message in objects(value, "messages"):
        yield from read_message(message, contacts, scope)
    for status in objects(value, "statuses"):
        yield from read_status(status, contacts, scope)
    for error in objects(value, "errors"):
        yield read_error(error, scope)


def _standby(value: Json, scope: Scope) -> Iterator[Event]:
    """Another sender holds the conversation: the same things one level deeper, and what that sender wrote (5.16)."""
    inner = an_object(value, "standby")
    yield from _messages(inner, scope)
    contacts = Contacts(inner)
    for echo in objects(inner, "message_echoes"):
        yield read_agents_echo(echo, contacts, scope)


def _echoes(value: Json, scope: Scope) -> Iterator[Event]:
    contacts = Contacts(value)
    for message in objects(value, "message_echoes"):
        yield read_echo(message, contacts, scope)


def _preferences(value: Json, scope: Scope) -> Iterator[Event]:
    contacts = Contacts(value)
    for preference in objects(value, "user_preferences"):
        yield read_preference(preference, contacts, scope)


def _new_ids(value: Json, scope: Scope) -> Iterator[Event]:
    for update in objects(value, "user_id_update"):
        yield read_new_id(update, scope)


FIELDS: Final[dict[str, Callable[[Json, Scope], Iterator[Event]]]] = {
    "messages": _messages,
    "standby": _standby,
    "smb_message_echoes": _echoes,
    "history": read_history,
    "smb_app_state_sync": read_names,
    "user_preferences": _preferences,
    "user_id_update": _new_ids,
}
