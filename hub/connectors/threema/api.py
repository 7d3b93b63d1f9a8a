"""The calls of the Gateway. `from` and `secret` ride in the address of a question and in the form of a message: both are filled in
where no record shows them."""

from collections.abc import Mapping
from io import BytesIO
from urllib.parse import quote

from httpx import AsyncClient

from hub.connectors.contract import Account, OutboundFile
from hub.connectors.errors import OutcomeUnknown, Unavailable
from hub.connectors.http import exchange, upload
from hub.connectors.threema.codes import text_of
from hub.connectors.threema.settings import ThreemaSettings


def address_of(account: Account[ThreemaSettings], path: str) -> tuple[str, dict[str, str]]:
    """The address of a question, with places for what identifies the account, and what goes there."""
    settings = account.settings
    secret = quote(settings.api_secret.get_secret_value(), safe="")
    return f"{settings.base_url}/{path}?from={{from}}&secret={{secret}}", {"from": settings.gateway_id, "secret": secret}


async def ask(account: Account[ThreemaSettings], http: AsyncClient, path: str) -> str:
    """A question, which may be asked twice: where it is not known whether it was heard, Unavailable is said. Raises a SendError."""
    url, secrets = address_of(account, path)
    try:
        return text_of(await exchange(http, "GET", url, secrets=secrets), account.settings.api_secret.get_secret_value())
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code, error.provider_text) from None


async def post(account: Account[ThreemaSettings], http: AsyncClient, path: str, form: Mapping[str, str]) -> str:
    """A message. Raises a SendError."""
    settings = account.settings
    secret = settings.api_secret.get_secret_value()
    whole = {"from": settings.gateway_id, **form, "secret": secret}
    return text_of(await exchange(http, "POST", f"{settings.base_url}/{path}", form=whole), secret)


async def put_blob(account: Account[ThreemaSettings], http: AsyncClient, sealed: bytes) -> str:
    """Leave a sealed file with Threema; its id. Nothing was sent before a message names it: where it is not known whether it got
    there, Unavailable is said, and another try costs another credit. Raises a SendError."""
    url, secrets = address_of(account, "upload_blob")
    file = OutboundFile(name="blob", mime="application/octet-stream", size=len(sealed), open=lambda: BytesIO(sealed))
    try:
        answer = await upload(http, url, secrets=secrets, fields={}, files={"blob": file})
        return text_of(answer, account.settings.api_secret.get_secret_value())
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code, error.provider_text) from None
