"""Elements of a delivery -> events (messenger.md, 4; instagram.md, 3).

Which kind an element is follows from the key it has. One that lacks what gives it a place (a message without an id) is
`Unrecognised`: it is kept and shown, and costs the others of its delivery nothing.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from hub.connectors._meta.contents import read_contents, read_referral, read_story
from hub.connectors._meta.decisions import FIELD, read_decision
from hub.connectors._meta.envelope import Element, elements
from hub.connectors._meta.reading import Json, a_text, an_id, an_object, moment, texts
from hub.connectors.contract import RawRequest
from hub.connectors.events import (
    ChannelHealth,
    ConsentChanged,
    Event,
    Interactive,
    Media,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessageSent,
    ReactionChanged,
    Sender,
    Sheet,
    StatusChanged,
    StatusUpTo,
    Text,
    Unrecognised,
)

INBOXES: Final = {
    "263902037430900": "Meta Business Suite",
    "26390203743090": "Meta Business Suite",  # as one page of Meta's prints it
    "1217981644879628": "Instagram",
}
"""Meta's own programs in which a page is answered, by their app ids (messenger.md, 9)."""
REACTIONS: Final = {
    "love": "❤", "smile": "😆", "wow": "😮", "sad": "😢", "angry": "😠", "like": "👍", "dislike": "👎",
}  # fmt: skip
LEVELS: Final[dict[str, Literal["ok", "warning", "attention"]]] = {
    "block": "attention", "unblock": "ok", "warning": "warning",
}  # fmt: skip
LONGEST_START: Final = 64
"""Characters of `MessageReceived.start_payload`; a longer one stands in the referral only."""
LONGEST_KIND: Final = 64

IGNORED: Final = {
    "pass_thread_control": "which program owns a thread is not handled",
    "take_thread_control": "which program owns a thread is not handled",
    "request_thread_control": "which program owns a thread is not handled",
    "app_roles": "which program owns a thread is not handled",
    "account_linking": "linked accounts are not handled",
    "response_feedback": "feedback on an answer is not handled",
}
BESIDES: Final = frozenset({"sender", "recipient", "timestamp"})
"""Keys that every kind has."""
NOT_KNOWN: Final = "this kind of update is not handled"
NOT_OURS: Final = "it is for another account than the one it was delivered for"
OWN_ECHO: Final = "an echo of what this app sent itself"


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading needs to know: the account's own id, the app's, whose echoes are ours, and where links without a host lead."""

    own_id: str
    app_id: str
    site: str


class Odd(Exception):
    """An element that cannot be handled; its text says why."""


def message_key(mid: str) -> str:
    return f"m:{mid}"


def mid_of(key: str) -> str:
    """The reverse of `message_key`, and of the keys of a message's further parts; empty for every other key."""
    kind, _, rest = key.partition(":")
    return rest if kind == "m" else rest.partition(":")[2] if kind == "n" else ""


def read_events(request: RawRequest, reader: Reader) -> list[Event]:
    """The events of a delivery, each key once. Raises MalformedPayload and nothing else."""
    events: dict[str, Event] = {}
    for place, element in enumerate(elements(request)):
        kind = _kind(element)
        try:
            if element.own_id != reader.own_id:
                raise Odd(NOT_OURS)
            if kind not in READINGS:
                raise Odd(IGNORED.get(kind, NOT_KNOWN))
            for event in READINGS[kind](element, reader):
                events.setdefault(event.key, event)
        except Odd as odd:
            key = f"odd:{hashlib.sha256(request.body).hexdigest()[:32]}:{place}"
            events[key] = Unrecognised(key=key, at=element.at, kind=kind[:LONGEST_KIND], why=str(odd))
    return list(events.values())


def _kind(element: Element) -> str:
    """The key of an element that says what it is, known ones first."""
    if element.road == "changes":
        return f"changes {a_text(element.value, 'field')}".rstrip()
    known = next((kind for kind in READINGS if kind in element.value), "")
    return known or next((key for key in element.value if key not in BESIDES), "empty")


