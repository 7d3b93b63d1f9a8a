"""Renewing a channel's credentials: checked with the simulated Telegram first, in force only when it takes them."""

from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from hub.channels import health, providers, service
from hub.channels.accounts import ACCOUNT_COLUMNS, open_channel
from hub.core import ids
from tests.channels.support import SECRET, act, card, connect, field, words
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


async def test_new_credentials_let_go_what_waited(hub: HubUnderTest, simulated: Simulated) -> None:
    """The token was revoked: the answer waits, the card leads to the form, and with the new token the answer leaves."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connected(hub, ada, simulated)
    shown = ids.show("chn", channel.id)
    await revoke(simulated)
    assert await reply(hub, channel, "Ihre Brille ist fertig.") == "queued"
    assert await hub.value("SELECT health FROM channel") == "attention"
    assert f'<a class="btn s main" href="/o/radwerk/channels/{shown}"' in await ada.page("/channels")
    page = await card(ada, channel)
    assert f'<a class="btn s main" href="/o/radwerk/channels/{shown}?form=settings">' in page
    assert 'class="btn main"' not in page, "one act is wanted most"
    assert "Erneuern Sie die Zugangsdaten;" in words(page)

    page = await card(ada, channel, "?form=settings")
    said = words(page)
    assert "Zugangsdaten von „Werkstatt“ erneuern" in said and "Prüfen und übernehmen" in said
    assert 'name="terms"' not in page and 'name="title"' not in page and 'name="connector"' not in page
    token = field(page, "set_bot_token")
    assert 'value=""' in token and " required" not in token and " autofocus" in token
    assert f'value="{simulated.address}"' in field(page, "set_base_url")
    assert f'action="/o/radwerk/channels/{shown}/settings"' in page

    answer = await renew(ada, channel, simulated)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/o/radwerk/channels/{shown}?said=renewed")
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


@pytest.mark.parametrize(
    ("typed", "name", "said"),
    [
        ({"set_bot_token": UNKNOWN}, "set_bot_token", "Der Messenger nimmt das nicht an."),
        ({"set_bot_token": OTHER_BOT}, "set_bot_token", "Der Messenger nimmt das nicht an."),
        ({"set_bot_token": "abc"}, "set_bot_token", "Das hat nicht die erwartete Form."),
        ({"set_base_url": "kein Server"}, "set_base_url", "Das hat nicht die erwartete Form."),
        ({"set_base_url": "https://10.0.0.1", "set_bot_token": TOKEN}, "set_base_url", "Der Messenger nimmt das nicht an."),
        ({"set_base_url": "https://listens.example", "set_bot_token": ""}, "set_bot_token", "Bitte geben Sie auch dies neu ein"),
    ],
)
async def test_what_telegram_refuses_changes_nothing(
    hub: HubUnderTest, simulated: Simulated, typed: dict[str, str], name: str, said: str
) -> None:
    """The error is named at its field, no secret comes back, and the old credentials stay in force. A stored token is not kept
    beside another server: whoever types that address need not know it."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connected(hub, ada, simulated)
    await simulated.control("POST", "/bots", {"token": OTHER_BOT, "name": "Fremd", "username": "fremd_bot"})
    answer = await renew(ada, channel, simulated, **typed)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in field(answer.text, name) and answer.text.count('aria-invalid="true"') == 1
    assert " autofocus" in field(answer.text, name) and answer.text.count(" autofocus") == 2, "the other one is the dialog's"
    page = words(answer.text)
    assert said in page and page.count("Die Zugangsdaten sind unverändert.") == 1
    assert "Die Prüfung ist gescheitert." not in page
    assert 'value=""' in field(answer.text, "set_bot_token")
    assert f'value="{typed.get("set_base_url", simulated.address)}"' in field(answer.text, "set_base_url")
    for token in (TOKEN, NEW, UNKNOWN, OTHER_BOT):
        assert token.partition(":")[2] not in answer.text
    assert await stored(hub) == (TOKEN, simulated.address)
    assert await hub.value("SELECT count(*) FROM audit_entry WHERE action = 'channel.settings_changed'") == 0
    assert simulated.world.bot(7099999999).webhook is None
    assert await reply(hub, channel, "Geht noch.") == "sent"
    assert await heard(simulated) == ["Geht noch."]


async def test_telegram_down_changes_nothing(hub: HubUnderTest, simulated: Simulated) -> None:
    """An outage is no fault of a field: the form says so, and the old credentials stay in force."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connected(hub, ada, simulated)
    await simulated.fault("server_error", methods=["getMe"], status=503)
    answer = await renew(ada, channel, simulated, set_bot_token=TOKEN)
    assert answer.status_code == 502 and "aria-invalid" not in answer.text
    page = words(answer.text)
    assert "Die Zugangsdaten sind unverändert. Der Messenger ist gerade nicht erreichbar" in page
    assert await stored(hub) == (TOKEN, simulated.address)


async def test_a_secret_left_empty_is_kept(hub: HubUnderTest, simulated: Simulated) -> None:
    """The form as it opens, sent back: the stored token is checked again, and a broken channel works."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connected(hub, ada, simulated)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await health.mark_attention(unit, channel.id, "auth_failed")
    assert (await renew(ada, channel, simulated, set_bot_token=" ")).status_code == 303
    assert await stored(hub) == (TOKEN, simulated.address)
    assert await hub.value("SELECT health FROM channel") == "healthy"
    assert await hub.value("SELECT detail FROM audit_entry WHERE action = 'channel.settings_changed'") == {"fields": []}


