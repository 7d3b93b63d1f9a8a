"""The channels page: connecting an account against the simulated Telegram, its state in words, and the acts on it."""

import re
from typing import Any

import pytest
from structlog.testing import capture_logs

from hub.channels import health, providers, service
from hub.channels.accounts import ACCOUNT_COLUMNS, open_channel
from hub.channels.hooks import ChannelBlocked
from hub.connectors.errors import ConnectorError, Unavailable
from hub.consent.gate import SendBlocked
from hub.core.clock import FakeClock
from hub.core.i18n import LOCALES, catalogue
from tests.channels.support import SECRET, act, card, connect, field, form, words
from tests.inbox.pages_support import PAGE, receive, visit
from tests.sandbox.support import TOKEN, Simulated
from tests.support import Connected, HubUnderTest, telegram_text

# Connecting


async def test_first_use_leads_to_the_form(hub: HubUnderTest) -> None:
    """Nothing connected: the page says what to do, and its link opens the form made from the connector's settings."""
    olga = await visit(hub, "Ada Admin", role="admin")
    page = await olga.page("/channels")
    assert "Noch kein Kanal verbunden" in page and "?connect=telegram" in page
    page = await olga.page("/channels?connect=telegram")
    assert 'type="password"' in field(page, "set_bot_token") and " required" in field(page, "set_bot_token")
    assert 'value="https://api.telegram.org"' in field(page, "set_base_url") and " required" not in field(page, "set_base_url")
    assert "Von @BotFather in Telegram" in page
    assert " required" in field(page, "terms") and " checked" not in field(page, "terms")
    for document in providers.provider_of("telegram").documents:
        assert f'href="{document["url"]}"' in page
    assert "Dogged Labs" in page


