"""An invented chat and the signing of its bodies: what the conformance suite cannot read from the JSON files beside.

`<name>.json` is one body as `hub/webchat` writes it, `<name>.events.json` what it means. `docs/connectors.md` describes the files.
"""

import time
from typing import Final

from hub.connectors.contract import RawRequest
from hub.connectors.webchat import wire

SETTINGS: Final = {
    "title": "Radwerk Lindau",
    "origins": "https://www.radwerk.example\nhttps://radwerk.example",
    "privacy_url": "https://www.radwerk.example/datenschutz",
    "privacy_text": "Wir speichern Ihre Nachrichten, um Ihre Fragen zu beantworten.",
    "greeting": "Guten Tag. Was können wir für Sie tun?",
    "asks": "name_email",
    "accent": "#2c5a9e",
    "position": "right",
}
OWN_ID: Final = "chn_01j0000000e008000000000001"
SECRETS: Final = ("S3cret-of-the-webchat_9f2c7a", "S3cret-of-the-webchat_before")
"""The newest first; the second is still accepted while requests with it may be under way."""

EXEMPT: Final = {
    "outbound:requests": "the hub is its own provider: a recorded receipt puts a message into the visitor's box, nobody is asked",
    "setup:credentials": "there is no account at somebody else's and so nothing that could be refused",
}
"""Checks of the suite that cannot apply to the website chat, and why."""


def sign(body: bytes, secret: str) -> RawRequest:
    """The request as `hub/webchat` hands it to the door."""
    return _signed(body, wire.sign(body, secret))


def old() -> RawRequest:
    """A request that somebody kept and posts again much later."""
    body = b"{}"
    return _signed(body, wire.sign(body, SECRETS[0], at=int(time.time()) - wire.OLDEST_SECONDS - 60))


def _signed(body: bytes, signature: str) -> RawRequest:
    return RawRequest("POST", {"content-type": "application/json", wire.HEADER: signature}, body)
