"""What a business types into the set-up form."""

import re
from typing import Final

from httpx import URL, InvalidURL
from pydantic import Field, SecretStr, field_validator

from hub.connectors.contract import Settings

GATEWAY: Final = "https://msgapi.threema.ch"
GATEWAY_ID: Final = re.compile(r"\*[0-9A-Z]{7}")
KEY: Final = re.compile(r"[0-9a-f]{64}")


class ThreemaSettings(Settings):
    """`private_key` in hexadecimal, 32 bytes; empty: the id is one for basic mode, which only sends (README, "Two modes")."""

    gateway_id: str = Field(title="channel.threema.gateway_id", description="channel.threema.gateway_id.hint")
    api_secret: SecretStr = Field(title="channel.threema.api_secret", description="channel.threema.api_secret.hint")
    private_key: SecretStr = Field(
        default=SecretStr(""), title="channel.threema.private_key", description="channel.threema.private_key.hint"
    )
    base_url: str = Field(default=GATEWAY, title="channel.threema.base_url", description="channel.threema.base_url.hint")

    @field_validator("gateway_id")
    @classmethod
    def _looks_like_an_id(cls, gateway_id: str) -> str:
        gateway_id = gateway_id.strip().upper()
        if not GATEWAY_ID.fullmatch(gateway_id):
            raise ValueError("a Gateway ID is an asterisk and seven letters or digits")
        return gateway_id

    @field_validator("api_secret")
    @classmethod
    def _is_there(cls, secret: SecretStr) -> SecretStr:
        stripped = secret.get_secret_value().strip()
        if not re.fullmatch(r"[!-~]{1,128}", stripped):
            raise ValueError("the API secret is one word of letters and digits")
        return SecretStr(stripped)

    @field_validator("private_key")
    @classmethod
    def _is_a_key(cls, key: SecretStr) -> SecretStr:
        """Threema's tools write it as `private:<64 hexadecimal digits>`."""
        stripped = key.get_secret_value().strip().lower().removeprefix("private:")
        if stripped and not KEY.fullmatch(stripped):
            raise ValueError("a private key is 64 hexadecimal digits")
        return SecretStr(stripped)

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
            raise ValueError("the address of a Gateway, like https://msgapi.threema.ch")
        return url
