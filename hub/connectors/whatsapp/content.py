"""What a customer sent -> neutral content (provider file, 5)."""

import base64
import binascii
import math
import re
from decimal import Decimal
from typing import Final

from hub.connectors.events import (
    ContactCard,
    Content,
    Detail,
    Interactive,
    Location,
    Media,
    MediaKind,
    Referral,
    Sheet,
    Text,
    Unsupported,
)
from hub.connectors.whatsapp.people import a_phone
from hub.connectors.whatsapp.reading import Json, a_number, a_text, an_id, an_object, objects, read_json

LONGEST_KIND: Final = 64
LONGEST_OPTION: Final = 256
"""Characters of what a button brings back; it is the client's word, so a longer one is cut (10)."""
MOST_DETAILS: Final = 50
"""Lines of a card: a form or an order can have any number."""
MEDIA: Final[dict[str, MediaKind]] = {
    "image": "image",
    "video": "video",
    "audio": "audio",
    "voice": "voice",
    "document": "document",
    "sticker": "sticker",
}
SOURCES: Final = {"ad": "ad", "post": "post"}
CARD_NAME: Final = re.compile(r"^FN[^:\r\n]*:(.+?)\r?$", re.MULTILINE)
CARD_PHONE: Final = re.compile(r"^(?:item[0-9]+\.)?TEL[^:\r\n]*:(.+?)\r?$", re.MULTILINE)
CARD_WAID: Final = re.compile(r"^(?:item[0-9]+\.)?TEL[^:\r\n]*;waid=([0-9]{5,20})", re.MULTILINE)


def read_content(message: Json) -> Content:
    """What a message says. A kind that is not known, or lacks what it needs, becomes Unsupported with what it says in words."""
    kind = a_text(message, "type")
    said = an_object(message, kind)
    if kind == "text" and isinstance(said.get("body"), str):
        return Text(text=said["body"])
    if kind in MEDIA:
        return _media(kind, said, message)
    if kind == "location":
        return _place(said)
    if kind == "button" and (option := a_text(said, "payload") or a_text(said, "text")):
        return Interactive(option=option[:LONGEST_OPTION], label=a_text(said, "text"))
    if kind == "interactive":
        return _interactive(said)
    if kind == "order" and said:
        return _order(said)
    return _unsupported(kind, said, message)


def read_cards(message: Json) -> list[ContactCard]:
    """The cards of a message; where there are several they are messages of their own. What is no card has no name and no number."""
    cards = [_card(contact, a_text(message, "origin")) for contact in objects(message, "contacts")]
    return [card for card in cards if card.name or card.phone]


def shared_number(message: Json) -> str:
    """The sender's own number, in digits: only of a card that answers our request for it. Any other card can be anybody's (5.4)."""
    for contact in objects(message, "contacts"):
        if _is_own(contact, a_text(message, "origin")):
            return _number(contact)
    return ""


def read_referral(message: Json) -> Referral | None:
    """The ad or post that led here, or the product that is asked about (5.5, 5.8)."""
    referral = an_object(message, "referral")
    if referral:
        source = SOURCES.get(a_text(referral, "source_type"), "other")
        return Referral(
            source="ad" if source == "ad" else "post" if source == "post" else "other",
            id=a_text(referral, "source_id"),
            title=a_text(referral, "headline") or a_text(referral, "body"),
            url=a_text(referral, "source_url"),
        )
    product = an_object(an_object(message, "context"), "referred_product")
    if product:
        return Referral(source="product", id=a_text(product, "product_retailer_id"))
    return None


def details_of(errors: list[Json]) -> str:
    """What errors say, in the provider's words."""
    error = errors[0] if errors else {}
    return a_text(an_object(error, "error_data"), "details") or a_text(error, "message") or a_text(error, "title")


def _unsupported(kind: str, said: Json, message: Json) -> Unsupported:
    """`unsupported` names the real kind inside (`poll_creation`)."""
    named = a_text(said, "type") if kind == "unsupported" else kind
    words = details_of(objects(message, "errors")) or a_text(said, "body") or a_text(said, "caption") or a_text(said, "text")
    return Unsupported(kind=(named or kind or "unknown")[:LONGEST_KIND], summary=words)


def _media(kind: str, said: Json, message: Json) -> Media | Unsupported:
    """A file; one that the sender's side failed to provide has no id and stays an honest card (5.2)."""
    ref = an_id(said, "id")
    if not ref or len(ref) > 200:
        return _unsupported(kind, said, message)
    caption = a_text(said, "caption")
    return Media(
        kind="voice" if said.get("voice") is True else MEDIA[kind],
        ref=ref,
        unique=_digest(a_text(said, "sha256")),
        mime=a_text(said, "mime_type").partition(";")[0].strip().lower(),
        name=a_text(said, "filename"),
        caption=Text(text=caption) if caption else None,
    )


