"""What a bot may send besides files, and what it may change (provider file, 7, 9, 10): it refuses what Telegram does."""

from typing import Any

import pytest

from hub.core import clock
from hub.core.clock import FakeClock
from hub.sandbox.samples import read as sample
from tests.sandbox.support import Hook, Simulated, refusal


async def talking(simulated: Simulated, person: int = 5123456789) -> int:
    await simulated.person(person)
    await simulated.write(person, "Hallo")
    return person


def inline(*buttons: dict[str, Any]) -> dict[str, Any]:
    return {"inline_keyboard": [list(buttons)]}


# Replies


async def test_a_reply_quotes(simulated: Simulated) -> None:
    """The original is one level deep; a quote has its place in it; a reply to nothing goes out alone when that is allowed."""
    person = await talking(simulated)
    asked = (await simulated.send(person, text="😀 Geht auch 11?"))["message_id"]
    reply = {"message_id": asked, "quote": "11"}
    sent = (await simulated.call("sendMessage", chat_id=person, text="Ja", reply_parameters=reply)).json()["result"]
    assert sent["reply_to_message"]["text"] == "😀 Geht auch 11?" and sent["quote"] == {"text": "11", "position": 13}
    wrong = await simulated.call("sendMessage", chat_id=person, text="Ja", reply_parameters=reply | {"quote": "12"})
    assert refusal(wrong) == (400, "Bad Request: QUOTE_TEXT_INVALID")
    missing = {"message_id": 1, "allow_sending_without_reply": True}
    alone = (await simulated.call("sendMessage", chat_id=person, text="Ja", reply_parameters=missing)).json()["result"]
    assert "reply_to_message" not in alone


@pytest.mark.parametrize(
    ("reply", "description"),
    [
        ({"message_id": 1}, "message to be replied not found"),
        ({"message_id": "x"}, 'field "message_id" must be a valid Number'),
        ({"quote": "x"}, 'can\'t find field "message_id"'),
        ([], "object expected as reply parameters"),
        ("{", "can't parse reply parameters JSON object"),
    ],
)
async def test_replies_that_are_refused(simulated: Simulated, reply: Any, description: str) -> None:
    person = await talking(simulated)
    answer = await simulated.call("sendMessage", chat_id=person, text="x", reply_parameters=reply)
    assert refusal(answer) == (400, f"Bad Request: {description}")


# Buttons

BUTTON = "can't parse inline keyboard button: "


@pytest.mark.parametrize(
    ("markup", "description"),
    [
        (inline({"text": "x"}), BUTTON + "Text buttons are unallowed in the inline keyboard"),
        (inline({"callback_data": "x"}), BUTTON + 'Can\'t find field "text"'),
        (inline({"text": " ", "callback_data": "x"}), BUTTON + "button text must be non-empty"),
        (inline({"text": "x", "callback_data": "a", "url": "https://x.de"}), BUTTON + "exactly one optional field must be used"),
        (inline({"text": "x", "callback_data": "ä" * 33}), "BUTTON_DATA_INVALID"),
        (inline({"text": "x", "url": "kein Link"}), "inline keyboard button URL 'kein Link' is invalid: Wrong HTTP URL"),
        (
            inline({"text": "x", "url": "http://localhost"}),
            "inline keyboard button URL 'http://localhost' is invalid: Wrong HTTP URL",
        ),
        ({"inline_keyboard": [{"text": "x"}]}, 'field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays'),
        ({"inline_keyboard": [["x"]]}, BUTTON + "InlineKeyboardButton must be an Object"),
        ({"inline_keyboard": [[{"text": "x", "callback_data": "x"}]] * 101}, "reply markup is too long"),
        ({"keyboard": [[7]]}, "can't parse keyboard button: KeyboardButton must be a String or an Object"),
        ({"keyboard": ["x"]}, 'field "keyboard" must be an Array of Arrays'),
        ([], "object expected as reply markup"),
        ("{", "can't parse reply keyboard markup JSON object"),
    ],
)
async def test_buttons_that_are_refused(simulated: Simulated, markup: Any, description: str) -> None:
    """One bad button, and the whole message is refused."""
    person = await talking(simulated)
    answer = await simulated.call("sendMessage", chat_id=person, text="x", reply_markup=markup)
    assert refusal(answer) == (400, f"Bad Request: {description}")
    assert len((await simulated.phone(person))["entries"]) == 1


