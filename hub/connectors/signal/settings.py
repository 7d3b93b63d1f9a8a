"""What a business types into the set-up form: where its signal-cli is, and which of its accounts is meant."""

import re
from typing import Annotated, Final, Literal

from httpx import URL, InvalidURL
from pydantic import AfterValidator, Field, SecretStr

from hub.connectors.contract import Settings

NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")
"""International form (E.164)."""


def _address(url: str) -> str:
    url = url.strip().rstrip("/")
    try:
        parts = URL(url)
    except InvalidURL as error:
        raise ValueError("not an address") from error
    has_server = parts.scheme in ("https", "http") and parts.host and (parts.port or 443) < 2**16
    if not has_server or parts.userinfo or re.search(r"[\s{}?#\\]", url):
        raise ValueError("the address of signal-cli, like http://signal-cli:8080")
    return url


def _number(number: str) -> str:
    plain = re.sub(r"[ ()/-]", "", number.strip())
    if not NUMBER.fullmatch(plain):
        raise ValueError("a number in international form, like +49…")
    return plain


def _header(header: SecretStr) -> SecretStr:
    """Goes out as the header `Authorization`, as it stands."""
    stripped = header.get_secret_value().strip()
    if not re.fullmatch(r"[ -~]{0,500}", stripped):
        raise ValueError("the value of a header, like Bearer 8f4c…")
    return SecretStr(stripped)


class SignalSettings(Settings):
    """`road`: signal-cli's own daemon, or signal-cli-rest-api around it. `authorization` is for a proxy before them: neither of the
    two asks who is there (provider file, 0)."""

    road: Literal["daemon", "rest"] = Field(title="channel.signal.road", description="channel.signal.road.hint")
    base_url: Annotated[str, AfterValidator(_address)] = Field(
        title="channel.signal.base_url", description="channel.signal.base_url.hint"
    )
    number: Annotated[str, AfterValidator(_number)] = Field(title="channel.signal.number", description="channel.signal.number.hint")
    authorization: Annotated[SecretStr, AfterValidator(_header)] = Field(
        default=SecretStr(""), title="channel.signal.authorization", description="channel.signal.authorization.hint"
    )
