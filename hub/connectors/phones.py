"""A phone number as people type it -> its international form, which messengers share."""

import re
from typing import Final

_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")
"""E.164: at most 15 digits with the country's."""
_BETWEEN: Final = str.maketrans("", "", " \u00a0\u202f\t()-–/.")


def read_phone(typed: str) -> str:
    """`+49 (0)8382 555-0142`, `0049 8382 …` -> `+4983825550142`. Empty for what does not name its country: nobody can tell which
    one is meant."""
    digits = typed.replace("(0)", "").translate(_BETWEEN)
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    return digits if _NUMBER.fullmatch(digits) else ""
