"""What Instagram takes (instagram.md, 4 and 6)."""

from typing import Final

from hub.connectors._meta.split import Limits
from hub.connectors.contract import MediaLimit
from hub.connectors.events import MediaKind

LONGEST_TEXT: Final = 1000
"""Bytes of UTF-8: an umlaut counts two, an emoji four and more."""
PICTURE, FILE = 8_000_000, 25_000_000
"""Bytes. Meta says MB; the smaller reading."""

_SPOKEN: Final = frozenset({"audio/aac", "audio/mp4", "audio/m4a", "audio/x-m4a", "audio/wav", "audio/x-wav"})
MEDIA: Final[dict[MediaKind, MediaLimit]] = {
    "image": MediaLimit(bytes=PICTURE, types=frozenset({"image/png", "image/jpeg"})),
    "voice": MediaLimit(bytes=FILE, types=_SPOKEN),
    "audio": MediaLimit(bytes=FILE, types=_SPOKEN),
    "video": MediaLimit(
        bytes=FILE, types=frozenset({"video/mp4", "video/ogg", "video/x-msvideo", "video/quicktime", "video/webm"})
    ),
    "document": MediaLimit(bytes=FILE, types=frozenset({"application/pdf"})),
}


def count_bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


LIMITS: Final = Limits(text=LONGEST_TEXT, size=count_bytes, media=MEDIA)
