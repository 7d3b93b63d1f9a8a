"""A send request as WhatsApp checks it, and what the phone then shows (provider file, 8 to 11)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from hub.sandbox.messengers import PhoneButton, PhoneFile
from hub.sandbox.whatsapp.components import Json, component, media_of, shown_text
from hub.sandbox.whatsapp.errors import Refused, invalid, missing
from hub.sandbox.whatsapp.world import Chat, Number

MEDIA: Final = {
    "image": (5_000_000, ("image/jpeg", "image/png")),
    "video": (16_000_000, ("video/mp4", "video/3gpp")),
    "audio": (16_000_000, ("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg")),
    "sticker": (500_000, ("image/webp",)),
    "document": (
        100_000_000,
        (
            "text/plain",
            "application/pdf",
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-powerpoint",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        ),
    ),
}
CAPTIONED: Final = ("image", "video", "document")


@dataclass(slots=True)
class Shown:
    """What a request puts on the phone."""

    text: str = ""
    files: tuple[PhoneFile, ...] = ()
    place: tuple[float, float] | None = None
    buttons: tuple[PhoneButton, ...] = ()
    category: str = "service"
    said: dict[str, Any] = field(default_factory=dict)


def recipient_of(body: Json, number: Number) -> Chat:
    """Who a message goes to. Raises Refused."""
    if body.get("messaging_product") != "whatsapp":
        raise Refused(100, "The parameter messaging_product is required.")
    if body.get("recipient_type", "individual") != "individual":
        raise invalid("recipient_type")
    address = body.get("to") or body.get("recipient")
    if not isinstance(address, str) or not address:
        raise Refused(100, "The parameter to is required.")
    digits = address.removeprefix("+").replace(" ", "")
    if body.get("to") and not digits.isdigit():
        raise invalid("to is no phone number")
    chat = number.by_address(digits if body.get("to") else address)
    if chat is None:
        raise Refused(131026, "The recipient is no WhatsApp user, or has not accepted the terms.")
    return chat


def check(body: Json, chat: Chat, number: Number) -> Shown:
    """What the phone will show. Raises Refused for what WhatsApp would refuse."""
    kind = body.get("type", "text")
    said = body.get(kind)
    if not isinstance(said, dict) and not (kind == "contacts" and isinstance(said, list)):
        raise missing(str(kind))
    if kind not in CHECKS:
        raise Refused(131051, f"Unsupported message type {kind}")
    return CHECKS[kind](said, chat, number)


def _text(said: Json, chat: Chat, number: Number) -> Shown:
    return Shown(text=_words(said, "body", 4096))


def _media(kind: str) -> Callable[[Json, Chat, Number], Shown]:
    def checked(said: Json, chat: Chat, number: Number) -> Shown:
        if ("id" in said) == ("link" in said):
            raise missing(f"exactly one of {kind} id and link")
        if "caption" in said and (kind not in CAPTIONED or len(said["caption"]) > 1024):
            raise Refused(100, f"Unexpected key or too long: {kind} caption")
        if "link" in said:
            if not str(said["link"]).startswith("https://"):
                raise invalid("link")
            return Shown(text=f"{said.get('caption', '')} {said['link']}".strip())
        medium = number.media.get(str(said["id"]))
        if medium is None or not medium.is_ours:
            raise Refused(131009, f"{kind}: no such media id")
        largest, types = MEDIA[kind]
        if medium.file.mime.partition(";")[0] not in types or medium.file.size > largest:
            raise Refused(131053, f"{kind}: unsupported type {medium.file.mime} or too large")
        shown: Any = "voice" if said.get("voice") else kind
        name = said.get("filename") or medium.file.name
        file = PhoneFile(id=medium.file.id, kind=shown, name=name, mime=medium.file.mime, size=medium.file.size)
        return Shown(text=said.get("caption", ""), files=(file,))

    return checked


def _location(said: Json, chat: Chat, number: Number) -> Shown:
    latitude, longitude = said.get("latitude"), said.get("longitude")
    if not isinstance(latitude, int | float) or not isinstance(longitude, int | float):
        raise missing("latitude and longitude")
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise invalid("latitude or longitude")
    return Shown(text=said.get("name", ""), place=(float(latitude), float(longitude)))


def _contacts(said: list[Json], chat: Chat, number: Number) -> Shown:
    for one in said:
        name = one.get("name") or {}
        if not name.get("formatted_name") or len(name) < 2:
            raise missing("name with formatted_name and one other part")
    if not said:
        raise missing("contacts")
    return Shown(text=", ".join(one["name"]["formatted_name"] for one in said))


def _interactive(said: Json, chat: Chat, number: Number) -> Shown:
    kind, action = said.get("type"), said.get("action") or {}
    text = _words(said.get("body") or {}, "text", 1024)
    if "footer" in said:
        _words(said["footer"], "text", 60)
    if kind == "button":
        return Shown(text=text, buttons=_reply_buttons(action.get("buttons")))
    if kind == "list":
        return Shown(text=text, buttons=_rows(action))
    if kind == "cta_url":
        parameters = action.get("parameters") or {}
        return Shown(text=text, buttons=(PhoneButton(id="", label=_words(parameters, "display_text", 20), url=parameters["url"]),))
    if kind == "location_request_message" and action.get("name") == "send_location":
        return Shown(text=text)
    raise invalid(f"interactive type {kind}")


def _reply_buttons(buttons: Any) -> tuple[PhoneButton, ...]:
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= 3:
        raise invalid("1 to 3 buttons")
    shown = []
    for button in buttons:
        reply = button.get("reply") or {}
        if button.get("type") != "reply":
            raise missing("type reply")
        shown.append(PhoneButton(id=_words(reply, "id", 256), label=_words(reply, "title", 20)))
    if len({one.id for one in shown}) < len(shown) or len({one.label for one in shown}) < len(shown):
        raise invalid("Duplicated id or title of buttons")
    return tuple(shown)


def _rows(action: Json) -> tuple[PhoneButton, ...]:
    _words(action, "button", 20)
    sections = action.get("sections") or []
    if len(sections) > 1:
        for section in sections:
            _words(section, "title", 24)
    rows = [row for section in sections for row in section.get("rows", [])]
    if not 1 <= len(rows) <= 10:
        raise invalid("1 to 10 rows")
    shown = [
        PhoneButton(
            id=_words(row, "id", 200),
            label=_words(row, "title", 24),
            description=_words(row, "description", 72) if "description" in row else "",
        )
        for row in rows
    ]
    if len({one.id for one in shown}) < len(shown):
        raise invalid("Duplicated row id")
    return tuple(shown)


def _template(said: Json, chat: Chat, number: Number) -> Shown:
    kinds = {media_id: medium.file.kind for media_id, medium in number.media.items() if medium.is_ours}
    kept = number.templates.check(said, {key: str(kind) for key, kind in kinds.items()})
    sent = said.get("components", [])
    buttons = component(kept.components, "BUTTONS").get("buttons", [])
    shown = tuple(PhoneButton(id=f"t:{label}", label=label, url=one.get("url", "")) for one in buttons for label in [_label(one)])
    files = tuple(number.media[media_id].file for media_id in media_of(sent))
    return Shown(text=shown_text(kept.components, sent), files=files, buttons=shown, category=kept.category.lower())


def _label(button: Json) -> str:
    """A button that copies a code has words of the phone's own."""
    return str(button.get("text") or "Code kopieren")


def _words(value: Json, name: str, longest: int) -> str:
    words = value.get(name) if isinstance(value, dict) else None
    if not isinstance(words, str) or not words.strip():
        raise missing(name)
    if len(words) > longest:
        raise Refused(100, f"Param {name} must be at most {longest} characters long.")
    return words


Check = Callable[[Any, Chat, Number], Shown]

CHECKS: Final[dict[str, Check]] = {
    "text": _text,
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "template": _template,
    **{kind: _media(kind) for kind in MEDIA},
}
