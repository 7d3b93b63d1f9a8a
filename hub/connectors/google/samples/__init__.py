"""An invented agent with a key of its own. The files beside are described in `docs/connectors.md`."""

import base64
import hashlib
import hmac
import json
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hub.connectors.contract import RawRequest

_KEY: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE_KEY: Final = _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

SETTINGS: Final = {
    "agent_id": "hub_demo_a1b2c3d4_agent",
    "service_account": json.dumps(
        {"type": "service_account", "client_email": "hub@rbm-hub-demo.example", "private_key_id": "k1", "private_key": PRIVATE_KEY}
    ),
    "client_token": "HUBCLIENTTOKEN01",
    "region": "https://rbm.example",
    "access_token": "ya29.sample-access-token",
}
OWN_ID: Final = "hub_demo_a1b2c3d4_agent"
SECRETS: Final = ("HUBCLIENTTOKEN01", "HUBCLIENTTOKEN00")
SIGNED_WITH: Final = "client_token"

EXEMPT: Final = {
    "verify:old": "Google repeats a delivery for seven days with the same signature, which covers no time of sending",
    "verify:rotation": "an agent has the one client token that stands in the form",
}


def sign(body: bytes, secret: str) -> RawRequest:
    """The request as Google sends it: signed over what the envelope holds."""
    try:
        data = base64.b64decode(json.loads(body)["message"]["data"])
    except (ValueError, KeyError, TypeError, RecursionError):
        data = body
    digest = base64.b64encode(hmac.new(secret.encode("utf-8"), data, hashlib.sha512).digest()).decode()
    return RawRequest("POST", {"content-type": "application/json", "x-goog-signature": digest}, body)
