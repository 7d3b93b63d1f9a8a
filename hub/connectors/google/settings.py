"""What a business types into the set-up form, and the access token that Google gives for it."""

import json
import re
from typing import Annotated, Any, ClassVar, Final

from httpx import URL, InvalidURL
from pydantic import AfterValidator, Field, SecretStr

from hub.connectors.contract import Settings

REGIONS: Final = {
    "europe": "https://europe-rcsbusinessmessaging.googleapis.com",
    "us": "https://us-rcsbusinessmessaging.googleapis.com",
    "asia": "https://asia-rcsbusinessmessaging.googleapis.com",
}
"""Regional hosts (provider file, 5); an agent is kept in one of them."""
TOKEN_URL: Final = "https://oauth2.googleapis.com/token"
WORD: Final = re.compile(r"[!-~]{1,500}")
AGENT: Final = re.compile(r"[A-Za-z0-9_-]{3,120}")


def _key(key: SecretStr) -> SecretStr:
    found = read_key(key)
    if not found:
        raise ValueError("the whole JSON file of a service account, with client_email and private_key")
    return key


def read_key(key: SecretStr) -> dict[str, Any]:
    """The parts of a service account's key; empty for what is none."""
    try:
        found = json.loads(key.get_secret_value())
    except ValueError:
        return {}
    whole = isinstance(found, dict) and all(isinstance(found.get(name), str) for name in ("client_email", "private_key"))
    return found if whole else {}


def _agent(agent: str) -> str:
    plain = agent.strip().removesuffix("@rbm.goog")
    if not AGENT.fullmatch(plain):
        raise ValueError("the agent's id, like muster_optik_a1b2c3d4_agent")
    return plain


def _token(token: SecretStr) -> SecretStr:
    stripped = token.get_secret_value().strip()
    if not WORD.fullmatch(stripped):
        raise ValueError("the client token that stands at the webhook in Google's console")
    return SecretStr(stripped)


def _access(token: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]*", token.get_secret_value()):
        raise ValueError("no access token")
    return token


def _region(region: str) -> str:
    """A region's name, or the address of a host of one's own (a simulator, an aggregator's proxy)."""
    plain = region.strip().rstrip("/")
    if plain in REGIONS:
        return plain
    try:
        parts = URL(plain)
    except InvalidURL as error:
        raise ValueError("europe, us or asia") from error
    if parts.scheme not in ("https", "http") or not parts.host or parts.userinfo or re.search(r"[\s{}?#\\]", plain):
        raise ValueError("europe, us or asia")
    return plain


class GoogleSettings(Settings):
    given: ClassVar[frozenset[str]] = frozenset({"access_token"})

    agent_id: Annotated[str, AfterValidator(_agent)] = Field(
        title="channel.google.agent_id", description="channel.google.agent_id.hint"
    )
    service_account: Annotated[SecretStr, AfterValidator(_key)] = Field(
        title="channel.google.service_account", description="channel.google.service_account.hint"
    )
    client_token: Annotated[SecretStr, AfterValidator(_token)] = Field(
        title="channel.google.client_token", description="channel.google.client_token.hint"
    )
    region: Annotated[str, AfterValidator(_region)] = Field(
        default="europe", title="channel.google.region", description="channel.google.region.hint"
    )
    access_token: Annotated[SecretStr, AfterValidator(_access)] = SecretStr("")

    @property
    def base_url(self) -> str:
        return f"{REGIONS.get(self.region, self.region)}/v1"

    @property
    def token_url(self) -> str:
        """Google's own for a region; a host of one's own answers for both."""
        return TOKEN_URL if self.region in REGIONS else f"{self.region}/token"
