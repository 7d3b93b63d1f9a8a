"""What signal-cli hands out -> events (provider file, 3). What a message says is read in `content.py`, what our own phone does in
`sync.py`. At most once is all that is promised: whatever comes is an event, and nothing of it raises but what has no place."""

import hashlib
from collections.abc import Callable
from typing import Final, Literal

from hub.connectors.contract import RawRequest
from hub.connectors.errors import MalformedPayload
from hub.connectors.events import (
    ChannelHealth,
    Content,
    Event,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    ReactionChanged,
    StatusChanged,
    Typing,
    Unrecognised,
)
from hub.connectors.signal.content import read_call, read_contents
from hub.connectors.signal.envelope import EPOCH, ONLY_ONE, Envelope, message_key, moment, our_key, read_person
from hub.connectors.signal.reading import Json, a_count, a_text, a_timestamp, an_object, read_json
from hub.connectors.signal.sync import read_sync

IGNORED: Final = {
    "pollVote": ("poll_vote", "votes are not handled"),
    "pollTerminate": ("poll_ended", "polls are not handled"),
    "pinMessage": ("pinned", "pins are not handled"),
    "unpinMessage": ("unpinned", "pins are not handled"),
    "adminDelete": ("admin_delete", ONLY_ONE),
}
"""What a message can be besides, left out on purpose."""
LONGEST_EMOJI: Final = 64


def read_delivery(request: RawRequest, *, has_stickers: bool) -> list[Event]:
    """The events of one delivery. Raises MalformedPayload and nothing else."""
    told = _params(request.body)
    envelope, exception = an_object(told, "envelope"), an_object(told, "exception")
    if not envelope and not exception:
        raise MalformedPayload("no envelope")
    timestamp, sender = a_timestamp(envelope, "timestamp"), read_person(envelope, "source")
    if sender is None or not timestamp:
        if not exception and not timestamp:
            raise MalformedPayload("no timestamp")
        return [_nobodys(request, exception)]
    at = moment(timestamp)
    about = Envelope(
        sender=sender,
        at=at if request.received_at is None else min(at, request.received_at),  # nothing is from later than it came
        timestamp=timestamp,
        device=a_count(envelope, "sourceDevice"),
        has_stickers=has_stickers,
    )
    if exception:
        return [_exception(about, exception)]
    for name, read in _READERS.items():
        if said := an_object(envelope, name):
            return read(about, said)
    return [about.ignored("nothing", "there is nothing in this envelope that this hub reads")]


def _params(body: bytes) -> Json:
    """The object that holds account and envelope, whichever frame is around it (provider file, 3): a line of JSON-RPC, one of a
    subscription, or none. Raises MalformedPayload."""
    try:
        told = read_json(body)
    except ValueError:
        raise MalformedPayload("no JSON") from None
    if not isinstance(told, dict):
        raise MalformedPayload("no object")
    told = told["params"] if isinstance(told.get("params"), dict) else told
    return told["result"] if isinstance(told.get("result"), dict) else told


def _nobodys(request: RawRequest, exception: Json) -> Unrecognised:
    """The sender is inside what could not be opened, or is not named."""
    key = f"n:{hashlib.sha256(request.body).hexdigest()[:32]}"
    why = a_text(exception, "message") or "the sender is not named"
    return Unrecognised(key=key, at=request.received_at or EPOCH, kind=a_text(exception, "type") or "no_sender", why=why[:300])


def _exception(about: Envelope, exception: Json) -> Event:
    """What signal-cli could not open. After a changed safety number it keeps the message for 14 days, until somebody trusts the new
    one; of other troubles it tells the sender's app, which sends the message again."""
    kind, why = a_text(exception, "type"), a_text(exception, "message")[:300]
    if kind == "UntrustedIdentityException":
        who = about.sender.display_name or about.sender.phone or about.person
        return ChannelHealth(key=about.own_key("untrusted"), at=about.at, level="warning", cause="untrusted_identity", text=who)
    return about.ignored(kind or "exception", f"could not be opened: {why}" if why else "could not be opened")


