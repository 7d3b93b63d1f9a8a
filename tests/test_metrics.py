"""What an operator's Prometheus reads: whether something stands still, who may ask, and that no label names anybody."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import arq.worker
import httpx2
import prometheus_client
import pytest
from asgi_lifespan import LifespanManager
from pydantic import SecretStr
from redis.exceptions import ConnectionError as RedisConnectionError

from hub import worker
from hub.app import Hub
from hub.core.settings import Settings
from hub.inbox.arriving import ingest
from tests.inbox.pages_support import conv, receive, visit
from tests.support import HubUnderTest, telegram_text

TOKEN = "a-token-for-prometheus"
FAR_AWAY = datetime(2100, 1, 1, tzinfo=UTC)


async def scrape(hub: HubUnderTest) -> dict[str, float]:
    """`name{labels}` -> value."""
    answer = await hub.browser().get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = [line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


async def test_the_oldest_waiting_things(hub: HubUnderTest) -> None:
    """The two main figures: near zero while all is well, and growing with the time that something stands still."""
    channel = await hub.connect()
    delivery = 'hub_oldest_delivery_age_seconds{connector="telegram"}'
    message = 'hub_oldest_due_message_age_seconds{connector="telegram"}'
    idle = await scrape(hub)
    assert (idle[delivery], idle[message], idle["hub_database_up"]) == (0, 0, 1)

    conversation_id = await receive(hub, channel, "Guten Tag")
    await hub.deliver(channel, telegram_text(50, "noch eine"))
    hub.clock.advance(seconds=90)
    await hub.deliver(channel, telegram_text(51, "und noch eine"))
    await hub.reply(conversation_id, "Moin")
    hub.clock.advance(seconds=30)
    stuck = await scrape(hub)
    assert (stuck[delivery], stuck[message]) == (120, 30)


async def test_open_attempts_dead_letters_channels_and_lanes(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    channel, other = await hub.connect(), await hub.connect("probe")
    conversation_id = await receive(hub, channel, "Guten Tag")
    await hub.reply(conversation_id, "Moin")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute(
            """
            INSERT INTO attempt (organisation_id, id, part_id, channel_id, no, permit_at, facts_version, fence, outcome, error,
                                 provider_code, provider_text)
            SELECT organisation_id, gen_random_uuid(), id, channel_id, 1, $1, '', 0, 'sending', '', '', '' FROM message_part
            """,
            hub.clock(),
        )
        await unit.sql.execute("UPDATE channel SET health = 'failing' WHERE id = $1", other.id)
        await unit.sql.execute(
            "UPDATE channel_lane SET lease_until = $1 WHERE channel_id = $2 AND direction = 'in'", FAR_AWAY, other.id
        )

    async def fails(*arguments: object) -> None:
        raise ValueError("cannot")

    with monkeypatch.context() as patch:
        patch.setattr(ingest, "apply_events", fails)
        await hub.deliver(channel, telegram_text(60, "kaputt"))
        await ingest.drain(hub.runtime, hub.organisation_id, channel.id, hub.worker_id)
    hub.clock.advance(seconds=7)
    found = await scrape(hub)
    assert found['hub_oldest_open_attempt_age_seconds{connector="telegram"}'] == 7
    assert found['hub_dead_letters{connector="telegram"}'] == 1
    assert found['hub_channels{connector="telegram",health="healthy"}'] == 1
    assert found['hub_channels{connector="probe",health="failing"}'] == 1
    assert found['hub_lanes_held{direction="in"}'] == 1


async def test_requests_and_counters_of_the_process(hub: HubUnderTest) -> None:
    """Times by route template; the counters of door and lanes are among it."""
    channel, jonas = await hub.connect(), await visit(hub)
    before = await scrape(hub)
    await jonas.page(f"/inbox/open/{conv(await receive(hub, channel, 'Guten Tag'))}")
    await hub.browser().get("/nix/da")
    after = await scrape(hub)
    for name in (
        'hub_http_request_seconds_count{method="GET",route="/o/{slug}/inbox/{view}/{conversation}",status="2xx"}',
        'hub_http_request_seconds_count{method="POST",route="/hooks/{connector}/{channel}",status="2xx"}',
        'hub_http_request_seconds_count{method="GET",route="unknown",status="4xx"}',
        'hub_webhook_answers_total{connector="telegram",status="200"}',
        'hub_deliveries_total{connector="telegram",state="applied"}',
    ):
        assert after[name] == before.get(name, 0) + 1, name


async def test_no_label_names_anybody(hub: HubUnderTest) -> None:
    """I10: nothing of an organisation, a channel or a person is in a name or label, whatever was asked for."""
    channel, jonas = await hub.connect(), await visit(hub)
    await jonas.page(f"/inbox/open/{conv(await receive(hub, channel, 'Guten Tag'))}")
    await hub.browser().get(f"/o/{hub.slug}/inbox/open")
    await hub.browser().request("BREW", "/o/x")
    for path in ("/hooks/telegram/chn_0", "/hooks/wer/ist/das", "//", "/static/nobody-asks-this/nix.css"):
        await hub.browser().get(path)
    text = (await hub.browser().get("/metrics")).text
    values = set(re.findall(r'(\w+)="([^"]*)"', text))
    names = {name for name, _ in values}
    assert names <= {"connector", "status", "state", "health", "direction", "method", "route", "le", "outcome"} | PROCESS
    assert {value for name, value in values if name == "method"} <= {"GET", "POST", "HEAD", "other"}
    for secret in (hub.slug, "Radwerk", "5123456789", "chn_", "conv_", str(channel.id), "nobody-asks-this"):
        assert secret not in text


PROCESS = {"implementation", "major", "minor", "patchlevel", "version", "generation"}
"""Labels of prometheus-client's own figures about the interpreter."""


