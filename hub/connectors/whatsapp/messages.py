"""One message -> events: what a customer wrote, changed, took back or reacted, and what our side wrote elsewhere."""

from typing import Final

from hub.connectors.events import (
    Event,
    IdentityChanged,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessageSent,
    ReactionChanged,
    Sender,
    Unsupported,
)
from hub.connectors.whatsapp.content import read_cards, read_content, read_referral, shared_number
from hub.connectors.whatsapp.echoes import read_sent
from hub.connectors.whatsapp.people import Contacts, a_bsuid, a_person, a_phone
from hub.connectors.whatsapp.reading import Json, a_moment, a_text, an_object
from hub.connectors.whatsapp.scope import LONGEST_ID, Scope

GROUPS: Final = "groups are not handled"
NO_ID: Final = "the message has no id"
NO_SENDER: Final = "the message names neither a number nor an id of its sender"
NO_TARGET: Final = "it names no message"
PHONE_APP: Final = "WhatsApp Business"
AGENT: Final = "Meta Business Agent"
"""Who wrote what our side did not send through the hub, by the names their makers use."""


def read_message(message: Json, contacts: Contacts, scope: Scope) -> list[Event]:
    """The events of one element of `messages`; several only for several cards."""
    key, kind = a_text(message, "id"), a_text(message, "type")
    if not 0 < len(key) <= LONGEST_ID:
        return [scope.unrecognised("message", message, NO_ID)]
    if "group_id" in message:
        return [scope.unrecognised("message", message, GROUPS)]
    if kind == "system":
        return [_system(message, scope)]
    changed = _change_of(message, scope)
    if changed is not None:
        return [changed]
    sender = contacts.person(a_phone(message, "from"), a_bsuid(message, "from_user_id", "from"))
    if sender is None:
        return [scope.unrecognised("message", message, NO_SENDER)]
    if kind == "contacts":
        return _cards(message, contacts, sender, scope)
    return [_received(message, sender, scope)]


def read_echo(message: Json, contacts: Contacts, scope: Scope) -> Event:
    """A message that a colleague sent from the phone (5.14): ours, shown, never on our way out."""
    key = a_text(message, "id")
    if not 0 < len(key) <= LONGEST_ID:
        return scope.unrecognised("smb_message_echoes", message, NO_ID)
    if a_text(message, "type") == "reaction" or "group_id" in message:
        return scope.unrecognised("smb_message_echoes", message, "reactions of our own side and groups are not handled")
    changed = _change_of(message, scope)
    if changed is not None:
        return changed
    recipient = contacts.person(a_phone(message, "to"), a_bsuid(message, "to_user_id", "to"))
    if recipient is None:
        return scope.unrecognised("smb_message_echoes", message, "the message names no recipient")
    cards = read_cards(message) if a_text(message, "type") == "contacts" else []
    return MessageSent(
        key=key,
        at=a_moment(message, "timestamp", scope.at),
        recipient=recipient,
        content=cards[0] if cards else read_content(message),
        reply_to_key=_answered(message),
        by=PHONE_APP,
    )


def read_earlier(message: Json, person: Sender, scope: Scope, *, is_theirs: bool) -> list[Event]:
    """One element of a thread that the phone app hands over (5.17): the person's, or ours from the phone. Several cards are one
    message each."""
    key = a_text(message, "id")
    if not 0 < len(key) <= LONGEST_ID:
        return [scope.unrecognised("history", message, NO_ID)]
    changed = _change_of(message, scope)
    if changed is not None:
        is_ours = isinstance(changed, ReactionChanged) and not is_theirs
        return [scope.unrecognised("history", message, "reactions of our own side are not handled") if is_ours else changed]
    at, answered = a_moment(message, "timestamp", scope.at), _answered(message)
    cards = read_cards(message) if a_text(message, "type") == "contacts" else []
    return [
        MessageReceived(key=name, at=at, sender=person, content=content, sequence=number, reply_to_key=answered, is_earlier=True)
        if is_theirs
        else MessageSent(
            key=name,
            at=at,
            recipient=person,
            content=content,
            sequence=number,
            reply_to_key=answered,
            by=PHONE_APP,
            is_earlier=True,
        )
        for number, content in enumerate(cards or [read_content(message)])
        for name in [f"{key}:{number}" if number else key]
    ]


