"""Templates as people read and fill them: their words, and the blanks that are filled for each message. Pure.

A provider's components have words with blanks in them, by number or by name (`{{1}}`, `{{date}}`), and parts that are filled as a
whole: the code of a voucher, the end of an offer. Several cards side by side are components again. Component and button types are
Meta's, whose templates are the only ones there are (provider files of WhatsApp, 12, and Messenger, 6).
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from hub.core.errors import InvalidInput
from hub.inbox.page.when import read_local

BLANK: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
LONGEST: Final = 1000
"""Characters in one blank; messengers allow fewer."""
FILES: Final = ("image", "video", "document")
COMPONENTS: Final = frozenset({"header", "body", "footer", "buttons", "limited_time_offer", "carousel"})
BUTTONS: Final = frozenset({"quick_reply", "url", "phone_number", "copy_code", "otp", "flow", "postback"})
"""What the hub can fill. Whatever else a template has (a catalogue, a product, a call) makes it one that is not offered."""


@dataclass(frozen=True, slots=True)
class Blank:
    """A place to be filled. `part` is where it stands (`header`, `body`, `button:0`, `card:1:body`), `name` its number or name
    there. `sort`: words, the code of a voucher, or a moment in the page's zone as a date and time field sends it.
    """

    part: str
    name: str
    sort: Literal["words", "code", "moment"] = "words"

    @property
    def key(self) -> str:
        """Its key in `Template.parameters`: numbers are filled in the order of their part."""
        return self.part if self.name.isdigit() else f"{self.part}:{self.name}"

    @property
    def card(self) -> int:
        """The card on which it stands, counted from 1; 0: on none."""
        return int(self.part.split(":")[1]) + 1 if self.part.startswith("card:") else 0

    @property
    def component(self) -> str:
        """header, body, button, copy_code or limited_time_offer."""
        return "copy_code" if self.sort == "code" else re.sub(r"^card:\d+:|:\d+$", "", self.part)


@dataclass(frozen=True, slots=True)
class Face:
    """What is seen of a template, or of one of its cards: what stands above (`image`, `video`, `document`, `location` or nothing),
    the words by part in the order in which they are read, and the buttons by type and label."""

    above: str
    words: tuple[tuple[str, str], ...]
    buttons: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """How it reads with its blanks open."""
        return "\n\n".join(words for _, words in self.words)


@dataclass(frozen=True, slots=True)
class Wording:
    """`codes` are buttons that get the first blank of the text once more (authentication), `answers` buttons that bring back
    what we give them: their own words (Messenger). `foreign` is a part that the hub cannot
    fill, in the provider's word; empty where there is none."""

    face: Face
    cards: tuple[Face, ...]
    blanks: tuple[Blank, ...]
    codes: tuple[str, ...]
    answers: tuple[tuple[str, str], ...]
    foreign: str

    @property
    def files(self) -> tuple[tuple[str, int], ...]:
        """The files that it needs, in the order in which they are given: of which kind, and on which card (0: above all)."""
        return tuple((face.above, card) for card, face in enumerate((self.face, *self.cards)) if face.above in FILES)

    @property
    def needs_place(self) -> bool:
        return self.face.above == "location"

    def spell(self, part: str, words: str) -> list[tuple[str, int | None]]:
        """The words of a part in pieces: plain ones, and blanks with their place among all of them."""
        places = {(blank.part, blank.name): place for place, blank in enumerate(self.blanks)}
        plain, named = re.split(BLANK, words)[::2], BLANK.findall(words)
        blanks = [("{{" + name + "}}", places[part, name]) for name in named]
        return [piece for pair in zip_longest(((one, None) for one in plain), blanks) for piece in pair if piece and piece[0]]


def read_wording(components: Sequence[Mapping[str, Any]]) -> Wording:
    """The words of a template, out of the provider's components."""
    cards = [_objects(card, "components") for one in components if _type(one) == "carousel" for card in _objects(one, "cards")]
    every = [("", components), *((f"card:{place}:", card) for place, card in enumerate(cards))]
    face, *others = (_face(prefix, one) for prefix, one in every)
    blanks = dict.fromkeys(blank for prefix, one in every for blank in _blanks(prefix, one))
    codes = tuple(f"button:{place}" for place, button in enumerate(_buttons(components)) if _is_code(button))
    pressed = [(f"button:{place}:postback", one) for place, one in enumerate(_buttons(components)) if _type(one) == "postback"]
    answers = tuple((key, str(one.get("text") or one.get("title") or key)) for key, one in pressed)
    foreign = next((word for _, one in every for word in _foreign(one)), "")
    return Wording(face, tuple(others), tuple(blanks), codes, answers, foreign)


