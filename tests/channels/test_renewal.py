"""Renewing a channel's credentials: checked with the simulated Telegram first, in force only when it takes them."""

from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from hub.channels import health, providers, service
from hub.channels.accounts import ACCOUNT_COLUMNS, open_channel
from hub.core import ids
from hub.core.clock import FakeClock
from tests.channels.support import SECRET, act, connect, field, form, words
from tests.inbox.pages_support import PAGE, Visitor, receive, visit
from tests.sandbox.support import BOT, TOKEN, Simulated
from tests.support import Connected, HubUnderTest

CUSTOMER = 5123456789
NEW = "7012345678:AAE-renewed_by_the_botfather_today"
OTHER_BOT = "7099999999:AAE-somebody_elses_bot_has_this_token"
UNKNOWN = "7012345678:AAE-nobody_ever_gave_this_token_out"


async def revoke(simulated: Simulated) -> None:
    """The bot gets another token; the one from before is worth nothing."""
    await simulated.control("POST", "/bots", {"token": NEW, "name": "Muster Optik", "username": "muster_optik_bot"})


async def connected(hub: HubUnderTest, who: Visitor, simulated: Simulated) -> Connected:
    """A channel whose bot may write to the customer."""
    channel = await connect(hub, who, simulated)
    await simulated.person(CUSTOMER)
    await simulated.control("POST", f"/bots/{BOT}/chats/{CUSTOMER}/open", {})
    return channel


async def reply(hub: HubUnderTest, channel: Connected, text: str) -> str:
    """An answer to the customer, and what became of it once everything due has happened."""
    message_id = await hub.reply(await receive(hub, channel, "Hallo", user=CUSTOMER), text)
    await hub.settle()
    return str(await hub.value("SELECT state FROM message WHERE id = $1", message_id))


async def renew(who: Visitor, channel: Connected, simulated: Simulated, **fields: str) -> httpx2.Response:
    """The form as a person fills it in: the token, with the address that stood there."""
    return await act(who, channel, "settings", **{"set_base_url": simulated.address, "set_bot_token": NEW} | fields)


async def stored(hub: HubUnderTest) -> tuple[str, str]:
    row = (await hub.rows(f"SELECT {ACCOUNT_COLUMNS} FROM channel"))[0]
    settings = open_channel(hub.runtime.vault, hub.runtime.connectors, row).account.settings
    return settings.bot_token.get_secret_value(), settings.base_url


async def heard(simulated: Simulated) -> list[str]:
    """What the customer's phone shows of the bot."""
    entries = (await simulated.phone(CUSTOMER))["entries"]
    return [entry["message"]["text"] for entry in entries if entry["from"] == "bot"]


async def test_new_credentials_let_go_what_waited(hub: HubUnderTest, simulated: Simulated, clock: FakeClock) -> None:
    """The token was revoked: the answer waits, the card leads to the form, and with the new token the answer leaves."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connected(hub, ada, simulated)
    shown = ids.show("chn", channel.id)
    await revoke(simulated)
    assert await reply(hub, channel, "Ihre Brille ist fertig.") == "queued"
    assert await hub.value("SELECT health FROM channel") == "attention"
    page = await ada.page("/channels")
    assert f'<a class="btn s main" href="/o/radwerk/channels?renew={shown}#set-up">' in page
    assert page.count("btn main") == 0, "the act wanted most is the card's"
    assert "Tragen Sie unter „Zugangsdaten erneuern“ ein, was jetzt gilt." in words(page)

    page = await ada.page(f"/channels?renew={shown}")
    said = words(page)
    assert "Zugangsdaten von „Werkstatt“ erneuern" in said and "Prüfen und übernehmen" in said
    assert 'name="terms"' not in page and 'name="title"' not in page and 'name="connector"' not in page
    token = field(page, "set_bot_token")
    assert 'value=""' in token and " required" not in token and " autofocus" in token
    assert f'value="{simulated.address}"' in field(page, "set_base_url")
    assert f'action="/o/radwerk/channels/{shown}/settings"' in page

    answer = await renew(ada, channel, simulated)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/o/radwerk/channels?renewed={shown}")
    said = words((await ada.client.get(answer.headers["location"], headers=PAGE)).text)
    assert "Die Zugangsdaten von „Werkstatt“ sind erneuert." in said and "Was gewartet hat, geht jetzt hinaus." in said
    assert "Läuft" in said
    await hub.settle()
    assert await heard(simulated) == ["Ihre Brille ist fertig."]
    assert await hub.value("SELECT state FROM message WHERE direction = 'out'") == "sent"
    assert await stored(hub) == (NEW, simulated.address)
    entry = (await hub.rows("SELECT member_id, target, detail FROM audit_entry WHERE action = 'channel.settings_changed'"))[0]
    assert tuple(entry) == (ada.member_id, shown, {"fields": ["bot_token"]})
    changes = await hub.rows("SELECT data FROM feed_entry WHERE kind = 'channel' ORDER BY seq DESC LIMIT 1")
    assert changes[0]["data"] == {"channel": shown}


async def test_telegram_is_asked_once(hub: HubUnderTest, simulated: Simulated) -> None:
    """It takes one setWebhook in a second from a bot: a check, then another one on switching on, would be refused."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connected(hub, ada, simulated)
    await simulated.fault("rate_limit", methods=["setWebhook"], retry_after=1, next=0)
    asked: list[str] = []
    simulated.sandbox.app  # type: ignore[attr-defined]
    assert asked == [] and channel
