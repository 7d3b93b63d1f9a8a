"""Templates: how one is sent, and the list that the provider keeps (provider file, 8 and 12).

Keys of `Template.parameters`:

    header, body                the places of the words above and of the text, in their order
    body:<name>                 a named place of the text
    button:0                    the end of the address behind the first button, or the code that it copies (authentication)
    button:0:quick_reply        what a button brings back instead of its label
    button:0:copy_code          the code of a voucher
    button:0:flow               the token of a form
    limited_time_offer          the end of an offer, in milliseconds since 1970
    card:0:body, card:0:button:0 …      the same of the first of several cards
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hub.connectors.contract import TemplateRecord
from hub.connectors.errors import UnsupportedContent
from hub.connectors.events import Location, Media, Template
from hub.connectors.whatsapp.media import kind_of
from hub.connectors.whatsapp.reading import Json, a_text, an_id, objects

NAME: Final = re.compile(r"[a-z0-9_]{1,512}")
LANGUAGE: Final = re.compile(r"[a-z]{2,3}(_[A-Za-z]{2,4})?")
KEY: Final = re.compile(
    r"(?:card:(?P<card>[0-9]):)?"
    r"(?:(?P<words>header|body)(?::(?P<name>[a-z][a-z0-9_]{0,63}))?|button:(?P<button>[0-9])(?::(?P<sort>url|quick_reply|copy_code|flow))?)"
    r"|(?P<offer>limited_time_offer)"
)
PLACE: Final = re.compile(r"\{\{([a-z][a-z0-9_]*)\}\}")
NOT_IN_PARAMETERS: Final = re.compile(r"[\n\r\t]| {5}")
"""WhatsApp refuses parameters with line breaks, tabs, or more than four spaces in a row (8)."""
LONGEST_CODE: Final = 20
"""Letters and digits of a voucher's code (10)."""

Attach = Callable[[Media], Json]
"""Has a file uploaded: the object that gets its id."""


@dataclass(slots=True)
class _Filled:
    """What fills a template, or one of its cards."""

    header: list[Json] = field(default_factory=list)
    body: list[Json] = field(default_factory=list)
    others: list[Json] = field(default_factory=list)

    @property
    def components(self) -> list[Json]:
        words = [{"type": "header", "parameters": self.header}, {"type": "body", "parameters": self.body}]
        return [part for part in words if part["parameters"]] + self.others


def write_template(template: Template, attach: Attach) -> Json:
    """The template of a send request. Raises UnsupportedContent."""
    if not NAME.fullmatch(template.name) or not LANGUAGE.fullmatch(template.language):
        raise UnsupportedContent("no_template")
    whole, cards = _Filled(), [_Filled(header=[_file(media, ("image", "video"), attach)]) for media in template.cards]
    if isinstance(template.header, Location):
        whole.header.append(_place(template.header))
    elif template.header is not None:
        whole.header.append(_file(template.header, ("image", "video", "document"), attach))
    for key, values in template.parameters.items():
        found = KEY.fullmatch(key)
        if found is None or int(found["card"] or -1) >= len(cards):
            raise UnsupportedContent("unknown_place")
        _fill(cards[int(found["card"])] if found["card"] else whole, found, values)
    components = whole.components
    if cards:
        written = [{"card_index": number, "components": card.components} for number, card in enumerate(cards)]
        components.append({"type": "carousel", "cards": written})
    named: Json = {"name": template.name, "language": {"code": template.language, "policy": "deterministic"}}
    return named | ({"components": components} if components else {})


def _fill(filled: _Filled, place: re.Match[str], values: tuple[str, ...]) -> None:
    if place["offer"]:
        filled.others.append(_offer(values))
    elif place["button"]:
        filled.others.append(_button(place["button"], place["sort"] or "url", values))
    else:
        name = {"parameter_name": place["name"]} if place["name"] else {}
        words = filled.header if place["words"] == "header" else filled.body
        words += [_words(value) | name for value in values]


def _file(media: Media, kinds: tuple[str, ...], attach: Attach) -> Json:
    """The file of a header; cards have pictures and films only."""
    kind = kind_of(media)
    if kind not in kinds:
        raise UnsupportedContent("header_type")
    attached = attach(media)
    if kind == "document" and media.name:
        attached["filename"] = media.name
    return {"type": kind, kind: attached}


def _place(place: Location) -> Json:
    """The place of a header has a name and an address, which stand below its map."""
    if not place.title.strip() or not place.address.strip():
        raise UnsupportedContent("empty_parameter")
    where = {"latitude": place.latitude, "longitude": place.longitude, "name": place.title, "address": place.address}
    return {"type": "location", "location": where}


def _words(value: str) -> Json:
    if not value.strip():
        raise UnsupportedContent("empty_parameter")
    if NOT_IN_PARAMETERS.search(value):
        raise UnsupportedContent("parameter_form")
    return {"type": "text", "text": value}


def _button(index: str, sub_type: str, values: tuple[str, ...]) -> Json:
    """`index` as a text works everywhere (8)."""
    if len(values) != 1 or not values[0].strip():
        raise UnsupportedContent("empty_parameter")
    if sub_type == "copy_code" and not (len(values[0]) <= LONGEST_CODE and values[0].isascii() and values[0].isalnum()):
        raise UnsupportedContent("code_form")
    parameters: dict[str, Json] = {
        "url": {"type": "text", "text": values[0]},
        "quick_reply": {"type": "payload", "payload": values[0]},
        "copy_code": {"type": "coupon_code", "coupon_code": values[0]},
        "flow": {"type": "action", "action": {"flow_token": values[0]}},
    }
    return {"type": "button", "sub_type": sub_type, "index": index, "parameters": [parameters[sub_type]]}


def _offer(values: tuple[str, ...]) -> Json:
    if len(values) != 1 or not (values[0].isascii() and values[0].isdigit()):
        raise UnsupportedContent("empty_parameter")
    offer = {"expiration_time_ms": int(values[0])}
    return {"type": "limited_time_offer", "parameters": [{"type": "limited_time_offer", "limited_time_offer": offer}]}


def read_record(template: Json) -> TemplateRecord:
    """A template of the provider's list. 360dialog writes the status in lower case, Meta in upper case, and 360dialog has an id of
    its own beside Meta's, which is the one that events speak of (12)."""
    reason = a_text(template, "rejected_reason")
    return TemplateRecord(
        provider_id=an_id(template, "external_id") or an_id(template, "id"),
        name=a_text(template, "name"),
        language=a_text(template, "language"),
        category=a_text(template, "category").lower(),
        status=a_text(template, "status").lower(),
        components=tuple(objects(template, "components")),
        reason="" if reason.upper() == "NONE" else reason,
    )


def new_template(template: TemplateRecord) -> Json:
    """The request that submits one. Places with names make it a template of named places."""
    written: dict[str, Any] = {
        "name": template.name,
        "language": template.language,
        "category": template.category.upper(),
        "components": [dict(component) for component in template.components],
    }
    is_named = any(PLACE.search(a_text(component, "text")) for component in map(_plain, template.components))
    return written | ({"parameter_format": "NAMED"} if is_named else {})


def _plain(component: Mapping[str, Any]) -> Json:
    return dict(component)
