"""What a file is, read from its first bytes: kind, size of the picture, length of the sound. As much as Telegram tells a bot."""

import struct
from typing import Final

JPEG_SIZES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
"""Markers of a JPEG that are followed by its height and width."""
MAGIC: Final = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (0, b"OggS", "audio/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
)
MP3_RATES: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
"""Bit rates of MPEG 1 layer 3 in kbit/s by their number."""
MP3_RATES_2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)
"""The same of MPEG 2 and 2.5."""
MP3_HERTZ: Final = {3: (44_100, 48_000, 32_000, 0), 2: (22_050, 24_000, 16_000, 0), 0: (11_025, 12_000, 8_000, 0)}
"""Samples a second by the version of MPEG."""


def media_type(data: bytes) -> str:
    """What the bytes say they are; empty when they say nothing."""
    for at, magic, name in MAGIC:
        if data[at : at + len(magic)] == magic:
            return name
    if data[4:8] == b"ftyp":
        return "audio/mp4" if data[8:11] == b"M4A" else "video/mp4"
    return "audio/mpeg" if data[:1] == b"\xff" and len(data) > 3 and data[1] & 0xE6 == 0xE2 else ""


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, JPEG, GIF or WebP."""
    kind = media_type(data)
    try:
        if kind == "image/png":
            width, height = struct.unpack_from(">II", data, 16)
        elif kind == "image/gif":
            width, height = struct.unpack_from("<HH", data, 6)
        elif kind == "image/webp":
            return _webp_size(data)
        elif kind == "image/jpeg":
            return _jpeg_size(data)
        else:
            return None
    except struct.error:
        return None
    return width, height


def _webp_size(data: bytes) -> tuple[int, int] | None:
    form = data[12:16]
    if form == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if form == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in JPEG_SIZES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + length
    return None


def video_size(data: bytes) -> tuple[int, int]:
    """Width and height of the first picture track of an MP4; 0, 0 when there is none."""
    at = data.find(b"tkhd")
    while at >= 0:
        end = at - 4 + int.from_bytes(data[at - 4 : at], "big")
        width, height = int.from_bytes(data[end - 8 : end - 6], "big"), int.from_bytes(data[end - 4 : end - 2], "big")
        if width and height:
            return width, height
        at = data.find(b"tkhd", at + 4)
    return 0, 0


def duration(data: bytes) -> int:
    """Whole seconds of an MP4, an Ogg Opus or an MP3, at least 1; 0 when they cannot be told."""
    kind = media_type(data)
    seconds = 0.0
    if kind in ("video/mp4", "audio/mp4"):
        seconds = _mp4_seconds(data)
    elif kind == "audio/ogg" and (last := data.rfind(b"OggS")) >= 0:
        seconds = int.from_bytes(data[last + 6 : last + 14], "little") / 48_000
    elif kind == "audio/mpeg":
        seconds = _mp3_seconds(data)
    return max(1, round(seconds)) if seconds else 0


def _mp4_seconds(data: bytes) -> float:
    at = data.find(b"mvhd")
    if at < 0 or len(data) < at + 36:
        return 0.0
    scale, length = struct.unpack_from(">IQ", data, at + 24) if data[at + 4] == 1 else struct.unpack_from(">II", data, at + 16)
    return length / scale if scale else 0.0


def _mp3_seconds(data: bytes) -> float:
    """From the count of frames that a file of changing bit rate begins with, else from the bit rate of its first frame."""
    at = 0
    if data[:3] == b"ID3":
        at = 10 + (data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9])
    while at + 3 < len(data) and not (data[at] == 0xFF and data[at + 1] & 0xE0 == 0xE0):
        at += 1
    if at + 3 >= len(data):
        return 0.0
    version = data[at + 1] >> 3 & 3
    hertz = MP3_HERTZ.get(version, (0, 0, 0, 0))[data[at + 2] >> 2 & 3]
    rate = (MP3_RATES if version == 3 else MP3_RATES_2)[data[at + 2] >> 4]
    count = max(data.find(b"Xing", at, at + 64), data.find(b"Info", at, at + 64))
    if count > 0 and data[count + 7] & 1 and hertz:
        return int.from_bytes(data[count + 8 : count + 12], "big") * (1152 if version == 3 else 576) / hertz
    return (len(data) - at) * 8 / (rate * 1000) if rate else 0.0
