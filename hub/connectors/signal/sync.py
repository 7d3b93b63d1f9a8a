"""What our own phone tells its linked devices: what a colleague sent from it, whom they blocked (provider file, 3)."""

from hub.connectors.events import (
    ConsentChanged,
    Event,
    MessageDeleted,
    MessageEdited,
    MessageSent,
    Sender,
)
from hub.connectors.signal.content import read_contents
from hub.connectors.signal.envelope import ONLY_ONE, Envelope, our_key, read_person
from hub.connectors.signal.reading import Json, a_timestamp, an_object


def read_sync(about: Envelope, said: Json) -> list[Event]:
    if sent := an_object(said, "sentMessage"):
        return _sent(about, sent)
    if "sentStoryMessage" in said:
        return [about.ignored("story_sent", "what is shown to all is no message to somebody")]
    if "readMessages" in said:
        return [about.ignored("read_elsewhere", "what was read on the phone: unread is what nobody has read in the hub")]
    if blocked := _blocked(about, said):
        return blocked
    return [about.ignored("sync", "what devices of one account tell each other")]


def _sent(about: Envelope, said: Json) -> list[Event]:
    """`about` is our own account; the chat is named by the destination."""
    recipient = read_person(said, "destination")
    if "groupInfo" in said or "groupInfo" in an_object(an_object(said, "editMessage"), "dataMessage"):
        return [about.ignored("group_sent", ONLY_ONE)]
    if recipient is None or recipient.provider_user_id == about.person:
        return [about.ignored("note_to_self", "nobody else gets to see it")]
    if edit := an_object(said, "editMessage"):
        return _edited(about, edit)
    if "remoteDelete" in said:
        if not (target := a_timestamp(an_object(said, "remoteDelete"), "timestamp")):
            return [about.ignored("delete_sent", "the deletion is not as documented")]
        return [MessageDeleted(key=about.own_key("d"), at=about.at, target_key=our_key(target))]
    timestamp = a_timestamp(said, "timestamp") or about.timestamp
    contents = [] if "reaction" in said else read_contents(said, has_stickers=about.has_stickers)
    if not contents:
        return [about.ignored("sent_besides", "reactions, votes and the like that somebody sent from the phone")]
    key, quote = our_key(timestamp), an_object(said, "quote")
    quoted = a_timestamp(quote, "id")
    chat = Envelope(recipient, about.at, about.timestamp, about.device, about.has_stickers)
    return [
        MessageSent(
            key=key if place == 0 else f"{key}:{place}",
            at=about.at,
            recipient=recipient,
            content=content,
            sequence=place,
            reply_to_key=chat.key_by(quote, "author", quoted) if quoted and place == 0 else None,
            piece_of=key if place else "",
            by=f"device {about.device}" if about.device is not None else "",
        )
        for place, content in enumerate(contents)
    ]


def _edited(about: Envelope, edit: Json) -> list[Event]:
    target, new = a_timestamp(edit, "targetSentTimestamp"), an_object(edit, "dataMessage")
    contents = read_contents(new, has_stickers=about.has_stickers)
    if not target or not contents:
        return [about.ignored("edit_sent", "the change is not as documented")]
    key = our_key(a_timestamp(new, "timestamp") or about.timestamp)
    return [MessageEdited(key=key, at=about.at, target_key=our_key(target), content=contents[0])]


def _blocked(about: Envelope, said: Json) -> list[Event]:
    """The whole list, each entry a number or a uuid. Who is not on it any more is not told."""
    listed = said.get("blockedNumbers")
    entries = (
        dict.fromkeys(one for one in listed if isinstance(one, str) and 0 < len(one) <= 64) if isinstance(listed, list) else {}
    )
    return [
        ConsentChanged(
            key=f"b:{one}:{about.timestamp}",
            at=about.at,
            sender=Sender(provider_user_id=one, phone=one if one.startswith("+") else ""),
            change="blocked",
        )
        for one in entries
    ]
