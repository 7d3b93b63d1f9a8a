"""Files that are sent: as what kind. Limits: provider file, 9, with "MB" read as a million bytes."""

from typing import Final

from hub.connectors.contract import MediaLimit
from hub.connectors.errors import UnsupportedContent
from hub.connectors.events import Media, MediaKind

_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
DOCUMENTS: Final = frozenset(
    {
        "text/plain",
        "application/pdf",
        "application/msword",
        "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint",
        f"{_OFFICE}.wordprocessingml.document",
        f"{_OFFICE}.spreadsheetml.sheet",
        f"{_OFFICE}.presentationml.presentation",
    }
)
MEDIA: Final[dict[MediaKind, MediaLimit]] = {
    "image": MediaLimit(bytes=5_000_000, types=frozenset({"image/jpeg", "image/png"})),
    "sticker": MediaLimit(bytes=500_000, types=frozenset({"image/webp"})),
    "voice": MediaLimit(bytes=16_000_000, types=frozenset({"audio/ogg"})),
    "audio": MediaLimit(bytes=16_000_000, types=frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"})),
    "video": MediaLimit(bytes=16_000_000, types=frozenset({"video/mp4", "video/3gpp"})),
    "document": MediaLimit(bytes=100_000_000, types=DOCUMENTS),
}
NEXT_BEST: Final[dict[MediaKind, tuple[MediaKind, ...]]] = {
    "animation": ("video", "image", "document"),
    "video_note": ("video", "document"),
    "voice": ("voice", "audio", "document"),
}
"""As what else a kind is sent; others as themselves or as a document."""
CAPTIONED: Final = frozenset({"image", "video", "document"})
NAMES: Final[dict[MediaKind, str]] = {"voice": "audio"}
"""WhatsApp's word for a kind where it is not ours."""


def kind_of(media: Media) -> MediaKind:
    """As what a file is sent. Raises UnsupportedContent for one that WhatsApp does not take: its list of types is short (9)."""
    size, mime = media.size or 0, mime_of(media)
    kinds = NEXT_BEST.get(media.kind, (media.kind, "document"))
    fitting = [kind for kind in kinds if mime in MEDIA[kind].types]
    if not fitting:
        raise UnsupportedContent("file_type")
    for kind in fitting:
        if size <= MEDIA[kind].bytes:
            return kind
    raise UnsupportedContent("file_too_large")


def mime_of(media: Media) -> str:
    return media.mime.partition(";")[0].strip().lower()
