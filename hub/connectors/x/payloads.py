"""What X tells -> events: the Activity API and the older Account Activity frame (provider file, 3)."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from hub.connectors.contract import RawRequest
from hub.connectors.errors import MalformedPayload
from hub.connectors.events import (
    ChannelHealth,
    Content,
    Event,
    Interactive,
    Location,
    Media,
    MediaKind,
    MessageReceived,
    MessageSent,
    Sender,
    StatusUpTo,
    Text,
    Typing,
    Unrecognised,
    Unsupported,
)
from hub.connectors.sharing import Share

Json = dict[str, Any]

KINDS: Final[dict[str, MediaKind]] = {"photo": "image", "animated_gif": "animation", "video": "video", "audio": "voice"}
SNOWFLAKE_EPOCH: Final = 1288834974657
"""Milliseconds at which X's ids begin; their upper 42 bits count from there."""
LABELS: Final = 120
EPOCH: Final = datetime(2006, 3, 21, tzinfo=UTC)


def read_object(body: bytes) -> Json:
    """Raises MalformedPayload."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedPayload("no JSON") from error
    if not isinstance(found, dict) or not found:
        raise MalformedPayload("no object")
    return found


def account_of(delivery: Json) -> str:
    """The id of the account that a delivery is for; empty where none is named."""
    data = _object(delivery, "data")
    payload = _object(data, "payload")
    return _word(_object(data, "filter"), "user_id") or _word(payload, "user_id") or _word(delivery, "for_user_id")


def share(request: RawRequest) -> Sequence[Share]:
    """One delivery is for one account (2)."""
    return [Share(own_id=account_of(read_object(request.body)), body=request.body)]


def read_delivery(request: RawRequest) -> Sequence[Event]:
    delivery = read_object(request.body)
    received = request.received_at or EPOCH
    if "data" not in delivery and "for_user_id" not in delivery and "replay_job_status" not in delivery:
        raise MalformedPayload("neither data nor for_user_id")
    data, own = _object(delivery, "data"), account_of(delivery)
    kind = _word(data, "event_type")
    payload = _object(data, "payload") if data else delivery
    if kind.startswith("chat."):
        return [_encrypted(kind, payload, data, own, received)]
    if kind == "oauth.revoke":
        at, text = _moment(payload.get("date_time")) or received, _word(payload, "app_id")
        return [ChannelHealth(key=f"r:{at.isoformat()}", at=at, level="attention", cause="access_revoked", text=text)]
    events = {event.key: event for event in _events(payload, own, received)}
    if not events:
        name = kind or next((name for name in payload if name not in ("for_user_id", "users", "apps")), "delivery")
        number = _word(data, "event_uuid") or f"{own}:{received.isoformat()}"
        return [Unrecognised(key=f"u:{number}", at=received, kind=name[:LABELS], why="nothing in it that is known")]
    return list(events.values())


def _events(payload: Json, own: str, received: datetime) -> Iterator[Event]:
    users = _object(payload, "users")
    readers: tuple[tuple[str, Callable[[Json, str, Json, datetime], Event]], ...] = (
        ("direct_message_events", _message),
        ("direct_message_mark_read_events", _read),
        ("direct_message_indicate_typing_events", _typing),
    )
    for name, reader in readers:
        found = payload.get(name)
        for one in found if isinstance(found, list) else ():
            if isinstance(one, dict):
                yield reader(one, own, users, received)


def _message(event: Json, own: str, users: Json, received: datetime) -> Event:
    number, at = _word(event, "id"), _moment(event.get("created_timestamp")) or received
    if not number:
        raise MalformedPayload("a message without id")
    created = _object(event, "message_create")
    sender, target = _word(created, "sender_id"), _word(_object(created, "target"), "recipient_id")
    if _word(event, "type") != "message_create" or not sender:
        kind = _word(event, "type")[:LABELS] or "event"
        return Unrecognised(key=f"u:{number}", at=at, kind=kind, why="an event that is not a message")
    content = _content(_object(created, "message_data"), number)
    sequence = int(number) & 0x3FFFFF if number.isdecimal() and len(number) < 20 else 0
    if sender == own:
        by = _word(_object(_object(event, "apps"), _word(created, "source_app_id")), "name")
        return MessageSent(key=f"m:{number}", at=at, recipient=_person(target, users), content=content, sequence=sequence, by=by)
    return MessageReceived(key=f"m:{number}", at=at, sender=_person(sender, users), content=content, sequence=sequence)


def _content(data: Json, number: str) -> Content:
    text = _word(data, "text")
    answer = data.get("quick_reply_response")
    if isinstance(answer, dict):
        return Interactive(option=_word(answer, "metadata"), label=unescape(text))
    attachment = _object(data, "attachment")
    match attachment.get("type"):
        case "media":
            return _media(_object(attachment, "media"), text, number)
        case "location":
            return _place(attachment)
        case None:
            return Text(text=unescape(text))
        case kind:
            return Unsupported(kind=str(kind)[:LABELS], summary=unescape(text))


def _media(media: Json, text: str, number: str) -> Content:
    """The text ends with a link that stands for the file. `indices` count characters of the text as it came."""
    url = _best_variant(media) or _word(media, "media_url_https")
    if not url:
        return Unsupported(kind="media", summary=unescape(text))
    caption = unescape(_without(text, media.get("indices"))).strip()
    kind = KINDS.get(_word(media, "type"), "document")
    number_of_media = _word(media, "id_str")
    size = _object(_object(media, "sizes"), "large")
    return Media(
        kind=kind,
        ref=f"{number} {number_of_media} {url}",
        unique=number_of_media,
        name=url.partition("?")[0].rpartition("/")[2][:LABELS],
        width=_count(size, "w"),
        height=_count(size, "h"),
        caption=Text(text=caption) if caption else None,
    )


def _best_variant(media: Json) -> str:
    """The address of a film's file with the highest rate; empty for what is no film."""
    variants = _object(media, "video_info").get("variants")
    films = [one for one in variants if isinstance(one, dict) and _word(one, "url")] if isinstance(variants, list) else []
    films = [one for one in films if _word(one, "content_type").startswith(("video/", "audio/"))] or films
    return _word(max(films, key=lambda one: _count(one, "bitrate") or 0), "url") if films else ""


