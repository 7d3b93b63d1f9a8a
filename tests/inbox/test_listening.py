"""A hub that no provider can reach asks for what came in; nothing is lost or doubled, also when that changes (design 9)."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from httpx import AsyncClient

from hub.channels import care, service
from hub.channels.moving import register_moved
from hub.connectors.contract import Account, Polled, RawRequest, SetupResult
from hub.connectors.errors import AuthFailed, SendError, TakenElsewhere, Unavailable
from hub.connectors.registry import Registry
from hub.core import ids, lanes
from hub.core.errors import HubError
from hub.core.settings import Settings
from hub.inbox import sweeper
from hub.inbox.arriving import ingest, listening
from hub.inbox.arriving.arrivals import append
from hub.runtime import Runtime
from tests.probe import Probe, ProbeSettings
from tests.support import Connected, HubUnderTest


@dataclass
class Provider:
    """A provider that keeps what it could not deliver, as Telegram does: until a poll confirms it, or for the webhook."""

    kept: list[dict[str, Any]] = field(default_factory=list)
    webhook: str | None = None
    setups: int = 0
    refuses: SendError | None = None
    polls: int = 0

    def write(self, number: int, text: str) -> None:
        said = {"type": "message", "key": f"m{number}", "at": 1795510800 + number, "from": "anna", "text": text}
        self.kept.append({"number": number, "body": [said]})


provider = Provider()


class Polling(Probe):
    """The probe with a poll in place of a webhook where there is no address."""

    connector = "polling"

    async def poll(self, account: Account[ProbeSettings], http: AsyncClient, cursor: str) -> Polled:
        provider.polls += 1
        if provider.refuses:
            raise provider.refuses
        done = int(cursor or 0)
        provider.kept = [one for one in provider.kept if one["number"] > done]
        bodies = [RawRequest("POST", {}, json.dumps(one["body"]).encode()) for one in provider.kept[:2]]
        return Polled(requests=tuple(bodies), cursor=str(provider.kept[: len(bodies)][-1]["number"]) if bodies else cursor)

    async def setup(self, account: Account[ProbeSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
        provider.setups += 1
        if provider.refuses:
            raise provider.refuses
        provider.webhook = callback_url
        return SetupResult(own_id="polling", address="@polling", title="Polling")


@pytest.fixture
def connectors() -> Registry:
    return Registry([Polling()])


@pytest.fixture(autouse=True)
def _fresh_provider() -> None:
    vars(provider).update(vars(Provider()))


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """No public address."""
    return settings.model_copy(update={"public_url": None})


async def polled(hub: HubUnderTest) -> Connected:
    return await hub.connect("polling", token="x")


async def listen(hub: HubUnderTest, channel: Connected, turns: int = 3) -> None:
    """A few polls of the lane's holder, as a job makes them."""
    lane = await lanes.take(hub.runtime.database, hub.organisation_id, channel.id, "listen", hub.worker_id)
    assert lane is not None
    async with AsyncClient() as http:
        for _ in range(turns):
            await listening._poll_once(hub.runtime, lane, http)
    await lane.let_go()


async def said(hub: HubUnderTest) -> list[str]:
    return [row["text"] for row in await hub.rows("SELECT text FROM message WHERE direction = 'in' ORDER BY at")]


async def work_in(hub: HubUnderTest, channel: Connected) -> None:
    await ingest.drain(hub.runtime, hub.organisation_id, channel.id, hub.worker_id)


async def test_what_a_poll_brings_goes_the_way_of_a_webhook(hub: HubUnderTest) -> None:
    channel = await polled(hub)
    for number in range(1, 6):
        provider.write(number, f"Nachricht {number}")
    await listen(hub, channel, turns=4)
    await work_in(hub, channel)
    assert await said(hub) == [f"Nachricht {number}" for number in range(1, 6)]
    assert provider.kept == []  # the last poll confirmed them
    assert await hub.value("SELECT count(*) FROM webhook_delivery WHERE state = 'applied'") == 5


