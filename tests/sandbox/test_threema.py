"""The simulated Threema is as strict as the Gateway, and two others agree with it: the hub's connector and the official SDK."""

import importlib
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl
from uuid import UUID

import httpx
import pytest
from nacl.public import PrivateKey
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.connectors import errors
from hub.connectors.contract import Account, OutboundFile, OutboundMessage, RawRequest, React, Receipt
from hub.connectors.events import (
    Event,
    Location,
    Media,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    OutboundContent,
    ReactionChanged,
    Sheet,
    StatusChanged,
    Text,
    Typing,
    Unrecognised,
    Unsupported,
)
from hub.connectors.threema.connector import connector
from hub.connectors.threema.settings import ThreemaSettings
from hub.consent.permit import issue_permit
from hub.core import ids
from hub.core.errors import Conflict
from hub.sandbox.courier import Outgoing
from hub.sandbox.messengers import PhoneDraft, PhoneFile
from hub.sandbox.threema.containers import pack
from hub.sandbox.threema.simulator import ThreemaSimulator, create
from hub.sandbox.threema.world import BASIC_ID, SAMPLE_ID, SAMPLE_KEY, SAMPLE_SECRET
from tests.sandbox.support import serve_app

ORIGIN = "http://sandbox.example"
CALLBACK = "http://hub.example/hooks/threema/chn_1"
JOERG = "JOERG2EZ"


@dataclass
class Hub:
    """A business with the connector and nothing else: what comes in is verified, opened and kept."""

    account: Account[ThreemaSettings]
    simulator: ThreemaSimulator
    http: httpx.AsyncClient
    events: list[Event] = field(default_factory=list)
    answer: int = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        raw = RawRequest("POST", dict(request.headers), await request.body())
        connector.verify(raw, self.account)
        if self.answer == 200:
            key = await connector.fetch_peer_key(connector.peer_of(raw, self.account), self.account, self.http)
            self.events += connector.parse(RawRequest("POST", {}, raw.body, peer_key=key), self.account)
        await Response(status_code=self.answer)(scope, receive, send)

    async def send(self, content: OutboundContent, to: str = JOERG, *, file: bytes = b"") -> Receipt:
        part, attempt = ids.new_id(), ids.new_id()
        files = {"f1": OutboundFile(name="Größe.jpg", mime="image/jpeg", size=len(file), open=lambda: _opened(file))}
        message = OutboundMessage(
            part_id=part,
            attempt_id=attempt,
            address=to,
            peer_key=await connector.fetch_peer_key(to, self.account, self.http),
            content=content,
            files=files if file else {},
        )
        return await connector.send(issue_permit(part_id=part, attempt_id=attempt), message, self.account, self.http)

    async def settled(self) -> list[Event]:
        """What has come in since the last time."""
        await self.simulator.courier.settled()
        arrived, self.events = self.events, []
        return arrived


def _opened(content: bytes) -> BytesIO:
    return BytesIO(content)


def _account(**settings: Any) -> Account[ThreemaSettings]:
    read = ThreemaSettings.model_validate(settings)
    return Account(channel_id=UUID(int=1), settings=read, own_id=read.gateway_id, webhook_secrets=("unused",))


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    """A hub and a simulator that reach each other without a socket."""
    mounts: dict[str, httpx.AsyncBaseTransport] = {}
    async with httpx.AsyncClient(transport=_Towards(mounts)) as http:
        simulator = create(http)
        one = Hub(_account(**simulator.sample_settings(ORIGIN)), simulator, http)
        mounts["sandbox.example"] = httpx.ASGITransport(app=_below("/threema", simulator))
        mounts["hub.example"] = httpx.ASGITransport(app=one)
        simulator.point_to(CALLBACK)
        yield one
        await simulator.stop()


