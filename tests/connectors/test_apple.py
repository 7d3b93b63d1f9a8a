"""What only Apple Messages for Business has: tokens with the decoded secret, packed bodies, sealed files, splitting."""

import gzip
import time
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import jwt
import orjson
import pytest
import respx
from pydantic import SecretStr

from hub.connectors.apple import payloads
from hub.connectors.apple.answers import read_answer
from hub.connectors.apple.connector import connector
from hub.connectors.apple.samples import SECRETS, SETTINGS, sign
from hub.connectors.apple.sealing import machine, read_ref
from hub.connectors.apple.send import LARGEST_PICTURE, link_of
from hub.connectors.apple.settings import AppleSettings, key_of
from hub.connectors.contract import OutboundFile, OutboundMessage, RawRequest
from hub.connectors.errors import MalformedPayload, SignatureInvalid, UnsupportedContent
from hub.connectors.events import (
    Choice,
    Interactive,
    Media,
    MessageReceived,
    Option,
    Sheet,
    Slot,
    Text,
    TimeChoice,
    Unsupported,
)
from hub.connectors.sharing import SharesEndpoint
from tests.connectors.samples import ATTEMPT, PART, Samples, client, permit, texts

samples = Samples(connector)
VECTOR = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJodWItbXNwLTAwMDEiLCJpYXQiOjE3OTUxNjYxMDB9."
    "RE81EdtmermZe278TgxEO9BFjeXo6Ra4H1FV2MSzBIo"
)
ISSUED = 1795166100
SECRET_AS_TEXT = VECTOR.rpartition(".")[0] + ".q3xf5lofBbo5wZNMgLVxv-8l6kxe1TopcXiAMvD4KUo"
PERSON = "urn:mbid:AQAAYHubDemo0Ab3Tq/Xk+9sLr2Wm7Vn4Zp1Yc8Df5Gh6Jk3Qw0Er=="


def bearing(token: str, kind: str = "Bearer") -> RawRequest:
    return RawRequest("POST", {"authorization": f"{kind} {token}"}, b"{}")


# --- tokens (provider file, 2) ----------------------------------------------------------------------------------------


@pytest.fixture
def at_the_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute after the vector was made, for what reads the time and for the library."""
    monkeypatch.setattr(time, "time", lambda: ISSUED + 60.0)

    class Then(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.fromtimestamp(ISSUED + 60, tz)

    monkeypatch.setattr(jwt.api_jwt, "datetime", Then)


@pytest.mark.usefixtures("at_the_vector")
def test_the_vector_of_the_provider_file_passes() -> None:
    connector.verify(bearing(VECTOR), samples.account())
    connector.verify(bearing(VECTOR, "bearer"), samples.account())


@pytest.mark.usefixtures("at_the_vector")
@pytest.mark.parametrize("request_", [bearing(SECRET_AS_TEXT), bearing(VECTOR[:-2]), bearing(VECTOR, "Basic"), bearing("")])
def test_what_is_not_signed_with_the_bytes_of_the_secret_is_refused(request_: RawRequest) -> None:
    with pytest.raises(SignatureInvalid):
        connector.verify(request_, samples.account())


def token(secret: str = SECRETS[0], **claims: Any) -> str:
    key = AppleSettings.model_validate({**SETTINGS, "secret": secret}).secret
    return jwt.encode({"aud": "hub-msp-0001", "iat": int(time.time()), **claims}, key_of(key), algorithm="HS256")


def test_the_provider_may_be_one_of_several() -> None:
    connector.verify(bearing(token(aud=["another", "hub-msp-0001"])), samples.account())


def test_the_secret_before_is_taken_while_it_stands_in_the_form() -> None:
    connector.verify(bearing(token(SETTINGS["previous_secret"])), samples.account())
    account = samples.account()
    alone = account.settings.model_copy(update={"previous_secret": SecretStr("")})
    with pytest.raises(SignatureInvalid):
        connector.verify(bearing(token(SETTINGS["previous_secret"])), replace(account, settings=alone))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"iat": int(time.time()) - 3600 - 301},
        {"iat": int(time.time()) + 3600},
        {"iat": "gestern"},
    ],
    ids=["another provider", "too old", "of the future", "no time"],
)
def test_a_token_for_somebody_else_or_another_time_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(SignatureInvalid):
        connector.verify(bearing(token(**claims)), samples.account())


@pytest.mark.parametrize("missing", ["aud", "iat"])
def test_a_token_without_its_claims_is_refused(missing: str) -> None:
    claims = {"aud": "hub-msp-0001", "iat": int(time.time())}
    del claims[missing]
    signed = jwt.encode(claims, key_of(samples.account().settings.secret), algorithm="HS256")
    with pytest.raises(SignatureInvalid):
        connector.verify(bearing(signed), samples.account())


def test_an_unsigned_token_is_refused() -> None:
    plain = jwt.encode({"aud": "hub-msp-0001", "iat": int(time.time())}, "", algorithm="none")
    with pytest.raises(SignatureInvalid):
        connector.verify(bearing(plain), samples.account())


# --- what comes in ----------------------------------------------------------------------------------------------------


def told(**fields: Any) -> dict[str, Any]:
    return {"id": "5c2f0f0c-1d0e-4b55-9a31-7d5f0a5d1aff", "type": "text", "v": 1, "sourceId": PERSON, **fields}


def parse(body: bytes) -> list[Any]:
    return list(connector.parse(samples.kept(body), samples.account()))


def test_all_businesses_of_all_providers_share_the_address_that_apple_appends_to() -> None:
    assert isinstance(connector, SharesEndpoint)
    assert connector.endpoint(samples.account()) == "message"
    body = gzip.compress(orjson.dumps(told(body="Hallo", destinationId=SETTINGS["business_id"].upper())))
    (share,) = connector.shares(sign(body, SECRETS[0]))
    assert (share.own_id, share.body) == (SETTINGS["business_id"], body)
    with pytest.raises(MalformedPayload):
        connector.shares(sign(b"{}", SECRETS[0]))


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(MalformedPayload):
        parse(gzip.compress(b" " * (payloads.LARGEST + 1)))


def test_a_body_that_was_cut_off_is_malformed() -> None:
    whole = gzip.compress(orjson.dumps(told(body="Hallo")))
    for end in (2, len(whole) // 2, len(whole) - 1):
        with pytest.raises(MalformedPayload):
            parse(whole[:end])


def test_the_mark_of_a_file_is_not_shown() -> None:
    (event,) = parse(orjson.dumps(told(body="\ufffc Hallo \ufffc")))
    assert event.content == Text(text="Hallo")


def test_a_signature_in_hexadecimal_is_read_as_its_bytes() -> None:
    """It is valid base64 as well: Apple's most reported mistake (4)."""
    file = {"url": "u", "owner": "o", "key": "k", "signature": "81A1F2B3C4D5E6F708192A3B4C5D6E7F80", "mimeType": "image/png"}
    (event,) = parse(orjson.dumps(told(body="\ufffc", attachments=[file])))
    assert isinstance(event.content, Media)
    assert read_ref(event.content.ref).signature == "gaHys8TV5vcIGSo7TF1uf4A="


