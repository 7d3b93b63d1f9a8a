"""Whether Meta sent exactly these bytes, and whether it may deliver to our address (messenger.md, 1 and 2)."""

import hashlib
import hmac
from typing import Final
from urllib.parse import parse_qs

from hub.connectors.contract import Reply
from hub.connectors.errors import SignatureInvalid

SIGNATURE_HEADER: Final = "x-hub-signature-256"
"""`X-Hub-Signature`, with SHA-1, comes too and is not asked."""
VERIFY_TOKEN_FOR: Final = b"verify token of the hub"


def verify_signature(body: bytes, header: str, *secrets: str) -> None:
    """Raise SignatureInvalid unless `header` is `sha256=` and the HMAC-SHA256 of the raw body with one of the secrets, in
    lower-case hexadecimal. Every secret is tried, whichever fits; an empty one fits nothing.

    The body must be untouched: Meta escapes everything beyond ASCII, so JSON that was read and written again has another digest.
    """
    given = header.encode("utf-8", "replace")
    wanted = [b"sha256=" + _hmac(secret, body).encode() for secret in secrets if secret]
    if not any([hmac.compare_digest(given, one) for one in wanted]):
        raise SignatureInvalid


def verify_token(app_secret: str) -> str:
    """The word by which Meta's test of our address is known. All accounts of one app have the same, since the app has one address;
    it tells nothing of the secret it is made of."""
    return _hmac(app_secret, VERIFY_TOKEN_FOR)[:40]


def handshake(query: str, token: str) -> Reply | None:
    """The answer to Meta's test of the address: the bare challenge. None for what is no such test. Raises SignatureInvalid for one
    that does not know the token."""
    given = parse_qs(query)
    if given.get("hub.mode") != ["subscribe"]:
        return None
    known = hmac.compare_digest(given.get("hub.verify_token", [""])[0].encode("utf-8", "replace"), token.encode())
    if not (token and known):
        raise SignatureInvalid
    return Reply(status=200, body=given.get("hub.challenge", [""])[0].encode("utf-8", "replace"))


def app_secret_proof(token: str, app_secret: str) -> str:
    """Shows that who uses the token knows the app's secret; apps can demand it for every call."""
    return _hmac(app_secret, token.encode())


def _hmac(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode("utf-8", "replace"), message, hashlib.sha256).hexdigest()