async def test_connecting_against_telegram(hub: HubUnderTest, simulated: Simulated) -> None:
    """R-192: with the terms accepted the bot is checked, its webhook set, and the card shows address, terms and webhook."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, simulated)
    assert "Werkstatt Telegram · @muster_optik_bot Noch nicht getestet" in words(await ada.page("/channels"))
    page = words(await card(ada, channel))
    for shown in (
        "Werkstatt",
        "Telegram · @muster_optik_bot",
        "Noch nicht getestet",
        "Betreiber Dogged Labs",
        "Stand 2024-07, angenommen am 24.11.2026",
        f"{hub.runtime.settings.base_url}{channel.path}",
        "noch nichts",
    ):
        assert shown in page
    info = (await simulated.call("getWebhookInfo")).json()["result"]
    assert info["url"] == f"{hub.runtime.settings.base_url}{channel.path}"
    assert simulated.bot.webhook is not None and simulated.bot.webhook.address.secret_token == channel.secret
    assert [
        row["action"]
        for row in await hub.rows("SELECT action FROM audit_entry WHERE member_id = $1 ORDER BY at, action", ada.member_id)
    ] == [
        "channel.connected",
        "channel.switched_on",
        "terms.accepted",
    ]
    terms = (await hub.rows("SELECT connector, version, accepted_by, documents FROM channel_terms"))[0]
    assert (terms["connector"], terms["version"], terms["accepted_by"]) == ("telegram", "2024-07", ada.member_id)
    assert len(terms["documents"]) == 3


async def test_without_the_terms_nothing_is_connected(hub: HubUnderTest, simulated: Simulated) -> None:
    """R-192 (as R-191): given no acceptance, when enabled, then refused; the box is named, and Telegram was not asked."""
    ada = await visit(hub, "Ada Admin", role="admin")
    answer = await ada.post("/channels", headers=PAGE, **form(simulated, terms="-"))
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in field(answer.text, "terms")
    assert "Ohne Annahme der Bedingungen öffnet der Hub den Kanal nicht." in words(answer.text)
    assert await hub.value("SELECT count(*) FROM channel") == 0
    assert await hub.value("SELECT count(*) FROM channel_terms") == 0
    assert simulated.bot.webhook is None


@pytest.mark.parametrize(
    ("changed", "name", "said"),
    [
        ({"set_bot_token": "abc"}, "set_bot_token", "Das hat nicht die erwartete Form."),
        ({"set_bot_token": "-"}, "set_bot_token", "Hier fehlt noch etwas."),
        ({"set_bot_token": "  "}, "set_bot_token", "Hier fehlt noch etwas."),
        ({"set_bot_token": "7012345678:AAE-nobody_knows_this_token"}, "set_bot_token", "Der Messenger nimmt das nicht an."),
        ({"set_base_url": "kein Server"}, "set_base_url", "Das hat nicht die erwartete Form."),
        ({"set_base_url": "https://10.0.0.1"}, "set_base_url", "Der Messenger nimmt das nicht an."),
    ],
)
async def test_an_error_is_named_at_its_field(
    hub: HubUnderTest, simulated: Simulated, changed: dict[str, str], name: str, said: str
) -> None:
    """What was typed stays, except the token, which is in no answer; no account is left behind, and the terms count as accepted
    only for fields that were worth asking the provider about."""
    ada = await visit(hub, "Ada Admin", role="admin")
    answer = await ada.post("/channels", headers=PAGE, **form(simulated, **changed))
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in field(answer.text, name) and f'aria-describedby="h-{name}"' in field(answer.text, name)
    assert said in words(answer.text)
    assert answer.text.count('aria-invalid="true"') == 1
    assert 'value="Werkstatt"' in field(answer.text, "title") and " checked" in field(answer.text, "terms")
    assert 'value=""' in field(answer.text, "set_bot_token")
    assert f'value="{changed.get("set_base_url", simulated.address)}"' in field(answer.text, "set_base_url")
    for token in (SECRET, changed.get("set_bot_token", SECRET).partition(":")[2] or SECRET):
        assert token not in answer.text
    assert await hub.value("SELECT count(*) FROM channel") == 0
    assert await hub.value("SELECT count(*) FROM channel_terms") == (1 if said == "Der Messenger nimmt das nicht an." else 0)


async def test_telegram_down_is_told_apart(hub: HubUnderTest, simulated: Simulated) -> None:
    """An outage of the provider is no fault of a field: said in words, with the provider's own, and nothing is left behind."""
    await simulated.fault("server_error", methods=["getMe"], status=503)
    ada = await visit(hub, "Ada Admin", role="admin")
    answer = await ada.post("/channels", headers=PAGE, **form(simulated))
    assert answer.status_code == 502
    assert "Der Messenger ist gerade nicht erreichbar" in answer.text and "Service Unavailable" in answer.text
    assert "aria-invalid" not in answer.text
    assert await hub.value("SELECT count(*) FROM channel") == 0


async def test_replacing_anothers_webhook_is_told(hub: HubUnderTest, simulated: Simulated) -> None:
    """The bot was somebody else's until now: the page says that the other system receives nothing any more."""
    await simulated.call("setWebhook", url="http://127.0.0.1:9/elsewhere")
    ada = await visit(hub, "Ada Admin", role="admin")
    answer = await ada.post("/channels", headers=PAGE, **form(simulated))
    assert answer.status_code == 303
    page = await ada.client.get(answer.headers["location"], headers=PAGE)
    assert "das andere System nicht mehr" in page.text
    channel_page = str(answer.headers["location"]).partition("?")[0].removeprefix(ada.base).removesuffix("/test")
    both = words(await ada.page(f"{channel_page}?note=channel.telegram.note.polling&note=channel.telegram.note.updates_missing"))
    assert "keine öffentliche Adresse" in both and "nicht alle Arten von Meldungen" in both
    foreign = await ada.page(f"{channel_page}?note=shell.logout")
    assert "Abmelden" not in re.sub(r"<nav.*?</nav>", "", foreign, flags=re.S)


