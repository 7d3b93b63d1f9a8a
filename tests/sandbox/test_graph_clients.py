"""Meta's own library as an outside witness: it is made from the API's schema, and the simulators must answer it as Meta does."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from facebook_business.adobjects.application import Application
from facebook_business.adobjects.page import Page
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

from hub.connectors._meta.signature import handshake, verify_token
from hub.connectors._meta.subscriptions import PAGE_FIELDS
from hub.sandbox._graph.world import APP_ID, APP_SECRET
from hub.sandbox.messenger.simulator import TOKEN, MessengerSimulator, create
from hub.sandbox.messengers import PhoneDraft
from tests.sandbox.support import serve_app

PAGE, PERSON = "104772930015588", "7318840026614092"


def _tested(request: httpx.Request) -> httpx.Response:
    """A hub that answers Meta's test of its address and takes everything."""
    reply = handshake(request.url.query.decode(), verify_token(APP_SECRET))
    return httpx.Response(200, content=reply.body if reply else b"")


@pytest.fixture
async def simulator(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MessengerSimulator]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(_tested)) as hub:
        one = create(hub)
        async with serve_app(one) as address:
            monkeypatch.setattr(FacebookSession, "GRAPH", address)
            yield one
        await one.stop()


def api_of(token: str) -> FacebookAdsApi:
    """The library with this token; it adds the proof of the app's secret by itself."""
    return FacebookAdsApi(FacebookSession(APP_ID, APP_SECRET, token), api_version="v26.0")


async def test_it_subscribes_app_and_page(simulator: MessengerSimulator) -> None:
    app, page = Application(APP_ID, api=api_of(f"{APP_ID}|{APP_SECRET}")), Page(PAGE, api=api_of(TOKEN))
    asked = {
        "object": "page",
        "callback_url": "https://hub.example/hooks",
        "fields": list(PAGE_FIELDS),
        "verify_token": verify_token(APP_SECRET),
    }
    await asyncio.to_thread(app.create_subscription, params=asked)
    (subscription,) = await asyncio.to_thread(lambda: list(app.get_subscriptions()))
    assert subscription["callback_url"] == "https://hub.example/hooks" and subscription["active"] is True
    await asyncio.to_thread(page.create_subscribed_app, params={"subscribed_fields": list(PAGE_FIELDS)})
    (subscribed,) = await asyncio.to_thread(lambda: list(page.get_subscribed_apps()))
    assert set(subscribed["subscribed_fields"]) == set(PAGE_FIELDS)
    assert set(PAGE_FIELDS) <= {value for name, value in vars(Page.SubscribedFields).items() if not name.startswith("_")}


async def test_it_sends_a_message(simulator: MessengerSimulator) -> None:
    simulator.phone.write(PAGE, PERSON, PhoneDraft(text="Hallo"))
    page = Page(PAGE, api=api_of(TOKEN))
    body: Any = {
        "recipient": {"id": PERSON},
        "messaging_type": Page.MessagingType.response,
        "message": {"text": "Guten Tag", "quick_replies": [{"content_type": "text", "title": "Ja", "payload": "1"}]},
    }
    sent = await asyncio.to_thread(page.create_message, params=body)
    line = simulator.phone.chat(PAGE, PERSON).lines[-1]
    assert (sent["message_id"], line.text, line.buttons[0].label) == (line.id, "Guten Tag", "Ja")
    acted = {"recipient": {"id": PERSON}, "sender_action": Page.SenderAction.typing_on}
    await asyncio.to_thread(page.create_message, params=acted)
    assert simulator.phone.chat(PAGE, PERSON).is_typing


async def test_it_reads_a_refusal(simulator: MessengerSimulator) -> None:
    page = Page(PAGE, api=api_of(TOKEN))
    body: Any = {"recipient": {"id": PERSON}, "messaging_type": "RESPONSE", "message": {"text": "Zuerst"}}
    with pytest.raises(FacebookRequestError) as failure:
        await asyncio.to_thread(page.create_message, params=body)
    assert (failure.value.api_error_code(), failure.value.api_error_subcode()) == (10, 2018278)
