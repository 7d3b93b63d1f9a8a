"""One request to 360dialog or Meta: the same paths and bodies behind another host and another key (provider file, 0)."""

from collections.abc import Mapping
from typing import Final

from httpx import AsyncClient
from pydantic import SecretStr

from hub.connectors.contract import Account, OutboundFile
from hub.connectors.errors import AuthFailed, CredentialsRejected, OutcomeUnknown, RateLimited, Rejected, Unavailable
from hub.connectors.http import exchange, upload
from hub.connectors.whatsapp.codes import result_of
from hub.connectors.whatsapp.reading import Json, an_id
from hub.connectors.whatsapp.settings import WhatsAppSettings
from hub.core.http import AddressDenied

LARGEST_LIST: Final = 16_000_000
"""Bytes of a page of templates."""
GONE: Final = frozenset({"100", "33", "404"})
"""Codes that mean: there is no such thing for this key."""


def base(settings: WhatsAppSettings) -> str:
    """Where paths begin."""
    return f"{settings.root}/{settings.graph_version}" if settings.uses_meta else settings.root


def of_number(settings: WhatsAppSettings) -> str:
    """Where paths of the number begin: a key of 360dialog stands for one number, a token of Meta's for many."""
    return f"{base(settings)}/{settings.phone_number_id}" if settings.uses_meta else settings.root


def key_header(settings: WhatsAppSettings) -> dict[str, str]:
    """The account's usual key."""
    if settings.uses_meta:
        return {"Authorization": f"Bearer {_plain(settings.access_token)}"}
    return {"D360-API-KEY": _plain(settings.api_key)}


def app_header(settings: WhatsAppSettings) -> dict[str, str]:
    """The key of the app at Meta itself, which is asked for where its address is registered."""
    return {"Authorization": f"Bearer {settings.app_id}|{_plain(settings.app_secret)}"}


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


async def call(
    account: Account[WhatsAppSettings],
    http: AsyncClient,
    method: str,
    url: str,
    *,
    json: Json | None = None,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Json:
    """What the request returned; `headers` replace the account's usual key. Raises a SendError."""
    settings = account.settings
    headers = key_header(settings) if headers is None else headers
    answer = await exchange(http, method, url, headers=headers, json=json, form=form, largest=LARGEST_LIST)
    return result_of(answer, settings.secret_values())


async def ask(
    account: Account[WhatsAppSettings],
    http: AsyncClient,
    method: str,
    url: str,
    *,
    json: Json | None = None,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Json:
    """A request that may be made twice: where it is not known whether it was done, Unavailable is said."""
    try:
        return await call(account, http, method, url, json=json, form=form, headers=headers)
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code, error.provider_text) from None


async def ask_set_up(
    account: Account[WhatsAppSettings],
    http: AsyncClient,
    method: str,
    url: str,
    *,
    json: Json | None = None,
    form: Mapping[str, str] | None = None,
    absent: str = "",
    of_app: bool = False,
) -> Json:
    """A request of the set-up or about templates. Raises CredentialsRejected, Unavailable or Rejected. `absent`: the form's field
    that names what the request is about; `of_app`: it is made with the app's own key."""
    settings = account.settings
    key = "app_secret" if of_app else "access_token" if settings.uses_meta else "api_key"
    try:
        return await ask(account, http, method, url, json=json, form=form, headers=app_header(settings) if of_app else None)
    except AuthFailed as error:
        raise CredentialsRejected(key, error.provider_text or error.provider_code) from None
    except RateLimited as error:
        raise Unavailable(error.provider_code, error.provider_text) from None
    except Rejected as error:
        if absent and error.provider_code in GONE:
            raise CredentialsRejected(absent, error.provider_text) from None
        raise
    except Unavailable as error:
        if error.provider_code == AddressDenied.code:
            raise CredentialsRejected("base_url", reason="not_public") from None
        raise


async def hand_over(account: Account[WhatsAppSettings], http: AsyncClient, file: OutboundFile) -> str:
    """Upload a file; its id, which is good for 30 days (9). Nothing was sent with it: a doubt is no harm. Raises a SendError."""
    settings = account.settings
    fields = {"messaging_product": "whatsapp", "type": file.mime}
    try:
        answer = await upload(
            http, f"{of_number(settings)}/media", secrets={}, fields=fields, files={"file": file}, headers=key_header(settings)
        )
        media_id = an_id(result_of(answer, settings.secret_values()), "id")
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code, error.provider_text) from None
    if not media_id:
        raise Unavailable("unreadable_answer")
    return media_id