async def test_secrets_stay_secret(hub: HubUnderTest, simulated: Simulated) -> None:
    """I10: the token is sealed at rest and in no page, log line or repr; the webhook's secret neither."""
    ada = await visit(hub, "Ada Admin", role="admin")
    with capture_logs() as logs:
        channel = await connect(hub, ada, simulated)
        pages = [await ada.page("/channels"), await ada.page("/channels?connect=telegram")]
    row = (await hub.rows(f"SELECT {ACCOUNT_COLUMNS} FROM channel"))[0]
    opened = open_channel(hub.runtime.vault, hub.runtime.connectors, row)
    assert opened.account.settings.bot_token.get_secret_value() == TOKEN
    for told in (*pages, repr(logs), repr(opened), repr(row["settings_sealed"]), repr(row["secrets_sealed"])):
        assert SECRET not in told and channel.secret not in told
    audit = await hub.rows("SELECT detail FROM audit_entry")
    assert SECRET not in repr(audit) and channel.secret not in repr(audit)


# Acts


async def test_kill_switch(hub: HubUnderTest, simulated: Simulated) -> None:
    """R-183: given 10 queued messages, when the switch is set, none is sent and all have `channel_blocked`; what still arrives
    is answered 200 and stored (I9); who did it and why is kept."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, simulated)
    conversation = await receive(hub, channel, "Hallo")
    for number in range(10):
        await hub.reply(conversation, f"Antwort {number}")
    assert "10 Nachrichten" in await card(ada, channel)

    answer = await act(ada, channel, "block", reason="Missbrauch gemeldet")
    assert answer.status_code == 303
    failed = await hub.rows("SELECT state, failure, failure_text FROM message WHERE direction = 'out'")
    assert {tuple(row) for row in failed} == {("failed", "channel_blocked", "Missbrauch gemeldet")} and len(failed) == 10
    await hub.settle()
    assert simulated.bot.chats == {}
    assert await hub.value("SELECT count(*) FROM attempt") == 0

    assert await hub.deliver(channel, telegram_text(9001, "Sind Sie noch da?", message_id=2)) == 200
    await hub.settle()
    assert await hub.value("SELECT count(*) FROM message WHERE text = 'Sind Sie noch da?'") == 1
    with pytest.raises(SendBlocked):
        await hub.reply(conversation, "Jetzt nicht mehr")
    page = words(await card(ada, channel))
    assert "Gesperrt, es geht nichts hinaus. Grund: Missbrauch gemeldet." in page
    entry = (await hub.rows("SELECT member_id, detail FROM audit_entry WHERE action = 'channel.blocked'"))[0]
    assert entry["member_id"] == ada.member_id and "Missbrauch gemeldet" in repr(entry["detail"])


async def test_kill_switch_is_one_transaction(hub: HubUnderTest) -> None:
    """R-183: the channel is blocked and its queue has failed, or neither: what breaks on the way takes both back."""
    channel = await hub.connect()
    await hub.reply(await receive(hub, channel, "Hallo"), "wartet")

    async def breaks(unit: Any, event: ChannelBlocked) -> None:
        raise RuntimeError("a later subscriber")

    hub.runtime.hooks.subscribe(ChannelBlocked, breaks)
    with pytest.raises(RuntimeError, match="a later subscriber"):
        await service.block_channel(hub.runtime, hub.owner, channel.id, "x")
    assert await hub.value("SELECT state FROM channel") == "on"
    assert await hub.value("SELECT state FROM message WHERE direction = 'out'") == "queued"


async def test_kill_switch_needs_a_reason(hub: HubUnderTest, simulated: Simulated) -> None:
    """Without a reason nothing changes, and the page says so; the confirmation demands it and counts what would fail."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, simulated)
    await hub.reply(await receive(hub, channel, "Hallo"), "wartet")
    answer = await act(ada, channel, "block", reason="  ")
    assert answer.status_code == 422 and "Dazu ist ein Grund nötig. Der Kanal ist unverändert." in answer.text
    assert await hub.value("SELECT state FROM channel") == "on"
    assert " required" in field(answer.text, "reason")
    assert "1 wartende Nachricht scheitert endgültig" in answer.text


