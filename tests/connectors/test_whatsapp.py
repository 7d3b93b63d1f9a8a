"""WhatsApp where the conformance suite cannot look: signatures, the road through Meta, shared deliveries, templates, health.

Section numbers are those of the provider file.
"""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from hub.connectors import errors
from hub.connectors.contract import Account, RawRequest, SetupResult, TemplateRecord
from hub.connectors.events import ChannelHealth, Choice, MessageReceived, Option, Text
from hub.connectors.whatsapp.access import verify_token
from hub.connectors.whatsapp.codes import FINAL, PAUSED, UNCLEAR, WAITS
from hub.connectors.whatsapp.connector import connector
from hub.connectors.whatsapp.samples import SETTINGS
from hub.connectors.whatsapp.settings import WhatsAppSettings
from hub.core import ids
from tests.connectors.samples import CALLBACK, CHANNEL, RECEIVED, Samples, client, outbound_action, permit, provider, texts

SAMPLES = Samples(connector)
GRAPH = "https://graph.facebook.com/v26.0"
NUMBER, WABA, APP = "104558822731906", "117290046610385", "106600000000042"
META = {
    "provider": "meta",
    "access_token": "EAAsampleTokenOfASystemUser",
    "app_secret": "0123456789abcdef0123456789abcdef",
    "phone_number_id": NUMBER,
    "waba_id": WABA,
    "app_id": APP,
}
SECRET = "S3cr_t-Header_9f2c7a"
BEARER = {"authorization": f"Bearer {META['access_token']}"}
OF_APP = {"authorization": f"Bearer {APP}|{META['app_secret']}"}
THROUGH_360DIALOG: Account[Any] = SAMPLES.account()


def at_meta(**changes: str) -> Account[WhatsAppSettings]:
    settings = WhatsAppSettings.model_validate({**META, **changes})
    return Account(channel_id=CHANNEL, settings=settings, own_id=NUMBER, webhook_secrets=(SECRET, "before"))


def body_of(sample: str) -> bytes:
    return (Path(SAMPLES.folder) / f"{sample}.json").read_bytes()


def delivery(*entries: dict[str, Any]) -> RawRequest:
    return RawRequest("POST", {}, json.dumps({"object": "whatsapp_business_account", "entry": list(entries)}).encode(), RECEIVED)


def change(number: str, text: str = "x") -> dict[str, Any]:
    message = {"from": "4915228817386", "id": f"wamid.{number}{text}", "timestamp": "1790000000", "type": "text"}
    value = {"metadata": {"phone_number_id": number}, "messages": [message | {"text": {"body": text}}]}
    return {"field": "messages", "value": value}


# --- who may deliver (2) ----------------------------------------------------------------------------------------------

ESCAPED = rb'{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"text":"Gr\u00f6\u00dfe \ud83d\ude42"}]}]}'
"""As Meta writes umlauts and emoji: signed as these bytes and as no others (2.2)."""


def signed(body: bytes, secret: str, *, prefix: str = "sha256=") -> str:
    return prefix + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_metas_signature_covers_the_bytes_as_they_came() -> None:
    account = at_meta()
    headers = {"x-hub-signature-256": signed(ESCAPED, META["app_secret"])}
    connector.verify(RawRequest("POST", headers, ESCAPED), account)
    written_anew = json.dumps(json.loads(ESCAPED), ensure_ascii=False, separators=(",", ":")).encode()
    for request in (
        RawRequest("POST", headers, written_anew),
        RawRequest("POST", {}, ESCAPED),
        RawRequest("POST", {"x-hub-signature-256": ""}, ESCAPED),
        RawRequest("POST", {"x-hub-signature-256": "sha256=" + "0" * 64}, ESCAPED),
        RawRequest("POST", {"x-hub-signature-256": signed(ESCAPED, "another secret")}, ESCAPED),
        RawRequest("POST", {"x-hub-signature": signed(ESCAPED, META["app_secret"])}, ESCAPED),
        RawRequest("POST", {"x-hub-token": SECRET}, ESCAPED),
    ):
        with pytest.raises(errors.SignatureInvalid):
            connector.verify(request, account)


