"""Reading JSON of which nothing is certain: whatever is not as documented counts as absent, so that it costs nobody a message."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, Final

import orjson

Json = dict[str, Any]

LATEST: Final = 253_402_300_799
"""31 December 9999, the last second Python can name."""
MILLISECONDS: Final = 10**12
"""From here on a time counts milliseconds: some have been seen (provider file, 4)."""


def read_json(body: bytes) -> Any:
    """JSON as Meta may send it. Half of a surrogate pair, written as an escape, is refused by the fast reader and taken by the
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


def an_id(value: object, name: str) -> str:
    """A field that is a text or a whole number: ids are both (provider file, 7)."""
    found = value.get(name) if isinstance(value, dict) else None
    return str(found) if type(found) is int and abs(found) < 2**63 else found if isinstance(found, str) else ""


def a_number(value: Json, name: str) -> float | None:
    """A field that is a number; 0 is one."""
    found = value.get(name)
    return float(found) if type(found) is float or (type(found) is int and abs(found) < 2**53) else None


def a_moment(value: Json, name: str, otherwise: datetime) -> datetime:
    """Seconds since 1970 as a number or a text of digits; without a time inside the calendar what it would be `otherwise`."""
    found = value.get(name)
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) < 20:
        found = int(found)
    if type(found) is not int or found <= 0:
        return otherwise
    seconds = found / 1000 if found >= MILLISECONDS else found
    return datetime.fromtimestamp(seconds, UTC) if seconds <= LATEST else otherwise


def fingerprint(*parts: object) -> str:
    """A short name of something that has no id of its own: the same thing has the same name."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()
