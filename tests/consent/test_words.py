"""Opt-out words (R-223): whole messages in German and English."""

import pytest

from hub.consent.agreeing.words import is_opt_out


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        "stopp",
        "Stopp!",
        "  Stop.  ",
        "„Stopp“",
        "/stop",
        "/stop@muster_optik_bot",
        "ＳＴＯＰ",
        "Abmelden",
        "ABBESTELLEN",
        "Keine Werbung mehr!!",
        "unsubscribe",
        "Opt-out",
        "STOP 🛑",
    ],
)
def test_a_whole_message_says_stop(text: str) -> None:
    assert is_opt_out(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Stopp, ich habe noch eine Frage",
        "Bitte stoppen Sie die Lieferung",
        "Wo kann ich mich abmelden?",
        "Nonstop",
        "/stopp_ab_wann",
        "Ende",
        "stop " * 50,
        "🛑",
    ],
)
def test_anything_else_does_not(text: str) -> None:
    assert not is_opt_out(text)
