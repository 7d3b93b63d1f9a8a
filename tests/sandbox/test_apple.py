"""Apple Messages for Business in the sandbox: as strict as the provider file says, and the connector lives with it."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from pydantic import SecretStr

from hub.connectors.apple.connector import connector
from hub.connectors.apple.send import BID
from hub.connectors.apple.settings import AppleSettings
from hub.connectors.contract import Account, OutboundFile, OutboundMessage, RawRequest, ShowTyping
from hub.connectors.errors import (
    AuthFailed,
    CredentialsRejected,
    FileGone,
    RateLimited,
    Rejected,
    Unavailable,
    Unreachable,
)
from hub.connectors.events import (
    Album,
    Choice,
    ConsentChanged,
    Interactive,
    Media,
    MessageReceived,
    Option,
    Sheet,
    Slot,
    Text,
    TimeChoice,
    Typing,
)
from hub.consent.permit import issue_permit
from hub.core import ids
from hub.core.errors import Conflict
from hub.sandbox.apple.simulator import KEY, AppleSimulator, create
from hub.sandbox.apple.world import BUSINESS, MSP
from hub.sandbox.messengers import PhoneDraft, PhoneFile

ORIGIN = "http://127.0.0.1:1"


class Business:
    """The connector with an account at the simulator, and what was told to it."""

    def __init__(self) -> None:
        self.told: list[tuple[str, RawRequest]] = []
        self.hub = httpx.AsyncClient(transport=httpx.MockTransport(self._listen))
        self.simulator: AppleSimulator = create(self.hub)
        settings = AppleSettings.model_validate(self.simulator.sample_settings(ORIGIN))
        self.account = Account(channel_id=ids.new_id(), settings=settings, own_id=BUSINESS, webhook_secrets=("s",))
        self.http = httpx.AsyncClient(transport=_Mounted(self.simulator))
        self.simulator.point_to("https://hub.example/hooks/apple/message")

    @property
    def person(self) -> str:
        return next(iter(self.simulator.world.chats))

    def _listen(self, request: httpx.Request) -> httpx.Response:
        raw = RawRequest("POST", {name.lower(): value for name, value in request.headers.items()}, request.content)
        connector.verify(raw, self.account)
        assert [share.own_id for share in connector.shares(raw)] == [BUSINESS]
        self.told.append((str(request.url), raw))
        return httpx.Response(200)

    async def greet(self) -> None:
        """A conversation begins with the customer."""
        self.simulator.phone.write(BUSINESS, self.person, PhoneDraft(text="Guten Tag"))
        await self.simulator.courier.settled()

    async def send(self, content: Any, *, files: Any = None, to: str = "") -> Any:
        part, attempt = ids.new_id(), ids.new_id()
        message = OutboundMessage(part_id=part, attempt_id=attempt, address=to or self.person, content=content, files=files or {})
        return await connector.send(issue_permit(part_id=part, attempt_id=attempt), message, self.account, self.http)

    async def events(self) -> list[Any]:
        await self.simulator.courier.settled()
        return [event for _, raw in self.told for event in connector.parse(raw, self.account)]

    async def newest(self) -> Any:
        return (await self.events())[-1]

    def lines(self) -> Any:
        return self.simulator.phone.chat(BUSINESS, self.person).lines


class _Mounted(httpx.ASGITransport):
    """The sandbox takes the messenger's name from the path."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(raw_path=request.url.raw_path.removeprefix(b"/apple"))
        return await super().handle_async_request(request)


class _Sink:
    content = b""

    async def write(self, piece: bytes) -> None:
        self.content += piece


@pytest.fixture
async def business() -> AsyncIterator[Business]:
    one = Business()
    await one.greet()
    yield one
    await one.simulator.stop()
    await asyncio.gather(one.http.aclose(), one.hub.aclose())


