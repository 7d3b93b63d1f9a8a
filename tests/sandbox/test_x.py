"""X in the sandbox: as strict as the provider file says; the connector lives with it, and so does a public client library."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import requests
import tweepy
from requests.adapters import HTTPAdapter

from hub.connectors.contract import Account, OutboundFile, OutboundMessage, RawRequest
from hub.connectors.errors import AuthFailed, CredentialsRejected, RateLimited, Rejected, Unreachable
from hub.connectors.events import ChannelHealth, Media, MessageReceived, MessageSent, StatusUpTo, Text, Typing
from hub.connectors.x.connector import connector
from hub.connectors.x.settings import XSettings
from hub.consent.permit import issue_permit
from hub.core import ids
from hub.core.errors import Conflict
from hub.sandbox.messengers import PhoneDraft, PhoneFile
from hub.sandbox.x.simulator import XSimulator, create
from hub.sandbox.x.world import OWN, USER_SECRET, USER_TOKEN
from tests.sandbox.support import Stage, serve_app

FRITZI = "1700000000000000201"
ORIGIN = "http://127.0.0.1:1"
PICTURE = PhoneFile(id="", kind="image", name="a.jpg", mime="image/jpeg", size=0)


class Business:
    """The connector with an account at the simulator, and what was told to it."""

    def __init__(self) -> None:
        self.told: list[RawRequest] = []
        self.hub = httpx.AsyncClient(transport=httpx.MockTransport(self._listen))
        self.simulator: XSimulator = create(self.hub)
        self.account = self._account(self.simulator.sample_settings(ORIGIN))
        self.http = httpx.AsyncClient(transport=_Mounted(self.simulator))
        self.url = f"https://hub.example/hooks/x/{connector.endpoint(self.account)}"

    def _account(self, values: dict[str, Any]) -> Account[XSettings]:
        settings = XSettings.model_validate(values)
        return Account(channel_id=ids.new_id(), settings=settings, own_id="", webhook_secrets=())

    def signing(self) -> Account[XSettings]:
        """The same account with consent in its older form."""
        values = self.simulator.sample_settings(ORIGIN)
        for name in ("client_id", "client_secret", "refresh_token"):
            del values[name]
        return self._account(values | {"user_token": USER_TOKEN, "user_secret": USER_SECRET})

    def _listen(self, request: httpx.Request) -> httpx.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        raw = RawRequest(request.method, headers, request.content, query=request.url.query.decode())
        reply = connector.handshake(raw, self.account)
        if reply is not None:
            return httpx.Response(reply.status, content=reply.body)
        connector.verify(raw, self.account)
        self.told.append(raw)
        return httpx.Response(200)

    async def connect(self, account: Account[XSettings] | None = None) -> None:
        account = account or self.account
        result = await connector.setup(account, self.url, self.http)
        settings = result.settings or account.settings
        assert isinstance(settings, XSettings)
        self.account = replace(account, settings=settings, own_id=result.own_id)

    async def send(self, content: Any, files: Any = None) -> Any:
        part, attempt = ids.new_id(), ids.new_id()
        message = OutboundMessage(part_id=part, attempt_id=attempt, address=FRITZI, content=content, files=files or {})
        return await connector.send(issue_permit(part_id=part, attempt_id=attempt), message, self.account, self.http)

    async def events(self) -> list[Any]:
        await self.simulator.courier.settled()
        return [event for raw in self.told for event in connector.parse(raw, self.account)]


class _Mounted(httpx.ASGITransport):
    """The sandbox takes the messenger's name from the path."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(raw_path=request.url.raw_path.removeprefix(b"/x"))
        return await super().handle_async_request(request)


@pytest.fixture
async def business() -> AsyncIterator[Business]:
    one = Business()
    await one.connect()
    yield one
    await one.simulator.stop()
    await asyncio.gather(one.http.aclose(), one.hub.aclose())