@pytest.mark.parametrize("prefix", ["", "sha256="])
def test_360dialogs_signature_is_read_with_and_without_its_prefix(prefix: str) -> None:
    """Test checklist, 24."""
    signature = signed(ESCAPED, SETTINGS["platform_secret"], prefix=prefix)
    connector.verify(RawRequest("POST", {"x-hub-token": SECRET, "x-360dialog-signature": signature}, ESCAPED), THROUGH_360DIALOG)


@pytest.mark.parametrize("signature", [None, "", "0" * 64, "sha256=", signed(ESCAPED, "another")])
def test_with_a_platform_secret_the_signature_must_be_there_and_right(signature: str | None) -> None:
    headers = {"x-hub-token": SECRET} | ({} if signature is None else {"x-360dialog-signature": signature})
    with pytest.raises(errors.SignatureInvalid):
        connector.verify(RawRequest("POST", headers, ESCAPED), THROUGH_360DIALOG)


def test_without_a_platform_secret_the_registered_header_decides() -> None:
    """Test checklist, 7. Meta's own signature is the BSP's and means nothing here (2.1)."""
    settings = WhatsAppSettings.model_validate({"api_key": SETTINGS["api_key"]})
    account = Account(channel_id=CHANNEL, settings=settings, own_id=NUMBER, webhook_secrets=(SECRET,))
    connector.verify(RawRequest("POST", {"x-hub-token": SECRET, "x-hub-signature-256": "sha256=no"}, ESCAPED), account)
    for headers in ({}, {"x-hub-token": "wrong"}, {"x-360dialog-signature": signed(ESCAPED, SECRET)}):
        with pytest.raises(errors.SignatureInvalid):
            connector.verify(RawRequest("POST", headers, ESCAPED), account)


def handshake(token: str, mode: str = "subscribe") -> RawRequest:
    asked = {"hub.mode": mode, "hub.challenge": "1158201444", "hub.verify_token": token}
    return RawRequest("GET", {}, b"", query=urlencode(asked))


def test_metas_test_of_our_address_is_answered_with_its_challenge() -> None:
    """1.3: the bare challenge, for a token that is derived from either secret and is not the secret itself."""
    for secret in (SECRET, "before"):
        answer = connector.handshake(handshake(verify_token(secret)), at_meta())
        assert answer is not None and (answer.status, answer.body, answer.media_type) == (200, b"1158201444", "text/plain")
    for wrong in (handshake(SECRET), handshake(""), handshake(verify_token(SECRET), "unsubscribe"), RawRequest("GET", {}, b"")):
        with pytest.raises(errors.SignatureInvalid):
            connector.handshake(wrong, at_meta())
    assert connector.handshake(RawRequest("POST", {}, b"{}"), at_meta()) is None
    assert connector.handshake(handshake(verify_token(SECRET)), THROUGH_360DIALOG) is None


# --- one address for many numbers -------------------------------------------------------------------------------------


def test_numbers_of_an_app_share_its_address_and_those_of_360dialog_do_not() -> None:
    assert connector.endpoint(at_meta()) == APP
    assert connector.endpoint(THROUGH_360DIALOG) == ""


def test_a_shared_delivery_is_told_apart_by_number() -> None:
    """3: one POST can hold several accounts. Each element goes once, to its number; templates go to all."""
    template = {"field": "message_template_status_update", "value": {"event": "APPROVED", "message_template_id": 1}}
    first = {"id": WABA, "time": 1790000600, "changes": [change("1", "a"), change("2", "b"), template]}
    shares = connector.shares(delivery(first, {"id": WABA, "changes": [change("1", "c")]}))
    found = {share.own_id: json.loads(share.body)["entry"] for share in shares}
    said = {
        own_id: [one["value"]["messages"][0]["text"]["body"] for entry in entries for one in entry["changes"]]
        for own_id, entries in found.items()
        if own_id
    }
    assert said == {"1": ["a", "c"], "2": ["b"]}
    assert [entry["changes"] for entry in found[""]] == [[template]]
    assert all(entry["time"] == 1790000600 for entry in found[""])