async def test_what_is_told_is_packed_signed_and_sent_to_the_appended_address(business: Business) -> None:
    ((url, raw),) = business.told
    assert url == "https://hub.example/hooks/apple/message"
    body = json.loads(gzip.decompress(raw.body))
    assert (body["body"], body["sourceId"], body["destinationId"]) == ("Guten Tag", business.person, BUSINESS)
    assert raw.headers["capability-list"] == "AUTH,AUTH2,FORM,LIST,QUICK,TIME"
    assert jwt.decode(raw.headers["authorization"][7:], KEY, algorithms=["HS256"], audience=MSP)["aud"] == MSP


async def test_the_set_up_finds_a_wrong_secret_and_a_foreign_business(business: Business) -> None:
    address = "https://hub.example/hooks/apple/message"
    result = await connector.setup(business.account, address, business.http)
    assert (result.own_id, result.notes) == (BUSINESS, ("channel.apple.note.enter_address",))
    other = business.account.settings.model_copy(update={"secret": SecretStr("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")})
    with pytest.raises(CredentialsRejected) as refused:
        await connector.setup(replace(business.account, settings=other), address, business.http)
    assert refused.value.field == "secret"
    stranger = business.account.settings.model_copy(update={"business_id": str(uuid4())})
    with pytest.raises(CredentialsRejected) as refused:
        await connector.setup(replace(business.account, settings=stranger, own_id=""), address, business.http)
    assert refused.value.field == "business_id"


async def test_a_text_and_typing_show_on_the_phone(business: Business) -> None:
    part = attempt = ids.new_id()
    typing = ShowTyping(part_id=part, attempt_id=attempt, address=business.person)
    await connector.send(issue_permit(part_id=part, attempt_id=attempt), typing, business.account, business.http)
    assert business.simulator.phone.chat(BUSINESS, business.person).is_typing
    receipt = await business.send(Text(text="Grüße 👋"))
    line = business.lines()[-1]
    assert (line.text, line.is_theirs, receipt.keys, receipt.status) == ("Grüße 👋", True, (f"o:{line.id}",), "accepted")
    assert not business.simulator.phone.chat(BUSINESS, business.person).is_typing


async def test_a_quick_reply_is_answered(business: Business) -> None:
    options = (Option(id="1", label="Ja"), Option(id="2", label="Nein"))
    receipt = await business.send(Choice(text=Text(text="Passt das?"), options=options))
    line = business.lines()[-1]
    assert "quick-reply" in business.simulator.world.chats[business.person].asked[line.id]["data"]
    business.simulator.phone.press(BUSINESS, business.person, line.id, "1")
    answer = await business.newest()
    assert (answer.content, answer.reply_to_key) == (Interactive(option="1", label="Ja"), receipt.keys[0])


async def test_a_list_is_answered_once_or_twice(business: Business) -> None:
    options = tuple(Option(id=str(number), label=f"Rad {number}") for number in range(1, 8))
    receipt = await business.send(Choice(text=Text(text="Welches Rad?"), options=options))
    line = business.lines()[-1]
    assert [button.label for button in line.buttons] == [option.label for option in options]
    business.simulator.phone.press(BUSINESS, business.person, line.id, "7")
    answer = await business.newest()
    assert (answer.content, answer.reply_to_key) == (Interactive(option="7", label="Rad 7"), receipt.keys[0])
    business.simulator.phone.extra(BUSINESS, business.person, "pick_two")
    content = (await business.newest()).content
    assert isinstance(content, Sheet)
    assert (content.title, [one.value for one in content.details]) == ("Auswahl: Rad 1, Rad 2", ["Rad 1", "Rad 2"])


async def test_a_time_is_picked(business: Business) -> None:
    slot = Slot(id="slot-1", start=datetime(2026, 11, 24, 9, 30, tzinfo=UTC), minutes=30)
    await business.send(TimeChoice(text=Text(text="Wann?"), event_title="Beratung", slots=(slot,)))
    line = business.lines()[-1]
    assert [button.label for button in line.buttons] == ["2026-11-24T09:30+0000"]
    business.simulator.phone.press(BUSINESS, business.person, line.id, "slot-1")
    assert (await business.newest()).content == Interactive(option="slot-1", label="2026-11-24 09:30 UTC")


