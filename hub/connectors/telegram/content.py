"""A message's content -> the neutral one (provider file, 5). What cannot be shown becomes an honest card."""

from collections.abc import Callable
from typing import Any, Final

from hub.connectors.events import ContactCard, Content, Location, Media, MediaKind, Unsupported
from hub.connectors.telegram.reading import Json, a_count, a_list, a_text, an_object, words
from hub.connectors.telegram.text import read_text

LONGEST_KIND: Final = 64
LONGEST_SUMMARY: Final = 500

ENVELOPE: Final = frozenset({
    "author_signature", "business_connection_id", "caption", "caption_entities", "chat", "date",
    "direct_messages_topic", "edit_date", "effect_id", "entities", "ephemeral_message_id", "external_reply",
    "forward_date", "forward_from", "forward_from_chat", "forward_from_message_id", "forward_origin",
    "forward_sender_name", "forward_signature", "from", "guest_bot_caller_chat", "guest_bot_caller_user",
    "guest_query_id", "has_media_spoiler", "has_protected_content", "is_automatic_forward", "is_from_offline",
    "is_paid_post", "is_topic_message", "link_preview_options", "media_group_id", "message_id", "message_thread_id",
    "paid_star_count", "quote", "receiver_user", "reply_markup", "reply_to_checklist_task_id", "reply_to_message",
    "reply_to_poll_option_id", "reply_to_story", "sender_boost_count", "sender_business_bot", "sender_chat",
    "sender_tag", "show_caption_above_media", "suggested_post_info", "via_bot",
})  # fmt: skip
"""Fields of a message that are about it; what is neither here nor in KINDS is a content we do not know."""


def read_content(message: Json) -> Content:
    """The content of a message; never raises."""
    text = message.get("text")
    if isinstance(text, str):
        return read_text(text, message.get("entities"))
    kind = next((kind for kind in KINDS if kind in message), None)
    shown = KINDS[kind](message) if kind else None
    if shown is not None:
        return shown
    if kind is None:
        kind = next((name for name in message if name not in ENVELOPE), "unknown")
    summary = a_text(message, "caption") or _summary(kind, message.get(kind))
    return Unsupported(kind=kind[:LONGEST_KIND], summary=summary[:LONGEST_SUMMARY])


def _photo(message: Json) -> Content | None:
    """Several sizes of one picture: the largest."""
    sizes = [size for size in a_list(message, "photo") if isinstance(size, dict)]
    best = max(sizes, key=lambda size: (a_count(size, "width") or 0) * (a_count(size, "height") or 0), default={})
    return _media(message, "image", best)


def _file(kind: MediaKind) -> "_Reader":
    """A file that stands under the name of its kind."""
    return lambda message: _media(message, kind, an_object(message, kind))


def _audio(message: Json) -> Content | None:
    audio = an_object(message, "audio")
    said = [part for part in (a_text(audio, "performer"), a_text(audio, "title")) if part]
    return _media(message, "audio", audio, label=" – ".join(said))


def _video_note(message: Json) -> Content | None:
    note = an_object(message, "video_note")
    return _media(message, "video_note", note | {"width": note.get("length"), "height": note.get("length")})


def _sticker(message: Json) -> Content | None:
    """No browser shows an animated one (Lottie, packed): of it the picture that stands in for it, if there is one (5.7)."""
    sticker = an_object(message, "sticker")
    emoji = a_text(sticker, "emoji")
    if sticker.get("is_animated") is True:
        still = an_object(sticker, "thumbnail")
        if a_text(still, "file_id"):
            return _media(message, "sticker", still, label=emoji)
        return _media(message, "sticker", sticker | {"mime_type": "application/x-tgsticker"}, label=emoji)
    mime = "video/webm" if sticker.get("is_video") is True else "image/webp"
    return _media(message, "sticker", sticker | {"mime_type": mime}, label=emoji)


def _media(message: Json, kind: MediaKind, file: Json, *, label: str = "") -> Content | None:
    """None for a file that cannot be fetched, having no handle."""
    ref, caption = a_text(file, "file_id"), a_text(message, "caption")
    if not ref:
        return None
    return Media(
        kind=kind,
        ref=ref,
        unique=a_text(file, "file_unique_id"),
        mime=a_text(file, "mime_type"),
        name=a_text(file, "file_name"),
        size=_bytes(file),
        label=label,
        duration=a_count(file, "duration"),
        width=a_count(file, "width"),
        height=a_count(file, "height"),
        small_ref=a_text(an_object(file, "thumbnail"), "file_id"),
        caption=read_text(caption, message.get("caption_entities")) if caption else None,
    )


