"""A channel that turned red is told to the owners by mail, once, and again when it works; every page shows it meanwhile."""

import pytest

from hub.channels import health, service
from hub.channels.incidents import PATIENCE, tell_owners
from hub.connectors.errors import Unavailable
from hub.core import ids
from hub.core.clock import FakeClock
from tests.channels.support import with_mail
from tests.inbox.pages_support import visit
from tests.smtp import MailServer
from tests.support import Connected, HubUnderTest


async def mark(hub: HubUnderTest, channel: Connected, cause: str) -> None:
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await health.mark_attention(unit, channel.id, cause)


async def mend(hub: HubUnderTest, channel: Connected) -> None:
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await health.mark_healthy(unit, channel.id)


async def test_once_for_each_incident_and_once_when_it_is_over(hub: HubUnderTest, smtp: MailServer, clock: FakeClock) -> None:
    """Owners alone are told, in their language, with cause, what to do and where; nothing of it is told twice."""
    await visit(hub, "Ada Admin", role="admin")
    await visit(hub, "Olivia Owner", role="owner", locale="en")
    runtime = with_mail(hub, smtp)
    channel = await hub.connect()
    assert await tell_owners(runtime) == 0
    await mark(hub, channel, "auth_failed")
    assert await tell_owners(runtime) == 2
    assert await tell_owners(runtime) == 0
    english, german = sorted(smtp.inbox.mails, key=lambda one: one["To"])
    assert (english["To"], german["To"]) == ("olivia@radwerk.example", "owner@radwerk.example")
    assert german["Subject"] == "Kanal „Telegram“ ist gestört" and english["Subject"] == "Channel “Telegram” is not working"
    text = german.get_content()
    assert "nimmt die Zugangsdaten seit 24.11.2026, 10:00 nicht mehr an" in text and "Erneuern Sie die Zugangsdaten" in text
    assert "http://hub.test/o/radwerk/channels" in text and "Radwerk Lindau" in text

    clock.advance(minutes=30)
    await mend(hub, channel)
    assert await tell_owners(runtime) == 2
    assert await tell_owners(runtime) == 0
    assert "arbeitet wieder" in smtp.inbox.mails[2]["Subject"] + smtp.inbox.mails[3]["Subject"]
    clock.advance(hours=1)
    await mark(hub, channel, "auth_failed")
    assert await tell_owners(runtime) == 2, "another incident"
    told = await hub.rows("SELECT cause FROM channel_event WHERE cause LIKE 'owners%' ORDER BY at")
    assert [row["cause"] for row in told] == ["owners_told", "owners_told_well", "owners_told"]


async def test_a_short_outage_wakes_nobody(hub: HubUnderTest, smtp: MailServer, clock: FakeClock) -> None:
    runtime, channel = with_mail(hub, smtp), await hub.connect()
    for advance, sent in ((PATIENCE.total_seconds() - 1, 0), (1, 1)):
        async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
            await health.mark_failing(unit, channel.id, "provider_unavailable", clock(), Unavailable("503"))
        clock.advance(seconds=advance)
        assert await tell_owners(runtime) == sent


async def test_a_channel_that_is_closed_is_nobodys_trouble(hub: HubUnderTest, smtp: MailServer) -> None:
    runtime, channel = with_mail(hub, smtp), await hub.connect()
    await mark(hub, channel, "auth_failed")
    await service.switch_off(hub.runtime, hub.owner, channel.id)
    assert await tell_owners(runtime) == 0


async def test_a_mail_server_that_takes_nothing_is_asked_again(hub: HubUnderTest, smtp: MailServer) -> None:
    """Nothing is taken for told that nobody took."""
    runtime, channel = with_mail(hub, smtp), await hub.connect()
    await mark(hub, channel, "auth_failed")
    async with hub.runtime.database.system() as unit:
        await unit.sql.execute("UPDATE person SET email = 'owner@elsewhere.example' WHERE email = 'owner@radwerk.example'")
    assert await tell_owners(runtime) == 0 and await hub.value("SELECT told_at FROM channel") is None
    async with hub.runtime.database.system() as unit:
        await unit.sql.execute("UPDATE person SET email = 'owner@radwerk.example' WHERE email = 'owner@elsewhere.example'")
    assert await tell_owners(runtime) == 1


async def test_without_a_mail_server_the_pages_tell(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    await mark(hub, channel, "auth_failed")
    assert await tell_owners(hub.runtime) == 0 and await hub.value("SELECT told_at FROM channel") is None
    ada = await visit(hub, "Ada Admin", role="admin")
    assert "Dieser Hub sendet keine Mails" in await ada.page(f"/channels/{ids.show('chn', channel.id)}")


@pytest.mark.parametrize("count", [0, 1, 2])
async def test_every_page_of_an_agent_shows_it(hub: HubUnderTest, count: int) -> None:
    """The mark and the strip ask for words with a link to what is broken."""
    jonas = await visit(hub)
    channels = [await hub.connect() for _ in range(2)]
    for channel in channels[:count]:
        await mark(hub, channel, "auth_failed")
    found = await jonas.data("/channels/red")
    assert found["count"] == count
    if count == 1:
        assert found["mark"] == "1 Kanal gestört" and "„Telegram“ ist gestört" in found["text"]
        assert found["href"] == f"/o/radwerk/channels/{ids.show('chn', channels[0].id)}"
    if count == 2:
        assert found["mark"] == "2 Kanäle gestört" and found["href"] == "/o/radwerk/channels"
    for path in ("/inbox/open", "/channels"):
        page = await jonas.page(path)
        assert 'data-red="/o/radwerk/channels/red"' in page and ('id="red"' in page) is (path != "/channels")
    reader = await visit(hub, "Rita Leser", role="readonly")
    assert "data-red" not in await reader.page("/inbox/open")