def file_of(name: str, mime: str, content: bytes) -> OutboundFile:
    return OutboundFile(name=name, mime=mime, size=len(content), open=lambda: BytesIO(content))


async def test_files_are_sealed_on_their_way_and_open_on_the_phone(business: Business) -> None:
    files = {"a": file_of("a.png", "image/png", b"PNG"), "b": file_of("b.pdf", "application/pdf", b"PDF")}
    items = (Media(kind="image", ref="a"), Media(kind="document", ref="b"))
    await business.send(Album(items=items, caption=Text(text="Zwei")), files=files)
    line = business.lines()[-1]
    shown = [business.simulator.phone.file(BUSINESS, file.id) for file in line.files]
    assert [(file.name, file.kind, content) for file, content in shown] == [
        ("a.png", "image", b"PNG"),
        ("b.pdf", "document", b"PDF"),
    ]
    assert line.text == "Zwei"
    assert not any(content in (b"PNG", b"PDF") for content in (one.sealed for one in business.simulator.world.storage.values()))


async def test_a_picture_with_an_address_is_a_rich_link(business: Business) -> None:
    files = {"a": file_of("a.png", "image/png", b"PNG")}
    await business.send(Media(kind="image", ref="a", caption=Text(text="https://radwerk.example/")), files=files)
    line = business.lines()[-1]
    assert (line.text, business.simulator.phone.file(BUSINESS, line.files[0].id)[1]) == ("https://radwerk.example/", b"PNG")
    assert business.simulator.world.uploads == {}


async def test_files_of_a_person_are_fetched_whatever_their_names(business: Business) -> None:
    """Every other one has the names of older texts and its signature in hexadecimal only."""
    phone = business.simulator.phone
    for kind, name, mime in (("image", "a.heic", "image/heic"), ("voice", "b.caf", "audio/x-caf")):
        sent = PhoneFile(id="", kind=kind, name=name, mime=mime, size=0)  # type: ignore[arg-type]
        phone.write(BUSINESS, business.person, PhoneDraft(text="Hier", file=sent, content=name.encode()))
    found = [event.content for event in await business.events() if isinstance(event.content, Media)]
    assert [(one.kind, one.name, one.caption) for one in found] == [
        ("image", "a.heic", Text(text="Hier")),
        ("voice", "b.caf", Text(text="Hier")),
    ]
    for media in found:
        sink = _Sink()
        await connector.fetch(media.ref, business.account, business.http, sink, size=media.size)
        assert sink.content.decode() == media.name


async def test_two_files_are_one_message(business: Business) -> None:
    business.simulator.phone.extra(BUSINESS, business.person, "two_files")
    first, second = (await business.events())[-2:]
    assert first.album == second.album != ""
    assert (first.content.caption, second.content.caption) == (Text(text="Bild und Beleg"), None)


async def test_a_file_that_ended_is_gone(business: Business) -> None:
    business.simulator.phone.extra(BUSINESS, business.person, "two_files")
    media = (await business.newest()).content
    business.simulator.faults.switch_on("file_gone")
    with pytest.raises(FileGone):
        await connector.fetch(media.ref, business.account, business.http, _Sink())


async def test_a_long_answer_becomes_a_text_to_read(business: Business) -> None:
    business.simulator.phone.extra(BUSINESS, business.person, "long_answer")
    media = (await business.newest()).content
    sink = _Sink()
    head = await connector.fetch(media.ref, business.account, business.http, sink)
    text = sink.content.decode()
    assert head.mime == "text/plain"
    assert text.startswith("Reklamation\nIhr Anliegen: Die Kette springt.")
    assert len(sink.content) > 10_000 and '"messageForms"' in text


