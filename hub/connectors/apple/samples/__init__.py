"""An invented provider and business. The files beside are described in `docs/connectors.md`."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from typing import Final

from hub.connectors.contract import RawRequest

SECRETS: Final = ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=")
SETTINGS: Final = {
    "business_id": "0b6f2a54-7b1c-4c39-8f0d-2f3f1c9f0a77",
    "msp_id": "hub-msp-0001",
    "secret": SECRETS[0],
    "previous_secret": "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=",
    "base_url": "https://mspgw.example",
}
OWN_ID: Final = "0b6f2a54-7b1c-4c39-8f0d-2f3f1c9f0a77"
SIGNED_WITH: Final = "secret"

EXEMPT: Final = {
    "verify:changed": "Apple's token covers no body: a repetition is known by the id of its message",
    "verify:rotation": "the secret before the newest is a setting of its own (tests/connectors/test_apple.py)",
}


def sign(body: bytes, secret: str, age: float = 0) -> RawRequest:
    """The request as Apple sends it, `age` seconds ago."""
    try:
        key = base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        key = secret.encode()
    claims = {"aud": SETTINGS["msp_id"], "iat": int(time.time() - age)}
    parts = ".".join(_part(json.dumps(part, separators=(",", ":")).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    token = f"{parts}.{_part(hmac.new(key, parts.encode(), hashlib.sha256).digest())}"
    return RawRequest("POST", {"authorization": f"Bearer {token}", "content-type": "application/json"}, body)


def old() -> RawRequest:
    """A token of more than an hour ago."""
    return sign(b"{}", SECRETS[0], age=2 * 3600)


def _part(plain: bytes) -> str:
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()
