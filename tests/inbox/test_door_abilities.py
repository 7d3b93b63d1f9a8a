"""What the door does for messengers that need more: tests of the address, an address that accounts share, a greeting in the answer
(design 2)."""

import dataclasses
import hmac
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
from httpx import AsyncClient

from hub.channels import service as channels
from hub.channels.moving import register_moved
from hub.connectors.contract import Account, OutboundMessage, Permit, RawRequest, Reply, SetupResult
from hub.connectors.errors import MalformedPayload, SignatureInvalid
from hub.connectors.events import Event, Sender
from hub.connectors.registry import Registry
from hub.connectors.sharing import Share
from hub.core import ids
from hub.inbox import sweeper
from hub.inbox.arriving import arrivals, ingest
from tests.probe import Probe, ProbeSettings
from tests.support import Connected, HubUnderTest, command

NOW = 1795510800


class Handshaking(Probe):
    """A provider that tests the address with a GET, as Meta does, and with a POST, as Google does."""

    connector = "handshaking"

    def handshake(self, request: RawRequest, account: Account[ProbeSettings]) -> Reply | None:
        asked = parse_qs(request.query)
        if request.method == "GET" and "challenge" in asked:
            if asked["token"][0] not in account.webhook_secrets:
                raise SignatureInvalid
            return Reply(status=200, body=asked["challenge"][0].encode())
        if request.body.startswith(b'{"challenge"'):
            return Reply(status=200, body=request.body, media_type="application/json")
        return None