class _Towards(httpx.AsyncBaseTransport):
    """Takes each request to the application of its host."""

    def __init__(self, mounts: dict[str, httpx.AsyncBaseTransport]) -> None:
        self._mounts = mounts

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._mounts[request.url.host].handle_async_request(request)


def _below(prefix: str, app: ASGIApp) -> ASGIApp:
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "path": scope["path"].removeprefix(prefix)}, receive, send)

    return mounted


def only(events: list[Event]) -> Any:
    (event,) = events
    return event


# --- the hub's connector and the simulator ----------------------------------------------------------------------------


async def test_the_account_is_connected(hub: Hub) -> None:
    """The sample account is ready, and the private key belongs to it."""
    result = await connector.setup(hub.account, CALLBACK, hub.http)
    assert (result.own_id, result.notes) == (SAMPLE_ID, ("channel.threema.note.enter_callback",))
    for field_, value in (("api_secret", "wrong"), ("private_key", "11" * 32), ("gateway_id", "*NOBODY1")):
        settings = {**hub.simulator.sample_settings(ORIGIN), field_: value}
        with pytest.raises(errors.CredentialsRejected):
            await connector.setup(_account(**settings), CALLBACK, hub.http)


async def test_a_text_both_ways_with_its_statuses(hub: Hub) -> None:
    phone = hub.simulator.phone
    line = phone.write(SAMPLE_ID, JOERG, PhoneDraft(text="Grüße 😊 & <b>"))
    received = only(await hub.settled())
    assert isinstance(received, MessageReceived)
    assert received.content == Text(text="Grüße 😊 & <b>")
    assert received.sender.provider_user_id == JOERG and received.sender.display_name == "Jörg Özdemir"
    assert received.key == f"m:{JOERG}:{line.id}"
    receipt = await hub.send(Text(text="Guten Tag!"))
    delivered = only(await hub.settled())
    assert isinstance(delivered, StatusChanged) and (delivered.target_key, delivered.status) == (receipt.keys[0], "delivered")
    await hub.send(Text(text="Noch etwas"))
    await hub.settled()
    phone.read(SAMPLE_ID, JOERG)
    assert [event.status for event in await hub.settled() if isinstance(event, StatusChanged)] == ["read", "read"]
    assert [line.text for line in phone.chat(SAMPLE_ID, JOERG).lines] == ["Grüße 😊 & <b>", "Guten Tag!", "Noch etwas"]


async def test_a_reply_is_linked_and_its_first_line_is_gone(hub: Hub) -> None:
    receipt = await hub.send(Text(text="Passt Dienstag?"))
    question = hub.simulator.phone.chat(SAMPLE_ID, JOERG).lines[-1]
    hub.simulator.phone.write(SAMPLE_ID, JOERG, PhoneDraft(text="STOP", reply_to=question.id))
    reply = (await hub.settled())[-1]
    assert isinstance(reply, MessageReceived) and reply.content == Text(text="STOP")
    assert reply.reply_to_key == receipt.keys[0]


class Kept:
    def __init__(self) -> None:
        self.content = b""

    async def write(self, piece: bytes) -> None:
        self.content += piece


async def test_a_file_both_ways(hub: Hub) -> None:
    phone = hub.simulator.phone
    photo = PhoneFile(id="", kind="image", name="Kette März.jpg", mime="image/jpeg", size=0)
    phone.write(SAMPLE_ID, JOERG, PhoneDraft(text="So sieht es aus", file=photo, content=b"Bild" * 1000))
    media = only(await hub.settled()).content
    assert isinstance(media, Media) and (media.kind, media.name, media.caption) == (
        "image",
        "Kette März.jpg",
        Text(text="So sieht es aus"),
    )
    sink = Kept()
    await connector.fetch(media.ref, hub.account, hub.http, sink, size=media.size)
    assert sink.content == b"Bild" * 1000
    answer = Media(kind="image", ref="f1", mime="image/jpeg", caption=Text(text="Schön"))
    await hub.send(answer, file=b"Noch ein Bild")
    line = phone.chat(SAMPLE_ID, JOERG).lines[-1]
    shown, content = phone.file(SAMPLE_ID, line.files[0].id)
    assert (line.text, shown.kind, shown.name, content) == ("Schön", "image", "Größe.jpg", b"Noch ein Bild")
    assert not any(b"Noch ein Bild" in blob for blob in hub.simulator.world.blobs.values())


