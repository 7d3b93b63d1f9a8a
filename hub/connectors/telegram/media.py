"""Files that are sent: as what kind, and which of them together. Limits: provider file, 7 and 8, in its careful reading."""

from collections.abc import Sequence
from typing import Final

from hub.connectors.contract import MediaLimit
from hub.connectors.errors import UnsupportedContent
from hub.connectors.events import Media, MediaKind

UPLOAD: Final = 50_000_000
PHOTO: Final = 10_000_000
SIDES, RATIO = 10_000, 20
"""Of a photo: width and height together, in pixels, and how much one may be larger than the other."""
ALBUM: Final = 10

_SPOKEN: Final = frozenset({"audio/mpeg", "audio/mp3", "audio/mp4", "audio/m4a", "audio/x-m4a"})
MEDIA: Final[dict[MediaKind, MediaLimit]] = {
    "image": MediaLimit(bytes=PHOTO, types=frozenset({"image/jpeg", "image/png", "image/webp"})),
    "animation": MediaLimit(bytes=UPLOAD, types=frozenset({"image/gif", "video/mp4"})),
    "sticker": MediaLimit(bytes=UPLOAD, types=frozenset({"image/webp", "video/webm", "application/x-tgsticker"})),
    "voice": MediaLimit(bytes=UPLOAD, types=_SPOKEN | {"audio/ogg"}),
    "audio": MediaLimit(bytes=UPLOAD, types=_SPOKEN),
    "video": MediaLimit(bytes=UPLOAD, types=frozenset({"video/mp4"})),
    "video_note": MediaLimit(bytes=UPLOAD, types=frozenset({"video/mp4"})),
    "document": MediaLimit(bytes=UPLOAD),
}
CAPTIONED: Final = frozenset({"image", "animation", "voice", "audio", "video", "document"})
"""Kinds that can have a text of their own."""
TOGETHER: Final[dict[MediaKind, str]] = {"image": "seen", "video": "seen", "audio": "audio", "document": "document"}
"""Kinds that can be items of an album, and with which others: documents and audios only among themselves (7)."""


def kind_of(media: Media) -> MediaKind:
    """As what a file is sent: as a document where its type, size or shape is not what Telegram takes of its kind. Raises
    UnsupportedContent for a file that it does not take at all."""
    size, limit = media.size or 0, MEDIA[media.kind]
    if size > UPLOAD:
        raise UnsupportedContent("file_too_large")
    mime = media.mime.partition(";")[0].strip().lower()
    fits = size <= limit.bytes and (not limit.types or mime in limit.types) and (media.kind != "image" or _is_photo(media))
    return media.kind if fits else "document"


def _is_photo(media: Media) -> bool:
    """Whether a picture of these measures is taken as a photo; unknown ones are tried."""
    width, height = media.width, media.height
    if not width or not height:
        return True
    return width + height <= SIDES and max(width, height) <= RATIO * min(width, height)


def albums_of(items: Sequence[Media]) -> list[list[Media]]:
    """Files in their order, in groups that can be one message: at most 10 that go together, and no more bytes at once than the
    largest single file has."""
    groups: list[list[Media]] = []
    for item in items:
        together = TOGETHER.get(kind_of(item))
        if groups and together and together == TOGETHER.get(kind_of(groups[-1][0])) and _have_room(groups[-1], item):
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups


def _have_room(group: list[Media], item: Media) -> bool:
    return len(group) < ALBUM and sum(one.size or 0 for one in [*group, item]) <= UPLOAD
