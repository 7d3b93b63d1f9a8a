"""What `hub/webchat` tells the door about a visitor, byte for byte. The hub defines this format: there is no provider.

    {"kind": "message", "id": "…", "at": 1795510800123, "visitor": {"id", "name", "email", "language"}, "text": "…",
     "page": {"url", "title"}}
    {"kind": "file", …, "ref", "type", "name", "mime", "size"}
    {"kind": "press", …, "option", "label"}
    {"kind": "marks", …, "status": "delivered" | "read", "keys": […]}
    {"kind": "typing", …, "is_typing": true}

`at` is milliseconds since 1970 (UTC), when the hub heard of it. `id` is the widget's own for what a visitor sends, so a repetition
is the same thing. The signature covers time and body, as most providers' do, with the channel's webhook secret.
"""

import hmac
import time
from hashlib import sha256
from typing import Any, Final

import orjson

HEADER: Final = "x-hub-webchat-signature"
OLDEST_SECONDS: Final = 300
"""How old a signature may be; ours are made in the same second."""


def write_body(kind: str, *, id_: str, at: int, visitor: dict[str, str], **told: Any) -> bytes:
    """One thing a visitor did."""
    return orjson.dumps({"kind": kind, "id": id_, "at": at, "visitor": visitor, **told})


def sign(body: bytes, secret: str, *, at: int | None = None) -> str:
    """The signature of a body: `t=<seconds>,v1=<HMAC-SHA256 of "seconds.body" in hexadecimal>`."""
    at = int(time.time()) if at is None else at
    return f"t={at},v1={_mac(at, body, secret)}"


def is_signed(body: bytes, signature: str, secrets: tuple[str, ...]) -> bool:
    """Whether one of the secrets signed these bytes a moment ago. Every secret is tried, whichever fits."""
    stamp, _, given = signature.partition(",v1=")
    digits = stamp.removeprefix("t=")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 12) or abs(time.time() - int(digits)) > OLDEST_SECONDS:
        return False
    return any([hmac.compare_digest(given.encode(), _mac(int(digits), body, secret).encode()) for secret in secrets if secret])


def _mac(at: int, body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), b"%d." % at + body, sha256).hexdigest()


def message_key(visitor: str, id_: str) -> str:
    """The key of what a visitor sent."""
    return f"m:{visitor}:{id_}"


def id_of(key: str) -> str:
    """The widget's own id of what a visitor sent, from its key."""
    return key.split(":", 2)[-1]
