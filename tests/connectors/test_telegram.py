"""What is Telegram's alone; what every connector shows stands in `test_conformance.py`."""

from typing import Any

import orjson
import pytest
import respx
from aiogram.types import Message
from pydantic import ValidationError

from hub.connectors.contract import RawRequest
from hub.connectors.errors import CredentialsRejected, MalformedPayload
from hub.connectors.events import Event, MessageEdited, MessageReceived, Text, Unrecognised, Unsupported
from hub.connectors.telegram.content import ENVELOPE, KINDS
from hub.connectors.telegram.settings import TelegramSettings
from tests.connectors.samples import ALL, CALLBACK, Samples, client, outbound_message, permit, texts

TOKEN = "7012345678:AAE-sample_token_of_a_bot_not_real"


@pytest.fixture
def telegram() -> Samples:
    return next(samples for samples in ALL if str(samples) == "telegram")


def parse(samples: Samples, update: Any) -> Event:
    (event,) = samples.connector.parse(RawRequest("POST", {}, orjson.dumps(update)), samples.account())
    return event


def update(**message: Any) -> dict[str, Any]:
    chat = {"id": 5123456789, "first_name": "Jörg", "type": "private"}
    return {"update_id": 1, "message": {"message_id": 7, "chat": chat, "from": chat, "date": 1765441201, **message}}


def start(text: str, *, offset: int = 0, kind: str = "bot_command") -> dict[str, Any]:
    return update(text=text, entities=[{"offset": offset, "length": len(text.split()[0]), "type": kind}])


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ("/start", ""),
        ("/start optin_c7Yx2-Qk", "optin_c7Yx2-Qk"),
        ("/start   spaces  ", "spaces"),
        ("/start@muster_optik_bot abc", "abc"),
        ("/start@muster_optik_bot", ""),
        ("/start " + "a" * 64, "a" * 64),
        ("/start " + "a" * 65, ""),
        ("/start nicht von einem Link", ""),
        ("/start <script>", ""),
        ("/starten abc", None),
        ("/stop", None),
    ],
)
def test_start_payloads(telegram: Samples, text: str, payload: str | None) -> None:
    """Provider file, 11: what a deep link can carry is a payload; whatever else is typed stays text."""
    event = parse(telegram, start(text))
    assert isinstance(event, MessageReceived)
    assert (event.start_payload, event.content) == (payload, Text(text=text))


@pytest.mark.parametrize(
    "entities",
    [
        None,
        [],
        [{"offset": 1, "length": 6, "type": "bot_command"}],
        [{"offset": 0, "length": 6, "type": "bold"}],
        [{"offset": 0, "length": -1, "type": "bot_command"}],
        [{"type": "bot_command"}],
        ["bot_command"],
    ],
)
def test_a_start_that_is_no_command_is_text(telegram: Samples, entities: Any) -> None:
    """Only the entity bot_command at offset 0 makes a start."""
    event = parse(telegram, update(text="/start abc", entities=entities))
    assert isinstance(event, MessageReceived)
    assert event.start_payload is None


def test_an_edit_finds_its_message_and_is_no_duplicate(telegram: Samples) -> None:
    first = parse(telegram, update(text="Hallo"))
    edited = parse(telegram, {"update_id": 2, "edited_message": {**update(text="Hallo!")["message"], "edit_date": 1765441300}})
    assert isinstance(edited, MessageEdited)
    assert edited.target_key == first.key != edited.key
    assert int(edited.at.timestamp()) == 1765441300


def test_restarted_update_ids_make_new_keys(telegram: Samples) -> None:
    """After a quiet week update ids start again at a random number (provider file, 3)."""
    block = {
        "chat": {"id": 5123456789, "type": "private"},
        "date": 1765441500,
        "new_chat_member": {"status": "kicked"},
    }
    before = parse(telegram, {"update_id": 9, "my_chat_member": block})
    after = parse(telegram, {"update_id": 9, "my_chat_member": {**block, "date": 1766641500}})
    assert before.key != after.key


def test_messages_of_two_chats_with_one_number_have_two_keys(telegram: Samples) -> None:
    other = {"id": 5123456790, "first_name": "Anna", "type": "private"}
    assert parse(telegram, update(text="a")).key != parse(telegram, update(text="a", chat=other)).key


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_content_is_an_honest_card(telegram: Samples, kind: str) -> None:
    """Also of a kind that is known, when its file has no handle, its place no degrees, its card no number: kept, never dropped."""
    event = parse(telegram, update(**{kind: {}}))
    assert isinstance(event, MessageReceived)
    assert event.content == Unsupported(kind=kind, summary="")


def test_a_file_that_comes_twice_is_one_content(telegram: Samples) -> None:
    """Provider file, 5.6: animation and document, live photo and photo, venue and location."""
    for kind, double in [("animation", "document"), ("live_photo", "photo"), ("venue", "location")]:
        for names in ((kind, double), (double, kind)):
            event = parse(telegram, update(**{name: {} for name in names}))
            assert isinstance(event, MessageReceived)
            assert event.content == Unsupported(kind=kind, summary="")


def test_the_kind_is_the_content_even_beside_fields_we_do_not_know(telegram: Samples) -> None:
    event = parse(telegram, update(new_field_of_a_later_version=1, voice={}))
    assert isinstance(event, MessageReceived)
    assert event.content == Unsupported(kind="voice", summary="")