async def test_a_place_both_ways(hub: Hub) -> None:
    phone = hub.simulator.phone
    phone.write(SAMPLE_ID, JOERG, PhoneDraft(place=(47.5, 9.7)))
    assert only(await hub.settled()).content == Location(latitude=47.5, longitude=9.7, accuracy=35.0)
    await hub.send(Location(latitude=47.5, longitude=9.7, title="Hafen", address="Weg 1\nLindau"))
    line = phone.chat(SAMPLE_ID, JOERG).lines[-1]
    assert (line.place, line.text) == ((47.5, 9.7), "Hafen\nWeg 1\nLindau")


async def test_reactions_both_ways(hub: Hub) -> None:
    phone = hub.simulator.phone
    receipt = await hub.send(Text(text="Passt Dienstag?"))
    question = phone.chat(SAMPLE_ID, JOERG).lines[-1].id
    await hub.settled()
    phone.react(SAMPLE_ID, JOERG, question, "❤️")
    phone.react(SAMPLE_ID, JOERG, question, "")
    phone.answer_receipt(SAMPLE_ID, JOERG, question, 3)
    reactions = await hub.settled()
    assert all(isinstance(event, ReactionChanged) and event.target_key == receipt.keys[0] for event in reactions)
    assert [event.emoji for event in reactions if isinstance(event, ReactionChanged)] == ["❤️", "", "👍"]
    line = phone.write(SAMPLE_ID, JOERG, PhoneDraft(text="Ja"))
    key = only(await hub.settled()).key
    part, attempt = ids.new_id(), ids.new_id()
    peer = await connector.fetch_peer_key(JOERG, hub.account, hub.http)
    react = React(part_id=part, attempt_id=attempt, address=JOERG, peer_key=peer, target_key=key, emoji="👍")
    await connector.send(issue_permit(part_id=part, attempt_id=attempt), react, hub.account, hub.http)
    assert phone.chat(SAMPLE_ID, JOERG).lines[-1].id == line.id and phone.chat(SAMPLE_ID, JOERG).lines[-1].reactions == ("👍",)


async def test_changes_deletions_and_typing(hub: Hub) -> None:
    phone = hub.simulator.phone
    line = phone.write(SAMPLE_ID, JOERG, PhoneDraft(text="Montag?"))
    phone.edit(SAMPLE_ID, JOERG, line.id, "Dienstag? " * 30)
    phone.delete(SAMPLE_ID, JOERG, line.id)
    phone.set_typing(SAMPLE_ID, JOERG, True)
    written, edited, deleted, typing = await hub.settled()
    assert isinstance(written, MessageReceived) and isinstance(edited, MessageEdited) and isinstance(deleted, MessageDeleted)
    assert edited.target_key == deleted.target_key == written.key and edited.content == Text(text="Dienstag? " * 30)
    assert isinstance(typing, Typing) and typing.is_typing
    await hub.send(Text(text="Gut"))
    with pytest.raises(Conflict):
        phone.edit(SAMPLE_ID, JOERG, phone.chat(SAMPLE_ID, JOERG).lines[-1].id, "x")