async def test_dying_between_storing_and_confirming_repeats_and_doubles_nothing(
    hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = await polled(hub)
    provider.write(1, "einmal")

    async def die_after_commit(*values: Any) -> None:
        await append(*values)
        raise ConnectionResetError

    monkeypatch.setattr(listening, "append", die_after_commit)
    with pytest.raises(ConnectionResetError):
        await listen(hub, channel, turns=1)
    monkeypatch.undo()
    assert len(provider.kept) == 1  # the provider was not told that we have it
    await hub.rows("UPDATE channel_lane SET lease_until = NULL WHERE direction = 'listen' RETURNING true")
    await listen(hub, channel, turns=2)
    await work_in(hub, channel)
    assert await said(hub) == ["einmal"]
    assert provider.kept == []


async def test_the_sweeper_finds_who_has_to_be_asked(hub: HubUnderTest) -> None:
    channel = await polled(hub)
    assert await sweeper.look(hub.runtime) == 1
    await hub.rows("UPDATE channel SET health = 'attention' RETURNING true")
    assert await sweeper.look(hub.runtime) == 0
    await hub.rows("UPDATE channel SET health = 'healthy', callback_url = 'https://hub.example/hooks' RETURNING true")
    assert await sweeper.look(hub.runtime) == 0
    await listen(hub, channel, turns=1)
    assert provider.polls == 0  # a provider that delivers is not asked


async def test_two_workers_do_not_ask_at_once(hub: HubUnderTest) -> None:
    channel = await polled(hub)
    held = await lanes.take(hub.runtime.database, hub.organisation_id, channel.id, "listen", ids.new_id())
    assert held is not None
    await listening.drain(hub.runtime, hub.organisation_id, channel.id, ids.new_id())
    assert provider.polls == 0


async def test_a_long_poll_keeps_its_lane(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = await polled(hub)
    lane = await lanes.take(hub.runtime.database, hub.organisation_id, channel.id, "listen", hub.worker_id)
    assert lane is not None
    monkeypatch.setattr(lanes, "RENEW_SECONDS", 0.01)
    renewed = asyncio.Event()
    hold = lane.hold

    async def held(unit: Any) -> None:
        await hold(unit)
        renewed.set()

    monkeypatch.setattr(lane, "hold", held)

    async def slow() -> Polled:
        await renewed.wait()
        return Polled(requests=(), cursor="")

    assert await lanes.hold_while(hub.runtime.database, lane, slow()) == Polled(requests=(), cursor="")


@pytest.mark.parametrize(
    ("error", "health", "comes_back"),
    [(Unavailable("x"), "failing", 1), (TakenElsewhere("409"), "failing", 1), (AuthFailed("401"), "attention", 0)],
)
async def test_trouble_shows_at_the_channel(hub: HubUnderTest, error: SendError, health: str, comes_back: int) -> None:
    channel = await polled(hub)
    provider.refuses = error
    await listen(hub, channel, turns=1)
    assert await hub.value("SELECT health FROM channel") == health
    hub.clock.advance(seconds=6)
    provider.refuses = None
    await care.drain(hub.runtime, hub.organisation_id, channel.id, hub.worker_id)  # what needs a person is told at once
    assert await sweeper.look(hub.runtime) == comes_back
    if comes_back:
        await listen(hub, channel, turns=1)
        assert await hub.value("SELECT health FROM channel") == "healthy"


@pytest.mark.parametrize("error", [TakenElsewhere("409"), Unavailable("ReadError"), AuthFailed("409")])
async def test_a_poll_that_ends_because_the_webhook_was_set_is_no_trouble(
    hub: HubUnderTest, settings: Settings, error: SendError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub gets a public address while a poll is under way: its provider breaks it off, and nothing waits for a person."""
    channel = await polled(hub)

    async def broken_off(*_: Any) -> Polled:
        assert await register_moved(at_address(hub.runtime, settings, "https://hub.example")) == 1
        raise error

    monkeypatch.setattr(Polling, "poll", broken_off)
    await listen(hub, channel, turns=1)
    assert await hub.value("SELECT health FROM channel") == "healthy"


async def test_connecting_without_an_address_registers_none(hub: HubUnderTest) -> None:
    with pytest.raises(HubError):  # no provider record for the test's messenger
        await service.accept_terms(hub.runtime, hub.owner, "polling")
    assert service.callback_url(hub.runtime, "polling", ids.new_id()) == ""


async def test_a_new_address_is_told_to_the_provider_and_loses_nothing(hub: HubUnderTest, settings: Settings) -> None:
    """Poll -> webhook -> another address -> poll: after each start the provider delivers where we are, and what it kept comes."""
    channel = await polled(hub)
    provider.write(1, "gefragt")
    await listen(hub, channel, turns=1)
    provider.write(2, "kam während des Umzugs")
    for address in ("https://hub.example", "https://neu.example"):
        moved = at_address(hub.runtime, settings, address)
        assert await register_moved(moved) == 1
        assert provider.webhook == f"{address}/hooks/polling/{ids.show('chn', channel.id)}"
        assert await register_moved(moved) == 0
    for one in provider.kept:  # the provider delivers what it kept, also what it had handed out unconfirmed
        assert await hub.deliver(channel, one["body"]) == 200
    assert await register_moved(at_address(hub.runtime, settings, None)) == 1
    assert provider.webhook is None
    provider.write(3, "wieder gefragt")
    await listen(hub, channel, turns=2)
    await work_in(hub, channel)
    assert await said(hub) == ["gefragt", "kam während des Umzugs", "wieder gefragt"]


async def test_a_provider_that_is_away_is_told_later(hub: HubUnderTest, settings: Settings) -> None:
    await polled(hub)
    moved = at_address(hub.runtime, settings, "https://hub.example")
    provider.refuses = Unavailable("x")
    assert await register_moved(moved) == 0
    provider.refuses = None
    assert await register_moved(moved) == 1


def at_address(runtime: Runtime, settings: Settings, address: str | None) -> Runtime:
    """The hub after a start with another public address."""
    return Runtime(**{**vars(runtime), "settings": settings.model_copy(update={"public_url": address})})
