"""An invented number behind 360dialog and the signing of its requests: what the conformance suite cannot read from the JSON files
beside. `docs/connectors.md` describes the files. What is different at Meta stands in `tests/connectors/test_whatsapp.py`.
"""

import hashlib
import hmac
from typing import Final

from hub.connectors.contract import RawRequest

SETTINGS: Final = {
    "api_key": "sampleKeyOfANumber_0123456789AK",
    "platform_secret": "sample-platform-secret-77c1",
    "graph_version": "v26.0",
    "list_button": "Auswählen",
}
OWN_ID: Final = "104558822731906"
SECRETS: Final = ("S3cr_t-Header_9f2c7a", "S3cr_t-Header_before")
"""The newest first; the second is still accepted while requests with it may be under way."""

EXEMPT: Final = {
    "verify:old": "neither 360dialog nor Meta puts a time into what is signed",
}
"""Checks of the suite that cannot apply to WhatsApp, and why."""


def sign(body: bytes, secret: str) -> RawRequest:
    """The request as 360dialog sends it: with the header that was registered, and its signature over the body."""
    signature = hmac.new(SETTINGS["platform_secret"].encode(), body, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "x-hub-token": secret, "x-360dialog-signature": signature}
    return RawRequest("POST", headers, body)
