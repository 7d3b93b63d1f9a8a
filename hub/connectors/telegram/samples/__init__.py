"""An invented account and the signing of its requests: what the conformance suite cannot read from the JSON files beside.

`<name>.json` is one request body from Telegram, `<name>.events.json` what it means; `outbound.table.json` and `setup.table.json`
hold our requests with the answers to them. `docs/connectors.md` describes the files.
"""

from typing import Final

from hub.connectors.contract import RawRequest

SETTINGS: Final = {"bot_token": "7012345678:AAE-sample_token_of_a_bot_not_real"}
OWN_ID: Final = "7012345678"
SECRETS: Final = ("S3cr_t-Token_9f2c7a", "S3cr_t-Token_before")
"""The newest first; the second is still accepted while requests with it may be under way."""

EXEMPT: Final = {
    "verify:changed": "Telegram sends a shared secret, not a signature: nothing in the request covers the body",
    "verify:old": "Telegram's requests carry no time that is covered by the secret",
}
"""Checks of the suite that cannot apply to Telegram, and why."""


def sign(body: bytes, secret: str) -> RawRequest:
    """The request as Telegram sends it with this webhook secret."""
    return RawRequest("POST", {"content-type": "application/json", "x-telegram-bot-api-secret-token": secret}, body)