def _person(element: Element, who: str = "sender") -> Sender:
    """The person at the other end. Raises Odd where there is none, or the account is not the one of the entry.

    Somebody who ticked a box on a website has no id of theirs yet, only that of the tick: `ref:` and it.
    """
    other = an_id(an_object(element.value, "recipient" if who == "sender" else "sender"), "id")
    if other and other != element.own_id:
        raise Odd(NOT_OURS)
    party = an_object(element.value, who)
    person, ref = an_id(party, "id"), an_id(party, "user_ref") or an_id(an_object(element.value, "optin"), "user_ref")
    if person and person != element.own_id:
        return Sender(provider_user_id=person, aliases=(f"ref:{ref}",) if ref else ())
    if person or not ref:
        raise Odd("it names nobody")
    return Sender(provider_user_id=f"ref:{ref}")


def _stamp(at: datetime) -> int:
    """Milliseconds, as a part of keys."""
    return int(at.timestamp() * 1000)


def _need_mid(value: Json) -> str:
    mid = an_id(value, "mid")
    if not mid:
        raise Odd("it has no message id")
    return mid


def _message(element: Element, reader: Reader) -> Iterator[Event]:
    message = an_object(element.value, "message")
    mid = _need_mid(message)
    if message.get("is_deleted") is True:
        yield MessageDeleted(key=f"gone:{mid}", at=element.at, target_key=message_key(mid))
        return
    is_echo = message.get("is_echo") is True
    app_id = an_id(message, "app_id")
    if is_echo and app_id and app_id == reader.app_id:
        raise Odd(OWN_ECHO)
    person = _person(element, "recipient" if is_echo else "sender")
    contents = read_contents(message, reader.site)
    if not contents:
        raise Odd("a preview of a phone number in another message")
    answered = an_id(an_object(message, "reply_to"), "mid")
    reply_to = message_key(answered) if answered else None
    files = sum(isinstance(content, Media) for content in contents)
    referral = read_referral(message) or read_story(message)
    for place, content in enumerate(contents):
        key = message_key(mid) if place == 0 else f"n:{place}:{mid}"
        piece_of = message_key(mid) if place else ""
        if is_echo:
            yield MessageSent(
                key=key,
                at=element.at,
                recipient=person,
                content=content,
                sequence=place,
                reply_to_key=reply_to,
                piece_of=piece_of,
                by=INBOXES.get(app_id, app_id),
            )
        else:
            yield MessageReceived(
                key=key,
                at=element.at,
                sender=person,
                content=content,
                sequence=place,
                reply_to_key=reply_to,
                album=f"files:{mid}" if files > 1 and isinstance(content, Media) else "",
                referral=referral,
                piece_of=piece_of,
            )


def _postback(element: Element, reader: Reader) -> Iterator[Event]:
    """A pressed button, Get Started, or an entry of a menu. What it brings back is missing where another program sent the button.

    The key has the time: Meta does not say whether the id is that of the press or of the message with the button, which can be
    pressed again."""
    postback = an_object(element.value, "postback")
    person, title, payload = _person(element), a_text(postback, "title"), a_text(postback, "payload")
    referral = read_referral(postback)
    mid = an_id(postback, "mid") or f"{person.provider_user_id}:{payload[:LONGEST_KIND]}"
    yield MessageReceived(
        key=f"press:{mid}:{_stamp(element.at)}",
        at=element.at,
        sender=person,
        content=Interactive(option=payload, label=title),
        start_payload=_start(referral.payload) if referral else None,
        referral=referral,
    )


def _referral(element: Element, reader: Reader) -> Iterator[Event]:
    """A link or an ad led somebody back into a thread that exists. They wrote nothing, but may be answered now."""
    referral = read_referral(element.value)
    if referral is None:
        raise Odd("a referral that says nothing")
    person = _person(element)
    yield MessageReceived(
        key=f"came:{person.provider_user_id}:{_stamp(element.at)}",
        at=element.at,
        sender=person,
        content=Sheet(kind="link", title=referral.title or referral.payload),
        start_payload=_start(referral.payload),
        referral=referral,
    )


def _start(payload: str) -> str:
    return payload if len(payload) <= LONGEST_START else ""


def _edited(element: Element, reader: Reader) -> Iterator[Event]:
    """The same id, up to five times. One without a text says nothing (instagram.md, 3)."""
    edit = an_object(element.value, "message_edit")
    mid = _need_mid(edit)
    if not a_text(edit, "text"):
        raise Odd("an edit without a text")
    number = edit.get("num_edit")
    key = f"edit:{mid}:{number if type(number) in (int, str) else _stamp(element.at)}"
    yield MessageEdited(key=key, at=element.at, target_key=message_key(mid), content=Text(text=a_text(edit, "text")))


