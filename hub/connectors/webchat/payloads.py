"""Bodies of `wire.py` -> events."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from hub.connectors.contract import RawRequest
from hub.connectors.errors import MalformedPayload
from hub.connectors.events import (
    Content,
    Event,
    Interactive,
    Media,
    MediaKind,
    MessageReceived,
    Referral,
    Sender,
    StatusChanged,
    Text,
    Typing,
    Unrecognised,
    Unsupported,
)
from hub.connectors.webchat.wire import message_key

LATEST: Final = 253_402_300_800_000
"""Milliseconds until the year 10000."""
KINDS: Final[dict[str, MediaKind]] = {"image": "image", "video": "video", "audio": "audio", "document": "document"}
MOST_KEYS: Final = 200

Json = dict[str, Any]


def read_body(request: RawRequest) -> Sequence[Event]:
    """The events of one body. Raises MalformedPayload."""
    try:
        body = orjson.loads(request.body)
    except ValueError:
        raise MalformedPayload("not JSON") from None
    if not isinstance(body, dict):
        raise MalformedPayload("no object")
    person, id_, at, kind = body.get("visitor"), _text(body, "id"), body.get("at"), _text(body, "kind")
    if not isinstance(person, dict) or not _text(person, "id") or not id_:
        raise MalformedPayload("it names no visitor or has no id")
    if type(at) is not int or not 0 <= at < LATEST:
        raise MalformedPayload("it has no time")
    moment = datetime.fromtimestamp(at / 1000, UTC)
    sender = Sender(
        provider_user_id=_text(person, "id"),
        display_name=_text(person, "name"),
        username=_text(person, "email"),
        language=_text(person, "language"),
    )
    key = f"{sender.provider_user_id}:{id_}"
    match kind:
        case "marks":
            return _marks(body, moment) or [Unrecognised(key=f"u:{key}", at=moment, kind=kind, why="it names no message")]
        case "typing":
            return [Typing(key=f"t:{key}", at=moment, sender=sender, is_typing=body.get("is_typing") is not False)]
        case "message" | "file" | "press":
            said = MessageReceived(
                key=message_key(sender.provider_user_id, id_),
                at=moment,
                sender=sender,
                content=_content(kind, body),
                referral=_page(body.get("page")),
            )
            return [said]
        case _:
            return [Unrecognised(key=f"u:{key}", at=moment, kind=kind, why="a kind of a later version")]


def _text(place: Json, name: str) -> str:
    value = place.get(name)
    return value if isinstance(value, str) else ""


def _content(kind: str, body: Json) -> Content:
    """What was sent; without its substance an honest card."""
    if kind == "message" and (text := _text(body, "text")):
        return Text(text=text)
    if kind == "press" and (option := _text(body, "option")):
        return Interactive(option=option, label=_text(body, "label"))
    if kind == "file" and (ref := _text(body, "ref")):
        size = body.get("size")
        return Media(
            kind=KINDS.get(_text(body, "type"), "document"),
            ref=ref,
            name=_text(body, "name"),
            mime=_text(body, "mime"),
            size=size if type(size) is int and 0 <= size < 2**63 else None,
        )
    return Unsupported(kind=kind, summary="")


def _page(page: object) -> Referral | None:
    """The page on which a conversation began."""
    if not isinstance(page, dict) or not _text(page, "url"):
        return None
    return Referral(source="web", url=_text(page, "url"), title=_text(page, "title"))


def _marks(body: Json, at: datetime) -> list[Event]:
    """One status for each message of ours: each is told once, however often the widget says so."""
    status, keys = _text(body, "status"), body.get("keys")
    if not isinstance(keys, list) or status not in ("delivered", "read"):
        return []
    named = dict.fromkeys(key for key in keys[:MOST_KEYS] if isinstance(key, str) and key)
    return [
        StatusChanged(key=f"s:{status}:{key}", at=at, target_key=key, status="read" if status == "read" else "delivered")
        for key in named
    ]
