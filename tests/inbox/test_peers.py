"""Messages that are encrypted between the ends: keys are fetched once, pinned, and nobody's is replaced in silence."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import respx
from httpx import AsyncClient

from hub.connectors.contract import Account, OutboundAction, Permit, RawRequest, Receipt
from hub.connectors.errors import MalformedPayload, Rejected, SendError, Unavailable
from hub.connectors.events import Event
from hub.connectors.registry import Registry
from hub.core import ids
from hub.inbox.arriving import ingest, peers
from tests.inbox.pages_support import PAGE, visit
from tests.probe import Probe, ProbeSettings
from tests.support import Connected, HubUnderTest

NOW = 1795510800
URL = "https://probe.example/send"


@dataclass
class Directory:
    """The provider's list of keys."""

    keys: dict[str, bytes] = field(default_factory=dict)
    refuses: SendError | None = None
    asked: list[str] = field(default_factory=list)
    sent_with: list[bytes] = field(default_factory=list)


directory = Directory()


class Secret(Probe):
    """The probe with boxes: a delivery names its sender and the key it was closed with."""

    connector = "secret"

    def peer_of(self, request: RawRequest, account: Account[ProbeSettings]) -> str:
        return str(json.loads(request.body)["from"])

    async def fetch_peer_key(self, address: str, account: Account[ProbeSettings], http: AsyncClient) -> bytes:
        directory.asked.append(address)
        if directory.refuses:
            raise directory.refuses
        if address not in directory.keys:
            raise Rejected("404", "no such address")
        return directory.keys[address]

    def parse(self, request: RawRequest, account: Account[ProbeSettings]) -> Sequence[Event]:
        raw = json.loads(request.body)
        if raw["key"].encode() != request.peer_key:
            raise MalformedPayload("the box does not open")
        return super().parse(RawRequest("POST", {}, json.dumps(raw["box"]).encode()), account)

    async def send(self, permit: Permit, action: OutboundAction, account: Account[ProbeSettings], http: AsyncClient) -> Receipt:
        directory.sent_with.append(action.peer_key)
        return await super().send(permit, action, account, http)


@pytest.fixture
def connectors() -> Registry:
    return Registry([Secret()])


@pytest.fixture(autouse=True)
def _fresh() -> None:
    vars(directory).update(vars(Directory()))


@pytest.fixture
async def channel(hub: HubUnderTest) -> Connected:
    return await hub.connect("secret", token="t")


async def write(hub: HubUnderTest, channel: Connected, key: str, *, closed_with: str = "k1", who: str = "ANNA0001") -> None:
    hub.clock.advance(seconds=1)
    box = [{"type": "message", "key": key, "at": NOW, "from": who, "text": f"Brief {key}"}]
    await hub.deliver(channel, {"from": who, "key": closed_with, "box": box})
    await ingest.drain(hub.runtime, hub.organisation_id, channel.id, hub.worker_id)


async def results(hub: HubUnderTest) -> list[tuple[str, str]]:
    return [tuple(row) for row in await hub.rows("SELECT state, why FROM delivery_result ORDER BY received_at, delivery_id")]


async def test_a_key_is_fetched_once_and_pinned(hub: HubUnderTest, channel: Connected) -> None:
    directory.keys["ANNA0001"] = b"k1"
    await write(hub, channel, "m1")
    await write(hub, channel, "m2")
    assert directory.asked == ["ANNA0001"]
    assert await hub.value("SELECT count(*) FROM message") == 2
    row = (await hub.rows("SELECT address, key, length(fingerprint) AS length FROM peer_key"))[0]
    assert tuple(row) == ("ANNA0001", b"k1", 32)


async def test_a_message_waits_while_its_key_cannot_be_fetched_and_no_other_waits_with_it(
    hub: HubUnderTest, channel: Connected
) -> None:
    directory.keys |= {"ANNA0001": b"k1", "BEA00001": b"k1"}
    await write(hub, channel, "m1", who="BEA00001")
    directory.refuses = Unavailable("503", "")
    await write(hub, channel, "m2")
    await write(hub, channel, "m3", who="BEA00001")
    assert [row["text"] for row in await hub.rows("SELECT text FROM message ORDER BY text")] == ["Brief m1", "Brief m3"]
    assert await hub.value("SELECT count(*) FROM webhook_delivery WHERE state = 'received'") == 1
    directory.refuses = None
    await hub.settle()
    assert await hub.value("SELECT count(*) FROM message") == 3


