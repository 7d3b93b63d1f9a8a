"""What a business types into the set-up form."""

from pydantic import Field

from hub.connectors._meta.settings import FACEBOOK, AccessToken, AppId, AppSecret, GraphAddress
from hub.connectors.contract import Settings


class MessengerSettings(Settings):
    app_id: AppId = Field(title="channel.messenger.app_id", description="channel.messenger.app_id.hint")
    app_secret: AppSecret = Field(title="channel.messenger.app_secret", description="channel.messenger.app_secret.hint")
    page_token: AccessToken = Field(title="channel.messenger.page_token", description="channel.messenger.page_token.hint")
    base_url: GraphAddress = Field(
        default=FACEBOOK, title="channel.messenger.base_url", description="channel.messenger.base_url.hint"
    )
