"""The simulated WhatsApp is as strict as the provider file says, on both roads; pywa, which drives the Cloud API, is the outside
witness of the one through Meta."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pywa
from pywa import types
from pywa.errors import WhatsAppError
from pywa.handlers import CallbackButtonHandler, MessageHandler, MessageStatusHandler, UserMarketingPreferencesHandler
from pywa.types.templates import BodyText, Template, TemplateCategory, TemplateLanguage
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.connectors.contract import Account, OutboundMessage, RawRequest, TemplateRecord
from hub.connectors.events import (
    ChannelHealth,
    ConsentChanged,
    Event,
    IdentityChanged,
    Interactive,
    Media,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessageSent,
    PersonNamed,
    ReactionChanged,
    Sheet,
    StatusChanged,
    TemplateChanged,
    Text,
    Unsupported,
)
from hub.connectors.http import connector_client
from hub.connectors.whatsapp.connector import connector
from hub.connectors.whatsapp.settings import WhatsAppSettings
from hub.core import ids
from hub.core.clock import FakeClock
from hub.core.errors import Conflict, NotFound
from hub.sandbox.messengers import PhoneDraft, PhoneFile
from hub.sandbox.whatsapp.simulator import WhatsAppSimulator, create
from hub.sandbox.whatsapp.templates import SAMPLES
from tests.connectors.samples import ATTEMPT, CHANNEL, PART, RECEIVED, FilesOfOurs, permit
from tests.sandbox.support import Stage, serve_app

KARIN, DENIZ = "4915228817386", "491749464308"
SECRET = "S3cr_t-Header_9f2c7a"
HOOK_360DIALOG = "https://hub.example/hooks/whatsapp/chn_1"
HOOK_META = "https://hub.example/hooks/whatsapp/106600000000042"
PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001")


class WhatsApp:
    """The simulator with a hub behind it that only listens and knows both tokens."""

    def __init__(self) -> None:
        self.told: list[httpx.Request] = []
        self.challenge_answer: str | None = None
        self.hub = httpx.AsyncClient(transport=httpx.MockTransport(self._listen))
        self.simulator: WhatsAppSimulator = create(self.hub)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.simulator), base_url="http://wa")

    @property
    def number(self) -> Any:
        return self.simulator.number

    def _listen(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, text=self.challenge_answer or request.url.params["hub.challenge"])
        self.told.append(request)
        return httpx.Response(200)

    async def register(self) -> None:
        answer = await self.ask("POST", "/v1/configs/webhook", {"url": HOOK_360DIALOG, "headers": {"X-Hub-Token": SECRET}})
        assert answer.status_code == 200

    async def ask(self, method: str, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        headers = {"d360-api-key": self.number.api_key if key is None else key}
        return await self.http.request(method, path, json=body, headers=headers)

    async def at_meta(self, method: str, path: str, body: Any = None, token: str | None = None, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.number.access_token if token is None else token}"}
        return await self.http.request(method, f"/v26.0/{path}", json=body, headers=headers, **more)

    async def send(self, kind: str, said: Any, to: str = KARIN, **more: Any) -> httpx.Response:
        whole = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": to, "type": kind, kind: said, **more}
        return await self.ask("POST", "/messages", whole)

    async def upload(self, mime: str, content: bytes = PNG, name: str = "a.jpg") -> str:
        form = {"messaging_product": "whatsapp", "type": mime}
        headers = {"d360-api-key": self.number.api_key}
        answer = await self.http.post("/media", data=form, files={"file": (name, content, mime)}, headers=headers)
        return str(answer.json()["id"])

    def write(self, text: str = "Guten Tag", person: str = KARIN, **more: Any) -> str:
        return self.simulator.phone.write(self.number.id, person, PhoneDraft(text=text, **more)).id

    def phone(self, person: str = KARIN) -> Any:
        return self.simulator.phone.chat(self.number.id, person)

    async def events(self) -> list[Event]:
        """What the hub makes of everything that was delivered: verified, and read by the connector."""
        await self.simulator.courier.settled()
        values = self.simulator.sample_settings("http://wa")
        settings = WhatsAppSettings.model_validate(values)
        account = Account(channel_id=CHANNEL, settings=settings, own_id=self.number.id, webhook_secrets=(SECRET,))
        found: list[Event] = []
        for request in self.told:
            raw = RawRequest("POST", dict(request.headers), request.content, RECEIVED)
            connector.verify(raw, account)
            found += connector.parse(raw, account)
        self.told.clear()
        return found


@pytest.fixture
async def wa() -> AsyncIterator[WhatsApp]:
    one = WhatsApp()
    await one.register()
    yield one
    await one.simulator.stop()
    await asyncio.gather(one.http.aclose(), one.hub.aclose())


def code(answer: httpx.Response) -> int:
    assert answer.status_code >= 400, answer.text
    return int(answer.json()["error"]["code"])


# --- keys and addresses -----------------------------------------------------------------------------------------------


async def test_each_road_has_its_own_words_for_a_wrong_key(wa: WhatsApp) -> None:
    answer = await wa.ask("POST", "/messages", {}, key="wrong")
    assert (answer.status_code, answer.json()["meta"]["developer_message"]) == (401, "Invalid api_key")
    answer = await wa.at_meta("GET", wa.number.id, token="wrong")
    assert (answer.status_code, code(answer)) == (401, 190)
    assert code(await wa.at_meta("GET", "999999")) == 100
    assert (await wa.ask("GET", "/v1/nothing")).status_code == 403


async def test_360dialog_hands_the_numbers_fields_through(wa: WhatsApp) -> None:
    health = (await wa.ask("GET", "/health_status?fields=display_phone_number,verified_name")).json()
    assert health["display_phone_number"] == "+49 30 23125042" and "quality_rating" not in health
    assert {"entity_type": "PHONE_NUMBER", "id": wa.number.id, "can_send_message": "AVAILABLE"} in health["health_status"][
        "entities"
    ]


async def test_360dialog_refuses_an_address_that_is_none(wa: WhatsApp) -> None:
    assert (await wa.ask("POST", "/v1/configs/webhook", {"url": "ftp://x"})).status_code == 400
    assert (await wa.ask("GET", "/v1/configs/webhook")).json()["url"] == HOOK_360DIALOG


async def test_meta_takes_an_address_only_with_the_right_answer_to_its_test(wa: WhatsApp) -> None:
    """1.2 and 1.3; nothing is delivered before the business account is subscribed."""
    number = wa.number
    form = {"object": "whatsapp_business_account", "callback_url": HOOK_META, "verify_token": "t", "fields": "messages"}
    headers = {"authorization": f"Bearer {number.app_id}|{number.app_secret}"}
    wa.challenge_answer = "wrong"
    answer = await wa.http.post(f"/v26.0/{number.app_id}/subscriptions", data=form, headers=headers)
    assert code(answer) == 2200
    wa.challenge_answer = None
    assert (await wa.http.post(f"/v26.0/{number.app_id}/subscriptions", data=form)).status_code == 401
    answer = await wa.http.post(f"/v26.0/{number.app_id}/subscriptions", data=form, headers=headers)
    assert answer.json() == {"success": True}
    await wa.ask("POST", "/v1/configs/webhook", {"url": ""})
    wa.write()
    await wa.simulator.courier.settled()
    assert wa.told == []
    await wa.at_meta("POST", f"{number.waba_id}/subscribed_apps")
    wa.write("Grüße 🙂")
    wa.simulator.decide("order_ready", "de", "PAUSED")  # not asked for
    await wa.simulator.courier.settled()
    (request,) = wa.told
    signature = hmac.new(number.app_secret.encode(), request.content, hashlib.sha256).hexdigest()
    assert request.headers["x-hub-signature-256"] == f"sha256={signature}"
    assert b"Gr\\u00fc\\u00dfe" in request.content


# --- what is checked of a message -------------------------------------------------------------------------------------


async def test_the_window_closes_after_24_hours(wa: WhatsApp, clock: FakeClock) -> None:
    assert code(await wa.send("text", {"body": "Guten Tag"})) == 131047
    wa.write()
    assert (await wa.send("text", {"body": "Guten Tag"})).status_code == 200
    clock.advance(hours=24)
    assert code(await wa.send("text", {"body": "Guten Tag"})) == 131047
    assert code(await wa.send("reaction", {"message_id": wa.phone().lines[0].id, "emoji": "👍"})) == 131047
    template = {"name": "order_ready", "language": {"code": "de"}, "components": PLACES}
    assert (await wa.send("template", template)).status_code == 200


async def test_more_than_a_burst_to_one_person_is_refused_and_paid_back(wa: WhatsApp, clock: FakeClock) -> None:
    """14: 45 ahead of time, then one every six seconds; others are not concerned."""
    wa.write()
    wa.write(person=DENIZ)
    answers = [await wa.send("text", {"body": str(number)}) for number in range(46)]
    assert [answer.status_code for answer in answers] == [200] * 45 + [400]
    assert code(answers[-1]) == 131056
    assert (await wa.send("text", {"body": "x"}, to=DENIZ)).status_code == 200
    clock.advance(seconds=6)
    assert (await wa.send("text", {"body": "x"})).status_code == 200
    assert code(await wa.send("text", {"body": "x"})) == 131056


def rows(count: int, title: str = "Zeile") -> dict[str, Any]:
    found = [{"id": str(number), "title": f"{title} {number}"} for number in range(count)]
    return {"type": "list", "body": {"text": "Worum geht es?"}, "action": {"button": "Auswählen", "sections": [{"rows": found}]}}


def buttons(*titles: str) -> dict[str, Any]:
    found = [{"type": "reply", "reply": {"id": str(number), "title": title}} for number, title in enumerate(titles)]
    return {"type": "button", "body": {"text": "Wann?"}, "action": {"buttons": found}}


@pytest.mark.parametrize(
    ("kind", "said", "expected"),
    [
        ("text", {"body": "x" * 4097}, 100),
        ("text", {"body": " "}, 131008),
        ("text", {}, 131008),
        ("hologram", {"x": 1}, 131051),
        ("image", {"id": "12"}, 131009),
        ("image", {}, 131008),
        ("image", {"link": "http://x"}, 131009),
        ("audio", {"id": "12", "caption": "x"}, 100),
        ("location", {"latitude": 1}, 131008),
        ("location", {"latitude": 91, "longitude": 1}, 131009),
        ("contacts", [{"name": {"formatted_name": "Service"}}], 131008),
        ("interactive", buttons("a", "b", "c", "d"), 131009),
        ("interactive", buttons("x" * 21), 100),
        ("interactive", buttons("a", "a"), 131009),
        ("interactive", rows(11), 131009),
        ("interactive", rows(1, "x" * 23), 100),
        ("interactive", {**rows(1), "body": {"text": "x" * 1025}}, 100),
        ("reaction", {"message_id": "wamid.none", "emoji": "👍"}, 131009),
    ],
)
async def test_what_whatsapp_refuses(wa: WhatsApp, kind: str, said: Any, expected: int) -> None:
    wa.write()
    assert code(await wa.send(kind, said)) == expected
    assert len(wa.phone().lines) == 1


async def test_who_is_not_on_whatsapp_cannot_be_reached(wa: WhatsApp) -> None:
    assert code(await wa.send("text", {"body": "x"}, to="4930111111")) == 131026
    assert code(await wa.ask("POST", "/messages", {"messaging_product": "whatsapp", "type": "text"})) == 100
    assert code(await wa.ask("POST", "/messages", {"to": KARIN})) == 100


async def test_a_file_goes_by_the_id_of_its_upload_and_as_what_it_is(wa: WhatsApp) -> None:
    wa.write()
    picture = await wa.upload("image/jpeg")
    answer = await wa.send("image", {"id": picture, "caption": "Foto"})
    assert answer.status_code == 200
    (file,) = wa.phone().lines[-1].files
    assert wa.simulator.phone.file(wa.number.id, file.id)[1] == PNG
    assert code(await wa.send("document", {"id": picture})) == 131053
    archive = await wa.upload("application/zip")
    assert code(await wa.send("document", {"id": archive})) == 131053


async def test_files_are_resolved_and_fetched_in_time_and_with_a_key(wa: WhatsApp, clock: FakeClock) -> None:
    """9: five minutes, and a key; path and query must come whole."""
    wa.write(file=PhoneFile(id="", kind="document", name="Rezept.pdf", mime="application/pdf", size=4), content=b"%PDF")
    media_id = wa.phone().lines[-1].files[0].id
    found = (await wa.ask("GET", f"/{media_id}")).json()
    assert found["url"].startswith("https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=")
    path = found["url"].removeprefix("https://lookaside.fbsbx.com")
    key = {"d360-api-key": wa.number.api_key}
    assert (await wa.http.get(path, headers=key)).content == b"%PDF"
    assert (await wa.http.get(path)).status_code == 401
    assert (await wa.http.get(path.replace("hash=", "hash=x"), headers=key)).status_code == 401
    clock.advance(minutes=6)
    assert (await wa.http.get(path, headers=key)).status_code == 401
    assert code(await wa.ask("GET", "/1234567890")) == 100


PLACES = [
    {"type": "body", "parameters": [{"type": "text", "text": "Karin"}, {"type": "text", "text": "881"}]},
    {"type": "button", "sub_type": "url", "index": "1", "parameters": [{"type": "text", "text": "881"}]},
]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ({"name": "order_ready", "language": {"code": "de"}, "components": PLACES}, None),
        ({"name": "order_ready", "language": {"code": "en"}, "components": PLACES}, 132001),
        ({"name": "nothing", "language": {"code": "de"}}, 132001),
        ({"name": "order_ready", "language": {"code": "de"}}, 132000),
        ({"name": "order_ready", "language": {"code": "de"}, "components": PLACES[:1]}, 132000),
        ({"name": "order_ready", "language": {"code": "de"}, "components": [*PLACES, {"type": "footer"}]}, 131009),
        (
            {
                "name": "spring_sale",
                "language": {"code": "de"},
                "components": [{"type": "body", "parameters": [{"type": "text", "text": "Karin"}]}],
            },
            132012,
        ),
        (
            {
                "name": "spring_sale",
                "language": {"code": "de"},
                "components": [{"type": "body", "parameters": [{"type": "text", "parameter_name": "first_name", "text": "a\nb"}]}],
            },
            132018,
        ),
    ],
)
async def test_a_template_is_sent_as_it_was_approved(wa: WhatsApp, template: dict[str, Any], expected: int | None) -> None:
    answer = await wa.send("template", template)
    if expected is None:
        assert wa.phone().lines[-1].text == "Hallo Karin, Ihre Bestellung 881 liegt bereit.\n\nRadwerk Lindau"
        assert answer.json()["messages"][0]["message_status"] == "accepted"
    else:
        assert code(answer) == expected


def words(*values: str) -> dict[str, Any]:
    return {"type": "body", "parameters": [{"type": "text", "text": value} for value in values]}


def press(index: int, sub_type: str, **parameter: Any) -> dict[str, Any]:
    return {"type": "button", "sub_type": sub_type, "index": str(index), "parameters": [parameter]}


def shown_card(number: int, media_id: str, *body: dict[str, Any], suffix: str = "gravel-12") -> dict[str, Any]:
    header = {"type": "header", "parameters": [{"type": "image", "image": {"id": media_id}}]}
    return {"card_index": number, "components": [header, *body, press(0, "url", type="text", text=suffix)]}


SOON = 2_000_000_000_000
PLACE = {"latitude": 47.5, "longitude": 9.7, "name": "Laden", "address": "Hafen 3"}
COUPON = press(0, "copy_code", type="coupon_code", coupon_code="SOMMER20")
CODE = press(0, "url", type="text", text="482913")


def above(kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "header", "parameters": [{"type": kind, kind: value}]}


def ends(at: int) -> dict[str, Any]:
    parameter = {"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": at}}
    return {"type": "limited_time_offer", "parameters": [parameter]}


def cards(*shown: dict[str, Any]) -> dict[str, Any]:
    return {"type": "carousel", "cards": list(shown)}


@pytest.mark.parametrize(
    ("name", "components", "expected"),
    [
        ("summer_cards", [words("Karin"), cards(shown_card(0, "IMAGE"), shown_card(1, "IMAGE", words("3")))], None),
        ("summer_cards", [words("Karin")], 132012),
        ("summer_cards", [words("Karin"), cards(shown_card(0, "IMAGE"))], 132012),
        ("summer_cards", [words("Karin"), cards(shown_card(0, "IMAGE"), shown_card(1, "IMAGE"))], 132000),
        ("summer_cards", [words("Karin"), cards(shown_card(0, "PDF"), shown_card(1, "IMAGE", words("3")))], 131053),
        ("summer_offer", [above("image", {"id": "IMAGE"}), ends(SOON), COUPON], None),
        ("summer_offer", [above("image", {"id": "IMAGE"}), COUPON], 132000),
        ("summer_offer", [above("image", {"id": "IMAGE"}), ends(1), COUPON], 132018),
        ("summer_offer", [above("image", {"id": "IMAGE"}), ends(SOON)], 132000),
        ("summer_offer", [ends(SOON), COUPON], 132012),
        ("shop_way", [above("location", PLACE)], None),
        ("shop_way", [above("location", PLACE | {"address": ""})], 131008),
        ("invoice", [above("document", {"id": "PDF", "filename": "a.pdf"}), words("881")], None),
        ("invoice", [above("image", {"id": "IMAGE"}), words("881")], 132012),
        ("login_code", [words("482913"), CODE], None),
        ("login_code", [words("482913")], 132000),
        ("login_code", [words("482913"), press(0, "url", type="text", text="1" * 16)], 132005),
    ],
)
async def test_every_part_of_a_template_is_checked(
    wa: WhatsApp, name: str, components: list[dict[str, Any]], expected: int | None
) -> None:
    """8, 12 and Meta's pages on carousels, offers and codes."""
    files = {"IMAGE": ("image", "image/png"), "PDF": ("document", "application/pdf")}
    kept = {word: wa.number.keep(kind, "a", mime, b"x", is_ours=True).id for word, (kind, mime) in files.items()}
    wanted = json.dumps({"name": name, "language": {"code": "de"}, "components": components})
    for word, media_id in kept.items():
        wanted = wanted.replace(f'"{word}"', f'"{media_id}"')
    answer = await wa.send("template", json.loads(wanted))
    assert answer.status_code == 200 if expected is None else code(answer) == expected