def read_agents_echo(echo: Json, contacts: Contacts, scope: Scope) -> Event:
    """What the automatic agent wrote: the whole send request inside (5.16)."""
    key, request = a_text(echo, "id"), an_object(echo, "message")
    recipient = contacts.person(a_phone(request, "to"), a_bsuid(request, "recipient", "to"))
    if not 0 < len(key) <= LONGEST_ID or recipient is None:
        return scope.unrecognised("standby", echo, "the echo names no message or no recipient")
    return MessageSent(
        key=key,
        at=a_moment(echo, "timestamp", scope.at),
        recipient=recipient,
        content=read_sent(request),
        reply_to_key=a_text(an_object(request, "context"), "message_id") or None,
        by=AGENT,
    )


def read_new_id(update: Json, scope: Scope) -> Event:
    """An older way of saying that a BSUID changed (5.11)."""
    change = an_object(update, "user_id")
    phone = a_phone(update, "wa_id")
    before, after = a_person(phone, a_bsuid(change, "previous")), a_person(phone, a_bsuid(change, "current"))
    if before is None or after is None:
        return scope.unrecognised("user_id_update", update, "it names no person")
    key = scope.key("user_id_update", update)
    return IdentityChanged(key=key, at=a_moment(update, "timestamp", scope.at), sender=before, now=after)


def _received(message: Json, sender: Sender, scope: Scope) -> MessageReceived:
    return MessageReceived(
        key=a_text(message, "id"),
        at=a_moment(message, "timestamp", scope.at),
        sender=sender,
        content=read_content(message),
        reply_to_key=_answered(message),
        referral=read_referral(message),
    )


def _cards(message: Json, contacts: Contacts, sender: Sender, scope: Scope) -> list[Event]:
    """A message for each card; the first has the id that answers speak of. A number that the sender shared as theirs leads to the
    same person from now on."""
    own = shared_number(message)
    if own and not sender.phone:
        sender = contacts.person(own, sender.provider_user_id) or sender
    whole = _received(message, sender, scope)
    cards = read_cards(message)
    if not cards:
        return [whole]
    return [
        MessageReceived(
            key=f"{whole.key}:{number}" if number else whole.key,
            at=whole.at,
            sender=sender,
            content=card,
            sequence=number,
            reply_to_key=whole.reply_to_key,
            referral=None if number else whole.referral,
            piece_of=whole.key if number else "",
        )
        for number, card in enumerate(cards)
    ]


def _change_of(message: Json, scope: Scope) -> Event | None:
    """A change of an earlier message, a word that it was taken back, or a reaction to it; None for a message of its own."""
    kind, key, at = a_text(message, "type"), a_text(message, "id"), a_moment(message, "timestamp", scope.at)
    said = an_object(message, kind)
    target = a_text(said, "message_id" if kind == "reaction" else "original_message_id")
    if kind not in ("edit", "revoke", "reaction"):
        return None
    if not 0 < len(target) <= LONGEST_ID:
        return scope.unrecognised(kind, message, NO_TARGET)
    if kind == "revoke":
        return MessageDeleted(key=key, at=at, target_key=target)
    if kind == "reaction":
        return ReactionChanged(key=key, at=at, target_key=target, emoji=a_text(said, "emoji"))
    content = read_content(an_object(said, "message"))
    if isinstance(content, Unsupported) and not an_object(said, "message"):
        return scope.unrecognised(kind, message, "the change says nothing")
    return MessageEdited(key=key, at=at, target_key=target, content=content)


def _system(message: Json, scope: Scope) -> Event:
    """Another number, another id, another device. The old number is `from`, everything else stands inside `system`; sources
    disagree about `from_user_id`, so it is not read (5.11)."""
    system = an_object(message, "system")
    kind = a_text(system, "type")
    old, new = a_phone(message, "from"), a_phone(system, "wa_id") or a_phone(system, "new_wa_id")
    new_id, old_id = a_bsuid(system, "user_id"), a_bsuid(system, "previous_user_id")
    if kind in ("user_changed_number", "customer_changed_number") and new:
        before, after = a_person(old, old_id), a_person(new, new_id)
    elif kind == "user_changed_user_id" and new_id:
        before, after = a_person(old, old_id), a_person(new or old, new_id)
    else:
        return scope.unrecognised(f"system {kind}".strip(), message, "nothing follows from it")
    if before is None or after is None:
        return scope.unrecognised(f"system {kind}", message, "it does not say who it was before")
    key = a_text(message, "id")
    return IdentityChanged(key=key, at=a_moment(message, "timestamp", scope.at), sender=before, now=after)


def _answered(message: Json) -> str | None:
    """The key of the message that this one answers. Passed-on messages have a context without one."""
    key = a_text(an_object(message, "context"), "id")
    return key if 0 < len(key) <= LONGEST_ID else None
