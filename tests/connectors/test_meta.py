"""What Messenger and Instagram share and conformance cannot show: signatures to the byte, handshake, shares, splitting."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest

import hub.connectors
from hub.connectors._meta import envelope
from hub.connectors._meta.codes import graph_error
from hub.connectors._meta.graph import Graph
from hub.connectors._meta.reading import moment
from hub.connectors._meta.send import request_for
from hub.connectors._meta.signature import app_secret_proof, handshake, verify_signature, verify_token
from hub.connectors._meta.split import split_text
from hub.connectors.contract import RawRequest, Reply
from hub.connectors.errors import MalformedPayload, RateLimited, SignatureInvalid
from hub.connectors.http import Answer
from hub.connectors.messenger.limits import LIMITS
from hub.connectors.sharing import Share
from tests.connectors.samples import outbound_action

SECRET = "5f4dcc3b5aa765d61d8327deb882cf99"
BODY = b'{"object":"page","entry":[{"id":"1","messaging":[{"message":{"text":"Gr\\u00fc\\u00dfe, \\/weg"}}]}]}'


def signed(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


# --- signature --------------------------------------------------------------------------------------------------------


def test_the_signature_covers_the_bytes_as_they_came() -> None:
    """Provider file, 2: Meta escapes non-ASCII and slashes; JSON that was read and written again has another digest."""
    verify_signature(BODY, signed(BODY), SECRET)
    for again in (json.dumps(json.loads(BODY)).encode(), json.dumps(json.loads(BODY), ensure_ascii=False).encode()):
        with pytest.raises(SignatureInvalid):
            verify_signature(again, signed(BODY), SECRET)


def test_a_known_vector() -> None:
    """RFC 4231, case 2, in Meta's form."""
    digest = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    verify_signature(b"what do ya want for nothing?", f"sha256={digest}", "Jefe")


@pytest.mark.parametrize(
    "header",
    ["", "sha256=", signed(BODY).upper(), signed(BODY)[7:], signed(BODY).replace("sha256", "sha1"), signed(BODY) + "0", "größer"],
)
def test_another_form_of_the_signature_is_refused(header: str) -> None:
    with pytest.raises(SignatureInvalid):
        verify_signature(BODY, header, SECRET)


def test_the_first_of_several_secrets_that_fits_will_do_and_an_empty_one_never() -> None:
    verify_signature(BODY, signed(BODY), "another", SECRET)
    for secrets in ((), ("",), ("", "another")):
        with pytest.raises(SignatureInvalid):
            verify_signature(BODY, signed(BODY, ""), *secrets)


def test_the_proof_of_the_app_secret() -> None:
    assert app_secret_proof("token", SECRET) == hmac.new(SECRET.encode(), b"token", hashlib.sha256).hexdigest()
    url, secrets = Graph("https://graph.example", "token", SECRET).url("me", {"fields": "id,name"})
    assert url == "https://graph.example/v26.0/me?fields=id,name&appsecret_proof={proof}"
    assert secrets == {"proof": app_secret_proof("token", SECRET)}
    assert Graph("https://graph.example", "token").url("me") == ("https://graph.example/v26.0/me", {})


# --- handshake --------------------------------------------------------------------------------------------------------


def test_the_challenge_is_answered_to_who_knows_the_token() -> None:
    token = verify_token(SECRET)
    query = f"hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}"
    assert handshake(query, token) == Reply(status=200, body=b"1158201444")
    assert handshake("", token) is None
    assert handshake("hub.mode=unsubscribe", token) is None
    for wrong in ("hub.mode=subscribe&hub.challenge=1", "hub.mode=subscribe&hub.challenge=1&hub.verify_token=gr%C3%B6%C3%9Fer"):
        with pytest.raises(SignatureInvalid):
            handshake(wrong, token)
    with pytest.raises(SignatureInvalid):
        handshake("hub.mode=subscribe&hub.verify_token=", "")


