"""One call of the Bot API: parameters in, result out. What an answer means stands in `codes.py`."""

from collections.abc import Mapping
from typing import Any

import orjson
from httpx import AsyncClient

from hub.connectors.contract import Account, OutboundFile
from hub.connectors.errors import OutcomeUnknown, Unavailable
from hub.connectors.http import LARGEST_ANSWER, exchange, upload
from hub.connectors.telegram.codes import result_of
from hub.connectors.telegram.reading import Json
from hub.connectors.telegram.settings import TelegramSettings


async def call(
    account: Account[TelegramSettings],
    http: AsyncClient,
    method: str,
    parameters: Json,
    files: Mapping[str, OutboundFile] | None = None,
    *,
    largest: int = LARGEST_ANSWER,
) -> Any:
    """The method's result. With files it goes as a form, in which nested parameters are JSON texts (1). Raises a SendError."""
    token = account.settings.bot_token.get_secret_value()
    url, secrets = f"{account.settings.base_url}/bot{{token}}/{method}", {"token": token}
    if files:
        fields = {name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in parameters.items()}
        answer = await upload(http, url, secrets=secrets, fields=fields, files=files)
    else:
        answer = await exchange(http, "POST", url, secrets=secrets, json=parameters, largest=largest)
    return result_of(answer, token)


async def ask(
    account: Account[TelegramSettings], http: AsyncClient, method: str, parameters: Json, *, largest: int = LARGEST_ANSWER
) -> Any:
    """A method that may be called twice: where it is not known whether it was, Unavailable is said."""
    try:
        return await call(account, http, method, parameters, largest=largest)
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code, error.provider_text) from None
