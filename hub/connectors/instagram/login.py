"""As whom Instagram is asked, and how long that lasts: with the token of a page that the account is linked to, or with one of
Instagram's own login, which ends after 60 days and is renewed before (instagram.md, 1)."""

from typing import Final

from httpx import AsyncClient
from pydantic import SecretStr

from hub.connectors._meta.codes import body_of, graph_error
from hub.connectors._meta.graph import Graph
from hub.connectors._meta.reading import Json, a_text
from hub.connectors.contract import Account
from hub.connectors.errors import CredentialsRejected, OutcomeUnknown, Rejected, Unavailable
from hub.connectors.http import exchange
from hub.connectors.instagram.settings import InstagramSettings

DAY: Final = 86_400
WRONG_SECRET: Final = "1"
"""The code of "Error validating client secret", which means many things elsewhere."""
FRESH_SECONDS: Final = 59 * DAY
"""How long a token is good that is too young to be renewed: it is of today."""


def account_of(account: Account[InstagramSettings]) -> Graph:
    """The Graph API as the account."""
    settings = account.settings
    token = settings.access_token.get_secret_value()
    if settings.is_own_login:
        return Graph(settings.instagram_url, token)
    return Graph(settings.base_url, token, settings.app_secret.get_secret_value())


async def lasting_token(settings: InstagramSettings, http: AsyncClient) -> tuple[InstagramSettings, int]:
    """A token that was typed, made to last, and how many seconds it does. The one of an hour becomes one of 60 days where the
    secret for that is known; one that lasts already is renewed, unless it is of today. Raises a SendError, or
    CredentialsRejected for a wrong secret."""
    own = settings.instagram_app_secret
    if own is not None:
        try:
            query = "grant_type=ig_exchange_token&client_secret={client_secret}"
            return await _token(settings, http, "access_token", query, {"client_secret": own.get_secret_value()})
        except Rejected:
            pass  # it lasts already
        except Unavailable as error:
            if error.provider_code != WRONG_SECRET:
                raise
            raise CredentialsRejected("instagram_app_secret", error.provider_text) from None
    try:
        return await renewed(settings, http)
    except Rejected:
        return settings, FRESH_SECONDS


async def renewed(settings: InstagramSettings, http: AsyncClient) -> tuple[InstagramSettings, int]:
    """A token that ends 60 days from now for one that is at least a day old and has not ended. Raises a SendError."""
    return await _token(settings, http, "refresh_access_token", "grant_type=ig_refresh_token", {})


async def _token(
    settings: InstagramSettings, http: AsyncClient, path: str, query: str, more: dict[str, str]
) -> tuple[InstagramSettings, int]:
    token = settings.access_token.get_secret_value()
    url = f"{settings.instagram_url}/{path}?{query}&access_token={{access_token}}"
    secrets = {"access_token": token, **more}
    try:
        answer = await exchange(http, "GET", url, secrets=secrets)
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code) from None
    refused = graph_error(answer, *secrets.values())
    if refused is not None:
        raise Unavailable(refused.provider_code) if isinstance(refused, OutcomeUnknown) else refused
    return _read(settings, body_of(answer) or {})


def _read(settings: InstagramSettings, answer: Json) -> tuple[InstagramSettings, int]:
    token, seconds = a_text(answer, "access_token"), answer.get("expires_in")
    if not token or type(seconds) is not int:
        raise Unavailable("no_token")
    return settings.model_copy(update={"access_token": SecretStr(token)}), seconds