def test_a_tapback_that_quotes_stop_is_words() -> None:
    (event,) = parse(orjson.dumps(told(body="Loved “stop”")))
    assert isinstance(event, MessageReceived) and event.content == Text(text="Loved “stop”")


def answer(data: dict[str, Any]) -> Any:
    return read_answer({"bid": "b", "data": data})


@pytest.mark.parametrize(
    ("data", "content"),
    [
        ({"quick-reply": {"items": [{"identifier": "a", "title": "A"}], "selectedIndex": 0}}, Interactive(option="a", label="A")),
        ({"quick-reply": {"selectedIdentifier": "a"}}, Interactive(option="a", label="")),
        ({"quick-reply": {"items": [], "selectedIndex": 3}}, Unsupported(kind="quick-reply", summary="")),
        ({"listPicker": {"sections": []}}, Unsupported(kind="listPicker", summary="")),
        (
            {"event": {"timeslots": [{"identifier": "s", "startTime": "2026-11-24T23:30-0200"}]}},
            Interactive(option="s", label="2026-11-25 01:30 UTC"),
        ),
        ({"event": {"timeslots": [{"identifier": "s", "startTime": "bald"}]}}, Interactive(option="s", label="bald")),
        ({"event": {"timeslots": []}}, Unsupported(kind="event", summary="")),
        ({"dynamic": {"template": "messageForms", "selections": []}}, Sheet(kind="form", title="")),
        ({"version": "1.0", "spiel": {}, "replyMessage": {"title": "Zug"}}, Unsupported(kind="spiel", summary="Zug")),
    ],
)
def test_answers_and_their_edges(data: dict[str, Any], content: Any) -> None:
    assert answer(data) == content


# --- what goes out ----------------------------------------------------------------------------------------------------


def options(*labels: str, **more: str) -> tuple[Option, ...]:
    return tuple(Option(id=label[:1], label=label, **more) for label in labels)


def test_a_long_question_is_a_text_and_a_short_one() -> None:
    words = " ".join(f"Wort{number}" for number in range(900))
    *before, last = connector.split(Choice(text=Text(text=words), options=options("Ja", "Nein")))
    assert isinstance(last, Choice) and len(last.text.text) <= 200
    assert " ".join(part.strip() for part in [*texts(before), last.text.text]) == words
    slot = Slot(id="s", start=datetime(2026, 11, 24, 9, 30, tzinfo=UTC), minutes=30)
    *before, picker = connector.split(TimeChoice(text=Text(text=words), event_title="", slots=(slot,)))
    assert isinstance(picker, TimeChoice) and before


