"""An action -> one request of RCS for Business (provider file, 5), and its answer -> a receipt.

The id of a message is that of its part: Google ignores an id that it has seen, so an attempt that may have arrived is repeated
without harm. Ids of events are those of their attempts; the two never meet.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from hub.connectors.contract import (
    CardsLimit,
    ChoiceLimit,
    DeleteMessage,
    MarkRead,
    OutboundAction,
    OutboundMessage,
    Receipt,
    ShowTyping,
)
from hub.connectors.cutting import cut_text, utf8_size
from hub.connectors.errors import OutcomeUnknown, UnsupportedContent
from hub.connectors.events import Album, Card, Cards, Choice, Location, Media, Option, OutboundContent, Text
from hub.connectors.google.settings import GoogleSettings

LONGEST_TEXT: Final = 3072
"""Bytes of UTF-8: characters of more than one byte count more (7)."""
CHOICE: Final = ChoiceLimit(options=11, label=25)
CARDS: Final = CardsLimit(cards=10, title=200, text=2000, options=4, label=CHOICE.label)
LONGEST_POSTBACK: Final = 2048
MAP: Final = "https://maps.google.com/?q={latitude},{longitude}"


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: str
    body: dict[str, Any] | None = None


def split_content(content: OutboundContent) -> list[OutboundContent]:
    """Raises UnsupportedContent. A file and its text are two messages; of a question that is too long the last part has the
    answers."""
    match content:
        case Text():
            return _need([Text(text=part) for part in split_text(content.text)])
        case Choice():
            _check_options(content.options, CHOICE.options)
            *before, last = _need([Text(text=part) for part in split_text(content.text.text)])
            return [*before, replace(content, text=last)]
        case Media():
            return _files((content,), content.caption)
        case Album():
            return _files(content.items, content.caption)
        case Location() if not content.is_live and -90 <= content.latitude <= 90 and -180 <= content.longitude <= 180:
            return [content]
        case Cards():
            words = [Text(text=part) for part in split_text(content.text)]
            return [*words, replace(_checked(content), text="")]
        case _:
            raise UnsupportedContent("not_for_rcs")


def split_text(text: str) -> list[str]:
    """Parts of at most LONGEST_TEXT bytes."""
    return cut_text(text, LONGEST_TEXT, utf8_size)


def _need(parts: list[Text]) -> list[Any]:
    if not parts:
        raise UnsupportedContent("empty_text")
    return parts


def _check_options(options: tuple[Option, ...], most: int) -> None:
    if not 0 < len(options) <= most:
        raise UnsupportedContent("too_many_options" if options else "no_options")
    for option in options:
        if not option.label.strip() or len(option.label) > CHOICE.label:
            raise UnsupportedContent("label_too_long" if option.label.strip() else "no_label")
        if not 0 < len(option.id) <= LONGEST_POSTBACK:
            raise UnsupportedContent("option_too_long")


def _files(items: tuple[Media, ...], caption: Text | None) -> list[OutboundContent]:
    if any(item.size == 0 for item in items):
        raise UnsupportedContent("empty_file")
    files: list[OutboundContent] = [replace(item, caption=None) for item in items]
    words = [Text(text=part) for part in split_text(caption.text)] if caption else []
    return [*files, *words]


def _checked(content: Cards) -> Cards:
    if not 0 < len(content.items) <= CARDS.cards:
        raise UnsupportedContent("too_many_cards" if content.items else "no_cards")
    for card in content.items:
        if len(card.title) > CARDS.title or len(card.text) > CARDS.text:
            raise UnsupportedContent("text_too_long")
        if not (card.title.strip() or card.text.strip() or card.media):
            raise UnsupportedContent("empty_card")
        if card.options:
            _check_options(card.options, CARDS.options)
    return content


def request_for(action: OutboundAction, settings: GoogleSettings) -> Request:
    """Raises UnsupportedContent for what RCS cannot express."""
    if not (action.address.startswith("+") and action.address[1:].isdecimal() and 8 <= len(action.address) <= 16):
        raise UnsupportedContent("no_number")
    phone = f"/phones/{quote(action.address, safe='+')}"
    agent = f"agentId={quote(settings.agent_id)}"
    match action:
        case OutboundMessage():
            body = {"contentMessage": _message(action)}
            return Request("POST", f"{phone}/agentMessages", f"messageId={action.part_id}&{agent}", body)
        case DeleteMessage() if len(action.target_keys) == 1 and action.target_keys[0].startswith("o:"):
            return Request("DELETE", f"{phone}/agentMessages/{quote(action.target_keys[0][2:], safe='')}", agent)
        case MarkRead() if action.target_key.startswith(f"m:{action.address}:"):
            number = action.target_key.removeprefix(f"m:{action.address}:")
            told: dict[str, Any] = {"eventType": "READ", "messageId": number}
            return Request("POST", f"{phone}/agentEvents", f"eventId={action.attempt_id}&{agent}", told)
        case ShowTyping():
            return Request("POST", f"{phone}/agentEvents", f"eventId={action.attempt_id}&{agent}", {"eventType": "IS_TYPING"})
        case _:
            raise UnsupportedContent("not_for_rcs")


def _message(message: OutboundMessage) -> dict[str, Any]:
    parts = split_content(message.content)
    if len(parts) != 1:
        raise UnsupportedContent("text_too_long" if isinstance(message.content, Text | Choice) else "not_one_message")
    match message.content:
        case Text():
            return {"text": message.content.text}
        case Choice():
            return {"text": message.content.text.text, "suggestions": _suggestions(message.content.options)}
        case Media():
            return {"contentInfo": {"fileUrl": _link(message, message.content), "forceRefresh": False}}
        case Location():
            return _place(message.content)
        case Cards():
            return {"richCard": _rich_card(message, message.content)}
        case _:
            raise UnsupportedContent("not_for_rcs")


def _suggestions(options: tuple[Option, ...]) -> list[dict[str, Any]]:
    return [{"reply": {"text": option.label, "postbackData": option.id}} for option in options]


def _link(message: OutboundMessage, media: Media) -> str:
    file = message.files.get(media.ref)
    if file is None or not file.link:
        raise UnsupportedContent("no_file" if file is None else "no_public_address")
    return file.link


def _place(place: Location) -> dict[str, Any]:
    """There is no message for a place: its words with a chip that opens the map."""
    words = "\n".join(word for word in (place.title, place.address) if word)
    url = MAP.format(latitude=place.latitude, longitude=place.longitude)
    point: dict[str, Any] = {"latLong": {"latitude": place.latitude, "longitude": place.longitude}}
    if place.title:
        point["label"] = place.title
    label = (place.title or "📍")[: CHOICE.label]
    chip = {"text": label, "postbackData": "hub:map", "viewLocationAction": point, "fallbackUrl": url}
    return {"text": words or url, "suggestions": [{"action": chip}]}


def _rich_card(message: OutboundMessage, cards: Cards) -> dict[str, Any]:
    contents = [_card(message, card) for card in cards.items]
    if len(contents) == 1:
        return {"standaloneCard": {"cardOrientation": "VERTICAL", "cardContent": contents[0]}}
    return {"carouselCard": {"cardWidth": "MEDIUM", "cardContents": contents}}


def _card(message: OutboundMessage, card: Card) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if card.title:
        shown["title"] = card.title
    if card.text:
        shown["description"] = card.text
    if card.media:
        shown["media"] = {"height": "MEDIUM", "contentInfo": {"fileUrl": _link(message, card.media), "forceRefresh": False}}
    if card.options:
        shown["suggestions"] = _suggestions(card.options)
    return shown


def receipt_for(action: OutboundAction, result: dict[str, Any]) -> Receipt:
    """200 means accepted; that it arrived is told by an event. Raises OutcomeUnknown."""
    if not isinstance(action, OutboundMessage):
        return Receipt(status="accepted")
    name, at = result.get("name"), result.get("sendTime")
    if not isinstance(name, str) or not name.endswith(f"/{action.part_id}"):
        raise OutcomeUnknown("unreadable_answer")
    return Receipt(status="accepted", keys=(f"o:{action.part_id}",), at=_moment(at))


def _moment(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo else None
