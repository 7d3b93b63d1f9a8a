"""What files are by their content, which may pass, and what they may be called."""

import io
import re
from pathlib import Path
from typing import Final

import pytest
from PIL import Image

from hub.core import picture
from hub.core.media import (
    INLINE_TYPES,
    LONGEST_NAME,
    REFUSED_TYPES,
    UNKNOWN,
    Inspection,
    Refusal,
    content_disposition,
    inspect,
    safe_name,
    sniff,
)
from tests.files import (
    EXE,
    HTML,
    MP4,
    OGG_VOICE,
    PDF,
    SVG,
    archive,
    image,
    nested_archive,
    overlapping_archive,
    png_bomb,
    turned_photo,
)

DOCX: Final = archive({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w:document/>"})
KNOWN: Final = [
    (image("JPEG"), "image/jpeg"),
    (image("PNG"), "image/png"),
    (image("GIF"), "image/gif"),
    (image("WEBP"), "image/webp"),
    (image("AVIF"), "image/avif"),
    (image("TIFF"), "image/tiff"),
    (OGG_VOICE, "audio/ogg"),
    (b"ID3\x04\0\0\0\0\0\0\xff\xfb\x90\x64" + bytes(400), "audio/mpeg"),
    (b"\xff\xfb\x90\x64" + bytes(400), "audio/mpeg"),
    (b"\xff\xf1\x50\x80" + bytes(400), "audio/aac"),
    (b"\0\0\0\x1cftypM4A \0\0\0\0M4A mp42isom" + bytes(100), "audio/mp4"),
    (b"RIFF\x24\0\0\0WAVEfmt " + bytes(40), "audio/wav"),
    (MP4, "video/mp4"),
    (b"\0\0\0\x14ftypqt  \0\0\x02\0qt  " + bytes(100), "video/quicktime"),
    (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(100), "image/heic"),
    (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\x82\x84webmB\x87\x81\x02" + bytes(100), "video/webm"),
    (PDF, "application/pdf"),
    (b"\xef\xbb\xbf\r\n" + PDF, "application/pdf"),
    (DOCX, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (archive({"mimetype": b"application/vnd.oasis.opendocument.text"}, packed=False), "application/vnd.oasis.opendocument.text"),
    (archive({"a.txt": b"x"}), "application/zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "application/x-ole-storage"),
    (b"BEGIN:VCARD\r\nVERSION:3.0\r\nEND:VCARD\r\n", "text/vcard"),
    ('<?xml version="1.0"?><Invoice/>'.encode("utf-16"), "application/xml"),
    ("Grüße aus Lindau".encode(), "text/plain"),
    ("Grüße aus Lindau".encode("latin-1"), "text/plain"),
    (("x" * 4095 + "ü").encode(), "text/plain"),
    (b"\0\x01\x02\x03unbekannt", UNKNOWN),
    (b"", UNKNOWN),
]


def look(body: bytes, name: str, folder: Path) -> Inspection:
    path = folder / "object"
    path.write_bytes(body)
    with open(path, "rb") as file:
        return inspect(file, len(body), name)


@pytest.mark.parametrize(("body", "mime"), KNOWN, ids=[mime for _, mime in KNOWN])
def test_the_content_says_the_type(body: bytes, mime: str, tmp_path: Path) -> None:
    """Whatever the name claims, and none of them is refused."""
    assert look(body, "egal.pdf", tmp_path) == Inspection(mime)


@pytest.mark.parametrize(
    ("body", "mime"),
    [
        (EXE, "application/x-dosexec"),
        (b"\x7fELF\x02\x01\x01" + bytes(100), "application/x-executable"),
        (b"L\0\0\0\x01\x14\x02\0" + bytes(100), "application/x-ms-shortcut"),
        (b"#!/bin/sh\nrm -rf /\n", "text/x-script"),
        (HTML, "text/html"),
        (HTML.decode().encode("utf-16"), "text/html"),
        (SVG, "image/svg+xml"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
        (b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>", "application/xhtml+xml"),
        (archive({"META-INF/MANIFEST.MF": b"Main-Class: X"}), "application/java-archive"),
        (archive({"AndroidManifest.xml": b"", "META-INF/MANIFEST.MF": b""}), "application/vnd.android.package-archive"),
        (archive({"[Content_Types].xml": b"", "xl/vbaProject.bin": b""}), "application/vnd.ms-office.macro"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "_VBA_PROJECT".encode("utf-16-le") + bytes(50),
            "application/vnd.ms-office.macro",
        ),
    ],
)
def test_what_runs_when_it_is_opened_is_refused(body: bytes, mime: str, tmp_path: Path) -> None:
    """R-231: whatever it is called."""
    assert look(body, "urlaub.jpg", tmp_path) == Inspection(mime, Refusal.TYPE)


@pytest.mark.parametrize(
    "name",
    [
        "rechnung.exe",
        "rechnung.pdf.exe",
        "rechnung.pdf                                .exe",
        "rechnung.EXE. . .",
        "rechnung\u202efdp.scr",
        "rechnung.e\u200bxe",
        "rechnung.exe\0",
        "../../autostart/x.lnk",
        "makro.docm",
        "seite.html",
        "skript.js",
    ],
)
def test_an_ending_that_runs_is_refused_whatever_is_in_the_file(name: str, tmp_path: Path) -> None:
    assert look(b"Guten Tag", name, tmp_path) == Inspection("text/plain", Refusal.TYPE)


@pytest.mark.parametrize(
    "body",
    [
        image("JPEG") + archive({"a.txt": b"x"}),
        image("GIF") + archive({"META-INF/MANIFEST.MF": b""}),
        MP4 + archive({"index.html": b"<script>"}),
        PDF + archive({"a.txt": b"x"}),
        b"Guten Tag " + archive({"a.txt": b"x"}),
        b"<h1>Guten Tag</h1>" + PDF,
        image("JPEG", comment=b"\n" + PDF),
        image("JPEG", comment=b"<script>alert(1)</script>"),
        image("PNG") + b"\n<!DOCTYPE html><body onload=alert(1)>",
        image("GIF", comment=b"<?php system($_GET['c']) ?>"),
        OGG_VOICE + b"<svg onload=alert(1)>",
    ],
)
def test_a_file_that_is_two_things_is_refused(body: bytes, tmp_path: Path) -> None:
    assert look(body, "urlaub.jpg", tmp_path).refusal is Refusal.POLYGLOT


@pytest.mark.parametrize(
    "body",
    [
        archive({"a": bytes(150_000_000)}),
        overlapping_archive(1000),
        nested_archive(),
        archive({str(number): b"" for number in range(10_001)}),
    ],
    ids=["ratio", "overlapping", "nested", "members"],
)
def test_an_archive_that_would_burst_is_refused(body: bytes, tmp_path: Path) -> None:
    assert len(body) < 2_000_000
    assert look(body, "fotos.zip", tmp_path) == Inspection("application/zip", Refusal.BOMB)


def test_an_honest_archive_passes(tmp_path: Path) -> None:
    """Text packs well, photographs and archives do not."""
    photos = {f"{number}.jpg": image("JPEG", (800, 600), quality=95) for number in range(5)}
    body = archive({"liste.csv": b"1;Rad;499,00\n" * 10_000, "alt.zip": archive(photos), **photos})
    assert look(body, "unterlagen.zip", tmp_path) == Inspection("application/zip")


def test_an_archive_that_cannot_be_judged_is_refused(tmp_path: Path) -> None:
    """Cut off, with something behind its end, or with a table that is not what the end record says."""
    body = archive({"a.txt": b"x", "b.txt": b"y"})
    for damaged in (body[:-30], body + b"x", body.replace(b"\x02\0\x02\0", b"\x03\0\x03\0")):
        assert look(damaged, "fotos.zip", tmp_path).refusal is Refusal.UNREADABLE


def test_archives_are_never_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*_: object, **__: object) -> None:
        raise AssertionError("unpacked")

    body = archive({"a.txt": b"x" * 1000})
    for opener in ("zipfile.ZipFile", "gzip.open", "gzip.decompress", "tarfile.open", "bz2.open", "lzma.open"):
        monkeypatch.setattr(opener, no)
    assert look(body, "a.zip", tmp_path).refusal is None
    assert look(b"\x1f\x8b\x08\0" + bytes(100), "a.tar.gz", tmp_path) == Inspection("application/gzip")


def test_nothing_that_can_carry_script_is_shown_in_place() -> None:
    assert not any(word in mime for mime in INLINE_TYPES for word in ("svg", "html", "xml", "pdf", "text", "zip"))
    assert not INLINE_TYPES & REFUSED_TYPES
    assert sniff(SVG) not in INLINE_TYPES and sniff(PDF) not in INLINE_TYPES and UNKNOWN not in INLINE_TYPES


@pytest.mark.parametrize(
    ("name", "mime", "safe"),
    [
        ("Urlaub 2026.jpg", "image/jpeg", "Urlaub 2026.jpg"),
        ("URLAUB.JPEG", "image/jpeg", "URLAUB.JPEG"),
        ("../../etc/passwd", "text/plain", "passwd.txt"),
        ("C:\\Users\\x\\Brille.png", "image/png", "Brille.png"),
        ("a\0b\r\nc.png", "image/png", "abc.png"),
        ("foto\u202egpj.png", "image/png", "fotogpj.png"),
        (".htaccess", "text/plain", "htaccess.txt"),
        ("dienst.conf", "text/plain", "dienst.conf"),
        ("foto.neu", "image/jpeg", "foto.neu.jpg"),
        ("...", "image/png", "file.png"),
        ("", "audio/ogg", "file.ogg"),
        ("", UNKNOWN, "file"),
        ("nul.txt", "text/plain", "_nul.txt"),
        ("COM1", UNKNOWN, "_COM1"),
        ("konto.pdf", "image/png", "konto.pdf.png"),
        ("konto.pdf", UNKNOWN, "konto.pdf.dat"),
        ("rechnung.exe.pdf", "application/pdf", "rechnung_exe.pdf"),
        ("a.b.c.pdf", "application/pdf", "a.b.c.pdf"),
        ("plan.dwg", UNKNOWN, "plan.dwg"),
        ("preise.csv", "text/plain", "preise.csv"),
        ('ab<>:"|?*c.pdf', "application/pdf", "ab_______c.pdf"),
        ("Brille.png. ", "image/png", "Brille.png"),
        ("Mu\u0308ller.png", "image/png", "Müller.png"),
        ("Ende. Und jetzt", UNKNOWN, "Ende. Und jetzt"),
        ("\ud800.png", "image/png", "png.png"),
    ],
)
def test_names_are_made_harmless(name: str, mime: str, safe: str) -> None:
    assert safe_name(name, mime) == safe


@pytest.mark.parametrize("letter", ["x", "ü", "👓"])
@pytest.mark.parametrize("name", ["{}.jpg", "{}", "x.{}"])
def test_names_are_cut_to_what_file_systems_take(letter: str, name: str) -> None:
    safe = safe_name(name.format(letter * 400), "image/jpeg")
    assert len(safe.encode()) <= LONGEST_NAME
    assert safe.endswith(".jpg")


def test_the_header_carries_any_name() -> None:
    """RFC 6266 and 8187: plain letters, and the whole name; nothing can end the header or the quoted string."""
    assert content_disposition("Müller & Söhne 100%.pdf", inline=False) == (
        "attachment; filename=\"Muller & Sohne 100_.pdf\"; filename*=UTF-8''M%C3%BCller%20%26%20S%C3%B6hne%20100%25.pdf"
    )
    assert content_disposition("眼鏡.png", inline=True) == "inline; filename=\"png\"; filename*=UTF-8''%E7%9C%BC%E9%8F%A1.png"
    hostile = content_disposition(safe_name('x"\r\nSet-Cookie: a=b;.png', "image/png"), inline=False)
    assert re.fullmatch(r"attachment; filename=\"[^\"\r\n]*\"; filename\*=UTF-8''[A-Za-z0-9._~%-]+", hostile)


async def draw(body: bytes, mime: str, folder: Path, box: int = 320) -> picture.Thumbnail:
    path = folder / "object"
    path.write_bytes(body)
    with path.open("rb") as file:
        return await picture.thumbnail(file, mime, box)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
async def test_a_small_picture_is_drawn(format_: str, tmp_path: Path) -> None:
    small = await draw(image(format_), f"image/{format_.lower()}", tmp_path)
    assert (small.width, small.height, small.image_width, small.image_height) == (320, 240, 640, 480)
    shown = Image.open(io.BytesIO(small.body))
    assert (shown.format, shown.size) == ("WEBP", (320, 240))
    left, right = shown.convert("RGB").getpixel((20, 120)), shown.convert("RGB").getpixel((300, 120))
    assert isinstance(left, tuple) and isinstance(right, tuple)
    assert left[0] > 200 > 60 > left[2] and right[2] > 200 > 60 > right[0]


async def test_a_small_image_does_not_grow(tmp_path: Path) -> None:
    small = await draw(image("PNG", (40, 30)), "image/png", tmp_path)
    assert (small.width, small.height) == (40, 30)


async def test_a_photo_is_turned_and_tells_nothing(tmp_path: Path) -> None:
    """EXIF orientation is applied; camera, place and comment stay behind."""
    photo = turned_photo()
    assert b"Kameramarke" in photo and b"geheim" in photo
    small = await draw(photo, "image/jpeg", tmp_path)
    assert (small.width, small.height, small.image_width, small.image_height) == (240, 320, 480, 640)
    shown = Image.open(io.BytesIO(small.body))
    assert not shown.getexif() and not {"exif", "xmp", "icc_profile"} & set(shown.info)
    top = shown.convert("RGB").getpixel((120, 20))
    assert isinstance(top, tuple) and top[0] > 200


async def test_of_an_animation_the_first_frame_is_shown(tmp_path: Path) -> None:
    body = io.BytesIO()
    frames = [Image.new("RGB", (50, 50), colour) for colour in ("red", "blue")]
    frames[0].save(body, "GIF", save_all=True, append_images=frames[1:])
    small = await draw(body.getvalue(), "image/gif", tmp_path)
    pixel = Image.open(io.BytesIO(small.body)).convert("RGB").getpixel((25, 25))
    assert isinstance(pixel, tuple) and pixel[0] > 200


@pytest.mark.parametrize("size", [(7072, 7072), (1, 60_000_000), (2**31 - 1, 2**31 - 1)])
async def test_a_picture_that_would_burst_is_refused_by_its_header(size: tuple[int, int], tmp_path: Path) -> None:
    bomb = png_bomb(*size)
    assert len(bomb) < 1000
    with pytest.raises(picture.Bomb):
        await draw(bomb, "image/png", tmp_path)


async def test_memory_and_time_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What gets past the header still cannot take the machine along."""
    body = image("PNG", (7000, 7000))
    monkeypatch.setattr(picture, "WALL_SECONDS", 0.01)
    with pytest.raises(picture.Bomb):
        await draw(body, "image/png", tmp_path)


@pytest.mark.parametrize("body", [image("JPEG")[:700], b"\xff\xd8\xff" + bytes(100), image("PNG")])
async def test_a_damaged_or_false_image_has_no_picture(body: bytes, tmp_path: Path) -> None:
    """Each type has its one decoder: a PNG that was taken for a JPEG is not handed to another one."""
    with pytest.raises(picture.Unreadable):
        await draw(body, "image/jpeg", tmp_path)


async def test_the_program_that_decodes_knows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_MASTER_KEY", "geheim")
    program = tmp_path / "program.py"
    program.write_text("import os, sys\nsys.exit(4 if 'HUB_MASTER_KEY' not in os.environ else 1)\n")
    monkeypatch.setattr(picture, "__file__", str(program))
    with pytest.raises(picture.Unreadable):
        await draw(image("PNG"), "image/png", tmp_path)