@pytest.mark.parametrize(
    "content",
    [
        Choice(text=Text(text=" "), options=options("Ja")),
        Choice(text=Text(text="?"), options=()),
        Choice(text=Text(text="?"), options=(Option(id="", label="Ja"),)),
        Choice(text=Text(text="?"), options=options(" ")),
        TimeChoice(text=Text(text="?"), event_title="", slots=(Slot(id="s", start=datetime(2026, 1, 1), minutes=30),)),  # noqa: DTZ001
        TimeChoice(text=Text(text="?"), event_title="", slots=(Slot(id="s", start=datetime(2026, 1, 1, tzinfo=UTC), minutes=0),)),
    ],
)
def test_questions_that_cannot_be_asked(content: Any) -> None:
    with pytest.raises(UnsupportedContent):
        connector.split(content)


def message(content: Any, content_of: bytes = b"Bytes", mime: str = "image/png", **more: Any) -> OutboundMessage:
    file = OutboundFile(name="a", mime=mime, size=len(content_of), open=lambda: BytesIO(content_of))
    return OutboundMessage(part_id=PART, attempt_id=ATTEMPT, address=PERSON, content=content, files={"f": file}, **more)


@pytest.mark.parametrize(
    ("words", "size", "mime", "is_link"),
    [
        ("https://radwerk.example/a?b=c", 10, "image/png", True),
        (" https://radwerk.example ", LARGEST_PICTURE, "image/jpeg", True),
        ("https://radwerk.example", LARGEST_PICTURE + 1, "image/png", False),
        ("https://radwerk.example", 10, "image/webp", False),
        ("http://radwerk.example", 10, "image/png", False),
        ("siehe https://radwerk.example", 10, "image/png", False),
        ("https://", 10, "image/png", False),
    ],
)
def test_which_pictures_are_a_rich_link(words: str, size: int, mime: str, is_link: bool) -> None:
    sent = message(Media(kind="image", ref="f", caption=Text(text=words)), b"x" * size, mime)
    assert bool(link_of(sent)) == is_link


@respx.mock
async def test_a_file_is_sealed_with_a_key_of_its_own() -> None:
    """The bytes at the storage open with the key in the message, and no two files have one key."""
    base = SETTINGS["base_url"]
    place = {"upload-url": "https://c.example/up", "mmcs-url": "https://c.example/M1", "mmcs-owner": "M1"}
    respx.get(f"{base}/v1/preUpload").respond(json=place)
    stored = respx.post("https://c.example/up").respond(json={"singleFile": {"fileChecksum": "c2ln", "size": 5}})
    sent = respx.post(f"{base}/v1/message").respond(200)
    keys = set()
    for _ in range(2):
        async with client() as http:
            media = Media(kind="document", ref="f", caption=Text(text="Beleg"))
            await connector.send(permit(), message(media, mime="application/pdf"), samples.account(), http)
        body = orjson.loads(sent.calls.last.request.content)
        (file,) = body["attachments"]
        assert body["body"] == "\ufffcBeleg"
        assert {name: file[name] for name in ("name", "mimeType", "size", "signature-base64", "url", "owner")} == {
            "name": "a",
            "mimeType": "application/pdf",
            "size": "5",
            "signature-base64": "c2ln",
            "url": "https://c.example/M1",
            "owner": "M1",
        }
        sealed = stored.calls.last.request.content
        assert machine(bytes.fromhex(file["key"].removeprefix("00"))).update(sealed) == b"Bytes"
        assert "authorization" not in stored.calls.last.request.headers
        keys.add(file["key"])
    assert len(keys) == 2
    claims = jwt.decode(
        sent.calls.last.request.headers["authorization"].removeprefix("Bearer "),
        key_of(samples.account().settings.secret),
        algorithms=["HS256"],
    )
    assert claims["iss"] == "hub-msp-0001" and isinstance(claims["iat"], int) and "exp" not in claims


def test_the_vector_of_the_seal() -> None:
    assert machine(bytes(range(32))).update(b"Hello Hub attachment").hex() == "baf56cda4569d7a5cbd3fb1ea94f14e89d3818da"


# --- the form ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("business_id", " 0B6F2A547B1C4C398F0D2F3F1C9F0A77 ", "0b6f2a54-7b1c-4c39-8f0d-2f3f1c9f0a77"),
        ("msp_id", " hub-msp-0001 ", "hub-msp-0001"),
        ("base_url", "https://mspgw.example/", "https://mspgw.example"),
    ],
)
def test_what_was_typed_is_put_in_order(name: str, value: str, kept: str) -> None:
    assert getattr(AppleSettings.model_validate({**SETTINGS, name: value}), name) == kept


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("business_id", "radwerk"),
        ("msp_id", "zwei worte"),
        ("secret", "kein base64"),
        ("secret", "a3Vyeg=="),
        ("secret", ""),
        ("previous_secret", "kein base64"),
        ("base_url", "ftp://mspgw.example"),
    ],
)
def test_what_cannot_be_right_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError):
        AppleSettings.model_validate({**SETTINGS, name: value})
