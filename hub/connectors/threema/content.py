"""What a message says (provider file, 4). Nothing here raises: what is not as documented is shown as a card that says so."""

import re
from typing import Any, Final

import orjson

from hub.connectors.events import Location, Media, MediaKind, Text, Unsupported
from hub.connectors.threema.media import BlobRef, BoxedRef

QUOTE: Final = re.compile(r"> quote #([0-9a-f]{16})\r?\n\r?\n")
"""How the apps write a reply: the first line of the text names the message (provider file, 6)."""
BLOB, SIZE, KEY, NONCE, DURATION = 16, 4, 32, 24, 2
"""Bytes of the parts of the older kinds of file."""
POLL_ID: Final = 8
LONGEST_SUMMARY: Final = 300
LONGEST_MIME: Final = 100
LONGEST_FILE_NAME: Final = 255
FILE, MEDIA, STICKER = 0, 1, 2
"""How a file is shown (`j`)."""
NUMBER: Final = re.compile(r"-?[0-9]{1,10}(?:\.[0-9]{1,20})?")
ALBUM: Final = re.compile(r"[!-~]{1,32}")


def read_text(data: bytes) -> tuple[Text, bytes]:
    """The words, and the id of the message that they quote, if any."""
    text = data.decode("utf-8", "replace")
    quoted = QUOTE.match(text)
    if quoted is None:
        return Text(text=text), b""
    return Text(text=text[quoted.end() :]), bytes.fromhex(quoted[1])


def read_location(data: bytes) -> Location | Unsupported:
    """First line `lat,lon[,accuracy]`; then nothing, an address, or a name and an address, with line breaks as `\\n`."""
    said = data.decode("utf-8", "replace")
    first, *others = said.split("\n")
    numbers = [float(word) for word in first.split(",") if NUMBER.fullmatch(word)]
    if len(numbers) != first.count(",") + 1 or len(numbers) not in (2, 3) or abs(numbers[0]) > 90 or abs(numbers[1]) > 180:
        return Unsupported(kind="location", summary=said[:LONGEST_SUMMARY])
    words = [line.replace("\\n", "\n") for line in others]
    return Location(
        latitude=numbers[0],
        longitude=numbers[1],
        accuracy=numbers[2] if len(numbers) == 3 else None,
        title=words[0] if len(words) > 1 else "",
        address=words[1] if len(words) > 1 else words[0] if words else "",
    )


def read_poll(data: bytes) -> Unsupported:
    """The question of a poll is all that is shown of it."""
    return Unsupported(kind="poll", summary=_text(_json(data[POLL_ID:]), "d")[:LONGEST_SUMMARY])


def read_image(data: bytes, peer_key: bytes) -> Media | Unsupported:
    """A picture of older apps: it lies in a box between the same two keys."""
    if len(data) != BLOB + SIZE + NONCE:
        return Unsupported(kind="image", summary="")
    blob, size, nonce = data[:BLOB], data[BLOB : BLOB + SIZE], data[BLOB + SIZE :]
    ref = BoxedRef(blob, nonce, peer_key)
    return Media(kind="image", ref=ref.write(), unique=blob.hex(), mime="image/jpeg", size=_little(size))


def read_video(data: bytes) -> Media | Unsupported:
    if len(data) != DURATION + 2 * (BLOB + SIZE) + KEY:
        return Unsupported(kind="video", summary="")
    return _recorded("video", "video/mp4", data)


def read_audio(data: bytes) -> Media | Unsupported:
    if len(data) != DURATION + BLOB + SIZE + KEY:
        return Unsupported(kind="audio", summary="")
    return _recorded("voice", "audio/aac", data)


def _recorded(kind: MediaKind, mime: str, data: bytes) -> Media:
    """Duration, blob and its size come first, the key last; between them the preview of a video."""
    blob, size = data[DURATION : DURATION + BLOB], data[DURATION + BLOB : DURATION + BLOB + SIZE]
    ref = BlobRef(blob, data[-KEY:])
    return Media(kind=kind, ref=ref.write(), unique=blob.hex(), mime=mime, size=_little(size), duration=_little(data[:DURATION]))


def read_file(data: bytes) -> tuple[Media | Unsupported, str]:
    """A file of any kind, and the name of the album that it belongs to, empty for none."""
    told = _json(data)
    name = _text(told, "n")[:LONGEST_FILE_NAME]
    blob, key = _hex(told, "b", BLOB), _hex(told, "k", KEY)
    if not blob or not key:
        return Unsupported(kind="file", summary=name), ""
    mime = _text(told, "m")[:LONGEST_MIME].lower()
    about, caption = _object(told, "x"), _text(told, "d")
    media = Media(
        kind=_kind(mime, _rendering(told)),
        ref=BlobRef(blob, key).write(),
        unique=blob.hex(),
        mime=mime,
        name=name,
        size=_count(told.get("s")),
        duration=_seconds(about.get("d")),
        width=_count(about.get("w")),
        height=_count(about.get("h")),
        caption=Text(text=caption) if caption else None,
    )
    album = _text(told, "c")
    return media, album if ALBUM.fullmatch(album) else ""


def _rendering(told: dict[str, Any]) -> int:
    """`j`, and where it is missing the older `i`."""
    shown = told.get("j", told.get("i"))
    return shown if type(shown) is int else FILE


def _kind(mime: str, rendering: int) -> MediaKind:
    """What is sent as a file stays one."""
    family = mime.partition("/")[0]
    if rendering == STICKER and family == "image":
        return "sticker"
    if rendering != MEDIA:
        return "document"
    if mime == "image/gif":
        return "animation"
    kinds: dict[str, MediaKind] = {"image": "image", "video": "video", "audio": "voice"}
    return kinds.get(family, "document")


def _json(data: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(data)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _object(told: dict[str, Any], name: str) -> dict[str, Any]:
    found = told.get(name)
    return found if isinstance(found, dict) else {}


def _text(told: dict[str, Any], name: str) -> str:
    found = told.get(name)
    return found if isinstance(found, str) else ""


def _hex(told: dict[str, Any], name: str, size: int) -> bytes:
    """So many bytes, written in hexadecimal; empty when it is something else."""
    found = _text(told, name)
    return bytes.fromhex(found) if re.fullmatch(rf"[0-9a-fA-F]{{{2 * size}}}", found) else b""


def _count(value: object) -> int | None:
    """A number of bytes, seconds or pixels, as far as a column of 32 bits holds it."""
    return value if type(value) is int and 0 <= value < 2**31 else None


def _seconds(value: object) -> int | None:
    """Whole seconds of a length that is told to the fraction."""
    return _count(round(value)) if isinstance(value, float) and abs(value) < 2**31 else _count(value)


def _little(data: bytes) -> int | None:
    return _count(int.from_bytes(data, "little"))
