"""One call of X's API, as the account (OAuth 1.0a or 2.0) or as the app (provider file, 1 and 8)."""

import time
from collections.abc import Mapping
from typing import Any

from httpx import AsyncClient
from oauthlib import oauth1

from hub.connectors.contract import Account, OutboundFile
from hub.connectors.errors import OutcomeUnknown, Unavailable
from hub.connectors.http import Answer, exchange, upload
from hub.connectors.x.codes import result_of
from hub.connectors.x.settings import XSettings


def as_user(settings: XSettings, method: str, url: str) -> dict[str, str]:
    """The headers of a request of the account. Bodies are JSON or multipart, which OAuth 1.0a does not sign."""
    if not settings.signs:
        token = settings.access_token.get_secret_value() if settings.access_token else ""
        return {"authorization": f"Bearer {token}"}
    assert settings.user_token and settings.user_secret
    client = oauth1.Client(
        settings.api_key,
        client_secret=settings.api_secret.get_secret_value(),
        resource_owner_key=settings.user_token.get_secret_value(),
        resource_owner_secret=settings.user_secret.get_secret_value(),
    )
    _, headers, _ = client.sign(url, http_method=method)
    return {"authorization": str(headers["Authorization"])}


def as_app(settings: XSettings) -> dict[str, str]:
    return {"authorization": f"Bearer {settings.bearer_token.get_secret_value()}"}


async def call(
    account: Account[XSettings],
    http: AsyncClient,
    method: str,
    path: str,
    json: Mapping[str, Any] | None = None,
    *,
    app: bool = False,
) -> dict[str, Any]:
    """What a call returned. Raises a SendError."""
    url = f"{account.settings.base_url}{path}"
    headers = as_app(account.settings) if app else as_user(account.settings, method, url)
    return result_of(await exchange(http, method, url, headers=headers, json=json), time.time())


async def ask(
    account: Account[XSettings],
    http: AsyncClient,
    method: str,
    path: str,
    json: Mapping[str, Any] | None = None,
    *,
    app: bool = False,
) -> dict[str, Any]:
    """A call that may be made twice: where it is not known whether it was, Unavailable is said."""
    try:
        return await call(account, http, method, path, json, app=app)
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code, error.provider_text) from None


async def put_file(account: Account[XSettings], http: AsyncClient, file: OutboundFile, category: str) -> str:
    """Upload a file of a message; its id, good for a day. It harms nobody twice: what is not used is thrown away."""
    url = f"{account.settings.base_url}/2/media/upload"
    headers = as_user(account.settings, "POST", url)
    try:
        answer: Answer = await upload(
            http, url, secrets={}, headers=headers, fields={"media_category": category}, files={"media": file}
        )
        told = result_of(answer, time.time())
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code, error.provider_text) from None
    data = told.get("data")
    number = data.get("id") if isinstance(data, dict) else None
    if not isinstance(number, str) or not number:
        raise Unavailable("unreadable_answer")
    return number
