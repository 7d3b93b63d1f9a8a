"""An invented account and the signing of its requests: what the conformance suite cannot read from the JSON files beside.

`<name>.json` is one callback from Viber, `<name>.events.json` what it means. `docs/connectors.md` describes the files.
"""

import hashlib
import hmac
from typing import Final

from hub.connectors.contract import RawRequest

SETTINGS: Final = {"auth_token": "4f6b1c2d3e4f5a60-7b8c9d0e1f2a3b4c-5d6e7f8091a2b3c4", "sender_name": "Muster Optik"}
OWN_ID: Final = "pa:75346594275468546724"
SECRETS: Final = ("4f6b1c2d3e4f5a60-7b8c9d0e1f2a3b4c-5d6e7f8091a2b3c4", "4f6b1c2d3e4f5a60-7b8c9d0e1f2a3b4c-before0091a2b3c4")
SIGNED_WITH: Final = "auth_token"

EXEMPT: Final = {
    "verify:old": "Viber's time is inside the message and it repeats a callback for an hour, so an old one is no sign of anything",
    "verify:rotation": "Viber signs with the bot's token, of which there is one",
    "outbound:statuses": "Viber answers refusals with 200 and says in the body what they are",
}
"""Checks of the suite that cannot apply to Viber, and why."""


def sign(body: bytes, secret: str) -> RawRequest:
    """The request as Viber sends it."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return RawRequest("POST", {"content-type": "application/json", "x-viber-content-signature": signature}, body)