async def test_a_text_arrives_its_echo_has_its_key_and_it_is_read(business: Business) -> None:
    receipt = await business.send(Text(text="Größe <M> & mehr"))
    phone = business.simulator.phone
    (line,) = phone.chat(OWN, FRITZI).lines
    assert (line.text, receipt.keys, receipt.status) == ("Größe <M> & mehr", (f"m:{line.id}",), "sent")
    phone.read(OWN, FRITZI)
    echo, read = await business.events()
    assert isinstance(echo, MessageSent) and isinstance(read, StatusUpTo)
    assert (echo.key, echo.content, echo.recipient.username) == (receipt.keys[0], Text(text="Größe <M> & mehr"), "fritzi_lang")
    assert read.up_to >= line.at.replace(microsecond=line.at.microsecond // 1000 * 1000)


async def test_what_a_person_does_comes_as_what_it_is(business: Business) -> None:
    phone = business.simulator.phone
    phone.write(OWN, FRITZI, PhoneDraft(text="1 < 2 & 3"))
    phone.write(OWN, FRITZI, PhoneDraft(text="So sieht es aus", file=PICTURE, content=b"JPEG"))
    phone.extra(OWN, FRITZI, "quick_reply")
    phone.extra(OWN, FRITZI, "encrypted")
    phone.extra(OWN, FRITZI, "elsewhere")
    phone.set_typing(OWN, FRITZI, True)
    phone.extra(OWN, FRITZI, "revoke")
    events = await business.events()
    kinds = {type(event.content).__name__ for event in events if isinstance(event, MessageReceived)}
    assert kinds == {"Text", "Media", "Interactive", "Unsupported"}
    assert any(isinstance(event, MessageSent) for event in events) and any(isinstance(event, Typing) for event in events)
    assert [event.cause for event in events if isinstance(event, ChannelHealth)] == ["access_revoked"]


@pytest.mark.parametrize("signs", [False, True])
async def test_a_person_is_found_by_name_and_named_by_number(business: Business, signs: bool) -> None:
    if signs:
        await business.connect(business.signing())
    found = await connector.find("@Fritzi_Lang", business.account, business.http)
    assert found is not None and (found.provider_user_id, found.display_name) == (FRITZI, "Friederike Lang")
    assert await connector.find("@nobody", business.account, business.http) is None
    named = await connector.name_of(FRITZI, business.account, business.http)
    assert named == found
    business.simulator.world.chat(FRITZI).is_closed = True
    with pytest.raises(Unreachable):
        await connector.find("@fritzi_lang", business.account, business.http)
    headers = {"authorization": f"Bearer {next(iter(business.simulator.world.access_tokens))}"}
    path = f"/2/users/{FRITZI}?user.fields=shoe_size"
    strange = await business.http.get(f"{business.account.settings.base_url}{path}", headers=headers)
    assert strange.status_code == 400


@pytest.mark.parametrize("signs", [False, True])
async def test_a_file_is_fetched_with_either_consent(business: Business, signs: bool) -> None:
    if signs:
        await business.connect(business.signing())
    business.simulator.phone.write(OWN, FRITZI, PhoneDraft(text="So sieht es aus", file=PICTURE, content=b"JPEG"))
    (event,) = await business.events()
    assert isinstance(event, MessageReceived) and isinstance(event.content, Media)
    assert event.content.caption == Text(text="So sieht es aus")
    sink = _Sink()
    head = await connector.fetch(event.content.ref, business.account, business.http, sink)
    assert (sink.content, head.mime) == (b"JPEG", "image/jpeg")


class _Sink:
    content = b""

    async def write(self, piece: bytes) -> None:
        self.content += piece


async def test_a_picture_is_uploaded_and_sent(business: Business, tmp_path: Any) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"JPEG")
    file = OutboundFile(name="a.jpg", mime="image/jpeg", size=4, open=lambda: path.open("rb"))
    await business.send(Media(kind="image", ref="f", caption=Text(text="Bitte")), {"f": file})
    (line,) = business.simulator.phone.chat(OWN, FRITZI).lines
    assert (line.text, business.simulator.phone.file(OWN, line.files[0].id)[1]) == ("Bitte", b"JPEG")


