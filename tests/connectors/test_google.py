"""What the conformance suite cannot show of Google RCS: signature, handshake, Pub/Sub, tokens, and who can be reached."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
import respx
from httpx import Response
from pydantic import ValidationError

from hub.connectors.contract import RawRequest
from hub.connectors.errors import CredentialsRejected, SignatureInvalid, Unavailable
from hub.connectors.events import Sender
from hub.connectors.google import samples
from hub.connectors.google.connector import connector
from hub.connectors.google.settings import REGIONS, GoogleSettings
from hub.connectors.google.token import SCOPE
from tests.connectors.samples import Samples, client

SIGNATURE = "vc0om9Izh5aq1ijrBMXnxNBWmomFoqcNIIvHJ4ckalYDx2UJC6sVaKMasj2/U1xioOK2BqdrhM7tW60DQlghtA=="
"""Provider file google-rcs.md, 2: computed over the decoded data of the sample `text` with the token HUBCLIENTTOKEN01."""
TEXT = (Path(samples.__file__).parent / "text.json").read_bytes()
ACCOUNT = Samples(connector).account()


def test_the_signature_is_that_of_the_provider_file() -> None:
    connector.verify(RawRequest("POST", {"x-goog-signature": SIGNATURE}, TEXT), ACCOUNT)
    with pytest.raises(SignatureInvalid):
        connector.verify(RawRequest("POST", {"x-goog-signature": SIGNATURE.replace("v", "w", 1)}, TEXT), ACCOUNT)


def test_the_signature_covers_the_decoded_data_and_not_the_envelope() -> None:
    """Another Pub/Sub id around the same data is the same message."""
    envelope = json.loads(TEXT)
    envelope["message"]["messageId"] = "999"
    connector.verify(RawRequest("POST", {"x-goog-signature": SIGNATURE}, json.dumps(envelope).encode()), ACCOUNT)


@pytest.mark.parametrize(
    ("query", "is_ours"),
    [("token=geheim-1", True), ("token=geheim-0", True), ("token=falsch", False), ("", False), ("token=", False)],
)
def test_a_push_of_pub_sub_brings_the_secret_in_the_address(query: str, is_ours: bool) -> None:
    account = Samples(connector).account()
    ours = replace(account, webhook_secrets=("geheim-1", "geheim-0"))
    request = RawRequest("POST", {}, TEXT, query=query)
    if is_ours:
        connector.verify(request, ours)
    else:
        with pytest.raises(SignatureInvalid):
            connector.verify(request, ours)


@pytest.mark.parametrize("secret", ["1234567890", 1234567890])
def test_the_handshake_is_answered_with_the_secret_alone(secret: Any) -> None:
    """As text without quotes (1)."""
    body = json.dumps({"clientToken": "HUBCLIENTTOKEN01", "secret": secret}).encode()
    reply = connector.handshake(RawRequest("POST", {}, body), ACCOUNT)
    assert reply is not None
    assert (reply.status, reply.body, reply.media_type) == (200, b"1234567890", "text/plain")


def test_a_handshake_with_another_token_is_refused() -> None:
    body = json.dumps({"clientToken": "größer", "secret": "1"}).encode()
    with pytest.raises(SignatureInvalid):
        connector.handshake(RawRequest("POST", {}, body), ACCOUNT)


@pytest.mark.parametrize("body", [TEXT, b"[]", b"\xff", b"{}", b'{"secret":true,"clientToken":"x"}'])
def test_what_is_no_handshake_goes_on_to_be_verified(body: bytes) -> None:
    assert connector.handshake(RawRequest("POST", {}, body), ACCOUNT) is None


async def test_the_assertion_is_signed_by_the_service_account() -> None:
    asked: list[dict[str, Any]] = []

    def answer(request: Any) -> Response:
        form = dict(one.split("=") for one in request.content.decode().split("&"))
        header = jwt.get_unverified_header(form["assertion"])
        public = samples._KEY.public_key()
        claims = jwt.decode(form["assertion"], public, algorithms=["RS256"], audience="https://oauth2.googleapis.com/token")
        asked.append({"kid": header["kid"], **claims})
        return Response(200, json={"access_token": "neu", "expires_in": 1800})

    with respx.mock() as router:
        router.post("https://rbm.example/token").mock(side_effect=answer)
        async with client() as http:
            renewal = await connector.renew(ACCOUNT, http)
    assert isinstance(renewal.settings, GoogleSettings)
    assert (renewal.settings.access_token.get_secret_value(), renewal.lasts_seconds) == ("neu", 1800)
    (claims,) = asked
    assert (claims["iss"], claims["scope"], claims["kid"]) == ("hub@rbm-hub-demo.example", SCOPE, "k1")
    assert claims["exp"] - claims["iat"] <= 3600


async def test_a_key_that_signs_nothing_is_refused_without_being_quoted() -> None:
    broken = json.dumps({"client_email": "a@b.example", "private_key": "-----BEGIN PRIVATE KEY-----\nkaputt"})
    account = replace(ACCOUNT, settings=GoogleSettings.model_validate({**samples.SETTINGS, "service_account": broken}))
    async with client() as http:
        with pytest.raises(CredentialsRejected) as refused:
            await connector.renew(account, http)
    assert (refused.value.field, refused.value.reason) == ("service_account", "no_private_key")
    assert refused.value.__context__ is None


@pytest.mark.parametrize(("status", "found"), [(200, Sender(provider_user_id="+491", phone="+491")), (404, None)])
async def test_who_takes_rcs_is_found(status: int, found: Sender | None) -> None:
    with respx.mock() as router:
        router.get(url__startswith="https://rbm.example/v1/phones/+491/capabilities").mock(Response(status, json={}))
        async with client() as http:
            assert await connector.find("+491", ACCOUNT, http) == found


async def test_who_takes_rcs_is_not_known_while_google_is_away() -> None:
    with respx.mock() as router:
        router.get(url__startswith="https://rbm.example/v1/").mock(Response(502))
        async with client() as http:
            with pytest.raises(Unavailable):
                await connector.find("+491", ACCOUNT, http)


def test_a_region_names_its_hosts() -> None:
    settings = GoogleSettings.model_validate({**samples.SETTINGS, "region": "europe"})
    assert settings.base_url == f"{REGIONS['europe']}/v1"
    assert settings.token_url == "https://oauth2.googleapis.com/token"


@pytest.mark.parametrize(
    ("field", "value"),
    [("agent_id", "a b"), ("service_account", "{}"), ("service_account", "kein JSON"), ("client_token", " "), ("region", "mars")],
)
def test_a_wrong_setting_names_its_field(field: str, value: str) -> None:
    with pytest.raises(ValidationError) as refused:
        GoogleSettings.model_validate({**samples.SETTINGS, field: value})
    assert [error["loc"] for error in refused.value.errors()] == [(field,)]
