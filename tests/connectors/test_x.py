"""What the conformance suite cannot show of X: vectors of the provider file, both forms of consent, shared delivery, ids."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import respx
from httpx import Response
from pydantic import ValidationError

from hub.connectors.contract import RawRequest
from hub.connectors.errors import CredentialsRejected, MalformedPayload, SignatureInvalid
from hub.connectors.events import ChannelHealth, StatusUpTo
from hub.connectors.sharing import Budget
from hub.connectors.x import samples
from hub.connectors.x.account import EVENTS
from hub.connectors.x.connector import connector
from hub.connectors.x.payloads import unescape
from hub.connectors.x.settings import XSettings
from tests.connectors.samples import Samples, client

ACCOUNT = Samples(connector).account()
SIGNED = {key: value for key, value in samples.SETTINGS.items() if key not in ("client_id", "client_secret", "refresh_token")}
OAUTH1 = replace(
    ACCOUNT, settings=XSettings.model_validate({**SIGNED, "user_token": "user-token-1", "user_secret": "user-secret-1"})
)
BODY = b'{"data":{"event_uuid":"-4821930042","event_type":"dm.received","filter":{"user_id":"1700000000000000001"},"payload":{}}}'


def test_the_challenge_is_answered_as_in_the_provider_file() -> None:
    """x-dm.md, 1: computed with the consumer secret hub-consumer-secret-0001."""
    reply = connector.handshake(RawRequest("GET", {}, b"", query="crc_token=crc-9f2c41d7"), ACCOUNT)
    assert reply is not None
    assert json.loads(reply.body) == {"response_token": "sha256=MBlU+SSYKELNzWcP4qzFZ3tXLTCgEpebFydCe8uWt7A="}
    assert reply.media_type == "application/json"


def test_the_challenge_is_decoded_before_it_is_signed() -> None:
    plus, space = (
        connector.handshake(RawRequest("GET", {}, b"", query=query), ACCOUNT) for query in ("crc_token=a+b", "crc_token=a%20b")
    )
    assert plus == space


def test_a_challenge_without_token_is_refused_and_a_delivery_is_none() -> None:
    with pytest.raises(SignatureInvalid):
        connector.handshake(RawRequest("GET", {}, b"", query="x=1"), ACCOUNT)
    assert connector.handshake(RawRequest("POST", {}, BODY), ACCOUNT) is None


def test_the_signature_is_that_of_the_provider_file() -> None:
    signature = "sha256=YAYnotxPYfT6sTdYzkvvG6HLfAc2Dneb19xsFaZqdl0="
    connector.verify(RawRequest("POST", {"x-twitter-webhooks-signature": signature}, BODY), ACCOUNT)


@pytest.mark.parametrize(
    ("delivery", "account"),
    [
        ({"data": {"filter": {"user_id": "1"}, "payload": {}}}, "1"),
        ({"data": {"filter": {}, "payload": {"user_id": "2"}}}, "2"),
        ({"for_user_id": "3"}, "3"),
        ({"data": {}}, ""),
    ],
)
def test_a_delivery_names_its_account(delivery: dict[str, Any], account: str) -> None:
    """All accounts of an app share one address and one secret (2)."""
    body = json.dumps(delivery).encode()
    (share,) = connector.shares(RawRequest("POST", {}, body))
    assert (share.own_id, share.body) == (account, body)
    with pytest.raises(MalformedPayload):
        connector.shares(RawRequest("POST", {}, b"[]"))


def test_accounts_of_one_app_share_address_and_budget() -> None:
    """1,440 messages a day for all accounts of an app (7)."""
    other = replace(ACCOUNT, own_id="2", settings=ACCOUNT.settings.model_copy(update={"api_key": "another-app-0001"}))
    same = replace(ACCOUNT, own_id="2")
    assert connector.endpoint(ACCOUNT) == connector.endpoint(same) != connector.endpoint(other)
    assert (
        connector.budget(ACCOUNT)
        == connector.budget(same)
        == Budget(name=f"x:{connector.endpoint(same)}", most=1440, seconds=86_400)
    )
    assert "sample-api-key" not in connector.endpoint(ACCOUNT)


def test_a_read_mark_is_as_old_as_the_message_it_names() -> None:
    """Ids begin with milliseconds, so messages after the named one are not read."""
    number = 2080765901528535200
    mark = {"created_timestamp": "1795166340662", "sender_id": "9", "last_read_event_id": str(number)}
    body = json.dumps({"for_user_id": "1", "direct_message_mark_read_events": [mark]}).encode()
    (event,) = connector.parse(RawRequest("POST", {}, body), ACCOUNT)
    assert isinstance(event, StatusUpTo)
    sent = datetime.fromtimestamp(((number >> 22) + 1288834974657) / 1000, UTC)
    assert 0 < (event.up_to - sent).total_seconds() <= 0.001


@pytest.mark.parametrize(("told", "text"), [("&amp;", "&"), ("&amp;lt;", "&lt;"), ("&lt;b&gt;", "<b>"), ("&quot;", "&quot;")])
def test_text_is_unescaped_once(told: str, text: str) -> None:
    assert unescape(told) == text


async def test_without_end_every_request_is_signed() -> None:
    """OAuth 1.0a: key, token and signature in the header, secrets nowhere."""
    with respx.mock() as router:
        asked = router.get("https://x.example/2/users/me").mock(Response(401))
        async with client() as http:
            with pytest.raises(CredentialsRejected) as refused:
                await connector.setup(OAUTH1, "https://hub.example/hooks/x/app", http)
    assert refused.value.field == "user_token"
    header = asked.calls[0].request.headers["authorization"]
    assert header.startswith("OAuth ") and 'oauth_signature_method="HMAC-SHA1"' in header and 'oauth_token="user-token-1"' in header
    assert "secret" not in header


async def test_files_are_fetched_signed_and_only_from_where_x_keeps_them() -> None:
    class Sink:
        async def write(self, piece: bytes) -> None:
            return None

    with respx.mock() as router:
        theirs = router.get("https://ton.twitter.com/1.1/ton/data/dm/1/2/a.jpg").mock(Response(200, content=b"x"))
        others = router.get("https://elsewhere.example/a.jpg").mock(Response(200, content=b"x"))
        async with client() as http:
            await connector.fetch("1 2 https://ton.twitter.com/1.1/ton/data/dm/1/2/a.jpg", OAUTH1, http, Sink())
            await connector.fetch("1 2 https://elsewhere.example/a.jpg", OAUTH1, http, Sink())
    assert theirs.calls[0].request.headers["authorization"].startswith("OAuth ")
    assert "authorization" not in others.calls[0].request.headers


async def test_renewal_keeps_the_new_refresh_token() -> None:
    with respx.mock() as router:
        told = {"access_token": "a2", "refresh_token": "r2", "expires_in": 7200}
        router.post("https://x.example/2/oauth2/token").mock(Response(200, json=told))
        async with client() as http:
            renewal = await connector.renew(ACCOUNT, http)
            forever = await connector.renew(OAUTH1, http)
    assert isinstance(renewal.settings, XSettings) and renewal.settings.access_token and renewal.settings.refresh_token
    kept = renewal.settings.access_token.get_secret_value(), renewal.settings.refresh_token.get_secret_value()
    assert (*kept, renewal.lasts_seconds) == ("a2", "r2", 7200)
    assert (forever.settings, forever.lasts_seconds) == (OAUTH1.settings, None)


@pytest.mark.parametrize(
    ("webhooks", "kinds", "level"),
    [
        ([{"id": "9", "url": "https://h/hooks/x/{endpoint}", "valid": True}], EVENTS, "ok"),
        ([{"id": "9", "url": "https://h/hooks/x/{endpoint}", "valid": False}], EVENTS, "warning"),
        ([{"id": "9", "url": "https://h/hooks/x/{endpoint}", "valid": True}], EVENTS[1:], "warning"),
        ([], EVENTS, "attention"),
    ],
)
async def test_the_daily_check_puts_right_what_it_can(webhooks: list[dict[str, Any]], kinds: tuple[str, ...], level: str) -> None:
    endpoint = connector.endpoint(ACCOUNT)
    there = [{**one, "url": one["url"].format(endpoint=endpoint)} for one in webhooks]
    subscribed = [
        {"subscription_id": kind, "event_type": kind, "filter": {"user_id": ACCOUNT.own_id}, "webhook_id": "9"} for kind in kinds
    ]
    with respx.mock(assert_all_called=False) as router:
        router.get("https://x.example/2/webhooks").mock(Response(200, json={"data": there}))
        again = router.put("https://x.example/2/webhooks/9").mock(Response(200, json={"data": {"valid": True}}))
        router.get("https://x.example/2/activity/subscriptions").mock(Response(200, json={"data": subscribed}))
        made = router.post("https://x.example/2/activity/subscriptions").mock(Response(200, json={"data": {}}))
        async with client() as http:
            (event,) = await connector.check(ACCOUNT, http)
    assert isinstance(event, ChannelHealth)
    assert event.level == level
    assert again.called == (bool(webhooks) and not webhooks[0]["valid"])
    assert made.called == (len(kinds) < len(EVENTS))


@pytest.mark.parametrize(
    "missing", [("client_id", "refresh_token"), ("refresh_token",), ("api_key",), ("api_secret",), ("bearer_token",)]
)
def test_consent_must_be_whole(missing: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        XSettings.model_validate({key: value for key, value in samples.SETTINGS.items() if key not in missing})
