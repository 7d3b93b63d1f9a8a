"""What the tests of the channels page share: the form as a person fills it in, the acts, and what a page says."""

import html
import re
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx2
from pydantic import SecretStr

from hub.core import ids
from hub.inbox.arriving import ingest
from hub.organisations import sessions
from hub.runtime import Runtime
from tests.files import PDF
from tests.inbox.pages_support import DATA, PAGE, Visitor
from tests.sandbox.support import TOKEN, Simulated
from tests.smtp import MailServer
from tests.support import Connected, HubUnderTest

SECRET = TOKEN.partition(":")[2]
PAGE_ACCOUNT: dict[str, Any] = {"app_id": "1234567890123", "app_secret": "0123456789abcdef" * 2, "page_token": "EAA" + "b" * 40}
INSTAGRAM: dict[str, Any] = {"app_id": "1234567890123", "app_secret": "0123456789abcdef" * 2, "access_token": "EAA" + "c" * 40}
"""Settings of accounts at Meta, as a business types them."""


def form(simulated: Simulated, **changed: str) -> dict[str, str]:
    """The set-up form as a person fills it in. A value of `-` leaves the field out."""
    filled = {
        "connector": "telegram",
        "set_bot_token": TOKEN,
        "set_base_url": simulated.address,
        "title": "Werkstatt",
        "terms": "accepted",
    }
    return {name: value for name, value in (filled | changed).items() if value != "-"}


async def connect(hub: HubUnderTest, who: Visitor, simulated: Simulated, **fields: str) -> Connected:
    """Set a channel up over the page."""
    answer = await who.post("/channels", headers=PAGE, **form(simulated, **fields))
    assert answer.status_code == 303, answer.text
    return await only_channel(hub)


async def only_channel(hub: HubUnderTest) -> Connected:
    """The one channel there is."""
    channel_id: UUID = await hub.value("SELECT id FROM channel")
    channel = await ingest.load_channel(hub.runtime, hub.organisation_id, channel_id)
    return Connected(channel_id, "telegram", channel.account.webhook_secrets[0])


async def card(who: Visitor, channel: Connected, query: str = "") -> str:
    """The page of one channel."""
    return await who.page(f"/channels/{ids.show('chn', channel.id)}{query}")


async def act(who: Visitor, channel: Connected, what: str, **fields: str) -> httpx2.Response:
    return await who.post(f"/channels/{ids.show('chn', channel.id)}/{what}", headers=PAGE, **fields)


async def upload(who: Visitor, where: str, body: bytes = PDF, name: str = "Zustimmung.pdf") -> httpx2.Response:
    """Hand in a document for a messenger and kind (`telegram/consent`)."""
    headers = {**DATA, "x-csrf-token": sessions.csrf_token(who.token)}
    path = f"{who.base}/channels/documents/{where}"
    return await who.client.post(path, files={"file": (name, body, "application/pdf")}, headers=headers)


def with_mail(hub: HubUnderTest, smtp: MailServer) -> Runtime:
    """The hub's runtime with a mail server."""
    url = SecretStr(f"smtp://127.0.0.1:{smtp.port}")
    settings = hub.runtime.settings.model_copy(update={"smtp_url": url, "mail_from": "hub@radwerk.example"})
    return replace(hub.runtime, settings=settings)


def words(page: str) -> str:
    """What a page says: without mark-up, white space as one space."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def field(page: str, name: str) -> str:
    """One input of a page."""
    found = re.search(rf'<input[^>]*name="{name}"[^>]*>', page)
    assert found, name
    return found[0]