class Sharing(Probe):
    """Pages behind one app: the secret is the app's, a delivery speaks of several pages."""

    connector = "sharing"
    keeps_headers = frozenset({"x-kept"})

    def verify(self, request: RawRequest, account: Account[ProbeSettings]) -> None:
        secret = account.settings.token.get_secret_value().partition(":")[2]
        if not hmac.compare_digest(request.headers.get("x-probe-secret", ""), secret):
            raise SignatureInvalid

    def endpoint(self, account: Account[ProbeSettings]) -> str:
        return account.settings.token.get_secret_value().partition(":")[0]

    def shares(self, request: RawRequest) -> Sequence[Share]:
        try:
            pages = json.loads(request.body)
        except ValueError as error:
            raise MalformedPayload("no JSON") from error
        return [Share(own_id=page, body=json.dumps(events).encode()) for page, events in pages.items()]

    async def setup(self, account: Account[ProbeSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
        urls.append(callback_url)
        return SetupResult(own_id="page", address="@page", title="Page")


class Headed(Probe):
    """A provider that says in a header what it delivers."""

    connector = "headed"
    keeps_headers = frozenset({"x-kind"})

    def parse(self, request: RawRequest, account: Account[ProbeSettings]) -> Sequence[Event]:
        raw = json.loads(request.body)
        return super().parse(replace(request, body=json.dumps([raw | {"type": request.headers["x-kind"]}]).encode()), account)


class Asking(Sharing):
    """A daemon that is asked, whatever address the hub has."""

    connector = "asking"
    capabilities = dataclasses.replace(Probe.capabilities, webhook=False)


class Greeting(Probe):
    """A chat that is opened before anything is written asks for a greeting in the answer, as Viber's."""

    connector = "greeting"

    def wants_answer(self, request: RawRequest, account: Account[ProbeSettings]) -> Sender | None:
        raw = json.loads(request.body)
        return Sender(provider_user_id=raw[0]["from"]) if raw[0]["type"] == "opened" else None

    def render_inline(self, permit: Permit, message: OutboundMessage, account: Account[ProbeSettings]) -> Reply:
        permit.spend(message)
        assert hasattr(message.content, "text")
        body = json.dumps({"to": message.address, "say": message.content.text}).encode()
        return Reply(status=200, body=body, media_type="application/json")


urls: list[str | None] = []


@pytest.fixture
def connectors() -> Registry:
    return Registry([Probe(), Handshaking(), Sharing(), Greeting(), Asking(), Headed()])


def said(key: str, who: str = "anna", text: str = "Hallo") -> dict[str, Any]:
    return {"type": "message", "key": key, "at": NOW, "from": who, "text": text}


# tests of the address


async def test_a_test_of_the_address_is_answered_in_the_providers_words(hub: HubUnderTest) -> None:
    channel = await hub.connect("handshaking", token="t")
    browser = hub.browser()
    answer = await browser.get(f"{channel.path}?mode=subscribe&challenge=4711&token={channel.secret}")
    assert (answer.status_code, answer.text) == (200, "4711")
    assert answer.headers["content-type"].startswith("text/plain")
    assert (await browser.get(f"{channel.path}?challenge=4711&token=wrong")).status_code == 401
    nothing = await browser.get(channel.path)
    assert (nothing.status_code, nothing.headers["allow"]) == (405, "GET, POST")
    posted = await browser.post(channel.path, content=b'{"challenge": "x"}')
    assert (posted.status_code, posted.json()) == (200, {"challenge": "x"})
    assert await hub.value("SELECT count(*) FROM webhook_delivery") == 0
    assert await hub.deliver(channel, [said("m1")]) == 200
    assert await hub.value("SELECT count(*) FROM webhook_delivery") == 1


async def test_a_messenger_without_tests_takes_no_get(hub: HubUnderTest) -> None:
    channel = await hub.connect("probe")
    assert (await hub.browser().get(channel.path)).status_code == 405


async def test_parse_gets_the_headers_that_the_messenger_needs_and_no_other(hub: HubUnderTest) -> None:
    channel = await hub.connect("headed", token="t")
    headers = {"x-probe-secret": channel.secret, "x-kind": "message", "x-other": "no"}
    await hub.browser().post(channel.path, content=json.dumps(said("m1") | {"type": ""}).encode(), headers=headers)
    assert await hub.value("SELECT headers FROM webhook_delivery") == {"x-kind": "message"}
    await hub.settle()
    assert await hub.value("SELECT text FROM message") == "Hallo"


# an address that accounts share


async def page(hub: HubUnderTest, own_id: str, token: str = "app-1:s3cret") -> Connected:
    channel = await hub.connect("sharing", token=token)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE channel SET own_id = $2 WHERE id = $1", channel.id, own_id)
    return channel


async def share(hub: HubUnderTest, pages: Any, *, secret: str = "s3cret", endpoint: str = "app-1") -> int:
    body = pages if isinstance(pages, bytes) else json.dumps(pages).encode()
    headers = {"x-probe-secret": secret, "x-kept": "yes"}
    return (await hub.browser().post(f"/hooks/sharing/{endpoint}", content=body, headers=headers)).status_code


async def lost(hub: HubUnderTest) -> list[tuple[str, str]]:
    """What nobody was found for, read as the operator does."""
    async with hub.runtime.database.system() as unit:
        return [tuple(row) for row in await unit.sql.fetch("SELECT endpoint, own_id FROM unrouted_delivery ORDER BY own_id")]


async def test_each_account_gets_what_speaks_of_it_and_nothing_else(hub: HubUnderTest) -> None:
    first, second = await page(hub, "p1"), await page(hub, "p2")
    assert await share(hub, {"p1": [said("m1", "anna")], "p2": [said("m2", "bea"), said("m3", "bea")]}) == 200
    rows = await hub.rows("SELECT channel_id, body, headers FROM webhook_delivery")
    assert {row["channel_id"]: json.loads(row["body"]) for row in rows} == {
        first.id: [said("m1", "anna")],
        second.id: [said("m2", "bea"), said("m3", "bea")],
    }
    assert {row["headers"]["x-kept"] for row in rows} == {"yes"}
    await ingest.drain(hub.runtime, hub.organisation_id, second.id, hub.worker_id)
    assert await hub.value("SELECT count(*) FROM message") == 2
    assert await lost(hub) == []


async def test_what_names_nobody_we_know_is_kept_for_the_operator_and_dropped_after_a_week(hub: HubUnderTest) -> None:
    await page(hub, "p1")
    assert await share(hub, {"p1": [said("m1")], "p9": [said("m2")]}) == 200
    assert await share(hub, b"no JSON") == 200
    assert await share(hub, {}) == 200
    assert await lost(hub) == [("app-1", ""), ("app-1", ""), ("app-1", "p9")]
    assert await hub.value("SELECT count(*) FROM webhook_delivery") == 1
    hub.clock.advance(days=6, hours=23)
    await sweeper.keep_house(hub.runtime)
    assert len(await lost(hub)) == 3
    hub.clock.advance(hours=2)
    await sweeper.keep_house(hub.runtime)
    assert await lost(hub) == []


async def connected(hub: HubUnderTest, *texts: str) -> list[str]:
    """What of these is in the inbox, after everything that is due."""
    await arrivals.take_up(hub.runtime)
    await hub.settle()
    rows = await hub.rows("SELECT text FROM message WHERE text = ANY($1::text[]) ORDER BY text", list(texts))
    return [row["text"] for row in rows]


@pytest.mark.usefixtures("environment")
async def test_what_waits_is_applied_when_its_account_is_connected(hub: HubUnderTest) -> None:
    """Listed for the operator without a word of what it says; taken up once, by the account that can verify it, and by no other."""
    await page(hub, "p1")
    hub.clock.set(datetime.fromtimestamp(NOW, UTC))
    assert await share(hub, {"p9": [said("m1", text="geheim eins")], "p8": [said("m3", text="fremd")]}) == 200
    hub.clock.advance(hours=1)
    assert await share(hub, {"p9": [said("m2", text="geheim zwei")]}) == 200
    told = (await command("deliveries", "unrouted")).output
    assert "sharing  app-1  p9  2  2026-11-24 09:00 to 2026-11-24 10:00" in told and "geheim" not in told
    assert "3 deliveries for 2 accounts that nobody has connected." in told

    await page(hub, "p9", "app-1:another secret")  # says that it is the account, and cannot prove it
    assert await connected(hub, "geheim eins", "geheim zwei") == []
    assert len(await lost(hub)) == 3
    true = await page(hub, "p9")
    assert await connected(hub, "geheim eins", "geheim zwei", "fremd") == ["geheim eins", "geheim zwei"]
    assert await connected(hub, "geheim eins", "geheim zwei", "fremd") == ["geheim eins", "geheim zwei"]
    assert await lost(hub) == [("app-1", "p8")]
    rows = await hub.rows("SELECT channel_id, received_at FROM webhook_delivery ORDER BY received_at")
    assert [row["channel_id"] for row in rows] == [true.id, true.id]
    assert rows[0]["received_at"] == datetime.fromtimestamp(NOW, UTC)


async def test_an_account_with_another_secret_gets_nothing(hub: HubUnderTest) -> None:
    """Two businesses name the same app; only the one that knows its secret is served."""
    await page(hub, "p1", "app-1:other")
    true = await page(hub, "p1")
    assert await share(hub, {"p1": [said("m1")]}) == 200
    assert [row["channel_id"] for row in await hub.rows("SELECT channel_id FROM webhook_delivery")] == [true.id]
    assert await share(hub, {"p1": [said("m2")]}, secret="nobody's") == 401


async def test_an_account_that_was_connected_just_now_is_found(hub: HubUnderTest) -> None:
    await page(hub, "p1")
    assert await share(hub, {"p1": [said("m1")]}) == 200
    await page(hub, "p2")
    assert await share(hub, {"p2": [said("m2")]}) == 200
    assert await lost(hub) == []


async def test_addresses_that_nobody_shares_are_404(hub: HubUnderTest) -> None:
    channel = await page(hub, "p1")
    assert await share(hub, {}, endpoint="app-2") == 404
    assert (await hub.browser().post("/hooks/probe/app-1", content=b"{}")).status_code == 404
    assert (await hub.browser().post(f"/hooks/probe/{ids.show('chn', channel.id)}", content=b"{}")).status_code == 404


async def test_the_provider_is_told_the_shared_address(hub: HubUnderTest) -> None:
    channel = await page(hub, "p1")
    urls.clear()
    opened = await ingest.load_channel(hub.runtime, hub.organisation_id, channel.id)
    await channels.check_with_provider(hub.runtime, opened)
    assert urls == ["http://hub.test/hooks/sharing/app-1"]
    assert await register_moved(hub.runtime) == 1  # it was told an address of its own before
    assert await hub.value("SELECT callback_url FROM channel") == "http://hub.test/hooks/sharing/app-1"
    assert await register_moved(hub.runtime) == 0


# a greeting in the answer


async def opened(hub: HubUnderTest, channel: Connected, key: str = "o1") -> Any:
    body = json.dumps([{"type": "opened", "key": key, "at": NOW, "from": "anna"}]).encode()
    return await hub.browser().post(channel.path, content=body, headers={"x-probe-secret": channel.secret})


async def test_nobody_is_greeted_without_an_opt_in(hub: HubUnderTest) -> None:
    """R-221: refused, kept as a decision, and the delivery is stored all the same."""
    channel = await hub.connect("greeting", token="t")
    assert (await opened(hub, channel, "o0")).content == b""  # the business greets nobody
    await channels.set_welcome(hub.runtime, hub.owner, channel.id, "Willkommen")
    answer = await opened(hub, channel)
    assert (answer.status_code, answer.content) == (200, b"")
    assert await hub.value("SELECT count(*) FROM webhook_delivery") == 2
    row = (await hub.rows("SELECT verdict, rule, conversation_id FROM gate_decision"))[0]
    assert tuple(row) == ("refuse", "opt_in_needed", None)
    assert await hub.value("SELECT count(*) FROM message") == 0


async def test_who_has_agreed_is_greeted_in_the_answer_once(hub: HubUnderTest) -> None:
    """Design 2: one transaction with delivery, decision, message and attempt; it stays unclear until a receipt."""
    channel = await hub.connect("greeting", token="t")
    await channels.set_welcome(hub.runtime, hub.owner, channel.id, "Willkommen")
    agreed = {"type": "opted_in", "key": "c1", "at": NOW - 60, "from": "anna", "text": "Ja"}
    await hub.deliver(channel, [agreed])
    await hub.settle()
    answer = await opened(hub, channel)
    assert answer.json() == {"to": "anna", "say": "Willkommen"}
    message = (await hub.rows("SELECT * FROM message"))[0]
    assert (message["direction"], message["state"], message["text"]) == ("out", "unknown", "Willkommen")
    assert await hub.value("SELECT outcome FROM attempt") == "unknown"
    decision = (await hub.rows("SELECT verdict, rule, message_id FROM gate_decision"))[0]
    assert tuple(decision) == ("allow", "welcome", message["id"])
    await hub.settle()
    assert await hub.value("SELECT count(*) FROM attempt") == 1  # never again
    assert await hub.value("SELECT state FROM message") == "unknown"


# providers that deliver to no address


async def test_a_messenger_without_webhooks_is_told_no_address(hub: HubUnderTest) -> None:
    """Signal: it is polled although the hub has a public address."""
    channel = await hub.connect("asking", token="t")
    assert await hub.value("SELECT callback_url FROM channel") == ""
    urls.clear()
    await channels.check_with_provider(hub.runtime, await ingest.load_channel(hub.runtime, hub.organisation_id, channel.id))
    assert urls == [None]
    assert await register_moved(hub.runtime) == 0
    async with hub.runtime.database.system() as unit:
        due = await unit.sql.fetch(sweeper._DUE_LISTEN, datetime.now(UTC), hub.clock(), ["asking"])
    assert [row["channel_id"] for row in due] == [channel.id]
