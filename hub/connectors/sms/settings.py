"""What a business types into the set-up form: the gateway's address and key, and what it calls things."""

import re
from typing import Annotated, Final

from httpx import URL, InvalidURL
from pydantic import AfterValidator, Field, SecretStr

from hub.connectors.contract import Settings

NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,40}(\.[A-Za-z0-9_-]{1,40}){0,4}")
"""A field's name, or a path to it: `message.id`, `results.0.status`."""
SENDER: Final = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,8}|(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9 ]{1,11}")
"""A number (E.164), a short code, or a name of up to eleven letters and digits (GSM 03.40, 9.1.2.5)."""


def _address(url: str) -> str:
    url = url.strip()
    try:
        parts = URL(url)
    except InvalidURL as error:
        raise ValueError("not an address") from error
    if parts.scheme not in ("https", "http") or not parts.host or parts.userinfo or re.search(r"[\s{}#\\]", url):
        raise ValueError("an address like https://gateway.example/messages")
    return url


def _optional_address(url: str) -> str:
    return _address(url) if url.strip() else ""


def _name(name: str) -> str:
    if not NAME.fullmatch(name.strip()):
        raise ValueError("the name of a field, or a path to it with dots")
    return name.strip()


def _words(words: str) -> str:
    found = [word.strip().lower() for word in words.split(",") if word.strip()]
    if not found:
        raise ValueError("at least one word; several with commas between them")
    return ",".join(found)


def _secret(secret: SecretStr) -> SecretStr:
    stripped = secret.get_secret_value().strip()
    if not stripped or not stripped.isascii() or not stripped.isprintable():
        raise ValueError("letters, digits and signs of ASCII")
    return SecretStr(stripped)


def _sender(sender: str) -> str:
    if not SENDER.fullmatch(sender.strip()):
        raise ValueError("a number like +4915123456789, a short code, or a name of up to eleven letters and digits")
    return sender.strip()


Name = Annotated[str, AfterValidator(_name)]
Words = Annotated[str, AfterValidator(_words)]


class SmsSettings(Settings):
    """`*_field` are names in the gateway's JSON, `*_words` its words for an outcome, in lower case with commas between them."""

    sender: Annotated[str, AfterValidator(_sender)] = Field(title="channel.sms.sender", description="channel.sms.sender.hint")
    send_url: Annotated[str, AfterValidator(_address)] = Field(
        title="channel.sms.send_url", description="channel.sms.send_url.hint"
    )
    authorization: Annotated[SecretStr, AfterValidator(_secret)] = Field(
        title="channel.sms.authorization", description="channel.sms.authorization.hint"
    )
    signing_secret: Annotated[SecretStr, AfterValidator(_secret)] = Field(
        title="channel.sms.signing_secret", description="channel.sms.signing_secret.hint"
    )
    check_url: Annotated[str, AfterValidator(_optional_address)] = Field(
        default="", title="channel.sms.check_url", description="channel.sms.check_url.hint"
    )
    to_field: Name = Field(default="to", title="channel.sms.to_field", description="channel.sms.to_field.hint")
    from_field: Name = Field(default="from", title="channel.sms.from_field", description="channel.sms.from_field.hint")
    text_field: Name = Field(default="text", title="channel.sms.text_field", description="channel.sms.text_field.hint")
    reference_field: Name = Field(
        default="reference", title="channel.sms.reference_field", description="channel.sms.reference_field.hint"
    )
    id_field: Name = Field(default="id", title="channel.sms.id_field", description="channel.sms.id_field.hint")
    at_field: Name = Field(default="at", title="channel.sms.at_field", description="channel.sms.at_field.hint")
    status_field: Name = Field(default="status", title="channel.sms.status_field", description="channel.sms.status_field.hint")
    reason_field: Name = Field(default="reason", title="channel.sms.reason_field", description="channel.sms.reason_field.hint")
    sent_words: Words = Field(
        default="sent,accepted,queued,buffered", title="channel.sms.sent_words", description="channel.sms.sent_words.hint"
    )
    delivered_words: Words = Field(
        default="delivered,delivrd", title="channel.sms.delivered_words", description="channel.sms.delivered_words.hint"
    )
    failed_words: Words = Field(
        default="failed,undelivered,undeliv,rejected,rejectd,expired,deleted",
        title="channel.sms.failed_words",
        description="channel.sms.failed_words.hint",
    )
    opted_out_words: Words = Field(
        default="opted_out,blacklisted,unsubscribed",
        title="channel.sms.opted_out_words",
        description="channel.sms.opted_out_words.hint",
    )

    def outcome_of(self, word: str) -> str:
        """`sent`, `delivered`, `failed`, `opted_out`, or empty for a word that the settings do not know."""
        plain = word.strip().lower()
        named = {
            "sent": self.sent_words,
            "delivered": self.delivered_words,
            "failed": self.failed_words,
            "opted_out": self.opted_out_words,
        }
        return next((outcome for outcome, words in named.items() if plain in words.split(",")), "")