async def test_a_form_a_tapback_and_typing(business: Business) -> None:
    await business.send(Text(text="Ihr Paket geht heute raus, stop"))
    for extra in ("form", "tapback"):
        business.simulator.phone.extra(BUSINESS, business.person, extra)
    for typing in (True, False):
        business.simulator.phone.set_typing(BUSINESS, business.person, typing)
    form, tapback, started, ended = (await business.events())[-4:]
    assert isinstance(form.content, Sheet) and form.content.title == "Rückruf"
    assert tapback.content == Text(text="Favorisiert: „Ihr Paket geht heute raus, stop“")
    assert isinstance(started, Typing) and (started.is_typing, ended.is_typing) == (True, False)


async def test_a_deleted_conversation_takes_nothing_until_they_write_again(business: Business) -> None:
    business.simulator.phone.extra(BUSINESS, business.person, "close")
    closed = await business.newest()
    assert isinstance(closed, ConsentChanged)
    assert (closed.change, closed.sender.provider_user_id) == ("opted_out", business.person)
    with pytest.raises(Unreachable):
        await business.send(Text(text="Noch da?"))
    await business.greet()
    await business.send(Text(text="Wieder da"))
    assert business.lines()[-1].text == "Wieder da"


async def test_nobody_is_written_to_first(business: Business) -> None:
    with pytest.raises(Unreachable):
        await business.send(Text(text="Angebot"), to=list(business.simulator.world.chats)[1])


async def test_faults_are_apples(business: Business) -> None:
    faults = business.simulator.faults
    faults.switch_on("unauthorised", times=1)
    with pytest.raises(AuthFailed):
        await business.send(Text(text="x"))
    faults.switch_on("rate_limited", times=1, retry_after=4)
    with pytest.raises(RateLimited) as limited:
        await business.send(Text(text="x"))
    assert limited.value.retry_after == 4
    faults.switch_on("refused", times=1, code="body is invalid")
    with pytest.raises(Rejected) as refused:
        await business.send(Text(text="x"))
    assert refused.value.provider_text == "body is invalid"
    faults.switch_on("server_error", times=1)
    with pytest.raises(Unavailable):
        await business.send(Text(text="x"))


def token(key: bytes = KEY, **claims: Any) -> str:
    return jwt.encode({"iss": MSP, "iat": int(time.time()), **claims}, key, algorithm="HS256")


async def post(business: Business, body: dict[str, Any], authorization: str = "", **headers: str) -> httpx.Response:
    whole = {"v": 1, "id": str(uuid4()), "sourceId": BUSINESS, "destinationId": business.person, **body}
    sent = {"id": whole["id"], "source-id": whole["sourceId"], "destination-id": whole["destinationId"], **headers}
    auth = {"authorization": authorization or f"Bearer {token()}"}
    return await business.http.post(f"{ORIGIN}/apple/v1/message", json=whole, headers={**sent, **auth})


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Basic abc", 401),
        ("Bearer abc", 403),
        (f"Bearer {token(b'another key of thirty-two bytes!')}", 403),
        (f"Bearer {token(iss='another')}", 403),
        (f"Bearer {token(iat=int(time.time()) - 7200)}", 403),
    ],
)
async def test_a_wrong_token_is_refused(business: Business, authorization: str, status: int) -> None:
    answer = await post(business, {"type": "text", "body": "x"}, authorization)
    assert (answer.status_code, answer.content) == (status, b"")


def asked(data: dict[str, Any], **more: Any) -> dict[str, Any]:
    told = {"version": "1.0", "requestIdentifier": "r", **data}
    return {"type": "interactive", "interactiveData": {"bid": BID, "data": told, "receivedMessage": {"title": "?"}, **more}}


ITEM = {"identifier": "1", "title": "Ja"}


