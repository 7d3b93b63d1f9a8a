"""Files as the browser sees them, without a media store: pictures, a film that never loads and sounds of two seconds."""

import io
import struct
import wave
import zlib
from typing import Final

from playwright.async_api import Page, Route


def _png(width: int, height: int) -> bytes:
    """A grey-blue picture with a lighter diagonal, so that zoom and crop can be seen."""
    rows = b"".join(
        b"\0" + b"".join(b"\xd8\xcf\xb8" if abs(x * height - y * width) < width * 6 else b"\x8f\xb0\xb4" for x in range(width))
        for y in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def _sound(seconds: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(1)
        out.setframerate(8000)
        out.writeframes(b"\x80" * 8000 * seconds)
    return file.getvalue()


PICTURE: Final = _png(320, 240)
SOUND: Final = _sound(2)


async def serve_files(page: Page) -> None:
    """Answer the page's requests for files: a picture, or a sound where a player asks."""

    async def answer(route: Route) -> None:
        if route.request.resource_type == "media":
            await route.fulfill(body=SOUND, content_type="audio/wav", headers={"accept-ranges": "bytes"})
        else:
            await route.fulfill(body=PICTURE, content_type="image/png")

    await page.route("**/o/*/files/**", answer)