def _data(about: Envelope, said: Json) -> list[Event]:
    if "groupInfo" in said:
        return [about.ignored("group", ONLY_ONE)]
    if reaction := an_object(said, "reaction"):
        return [_reaction(about, reaction)]
    if "remoteDelete" in said:
        return [_delete(about, an_object(said, "remoteDelete"))]
    for name, (kind, why) in IGNORED.items():
        if name in said:
            return [about.ignored(kind, why)]
    timestamp = a_timestamp(said, "timestamp") or about.timestamp
    key, contents = message_key(about.person, timestamp), read_contents(said, has_stickers=about.has_stickers)
    if not contents:
        return [about.ignored("empty", "a message without anything to show: a changed profile, a session that begins anew")]
    quote = an_object(said, "quote")
    quoted = a_timestamp(quote, "id")
    return [
        MessageReceived(
            key=key if place == 0 else f"{key}:{place}",
            at=about.at,
            sender=about.sender,
            content=content,
            sequence=place,
            reply_to_key=about.key_by(quote, "author", quoted) if quoted and place == 0 else None,
            album=f"a:{about.person}:{timestamp}" if _is_album(contents) else "",
            piece_of=key if place else "",
        )
        for place, content in enumerate(contents)
    ]


def _is_album(contents: list[Content]) -> bool:
    return len(contents) > 1 and all(type(content) is type(contents[0]) for content in contents) and hasattr(contents[0], "ref")


def _reaction(about: Envelope, said: Json) -> Event:
    target, emoji = a_timestamp(said, "targetSentTimestamp"), a_text(said, "emoji")
    if not target or not emoji or len(emoji) > LONGEST_EMOJI:
        return about.ignored("reaction", "the reaction is not as documented")
    return ReactionChanged(
        key=about.own_key("x"),
        at=about.at,
        target_key=about.key_by(said, "targetAuthor", target),
        emoji="" if said.get("isRemove") is True else emoji,
    )


def _delete(about: Envelope, said: Json) -> Event:
    target = a_timestamp(said, "timestamp")
    if not target:
        return about.ignored("delete", "the deletion is not as documented")
    return MessageDeleted(key=about.own_key("d"), at=about.at, target_key=message_key(about.person, target))


def _edit(about: Envelope, said: Json) -> list[Event]:
    """To Signal an edit is a message of its own, and the next one may name it."""
    target, new = a_timestamp(said, "targetSentTimestamp"), an_object(said, "dataMessage")
    if "groupInfo" in new:
        return [about.ignored("group_edit", ONLY_ONE)]
    contents = read_contents(new, has_stickers=about.has_stickers)
    if not target or not contents:
        return [about.ignored("edit", "the change is not as documented")]
    key, target_key = message_key(about.person, a_timestamp(new, "timestamp") or about.timestamp), message_key(about.person, target)
    return [MessageEdited(key=key, at=about.at, target_key=target_key, content=contents[0])]


def _receipt(about: Envelope, said: Json) -> list[Event]:
    """One receipt speaks of many messages. Each device of a person may send its own: the key is that of the fact, so the second one
    is the same."""
    status: Literal["delivered", "read"] | None = None
    if said.get("isDelivery") is True:
        status = "delivered"
    if said.get("isRead") is True or said.get("isViewed") is True:
        status = "read"
    told = said.get("timestamps")
    listed = told if isinstance(told, list) else []
    timestamps = dict.fromkeys(one for one in listed if a_timestamp({"at": one}, "at"))
    if status is None or not timestamps:
        return [about.ignored("receipt", "the receipt is not as documented")]
    return [
        StatusChanged(key=f"r:{about.person}:{status}:{one}", at=about.at, target_key=our_key(one), status=status)
        for one in timestamps
    ]


def _typing(about: Envelope, said: Json) -> list[Event]:
    if "groupId" in said:
        return [about.ignored("group_typing", ONLY_ONE)]
    is_typing = a_text(said, "action") == "STARTED"
    return [Typing(key=about.own_key("t"), at=about.at, sender=about.sender, is_typing=is_typing)]


def _call(about: Envelope, said: Json) -> list[Event]:
    if "offerMessage" not in said:
        return [about.ignored("call_signal", "calls cannot be taken")]
    key = message_key(about.person, about.timestamp)
    return [MessageReceived(key=key, at=about.at, sender=about.sender, content=read_call(said))]


def _story(about: Envelope, said: Json) -> list[Event]:
    return [about.ignored("story", "what somebody shows to all is no message to us")]


_READERS: Final[dict[str, Callable[[Envelope, Json], list[Event]]]] = {
    "dataMessage": _data,
    "editMessage": _edit,
    "receiptMessage": _receipt,
    "typingMessage": _typing,
    "syncMessage": read_sync,
    "callMessage": _call,
    "storyMessage": _story,
}
