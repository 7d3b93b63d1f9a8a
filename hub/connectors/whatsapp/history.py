"""What the phone app of a coexistence number hands over: earlier messages and its address book (provider file, 5.17).

Who is who in a thread shows in its name, the customer's address: whatever comes from somebody else is ours. A file without a handle
stays an honest card.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from hub.connectors.events import Event, MessageSent, PersonNamed, Sender, StatusChanged
from hub.connectors.whatsapp.content import details_of
from hub.connectors.whatsapp.messages import read_earlier
from hub.connectors.whatsapp.people import a_bsuid, a_person, a_phone
from hub.connectors.whatsapp.reading import Json, a_moment, a_text, an_object, objects
from hub.connectors.whatsapp.scope import Scope
from hub.connectors.whatsapp.statuses import STATUSES

WORDS: Final = STATUSES | {"error": "failed"}
"""What became of a message of ours; others are as sent."""
NO_PERSON: Final = "the thread names nobody"


def read_history(value: Json, scope: Scope) -> Iterator[Event]:
    """Every message of every thread, at its own time. Whoever declined to share has an error instead of threads."""
    for chunk in objects(value, "history"):
        for error in objects(chunk, "errors"):
            yield scope.unrecognised("history", error, details_of([error]) or "the phone app shares no history")
        for thread in objects(chunk, "threads"):
            person = a_person(a_phone(thread, "id"), a_bsuid(thread, "id"))
            if person is None:
                yield scope.unrecognised("history", thread, NO_PERSON)
                continue
            for message in objects(thread, "messages"):
                yield from _read(message, person, scope)


def _read(message: Json, person: Sender, scope: Scope) -> Iterator[Event]:
    said = (a_phone(message, "from"), a_bsuid(message, "from_user_id", "from"))
    is_theirs = person.provider_user_id in said
    for event in read_earlier(message, person, scope, is_theirs=is_theirs):
        yield event
        word = a_text(an_object(message, "history_context"), "status").lower()
        if isinstance(event, MessageSent) and word in WORDS:
            at = a_moment(message, "timestamp", scope.at)
            yield StatusChanged(key=f"s:{event.key}:{word}", at=at, target_key=event.key, status=WORDS[word])


def read_names(value: Json, scope: Scope) -> Iterator[Event]:
    """How the phone's address book calls somebody; an entry that was taken out of it unsays nothing."""
    for entry in objects(value, "state_sync"):
        contact = an_object(entry, "contact")
        person = a_person(a_phone(contact, "phone_number"), a_bsuid(contact, "user_id"))
        name = a_text(contact, "full_name") or a_text(contact, "first_name")
        if a_text(entry, "type") != "contact" or a_text(entry, "action") == "remove" or person is None or not name:
            yield scope.unrecognised("smb_app_state_sync", entry, "it gives nobody a name")
            continue
        at = a_moment(an_object(entry, "metadata"), "timestamp", scope.at)
        yield PersonNamed(key=scope.key("smb_app_state_sync", entry), at=at, sender=replace(person, display_name=name))
