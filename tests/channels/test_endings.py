"""A provider ends its messenger (R-185): one command for all organisations, from a day on that begins in each one's zone."""

from datetime import UTC, date, datetime

import pytest

from hub.channels.endings import end_messenger, first_moment
from hub.consent.gate import SendBlocked
from hub.core import ids
from hub.core.clock import FakeClock
from hub.core.errors import InvalidInput, NotFound
from tests.channels.support import with_mail, words
from tests.inbox.pages_support import receive, visit
from tests.smtp import MailServer
from tests.support import HubUnderTest, command, telegram_text

FROM = date(2026, 12, 1)


async def test_after_the_last_day_the_channel_only_receives(hub: HubUnderTest, smtp: MailServer, clock: FakeClock) -> None:
    """R-185: given Telegram ends on 2026-11-30, when 24:00 has passed, then nothing leaves, the history stays, and a webhook that
    still comes is stored; what was still queued fails with the rule."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await hub.connect()
    talk = await receive(hub, channel, "Hallo")
    assert await end_messenger(with_mail(hub, smtp), "telegram", FROM, "Telegram stellt Bots ein") == (1, 1)
    assert smtp.inbox.mails[0]["Subject"] == "Telegram endet zum 01.12.2026"
    assert "Telegram stellt Bots ein" in smtp.inbox.mails[0].get_content()
    for page in (await ada.page("/channels"), await ada.page(f"/channels/{ids.show('chn', channel.id)}")):
        assert "Telegram endet. Ab dem 01.12.2026 geht darüber nichts mehr hinaus. Grund: Telegram stellt Bots ein." in words(page)
    assert "Der Anbieter beendet den Messenger. Grund: Telegram stellt Bots ein" in words(page)

    clock.set(datetime(2026, 11, 30, 22, 59, 59, tzinfo=UTC))
    waiting = await hub.reply(talk, "Am letzten Tag")
    clock.set(datetime(2026, 11, 30, 23, 0, tzinfo=UTC))
    with pytest.raises(SendBlocked, match="messenger_ended"):
        await hub.reply(talk, "Zu spät")
    await hub.settle()
    assert await hub.value("SELECT failure FROM message WHERE id = $1", waiting) == "messenger_ended"
    assert await hub.deliver(channel, telegram_text(9001, "Noch da?", message_id=2)) == 200
    await hub.settle()
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'in'") == 2
    jonas = await visit(hub)
    page = words(await jonas.page(f"/inbox/open/{ids.show('conv', talk)}"))
    assert "Noch da?" in page and "Der Anbieter hat diesen Messenger beendet." in page


def test_a_day_begins_in_the_zone_of_the_organisation() -> None:
    from zoneinfo import ZoneInfo

    assert first_moment(FROM, ZoneInfo("Europe/Berlin")) == datetime(2026, 11, 30, 23, 0, tzinfo=UTC)
    assert first_moment(FROM, ZoneInfo("UTC")) == datetime(2026, 12, 1, tzinfo=UTC)


async def test_only_who_uses_it_is_told_and_another_day_takes_its_place(hub: HubUnderTest, smtp: MailServer) -> None:
    await hub.found("velo", "Velo Bregenz")
    runtime = with_mail(hub, smtp)
    assert await end_messenger(runtime, "telegram", FROM, "erst") == (0, 0)
    await hub.connect()
    assert await end_messenger(runtime, "telegram", date(2027, 1, 1), "dann") == (1, 1)
    rows = await hub.rows("SELECT connector, from_day, reason FROM messenger_end")
    assert [tuple(row) for row in rows] == [("telegram", date(2027, 1, 1), "dann")]
    with pytest.raises(NotFound):
        await end_messenger(runtime, "nobody", FROM, "x")
    with pytest.raises(InvalidInput):
        await end_messenger(runtime, "telegram", FROM, " ")


@pytest.mark.usefixtures("environment")
async def test_the_command(hub: HubUnderTest) -> None:
    """What an operator types, and what wrong words are answered."""
    channel = await hub.connect()
    ended = await command("channels", "end", "telegram", "--from", "2026-12-01", "--reason", "Telegram stellt Bots ein")
    assert ended.exit_code == 0 and "1 organisations use telegram. 0 owners were told by mail." in ended.output
    assert await hub.value("SELECT from_day FROM messenger_end") == FROM
    assert (await command("channels", "end", "nobody", "--from", "2026-12-01", "--reason", "x")).exit_code == 1

    shown = ids.show("chn", channel.id)
    assert (await command("channels", "approve", shown, "applied", "--reason", "Antrag vom 20.11.")).exit_code == 0
    assert await hub.value("SELECT approval FROM channel") == "applied"
    for wrong in ((shown, "perhaps"), ("chn_x", "approved"), (ids.show("chn", ids.new_id()), "approved")):
        assert (await command("channels", "approve", *wrong, "--reason", "x")).exit_code == 1
