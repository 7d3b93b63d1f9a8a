"""The parts of a template as WhatsApp checks them when it is submitted and when it is sent (provider file, 8, 10 and 12).

Cards have parts of their own. What the provider file leaves open is as Meta's pages on carousel, limited-time offer and
authentication templates say."""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from hub.core import clock
from hub.sandbox.whatsapp.errors import Refused, invalid, missing

Json = dict[str, Any]

PLACE: Final = re.compile(r"\{\{\s*([a-z0-9_]+)\s*\}\}")
MEDIA_HEADERS: Final = ("IMAGE", "VIDEO", "DOCUMENT")
TYPES: Final = ("HEADER", "BODY", "FOOTER", "BUTTONS", "LIMITED_TIME_OFFER", "CAROUSEL")
BUTTONS: Final = ("QUICK_REPLY", "URL", "PHONE_NUMBER", "COPY_CODE", "OTP", "FLOW")
LONGEST_BODY, LONGEST_OF_OFFER, LONGEST_OF_CARD, LONGEST_LINE = 1024, 600, 160, 60
LONGEST_LABEL, LONGEST_CODE, LONGEST_OFFER, LONGEST_OTP = 25, 20, 16, 15
MOST_CARDS, MOST_BUTTONS, MOST_OF_CARD = 10, 10, 2
CODE_ADDRESS: Final = "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}"
"""What a button for a one-time code has become in the list."""


def component(components: list[Json], kind: str) -> Json:
    return next((one for one in components if one.get("type") == kind), {})


def submitted(components: list[Json], category: str, format_: str) -> list[Json]:
    """The parts of a new template as they are kept. Raises Refused."""
    if any(not isinstance(one, dict) or one.get("type") not in TYPES for one in components):
        raise Refused(100, f"Param components has a type that is none of {', '.join(TYPES)}")
    if "BODY" not in [one["type"] for one in components]:
        raise Refused(100, "Param components must have a BODY")
    if category == "AUTHENTICATION":
        return _authentication(components)
    _body(component(components, "BODY"), format_, LONGEST_BODY)
    _header(component(components, "HEADER"), (*MEDIA_HEADERS, "LOCATION"))
    footer = component(components, "FOOTER").get("text", "")
    if len(footer) > LONGEST_LINE or PLACE.search(footer):
        raise Refused(100, "The footer is too long or has variables", subcode=2388073)
    _new_buttons(component(components, "BUTTONS"), BUTTONS, MOST_BUTTONS)
    if offer := component(components, "LIMITED_TIME_OFFER"):
        _offer(offer, components, category)
    if carousel := component(components, "CAROUSEL"):
        _carousel(carousel, format_)
    return components


def _authentication(components: list[Json]) -> list[Json]:
    """The words are WhatsApp's own."""
    buttons = component(components, "BUTTONS").get("buttons") or []
    if [one["type"] for one in components if one["type"] not in ("BODY", "FOOTER", "BUTTONS")] or "text" in component(
        components, "BODY"
    ):
        raise Refused(100, "Authentication templates have no words of their own")
    if [one.get("type") for one in buttons] != ["OTP"] or buttons[0].get("otp_type") != "COPY_CODE":
        raise Refused(100, "Authentication templates need one button of type OTP")
    minutes = component(components, "FOOTER").get("code_expiration_minutes")
    if minutes is not None and not (isinstance(minutes, int) and 1 <= minutes <= 90):
        raise Refused(100, "code_expiration_minutes must be from 1 to 90")
    label = buttons[0].get("text") or "Code kopieren"
    words = "*{{1}}* ist dein Verifizierungscode."
    if component(components, "BODY").get("add_security_recommendation"):
        words += " Teile diesen Code zu deiner Sicherheit mit niemandem."
    footer = [{"type": "FOOTER", "text": f"Dieser Code läuft in {minutes} Minuten ab."}] if minutes else []
    kept = [{"type": "URL", "text": label, "url": CODE_ADDRESS, "example": ["123456"]}]
    body = {"type": "BODY", "text": words, "example": {"body_text": [["123456"]]}}
    return [body, *footer, {"type": "BUTTONS", "buttons": kept}]


