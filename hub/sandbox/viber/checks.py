"""What Viber takes of a message, field by field (provider file, A5); refusals by its status numbers (A7)."""

import re
from typing import Any, Final

from hub.sandbox.viber.world import Json

BAD_DATA, MISSING_DATA, INVALID_URL = 3, 4, 1
NAMES: Final = {
    0: "ok",
    1: "invalidUrl",
    2: "invalidAuthToken",
    3: "badData",
    4: "missingData",
    5: "receiverNotRegistered",
    6: "notSubscribed",
    10: "webhookNotSet",
    12: "tooManyRequests",
    19: "cannotSendBroadcast",
}
LARGEST_BODY: Final = 30_000
LONGEST: Final = {"text": 7000, "caption": 768, "name": 28, "tracking_data": 4096, "url": 2000, "file_name": 256, "phone": 18}
LARGEST: Final = {"video": 26 << 20, "file": 50 << 20}
PICTURE: Final = re.compile(r".*\.(?:jpe?g|png|gif)", re.IGNORECASE)
VIDEO: Final = re.compile(r".*\.mp4", re.IGNORECASE)
COLUMNS, ROWS = range(1, 7), range(1, 3)
ACTIONS: Final = frozenset({"reply", "open-url", "location-picker", "share-phone", "none"})


class Refused(Exception):
    """An answer with a status other than 0."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.text = text or NAMES.get(status, "general error")


def check_message(message: Json, size: int) -> None:
    """Raises Refused. `size` is that of the whole JSON."""
    if size > LARGEST_BODY:
        raise Refused(BAD_DATA, "the message is too large")
    name = _need(_object(message, "sender"), "name", str)
    if not 0 < len(name) <= LONGEST["name"]:
        raise Refused(BAD_DATA, "sender.name is too long")
    if len(message.get("tracking_data", "")) > LONGEST["tracking_data"]:
        raise Refused(BAD_DATA, "tracking_data is too long")
    if "keyboard" in message:
        _check_keyboard(_object(message, "keyboard"))
    match _need(message, "type", str):
        case "text":
            _within(_need(message, "text", str), "text")
        case "picture":
            _within(_need(message, "text", str), "caption", 0)
            _check_media(message, PICTURE)
        case "video":
            _check_media(message, VIDEO)
            _check_size(message, "video")
            if message.get("duration", 0) > 180:
                raise Refused(BAD_DATA, "the video is too long")
        case "file":
            _check_media(message, re.compile(r".+"))
            _check_size(message, "file")
            if "." not in _within(_need(message, "file_name", str), "file_name"):
                raise Refused(BAD_DATA, "file_name has no ending")
        case "location":
            place = _object(message, "location")
            if abs(_need(place, "lat", (int, float))) > 90 or abs(_need(place, "lon", (int, float))) > 180:
                raise Refused(BAD_DATA, "not a place")
        case "contact":
            contact = _object(message, "contact")
            _within(_need(contact, "name", str), "name")
            _within(_need(contact, "phone_number", str), "phone")
        case "url":
            _within(_need(message, "media", str), "url")
        case "sticker":
            _need(message, "sticker_id", int)
        case other:
            raise Refused(BAD_DATA, f"{other} is not a type")


def _object(value: Json, name: str) -> Json:
    return dict(_need(value, name, dict))


def _need(value: Json, name: str, kind: type | tuple[type, ...]) -> Any:
    if name not in value:
        raise Refused(MISSING_DATA, f"{name} is missing")
    if not isinstance(value[name], kind) or isinstance(value[name], bool):
        raise Refused(BAD_DATA, f"{name} has the wrong type")
    return value[name]


def _within(text: str, of: str, least: int = 1) -> str:
    if not least <= len(text) <= LONGEST[of]:
        raise Refused(BAD_DATA, f"the length of {of} is wrong")
    return text


def _check_media(message: Json, ending: re.Pattern[str]) -> None:
    url = _within(_need(message, "media", str), "url")
    if not re.match(r"https?://[^\s]+", url) or not ending.fullmatch(url.partition("?")[0].rpartition("/")[2]):
        raise Refused(INVALID_URL, "media is not the address of such a file")


def _check_size(message: Json, kind: str) -> None:
    if not 0 < _need(message, "size", int) <= LARGEST[kind]:
        raise Refused(BAD_DATA, "size is wrong")


def _check_keyboard(keyboard: Json) -> None:
    if _need(keyboard, "Type", str) != "keyboard" or not _need(keyboard, "Buttons", list):
        raise Refused(BAD_DATA, "the keyboard is wrong")
    for button in keyboard["Buttons"]:
        if not isinstance(button, dict) or not _need(button, "ActionBody", str):
            raise Refused(BAD_DATA, "a button is wrong")
        if (
            button.get("Columns", 6) not in COLUMNS
            or button.get("Rows", 1) not in ROWS
            or button.get("ActionType", "reply") not in ACTIONS
        ):
            raise Refused(BAD_DATA, "a button is wrong")
