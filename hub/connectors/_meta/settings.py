"""Types of the set-up form's fields. Titles and hints are each connector's own."""

import re
from typing import Annotated, Final

from httpx import URL, InvalidURL
from pydantic import AfterValidator, SecretStr

FACEBOOK: Final = "https://graph.facebook.com"
APP_ID: Final = re.compile(r"[0-9]{5,20}")
APP_SECRET: Final = re.compile(r"[0-9a-f]{32}")
TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{20,1000}")


def _app_id(value: str) -> str:
    if not APP_ID.fullmatch(value.strip()):
        raise ValueError("an app id is digits only")
    return value.strip()


def _app_secret(value: SecretStr) -> SecretStr:
    stripped = value.get_secret_value().strip()
    if not APP_SECRET.fullmatch(stripped):
        raise ValueError("an app secret is 32 digits and letters from a to f")
    return SecretStr(stripped)


def _token(value: SecretStr) -> SecretStr:
    stripped = value.get_secret_value().strip()
    if not TOKEN.fullmatch(stripped):
        raise ValueError("an access token is letters, digits, _ and -")
    return SecretStr(stripped)


def _address(value: str) -> str:
    url = value.strip().rstrip("/")
    try:
        parts = URL(url)
    except InvalidURL as error:
        raise ValueError("not an address") from error
    has_server = parts.scheme in ("https", "http") and parts.host and (parts.port or 443) < 2**16
    if not has_server or parts.userinfo or re.search(r"[\s\x00{}?#\\]", url):
        raise ValueError("the address of the Graph API, like https://graph.facebook.com")
    return url


AppId = Annotated[str, AfterValidator(_app_id)]
AppSecret = Annotated[SecretStr, AfterValidator(_app_secret)]
AccessToken = Annotated[SecretStr, AfterValidator(_token)]
GraphAddress = Annotated[str, AfterValidator(_address)]
