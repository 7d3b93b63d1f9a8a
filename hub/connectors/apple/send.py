"""An action -> one message for Apple (provider file, 7). The id of a message is that of its part."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any, Final
from urllib.parse import urlsplit

from hub.connectors.apple.gateway import Uploaded
from hub.connectors.apple.settings import AppleSettings
from hub.connectors.contract import ChoiceLimit, MediaLimit, OutboundAction, OutboundFile, OutboundMessage, ShowTyping
from hub.connectors.cutting import cut_text
from hub.connectors.errors import UnsupportedContent
from hub.connectors.events import Album, Choice, Media, MediaKind, OutboundContent, Slot, Text, TimeChoice

BID: Final = "com.apple.messages.MSMessageExtensionBalloonPlugin:0000000000:com.apple.icloud.apps.messages.business.extension"
LONGEST_TEXT: Final = 3000
"""Characters; a second-hand number, Apple names none (8)."""
LONGEST_QUESTION: Final = 200
"""Characters that a bubble shows above its answers; what is before them is a text of its own."""
CHOICE: Final = ChoiceLimit(options=20, label=64)
QUICK: Final = range(2, 6)
"""How many answers a quick reply has; one, or more, are a list."""
QUICK_LABEL: Final = 24
"""Characters of an answer that fits a button."""
LARGEST_FILE: Final = 100_000_000
LARGEST_PICTURE: Final = 200_000
"""Bytes of the picture of a rich link (Apple: Rich Link Message Type)."""
KINDS: Final[tuple[MediaKind, ...]] = ("image", "animation", "voice", "audio", "video", "document")
MEDIA: Final[Mapping[MediaKind, MediaLimit]] = {kind: MediaLimit(bytes=LARGEST_FILE) for kind in KINDS}
PICTURES: Final = frozenset({"image/jpeg", "image/png"})


def split_content(content: OutboundContent) -> list[OutboundContent]:
    """Raises UnsupportedContent. Files and their text are one message."""
    match content:
        case Text():
            return _need([Text(text=part) for part in split_text(content.text)])
        case Media() | Album():
            return _files(content)
        case Choice():
            _check_options(content)
            before, question = _question(content.text.text)
            return [*before, replace(content, text=question)]
        case TimeChoice():
            _check_slots(content.slots)
            before, question = _question(content.text.text)
            return [*before, replace(content, text=question)]
        case _:
            raise UnsupportedContent("not_for_apple")


def split_text(text: str) -> list[str]:
    """Parts of at most LONGEST_TEXT characters."""
    return cut_text(text, LONGEST_TEXT, len)


def _need(parts: list[Text]) -> list[Any]:
    if not parts:
        raise UnsupportedContent("empty_text")
    return parts


def _question(text: str) -> tuple[list[Text], Text]:
    """What stands before a long question, and its end."""
    whole = text.strip()
    if not whole:
        raise UnsupportedContent("empty_text")
    if len(whole) <= LONGEST_QUESTION:
        return [], Text(text=whole)
    first = len(whole) - LONGEST_QUESTION
    cut = whole.find("\n", first) + 1 or whole.find(" ", first) + 1 or first
    return [Text(text=part) for part in split_text(whole[:cut])], Text(text=whole[cut:].strip())


def _check_options(choice: Choice) -> None:
    if not 0 < len(choice.options) <= CHOICE.options:
        raise UnsupportedContent("too_many_options" if choice.options else "no_options")
    for option in choice.options:
        if not option.label.strip() or len(option.label) > CHOICE.label:
            raise UnsupportedContent("label_too_long" if option.label.strip() else "no_label")
        if not option.id:
            raise UnsupportedContent("no_option_id")


def _check_slots(slots: Sequence[Slot]) -> None:
    if not slots:
        raise UnsupportedContent("no_slots")
    if any(not slot.id or slot.start.tzinfo is None or slot.minutes <= 0 for slot in slots):
        raise UnsupportedContent("bad_slot")


def _files(content: Media | Album) -> list[OutboundContent]:
    items = (content,) if isinstance(content, Media) else content.items
    for item in items:
        if item.kind not in MEDIA:
            raise UnsupportedContent("kind_of_file")
        if item.size == 0:
            raise UnsupportedContent("empty_file")
    words = split_text(content.caption.text) if content.caption else []
    caption = Text(text=words[0]) if words else None
    return [replace(content, caption=caption), *(Text(text=part) for part in words[1:])]


def check(action: OutboundAction) -> None:
    """Raises UnsupportedContent for what Apple does not take as one message."""
    address = action.address
    if not (address.startswith("urn:mbid:") and address.isascii() and address.isprintable() and " " not in address):
        raise UnsupportedContent("no_opaque_id")
    if isinstance(action, ShowTyping):
        return
    if not isinstance(action, OutboundMessage):
        raise UnsupportedContent("not_for_apple")
    if len(split_content(action.content)) != 1:
        raise UnsupportedContent("text_too_long")


def files_of(message: OutboundMessage) -> list[OutboundFile]:
    """The files that a message needs to have uploaded, in their order. Raises UnsupportedContent."""
    content = message.content
    items = (content,) if isinstance(content, Media) else content.items if isinstance(content, Album) else ()
    files = [message.files[item.ref] for item in items if item.ref in message.files]
    if len(files) != len(items):
        raise UnsupportedContent("no_file")
    if any(file.size > LARGEST_FILE for file in files):
        raise UnsupportedContent("file_too_large")
    return files


def link_of(message: OutboundMessage) -> str:
    """The address below a small picture: both are a rich link. Empty for any other message."""
    content = message.content
    if not isinstance(content, Media) or content.kind != "image" or content.caption is None:
        return ""
    file, words = message.files.get(content.ref), content.caption.text.strip()
    fits = file is not None and file.size <= LARGEST_PICTURE and file.mime in PICTURES
    parts = urlsplit(words)
    is_link = parts.scheme == "https" and bool(parts.netloc) and not any(letter.isspace() for letter in words)
    return words if fits and is_link else ""


def body_of(action: OutboundAction, settings: AppleSettings, uploaded: Sequence[Uploaded] = ()) -> dict[str, Any]:
    """The message. `check` has passed."""
    own = {"v": 1, "sourceId": settings.business_id, "destinationId": action.address}
    if not isinstance(action, OutboundMessage):
        return {**own, "id": str(action.attempt_id), "type": "typing_start"}
    own["id"] = str(action.part_id)
    match action.content:
        case Text():
            return {**own, "type": "text", "body": action.content.text}
        case Media() | Album():
            words = action.content.caption.text if action.content.caption else ""
            marks = "\ufffc" * len(uploaded)
            return {**own, "type": "text", "body": f"{marks}{words}", "attachments": [file.write() for file in uploaded]}
        case Choice() | TimeChoice():
            return {**own, "type": "interactive", "interactiveData": _interactive(action.content, str(action.part_id))}
        case _:
            raise UnsupportedContent("not_for_apple")


def rich_link(message: OutboundMessage, settings: AppleSettings, url: str, picture: bytes, mime: str) -> dict[str, Any]:
    image = {"data": base64.b64encode(picture).decode(), "mimeType": mime}
    data = {"url": url, "title": urlsplit(url).hostname or url, "assets": {"image": image}}
    own = {"v": 1, "id": str(message.part_id), "sourceId": settings.business_id, "destinationId": message.address}
    return {**own, "type": "richLink", "richLinkData": data}


def _interactive(content: Choice | TimeChoice, number: str) -> dict[str, Any]:
    """The session and the request have the id of the part: the answer brings it back."""
    words = content.text.text
    data: dict[str, Any] = {"version": "1.0", "requestIdentifier": number}
    if isinstance(content, TimeChoice):
        title = content.event_title.strip() or words
        data["event"] = {"identifier": number, "title": title, "timeslots": [_slot(slot) for slot in content.slots]}
    elif is_quick(content):
        items = [{"identifier": option.id, "title": option.label} for option in content.options]
        data["quick-reply"] = {"summaryText": words, "items": items}
    else:
        data["listPicker"] = {"sections": [_section(content)]}
    bubble = {"title": words, "style": "icon"}
    return {"bid": BID, "sessionIdentifier": number, "data": data, "receivedMessage": bubble, "replyMessage": bubble}


def is_quick(choice: Choice) -> bool:
    """Few short answers are buttons below the keyboard; any others are a list."""
    short = all(len(option.label) <= QUICK_LABEL and not option.description for option in choice.options)
    return len(choice.options) in QUICK and short


def _section(choice: Choice) -> dict[str, Any]:
    items = [
        {"identifier": option.id, "order": place, "style": "default", "title": option.label}
        | ({"subtitle": option.description} if option.description else {})
        for place, option in enumerate(choice.options)
    ]
    return {"title": choice.text.text, "order": 0, "multipleSelection": False, "items": items}


def _slot(slot: Slot) -> dict[str, Any]:
    start = slot.start.astimezone(UTC)
    return {"identifier": slot.id, "startTime": f"{start:%Y-%m-%dT%H:%M}+0000", "duration": slot.minutes * 60}
