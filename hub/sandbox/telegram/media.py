"""Files as the contents of a message: the fields Telegram shows for a photo, a voice, a document and so on."""

from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from hub.sandbox.telegram import facts
from hub.sandbox.telegram.errors import bad
from hub.sandbox.telegram.files import LARGEST_PHOTO, FileKind, Files, StoredFile
from hub.sandbox.telegram.wire import Json, present

MediaKind = Literal["photo", "video", "animation", "audio", "voice", "video_note", "document", "sticker"]
MEDIA_KINDS: Final[tuple[MediaKind, ...]] = get_args(MediaKind)
CAPTIONED: Final = frozenset(MEDIA_KINDS) - {"video_note", "sticker"}

PHOTO_EDGES: Final = 10_000
"""Width and height together, in pixels."""
PHOTO_RATIO: Final = 20
THUMBNAIL_BYTES: Final = 200_000
THUMBNAIL_EDGE: Final = 320
VOICES: Final = frozenset({"audio/ogg", "audio/mpeg", "audio/mp4"})
AUDIOS: Final = frozenset({"audio/mpeg", "audio/mp4"})
ANIMATIONS: Final = frozenset({"image/gif", "video/mp4"})
FRAME: Final = frozenset({"width", "height", "duration"})
STICKERS: Final = frozenset({"image/webp", "video/webm", "application/x-tgsticker"})


@dataclass(frozen=True, slots=True)
class Medium:
    """A file and what its sender told about it."""

    kind: MediaKind
    data: bytes
    name: str = ""
    media_type: str = ""
    """As told by the sender; the bytes know better where they say anything."""
    duration: int = 0
    """Seconds; 0: read from the bytes. The same for width and height."""
    width: int = 0
    height: int = 0
    title: str = ""
    performer: str = ""
    emoji: str = ""
    thumbnail: bytes = b""
    smaller: tuple[bytes, ...] = ()
    """The same photo in smaller sizes, smallest first. Telegram makes them; this simulator draws no pictures, so only its own
    samples have them."""
    size: int | None = None
    """Bytes that a document pretends to have."""


def content_of(files: Files, medium: Medium) -> Json:
    """The fields of a Message. What is no file of the kind that was named is sent as a document, as Telegram does; a photo is
    refused then. Raises Refused."""
    if not medium.data:
        raise bad("file must be non-empty")
    content = _content(files, _settled(medium))
    files.remember(content)
    return content


def _content(files: Files, medium: Medium) -> Json:
    match medium.kind:
        case "photo":
            return {"photo": _photo(files, medium)}
        case "document":
            return {"document": _described(files, medium)}
        case "animation":
            shown = _described(files, medium, _frame(medium))
            return {"animation": shown, "document": {name: shown[name] for name in shown if name not in FRAME}}
        case "voice":
            return {"voice": _plain(files, medium, mime_type=medium.media_type)}
        case "video_note":
            edge = medium.width or facts.video_size(medium.data)[0] or 240
            note = files.add("video_note", medium.data)
            return {"video_note": note.as_json() | {"length": edge, "duration": _seconds(medium)} | _thumbnail(files, medium)}
        case "audio":
            told = {"duration": _seconds(medium)} | present(performer=medium.performer, title=medium.title)
            return {"audio": _described(files, medium, told)}
        case "video":
            return {"video": _described(files, medium, _frame(medium))}
        case "sticker":
            return {"sticker": _sticker(files, medium)}


def content_of_known(files: Files, kind: MediaKind, file: StoredFile) -> Json:
    """A file that Telegram has already, sent again by its id. Raises Refused when it is of another kind: a `file_id` cannot
    change what it is."""
    if file.kind != kind:
        raise bad(f"can't use file of type {_type_name(file.kind)} as {_type_name(kind)}")
    return files.content(file)


def _type_name(kind: FileKind) -> str:
    return "".join(part.capitalize() for part in kind.split("_"))


def _settled(medium: Medium) -> Medium:
    """The kind and the media type it really goes out as."""
    told = facts.media_type(medium.data) or medium.media_type or "application/octet-stream"
    if medium.kind == "sticker" and told == "application/gzip":
        told = "application/x-tgsticker"
    if told == "application/zip" and medium.media_type:  # office documents and many others are zip files inside
        told = medium.media_type
    fits = {
        "voice": told in VOICES,
        "audio": told in AUDIOS,
        "video": told == "video/mp4",
        "video_note": told == "video/mp4",
        "animation": told in ANIMATIONS,
        "sticker": told in STICKERS,
    }.get(medium.kind, True)
    return replace(medium, kind=medium.kind if fits else "document", media_type=told)


def _photo(files: Files, medium: Medium) -> list[Json]:
    if len(medium.data) > LARGEST_PHOTO:
        raise bad(f"file of size {len(medium.data)} bytes is too big for a photo")
    size = facts.picture_size(medium.data)
    if size is None:
        raise bad("IMAGE_PROCESS_FAILED")
    if sum(size) > PHOTO_EDGES or max(size) > PHOTO_RATIO * min(size):
        raise bad("PHOTO_INVALID_DIMENSIONS")
    sizes = []
    for data in (*medium.smaller, medium.data):
        width, height = facts.picture_size(data) or size
        sizes.append(files.add("photo", data, media_type=medium.media_type).as_json() | {"width": width, "height": height})
    return sizes


def _described(files: Files, medium: Medium, more: Json | None = None) -> Json:
    file = files.add(medium.kind, medium.data, medium.name, medium.media_type, medium.size)
    return file.as_json() | file.as_document() | (more or {}) | _thumbnail(files, medium)


def _plain(files: Files, medium: Medium, **more: str) -> Json:
    file = files.add(medium.kind, medium.data, media_type=medium.media_type)
    return file.as_json() | {"duration": _seconds(medium)} | more


def _frame(medium: Medium) -> Json:
    width, height = facts.picture_size(medium.data) or facts.video_size(medium.data)
    return {"width": medium.width or width, "height": medium.height or height, "duration": _seconds(medium)}


def _sticker(files: Files, medium: Medium) -> Json:
    file = files.add("sticker", medium.data, media_type=medium.media_type)
    width, height = facts.picture_size(medium.data) or (512, 512)
    return (
        file.as_json()
        | {"type": "regular", "width": width, "height": height}
        | {"is_animated": medium.media_type == "application/x-tgsticker", "is_video": medium.media_type == "video/webm"}
        | present(emoji=medium.emoji)
        | _thumbnail(files, medium)
    )


def _thumbnail(files: Files, medium: Medium) -> Json:
    """The small picture for a file, when one was given that Telegram takes."""
    size = facts.picture_size(medium.thumbnail)
    if size is None or len(medium.thumbnail) >= THUMBNAIL_BYTES or max(size) > THUMBNAIL_EDGE:
        return {}
    kind = facts.media_type(medium.thumbnail)
    shown = files.add("thumbnail", medium.thumbnail, media_type=kind).as_json() | {"width": size[0], "height": size[1]}
    return {"thumbnail": shown}


def _seconds(medium: Medium) -> int:
    return medium.duration or facts.duration(medium.data)
