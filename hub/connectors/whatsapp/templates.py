"""Templates: how one is sent, and the list that the provider keeps (provider file, 8 and 12).

Keys of `Template.parameters`:

    header                      the words of a header of text
    body                        the places of the text, in their order
    <name>                      a named place of the text
    button:0                    the end of the address behind the first button, or a code
    button:0:quick_reply        what a button brings back instead of its label
    button:0:copy_code          the code of a voucher
    button:0:flow               the token of a form
    limited_time_offer          the end of an offer, in milliseconds since 1970
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from hub.connectors.contract import TemplateRecord
from hub.connectors.errors import UnsupportedContent
from hub.connectors.events import Template
from hub.connectors.whatsapp.media import kind_of
from hub.connectors.whatsapp.reading import Json, a_text, an_id, objects

NAME: Final = re.compile(r"[a-z0-9_]{1,512}")
LANGUAGE: Final = re.compile(r"[a-z]{2,3}(_[A-Za-z]{2,4})?")
BUTTON: Final = re.compile(r"button:([0-9])(?::(url|quick_reply|copy_code|flow))?")
NAMED: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
PLACE: Final = re.compile(r"\{\{([a-z][a-z0-9_]*)\}\}")
NOT_IN_PARAMETERS: Final = re.compile(r"[\n\r\t]| {5}")
"""WhatsApp refuses parameters with line breaks, tabs, or more than four spaces in a row (8)."""


def write_template(template: Template, media: Json) -> Json:
    """The template of a send request; a media header is described in `media`, which its caller completes. Raises
    UnsupportedContent."""
    if not NAME.fullmatch(template.name) or not LANGUAGE.fullmatch(template.language):
        raise UnsupportedContent("no_template")
    header, body, others = _header(template, media), [], []
    for key, values in template.parameters.items():
        if key == "header":
            header += [_words(value) for value in values]
        elif key == "body":
            body += [_words(value) for value in values]
        elif key == "limited_time_offer":
            others.append(_offer(values))
        elif found := BUTTON.fullmatch(key):
            others.append(_button(found[1], found[2] or "url", values))
        elif NAMED.fullmatch(key):
            body += [_words(value) | {"parameter_name": key} for value in values]
        else:
            raise UnsupportedContent("unknown_place")
    parts = [{"type": "header", "parameters": header}, {"type": "body", "parameters": body}]
    components = [part for part in parts if part["parameters"]] + others
    written: Json = {"name": template.name, "language": {"code": template.language, "policy": "deterministic"}}
    return written | ({"components": components} if components else {})


def _header(template: Template, media: Json) -> list[Json]:
    if template.header is None:
        return []
    kind = kind_of(template.header)
    if kind not in ("image", "video", "document"):
        raise UnsupportedContent("header_type")
    if kind == "document" and template.header.name:
        media["filename"] = template.header.name
    return [{"type": kind, kind: media}]


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
