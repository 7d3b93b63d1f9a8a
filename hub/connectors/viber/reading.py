"""Reading JSON of which nothing is certain. What gives an event its place must be there and of the right type; everything beside
that counts as absent when it is not as documented."""

from datetime import UTC, datetime
from typing import Any, Final

import orjson

from hub.connectors.errors import MalformedPayload

Json = dict[str, Any]
LATEST: Final = 253_402_300_799_000
"""Milliseconds: 31 December 9999, the last second Python can name."""
LONGEST_USER: Final = 200


def read_json(body: bytes) -> Json:
    """Raises MalformedPayload. Integers are exact to 64 bits: a message token is larger than what a float holds (provider file,
    A3)."""
    try:
        value = orjson.loads(body)
    except ValueError as error:
        raise MalformedPayload("not JSON") from error
    if not isinstance(value, dict):
        raise MalformedPayload("not an object")
    return value


def need_token(value: Json) -> str:
    """A message token, written in digits: it comes as a number and as a text. Raises MalformedPayload."""
    token = a_token(value)
    if not token:
        raise MalformedPayload("message_token is not a 64-bit integer")
    return token


def a_token(value: Json) -> str:
    """A message token, empty where there is none."""
    found = value.get("message_token")
    if type(found) is int and 0 < found < 2**64:
        return str(found)
    return found if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) <= 20 else ""


def need_user(user: object) -> str:
    """A user's id: Base64 with its own capital letters. Raises MalformedPayload."""
    if not isinstance(user, str) or not 0 < len(user) <= LONGEST_USER or not user.isprintable() or " " in user:
        raise MalformedPayload("no user")
    return user


def need_moment(value: Json) -> datetime:
    """`timestamp` in milliseconds. Raises MalformedPayload."""
    found = value.get("timestamp")
    if type(found) is not int or not 0 <= found <= LATEST:
        raise MalformedPayload("timestamp is not a time")
    return datetime.fromtimestamp(found / 1000, UTC)


def an_object(value: Json, name: str) -> Json:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def a_text(value: Json, name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def a_count(value: Json, name: str) -> int | None:
    """A number of bytes or seconds, as far as a column of 32 bits holds it."""
    found = value.get(name)
    return found if type(found) is int and 0 <= found < 2**31 else None


def a_number(value: Json, name: str) -> float | None:
    """A coordinate, which comes as a number and as a text."""
    found: Any = value.get(name)
    if isinstance(found, str) and len(found) < 40:
        try:
            found = float(found)
        except ValueError:
            return None
    return float(found) if type(found) in (int, float) and abs(found) < 1000 else None
