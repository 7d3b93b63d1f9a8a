"""An action -> one request, and its answer -> a receipt (provider file, 8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hub.connectors.contract import (
    MarkRead,
    OutboundAction,
    OutboundFile,
    OutboundMessage,
    React,
    Receipt,
    ShowTyping,
)
from hub.connectors.errors import OutcomeUnknown, UnsupportedContent
from hub.connectors.events import Choice, ContactCard, Location, Media, OutboundContent, Template, Text
from hub.connectors.whatsapp.media import NAMES, kind_of
from hub.connectors.whatsapp.people import BSUID, PHONE
from hub.connectors.whatsapp.reading import Json, a_text, objects
from hub.connectors.whatsapp.scope import LONGEST_ID
from hub.connectors.whatsapp.split import is_list, split_content
from hub.connectors.whatsapp.templates import write_template

PRODUCT: Final[Json] = {"messaging_product": "whatsapp"}


@dataclass(frozen=True, slots=True)
class Request:
    """The body of a message. Files that go with it are uploaded first: the id of each belongs into the object beside it, a part of
    the body."""

    body: Json
    files: Sequence[tuple[OutboundFile, Json]] = ()


def request_for(action: OutboundAction, list_button: str) -> Request:
    """The request of an action; `list_button` opens a list. Raises UnsupportedContent for what WhatsApp cannot express."""
    match action:
        case OutboundMessage():
            return _message(action, list_button)
        case React():
            reaction = {"message_id": _message_id(action.target_key), "emoji": action.emoji}
            return Request(_to(action.address) | {"type": "reaction", "reaction": reaction})
        case MarkRead():
            return Request(PRODUCT | {"status": "read", "message_id": _message_id(action.target_key)})
        case ShowTyping():  # there is none without a read mark (8)
            read = PRODUCT | {"status": "read", "message_id": _message_id(action.target_key)}
            return Request(read | {"typing_indicator": {"type": "text"}})
        case _:
            raise UnsupportedContent("not_for_whatsapp")  # a business can neither change nor take back a message (8)


def receipt_for(action: OutboundAction, answer: Json) -> Receipt:
    """Accepted is not delivered: what becomes of it comes by webhook. Raises OutcomeUnknown for a message without an id (8.1)."""
    if isinstance(action, MarkRead | ShowTyping):
        return Receipt(status="accepted")
    keys = tuple(key for one in objects(answer, "messages") if 0 < len(key := a_text(one, "id")) <= LONGEST_ID)
    if not keys:
        raise OutcomeUnknown("unreadable_answer")
    return Receipt(status="accepted", keys=keys if isinstance(action, OutboundMessage) else ())


def _to(address: str) -> Json:
    """A number goes to `to`, the id of somebody without a number to `recipient`; with both the number would win (8)."""
    number = PHONE.fullmatch(address)
    if number:
        return PRODUCT | {"recipient_type": "individual", "to": number[1]}
    if BSUID.fullmatch(address):
        return PRODUCT | {"recipient_type": "individual", "recipient": address}
    raise UnsupportedContent("no_address")


def _message_id(key: str) -> str:
    """The id of a message; further cards of one have its id and a number of ours."""
    found = key.partition(":")[0]
    if not found.startswith("wamid."):
        raise UnsupportedContent("no_message_id")
    return found


def _message(message: OutboundMessage, list_button: str) -> Request:
    parts = split_content(message.content)
    if len(parts) != 1:
        raise UnsupportedContent("text_too_long" if isinstance(message.content, Text | Choice) else "not_one_message")
    about = _to(message.address)
    if message.reply_to_key and message.reply_to_key.startswith("wamid."):
        about["context"] = {"message_id": _message_id(message.reply_to_key)}
    return _content(about, parts[0], message.files, list_button)


def _content(about: Json, content: OutboundContent, files: Mapping[str, OutboundFile], list_button: str) -> Request:
    match content:
        case Text():
            shows_link = "https://" in content.text or "http://" in content.text
            return Request(about | {"type": "text", "text": {"preview_url": shows_link, "body": content.text}})
        case Choice():
            return Request(about | {"type": "interactive", "interactive": _question(content, list_button)})
        case Media():
            return _file(about, content, files)
        case Location():
            place = {"latitude": content.latitude, "longitude": content.longitude}
            named = {name: value for name, value in (("name", content.title), ("address", content.address)) if value}
            return Request(about | {"type": "location", "location": place | named})
        case ContactCard():
            return Request(about | {"type": "contacts", "contacts": [_card(content)]})
        case Template():
            attached: list[tuple[OutboundFile, Json]] = []

            def attach(media: Media) -> Json:
                attached.append((_opened(media, files), {}))
                return attached[-1][1]

            template = write_template(content, attach)
            return Request(about | {"type": "template", "template": template}, attached)
        case _:
            raise UnsupportedContent("not_for_whatsapp")


def _question(content: Choice, list_button: str) -> Json:
    body = {"text": content.text.text}
    if not is_list(content.options):
        buttons = [{"type": "reply", "reply": {"id": one.id, "title": one.label}} for one in content.options]
        return {"type": "button", "body": body, "action": {"buttons": buttons}}
    rows = [
        {"id": one.id, "title": one.label} | ({"description": one.description} if one.description else {})
        for one in content.options
    ]
    return {"type": "list", "body": body, "action": {"button": list_button, "sections": [{"rows": rows}]}}


def _file(about: Json, content: Media, files: Mapping[str, OutboundFile]) -> Request:
    """By upload and id, not by a link: WhatsApp refuses it at once where it would refuse it, and nothing of ours is public (9)."""
    kind = kind_of(content)
    file, name = _opened(content, files), NAMES.get(kind, kind)
    media: Json = {}
    if content.caption is not None:
        media["caption"] = content.caption.text
    if kind == "document":
        media["filename"] = file.name
    if kind == "voice":
        media["voice"] = True
    return Request(about | {"type": name, name: media}, [(file, media)])


def _card(content: ContactCard) -> Json:
    """Besides the formatted name one of the others is required."""
    name = content.name.strip()
    phones = {"phones": [{"phone": content.phone, "type": "WORK"}]} if content.phone else {}
    return {"name": {"formatted_name": name, "first_name": name.split()[0]}} | phones


def _opened(media: Media, files: Mapping[str, OutboundFile]) -> OutboundFile:
    if media.ref not in files:
        raise UnsupportedContent("no_file")
    return files[media.ref]
