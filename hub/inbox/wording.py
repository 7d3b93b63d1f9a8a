"""Templates as people read and fill them: their words, and the blanks that are filled for each message. Pure.

A provider's components have words with blanks in them, by number or by name (`{{1}}`, `{{date}}`).
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.core.errors import InvalidInput

BLANK: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
LONGEST: Final = 1000
"""Characters in one blank; messengers allow fewer."""


@dataclass(frozen=True, slots=True)
class Blank:
    """A place to be filled. `part` is where it stands (`header`, `body`, `button:0`), `name` its number or name there."""

    part: str
    name: str

    @property
    def key(self) -> str:
        """Its key in `Template.parameters`: numbers are filled in the order of their part, names by name."""
        return self.part if self.name.isdigit() else self.name


@dataclass(frozen=True, slots=True)
class Wording:
    """`parts` are the words by part, in the order in which they are read. `needs_file`: a picture, film or document stands
    above."""

    parts: dict[str, str]
    buttons: tuple[str, ...]
    blanks: tuple[Blank, ...]
    needs_file: bool

    @property
    def text(self) -> str:
        """How it reads with its blanks open."""
        return "\n\n".join(words for part, words in self.parts.items() if not part.startswith("button:"))


def read_wording(components: Sequence[Mapping[str, Any]]) -> Wording:
    """The words of a template, out of the provider's components."""
    found = {str(one.get("type", "")).lower(): one for one in components}
    header_format = str(found.get("header", {}).get("format", "text")).lower()
    parts = {part: str(found[part]["text"]) for part in ("header", "body", "footer") if found.get(part, {}).get("text")}
    buttons = found.get("buttons", {}).get("buttons", ())
    parts |= {f"button:{place}": str(one["url"]) for place, one in enumerate(buttons) if BLANK.search(str(one.get("url", "")))}
    blanks = dict.fromkeys(Blank(part, name) for part, words in parts.items() for name in _names(words))
    return Wording(
        parts, tuple(str(one.get("text", "")) for one in buttons), tuple(blanks), header_format not in ("text", "location")
    )


def _names(words: str) -> list[str]:
    """Blanks by number in the order of their numbers, by name in the order in which they stand."""
    names = list(dict.fromkeys(BLANK.findall(words)))
    return sorted(names, key=int) if all(name.isdigit() for name in names) else names


def fill(wording: Wording, values: Sequence[str]) -> tuple[dict[str, tuple[str, ...]], str]:
    """What is sent for each key, and how the message reads. InvalidInput when a blank stays open."""
    values = [value.strip() for value in values]
    if len(values) != len(wording.blanks) or not all(0 < len(value) <= LONGEST for value in values):
        raise InvalidInput("a blank of the template is open", field="parameters")
    filled = dict(zip(wording.blanks, values, strict=True))
    parameters: dict[str, list[str]] = defaultdict(list)
    for blank, value in filled.items():
        parameters[blank.key].append(value)
    read = [
        BLANK.sub(lambda found, part=part: filled[Blank(part, found[1])], words)  # type: ignore[misc]
        for part, words in wording.parts.items()
        if not part.startswith("button:")
    ]
    return {key: tuple(found) for key, found in parameters.items()}, "\n\n".join(read)