@asynccontextmanager
async def hub_with(settings: Settings) -> AsyncIterator[Hub]:
    app = Hub(settings)
    async with LifespanManager(app):
        yield app


async def ask(app: Hub, peer: str, **headers: str) -> int:
    transport = httpx2.ASGITransport(app, client=(peer, 1234))
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub.test") as client:
        return (await client.get("/metrics", headers=headers)).status_code


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("203.0.113.9", {}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 404),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 404),
        ("127.0.0.1", {"X-Real-IP": "127.0.0.1"}, 404),
        ("203.0.113.9", {"Authorization": "Bearer None"}, 404),
    ],
)
async def test_without_a_token_only_this_machine_may_ask(
    settings: Settings, peer: str, headers: dict[str, str], status: int
) -> None:
    async with hub_with(settings) as app:
        assert await ask(app, peer, **headers) == status


async def test_with_a_token_whoever_has_it_may_ask(settings: Settings) -> None:
    async with hub_with(settings.model_copy(update={"metrics_token": SecretStr(TOKEN)})) as app:
        assert await ask(app, "203.0.113.9", Authorization=f"Bearer {TOKEN}") == 200
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}):
            assert await ask(app, "127.0.0.1", **headers) == 401


async def test_without_the_database_the_rest_is_still_told(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses() -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(hub.runtime.database, "system", refuses)
    found = await scrape(hub)
    assert found["hub_database_up"] == 0
    assert "process_open_fds" in found


async def test_a_worker_tells_its_own_on_this_machine(
    hub: HubUnderTest, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only with HUB_WORKER_METRICS_PORT, and only on 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    started = []

    def start(*arguments: Any, **options: Any) -> Any:
        started.append(prometheus_client.start_http_server(*arguments, **options))
        return started[0]

    async def ends(self: object) -> None:
        raise RedisConnectionError("gone")

    monkeypatch.setattr(arq.worker.Worker, "async_run", ends)
    monkeypatch.setattr(worker, "start_http_server", start)
    with pytest.raises(RedisConnectionError):
        await worker.run_worker(settings)
    assert started == []
    with pytest.raises(RedisConnectionError):
        await worker.run_worker(settings.model_copy(update={"worker_metrics_port": port}))
    server, thread = started[0]
    try:
        assert server.server_address == ("127.0.0.1", port)
        async with httpx2.AsyncClient() as client:
            text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()
    assert "hub_deliveries_total" in text and "hub_pending_effects_dropped_total" in text
