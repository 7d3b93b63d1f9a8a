"""Who may deliver to us, and whose a shared delivery is (provider file, 1.3 and 2)."""

import hashlib
import hmac
import json
import re
from typing import Final
from urllib.parse import parse_qs

import orjson

from hub.connectors.contract import Account, RawRequest, Reply
from hub.connectors.errors import SignatureInvalid
from hub.connectors.sharing import Share
from hub.connectors.whatsapp.payloads import envelope, number_of
from hub.connectors.whatsapp.reading import Json, an_object, objects
from hub.connectors.whatsapp.settings import WhatsAppSettings

TOKEN_HEADER: Final = "x-hub-token"
"""Ours: 360dialog sends along whatever headers are registered with the address."""
PLATFORM_HEADER: Final = "x-360dialog-signature"
META_HEADER: Final = "x-hub-signature-256"
SIGNATURE: Final = re.compile(r"(?:sha256=)?([0-9a-f]{64})")
"""Meta writes the prefix; 360dialog's is seen with and without it (2.1)."""


def check_sender(request: RawRequest, account: Account[WhatsAppSettings]) -> None:
    """Raises SignatureInvalid. Signatures cover the bytes as they came: an umlaut is an escape in them, and written anew it is not.

    360dialog: the registered header, and its signature where its platform secret is known. Meta: its signature.
    """
    settings = account.settings
    if settings.uses_meta:
        _check_signature(request, META_HEADER, settings.app_secret.get_secret_value() if settings.app_secret else "")
        return
    given = request.headers.get(TOKEN_HEADER, "").encode()
    fits = [hmac.compare_digest(given, secret.encode()) for secret in account.webhook_secrets if secret]
    if not any(fits):
        raise SignatureInvalid
    if settings.platform_secret:
        _check_signature(request, PLATFORM_HEADER, settings.platform_secret.get_secret_value())


def sign(body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def verify_token(secret: str) -> str:
    """What Meta repeats to us when it tests our address. It stands in addresses, so it is not the secret itself."""
    return hmac.new(secret.encode(), b"hub.verify_token", hashlib.sha256).hexdigest()


def answer_test(request: RawRequest, account: Account[WhatsAppSettings]) -> Reply | None:
    """Meta's test of our address; 360dialog makes none. Raises SignatureInvalid for a wrong token."""
    if request.method != "GET" or not account.settings.uses_meta:
        return None
    asked = {name: values[0] for name, values in parse_qs(request.query).items()}
    given = asked.get("hub.verify_token", "").encode()
    fits = [hmac.compare_digest(given, verify_token(secret).encode()) for secret in account.webhook_secrets if secret]
    if asked.get("hub.mode") != "subscribe" or not any(fits):
        raise SignatureInvalid
    return Reply(status=200, body=asked.get("hub.challenge", "").encode())


def shares_of(request: RawRequest) -> list[Share]:
    """A delivery by number; what concerns a business account, and so all its numbers, goes to all. Raises MalformedPayload."""
    bodies: dict[str, list[Json]] = {}
    for entry in envelope(request.body):
        by_number: dict[str, list[Json]] = {}
        for change in objects(entry, "changes"):
            by_number.setdefault(number_of(an_object(change, "value")), []).append(change)
        for number, changes in (by_number or {"": []}).items():
            bodies.setdefault(number, []).append({**entry, "changes": changes})
    if len(bodies) == 1:
        return [Share(own_id=number, body=request.body) for number in bodies]
    return [Share(own_id=number, body=_dump(entries)) for number, entries in bodies.items()]


def _check_signature(request: RawRequest, header: str, secret: str) -> None:
    found = SIGNATURE.fullmatch(request.headers.get(header, ""))
    if not secret or found is None or not hmac.compare_digest(found[1], sign(request.body, secret)):
        raise SignatureInvalid


def _dump(entries: list[Json]) -> bytes:
    delivery = {"object": "whatsapp_business_account", "entry": entries}
    try:
        return orjson.dumps(delivery)
    except TypeError:  # half of a surrogate pair, or a number of more than 64 bits
        return json.dumps(delivery).encode()