def test_a_delivery_for_one_number_stays_as_it_came() -> None:
    (share,) = connector.shares(RawRequest("POST", {}, body_of("text_broken_emoji")))
    assert (share.own_id, share.body) == (NUMBER, body_of("text_broken_emoji"))


def test_broken_emoji_survive_a_shared_delivery() -> None:
    broken = json.loads(body_of("text_broken_emoji"))["entry"][0]
    shares = connector.shares(delivery(broken, {"id": WABA, "changes": [change("2")]}))
    (event,) = connector.parse(RawRequest("POST", {}, shares[0].body), at_meta())
    assert isinstance(event, MessageReceived)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"entry":[]}'])
def test_a_shared_delivery_that_is_none_is_malformed(body: bytes) -> None:
    with pytest.raises(errors.MalformedPayload):
        connector.shares(RawRequest("POST", {}, body))


def test_affairs_of_another_business_account_are_not_ours() -> None:
    """Behind one app there may be several."""
    value = {"event": "APPROVED", "message_template_id": 1, "message_template_name": "a", "message_template_language": "de"}
    changes = [{"field": "message_template_status_update", "value": value}]
    (theirs,) = connector.parse(delivery({"id": "99", "changes": changes}), at_meta())
    (ours,) = connector.parse(delivery({"id": WABA, "changes": changes}), at_meta())
    assert (type(theirs).__name__, type(ours).__name__) == ("Unrecognised", "TemplateChanged")


# --- parse ------------------------------------------------------------------------------------------------------------


def test_the_same_decision_at_another_time_is_another_event() -> None:
    """Approved, paused, approved again: a template's events have no id, but their entry has a time."""
    value = {"event": "APPROVED", "message_template_id": 1, "message_template_name": "a", "message_template_language": "de"}
    entries = [
        {"id": WABA, "time": time, "changes": [{"field": "message_template_status_update", "value": value}]}
        for time in (1790000600, 1790000900, 1790000600)
    ]
    assert len(connector.parse(delivery(*entries), THROUGH_360DIALOG)) == 2


def test_the_same_error_on_another_day_is_another_one() -> None:
    body = body_of("errors")
    days = [RECEIVED, RECEIVED.replace(hour=20), RECEIVED.replace(day=2)]
    keys = [connector.parse(RawRequest("POST", {}, body, day), THROUGH_360DIALOG)[0].key for day in days]
    assert keys[0] == keys[1] != keys[2]


def test_an_announced_category_is_not_applied_early() -> None:
    """Test checklist, 26."""
    told = SAMPLES.folder / "template_category_planned.events.json"
    assert "category" not in json.loads(told.read_text("utf-8"))[0]


# --- split ------------------------------------------------------------------------------------------------------------


def test_a_visible_sign_is_never_cut() -> None:
    """10: an astronaut is three characters, a flag two, and neither is halved."""
    for sign in ("👩‍🚀", "🇩🇪", "👍🏽", "e\u0301"):
        parts = texts(connector.split(Text(text=sign * 3000)))
        assert "".join(parts) == sign * 3000
        assert all(len(part) % len(sign) == 0 and len(part) <= 4096 for part in parts)


def test_a_long_question_keeps_its_answers_at_the_end() -> None:
    question = Choice(text=Text(text="Wort " * 1200), options=(Option(id="1", label="Ja"),))
    *before, last = connector.split(question)
    assert all(isinstance(part, Text) for part in before) and isinstance(last, Choice)
    assert len(last.text.text) <= 1024 and last.options == question.options
    said = " ".join([*texts(before), last.text.text])
    assert said.split() == ["Wort"] * 1200


