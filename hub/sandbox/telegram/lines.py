"""What a chat with a bot looks like on the phone, in the words of `messengers.py`."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from hub.core import clock
from hub.sandbox.messengers import FileKind, PhoneButton, PhoneChat, PhoneFile, PhoneLine, PhoneSpan, Style
from hub.sandbox.telegram.chats import Chat, Entry, timeline, words_of
from hub.sandbox.telegram.updates import State
from hub.sandbox.telegram.wire import Json
from hub.sandbox.telegram.world import Bot

FILE_KINDS: Final[dict[str, FileKind]] = {
    "photo": "image", "video": "video", "animation": "video", "video_note": "video", "voice": "voice", "audio": "audio",
    "document": "document", "sticker": "sticker",
}  # fmt: skip
"""Telegram's field of a message -> the kind of file it shows. An animation has a `document` besides: the first that fits counts."""
_FIRST: Final = ("photo", "animation", "video_note", "video", "voice", "audio", "sticker", "document")
_STYLES: Final[dict[str, Style]] = {
    "bold": "bold", "italic": "italic", "underline": "underline", "strikethrough": "strike", "code": "code", "pre": "code",
    "blockquote": "quote", "expandable_blockquote": "quote",
}  # fmt: skip
KEY: Final = "key:"
"""Begins the id of a button that stands for a key of the keyboard below the text field."""


def show(bot: Bot, chat: Chat) -> PhoneChat:
    """The chat as its person sees it. What was deleted is gone; the parts of an album are one line."""
    lines = [_line(bot, chat, entries) for entries in _grouped(chat)]
    if chat.keyboard is not None:
        lines = _with_keyboard(lines, chat.keyboard)
    return PhoneChat(lines=tuple(lines), is_blocked=chat.is_blocked, is_typing=chat.is_typing())


def line_of(bot: Bot, chat: Chat, entry: Entry) -> PhoneLine:
    return _line(bot, chat, [entry])


def _grouped(chat: Chat) -> Iterator[list[Entry]]:
    group: list[Entry] = []
    for entry in timeline(chat):
        if entry.is_deleted:
            continue
        album = (entry.message or {}).get("media_group_id")
        if group and album and (group[0].message or {}).get("media_group_id") == album:
            group.append(entry)
            continue
        if group:
            yield group
        group = [entry]
    if group:
        yield group


def _line(bot: Bot, chat: Chat, entries: list[Entry]) -> PhoneLine:
    first = entries[0]
    at = datetime.fromtimestamp(first.at, UTC)
    message = first.message
    if message is None:
        note = f"telegram.{first.text}" if first.event == "elsewhere" else str(first.event)
        return PhoneLine(id=f"event-{chat.entries.index(first)}", at=at, is_theirs=first.from_bot, text=first.text, note=note)
    told = next((entry.message for entry in entries if entry.message and words_of(entry.message)), message)
    text = words_of(told) or _described(message)
    return PhoneLine(
        id=str(message["message_id"]),
        at=at,
        is_theirs=first.from_bot,
        text=text,
        spans=_spans(text, told.get("entities") or told.get("caption_entities") or []),
        files=tuple(file for entry in entries for file in _files(bot, entry.message or {})),
        place=_place(message),
        contact=_contact(message),
        buttons=_buttons(bot, chat, message),
        reply_to=str(message.get("reply_to_message", {}).get("message_id", "")),
        reactions=tuple(entry.reaction for entry in entries if entry.reaction),
        state="" if first.from_bot else "delivered" if _is_accepted(entries) else "sent",
        is_edited=any("edit_date" in (entry.message or {}) for entry in entries),
    )


def _is_accepted(entries: list[Entry]) -> bool:
    return all(entry.update is not None and entry.update.state is State.ACCEPTED for entry in entries)


def _described(message: Json) -> str:
    """The words of what is neither text nor file, place or contact."""
    match message:
        case {"poll": {"question": question, "options": options}}:
            return "\n".join([f"📊 {question}", *(f"○ {option['text']}" for option in options)])
        case {"dice": {"emoji": emoji, "value": value}}:
            return f"{emoji} {value}"
        case {"venue": {"title": title, "address": address}}:
            return f"{title}\n{address}"
        case {"hologram": _}:
            return "🪩"
    return ""


def _files(bot: Bot, message: Json) -> Iterator[PhoneFile]:
    field = next((name for name in _FIRST if name in message), None)
    if field is None:
        return
    value: Any = message[field][-1] if isinstance(message[field], list) and message[field] else message[field]
    if field == "sticker" and value.get("is_animated"):
        value = value.get("thumbnail", value)
    stored = bot.files.find(value.get("file_id", "")) if isinstance(value, dict) else None
    if stored is None:
        yield PhoneFile(id="", kind=FILE_KINDS[field], name="", mime="", size=0)
        return
    kind = "image" if stored.media_type == "image/gif" else FILE_KINDS[field]
    yield PhoneFile(id=stored.id, kind=kind, name=stored.name, mime=stored.media_type, size=stored.size)


def file_of(bot: Bot, file_id: str) -> tuple[PhoneFile, bytes] | None:
    stored = bot.files.find(file_id)
    if stored is None:
        return None
    kind = FILE_KINDS.get(stored.kind, "image")
    name = stored.name or stored.path.rpartition("/")[2]
    return PhoneFile(id=stored.id, kind=kind, name=name, mime=stored.media_type, size=stored.size), stored.data


def _place(message: Json) -> tuple[float, float] | None:
    location = message.get("location")
    return (location["latitude"], location["longitude"]) if location else None


def _contact(message: Json) -> tuple[str, str] | None:
    contact = message.get("contact")
    if not contact:
        return None
    name = " ".join(part for part in (contact.get("first_name"), contact.get("last_name")) if part)
    return name, contact["phone_number"]


def _spans(text: str, marks: list[Json]) -> tuple[PhoneSpan, ...]:
    """Telegram counts UTF-16 units, the phone characters."""
    units = text.encode("utf-16-le", "surrogatepass")

    def characters(offset: int) -> int:
        return len(units[: 2 * offset].decode("utf-16-le", "ignore"))

    spans = []
    for mark in marks:
        start, end = characters(mark["offset"]), characters(mark["offset"] + mark["length"])
        if mark["type"] in ("url", "text_link"):
            spans.append(PhoneSpan(start=start, end=end, style="link", url=mark.get("url", text[start:end])))
        elif mark["type"] in _STYLES:
            spans.append(PhoneSpan(start=start, end=end, style=_STYLES[mark["type"]]))
    return tuple(spans)


def _buttons(bot: Bot, chat: Chat, message: Json) -> tuple[PhoneButton, ...]:
    waiting = {
        query.data
        for query in bot.open_queries.values()
        if query.chat is chat and query.message_id == message["message_id"] and query.ends_at > clock.now()
    }
    return tuple(
        PhoneButton(
            id=button.get("callback_data", ""),
            label=button["text"],
            url=button.get("url", ""),
            is_waiting=button.get("callback_data") in waiting,
        )
        for row in message.get("reply_markup", {}).get("inline_keyboard", [])
        for button in row
    )


def _with_keyboard(lines: list[PhoneLine], keyboard: Json) -> list[PhoneLine]:
    """Telegram shows these keys below the text field; here they stand below the bot's last message."""
    keys = tuple(PhoneButton(id=KEY + key["text"], label=key["text"]) for row in keyboard["keyboard"] for key in row)
    last = max((number for number, line in enumerate(lines) if line.is_theirs and not line.note), default=None)
    if last is None:
        return lines
    lines[last] = replace(lines[last], buttons=(*lines[last].buttons, *keys))
    return lines
