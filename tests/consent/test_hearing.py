"""What a message asks for, against an organisation's own words. Pure (R-222, R-223, R-227)."""

from typing import Any
from uuid import UUID

import pytest

from hub.consent.agreeing import texts, words
from hub.consent.agreeing.addresses import clean_address
from hub.consent.agreeing.flows import Flow
from hub.consent.agreeing.hearing import Vocabulary, understand
from hub.consent.purposes import KnownPurpose, Wording
from hub.core.errors import InvalidInput

LETTER, ORDERS = UUID(int=1), UUID(int=2)
PURPOSES = {
    LETTER: KnownPurpose(
        LETTER,
        "newsletter",
        "marketing",
        1,
        {"de": Wording("Radpost", "Ja, Radpost."), "en": Wording("Bike letter", "Yes.")},
        False,
    ),
    ORDERS: KnownPurpose(
        ORDERS, "orders", "service", 1, {"de": Wording("Aufträge", "Ja."), "en": Wording("Orders", "Yes.")}, False
    ),
}
FLOW = Flow(UUID(int=9), "c7Yx2-Qk", UUID(int=8), "de", False, False, (PURPOSES[LETTER],), {"de": "radpost", "en": "bikes"}, {})
WORDS = Vocabulary((FLOW,), {"newsletter": LETTER, "radpost": LETTER, "bike letter": LETTER, "aufträge": ORDERS}, PURPOSES)


@pytest.mark.parametrize(
    ("text", "kind", "more"),
    [
        ("Stopp!", "stop", {}),
        ("STOP NEWSLETTER", "stop_purpose", {"purpose_id": LETTER}),
        ("Stopp  Radpost.", "stop_purpose", {"purpose_id": LETTER}),
        ("bike letter abbestellen", "stop_purpose", {"purpose_id": LETTER}),
        ("Radpost", "join", {"flow": FLOW, "language": "de"}),
        ("bikes", "join", {"flow": FLOW, "language": "en"}),
        ("JA", "yes", {}),
        ("Yes!", "yes", {}),
        ("Meine Daten", "own_data", {"language": "de"}),
        ("my data", "own_data", {"language": "en"}),
    ],
)
def test_a_whole_message_is_a_word(text: str, kind: str, more: dict[str, Any]) -> None:
    wish = understand(WORDS, text, None)
    assert wish is not None
    assert wish.kind == kind
    assert all(getattr(wish, name) == value for name, value in more.items())


@pytest.mark.parametrize(
    "text",
    ["Stopp, ich habe noch eine Frage", "stop hammertime", "Radpost finde ich gut", "ja gerne, um 9", "", "wo sind meine daten"],
)
def test_more_than_a_word_is_an_ordinary_message(text: str) -> None:
    assert understand(WORDS, text, None) is None


def test_only_the_payload_of_a_living_flow_is_a_link_of_ours() -> None:
    """Telegram's own start button, and a payload that somebody made up, begin anew and agree to nothing."""
    joined = understand(WORDS, "/start c7Yx2-Qk", "c7Yx2-Qk")
    assert joined is not None and joined.flow is FLOW
    for payload in ("", "made-up"):
        wish = understand(WORDS, f"/start {payload}", payload)
        assert wish is not None and (wish.kind, wish.flow) == ("restart", None)


@pytest.mark.parametrize("word", ["stop", "STOPP Radpost", "ja", "Meine Daten", "/start"])
def test_a_word_with_a_meaning_is_no_flows(word: str) -> None:
    assert words.is_taken(words.plain(word))


@pytest.mark.parametrize(
    ("messenger", "typed", "address"),
    [
        ("whatsapp", "+43 660 555 0172", "436605550172"),
        ("sms", "0043 (660) 555-0172", "+436605550172"),
        ("threema", " 4f7k9rtx ", "4F7K9RTX"),
        ("telegram", "5123456789", "5123456789"),
    ],
)
def test_an_address_is_as_its_messenger_knows_it(messenger: str, typed: str, address: str) -> None:
    assert clean_address(messenger, typed) == address


@pytest.mark.parametrize(
    ("messenger", "typed"), [("whatsapp", "0660 5550172"), ("sms", "+٤٣٦٦٠"), ("threema", "4F7K"), ("viber", " ")]
)
def test_what_cannot_be_an_address_is_refused(messenger: str, typed: str) -> None:
    """A number without its country cannot be completed without a guess."""
    with pytest.raises(InvalidInput):
        clean_address(messenger, typed)


def test_a_text_is_filled_and_is_no_program() -> None:
    said = "{organisation} {purpose.__class__} {nobody} {link}"
    assert texts.fill(said, organisation="{link}", link="x") == "{link} {purpose.__class__} {nobody} x"