async def test_off_and_on_again(hub: HubUnderTest, simulated: Simulated) -> None:
    """Off: nothing leaves, everything arrives. On: checked with the provider again."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, simulated)
    conversation = await receive(hub, channel, "Hallo")
    assert (await act(ada, channel, "off")).status_code == 303
    assert "Ausgeschaltet" in await ada.page("/channels") and "Ausgeschaltet" in await card(ada, channel)
    with pytest.raises(SendBlocked):
        await hub.reply(conversation, "nein")
    await receive(hub, channel, "Kommt an", first=2)
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'in'") == 2
    assert (await act(ada, channel, "on")).status_code == 303
    assert await hub.value("SELECT state FROM channel") == "on"


async def test_switching_on_with_a_revoked_token(hub: HubUnderTest, simulated: Simulated) -> None:
    """The stored token is worth nothing any more: the card says so, the channel stays as it was."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, simulated)
    await act(ada, channel, "off")
    new = "7012345678:AAE-a_renewed_token_from_the_father"
    await simulated.control("POST", "/bots", {"token": new, "name": "Muster Optik", "username": "muster_optik_bot"})
    answer = await act(ada, channel, "on")
    assert answer.status_code == 422
    assert "Der Messenger nimmt die gespeicherten Zugangsdaten nicht an. Der Messenger schreibt: Unauthorized" in words(answer.text)
    assert await hub.value("SELECT state FROM channel") == "off"


