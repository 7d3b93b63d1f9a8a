"""Words by which a person says what they want (R-223, R-227): only a whole message counts, in German and English.

"Stopp!" is an opt-out, "Stopp, ich habe noch eine Frage" is not. A wrong guess costs either a customer who is written to against
their will or one who gets no answer, so the lists hold only what hardly anybody writes for another reason. Stopping one purpose is
one of STOPS before or behind what the purpose is called: STOPP RADPOST, Newsletter abbestellen.
"""

import unicodedata
from typing import Final

OPT_OUT: Final = frozenset(
    {
        "stop",
        "stopp",
        "stop all",
        "stopall",
        "alles stoppen",
        "abmelden",
        "abbestellen",
        "austragen",
        "keine werbung",
        "keine werbung mehr",
        "keine nachrichten mehr",
        "unsubscribe",
        "opt out",
        "optout",
        "no more messages",
    }
)
STOPS: Final = ("stop", "stopp", "abmelden", "abbestellen", "austragen", "unsubscribe")
YES: Final = frozenset({"ja", "yes"})
OWN_DATA: Final = {"meine daten": "de", "my data": "en"}
"""Asks for the page of one's own choices; in which language."""
LONGEST: Final = 80
"""Characters beyond which a message is certainly more than one of these words."""


def plain(text: str) -> str:
    """A message as words are compared: case, width, punctuation and spaces around and between words do not matter; a command to a
    bot (`/stop`, `/stop@muster_optik_bot`, telegram.md 11) is its word. Empty for what is certainly more than a few words."""
    if len(text) > LONGEST:
        return ""
    folded = unicodedata.normalize("NFKC", text).casefold().strip()
    if folded.startswith("/"):
        folded = folded[1:].partition("@")[0]
    return " ".join("".join(letter if letter.isalnum() else " " for letter in folded).split())


def is_opt_out(text: str) -> bool:
    """Whether the whole message says stop."""
    return plain(text) in OPT_OUT


def stopped_name(said: str) -> str:
    """What one of STOPS stands before or behind, in a message that went through `plain`: `stopp radpost` -> `radpost`; else
    empty."""
    for stop in STOPS:
        if said.startswith(f"{stop} "):
            return said.removeprefix(f"{stop} ")
        if said.endswith(f" {stop}"):
            return said.removesuffix(f" {stop}")
    return ""


def is_taken(said: str) -> bool:
    """Whether a word has a meaning of its own already, so that no flow can have it."""
    return said in OPT_OUT or said in YES or said in OWN_DATA or bool(stopped_name(said)) or said == "start"
