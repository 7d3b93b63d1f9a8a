"""The webhook door: a webhook answered 200 is on disk (I1); everything else is refused with the right answer and loses nothing."""

import json
from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Any

import asyncpg
import pytest
from asgi_lifespan import LifespanManager

from hub.app import Hub
from hub.connectors.registry import Registry
from hub.core import clock, db, ids
from hub.core.clock import FakeClock
from hub.core.settings import Settings
from tests.support import HubUnderTest, telegram_text


async def stored(hub: HubUnderTest) -> int:
    return int(await hub.value("SELECT count(*) FROM webhook_delivery"))


async def test_a_verified_webhook_is_stored_byte_for_byte_before_the_answer(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    body = json.dumps(telegram_text(1, "Hallo"), indent=3).encode()
    assert await hub.deliver(channel, body) == 200
    rows = await hub.rows("SELECT body, state, headers FROM webhook_delivery")
    assert [(row["body"], row["state"]) for row in rows] == [(body, "received")]
    assert channel.secret not in rows[0]["headers"]


@pytest.mark.parametrize("secret", ["", "wrong", "S3cr_t-Token_9f2c7a"])
async def test_a_wrong_or_missing_secret_is_401_and_stores_nothing(hub: HubUnderTest, secret: str) -> None:
    channel = await hub.connect()
    assert await hub.deliver(channel, telegram_text(1, "Hallo"), secret=secret) == 401
    assert await stored(hub) == 0


async def test_another_channels_secret_is_refused(hub: HubUnderTest) -> None:
    first, second = await hub.connect(), await hub.connect(bot_token="7012345679:AAE-other_token_of_thirty_five_cha")
    assert await hub.deliver(first, telegram_text(1, "Hallo"), secret=second.secret) == 401


async def test_unknown_channels_and_wrong_connectors_are_404(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    browser = hub.browser()
    for path in (
        f"/hooks/telegram/{ids.show('chn', ids.new_id())}",
        f"/hooks/probe/{ids.show('chn', channel.id)}",
        "/hooks/telegram/chn_nonsense",
        "/hooks/telegram/",
        "/hooks/",
    ):
        assert (await browser.post(path, content=b"{}")).status_code == 404, path
    assert await stored(hub) == 0


async def test_only_post_is_taken(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    answer = await hub.browser().get(channel.path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_over_the_limit_is_413(hub: HubUnderTest, announced: bool) -> None:
    channel = await hub.connect()
    huge = b"x" * (hub.runtime.settings.body_limit + 1)

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(huge), 100_000):
            yield huge[at : at + 100_000]

    headers = {"x-telegram-bot-api-secret-token": channel.secret}
    content = huge if announced else chunks()
    assert (await hub.browser().post(channel.path, content=content, headers=headers)).status_code == 413
    assert await stored(hub) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b'{"update_id": 1, "message": {"text": "\xff\xfe"}}',
        b"[" * 100_000 + b"]" * 100_000,
        b'{"update_id": "NaN"}',
        b'"a string"',
        b"null",
    ],
    ids=["empty", "words", "broken-utf8", "deep", "wrong-type", "string", "null"],
)
async def test_what_cannot_be_read_is_kept_as_a_dead_letter_with_its_cause(hub: HubUnderTest, body: bytes) -> None:
    channel = await hub.connect()
    assert await hub.deliver(channel, body) == 200
    await hub.settle()
    rows = await hub.rows("SELECT d.state, r.why, d.body FROM webhook_delivery d JOIN delivery_result r ON r.delivery_id = d.id")
    assert [(row["state"], row["body"]) for row in rows] == [("dead", body)]
    assert rows[0]["why"].startswith("malformed")


async def test_a_wrong_content_type_loses_nothing(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    headers = {"x-telegram-bot-api-secret-token": channel.secret, "content-type": "text/plain"}
    answer = await hub.browser().post(channel.path, content=json.dumps(telegram_text(1, "Hallo")).encode(), headers=headers)
    assert answer.status_code == 200
    await hub.settle()
    assert await hub.value("SELECT text FROM message") == "Hallo"


@pytest.mark.parametrize("state", ["off", "blocked"])
async def test_a_channel_that_may_not_send_still_receives(hub: HubUnderTest, state: str) -> None:
    """R-183, I9: an inbound webhook while the switch is set is answered 200, stored and applied."""
    channel = await hub.connect()
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE channel SET state = $1", state)
    assert await hub.deliver(channel, telegram_text(1, "Sind Sie da?")) == 200
    await hub.settle()
    assert await hub.value("SELECT text FROM message") == "Sind Sie da?"


async def test_a_store_that_is_down_is_503_never_200(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    assert await hub.deliver(channel, telegram_text(1, "vorher")) == 200
    await hub.runtime.database.door_pool.close()
    answer = await hub.browser().post(
        channel.path,
        content=json.dumps(telegram_text(2, "nachher")).encode(),
        headers={"x-telegram-bot-api-secret-token": channel.secret},
    )
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_the_answer_has_no_body(hub: HubUnderTest) -> None:
    """telegram.md, 2: a JSON body with `method` would be executed by Telegram."""
    channel = await hub.connect()
    headers = {"x-telegram-bot-api-secret-token": channel.secret}
    answer = await hub.browser().post(channel.path, content=json.dumps(telegram_text(1, "x")).encode(), headers=headers)
    assert answer.content == b""


async def test_a_body_that_is_cut_off_is_not_stored(hub: HubUnderTest) -> None:
    """I1: half a delivery is none; the provider delivers again."""
    channel = await hub.connect()
    messages: Iterator[dict[str, Any]] = iter(
        [{"type": "http.request", "body": b'{"update_id"', "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> dict[str, Any]:
        return next(messages)

    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"x-telegram-bot-api-secret-token", channel.secret.encode())]
    await hub.app({"type": "http", "method": "POST", "path": channel.path, "headers": headers}, receive, send)
    assert sent[0]["status"] == 400
    assert await stored(hub) == 0


async def test_a_store_that_does_not_answer_is_503(
    settings: Settings, connectors: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1: a database that hangs is one that is down; afterwards the door works as before."""
    monkeypatch.setattr(db, "DOOR_SECONDS", 0.3)
    app = Hub(settings, connectors)
    async with LifespanManager(app):
        hub = HubUnderTest(app, app.web.state.runtime, FakeClock(clock.now()))
        await hub.found("radwerk", "Radwerk Lindau")
        channel = await hub.connect()
        holder = await asyncpg.connect(settings.database_admin_url.get_secret_value())  # type: ignore[union-attr]
        await holder.execute("BEGIN; LOCK TABLE webhook_delivery IN ACCESS EXCLUSIVE MODE")
        assert await hub.deliver(channel, telegram_text(1, "Hallo")) == 503
        await holder.execute("ROLLBACK")
        await holder.close()
        assert await hub.deliver(channel, telegram_text(1, "Hallo")) == 200
        assert await stored(hub) == 1
        await hub.close()