def _body(body: Json, format_: str, longest: int) -> None:
    words = body.get("text")
    if not isinstance(words, str) or not words.strip():
        raise Refused(100, "The body has no text")
    if len(words) > longest:
        raise Refused(100, "Message body is too long", subcode=2388040)
    if PLACE.match(words.strip()) or re.search(r"\}\}\s*$", words):
        raise Refused(100, "Variables can't be at the start or end of the template", subcode=2388299)
    if "}}{{" in words.replace(" ", ""):
        raise Refused(100, "Variables may not be adjacent", subcode=2388073)
    if any(one.isdigit() == (format_ == "NAMED") for one in PLACE.findall(words)):
        raise Refused(100, f"Variables do not match the parameter format {format_}", subcode=2388047)
    _needs_example(words, body, "body_text_named_params" if format_ == "NAMED" else "body_text")


def _needs_example(words: str, part: Json, name: str) -> None:
    if PLACE.search(words) and not (part.get("example") or {}).get(name):
        raise Refused(100, f"example.{name} is required for variables")


def _header(header: Json, formats: tuple[str, ...]) -> None:
    """A file above is shown to WhatsApp by a handle of an upload of its own kind."""
    format_ = header.get("format", "TEXT")
    if not header:
        return
    if format_ == "TEXT":
        words = str(header.get("text", ""))
        if not 0 < len(words) <= LONGEST_LINE or len(PLACE.findall(words)) > 1:
            raise Refused(100, "The header is empty, too long or has several variables", subcode=2388047)
        _needs_example(words, header, "header_text" if "{{1}}" in words else "header_text_named_params")
    elif format_ not in formats:
        raise Refused(100, f"The header's format must be TEXT or one of {', '.join(formats)}", subcode=2388047)
    elif format_ in MEDIA_HEADERS and not (header.get("example") or {}).get("header_handle"):
        raise Refused(100, "example.header_handle is required for a media header")


def _new_buttons(part: Json, types: tuple[str, ...], most: int) -> None:
    buttons = part.get("buttons", [])
    if part and not 0 < len(buttons) <= most:
        raise Refused(100, f"A template has 1 to {most} buttons")
    kinds = [button.get("type") for button in buttons]
    if any(kind not in types or kind == "OTP" for kind in kinds) or kinds.count("COPY_CODE") > 1:
        raise Refused(100, "A button has a type that this template may not have")
    if sum((kind == "QUICK_REPLY") != (before == "QUICK_REPLY") for before, kind in pairwise(kinds)) > 1:
        raise Refused(100, "Quick replies must stand together")
    for button in buttons:
        _new_button(button)


def _new_button(button: Json) -> None:
    kind, label = button["type"], button.get("text", "")
    if kind == "COPY_CODE":
        code = button.get("example")
        code = code[0] if isinstance(code, list) and code else code
        if not isinstance(code, str) or not 0 < len(code) <= LONGEST_CODE:
            raise Refused(100, f"A code has an example of at most {LONGEST_CODE} characters")
        return
    if not isinstance(label, str) or not 0 < len(label) <= LONGEST_LABEL:
        raise Refused(100, f"A button's text has 1 to {LONGEST_LABEL} characters")
    if kind == "PHONE_NUMBER" and not button.get("phone_number"):
        raise Refused(100, "phone_number is required")
    if kind == "URL":
        url = str(button.get("url", ""))
        if not url.startswith(("https://", "http://")) or (PLACE.search(url) and not url.endswith("{{1}}")):
            raise Refused(100, "A button's url is an address with at most one variable at its end")
        if PLACE.search(url) and not button.get("example"):
            raise Refused(100, "example is required for variables")


def _offer(offer: Json, components: list[Json], category: str) -> None:
    about = offer.get("limited_time_offer") or {}
    buttons = [one["type"] for one in component(components, "BUTTONS").get("buttons", [])]
    if category != "MARKETING" or component(components, "FOOTER"):
        raise Refused(100, "Limited-time offers are marketing templates without a footer")
    if not 0 < len(str(about.get("text", ""))) <= LONGEST_OFFER:
        raise Refused(100, f"The text of an offer has 1 to {LONGEST_OFFER} characters")
    if len(component(components, "BODY")["text"]) > LONGEST_OF_OFFER:
        raise Refused(100, "Message body is too long", subcode=2388040)
    if component(components, "HEADER").get("format", "IMAGE") not in ("IMAGE", "VIDEO"):
        raise Refused(100, "The header of an offer is a picture or a film", subcode=2388047)
    if "URL" not in buttons or (about.get("has_expiration") and buttons[0] != "COPY_CODE"):
        raise Refused(100, "An offer needs a URL button, and with an expiration a COPY_CODE button before it")


