"""The simulated Viber is as strict as the Bot API, and two others agree with it: the hub's connector and Viber's own library."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from unittest.mock import patch
from uuid import UUID

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.connectors import errors
from hub.connectors.contract import Account, Broadcast, OutboundFile, OutboundMessage, RawRequest, Receipt
from hub.connectors.events import (
    Choice,
    ConsentChanged,
    ContactCard,
    Event,
    Interactive,
    Location,
    Media,
    MessageReceived,
    Option,
    OutboundContent,
    Sheet,
    StatusChanged,
    Text,
    Unrecognised,
    Unsupported,
)
from hub.connectors.viber.connector import connector
from hub.connectors.viber.settings import ViberSettings
from hub.consent.permit import issue_permit
from hub.core import ids
from hub.core.errors import Conflict
from hub.sandbox.courier import Outgoing
from hub.sandbox.messengers import PhoneDraft, PhoneFile
from hub.sandbox.viber.simulator import ViberSimulator, create
from hub.sandbox.viber.world import SAMPLE_ID, SAMPLE_TOKEN
from tests.sandbox.support import serve_app

ORIGIN = "http://sandbox.example"
CALLBACK = "http://hub.example/hooks/viber/chn_1"
JOERG = "Qm9+x/Lk2Aa0vYyZz1Ww3A=="
AYSE = "h0Vb3n/Qx7s+L2kYpZ4tRw=="


@dataclass
class Hub:
    """A business with the connector and nothing else: what comes in is verified, answered and kept; its files lie at `/files/`."""

    account: Account[ViberSettings]
    simulator: ViberSimulator
    http: httpx.AsyncClient
    events: list[Event] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    welcome: OutboundContent | None = None
    answer: int = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if request.method == "GET":
            content = self.files.get(request.url.path)
            await Response(content or b"", 404 if content is None else 200, media_type="image/jpeg")(scope, receive, send)
            return
        response = self._take(RawRequest("POST", dict(request.headers), await request.body()))
        await response(scope, receive, send)

    def _take(self, raw: RawRequest) -> Response:
        connector.verify(raw, self.account)
        if tested := connector.handshake(raw, self.account):
            return Response(tested.body, tested.status)
        if self.answer == 200:
            self.events += connector.parse(raw, self.account)
        if self.welcome is not None and (sender := connector.wants_answer(raw, self.account)):
            message = _message(self.welcome, sender.provider_user_id)
            leave = issue_permit(part_id=message.part_id, attempt_id=message.attempt_id)
            reply = connector.render_inline(leave, message, self.account)
            return Response(reply.body, reply.status, media_type=reply.media_type)
        return Response(status_code=self.answer)

    async def send(self, content: OutboundContent, to: str = JOERG, *, file: tuple[str, bytes] | None = None) -> Receipt:
        files = {}
        if file is not None:
            name, held = file
            self.files[f"/files/{name}"] = held
            link = f"http://hub.example/files/{name}"
            files["f1"] = OutboundFile(name=name, mime="image/jpeg", size=len(held), open=lambda: BytesIO(held), link=link)
        message = _message(content, to, files)
        leave = issue_permit(part_id=message.part_id, attempt_id=message.attempt_id)
        return await connector.send(leave, message, self.account, self.http)

    async def broadcast(self, *to: str) -> Broadcast:
        messages = [_message(Text(text="Novo radno vreme"), one) for one in to]
        leaves = [issue_permit(part_id=one.part_id, attempt_id=one.attempt_id) for one in messages]
        return await connector.broadcast(leaves, messages, self.account, self.http)

    async def settled(self) -> list[Any]:
        """What has come in since the last time."""
        await self.simulator.phone.settled()
        arrived, self.events = self.events, []
        return arrived


def _message(content: OutboundContent, to: str, files: dict[str, OutboundFile] | None = None) -> OutboundMessage:
    return OutboundMessage(part_id=ids.new_id(), attempt_id=ids.new_id(), address=to, content=content, files=files or {})


def _account(**settings: Any) -> Account[ViberSettings]:
    read = ViberSettings.model_validate(settings)
    return Account(channel_id=UUID(int=1), settings=read, own_id="", webhook_secrets=("unused",))


class _Towards(httpx.AsyncBaseTransport):
    """Takes each request to the application of its host."""

    def __init__(self, mounts: dict[str, httpx.AsyncBaseTransport]) -> None:
        self._mounts = mounts

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host not in self._mounts:
            raise httpx.ConnectError("no such host", request=request)
        return await self._mounts[request.url.host].handle_async_request(request)


def _below(prefix: str, app: ASGIApp) -> ASGIApp:
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "path": scope["path"].removeprefix(prefix)}, receive, send)

    return mounted


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    """A hub and a simulator that reach each other without a socket, connected."""
    mounts: dict[str, httpx.AsyncBaseTransport] = {}
    async with httpx.AsyncClient(transport=_Towards(mounts)) as http:
        simulator = create(http)
        one = Hub(_account(**simulator.sample_settings(ORIGIN)), simulator, http)
        mounts["sandbox.example"] = httpx.ASGITransport(app=_below("/viber", simulator))
        mounts["hub.example"] = httpx.ASGITransport(app=one)
        await connector.setup(one.account, CALLBACK, http)
        yield one
        await simulator.stop()


def messages(events: list[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, MessageReceived)]


async def write(hub: Hub, text: str = "Zdravo", person: str = JOERG) -> Any:
    hub.simulator.phone.write(SAMPLE_ID, person, PhoneDraft(text=text))
    return messages(await hub.settled())[-1]


# --- the hub's connector and the simulator ----------------------------------------------------------------------------


async def test_the_account_is_connected_after_its_address_was_tested(hub: Hub) -> None:
    """The test comes while the answer is awaited (provider file, A1)."""
    result = await connector.setup(hub.account, CALLBACK, hub.http)
    assert (result.own_id, result.address, result.title) == (SAMPLE_ID, "radwerk", "Radwerk")
    assert hub.simulator.world.bot(SAMPLE_ID).webhook == CALLBACK
    with pytest.raises(errors.CredentialsRejected):
        settings = {**hub.simulator.sample_settings(ORIGIN), "auth_token": "4f6b1c2d3e4f5a60-wrong"}
        await connector.setup(_account(**settings), CALLBACK, hub.http)
    with pytest.raises(errors.Rejected) as failure:
        await connector.setup(hub.account, "http://nobody.example/x", hub.http)
    assert failure.value.provider_code == "1"
    await connector.teardown(hub.account, hub.http)
    assert hub.simulator.world.bot(SAMPLE_ID).webhook == ""


async def test_a_text_both_ways_with_its_statuses(hub: Hub) -> None:
    """The first message subscribes without a word; seen closes all that came before."""
    hub.simulator.phone.write(SAMPLE_ID, JOERG, PhoneDraft(text="Grüße 😊 & <b>"))
    consent, received = await hub.settled()
    assert isinstance(consent, ConsentChanged) and consent.change == "opted_in"
    assert received.content == Text(text="Grüße 😊 & <b>") and received.sender.display_name == "Jörg Özdemir"
    receipts = [await hub.send(Text(text=text)) for text in ("Guten Tag!", "Noch etwas")]
    delivered = await hub.settled()
    assert [event.target_key for event in delivered] == [receipt.keys[0] for receipt in receipts]
    hub.simulator.phone.read(SAMPLE_ID, JOERG)
    status, mark = await hub.settled()
    assert status.target_key == receipts[-1].keys[0] and status.status == mark.status == "read"
    assert [line.text for line in hub.simulator.phone.chat(SAMPLE_ID, JOERG).lines][1:] == ["Guten Tag!", "Noch etwas"]


async def test_who_never_wrote_cannot_be_written_to_and_who_leaves_has_opted_out(hub: Hub) -> None:
    with pytest.raises(errors.RecipientOptedOut):
        await hub.send(Text(text="Guten Tag!"))
    hub.simulator.phone.extra(SAMPLE_ID, JOERG, "subscribe")
    (subscribed,) = await hub.settled()
    assert isinstance(subscribed, ConsentChanged) and subscribed.change == "opted_in"
    await hub.send(Text(text="Guten Tag!"))
    await hub.settled()
    hub.simulator.phone.set_blocked(SAMPLE_ID, JOERG, True)
    (left,) = await hub.settled()
    assert (left.change, left.sender.provider_user_id, left.sender.display_name) == ("opted_out", JOERG, "")
    with pytest.raises(errors.RecipientOptedOut):
        await hub.send(Text(text="Noch da?"))
    with pytest.raises(errors.Unreachable):
        await hub.send(Text(text="x"), to="nobody==")


async def test_the_welcome_rides_in_the_answer(hub: Hub) -> None:
    """Before anybody subscribes; its button is the opt-in that comes back."""
    hub.welcome = Choice(text=Text(text="Willkommen!"), options=(Option(id="opt_in", label="Ja, Nachrichten erhalten"),))
    hub.simulator.phone.extra(SAMPLE_ID, JOERG, "open")
    (opened,) = await hub.settled()
    assert isinstance(opened, Unrecognised)
    (line,) = hub.simulator.phone.chat(SAMPLE_ID, JOERG).lines
    assert line.text == "Willkommen!" and [button.label for button in line.buttons] == ["Ja, Nachrichten erhalten"]
    hub.simulator.phone.press(SAMPLE_ID, JOERG, line.id, "Ja, Nachrichten erhalten")
    (pressed,) = messages(await hub.settled())
    assert pressed.content == Interactive(option="opt_in", label="Ja, Nachrichten erhalten")
    hub.welcome = None
    hub.simulator.phone.extra(SAMPLE_ID, AYSE, "open")
    await hub.settled()
    assert hub.simulator.phone.chat(SAMPLE_ID, AYSE).lines == ()


async def test_a_question_and_its_answer(hub: Hub) -> None:
    await write(hub)
    options = (Option(id="yes", label="Ja & gern"), Option(id="no", label="Nein"))
    await hub.send(Choice(text=Text(text="Passt Dienstag?"), options=options))
    line = hub.simulator.phone.chat(SAMPLE_ID, JOERG).lines[-1]
    assert [button.label for button in line.buttons] == ["Ja & gern", "Nein"]
    hub.simulator.phone.press(SAMPLE_ID, JOERG, line.id, "Ja & gern")
    assert messages(await hub.settled())[-1].content == Interactive(option="yes", label="Ja & gern")
    assert (await write(hub, "Nein danke")).content == Text(text="Nein danke")
    await hub.send(Text(text="Gut"))
    assert all(not one.buttons for one in hub.simulator.phone.chat(SAMPLE_ID, JOERG).lines)


class Kept:
    def __init__(self) -> None:
        self.content = b""

    async def write(self, piece: bytes) -> None:
        self.content += piece


async def test_a_file_both_ways(hub: Hub) -> None:
    """In by an address of Viber's, out by one of the hub's: the phone fetches it there."""
    photo = PhoneFile(id="", kind="image", name="Kette März.jpg", mime="image/jpeg", size=0)
    hub.simulator.phone.write(SAMPLE_ID, JOERG, PhoneDraft(text="Slomljene", file=photo, content=b"Bild" * 1000))
    media = messages(await hub.settled())[0].content
    assert isinstance(media, Media) and (media.kind, media.name, media.size) == ("image", "Kette März.jpg", 4000)
    assert media.caption == Text(text="Slomljene")
    sink = Kept()
    head = await connector.fetch(media.ref, hub.account, hub.http, sink, size=media.size)
    assert sink.content == b"Bild" * 1000 and head.mime == "image/jpeg"
    hub.simulator.faults.switch_on("file_gone", times=1)
    with pytest.raises(errors.FileGone):
        await connector.fetch(media.ref, hub.account, hub.http, Kept())
    await hub.send(Media(kind="image", ref="f1", mime="image/jpeg", caption=Text(text="Schön")), file=("a.jpg", b"Noch ein Bild"))
    (delivered,) = await hub.settled()
    assert isinstance(delivered, StatusChanged) and delivered.status == "delivered"
    line = hub.simulator.phone.chat(SAMPLE_ID, JOERG).lines[-1]
    assert line.text == "Schön" and hub.simulator.phone.file(SAMPLE_ID, line.files[0].id)[1] == b"Noch ein Bild"


async def test_what_was_taken_can_fail_on_the_device(hub: Hub) -> None:
    """Status 0, and `failed` later (provider file, A4)."""
    await write(hub)
    hub.files.clear()
    receipt = await hub.send(Media(kind="image", ref="f1", mime="image/jpeg"), file=("a.jpg", b"x"))
    hub.files.clear()
    (failed,) = await hub.settled()
    assert (failed.target_key, failed.status) == (receipt.keys[0], "failed") and "fetched" in failed.provider_text


async def test_places_contacts_and_what_only_viber_has(hub: Hub) -> None:
    phone = hub.simulator.phone
    phone.write(SAMPLE_ID, JOERG, PhoneDraft(place=(44.8125, 20.4612)))
    phone.write(SAMPLE_ID, JOERG, PhoneDraft(contact=("Ана", "381601234567")))
    for name in ("sticker", "link", "media_missing", "future"):
        phone.extra(SAMPLE_ID, JOERG, name)
    place, card, sticker, link, missing, future = [event.content for event in messages(await hub.settled())]
    assert place == Location(latitude=44.8125, longitude=20.4612) and card == ContactCard(name="Ана", phone="+381601234567")
    assert isinstance(sticker, Media) and sticker.kind == "sticker" and isinstance(link, Sheet) and link.kind == "link"
    assert missing == Unsupported(kind="picture", summary="Slomljene") and future == Unsupported(
        kind="hologram", summary="von morgen"
    )
    await hub.send(Location(latitude=47.5, longitude=9.7))
    await hub.send(ContactCard(name="Radwerk", phone="+49838255501"))
    assert [line.place or line.text for line in phone.chat(SAMPLE_ID, JOERG).lines[-2:]] == [(47.5, 9.7), "Radwerk +49838255501"]
    for act in (phone.react, phone.edit):
        with pytest.raises(Conflict):
            act(SAMPLE_ID, JOERG, "1", "x")


async def test_a_hundred_messages_an_hour_without_an_answer(hub: Hub) -> None:
    await write(hub)
    for number in range(100):
        await hub.send(Text(text=str(number)))
    with pytest.raises(errors.RecipientLimited) as failure:
        await hub.send(Text(text="101"))
    assert 0 < failure.value.retry_after <= 3600
    await write(hub, "Ich bin da")
    await hub.send(Text(text="Gut"))


@pytest.mark.parametrize(
    ("kind", "values", "error"),
    [
        ("rate_limited", {"retry_after": 7}, errors.RateLimited),
        ("server_error", {"status": 500}, errors.OutcomeUnknown),
        ("server_error", {"status": 503}, errors.Unavailable),
        ("unauthorised", {}, errors.AuthFailed),
        ("refused", {"code": "7"}, errors.AccountPaused),
        ("refused", {"code": "23"}, errors.WindowClosed),
    ],
)
async def test_faults_of_a_send(hub: Hub, kind: str, values: dict[str, Any], error: type[errors.SendError]) -> None:
    await write(hub)
    hub.simulator.faults.switch_on(kind, times=1, **values)
    with pytest.raises(error):
        await hub.send(Text(text="x"))
    assert len(hub.simulator.phone.chat(SAMPLE_ID, JOERG).lines) == 1
    await hub.send(Text(text="x"))


async def test_a_callback_is_tried_again_and_told_twice_on_demand(hub: Hub) -> None:
    hub.simulator.courier._delays = (0.0, 0.0)
    hub.answer = 500
    hub.simulator.phone.write(SAMPLE_ID, JOERG, PhoneDraft(text="eins"))
    await hub.settled()
    assert [one.outcome for one in hub.simulator.courier.deliveries] == [500] * 3
    hub.answer = 200
    hub.simulator.faults.switch_on("duplicate", times=1)
    hub.simulator.phone.write(SAMPLE_ID, JOERG, PhoneDraft(text="zwei"))
    first, second = messages(await hub.settled())
    assert first == second


async def test_a_broadcast_fails_in_part(hub: Hub) -> None:
    """Status 0 with a list of failures; not activated it is 19."""
    await write(hub)

    with pytest.raises(errors.Rejected) as refusal:
        await hub.broadcast(JOERG)
    assert refusal.value.provider_code == "19"
    hub.simulator.world.bot(SAMPLE_ID).may_broadcast = True
    result = await hub.broadcast(JOERG, AYSE)
    assert list(result.failed) == [AYSE] and isinstance(result.failed[AYSE], errors.RecipientOptedOut)
    (delivered,) = await hub.settled()
    assert result.receipts[JOERG].keys == (delivered.target_key,)
    body = {"sender": {"name": "Radwerk"}, "type": "text", "text": "Novo radno vreme", "broadcast_list": [JOERG] * 301}
    headers = {"x-viber-auth-token": SAMPLE_TOKEN}
    answer = await hub.http.post(f"{ORIGIN}/viber/pa/broadcast_message", json=body, headers=headers)
    assert answer.json()["status"] == 3


# --- strictness -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"receiver": ""}, 4),
        ({"sender": {"name": "x" * 29}}, 3),
        ({"sender": {}}, 4),
        ({"text": "x" * 7001}, 3),
        ({"text": 7}, 3),
        ({"type": "hologram"}, 3),
        ({"type": "picture", "text": "", "media": "https://hub.example/files/none"}, 1),
        ({"type": "picture", "media": "https://hub.example/a.jpg", "text": "x" * 769}, 3),
        ({"type": "video", "media": "https://hub.example/a.mp4"}, 4),
        ({"type": "file", "media": "https://hub.example/a.pdf", "size": 7, "file_name": "a"}, 3),
        ({"type": "location", "location": {"lat": 91, "lon": 0}}, 3),
        ({"type": "contact", "contact": {"name": "x", "phone_number": "1" * 19}}, 3),
        ({"keyboard": {"Type": "keyboard", "Buttons": []}}, 3),
        ({"keyboard": {"Type": "keyboard", "Buttons": [{"ActionBody": "x", "Columns": 7}]}}, 3),
        ({"tracking_data": "x" * 4097}, 3),
        ({"text": "x", "padding": "x" * 30000}, 3),
    ],
)
async def test_what_is_not_as_documented_is_refused(hub: Hub, changed: dict[str, Any], status: int) -> None:
    """With 200 and a status in the body, as everything here."""
    await write(hub)
    body = {"receiver": JOERG, "sender": {"name": "Radwerk"}, "type": "text", "text": "x", **changed}
    answer = await hub.http.post(f"{ORIGIN}/viber/pa/send_message", json=body, headers={"x-viber-auth-token": SAMPLE_TOKEN})
    assert (answer.status_code, answer.json()["status"]) == (200, status)


# --- Viber's own library as outside witness ---------------------------------------------------------------------------


async def test_vibers_own_library_speaks_to_the_simulator(hub: Hub) -> None:
    """It sets the webhook, reads the account, sends a text, and checks the signature of what comes back."""
    await write(hub)
    configuration = importlib.import_module("viberbot.api.bot_configuration").BotConfiguration
    library = importlib.import_module("viberbot.api.api")
    kinds = importlib.import_module("viberbot.api.messages")
    async with serve_app(hub.simulator) as address:
        with patch.object(library, "VIBER_BOT_API_URL", f"{address}/pa"):
            bot = library.Api(configuration(name="Radwerk", avatar="", auth_token=SAMPLE_TOKEN))

        async def ask(do: Callable[..., Any], *arguments: Any) -> Any:
            return await asyncio.to_thread(do, *arguments)

        assert (await ask(bot.get_account_info))["name"] == "Radwerk"
        assert "message" in await ask(bot.set_webhook, CALLBACK)
        text = kinds.TextMessage(text="Dobar dan!")
        with pytest.raises(Exception, match="notSubscribed"):
            await ask(bot.send_messages, AYSE, [text])
        (token,) = await ask(bot.send_messages, JOERG, [text])
    assert token > 2**53
    assert hub.simulator.phone.chat(SAMPLE_ID, JOERG).lines[-1].text == "Dobar dan!"
    (delivered,) = await hub.settled()
    assert delivered.target_key == f"m:{JOERG}:{token}"
    outgoing: list[Outgoing] = []
    with patch.object(hub.simulator.courier, "send", lambda one, queue="": outgoing.append(one)):
        hub.simulator.phone.write(SAMPLE_ID, JOERG, PhoneDraft(text="Zdravo 👋"))
        hub.simulator.phone.extra(SAMPLE_ID, JOERG, "open")
        hub.simulator.phone.set_blocked(SAMPLE_ID, JOERG, True)
    for one in outgoing:
        assert bot.verify_signature(one.body, one.headers["x-viber-content-signature"])
        assert not bot.verify_signature(one.body + b" ", one.headers["x-viber-content-signature"])
    written, opened, left = [bot.parse_request(one.body) for one in outgoing]
    assert (written.message.text, written.sender.id, written.sender.name) == ("Zdravo 👋", JOERG, None)  # it asked for no names
    assert (opened.event_type, opened.user.id, left.user_id) == ("conversation_started", JOERG, JOERG)