async def test_an_address_that_does_not_exist_is_a_dead_letter_with_its_cause(hub: HubUnderTest, channel: Connected) -> None:
    await write(hub, channel, "m1", who="NOBODY01")
    assert await results(hub) == [("dead", "peer: no such address")]


async def test_another_key_later_is_not_taken_over_and_somebody_is_told(hub: HubUnderTest, channel: Connected) -> None:
    directory.keys["ANNA0001"] = b"k1"
    await write(hub, channel, "m1")
    await write(hub, channel, "m2", closed_with="forged")
    assert (await results(hub))[1] == ("dead", "malformed: the box does not open")  # her key is still the same
    assert await hub.value("SELECT warning_cause FROM channel") == ""
    directory.keys["ANNA0001"] = b"k2"
    await write(hub, channel, "m3", closed_with="k2")
    assert (await results(hub))[2] == ("dead", "peer_key_changed: ANNA0001")
    row = (await hub.rows("SELECT health, warning_cause, warning_text FROM channel"))[0]
    assert tuple(row) == ("healthy", "peer_key_changed", "ANNA0001")
    assert await hub.value("SELECT key FROM peer_key") == b"k1"

    boss = await visit(hub, "Rita Roth", role="admin")
    letter = ids.show("dlv", await hub.value("SELECT delivery_id FROM delivery_result WHERE why LIKE 'peer_key_changed%'"))
    assert "Neuen Schlüssel übernehmen" in await boss.page(f"/deliveries/{letter}")
    assert (await boss.post(f"/deliveries/{letter}/trust", headers=PAGE)).status_code == 303  # she has asked on the phone
    await hub.settle()
    assert [row["text"] for row in await hub.rows("SELECT text FROM message ORDER BY text")] == ["Brief m1", "Brief m3"]
    assert await hub.value("SELECT key FROM peer_key") == b"k2"
    assert (await boss.post(f"/deliveries/{letter}/trust", headers=PAGE)).status_code == 404


@respx.mock
async def test_what_leaves_carries_the_pinned_key_and_a_missing_one_is_fetched_first(hub: HubUnderTest, channel: Connected) -> None:
    directory.keys["ANNA0001"] = b"k1"
    await write(hub, channel, "m1")
    conversation_id = await hub.value("SELECT id FROM conversation")
    respx.post(URL).respond(json={"id": "out-1", "at": NOW + 1})
    await hub.reply(conversation_id, "Guten Tag")
    await hub.settle()
    await peers.forget_key(hub.runtime, hub.owner, channel.id, "ANNA0001")
    directory.keys["ANNA0001"] = b"k2"
    directory.refuses = Unavailable("503", "")
    respx.post(URL).respond(json={"id": "out-2", "at": NOW + 2})
    message_id = await hub.reply(conversation_id, "Noch etwas")
    await hub.settle()
    assert await hub.value("SELECT state FROM message WHERE id = $1", message_id) == "queued"
    directory.refuses = None
    hub.clock.advance(seconds=31)
    await hub.settle()
    assert await hub.value("SELECT state FROM message WHERE id = $1", message_id) == "accepted"
    assert directory.sent_with == [b"k1", b"k2"]


async def test_a_message_to_an_address_that_is_gone_fails(hub: HubUnderTest, channel: Connected) -> None:
    directory.keys["ANNA0001"] = b"k1"
    await write(hub, channel, "m1")
    await peers.forget_key(hub.runtime, hub.owner, channel.id, "ANNA0001")
    directory.keys.clear()
    message_id = await hub.reply(await hub.value("SELECT id FROM conversation"), "Noch da?")
    await hub.settle()
    row: Any = (await hub.rows("SELECT state, failure FROM message WHERE id = $1", message_id))[0]
    assert tuple(row) == ("failed", "unreachable")