def test_the_fields_of_a_message_are_telegrams() -> None:
    """Against a public client library: a misspelt name here would be shown as a kind of content."""
    fields = {field.alias or name for name, field in Message.model_fields.items()} | {"from"}
    assert fields >= ENVELOPE
    assert fields >= set(KINDS)


@pytest.mark.parametrize("kind", ["channel_post", "business_message", "message_reaction", "poll_answer", "x" * 500])
@pytest.mark.parametrize("value", [None, 5, "x", [], {}, {"date": -1}, {"date": 10**15}, {"date": "gestern"}])
def test_other_updates_are_kept_with_why(telegram: Samples, kind: str, value: Any) -> None:
    event = parse(telegram, {"update_id": 3, kind: value})
    assert isinstance(event, Unrecognised)
    assert (event.kind, event.key) == (kind[:64], "u:3:0")
    assert event.why


@pytest.mark.parametrize("date", [-1, 253_402_300_800, 2**62, "1765441201", None, True])
def test_a_message_without_a_time_is_malformed(telegram: Samples, date: Any) -> None:
    with pytest.raises(MalformedPayload):
        parse(telegram, update(text="Hallo", date=date))


def split(telegram: Samples, text: str) -> list[str]:
    return texts(telegram.connector.split(Text(text=text)))


def test_long_text_is_cut_at_lines_then_words_then_characters(telegram: Samples) -> None:
    """Provider file, 12."""
    lines = "\n".join(["z" * 1000] * 6)
    assert [len(part) for part in split(telegram, lines)] == [4003, 2001]
    words = " ".join(["w" * 1000] * 6)
    assert [len(part) for part in split(telegram, words)] == [4003, 2001]
    assert [len(part) for part in split(telegram, "c" * 9000)] == [4096, 4096, 808]
    assert split(telegram, "c" * 4096 + " nach der Grenze") == ["c" * 4096, "nach der Grenze"]


def test_an_emoji_counts_two_and_is_never_cut(telegram: Samples) -> None:
    assert split(telegram, "👋" * 2048) == ["👋" * 2048]
    assert split(telegram, "x" + "👋" * 2048) == ["x" + "👋" * 2047, "👋"]


def test_short_text_is_left_as_it_is(telegram: Samples) -> None:
    assert split(telegram, "  eingerückt\n\n\tund mehr  ") == ["  eingerückt\n\n\tund mehr  "]


@pytest.mark.parametrize(
    "token",
    [
        "",
        "7012345678",
        "7012345678:",
        ":AAE",
        "abc:" + "A" * 35,
        "7012345678:" + "A" * 10,
        f"{TOKEN}/getMe",
        f"{TOKEN} x",
        "1:" + "ä" * 35,
    ],
)
def test_what_is_no_token_is_refused_at_the_form(token: str) -> None:
    """A slip of the clipboard is told at once, naming the field; a token is part of an address and must be plain."""
    with pytest.raises(ValidationError) as failure:
        TelegramSettings.model_validate({"bot_token": token})
    assert failure.value.errors()[0]["loc"] == ("bot_token",)


def test_white_space_around_a_token_is_dropped() -> None:
    settings = TelegramSettings.model_validate({"bot_token": f" {TOKEN}\n", "base_url": "https://bots.example/api/ "})
    assert (settings.bot_token.get_secret_value(), settings.base_url) == (TOKEN, "https://bots.example/api")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.telegram.org",
        "ftp://api.telegram.org",
        "https://",
        "https://user:word@api.telegram.org",
        "https://api.telegram.org?x=1",
        "https://api.telegram.org#x",
        "https://api.telegram.org/{token}",
        "https://api telegram.org",
        "https://api.telegram.org:99999",
        "https://[::1",
    ],
)
def test_what_is_no_address_is_refused_at_the_form(url: str) -> None:
    with pytest.raises(ValidationError) as failure:
        TelegramSettings.model_validate({"bot_token": TOKEN, "base_url": url})
    assert failure.value.errors()[0]["loc"] == ("base_url",)


@respx.mock
async def test_a_bot_api_server_of_ones_own_is_asked(telegram: Samples) -> None:
    row = next(row for row in telegram.table("outbound") if row["name"] == "text")
    account = telegram.account()
    settings = TelegramSettings.model_validate({"bot_token": TOKEN, "base_url": "https://bots.example/api"})
    own = type(account)(account.channel_id, settings, account.own_id, account.webhook_secrets)
    route = respx.post(f"https://bots.example/api/bot{TOKEN}/sendMessage").respond(json=row["calls"][0]["answer"]["json"])
    async with client() as http:
        await telegram.connector.send(permit(), outbound_message(row), own, http)
    assert route.call_count == 1


@pytest.mark.parametrize("url", ["https://127.0.0.1:9", "http://api.telegram.org"])
async def test_an_address_that_may_not_be_asked_names_its_field(telegram: Samples, url: str) -> None:
    """R-263: our own network and unencrypted servers are refused where the address was typed."""
    account = telegram.account(own_id="")
    settings = TelegramSettings.model_validate({"bot_token": TOKEN, "base_url": url})
    odd = type(account)(account.channel_id, settings, "", account.webhook_secrets)
    async with client() as http:
        with pytest.raises(CredentialsRejected) as failure:
            await telegram.connector.setup(odd, CALLBACK, http)
    assert failure.value.field == "base_url"
