"""The Messenger of the sandbox is as strict as Meta's documents say, and tells a page everything its people do."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from uuid import uuid4

import httpx
import pytest

from hub.connectors import errors
from hub.connectors.contract import MarkRead, OutboundFile, RawRequest, React, ShowTyping, TemplateRecord
from hub.connectors.errors import FileGone, Rejected, Unreachable, WindowClosed
from hub.connectors.events import (
    Album,
    Card,
    Cards,
    ChannelHealth,
    Choice,
    ConsentChanged,
    Interactive,
    Location,
    Media,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessageSent,
    Option,
    ReactionChanged,
    Sheet,
    StatusChanged,
    StatusUpTo,
    Template,
    Text,
    Unsupported,
)
from hub.connectors.messenger.connector import connector
from hub.core import clock
from hub.core.clock import FakeClock
from hub.core.errors import Conflict, NotFound
from hub.sandbox._graph.extras import PIXEL
from hub.sandbox._graph.world import APP_ID, APP_SECRET
from hub.sandbox.messenger.simulator import TOKEN, create
from hub.sandbox.messengers import PhoneDraft, PhoneFile
from tests.connectors.test_conformance import Sink
from tests.sandbox.graph import CALLBACK, GraphStage, staged

PICTURE = PhoneFile(id="", kind="image", name="rad.png", mime="image/png", size=len(PIXEL))


@pytest.fixture
def time_() -> Iterator[FakeClock]:
    fake = FakeClock(datetime(2026, 9, 21, 9, 0, tzinfo=UTC))
    clock.set_clock(fake)
    yield fake
    clock.set_clock(None)


@pytest.fixture
async def stage(time_: FakeClock) -> AsyncIterator[GraphStage]:
    async with staged(connector, create) as one:
        yield one


async def ask(stage: GraphStage, method: str, path: str, token: str = TOKEN, **more: Any) -> httpx.Response:
    return await stage.http.request(method, f"/messenger/v26.0/{path}", headers={"authorization": f"Bearer {token}"}, **more)


def refusal(answer: httpx.Response) -> tuple[int, int, int]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error.get("error_subcode", 0)


# --- set-up -----------------------------------------------------------------------------------------------------------


async def test_a_page_is_connected_and_told_of_what_people_write(stage: GraphStage) -> None:
    result = await stage.connect()
    assert (result.own_id, result.title, result.address) == (stage.own, "Radwerk Lindau", "m.me/radwerklindau")
    assert (result.notes, result.lasts_seconds) == ((), None)
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Größe 42? 👋"))
    (event,) = await stage.happened()
    assert isinstance(event, MessageReceived) and event.content == Text(text="Größe 42? 👋")
    assert b"Gr\\u00f6\\u00dfe" in stage.told[-1]  # escaped as Meta does, so the signature covers other bytes than a dump


async def test_an_address_that_does_not_know_the_challenge_is_not_taken(stage: GraphStage) -> None:
    form = {"object": "page", "callback_url": CALLBACK, "verify_token": "wrong", "fields": "messages"}
    stage.hub._transport = httpx.MockTransport(lambda request: httpx.Response(403))
    answer = await ask(stage, "POST", f"{APP_ID}/subscriptions", f"{APP_ID}|{APP_SECRET}", data=form)
    assert refusal(answer) == (400, 2200, 0)


@pytest.mark.parametrize(
    ("token", "path", "code"),
    [
        ("x", "me", 190),
        ("1|x", f"{APP_ID}/subscriptions", 101),
        (f"{APP_ID}|x", f"{APP_ID}/subscriptions", 190),
        (TOKEN, "4711", 100),
        (TOKEN, "me?appsecret_proof=x", 100),
    ],
)
async def test_who_asks_must_be_known(stage: GraphStage, token: str, path: str, code: int) -> None:
    assert refusal(await ask(stage, "GET", path, token))[1] == code


async def test_what_meta_ended_in_silence_is_noticed_and_made_again(stage: GraphStage) -> None:
    """Provider file, 1.4 and 3."""
    fine = await connector.check(stage.account, stage.http)
    assert [event.level for event in fine] == ["ok", "ok"]
    stage.phone.extra(stage.own, stage.person, "unsubscribe")
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hört mich jemand?"))
    assert await stage.happened() == []
    mended = await connector.check(stage.account, stage.http)
    assert [(event.level, event.cause) for event in mended] == [
        ("warning", "app_subscription"),
        ("warning", "account_subscription"),
    ]
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Jetzt?"))
    assert len(await stage.happened()) == 1
    await connector.teardown(stage.account, stage.http)
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Und jetzt?"))
    assert await stage.happened() == []


async def test_a_person_has_a_name(stage: GraphStage) -> None:
    found = await connector.name_of(stage.person, stage.account, stage.http)
    assert found is not None and found.display_name == "Jörg Müller"
    assert await connector.name_of("1", stage.account, stage.http) is None
    assert await connector.name_of("ref:ur-1", stage.account, stage.http) is None
    assert refusal(await ask(stage, "GET", f"{stage.person}?fields=first_name,username"))[1] == 100  # no field of a page's people
    stage.simulator.faults.switch_on("refused", times=1, code="230")
    assert await connector.name_of(stage.person, stage.account, stage.http) is None
    stage.simulator.faults.switch_on("unauthorised", times=1)
    with pytest.raises(errors.AuthFailed):
        await connector.name_of(stage.person, stage.account, stage.http)


# --- what people do ---------------------------------------------------------------------------------------------------


async def test_a_person_writes_every_kind(stage: GraphStage) -> None:
    phone, own, person = stage.phone, stage.own, stage.person
    first = phone.write(own, person, PhoneDraft(text="Hallo"))
    phone.write(own, person, PhoneDraft(text="Sehen Sie", file=PICTURE, content=PIXEL))
    phone.write(own, person, PhoneDraft(file=replace(PICTURE, kind="voice", name="s.m4a", mime="audio/mp4"), content=b"x"))
    phone.write(own, person, PhoneDraft(file=replace(PICTURE, kind="document", name="a.pdf", mime="application/pdf"), content=b"x"))
    phone.write(own, person, PhoneDraft(place=(47.5458, 9.6831)))
    phone.write(own, person, PhoneDraft(text="dazu", reply_to=first.id))
    for name in ("sticker", "post", "appointment", "ad"):
        phone.extra(own, person, name)
    events = await stage.happened()
    assert all(isinstance(event, MessageReceived) and event.sender.provider_user_id == person for event in events)
    contents = [event.content for event in events if isinstance(event, MessageReceived)]
    assert contents[0] == Text(text="Hallo")
    assert [(one.kind, one.caption) for one in contents[1:4] if isinstance(one, Media)] == [
        ("image", Text(text="Sehen Sie")),
        ("voice", None),
        ("document", None),
    ]
    assert isinstance(contents[4], Location)
    assert events[5].reply_to_key == f"m:{first.id}"  # type: ignore[union-attr]
    assert [type(one) for one in contents[6:]] == [Media, Sheet, Unsupported, Text]
    assert events[9].referral.source == "ad"  # type: ignore[union-attr]


async def test_a_file_is_fetched_as_it_was_sent(stage: GraphStage) -> None:
    stage.phone.write(stage.own, stage.person, PhoneDraft(file=PICTURE, content=PIXEL))
    (event,) = await stage.happened()
    ref = event.content.ref  # type: ignore[union-attr]
    sink = Sink()
    head = await connector.fetch(ref, stage.account, stage.http, sink)
    assert (sink.content, head.mime, head.size) == (PIXEL, "image/png", len(PIXEL))
    stage.simulator.faults.switch_on("file_gone", times=1)
    with pytest.raises(FileGone):
        await connector.fetch(ref, stage.account, stage.http, Sink())


async def test_what_a_person_changes_is_told(stage: GraphStage) -> None:
    phone, own, person = stage.phone, stage.own, stage.person
    line = phone.write(own, person, PhoneDraft(text="Samstag?"))
    receipt = await stage.send("Ja")
    await stage.happened()
    phone.edit(own, person, line.id, "Sonntag?")
    phone.react(own, person, receipt.keys[0].removeprefix("m:"), "❤")
    phone.react(own, person, receipt.keys[0].removeprefix("m:"), "")
    phone.delete(own, person, line.id)
    phone.read(own, person)
    edited, loved, unloved, gone, read = await stage.happened()
    assert isinstance(edited, MessageEdited) and edited.content == Text(text="Sonntag?")
    assert isinstance(loved, ReactionChanged) and (loved.emoji, loved.target_key) == ("❤", receipt.keys[0])
    assert isinstance(unloved, ReactionChanged) and unloved.emoji == ""
    assert isinstance(gone, MessageDeleted) and gone.target_key == edited.target_key == f"m:{line.id}"
    assert isinstance(read, StatusUpTo) and read.status == "read"
    with pytest.raises(Conflict):
        phone.edit(own, person, line.id, "Nie")
    with pytest.raises(NotFound):
        phone.extra(own, person, "story_reply")


async def test_buttons_stay_and_quick_replies_go(stage: GraphStage) -> None:
    phone, own, person = stage.phone, stage.own, stage.person
    phone.write(own, person, PhoneDraft(text="Hallo"))
    options = tuple(Option(id=str(number), label=f"Tag {number}") for number in range(1, 5))
    template = await stage.send(content=Choice(text=Text(text="Passt das?"), options=options[:2]))
    quick = await stage.send(content=Choice(text=Text(text="Welcher Tag?"), options=options))
    await stage.happened()
    phone.press(own, person, template.keys[0].removeprefix("m:"), "2")
    phone.press(own, person, quick.keys[0].removeprefix("m:"), "4")
    pressed = [event.content for event in await stage.happened() if isinstance(event, MessageReceived)]
    assert pressed == [Interactive(option="2", label="Tag 2"), Interactive(option="4", label="Tag 4")]
    lines = {line.id: line for line in phone.chat(own, person).lines}
    assert len(lines[template.keys[0].removeprefix("m:")].buttons) == 2
    assert lines[quick.keys[0].removeprefix("m:")].buttons == ()


async def test_consent_to_marketing_is_told(stage: GraphStage) -> None:
    for name in ("optin", "optin_stop", "optin_resume"):
        stage.phone.extra(stage.own, stage.person, name)
    stage.simulator.phone.extra(stage.own, stage.person, "tick")
    events = await stage.happened()
    assert [event.change for event in events if isinstance(event, ConsentChanged)] == [
        "opted_in",
        "marketing_stopped",
        "marketing_resumed",
        "opted_in",
    ]
    token, ticked = events[0].sender.aliases[0], events[3].sender.provider_user_id  # type: ignore[union-attr]
    assert token.startswith("token:") and ticked.startswith("ref:")
    for address in (token, ticked):  # both may be written to although the person never wrote
        await stage.send("Neue Räder sind da.", address=address)


async def test_the_inbox_of_the_page_takes_a_thread_over(stage: GraphStage) -> None:
    """Provider file, 9: what is written then comes beside us, and our own sends are refused."""
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hallo"))
    stage.phone.extra(stage.own, stage.person, "inbox")
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Danke"))
    events = await stage.happened()
    (echo,) = [event for event in events if isinstance(event, MessageSent)]
    assert (echo.by, echo.content) == ("Meta Business Suite", Text(text="Das übernehme ich hier."))
    assert isinstance(events[-1], MessageReceived) and b'"standby"' in stage.told[-1]
    with pytest.raises(errors.Rejected) as failure:
        await stage.send("Ich auch")
    assert failure.value.provider_code == "10/2018300"
    stage.phone.extra(stage.own, stage.person, "inbox_release")
    await stage.send("Ich wieder")


async def test_meta_blocks_and_frees_the_page(stage: GraphStage) -> None:
    stage.phone.extra(stage.own, stage.person, "policy_block")
    stage.phone.extra(stage.own, stage.person, "policy_unblock")
    levels = [event.level for event in await stage.happened() if isinstance(event, ChannelHealth)]
    assert levels == ["attention", "ok"]


# --- what the page sends ----------------------------------------------------------------------------------------------


async def test_what_is_sent_shows_on_the_phone_and_is_reported(stage: GraphStage) -> None:
    line = stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hallo"))
    receipt = await stage.send("Guten Tag", reply_to_key=f"m:{line.id}")
    shown = stage.phone.chat(stage.own, stage.person).lines[-1]
    assert (shown.text, shown.is_theirs, shown.reply_to) == ("Guten Tag", True, line.id)
    events = await stage.happened()
    assert [(event.status, event.target_key) for event in events if isinstance(event, StatusChanged)] == [
        ("delivered", receipt.keys[0])
    ]
    assert not [event for event in events if isinstance(event, MessageSent)]  # an echo of our own is no message


async def test_a_file_is_uploaded_and_then_sent(stage: GraphStage) -> None:
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hallo"))
    file = OutboundFile(name="rad.png", mime="image/png", size=len(PIXEL), open=lambda: BytesIO(PIXEL))
    media = Media(kind="image", ref="a", mime="image/png", name="rad.png", size=len(PIXEL), caption=Text(text="Hier"))
    parts = connector.split(Album(items=(media, media), caption=Text(text="Hier")))
    assert [type(part) for part in parts] == [Media, Media, Text]
    for part in parts:
        await stage.send(content=part, files={"a": file})
    first, second, words = stage.phone.chat(stage.own, stage.person).lines[1:]
    assert [stage.phone.file(stage.own, line.files[0].id)[1] for line in (first, second)] == [PIXEL, PIXEL]
    assert words.text == "Hier"


async def test_cards_show_with_their_buttons(stage: GraphStage) -> None:
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hallo"))
    cards = Cards(text="", items=(Card(title="Rot", text="499 EUR", options=(Option(id="r", label="Nehmen"),)),))
    await stage.send(content=cards)
    line = stage.phone.chat(stage.own, stage.person).lines[-1]
    assert (line.text, [button.id for button in line.buttons]) == ("Rot – 499 EUR", ["r"])


async def test_reactions_typing_and_reading_show(stage: GraphStage) -> None:
    line = stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hallo"))
    about: Any = {"part_id": uuid4(), "attempt_id": uuid4(), "address": stage.person}
    await stage.do(React(**about, target_key=f"m:{line.id}", emoji="👍"))
    await stage.do(ShowTyping(**about))
    await stage.do(MarkRead(**about, target_key=f"m:{line.id}"))
    chat = stage.phone.chat(stage.own, stage.person)
    assert (chat.lines[0].reactions, chat.lines[0].state, chat.is_typing) == (("👍",), "read", True)
    await stage.do(React(**about, target_key=f"m:{line.id}", emoji=""))
    assert stage.phone.chat(stage.own, stage.person).lines[0].reactions == ()


async def test_the_window_and_the_human_tag(stage: GraphStage, time_: FakeClock) -> None:
    """Provider file, 8: 24 hours, 7 days for a person's own answer, then nothing."""
    with pytest.raises(WindowClosed):
        await stage.send("Wir schreiben zuerst")
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hallo"))
    time_.advance(hours=24)
    await stage.send("Gerade noch")
    time_.advance(seconds=1)
    with pytest.raises(WindowClosed):
        await stage.send("Zu spät")
    await stage.send("Von einem Menschen", tag="human_agent")
    time_.advance(days=6)
    with pytest.raises(WindowClosed):
        await stage.send("Zu spät", tag="human_agent")
    stage.phone.extra(stage.own, stage.person, "link")  # a link into the thread opens it again
    await stage.send("Schön, dass Sie da sind")


