"""Passwords: argon2id, and which ones are taken (R-033).

One hash costs about 100 ms and 64 MiB, so at most two are computed at once, in threads of their own. Passwords are compared in
Unicode's form NFKC: the same letters typed on two systems are the same password.
"""

import asyncio
import re
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from hub.core.errors import InvalidInput

MINIMUM_LENGTH: Final = 12
MAXIMUM_LENGTH: Final = 1000
VARIETY: Final = 5
"""So many different characters must be left once the person's own words and the common ones are cut out."""
COMMON: Final = (
    "passwort", "password", "kennwort", "geheim", "willkommen", "welcome", "hallo", "hello", "qwertz", "qwerty",
    "asdfgh", "yxcvbn", "zxcvbn", "letmein", "admin", "sommer", "summer", "winter", "frühling", "herbst", "schatz",
    "iloveyou", "ichliebedich", "fußball", "fussball", "football", "computer", "internet", "messenger",
    "1234567890", "123456789", "12345678", "1234567", "123456", "12345", "1234", "0987654321", "987654321",
    "abcdef", "abc", "2023", "2024", "2025", "2026", "2027",
)  # fmt: skip

_HASHER = PasswordHasher()  # argon2id with RFC 9106's second recommended set: 64 MiB, 3 passes, 4 lanes
_WORKERS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")

T = TypeVar("T")


class WeakPassword(InvalidInput):
    """Not taken as a new password. `reason` in values: too_short, too_long, personal, common."""

    code = "weak_password"


def check_new(password: str, *, email: str, name: str) -> None:
    """Raise WeakPassword unless a person of this e-mail and name may choose `password`."""
    password = _normal(password)
    if len(password) < MINIMUM_LENGTH:
        raise WeakPassword(reason="too_short", minimum=MINIMUM_LENGTH)
    if len(password) > MAXIMUM_LENGTH:
        raise WeakPassword(reason="too_long", minimum=MINIMUM_LENGTH)
    own = [word for word in re.split(r"[\W_]+", f"{email} {name}".casefold()) if len(word) > 2]
    if _variety(password, own) < VARIETY <= _variety(password, ()):
        raise WeakPassword(reason="personal", minimum=MINIMUM_LENGTH)
    if _variety(password, (*own, *COMMON)) < VARIETY:
        raise WeakPassword(reason="common", minimum=MINIMUM_LENGTH)


async def hash_password(password: str) -> str:
    """The encoded argon2id hash to store."""
    return await _in_worker(lambda: _HASHER.hash(_normal(password)))


async def verify(stored: str | None, password: str) -> bool:
    """Whether `password` is the one behind `stored`. None (nobody has that e-mail, or no password yet) takes as long: False."""
    return await _in_worker(lambda: _verify(stored, password))


def outdated(stored: str) -> bool:
    """Whether a hash was made with weaker parameters than today's: to be replaced at the next log-in."""
    return _HASHER.check_needs_rehash(stored)


def _verify(stored: str | None, password: str) -> bool:
    if len(password) > MAXIMUM_LENGTH:
        return False
    try:
        _HASHER.verify(stored or _nobody(), _normal(password))
    except VerifyMismatchError:
        return False
    return stored is not None


@cache
def _nobody() -> str:
    """A hash for e-mails that nobody has, so that the answer takes the same time."""
    return _HASHER.hash("the password of nobody")


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _variety(password: str, words: Iterable[str]) -> int:
    """How many different characters are left without these words and without spaces."""
    text = password.casefold()
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "")
    return len(set(text) - set(" "))


async def _in_worker(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_WORKERS, work)
