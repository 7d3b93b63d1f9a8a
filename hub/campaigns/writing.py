"""What each recipient gets: words or a template, filled with what is known about them. Pure.

`{{name}}` and `{{first_name}}` stand for the recipient's; after a bar stands what is written where no name is known:
`{{first_name|liebe Kundin, lieber Kunde}}`. Who has no name, and no such words, gets nothing: rule `name_unknown`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.channels.templates import Kept
from hub.connectors.contract import Capabilities
from hub.connectors.events import OutboundContent
from hub.core.errors import InvalidInput
from hub.inbox.content import clean
from hub.inbox.sending.compose import Filled, compose, compose_template
from hub.inbox.sending.wording import Wording

VARIABLE: Final = re.compile(r"\{\{\s*(name|first_name)\s*(?:\|([^{}]*))?\}\}")
ANY_VARIABLE: Final = re.compile(r"\{\{.*?\}\}")
TEXT_LENGTH: Final = 4096


@dataclass(frozen=True, slots=True)
class Letter:
    """What goes out on one channel: a `text`, or a template with what stands in its blanks."""

    text: str = ""
    template_id: UUID | None = None
    values: tuple[str, ...] = ()

    def store(self) -> dict[str, Any]:
        """As a row keeps it."""
        if self.template_id is None:
            return {"text": self.text}
        return {"template": str(self.template_id), "values": list(self.values)}


def read_letter(kept: Mapping[str, Any]) -> Letter:
    """The letter of a row."""
    if "template" in kept:
        return Letter(template_id=UUID(kept["template"]), values=tuple(kept["values"]))
    return Letter(text=kept["text"])


def checked(letter: Letter) -> Letter:
    """A letter as it was typed, or InvalidInput: too long, or a variable that does not exist."""
    texts = [letter.text, *letter.values]
    if any(len(text) > TEXT_LENGTH for text in texts):
        raise InvalidInput(f"at most {TEXT_LENGTH} characters", field="letter")
    unknown = [found for text in texts for found in ANY_VARIABLE.findall(text) if not VARIABLE.fullmatch(found)]
    if unknown:
        raise InvalidInput(f"no such variable: {unknown[0]}", field="variable")
    return Letter(_tidy(letter.text), letter.template_id, tuple(_tidy(value) for value in letter.values))


def _tidy(text: str) -> str:
    return clean(text.replace("\r\n", "\n")).strip()


class NameUnknown(InvalidInput):
    """A letter wants a name that is not known, and has no words for that."""

    code = "name_unknown"


def fill_in(text: str, name: str) -> str:
    """A text with this recipient's variables. NameUnknown."""
    known = name.strip() if any(letter.isalpha() for letter in name) else ""
    values = {"name": known, "first_name": known.split()[0] if known else ""}

    def value(found: re.Match[str]) -> str:
        filled = values[found[1]] or (found[2] or "").strip()
        if not filled:
            raise NameUnknown(found[1])
        return filled

    return VARIABLE.sub(value, text)


def can_carry(wording: Wording) -> bool:
    """Whether a newsletter can go as this template: one that needs no file and no place of its own."""
    return not (wording.foreign or wording.files or wording.needs_place)


def write(letter: Letter, template: Kept | None, capabilities: Capabilities, name: str, zone: ZoneInfo) -> OutboundContent:
    """The content for one recipient; moments in the blanks of a template are in `zone`.

    NameUnknown; InvalidInput where there are no words, a blank stays open, or the template is gone or not
    approved (any more)."""
    if letter.template_id is not None:
        if template is None:
            raise InvalidInput("the template is gone", field="template")
        filled = Filled(letter.template_id, [fill_in(value, name) for value in letter.values], zone)
        return compose_template(template, filled, (), None)
    if not letter.text:
        raise InvalidInput("nothing is written for this messenger", field="letter")
    return compose(capabilities, fill_in(letter.text, name), (), (), None)