def _reacted(element: Element, reader: Reader) -> Iterator[Event]:
    reaction = an_object(element.value, "reaction")
    mid, person = _need_mid(reaction), _person(element)
    is_gone = a_text(reaction, "action") == "unreact"
    emoji = "" if is_gone else a_text(reaction, "emoji") or REACTIONS.get(a_text(reaction, "reaction"), "")
    if not emoji and not is_gone:
        raise Odd("a reaction without an emoji")
    key = f"react:{mid}:{person.provider_user_id}:{_stamp(element.at)}:{'off' if is_gone else 'on'}"
    yield ReactionChanged(key=key, at=element.at, target_key=message_key(mid), emoji=emoji)


def _delivered(element: Element, reader: Reader) -> Iterator[Event]:
    """Ids where there are some: they are exact. Else everything up to the watermark, which is always there."""
    delivery = an_object(element.value, "delivery")
    mids = texts(delivery, "mids")
    for mid in mids:
        yield StatusChanged(key=f"delivered:{mid}", at=element.at, target_key=message_key(mid), status="delivered")
    if not mids:
        yield _up_to(element, delivery, "delivered")


def _read(element: Element, reader: Reader) -> Iterator[Event]:
    """Messenger tells a time up to which all was read, Instagram the message."""
    read = an_object(element.value, "read")
    mid = an_id(read, "mid")
    if mid:
        yield StatusChanged(key=f"read:{mid}", at=element.at, target_key=message_key(mid), status="read")
    else:
        yield _up_to(element, read, "read")


def _up_to(element: Element, value: Json, status: Literal["delivered", "read"]) -> StatusUpTo:
    person, up_to = _person(element), moment(value.get("watermark"))
    if up_to is None:
        raise Odd("it names neither a message nor a time")
    key = f"{status}:{person.provider_user_id}:{_stamp(up_to)}"
    return StatusUpTo(key=key, at=element.at, sender=person, up_to=up_to, status=status)


def _opted(element: Element, reader: Reader) -> Iterator[Event]:
    """Marketing messages, agreed to, stopped or resumed, or a box that was ticked on a website. The token of a topic is another
    address of the person, for that topic alone: `token:` and it."""
    optin = an_object(element.value, "optin")
    person = _person(element)
    token, status = an_id(optin, "notification_messages_token"), a_text(optin, "notification_messages_status")
    change: Literal["opted_in", "marketing_stopped", "marketing_resumed"] = "opted_in"
    if status:
        change = "marketing_resumed" if status.replace(" ", "_") == "RESUME_NOTIFICATIONS" else "marketing_stopped"
    aliases = person.aliases + ((f"token:{token}",) if token else ())
    yield ConsentChanged(
        key=f"optin:{person.provider_user_id}:{_stamp(element.at)}",
        at=element.at,
        sender=Sender(provider_user_id=person.provider_user_id, aliases=aliases),
        change=change,
        text=a_text(optin, "title"),
    )


def _policy(element: Element, reader: Reader) -> Iterator[Event]:
    """Meta blocks the page's messages, warns, or lifts it."""
    policy = an_object(element.value, "policy_enforcement")
    action = a_text(policy, "action")
    key = f"policy:{action[:LONGEST_KIND]}:{_stamp(element.at)}"
    level = LEVELS.get(action, "warning")
    yield ChannelHealth(key=key, at=element.at, level=level, cause="policy", text=a_text(policy, "reason"))


def _decided(element: Element, reader: Reader) -> Iterator[Event]:
    decision = read_decision(element)
    if decision is None:
        raise Odd("it names no template")
    yield decision


READINGS: Final[dict[str, Callable[[Element, Reader], Iterator[Event]]]] = {
    "message": _message,
    "postback": _postback,
    "reaction": _reacted,
    "message_edit": _edited,
    "read": _read,
    "delivery": _delivered,
    "referral": _referral,
    "optin": _opted,
    "policy_enforcement": _policy,
    f"changes {FIELD}": _decided,
}