# --- the table of codes (15) ------------------------------------------------------------------------------------------


def test_no_code_has_two_meanings() -> None:
    groups = [frozenset(WAITS), frozenset(PAUSED), UNCLEAR, FINAL]
    assert sum(len(group) for group in groups) == len(frozenset().union(*groups))


@pytest.mark.parametrize("cause", sorted(set(PAUSED.values()) | {"disabled", "busy", "error"}))
def test_every_cause_has_words(cause: str) -> None:
    for language in ("de", "en"):
        words = json.loads((SAMPLES.folder.parent / f"words.{language}.json").read_text("utf-8"))
        assert words[f"channel.whatsapp.health.{cause}"]


def test_every_cause_of_a_sample_has_words() -> None:
    words = json.loads((SAMPLES.folder.parent / "words.de.json").read_text("utf-8"))
    told = {event["cause"] for sample in SAMPLES.inbound() for event in sample.events if event["event"] == "ChannelHealth"}
    assert {cause for cause in told if f"channel.whatsapp.health.{cause}" not in words} == set()


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "api_key"),
        ({"provider": "meta"}, "access_token"),
        ({k: v for k, v in META.items() if k != "app_secret"}, "app_secret"),
        ({k: v for k, v in META.items() if k != "waba_id"}, "waba_id"),
        ({**META, "app_id": "12ab"}, "app_id"),
        ({"api_key": "ein schlüssel"}, "api_key"),
        ({"api_key": SETTINGS["api_key"], "base_url": "https://waba.360dialog.io/v1"}, "base_url"),
        ({"api_key": SETTINGS["api_key"], "list_button": "x" * 21}, "list_button"),
        ({"api_key": SETTINGS["api_key"], "provider": "twilio"}, "provider"),
    ],
)
def test_what_is_missing_or_wrong_names_its_field(values: dict[str, str], field: str) -> None:
    """R-181: the list of missing fields depends on whose interface is used."""
    with pytest.raises(ValueError) as failure:
        WhatsAppSettings.model_validate(values)
    assert next(error["loc"] for error in failure.value.errors()) == (field,)  # type: ignore[attr-defined]


def test_what_one_road_does_not_need_may_stay_empty() -> None:
    settings = WhatsAppSettings.model_validate({"api_key": f" {SETTINGS['api_key']} ", "provider": " 360Dialog ", "app_secret": ""})
    assert settings.root == "https://waba-v2.360dialog.io" and settings.app_secret is None
    assert WhatsAppSettings.model_validate(META).root == "https://graph.facebook.com"


# --- the road through Meta --------------------------------------------------------------------------------------------

FOUND = {
    "id": NUMBER,
    "display_phone_number": "+49 30 23125042",
    "verified_name": "Muster Optik",
    "quality_rating": "GREEN",
    "throughput": {"level": "HIGH"},
    "health_status": {"can_send_message": "AVAILABLE"},
}
FIELDS = "id%2Cdisplay_phone_number%2Cverified_name%2Cquality_rating%2Cthroughput%2Chealth_status"


def get(path: str, answer: Any, status: int = 200) -> dict[str, Any]:
    return {"method": "GET", "url": f"{GRAPH}/{path}", "headers": BEARER, "answer": {"status": status, "json": answer}}


def post(path: str, answer: Any, status: int = 200, **more: Any) -> dict[str, Any]:
    call = {"method": "POST", "url": f"{GRAPH}/{path}", "headers": BEARER, "answer": {"status": status, "json": answer}}
    return call | more


def graph_error(code: int, text: str = "x") -> dict[str, Any]:
    return {"error": {"message": text, "type": "OAuthException", "code": code}}


async def test_a_message_goes_to_the_number_with_the_token() -> None:
    row = next(row for row in SAMPLES.table("outbound") if row["name"] == "text")
    call = {**row["calls"][0], "url": f"{GRAPH}/{NUMBER}/messages", "headers": BEARER}
    async with client() as http:
        with provider(SAMPLES, [call]):
            receipt = await connector.send(permit(), outbound_action(row), at_meta(), http)
    assert receipt.keys == tuple(row["receipt"]["keys"])


