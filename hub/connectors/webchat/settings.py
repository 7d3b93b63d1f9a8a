"""What a business types into the set-up form of its website chat."""

import re
import unicodedata
from typing import Final, Literal

from httpx import URL, InvalidURL
from pydantic import Field, ValidationInfo, field_validator

from hub.connectors.contract import Settings

ACCENT: Final = "#2c5a9e"
LONGEST: Final = {"title": 60, "greeting": 400, "privacy_text": 600}
"""Characters: what fits into the panel of a phone."""
MOST_ORIGINS: Final = 50


class WebchatSettings(Settings):
    title: str = Field(title="channel.webchat.title", description="channel.webchat.title.hint")
    origins: str = Field(
        title="channel.webchat.origins", description="channel.webchat.origins.hint", json_schema_extra={"lines": True}
    )
    """Origins of pages that may show the chat, one per line (`https://www.muster.example`)."""
    privacy_url: str = Field(title="channel.webchat.privacy_url", description="channel.webchat.privacy_url.hint")
    privacy_text: str = Field(
        default="",
        title="channel.webchat.privacy_text",
        description="channel.webchat.privacy_text.hint",
        json_schema_extra={"lines": True},
    )
    """What stands before the first message; empty: the widget's own words in the page's language."""
    greeting: str = Field(
        default="",
        title="channel.webchat.greeting",
        description="channel.webchat.greeting.hint",
        json_schema_extra={"lines": True},
    )
    asks: Literal["nothing", "name", "name_email"] = Field(
        default="nothing", title="channel.webchat.asks", description="channel.webchat.asks.hint"
    )
    """What a visitor may say about themselves before the first message."""
    accent: str = Field(default=ACCENT, title="channel.webchat.accent", description="channel.webchat.accent.hint")
    position: Literal["right", "left"] = Field(
        default="right", title="channel.webchat.position", description="channel.webchat.position.hint"
    )

    @field_validator("title", "greeting", "privacy_text")
    @classmethod
    def _is_readable(cls, text: str, info: ValidationInfo) -> str:
        text = text.replace("\r\n", "\n").strip()
        if _has_control(text):
            raise ValueError("control characters are no text")
        longest = LONGEST[str(info.field_name)]
        if len(text) > longest:
            raise ValueError(f"at most {longest} characters")
        return text

    @field_validator("title")
    @classmethod
    def _is_there(cls, title: str) -> str:
        if not title:
            raise ValueError("a title is needed")
        return title

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, typed: str) -> str:
        """One a line, without path and slash, as browsers name them."""
        if _has_control(typed.replace("\r\n", "\n").replace("\t", " ")):
            raise ValueError("control characters are no address")
        origins = list(dict.fromkeys(_origin(word) for word in re.split(r"[\s,;]+", typed) if word))
        if not 0 < len(origins) <= MOST_ORIGINS:
            raise ValueError(f"1 to {MOST_ORIGINS} addresses, one per line")
        return "\n".join(origins)

    @field_validator("privacy_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        url = url.strip()
        parts = _parse(url)
        if parts.scheme not in ("https", "http") or not parts.host or re.search(r"\s", url) or _has_control(url):
            raise ValueError("an address like https://www.muster.example/datenschutz")
        return url

    @field_validator("accent")
    @classmethod
    def _is_a_colour(cls, colour: str) -> str:
        colour = colour.strip().lower()
        if not re.fullmatch(r"#[0-9a-f]{6}", colour):
            raise ValueError("six hexadecimal digits behind a #")
        return colour

    @property
    def allowed(self) -> frozenset[str]:
        """Origins of pages that may show the chat."""
        return frozenset(self.origins.split("\n"))


def _has_control(text: str) -> bool:
    return any(unicodedata.category(letter) == "Cc" and letter != "\n" for letter in text)


def _parse(url: str) -> URL:
    try:
        return URL(url)
    except InvalidURL as error:
        raise ValueError("not an address") from error


def _origin(typed: str) -> str:
    """`https://www.muster.example/kontakt` -> `https://www.muster.example`; without a scheme https is meant."""
    parts = _parse(typed if "://" in typed else f"https://{typed}")
    if parts.scheme not in ("https", "http") or not parts.host or parts.userinfo or "*" in parts.host:
        raise ValueError("addresses of websites like https://www.muster.example, one per line")
    host = parts.raw_host.decode("ascii")
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