def _without(text: str, indices: object) -> str:
    match indices:
        case [int(start), int(end)] if 0 <= start < end <= len(text):
            return text[:start] + text[end:]
        case _:
            return text


def _place(attachment: Json) -> Content:
    """GeoJSON: longitude first."""
    point = _object(_object(_object(attachment, "location"), "shared_coordinate"), "coordinates").get("coordinates")
    match point:
        case [float() | int() as longitude, float() | int() as latitude] if -90 <= latitude <= 90 and -180 <= longitude <= 180:
            return Location(latitude=float(latitude), longitude=float(longitude))
        case _:
            return Unsupported(kind="location", summary="")


def _read(event: Json, own: str, users: Json, received: datetime) -> Event:
    """A watermark: everything up to an id. Ids grow with time, so its time is in it."""
    reader, last = _word(event, "sender_id"), _word(event, "last_read_event_id")
    at, key = _moment(event.get("created_timestamp")) or received, f"r:{reader}:{last}"
    if not last.isdecimal() or len(last) > 19 or not reader:
        return Unrecognised(key=key, at=at, kind="read", why="it does not say up to where")
    if reader == own:
        return Unrecognised(key=key, at=at, kind="read", why="our side read it")
    milliseconds = (int(last) >> 22) + SNOWFLAKE_EPOCH + 1
    up_to = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return StatusUpTo(key=key, at=at, sender=_person(reader, users), up_to=up_to, status="read")


def _typing(event: Json, own: str, users: Json, received: datetime) -> Event:
    writer, at = _word(event, "sender_id"), _moment(event.get("created_timestamp")) or received
    key = f"t:{writer}:{at.isoformat()}"
    if not writer or writer == own:
        return Unrecognised(key=key, at=at, kind="typing", why="our side writes")
    return Typing(key=key, at=at, sender=_person(writer, users))


def _encrypted(kind: str, payload: Json, data: Json, own: str, received: datetime) -> Event:
    """X Chat: nobody but the two ends can read it. The envelope stays in the delivery."""
    number, sender = _word(payload, "id") or _word(data, "event_uuid"), _word(payload, "sender_id")
    if not number or not sender:
        raise MalformedPayload("an encrypted event without id or sender")
    at = _moment(payload.get("created_at_msec")) or received
    key, content = f"c:{number}", Unsupported(kind="encrypted_chat", summary="")
    match kind:
        case "chat.received" if sender != own:
            return MessageReceived(key=key, at=at, sender=Sender(provider_user_id=sender), content=content)
        case _:
            return Unrecognised(key=key, at=at, kind=kind[:LABELS], why="of an encrypted chat")


def _person(number: str, users: Json) -> Sender:
    """Users stand in one of two shapes: with a `data` around and `username`, or flat with `screen_name`."""
    user = _object(users, number)
    user = _object(user, "data") or user
    return Sender(
        provider_user_id=number,
        display_name=_word(user, "name"),
        username=_word(user, "username") or _word(user, "screen_name"),
    )


def unescape(text: str) -> str:
    """X escapes `&`, `<` and `>`, once."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _moment(value: object) -> datetime | None:
    """Milliseconds as text, or ISO 8601."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 15:
        return datetime.fromtimestamp(int(value) / 1000, UTC)
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at.astimezone(UTC) if at is not None and at.tzinfo and at.year > 1970 else None


def _object(value: Json, name: str) -> Json:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _word(value: Json, name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _count(value: Json, name: str) -> int | None:
    found = value.get(name)
    return found if type(found) is int and 0 <= found < 2**31 else None