def subscription(status: int = 200, answer: Any = None) -> dict[str, Any]:
    call = post(f"{APP}/subscriptions", {"success": True} if answer is None else answer, status)
    return {**call, "headers": OF_APP}


async def set_up(*calls: dict[str, Any], own_id: str = "") -> SetupResult:
    account = at_meta()
    account = Account(channel_id=CHANNEL, settings=account.settings, own_id=own_id, webhook_secrets=account.webhook_secrets)
    async with client() as http:
        with provider(SAMPLES, list(calls)):
            return await connector.setup(account, CALLBACK, http)


async def test_set_up_at_meta_registers_the_app_and_subscribes_the_business_account() -> None:
    """1.2; the number's raised throughput becomes its limit (14)."""
    result = await set_up(
        get(f"{NUMBER}?fields={FIELDS}", FOUND), subscription(), post(f"{WABA}/subscribed_apps", {"success": True})
    )
    assert (result.own_id, result.address, result.title) == (NUMBER, "+49 30 23125042", "Muster Optik")
    assert result.per_second == 1000.0


@pytest.mark.parametrize(
    ("calls", "field"),
    [
        ([get(f"{NUMBER}?fields={FIELDS}", graph_error(190), 401)], "access_token"),
        ([get(f"{NUMBER}?fields={FIELDS}", graph_error(100), 400)], "phone_number_id"),
        ([get(f"{NUMBER}?fields={FIELDS}", FOUND), subscription(401, graph_error(190))], "app_secret"),
        (
            [get(f"{NUMBER}?fields={FIELDS}", FOUND), subscription(), post(f"{WABA}/subscribed_apps", graph_error(100), 400)],
            "waba_id",
        ),
    ],
)
async def test_what_meta_refuses_names_the_field_to_mend(calls: list[dict[str, Any]], field: str) -> None:
    with pytest.raises(errors.CredentialsRejected) as failure:
        await set_up(*calls)
    assert failure.value.field == field


async def test_another_number_than_the_one_connected_is_refused() -> None:
    with pytest.raises(errors.CredentialsRejected) as failure:
        await set_up(get(f"{NUMBER}?fields={FIELDS}", FOUND), own_id="1")
    assert (failure.value.field, failure.value.reason) == ("phone_number_id", "another_number")


async def test_an_address_that_meta_cannot_reach_is_refused_in_its_words() -> None:
    with pytest.raises(errors.Rejected) as failure:
        refusal = graph_error(2200, "Callback verification failed")
        await set_up(get(f"{NUMBER}?fields={FIELDS}", FOUND), subscription(400, refusal))
    assert failure.value.provider_text == "Callback verification failed"


@pytest.mark.parametrize(("numbers", "leaves"), [([NUMBER], True), ([NUMBER, "2"], False)])
async def test_leaving_meta_spares_other_numbers_of_the_business_account(numbers: list[str], leaves: bool) -> None:
    calls = [get(f"{WABA}/phone_numbers?fields=id", {"data": [{"id": one} for one in numbers]})]
    gone = {"method": "DELETE", "url": f"{GRAPH}/{WABA}/subscribed_apps", "answer": {"status": 200, "json": {"success": True}}}
    async with client() as http:
        with provider(SAMPLES, calls + [gone] * leaves):
            await connector.teardown(at_meta(), http)


class Sink:
    def __init__(self) -> None:
        self.content = b""

    async def write(self, piece: bytes) -> None:
        self.content += piece


async def fetch(url: str, *, calls: int = 2) -> bytes:
    resolved = {**get(f"77?phone_number_id={NUMBER}", {"id": "77", "url": url, "mime_type": "image/jpeg"})}
    file = {"method": "GET", "url": url, "headers": BEARER, "answer": {"status": 200, "text": "Inhalt"}}
    sink = Sink()
    async with client() as http:
        with provider(SAMPLES, [resolved, file][:calls]):
            await connector.fetch("77", at_meta(), http, sink)
    return sink.content