@pytest.mark.parametrize(
    "body",
    [
        {"type": "text", "body": ""},
        {"type": "text", "body": "\ufffc"},
        {"type": "text", "body": "\ufffc", "attachments": [{"name": "a", "mimeType": "image/png", "size": 3}]},
        {"type": "poll"},
        {"type": "text", "body": "x", "v": 2},
        {"type": "text", "body": "x", "id": "keine-uuid"},
        {"type": "typing_start", "body": "x"},
        asked({"quick-reply": {"items": [ITEM]}}),
        asked({"quick-reply": {"items": [ITEM] * 6}}),
        asked({"quick-reply": {"items": [ITEM, {"title": "Nein"}]}}),
        asked({"listPicker": {"sections": []}}),
        asked({"listPicker": {"sections": [{"title": "a", "items": [ITEM]}]}}),
        asked({"event": {"identifier": "e", "title": "t", "timeslots": [{"identifier": "s", "startTime": "morgen"}]}}),
        asked({}),
        asked({"quick-reply": {"items": [ITEM] * 2}}, receivedMessage={}),
        asked({"quick-reply": {"items": [ITEM] * 2}}, bid="com.apple.messages.MSMessageExtensionBalloonPlugin:ABC:com.example"),
        {"type": "richLink", "richLinkData": {"url": "https://a.example", "title": "a", "assets": {}}},
    ],
)
async def test_what_apple_would_refuse_is_refused(business: Business, body: dict[str, Any]) -> None:
    answer = await post(business, body)
    assert answer.status_code == 400
    assert answer.text
    assert len(business.lines()) == 1


async def test_headers_and_body_agree(business: Business) -> None:
    answer = await post(business, {"type": "text", "body": "x"}, id=str(uuid4()))
    assert (answer.status_code, answer.text) == (400, "id is not the id of the headers")


async def test_the_storage_is_strict(business: Business) -> None:
    """A signature in hexadecimal is not its base64, and files are handed out without a token and once."""
    phone = business.simulator.phone
    phone.extra(BUSINESS, business.person, "two_files")
    media = next(event.content for event in await business.events() if isinstance(event.content, Media))
    url, owner, signature, _, _ = json.loads(media.ref)
    own = {"authorization": f"Bearer {token()}", "source-id": BUSINESS, "mmcs-url": url, "mmcs-owner": owner}
    for given, status in ((signature, 200), (business.simulator.world.storage[url.rpartition("/")[2]].signature.hex(), 400)):
        answer = await business.http.get(f"{ORIGIN}/apple/v1/preDownload", headers={**own, "mmcs-signature": given})
        assert answer.status_code == status
        if status == 200:
            address = answer.json()["download-url"]
    assert (await business.http.get(address, headers=own)).status_code == 400
    assert (await business.http.get(address)).status_code == 200
    assert (await business.http.get(address)).status_code == 404
    assert (await business.http.get(f"{ORIGIN}/apple/v1/preUpload", headers=own)).status_code == 400


async def test_a_phone_does_only_what_messages_has(business: Business) -> None:
    phone = business.simulator.phone
    for act in (
        lambda: phone.react(BUSINESS, business.person, "x", "👍"),
        lambda: phone.edit(BUSINESS, business.person, "x", "y"),
        lambda: phone.read(BUSINESS, business.person),
        lambda: phone.write(BUSINESS, business.person, PhoneDraft(place=(47.5, 9.7))),
        lambda: phone.extra(BUSINESS, business.person, "pick_two"),
    ):
        with pytest.raises(Conflict):
            act()


async def test_events_of_one_person_are_messages(business: Business) -> None:
    """The id of what was written is the key, so what comes twice is there once."""
    business.simulator.faults.switch_on("duplicate", times=1)
    line = business.simulator.phone.write(BUSINESS, business.person, PhoneDraft(text="Zweimal"))
    keys = [event.key for event in await business.events() if isinstance(event, MessageReceived)]
    assert keys[1:] == [f"m:{line.id}"] * 2
