"""Signal: what the conformance suite cannot show. The wrapper's road to the byte, its refusals, odd answers that must not be lost,
splitting, and what the account is asked now and then."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import httpx
import pytest
import respx

from hub.connectors import errors
from hub.connectors.contract import Account, RawRequest
from hub.connectors.events import Album, ChannelHealth, Media, MessageReceived, Sender, Span, Text
from hub.connectors.http import connector_client
from hub.connectors.signal.connector import connector
from hub.connectors.signal.samples import SETTINGS
from hub.connectors.signal.settings import SignalSettings
from hub.connectors.signal.split import LARGEST_FILES, MOST_FILES, split_content
from hub.connectors.signal.text import read_text, size_of, write_styles
from tests.connectors.samples import FilesOfOurs, outbound_action, permit

BASE = "https://signal-cli.example"
UUID_ = "1a2b3c4d-0000-4000-8000-000000000001"
NUMBER = "+4971311234567"
SENT_AT = 1771232500123


def account(**changes: Any) -> Account[SignalSettings]:
    settings = SignalSettings.model_validate(SETTINGS | {"road": "rest"} | changes)
    return Account(channel_id=UUID(int=1), settings=settings, own_id=NUMBER, webhook_secrets=("unused",))


async def send(row: dict[str, Any], **changes: Any) -> Any:
    action = outbound_action({"address": UUID_, **row}, FilesOfOurs(row.get("files", {})))
    async with connector_client(frozenset()) as http:
        return await connector.send(permit(), action, account(**changes), http)


# --- the wrapper's road -----------------------------------------------------------------------------------------------

OWN = "%2B4971311234567"
SAID = {"number": NUMBER, "recipients": [UUID_], "message": "Ja, bis 18 Uhr.", "text_mode": "normal"}
THEIRS = f"m:{UUID_}:1771232401123"


@pytest.mark.parametrize(
    ("row", "method", "path", "body", "status"),
    [
        ({"text": "Ja, bis 18 Uhr."}, "POST", "/v2/send", SAID, 201),
        (
            {"text": "Ja, bis 18 Uhr.", "reply_to_key": THEIRS},
            "POST",
            "/v2/send",
            SAID | {"quote_timestamp": 1771232401123, "quote_author": UUID_},
            201,
        ),
        (
            {
                "content": {"content": "Media", "kind": "image", "ref": "f1", "size": 3},
                "files": {"f1": {"name": "Größe;50%.png", "mime": "image/png", "holds": "abc"}},
            },
            "POST",
            "/v2/send",
            SAID | {"message": "", "base64_attachments": ["data:image/png;filename=Größe_50%.png;base64,YWJj"]},
            201,
        ),
        (
            {"action": "EditMessage", "target_key": "o:1771232400999", "text": "Ja, bis 18 Uhr."},
            "POST",
            "/v2/send",
            SAID | {"edit_timestamp": 1771232400999},
            201,
        ),
        (
            {"action": "DeleteMessage", "target_keys": ["o:1771232400999"]},
            "DELETE",
            f"/v1/remote-delete/{OWN}",
            {"recipient": UUID_, "timestamp": 1771232400999},
            201,
        ),
        (
            {"action": "React", "target_key": THEIRS, "emoji": "👍"},
            "POST",
            f"/v1/reactions/{OWN}",
            {"recipient": UUID_, "reaction": "👍", "target_author": UUID_, "timestamp": 1771232401123},
            204,
        ),
        (
            {"action": "React", "target_key": "o:1771232400999", "emoji": ""},
            "DELETE",
            f"/v1/reactions/{OWN}",
            {"recipient": UUID_, "reaction": "👍", "target_author": NUMBER, "timestamp": 1771232400999},
            204,
        ),
        (
            {"action": "MarkRead", "target_key": THEIRS},
            "POST",
            f"/v1/receipts/{OWN}",
            {"recipient": UUID_, "receipt_type": "read", "timestamp": 1771232401123},
            204,
        ),
        ({"action": "ShowTyping"}, "PUT", f"/v1/typing-indicator/{OWN}", {"recipient": UUID_}, 204),
    ],
)
@respx.mock
async def test_an_action_is_one_request(row: dict[str, Any], method: str, path: str, body: Any, status: int) -> None:
    answer = b"" if status == 204 else json.dumps([{"timestamp": str(SENT_AT)}]).encode()
    route = respx.route(method=method, path=unquote(path)).respond(status, content=answer)
    receipt = await send(row)
    request = route.calls.last.request
    assert str(request.url) == f"{BASE}{path}" and json.loads(request.content) == body
    assert request.headers["authorization"] == SETTINGS["authorization"]
    is_message = "action" not in row
    assert receipt.keys == ((f"o:{SENT_AT}",) if is_message else ())


@pytest.mark.parametrize("answer", [{"timestamp": SENT_AT}, {"timestamp": str(SENT_AT)}, [{"timestamp": str(SENT_AT)}]])
@respx.mock
async def test_a_timestamp_is_read_as_each_version_writes_it(answer: Any) -> None:
    respx.post(f"{BASE}/v2/send").respond(201, json=answer)
    assert (await send({"text": "Hallo"})).keys == (f"o:{SENT_AT}",)


LIMITED = (
    '{"timestamp":0,"results":[{"recipientAddress":{"uuid":"x"},"type":"RATE_LIMIT_FAILURE","retryAfterSeconds":3600}]}\nFailed'
)
ASKED = '{"results":[{"type":"RATE_LIMIT_FAILURE","token":"a1b2-token","retryAfterSeconds":3600}]}\nFailed to send'
FOR_PEOPLE = (
    'Failed to send (some) messages:\nCAPTCHA proof required for sending to "+49…", available options "CAPTCHA" '
    'with challenge token "a1b2-token", or wait "3600" seconds.'
)


@pytest.mark.parametrize(
    ("status", "body", "error", "told"),
    [
        (400, {"error": 'Unregistered user "+4915799999999"'}, errors.Unreachable, {}),
        (400, {"error": "The user +4915799999999 is not registered."}, errors.Unreachable, {}),
        (400, {"error": f"User {NUMBER} is not registered."}, errors.AuthFailed, {}),
        (400, {"error": "Specified account does not exist"}, errors.AuthFailed, {}),
        (400, {"error": "[401] Authorization failed!"}, errors.AuthFailed, {}),
        (400, {"error": "Unable to complete request due to untrusted recipient keys"}, errors.Rejected, {}),
        (400, {"error": 'Untrusted Identity for "+49…"'}, errors.Rejected, {}),
        (400, {"error": LIMITED}, errors.RateLimited, {"retry_after": 3600.0}),
        (400, {"error": 'Rate limit failure for "+49…", retry after 60 seconds'}, errors.RateLimited, {"retry_after": 60.0}),
        (400, {"error": ASKED}, errors.AccountPaused, {"cause": "captcha_needed", "provider_text": "challenge token a1b2-token"}),
        (400, {"error": FOR_PEOPLE}, errors.AccountPaused, {"provider_text": "challenge token a1b2-token"}),
        (429, {"error": "limited", "challenge_tokens": ["a1b2-token"]}, errors.AccountPaused, {"cause": "captcha_needed"}),
        (429, {"error": "limited", "challenge_tokens": [""]}, errors.RateLimited, {"retry_after": 300.0}),
        (429, {"error": "limited", "challenge_tokens": 5}, errors.RateLimited, {"retry_after": 300.0}),
        (400, {"error": 'Network failure for "+49…"'}, errors.OutcomeUnknown, {}),
        (400, {"error": "process killed as timeout reached"}, errors.OutcomeUnknown, {}),
        (400, {"error": "No prekeys available"}, errors.Unavailable, {}),
        (400, {"error": "Couldn't process request - invalid request"}, errors.Rejected, {}),
        (500, {"error": "Couldn't read"}, errors.OutcomeUnknown, {}),
        (401, {}, errors.AuthFailed, {}),
        (404, {}, errors.Unavailable, {}),
        (502, {}, errors.OutcomeUnknown, {}),
        (201, {}, errors.OutcomeUnknown, {"provider_code": "unreadable_answer"}),
        (201, [{"timestamp": "1", "errors": {"recipients": [{"reason": "IDENTITY_FAILURE"}]}}], errors.Rejected, {}),
        (201, [{"timestamp": "1", "errors": {"recipients": [{"reason": "UNREGISTERED_FAILURE"}]}}], errors.Unreachable, {}),
    ],
)
@respx.mock
async def test_what_the_wrapper_says_went_wrong(status: int, body: Any, error: type[errors.SendError], told: Any) -> None:
    """Provider file, 6: the wrapper passes on words where the daemon has numbers."""
    respx.post(f"{BASE}/v2/send").respond(status, json=body)
    with pytest.raises(errors.SendError) as failure:
        await send({"text": "Hallo"})
    assert type(failure.value) is error
    assert {name: getattr(failure.value, name) for name in told} == told


@respx.mock
async def test_without_a_proxy_no_authorization_goes_out() -> None:
    route = respx.post(f"{BASE}/v2/send").respond(201, json={"timestamp": SENT_AT})
    await send({"text": "Hallo"}, authorization="")
    assert "authorization" not in route.calls.last.request.headers


# --- nothing that was handed out may be lost --------------------------------------------------------------------------


async def poll(answer: httpx.Response, road: str = "rest") -> list[bytes]:
    with respx.mock:
        respx.route(host="signal-cli.example").mock(return_value=answer)
        async with connector_client(frozenset()) as http:
            return [request.body for request in (await connector.poll(account(road=road), http, "")).requests]


async def test_the_wrapper_is_asked_for_a_few_at_a_time() -> None:
    with respx.mock:
        route = respx.route(host="signal-cli.example").respond(json=[])
        async with connector_client(frozenset()) as http:
            await connector.poll(account(), http, "")
    assert str(route.calls.last.request.url) == f"{BASE}/v1/receive/{OWN}?timeout=2&max_messages=20"
    assert route.calls.last.request.extensions["timeout"]["read"] == 100.0


@pytest.mark.parametrize("road", ["rest", "daemon"])
async def test_a_list_that_cannot_be_read_is_kept_as_a_whole(road: str) -> None:
    """signal-cli prints a line between; what came with it will not come again. It is a dead letter, to be read by somebody."""
    odd = b'[{"envelope":{}},WARN something\n]'
    (kept,) = await poll(httpx.Response(200, content=odd), road)
    assert kept == odd
    with pytest.raises(errors.MalformedPayload):
        connector.parse(RawRequest("POST", {}, kept), account())


@pytest.mark.parametrize(
    ("status", "content", "error"),
    [
        (400, b'Bad Request\n{"error":"websocket: the client is not using the websocket protocol"}', errors.TakenElsewhere),
        (400, b'{"error":"User +4971311234567 is not registered."}', errors.AuthFailed),
        (400, b"Bad Request", errors.Unavailable),
        (200, b"<html>", errors.Unavailable),
        (200, b'{"error":{"code":-3,"message":"timeout"}}', errors.Unavailable),
    ],
)
async def test_a_poll_that_brings_nothing(status: int, content: bytes, error: type[errors.SendError]) -> None:
    with pytest.raises(errors.SendError) as failure:
        await poll(httpx.Response(status, content=content))
    assert type(failure.value) is error


def test_nobody_delivers_to_us() -> None:
    with pytest.raises(errors.SignatureInvalid):
        connector.verify(RawRequest("POST", {}, b"{}"), account())


# --- text and files ---------------------------------------------------------------------------------------------------


def test_positions_count_utf16_units() -> None:
    text = Text(text="😀 ja, genau", spans=(Span(start=0, end=1, style="bold"), Span(start=2, end=4, style="code")))
    assert write_styles(text) == ["0:2:BOLD", "3:2:MONOSPACE"]
    styles = [{"style": "BOLD", "start": 0, "length": 2}, {"style": "MONOSPACE", "start": 3, "length": 2}]
    assert read_text(text.text, {"textStyles": [*styles, {"style": "BOLD", "start": 1, "length": 1}]}) == text


def test_two_mentions_move_what_stands_behind_them() -> None:
    about = {
        "mentions": [{"name": "Al", "start": 3, "length": 1}, {"name": "Bo Berg", "start": 9, "length": 1}],
        "textStyles": [{"style": "BOLD", "start": 5, "length": 3}, {"style": "ITALIC", "start": 11, "length": 2}],
    }
    text = read_text("Hi \ufffc und \ufffc da", about)
    assert text.text == "Hi @Al und @Bo Berg da"
    assert [(text.text[span.start : span.end], span.style) for span in text.spans] == [("und", "bold"), ("da", "italic")]


def test_a_mention_where_no_place_was_left_for_it_changes_nothing() -> None:
    assert read_text("Hallo", {"mentions": [{"name": "Al", "start": 1, "length": 1}]}) == Text(text="Hallo")


def test_many_files_go_as_few_messages() -> None:
    items = tuple(Media(kind="image", ref=str(number), size=1) for number in range(MOST_FILES + 1))
    first, rest = split_content(Album(items=items, caption=Text(text="Alle")))
    assert isinstance(first, Album) and len(first.items) == MOST_FILES and first.caption == Text(text="Alle")
    assert isinstance(rest, Media) and rest.caption is None


def test_files_that_do_not_fit_together_go_apart() -> None:
    items = tuple(Media(kind="video", ref=str(number), size=LARGEST_FILES // 2 + 1) for number in range(2))
    assert [type(part) for part in split_content(Album(items=items))] == [Media, Media]


def test_a_long_text_of_a_file_follows_behind_it() -> None:
    words = Text(text="ä" * 1500)
    parts = split_content(Media(kind="image", ref="f", size=1, caption=words))
    assert isinstance(parts[0], Media) and parts[0].caption is None
    assert "".join(part.text for part in parts[1:] if isinstance(part, Text)) == words.text
    assert all(size_of(part.text) <= 2000 for part in parts[1:] if isinstance(part, Text))


# --- people and the account -------------------------------------------------------------------------------------------


async def test_somebody_found_by_number_is_the_one_who_writes_later() -> None:
    """The number is an alias of the uuid: by it the same person is found again."""
    with respx.mock:
        respx.get(f"{BASE}/v1/search/{OWN}").respond(json=[{"number": "+4915112345678", "registered": True}])
        async with connector_client(frozenset()) as http:
            found = await connector.find("+4915112345678", account(), http)
    assert found == Sender(provider_user_id="+4915112345678", phone="+4915112345678")
    source = {"sourceUuid": UUID_, "sourceNumber": "+4915112345678", "timestamp": 1771232401123}
    body = json.dumps({"envelope": source | {"dataMessage": {"message": "Hallo"}}}).encode()
    (event,) = connector.parse(RawRequest("POST", {}, body), account())
    assert isinstance(event, MessageReceived) and found.provider_user_id in event.sender.aliases


def calls(*answers: tuple[str, Any]) -> Callable[[httpx.Request], httpx.Response]:
    """The daemon as a script: method and result, or an error."""
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        method, result = left.pop(0)
        assert json.loads(request.content)["method"] == method
        return httpx.Response(200, json={"jsonrpc": "2.0", "id": "x", "result": result})

    return answer


KNOWN = (("version", {"version": "0.14.6"}), ("listAccounts", [{"number": NUMBER}]))


@pytest.mark.parametrize(
    ("is_registered", "levels", "expected"),
    [
        (True, ["TRUSTED_UNVERIFIED", "TRUSTED_VERIFIED"], ("ok", "registered", "")),
        (True, ["TRUSTED_UNVERIFIED", "UNTRUSTED"], ("warning", "untrusted_identity", "+491501")),
        (False, [], ("attention", "not_registered", "")),
    ],
)
async def test_the_account_is_asked_how_it_is(is_registered: bool, levels: list[str], expected: tuple[str, str, str]) -> None:
    listed = [{"number": f"+49150{place}", "uuid": "u", "trustLevel": level} for place, level in enumerate(levels)]
    status = ("getUserStatus", [{"isRegistered": is_registered}])
    with respx.mock:
        respx.post(f"{BASE}/api/v1/rpc").mock(side_effect=calls(*KNOWN, status, ("listIdentities", listed)))
        async with connector_client(frozenset()) as http:
            (event,) = await connector.check(account(road="daemon"), http)
    assert isinstance(event, ChannelHealth) and (event.level, event.cause, event.text) == expected
    assert event.only_warnings or event.level != "ok"  # nobody can know that a captcha is wanted no more


async def test_an_address_of_our_own_network_is_refused_unless_the_operator_trusts_it() -> None:
    settings = account(road="daemon", base_url="http://signal-cli:8080")
    async with connector_client(frozenset()) as http:
        with pytest.raises(errors.CredentialsRejected) as failure:
            await connector.setup(settings, None, http)
    assert (failure.value.field, failure.value.reason) == ("base_url", "not_trusted")


@pytest.mark.parametrize("url", ["signal-cli:8080", "ftp://x", "http://a:b@x", "http://x/?y=1", "http://", "http://x/{y}"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        SignalSettings.model_validate(SETTINGS | {"base_url": url})


@pytest.mark.parametrize(("typed", "kept"), [("+49 7131 123-4567", NUMBER), ("+49 (7131) 1234567", NUMBER)])
def test_a_number_may_be_typed_with_space(typed: str, kept: str) -> None:
    assert SignalSettings.model_validate(SETTINGS | {"number": typed}).number == kept