async def test_every_kind_that_only_threema_has(hub: Hub) -> None:
    phone = hub.simulator.phone
    contents: dict[str, Any] = {}
    for name in phone.extras:
        phone.extra(SAMPLE_ID, JOERG, name)
        event = only(await hub.settled())
        contents[name] = event.content if isinstance(event, MessageReceived) else event
    assert contents["poll"] == Unsupported(kind="poll", summary="Welche Farbe soll der Rahmen haben?")
    assert isinstance(contents["call"], Sheet)
    assert isinstance(contents["group"], Unrecognised)
    assert contents["envelope"] == Unsupported(kind="forward_secrecy", summary="")
    assert contents["future"] == Unsupported(kind="0x2a", summary="")
    sink = Kept()
    await connector.fetch(contents["old_picture"].ref, hub.account, hub.http, sink)
    assert sink.content.startswith(b"\xff\xd8")


async def test_who_is_blocked_hears_nothing_of_it(hub: Hub) -> None:
    """The Gateway answers 200 and no receipt ever comes (provider file, 8)."""
    hub.simulator.phone.set_blocked(SAMPLE_ID, JOERG, True)
    receipt = await hub.send(Text(text="Guten Tag!"))
    assert receipt.status == "accepted" and await hub.settled() == []
    assert hub.simulator.phone.chat(SAMPLE_ID, JOERG).lines == ()


async def test_people_are_found(hub: Hub) -> None:
    for query, found in (("+491701234567", JOERG), ("Joerg@Radwerk.example", JOERG), ("AYSE4KLM", "AYSE4KLM"), ("+4930123456", "")):
        person = await connector.find(query, hub.account, hub.http)
        assert (person.provider_user_id if person else "") == found


async def test_credits_are_spent_and_end(hub: Hub) -> None:
    """A message one, a file two."""
    gateway = hub.simulator.world.gateway(SAMPLE_ID)
    gateway.credits = 4
    await hub.send(Text(text="eins"))
    await hub.send(Media(kind="image", ref="f1", mime="image/jpeg"), file=b"x")
    assert gateway.credits == 1
    with pytest.raises(errors.AccountPaused):
        await hub.send(Media(kind="image", ref="f1", mime="image/jpeg"), file=b"x")
    with pytest.raises(errors.AccountPaused):
        await hub.send(Text(text="zwei"))
    assert only(list(await connector.check(hub.account, hub.http))).cause == "no_credits"


async def test_an_app_that_takes_no_files_is_sent_none(hub: Hub) -> None:
    hub.simulator.world.person(JOERG).capabilities = ("text",)
    with pytest.raises(errors.Rejected):
        await hub.send(Media(kind="image", ref="f1", mime="image/jpeg"), file=b"x")
    assert hub.simulator.world.blobs == {} and hub.simulator.world.gateway(SAMPLE_ID).credits == 1000


async def test_basic_mode_and_end_to_end_do_not_mix(hub: Hub) -> None:
    """An id is made for one of the two: the other's request is refused with 400."""
    settings = hub.simulator.sample_settings(ORIGIN)
    basic = _account(**{**settings, "gateway_id": BASIC_ID, "private_key": ""})
    one = Hub(basic, hub.simulator, hub.http)
    await one.send(Text(text="Nur Text"))
    assert hub.simulator.phone.chat(BASIC_ID, JOERG).lines[-1].text == "Nur Text"
    for wrong in (_account(**{**settings, "gateway_id": BASIC_ID}), _account(**{**settings, "private_key": ""})):
        with pytest.raises(errors.Rejected):
            await Hub(wrong, hub.simulator, hub.http).send(Text(text="x"))


@pytest.mark.parametrize(
    ("kind", "values", "error"),
    [
        ("rate_limited", {"retry_after": 7}, errors.RateLimited),
        ("server_error", {"status": 503}, errors.Unavailable),
        ("server_error", {"status": 500}, errors.OutcomeUnknown),
        ("unauthorised", {}, errors.AuthFailed),
        ("refused", {"code": "413"}, errors.Rejected),
    ],
)
async def test_faults_of_a_send(hub: Hub, kind: str, values: dict[str, Any], error: type[errors.SendError]) -> None:
    peer = await connector.fetch_peer_key(JOERG, hub.account, hub.http)
    hub.simulator.faults.switch_on(kind, times=1, **values)
    part, attempt = ids.new_id(), ids.new_id()
    message = OutboundMessage(part_id=part, attempt_id=attempt, address=JOERG, peer_key=peer, content=Text(text="x"))
    with pytest.raises(error):
        await connector.send(issue_permit(part_id=part, attempt_id=attempt), message, hub.account, hub.http)
    assert hub.simulator.phone.chat(SAMPLE_ID, JOERG).lines == ()


