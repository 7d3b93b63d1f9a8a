"""How updates reach a webhook (provider file, 3): the secret, one queue per chat, repetition, and how long an update lives."""

import asyncio

import orjson
import pytest
from starlette.responses import JSONResponse, Response

from hub.core import clock
from hub.core.clock import FakeClock
from hub.sandbox.telegram.webhook import retry_delay
from tests.sandbox.support import BOT, SECRET, Arrived, Hook, Simulated, until


async def test_secret_and_shape(simulated: Simulated, hook: Hook) -> None:
    """One update per POST, as JSON, with the secret of setWebhook in its header."""
    person = await simulated.person()
    entry = await simulated.write(person, "Hallo")
    (arrived,) = await hook.wait_for(1)
    assert arrived.headers["x-telegram-bot-api-secret-token"] == SECRET
    assert arrived.headers["content-type"] == "application/json"
    assert arrived.update == {"update_id": entry["update"]["update_id"], "message": entry["message"]}


async def test_no_secret_no_header(simulated: Simulated, hook: Hook) -> None:
    await simulated.call("setWebhook", url=hook.address)
    await simulated.write(await simulated.person(), "Hallo")
    (arrived,) = await hook.wait_for(1)
    assert "x-telegram-bot-api-secret-token" not in arrived.headers


@pytest.mark.parametrize("status", [500, 404, 401, 302])
async def test_anything_but_2xx_is_repeated(simulated: Simulated, hook: Hook, status: int) -> None:
    """The same update comes again until it is accepted; what went wrong stands in getWebhookInfo."""
    answers = [status, status, 204]
    hook.answer = lambda _: Response(status_code=answers.pop(0))
    entry = await simulated.write(await simulated.person(), "Hallo")
    arrived = await hook.wait_for(3)
    await simulated.settled()
    assert {one.update["update_id"] for one in arrived} == {entry["update"]["update_id"]}
    info = (await simulated.call("getWebhookInfo")).json()["result"]
    assert str(status) in info["last_error_message"] and info["pending_update_count"] == 0


async def test_delays_double_up_to_a_minute_or_two() -> None:
    """At once after the first failure, then 2, 4, 8 … at most 120 s; a Retry-After is honoured up to an hour."""
    assert [retry_delay(failures, 0) for failures in (1, 2, 3, 4)] == [0, 2, 4, 8]
    assert 60 <= retry_delay(30, 0) <= 120
    assert retry_delay(1, 17) == 17 and retry_delay(1, 100_000) == 3600


async def test_one_request_per_chat(simulated: Simulated, hook: Hook) -> None:
    """The next message of a chat waits until the one before is accepted; another chat goes on meanwhile."""
    release = asyncio.Event()

    async def slow_for_the_first(one: Arrived) -> Response:
        if one.text == "eins":
            await release.wait()
        return Response()

    hook.answer = slow_for_the_first
    slow, other = await simulated.person(501), await simulated.person(502)
    for person, text in ((slow, "eins"), (slow, "zwei"), (other, "drei")):
        await simulated.write(person, text)
    await hook.wait_for(2)
    assert sorted(hook.texts) == ["drei", "eins"]
    release.set()
    await hook.wait_for(3)
    assert hook.texts[2] == "zwei"


async def test_kinds_overtake_each_other(simulated: Simulated, hook: Hook) -> None:
    """A block and a message of one chat sit in different queues: the block does not wait for the message."""
    release = asyncio.Event()

    async def slow_for_messages(one: Arrived) -> Response:
        if "message" in one.update:
            await release.wait()
        return Response()

    hook.answer = slow_for_messages
    person = await simulated.person()
    await simulated.write(person, "Hallo")
    await simulated.block(person)
    arrived = await hook.wait_for(2)
    member = arrived[1].update["my_chat_member"]
    assert (member["old_chat_member"]["status"], member["new_chat_member"]["status"]) == ("member", "kicked")
    release.set()
    await simulated.settled()


async def test_an_update_dies_after_a_day(simulated: Simulated, hook: Hook) -> None:
    """What is not accepted within 24 hours is dropped, and the phone says so."""
    fake = FakeClock(clock.now())
    clock.set_clock(fake)
    try:
        hook.answer = lambda _: Response(status_code=503)
        person = await simulated.person()
        await simulated.write(person, "Hallo")
        await hook.wait_for(1)
        fake.advance(hours=24, seconds=1)
        await simulated.settled()
        assert (await simulated.phone(person))["entries"][0]["update"]["state"] == "dropped"
    finally:
        clock.set_clock(None)


async def test_410_for_a_day_loses_the_webhook(simulated: Simulated, hook: Hook) -> None:
    fake = FakeClock(clock.now())
    clock.set_clock(fake)
    try:
        hook.answer = lambda _: Response(status_code=410)
        await simulated.write(await simulated.person(), "Hallo")
        await hook.wait_for(2)
        fake.advance(hours=23, minutes=1)
        await until(lambda: simulated.bot.webhook is None)
        assert (await simulated.call("getWebhookInfo")).json()["result"]["url"] == ""
    finally:
        clock.set_clock(None)


async def test_an_answer_with_a_method_is_a_call(simulated: Simulated, hook: Hook) -> None:
    """Telegram runs a 2xx body that names a method; methods that read or move the webhook are left alone."""
    person = await simulated.person()
    hook.answer = lambda _: JSONResponse({"method": "sendMessage", "chat_id": person, "text": "aus der Antwort"})
    await simulated.write(person, "Hallo")
    await hook.wait_for(1)
    await simulated.settled()
    hook.answer = lambda _: JSONResponse({"method": "deleteWebhook"})
    await simulated.write(person, "noch einmal")
    await hook.wait_for(2)
    await simulated.settled()
    lines = (await simulated.phone(person))["entries"]
    assert [line["message"]["text"] for line in lines if line["from"] == "bot"] == ["aus der Antwort"]
    assert simulated.bot.webhook is not None


async def test_what_waits_moves_to_the_next_address(simulated: Simulated, hook: Hook) -> None:
    """Updates that nobody accepted are delivered to whatever is set next, unless they shall be dropped."""
    await simulated.call("deleteWebhook")
    person = await simulated.person()
    await simulated.write(person, "bleibt")
    await simulated.call("setWebhook", url=hook.address)
    assert (await hook.wait_for(1))[0].text == "bleibt"
    await simulated.call("deleteWebhook")
    await simulated.write(person, "verfällt")
    await simulated.call("setWebhook", url=hook.address, drop_pending_updates=True)
    await simulated.write(person, "neu")
    await hook.wait_for(2)
    assert hook.texts == ["bleibt", "neu"]


async def test_any_update_of_the_documents_can_be_made(simulated: Simulated, hook: Hook) -> None:
    """Kinds that no phone page makes go the same way."""
    payload = {"id": "bc_1", "user": {"id": 611222333, "is_bot": False, "first_name": "Optik"}, "is_enabled": True}
    told = await simulated.control("POST", f"/bots/{BOT}/updates", {"kind": "business_connection", "payload": payload})
    (arrived,) = await hook.wait_for(1)
    assert arrived.update == {"update_id": told["update_id"], "business_connection": payload}
    assert orjson.dumps(arrived.update)