async def test_an_approved_template_goes_after_everything_else(stage: GraphStage, time_: FakeClock) -> None:
    """Provider file, 6: list, create, delete, and sent strictly as it was approved."""
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hallo"))
    time_.advance(days=30)
    places = {"body": ("881",), "button:0:postback": ("Danke",)}
    whole = Template(name="order_ready", language="de", text="…", parameters=places)
    await stage.send(content=whole)
    line = stage.phone.chat(stage.own, stage.person).lines[-1]
    assert (line.text, [one.label for one in line.buttons]) == ("Ihre Bestellung 881 liegt bereit.", ["Danke"])
    for wrong in (
        replace(whole, parameters={}),
        replace(whole, parameters={"body": ("881",)}),
        replace(whole, language="en"),
        replace(whole, name="other"),
    ):
        with pytest.raises(Rejected):
            await stage.send(content=wrong)
    body = {"type": "BODY", "text": "Ihr Rad ist da."}
    new = TemplateRecord(provider_id="", name="rad", language="de", category="utility", status="", components=(body,))
    made = await stage.connector.create_template(new, stage.account, stage.http)
    assert made.status == "pending" and made in await stage.connector.list_templates(stage.account, stage.http)
    with pytest.raises(Rejected):  # in review
        await stage.send(content=Template(name="rad", language="de", text="…"))
    with pytest.raises(Rejected):
        await stage.connector.create_template(replace(new, category="marketing"), stage.account, stage.http)
    for _ in range(2):
        await stage.connector.delete_template(made, stage.account, stage.http)
    assert [one.name for one in await stage.connector.list_templates(stage.account, stage.http)] == ["order_ready"]
    stage.simulator.faults.switch_on("unauthorised")
    assert await stage.connector.list_templates(stage.account, stage.http) == []  # an app without the permission is no trouble


