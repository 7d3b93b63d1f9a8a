"""Templates as WhatsApp keeps and checks them (provider file, 8 and 12)."""

import re
from dataclasses import dataclass
from typing import Any, Final

from hub.sandbox.whatsapp.errors import Refused, invalid, missing

Json = dict[str, Any]

NAME: Final = re.compile(r"[a-z0-9_]{1,512}")
PLACE: Final = re.compile(r"\{\{\s*([a-z0-9_]+)\s*\}\}")
CATEGORIES: Final = ("MARKETING", "UTILITY", "AUTHENTICATION")
MEDIA_HEADERS: Final = ("IMAGE", "VIDEO", "DOCUMENT")
MOST: Final = 250
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

    def component(self, kind: str) -> Json:
        return next((one for one in self.components if one.get("type") == kind), {})


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
        if not isinstance(components, list) or not any(one.get("type") == "BODY" for one in components):
            raise Refused(100, "Param components must have a BODY")
        if (name, language) in self.kept:
            raise Refused(100, "There is already content in this language for this template", subcode=2388024)
        if len(self.kept) >= MOST:
            raise Refused(100, "Message template limit exceeded", subcode=2388019)
        words = next(one for one in components if one.get("type") == "BODY").get("text", "")
        if len(words) > 1024:
            raise Refused(100, "Message body is too long", subcode=2388040)
        if PLACE.match(words.strip()) or re.search(r"\}\}\s*$", words):
            raise Refused(100, "Variables can't be at the start or end of the template", subcode=2388299)
        if "}}{{" in words.replace(" ", ""):
            raise Refused(100, "Variables may not be adjacent", subcode=2388073)
        format_ = body.get("parameter_format", "POSITIONAL").upper()
        if any(one.isdigit() == (format_ == "NAMED") for one in PLACE.findall(words)):
            raise Refused(100, f"Variables do not match the parameter format {format_}", subcode=2388047)
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
        given = {self._place(one): one.get("parameters", []) for one in template.get("components", [])}
        self._check_words("body", kept.component("BODY").get("text", ""), given.pop("body", []))
        self._check_header(kept.component("HEADER"), given.pop("header", []), media_kinds)
        buttons = kept.component("BUTTONS").get("buttons", [])
        for index, button in enumerate(buttons):
            parameters = given.pop(f"button:{index}", [])
            needs = button["type"] == "URL" and bool(PLACE.search(button.get("url", "")))
            if needs != bool(parameters) and button["type"] == "URL":
                raise Refused(
                    132000, f"buttons: number of localizable_params ({len(parameters)}) does not match the expected number"
                )
        if any(given.values()):
            raise Refused(132018, f"unexpected components: {', '.join(given)}")
        return kept

    @staticmethod
    def _place(component: Json) -> str:
        kind = component.get("type")
        if kind not in ("header", "body", "button", "limited_time_offer"):
            raise invalid(f"unexpected component type {kind}")
        if kind == "button" and component.get("sub_type") not in ("url", "quick_reply", "copy_code", "flow"):
            raise missing("sub_type")
        return f"button:{component.get('index')}" if kind == "button" else str(kind)

    def _check_header(self, header: Json, parameters: list[Json], media_kinds: dict[str, str]) -> None:
        format_ = header.get("format", "TEXT")
        if format_ == "TEXT":
            self._check_words("header", header.get("text", ""), parameters)
            return
        kind = format_.lower()
        if len(parameters) != 1 or parameters[0].get("type") != kind:
            raise Refused(132012, f"header: Format mismatch, expected {format_}")
        medium = parameters[0].get(kind, {})
        if "link" not in medium and media_kinds.get(str(medium.get("id"))) != kind:
            raise Refused(131053, "header: no such media of this kind")

    @staticmethod
    def _check_words(place: str, text: str, parameters: list[Json]) -> None:
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
            if len(value) > 1024:
                raise Refused(132005, f"{place}: translated text too long")


def shown_text(kept: Kept, template: Json) -> str:
    """How a template reads on the phone."""
    text = str(kept.component("BODY").get("text", ""))
    body: Json = next((one for one in template.get("components", []) if one.get("type") == "body"), {})
    for number, one in enumerate(body.get("parameters", []), start=1):
        place = one.get("parameter_name") or str(number)
        text = text.replace(f"{{{{{place}}}}}", one["text"])
    return text
