"""What is Telegram's alone; what every connector shows stands in `test_conformance.py`."""

import inspect
import json
import re
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import respx
import telegram as telegram_lib
from aiogram.enums import MessageEntityType
from aiogram.types import Message, MessageEntity, ReactionTypeEmoji
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.connectors.contract import RawRequest
from hub.connectors.errors import CredentialsRejected, MalformedPayload
from hub.connectors.events import (
    Album,
    Choice,
    ContactCard,
    Event,
    Interactive,
    Media,
    MediaKind,
    MessageEdited,
    MessageReceived,
    Option,
    Span,
    Text,
    Unrecognised,
    Unsupported,
)
from hub.connectors.telegram.connector import REACTIONS
from hub.connectors.telegram.content import ENVELOPE, KINDS
from hub.connectors.telegram.settings import TelegramSettings
from hub.connectors.telegram.text import STYLES, read_text, write_entities
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


# --- formatting: outside witnesses ------------------------------------------------------------------------------------

ALPHABET = st.sampled_from(["a", "ä", " ", "\n", "👋", "👩‍🚀", "𝔘", "<", "&"])
KINDS_OF_STYLE = st.sampled_from(sorted(set(STYLES) - {"text_link"}))


@hypothesis_settings(max_examples=200, database=None, deadline=None, derandomize=True)
@given(text=st.lists(ALPHABET, min_size=1, max_size=30).map("".join), data=st.data())
def test_a_stretch_is_the_one_that_telegrams_clients_see(text: str, data: st.DataObject) -> None:
    """Two public client libraries cut the same words out of an entity as our span does, and so they do of what we send."""
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    kind = data.draw(KINDS_OF_STYLE)
    place = {"offset": len(text[:start].encode("utf-16-le")) // 2, "length": len(text[start:end].encode("utf-16-le")) // 2}
    read = read_text(text, [{"type": kind, **place}])
    assert read.spans == (Span(start=start, end=end, style=STYLES[kind]),)
    (entity,) = write_entities(read)
    assert {name: entity[name] for name in place} == place
    assert MessageEntity(**entity).extract_from(text) == text[start:end]
    assert parse_entity(text, telegram_lib.MessageEntity(**entity)) == text[start:end]


def parse_entity(text: str, entity: telegram_lib.MessageEntity) -> str:
    chat = telegram_lib.Chat(1, "private")
    message = telegram_lib.Message(1, datetime.fromtimestamp(0, UTC), chat, text=text, entities=[entity])
    return message.parse_entity(entity)


def test_every_formatting_of_telegram_is_known() -> None:
    """Of the kinds of entity in a public client library the rest is readable in the text itself."""
    readable = {"mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "text_mention", "custom_emoji"}
    assert {kind.value for kind in MessageEntityType} - set(STYLES) - readable <= {"date_time"}


def test_the_reactions_are_telegrams() -> None:
    """As a public client library quotes them from the reference."""
    said = inspect.getsource(ReactionTypeEmoji).partition("it can be one of")[2].partition('."""')[0]
    assert tuple(re.findall(r'"([^"]+)"', said)) == REACTIONS


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//muster.example", "muster.example", "", "http://[::1"],
)
def test_a_link_to_anything_odd_is_plain_text(url: str) -> None:
    assert read_text("Klick", [{"type": "text_link", "offset": 0, "length": 5, "url": url}]) == Text(text="Klick")
    assert write_entities(Text(text="Klick", spans=(Span(start=0, end=5, style="link", url=url),))) == []


@pytest.mark.parametrize(
    "url", ["https://muster.example/a", "HTTP://muster.example", "tg://user?id=1", "mailto:a@b.example", "tel:+491"]
)
def test_a_link_that_people_can_follow_is_kept(url: str) -> None:
    read = read_text("Klick", [{"type": "text_link", "offset": 0, "length": 5, "url": url}])
    assert read.spans == (Span(start=0, end=5, style="link", url=url),)


# --- contents ---------------------------------------------------------------------------------------------------------


def test_somebody_elses_card_is_not_the_senders_number(telegram: Samples) -> None:
    """Provider file, 5.8: only a card whose owner is who sent it."""
    card: dict[str, Any] = {"phone_number": "+491", "first_name": "Anna"}
    owners: list[tuple[dict[str, Any], bool]] = [
        ({"user_id": 5123456789}, True),
        ({"user_id": 5123456790}, False),
        ({}, False),
        ({"user_id": True}, False),
    ]
    for owner, is_sender in owners:
        event = parse(telegram, update(contact={**card, **owner}))
        assert isinstance(event, MessageReceived)
        assert event.content == ContactCard(name="Anna", phone="+491", is_sender=is_sender)


@pytest.mark.parametrize(("latitude", "longitude"), [(91, 0), (0, 181), (-91.0, 0), ("1", 1), (True, 1), (None, 1), (10**400, 1)])
def test_a_place_off_the_earth_is_an_honest_card(telegram: Samples, latitude: Any, longitude: Any) -> None:
    raw = json.dumps(update(location={"latitude": latitude, "longitude": longitude})).encode()
    (event,) = telegram.connector.parse(RawRequest("POST", {}, raw), telegram.account())
    assert isinstance(event, MessageReceived)
    assert event.content == Unsupported(kind="location", summary="")


def test_what_cannot_be_a_file_of_an_album_stands_alone(telegram: Samples) -> None:
    """An item without a file has nothing to add to an album: it would be lost there."""
    event = parse(telegram, update(media_group_id="1", photo=[], caption="Seltsam"))
    assert isinstance(event, MessageReceived)
    assert (event.album, event.content) == ("", Unsupported(kind="photo", summary="Seltsam"))


def pressed(**query: Any) -> dict[str, Any]:
    message = update(text="Termin?")["message"]
    return {"update_id": 4, "callback_query": {"id": "77", "from": message["from"], "message": message, "data": "1", **query}}


def test_a_press_is_never_before_its_question(telegram: Samples) -> None:
    """Our clock may be behind Telegram's."""
    request = RawRequest("POST", {}, orjson.dumps(pressed()), datetime(2020, 1, 1, tzinfo=UTC))
    (event,) = telegram.connector.parse(request, telegram.account())
    assert int(event.at.timestamp()) == 1765441201


@pytest.mark.parametrize("id_", [None, 5, "", "7" * 65])
def test_a_press_that_cannot_be_answered_is_malformed(telegram: Samples, id_: Any) -> None:
    with pytest.raises(MalformedPayload):
        parse(telegram, pressed(id=id_))


@pytest.mark.parametrize(
    "keyboard", [None, [], [None], [[None]], [[{"text": 5, "callback_data": "1"}]], [[{"text": "Ja", "url": "x"}]]]
)
def test_a_press_on_an_odd_keyboard_has_no_words(telegram: Samples, keyboard: Any) -> None:
    message = update(text="Termin?", reply_markup={"inline_keyboard": keyboard})["message"]
    event = parse(telegram, pressed(message=message))
    assert isinstance(event, MessageReceived)
    assert event.content == Interactive(option="1", label="")


# --- split ------------------------------------------------------------------------------------------------------------


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


def test_formatting_is_cut_and_moves_with_its_part(telegram: Samples) -> None:
    text = "a" * 4000 + "\n" + "👋" + "b" * 200
    bold = Span(start=3990, end=4012, style="bold")
    first, second = telegram.connector.split(Text(text=text, spans=(bold,)))
    assert first == Text(text="a" * 4000, spans=(Span(start=3990, end=4000, style="bold"),))
    assert second == Text(text="👋" + "b" * 200, spans=(Span(start=0, end=11, style="bold"),))


def question(text: str) -> Choice:
    return Choice(text=Text(text=text), options=(Option(id="1", label="Ja"),))


def test_the_answers_stand_at_the_end_of_a_long_question(telegram: Samples) -> None:
    first, second = telegram.connector.split(question("x" * 4096 + " Passt das?"))
    assert (first, second) == (Text(text="x" * 4096), question("Passt das?"))


def a_media(kind: MediaKind, ref: str = "f", **more: Any) -> Media:
    mime = {"image": "image/jpeg", "video": "video/mp4", "audio": "audio/mpeg", "voice": "audio/ogg", "sticker": "image/webp"}
    return Media(kind=kind, ref=ref, mime=mime.get(kind, "video/mp4"), **more)


def test_a_caption_that_fits_goes_with_the_file_and_a_longer_one_behind_it(telegram: Samples) -> None:
    """Provider file, 12: media first, then the words."""
    fits, longer = Text(text="👋" * 512), Text(text="👋" * 512 + "x")
    assert telegram.connector.split(a_media("image", caption=fits)) == [a_media("image", caption=fits)]
    assert telegram.connector.split(a_media("image", caption=longer)) == [a_media("image"), longer]
    assert telegram.connector.split(a_media("image", caption=Text(text="x" * 5000))) == [
        a_media("image"),
        Text(text="x" * 4096),
        Text(text="x" * 904),
    ]


@pytest.mark.parametrize("kind", ["sticker", "video_note"])
def test_words_of_a_file_that_can_have_none_go_behind_it(telegram: Samples, kind: MediaKind) -> None:
    words = Text(text="Hallo")
    assert telegram.connector.split(a_media(kind, caption=words)) == [a_media(kind), words]


def shape(parts: Any) -> list[list[str]]:
    return [[item.ref for item in part.items] if isinstance(part, Album) else [part.ref] for part in parts]


def test_albums_are_ten_at_most_and_only_of_what_goes_together(telegram: Samples) -> None:
    """Provider file, 7: documents and audios only among themselves; voice, round video, sticker and GIF alone."""
    split_ = telegram.connector.split
    many = tuple(a_media("image", str(number)) for number in range(11))
    assert shape(split_(Album(items=many))) == [[str(number) for number in range(10)], ["10"]]
    kinds: list[MediaKind] = ["image", "video", "audio", "audio", "document", "document", "voice", "animation", "sticker", "image"]
    mixed = tuple(a_media(kind, str(number)) for number, kind in enumerate(kinds))
    assert shape(split_(Album(items=mixed))) == [["0", "1"], ["2", "3"], ["4", "5"], ["6"], ["7"], ["8"], ["9"]]


def test_an_album_is_not_larger_than_one_file_may_be(telegram: Samples) -> None:
    heavy = tuple(a_media("video", str(number), size=20_000_000) for number in range(3))
    assert shape(telegram.connector.split(Album(items=heavy))) == [["0", "1"], ["2"]]


def test_a_photo_that_is_none_goes_with_the_documents(telegram: Samples) -> None:
    items = (a_media("image", "0", width=30_000, height=100), a_media("document", "1"), a_media("image", "2"))
    assert shape(telegram.connector.split(Album(items=items))) == [["0", "1"], ["2"]]


def test_the_words_of_an_album_go_with_its_first_message(telegram: Samples) -> None:
    items = (a_media("image", "0"), a_media("image", "1"), a_media("document", "2"))
    words = Text(text="Drei Stück")
    first, second = telegram.connector.split(Album(items=items, caption=words))
    assert (first, second) == (Album(items=items[:2], caption=words), items[2])
    *_, last = telegram.connector.split(Album(items=items, caption=Text(text="x" * 1025)))
    assert last == Text(text="x" * 1025)


# --- settings ---------------------------------------------------------------------------------------------------------


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
