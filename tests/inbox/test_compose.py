"""What is typed, what is sent, and back again for changing it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.connectors.contract import Capabilities
from hub.connectors.events import Album, Card, Cards, Choice, Location, Media, Option, Slot, Span, Text, TimeChoice
from hub.core.errors import InvalidInput
from hub.inbox.content import read_part, store_part
from hub.inbox.sending.compose import DraftCard, Times, compose, read_text, write_text
from tests.probe import probe

RICH = replace(probe.capabilities, styles=frozenset({"bold", "italic", "strike", "code"}))
PLAIN = replace(probe.capabilities, styles=frozenset())


def spans(text: Text) -> list[tuple[str, str]]:
    return [(span.style, text.text[span.start : span.end]) for span in text.spans]


@pytest.mark.parametrize(
    ("typed", "plain", "formatted"),
    [
        ("Das ist *fett* hier", "Das ist fett hier", [("bold", "fett")]),
        ("*fett* und _kursiv_", "fett und kursiv", [("bold", "fett"), ("italic", "kursiv")]),
        ("*fett und _kursiv_*", "fett und kursiv", [("bold", "fett und kursiv"), ("italic", "kursiv")]),
        ("*_beides_*", "beides", [("bold", "beides"), ("italic", "beides")]),
        ("(*fett*), _kursiv_!", "(fett), kursiv!", [("bold", "fett"), ("italic", "kursiv")]),
        ("`*roh*`", "*roh*", [("code", "*roh*")]),
        ("👍🏽 ~alt~", "👍🏽 alt", [("strike", "alt")]),
        ("2*3*4", "2*3*4", []),
        ("datei_name_neu.txt", "datei_name_neu.txt", []),
        ("* kein Fett *", "* kein Fett *", []),
        ("**", "**", []),
        ("*zwei\nZeilen*", "*zwei\nZeilen*", []),
        ("Preis: 5*, 6*", "Preis: 5*, 6*", []),
    ],
)
def test_marks_count_at_the_border_of_words(typed: str, plain: str, formatted: list[tuple[str, str]]) -> None:
    """Issue 3.2: formatting is typed as people know it, and everything else stays what it is."""
    read = read_text(RICH, typed)
    assert (read.text, spans(read)) == (plain, formatted)


def test_a_messenger_without_formatting_gets_what_was_typed() -> None:
    assert read_text(PLAIN, "*fett*") == Text(text="*fett*")
    assert read_text(probe.capabilities, "~alt~ *neu*") == Text(text="~alt~ neu", spans=(Span(start=6, end=9, style="bold"),))


TYPED = st.text(alphabet="ab *_~`\n.👍", max_size=24)


@given(TYPED)
def test_what_is_changed_is_what_was_typed(typed: str) -> None:
    """A message that is opened for changing shows the marks it was written with, and sends the same when nothing is changed."""
    read = read_text(RICH, typed)
    assert write_text(read) == typed
    assert read_text(RICH, write_text(read)) == read


@given(TYPED)
def test_formatting_stays_inside_the_text(typed: str) -> None:
    read = read_text(RICH, typed)
    assert all(0 <= span.start < span.end <= len(read.text) for span in read.spans)


SOONER = datetime(2026, 12, 1, 9, tzinfo=UTC)
LATER = SOONER + timedelta(hours=1)
IMAGE = Media(kind="image", ref="0" * 32, mime="image/png", name="a.png", size=10)
PLACE = Location(latitude=47.5, longitude=9.7, title="Werkstatt", address="Hafenplatz 3")


@pytest.mark.parametrize(
    ("content", "args"),
    [
        (Text(text="Hallo"), ("Hallo", [], [], None)),
        (replace(IMAGE, caption=Text(text="Da")), ("Da", [IMAGE], [], None)),
        (IMAGE, ("", [IMAGE], [], None)),
        (Album(items=(IMAGE, IMAGE), caption=None), ("", [IMAGE, IMAGE], [], None)),
        (PLACE, ("", [], [], PLACE)),
        (Choice(text=Text(text="Wann?"), options=(Option(id="1", label="Heute"),)), ("Wann?", [], [" Heute ", ""], None)),
    ],
)
def test_one_content_comes_out(content: Any, args: tuple[Any, ...]) -> None:
    """And it is kept so that the same leaves."""
    composed = compose(RICH, *args)
    assert composed == content
    kept = store_part(composed)
    assert read_part(kept.text, kept.content, {IMAGE.ref: IMAGE}) == content


def test_times_are_numbered_in_their_order() -> None:
    composed = compose(RICH, "Wann?", [], [], None, times=Times(" Termin ", [LATER, SOONER], 45))
    slots = (Slot(id="1", start=SOONER, minutes=45), Slot(id="2", start=LATER, minutes=45))
    assert composed == TimeChoice(text=Text(text="Wann?"), event_title="Termin", slots=slots)
    kept = store_part(composed)
    assert read_part(kept.text, kept.content, {}) == composed


def test_cards_go_behind_the_words_and_keep_their_pictures() -> None:
    drafts = [DraftCard("A", "Text", None, ["Ja", ""]), DraftCard(" B ", "", UUID(hex=IMAGE.ref), [])]
    composed = compose(RICH, "Hier:", [IMAGE], [], None, cards=drafts)
    first = Card(title="A", text="Text", options=(Option(id="1.1", label="Ja"),))
    assert composed == Cards(text="Hier:", items=(first, Card(title="B", media=IMAGE)))
    kept = store_part(composed)
    assert read_part(kept.text, kept.content, {IMAGE.ref: IMAGE}) == composed


@pytest.mark.parametrize(
    ("more", "files", "field"),
    [
        ({"times": Times("", [], 30)}, [], "slots"),
        ({"times": Times("", [SOONER, SOONER], 30)}, [], "slots"),
        ({"times": Times("", [SOONER], 30), "cards": [DraftCard("A", "x", None, [])]}, [], "files"),
        ({"times": Times("", [SOONER], 30)}, [IMAGE], "files"),
        ({"cards": [DraftCard("", "x", None, [])]}, [], "cards"),
        ({"cards": [DraftCard("A", "", None, [])]}, [], "cards"),
        ({"cards": [DraftCard("A", "x" * 101, None, [])]}, [], "cards"),
        ({"cards": [DraftCard("A", "x", None, [])] * 4}, [], "cards"),
        ({"cards": [DraftCard("A", "x", None, ["1", "2", "3"])]}, [], "card_options"),
        ({"cards": [DraftCard("A", "x", None, [])]}, [IMAGE], "card_files"),
    ],
)
def test_frames_that_cannot_be_expressed_name_their_field(more: Any, files: list[Media], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        compose(RICH, "Text", files, [], None, **more)
    assert refused.value.values["field"] == field


@pytest.mark.parametrize("more", [{"times": Times("", [SOONER], 30)}, {"cards": [DraftCard("A", "x", None, [])]}])
def test_frames_are_for_messengers_that_have_them(more: Any) -> None:
    with pytest.raises(InvalidInput):
        compose(replace(RICH, times=False, cards=None), "Text", [], [], None, **more)


@pytest.mark.parametrize(
    ("capabilities", "args", "field"),
    [
        (RICH, ("", [IMAGE], ["Ja"], None), "files"),
        (RICH, ("Text", [], [], PLACE), "location"),
        (replace(RICH, location=False), ("", [], [], PLACE), "location"),
        (replace(RICH, media={}), ("", [IMAGE], [], None), "files"),
        (replace(RICH, choice=None), ("Wann?", [], ["Heute"], None), "options"),
        (RICH, ("", [], ["Heute"], None), "options"),
        (RICH, ("Wann?", [], ["Heute", "Heute"], None), "options"),
        (RICH, ("Wann?", [], ["a", "b", "c", "d"], None), "options"),
        (RICH, ("Wann?", [], ["x" * 21], None), "options"),
    ],
)
def test_what_cannot_be_expressed_names_its_field(capabilities: Capabilities, args: tuple[Any, ...], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        compose(capabilities, *args)
    assert refused.value.values["field"] == field