async def test_longest_callback_data(simulated: Simulated) -> None:
    """64 bytes of UTF-8, not letters."""
    person = await talking(simulated)
    markup = inline({"text": "x", "callback_data": "ä" * 32})
    sent = await simulated.call("sendMessage", chat_id=person, text="x", reply_markup=markup)
    assert sent.json()["result"]["reply_markup"] == markup


async def test_the_keyboard_below_the_text_field(simulated: Simulated) -> None:
    """It stands until it is used or removed; in the message itself it does not show."""
    person = await talking(simulated)
    keys = {"keyboard": [["Ja", {"text": "Nummer", "request_contact": True}]], "one_time_keyboard": True}
    sent = (await simulated.call("sendMessage", chat_id=person, text="?", reply_markup=keys)).json()["result"]
    assert "reply_markup" not in sent
    shown = (await simulated.phone(person))["keyboard"]["keyboard"]
    assert shown == [[{"text": "Ja"}, {"text": "Nummer", "request_contact": True}]]
    await simulated.write(person, "Ja")
    assert (await simulated.phone(person))["keyboard"] is None
    await simulated.call("sendMessage", chat_id=person, text="?", reply_markup=keys | {"one_time_keyboard": False})
    await simulated.call("sendMessage", chat_id=person, text="!", reply_markup={"remove_keyboard": True})
    assert (await simulated.phone(person))["keyboard"] is None


async def test_a_pressed_button_waits_150_seconds(simulated: Simulated, hook: Hook) -> None:
    """Until then the phone shows that it waits; after that the answer is too old (section 3)."""
    person = await talking(simulated)
    markup = inline({"text": "Ja", "callback_data": "ja"})
    sent = (await simulated.call("sendMessage", chat_id=person, text="?", reply_markup=markup)).json()["result"]
    press = {"message_id": sent["message_id"], "data": "ja"}
    fake = FakeClock(clock.now())
    clock.set_clock(fake)
    try:
        await simulated.press(person, sent["message_id"], "ja")
        query = (await hook.wait_for(2))[1].update["callback_query"]
        assert query["message"] == sent and int(query["chat_instance"]) < 0
        assert (await simulated.phone(person))["pressed"] == [press]
        fake.advance(seconds=151)
        assert (await simulated.phone(person))["pressed"] == []
        late = await simulated.call("answerCallbackQuery", callback_query_id=query["id"])
        assert "query is too old" in refusal(late)[1]
    finally:
        clock.set_clock(None)


async def test_longest_answer_to_a_button(simulated: Simulated) -> None:
    answer = await simulated.call("answerCallbackQuery", callback_query_id="1", text="x" * 201)
    assert refusal(answer) == (400, "Bad Request: MESSAGE_TOO_LONG")


# Places and people


async def test_places_and_people(simulated: Simulated) -> None:
    """A venue is a location as well; numbers may come as texts."""
    person = await talking(simulated)
    place: dict[str, Any] = {"latitude": 47.376887, "longitude": 8.541694}
    location = (await simulated.call("sendLocation", chat_id=person, latitude="47.376887", longitude="8.541694")).json()
    assert location["result"]["location"] == place
    venue = await simulated.call("sendVenue", chat_id=person, title="Muster Optik", address="Bahnhofstrasse 1", **place)
    assert venue.json()["result"]["location"] == place == venue.json()["result"]["venue"]["location"]
    contact = await simulated.call("sendContact", chat_id=person, phone_number="+49", first_name="Jörg", vcard="BEGIN:VCARD")
    assert contact.json()["result"]["contact"] == {"phone_number": "+49", "first_name": "Jörg", "vcard": "BEGIN:VCARD"}


