"""The simulated Bot API is not kinder than Telegram: refusals, error bodies, webhooks against polling (provider file, 1 and 10)."""

import asyncio
from typing import Any

import httpx
import pytest

from hub.sandbox.telegram.webhook import Options
from tests.sandbox.support import BOT, TOKEN, Hook, Simulated, refusal, serve_app, telegram_sandbox, until


@pytest.mark.parametrize(
    ("parameters", "status", "description"),
    [
        ({"chat_id": 4711, "text": "x"}, 400, "Bad Request: chat not found"),
        ({"text": "x"}, 400, "Bad Request: chat_id is empty"),
        ({"chat_id": 1}, 400, "Bad Request: message text is empty"),
        ({"chat_id": 1, "text": " \n "}, 400, "Bad Request: text must be non-empty"),
        ({"chat_id": 1, "text": "x" * 4097}, 400, "Bad Request: message is too long"),
        ({"chat_id": 1, "text": "😀" * 2049}, 400, "Bad Request: message is too long"),
        ({"chat_id": 1, "text": "x", "reply_parameters": {"message_id": 9}}, 400, "Bad Request: message to be replied not found"),
        ({"chat_id": 2, "text": "x"}, 403, "Forbidden: bot can't initiate conversation with a user"),
        ({"chat_id": 3, "text": "x"}, 403, "Forbidden: bot was blocked by the user"),
    ],
)
async def test_send_message_refusals(simulated: Simulated, parameters: dict[str, Any], status: int, description: str) -> None:
    """Person 1 has written, person 2 never has, person 3 blocked the bot. Nothing appears on a phone."""
    for number in (1, 2, 3):
        await simulated.person(number)
    await simulated.write(1, "Hallo")
    await simulated.write(3, "Hallo")
    await simulated.block(3)
    assert refusal(await simulated.call("sendMessage", **parameters)) == (status, description)
    for number in (1, 2, 3):
        assert all(line["from"] == "person" for line in (await simulated.phone(number))["entries"])


async def test_longest_text_counts_utf16(simulated: Simulated) -> None:
    """4096 units pass: 2048 emoji, each of them two."""
    person = await simulated.person()
    await simulated.write(person, "Hallo")
    answer = await simulated.call("sendMessage", chat_id=person, text="😀" * 2048)
    assert answer.json()["result"]["text"] == "😀" * 2048


@pytest.mark.parametrize(
    ("token", "method", "expected"),
    [
        ("7012345678:AAE-another_token_of_thirty_five", "getMe", (401, "Unauthorized")),
        ("no-token", "getMe", (404, "Not Found")),
        (TOKEN, "sendTelepathy", (404, "Not Found: method not found")),
        (TOKEN, "getMe", None),
    ],
)
async def test_token_and_method(simulated: Simulated, token: str, method: str, expected: tuple[int, str] | None) -> None:
    answer = await simulated.call(method, token=token)
    if expected is None:
        assert answer.json()["result"]["id"] == BOT
    else:
        assert refusal(answer) == expected


async def test_parameters_in_every_form(simulated: Simulated) -> None:
    """Query, form, multipart and JSON mean the same; a body that is no JSON object is refused."""
    person = await simulated.person()
    await simulated.write(person, "Hallo")
    url, parameters = f"{simulated.address}/bot{TOKEN}/sendMessage", {"chat_id": str(person), "text": "Guten Tag"}
    answers = [
        await simulated.http.get(url, params=parameters),
        await simulated.http.post(url, data=parameters),
        await simulated.http.post(url, data=parameters, files={"x": b"y"}),
        await simulated.http.post(url, json=parameters),
        await simulated.http.post(f"{simulated.address}/bot{TOKEN}/SENDMESSAGE", json=parameters),
    ]
    assert [answer.json()["result"]["text"] for answer in answers] == ["Guten Tag"] * 5
    broken = await simulated.http.post(url, content=b"[", headers={"content-type": "application/json"})
    assert refusal(broken)[0] == 400


