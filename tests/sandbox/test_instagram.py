"""The Instagram of the sandbox: what it has besides or other than Messenger, whose tests hold for the API that both share."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from uuid import uuid4

import httpx
import pytest

from hub.connectors import errors
from hub.connectors.contract import Account, OutboundFile, React
from hub.connectors.errors import CredentialsRejected, UnsupportedContent, WindowClosed
from hub.connectors.events import (
    Media,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessageSent,
    ReactionChanged,
    Sheet,
    StatusChanged,
    Text,
    Unsupported,
)
from hub.connectors.instagram.connector import connector
from hub.core import clock
from hub.core.clock import FakeClock
from hub.sandbox._graph.extras import PIXEL
from hub.sandbox._graph.world import INSTAGRAM_APP_SECRET
from hub.sandbox.instagram.simulator import create
from hub.sandbox.messengers import PhoneDraft, PhoneFile
from tests.sandbox.graph import CALLBACK, ORIGIN, GraphStage, staged

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


def with_settings(account: Account[Any], **changed: str) -> Account[Any]:
    opened = {name: value.get_secret_value() if hasattr(value, "get_secret_value") else value for name, value in account.settings}
    return replace(account, settings=connector.settings.model_validate({**opened, **changed}))


# --- set-up and token -------------------------------------------------------------------------------------------------


async def test_an_account_is_connected_and_its_token_renewed(stage: GraphStage, time_: FakeClock) -> None:
    """Provider file, 1: a token of 60 days, renewed while it is good; an ended one needs a person."""
    result = await stage.connect()
    assert (result.own_id, result.address, result.title) == (stage.own, "@radwerk.lindau", "Radwerk Lindau")
    assert result.lasts_seconds == 59 * 86_400  # renewed by the first set-up a moment ago, and that is too early for another one
    time_.advance(days=7)
    renewal = await connector.renew(stage.account, stage.http)
    assert renewal.lasts_seconds == 60 * 86_400
    assert renewal.lasts_seconds - connector.renew_seconds_before == 7 * 86_400
    old, stage.account = stage.account, replace(stage.account, settings=renewal.settings)
    with pytest.raises(CredentialsRejected):
        await connector.renew(old, stage.http)
    time_.advance(days=61)
    with pytest.raises(CredentialsRejected) as failure:
        await connector.renew(stage.account, stage.http)
    assert failure.value.field == "access_token"


async def test_a_token_of_an_hour_becomes_one_of_60_days(stage: GraphStage, time_: FakeClock) -> None:
    page = stage.simulator.world.page(stage.own)
    page.token_ends, page.token_made = time_() + timedelta(hours=1), time_()
    typed = stage.account.settings
    result = await stage.connect()
    assert result.lasts_seconds == 60 * 86_400 and result.settings != typed
    page.token_ends = time_() + timedelta(hours=1)
    wrong = with_settings(replace(stage.account, settings=result.settings), instagram_app_secret="0" * 32)
    with pytest.raises(CredentialsRejected) as failure:
        await connector.setup(wrong, CALLBACK, stage.http)
    assert failure.value.field == "instagram_app_secret"


async def test_an_account_linked_to_a_page_is_connected_by_the_pages_token(stage: GraphStage) -> None:
    token = "EAABsandboxTokenOfTheLinkedPage0123456789"
    stage.simulator.world.page(stage.own).token = token
    linked = with_settings(stage.account, access_token=token)
    result = await connector.setup(linked, CALLBACK, stage.http)
    assert (result.own_id, result.address, result.settings, result.lasts_seconds) == (stage.own, "@radwerk.lindau", None, None)
    stage.account = linked
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hallo"))
    await stage.send("Guten Tag")
    assert stage.phone.chat(stage.own, stage.person).lines[-1].text == "Guten Tag"
    with pytest.raises(CredentialsRejected):
        await connector.renew(linked, stage.http)
    await connector.teardown(linked, stage.http)
    assert stage.simulator.world.page(stage.own).subscribed  # Messenger of the same page goes on


async def test_both_secrets_of_the_app_are_accepted(stage: GraphStage) -> None:
    """Provider file, 1 and 13."""
    stage.account = with_settings(stage.account, app_secret="0" * 32, instagram_app_secret=INSTAGRAM_APP_SECRET)
    with pytest.raises(errors.SignatureInvalid):
        await stage.hub.post(CALLBACK, content=b"{}", headers={"x-hub-signature-256": "sha256=0"})
    stage.account = with_settings(stage.account, instagram_app_secret="5f4dcc3b5aa765d61d8327deb882cf99")
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hallo"))
    assert len(await stage.happened()) == 1


async def test_what_meta_ended_in_silence_is_made_again(stage: GraphStage) -> None:
    stage.phone.extra(stage.own, stage.person, "unsubscribe")
    mended = await connector.check(stage.account, stage.http)
    assert [event.level for event in mended] == ["warning", "warning"]
    assert [event.level for event in await connector.check(stage.account, stage.http)] == ["ok", "ok"]


# --- what people do ---------------------------------------------------------------------------------------------------


async def test_stories_posts_hearts_and_what_cannot_be_shown(stage: GraphStage) -> None:
    for name in ("story_reply", "story_mention", "heart", "ig_post", "ephemeral", "unsupported", "ad", "product", "link"):
        stage.phone.extra(stage.own, stage.person, name)
    events = [event for event in await stage.happened() if isinstance(event, MessageReceived)]
    reply, mention, heart, post, ephemeral, unsupported, ad, product, link = events
    assert reply.content == Text(text="Was kostet das?") and reply.referral is not None
    assert (reply.referral.source, reply.referral.id) == ("post", "17990044120035518")
    assert isinstance(mention.content, Sheet) and mention.content.kind == "story"
    assert mention.content.url.startswith(f"{ORIGIN}/instagram/files/")  # an address, and nothing that is fetched
    assert heart.content == Text(text="❤️")
    assert isinstance(post.content, Sheet) and (post.content.kind, post.content.title) == ("post", "Neue Räder")
    assert isinstance(ephemeral.content, Unsupported) and isinstance(unsupported.content, Unsupported)
    assert [one.referral and one.referral.source for one in (ad, product, link)] == ["ad", "product", "link"]


async def test_what_a_person_changes_is_told(stage: GraphStage) -> None:
    phone, own, person = stage.phone, stage.own, stage.person
    line = phone.write(own, person, PhoneDraft(text="Samstag?"))
    receipt = await stage.send("Ja")
    await stage.happened()
    phone.edit(own, person, line.id, "Sonntag?")
    phone.react(own, person, receipt.keys[0].removeprefix("m:"), "❤")
    phone.delete(own, person, line.id)
    phone.read(own, person)
    edited, loved, gone, read = await stage.happened()
    assert isinstance(edited, MessageEdited) and isinstance(loved, ReactionChanged) and isinstance(gone, MessageDeleted)
    assert isinstance(read, StatusChanged) and (read.status, read.target_key) == ("read", receipt.keys[0])


async def test_a_colleague_answers_in_the_app(stage: GraphStage) -> None:
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hallo"))
    stage.phone.extra(stage.own, stage.person, "inbox")
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Danke"))
    events = await stage.happened()
    assert [type(event) for event in events] == [MessageReceived, MessageSent, MessageReceived]


# --- what the account sends -------------------------------------------------------------------------------------------


async def test_a_text_has_a_thousand_bytes(stage: GraphStage) -> None:
    """Provider file, 11: 999 umlauts must be split, and no part ends inside a character."""
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hallo"))
    parts = connector.split(Text(text="ä" * 999))
    assert [len(part.text) for part in parts if isinstance(part, Text)] == [500, 499]
    for part in parts:
        await stage.send(content=part)
    body = {"recipient": {"id": stage.person}, "message": {"text": "ä" * 501}}
    headers = {"authorization": f"Bearer {stage.simulator.world.page(stage.own).token}"}
    answer = await stage.http.post("/instagram/v26.0/me/messages", json=body, headers=headers)
    assert answer.status_code == 400 and answer.json()["error"]["code"] == 100


async def test_a_file_is_fetched_from_its_link(stage: GraphStage) -> None:
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hallo"))
    asked: list[str] = []

    def serve(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200)
        asked.append(str(request.url))
        return httpx.Response(200, content=PIXEL, headers={"content-type": "image/png"})

    stage.hub._transport = httpx.MockTransport(
        lambda request: serve(request) if "/f/" in request.url.path else stage._listen(request)
    )
    link = "https://hub.example/f/abc"
    file = OutboundFile(name="rad.png", mime="image/png", size=len(PIXEL), open=lambda: BytesIO(PIXEL), link=link)
    media = Media(kind="image", ref="a", mime="image/png", name="rad.png", size=len(PIXEL))
    await stage.send(content=media, files={"a": file})
    assert asked == [link]
    (shown,) = stage.phone.chat(stage.own, stage.person).lines[-1].files
    assert stage.phone.file(stage.own, shown.id)[1] == PIXEL
    stage.hub._transport = httpx.MockTransport(lambda request: httpx.Response(404))
    with pytest.raises(errors.Unavailable) as failure:
        await stage.send(content=media, files={"a": file})
    assert failure.value.provider_code == "100/2018008"


async def test_only_a_heart_is_a_reaction(stage: GraphStage) -> None:
    line = stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hallo"))
    about: Any = {"part_id": uuid4(), "attempt_id": uuid4(), "address": stage.person, "target_key": f"m:{line.id}"}
    await stage.do(React(**about, emoji="❤"))
    assert stage.phone.chat(stage.own, stage.person).lines[0].reactions == ("❤",)
    with pytest.raises(UnsupportedContent):
        await stage.do(React(**about, emoji="👍"))


async def test_after_seven_days_nothing_goes(stage: GraphStage, time_: FakeClock) -> None:
    stage.phone.write(stage.own, stage.person, PhoneDraft(text="Hallo"))
    time_.advance(hours=25)
    with pytest.raises(WindowClosed) as failure:
        await stage.send()
    assert failure.value.provider_code == "10/2534022"
    await stage.send(tag="human_agent")
    time_.advance(days=7)
    with pytest.raises(WindowClosed):
        await stage.send(tag="human_agent")