@pytest.mark.parametrize(
    ("method", "parameters", "description"),
    [
        ("sendLocation", {"longitude": 8}, "latitude is empty"),
        ("sendLocation", {"latitude": 47}, "longitude is empty"),
        ("sendLocation", {"latitude": 91, "longitude": 8}, "wrong location specified"),
        ("sendLocation", {"latitude": 47, "longitude": 8, "live_period": 59}, "wrong live location period specified"),
        ("sendVenue", {"latitude": 47, "longitude": 8, "title": "x"}, "venue title and address must be non-empty"),
        ("sendContact", {"first_name": "x"}, 'parameter "phone_number" is required'),
        ("sendContact", {"phone_number": "1"}, 'parameter "first_name" is required'),
        ("sendContact", {"phone_number": "1", "first_name": "x", "vcard": "x" * 2049}, "vCard is too long"),
        ("sendChatAction", {"action": "dancing"}, "wrong parameter action in request"),
    ],
)
async def test_places_that_are_refused(simulated: Simulated, method: str, parameters: dict[str, Any], description: str) -> None:
    person = await talking(simulated)
    assert refusal(await simulated.call(method, chat_id=person, **parameters)) == (400, f"Bad Request: {description}")


# Editing


async def test_captions_media_and_buttons_are_edited(simulated: Simulated) -> None:
    """Each edit changes its own part, marks the message, and refuses to change nothing."""
    person = await talking(simulated)
    sent = (
        await simulated.upload("sendPhoto", {"photo": ("a.jpg", sample("photo-1-90.jpg"))}, chat_id=person, caption="alt")
    ).json()
    which = {"chat_id": person, "message_id": sent["result"]["message_id"]}
    edited = (await simulated.call("editMessageCaption", caption="<i>neu</i>", parse_mode="HTML", **which)).json()["result"]
    assert (edited["caption"], edited["photo"]) == ("neu", sent["result"]["photo"]) and edited["edit_date"]
    same = await simulated.call("editMessageCaption", caption="<i>neu</i>", parse_mode="HTML", **which)
    assert refusal(same)[1].startswith("Bad Request: message is not modified")
    media = {"type": "document", "media": "attach://f", "caption": "als PDF"}
    changed = (await simulated.upload("editMessageMedia", {"f": ("a.pdf", sample("document.pdf"))}, media=media, **which)).json()[
        "result"
    ]
    assert "photo" not in changed and (changed["document"]["file_name"], changed["caption"]) == ("a.pdf", "als PDF")
    buttons = inline({"text": "Ja", "callback_data": "ja"})
    assert (await simulated.call("editMessageReplyMarkup", reply_markup=buttons, **which)).json()["result"][
        "reply_markup"
    ] == buttons
    assert refusal(await simulated.call("editMessageReplyMarkup", reply_markup=buttons, **which))[0] == 400
    gone = (await simulated.call("editMessageReplyMarkup", **which)).json()["result"]
    assert "reply_markup" not in gone and gone["document"] == changed["document"]


@pytest.mark.parametrize(
    ("method", "which", "parameters", "description"),
    [
        ("editMessageText", "none", {"text": "x"}, "message to edit not found"),
        ("editMessageText", "own", {"text": "x"}, "message can't be edited"),
        ("editMessageCaption", "text", {"caption": "x"}, "there is no caption in the message to edit"),
        ("editMessageText", "voice", {"text": "x"}, "there is no text in the message to edit"),
        ("editMessageText", "text", {"text": "x", "reply_markup": {"keyboard": [["x"]]}}, "inline keyboard expected"),
        ("editMessageMedia", "text", {}, 'parameter "media" is required'),
        ("editMessageMedia", "text", {"media": {"type": "photo"}}, "can't parse InputMedia: media not found"),
    ],
)
async def test_edits_that_are_refused(
    simulated: Simulated, method: str, which: str, parameters: dict[str, Any], description: str
) -> None:
    """`which` of: a message of the person, a text and a voice of the bot, none at all."""
    person = await simulated.person()
    own = await simulated.send(person, text="Hallo")
    text = (await simulated.call("sendMessage", chat_id=person, text="eins")).json()["result"]
    voice = (await simulated.upload("sendVoice", {"voice": ("v.ogg", sample("voice.ogg"))}, chat_id=person)).json()["result"]
    number = {"own": own["message_id"], "text": text["message_id"], "voice": voice["message_id"], "none": 1}[which]
    answer = await simulated.call(method, chat_id=person, message_id=number, **parameters)
    assert refusal(answer) == (400, f"Bad Request: {description}")


