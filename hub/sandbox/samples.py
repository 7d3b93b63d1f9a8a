"""Small files that a person can send at a touch, on every messenger. Drawn and recorded for this project, free to use (CC0)."""

from functools import cache
from pathlib import Path
from typing import Final

from hub.sandbox.messengers import FileKind, PhoneFile

FOLDER: Final = Path(__file__).parent / "files"
SAMPLES: Final[dict[FileKind, tuple[str, str, str]]] = {
    "image": ("photo-1-800.jpg", "Kette.jpg", "image/jpeg"),
    "video": ("video.mp4", "IMG_0042.MP4", "video/mp4"),
    "voice": ("voice.ogg", "Sprachnachricht.ogg", "audio/ogg"),
    "audio": ("audio.mp3", "Klingelmarsch.mp3", "audio/mpeg"),
    "document": ("document.pdf", "Rechnung März.pdf", "application/pdf"),
}
"""By kind of file: what lies in `files/`, how it is called, its media type."""


@cache
def read(name: str) -> bytes:
    """The bytes of a file of `files/`. Raises FileNotFoundError."""
    return (FOLDER / name).read_bytes()


def sample(kind: FileKind) -> tuple[PhoneFile, bytes]:
    """A file of this kind. Raises KeyError for a kind that is not in SAMPLES."""
    stored, name, mime = SAMPLES[kind]
    content = read(stored)
    return PhoneFile(id="", kind=kind, name=name, mime=mime, size=len(content)), content
