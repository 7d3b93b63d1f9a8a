"""What a business types into the set-up form: its app's keys and its account's consent, in one of two forms."""

import re
from typing import Annotated, ClassVar, Final

from httpx import URL, InvalidURL
from pydantic import AfterValidator, Field, SecretStr, model_validator

from hub.connectors.contract import Settings

API: Final = "https://api.x.com"
WORD: Final = re.compile(r"[!-~]{8,400}")


def _secret(secret: SecretStr) -> SecretStr:
    stripped = secret.get_secret_value().strip()
    if not WORD.fullmatch(stripped):
        raise ValueError("as the developer console shows it, without spaces")
    return SecretStr(stripped)


def _optional(secret: SecretStr | None) -> SecretStr | None:
    return _secret(secret) if secret is not None and secret.get_secret_value().strip() else None


def _key(key: str) -> str:
    if not WORD.fullmatch(key.strip()):
        raise ValueError("as the developer console shows it, without spaces")
    return key.strip()


def _optional_key(key: str) -> str:
    return _key(key) if key.strip() else ""


def _address(url: str) -> str:
    url = url.strip().rstrip("/")
    try:
        parts = URL(url)
    except InvalidURL as error:
        raise ValueError("not an address") from error
    if parts.scheme not in ("https", "http") or not parts.host or parts.userinfo or re.search(r"[\s{}?#\\]", url):
        raise ValueError("an address like https://api.x.com")
    return url


Secret = Annotated[SecretStr, AfterValidator(_secret)]
OptionalSecret = Annotated[SecretStr | None, AfterValidator(_optional)]


class XSettings(Settings):
    """Consent is either an access token with its secret (OAuth 1.0a, without end) or a refresh token of a client (OAuth 2.0,
    renewed every two hours). API key, secret and bearer token are the app's."""

    given: ClassVar[frozenset[str]] = frozenset({"access_token"})

    api_key: Annotated[str, AfterValidator(_key)] = Field(title="channel.x.api_key", description="channel.x.api_key.hint")
    api_secret: Secret = Field(title="channel.x.api_secret", description="channel.x.api_secret.hint")
    bearer_token: Secret = Field(title="channel.x.bearer_token", description="channel.x.bearer_token.hint")
    user_token: OptionalSecret = Field(default=None, title="channel.x.user_token", description="channel.x.user_token.hint")
    user_secret: OptionalSecret = Field(default=None, title="channel.x.user_secret", description="channel.x.user_secret.hint")
    client_id: Annotated[str, AfterValidator(_optional_key)] = Field(
        default="", title="channel.x.client_id", description="channel.x.client_id.hint"
    )
    client_secret: OptionalSecret = Field(default=None, title="channel.x.client_secret", description="channel.x.client_secret.hint")
    refresh_token: OptionalSecret = Field(default=None, title="channel.x.refresh_token", description="channel.x.refresh_token.hint")
    base_url: Annotated[str, AfterValidator(_address)] = Field(
        default=API, title="channel.x.base_url", description="channel.x.base_url.hint"
    )
    access_token: OptionalSecret = None

    @model_validator(mode="after")
    def _consent_is_whole(self) -> "XSettings":
        if not (self.user_token and self.user_secret) and not (self.client_id.strip() and self.refresh_token):
            raise ValueError("an access token with its secret, or a client id with a refresh token")
        return self

    @property
    def signs(self) -> bool:
        """Whether requests are signed (OAuth 1.0a) instead of bearing a token (OAuth 2.0)."""
        return self.user_token is not None and self.user_secret is not None
