"""Small pictures of images that strangers sent, drawn where they can do no harm. The only module that uses pillow.

`thumbnail` runs this very file as a program of its own: one image, then it ends. The program knows no secret (its environment is
empty), gets the open file instead of a path, and gives itself limits before it looks at the first byte: memory, processor time, no
files to write. An image that claims more than MOST_PIXELS is refused by its header, before anything is decoded; whatever else goes
wrong in there costs one picture. About 0.2 seconds each, at most AT_ONCE at a time in one process of the hub.

The result is a fresh image: turned as its EXIF data say, then without any metadata (place, camera, comments); of an animation the
first frame.
"""

import asyncio
import io
import json
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO, Final

MOST_PIXELS: Final = 50_000_000
"""A telephone's best camera makes 48 to 50 million; decoded that is 200 MB."""
MEMORY_BYTES: Final = 1_500_000_000
"""Address space of the program: two copies of the largest image, the decoders and Python."""
PROCESSOR_SECONDS: Final = 10
WALL_SECONDS: Final = 20.0
AT_ONCE: Final = 2
FORMATS: Final = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP", "image/avif": "AVIF"}
"""Types that can be drawn, with the one decoder that may look at them."""
QUALITY: Final = 80

_BOMB, _UNREADABLE = 3, 4  # exit codes of the program
_programs: Final = ThreadPoolExecutor(AT_ONCE, "picture")


class PictureRefused(Exception):
    """There is no picture of this."""


class Bomb(PictureRefused):
    """The image claims more pixels than MOST_PIXELS, or took more memory or time than it may have."""


class Unreadable(PictureRefused):
    """The image is damaged or not of the type it was taken for."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A WebP of `width` x `height`, and the size in pixels of the image it shows."""

    body: bytes
    width: int
    height: int
    image_width: int
    image_height: int


async def thumbnail(file: BinaryIO, mime: str, box: int) -> Thumbnail:
    """The image in `file`, of one of FORMATS, within `box` x `box` pixels. Raises Bomb or Unreadable."""
    return await asyncio.get_running_loop().run_in_executor(_programs, _run, file, mime, box)


def _run(file: BinaryIO, mime: str, box: int) -> Thumbnail:
    file.seek(0)
    program = [sys.executable, "-I", __file__, FORMATS[mime], str(box)]
    try:
        done = subprocess.run(
            program, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}, timeout=WALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Bomb("took too long") from None
    if done.returncode == _UNREADABLE:
        raise Unreadable
    if done.returncode == _BOMB or done.returncode < 0:  # a signal: a limit was reached
        raise Bomb(f"ended with {done.returncode}")
    if done.returncode != 0:
        raise RuntimeError("the program that draws pictures does not run")
    head, _, body = done.stdout.partition(b"\n")
    return Thumbnail(body, **json.loads(head))


def _draw(source: BinaryIO, format_: str, box: int) -> bytes:
    """The program's work: a line of JSON with the sizes, then the picture."""
    from PIL import ExifTags, Image, ImageOps  # the hub itself never loads a decoder

    Image.MAX_IMAGE_PIXELS = None  # pillow's own limit warns first and refuses at twice the number
    with Image.open(source, formats=(format_,)) as image:
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise Image.DecompressionBombError
        image.draft("RGB", (box, box))
        image.load()
        if image.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8):
            width, height = height, width
        small = ImageOps.exif_transpose(image)
        small.thumbnail((box, box))
        has_alpha = "A" in small.getbands() or "transparency" in small.info
        small = small.convert("RGBA" if has_alpha else "RGB")
        body = io.BytesIO()
        Image.frombytes(small.mode, small.size, small.tobytes()).save(body, "WEBP", quality=QUALITY)
    sizes = {"width": small.width, "height": small.height, "image_width": width, "image_height": height}
    return json.dumps(sizes).encode() + b"\n" + body.getvalue()


def _program() -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    from PIL import Image

    try:
        result = _draw(sys.stdin.buffer, sys.argv[1], int(sys.argv[2]))
    except (Image.DecompressionBombError, MemoryError):
        return _BOMB
    except Exception:  # noqa: BLE001 - the edge: decoders raise anything over damaged images
        return _UNREADABLE
    sys.stdout.buffer.write(result)
    return 0


if __name__ == "__main__":
    sys.exit(_program())
