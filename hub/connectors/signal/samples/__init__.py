"""An invented account, reached by the daemon; the wrapper's tables stand in `tests/connectors/test_signal.py`.

`<name>.json` is one envelope as signal-cli hands it out, `<name>.events.json` what it means; `docs/connectors.md` describes them.
"""

from typing import Final

from hub.connectors.contract import RawRequest

SETTINGS: Final = {
    "road": "daemon",
    "base_url": "https://signal-cli.example",
    "number": "+4971311234567",
    "authorization": "Bearer sample-key-of-a-proxy",
}
OWN_ID: Final = "+4971311234567"
SECRETS: Final = ("sample-webhook-secret-0001", "sample-webhook-secret-before")

EXEMPT: Final = {
    "verify": "nobody delivers: what comes in is asked for, and every request to our address is refused",
}


def sign(body: bytes, secret: str) -> RawRequest:
    """As somebody might send it to our address."""
    return RawRequest("POST", {"content-type": "application/json"}, body)
