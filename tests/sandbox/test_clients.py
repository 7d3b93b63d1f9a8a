"""Outside witnesses: two widely used client libraries speak to the simulator as to Telegram, over a real socket."""

import asyncio
from datetime import timedelta

import aiogram
import aiogram.client.session.aiohttp
import aiogram.enums
import aiogram.exceptions
import orjson
import pytest
import telegram
import telegram.error
from aiogram.client.telegram import TelegramAPIServer

from hub.connectors.contract import RawRequest
from hub.connectors.events import MessageReceived, Text
from hub.connectors.telegram.payloads import read_update
from hub.sandbox.samples import read as sample
from hub.sandbox.telegram import samples
from tests.sandbox.support import SECRET, TOKEN, Hook, Simulated, until


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
        await simulated.block(person)
        with pytest.raises(telegram.error.Forbidden, match="bot was blocked by the user"):
            await bot.send_message(person, "x")
        await simulated.block(person, False)
        await simulated.fault("rate_limited", times=1, retry_after=17)
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


async def test_python_telegram_bot_with_files(simulated: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    """Polling a photo and fetching it; an upload, an album, buttons, edits, an answer to a button and a reaction."""
    monkeypatch.setenv("PTB_TIMEDELTA", "1")
    person = await simulated.person()
    await simulated.send(person, sample="photo", caption="Brille defekt")
    await simulated.send(person, sample="voice")
    async with telegram.Bot(TOKEN, base_url=f"{simulated.address}/bot", base_file_url=f"{simulated.address}/file/bot") as bot:
        photo, voice = [update.message for update in await bot.get_updates(timeout=0)]
        assert photo is not None and voice is not None and voice.voice is not None
        assert (photo.caption, [size.width for size in photo.photo]) == ("Brille defekt", [90, 320, 800])
        assert voice.voice.duration == timedelta(seconds=4)
        file = await photo.photo[-1].get_file()
        assert bytes(await file.download_as_bytearray()) == sample("photo-1-800.jpg")

        keys = telegram.InlineKeyboardMarkup([[telegram.InlineKeyboardButton("Ja", callback_data="appt:77:yes")]])
        sent = await bot.send_document(
            person, sample("document.pdf"), filename="Übersicht.pdf", caption="*fett*", parse_mode="MarkdownV2"
        )
        assert sent.document is not None and sent.document.file_name == "Übersicht.pdf" and sent.caption == "fett"
        media: list[telegram.InputMediaPhoto | telegram.InputMediaVideo] = [
            telegram.InputMediaPhoto(sample("photo-2-800.jpg"), caption="eins"),
            telegram.InputMediaVideo(sample("video.mp4")),
        ]
        album = await bot.send_media_group(person, media)
        assert len({one.media_group_id for one in album}) == 1 and album[1].video is not None and album[1].video.width == 320
        asked = await bot.send_message(person, "Passt?", reply_markup=keys)
        await simulated.press(person, asked.message_id, "appt:77:yes")
        (pressed,) = await bot.get_updates(offset=-1, timeout=0)
        assert pressed.callback_query is not None and pressed.callback_query.data == "appt:77:yes"
        assert await pressed.callback_query.answer("Eingetragen")
        with pytest.raises(telegram.error.BadRequest, match="Query is too old"):
            await pressed.callback_query.answer()
        edited = await bot.edit_message_text("Danke!", person, asked.message_id)
        assert isinstance(edited, telegram.Message) and edited.text == "Danke!" and edited.reply_markup is None
        assert await bot.set_message_reaction(person, photo.message_id, "👍")
        assert await bot.delete_messages(person, [one.message_id for one in album])
        with pytest.raises(telegram.error.BadRequest, match="an't parse entities"):
            await bot.send_message(person, "<b>x", parse_mode="HTML")


async def test_aiogram_with_files(simulated: Simulated, hook: Hook) -> None:
    """Every kind a person sends is read by the library; files, places and keyboards go out."""
    server = TelegramAPIServer.from_base(simulated.address)
    session = aiogram.client.session.aiohttp.AiohttpSession(api=server)
    types = aiogram.types
    person = await simulated.person()
    async with aiogram.Bot(TOKEN, session=session) as bot:
        for name in samples.NAMES:
            await simulated.send(person, sample=name)
        arrived = await hook.wait_for(len(samples.NAMES))
        messages = [types.Update.model_validate(one.update).message for one in arrived]
        kinds = {aiogram.enums.ContentType(message.content_type).value for message in messages if message is not None}
        assert kinds >= {"photo", "video", "animation", "video_note", "voice", "audio", "document", "sticker"}
        assert kinds >= {"location", "venue", "contact", "poll", "dice"}
        voice = next(message.voice for message in messages if message is not None and message.voice is not None)
        loaded = await bot.download(voice.file_id)
        assert loaded is not None and loaded.read() == sample("voice.ogg")

        round_ = await bot.send_video_note(person, types.BufferedInputFile(sample("round.mp4"), "round.mp4"), length=240)
        assert round_.video_note is not None and (round_.video_note.length, round_.video_note.duration) == (240, 3)
        sticker = await bot.send_sticker(person, types.BufferedInputFile(sample("sticker.webp"), "s.webp"))
        assert sticker.sticker is not None and sticker.sticker.width == 512
        venue = await bot.send_venue(person, 47.5, 9.6, "Hafen", "Seepromenade 1")
        assert venue.venue is not None and venue.location == venue.venue.location
        keys = types.ReplyKeyboardMarkup(keyboard=[[types.KeyboardButton(text="Nummer teilen", request_contact=True)]])
        await bot.send_message(person, "Bitte", reply_markup=keys)
        assert (await simulated.phone(person))["keyboard"]["keyboard"][0][0]["request_contact"] is True
        photo = await bot.send_photo(person, types.BufferedInputFile(sample("photo-3-800.jpg"), "a.jpg"), caption="alt")
        caption = await bot.edit_message_caption(chat_id=person, message_id=photo.message_id, caption="neu")
        assert isinstance(caption, types.Message) and caption.caption == "neu"
        with pytest.raises(aiogram.exceptions.TelegramBadRequest, match="message is not modified"):
            await bot.edit_message_caption(chat_id=person, message_id=photo.message_id, caption="neu")
        with pytest.raises(aiogram.exceptions.TelegramEntityTooLarge):
            await bot.send_document(person, types.BufferedInputFile(bytes(51 << 20), "x.bin"))


async def test_aiogram_polls(simulated: Simulated) -> None:
    """The library's own loop: long polling that confirms what it handled."""
    server = TelegramAPIServer.from_base(simulated.address)
    session = aiogram.client.session.aiohttp.AiohttpSession(api=server)
    dispatcher = aiogram.Dispatcher()

    @dispatcher.message()
    async def echo(message: aiogram.types.Message) -> None:
        await message.answer(f"Sie schrieben: {message.text}")

    person = await simulated.person()
    async with aiogram.Bot(TOKEN, session=session) as bot:
        running = asyncio.create_task(dispatcher.start_polling(bot, polling_timeout=5, handle_signals=False))
        await until(lambda: simulated.bot.on_update is not None)
        await simulated.write(person, "Hallo")
        await until(lambda: len(simulated.bot.chats[person].entries) == 2)
        await until(lambda: not simulated.bot.live_pending())
        await dispatcher.stop_polling()
        await running
    assert (await simulated.phone(person))["entries"][1]["message"]["text"] == "Sie schrieben: Hallo"


async def test_our_own_connector_reads_its_updates(simulated: Simulated, hook: Hook) -> None:
    """What the simulator sends is what `telegram/samples/` were captured from: the connector finds sender, text and payload."""
    person = await simulated.person(last_name="Özdemir", language_code="de")
    await simulated.write(person, "Hallo", date=1765441201)
    (arrived,) = await hook.wait_for(1)
    assert arrived.headers["x-telegram-bot-api-secret-token"] == SECRET
    (event,) = read_update(RawRequest("POST", {}, orjson.dumps(arrived.update)))
    assert isinstance(event, MessageReceived) and event.content == Text(text="Hallo")
    assert event.sender.provider_user_id == str(person) and event.at.timestamp() == 1765441201