async def test_who_blocked_the_page_is_not_reached(stage: GraphStage) -> None:
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hallo"))
    stage.phone.set_blocked(stage.own, stage.person, True)
    with pytest.raises(Unreachable) as failure:
        await stage.send()
    assert failure.value.provider_code == "551/1545041"
    with pytest.raises(Conflict):
        stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hallo"))


GREETING = {"text": "Hallo"}


@pytest.mark.parametrize(
    ("body", "code", "subcode"),
    [
        ({}, 100, 0),
        ({"recipient": {"id": "1"}, "message": GREETING}, 100, 2018001),
        ({"recipient": {"id": "P", "user_ref": "x"}, "message": GREETING}, 100, 0),
        ({"recipient": {"id": "P"}}, 100, 0),
        ({"recipient": {"id": "P"}, "message": {}}, 100, 0),
        ({"recipient": {"id": "P"}, "message": {"text": " "}}, 100, 0),
        ({"recipient": {"id": "P"}, "message": {"text": "x" * 2001}}, 100, 0),
        ({"recipient": {"id": "P"}, "message": {"text": "x", "attachment": {}}}, 100, 0),
        ({"recipient": {"id": "P"}, "message": {"text": "x", "colour": "red"}}, 100, 0),
        ({"recipient": {"id": "P"}, "message": {"text": "x", "metadata": "x" * 1001}}, 100, 0),
        ({"recipient": {"id": "P"}, "message": GREETING, "colour": "red"}, 100, 0),
        ({"recipient": {"id": "P"}, "message": GREETING, "messaging_type": "MESSAGE_TAG", "tag": "ACCOUNT_UPDATE"}, 100, 0),
        ({"recipient": {"id": "P"}, "message": GREETING, "messaging_type": "MESSAGE_TAG"}, 100, 0),
        ({"recipient": {"id": "P"}, "message": GREETING, "tag": "HUMAN_AGENT", "messaging_type": "RESPONSE"}, 100, 0),
        ({"recipient": {"id": "P"}, "message": GREETING, "reply_to": {"mid": "m_nothing"}}, 100, 0),
        ({"recipient": {"id": "P"}, "message": {"text": "x", "quick_replies": []}}, 100, 0),
        (
            {"recipient": {"id": "P"}, "message": {"text": "x", "quick_replies": [{"content_type": "text", "title": "x" * 21}]}},
            100,
            0,
        ),
        ({"recipient": {"id": "P"}, "message": {"attachment": {"type": "image", "payload": {"attachment_id": "1"}}}}, 100, 2018074),
        (
            {"recipient": {"id": "P"}, "message": {"attachment": {"type": "image", "payload": {"url": "http://nowhere/"}}}},
            100,
            2018008,
        ),
        ({"recipient": {"id": "P"}, "message": {"attachment": {"type": "template", "payload": {"template_type": "list"}}}}, 100, 0),
        ({"recipient": {"id": "P"}, "sender_action": "dance"}, 100, 0),
        ({"recipient": {"id": "P"}, "sender_action": "typing_on", "message": GREETING}, 100, 0),
        ({"recipient": {"id": "P"}, "sender_action": "react", "payload": {"message_id": "m_nothing", "reaction": "👍"}}, 100, 0),
    ],
    ids=range(23),
)
async def test_what_is_wrong_is_refused(stage: GraphStage, body: Any, code: int, subcode: int) -> None:
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hallo"))
    stage.hub._transport = httpx.MockTransport(lambda request: httpx.Response(404))
    if body.get("recipient", {}).get("id") == "P":
        body = {**body, "recipient": {**body["recipient"], "id": stage.person}}
    answer = await ask(stage, "POST", "me/messages", json=body)
    assert refusal(answer)[1:] == (code, subcode)
    assert len(stage.phone.chat(stage.own, stage.person).lines) == 1


