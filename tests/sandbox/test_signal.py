"""The simulated Signal is as strict as signal-cli, by both roads, and two others agree with it: the hub's connector and a public
client of the wrapper."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import UUID

import httpx
import pytest
from pysignalclirestapi import SignalCliRestApi, SignalCliRestApiError

from hub.connectors import errors
from hub.connectors.contract import (
    Account,
    DeleteMessage,
    EditMessage,
    MarkRead,
    OutboundAction,
    OutboundFile,
    OutboundMessage,
    RawRequest,
    React,
    Receipt,
    ShowTyping,
)
from hub.connectors.events import (
    Album,
    ChannelHealth,
    ContactCard,
    Event,
    Media,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessageSent,
    OutboundContent,
    ReactionChanged,
    Sheet,
    Span,
    StatusChanged,
    Text,
    Typing,
    Unrecognised,
    Unsupported,
)
from hub.connectors.signal.connector import connector
from hub.connectors.signal.settings import SignalSettings
from hub.consent.permit import issue_permit
from hub.core import ids
from hub.core.errors import Conflict
from hub.sandbox.messengers import PhoneDraft, PhoneLine
from hub.sandbox.samples import sample
from hub.sandbox.signal.simulator import SignalSimulator
from hub.sandbox.signal.world import AYSE, JOERG, SAMPLE_NUMBER
from tests.sandbox.support import serve_app

ORIGIN = "http://sandbox.example"
NUMBER = "+491701234567"


@dataclass
class Hub:
    """A business with the connector and nothing else."""

    account: Account[SignalSettings]
    simulator: SignalSimulator
    http: httpx.AsyncClient

    @property
    def lines(self) -> list[PhoneLine]:
        return list(self.simulator.phone.chat(SAMPLE_NUMBER, JOERG).lines)

    async def fetched(self) -> list[Event]:
        polled = await connector.poll(self.account, self.http, "")
        return [event for request in polled.requests for event in connector.parse(request, self.account)]

    async def do(self, kind: Any, to: str = JOERG, **fields: Any) -> Receipt:
        part, attempt = ids.new_id(), ids.new_id()
        action: OutboundAction = kind(part_id=part, attempt_id=attempt, address=to, **fields)
        return await connector.send(issue_permit(part_id=part, attempt_id=attempt), action, self.account, self.http)

    async def send(self, content: OutboundContent, to: str = JOERG, **fields: Any) -> Receipt:
        return await self.do(OutboundMessage, to, content=content, **fields)

    async def write(self, text: str = "", person: str = JOERG, **more: Any) -> PhoneLine:
        return self.simulator.phone.write(SAMPLE_NUMBER, person, PhoneDraft(text=text, **more))


def a_file(name: str, mime: str, content: bytes) -> OutboundFile:
    return OutboundFile(name=name, mime=mime, size=len(content), open=lambda: BytesIO(content))


def account_of(**settings: Any) -> Account[SignalSettings]:
    read = SignalSettings.model_validate(settings)
    return Account(channel_id=UUID(int=1), settings=read, own_id=read.number, webhook_secrets=("unused",))


async def mounted(simulator: SignalSimulator, scope: Any, receive: Any, send: Any) -> None:
    await simulator({**scope, "path": scope["path"].removeprefix("/signal")}, receive, send)


@pytest.fixture(params=["daemon", "rest"])
async def hub(request: pytest.FixtureRequest) -> AsyncIterator[Hub]:
    """A hub and a simulator that reach each other without a socket, by each of the two roads."""
    simulator = SignalSimulator(quiet=0.01)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await mounted(simulator, scope, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as http:
        settings = simulator.sample_settings(ORIGIN) | {"road": request.param}
        yield Hub(account_of(**settings), simulator, http)


def only(events: list[Event]) -> Any:
    (event,) = events
    return event


# --- the hub's connector and the simulator ----------------------------------------------------------------------------


async def test_the_account_is_connected(hub: Hub) -> None:
    result = await connector.setup(hub.account, None, hub.http)
    assert (result.own_id, result.address) == (SAMPLE_NUMBER, SAMPLE_NUMBER)
    assert "channel.signal.note.unofficial" in result.notes
    settings = hub.account.settings.model_dump()
    with pytest.raises(errors.CredentialsRejected) as failure:
        await connector.setup(account_of(**settings | {"number": "+4971319999999"}), None, hub.http)
    assert (failure.value.field, failure.value.reason) == ("number", "not_in_signal_cli")


async def test_an_account_that_was_logged_out_needs_a_person(hub: Hub) -> None:
    hub.simulator.world.account.is_registered = False
    with pytest.raises(errors.CredentialsRejected) as failure:
        await connector.setup(hub.account, None, hub.http)
    assert failure.value.field == "number" and "Authorization failed" in failure.value.provider_text
    with pytest.raises(errors.AuthFailed):
        await connector.poll(hub.account, hub.http, "")
    with pytest.raises(errors.AuthFailed):
        await hub.send(Text(text="Hallo"))


async def test_the_other_road_is_told_from_the_one_that_was_chosen(hub: Hub) -> None:
    """A daemon where a wrapper should be, and the reverse."""
    world = hub.simulator
    is_daemon = hub.account.settings.road == "daemon"

    async def app(scope: Any, receive: Any, send: Any) -> None:
        is_rest_path = not scope["path"].startswith("/signal/api/")
        path = "/nowhere" if is_rest_path != is_daemon else scope["path"].removeprefix("/signal")
        await world({**scope, "path": path}, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as http:
        with pytest.raises(errors.CredentialsRejected) as failure:
            await connector.setup(hub.account, None, http)
    assert (failure.value.field, failure.value.reason) == ("base_url", "not_signal")


async def test_another_program_that_receives_is_named(hub: Hub) -> None:
    hub.simulator.world.account.receives = True
    with pytest.raises(errors.TakenElsewhere):
        await connector.poll(hub.account, hub.http, "")


@pytest.mark.parametrize("hub", ["rest"], indirect=True)
async def test_a_wrapper_that_pushes_is_refused(hub: Hub) -> None:
    hub.simulator.rest.mode = "json-rpc"
    with pytest.raises(errors.CredentialsRejected) as failure:
        await connector.setup(hub.account, None, hub.http)
    assert (failure.value.field, failure.value.reason) == ("road", "pushes")
    with pytest.raises(errors.TakenElsewhere):
        await connector.poll(hub.account, hub.http, "")


async def test_a_text_both_ways_with_its_statuses(hub: Hub) -> None:
    phone = hub.simulator.phone
    line = await hub.write("Grüße 😊 & <b>")
    received = only(await hub.fetched())
    assert isinstance(received, MessageReceived)
    assert received.content == Text(text="Grüße 😊 & <b>")
    assert (received.sender.provider_user_id, received.sender.phone, received.sender.aliases) == (JOERG, NUMBER, (NUMBER,))
    assert received.key == f"m:{JOERG}:{line.id}"
    first = await hub.send(Text(text="Guten Tag!"))
    assert [(event.target_key, event.status) for event in await hub.fetched()] == [(first.keys[0], "delivered")]  # type: ignore[union-attr]
    second = await hub.send(Text(text="Noch etwas"))
    await hub.fetched()
    phone.read(SAMPLE_NUMBER, JOERG)
    read = [event for event in await hub.fetched() if isinstance(event, StatusChanged)]
    assert [(event.target_key, event.status) for event in read] == [(first.keys[0], "read"), (second.keys[0], "read")]
    assert [line.text for line in hub.lines] == ["Grüße 😊 & <b>", "Guten Tag!", "Noch etwas"]


async def test_what_was_handed_out_does_not_come_again(hub: Hub) -> None:
    """Provider file, 4: at most once."""
    await hub.write("einmal")
    assert hub.simulator.courier.waiting == 1
    assert len(await hub.fetched()) == 1
    assert await hub.fetched() == []
    await hub.simulator.courier.settled()


async def test_more_than_one_poll_takes_comes_with_the_next(hub: Hub) -> None:
    for number in range(25):
        await hub.write(str(number))
    first, second = await hub.fetched(), await hub.fetched()
    said = [event.content.text for event in [*first, *second] if isinstance(event, MessageReceived)]  # type: ignore[union-attr]
    assert (len(first), said) == (20, [str(number) for number in range(25)])


async def test_a_hidden_number_is_no_number(hub: Hub) -> None:
    await hub.write("Meine Nummer bleibt bei mir", AYSE)
    received = only(await hub.fetched())
    assert (received.sender.provider_user_id, received.sender.phone, received.sender.aliases) == (AYSE, "", ())
    await hub.send(Text(text="Gern"), AYSE)
    assert [line.text for line in hub.simulator.phone.chat(SAMPLE_NUMBER, AYSE).lines][-1] == "Gern"


async def test_styles_arrive_by_the_daemon_and_words_alone_by_the_wrapper(hub: Hub) -> None:
    spans = (Span(start=2, end=6, style="bold"), Span(start=7, end=11, style="code"))
    await hub.send(Text(text="😀 fett code *so*", spans=spans))
    shown = hub.lines[-1]
    assert shown.text == "😀 fett code *so*"
    expected = [(2, 6, "bold"), (7, 11, "code")] if hub.account.settings.road == "daemon" else []
    assert [(span.start, span.end, span.style) for span in shown.spans] == expected


@pytest.mark.parametrize("kind", ["image", "video", "voice", "audio", "document"])
async def test_a_file_comes_in_with_its_bytes(hub: Hub, kind: Any) -> None:
    file, content = sample(kind)
    await hub.write("Siehe hier", file=file, content=content)
    media = only(await hub.fetched()).content
    assert isinstance(media, Media) and media.caption == Text(text="Siehe hier")
    assert (media.kind, media.name, media.size) == (kind, "" if kind == "voice" else file.name, len(content))
    sink = Sink()
    await connector.fetch(media.ref, hub.account, hub.http, sink, size=media.size)
    assert sink.content == content
    hub.simulator.faults.switch_on("file_gone", times=1)
    with pytest.raises(errors.FileGone):
        await connector.fetch(media.ref, hub.account, hub.http, Sink())


class Sink:
    def __init__(self) -> None:
        self.content = b""

    async def write(self, piece: bytes) -> None:
        self.content += piece


async def test_files_go_out_with_their_names_and_bytes(hub: Hub) -> None:
    files = {"f1": a_file("Größe 1+1, 50%; neu.png", "image/png", b"eins"), "f2": a_file("b.pdf", "application/pdf", b"zwei")}
    items = (Media(kind="image", ref="f1", size=4), Media(kind="document", ref="f2", size=4))
    await hub.send(Album(items=items, caption=Text(text="Zwei Dateien")), files=files)
    shown = hub.lines[-1]
    name = "Größe 1+1, 50%; neu.png" if hub.account.settings.road == "daemon" else "Größe 1+1, 50%_ neu.png"
    assert shown.text == "Zwei Dateien"
    assert [(file.kind, file.name) for file in shown.files] == [("image", name), ("document", "b.pdf")]
    assert [hub.simulator.phone.file(SAMPLE_NUMBER, file.id)[1] for file in shown.files] == [b"eins", b"zwei"]


async def test_a_voice_note_is_one_by_the_daemon(hub: Hub) -> None:
    await hub.send(Media(kind="voice", ref="f1", size=4), files={"f1": a_file("v.ogg", "audio/ogg", b"Ton.")})
    assert hub.lines[-1].files[0].kind == ("voice" if hub.account.settings.road == "daemon" else "audio")


async def test_replies_reactions_changes_and_deletions_both_ways(hub: Hub) -> None:
    phone = hub.simulator.phone
    question = await hub.write("Was kostet das?")
    asked = only(await hub.fetched())
    answer = await hub.send(Text(text="12 €"), reply_to_key=asked.key)
    ours = hub.lines[-1].id
    assert hub.lines[-1].reply_to == question.id
    await hub.do(React, target_key=asked.key, emoji="👍")
    assert hub.lines[0].reactions == ("👍",)
    await hub.do(React, target_key=asked.key, emoji="")
    assert not hub.lines[0].reactions
    await hub.do(EditMessage, target_key=answer.keys[0], content=Text(text="14 €"))
    assert (hub.lines[-1].text, hub.lines[-1].is_edited) == ("14 €", True)
    await hub.do(MarkRead, target_key=asked.key)
    assert hub.lines[0].state == "read"
    await hub.do(ShowTyping)
    assert phone.chat(SAMPLE_NUMBER, JOERG).is_typing
    await hub.fetched()
    await hub.write("Gut", reply_to=ours)
    phone.react(SAMPLE_NUMBER, JOERG, ours, "🎉")
    phone.react(SAMPLE_NUMBER, JOERG, ours, "")
    phone.edit(SAMPLE_NUMBER, JOERG, question.id, "Was kostet der Reifen?")
    phone.delete(SAMPLE_NUMBER, JOERG, question.id)
    phone.set_typing(SAMPLE_NUMBER, JOERG, True)
    reply, reaction, withdrawn, edit, deletion, typing = await hub.fetched()
    assert isinstance(reply, MessageReceived) and reply.reply_to_key == answer.keys[0]
    assert isinstance(reaction, ReactionChanged) and (reaction.target_key, reaction.emoji) == (answer.keys[0], "🎉")
    assert isinstance(withdrawn, ReactionChanged) and withdrawn.emoji == ""
    assert isinstance(edit, MessageEdited) and edit.target_key == asked.key
    assert isinstance(deletion, MessageDeleted) and deletion.target_key == asked.key
    assert isinstance(typing, Typing) and typing.is_typing
    await hub.do(DeleteMessage, target_keys=answer.keys)
    assert next(line for line in hub.lines if line.id == ours).is_deleted


@pytest.mark.parametrize(
    ("extra", "kind", "content"),
    [
        ("sticker", MessageReceived, Media | Unsupported),
        ("poll", MessageReceived, Unsupported),
        ("view_once", MessageReceived, Unsupported),
        ("timer", MessageReceived, Unsupported),
        ("payment", MessageReceived, Sheet),
        ("call", MessageReceived, Sheet),
        ("group", Unrecognised, None),
        ("story", Unrecognised, None),
        ("new_phone", ChannelHealth, None),
        ("colleague", MessageSent, Text),
    ],
)
async def test_every_kind_is_an_event(hub: Hub, extra: str, kind: Any, content: Any) -> None:
    hub.simulator.phone.extra(SAMPLE_NUMBER, JOERG, extra)
    event: Any = only(await hub.fetched())
    assert isinstance(event, kind)
    if content is not None:
        assert isinstance(event.content, content)


async def test_a_sticker_is_fetched_by_the_daemon(hub: Hub) -> None:
    hub.simulator.phone.extra(SAMPLE_NUMBER, JOERG, "sticker")
    content = only(await hub.fetched()).content
    if hub.account.settings.road == "rest":
        assert content == Unsupported(kind="sticker", summary="")
        return
    sink = Sink()
    await connector.fetch(content.ref, hub.account, hub.http, sink)
    assert sink.content == next(iter(hub.simulator.world.stickers.values()))


async def test_a_contact_comes_in(hub: Hub) -> None:
    await hub.write(contact=("Ayşe", "+4915112345678"))
    assert only(await hub.fetched()).content == ContactCard(name="Ayşe", phone="+4915112345678")


async def test_a_new_phone_holds_everything_until_somebody_trusts_it(hub: Hub) -> None:
    hub.simulator.phone.extra(SAMPLE_NUMBER, JOERG, "new_phone")
    warned = only(await hub.fetched())
    assert (warned.level, warned.cause, warned.text) == ("warning", "untrusted_identity", "Jörg Özdemir")
    with pytest.raises(errors.Rejected) as failure:
        await hub.send(Text(text="Hallo"))
    assert type(failure.value) is errors.Rejected and "untrusted identities" in failure.value.provider_text
    (health,) = await connector.check(hub.account, hub.http)
    assert isinstance(health, ChannelHealth) and (health.level, health.text) == ("warning", NUMBER)
    body = {"trust_all_known_keys": True}
    await hub.http.put(f"{ORIGIN}/signal/v1/identities/{SAMPLE_NUMBER}/trust/{JOERG}", json=body)
    late = only(await hub.fetched())
    assert late.content == Text(text="Das ist mein neues Telefon")
    (health,) = await connector.check(hub.account, hub.http)
    assert isinstance(health, ChannelHealth) and (health.level, health.only_warnings) == ("ok", True)
    await hub.send(Text(text="Hallo"))


async def test_a_captcha_pauses_the_account_until_it_is_solved(hub: Hub) -> None:
    hub.simulator.faults.switch_on("captcha", times=1)
    for _ in range(2):
        with pytest.raises(errors.AccountPaused) as failure:
            await hub.send(Text(text="Hallo"))
    assert failure.value.cause == "captcha_needed"
    token = failure.value.provider_text.removeprefix("challenge token ")
    url = f"{ORIGIN}/signal/v1/accounts/{SAMPLE_NUMBER}/rate-limit-challenge"
    refused = await hub.http.post(url, json={"challenge_token": token, "captcha": "nicht gelöst"})
    solved = await hub.http.post(url, json={"challenge_token": token, "captcha": "signalcaptcha://abc"})
    assert (refused.status_code, solved.status_code) == (400, 204)
    await hub.send(Text(text="Hallo"))
    assert [line.text for line in hub.lines] == ["Hallo"]


async def test_faults_are_told_apart(hub: Hub) -> None:
    faults = hub.simulator.faults
    faults.switch_on("rate_limited", times=1, retry_after=17)
    with pytest.raises(errors.RateLimited) as limited:
        await hub.send(Text(text="Hallo"))
    assert limited.value.retry_after == 17.0
    for code, error in (
        ("UNREGISTERED_FAILURE", errors.Unreachable),
        ("INVALID_PRE_KEY_FAILURE", errors.Unavailable),
        ("NETWORK_FAILURE", errors.OutcomeUnknown),
    ):
        faults.switch_on("refused", times=1, code=code)
        with pytest.raises(error):
            await hub.send(Text(text="Hallo"))
    faults.switch_on("server_error", times=1, status=502)
    with pytest.raises(errors.OutcomeUnknown):
        await hub.send(Text(text="Hallo"))
    with pytest.raises(errors.Unreachable):
        await hub.send(Text(text="Hallo"), "+4915799999999")
    assert hub.lines == []


async def test_whoever_is_blocked_sees_nothing_and_nobody_is_told(hub: Hub) -> None:
    hub.simulator.phone.set_blocked(SAMPLE_NUMBER, JOERG, True)
    assert (await hub.send(Text(text="Hallo"))).keys
    assert hub.lines == [] and await hub.fetched() == []


async def test_people_are_found(hub: Hub) -> None:
    found = await connector.find(NUMBER, hub.account, hub.http)
    by_daemon = hub.account.settings.road == "daemon"
    assert found is not None and found.provider_user_id == (JOERG if by_daemon else NUMBER)
    assert await connector.find("+4915799999999", hub.account, hub.http) is None
    named = await connector.find("ayse.42", hub.account, hub.http)
    assert (named and named.provider_user_id) == (AYSE if by_daemon else None)
    assert await connector.find("wer weiß", hub.account, hub.http) is None


async def test_what_comes_in_is_doubled_lost_and_out_of_order_on_demand(hub: Hub) -> None:
    hub.simulator.faults.switch_on("duplicate", times=1)
    await hub.write("zweimal")
    first, second = await hub.fetched()
    assert first.key == second.key
    hub.simulator.faults.switch_on("lost", times=1)
    await hub.write("nie")
    assert await hub.fetched() == []
    await hub.write("eins")
    hub.simulator.faults.switch_on("reorder", times=1)
    await hub.write("zwei")
    assert [event.content.text for event in await hub.fetched()] == ["zwei", "eins"]  # type: ignore[union-attr]


# --- strictness -------------------------------------------------------------------------------------------------------

RPC = f"{ORIGIN}/signal/api/v1/rpc"


async def rpc(hub: Hub, method: str, **params: Any) -> Any:
    asked = {"jsonrpc": "2.0", "id": "1", "method": method, "params": {"account": SAMPLE_NUMBER} | params}
    return (await hub.http.post(RPC, json=asked)).json()


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("send", {"recipient": [JOERG]}, -1),
        ("send", {"recipient": [], "message": "x"}, -1),
        ("send", {"recipient": ["erika"], "message": "x"}, -1),
        ("send", {"recipient": [JOERG], "message": 5}, -32600),
        ("send", {"recipient": [JOERG], "message": "x", "messgae": "x"}, -1),
        ("send", {"recipient": [JOERG], "message": "x", "textStyle": ["0:1"]}, -1),
        ("send", {"recipient": [JOERG], "message": "x", "textStyle": ["0:2:BOLD"]}, -1),
        ("send", {"recipient": [JOERG], "message": "x", "quoteTimestamp": 1}, -1),
        ("send", {"recipient": [JOERG], "attachments": ["/etc/passwd"]}, -32603),
        ("send", {"recipient": [JOERG], "message": "x", "account": "+4971319999999"}, -32602),
        ("send", {"recipient": [JOERG], "message": "x" * 20_000_001}, -32603),
        ("sendReaction", {"recipient": [JOERG], "emoji": "", "targetAuthor": JOERG, "targetTimestamp": 1}, -1),
        ("sendReaction", {"recipient": [JOERG], "emoji": "👍", "targetAuthor": AYSE, "targetTimestamp": 1}, -1),
        ("sendReceipt", {"recipient": JOERG, "targetTimestamp": [], "type": "read"}, -1),
        ("sendReceipt", {"recipient": JOERG, "targetTimestamp": [1], "type": "seen"}, -1),
        ("remoteDelete", {"recipient": [JOERG]}, -1),
        ("receive", {"timeout": 1, "max_messages": 1}, -32600),
        ("receive", {"timeout": "1"}, -32600),
        ("getUserStatus", {"recipient": ["0170"]}, -1),
        ("getAttachment", {"id": "x"}, -1),
        ("startDance", {}, -32601),
    ],
)
async def test_the_daemon_refuses(hub: Hub, method: str, params: dict[str, Any], code: int) -> None:
    answer = await rpc(hub, method, **params)
    assert answer["error"]["code"] == code


async def test_the_daemon_answers_200_for_errors_and_speaks_json_alone(hub: Hub) -> None:
    plain = await hub.http.post(RPC, content="{}", headers={"content-type": "text/plain"})
    broken = await hub.http.post(RPC, content="{", headers={"content-type": "application/json"})
    old = await hub.http.post(RPC, json={"method": "version", "id": "1"})
    nobody = await hub.http.post(RPC, json={"jsonrpc": "2.0", "id": "1", "method": "send", "params": {}})
    assert [plain.status_code, broken.status_code, old.status_code, nobody.status_code] == [415, 200, 200, 200]
    assert [one.json()["error"]["code"] for one in (broken, old, nobody)] == [-32700, -32600, -32602]
    assert (await hub.http.get(f"{ORIGIN}/signal/api/v1/check")).status_code == 200


async def test_the_app_offers_what_it_has(hub: Hub) -> None:
    phone = hub.simulator.phone
    await hub.send(Text(text="Hallo"))
    with pytest.raises(Conflict):
        await hub.write("", place=(47.5, 9.7))
    with pytest.raises(Conflict):
        await hub.write(" ")
    with pytest.raises(Conflict):
        phone.edit(SAMPLE_NUMBER, JOERG, hub.lines[-1].id, "x")
    with pytest.raises(Conflict):
        phone.press(SAMPLE_NUMBER, JOERG, hub.lines[-1].id, "x")
    with pytest.raises(Conflict):
        phone.add_person(SAMPLE_NUMBER, "Max", "0170")
    added = phone.add_person(SAMPLE_NUMBER, "Max", "+4915700000000")
    assert phone.add_person(SAMPLE_NUMBER, "Max M.", "+4915700000000").id == added.id


# --- a public client of the wrapper -----------------------------------------------------------------------------------


async def test_a_public_client_reads_and_writes() -> None:
    """An outside witness for the wrapper's road: the client library that its author wrote."""
    simulator = SignalSimulator(quiet=0.05)

    def talk(address: str) -> list[Any]:
        client = SignalCliRestApi(f"{address}", SAMPLE_NUMBER)
        sent = client.send_message("Guten Tag", [JOERG], attachments_as_bytes=[b"%PDF-1.4"])
        client.add_reaction("👍", NUMBER, int(question.id))
        client.send_receipt(NUMBER, int(question.id))
        came = client.receive(timeout=1)
        file = came[0]["envelope"]["dataMessage"]["attachments"][0]["id"]
        with pytest.raises(SignalCliRestApiError):
            client.send_message("Hallo", ["+4915799999999"])
        return [sent, came, client.get_attachment(file), client.search([NUMBER]), client.list_accounts()]

    file, content = sample("image")
    question = simulator.phone.write(SAMPLE_NUMBER, JOERG, PhoneDraft(text="Frage", file=file, content=content))
    async with serve_app(simulator) as address:
        sent, came, fetched, found, accounts = await asyncio.to_thread(talk, address)
    first, line = simulator.phone.chat(SAMPLE_NUMBER, JOERG).lines
    assert (line.text, line.files[0].size, first.reactions, first.state) == ("Guten Tag", 8, ("👍",), "read")
    assert [one["timestamp"] for one in sent] == [line.id]
    assert came[0]["envelope"]["sourceUuid"] == JOERG and fetched == content
    assert (found, accounts) == ([{"number": NUMBER, "registered": True}], [SAMPLE_NUMBER])
    events = connector.parse(
        RawRequest("POST", {}, httpx.Response(200, json=came[0]).content),
        account_of(road="rest", base_url=ORIGIN, number=SAMPLE_NUMBER),
    )
    assert isinstance(events[0], MessageReceived) and events[0].key == f"m:{JOERG}:{question.id}"
