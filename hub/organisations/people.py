"""Names and e-mail addresses of persons as they are typed: cleaned, checked, flagged when they name a desk and no person."""

import re
from typing import Final

from hub.core.errors import InvalidInput

NAME_LENGTH: Final = 120
EMAIL_LENGTH: Final = 254
_EMAIL: Final = re.compile(r"[^\s@<>\"(),:;\\]+@[^\s@<>\"(),:;\\]+\.[^\s@<>\"(),:;\\.]{2,}")
_DESKS: Final = frozenset(
    {
        "admin",
        "buchhaltung",
        "einkauf",
        "empfang",
        "hallo",
        "hello",
        "help",
        "hilfe",
        "info",
        "kontakt",
        "contact",
        "mail",
        "office",
    }
    | {"post", "rechnung", "sales", "service", "shop", "support", "team", "verkauf", "vertrieb", "webmaster", "zentrale", "buero"}
)


def clean_email(typed: str) -> str:
    """The address in lower case, as it is stored and compared. Raises InvalidInput(field="email")."""
    email = typed.strip().lower()
    if len(email) > EMAIL_LENGTH or not _EMAIL.fullmatch(email):
        raise InvalidInput("not an e-mail address", field="email")
    return email


def clean_name(typed: str) -> str:
    """A person's or organisation's name without stray white space. Raises InvalidInput(field="name")."""
    name = " ".join("".join(letter if letter.isprintable() else " " for letter in typed).split())
    if not 0 < len(name) <= NAME_LENGTH:
        raise InvalidInput(f"a name has 1 to {NAME_LENGTH} characters", field="name")
    return name


def is_generic_email(email: str) -> bool:
    """Whether an address names a desk (`team@`), where R-027 wants one person per account: flagged, not refused."""
    return email.partition("@")[0] in _DESKS
