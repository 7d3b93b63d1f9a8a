"""Addresses as people write them, and as each messenger knows them. Pure.

Only some can be typed at all: on Telegram, Viber, Messenger, Instagram, X, Apple and in the website's chat a person has an id that
nobody knows before they write."""

import re
from typing import Final

from hub.connectors.phones import read_phone
from hub.core.errors import InvalidInput

NUMBERS: Final = {"whatsapp": "", "sms": "+", "google": "+", "signal": "+"}
"""Messengers whose addresses are telephone numbers in international form, and what stands before the digits."""
TYPED: Final = frozenset({*NUMBERS, "threema"})
LONGEST: Final = 200
_THREEMA_ID: Final = re.compile(r"[A-Z0-9]{8}")


def clean_address(messenger: str, typed: str) -> str:
    """The address as the messenger knows it. InvalidInput(field="address") for what cannot be one: a number without its country
    cannot be completed without a guess."""
    said = "".join(typed.split())
    if messenger in NUMBERS:
        phone = read_phone(typed)
        if not phone:
            raise InvalidInput("a number in international form, like +49 151 23456789", field="address", reason="number")
        return NUMBERS[messenger] + phone.removeprefix("+")
    if messenger == "threema":
        if not _THREEMA_ID.fullmatch(said.upper()):
            raise InvalidInput("a Threema ID has eight letters or digits", field="address", reason="threema")
        return said.upper()
    if not 0 < len(said) <= LONGEST or not said.isprintable():
        raise InvalidInput("an address as the messenger knows it", field="address", reason="address")
    return said
