"""What a file is, whether it may pass, and how it may be called: by its content, never by what somebody says about it.

    sniff(head)                     the type the first bytes show; UNKNOWN for everything else (default deny)
    inspect(file, size, name)       type, and why the file is refused (executable, two types at once, zip bomb), or None
    safe_name(name, mime)           a name that is harmless on every system and ends as its content says
    content_disposition(name, …)    the header that carries it (RFC 6266, RFC 8187)

Nothing is unpacked and nothing decoded: archives are judged by their table of contents. Small pictures are drawn by
`hub/core/picture.py`.
"""

import mmap
import re
import struct
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import BinaryIO, Final
from urllib.parse import quote

UNKNOWN: Final = "application/octet-stream"

INLINE_TYPES: Final = frozenset(
    {
        "image/jpeg", "image/png", "image/gif", "image/webp", "image/avif",
        "audio/ogg", "audio/mpeg", "audio/mp4", "audio/aac", "audio/wav",
        "video/mp4", "video/webm",
    }
)  # fmt: skip
"""Types a page may show in place. Everything else is only downloaded; SVG, HTML and PDF are never in here."""

EXTENSIONS: Final[dict[str, tuple[str, ...]]] = {
    "image/jpeg": ("jpg", "jpeg", "jpe", "jfif"),
    "image/png": ("png", "apng"),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "image/avif": ("avif",),
    "image/heic": ("heic", "heif"),
    "image/tiff": ("tif", "tiff", "dng"),
    "image/svg+xml": ("svg", "svgz"),
    "audio/ogg": ("ogg", "oga", "opus"),
    "audio/mpeg": ("mp3",),
    "audio/mp4": ("m4a", "m4b", "mp4"),
    "audio/aac": ("aac",),
    "audio/wav": ("wav",),
    "audio/flac": ("flac",),
    "audio/amr": ("amr",),
    "video/mp4": ("mp4", "m4v", "m4a"),
    "video/webm": ("webm",),
    "video/x-matroska": ("mkv", "mka"),
    "video/quicktime": ("mov",),
    "video/3gpp": ("3gp", "3g2"),
    "video/ogg": ("ogv", "ogg"),
    "video/x-msvideo": ("avi",),
    "application/pdf": ("pdf",),
    "application/rtf": ("rtf", "doc"),
    "application/zip": ("zip", "pages", "numbers", "key", "kmz", "3mf"),
    "application/gzip": ("gz", "tgz", "tgs"),
    "application/x-7z-compressed": ("7z",),
    "application/vnd.rar": ("rar",),
    "application/x-bzip2": ("bz2", "tbz"),
    "application/x-xz": ("xz", "txz"),
    "application/x-tar": ("tar",),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ("docx", "dotx"),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ("xlsx", "xltx", "xlsb"),
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ("pptx", "potx", "ppsx"),
    "application/vnd.oasis.opendocument.text": ("odt",),
    "application/vnd.oasis.opendocument.spreadsheet": ("ods",),
    "application/vnd.oasis.opendocument.presentation": ("odp",),
    "application/epub+zip": ("epub",),
    "application/x-ole-storage": ("doc", "xls", "ppt", "msg", "dot", "xlt", "pot", "pps", "pub", "vsd"),
    "text/vcard": ("vcf", "vcard", "txt"),
    "text/calendar": ("ics", "ifb", "txt"),
    "application/xml": ("xml", "gpx", "kml", "xsd", "txt"),
    "text/plain": ("txt", "text", "csv", "tsv", "log", "md", "json", "eml", "ini", "yaml", "yml", "asc", "pem"),
}
"""Endings that fit a type. A name that ends in one of another type gets the first one that fits behind it."""

REFUSED_TYPES: Final = frozenset(
    {
        "application/x-dosexec", "application/x-executable", "application/x-mach-binary", "application/x-ms-shortcut",
        "application/java-archive", "application/vnd.android.package-archive", "application/x-msi",
        "application/vnd.ms-office.macro", "text/html", "text/x-script", "image/svg+xml", "application/xhtml+xml",
    }
)  # fmt: skip
"""Types that the hub passes on in no direction: what an operating system or an office program runs when it is opened, and pages
that carry script. A document with macros shows as `application/vnd.ms-office.macro`."""