def test_the_verify_token_is_the_apps_and_tells_nothing_of_its_secret() -> None:
    assert verify_token(SECRET) == verify_token(SECRET) != verify_token("0" * 32)
    assert SECRET not in verify_token(SECRET) and len(verify_token(SECRET)) == 40


# --- shares -----------------------------------------------------------------------------------------------------------


def test_a_delivery_for_many_accounts_is_divided_each_element_once() -> None:
    entries = [{"id": "1", "time": 1}, {"id": "2", "time": 2}, {"id": "1", "time": 3}, {"time": 4}, "x"]
    shares = envelope.shares(RawRequest("POST", {}, json.dumps({"object": "page", "entry": entries}).encode()))
    assert [(share.own_id, [entry["time"] for entry in json.loads(share.body)["entry"]]) for share in shares] == [
        ("1", [1, 3]),
        ("2", [2]),
        ("0", [4]),  # nobody's: an empty id would reach every account
    ]
    assert all(json.loads(share.body)["object"] == "page" for share in shares)


def test_a_delivery_for_one_account_keeps_its_bytes() -> None:
    (share,) = envelope.shares(RawRequest("POST", {}, BODY))
    assert share == Share(own_id="1", body=BODY)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"entry":1}', b"x"])
def test_what_is_no_delivery_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedPayload):
        envelope.shares(RawRequest("POST", {}, body))


# --- reading and splitting --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1790000000123, "2026-09-21T14:13:20.123000+00:00"),
        ("1790000000123", "2026-09-21T14:13:20.123000+00:00"),
        (1790000000, "2026-09-21T14:13:20+00:00"),
        ("2026-09-21T16:13:20+0200", "2026-09-21T14:13:20+00:00"),
        ("2026-09-21T14:13:20", "2026-09-21T14:13:20+00:00"),
    ],
)
def test_times_in_every_form_that_was_seen(value: object, expected: str) -> None:
    found = moment(value)
    assert found is not None and found.isoformat() == expected


@pytest.mark.parametrize("value", [None, 0, -1, True, 1.5, "", "x", "9" * 30, 10**40, [], "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time(value: object) -> None:
    assert moment(value) is None


def test_a_text_is_cut_between_lines_then_words_then_characters() -> None:
    line, word = "Zeile " + "x" * 1500, "y" * 600
    assert split_text(f"{line}\n{word}", LIMITS) == [line, word]
    assert split_text("x" * 1500 + " " + "y" * 600, LIMITS) == ["x" * 1500, "y" * 600]
    assert [len(part) for part in split_text("z" * 4100, LIMITS)] == [2000, 2000, 100]


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_wait_is_the_longest_that_meta_names() -> None:
    used = {"1": [{"estimated_time_to_regain_access": 3}, {"estimated_time_to_regain_access": 12}], "2": "x"}
    headers = {"x-business-use-case-usage": json.dumps(used), "retry-after": "5"}
    error = graph_error(Answer(400, headers, b'{"error":{"code":32,"message":"x"}}'))
    assert isinstance(error, RateLimited) and error.retry_after == 720


def test_what_went_well_is_no_error() -> None:
    assert graph_error(Answer(200, {}, b'{"success":true}')) is None


def test_an_action_has_one_recipient() -> None:
    assert request_for(outbound_action({"action": "ShowTyping", "address": "1"}), None)["recipient"] == {"id": "1"}


# --- terms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("connector", ["messenger", "instagram"])
def test_the_five_documents_of_meta_are_there_to_be_accepted(connector: str) -> None:
    """R-189: terms of use, developer policies, Instagram's terms, community standards, Instagram's guidelines."""
    record = json.loads((Path(hub.connectors.__file__).parent / connector / "provider.json").read_text("utf-8"))
    assert [document["title"] for document in record["documents"]] == [
        "Meta Terms of Service",
        "Meta Platform Terms and Developer Policies",
        "Instagram Terms of Use",
        "Meta Community Standards",
        "Instagram Community Guidelines",
    ]
    assert record["operator"] == "Meta Platforms Ireland Limited"