async def test_a_one_time_code_needs_a_number(wa: WhatsApp) -> None:
    bsuid = wa.number.chats[KARIN].person.bsuid
    template = {"name": "login_code", "language": {"code": "de"}, "components": [words("482913"), CODE]}
    body = {"messaging_product": "whatsapp", "recipient": bsuid, "type": "template", "template": template}
    assert code(await wa.ask("POST", "/messages", body)) == 131062


HANDLE = {"header_handle": ["4::aW1hZ2U="]}
LINK = {"type": "URL", "text": "Ansehen", "url": "https://shop.example.org/"}
TEXT = {"type": "BODY", "text": "Unser Sommer"}
CARD = {"components": [{"type": "HEADER", "format": "IMAGE", "example": HANDLE}, {"type": "BUTTONS", "buttons": [LINK]}]}
OFFER = {"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"text": "Nur heute", "has_expiration": True}}
OTP = {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE"}]}


@pytest.mark.parametrize(
    ("category", "components", "is_taken"),
    [
        ("UTILITY", [{"type": "HEADER", "format": "IMAGE", "example": HANDLE}, TEXT], True),
        ("UTILITY", [{"type": "HEADER", "format": "IMAGE"}, TEXT], False),
        ("UTILITY", [{"type": "HEADER", "format": "LOCATION"}, TEXT], True),
        ("UTILITY", [{"type": "HEADER", "format": "TEXT", "text": "x" * 61}, TEXT], False),
        ("UTILITY", [{"type": "BODY", "text": "Hallo {{1}}, da."}], False),
        ("UTILITY", [TEXT, {"type": "FOOTER", "text": "Gruß {{1}}"}], False),
        ("UTILITY", [TEXT, {"type": "BUTTONS", "buttons": [LINK | {"url": "https://a.example/{{1}}/b", "example": ["x"]}]}], False),
        ("UTILITY", [TEXT, {"type": "BUTTONS", "buttons": [LINK | {"text": "x" * 26}]}], False),
        ("UTILITY", [TEXT, {"type": "BUTTONS", "buttons": [{"type": "COPY_CODE", "example": "SOMMER20"}]}], True),
        ("MARKETING", [TEXT, {"type": "CAROUSEL", "cards": [CARD, CARD]}], True),
        ("MARKETING", [TEXT, {"type": "CAROUSEL", "cards": [CARD]}], False),
        ("MARKETING", [TEXT, {"type": "CAROUSEL", "cards": [CARD, {"components": CARD["components"][:1]}]}], False),
        ("MARKETING", [OFFER, TEXT, {"type": "BUTTONS", "buttons": [{"type": "COPY_CODE", "example": "A"}, LINK]}], True),
        ("MARKETING", [OFFER, TEXT, {"type": "BUTTONS", "buttons": [LINK, {"type": "COPY_CODE", "example": "A"}]}], False),
        ("UTILITY", [OFFER, TEXT, {"type": "BUTTONS", "buttons": [{"type": "COPY_CODE", "example": "A"}, LINK]}], False),
        ("AUTHENTICATION", [{"type": "BODY", "add_security_recommendation": True}, OTP], True),
        ("AUTHENTICATION", [TEXT, OTP], False),
        ("AUTHENTICATION", [{"type": "BODY"}, {"type": "BUTTONS", "buttons": [LINK]}], False),
    ],
)
async def test_every_part_of_a_new_template_is_checked(
    wa: WhatsApp, category: str, components: list[dict[str, Any]], is_taken: bool
) -> None:
    wanted = {"name": "new", "language": "de", "category": category, "components": components}
    answer = await wa.ask("POST", "/v1/configs/templates", wanted)
    assert answer.status_code == 201 if is_taken else code(answer) == 100


async def test_decisions_on_templates_are_told_and_hold(wa: WhatsApp) -> None:
    body = {"type": "BODY", "text": "Ihre Brille ist fertig, {{1}}.", "example": {"body_text": [["Karin"]]}}
    wanted = {"name": "ready", "language": "de", "category": "UTILITY", "components": [body]}
    assert (await wa.ask("POST", "/v1/configs/templates", wanted)).json()["status"] == "pending"
    assert code(await wa.ask("POST", "/v1/configs/templates", wanted)) == 100
    said = {"name": "ready", "language": {"code": "de"}, "components": PLACES[:1]}
    assert code(await wa.send("template", said)) == 132001
    wa.simulator.decide("ready", "de", "PAUSED")
    assert code(await wa.send("template", said)) == 132015
    wa.simulator.decide("ready", "de", "DISABLED")
    assert code(await wa.send("template", said)) == 132016
    told = await wa.events()
    assert [(event.name, event.status) for event in told if isinstance(event, TemplateChanged)] == [
        ("ready", "paused"),
        ("ready", "disabled"),
    ]
    listed = (await wa.ask("GET", "/v1/configs/templates?limit=2")).json()
    assert (listed["total"], listed["count"], listed["waba_templates"][0]["status"]) == (len(SAMPLES) + 1, 2, "approved")
    assert (await wa.ask("DELETE", "/v1/configs/templates/ready")).status_code == 200
    assert (await wa.ask("DELETE", "/v1/configs/templates/ready")).status_code == 404


# --- what the business is told ----------------------------------------------------------------------------------------


async def test_a_message_is_reported_with_its_price(wa: WhatsApp) -> None:
    wa.write()
    await wa.events()
    message = (await wa.send("text", {"body": "Guten Tag"})).json()["messages"][0]["id"]
    wa.simulator.phone.read(wa.number.id, KARIN)
    told = [event for event in await wa.events() if isinstance(event, StatusChanged)]
    assert [(event.target_key, event.status) for event in told] == [(message, word) for word in ("sent", "delivered", "read")]
    assert told[0].price is not None and (told[0].price.category, told[0].price.is_billable) == ("service", False)


async def test_who_stopped_marketing_gets_none_and_everything_else(wa: WhatsApp) -> None:
    wa.write()
    wa.simulator.phone.extra(wa.number.id, KARIN, "stop")
    (stopped,) = [event for event in await wa.events() if isinstance(event, ConsentChanged)]
    assert (stopped.change, stopped.sender.provider_user_id) == ("marketing_stopped", KARIN)
    places = [{"type": "body", "parameters": [{"type": "text", "parameter_name": "first_name", "text": "Karin"}]}]
    await wa.send("template", {"name": "spring_sale", "language": {"code": "de"}, "components": places})
    await wa.send("text", {"body": "Ihre Brille ist fertig"})
    told = await wa.events()
    assert [event.provider_code for event in told if isinstance(event, StatusChanged) and event.status == "failed"] == ["131050"]
    assert [event.change for event in told if isinstance(event, ConsentChanged)] == ["marketing_stopped"]
    assert [line.text for line in wa.phone().lines if line.is_theirs] == ["Ihre Brille ist fertig"]


async def test_who_blocked_the_business_is_only_undeliverable(wa: WhatsApp) -> None:
    """13: there is no event."""
    wa.write()
    wa.simulator.phone.set_blocked(wa.number.id, KARIN, True)
    assert len(await wa.events()) == 1
    await wa.send("text", {"body": "x"})
    told = [event for event in await wa.events() if isinstance(event, StatusChanged)]
    assert [(event.status, event.provider_code) for event in told] == [("sent", ""), ("failed", "131026")]
    with pytest.raises(Conflict):
        wa.write()


@pytest.mark.parametrize(
    ("do", "expected"),
    [
        (lambda wa: wa.write("Guten Tag"), MessageReceived),
        (lambda wa: wa.write("", place=(47.5, 9.7)), MessageReceived),
        (lambda wa: wa.write("", contact=("Jonas Brandt", "+49 174 9464308")), MessageReceived),
        (lambda wa: extra(wa, "order"), Sheet),
        (lambda wa: extra(wa, "form"), Sheet),
        (lambda wa: extra(wa, "poll"), Unsupported),
        (lambda wa: extra(wa, "ad"), MessageReceived),
        (lambda wa: extra(wa, "new_number"), IdentityChanged),
        (lambda wa: extra(wa, "username"), MessageReceived),
        (lambda wa: extra(wa, "agent"), MessageSent),
        (lambda wa: extra(wa, "colleague"), MessageSent),
        (lambda wa: extra(wa, "history"), PersonNamed),
        (lambda wa: extra(wa, "resume"), ConsentChanged),
        (lambda wa: extra(wa, "restricted"), ChannelHealth),
    ],
)
async def test_what_a_person_does_is_what_the_hub_reads(wa: WhatsApp, do: Callable[[WhatsApp], Any], expected: type) -> None:
    do(wa)
    told = await wa.events()
    last = told[-1]
    assert isinstance(last, expected) or isinstance(getattr(last, "content", None), expected)


def extra(wa: WhatsApp, name: str) -> None:
    wa.simulator.phone.extra(wa.number.id, KARIN, name)


async def test_edit_deletion_reaction_and_press(wa: WhatsApp) -> None:
    phone, account = wa.simulator.phone, wa.number.id
    mine = wa.write("Guten Tag")
    question = (await wa.send("interactive", buttons("9 Uhr", "14 Uhr"))).json()["messages"][0]["id"]
    listed = (await wa.send("interactive", rows(2))).json()["messages"][0]["id"]
    offered = await wa.send("template", {"name": "order_ready", "language": {"code": "de"}, "components": PLACES})
    await wa.events()
    phone.edit(account, KARIN, mine, "Guten Abend")
    phone.react(account, KARIN, question, "👍")
    phone.press(account, KARIN, question, "1")
    phone.press(account, KARIN, listed, "0")
    phone.press(account, KARIN, offered.json()["messages"][0]["id"], "t:Danke")
    phone.delete(account, KARIN, mine)
    edited, reacted, *pressed, deleted = await wa.events()
    assert isinstance(edited, MessageEdited) and edited.target_key == mine
    assert isinstance(reacted, ReactionChanged) and (reacted.target_key, reacted.emoji) == (question, "👍")
    answers = [event.content for event in pressed if isinstance(event, MessageReceived)]
    assert [(one.option, one.label) for one in answers if isinstance(one, Interactive)] == [
        ("1", "14 Uhr"),
        ("0", "Zeile 0"),
        ("Danke", "Danke"),
    ]
    assert isinstance(deleted, MessageDeleted) and deleted.target_key == mine
    with pytest.raises(NotFound):
        phone.press(account, KARIN, question, "7")


async def test_reading_and_typing_show_on_the_phone(wa: WhatsApp, clock: FakeClock) -> None:
    mine = wa.write()
    read = {"messaging_product": "whatsapp", "status": "read", "message_id": mine}
    assert (await wa.ask("POST", "/messages", read | {"typing_indicator": {"type": "text"}})).json() == {"success": True}
    assert (wa.phone().is_typing, wa.phone().lines[0].state) == (True, "read")
    clock.advance(seconds=26)
    assert not wa.phone().is_typing
    assert code(await wa.ask("POST", "/messages", read | {"message_id": "wamid.none"})) == 131009


async def test_somebody_with_a_username_is_reached_by_their_id(wa: WhatsApp) -> None:
    extra(wa, "username")
    (event,) = await wa.events()
    assert isinstance(event, MessageReceived)
    assert event.sender.provider_user_id.startswith("DE.") and event.sender.phone == ""
    body = {"messaging_product": "whatsapp", "recipient": event.sender.provider_user_id, "type": "text", "text": {"body": "Hallo"}}
    assert (await wa.ask("POST", "/messages", body)).status_code == 200
    assert wa.phone().lines[-1].text == "Hallo"
    statuses = [json.loads(request.content)["entry"][0]["changes"][0]["value"]["statuses"][0] for request in await told_raw(wa)]
    assert all("recipient_id" not in status and status["recipient_user_id"] for status in statuses)


async def told_raw(wa: WhatsApp) -> list[httpx.Request]:
    await wa.simulator.courier.settled()
    return list(wa.told)


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "values", "status"),
    [
        ("rate_limited", {}, 400),
        ("server_error", {"status": 502}, 502),
        ("unauthorised", {}, 401),
        ("refused", {"code": 131042}, 400),
    ],
)
async def test_a_fault_strikes_as_often_as_it_is_told(wa: WhatsApp, fault: str, values: dict[str, Any], status: int) -> None:
    wa.write()
    wa.simulator.faults.switch_on(fault, times=1, **values)
    assert (await wa.send("text", {"body": "x"})).status_code == status
    assert len(wa.phone().lines) == 1
    assert (await wa.send("text", {"body": "x"})).status_code == 200


