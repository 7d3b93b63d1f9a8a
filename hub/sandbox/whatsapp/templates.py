"""Templates as WhatsApp keeps and checks them (provider file, 8 and 12)."""

import re
from dataclasses import dataclass
from typing import Any, Final

from hub.sandbox.whatsapp.components import check_sent, submitted
from hub.sandbox.whatsapp.errors import Refused, missing

Json = dict[str, Any]

NAME: Final = re.compile(r"[a-z0-9_]{1,512}")
CATEGORIES: Final = ("MARKETING", "UTILITY", "AUTHENTICATION")
MOST: Final = 250


def _card(text: str, *examples: str) -> Json:
    header = {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["4::aW1hZ2U="]}}
    button = {"type": "URL", "text": "Ansehen", "url": "https://shop.example.org/{{1}}", "example": ["gravel-12"]}
    body: Json = {"type": "BODY", "text": text} | ({"example": {"body_text": [list(examples)]}} if examples else {})
    return {"components": [header, body, {"type": "BUTTONS", "buttons": [button]}]}


SAMPLES: Final[tuple[Json, ...]] = (
    {
        "name": "order_ready",
        "language": "de",
        "category": "UTILITY",
        "components": [
            {
                "type": "BODY",
                "text": "Hallo {{1}}, Ihre Bestellung {{2}} liegt bereit.",
                "example": {"body_text": [["Karin", "881"]]},
            },
            {"type": "FOOTER", "text": "Radwerk Lindau"},
            {
                "type": "BUTTONS",
                "buttons": [
                    {"type": "QUICK_REPLY", "text": "Danke"},
                    {"type": "URL", "text": "Details", "url": "https://shop.example.org/o/{{1}}", "example": ["881"]},
                ],
            },
        ],
    },
    {
        "name": "spring_sale",
        "language": "de",
        "category": "MARKETING",
        "components": [
            {
                "type": "BODY",
                "text": "Frühlingsangebote für {{first_name}}: 20 % auf Kinderräder.",
                "example": {"body_text_named_params": [{"param_name": "first_name", "example": "Karin"}]},
            }
        ],
        "parameter_format": "NAMED",
    },
    {
        "name": "summer_cards",
        "language": "de",
        "category": "MARKETING",
        "components": [
            {"type": "BODY", "text": "Hallo {{1}}, das ist neu bei uns.", "example": {"body_text": [["Karin"]]}},
            {"type": "CAROUSEL", "cards": [_card("Lastenräder ab 3.490 Euro"), _card("Inspektion in {{1}} Tagen", "3")]},
        ],
    },
    {
        "name": "summer_offer",
        "language": "de",
        "category": "MARKETING",
        "components": [
            {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["4::aW1hZ2U="]}},
            {"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"text": "Nur kurze Zeit", "has_expiration": True}},
            {"type": "BODY", "text": "20 % auf alle Helme."},
            {
                "type": "BUTTONS",
                "buttons": [
                    {"type": "COPY_CODE", "example": "SOMMER20"},
                    {"type": "URL", "text": "Zum Laden", "url": "https://shop.example.org/"},
                ],
            },
        ],
    },
    {
        "name": "shop_way",
        "language": "de",
        "category": "UTILITY",
        "components": [
            {"type": "HEADER", "format": "LOCATION"},
            {"type": "BODY", "text": "So finden Sie zu uns."},
        ],
    },
    {
        "name": "invoice",
        "language": "de",
        "category": "UTILITY",
        "components": [
            {"type": "HEADER", "format": "DOCUMENT", "example": {"header_handle": ["4::cGRm"]}},
            {"type": "BODY", "text": "Ihre Rechnung {{1}} liegt bei.", "example": {"body_text": [["881"]]}},
        ],
    },
    {
        "name": "login_code",
        "language": "de",
        "category": "AUTHENTICATION",
        "components": [
            {"type": "BODY", "add_security_recommendation": True},
            {"type": "FOOTER", "code_expiration_minutes": 10},
            {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE", "text": "Code kopieren"}]},
        ],
    },
)


@dataclass(slots=True)
class Kept:
    """A template with what Meta decided on it."""

    id: str
    name: str
    language: str
    category: str
    components: list[Json]
    parameter_format: str
    status: str = "PENDING"

    def as_json(self, *, at_360dialog: bool) -> Json:
        """360dialog has an id of its own and writes the status in lower case."""
        shown: Json = {"name": self.name, "language": self.language, "category": self.category, "components": self.components}
        if at_360dialog:
            return shown | {"id": f"t{self.id}WT", "external_id": self.id, "status": self.status.lower(), "rejected_reason": "NONE"}
        return shown | {"id": self.id, "status": self.status, "parameter_format": self.parameter_format}


class Templates:
    """All templates of a business account, by name and language. Those of `SAMPLES` are approved from the start."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Kept] = {}
        for sample in SAMPLES:
            self.create(sample).status = "APPROVED"

    def create(self, body: Json) -> Kept:
        """Submit one. Raises Refused."""
        name, language, category = body.get("name"), body.get("language"), body.get("category")
        components = body.get("components")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise Refused(100, "Param name must be lowercase letters, digits and underscores")
        if not isinstance(language, str) or not language:
            raise Refused(100, "Param language is required")
        if category not in CATEGORIES:
            raise Refused(100, f"Param category must be one of {{{', '.join(CATEGORIES)}}}")
        if not isinstance(components, list):
            raise Refused(100, "Param components is required")
        if (name, language) in self.kept:
            raise Refused(100, "There is already content in this language for this template", subcode=2388024)
        if len(self.kept) >= MOST:
            raise Refused(100, "Message template limit exceeded", subcode=2388019)
        format_ = body.get("parameter_format", "POSITIONAL").upper()
        components = submitted(components, category, format_)
        kept = Kept(str(1503377264118000 + len(self.kept)), name, language, category, components, format_)
        self.kept[name, language] = kept
        return kept

    def delete(self, name: str, template_id: str = "") -> bool:
        """Those of this name, or the one of this id; whether there was any."""
        gone = [key for key, one in self.kept.items() if one.name == name and template_id in ("", one.id)]
        for key in gone:
            del self.kept[key]
        return bool(gone)

    def check(self, template: Json, media_kinds: dict[str, str]) -> Kept:
        """The template that a request sends, with all its parameters as it has them. `media_kinds`: kinds of uploaded files by id.
        Raises Refused."""
        name, code = template.get("name"), (template.get("language") or {}).get("code")
        if not name or not code:
            raise missing("template name or language")
        kept = self.kept.get((name, code))
        if kept is None or kept.status in ("PENDING", "REJECTED"):
            raise Refused(132001, f"template name ({name}) does not exist in {code}", status=404)
        if kept.status == "PAUSED":
            raise Refused(132015, "Template is paused because of low quality")
        if kept.status == "DISABLED":
            raise Refused(132016, "Template is disabled")
        check_sent(kept.components, template.get("components", []), media_kinds)
        return kept
