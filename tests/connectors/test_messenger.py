"""What of Messenger conformance cannot show: its address, the health of its subscriptions, a token's end, names of people."""

import time
from dataclasses import replace
from typing import Any

import pytest

from hub.connectors.contract import Checks, FetchesMedia, Handshakes, NamesPeople, RawRequest, Reply
from hub.connectors.errors import CredentialsRejected, SignatureInvalid, Unavailable
from hub.connectors.events import Choice, Option, Text
from hub.connectors.messenger.connector import connector
from hub.connectors.sharing import SharesEndpoint, SharesSubscription
from tests.connectors.samples import ALL, client, outbound_message, permit, provider

SAMPLES = next(samples for samples in ALL if str(samples) == "messenger")
ACCOUNT = SAMPLES.account()


def calls_of(name: str) -> list[dict[str, Any]]:
    """The requests of a row of the set-up, with the answers to them."""
    calls: list[dict[str, Any]] = next(row["calls"] for row in SAMPLES.table("setup") if row["name"] == name)
    return calls


def test_what_it_can_do_besides() -> None:
    for ability in (Handshakes, SharesEndpoint, SharesSubscription, Checks, FetchesMedia, NamesPeople):
        assert isinstance(connector, ability)


def test_all_pages_of_an_app_share_an_address_and_its_test() -> None:
    assert connector.endpoint(ACCOUNT) == "990017744120055"
    token = "7c87bc6a07770fc338aa6aa56cc1de859bd1aa2a"
    asked = RawRequest("GET", {}, b"", query=f"hub.mode=subscribe&hub.challenge=17&hub.verify_token={token}")
    assert connector.handshake(asked, ACCOUNT) == Reply(status=200, body=b"17")
    with pytest.raises(SignatureInvalid):
        connector.handshake(RawRequest("GET", {}, b"", query="hub.mode=subscribe&hub.challenge=17&hub.verify_token=x"), ACCOUNT)
    assert connector.handshake(RawRequest("POST", {}, b"", query=asked.query), ACCOUNT) is None


@pytest.mark.parametrize(("count", "text", "kind"), [(3, "x" * 640, "template"), (3, "x" * 641, "quick"), (4, "x", "quick")])
async def test_buttons_up_to_three_and_640_characters(count: int, text: str, kind: str) -> None:
    options = tuple(Option(id=str(number), label=str(number)) for number in range(count))
    message = outbound_message({"address": "1", "text": "x"})
    question = replace(message, content=Choice(text=Text(text=text), options=options))
    call = {key: value for key, value in SAMPLES.table("outbound")[0]["calls"][0].items() if key != "json"}
    with provider(SAMPLES, [call]) as router:
        async with client() as http:
            await connector.send(permit(), question, ACCOUNT, http)
        assert (b"quick_replies" in router.calls[0].request.content) == (kind == "quick")


async def test_a_token_that_ends_says_when(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1790000000.0)
    calls = calls_of("again")
    told = {
        **calls[0],
        "answer": {"status": 200, "json": {"data": {**calls[0]["answer"]["json"]["data"], "expires_at": 1790003600}}},
    }
    with provider(SAMPLES, [told, *calls[1:]]):
        async with client() as http:
            result = await connector.setup(SAMPLES.account(own_id=""), "https://hub.example.org/hooks/sample/chn_7Q2", http)
    assert result.lasts_seconds == 3600


FINE = calls_of("again")
SUBSCRIPTION, SUBSCRIBED, GRANTED = FINE[2], FINE[3], FINE[4]
NOTHING = {**GRANTED, "answer": {"status": 200, "json": {"data": []}}}


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([SUBSCRIPTION, GRANTED], [("ok", "app_subscription"), ("ok", "account_subscription")]),
        ([SUBSCRIPTION, NOTHING, SUBSCRIBED, GRANTED], [("ok", "app_subscription"), ("warning", "account_subscription")]),
        (
            [calls_of("subscription_was_off")[2], calls_of("subscription_was_off")[3], GRANTED],
            [("warning", "app_subscription"), ("ok", "account_subscription")],
        ),
        ([calls_of("first")[2], GRANTED], [("attention", "app_subscription_lost"), ("ok", "account_subscription")]),
    ],
    ids=["fine", "page lost", "app off", "app lost"],
)
async def test_a_subscription_that_ended_is_made_again(calls: list[dict[str, Any]], expected: list[tuple[str, str]]) -> None:
    """Provider file, 1.4 and 3."""
    with provider(SAMPLES, calls):
        async with client() as http:
            events = await connector.check(ACCOUNT, http)
    assert [(event.level, event.cause) for event in events] == expected


async def test_a_check_says_when_the_token_is_refused_and_when_nobody_answers() -> None:
    refused = {**GRANTED, "answer": {"status": 401, "json": {"error": {"code": 190, "message": "expired"}}}}
    for calls, error in (
        ([SUBSCRIPTION, refused], CredentialsRejected),
        ([{**SUBSCRIPTION, "answer": {"raises": "ReadTimeout"}}], Unavailable),
    ):
        with provider(SAMPLES, calls), pytest.raises(error):
            async with client() as http:
                await connector.check(ACCOUNT, http)


def profile(answer: dict[str, Any]) -> list[dict[str, Any]]:
    asked = FINE[1]["url"].replace("/me?fields=id,name,username", "/7318840026614092?fields=first_name,last_name")
    return [{"method": "GET", "url": asked, "answer": answer}]


@pytest.mark.parametrize("code", [230, 100, 9010])
async def test_a_name_that_is_not_told_is_no_error(code: int) -> None:
    """Provider file, 1 and 11: no consent, not reachable, a reviewer."""
    with provider(SAMPLES, profile({"status": 400, "json": {"error": {"code": code, "message": "no"}}})):
        async with client() as http:
            assert await connector.name_of("7318840026614092", ACCOUNT, http) is None


async def test_a_name_that_is_told() -> None:
    answer = {"status": 200, "json": {"first_name": "Jörg", "last_name": "Müller", "id": "7318840026614092"}}
    with provider(SAMPLES, profile(answer)):
        async with client() as http:
            found = await connector.name_of("7318840026614092", ACCOUNT, http)
    assert found is not None and (found.display_name, found.provider_user_id) == ("Jörg Müller", "7318840026614092")


@pytest.mark.parametrize(
    ("page", "needed"),
    [({"instagram_business_account": {"id": "17841405822304914"}}, [("instagram", "17841405822304914")]), ({"id": "1"}, [])],
)
async def test_who_hears_through_the_pages_subscription(page: dict[str, Any], needed: list[tuple[str, str]]) -> None:
    asked = "{base_url}/v26.0/me?fields=instagram_business_account"
    call = {"method": "GET", "url_begins": asked, "answer": {"status": 200, "json": page}}
    with provider(SAMPLES, [call]):
        async with client() as http:
            assert await connector.needed_by(ACCOUNT, http) == needed
