"""Viber's callbacks -> events (provider file, A4).

Keys: `m:{user}:{token}` in either direction: a broadcast has one token for all its receivers, and `delivered` also comes for what
the user wrote. What tells of a message has the event before it: the statuses of one message share its token.
"""

from typing import Final
from urllib.parse import urlsplit

import orjson

from hub.connectors.contract import RawRequest
from hub.connectors.events import (
    ConsentChanged,
    ContactCard,
    Content,
    Event,
    Interactive,
    Location,
    Media,
    MediaKind,
    MessageReceived,
    Sender,
    Sheet,
    StatusChanged,
    StatusUpTo,
    Text,
    Unrecognised,
    Unsupported,
)
from hub.connectors.viber.reading import (
    Json,
    a_count,
    a_number,
    a_text,
    a_token,
    an_object,
    need_moment,
    need_token,
    need_user,
    read_json,
)

LONGEST_KIND: Final = 64
LONGEST_SUMMARY: Final = 300
LONGEST_FILE_NAME: Final = 255
LONGEST_LINK: Final = 2048
ANSWERS: Final = "answers"
"""In `tracking_data`, which comes back with the person's next message: the words of our buttons and what they stand for."""
WHY: Final = {
    "webhook": "Viber tests the address",
    "conversation_started": "to open a chat is neither a message nor a consent",
}
"""Events that are ignored on purpose."""
MEDIA: Final[dict[str, MediaKind]] = {"picture": "image", "video": "video", "file": "document", "sticker": "sticker"}


def message_key(user: str, token: str) -> str:
    return f"m:{user}:{token}"


def read_callback(request: RawRequest) -> list[Event]:
    """The events of one callback. Raises MalformedPayload and nothing else."""
    callback = read_json(request.body)
    match callback.get("event"):
        case "message":
            return _message(callback)
        case "subscribed":
            return [_subscribed(callback)]
        case "unsubscribed":
            return [_opted_out(callback)]
        case "delivered":
            return [_status(callback, "delivered")]
        case "seen":
            return [_status(callback, "read"), _seen_up_to(callback)]
        case "failed":
            return [_status(callback, "failed")]
        case _:
            return [_unrecognised(callback)]


def _message(callback: Json) -> list[Event]:
    """Somebody's first message makes them a subscriber, without a word of Viber's (provider file, A4). Only the first one says it:
    a later one must not take back that they wanted no more."""
    sender = _sender(an_object(callback, "sender"))
    user, at = sender.provider_user_id, need_moment(callback)
    return [
        ConsentChanged(key=f"subscribed:{user}", at=at, sender=sender, change="opted_in"),
        MessageReceived(
            key=message_key(user, need_token(callback)), at=at, sender=sender, content=_content(an_object(callback, "message"))
        ),
    ]


def _subscribed(callback: Json) -> ConsentChanged:
    sender = _sender(an_object(callback, "user"))
    key = f"subscribed:{sender.provider_user_id}:{need_token(callback)}"
    return ConsentChanged(key=key, at=need_moment(callback), sender=sender, change="opted_in")


def _opted_out(callback: Json) -> ConsentChanged:
    """Only the id stands there, and no user (provider file, A4)."""
    user = need_user(callback.get("user_id"))
    key = f"unsubscribed:{user}:{need_token(callback)}"
    return ConsentChanged(key=key, at=need_moment(callback), sender=Sender(provider_user_id=user), change="opted_out")


def _status(callback: Json, status: str) -> StatusChanged:
    """Also for what the person wrote themselves: such a message is known under this key and has no status to change."""
    user, token = need_user(callback.get("user_id")), need_token(callback)
    key, at, target = f"{status}:{user}:{token}", need_moment(callback), message_key(user, token)
    if status == "failed":
        said = a_text(callback, "desc")[:LONGEST_SUMMARY]
        return StatusChanged(key=key, at=at, target_key=target, status="failed", provider_code="failed", provider_text=said)
    return StatusChanged(key=key, at=at, target_key=target, status="read" if status == "read" else "delivered")