async def test_a_callback_is_tried_again_and_told_twice_on_demand(hub: Hub) -> None:
    """A repetition has the same id and nonce, so it is the same event."""
    hub.simulator.courier._delays = (0.0, 0.0, 0.0)
    hub.answer = 500
    hub.simulator.phone.write(SAMPLE_ID, JOERG, PhoneDraft(text="eins"))
    await hub.settled()
    assert [one.outcome for one in hub.simulator.courier.deliveries] == [500] * 4
    hub.answer = 200
    hub.simulator.faults.switch_on("duplicate", times=1)
    hub.simulator.phone.write(SAMPLE_ID, JOERG, PhoneDraft(text="zwei"))
    first, second = await hub.settled()
    assert first == second


# --- strictness -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 401),
        ({"from": SAMPLE_ID, "secret": "wrong"}, 401),
        ({"nonce": "xx"}, 400),
        ({"nonce": "00" * 23}, 400),
        ({"box": ""}, 400),
        ({"box": "00" * 7813}, 413),
        ({"to": "NOBODY99"}, 400),
        ({"to": "x"}, 400),
    ],
)
async def test_what_is_not_as_documented_is_refused(hub: Hub, form: dict[str, str], status: int) -> None:
    whole = {"from": SAMPLE_ID, "secret": SAMPLE_SECRET, "to": JOERG, "nonce": "00" * 24, "box": "00" * 48}
    answer = await hub.http.post(f"{ORIGIN}/threema/send_e2e", data={**whole, **form} if form else {})
    assert answer.status_code == status


async def test_an_app_throws_away_what_it_cannot_open_and_used_nonces(hub: Hub) -> None:
    whole = {"from": SAMPLE_ID, "secret": SAMPLE_SECRET, "to": JOERG, "nonce": "00" * 24, "box": "00" * 48}
    assert (await hub.http.post(f"{ORIGIN}/threema/send_e2e", data=whole)).status_code == 200
    assert hub.simulator.phone.chat(SAMPLE_ID, JOERG).lines == ()
    nonce, box = pack(1, b"einmal", PrivateKey(SAMPLE_KEY), hub.simulator.world.person(JOERG).private_key.public_key)
    for _ in range(2):
        await hub.http.post(f"{ORIGIN}/threema/send_e2e", data={**whole, "nonce": nonce.hex(), "box": box.hex()})
    assert [line.text for line in hub.simulator.phone.chat(SAMPLE_ID, JOERG).lines] == ["einmal"]


async def test_a_bulk_answers_for_each(hub: Hub) -> None:
    """Base64 here, hexadecimal in the single call; single failures inside a 200."""
    nonce, box = pack(1, b"an viele", PrivateKey(SAMPLE_KEY), hub.simulator.world.person(JOERG).private_key.public_key)
    one = {"nonce": b64encode(nonce).decode(), "box": b64encode(box).decode()}
    url = f"{ORIGIN}/threema/send_e2e_bulk?from={SAMPLE_ID}&secret={SAMPLE_SECRET}"
    answer = await hub.http.post(url, json=[{"to": JOERG, **one}, {"to": "NOBODY99", **one}])
    first, second = answer.json()
    assert len(first["messageId"]) == 16 and second == {"errorCode": 400}


