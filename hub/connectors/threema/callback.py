"""The form that Threema posts for each message, and the code that proves it (provider file, 3)."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from hub.connectors.errors import MalformedPayload

SIGNED: Final = ("from", "to", "messageId", "date", "nonce", "box")
"""The fields that the code covers, in this order, as they stand in the form. The nickname is not among them: it is shown and never
relied on."""
_SHAPES: Final = {
    "from": re.compile(r"[*0-9A-Z][0-9A-Z]{7}"),
    "to": re.compile(r"\*[0-9A-Z]{7}"),
    "messageId": re.compile(r"[0-9a-f]{16}"),
    "date": re.compile(r"[0-9]{1,12}"),
    "nonce": re.compile(r"[0-9a-f]{48}"),
    "box": re.compile(r"(?:[0-9a-f]{2})+"),
}
LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Callback:
    """One delivery, still sealed. `date` in unix seconds, by the sender's clock."""

    sender: str
    recipient: str
    message_id: str
    date: int
    nonce: bytes
    box: bytes
    nickname: str


def read_fields(body: bytes) -> dict[str, str]:
    """The fields of the form, each of which is there once. Raises MalformedPayload."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=20)
    except ValueError as error:
        raise MalformedPayload("not a form") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise MalformedPayload("a field stands there twice")
    return fields


def code_of(fields: dict[str, str], secret: str) -> str:
    """HMAC-SHA256 in hexadecimal over the signed fields, without anything between them; MalformedPayload when one is missing."""
    if not all(name in fields for name in SIGNED):
        raise MalformedPayload("a field is missing")
    said = "".join(fields[name] for name in SIGNED)
    return hmac.new(secret.encode(), said.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def read_callback(body: bytes) -> Callback:
    """Raises MalformedPayload for a form that lacks a field or has one of another shape."""
    fields = read_fields(body)
    for name, shape in _SHAPES.items():
        if not shape.fullmatch(fields.get(name, "")):
            raise MalformedPayload(f"{name} is not as documented")
    return Callback(
        sender=fields["from"],
        recipient=fields["to"],
        message_id=fields["messageId"],
        date=int(fields["date"]),
        nonce=bytes.fromhex(fields["nonce"]),
        box=bytes.fromhex(fields["box"]),
        nickname=fields.get("nickname", "").strip()[:LONGEST_NAME],
    )
