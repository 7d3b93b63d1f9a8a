"""What goes over the wire: JSON, times and lengths as Telegram counts them."""

import json
import re
from typing import Any, Final

from hub.core import clock

Json = dict[str, Any]

TOKEN: Final = re.compile(r"([1-9][0-9]{0,19}):[A-Za-z0-9_-]{20,100}")


def unix_now() -> int:
    return int(clock.now().timestamp())


def utf16(text: str) -> int:
    """The length that Telegram counts: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def dump(value: object) -> str:
    """JSON as it goes over the wire: no spaces, letters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def present(**values: object) -> Json:
    """Only what has a value: Telegram leaves out what it does not know."""
    return {name: value for name, value in values.items() if value not in (None, "", [])}