async def test_new_terms_are_asked_for(hub: HubUnderTest, simulated: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-180: a new version of the provider's terms shows as not accepted; the channel opens only with its acceptance."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, simulated)
    old = providers.provider_of("telegram")
    newer = providers.Provider(old.provider, old.operator, "2027-01", old.documents)
    monkeypatch.setattr(providers, "_providers", lambda: {"telegram": newer})
    assert "Stand 2027-01, noch nicht angenommen" in await card(ada, channel)
    answer = await act(ada, channel, "on")
    assert answer.status_code == 409 and "Die Bedingungen des Messengers sind noch nicht angenommen." in answer.text
    assert (await act(ada, channel, "on", accept="telegram")).status_code == 303
    assert [row["version"] for row in await hub.rows("SELECT version FROM channel_terms ORDER BY version")] == [
        "2024-07",
        "2027-01",
    ]
    assert "Stand 2027-01, angenommen am" in await card(ada, channel)


# State in words


@pytest.mark.parametrize(
    ("mark", "cause", "said"),
    [
        (
            health.mark_attention,
            "auth_failed",
            ["Zugang ungültig", "nimmt die Zugangsdaten seit 24.11.2026, 10:00 nicht mehr an", "„Verbindung prüfen“"],
        ),
        (health.mark_failing, "provider_unavailable", ["Messenger nicht erreichbar", "Sie müssen nichts tun"]),
        (
            health.mark_attention,
            "something_new",
            ["Zugang ungültig", "Der Austausch mit Telegram ist seit 24.11.2026, 10:00 gestört."],
        ),
    ],
)
async def test_health_in_words(
    hub: HubUnderTest, simulated: Simulated, clock: FakeClock, mark: Any, cause: str, said: list[str]
) -> None:
    """Cause, since when, what waits and what to do now; a cause without words of its own is still told."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, simulated)
    await hub.reply(await receive(hub, channel, "Hallo"), "wartet")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        if mark is health.mark_failing:
            await health.mark_failing(unit, channel.id, cause, clock(), Unavailable("503"))
        else:
            await mark(unit, channel.id, cause)
    page = words(await card(ada, channel))
    for one in (*said, "1 Nachricht wartet.", "Was Kunden schreiben, geht nicht verloren."):
        assert one in page


@pytest.mark.parametrize("locale", LOCALES)
async def test_every_error_of_a_connector_has_words(locale: str) -> None:
    def below(kind: type[ConnectorError]) -> list[type[ConnectorError]]:
        return [kind, *(one for child in kind.__subclasses__() for one in below(child) if one.__module__ == kind.__module__)]

    missing = [kind.code for kind in below(ConnectorError) if f"error.{kind.code}" not in catalogue(locale)]
    assert missing == []
    assert "error.terms_not_accepted" in catalogue(locale)


async def test_english(hub: HubUnderTest, simulated: Simulated) -> None:
    anna = await visit(hub, "Anna Nowak", role="admin", locale="en")
    channel = await connect(hub, anna, simulated)
    page = words(await card(anna, channel)) + words(await anna.page("/channels?connect=telegram"))
    for shown in ("Not tested yet", "version 2024-07, accepted on 24 Nov 2026", "I have read the terms of Telegram"):
        assert shown in page


# Who may


async def test_an_agent_looks_but_does_not_act(hub: HubUnderTest, simulated: Simulated) -> None:
    """R-040: an agent sees the channels without acts, and each act is refused with 403."""
    ada, jonas = await visit(hub, "Ada Admin", role="admin"), await visit(hub)
    channel = await connect(hub, ada, simulated)
    page = await jonas.page("/channels?connect=telegram")
    assert "@muster_optik_bot" in page and "Das kann, wer die Rolle Inhaber oder Verwaltung hat." in page
    for one in (page, await card(jonas, channel, "?form=settings")):
        main = one.partition("<main")[2]
        assert "<form" not in main and "popovertarget" not in main and "?connect=" not in main and "?form=" not in main
    for what, fields in (("on", {}), ("off", {}), ("block", {"reason": "x"})):
        assert (await act(jonas, channel, what, **fields)).status_code == 403
    assert (await jonas.post("/channels", headers=PAGE, **form(simulated))).status_code == 403
    assert await hub.value("SELECT count(*) FROM channel") == 1 and await hub.value("SELECT state FROM channel") == "on"


async def test_a_greeting_is_set_where_the_messenger_asks_for_one(hub: HubUnderTest, simulated: Simulated) -> None:
    """Provider file of Viber, A4: with the set-up or later, and never longer than a message."""
    ada = await visit(hub, "Ada Admin", role="admin")
    assert 'name="welcome"' in await ada.page("/channels?connect=viber")
    assert 'name="welcome"' not in await ada.page("/channels?connect=sms")
    telegram = await connect(hub, ada, simulated)
    assert "/welcome" not in await card(ada, telegram)
    values = {"auth_token": f"{'4' * 16}-{'4' * 16}-{'4' * 16}", "sender_name": "Radwerk"}
    about: dict[str, Any] = {"connector": "viber", "title": "Viber", "values": values, "answers": {"industry": "none"}}
    viber = Connected(await service.connect_channel(hub.runtime, hub.owner, **about), "viber", "")
    assert (await act(ada, viber, "welcome", text="Guten Tag\r\nin der Werkstatt ")).status_code == 303
    assert await hub.value("SELECT welcome FROM channel WHERE id = $1", viber.id) == "Guten Tag\nin der Werkstatt"
    assert "Begrüßung geändert" in words(page := await card(ada, viber)) and "in der Werkstatt</textarea>" in page
    refused = await act(ada, viber, "welcome", text="x" * 7001)
    assert refused.status_code == 422 and "x" * 7001 in refused.text


async def test_who_may_not_even_look(hub: HubUnderTest) -> None:
    reader = await visit(hub, "Rita Leser", role="readonly")
    await reader.page("/channels", status=403)


async def test_another_organisations_channel_does_not_exist(hub: HubUnderTest, simulated: Simulated) -> None:
    """I6: acts on a foreign channel are answered as if it were not there, and change nothing."""
    other = await hub.found("fremd", "Fremde GmbH")
    foreign = await hub.connect(access=other)
    ada = await visit(hub, "Ada Admin", role="admin")
    for what, fields in (("on", {}), ("off", {}), ("block", {"reason": "x"})):
        assert (await act(ada, foreign, what, **fields)).status_code == 404
    state = await hub.value("SELECT state FROM channel", organisation_id=other.organisation_id)
    assert state == "on"
    assert "fremd" not in words(await ada.page("/channels")).lower()
