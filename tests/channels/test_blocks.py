"""The kill switch of a messenger and of the whole organisation, and lifting each kind with a reason (R-183)."""

import pytest

from hub.channels import blocks
from hub.consent.gate import SendBlocked
from hub.core.errors import NotFound
from tests.channels.support import act, card, connect, field, words
from tests.inbox.pages_support import PAGE, receive, visit
from tests.sandbox.support import Simulated
from tests.support import HubUnderTest, telegram_text


@pytest.mark.parametrize("connector", ["telegram", ""])
async def test_one_switch_stops_a_messenger_or_all(hub: HubUnderTest, connector: str) -> None:
    """R-183: given 10 queued messages on two channels, when the switch is set, none is sent and all have `channel_blocked`; an
    inbound webhook is answered 200 and stored; lifting it brings back what was before."""
    ada = await visit(hub, "Ada Admin", role="admin")
    one, other = await hub.connect(), await hub.connect()
    talks = [await receive(hub, one, "Hallo", user=1001), await receive(hub, other, "Hallo", user=1002)]
    for number in range(10):
        await hub.reply(talks[number % 2], f"Antwort {number}")
    answer = await ada.post("/channels/stop", headers=PAGE, connector=connector, reason="Missbrauch gemeldet")
    assert answer.status_code == 303 and answer.headers["location"].endswith("/channels?said=stopped")
    failed = await hub.rows("SELECT state, failure, failure_text FROM message WHERE direction = 'out'")
    assert {tuple(row) for row in failed} == {("failed", "channel_blocked", "Missbrauch gemeldet")} and len(failed) == 10
    await hub.settle()
    assert await hub.value("SELECT count(*) FROM attempt") == 0
    assert await hub.deliver(one, telegram_text(9001, "Sind Sie noch da?", message_id=2)) == 200
    with pytest.raises(SendBlocked, match="channel_blocked"):
        await hub.reply(talks[0], "Jetzt nicht mehr")
    await hub.settle()
    assert await hub.value("SELECT count(*) FROM message WHERE text = 'Sind Sie noch da?'") == 1

    page = words(await ada.page("/channels"))
    assert f"Der Versand über {'Telegram' if connector else 'alle Messenger'} ist gesperrt. Grund: Missbrauch gemeldet." in page
    assert "Gesperrt von Ada Admin." in page
    assert "Grund: Missbrauch gemeldet" in words(await card(ada, one)) and "Läuft" not in words(await card(ada, one))
    assert {row["state"] for row in await hub.rows("SELECT state FROM channel")} == {"on"}

    hub.clock.advance(hours=1)
    answer = await ada.post("/channels/go", headers=PAGE, connector=connector, reason="Missbrauch geklärt")
    assert answer.status_code == 303
    await hub.reply(talks[0], "Wieder da")
    entries = await hub.rows(
        "SELECT action, target, member_id, detail FROM audit_entry WHERE action LIKE 'messenger.%' ORDER BY at"
    )
    assert [(row["action"], row["target"], row["member_id"], row["detail"]) for row in entries] == [
        ("messenger.blocked", connector or "all", ada.member_id, {"reason": "Missbrauch gemeldet"}),
        ("messenger.unblocked", connector or "all", ada.member_id, {"reason": "Missbrauch geklärt"}),
    ]
    assert "Missbrauch geklärt" in words(await card(ada, one))


async def test_a_channel_that_comes_later_is_stopped_too(hub: HubUnderTest) -> None:
    await blocks.block_messenger(hub.runtime, hub.owner, blocks.ALL, "Gesetz")
    later = await hub.connect()
    with pytest.raises(SendBlocked, match="channel_blocked"):
        await hub.reply(await receive(hub, later, "Hallo"), "nein")


async def test_another_organisation_goes_on(hub: HubUnderTest) -> None:
    other = await hub.found("velo", "Velo Bregenz")
    telegram = await hub.connect()
    await blocks.block_messenger(hub.runtime, other, "telegram", "nur dort")
    await hub.reply(await receive(hub, telegram, "Hallo"), "geht hinaus")
    assert await hub.value("SELECT state FROM message WHERE direction = 'out'") == "queued"


async def test_what_the_switch_refuses(hub: HubUnderTest) -> None:
    """No reason, set twice, lifted without being set, a messenger that is not there: said, and nothing changes."""
    ada = await visit(hub, "Ada Admin", role="admin")
    await hub.connect()
    for path in ("stop", "go"):
        answer = await ada.post(f"/channels/{path}", headers=PAGE, connector="telegram", reason=" ")
        assert answer.status_code == 422 and "Dazu ist ein Grund nötig. Es hat sich nichts geändert." in words(answer.text)
    assert (await ada.post("/channels/go", headers=PAGE, connector="telegram", reason="x")).status_code == 409
    assert await hub.value("SELECT count(*) FROM channel_block") == 0
    await ada.post("/channels/stop", headers=PAGE, connector="telegram", reason="erst")
    answer = await ada.post("/channels/stop", headers=PAGE, connector="telegram", reason="noch einmal")
    assert answer.status_code == 409 and "Das ist schon gesperrt." in words(answer.text)
    assert await hub.value("SELECT reason FROM channel_block") == "erst"
    with pytest.raises(NotFound):
        await blocks.block_messenger(hub.runtime, hub.owner, "nobody", "x")


async def test_lifting_a_channels_switch_leaves_it_off(hub: HubUnderTest, simulated: Simulated) -> None:
    """R-183: a blocked channel cannot be switched on; lifting wants a reason, and then somebody has to open it."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, simulated)
    await act(ada, channel, "block", reason="Missbrauch gemeldet")
    answer = await act(ada, channel, "on")
    assert answer.status_code == 409 and "Heben Sie zuerst die Sperre auf." in words(answer.text)
    assert "Einschalten" not in words(await card(ada, channel)) and " required" in field(await card(ada, channel), "reason")
    assert (await act(ada, channel, "unblock", reason="")).status_code == 422
    assert await hub.value("SELECT state FROM channel") == "blocked"
    assert (await act(ada, channel, "unblock", reason="Geklärt")).status_code == 303
    assert await hub.value("SELECT state FROM channel") == "off"
    page = words(await card(ada, channel))
    assert "Sperre aufgehoben. Grund: Geklärt" in page and "Gesperrt. Grund: Missbrauch gemeldet" in page and "Einschalten" in page
    assert (await act(ada, channel, "unblock", reason="noch einmal")).status_code == 409
    assert (await act(ada, channel, "on")).status_code == 303
    assert await hub.value("SELECT state FROM channel") == "on"