async def test_deleting(simulated: Simulated) -> None:
    """Own and foreign ones of a private chat, up to 48 hours old; of several, those that are there."""
    person = await simulated.person()
    now = int(clock.now().timestamp())
    own = (await simulated.send(person, text="eins"))["message_id"]
    old = (await simulated.send(person, text="alt", date=now - 49 * 3600))["message_id"]
    sent = (await simulated.call("sendMessage", chat_id=person, text="zwei")).json()["result"]["message_id"]
    late = await simulated.call("deleteMessage", chat_id=person, message_id=old)
    assert refusal(late) == (400, "Bad Request: message can't be deleted for everyone")
    assert (await simulated.call("deleteMessages", chat_id=person, message_ids=[own, sent, old, 1])).json()["result"] is True
    left = [line["message"]["text"] for line in (await simulated.phone(person))["entries"] if line["message"]]
    assert left == ["alt"]
    gone = await simulated.call("deleteMessage", chat_id=person, message_id=own)
    assert refusal(gone) == (400, "Bad Request: message to delete not found")
    many = await simulated.call("deleteMessages", chat_id=person, message_ids=list(range(1, 102)))
    assert refusal(many) == (400, "Bad Request: too many message identifiers specified")


@pytest.mark.parametrize(
    ("reaction", "expected"),
    [
        ([{"type": "emoji", "emoji": "👍"}], None),
        ([], None),
        ([{"type": "emoji", "emoji": "🥨"}], "REACTION_INVALID"),
        ([{"type": "custom_emoji", "custom_emoji_id": "1"}], "REACTION_INVALID"),
        ([{"type": "paid"}], "can't parse ReactionType: invalid reaction type specified"),
        ([{"type": "emoji", "emoji": "👍"}, {"type": "emoji", "emoji": "👎"}], "REACTIONS_TOO_MANY"),
        ({"type": "emoji"}, "expected an Array of ReactionType"),
    ],
)
async def test_reactions(simulated: Simulated, reaction: Any, expected: str | None) -> None:
    """One of Telegram's own list on a message; an empty list takes it back."""
    person = await simulated.person()
    own = (await simulated.send(person, text="Danke"))["message_id"]
    answer = await simulated.call("setMessageReaction", chat_id=person, message_id=own, reaction=reaction)
    if expected is not None:
        assert refusal(answer) == (400, f"Bad Request: {expected}")
        return
    assert answer.json()["result"] is True
    assert (await simulated.phone(person))["entries"][0]["reaction"] == (reaction[0]["emoji"] if reaction else None)


# Rate limits


async def test_rate_limits_of_telegram(simulated: Simulated) -> None:
    """Section 9, while the fault is on: a short burst passes in one chat, then one a second; other chats go on meanwhile."""
    first, second = await talking(simulated, 501), await talking(simulated, 502)
    fake = FakeClock(clock.now())
    clock.set_clock(fake)
    try:
        await simulated.fault("flood_limits")
        answers = [await simulated.call("sendMessage", chat_id=first, text=str(number)) for number in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert 1 <= answers[-1].json()["parameters"]["retry_after"] <= 5
        assert (await simulated.call("sendMessage", chat_id=second, text="x")).status_code == 200
        fake.advance(seconds=answers[-1].json()["parameters"]["retry_after"])
        assert (await simulated.call("sendMessage", chat_id=first, text="x")).status_code == 200
    finally:
        clock.set_clock(None)


async def test_deactivated(simulated: Simulated) -> None:
    person = await talking(simulated)
    await simulated.fault("deactivated", times=1)
    assert refusal(await simulated.call("sendMessage", chat_id=person, text="x")) == (403, "Forbidden: user is deactivated")
