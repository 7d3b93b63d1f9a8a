"""One call of the Bot API: JSON in, JSON out, the token in a header."""

from httpx import AsyncClient

from hub.connectors.contract import Account
from hub.connectors.errors import OutcomeUnknown, Unavailable
from hub.connectors.http import exchange
from hub.connectors.viber.codes import result_of
from hub.connectors.viber.reading import Json
from hub.connectors.viber.settings import ViberSettings


async def call(account: Account[ViberSettings], http: AsyncClient, method: str, body: Json) -> Json:
    """Raises a SendError."""
    token = account.settings.auth_token.get_secret_value()
    headers = {"x-viber-auth-token": token}
    return result_of(await exchange(http, "POST", f"{account.settings.base_url}/{method}", headers=headers, json=body), token)


async def ask(account: Account[ViberSettings], http: AsyncClient, method: str, body: Json) -> Json:
    """A call that may be made twice: where it is not known whether it was heard, Unavailable is said."""
    try:
        return await call(account, http, method, body)
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code, error.provider_text) from None
