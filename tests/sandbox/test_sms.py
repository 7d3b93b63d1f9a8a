"""The SMS gateway of the sandbox is as strict as the connector's README says."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from hub.core.errors import Conflict, InvalidInput
from hub.sandbox.messengers import PhoneDraft
from hub.sandbox.sms.simulator import SmsSimulator, create
from hub.sandbox.sms.world import KEY, SECRET, SENDER

ANNELIESE = "+4915110000001"
FINE = {"to": ANNELIESE, "from": SENDER, "text": "Guten Tag", "reference": "r1"}


class Gateway:
    """The simulator with a hub behind it that only listens."""

    def __init__(self) -> None:
        self.told: list[httpx.Request] = []
        self.hub = httpx.AsyncClient(transport=httpx.MockTransport(self._listen))
        self.simulator: SmsSimulator = create(self.hub)
        self.simulator.point_to("https://hub.example/hooks/sms/chn_1")
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.simulator), base_url="http://sms")

    def _listen(self, request: httpx.Request) -> httpx.Response:
        self.told.append(request)
        return httpx.Response(200)

    async def send(self, body: Any, key: str = KEY) -> httpx.Response:
        return await self.http.post("/v1/messages", json=body, headers={"authorization": key})

    async def webhooks(self) -> list[dict[str, Any]]:
        await self.simulator.courier.settled()
        return [json.loads(request.content) for request in self.told]


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    one = Gateway()
    yield one
    await one.simulator.stop()
    await asyncio.gather(one.http.aclose(), one.hub.aclose())


async def test_an_sms_reaches_the_phone_and_is_reported(gateway: Gateway) -> None:
    answer = await gateway.send(FINE)
    assert answer.status_code == 201
    (line,) = gateway.simulator.phone.chat(SENDER, ANNELIESE).lines
    assert (line.text, line.is_theirs, line.id) == ("Guten Tag", True, answer.json()["id"])
    (report,) = await gateway.webhooks()
    assert (report["id"], report["status"]) == (answer.json()["id"], "delivered")
    (request,) = gateway.told
    expected = hmac.new(SECRET.encode(), request.content, hashlib.sha256).hexdigest()
    assert request.headers["x-signature"] == f"sha256={expected}"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"to": "0151"}, "to is not a number in international form"),
        ({"from": "+491"}, "from is not a sender of this account"),
        ({"text": " "}, "text is missing"),
        ({"text": "x" * 1531}, "text is too long"),
        ({"reference": None}, "reference is missing"),
        ({"flash": True}, "unknown fields: flash"),
    ],
)
async def test_what_is_wrong_is_refused_with_its_reason(gateway: Gateway, change: dict[str, Any], reason: str) -> None:
    answer = await gateway.send(FINE | change)
    assert (answer.status_code, answer.json()["reason"]) == (400, reason)
    assert gateway.simulator.phone.chat(SENDER, ANNELIESE).lines == ()


async def test_the_key_and_the_balance_count(gateway: Gateway) -> None:
    assert (await gateway.send(FINE, key="Bearer wrong")).status_code == 401
    assert (await gateway.http.get("/v1/balance")).status_code == 401
    gateway.simulator.world.balance = 0
    assert (await gateway.send(FINE)).status_code == 402


async def test_who_sent_stop_gets_nothing_until_they_write_again(gateway: Gateway) -> None:
    phone = gateway.simulator.phone
    phone.write(SENDER, ANNELIESE, PhoneDraft(text="STOP"))
    refused = await gateway.send(FINE)
    assert (refused.status_code, refused.json()["status"]) == (400, "opted_out")
    phone.write(SENDER, ANNELIESE, PhoneDraft(text="Doch wieder"))
    assert (await gateway.send(FINE)).status_code == 201
    texts = [told.get("text") for told in await gateway.webhooks()]
    assert texts == ["STOP", "Doch wieder", None]


async def test_a_number_nobody_has_is_accepted_and_fails_later(gateway: Gateway) -> None:
    assert (await gateway.send(FINE | {"to": "+4915119999999"})).status_code == 201
    (report,) = await gateway.webhooks()
    assert (report["status"], report["reason"]) == ("undelivered", "unknown subscriber")


async def test_faults_strike_once(gateway: Gateway) -> None:
    faults = gateway.simulator.faults
    faults.switch_on("rate_limited", times=1, retry_after=7)
    limited = await gateway.send(FINE)
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    faults.switch_on("server_error", times=1)
    assert (await gateway.send(FINE)).status_code == 503
    faults.switch_on("duplicate", times=1)
    assert (await gateway.send(FINE)).status_code == 201
    first, second = await gateway.webhooks()
    assert first == second


async def test_a_phone_writes_only_texts(gateway: Gateway) -> None:
    phone = gateway.simulator.phone
    with pytest.raises(Conflict):
        phone.write(SENDER, ANNELIESE, PhoneDraft(place=(47.5, 9.7)))
    with pytest.raises(InvalidInput):
        phone.add_person(SENDER, "Niemand", "0151")
    assert phone.add_person(SENDER, "Anne Kramer", ANNELIESE).name == "Anne Kramer"
    assert len(phone.people(SENDER)) == 2
