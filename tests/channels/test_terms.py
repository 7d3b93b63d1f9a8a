"""New terms of a provider (R-180): asked again, with thirty days in which the channel goes on sending."""

from datetime import UTC, datetime

import pytest

from hub.channels import providers, service
from hub.channels.terms import ask_again
from hub.consent.gate import SendBlocked
from hub.core import ids
from hub.core.clock import FakeClock
from tests.channels.support import with_mail, words
from tests.inbox.pages_support import receive, visit
from tests.smtp import MailServer
from tests.support import HubUnderTest, telegram_text


async def test_new_terms_have_thirty_days(
    hub: HubUnderTest, smtp: MailServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-180: given a new version, when the admin looks, then a confirmation is asked for; the channel keeps sending until
    `grace_days` are over, afterwards it only receives; accepting opens it again at once."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await hub.connect()
    await service.accept_terms(hub.runtime, hub.owner, "telegram")
    runtime = with_mail(hub, smtp)
    assert await ask_again(runtime) == 0
    old = providers.provider_of("telegram")
    newer = providers.Provider(old.provider, old.operator, "2027-01", old.documents)
    monkeypatch.setattr(providers, "_providers", lambda: {"telegram": newer})
    assert await ask_again(runtime) == 1
    assert await ask_again(runtime) == 0
    assert [mail["Subject"] for mail in smtp.inbox.mails] == ["Neue Bedingungen von Telegram"]
    assert "Stand 2027-01" in smtp.inbox.mails[0].get_content() and "24.12.2026" in smtp.inbox.mails[0].get_content()
    shown = ids.show("chn", channel.id)
    page = words(await ada.page(f"/channels/{shown}"))
    assert "Bis zum 24.12.2026 sendet der Kanal noch." in page and "Annehmen und prüfen" in page
    assert "Neue Bedingungen, Stand 2027-01" in page
    assert "Neue Bedingungen" in words(await ada.page("/channels"))

    talk = await receive(hub, channel, "Hallo")
    clock.set(datetime(2026, 12, 24, 22, 59, 59, tzinfo=UTC))
    await hub.reply(talk, "Am letzten Tag")
    clock.set(datetime(2026, 12, 24, 23, 0, tzinfo=UTC))
    with pytest.raises(SendBlocked, match="terms_overdue"):
        await hub.reply(talk, "Zu spät")
    assert await hub.deliver(channel, telegram_text(9001, "Noch da?", message_id=2)) == 200
    await service.accept_terms(hub.runtime, hub.owner, "telegram")
    await hub.reply(talk, "Wieder da")
