"""An invented app and account. The files beside are described in `docs/connectors.md`."""

import base64
import hashlib
import hmac
from typing import Final

from hub.connectors.contract import RawRequest

SETTINGS: Final = {
    "api_key": "sample-api-key-0001",
    "api_secret": "hub-consumer-secret-0001",
    "bearer_token": "AAAA-sample-bearer-token",
    "client_id": "sample-client-id",
    "client_secret": "sample-client-secret",
    "refresh_token": "sample-refresh-token-1",
    "access_token": "sample-access-token-1",
    "base_url": "https://x.example",
}
OWN_ID: Final = "1700000000000000001"
SECRETS: Final = ("hub-consumer-secret-0001", "hub-consumer-secret-0000")
SIGNED_WITH: Final = "api_secret"

EXEMPT: Final = {
    "verify:old": "X's signature covers the body alone; a replay that X itself makes comes hours later with the same one",
    "verify:rotation": "X signs with the app's one API secret, which stands in the form",
}


def sign(body: bytes, secret: str) -> RawRequest:
    """The request as X sends it."""
    digest = base64.b64encode(hmac.new(secret.encode("utf-8"), body, hashlib.sha256).digest()).decode()
    headers = {"content-type": "application/json", "x-twitter-webhooks-signature": f"sha256={digest}"}
    return RawRequest("POST", headers, body)