REFUSED_EXTENSIONS: Final = frozenset(
    {
        "ade", "adp", "apk", "app", "appimage", "appref-ms", "application", "appx", "asp", "aspx", "bas", "bat", "cab",
        "cer", "chm", "cmd", "cnt", "com", "command", "cpl", "crx", "csh", "desktop", "dex", "diagcab", "dll", "dmg", "docm",
        "dotm", "drv", "elf", "exe", "fxp", "gadget", "hlp", "hta", "htm", "html", "img", "inf", "ins", "iso", "isp", "jar",
        "jnlp", "js", "jse", "ksh", "lib", "lnk", "mad", "maf", "mam", "maq", "mar", "mas", "mat", "mau", "mav", "maw", "mda",
        "mdb", "mde", "mdt", "mdw", "mdz", "mht", "mhtml", "msc", "msh", "msh1", "msh2", "msi", "msix", "msp", "mst", "nsh",
        "ocx", "ops", "osd", "pcd", "php", "pif", "pl", "plg", "potm", "ppam", "ppsm", "pptm", "prf", "prg", "ps1", "ps1xml",
        "ps2", "ps2xml", "psc1", "psc2", "pst", "py", "pyc", "pyo", "pyw", "pyz", "rb", "reg", "scf", "scr", "sct", "sh", "shb",
        "shs", "shtml", "sldm", "svg", "svgz", "swf", "sys", "theme", "url", "vb", "vbe", "vbp", "vbs", "vhd", "vhdx",
        "vsmacros", "vsw", "vxd", "webloc", "website", "wll", "ws", "wsb", "wsc", "wsf", "wsh", "xbap", "xht", "xhtml", "xlam",
        "xll", "xlsm", "xltm", "xnk",
    }
)  # fmt: skip
"""Endings that an operating system or an office program runs, mounts or opens as a page when they are double-clicked; for scripts,
which no content tells apart from text, the ending is all there is. The lists of large mail providers, put together."""

OPEN_TYPES: Final = frozenset(
    {UNKNOWN, "text/plain", "application/xml", "application/zip", "application/gzip", "application/x-ole-storage"}
)
"""What many formats are made of: an ending that we do not know may be right."""

ZIP_TYPES: Final = frozenset(
    {
        "application/zip", "application/epub+zip",
        *(mime for mime in EXTENSIONS if mime.startswith(("application/vnd.openxmlformats", "application/vnd.oasis.opendocument"))),
    }
)  # fmt: skip
"""Documents that are ZIP archives."""
ARCHIVE_EXTENSIONS: Final = frozenset({"zip", "7z", "rar", "gz", "tgz", "bz2", "xz", "jar", "docx", "xlsx", "pptx"})

HEAD_BYTES: Final = 4096
"""What `sniff` wants to see."""
WINDOW_BYTES: Final = 65_536
"""At both ends of an image, sound or film: where markup of a second type is looked for."""
PDF_WINDOW: Final = 1024
"""PDF readers accept the mark of a PDF anywhere in the first kilobyte."""
ZIP_END_BYTES: Final = 22 + 65_535
"""The end record of a ZIP and its longest comment: ZIP readers look for it from the end of the file."""
MOST_ENTRIES: Final = 10_000
LARGEST_CONTENTS: Final = 4_000_000
"""Bytes of a table of contents; 10,000 entries with names of 300 bytes."""
UNPACKED_BYTES: Final = 1_000_000_000
"""What an archive may claim to hold, whatever its size."""
MOST_RATIO, RATIO_BYTES = 100, 100_000_000
"""An archive that claims more than RATIO_BYTES may not be packed better than 1 to MOST_RATIO; honest ones reach 20."""
NESTED_RATIO: Final = 5
"""An archive inside an archive does not get smaller; one that does is full of repetition (42.zip)."""
LONGEST_NAME: Final = 255
"""Bytes in UTF-8: what file systems take."""


class Refusal(StrEnum):
    """Why a file is not taken. The catalogue has `media.refused.<reason>`."""

    TYPE = "type_refused"
    POLYGLOT = "polyglot"
    BOMB = "bomb"
    UNREADABLE = "unreadable"
    """An archive whose table of contents cannot be read cannot be judged."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file is, and why it is refused, if it is."""

    mime: str
    refusal: Refusal | None = None


