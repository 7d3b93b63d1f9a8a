"""The access token: a signed assertion of the service account for a token of about an hour (provider file, 1)."""

import time
from typing import Final

import jwt
from httpx import AsyncClient

from hub.connectors.contract import Account
from hub.connectors.errors import CredentialsRejected, OutcomeUnknown, Unavailable
from hub.connectors.google.settings import TOKEN_URL, GoogleSettings, read_key
from hub.connectors.http import Answer, exchange

SCOPE: Final = "https://www.googleapis.com/auth/rcsbusinessmessaging"
GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_SECONDS: Final = 600
"""How long the assertion is good; Google takes up to an hour."""
USUAL_SECONDS: Final = 3599


async def fetch_token(account: Account[GoogleSettings], http: AsyncClient) -> tuple[str, int]:
    """A new token and how many seconds it lasts. Raises CredentialsRejected or Unavailable."""
    try:
        answer = await exchange(
            http, "POST", account.settings.token_url, form={"grant_type": GRANT, "assertion": _assertion(account.settings)}
        )
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code) from None
    told = _object(answer)
    if answer.status_code in (400, 401, 403):
        text = told.get("error_description") or told.get("error") or ""
        raise CredentialsRejected("service_account", text if isinstance(text, str) else "")
    token, lasts = told.get("access_token"), told.get("expires_in", USUAL_SECONDS)
    if answer.status_code != 200 or not isinstance(token, str) or not token:
        raise Unavailable(str(answer.status_code))
    return token, lasts if type(lasts) is int and lasts > 0 else USUAL_SECONDS


def _assertion(settings: GoogleSettings) -> str:
    """Raises CredentialsRejected for a key that signs nothing."""
    key, now = read_key(settings.service_account), int(time.time())
    claims = {"iss": key["client_email"], "scope": SCOPE, "aud": TOKEN_URL, "iat": now, "exp": now + ASSERTION_SECONDS}
    headers = {"kid": key["private_key_id"]} if isinstance(key.get("private_key_id"), str) else None
    try:
        return jwt.encode(claims, key["private_key"], algorithm="RS256", headers=headers)
    except (ValueError, TypeError, jwt.PyJWTError):
        signed = None
    assert signed is None
    raise CredentialsRejected("service_account", reason="no_private_key")  # here, so that the key hangs on it as no context


def _object(answer: Answer) -> dict[str, object]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