async def test_unknown_formatting_is_refused_and_not_ignored(simulated: Simulated) -> None:
    person = await simulated.person()
    await simulated.write(person, "Hallo")
    answer = await simulated.call("sendMessage", chat_id=person, text="*fett*", parse_mode="Markdown")
    assert refusal(answer)[0] == 501


async def test_edit_and_delete(simulated: Simulated) -> None:
    """An unchanged edit is the 400 that counts as success; the person's own messages cannot be edited."""
    person = await simulated.person()
    own = (await simulated.write(person, "Hallo"))["message_id"]
    sent = (await simulated.call("sendMessage", chat_id=person, text="eins")).json()["result"]["message_id"]
    edit = {"chat_id": person, "message_id": sent, "text": "zwei"}
    assert (await simulated.call("editMessageText", **edit)).json()["result"]["text"] == "zwei"
    assert "message is not modified" in refusal(await simulated.call("editMessageText", **edit))[1]
    assert refusal(await simulated.call("editMessageText", **edit | {"message_id": own}))[0] == 400
    assert (await simulated.call("deleteMessage", chat_id=person, message_id=sent)).json()["result"] is True
    assert (await simulated.phone(person))["entries"][-1]["is_deleted"] is True


async def test_pressed_button(simulated: Simulated, hook: Hook) -> None:
    """A button makes a callback_query, which can be answered once; then it is too old."""
    person = await simulated.person()
    await simulated.write(person, "Hallo")
    keyboard = {"inline_keyboard": [[{"text": "Ja", "callback_data": "appt:77:yes"}]]}
    sent = (await simulated.call("sendMessage", chat_id=person, text="Termin?", reply_markup=keyboard)).json()["result"]
    await simulated.press(person, sent["message_id"], "appt:77:yes")
    query = (await hook.wait_for(2))[1].update["callback_query"]
    assert (query["data"], query["from"]["id"], query["message"]["text"]) == ("appt:77:yes", person, "Termin?")
    assert (await simulated.call("answerCallbackQuery", callback_query_id=query["id"], text="Gut")).json()["result"] is True
    assert "query is too old" in refusal(await simulated.call("answerCallbackQuery", callback_query_id=query["id"]))[1]


async def test_polling_and_webhook_exclude_each_other(simulated: Simulated, hook: Hook) -> None:
    """getUpdates is 409 while a webhook is set; a webhook that is set ends an open poll with 409."""
    assert refusal(await simulated.call("getUpdates"))[0] == 409
    assert (await simulated.call("deleteWebhook")).json()["description"] == "Webhook was deleted"
    poll = asyncio.create_task(simulated.call("getUpdates", timeout=30))
    await until(lambda: simulated.bot.on_update is not None)
    await simulated.call("setWebhook", url=hook.address)
    assert refusal(await poll) == (409, "Conflict: terminated by setWebhook request")


async def test_second_poll_ends_the_first(simulated: Simulated) -> None:
    first = asyncio.create_task(simulated.call("getUpdates", timeout=30))
    await until(lambda: simulated.bot.on_update is not None)
    second = asyncio.create_task(simulated.call("getUpdates", timeout=30))
    assert refusal(await first)[0] == 409
    person = await simulated.person()
    await simulated.write(person, "Hallo")
    assert (await second).json()["result"][0]["message"]["text"] == "Hallo"


async def test_updates_are_confirmed_by_the_next_offset(simulated: Simulated) -> None:
    """Update ids grow by one; an offset confirms what lies before it, and only that."""
    person = await simulated.person()
    for text in ("eins", "zwei", "drei"):
        await simulated.write(person, text)
    updates = (await simulated.call("getUpdates", limit=2)).json()["result"]
    first = updates[0]["update_id"]
    assert [one["update_id"] for one in updates] == [first, first + 1]
    rest = (await simulated.call("getUpdates", offset=first + 2)).json()["result"]
    assert [one["message"]["text"] for one in rest] == ["drei"]