@pytest.mark.parametrize("host", ["lookaside.fbsbx.com", "scontent-ber1-1.xx.fbcdn.net"])
async def test_a_file_is_fetched_from_metas_servers(host: str) -> None:
    assert await fetch(f"https://{host}/whatsapp_business/attachments/?mid=77&ext=1&hash=a") == b"Inhalt"


@pytest.mark.parametrize(
    "url", ["https://evil.example/a", "http://lookaside.fbsbx.com/a", "https://lookaside.fbsbx.com.evil.example/a", "x", ""]
)
async def test_the_token_goes_to_no_other_server(url: str) -> None:
    """9: never a bearer token to a host outside the list."""
    with pytest.raises(errors.Unavailable):
        await fetch(url, calls=1)


# --- templates (12) ---------------------------------------------------------------------------------------------------

BODY = {"type": "BODY", "text": "Hallo {{first_name}}, fertig."}
RECORD = TemplateRecord(provider_id="", name="order_ready", language="de", category="utility", status="", components=(BODY,))


async def test_metas_list_is_read_through_every_page() -> None:
    one = {"id": "1", "name": "a", "language": "de", "category": "UTILITY", "status": "APPROVED", "components": [BODY]}
    pages = [
        get(f"{WABA}/message_templates?limit=100", {"data": [one], "paging": {"cursors": {"after": "MQ"}, "next": "https://…"}}),
        get(f"{WABA}/message_templates?limit=100&after=MQ", {"data": [{**one, "id": "2"}], "paging": {"cursors": {"after": "x"}}}),
    ]
    async with client() as http:
        with provider(SAMPLES, pages):
            found = await connector.list_templates(at_meta(), http)
    assert [(one.provider_id, one.status, one.category, one.components) for one in found] == [
        ("1", "approved", "utility", (BODY,)),
        ("2", "approved", "utility", (BODY,)),
    ]


async def test_360dialogs_list_is_read_through_every_page_and_by_metas_id() -> None:
    """Test checklist, 25: its status is in lower case."""
    root = "https://waba-v2.360dialog.io/v1/configs/templates"
    one = {"id": "x", "external_id": "1", "name": "a", "language": "de", "category": "UTILITY", "status": "approved"}
    bad = {"id": "9", "name": "b", "language": "de", "category": "MARKETING", "status": "rejected", "rejected_reason": "SCAM"}
    pages = [
        {"method": "GET", "url": f"{root}?limit=100", "answer": {"status": 200, "json": {"waba_templates": [one], "total": 2}}},
        {
            "method": "GET",
            "url": f"{root}?limit=100&offset=1",
            "answer": {"status": 200, "json": {"waba_templates": [bad], "total": 2}},
        },
    ]
    async with client() as http:
        with provider(SAMPLES, pages):
            found = await connector.list_templates(THROUGH_360DIALOG, http)
    assert [(one.provider_id, one.status, one.reason) for one in found] == [("1", "approved", ""), ("9", "rejected", "SCAM")]


async def test_a_template_is_submitted_with_named_places() -> None:
    wanted = {"name": "order_ready", "language": "de", "category": "UTILITY", "components": [BODY], "parameter_format": "NAMED"}
    answer = {"id": "1503377264118890", "status": "PENDING", "category": "MARKETING"}
    async with client() as http:
        with provider(SAMPLES, [post(f"{WABA}/message_templates", answer, json=wanted)]):
            made = await connector.create_template(RECORD, at_meta(), http)
    assert (made.provider_id, made.status, made.category, made.name) == ("1503377264118890", "pending", "marketing", "order_ready")


