"""RCS for Business in the sandbox: as strict as the provider file says, and the connector lives with it."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from hub.connectors.contract import Account, DeleteMessage, MarkRead, OutboundFile, OutboundMessage, RawRequest, ShowTyping
from hub.connectors.errors import AuthFailed, CredentialsRejected, RateLimited, Rejected, Unreachable
from hub.connectors.events import (
    Card,
    Cards,
    Choice,
    ConsentChanged,
    Interactive,
    Media,
    MessageReceived,
    Option,
    StatusChanged,
    Text,
    Typing,
)
from hub.connectors.google.connector import connector
from hub.connectors.google.settings import GoogleSettings
from hub.consent.permit import issue_permit
from hub.core import ids
from hub.core.errors import Conflict
from hub.sandbox.google.simulator import GoogleSimulator, create
from hub.sandbox.google.world import AGENT
from hub.sandbox.messengers import PhoneDraft, PhoneFile

GESINE = "+4915110000021"
ORIGIN = "http://127.0.0.1:1"


class Agent:
    """The connector with an account at the simulator, and what was told to it."""

    def __init__(self) -> None:
        self.told: list[RawRequest] = []
        self.secret = "1234567890"
        self.hub = httpx.AsyncClient(transport=httpx.MockTransport(self._listen))
        self.simulator: GoogleSimulator = create(self.hub)
        settings = GoogleSettings.model_validate(self.simulator.sample_settings(ORIGIN))
        self.account = Account(channel_id=ids.new_id(), settings=settings, own_id="", webhook_secrets=("s",))
        self.http = httpx.AsyncClient(transport=_Mounted(self.simulator))

    def _listen(self, request: httpx.Request) -> httpx.Response:
        raw = RawRequest("POST", {name.lower(): value for name, value in request.headers.items()}, request.content)
        reply = connector.handshake(raw, self.account)
        if reply is not None:
            return httpx.Response(reply.status, content=reply.body)
        connector.verify(raw, self.account)
        self.told.append(raw)
        return httpx.Response(200)

    async def connect(self) -> None:
        result = await connector.setup(self.account, "https://hub.example/hooks/google/chn_1", self.http)
        assert isinstance(result.settings, GoogleSettings)
        self.account = replace(self.account, settings=result.settings, own_id=result.own_id)
        self.simulator.point_to("https://hub.example/hooks/google/chn_1")
        await self.simulator.courier.settled()

    async def send(self, content: Any, *, part: Any = None, files: Any = None, to: str = GESINE) -> Any:
        part, attempt = part or ids.new_id(), ids.new_id()
        message = OutboundMessage(part_id=part, attempt_id=attempt, address=to, content=content, files=files or {})
        return await connector.send(issue_permit(part_id=part, attempt_id=attempt), message, self.account, self.http)

    async def act(self, kind: Any, **fields: Any) -> Any:
        part, attempt = ids.new_id(), ids.new_id()
        action = kind(part_id=part, attempt_id=attempt, address=GESINE, **fields)
        return await connector.send(issue_permit(part_id=part, attempt_id=attempt), action, self.account, self.http)

    async def events(self) -> list[Any]:
        await self.simulator.courier.settled()
        return [event for raw in self.told for event in connector.parse(raw, self.account)]


class _Mounted(httpx.ASGITransport):
    """The sandbox takes the messenger's name from the path."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(raw_path=request.url.raw_path.removeprefix(b"/google"))
        return await super().handle_async_request(request)


@pytest.fixture
async def agent() -> AsyncIterator[Agent]:
    one = Agent()
    await one.connect()
    yield one
    await one.simulator.stop()
    await asyncio.gather(one.http.aclose(), one.hub.aclose())