def _digest(value: str) -> str:
    """A SHA-256 in hex, whichever of the two ways it is written (5.2)."""
    if re.fullmatch(r"[0-9a-fA-F]{64}", value):
        return value.lower()
    try:
        plain = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return plain.hex() if len(plain) == 32 else ""


def _place(said: Json) -> Location | Unsupported:
    latitude, longitude = a_number(said, "latitude"), a_number(said, "longitude")
    title, address = a_text(said, "name"), a_text(said, "address")
    if latitude is None or longitude is None or not (abs(latitude) <= 90 and abs(longitude) <= 180):
        return Unsupported(kind="location", summary=title or address)
    return Location(latitude=latitude, longitude=longitude, title=title, address=address)


def _card(contact: Json, origin: str) -> ContactCard:
    """A name and a number; where only a vCard comes they are read from it."""
    vcard, name = a_text(contact, "vcard"), an_object(contact, "name")
    phones = objects(contact, "phones")
    spoken = next((number for phone in phones if (number := a_text(phone, "phone"))), "")
    in_name, in_phone = CARD_NAME.search(vcard), CARD_PHONE.search(vcard)
    number = _number(contact)
    return ContactCard(
        name=a_text(name, "formatted_name") or a_text(name, "first_name") or (in_name[1] if in_name else ""),
        phone=spoken or (in_phone[1] if in_phone else "") or (f"+{number}" if number else ""),
        is_sender=_is_own(contact, origin),
    )


def _number(contact: Json) -> str:
    """The WhatsApp number on a card, in digits."""
    found = next((number for phone in objects(contact, "phones") if (number := a_phone(phone, "wa_id"))), "")
    in_card = CARD_WAID.search(a_text(contact, "vcard"))
    return found or (in_card[1] if in_card else "")


def _is_own(contact: Json, origin: str) -> bool:
    """`origin` stands inside the contact or beside the message's kind (5.4)."""
    return "contact_request" in (a_text(contact, "origin"), origin) and bool(_number(contact))


def _interactive(said: Json) -> Content:
    kind = a_text(said, "type")
    chosen = an_object(said, kind)
    if kind in ("button_reply", "list_reply") and (option := a_text(chosen, "id")):
        return Interactive(option=option[:LONGEST_OPTION], label=a_text(chosen, "title"))
    if kind == "nfm_reply" and chosen:
        return _form(chosen)
    if kind == "call_permission_reply" and chosen:
        return Sheet(kind="call", title=a_text(chosen, "response"), details=_details(chosen, skipped=("response",)))
    return Unsupported(kind=(kind or "interactive")[:LONGEST_KIND], summary=a_text(chosen, "title") or a_text(chosen, "body"))


def _form(reply: Json) -> Sheet:
    """An answered form. What it says is JSON in a text; where it is not, the text stands as it came (5.7)."""
    raw = a_text(reply, "response_json")
    try:
        answers = read_json(raw.encode("utf-8", "replace"))
    except ValueError:
        answers = None
    if not isinstance(answers, dict):
        return Sheet(kind="form", title=a_text(reply, "name"), text=raw)
    return Sheet(kind="form", title=a_text(reply, "name"), details=_details(answers, skipped=("flow_token",)))


def _details(values: Json, *, skipped: tuple[str, ...]) -> tuple[Detail, ...]:
    lines = [Detail(label=name, value=_words(value)) for name, value in values.items() if name not in skipped]
    return tuple(lines[:MOST_DETAILS])


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_words(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(_words(one) for one in value)
    return "" if value is None else str(value)


def _order(said: Json) -> Sheet:
    """A basket: a line for each article, and what it comes to where all have a price in one currency."""
    items = objects(said, "product_items")[:MOST_DETAILS]
    prices = [_price(item) for item in items]
    currencies = {currency for _, currency in prices}
    total = sum((price for price, _ in prices if price is not None), Decimal(0))
    is_summed = len(currencies) == 1 and all(price is not None for price, _ in prices)
    return Sheet(
        kind="order",
        title=f"{total:.2f} {currencies.pop()}".strip() if is_summed else "",
        details=tuple(Detail(label=a_text(item, "product_retailer_id"), value=_amount(item)) for item in items),
        text=a_text(said, "text"),
    )


def _price(item: Json) -> tuple[Decimal | None, str]:
    quantity, price = _decimal(item.get("quantity")), _decimal(item.get("item_price"))
    whole = None if quantity is None or price is None else quantity * price
    return whole, a_text(item, "currency")


def _amount(item: Json) -> str:
    quantity, price = _words(item.get("quantity")), _words(item.get("item_price"))
    return f"{quantity} × {price} {a_text(item, 'currency')}".strip()


def _decimal(value: object) -> Decimal | None:
    """A number of everyday size, also as text."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", value):
        return Decimal(value)
    if type(value) in (int, float) and isinstance(value, int | float) and math.isfinite(value) and 0 <= value < 10**12:
        return Decimal(str(value))
    return None
