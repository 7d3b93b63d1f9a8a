"""What Apple refuses of a message (provider file, 7)."""

import base64
import binascii
import re
from typing import Any, Final
from uuid import UUID

from hub.sandbox.messengers import PhoneButton

BID: Final = "com.apple.messages.MSMessageExtensionBalloonPlugin:0000000000:com.apple.icloud.apps.messages.business.extension"
TYPES: Final = ("text", "interactive", "richLink", "typing_start", "typing_end")
START: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d[+-]\d{4}")
KEY: Final = re.compile(r"00[0-9a-fA-F]{64}")
LARGEST_PICTURE: Final = 200_000
LARGEST_FILE: Final = 100_000_000
PLACEHOLDER: Final = "\ufffc"
FILE: Final = ("name", "mimeType", "size", "signature-base64", "url", "owner", "key")


def problem_of(body: Any, headers: Any) -> str:
    """What is wrong with the body of a message; empty for nothing."""
    if not isinstance(body, dict) or body.get("v") != 1:
        return "v must be 1"
    if not is_uuid(body.get("id")):
        return "id must be a UUID"
    for name, header in (("id", "id"), ("sourceId", "source-id"), ("destinationId", "destination-id")):
        if body.get(name) != headers.get(header):
            return f"{name} is not the {header} of the headers"
    match body.get("type"):
        case "text":
            return _text(body)
        case "interactive":
            return _interactive(body.get("interactiveData"))
        case "richLink":
            return _rich_link(body.get("richLinkData"))
        case "typing_start" | "typing_end":
            return "a typing message has no body" if "body" in body else ""
        case _:
            return f"type must be one of {', '.join(TYPES)}"


def is_uuid(word: object) -> bool:
    try:
        return isinstance(word, str) and bool(UUID(word))
    except ValueError:
        return False


def _text(body: dict[str, Any]) -> str:
    words, files = body.get("body"), body.get("attachments", [])
    if not isinstance(words, str) or not words.strip():
        return "body is required"
    if not isinstance(files, list):
        return "attachments must be a list"
    if words.count(PLACEHOLDER) != len(files):
        return "one U+FFFC for each attachment"
    for file in files:
        if not isinstance(file, dict) or any(not isinstance(file.get(name), str) or not file[name] for name in FILE):
            return f"an attachment needs {', '.join(FILE)}, all of them texts"
        if not file["size"].isdecimal() or int(file["size"]) > LARGEST_FILE:
            return "size must be a number of bytes"
        if not KEY.fullmatch(file["key"]):
            return "key must be 00 and 64 hexadecimal digits"
    return ""


def _interactive(told: Any) -> str:
    if not isinstance(told, dict) or not isinstance(told.get("bid"), str):
        return "interactiveData.bid is required"
    if told["bid"] != BID:
        return "data is not allowed for an app of one's own" if "data" in told else ""
    data, received = told.get("data"), told.get("receivedMessage")
    if not isinstance(data, dict) or not data.get("version") or not data.get("requestIdentifier"):
        return "data with version and requestIdentifier is required"
    if not isinstance(received, dict) or not received.get("title"):
        return "receivedMessage.title is required"
    match [name for name in ("quick-reply", "listPicker", "event") if name in data]:
        case ["quick-reply"]:
            return _quick(data["quick-reply"])
        case ["listPicker"]:
            return _list(data["listPicker"])
        case ["event"]:
            return _event(data["event"])
        case _:
            return "exactly one of quick-reply, listPicker and event"


def _quick(quick: Any) -> str:
    items = quick.get("items") if isinstance(quick, dict) else None
    if not isinstance(items, list) or not 2 <= len(items) <= 5:
        return "a quick reply has 2 to 5 items"
    return _items(items)


def _list(picker: Any) -> str:
    sections = picker.get("sections") if isinstance(picker, dict) else None
    if not isinstance(sections, list) or not sections:
        return "a list picker needs sections"
    for section in sections:
        if not isinstance(section, dict) or not section.get("title") or not section.get("items"):
            return "a section needs a title and items"
        if any(not isinstance(item.get("order"), int) for item in section["items"]):
            return "an item needs its order"
        if problem := _items(section["items"]):
            return problem
    return ""


def _items(items: list[Any]) -> str:
    whole = all(isinstance(item, dict) and item.get("identifier") and item.get("title") for item in items)
    return "" if whole else "an item needs identifier and title"


def _event(event: Any) -> str:
    slots = event.get("timeslots") if isinstance(event, dict) else None
    if not isinstance(slots, list) or not slots or not event.get("title") or not event.get("identifier"):
        return "an event needs identifier, title and timeslots"
    for slot in slots:
        if not slot.get("identifier") or not START.fullmatch(str(slot.get("startTime"))):
            return "a time slot needs identifier and a startTime like 2026-11-24T09:30+0000"
        if type(slot.get("duration")) is not int or slot["duration"] <= 0:
            return "a time slot needs its duration in seconds"
    return ""


def _rich_link(told: Any) -> str:
    match told:
        case {"url": str(url), "title": str(title), "assets": {"image": {"data": str(data), "mimeType": str()}}} if url and title:
            try:
                picture = base64.b64decode(data, validate=True)
            except binascii.Error:
                return "the image is no base64"
            return "" if 0 < len(picture) <= LARGEST_PICTURE else "the image must be 200 kB or smaller"
        case _:
            return "richLinkData needs url, title and an image in assets"


def buttons_of(told: dict[str, Any]) -> tuple[PhoneButton, ...]:
    """What can be pressed in an interactive message."""
    match told["data"]:
        case {"quick-reply": {"items": list(items)}}:
            return tuple(PhoneButton(id=item["identifier"], label=item["title"]) for item in items)
        case {"listPicker": {"sections": list(sections)}}:
            return tuple(
                PhoneButton(id=item["identifier"], label=item["title"], description=item.get("subtitle", ""))
                for section in sections
                for item in section["items"]
            )
        case {"event": {"timeslots": list(slots)}}:
            return tuple(PhoneButton(id=slot["identifier"], label=slot["startTime"]) for slot in slots)
        case _:
            return ()
