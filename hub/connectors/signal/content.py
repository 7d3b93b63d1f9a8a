"""What a message says (provider file, 3). Nothing here raises: what is not as documented is shown as a card that says so."""

import re
from dataclasses import replace
from typing import Final

from hub.connectors.events import ContactCard, Content, Detail, Media, MediaKind, Sheet, Text, Unsupported
from hub.connectors.signal.reading import Json, a_count, a_text, an_object, objects
from hub.connectors.signal.text import read_text

LONGEST_SUMMARY: Final = 300
LONGEST_NAME: Final = 255
FILE: Final = re.compile(r"(?!\.+$)[A-Za-z0-9_.+-]{1,120}")
"""The name of a file that signal-cli has put down, by which it is fetched."""
STICKER: Final = re.compile(r"sticker:([0-9a-f]{2,128}):([0-9]{1,9})")
"""How a sticker is named in `Media.ref`: its pack and its number there."""
KINDS: Final[dict[str, MediaKind]] = {"image": "image", "video": "video", "audio": "audio"}
UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
VOICE: Final = frozenset({"audio/aac", "audio/mp4", "audio/ogg"})
"""How the apps record; a recording has no name, a file that was picked has one."""


def read_contents(said: Json, *, has_stickers: bool) -> list[Content]:
    """All that a message brings, in its order; its words go with the first file. Empty: nothing that could be shown."""
    words = read_text(a_text(said, "message"), said)
    if said.get("isExpirationUpdate") is True:
        return [Unsupported(kind="expiration_timer", summary=_timer(said))]
    if said.get("viewOnce") is True:
        return [Unsupported(kind="view_once", summary="")]
    if special := _special(said, words, has_stickers=has_stickers):
        return special
    files = [_file(one) for one in objects(said, "attachments")]
    if words.text and files and isinstance(files[0], Media):
        return [replace(files[0], caption=words), *files[1:]]
    return [*([words] if words.text else []), *files]


def _special(said: Json, words: Text, *, has_stickers: bool) -> list[Content]:
    """Kinds that say what they are by a field of their own."""
    if "sticker" in said:
        return [_sticker(an_object(said, "sticker"), has_stickers=has_stickers)]
    if "contacts" in said and (cards := [_card(one) for one in objects(said, "contacts")]):
        return [*([words] if words.text else []), *cards]
    if "payment" in said:
        return [Sheet(kind="payment", title="", text=a_text(an_object(said, "payment"), "note"))]
    if "pollCreate" in said:
        return [Unsupported(kind="poll", summary=_poll(an_object(said, "pollCreate")))]
    if "storyContext" in said:
        return [Sheet(kind="story", title="", text=words.text)]
    return []


def _file(told: Json) -> Media | Unsupported:
    """A file without an id was not downloaded by signal-cli."""
    ref, name = a_text(told, "id"), a_text(told, "filename")[:LONGEST_NAME]
    if not FILE.fullmatch(ref):
        return Unsupported(kind="file", summary=name[:LONGEST_SUMMARY])
    mime = a_text(told, "contentType")[:100].partition(";")[0].strip().lower()
    caption = a_text(told, "caption")
    return Media(
        kind=_kind(mime, name),
        ref=ref,
        mime=mime,
        name=name,
        size=a_count(told, "size"),
        width=a_count(told, "width"),
        height=a_count(told, "height"),
        caption=Text(text=caption) if caption else None,
    )


def _kind(mime: str, name: str) -> MediaKind:
    if mime == "image/gif":
        return "animation"
    if mime in VOICE and not name:
        return "voice"
    return KINDS.get(mime.partition("/")[0], "document")


def _sticker(told: Json, *, has_stickers: bool) -> Media | Unsupported:
    """The picture itself comes only from the daemon; the wrapper has no way to ask for it."""
    ref = f"sticker:{a_text(told, 'packId')}:{told.get('stickerId')}"
    if has_stickers and STICKER.fullmatch(ref):
        return Media(kind="sticker", ref=ref, mime="image/webp")
    return Unsupported(kind="sticker", summary="")


def _card(told: Json) -> ContactCard:
    """The first number; the name as it is written, else made of its parts, else the organisation."""
    name = an_object(told, "name")
    parts = " ".join(word for part in ("prefix", "given", "middle", "family", "suffix") if (word := a_text(name, part)))
    phones = [number for one in objects(told, "phone") if (number := a_text(one, "value"))]
    shown = parts or a_text(name, "nickname") or a_text(told, "organization")
    return ContactCard(name=shown[:LONGEST_NAME], phone=phones[0][:64] if phones else "")


def _poll(told: Json) -> str:
    options = told.get("options")
    words = [one for one in options if isinstance(one, str)] if isinstance(options, list) else []
    return " · ".join([a_text(told, "question"), *words])[:LONGEST_SUMMARY]


def _timer(said: Json) -> str:
    """How long messages stay, in the largest unit that says it exactly; empty: without end."""
    seconds = a_count(said, "expiresInSeconds")
    if not seconds:
        return ""
    return next(f"{seconds // unit} {name}" for unit, name in UNITS if seconds % unit == 0)


def read_call(said: Json) -> Sheet:
    """Somebody rings: nobody can answer here."""
    kind = a_text(an_object(said, "offerMessage"), "type")
    return Sheet(kind="call", title="Signal", details=(Detail(label="type", value=kind),) if kind else ())
