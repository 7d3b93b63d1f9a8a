"""Set-up, checks and renewal: the app's webhook, this account's subscriptions, and its token (provider file, 1)."""

import base64
from typing import Any, Final

from httpx import AsyncClient
from pydantic import SecretStr

from hub.connectors.contract import Account, Renewal
from hub.connectors.errors import (
    AuthFailed,
    CredentialsRejected,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SendError,
    Unavailable,
)
from hub.connectors.http import exchange
from hub.connectors.x.api import ask
from hub.connectors.x.settings import XSettings

EVENTS: Final = ("dm.received", "dm.sent", "dm.read", "dm.indicate_typing", "chat.received")
USUAL_SECONDS: Final = 7200


async def ensure_webhook(account: Account[XSettings], http: AsyncClient, url: str) -> str:
    """Let X deliver to this address; the webhook's id. X tests the address while it answers. Raises Rejected with X's words when it
    takes no further webhook: moving one means deleting the other first."""
    there = await revive_webhook(account, http, url)
    if there:
        return there[0]
    made = await ask(account, http, "POST", "/2/webhooks", {"url": url}, app=True)
    data = made.get("data")
    number = data.get("id") if isinstance(data, dict) else None
    if not isinstance(number, str):
        raise Unavailable("unreadable_answer")
    return number


async def revive_webhook(account: Account[XSettings], http: AsyncClient, end: str) -> tuple[str, bool] | None:
    """The id of the webhook whose address ends so, and whether it was in force; one that was not is tested by X again. None where
    there is none."""
    for webhook in _list(await ask(account, http, "GET", "/2/webhooks", app=True)):
        number, url, is_valid = webhook.get("id"), webhook.get("url"), webhook.get("valid") is True
        if isinstance(url, str) and url.endswith(end) and isinstance(number, str):
            if not is_valid:
                await ask(account, http, "PUT", f"/2/webhooks/{number}", app=True)
            return number, is_valid
    return None


async def ensure_subscriptions(account: Account[XSettings], http: AsyncClient, user: str, webhook: str) -> bool:
    """Subscribe the account to each kind that is missing; whether all were there. `oauth.revoke` may be refused."""
    there = {one["event_type"] for one in await subscriptions(account, http, user) if one.get("webhook_id") == webhook}
    missing = [kind for kind in EVENTS if kind not in there]
    for kind in missing:
        await ask(account, http, "POST", "/2/activity/subscriptions", _subscription(kind, user, webhook))
    if missing:
        try:
            await ask(account, http, "POST", "/2/activity/subscriptions", _subscription("oauth.revoke", user, webhook))
        except Rejected:
            return False  # it is not in the list of kinds that may be asked for (1)
    return not missing


def _subscription(kind: str, user: str, webhook: str) -> dict[str, Any]:
    return {"event_type": kind, "filter": {"user_id": user}, "tag": f"hub-{user}", "webhook_id": webhook}


async def subscriptions(account: Account[XSettings], http: AsyncClient, user: str) -> list[dict[str, Any]]:
    """Those of this account. Three shapes are published: take what has the parts."""
    found = _list(await ask(account, http, "GET", "/2/activity/subscriptions", app=True))
    plain = [one.get("subscription", one) for one in found]
    return [
        one
        for one in plain
        if isinstance(one, dict)
        and isinstance(one.get("event_type"), str)
        and isinstance(one.get("subscription_id"), str)
        and isinstance(one.get("filter"), dict)
        and one["filter"].get("user_id") == user
    ]


def _list(told: dict[str, Any]) -> list[dict[str, Any]]:
    data = told.get("data")
    found = data if isinstance(data, list) else [data]
    return [one for one in found if isinstance(one, dict)]


async def renew_token(account: Account[XSettings], http: AsyncClient) -> Renewal:
    """A new access token, and the refresh token for the next time: the old one is worthless from then on. Raises
    CredentialsRejected or Unavailable."""
    settings = account.settings
    if settings.signs or settings.refresh_token is None:
        return Renewal(settings=settings, lasts_seconds=None)
    form = {
        "grant_type": "refresh_token",
        "refresh_token": settings.refresh_token.get_secret_value(),
        "client_id": settings.client_id,
    }
    headers = {}
    if settings.client_secret is not None:
        pair = f"{settings.client_id}:{settings.client_secret.get_secret_value()}".encode()
        headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    try:
        answer = await exchange(http, "POST", f"{settings.base_url}/2/oauth2/token", headers=headers, form=form)
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code) from None
    try:
        told = answer.json()
    except ValueError:
        told = None
    told = told if isinstance(told, dict) else {}
    if answer.status_code in (400, 401, 403):
        text = told.get("error_description") or told.get("error") or ""
        raise CredentialsRejected("refresh_token", text if isinstance(text, str) else "")
    token, refresh = told.get("access_token"), told.get("refresh_token")
    if answer.status_code != 200 or not isinstance(token, str) or not token:
        raise Unavailable(str(answer.status_code))
    fresh: dict[str, Any] = {"access_token": SecretStr(token)}
    if isinstance(refresh, str) and refresh:
        fresh["refresh_token"] = SecretStr(refresh)
    lasts = told.get("expires_in")
    return Renewal(settings=settings.model_copy(update=fresh), lasts_seconds=lasts if type(lasts) is int else USUAL_SECONDS)


def of_set_up(error: SendError, field: str) -> CredentialsRejected | Unavailable | Rejected:
    """What a refusal means while an account is set up; `field` is the one that the call used."""
    match error:
        case AuthFailed():
            return CredentialsRejected(field, error.provider_text)
        case RateLimited() | Unavailable():
            return Unavailable(error.provider_code, error.provider_text)
        case _:
            return Rejected(error.provider_code, error.provider_text)