_SIGNATURES: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (257, b"ustar", "application/x-tar"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"MZ", "application/x-dosexec"),
    (0, b"\x7fELF", "application/x-executable"),
    (0, b"\xca\xfe\xba\xbe", "application/x-mach-binary"),  # Java classes too
    (0, b"\xfe\xed\xfa\xce", "application/x-mach-binary"),
    (0, b"\xfe\xed\xfa\xcf", "application/x-mach-binary"),
    (0, b"\xce\xfa\xed\xfe", "application/x-mach-binary"),
    (0, b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (0, b"L\0\0\0\x01\x14\x02\0", "application/x-ms-shortcut"),
    (0, b"#!", "text/x-script"),
)
_RIFF: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_OGG: Final = ((b"OpusHead", "audio/ogg"), (b"\x01vorbis", "audio/ogg"), (b"Speex   ", "audio/ogg"), (b"\x80theora", "video/ogg"))
_BRANDS: Final[dict[bytes, str]] = {
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis"), "image/heic"),
    **dict.fromkeys((b"M4A ", b"M4B "), "audio/mp4"),
    **dict.fromkeys(
        (b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"dash", b"M4V ", b"MSNV"), "video/mp4"
    ),
    b"qt  ": "video/quicktime",
}
_PAGES: Final = re.compile(
    r"<(?:!doctype html|html|head|body|script|iframe|style|title|meta|link|form|img|object|embed)[\s>/]", re.I
)
_MARKUP: Final = re.compile(rb"<(?:script|html|iframe|svg|body)[\s>/]|<!doctype html|<\?php", re.I)
_TEXTS: Final = (("BEGIN:VCARD", "text/vcard"), ("BEGIN:VCALENDAR", "text/calendar"))
_NO_TEXT: Final = re.compile(r"[\0-\x08\x0e-\x1a\x1c-\x1f]")
_OFFICE: Final = (
    ("word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
)
_MACRO_OLE: Final = "_VBA_PROJECT".encode("utf-16-le")
_MSI_CLASS: Final = bytes.fromhex("84100c0000000000c000000000000046")  # {000C1084-…}, the class of an installer's root


def sniff(head: bytes) -> str:
    """The type of a file by its first HEAD_BYTES; UNKNOWN when they show none of those we know."""
    for offset, mark, mime in _SIGNATURES:
        if head.startswith(mark, offset):
            return mime
    if head.lstrip(b"\xef\xbb\xbf\0 \t\r\n").startswith(b"%PDF-"):
        return "application/pdf"
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12], UNKNOWN)
    if head.startswith(b"OggS"):
        return next((mime for mark, mime in _OGG if mark in head[:64]), UNKNOWN)
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska" if b"matroska" in head[:64] else UNKNOWN
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    return _of_frame(head) or _of_text(head)


def _of_brands(head: bytes) -> str:
    """The first brand that says something, the major one before the compatible ones (ISO 14496-12, 4.3)."""
    end = min(struct.unpack(">I", head[:4])[0], 256)
    for brand in [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]:
        if brand.startswith((b"3gp", b"3g2")):
            return "video/3gpp"
        if brand in _BRANDS:
            return _BRANDS[brand]
    return UNKNOWN


def _of_frame(head: bytes) -> str | None:
    """Sound without a header: the frames begin at once. Values that no encoder writes are no sound."""
    if len(head) < 4 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0 and head[2] & 0x3C <= 0x30:
        return "audio/aac"
    is_layer_3, has_version = head[1] & 0xE6 == 0xE2, head[1] & 0x18 != 0x08
    if is_layer_3 and has_version and head[2] >> 4 != 15 and head[2] & 0x0C != 0x0C:
        return "audio/mpeg"
    return None