async def test_a_refused_template_says_why() -> None:
    refusal = {
        "error": {"message": "Invalid parameter", "code": 100, "error_subcode": 2388299, "error_user_msg": "Leading variable"}
    }
    async with client() as http:
        with provider(SAMPLES, [post(f"{WABA}/message_templates", refusal, 400)]), pytest.raises(errors.Rejected) as failure:
            await connector.create_template(RECORD, at_meta(), http)
    assert failure.value.provider_text == "Leading variable"


@pytest.mark.parametrize("gone", [False, True])
async def test_a_template_is_deleted_or_was_before(gone: bool) -> None:
    kept = TemplateRecord(provider_id="7", name="order_ready", language="de", category="utility", status="approved")
    answer = {"status": 404, "json": graph_error(100)} if gone else {"status": 200, "json": {"success": True}}
    at_360dialog = "https://waba-v2.360dialog.io/v1/configs/templates/order_ready"
    async with client() as http:
        url = f"{GRAPH}/{WABA}/message_templates?name=order_ready&hsm_id=7"
        with provider(SAMPLES, [{"method": "DELETE", "url": url, "answer": answer}]):
            await connector.delete_template(kept, at_meta(), http)
        with provider(SAMPLES, [{"method": "DELETE", "url": at_360dialog, "answer": answer}]):
            await connector.delete_template(kept, THROUGH_360DIALOG, http)


# --- health -----------------------------------------------------------------------------------------------------------

OURS = f"https://hub.example.org/hooks/whatsapp/{ids.show('chn', CHANNEL)}"
SUBSCRIBED = {"data": [{"whatsapp_business_api_data": {"id": APP, "name": "Hub"}}]}
BLOCKED = {
    "can_send_message": "BLOCKED",
    "entities": [{"entity_type": "WABA", "errors": [{"error_code": 131042, "error_description": "Payment method is missing"}]}],
}


async def told(account: Account[Any], *calls: dict[str, Any]) -> list[tuple[str, str]]:
    async with client() as http:
        with provider(SAMPLES, list(calls)):
            events = await connector.check(account, http)
    assert all(isinstance(event, ChannelHealth) for event in events)
    return [(event.level, event.cause) for event in events if isinstance(event, ChannelHealth)]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ({}, [("ok", "available")]),
        ({"quality_rating": "RED"}, [("warning", "quality")]),
        ({"health_status": BLOCKED}, [("attention", "payment")]),
        (
            {"health_status": {"can_send_message": "LIMITED"}, "quality_rating": "YELLOW"},
            [("warning", "limited"), ("warning", "quality")],
        ),
    ],
)
async def test_the_number_says_how_it_is(number: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """R-205: quality and limits as far as the provider gives them."""
    calls = [get(f"{NUMBER}?fields={FIELDS}", FOUND | number), get(f"{WABA}/subscribed_apps", SUBSCRIBED)]
    assert await told(at_meta(), *calls) == expected


async def test_a_subscription_that_was_lost_is_made_anew() -> None:
    calls = [get(f"{NUMBER}?fields={FIELDS}", FOUND), get(f"{WABA}/subscribed_apps", {"data": []})]
    assert await told(at_meta(), *calls, post(f"{WABA}/subscribed_apps", {"success": True})) == [
        ("warning", "subscription_renewed")
    ]


@pytest.mark.parametrize(
    ("url", "expected"), [(OURS, ("ok", "available")), ("https://other.example/", ("warning", "webhook_elsewhere"))]
)
async def test_at_360dialog_somebody_may_have_pointed_the_number_elsewhere(url: str, expected: tuple[str, str]) -> None:
    """1.1: the stored address shows it."""
    root = "https://waba-v2.360dialog.io"
    fields = "display_phone_number%2Cverified_name%2Cquality_rating"
    calls = [
        {"method": "GET", "url": f"{root}/health_status?fields={fields}", "answer": {"status": 200, "json": FOUND}},
        {"method": "GET", "url": f"{root}/v1/configs/webhook", "answer": {"status": 200, "json": {"url": url}}},
    ]
    assert await told(THROUGH_360DIALOG, *calls) == [expected]
