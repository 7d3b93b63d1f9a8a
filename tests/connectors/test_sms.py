"""What the conformance suite cannot show of SMS: names by settings, numbers, times, and how long a text is."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.connectors.contract import Account, RawRequest
from hub.connectors.errors import MalformedPayload
from hub.connectors.events import MessageReceived, StatusChanged, Text
from hub.connectors.sms import samples
from hub.connectors.sms.connector import connector
from hub.connectors.sms.payloads import number_of
from hub.connectors.sms.settings import SmsSettings
from hub.connectors.sms.text import LONGEST, count_segments, split_text
from tests.connectors.samples import CHANNEL, client, outbound_message, permit, provider
from tests.connectors.samples import Samples as AllSamples

RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def account(**changed: str) -> Account[SmsSettings]:
    settings = SmsSettings.model_validate({**samples.SETTINGS, **changed})
    return Account(channel_id=CHANNEL, settings=settings, own_id=samples.OWN_ID, webhook_secrets=())


def parse(body: Any, **changed: str) -> Any:
    return connector.parse(RawRequest("POST", {}, json.dumps(body).encode(), RECEIVED), account(**changed))


NESTED = {
    "from_field": "message.sender.msisdn",
    "text_field": "message.body",
    "id_field": "message.id",
    "at_field": "message.time",
    "status_field": "message.state.0.name",
    "delivered_words": "Angekommen, DELIVERED_TO_HANDSET",
}


def test_names_are_those_of_the_gateway() -> None:
    """Another gateway's JSON is read by settings alone."""
    message = {"sender": {"msisdn": "0049 151-12345678"}, "body": "Hallo", "id": 7, "time": "2026-03-01T10:00:00Z"}
    (came,) = parse({"message": message}, **NESTED)
    assert isinstance(came, MessageReceived)
    assert (came.key, came.sender.provider_user_id, came.content) == ("m:7", "+4915112345678", Text(text="Hallo"))
    (report,) = parse({"message": {"id": 9, "state": [{"name": "angekommen"}]}}, **NESTED)
    assert isinstance(report, StatusChanged)
    assert (report.target_key, report.status, report.at) == ("o:9", "delivered", RECEIVED)


async def test_names_are_those_of_the_gateway_on_the_way_out() -> None:
    changed = {"to_field": "message.to", "text_field": "message.content.text", "id_field": "results.0.id"}
    call = {
        "method": "POST",
        "url": samples.SETTINGS["send_url"],
        "json": {
            "message": {"to": "+4915112345678", "content": {"text": "Guten Tag"}},
            "from": "+4915199000000",
            "reference": "01900000-0000-7000-8000-000000000003",
        },
        "answer": {"status": 200, "json": {"results": [{"id": "x-1"}]}},
    }
    with provider(AllSamples(connector), [call]):
        async with client() as http:
            message = outbound_message({"address": "+4915112345678", "text": "Guten Tag"})
            receipt = await connector.send(permit(), message, account(**changed), http)
    assert receipt.keys == ("o:x-1",)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+49 (151) 123-45678", "+4915112345678"),
        ("004915112345678", "+4915112345678"),
        ("4915112345678", "+4915112345678"),
        ("015112345678", "015112345678"),  # national: which country is nobody's guess
        ("72444", "72444"),
        ("Muster Bank", "Muster Bank"),
        ("", ""),
    ],
)
def test_numbers_are_kept_in_international_form(written: str, number: str) -> None:
    assert number_of(written) == number


@pytest.mark.parametrize("body", [{"text": "ohne Absender"}, {"status": "delivered"}, [], [1], "x"])
def test_what_has_no_place_is_malformed(body: Any) -> None:
    """It becomes a dead letter that can be replayed once the settings are right."""
    with pytest.raises(MalformedPayload):
        parse(body)


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ç" * 70, 1),
        ("ç" * 71, 2),
        ("👋" * 35, 1),
        ("👋" * 36, 2),
        ("ä" * 160, 1),
    ],
)
def test_a_text_costs_so_many_pieces(text: str, segments: int) -> None:
    """GSM 03.38 and 03.40: 160 or 70 letters in one piece, 153 or 67 in each of several; € and the like cost two."""
    assert count_segments(text) == segments == connector.count_pieces(text)


@given(st.text(st.sampled_from("ab €ç👋\n"), max_size=3000))
def test_no_letter_is_lost_and_every_part_fits_ten_pieces(text: str) -> None:
    parts = split_text(text)
    assert "".join("".join(part.split()) for part in parts) == "".join(text.split())
    assert all(len(part.encode("utf-16-le")) // 2 <= LONGEST and count_segments(part) <= 10 for part in parts)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sender", "Ein viel zu langer Name"),
        ("sender", "+0151"),
        ("send_url", "sms.muster"),
        ("send_url", "https://user:pass@gateway.example/"),
        ("check_url", "ftp://gateway.example"),
        ("authorization", "  "),
        ("authorization", "Bearer schlüssel"),
        ("text_field", "a b"),
        ("delivered_words", " , "),
    ],
)
def test_a_wrong_setting_names_its_field(field: str, value: str) -> None:
    with pytest.raises(ValidationError) as refused:
        account(**{field: value})
    assert [error["loc"] for error in refused.value.errors()] == [(field,)]
    assert value.strip() == "" or value not in str(refused.value)