@pytest.mark.parametrize(("what", "state"), [("off", "off"), ("block", "blocked")])
async def test_what_is_closed_stays_closed(hub: HubUnderTest, simulated: Simulated, what: str, state: str) -> None:
    """R-183: new credentials open no channel that somebody closed, and the page says so."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connected(hub, ada, simulated)
    await act(ada, channel, what, reason="Missbrauch gemeldet")
    await revoke(simulated)
    answer = await renew(ada, channel, simulated)
    assert answer.status_code == 303
    assert await stored(hub) == (NEW, simulated.address)
    assert await hub.value("SELECT state FROM channel") == state
    page = words((await ada.client.get(answer.headers["location"], headers=PAGE)).text)
    assert "Der Kanal bleibt geschlossen, bis Sie ihn einschalten." in page


async def test_new_terms_come_first(hub: HubUnderTest, simulated: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-180: while the provider's present terms are not accepted nothing is stored, and Telegram is not asked."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connected(hub, ada, simulated)
    old = providers.provider_of("telegram")
    newer = providers.Provider(old.provider, old.operator, "2027-01", old.documents)
    monkeypatch.setattr(providers, "_providers", lambda: {"telegram": newer})
    await revoke(simulated)
    answer = await renew(ada, channel, simulated)
    assert answer.status_code == 409 and "Die Bedingungen des Messengers sind noch nicht angenommen." in answer.text
    assert await stored(hub) == (TOKEN, simulated.address)
    await service.accept_terms(hub.runtime, hub.owner, "telegram")
    assert (await renew(ada, channel, simulated)).status_code == 303


async def test_renewed_secrets_stay_secret(hub: HubUnderTest, simulated: Simulated) -> None:
    """I10: neither the old nor the new token is in a page, a log line, the audit log or the feed."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connected(hub, ada, simulated)
    with capture_logs() as logs:
        pages = [await card(ada, channel, "?form=settings"), (await renew(ada, channel, simulated, set_bot_token=UNKNOWN)).text]
        await revoke(simulated)
        answer = await renew(ada, channel, simulated)
        pages += [answer.text, str(answer.headers), await card(ada, channel, "?form=settings&said=renewed")]
    kept = [tuple(row) for row in await hub.rows("SELECT detail, target FROM audit_entry")]
    kept += [tuple(row) for row in await hub.rows("SELECT data, kind FROM feed_entry")]
    sealed: Any = await hub.value("SELECT settings_sealed FROM channel")
    for told in (*pages, repr(logs), repr(kept), repr(sealed)):
        for secret in (SECRET, NEW.partition(":")[2], UNKNOWN.partition(":")[2], channel.secret):
            assert secret not in told


async def test_renewing_in_english(hub: HubUnderTest, simulated: Simulated) -> None:
    anna = await visit(hub, "Anna Nowak", role="admin", locale="en")
    channel = await connected(hub, anna, simulated)
    assert "Renew credentials" in words(await card(anna, channel))
    page = words(await card(anna, channel, "?form=settings"))
    assert "Renew the credentials of “Werkstatt”" in page and "Check and use" in page
    answer = await renew(anna, channel, simulated, set_bot_token=UNKNOWN)
    assert "The credentials are unchanged." in words(answer.text)
    await revoke(simulated)
    answer = await renew(anna, channel, simulated)
    page = words((await anna.client.get(answer.headers["location"], headers=PAGE)).text)
    assert "The credentials of “Werkstatt” are renewed. The messenger accepts them." in page


async def test_who_may_renew(hub: HubUnderTest, simulated: Simulated) -> None:
    """R-040: who may not manage channels is refused with 403 and shown no form."""
    ada = await visit(hub, "Ada Admin", role="admin")
    jonas, rita = await visit(hub), await visit(hub, "Rita Leser", role="readonly")
    channel = await connected(hub, ada, simulated)
    query = f"/channels/{ids.show('chn', channel.id)}?form=settings"
    assert "<form" not in (await jonas.page(query)).partition("<main")[2]
    await rita.page(query, status=403)
    for who in (jonas, rita):
        assert (await renew(who, channel, simulated)).status_code == 403
    assert await stored(hub) == (TOKEN, simulated.address)


async def test_a_channel_of_others_is_not_renewed(hub: HubUnderTest, simulated: Simulated) -> None:
    """I6: a foreign channel, and one that never was, have no form and take no settings."""
    other = await hub.found("fremd", "Fremde GmbH")
    foreign = await hub.connect(access=other)
    ada = await visit(hub, "Ada Admin", role="admin")
    for unknown in (ids.show("chn", foreign.id), ids.show("chn", ids.new_id()), "chn_x"):
        await ada.page(f"/channels/{unknown}?form=settings", status=404)
    before = await hub.value("SELECT settings_sealed FROM channel", organisation_id=other.organisation_id)
    assert (await renew(ada, foreign, simulated)).status_code == 404
    assert await hub.value("SELECT settings_sealed FROM channel", organisation_id=other.organisation_id) == before