def _carousel(carousel: Json, format_: str) -> None:
    cards = [card.get("components") or [] for card in carousel.get("cards") or []]
    if not 2 <= len(cards) <= MOST_CARDS:
        raise Refused(100, f"A carousel has 2 to {MOST_CARDS} cards")
    if len({tuple((one.get("type"), one.get("format")) for one in card) for card in cards}) > 1:
        raise Refused(100, "All cards must have the same components")
    for card in cards:
        if component(card, "HEADER").get("format") not in ("IMAGE", "VIDEO"):
            raise Refused(100, "A card needs a picture or a film", subcode=2388047)
        _header(component(card, "HEADER"), ("IMAGE", "VIDEO"))
        if body := component(card, "BODY"):
            _body(body, format_, LONGEST_OF_CARD)
        if not component(card, "BUTTONS"):
            raise Refused(100, "A card needs a button")
        _new_buttons(component(card, "BUTTONS"), ("QUICK_REPLY", "URL", "PHONE_NUMBER"), MOST_OF_CARD)


def check_sent(kept: list[Json], sent: list[Json], media: Mapping[str, str]) -> None:
    """What is sent for the parts of a template, or of one of its cards. `media`: kinds of uploaded files by id. Raises Refused."""
    given = {_place_of(one): one for one in sent}
    filled = {place: one.get("parameters", []) for place, one in given.items() if place != "carousel"}
    check_words("body", component(kept, "BODY").get("text", ""), filled.pop("body", []))
    _sent_header(component(kept, "HEADER"), filled.pop("header", []), media)
    for index, button in enumerate(component(kept, "BUTTONS").get("buttons", [])):
        place = f"button:{index}"
        _sent_button(button, given.get(place, {}), filled.pop(place, []))
    offer = component(kept, "LIMITED_TIME_OFFER").get("limited_time_offer")
    if offer:
        _sent_offer(offer, filled.pop("limited_time_offer", []))
    if carousel := component(kept, "CAROUSEL"):
        _sent_cards(carousel["cards"], given.pop("carousel", {}).get("cards"), media)
    if ("carousel" in given and not carousel) or any(filled.values()):
        raise Refused(132018, f"unexpected components: {', '.join(filled)}")


def _place_of(one: Json) -> str:
    kind = one.get("type")
    if kind not in ("header", "body", "button", "limited_time_offer", "carousel"):
        raise invalid(f"unexpected component type {kind}")
    if kind == "button" and one.get("sub_type") not in ("url", "quick_reply", "copy_code", "flow"):
        raise missing("sub_type")
    return f"button:{one.get('index')}" if kind == "button" else str(kind)


def _sent_header(header: Json, parameters: list[Json], media: Mapping[str, str]) -> None:
    format_ = header.get("format", "TEXT")
    if format_ == "TEXT":
        check_words("header", header.get("text", ""), parameters)
        return
    kind = format_.lower()
    if len(parameters) != 1 or parameters[0].get("type") != kind:
        raise Refused(132012, f"header: Format mismatch, expected {format_}")
    about = parameters[0].get(kind, {})
    if kind == "location":
        if not all(about.get(name) not in (None, "") for name in ("latitude", "longitude", "name", "address")):
            raise missing("header location with latitude, longitude, name and address")
    elif "link" not in about and media.get(str(about.get("id"))) != kind:
        raise Refused(131053, "header: no such media of this kind")


