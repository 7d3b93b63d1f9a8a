"""Reading JSON of which nothing is certain: what is not as documented counts as absent."""

import json
from typing import Any, Final

import orjson

Json = dict[str, Any]
LATEST_MS: Final = 253_402_300_799_999
"""The last millisecond Python can name."""


def read_json(body: bytes) -> Any:
    """JSON as Java writes it. Half of a surrogate pair, written as an escape, is refused by the fast reader and taken by the
    standard one: a broken emoji costs nobody a message. Raises ValueError."""
    try:
        return orjson.loads(body)
    except ValueError:  # no JSON, broken UTF-8, nested deeper than 1024
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


def a_text(value: object, name: str) -> str:
    """A field that is a text, else an empty one."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def a_count(value: object, name: str) -> int | None:
    """A number of bytes, seconds or pixels, as far as a column of 32 bits holds it."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if type(found) is int and 0 <= found < 2**31 else None


def a_timestamp(value: object, name: str) -> int:
    """Milliseconds since 1970, by which Signal names a message; 0 where there are none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if type(found) is int and 0 < found <= LATEST_MS else 0
