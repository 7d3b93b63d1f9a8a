"""What a business types into the set-up form."""

import base64
import binascii
import re
from typing import Annotated, Final
from uuid import UUID

from httpx import URL, InvalidURL
from pydantic import AfterValidator, Field, SecretStr

from hub.connectors.contract import Settings

WORD: Final = re.compile(r"[!-~]{1,200}")
SHORTEST_KEY: Final = 16
"""Bytes of a secret once it is decoded: a shorter one is a word that was typed in instead."""


def key_of(secret: SecretStr) -> bytes:
    """What signs: the secret is base64, and its bytes are the key (provider file, 2). Empty for what is no base64."""
    try:
        return base64.b64decode(secret.get_secret_value(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _business(value: str) -> str:
    try:
        return str(UUID(value.strip()))
    except ValueError as error:
        raise ValueError("the business id, a UUID") from error


def _msp(value: str) -> str:
    plain = value.strip(" ")
    if not WORD.fullmatch(plain):
        raise ValueError("the id of the messaging service provider, as it stands in Apple Business Register")
    return plain


def _secret(secret: SecretStr) -> SecretStr:
    stripped = SecretStr(secret.get_secret_value().strip(" "))
    if len(key_of(stripped)) < SHORTEST_KEY:
        raise ValueError("the whole API secret, which is base64")
    return stripped


def _secret_or_none(secret: SecretStr) -> SecretStr:
    return _secret(secret) if secret.get_secret_value().strip(" ") else SecretStr("")


def _address(address: str) -> str:
    plain = address.strip(" ").rstrip("/")
    try:
        parts = URL(plain)
    except InvalidURL as error:
        raise ValueError("an address like https://mspgw.push.apple.com") from error
    if parts.scheme not in ("https", "http") or not parts.host or parts.userinfo or re.search(r"[\s{}?#\\\x00]", plain):
        raise ValueError("an address like https://mspgw.push.apple.com")
    return plain


class AppleSettings(Settings):
    """`previous_secret` is still taken in what comes in while Apple changes over to a new one."""

    business_id: Annotated[str, AfterValidator(_business)] = Field(
        title="channel.apple.business_id", description="channel.apple.business_id.hint"
    )
    msp_id: Annotated[str, AfterValidator(_msp)] = Field(title="channel.apple.msp_id", description="channel.apple.msp_id.hint")
    secret: Annotated[SecretStr, AfterValidator(_secret)] = Field(
        title="channel.apple.secret", description="channel.apple.secret.hint"
    )
    previous_secret: Annotated[SecretStr, AfterValidator(_secret_or_none)] = Field(
        default=SecretStr(""), title="channel.apple.previous_secret", description="channel.apple.previous_secret.hint"
    )
    base_url: Annotated[str, AfterValidator(_address)] = Field(
        default="https://mspgw.push.apple.com", title="channel.apple.base_url", description="channel.apple.base_url.hint"
    )
