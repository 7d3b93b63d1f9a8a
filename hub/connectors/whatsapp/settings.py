"""What a business types into the set-up form. Which fields are needed depends on whose interface is used."""

import re
from typing import Any, Final, Literal

from httpx import URL, InvalidURL
from pydantic import Field, SecretStr, ValidationInfo, field_validator

from hub.connectors.contract import Settings

Provider = Literal["360dialog", "meta"]

HOSTS: Final[dict[str, str]] = {"360dialog": "https://waba-v2.360dialog.io", "meta": "https://graph.facebook.com"}
RETIRED: Final = ("waba.360dialog.io", "waba-sandbox.360dialog.io")
"""Hosts of the on-premise interface: other paths and other payloads (provider file, 0 and 1.1)."""
NEEDED: Final[dict[str, frozenset[str]]] = {
    "360dialog": frozenset({"api_key"}),
    "meta": frozenset({"access_token", "app_secret", "phone_number_id", "waba_id", "app_id"}),
}
SECRETS: Final = ("api_key", "platform_secret", "access_token", "app_secret")
IDS: Final = ("phone_number_id", "waba_id", "app_id")
SECRET: Final = re.compile(r"[!-~]{8,1000}")
ID: Final = re.compile(r"[0-9]{1,30}")


def _field(name: str, default: Any) -> Any:
    title = f"channel.whatsapp.{name}"
    return Field(default=default, validate_default=True, title=title, description=f"{title}.hint")


class WhatsAppSettings(Settings):
    provider: Provider = _field("provider", "360dialog")
    api_key: SecretStr | None = _field("api_key", None)
    platform_secret: SecretStr | None = _field("platform_secret", None)
    access_token: SecretStr | None = _field("access_token", None)
    app_secret: SecretStr | None = _field("app_secret", None)
    phone_number_id: str = _field("phone_number_id", "")
    waba_id: str = _field("waba_id", "")
    app_id: str = _field("app_id", "")
    graph_version: str = _field("graph_version", "v26.0")
    list_button: str = _field("list_button", "Auswählen")
    base_url: str = _field("base_url", "")

    @property
    def root(self) -> str:
        """Where requests go, without the version of Meta's interface."""
        return self.base_url or HOSTS[self.provider]

    @property
    def uses_meta(self) -> bool:
        return self.provider == "meta"

    def secret_values(self) -> list[str]:
        """Everything that may stand in no text of an error."""
        return [secret.get_secret_value() for name in SECRETS if (secret := getattr(self, name))]

    @field_validator("provider", mode="before")
    @classmethod
    def _is_written_in_any_case(cls, provider: object) -> object:
        return provider.strip().lower() if isinstance(provider, str) else provider

    @field_validator(*SECRETS)
    @classmethod
    def _is_a_secret(cls, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        stripped = secret.get_secret_value().strip() if secret else ""
        if not stripped:
            _must_not_be_needed(info)
            return None
        if not SECRET.fullmatch(stripped):
            raise ValueError("letters, digits and signs without spaces, at least 8 of them")
        return SecretStr(stripped)

    @field_validator(*IDS)
    @classmethod
    def _is_an_id(cls, number: str, info: ValidationInfo) -> str:
        stripped = number.strip()
        if not stripped:
            _must_not_be_needed(info)
        elif not ID.fullmatch(stripped):
            raise ValueError("an id of Meta is nothing but digits")
        return stripped

    @field_validator("graph_version")
    @classmethod
    def _is_a_version(cls, version: str) -> str:
        if not re.fullmatch(r"v[0-9]{1,3}\.[0-9]{1,2}", version.strip()):
            raise ValueError("a version of Meta's interface: the letter v, a number, a dot and a number")
        return version.strip()

    @field_validator("list_button")
    @classmethod
    def _fits_a_button(cls, label: str) -> str:
        if not 0 < len(label.strip()) <= 20 or not label.strip().isprintable():
            raise ValueError("1 to 20 characters")
        return label.strip()

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        url = url.strip().rstrip("/")
        if not url:
            return url
        try:
            parts = URL(url)
        except InvalidURL as error:
            raise ValueError("not an address") from error
        if parts.host in RETIRED:
            raise ValueError("this is the retired on-premise interface; 360dialog moves numbers to the Cloud API")
        has_server = parts.scheme in ("https", "http") and parts.host and (parts.port or 443) < 2**16
        if not has_server or parts.userinfo or re.search(r"[\s{}?#\\]", url):
            raise ValueError("the address of a server, like https://waba-v2.360dialog.io")
        return url


def _must_not_be_needed(info: ValidationInfo) -> None:
    provider = info.data.get("provider", "")
    if info.field_name in NEEDED.get(provider, ()):
        raise ValueError(f"needed with {provider}")
