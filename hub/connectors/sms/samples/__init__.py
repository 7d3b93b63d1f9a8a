"""An invented account at an invented gateway. The files beside are described in `docs/connectors.md`."""

import hashlib
import hmac
from typing import Final

from hub.connectors.contract import RawRequest

SETTINGS: Final = {
    "sender": "+4915199000000",
    "send_url": "https://gateway.example/v1/messages",
    "authorization": "Bearer sample-key-of-a-gateway",
    "signing_secret": "sample-signing-secret-0001",
    "check_url": "https://gateway.example/v1/balance",
}
OWN_ID: Final = "+4915199000000"
SECRETS: Final = ("sample-signing-secret-0001", "sample-signing-secret-before")
SIGNED_WITH: Final = "signing_secret"

EXEMPT: Final = {
    "verify:old": "the signature covers the body alone: a gateway of its own choosing dates nothing",
    "verify:rotation": "the gateway signs with the one secret that stands in the form",
}


def sign(body: bytes, secret: str) -> RawRequest:
    """The request as the gateway sends it."""
    digest = hmac.new(secret.encode("utf-8"), body, hashlib.sha256).hexdigest()
    return RawRequest("POST", {"content-type": "application/json", "x-signature": f"sha256={digest}"}, body)
