"""Writing first: what people type becomes an address or nothing, on every messenger where one can begin."""

from typing import Any

import httpx
import pytest
import respx

from hub.connectors import registry
from hub.connectors.contract import Account, FindsPeople, WritesFirst
from hub.connectors.errors import Rejected, Unreachable
from hub.connectors.phones import read_phone
from hub.connectors.x.connector import connector as x
from hub.core import ids
from hub.core.http import outbound_client
from hub.core.i18n import LOCALES, Translator

CONNECTORS = registry.discover()
FIRST = {name: one for name, one in CONNECTORS.items() if isinstance(one, WritesFirst)}


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("+4915112345678", "+4915112345678"),
        (" +49 (0)8382 555-0142 ", "+4983825550142"),
        ("0049 151 / 123 456 78", "+4915112345678"),
        ("+43\u00a0664.1234567", "+436641234567"),
        ("0151 12345678", ""),  # of which country?
        ("4915112345678", ""),
        ("+49 151 CALLME", ""),
        ("+49151", ""),
        ("+491511234567890123", ""),
        ("+٤٩١٥١١٢٣٤٥٦٧٨", ""),
        ("", ""),
    ],
)
def test_a_phone_number_names_its_country(typed: str, number: str) -> None:
    assert read_phone(typed) == number


@pytest.mark.parametrize(
    ("name", "typed", "address"),
    [
        ("threema", "echoecho", "ECHOECHO"),
        ("threema", "Jörg@Radwerk.Example", "jörg@radwerk.example"),
        ("threema", "+49 151 12345678", "+4915112345678"),
        ("threema", "Jörg", None),
        ("google", "+49 151 12345678", "+4915112345678"),
        ("google", "radwerk@example.org", None),
        ("signal", "+49 151 12345678", "+4915112345678"),
        ("signal", "erika.42", "erika.42"),
        ("signal", "erika", None),
        ("sms", "0049 151 12345678", "+4915112345678"),
        ("sms", "0151 12345678", None),
        ("whatsapp", "+49 151 12345678", "4915112345678"),
        ("whatsapp", "Radwerk", None),
        ("x", "@fritzi_lang", "@fritzi_lang"),
        ("x", "https://x.com/fritzi_lang", "@fritzi_lang"),
        ("x", "Fritzi Lang", None),
    ],
)
def test_what_is_typed_is_an_address_or_nothing(name: str, typed: str, address: str | None) -> None:
    sender = FIRST[name].read_address(typed)
    assert (sender and sender.provider_user_id) == address


def test_one_can_begin_only_where_somebody_can_be_named() -> None:
    """Telegram, Viber, Apple, Messenger, Instagram and the website chat know nobody who has not written."""
    assert set(FIRST) == {"google", "signal", "sms", "threema", "whatsapp", "x"}
    assert {name for name, one in CONNECTORS.items() if isinstance(one, FindsPeople)} <= set(FIRST)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", FIRST)
def test_each_says_what_to_type_and_that_nobody_was_found(name: str, locale: str) -> None:
    t = Translator(locale)
    assert t(f"channel.{name}.first")
    if isinstance(FIRST[name], FindsPeople):
        assert "@fritzi" in t(f"channel.{name}.first.nobody", address="@fritzi")


USER = "https://api.x.com/2/users/by/username/fritzi_lang?user.fields=receives_your_dm"
MISSING = {"errors": [{"title": "Not Found Error", "type": "https://api.twitter.com/2/problems/resource-not-found"}]}


def x_account() -> Account[Any]:
    words = ("api_key", "api_secret", "bearer_token", "user_token", "user_secret")
    values = {word: f"{word}-of-the-test" for word in words}
    return Account(channel_id=ids.new_id(), settings=x.settings(**values), own_id="1", webhook_secrets=())


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (200, {"data": {"id": "42", "name": "Friederike Lang", "username": "fritzi_lang", "receives_your_dm": True}}, "42"),
        (200, {"data": {"id": "42", "name": "Friederike Lang", "username": "fritzi_lang"}}, "42"),
        (200, MISSING, None),
        (404, {}, None),
        (200, {"data": {"id": "42", "name": "F", "username": "fritzi_lang", "receives_your_dm": False}}, Unreachable),
        (400, {"title": "Invalid Request", "type": "https://api.twitter.com/2/problems/invalid-request"}, Rejected),
    ],
)
async def test_a_name_on_x_leads_to_a_person(status: int, body: dict[str, Any], found: Any) -> None:
    with respx.mock:
        respx.get(USER).mock(httpx.Response(status, json=body))
        async with outbound_client() as http:
            if isinstance(found, type):
                with pytest.raises(found):
                    await x.find("@fritzi_lang", x_account(), http)
            else:
                sender = await x.find("@fritzi_lang", x_account(), http)
                assert (sender and sender.provider_user_id) == found
