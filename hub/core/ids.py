"""Ids: UUIDv7 made here, shown as prefix + base32 (`msg_01j…`).

An id is never used for order between processes and never as a cursor: two machines' clocks differ.
"""

import os
from collections.abc import Callable
from uuid import UUID

from hub.core import clock
from hub.core.errors import NotFound

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base32, lower case
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
"""Ten bits at once: ids are shown several times for each webhook."""
_SHIFTS = range(120, -10, -10)
_VALUE = {letter: number for number, letter in enumerate(_ALPHABET)}
_SHOWN_LENGTH = 26

_random: Callable[[int], bytes] = os.urandom


def set_random(source: Callable[[int], bytes] | None) -> None:
    """Replace the source of randomness; None gives the system's back. For tests that need the same ids twice."""
    global _random
    _random = source or os.urandom


def new_id() -> UUID:
    """A new UUIDv7 (RFC 9562): 48 bits of milliseconds from the clock, 74 random bits."""
    milliseconds = int(clock.now().timestamp() * 1000)
    value = milliseconds << 80 | int.from_bytes(_random(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def show(prefix: str, value: UUID) -> str:
    """`show("msg", id)` -> `msg_` + 26 letters: how an id appears in addresses, pages and the API."""
    number = value.int
    return f"{prefix}_{''.join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])}"


def read(prefix: str, shown: str) -> UUID:
    """The id behind a shown one. NotFound for anything else: a wrong id and a foreign one look alike."""
    head, _, letters = shown.partition("_")
    if head != prefix or len(letters) != _SHOWN_LENGTH or letters[0] > "7":
        raise NotFound(f"not a {prefix} id")
    number = 0
    for letter in letters:
        digit = _VALUE.get(letter)
        if digit is None:
            raise NotFound(f"not a {prefix} id")
        number = number << 5 | digit
    return UUID(int=number)
