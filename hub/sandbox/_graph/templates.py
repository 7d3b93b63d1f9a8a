"""Utility templates of a page, as Meta keeps and checks them (messenger.md, 6)."""

import re
from dataclasses import dataclass
from typing import Any, Final

from hub.sandbox._graph.refusals import Json, invalid

PLACE: Final = re.compile(r"\{\{\s*([a-z0-9_]+)\s*\}\}")
NAME: Final = re.compile(r"[a-z0-9_]{1,512}")
SAMPLE: Final[Json] = {
    "name": "order_ready",
    "language": "de",
    "category": "UTILITY",
    "components": [
        {"type": "BODY", "text": "Ihre Bestellung {{1}} liegt bereit.", "example": {"body_text": [["881"]]}},
        {"type": "BUTTONS", "buttons": [{"type": "POSTBACK", "text": "Danke"}]},
    ],
}


@dataclass(slots=True)
class Kept:
    """A template with what Meta decided on it."""

    id: str
    body: Json
    status: str = "PENDING"

    def as_json(self) -> Json:
        return self.body | {"id": self.id, "status": self.status}

    def component(self, kind: str) -> Json:
        return next((one for one in self.body["components"] if one.get("type") == kind), {})


class Templates:
    """All templates of a page, by name and language. `SAMPLE` is approved from the start."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Kept] = {}
        self.create(SAMPLE).status = "APPROVED"

    def create(self, submitted: Json) -> Kept:
        """Submit one. Raises Refused."""
        body: Json = {name: submitted[name] for name in ("name", "language", "category", "components") if name in submitted}
        name, language, components = body.get("name"), body.get("language"), body.get("components")
        if not isinstance(name, str) or not NAME.fullmatch(name) or not isinstance(language, str) or not language:
            raise invalid("Params name and language are required")
        if body.get("category") != "UTILITY":
            raise invalid("Param category must be UTILITY")
        parts = [one for one in components if isinstance(one, dict)] if isinstance(components, list) else []
        if {one.get("type") for one in parts} - {"BODY", "BUTTONS"} or not any(one.get("text") for one in parts):
            raise invalid("Param components must be a BODY with a text, and BUTTONS at most")
        if (name, language) in self.kept:
            raise invalid("There is already content in this language for this template")
        kept = self.kept[name, language] = Kept(str(2603377264118000 + len(self.kept)), body)
        return kept

    def delete(self, name: str) -> None:
        """Raises Refused."""
        gone = [key for key in self.kept if key[0] == name]
        if not gone:
            raise invalid("Message template not found")
        for key in gone:
            del self.kept[key]

    def read(self, sent: Any) -> tuple[str, list[tuple[str, str]]]:
        """The words that a message shows, and its buttons by what they bring back. Raises Refused."""
        given = sent if isinstance(sent, dict) else {}
        code = (given.get("language") or {}).get("code")
        kept = self.kept.get((str(given.get("name")), str(code)))
        if kept is None or kept.status != "APPROVED":
            raise invalid("Param template names no approved template in this language")
        parts = {str(one.get("type")): one.get("parameters") or [] for one in given.get("components") or []}
        if parts.keys() - {"body", "buttons"}:
            raise invalid("Param template[components] has an unexpected type")
        text = str(kept.component("BODY")["text"])
        places, values = list(dict.fromkeys(PLACE.findall(text))), parts.get("body", [])
        if len(places) != len(values) or any(not one.get("text") for one in values):
            raise invalid("The number of body parameters does not match the template")
        for place, one in zip(places, values, strict=True):
            if not place.isdigit() and one.get("parameter_name") != place:
                raise invalid("parameter_name is required for a template of named parameters")
            text = re.sub(rf"\{{\{{\s*{place}\s*\}}\}}", lambda _, one=one: str(one["text"]), text)  # type: ignore[misc]
        labels = [str(one.get("text")) for one in kept.component("BUTTONS").get("buttons", [])]
        pressed = parts.get("buttons", [])
        if len(pressed) != len(labels) or any(one.get("type") != "POSTBACK" or not one.get("payload") for one in pressed):
            raise invalid("Each button needs a parameter of type POSTBACK with a payload")
        return text, [(str(one["payload"]), label) for one, label in zip(pressed, labels, strict=True)]