def _seen_up_to(callback: Json) -> StatusUpTo:
    """Viber says it once for however many messages were unread (provider file, A4)."""
    user, at = need_user(callback.get("user_id")), need_moment(callback)
    sender = Sender(provider_user_id=user)
    return StatusUpTo(key=f"seen:{user}:{need_token(callback)}", at=at, sender=sender, up_to=at, status="read")


def _unrecognised(callback: Json) -> Unrecognised:
    kind = a_text(callback, "event")[:LONGEST_KIND] or "empty"
    at = need_moment(callback)
    key = f"u:{kind}:{a_token(callback)}:{int(at.timestamp() * 1000)}"
    return Unrecognised(key=key, at=at, kind=kind, why=WHY.get(kind, "this kind of event is not handled"))


def _sender(user: Json) -> Sender:
    """The name is one that the person chose, or a placeholder; it identifies nobody."""
    return Sender(
        provider_user_id=need_user(user.get("id")), display_name=a_text(user, "name").strip(), language=a_text(user, "language")
    )


def who_opens(request: RawRequest) -> Sender | None:
    """Who has just opened the chat. Raises MalformedPayload."""
    callback = read_json(request.body)
    return _sender(an_object(callback, "user")) if callback.get("event") == "conversation_started" else None


def _content(message: Json) -> Content:
    kind = a_text(message, "type")
    match kind:
        case "text":
            return _words(message)
        case "picture" | "video" | "file" | "sticker":
            return _media(kind, message)
        case "location":
            return _place(message)
        case "contact":
            return _card(message)
        case "url":
            return _link(message)
        case _:
            return Unsupported(kind=kind[:LONGEST_KIND] or "empty", summary=a_text(message, "text")[:LONGEST_SUMMARY])


def _words(message: Json) -> Content:
    """A pressed button comes as the words on it; which answer that is stands in what we gave along, and is to be checked."""
    text = a_text(message, "text")
    option = _answers(a_text(message, "tracking_data")).get(text)
    return Interactive(option=option, label=text) if isinstance(option, str) and option else Text(text=text)


def _answers(tracking_data: str) -> Json:
    if ANSWERS not in tracking_data:
        return {}
    try:
        given = orjson.loads(tracking_data)
    except ValueError:
        return {}
    return an_object(given, ANSWERS) if isinstance(given, dict) else {}


def _media(kind: str, message: Json) -> Content:
    """A file lies at an address of its own for about an hour. It may be missing; then there is nothing to fetch."""
    url, caption = a_text(message, "media"), a_text(message, "text")
    if not _is_link(url):
        return Unsupported(kind=kind, summary=(caption or a_text(message, "file_name"))[:LONGEST_SUMMARY])
    return Media(
        kind=MEDIA[kind],
        ref=url,
        name=a_text(message, "file_name")[:LONGEST_FILE_NAME],
        size=a_count(message, "size"),
        duration=a_count(message, "duration"),
        caption=Text(text=caption) if caption else None,
    )


def _is_link(url: str) -> bool:
    try:
        return len(url) <= LONGEST_LINK and urlsplit(url).scheme in ("https", "http")
    except ValueError:  # a broken IPv6 address
        return False


def _place(message: Json) -> Content:
    place = an_object(message, "location")
    latitude, longitude = a_number(place, "lat"), a_number(place, "lon")
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return Unsupported(kind="location", summary=a_text(place, "address")[:LONGEST_SUMMARY])
    return Location(latitude=latitude, longitude=longitude, address=a_text(place, "address"))


def _card(message: Json) -> Content:
    """Anybody's card can be sent, so it never proves the sender's own number."""
    contact = an_object(message, "contact")
    phone = a_text(contact, "phone_number")
    return ContactCard(name=a_text(contact, "name"), phone=f"+{phone}" if phone.isascii() and phone.isdigit() else phone)


def _link(message: Json) -> Content:
    url = a_text(message, "media")
    if not _is_link(url):
        return Unsupported(kind="url", summary=url[:LONGEST_SUMMARY])
    return Sheet(kind="link", title=url[:LONGEST_SUMMARY], url=url, text=a_text(message, "text"))