async def test_a_lost_answer_was_sent_all_the_same(wa: WhatsApp) -> None:
    wa.write()
    wa.simulator.faults.switch_on("lost_answer", times=1, delay=0.0)
    body = {"messaging_product": "whatsapp", "to": KARIN, "type": "text", "text": {"body": "doch da"}}
    stage = Stage()
    stage.app = wa.simulator
    async with serve_app(stage) as address, httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post(f"{address}/messages", json=body, headers={"d360-api-key": wa.number.api_key})
    assert wa.phone().lines[-1].text == "doch da"


# --- the hub's own connector ------------------------------------------------------------------------------------------


class Sink:
    def __init__(self) -> None:
        self.content = b""

    async def write(self, piece: bytes) -> None:
        self.content += piece


@pytest.mark.parametrize("road", ["sample_settings", "meta_settings"])
async def test_the_connector_gets_along_with_both_roads(wa: WhatsApp, road: str) -> None:
    """Set-up with Meta's test of the address, a file in and out, templates, health and the way out again."""
    stage = Stage()
    stage.app = mounted(wa.simulator)
    async with serve_app(stage) as address, connector_client(frozenset({urlsplit(address).netloc})) as http:
        settings = WhatsAppSettings.model_validate(getattr(wa.simulator, road)(address))
        account = Account(channel_id=CHANNEL, settings=settings, own_id="", webhook_secrets=(SECRET,))
        callback = f"https://hub.example/hooks/whatsapp/{connector.endpoint(account) or ids.show('chn', CHANNEL)}"
        result = await connector.setup(account, callback, http)
        assert (result.own_id, result.address, result.title) == (wa.number.id, "+49 30 23125042", "Radwerk Lindau")
        assert [event.level for event in await connector.check(account, http) if isinstance(event, ChannelHealth)] == ["ok"]
        wa.write("So sieht es aus", file=PhoneFile(id="", kind="image", name="", mime="image/png", size=len(PNG)), content=PNG)
        sink = Sink()
        await connector.fetch(wa.phone().lines[-1].files[0].id, account, http, sink)
        assert sink.content == PNG
        files = FilesOfOurs({"f1": {"name": "Rezept.pdf", "mime": "application/pdf", "holds": "%PDF"}})
        content = Media(
            kind="document", ref="f1", mime="application/pdf", name="Rezept.pdf", size=4, caption=Text(text="Ihr Rezept")
        )
        message = OutboundMessage(part_id=PART, attempt_id=ATTEMPT, address=KARIN, content=content, files=files.by_ref)
        receipt = await connector.send(permit(), message, account, http)
        assert (receipt.keys, wa.phone().lines[-1].text) == ((wa.phone().lines[-1].id,), "Ihr Rezept")
        example = {"body_text_named_params": [{"param_name": "first_name", "example": "Karin"}]}
        body = {"type": "BODY", "text": "Ihre Brille ist fertig, {{first_name}}.", "example": example}
        new = TemplateRecord(provider_id="", name="ready", language="de", category="utility", status="", components=(body,))
        made = await connector.create_template(new, account, http)
        assert made in [replace(one, reason="") for one in await connector.list_templates(account, http)]
        await connector.delete_template(made, account, http)
        await connector.delete_template(made, account, http)
        await connector.teardown(account, http)
        await wa.simulator.courier.settled()
        wa.told.clear()
        wa.number.at_360dialog.url = "" if settings.uses_meta else wa.number.at_360dialog.url
        wa.write("Ist da jemand?")
        await wa.simulator.courier.settled()
        assert wa.told == []