async def test_blobs(hub: Hub) -> None:
    who = f"from={SAMPLE_ID}&secret={SAMPLE_SECRET}"
    assert (await hub.http.post(f"{ORIGIN}/threema/upload_blob?{who}", files={"blob": b""})).status_code == 400
    assert (await hub.http.get(f"{ORIGIN}/threema/blobs/{'00' * 16}?{who}")).status_code == 404
    assert (await hub.http.get(f"{ORIGIN}/threema/lookup/phone_hash/abc?{who}")).status_code == 400


# --- the official SDK as outside witness ------------------------------------------------------------------------------


@pytest.fixture
def sdk() -> Iterator[Any]:
    """With the real Gateway's addresses until a test puts its own there. Needs Debian's libsodium (`scripts/sodium.sh`)."""
    gateway = importlib.import_module("threema.gateway")
    importlib.import_module("threema.gateway.e2e")
    with patch.dict(gateway.Connection.urls):
        yield gateway


async def test_the_official_sdk_speaks_to_the_simulator(hub: Hub, sdk: Any) -> None:
    """Credits, keys, look-ups and capabilities as it reads them; its text and file arrive on the phone."""
    async with serve_app(hub.simulator) as address:
        for name, url in sdk.Connection.urls.items():
            sdk.Connection.urls[name] = url.replace("https://msgapi.threema.ch", address)
        key = sdk.key.Key.decode(f"private:{SAMPLE_KEY.hex()}", sdk.key.Key.Type.private)
        async with sdk.Connection(identity=SAMPLE_ID, secret=SAMPLE_SECRET, key=key) as connection:
            assert await connection.get_credits() == 1000
            assert await connection.get_id(phone="491701234567") == JOERG
            assert sdk.ReceptionCapability.file in await connection.get_reception_capabilities(JOERG)
            message = await sdk.e2e.TextMessage(connection, to_id=JOERG, text="Grüße vom SDK").send()
            assert len(message) == 16
    assert [line.text for line in hub.simulator.phone.chat(SAMPLE_ID, JOERG).lines] == ["Grüße vom SDK"]
    assert only(await hub.settled()).target_key == f"m:{JOERG}:{message}"


async def test_the_official_sdk_opens_what_the_connector_seals(hub: Hub, sdk: Any) -> None:
    """The connector's box to a person, read by the SDK with that person's key."""
    person = hub.simulator.world.person(JOERG)
    taken: list[tuple[bytes, bytes]] = []
    with patch.object(hub.simulator.phone, "take_box", lambda *args, **_: taken.append((args[3], args[4]))):
        await hub.send(Text(text="Grüße an das SDK 😊"))
        await hub.send(Location(latitude=1.0, longitude=2.0))
    assert len(taken) == 2
    nonce, box = taken[0]
    private = sdk.key.Key.decode(f"private:{bytes(person.private_key).hex()}", sdk.key.Key.Type.private)
    public = sdk.key.Key.decode(f"public:{bytes(PrivateKey(SAMPLE_KEY).public_key).hex()}", sdk.key.Key.Type.public)
    assert sdk.e2e.Message.decrypt(nonce, box, (private, public))[:1] == b"\x01"
    plain = sdk.e2e.Message.decrypt(nonce, box, (private, public))
    assert plain[1 : -plain[-1]].decode() == "Grüße an das SDK 😊"


async def test_the_official_sdk_takes_the_phones_callback(hub: Hub, sdk: Any) -> None:
    """Its own check of the code, then its own reading of a receipt."""
    outgoing: list[Outgoing] = []
    with patch.object(hub.simulator.courier, "send", lambda one, queue="": outgoing.append(one)):
        await hub.send(Text(text="Guten Tag!"))
    form = dict(parse_qsl(outgoing[0].body.decode(), strict_parsing=True))
    sdk.e2e._validate_hmac(SAMPLE_SECRET.encode(), form["mac"], form)
    with pytest.raises(Exception, match="MACs do not match"):
        sdk.e2e._validate_hmac(b"another", form["mac"], form)