async def test_a_text_arrives_and_is_reported_delivered_and_read(agent: Agent) -> None:
    receipt = await agent.send(Text(text="Grüße"))
    phone = agent.simulator.phone
    (line,) = phone.chat(AGENT, GESINE).lines
    assert (line.text, line.is_theirs, receipt.keys) == ("Grüße", True, (f"o:{line.id}",))
    phone.read(AGENT, GESINE)
    statuses = [(event.status, event.target_key) for event in await agent.events() if isinstance(event, StatusChanged)]
    assert statuses == [("delivered", receipt.keys[0]), ("read", receipt.keys[0])]


async def test_an_attempt_that_is_repeated_shows_once(agent: Agent) -> None:
    """A repeated message id is ignored (5): `idempotent_sends`."""
    part = ids.new_id()
    first, second = await agent.send(Text(text="einmal"), part=part), await agent.send(Text(text="einmal"), part=part)
    assert first.keys == second.keys
    assert len(agent.simulator.phone.chat(AGENT, GESINE).lines) == 1


async def test_a_question_is_answered_by_pressing(agent: Agent) -> None:
    await agent.send(Choice(text=Text(text="Passt?"), options=(Option(id="ja", label="Ja"), Option(id="nein", label="Nein"))))
    phone = agent.simulator.phone
    (line,) = phone.chat(AGENT, GESINE).lines
    phone.press(AGENT, GESINE, line.id, "nein")
    answers = [event.content for event in await agent.events() if isinstance(event, MessageReceived)]
    assert answers == [Interactive(option="nein", label="Nein")]


async def test_cards_and_files_are_taken_by_their_link(agent: Agent) -> None:
    link = "https://hub.example/files/abc"
    file = OutboundFile(name="a.jpg", mime="image/jpeg", size=3, open=lambda: (_ for _ in ()).throw(OSError()), link=link)
    media = Media(kind="image", ref="f")
    await agent.send(media, files={"f": file})
    await agent.send(Cards(text="", items=(Card(title="A", media=media), Card(title="B"))), files={"f": file})
    assert [line.text for line in agent.simulator.phone.chat(AGENT, GESINE).lines] == [link, "A\n\nB"]


async def test_what_a_person_sends_comes_as_what_it_is(agent: Agent) -> None:
    phone = agent.simulator.phone
    phone.write(AGENT, GESINE, PhoneDraft(text="Hallo"))
    phone.write(AGENT, GESINE, PhoneDraft(place=(0.0, 9.68)))
    picture = PhoneFile(id="", kind="image", name="a.jpg", mime="image/jpeg", size=0)
    phone.write(AGENT, GESINE, PhoneDraft(file=picture, content=b"JPEG"))
    phone.set_typing(AGENT, GESINE, True)
    phone.extra(AGENT, GESINE, "sticker")
    phone.extra(AGENT, GESINE, "unsubscribe")
    events = await agent.events()
    kinds = [type(event.content).__name__ for event in events if isinstance(event, MessageReceived)]
    assert kinds == ["Text", "Location", "Media", "Unsupported", "Text"]
    assert [event.change for event in events if isinstance(event, ConsentChanged)] == ["marketing_stopped"]
    assert any(isinstance(event, Typing) for event in events)
    media = next(event.content for event in events if isinstance(event, MessageReceived) and isinstance(event.content, Media))
    sink = _Sink()
    await connector.fetch(media.ref, agent.account, agent.http, sink)
    assert sink.content == b"JPEG"


class _Sink:
    content = b""

    async def write(self, piece: bytes) -> None:
        self.content += piece


async def test_read_mark_and_typing_show_on_the_phone_and_a_message_can_be_taken_back(agent: Agent) -> None:
    phone = agent.simulator.phone
    line = phone.write(AGENT, GESINE, PhoneDraft(text="Hallo"))
    await agent.act(MarkRead, target_key=f"m:{GESINE}:{line.id}")
    await agent.act(ShowTyping)
    chat = phone.chat(AGENT, GESINE)
    assert (chat.lines[0].state, chat.is_typing) == ("read", True)
    receipt = await agent.send(Text(text="Irrtum"))
    await agent.act(DeleteMessage, target_keys=receipt.keys)
    assert phone.chat(AGENT, GESINE).lines[1].is_deleted