@pytest.mark.parametrize(
    ("fault", "values", "error"),
    [
        ("unauthorised", {}, errors.AuthFailed),
        ("rate_limited", {"retry_after": 120}, errors.RateLimited),
        ("server_error", {"status": 503}, errors.Unavailable),
        ("refused", {"code": "10/2018278"}, errors.WindowClosed),
    ],
)
async def test_faults_strike_once(stage: GraphStage, fault: str, values: dict[str, Any], error: type[Exception]) -> None:
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hallo"))
    stage.simulator.faults.switch_on(fault, times=1, **values)
    with pytest.raises(error) as failure:
        await stage.send()
    assert getattr(failure.value, "retry_after", 120) == 120
    await stage.send()


# --- two pages, one address -------------------------------------------------------------------------------------------


async def test_each_page_gets_its_own_of_a_delivery_for_both(stage: GraphStage) -> None:
    """R-263: what is for one page never reaches the channel of another."""
    world = stage.simulator.world
    other = world.add_page("104772930015599", "Radwerk Bregenz", "radwerkbregenz", "EAABanotherTokenOfTheSandbox0123456789")
    stranger = world.add_person(other, "Katrin Aigner", "")
    message = {"mid": "m_other", "text": "Für Bregenz"}
    entries = [
        {"id": page, "time": 1, "messaging": [{"sender": {"id": who}, "recipient": {"id": page}, "timestamp": 1790000000000,
                                               "message": {**message, "mid": f"m_{page}"}}]}
        for page, who in ((other.id, stranger.id), (stage.own, stage.person))
    ]  # fmt: skip
    stage.simulator.webhooks.deliver(entries, "both")
    (event,) = await stage.happened()
    assert event.key == f"m:m_{stage.own}"
    raw = RawRequest("POST", {}, stage.told[-1])
    assert [(share.own_id, len(json.loads(share.body)["entry"])) for share in connector.shares(raw)] == [
        (other.id, 1),
        (stage.own, 1),
    ]
