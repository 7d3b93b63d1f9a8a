"""An invented account of Instagram's own login, its app, and the signing of Meta's requests: what the conformance suite cannot read
from the JSON files beside.

`<name>.json` is one request body from Meta, `<name>.events.json` what it means; the tables hold our requests with the answers to
them. `docs/connectors.md` describes the files.
"""

import hashlib
import hmac
from typing import Final

from hub.connectors.contract import RawRequest

SETTINGS: Final = {
    "app_id": "990017744120055",
    "app_secret": "5f4dcc3b5aa765d61d8327deb882cf99",
    "access_token": "IGAAsampleTokenOfAnAccountNotReal0123456789",
}
OWN_ID: Final = "17841455900412287"
SIGNED_WITH: Final = "app_secret"
SECRETS: Final = ("5f4dcc3b5aa765d61d8327deb882cf99", "0cc175b9c0f1b6a831c399e269772661")
"""Secrets of the app; only the one of the form counts."""

EXEMPT: Final = {
    "verify:rotation": "Meta signs with the app's secret, of which there is one: a new one ends the old",
    "verify:old": "Meta signs the body and no time: a delivery may be repeated for 36 hours",
}
"""Checks of the suite that cannot apply to Instagram, and why."""


def sign(body: bytes, secret: str) -> RawRequest:
    """The request as Meta sends it for an app with this secret."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "user-agent": "facebookexternalua", "facebook-api-version": "v26.0"}
    return RawRequest("POST", {**headers, "x-hub-signature-256": f"sha256={digest}"}, body)
