"""Meta demands that an organisation is stopped (R-187)."""

from uuid import UUID

import pytest

from hub.channels import blocks, demands
from hub.channels.accounts import read_channel
from hub.channels.demands import Demand
from hub.connectors.events import Sender
from hub.consent.gate import SendBlocked
from hub.core.errors import InvalidInput, NotFound
from hub.inbox.arriving.people import Named, open_talks
from tests.channels.support import INSTAGRAM, PAGE_ACCOUNT, act, card, with_mail, words
from tests.inbox.pages_support import PAGE, receive, visit
from tests.smtp import MailServer
from tests.support import Connected, HubUnderTest, command, telegram_text


def demand(hub: HubUnderTest, ground: str = "i", text: str = "Spam über diese Konten", by: str = "Meta, Policy") -> Demand:
    return Demand(ground, text, by, hub.clock())


async def test_a_demand_of_meta_stops_both_messengers_and_no_other(hub: HubUnderTest, smtp: MailServer) -> None:
    """R-187: given a Meta demand recorded with reason (i) or (ii), when executed, then Facebook and Instagram channels of the
    tenant stop sending at once (inbound is still stored, R-183), others run, and the tenant is told after the fact."""
    ada = await visit(hub, "Ada Admin", role="admin")
    page, insta = await hub.connect("messenger", **PAGE_ACCOUNT), await hub.connect("instagram", **INSTAGRAM)
    telegram = await hub.connect()
    waiting = [await queue(hub, page), await queue(hub, insta)]
    talk = await receive(hub, telegram, "Hallo")

    assert await demands.execute(with_mail(hub, smtp), "radwerk", demand(hub, "ii")) == 1
    failed = await hub.rows("SELECT state, failure, failure_text FROM message WHERE id = ANY($1::uuid[])", waiting)
    assert [tuple(row) for row in failed] == [("failed", "channel_blocked", "Spam über diese Konten")] * 2
    record = (await hub.rows("SELECT provider, ground, text, demanded_by, demanded_at FROM provider_demand"))[0]
    assert tuple(record) == ("Meta", "ii", "Spam über diese Konten", "Meta, Policy", hub.clock())
    for channel in (page, insta):
        with pytest.raises(SendBlocked, match="channel_blocked"):
            await queue(hub, channel)
        assert "Gesperrt vom Betreiber; nur er kann die Sperre aufheben." in words(await card(ada, channel))
    await hub.reply(talk, "Telegram läuft")
    assert await hub.deliver(telegram, telegram_text(9001, "Noch da?", message_id=2)) == 200
    mail = smtp.inbox.mails[0]
    assert mail["Subject"] == "Meta hat verlangt, den Versand zu sperren"
    assert "Spam über diese Konten" in mail.get_content() and "(ii)" in mail.get_content()

    answer = await ada.post("/channels/go", headers=PAGE, connector="messenger", reason="Ich will")
    assert answer.status_code == 409 and "nur er kann die Sperre aufheben" in words(answer.text)
    listed = words(await ada.page("/channels"))
    assert "Grund: Spam über diese Konten." in listed and "Aufheben …" not in listed
    await demands.release(hub.runtime, "radwerk", "Meta stimmt zu")
    await queue(hub, page)
    assert "Meta stimmt zu" in words(await card(ada, page))
    assert (await act(ada, insta, "off")).status_code == 303


async def queue(hub: HubUnderTest, channel: Connected) -> UUID:
    """A reply to somebody who wrote on this channel a moment ago."""
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        opened = await read_channel(hub.runtime, unit, channel.id)
        (talk,), _ = await open_talks(unit, opened, [Named(Sender(provider_user_id="9001"), "", hub.clock())])
        await unit.sql.execute("UPDATE conversation SET last_inbound_at = $2 WHERE id = $1", talk.conversation_id, hub.clock())
    return await hub.reply(talk.conversation_id, "Guten Tag")


async def test_what_a_demand_needs(hub: HubUnderTest) -> None:
    for wrong in (demand(hub, "iii"), demand(hub, text=" "), demand(hub, by="")):
        with pytest.raises(InvalidInput):
            await demands.execute(hub.runtime, "radwerk", wrong)
    with pytest.raises(NotFound):
        await demands.execute(hub.runtime, "nobody", demand(hub))
    assert await hub.value("SELECT count(*) FROM channel_block") == 0


@pytest.mark.usefixtures("environment")
async def test_the_commands(hub: HubUnderTest) -> None:
    """What an operator types; a messenger that is connected later is stopped too, and the business's own switch gives way."""
    await blocks.block_messenger(hub.runtime, hub.owner, "instagram", "Urlaub")
    given = ("--ground", "i", "--text", "Spam", "--by", "Meta, Policy", "--at", "2026-11-24T08:30:00")
    told = await command("channels", "demand", "radwerk", *given)
    assert told.exit_code == 0 and "0 owners were told by mail." in told.output, told.output
    rows = await hub.rows("SELECT connector, reason, blocked_by FROM channel_block ORDER BY connector")
    assert [tuple(row) for row in rows] == [("instagram", "Spam", None), ("messenger", "Spam", None)]
    assert (await command("channels", "release", "radwerk", "--reason", "Meta stimmt zu")).exit_code == 0
    assert await hub.value("SELECT count(*) FROM channel_block") == 0
    assert (await command("channels", "release", "radwerk", "--reason", "noch einmal")).exit_code == 1
