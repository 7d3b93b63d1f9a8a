"""What a business types into the set-up form."""

import re
from typing import Final

from httpx import URL, InvalidURL
from pydantic import Field, SecretStr, field_validator

from hub.connectors.contract import Settings

TELEGRAM: Final = "https://api.telegram.org"
TOKEN: Final = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{20,100}")


class TelegramSettings(Settings):
    bot_token: SecretStr = Field(title="channel.telegram.bot_token", description="channel.telegram.bot_token.hint")
    base_url: str = Field(default=TELEGRAM, title="channel.telegram.base_url", description="channel.telegram.base_url.hint")

    @field_validator("bot_token")
    @classmethod
    def _looks_like_a_token(cls, token: SecretStr) -> SecretStr:
        stripped = token.get_secret_value().strip()
        if not TOKEN.fullmatch(stripped):
            raise ValueError("a bot token is digits, a colon and about 35 letters, digits, _ or -")
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
            raise ValueError("the address of a Bot API server, like https://api.telegram.org")
        return url
