"""What Apple posts -> events (provider file, 3 to 5). One message a request; no time of its own."""

import base64
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2s
from typing import Any, Final

import orjson

from hub.connectors.apple.answers import is_told, question_of, read_answer
from hub.connectors.apple.sealing import Place
from hub.connectors.apple.settings import AppleSettings
from hub.connectors.contract import Account, RawRequest
from hub.connectors.errors import MalformedPayload
from hub.connectors.events import (
    ConsentChanged,
    Content,
    Event,
    Media,
    MediaKind,
    MessageReceived,
    Referral,
    Sender,
    Text,
    Typing,
    Unrecognised,
    Unsupported,
)
from hub.connectors.sharing import Share

GZIP: Final = b"\x1f\x8b"
LARGEST: Final = 4 << 20
"""Bytes of a payload once it is unpacked: an answer that is longer than 10 KB comes by reference (8)."""
PLACEHOLDER: Final = "\ufffc"
"""Stands in a text where a file belongs."""
KINDS: Final[dict[str, MediaKind]] = {"image": "image", "video": "video", "audio": "audio"}
VOICE: Final = frozenset({"audio/x-caf", "audio/caf", "audio/amr"})
"""What devices record (6)."""
LABELS: Final = 200
"""Characters of an unknown word that are kept."""


def unpack(body: bytes) -> dict[str, Any]:
    """The payload, packed or not, whatever the headers say (3). Raises MalformedPayload."""
    plain = body
    if body.startswith(GZIP):
        opening = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            plain = opening.decompress(body, LARGEST)
        except zlib.error as error:
            raise MalformedPayload("no gzip") from error
        if not opening.eof:
            raise MalformedPayload("too large or cut off")
    try:
        told = orjson.loads(plain)
    except orjson.JSONDecodeError as error:
        raise MalformedPayload("no JSON") from error
    if not isinstance(told, dict):
        raise MalformedPayload("no object")
    return told


def shares(request: RawRequest) -> Sequence[Share]:
    """One message speaks of one business."""
    business = _word(unpack(request.body), "destinationId").lower()
    if not business:
        raise MalformedPayload("no destinationId")
    return [Share(own_id=business, body=request.body)]


def read_delivery(request: RawRequest, account: Account[AppleSettings]) -> Sequence[Event]:
    told = unpack(request.body)
    number, person = _word(told, "id").lower(), _word(told, "sourceId")
    if not number or not person:
        raise MalformedPayload("no id or sourceId")
    at = request.received_at or datetime(2000, 1, 1, tzinfo=UTC)
    own = account.settings.business_id
    business = _word(told, "destinationId").lower()
    if business not in ("", own):
        why = f"for {business[:LABELS]}, which is not this channel's business"
        return [Unrecognised(key=f"x:{number}", at=at, kind="another business", why=why)]
    if person.lower() == own:
        return [Unrecognised(key=f"x:{number}", at=at, kind="echo", why="a message of our own")]
    sender = _sender(person, told)
    match _word(told, "type"):
        case "text":
            return _text(told, number, at, sender)
        case "interactive":
            return [_interactive(told, number, at, sender)]
        case "typing_start" | "typing_end" as kind:
            return [Typing(key=f"t:{number}", at=at, sender=sender, is_typing=kind == "typing_start")]
        case "close":
            return [ConsentChanged(key=f"c:{number}", at=at, sender=sender, change="opted_out")]
        case kind:
            return [Unrecognised(key=f"x:{number}", at=at, kind=kind[:LABELS] or "no type", why="a type that is not known")]


def _sender(person: str, told: dict[str, Any]) -> Sender:
    """Apple tells no name: one is made of the id, always the same. A declined invitation names a phone number."""
    phone = person.removeprefix("tel:") if person.startswith("tel:") else ""
    name = phone or f"Apple {blake2s(person.encode(), digest_size=2).hexdigest().upper()}"
    language = _word(told, "locale").partition("_")[0].lower()
    return Sender(provider_user_id=person, display_name=name, phone=phone, language=language[:8])


