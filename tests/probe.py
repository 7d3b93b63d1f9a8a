"""A messenger that exists only in tests: the smallest connector with receipts and a reply window.

It proves what Telegram cannot show (delivered, read, failed after accepted, channel-wide addresses) through the same contract. Its
payload is a JSON list of events in almost the words of `hub/connectors/events.py`.
"""

import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from httpx import AsyncClient
from pydantic import SecretStr

from hub.connectors.contract import (
    Account,
    Capabilities,
    OutboundAction,
    OutboundMessage,
    Permit,
    RawRequest,
    Receipt,
    Settings,
    SetupResult,
)
from hub.connectors.errors import MalformedPayload, Rejected, SignatureInvalid, UnsupportedContent
from hub.connectors.events import (
    ConsentChanged,
    Event,
    MessageEdited,
    MessageReceived,
    OutboundContent,
    Sender,
    StatusChanged,
    Text,
    Unrecognised,
)
from hub.connectors.http import exchange

URL = "https://probe.example/send"


class ProbeSettings(Settings):
    token: SecretStr


class Probe:
    connector = "probe"
    label = "Probe"
    mark = "web"
    capabilities = Capabilities(
        max_text=1000,
        text_unit="characters",
        confirms=frozenset({"sent", "delivered", "read"}),
        reply_window_hours=24,
        address_scope="channel",
        idempotent_sends=False,
        per_second=50.0,
    )
    settings = ProbeSettings
    keeps_headers: frozenset[str] = frozenset()

    def verify(self, request: RawRequest, account: Account[ProbeSettings]) -> None:
        given = request.headers.get("x-probe-secret", "")
        if not any(hmac.compare_digest(given.encode(), secret.encode()) for secret in account.webhook_secrets):
            raise SignatureInvalid

    def parse(self, request: RawRequest, account: Account[ProbeSettings]) -> Sequence[Event]:
        try:
            raw = json.loads(request.body)
        except ValueError as error:
            raise MalformedPayload("no JSON") from error
        return [_event(one) for one in raw]

    def split(self, content: OutboundContent) -> Sequence[OutboundContent]:
        if not isinstance(content, Text):
            raise UnsupportedContent("no_text")
        text = content.text
        return [Text(text=text[at : at + 1000]) for at in range(0, len(text), 1000)]

    async def send(self, permit: Permit, action: OutboundAction, account: Account[ProbeSettings], http: AsyncClient) -> Receipt:
        permit.spend(action)
        if not isinstance(action, OutboundMessage) or not isinstance(action.content, Text):
            raise UnsupportedContent("only_text")
        response = await exchange(http, "POST", URL, json={"to": action.address, "text": action.content.text})
        if response.status_code != 200:
            raise Rejected(str(response.status_code), "probe says no")
        answer = response.json()
        return Receipt(status="accepted", keys=(answer["id"],), at=datetime.fromtimestamp(answer["at"], UTC))

    async def setup(self, account: Account[ProbeSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
        return SetupResult(own_id="probe", address="@probe", title="Probe")

    async def teardown(self, account: Account[ProbeSettings], http: AsyncClient) -> None:
        return None


def _event(raw: dict[str, Any]) -> Event:
    at = datetime.fromtimestamp(raw["at"], UTC)
    kind, key = raw["type"], raw["key"]
    if kind == "status":
        return StatusChanged(key=key, at=at, target_key=raw["target"], status=raw["status"], provider_text=raw.get("text", ""))
    if kind == "edit":
        return MessageEdited(key=key, at=at, target_key=raw["target"], content=Text(text=raw["text"]))
    if kind == "message":
        sender = Sender(provider_user_id=raw["from"], display_name=raw.get("name", ""))
        return MessageReceived(key=key, at=at, sender=sender, content=Text(text=raw["text"]), sequence=raw.get("sequence", 0))
    if kind in ("blocked", "unblocked"):
        return ConsentChanged(key=key, at=at, sender=Sender(provider_user_id=raw["from"]), change=kind)
    return Unrecognised(key=key, at=at, kind=kind, why="not known to the probe")


probe = Probe()