async def test_a_refresh_token_is_good_once(business: Business) -> None:
    used = business.account
    renewed = await connector.renew(used, business.http)
    assert renewed.lasts_seconds == 7200
    with pytest.raises(CredentialsRejected):
        await connector.renew(used, business.http)


async def test_setting_up_again_changes_nothing_and_taking_away_ends_it(business: Business) -> None:
    before = dict(business.simulator.subscriptions)
    await business.connect()
    assert business.simulator.subscriptions == before
    await connector.teardown(business.account, business.http)
    assert business.simulator.subscriptions == {} and len(business.simulator.webhooks) == 1


async def test_an_address_that_fails_the_challenge_is_refused(business: Business) -> None:
    deaf = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, json={"response_token": "x"})))
    simulator = create(deaf)
    http = httpx.AsyncClient(transport=_Mounted(simulator))
    account = business._account(simulator.sample_settings(ORIGIN))
    with pytest.raises(Rejected) as refused:
        await connector.setup(account, business.url, http)
    assert refused.value.provider_text == "CrcValidationFailed"
    await asyncio.gather(deaf.aclose(), http.aclose())


async def test_who_takes_no_messages_is_not_reached_and_faults_are_xs_words(business: Business) -> None:
    business.simulator.phone.set_blocked(OWN, FRITZI, True)
    with pytest.raises(Unreachable):
        await business.send(Text(text="x"))
    faults = business.simulator.faults
    faults.switch_on("rate_limited", times=1, retry_after=60)
    with pytest.raises(RateLimited) as limited:
        await business.send(Text(text="x"))
    assert 1 <= limited.value.retry_after <= 61
    faults.switch_on("unauthorised", times=1)
    with pytest.raises(AuthFailed):
        await business.send(Text(text="x"))


@pytest.mark.parametrize(
    "body", [{}, {"text": ""}, {"text": "x" * 10_001}, {"text": "x", "quick_reply": {}}, {"attachments": [{"media_id": "1"}]}]
)
async def test_what_x_would_refuse_is_refused(business: Business, body: dict[str, Any]) -> None:
    token = business.account.settings.access_token
    assert token is not None
    headers = {"authorization": f"Bearer {token.get_secret_value()}"}
    answer = await business.http.post(f"{ORIGIN}/x/2/dm_conversations/with/{FRITZI}/messages", json=body, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "https://api.x.com/2/problems/invalid-request")


async def test_a_phone_does_only_what_x_has(business: Business) -> None:
    with pytest.raises(Conflict):
        business.simulator.phone.write(OWN, FRITZI, PhoneDraft(place=(1.0, 1.0)))


class _ToSimulator(HTTPAdapter):
    """Carries what a client sends to X to the simulator."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        assert request.url is not None
        request.url = self._address + request.url.removeprefix("https://api.twitter.com")
        return super().send(request, *args, **more)


async def test_a_public_client_library_sends_through_the_simulator(business: Business) -> None:
    """tweepy, which knows nothing of us, as outside witness."""
    access, _ = business.simulator.world.new_tokens()
    stage = Stage()
    stage.app = business.simulator
    async with serve_app(stage) as address:
        witness = tweepy.Client(access)
        witness.session.mount("https://", _ToSimulator(address))
        me = await asyncio.to_thread(witness.get_me, user_auth=False)
        sent = await asyncio.to_thread(witness.create_direct_message, participant_id=FRITZI, text="Von tweepy", user_auth=False)
    assert me.data.username == "radwerk_lindau"
    (line,) = business.simulator.phone.chat(OWN, FRITZI).lines
    assert (line.text, line.id) == ("Von tweepy", sent.data["dm_event_id"])
