"""Reading JSON of which nothing is certain.

Everything counts as absent when it is not as documented: a new form of one field costs nobody a message.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

Json = dict[str, Any]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = 253_402_300_799_999
"""Milliseconds up to the end of 9999, the last Python can name."""
FIRST_MILLISECONDS: Final = 100_000_000_000
"""Numbers from here on are milliseconds (March 1973), below it seconds (up to the year 5138): both have been seen (messenger.md,
3)."""
LONGEST_ID: Final = 1024
"""Message ids of Instagram have 300 characters and more; they become parts of keys."""


def read_json(body: bytes) -> Any:
    """Half of a surrogate pair, written as an escape, is refused by the fast reader and taken by the standard one: a broken emoji
    costs nobody a message. Raises ValueError."""
    try:
        return orjson.loads(body)
    except ValueError:
        if rb"\u" not in body:
            raise
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("nested too deep") from None


def an_object(value: object, name: str) -> Json:
    """A field that is an object, else an empty one."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def objects(value: object, name: str) -> list[Json]:
    """The objects of a field that is a list."""
    found = value.get(name) if isinstance(value, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def texts(value: object, name: str) -> list[str]:
    """The texts of a field that is a list."""
    found = value.get(name) if isinstance(value, dict) else None
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def a_text(value: object, name: str) -> str:
    """A field that is a text, else an empty one."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def an_id(value: object, name: str) -> str:
    """An id, which Meta writes as text or as number; empty where there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    if type(found) is int:
        return str(found) if 0 < found < 2**64 else ""
    return found if isinstance(found, str) and len(found) <= LONGEST_ID else ""


def moment(value: object) -> datetime | None:
    """Milliseconds or seconds since 1970, as number or as text, or a time in ISO 8601; None for anything else."""
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) < 20):
            return _iso(value)
        value = int(value)
    if type(value) is not int or value <= 0:
        return None
    milliseconds = value if value >= FIRST_MILLISECONDS else value * 1000
    return EPOCH + timedelta(milliseconds=milliseconds) if milliseconds <= LATEST else None


def _iso(value: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def words(value: object, names: Iterable[str]) -> str:
    """What these fields say, with spaces between."""
    return " ".join(word for name in names if (word := a_text(value, name)))
