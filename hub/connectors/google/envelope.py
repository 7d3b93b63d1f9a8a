"""The Pub/Sub envelope around everything Google tells: base64 inside JSON, signed over what is inside (provider file, 2)."""

import base64
import binascii
import hashlib
import hmac
from typing import Any, Final
from urllib.parse import parse_qs

import orjson

from hub.connectors.contract import Account, RawRequest, Reply
from hub.connectors.errors import MalformedPayload, SignatureInvalid
from hub.connectors.google.settings import GoogleSettings

SIGNATURE: Final = "x-goog-signature"


def data_of(body: bytes) -> bytes:
    """What the envelope holds. Raises MalformedPayload."""
    envelope = _object(body)
    message = envelope.get("message")
    data = message.get("data") if isinstance(message, dict) else None
    if not isinstance(data, str) or not data:
        raise MalformedPayload("no message.data")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedPayload("message.data is no base64") from error


def check(request: RawRequest, account: Account[GoogleSettings]) -> None:
    """Raise SignatureInvalid unless Google sent it: HMAC-SHA512 over the decoded data with the agent's client token. A Pub/Sub push
    subscription signs nothing; it brings the channel's own secret as `?token=` of its address."""
    try:
        data = data_of(request.body)
    except MalformedPayload:
        raise SignatureInvalid from None
    token = account.settings.client_token.get_secret_value()
    given = request.headers.get(SIGNATURE, "")
    if given:
        expected = base64.b64encode(hmac.new(token.encode(), data, hashlib.sha512).digest())
        if not token or not hmac.compare_digest(given.encode(), expected):
            raise SignatureInvalid
        return
    pushed = parse_qs(request.query).get("token", [""])[0].encode()
    fits = [hmac.compare_digest(pushed, secret.encode()) for secret in account.webhook_secrets if secret]
    if not any(fits):
        raise SignatureInvalid


def answer_handshake(request: RawRequest, account: Account[GoogleSettings]) -> Reply | None:
    """The plain secret for the test that Google makes when the webhook is saved; None for anything else."""
    try:
        asked = _object(request.body)
    except MalformedPayload:
        return None
    secret, token = asked.get("secret"), asked.get("clientToken")
    if "message" in asked or not isinstance(secret, str | int) or isinstance(secret, bool) or not isinstance(token, str):
        return None
    known = account.settings.client_token.get_secret_value()
    if not known or not hmac.compare_digest(token.encode("utf-8", "replace"), known.encode()):
        raise SignatureInvalid
    return Reply(status=200, body=str(secret).encode())


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedPayload("no JSON") from error
    if not isinstance(found, dict):
        raise MalformedPayload("no object")
    return found
