"""What a business types into the set-up form."""

import re
from typing import Final

from httpx import URL, InvalidURL
from pydantic import Field, SecretStr, field_validator

from hub.connectors.contract import Settings

VIBER: Final = "https://chatapi.viber.com/pa"
LONGEST_NAME: Final = 28


class ViberSettings(Settings):
    auth_token: SecretStr = Field(title="channel.viber.auth_token", description="channel.viber.auth_token.hint")
    sender_name: str = Field(title="channel.viber.sender_name", description="channel.viber.sender_name.hint")
    sender_avatar: str = Field(default="", title="channel.viber.sender_avatar", description="channel.viber.sender_avatar.hint")
    base_url: str = Field(default=VIBER, title="channel.viber.base_url", description="channel.viber.base_url.hint")

    @field_validator("auth_token")
    @classmethod
    def _looks_like_a_token(cls, token: SecretStr) -> SecretStr:
        stripped = token.get_secret_value().strip()
        if not re.fullmatch(r"[A-Za-z0-9-]{16,200}", stripped):
            raise ValueError("a token is three groups of letters and digits with dashes between")
        return SecretStr(stripped)

    @field_validator("sender_name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        name = name.strip()
        if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
            raise ValueError(f"the name has 1 to {LONGEST_NAME} characters")
        return name

    @field_validator("sender_avatar")
    @classmethod
    def _is_a_picture(cls, url: str) -> str:
        url = url.strip()
        if url and not re.fullmatch(r"https://[!-~]{4,2000}", url):
            raise ValueError("the address of a picture, beginning with https://")
        return url

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        url = url.strip().rstrip("/")
        try:
            parts = URL(url)
        except InvalidURL as error:
            raise ValueError("not an address") from error
        has_server = parts.scheme in ("https", "http") and parts.host and (parts.port or 443) < 2**16
        if not has_server or parts.userinfo or re.search(r"[\s{}?#\\]", url):
            raise ValueError("the address of Viber's API, like https://chatapi.viber.com/pa")
        return url
