"""Outside witnesses: two widely used client libraries speak to the simulator as to Telegram, over a real socket."""

from datetime import timedelta

import aiogram
import aiogram.client.session.aiohttp
import aiogram.exceptions
import orjson
import pytest
import telegram
import telegram.error
from aiogram.client.telegram import TelegramAPIServer

from hub.connectors.events import MessageReceived, Text
from hub.connectors.telegram.payloads import read_update
from tests.sandbox.support import SECRET, TOKEN, Hook, Simulated


async def test_python_telegram_bot(simulated: Simulated) -> None:
    """getMe, getUpdates with confirmation, sendMessage as a reply: what the library reads is what happened."""
    person = await simulated.person(last_name="Özdemir", username="joerg_oe", language_code="de")
    await simulated.write(person, "👋 Ist https://muster.example/a noch gültig?")
    async with telegram.Bot(TOKEN, base_url=f"{simulated.address}/bot") as bot:
        assert (bot.id, bot.username, bot.first_name) == (7012345678, "muster_optik_bot", "Muster Optik")
        (update,) = await bot.get_updates(timeout=0)
        message = update.message
        assert message is not None and message.text == "👋 Ist https://muster.example/a noch gültig?"
        assert message.parse_entities() == {message.entities[0]: "https://muster.example/a"}
        assert message.from_user is not None and message.from_user.full_name == "Jörg Özdemir"
        assert await bot.get_updates(offset=update.update_id + 1, timeout=0) == ()
        sent = await bot.send_message(person, "Guten Tag!", reply_to_message_id=message.message_id)
        assert sent.text == "Guten Tag!" and sent.chat.id == person
        assert sent.reply_to_message is not None and sent.reply_to_message.message_id == message.message_id
    lines = (await simulated.phone(person))["entries"]
    assert [(line["from"], line["message"]["text"]) for line in lines][1] == ("bot", "Guten Tag!")


async def test_python_telegram_bot_reads_the_refusals(simulated: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    """Error bodies are those the library knows: its own exceptions come out."""
    monkeypatch.setenv("PTB_TIMEDELTA", "1")  # the library's future type; without it, it warns
    person = await simulated.person()
    await simulated.write(person, "Hallo")
    async with telegram.Bot(TOKEN, base_url=f"{simulated.address}/bot") as bot:
        with pytest.raises(telegram.error.BadRequest, match="Chat not found"):
            await bot.send_message(4711, "x")
        await simulated.control("POST", f"/bots/{bot.id}/chats/{person}/block", {})
        with pytest.raises(telegram.error.Forbidden, match="bot was blocked by the user"):
            await bot.send_message(person, "x")
        await simulated.control("POST", f"/bots/{bot.id}/chats/{person}/unblock", {})
        await simulated.fault("rate_limited", next=1, retry_after=17)
        with pytest.raises(telegram.error.RetryAfter) as limited:
            await bot.send_message(person, "x")
        assert limited.value.retry_after == timedelta(seconds=17)
    wrong = telegram.Bot("7012345678:AAE-another_token_of_thirty_five", base_url=f"{simulated.address}/bot")
    with pytest.raises(telegram.error.InvalidToken):
        await wrong.initialize()
    await wrong.shutdown()


async def test_aiogram(simulated: Simulated, hook: Hook) -> None:
    """A webhook is set by the library, an update arrives there with the secret and is read by the library, and it answers."""
    server = TelegramAPIServer.from_base(simulated.address)
    session = aiogram.client.session.aiohttp.AiohttpSession(api=server)
    async with aiogram.Bot(TOKEN, session=session) as bot:
        me = await bot.get_me()
        assert (me.id, me.username, me.can_connect_to_business) == (7012345678, "muster_optik_bot", True)
        assert await bot.set_webhook(hook.address, secret_token="other-Secret", allowed_updates=["message"])
        person = await simulated.person()
        await simulated.control("POST", f"/bots/{bot.id}/chats/{person}/messages", {"start": "optin_c7Yx2-Qk"})
        (arrived,) = await hook.wait_for(1)
        assert arrived.headers["x-telegram-bot-api-secret-token"] == "other-Secret"
        update = aiogram.types.Update.model_validate(arrived.update)
        assert update.message is not None and update.message.text == "/start optin_c7Yx2-Qk"
        quoted = aiogram.types.ReplyParameters(message_id=update.message.message_id)
        answer = await bot.send_message(person, "Willkommen", reply_parameters=quoted)
        assert answer.reply_to_message is not None and answer.reply_to_message.text == update.message.text
        assert answer.text == "Willkommen"
        with pytest.raises(aiogram.exceptions.TelegramConflictError):
            await bot.get_updates()
        with pytest.raises(aiogram.exceptions.TelegramBadRequest, match="message is too long"):
            await bot.send_message(person, "x" * 4097)


async def test_our_own_connector_reads_its_updates(simulated: Simulated, hook: Hook) -> None:
    """What the simulator sends is what `telegram/samples/` were captured from: the connector finds sender, text and payload."""
    person = await simulated.person(last_name="Özdemir", language_code="de")
    await simulated.write(person, "Hallo", date=1765441201)
    (arrived,) = await hook.wait_for(1)
    assert arrived.headers["x-telegram-bot-api-secret-token"] == SECRET
    (event,) = read_update(orjson.dumps(arrived.update))
    assert isinstance(event, MessageReceived) and event.content == Text(text="Hallo")
    assert event.sender.provider_user_id == str(person) and event.at.timestamp() == 1765441201