def _of_text(head: bytes) -> str:
    """Text is what has no control characters; of texts those that a browser would take for a page count as one."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = head.decode("utf-16", "ignore")
    else:
        try:
            text = head.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            cut_off = error.start >= len(head) - 3 and error.reason == "unexpected end of data"
            text = head.decode("utf-8-sig", "ignore") if cut_off else head.decode("latin-1")
    if not text or _NO_TEXT.search(text):
        return UNKNOWN
    start = text.lstrip()
    if start.startswith("<?xml") or start.lower().startswith(("<svg", "<!doctype svg")):
        if re.search(r"<(?:\w+:)?svg[\s>/]", start, re.I):
            return "image/svg+xml"
        return "application/xhtml+xml" if re.search(r"<(?:\w+:)?html[\s>/]", start, re.I) else "application/xml"
    if _PAGES.match(re.sub(r"^(?:<!--.*?-->\s*)+", "", start, flags=re.DOTALL)):
        return "text/html"
    return next((mime for mark, mime in _TEXTS if start.startswith(mark)), "text/plain")


def inspect(file: BinaryIO, size: int, name: str) -> Inspection:
    """Look at a stored file. Blocking: reads both ends, of an archive its table of contents, of an old office document all."""
    file.seek(0)
    head = file.read(WINDOW_BYTES)
    file.seek(max(0, size - max(ZIP_END_BYTES, WINDOW_BYTES)))
    tail = file.read()
    mime, refusal = sniff(head[:HEAD_BYTES]), None
    contents = _contents_of_zip(file, size, tail)
    if mime == "application/zip":
        mime, refusal = _of_zip(head, contents), _judge_zip(contents, size)
    elif mime == "application/x-ole-storage":
        mime = _of_ole(file)
    if mime in REFUSED_TYPES or extension_of(clean_name(name)) in REFUSED_EXTENSIONS:
        refusal = Refusal.TYPE
    elif refusal is None and _is_second_type(mime, head, tail, contents):
        refusal = Refusal.POLYGLOT
    return Inspection(mime, refusal)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of a ZIP's table of contents: bytes in the archive, and bytes it claims to become."""

    name: str
    packed: int
    unpacked: int


@dataclass(frozen=True, slots=True)
class _Contents:
    """A ZIP's table of contents, as far as it can be read, and how many lines its end record promises."""

    entries: list[_Entry]
    count: int


def _is_second_type(mime: str, head: bytes, tail: bytes, contents: _Contents | None) -> bool:
    """Whether another program would take this for something else: an archive from its end, a PDF or a page from inside."""
    if contents is not None and mime not in ZIP_TYPES:
        return True
    if mime != "application/pdf" and b"%PDF-" in head[:PDF_WINDOW]:
        return True
    return mime in INLINE_TYPES and any(_MARKUP.search(window) for window in (head, tail[-WINDOW_BYTES:]))


def _contents_of_zip(file: BinaryIO, size: int, tail: bytes) -> _Contents | None:
    """What a ZIP reader finds from the end of a file, whatever stands before; None when there is no archive."""
    for end in reversed([found.start() for found in re.finditer(rb"PK\x05\x06", tail)]):
        if len(tail) - end < 22:
            continue
        count, length, _, comment = struct.unpack("<HIIH", tail[end + 10 : end + 22])
        start = size - len(tail) + end - length
        if end + 22 + comment != len(tail) or start < 0:
            continue
        file.seek(start)
        entries = list(islice(_entries(file.read(min(length, LARGEST_CONTENTS))), MOST_ENTRIES))
        if entries:
            return _Contents(entries, count)
    return None


def _entries(table: bytes) -> Iterator[_Entry]:
    at = 0
    while table.startswith(b"PK\x01\x02", at) and len(table) - at >= 46:
        packed, unpacked, name, extra, comment = struct.unpack("<IIHHH", table[at + 20 : at + 34])
        yield _Entry(table[at + 46 : at + 46 + name].decode("utf-8", "replace"), packed, unpacked)
        at += 46 + name + extra + comment


def _of_zip(head: bytes, contents: _Contents | None) -> str:
    """What kind of document a ZIP is, by the names in it."""
    names = {entry.name for entry in contents.entries} if contents else set()
    if any(name.endswith("vbaProject.bin") or name.startswith("Basic/") for name in names):
        return "application/vnd.ms-office.macro"
    if "AndroidManifest.xml" in names:
        return "application/vnd.android.package-archive"
    if "[Content_Types].xml" in names:
        return next((mime for folder, mime in _OFFICE if any(name.startswith(folder) for name in names)), "application/zip")
    if head[30:38] == b"mimetype":  # OpenDocument and EPUB: the first member, not packed, says it
        said = head[38:120].partition(b"PK")[0].decode("ascii", "replace")
        return said if said in ZIP_TYPES else "application/zip"
    return "application/java-archive" if "META-INF/MANIFEST.MF" in names else "application/zip"


