"""Files as strangers send them: honest ones of each kind, and those that want something else than to be looked at."""

import io
import struct
import zipfile
import zlib
from collections.abc import AsyncIterator
from typing import Any, Final

from PIL import Image

from hub.core.scanner import EICAR

__all__ = ["EICAR"]

OGG_VOICE: Final = b"OggS\0\x02" + bytes(20) + b"\x01\x13OpusHead\x01\x01" + bytes(200)
MP4: Final = b"\0\0\0\x18ftypisom\0\0\x02\0isommp42" + bytes(4000)
PDF: Final = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj <<>> endobj\ntrailer <<>>\n%%EOF\n"
SVG: Final = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
HTML: Final = b"\n<!-- x --><!DOCTYPE html><script>alert(1)</script>"
EXE: Final = b"MZ\x90\0" + bytes(60) + b"PE\0\0" + bytes(200)


def image(format_: str = "JPEG", size: tuple[int, int] = (640, 480), **options: Any) -> bytes:
    """A picture: red on the left, blue on the right."""
    picture = Image.new("RGB", size, "red")
    picture.paste("blue", (size[0] // 2, 0, *size))
    body = io.BytesIO()
    picture.save(body, format_, **options)
    return body.getvalue()


def turned_photo() -> bytes:
    """640 x 480 as stored, to be shown upright; with camera, place and a comment in its metadata."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Kameramarke"
    exif.get_ifd(0x8825)[1] = "N"
    return image("JPEG", exif=exif, comment=b"geheim")


def png_bomb(width: int, height: int) -> bytes:
    """A small file that claims a huge picture."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def archive(members: dict[str, bytes], *, packed: bool = True) -> bytes:
    """A ZIP."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return body.getvalue()


def overlapping_archive(copies: int) -> bytes:
    """A ZIP whose table of contents lists the same packed bytes many times over."""
    one = archive({"a": bytes(50_000)}, packed=False)
    table_at = one.index(b"PK\x01\x02")
    end_at = one.index(b"PK\x05\x06")
    table = one[table_at:end_at] * copies
    end = struct.pack("<HHHHIIH", 0, 0, copies, copies, len(table), table_at, 0)
    return one[:table_at] + table + b"PK\x05\x06" + end


def nested_archive() -> bytes:
    """What 42.zip is made of: archives that shrink again when they are packed."""
    inner = archive({f"{number}": bytes(500_000) for number in range(20)})
    return archive({f"lib {number}.zip": inner for number in range(16)})


async def paper(body: bytes = PDF) -> AsyncIterator[bytes]:
    """A written consent, as it arrives."""
    yield body