def _bytes(file: Json) -> int | None:
    """Servers of one's own hand out files beyond 2 GB (8)."""
    size = file.get("file_size")
    return size if type(size) is int and 0 <= size < 2**63 else None


def _venue(message: Json) -> Content | None:
    """Comes with `location` filled as well (5.6)."""
    venue = an_object(message, "venue")
    return _place(an_object(venue, "location"), a_text(venue, "title"), a_text(venue, "address"))


def _location(message: Json) -> Content | None:
    return _place(an_object(message, "location"))


def _place(place: Json, title: str = "", address: str = "") -> Content | None:
    latitude, longitude = _degrees(place, "latitude", 90), _degrees(place, "longitude", 180)
    if latitude is None or longitude is None:
        return None
    return Location(
        latitude=latitude,
        longitude=longitude,
        title=title,
        address=address,
        is_live=bool(a_count(place, "live_period")),
        accuracy=_number(place, "horizontal_accuracy", 0, 1500),
    )


def _degrees(place: Json, name: str, most: int) -> float | None:
    return _number(place, name, -most, most)


def _number(place: Json, name: str, least: int, most: int) -> float | None:
    value = place.get(name)
    return float(value) if isinstance(value, int | float) and type(value) is not bool and least <= value <= most else None


def _contact(message: Json) -> Content | None:
    """Anybody's card can be passed on: it is the sender's own only where Telegram names them as its owner (5.8)."""
    contact = an_object(message, "contact")
    phone = a_text(contact, "phone_number")
    if not phone:
        return None
    owner, sender = contact.get("user_id"), an_object(message, "from").get("id")
    is_sender = type(owner) is int and owner == sender
    return ContactCard(name=words(contact, ("first_name", "last_name")), phone=phone, is_sender=is_sender)


def _card(message: Json) -> Content | None:
    """A kind that is known and cannot be shown."""
    return None


_Reader = Callable[[Json], Content | None]

KINDS: Final[dict[str, _Reader]] = {
    "animation": _file("animation"),  # before document: an animation comes as both (5.6)
    "live_photo": _photo,  # before photo, which it comes with: its still picture is what can be shown
    "venue": _venue,  # before location
    "audio": _audio,
    "checklist": _card,
    "contact": _contact,
    "dice": _card,
    "document": _file("document"),
    "game": _card,
    "gift": _card,
    "invoice": _card,
    "location": _location,
    "paid_media": _card,
    "photo": _photo,
    "poll": _card,
    "rich_message": _card,
    "sticker": _sticker,
    "story": _card,
    "video": _file("video"),
    "video_note": _video_note,
    "voice": _file("voice"),
    "web_app_data": _card,
}
"""Contents a person can send, in the order in which they are looked for. A reader gives None for what cannot be shown."""


def _summary(kind: str, value: object) -> str:
    """What can be said about a content without showing it."""
    match kind:
        case "poll":
            return _listed(a_text(value, "question"), a_list(value, "options"))
        case "checklist":
            return _listed(a_text(value, "title"), a_list(value, "tasks"))
        case "dice":
            points = value.get("value") if isinstance(value, dict) else None
            return f"{a_text(value, 'emoji')} {points if type(points) is int else ''}".strip()
        case "web_app_data":
            return ": ".join(part for part in (a_text(value, "button_text"), a_text(value, "data")) if part)
        case "story":
            return name_of(an_object(value, "chat"))
        case "rich_message":
            return _said(value)
        case _:
            return words(value, ("file_name", "title", "description", "first_name", "last_name", "web_app_name"))


def _listed(title: str, items: list[Any]) -> str:
    """A title and the words of its items, a line each."""
    return "\n".join([title, *(f"– {text}" for item in items if (text := a_text(item, "text")))]).strip()


def _said(message: object) -> str:
    """The words of a message made of blocks, in their order."""
    said: list[str] = []
    open_: list[object] = [message]
    while open_:
        node = open_.pop()
        if isinstance(node, str):
            said.append(node.strip())
        elif isinstance(node, list):
            open_ += reversed(node)
        elif isinstance(node, dict):
            open_ += [node[name] for name in ("caption", "items", "cells", "blocks", "text", "summary") if name in node]
    return " ".join(part for part in said if part)


def name_of(chat: object) -> str:
    """What a person, group or channel is called."""
    return words(chat, ("first_name", "last_name")) or a_text(chat, "title") or a_text(chat, "username")