def _judge_zip(contents: _Contents | None, size: int) -> Refusal | None:
    """A bomb claims too much, is packed too well, counts the same bytes for several members, or holds archives that shrink."""
    if contents is None:
        return Refusal.UNREADABLE
    if contents.count > MOST_ENTRIES:
        return Refusal.BOMB
    if len(contents.entries) != contents.count:
        return Refusal.UNREADABLE
    unpacked, packed = sum(one.unpacked for one in contents.entries), sum(one.packed for one in contents.entries)
    is_packed_too_well = unpacked > RATIO_BYTES and unpacked > MOST_RATIO * size
    if unpacked > UNPACKED_BYTES or packed > size or is_packed_too_well or any(map(_shrinks, contents.entries)):
        return Refusal.BOMB
    return None


def _shrinks(entry: _Entry) -> bool:
    return extension_of(entry.name) in ARCHIVE_EXTENSIONS and entry.unpacked > NESTED_RATIO * max(entry.packed, 1)


def _of_ole(file: BinaryIO) -> str:
    """Old office documents, mails and installers share one container; names in it tell them apart."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        if whole.find(_MSI_CLASS) >= 0:
            return "application/x-msi"
        return "application/vnd.ms-office.macro" if whole.find(_MACRO_OLE) >= 0 else "application/x-ole-storage"


_DROPPED_KINDS: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that no name keeps: control, invisible and direction characters (U+202E), halves of pairs, line ends."""
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|$)", re.I)
_EXTENSION: Final = re.compile(r"[A-Za-z0-9_-]{1,16}")
_UNFIT: Final = re.compile(r'[<>:"|?*]')
_KNOWN_EXTENSIONS: Final = frozenset(extension for extensions in EXTENSIONS.values() for extension in extensions)


def extension_of(name: str) -> str:
    """`Rechnung.PDF` -> `pdf`; empty when there is none."""
    stem, dot, extension = name.rpartition(".")
    return extension.lower() if dot and stem else ""


def clean_name(name: str) -> str:
    """The last part of a path without anything that hides, breaks out or cannot be written; possibly empty."""
    name = re.split(r"[/\\]", name)[-1]
    name = "".join(letter for letter in unicodedata.normalize("NFC", name) if unicodedata.category(letter) not in _DROPPED_KINDS)
    name = re.sub(r"\s+", " ", _UNFIT.sub("_", name))
    return name.strip(" .")


def safe_name(name: str, mime: str) -> str:
    """A name for a file of this sniffed type, at most LONGEST_NAME bytes: the given one made harmless, else `file`.

    Its ending agrees with the type: `foto.png` that is a JPEG becomes `foto.png.jpg`, a `bild.pdf` of unknown content
    `bild.pdf.dat`. Dots before an ending that could be run become `_`, so that no system hides the last ending.
    """
    cleaned = clean_name(name) or "file"
    stem, _, last = cleaned.rpartition(".")
    if not stem or not _EXTENSION.fullmatch(last):
        stem, last = cleaned, ""
    fitting = EXTENSIONS.get(mime, ())
    may_be_right = mime in OPEN_TYPES and last.lower() not in _KNOWN_EXTENSIONS | REFUSED_EXTENSIONS and (last or not fitting)
    if last.lower() not in fitting and not may_be_right:
        stem, last = (f"{stem}.{last}" if last else stem), (fitting[0] if fitting else "dat")
    parts = stem.split(".")
    stem = parts[0] + "".join(("_" if part.strip().lower() in REFUSED_EXTENSIONS else ".") + part for part in parts[1:])
    ending = f".{last}" if last else ""
    stem = f"_{stem}" if _RESERVED.match(stem) else stem
    return stem.encode()[: LONGEST_NAME - len(ending)].decode("utf-8", "ignore").rstrip(" .") + ending


def content_disposition(name: str, *, inline: bool) -> str:
    """The header for a `safe_name`: plain letters for old programs, the whole name in `filename*` (RFC 6266, 4.3)."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r'["\\%;]', "_", plain).strip(" .") or "file"
    return f"{'inline' if inline else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
