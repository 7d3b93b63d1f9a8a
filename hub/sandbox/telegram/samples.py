"""What a person can send at the touch of a button: small files of every kind, places, contacts, a poll, a dice."""

import random
from typing import Final

from hub.sandbox.samples import read
from hub.sandbox.telegram.chats import Person
from hub.sandbox.telegram.files import LARGEST_DOWNLOAD, Files
from hub.sandbox.telegram.media import Medium, content_of
from hub.sandbox.telegram.wire import Json

TOO_LARGE: Final = LARGEST_DOWNLOAD + 2_128_980
"""Bytes of a document that no bot can download."""
PLACE: Final = {"latitude": 47.545871, "longitude": 9.683104}
LIVE_SECONDS: Final = 900


def media(name: str) -> Medium | None:
    """A file by the name of its button; None for what is no file."""
    match name:
        case "photo" | "photo-1" | "photo-2" | "photo-3":
            picture = "photo-1" if name == "photo" else name
            smaller = (read(f"{picture}-90.jpg"), read(f"{picture}-320.jpg"))
            return Medium("photo", read(f"{picture}-800.jpg"), smaller=smaller)
        case "video":
            return Medium("video", read("video.mp4"), "IMG_0042.MP4", thumbnail=read("video-320.jpg"))
        case "animation":
            return Medium("animation", read("animation.mp4"), "giphy.mp4", thumbnail=read("animation-240.jpg"))
        case "video_note":
            return Medium("video_note", read("round.mp4"), thumbnail=read("round-240.jpg"))
        case "voice":
            return Medium("voice", read("voice.ogg"))
        case "audio":
            return Medium("audio", read("audio.mp3"), "klingelmarsch.mp3", title="Klingelmarsch", performer="Radwerk-Kapelle")
        case "document":
            return Medium("document", read("document.pdf"), "Rechnung März.pdf")
        case "large":
            return Medium("document", b"%PDF-1.4 ", "Werkstatthandbuch.pdf", size=TOO_LARGE)
        case "sticker":
            return Medium("sticker", read("sticker.webp"), emoji="😂", thumbnail=read("sticker-128.webp"))
        case "sticker_animated":
            return Medium("sticker", read("sticker.tgs"), emoji="😂", thumbnail=read("sticker-128.webp"))
        case "sticker_video":
            return Medium("sticker", read("sticker.webm"), emoji="😂", thumbnail=read("sticker-128.webp"))
        case _:
            return None


FILES: Final = (
    "photo", "photo-1", "photo-2", "photo-3", "video", "animation", "video_note", "voice", "audio", "document", "large",
    "sticker", "sticker_animated", "sticker_video",
)  # fmt: skip
OTHERS: Final = ("location", "live_location", "venue", "contact", "contact_foreign", "poll", "dice", "unknown")
NAMES: Final = FILES + OTHERS


def acquaint(files: Files) -> None:
    """Let these files know all samples, so that what an earlier process told of them is still good."""
    for name in FILES:
        medium = media(name)
        assert medium is not None
        content_of(files, medium)


def content(name: str, files: Files, person: Person) -> Json:
    """The fields of a Message. Raises KeyError for a name that is not in NAMES."""
    medium = media(name)
    if medium is not None:
        shown = content_of(files, medium)
        return shown if "sticker" not in shown else {"sticker": shown["sticker"] | {"set_name": "RadwerkSmileys"}}
    return _other(name, person)


def _other(name: str, person: Person) -> Json:
    others: dict[str, Json] = {
        "location": {"location": dict(PLACE)},
        "live_location": {"location": PLACE | {"horizontal_accuracy": 35.0, "live_period": LIVE_SECONDS}},
        "venue": {
            "location": dict(PLACE),
            "venue": {"location": dict(PLACE), "title": "Hafen Lindau", "address": "Seepromenade 1, 88131 Lindau"},
        },
        "contact": {"contact": {"phone_number": "491701234567", "first_name": person.first_name, "user_id": person.id}},
        "contact_foreign": {"contact": {"phone_number": "+49 8382 555 0142", "first_name": "Werkstatt", "last_name": "Bodensee"}},
        "poll": {"poll": _poll()},
        "dice": {"dice": {"emoji": "🎲", "value": random.randint(1, 6)}},
        "unknown": {"hologram": {"file_id": "BQACAgIAAxkBAAIZ_h", "depth": 3}},
    }
    return others[name]


def _poll() -> Json:
    options = [
        {"persistent_id": str(number), "text": text, "voter_count": 0} for number, text in enumerate(("Rot", "Blau", "Grün"))
    ]
    return {
        "id": str(random.randint(10**18, 10**19)),
        "question": "Welche Farbe soll der Rahmen haben?",
        "options": options,
        "total_voter_count": 0,
        "is_closed": False,
        "is_anonymous": True,
        "type": "regular",
        "allows_multiple_answers": False,
        "allows_revoting": True,
        "members_only": False,
    }