def _sent_button(button: Json, one: Json, parameters: list[Json]) -> None:
    kind, sub_type = button["type"], one.get("sub_type")
    needs = kind == "COPY_CODE" or (kind == "URL" and bool(PLACE.search(button.get("url", ""))))
    takes = needs or kind in ("QUICK_REPLY", "FLOW")
    if (needs and len(parameters) != 1) or (parameters and not takes):
        raise Refused(132000, f"buttons: number of localizable_params ({len(parameters)}) does not match the expected number")
    if not parameters:
        return
    name = {"URL": "text", "COPY_CODE": "coupon_code", "QUICK_REPLY": "payload", "FLOW": "action"}[kind]
    value = parameters[0].get(name)
    if sub_type != kind.lower() or parameters[0].get("type") != name or not value:
        raise Refused(132012, f"button of type {kind}: Format mismatch")
    if kind == "COPY_CODE" and not (len(value) <= LONGEST_CODE and value.isalnum()):
        raise Refused(132018, "coupon_code has at most 20 letters and digits")
    if button.get("url") == CODE_ADDRESS and len(value) > LONGEST_OTP:
        raise Refused(132005, f"a code has at most {LONGEST_OTP} characters")


def _sent_offer(offer: Json, parameters: list[Json]) -> None:
    ends = [one.get("limited_time_offer", {}).get("expiration_time_ms") for one in parameters]
    if bool(offer.get("has_expiration")) != bool(ends):
        raise Refused(132000, "limited_time_offer: number of params does not match the expected number")
    if any(type(end) is not int or end <= clock.now().timestamp() * 1000 for end in ends):
        raise Refused(132018, "limited_time_offer: expiration_time_ms must be in the future")


def _sent_cards(kept: list[Json], sent: object, media: Mapping[str, str]) -> None:
    if not isinstance(sent, list) or [card.get("card_index") for card in sent] != list(range(len(kept))):
        raise Refused(132012, f"carousel: expected {len(kept)} cards in their order")
    for card, one in zip(kept, sent, strict=True):
        check_sent(card["components"], one.get("components", []), media)


def check_words(place: str, text: str, parameters: list[Json]) -> None:
    expected = list(dict.fromkeys(PLACE.findall(text)))
    if len(parameters) != len(expected):
        details = f"{place}: number of localizable_params ({len(parameters)}) does not match the expected number of params"
        raise Refused(132000, f"{details} ({len(expected)})")
    named = {one for one in expected if not one.isdigit()}
    if named and {one.get("parameter_name") for one in parameters} != named:
        raise Refused(132012, f"{place}: Parameter name is missing or empty")
    for one in parameters:
        value = one.get("text")
        if one.get("type") != "text" or not isinstance(value, str) or not value:
            raise missing(f"{place} text")
        if re.search(r"[\n\t]| {5}", value):
            raise Refused(132018, "Param text cannot have new-line/tab characters or more than 4 consecutive spaces")
        if len(value) > LONGEST_BODY:
            raise Refused(132005, f"{place}: translated text too long")


def media_of(sent: list[Json]) -> list[str]:
    """Ids of the files that go with a template, in the order in which they are seen."""
    headers = [one for part in sent if part.get("type") == "header" for one in part.get("parameters", [])]
    own = [str(one[one["type"]]["id"]) for one in headers if "id" in one.get(one.get("type", ""), {})]
    cards = [card for part in sent if part.get("type") == "carousel" for card in part.get("cards", [])]
    return own + [media_id for card in cards for media_id in media_of(card.get("components", []))]


def shown_text(kept: list[Json], sent: list[Json]) -> str:
    """How the parts of a template read on the phone."""
    parts = [_filled(component(kept, kind), kind.lower(), sent) for kind in ("HEADER", "BODY", "FOOTER")]
    offer = component(kept, "LIMITED_TIME_OFFER").get("limited_time_offer", {}).get("text", "")
    cards: list[Json] = next((one.get("cards", []) for one in sent if one.get("type") == "carousel"), [])
    beside = [
        shown_text(card["components"], one.get("components", []))
        for card, one in zip(component(kept, "CAROUSEL").get("cards", []), cards, strict=True)
    ]
    return "\n\n".join(filter(None, [parts[0], offer, *parts[1:], *beside]))


def _filled(part: Json, kind: str, sent: list[Json]) -> str:
    text = str(part.get("text", ""))
    given: Json = next((one for one in sent if one.get("type") == kind), {})
    for number, one in enumerate(given.get("parameters", []), start=1):
        if one.get("type") == "text":
            text = text.replace(f"{{{{{one.get('parameter_name') or number}}}}}", one["text"])
    return text