def mounted(simulator: WhatsAppSimulator) -> ASGIApp:
    """Where the sandbox has it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await simulator({**scope, "path": scope["path"].removeprefix("/whatsapp"), "root_path": "/whatsapp"}, receive, send)

    return app


# --- the outside witness ----------------------------------------------------------------------------------------------


@pytest.fixture
async def witness(wa: WhatsApp) -> AsyncIterator[pywa.WhatsApp]:
    """pywa, pointed to the simulator where Meta would be; it blocks, so its calls run in threads."""
    number, stage = wa.number, Stage()
    stage.app = wa.simulator
    async with serve_app(stage) as address:
        with httpx.Client(trust_env=False) as session:
            client = pywa.WhatsApp(
                phone_id=number.id,
                token=number.access_token,
                session=session,
                server=None,
                verify_token="t",
                waba_id=number.waba_id,
                app_id=number.app_id,
                app_secret=number.app_secret,
            )
            session.base_url = httpx.URL(f"{address}/v26.0")
            yield client


async def test_pywa_sends_every_kind(wa: WhatsApp, witness: pywa.WhatsApp) -> None:
    mine = wa.write("Was haben Sie da?")

    def send() -> list[Any]:
        picture = witness.upload_media(media=PNG, mime_type="image/jpeg", filename="a.jpg")
        return [
            witness.send_message(to=KARIN, text="Guten Tag", reply_to_message_id=mine),
            witness.send_image(to=KARIN, image=picture, caption="Foto"),
            witness.send_location(to=KARIN, latitude=52.5, longitude=13.4, name="Filiale Mitte"),
            witness.send_message(
                to=KARIN,
                text="Wann?",
                buttons=[types.Button("9 Uhr", callback_data="a"), types.Button("14 Uhr", callback_data="b")],
            ),
            witness.send_reaction(to=KARIN, emoji="👍", message_id=mine),
            witness.mark_message_as_read(message_id=mine),
            witness.indicate_typing(message_id=mine),
        ]

    await asyncio.to_thread(send)
    first, text, picture, place, question = wa.phone().lines
    assert (text.text, text.reply_to, picture.text, place.place) == ("Guten Tag", mine, "Foto", (52.5, 13.4))
    assert [button.label for button in question.buttons] == ["9 Uhr", "14 Uhr"]
    assert (first.reactions, first.state, wa.phone().is_typing) == (("👍",), "read", True)


async def test_pywa_knows_the_refusals(wa: WhatsApp, witness: pywa.WhatsApp) -> None:
    with pytest.raises(WhatsAppError) as closed:
        await asyncio.to_thread(witness.send_message, to=KARIN, text="x")
    assert type(closed.value).__name__ == "ReEngagementMessage"
    wa.write()
    with pytest.raises(WhatsAppError):
        await asyncio.to_thread(witness.send_message, to=KARIN, text="x" * 4097)


async def test_pywa_keeps_templates(wa: WhatsApp, witness: pywa.WhatsApp) -> None:
    def keep() -> list[str]:
        witness.create_template(
            Template(
                name="ready",
                category=TemplateCategory.UTILITY,
                language=TemplateLanguage.GERMAN,
                components=[BodyText("Ihre Brille ist fertig, {{1}}.", "Karin")],
            )
        )
        found = [one.name for one in witness.get_templates()]
        witness.delete_template(template_name="ready")
        return found

    names = [sample["name"] for sample in SAMPLES]
    assert await asyncio.to_thread(keep) == [*names, "ready"]
    assert [name for name, _ in wa.number.templates.kept] == names


async def test_pywa_reads_and_verifies_the_webhooks(wa: WhatsApp, witness: pywa.WhatsApp) -> None:
    """Every kind of webhook has Meta's shape and signature in the eyes of another program."""
    number = wa.number
    seen: list[str] = []
    number.is_subscribed = True
    number.at_meta.url = HOOK_META
    await wa.ask("POST", "/v1/configs/webhook", {"url": ""})

    witness.add_handlers(
        MessageHandler(lambda _, message: seen.append(f"{message.type}:{message.from_user.name}")),
        MessageStatusHandler(lambda _, status: seen.append(str(status.status))),
        CallbackButtonHandler(lambda _, press: seen.append(f"press:{press.title}")),
        UserMarketingPreferencesHandler(lambda _, preference: seen.append("preference")),
    )
    wa.write("Grüße")
    extra(wa, "order")
    question = (await wa.send("interactive", buttons("9 Uhr"))).json()["messages"][0]["id"]
    wa.simulator.phone.press(number.id, KARIN, question, "0")
    extra(wa, "stop")
    for request in await told_raw(wa):
        refused = witness.webhook_update_validator(request.content, request.headers["x-hub-signature-256"])
        assert refused is None
        answer = await asyncio.to_thread(witness.webhook_update_handler, request.content)
        assert answer[1] == 200
    assert seen == ["text:Karin Bilgeri", "order:Karin Bilgeri", "sent", "delivered", "press:9 Uhr", "preference"]
