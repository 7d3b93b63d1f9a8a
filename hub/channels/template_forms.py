"""The form that submits a template -> its components, in the shape of Meta, whose templates are the only ones there are.

Offered is what can be made without a file: words or a place above, text, footer, an offer, quick replies, an address, a voucher,
and the template for one-time codes, whose words are the provider's own. A file above needs an upload of Meta's that not every
road has (README of WhatsApp): such templates are made in the provider's own tool.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hub.connectors.contract import TemplateRecord
from hub.core.errors import InvalidInput

NAME: Final = re.compile(r"[a-z0-9_]{1,512}")
LANGUAGE: Final = re.compile(r"[a-z]{2,3}(_[A-Z]{2})?")
BLANK: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
CATEGORIES: Final = ("utility", "marketing", "authentication")
LONGEST: Final = {"header": 60, "body": 1024, "footer": 60, "offer": 16, "label": 25, "code": 20, "link": 2000}
"""Characters (provider file of WhatsApp, 10; an offer's words as Meta's page says)."""
MOST_REPLIES: Final = 10
MOST_MINUTES: Final = 90

Json = dict[str, Any]


def read_template(typed: Mapping[str, str]) -> TemplateRecord:
    """What was typed as a template to submit. InvalidInput names the field that does not fit."""
    name, language = _line(typed, "name").lower(), _line(typed, "language")
    category = typed.get("category", "")
    fitting = {"name": NAME.fullmatch(name), "language": LANGUAGE.fullmatch(language), "category": category in CATEGORIES}
    for field, fits in fitting.items():
        if not fits:
            raise InvalidInput(f"{field} does not fit", field=field)
    components = _for_codes(typed) if category == "authentication" else _components(typed, category)
    return TemplateRecord(provider_id="", name=name, language=language, category=category, status="", components=tuple(components))


def _line(typed: Mapping[str, str], field: str) -> str:
    """One line of the form. InvalidInput when it is too long."""
    text = typed.get(field, "").replace("\r\n", "\n").strip()
    if len(text) > LONGEST.get(field, 512):
        raise InvalidInput(f"{field} is too long", field=field)
    return text


def _for_codes(typed: Mapping[str, str]) -> list[Json]:
    minutes = _line(typed, "minutes")
    if minutes and not (minutes.isascii() and minutes.isdigit() and 1 <= int(minutes) <= MOST_MINUTES):
        raise InvalidInput("minutes are 1 to 90", field="minutes")
    body: Json = {"type": "BODY", "add_security_recommendation": "warns" in typed}
    footer = [{"type": "FOOTER", "code_expiration_minutes": int(minutes)}] if minutes else []
    return [body, *footer, {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE"}]}]


def _components(typed: Mapping[str, str], category: str) -> list[Json]:
    examples = iter(one.strip() for one in typed.get("examples", "").splitlines() if one.strip())
    body, header, footer, offer = (_line(typed, name) for name in ("body", "header", "footer", "offer"))
    if not body:
        raise InvalidInput("the text is missing", field="body")
    components: list[Json] = []
    if "place" in typed:
        components.append({"type": "HEADER", "format": "LOCATION"})
    elif header:
        components.append({"type": "HEADER", "format": "TEXT", "text": header, **_example("header_text", header, examples)})
    if offer:
        if category != "marketing" or footer or not typed.get("link"):
            raise InvalidInput("an offer is marketing, without footer and with an address", field="offer")
        components.append({"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"text": offer, "has_expiration": True}})
    components.append({"type": "BODY", "text": body, **_example("body_text", body, examples)})
    if footer:
        components.append({"type": "FOOTER", "text": footer})
    buttons = _buttons(typed, examples, needs_code=bool(offer))
    components += [{"type": "BUTTONS", "buttons": buttons}] if buttons else []
    if next(examples, None) is not None:
        raise InvalidInput("there are more examples than blanks", field="examples")
    return components


def _buttons(typed: Mapping[str, str], examples: Iterator[str], *, needs_code: bool) -> list[Json]:
    """The voucher stands first, as an offer asks for it."""
    code, link, label = _line(typed, "code"), _line(typed, "link"), _line(typed, "label")
    if (code and not (code.isascii() and code.isalnum())) or (needs_code and not code):
        raise InvalidInput("a voucher is letters and digits", field="code")
    buttons: list[Json] = [{"type": "COPY_CODE", "example": code}] if code else []
    if bool(link) != bool(label) or (link and not re.fullmatch(r"https?://\S+", link)):
        raise InvalidInput("an address needs its label", field="link")
    if link:
        buttons.append({"type": "URL", "text": label, "url": link, **_of_link(link, examples)})
    replies = [one.strip() for one in typed.get("replies", "").splitlines() if one.strip()]
    if len(replies) + len(buttons) > MOST_REPLIES or any(len(one) > LONGEST["label"] for one in replies):
        raise InvalidInput("too many or too long replies", field="replies")
    return buttons + [{"type": "QUICK_REPLY", "text": one} for one in replies]


def _example(name: str, words: str, examples: Iterator[str]) -> Json:
    """What stands in the blanks of a part, for whoever approves it; by name where the blanks have names."""
    names = list(dict.fromkeys(BLANK.findall(words)))
    if not names:
        return {}
    if len({one.isdigit() for one in names}) > 1:
        raise InvalidInput("blanks have numbers or names, not both", field="body")
    values = _take(len(names), examples)
    if not names[0].isdigit():
        named = [{"param_name": name, "example": value} for name, value in zip(names, values, strict=True)]
        return {"example": {f"{name}_named_params": named}}
    return {"example": {name: [values] if name == "body_text" else values}}


def _of_link(link: str, examples: Iterator[str]) -> Json:
    if not BLANK.search(link):
        return {}
    if not link.endswith("{{1}}"):
        raise InvalidInput("a blank stands at the end of an address", field="link")
    return {"example": [link.replace("{{1}}", _take(1, examples)[0])]}


def _take(count: int, examples: Iterator[str]) -> list[str]:
    values = [value for _, value in zip(range(count), examples, strict=False)]
    if len(values) < count:
        raise InvalidInput("each blank needs an example", field="examples")
    return values
