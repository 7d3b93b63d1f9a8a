"""Reading JSON of which nothing is certain.

What gives an update its place must be there and of the right type, else it is malformed. Everything beside that counts as absent
when it is not as documented: a new form of a name or a quotation costs nobody a message.
"""

import json
from collections.abc import Iterable
from typing import Any

import orjson

from hub.connectors.errors import MalformedPayload

Json = dict[str, Any]


def read_json(body: bytes) -> Any:
    """JSON as Telegram may send it. Half of a surrogate pair, written as an escape, is refused by the fast reader and taken by the
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


def need_object(value: Json, name: str) -> Json:
    """A field that must be an object. Raises MalformedPayload."""
    found = value.get(name)
    if not isinstance(found, dict):
        raise MalformedPayload(f"{name} is not an object")
    return found


def need_integer(value: Json, name: str) -> int:
    """An id or a time: exact, 64 bits with sign; larger numbers are not Telegram's (3). Raises MalformedPayload."""
    found = value.get(name)
    if type(found) is not int or not -(2**63) <= found < 2**63:
        raise MalformedPayload(f"{name} is not a 64-bit integer")
    return found


def an_object(value: object, name: str) -> Json:
    """A field that is an object, else an empty one."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def a_list(value: object, name: str) -> list[Any]:
    """A field that is a list, else an empty one."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def a_text(value: object, name: str) -> str:
    """A field that is a text, else an empty one."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def a_count(value: Json, name: str) -> int | None:
    """A number of bytes, seconds or pixels, as far as a column of 32 bits holds it."""
    found = value.get(name)
    return found if type(found) is int and 0 <= found < 2**31 else None


def words(value: object, names: Iterable[str]) -> str:
    """What these fields say, with spaces between."""
    return " ".join(word for name in names if (word := a_text(value, name)))