def _face(prefix: str, components: Sequence[Mapping[str, Any]]) -> Face:
    found = {_type(one): one for one in components}
    above = str(found.get("header", {}).get("format", "text")).lower()
    buttons = tuple((_type(one), str(one.get("text") or one.get("title") or "")) for one in _buttons(components))
    return Face("" if above == "text" else above, tuple(_words(prefix, components)), buttons)


def _words(prefix: str, components: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Words by part. The text of a template for codes is the provider's own and may be missing from its list."""
    found = {_type(one): one for one in components}
    for part in ("header", "limited_time_offer", "body", "footer"):
        one = found.get(part, {})
        words = one.get("limited_time_offer", {}).get("text") if part == "limited_time_offer" else one.get("text")
        if not words and part == "body" and any(map(_is_code, _buttons(components))):
            words = "{{1}}"
        if words:
            yield f"{prefix}{part}", str(words)


def _blanks(prefix: str, components: Sequence[Mapping[str, Any]]) -> Iterator[Blank]:
    for part, words in _words(prefix, components):
        yield from (Blank(part, name) for name in _names(words))
    offer: Mapping[str, Any] = next((one["limited_time_offer"] for one in components if _type(one) == "limited_time_offer"), {})
    if offer.get("has_expiration"):
        yield Blank("limited_time_offer", "1", "moment")
    for place, button in enumerate(_buttons(components)):
        if _type(button) == "copy_code":
            yield Blank(f"{prefix}button:{place}:copy_code", "1", "code")
        elif not _is_code(button):
            yield from (Blank(f"{prefix}button:{place}", name) for name in _names(str(button.get("url", ""))))


def _foreign(components: Sequence[Mapping[str, Any]]) -> list[str]:
    """The parts that the hub cannot fill."""
    formats = [str(one.get("format", "text")).lower() for one in components if _type(one) == "header"]
    return [
        *(kind for one in components if (kind := _type(one)) not in COMPONENTS),
        *(kind for one in _buttons(components) if (kind := _type(one)) not in BUTTONS),
        *(kind for kind in formats if kind not in ("text", "location", *FILES)),
    ]


def _is_code(button: Mapping[str, Any]) -> bool:
    """A button that copies a one-time code: in the provider's list it is an address with the code at its end."""
    return _type(button) == "otp" or "/otp/code/" in str(button.get("url", ""))


def _type(component: Mapping[str, Any]) -> str:
    return str(component.get("type", "")).lower()


def _buttons(components: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [button for one in components if _type(one) == "buttons" for button in _objects(one, "buttons")]


def _objects(component: Mapping[str, Any], name: str) -> list[Any]:
    found = component.get(name)
    return [one for one in found if isinstance(one, (dict, list))] if isinstance(found, list) else []


def _names(words: str) -> list[str]:
    """Blanks by number in the order of their numbers, by name in the order in which they stand."""
    names = list(dict.fromkeys(BLANK.findall(words)))
    return sorted(names, key=int) if all(name.isdigit() for name in names) else names


def fill(wording: Wording, values: Sequence[str], zone: ZoneInfo) -> tuple[dict[str, tuple[str, ...]], str]:
    """What is sent for each key, and how the message reads. Moments are in `zone`. InvalidInput when a blank stays open or holds no
    moment."""
    values = [value.strip() for value in values]
    if len(values) != len(wording.blanks) or not all(0 < len(value) <= LONGEST for value in values):
        raise InvalidInput("a blank of the template is open", field="parameters")
    filled = dict(zip(wording.blanks, values, strict=True))
    parameters: dict[str, list[str]] = defaultdict(list)
    for blank, value in filled.items():
        parameters[blank.key].append(_moment(value, zone) if blank.sort == "moment" else value)
    parameters |= {button: parameters["body"][:1] for button in wording.codes} | {key: [label] for key, label in wording.answers}
    read = [
        BLANK.sub(lambda found, part=part: filled[Blank(part, found[1])], words)  # type: ignore[misc]
        for face in (wording.face, *wording.cards)
        for part, words in face.words
    ]
    return {key: tuple(found) for key, found in parameters.items()}, "\n\n".join(read)


def _moment(value: str, zone: ZoneInfo) -> str:
    """Milliseconds since 1970."""
    return str(int(read_local(value, zone).timestamp()) * 1000)
