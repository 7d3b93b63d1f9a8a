"""What Google tells -> events (provider file, 3). There is no type field: the keys that are present say what it is."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from hub.connectors.contract import Account, RawRequest
from hub.connectors.errors import MalformedPayload
from hub.connectors.events import (
    ChannelHealth,
    ConsentChanged,
    Content,
    Event,
    Interactive,
    Location,
    Media,
    MediaKind,
    MessageReceived,
    Sender,
    StatusChanged,
    Text,
    Typing,
    Unrecognised,
    Unsupported,
)
from hub.connectors.google.envelope import data_of
from hub.connectors.google.settings import GoogleSettings

TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")
KINDS: Final[dict[str, MediaKind]] = {"image": "image", "video": "video", "audio": "audio"}
LABELS: Final = 200
"""Characters of an unknown word that are kept."""
CONTENT: Final = frozenset({"text", "userFile", "location", "suggestionResponse"})
ENVELOPE: Final = frozenset({"senderPhoneNumber", "messageId", "sendTime", "agentId", "carrier", "richMessageClassification"})
"""What every message has besides its content; the last two of US numbers."""


def read_delivery(request: RawRequest, account: Account[GoogleSettings]) -> Sequence[Event]:
    """One delivery holds one item."""
    try:
        item = orjson.loads(data_of(request.body))
    except orjson.JSONDecodeError as error:
        raise MalformedPayload("message.data is no JSON") from error
    if not isinstance(item, dict):
        raise MalformedPayload("message.data is no object")
    at = _moment(item.get("sendTime"), request)
    agent = _word(item, "agentId").removesuffix("@rbm.goog")
    if agent and agent != account.settings.agent_id:
        key = f"x:{_word(item, 'messageId') or _word(item, 'eventId')}:{at.isoformat()}"
        return [Unrecognised(key=key, at=at, kind="another agent", why=f"for {agent[:LABELS]}, which is not this channel's agent")]
    if "eventType" in item:
        return [_event(item, at)]
    phone, number = _word(item, "senderPhoneNumber"), _word(item, "messageId")
    if phone and number:
        return [_message(item, at, phone, number)]
    if "agentLaunchEvent" in item or "launchState" in item:
        return [_launch(item, at)]
    raise MalformedPayload("neither an event nor a message with senderPhoneNumber and messageId")


def _message(item: dict[str, Any], at: datetime, phone: str, number: str) -> Event:
    answer = item.get("suggestionResponse")
    key = f"m:{phone}:{number}"
    if isinstance(answer, dict) and answer.get("type") == "ACTION":
        return Unrecognised(key=key, at=at, kind="action", why="a button that did something on the phone: nobody said anything")
    sender = Sender(provider_user_id=phone, display_name=phone, phone=phone)
    return MessageReceived(key=key, at=at, sender=sender, content=_content(item))


def _content(item: dict[str, Any]) -> Content:
    match item:
        case {"text": str(text)}:
            return Text(text=text)
        case {"userFile": {"payload": {"fileUri": str(uri)} as file}} if uri:
            return _file(file, uri)
        case {"location": dict(place)}:
            return _place(place)
        case {"suggestionResponse": dict(answer)}:
            return Interactive(option=_word(answer, "postbackData"), label=_word(answer, "text"))
        case _:
            unknown = next((name for name in item if name not in ENVELOPE), "empty")
            return Unsupported(kind=unknown[:LABELS], summary="")


def _file(file: dict[str, Any], uri: str) -> Media:
    mime = _word(file, "mimeType")
    size = file.get("fileSizeBytes")
    size = int(size) if isinstance(size, str) and size.isdecimal() and len(size) < 16 else size  # 64-bit numbers may be texts
    return Media(
        kind=KINDS.get(mime.partition("/")[0], "document"),
        ref=uri,
        mime=mime,
        name=_word(file, "fileName"),
        size=size if type(size) is int and 0 <= size < 2**53 else None,
    )


def _place(place: dict[str, Any]) -> Content:
    """A coordinate of zero is left out."""
    latitude, longitude = place.get("latitude", 0), place.get("longitude", 0)
    for value, most in ((latitude, 90), (longitude, 180)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
            return Unsupported(kind="location", summary="")
    return Location(latitude=float(latitude), longitude=float(longitude))


def _event(item: dict[str, Any], at: datetime) -> Event:
    """What the phone or the server tells; its person stands in `senderPhoneNumber` or `phoneNumber`."""
    kind, number = _word(item, "eventType"), _word(item, "eventId")
    phone = _word(item, "senderPhoneNumber") or _word(item, "phoneNumber")
    if not number:
        raise MalformedPayload("an event without eventId")
    key, sender = f"e:{phone}:{number}", Sender(provider_user_id=phone, phone=phone)
    target = f"o:{_word(item, 'messageId')}"
    match kind:
        case "DELIVERED" | "READ" if target != "o:":
            return StatusChanged(key=key, at=at, target_key=target, status="delivered" if kind == "DELIVERED" else "read")
        case "TTL_EXPIRATION_REVOKED" if target != "o:":
            text = "the phone was not reached in time, the message was taken back"
            return StatusChanged(key=key, at=at, target_key=target, status="failed", provider_code=kind, provider_text=text)
        case "IS_TYPING" if phone:
            return Typing(key=key, at=at, sender=sender)
        case "UNSUBSCRIBE" if phone:
            return ConsentChanged(key=key, at=at, sender=sender, change="marketing_stopped")
        case "SUBSCRIBE" if phone:
            return ConsentChanged(key=key, at=at, sender=sender, change="marketing_resumed")
        case "TTL_EXPIRATION_REVOKE_FAILED":
            return Unrecognised(key=key, at=at, kind=kind, why="the message may still arrive: its delivery will be told")
        case _:
            return Unrecognised(key=key, at=at, kind=kind[:LABELS] or "event", why="an event that is not known")


def _launch(item: dict[str, Any], at: datetime) -> ChannelHealth:
    """Google decided on the agent at a carrier. Its shape is not documented: its words are shown as they are."""
    told = item.get("agentLaunchEvent", item.get("launchState"))
    text = orjson.dumps(told).decode()[:LABELS]
    return ChannelHealth(key=f"l:{at.isoformat()}:{text}", at=at, level="warning", cause="launch_state", text=text)


def _moment(value: object, request: RawRequest) -> datetime:
    """Google's time; the hub's where none can be read. Nanoseconds are cut."""
    found = TIME.fullmatch(value) if isinstance(value, str) else None
    if found is not None:
        try:
            return datetime.fromisoformat(f"{found[1]}.{(found[2] or '')[:6]:0<6}+00:00")
        except ValueError:
            found = None
    return request.received_at or datetime(2000, 1, 1, tzinfo=UTC)


def _word(item: dict[str, Any], name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""
