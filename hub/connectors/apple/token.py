"""The token that rides with every request, both ways: HS256 with the decoded secret (provider file, 2)."""

import time
from typing import Any, Final

import jwt

from hub.connectors.apple.settings import AppleSettings, key_of
from hub.connectors.contract import RawRequest
from hub.connectors.errors import SignatureInvalid

LONGEST_AGE: Final = 3600.0
"""Seconds after which a token is too old. It has no end of its own."""
SKEW: Final = 300.0
"""Seconds by which Apple's clock and ours may differ."""


def bearer(settings: AppleSettings) -> str:
    """Made anew for each request: one that was refused is never used again."""
    token = jwt.encode({"iss": settings.msp_id, "iat": int(time.time())}, key_of(settings.secret), algorithm="HS256")
    return f"Bearer {token}"


def check(request: RawRequest, settings: AppleSettings) -> None:
    """Raise SignatureInvalid unless Apple made the token for this provider within the last hour."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    keys = [key for key in (key_of(settings.secret), key_of(settings.previous_secret)) if key]
    if kind.lower() != "bearer" or not any(_fits(token, key, settings.msp_id) for key in keys):
        raise SignatureInvalid


def _fits(token: str, key: bytes, msp_id: str) -> bool:
    """`aud` may be one word or several."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=["HS256"], audience=msp_id, leeway=SKEW, options={"require": ["aud", "iat"]}
        )
    except jwt.PyJWTError:
        return False
    issued = claims["iat"]
    return isinstance(issued, int | float) and time.time() - issued <= LONGEST_AGE + SKEW
