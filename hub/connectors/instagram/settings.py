"""What a business types into the set-up form."""

from typing import Annotated, Final

from pydantic import BeforeValidator, Field, SecretStr

from hub.connectors._meta.settings import FACEBOOK, AccessToken, AppId, AppSecret, GraphAddress
from hub.connectors.contract import Settings

INSTAGRAM: Final = "https://graph.instagram.com"
OWN_TOKEN: Final = "IG"
"""How tokens of Instagram's own login begin; those of a page begin with `EAA`."""


def _empty_is_none(value: object) -> object:
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    return value if plain else None


class InstagramSettings(Settings):
    app_id: AppId = Field(title="channel.instagram.app_id", description="channel.instagram.app_id.hint")
    app_secret: AppSecret = Field(title="channel.instagram.app_secret", description="channel.instagram.app_secret.hint")
    access_token: AccessToken = Field(title="channel.instagram.access_token", description="channel.instagram.access_token.hint")
    instagram_app_secret: Annotated[AppSecret | None, BeforeValidator(_empty_is_none)] = Field(
        default=None, title="channel.instagram.instagram_app_secret", description="channel.instagram.instagram_app_secret.hint"
    )
    base_url: GraphAddress = Field(
        default=FACEBOOK, title="channel.instagram.base_url", description="channel.instagram.base_url.hint"
    )
    instagram_url: GraphAddress = Field(
        default=INSTAGRAM, title="channel.instagram.instagram_url", description="channel.instagram.instagram_url.hint"
    )

    @property
    def is_own_login(self) -> bool:
        """Whether the account was connected by Instagram's own login, without a page; its token says so (instagram.md, 1)."""
        return self.access_token.get_secret_value().startswith(OWN_TOKEN)

    @property
    def signing_secrets(self) -> tuple[str, ...]:
        """What Meta may sign with: the app's secret, or that of its Instagram product (instagram.md, 1)."""
        own = self.instagram_app_secret
        return (self.app_secret.get_secret_value(), *((own.get_secret_value(),) if own is not None else ()))