async def test_who_has_no_rcs_is_not_reached(agent: Agent) -> None:
    agent.simulator.world.handsets[GESINE].has_rcs = False
    with pytest.raises(Unreachable):
        await agent.send(Text(text="x"))
    assert await connector.find(GESINE, agent.account, agent.http) is None


async def test_faults_are_googles_words(agent: Agent) -> None:
    faults = agent.simulator.faults
    faults.switch_on("unauthorised", times=1)
    with pytest.raises(AuthFailed):
        await agent.send(Text(text="x"))
    faults.switch_on("rate_limited", times=1, retry_after=4)
    with pytest.raises(RateLimited) as limited:
        await agent.send(Text(text="x"))
    assert limited.value.retry_after == 4
    faults.switch_on("refused", times=1, code="zu lang")
    with pytest.raises(Rejected) as refused:
        await agent.send(Text(text="x"))
    assert refused.value.provider_text == "zu lang"


async def test_another_key_is_refused(agent: Agent) -> None:
    stranger = create(agent.hub)
    settings = GoogleSettings.model_validate(agent.simulator.sample_settings(ORIGIN))
    foreign = settings.model_copy(
        update={"service_account": GoogleSettings.model_validate(stranger.sample_settings(ORIGIN)).service_account}
    )
    with pytest.raises(CredentialsRejected) as refused:
        await connector.setup(replace(agent.account, settings=foreign), "https://hub.example/x", agent.http)
    assert refused.value.field == "service_account"


async def test_an_address_that_fails_the_handshake_is_not_saved(agent: Agent) -> None:
    deaf = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, text="secret: 1234567890")))
    simulator = create(deaf)
    simulator.point_to("https://elsewhere.example/")
    await simulator.courier.settled()
    assert simulator.webhook_url == ""
    await deaf.aclose()


@pytest.mark.parametrize(
    "content",
    [
        {"text": ""},
        {"text": "x" * 3073},
        {"text": "x", "contentInfo": {"fileUrl": "https://a.example/"}},
        {"contentInfo": {"fileUrl": "ftp://a.example/"}},
        {"text": "x", "suggestions": [{"reply": {"text": "x" * 26, "postbackData": "a"}}]},
        {"text": "x", "suggestions": [{"reply": {"text": "Ja"}}]},
        {"text": "x", "suggestions": [{"reply": {"text": "Ja", "postbackData": "a"}}] * 12},
        {"richCard": {"carouselCard": {"cardWidth": "MEDIUM", "cardContents": [{"title": "nur eine"}]}}},
        {"richCard": {"standaloneCard": {"cardOrientation": "VERTICAL", "cardContent": {}}}},
        {"sticker": 1},
    ],
)
async def test_what_google_would_refuse_is_refused(agent: Agent, content: dict[str, Any]) -> None:
    token = agent.account.settings.access_token.get_secret_value()
    url = f"{ORIGIN}/google/v1/phones/{GESINE}/agentMessages?messageId={uuid4()}&agentId={AGENT}"
    answer = await agent.http.post(url, json={"contentMessage": content}, headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert agent.simulator.phone.chat(AGENT, GESINE).lines == ()


async def test_a_phone_does_only_what_rcs_has(agent: Agent) -> None:
    phone = agent.simulator.phone
    with pytest.raises(Conflict):
        phone.react(AGENT, GESINE, "x", "👍")
    with pytest.raises(Conflict):
        phone.set_blocked(AGENT, GESINE, True)


async def test_the_envelope_is_base64_in_json(agent: Agent) -> None:
    """What the hub gets is what Google sends, not our own words."""
    agent.simulator.happened("READ", GESINE, "m")
    await agent.simulator.courier.settled()
    (raw,) = agent.told
    envelope = json.loads(raw.body)
    assert json.loads(base64.b64decode(envelope["message"]["data"]))["eventType"] == "READ"
    assert raw.headers["x-goog-webhook-type"] == "message_callback"