async def test_allowed_updates(simulated: Simulated, hook: Hook) -> None:
    """Left out: the list stays. Empty, or nothing known: the default set, which is not reported. Unknown names vanish."""

    async def allowed_after(**parameters: Any) -> Any:
        assert (await simulated.call("setWebhook", url=hook.address, **parameters)).json()["ok"]
        return (await simulated.call("getWebhookInfo")).json()["result"].get("allowed_updates")

    assert await allowed_after(allowed_updates=["message", "mesage_reaction"]) == ["message"]
    assert await allowed_after() == ["message"]
    assert await allowed_after(allowed_updates=["nothing_known"]) is None
    assert await allowed_after(allowed_updates=["my_chat_member", "message"]) == ["message", "my_chat_member"]
    assert await allowed_after(allowed_updates=[]) is None


async def test_an_update_nobody_asked_for_is_never_sent(simulated: Simulated, hook: Hook) -> None:
    await simulated.call("setWebhook", url=hook.address, allowed_updates=["message"])
    person = await simulated.person()
    await simulated.write(person, "Hallo")
    await simulated.block(person)
    assert (await simulated.phone(person))["entries"][-1]["update"]["state"] == "not_asked"
    await simulated.settled()
    assert [list(one.update)[1] for one in hook.arrived] == ["message"]


async def test_set_webhook_once_per_second() -> None:
    """Two calls in one second: the second is 429 with one second to wait, also in the header."""
    sandbox = telegram_sandbox(Options())
    async with serve_app(sandbox) as address, httpx.AsyncClient(trust_env=False) as http:
        simulated = Simulated(sandbox, address, http)
        await simulated.control("POST", "/bots", {"token": TOKEN, "name": "Muster Optik", "username": "muster_optik_bot"})
        assert (await simulated.call("setWebhook", url="http://127.0.0.1:9/a")).json()["ok"] is True
        answer = await simulated.call("setWebhook", url="http://127.0.0.1:9/b")
        assert refusal(answer) == (429, "Too Many Requests: retry after 1")
        assert answer.json()["parameters"] == {"retry_after": 1} and answer.headers["retry-after"] == "1"
        await sandbox.stop()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://hub.example.org/x", "An HTTPS URL must be provided"),
        ("https://hub.example.org:9000/x", "only on ports 80, 88, 443 or 8443"),
        ("https://", "invalid webhook URL"),
    ],
)
async def test_addresses_telegram_does_not_take(url: str, words: str) -> None:
    """As the public server, which is not `--local`."""
    sandbox = telegram_sandbox(Options(is_local=False))
    async with serve_app(sandbox) as address, httpx.AsyncClient(trust_env=False) as http:
        simulated = Simulated(sandbox, address, http)
        await simulated.control("POST", "/bots", {"token": TOKEN, "name": "Muster Optik", "username": "muster_optik_bot"})
        status, description = refusal(await simulated.call("setWebhook", url=url))
        assert status == 400 and words in description
        await sandbox.stop()


@pytest.mark.parametrize("secret", ["x" * 257, "mit Leerzeichen", "größe"])
async def test_secrets_telegram_does_not_take(simulated: Simulated, hook: Hook, secret: str) -> None:
    assert refusal(await simulated.call("setWebhook", url=hook.address, secret_token=secret))[0] == 400


async def test_a_renewed_token_makes_the_old_one_worthless(simulated: Simulated) -> None:
    new = "7012345678:AAE-a_renewed_token_from_the_father"
    await simulated.control("POST", "/bots", {"token": new, "name": "Muster Optik", "username": "muster_optik_bot"})
    assert refusal(await simulated.call("getMe")) == (401, "Unauthorized")
    assert (await simulated.call("getMe", token=new)).json()["result"]["id"] == BOT