def _text(told: dict[str, Any], number: str, at: datetime, sender: Sender) -> list[Event]:
    """A text, or files with it as the words of the first; several are one message."""
    words = " ".join(part for piece in _word(told, "body").split(PLACEHOLDER) if (part := piece.strip(" ")))
    given = told.get("attachments")
    files = [_file(one) for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    came_by = _referral(told)
    if not files:
        content: Content = Text(text=words) if words else Unsupported(kind="text", summary="")
        return [MessageReceived(key=f"m:{number}", at=at, sender=sender, content=content, referral=came_by)]
    album = number if len(files) > 1 else ""
    if words and isinstance(files[0], Media):
        files[0] = _captioned(files[0], words)
    elif words:
        files.insert(0, Text(text=words))
        album = ""
    return [
        MessageReceived(
            key=f"m:{number}" if place == 0 else f"m:{number}:{place}",
            at=at,
            sender=sender,
            content=file,
            sequence=place,
            album=album if isinstance(file, Media) else "",
            referral=came_by if place == 0 else None,
        )
        for place, file in enumerate(files)
    ]


def _captioned(file: Media, words: str) -> Media:
    return Media(kind=file.kind, ref=file.ref, mime=file.mime, name=file.name, size=file.size, caption=Text(text=words))


def _file(told: dict[str, Any]) -> Content:
    """Names of today and of older texts (4). Without its place or key a file is an honest card."""
    mime = _first(told, "mimeType", "mime-type").lower()
    name = _word(told, "name")
    place = _place(told)
    if place is None:
        return Unsupported(kind="attachment", summary=name[:LABELS])
    size = told.get("size", told.get("file-size"))
    size = int(size) if isinstance(size, str) and size.isdecimal() and len(size) < 16 else size
    return Media(
        kind="voice" if mime in VOICE else KINDS.get(mime.partition("/")[0], "document"),
        ref=place.write(),
        mime=mime,
        name=name,
        size=size if type(size) is int and 0 <= size < 2**53 else None,
    )


def _place(told: dict[str, Any], bid: str = "") -> Place | None:
    url, owner = _first(told, "url", "mmcs-url"), _first(told, "owner", "mmcs-owner")
    key = _first(told, "key", "decryption-key")
    signature = _word(told, "signature-base64") or _in_base64(_first(told, "signature", "mmcs-signature-hex"))
    return Place(url=url, owner=owner, signature=signature, key=key, bid=bid) if url and owner and key and signature else None


def _in_base64(word: str) -> str:
    """A signature in hexadecimal, which must never be read as the base64 that it also is (4)."""
    try:
        return base64.b64encode(bytes.fromhex(word)).decode()
    except ValueError:
        return ""


def _interactive(told: dict[str, Any], number: str, at: datetime, sender: Sender) -> Event:
    """An answer; a long one lies at Apple's storage and is fetched as a file."""
    inline, ref = told.get("interactiveData"), told.get("interactiveDataRef")
    content: Content = Unsupported(kind="interactive", summary="")
    question = ""
    if isinstance(inline, dict) and is_told(inline):
        content, question = read_answer(inline), question_of(inline)
    elif isinstance(ref, dict) and (place := _place(ref, _word(ref, "bid") or "-")) is not None:
        content = Media(kind="document", ref=place.write(), mime="text/plain", name="answer.txt")
    return MessageReceived(
        key=f"m:{number}",
        at=at,
        sender=sender,
        content=content,
        reply_to_key=f"o:{question}" if question else None,
        referral=_referral(told),
    )


def _referral(told: dict[str, Any]) -> Referral | None:
    """Intent and group of the link, the button or the place in Maps by which somebody came."""
    intent, group = _word(told, "intent"), _word(told, "group")
    return Referral(source="link", id=group, payload=intent or group) if intent or group else None


def _first(told: dict[str, Any], *names: str) -> str:
    return next((word for name in names if (word := _word(told, name))), "")


def _word(told: dict[str, Any], name: str) -> str:
    value = told.get(name)
    return value if isinstance(value, str) else ""
