"""Words by which a person says stop (R-223): only a whole message counts, in German and English.

"Stopp!" is an opt-out, "Stopp, ich habe noch eine Frage" is not. A wrong guess costs either a customer who is written to against
their will or one who gets no answer, so the list holds only what hardly anybody writes for another reason.
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
LONGEST: Final = 80
"""Characters beyond which a message is certainly more than one of these words."""


def is_opt_out(text: str) -> bool:
    """Whether the whole message says stop. Case, width, punctuation and spaces around and between words do not matter; a command
    to a bot (`/stop`, `/stop@muster_optik_bot`, telegram.md 11) counts as its word."""
    if len(text) > LONGEST:
        return False
    plain = unicodedata.normalize("NFKC", text).casefold().strip()
    if plain.startswith("/"):
        plain = plain[1:].partition("@")[0]
    words = "".join(letter if letter.isalnum() else " " for letter in plain).split()
    return " ".join(words) in OPT_OUT
