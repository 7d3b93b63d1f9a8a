"""A provider's word on an account (R-186, R-196): in force from the second it is entered."""

import pytest

from hub.channels.approval import set_approval
from hub.consent.gate import SendBlocked
from hub.core import ids
from tests.channels.support import words
from tests.inbox.pages_support import receive, visit
from tests.support import HubUnderTest


async def test_approved_then_revoked(hub: HubUnderTest) -> None:
    """R-196: given "approved" then "revoked", when sending, then refused from that second; R-186: "pending" refuses, "approved"
    sends. What waits when the word comes fails with the rule."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await hub.connect()
    talk = await receive(hub, channel, "Hallo")
    await set_approval(hub.runtime, channel.id, "applied", "Antrag vom 20.11.")
    with pytest.raises(SendBlocked, match="not_approved"):
        await hub.reply(talk, "noch nicht")
    await set_approval(hub.runtime, channel.id, "approved", "Mail vom 23.11.")
    waiting = await hub.reply(talk, "jetzt")
    await set_approval(hub.runtime, channel.id, "revoked", "Beschwerden")
    with pytest.raises(SendBlocked, match="not_approved"):
        await hub.reply(talk, "nicht mehr")
    await hub.settle()
    assert await hub.value("SELECT failure FROM message WHERE id = $1", waiting) == "not_approved"
    page = words(await ada.page(f"/channels/{ids.show('chn', channel.id)}"))
    assert "Telegram hat die Freigabe entzogen." in page and "Freigabe vom Anbieter entzogen: Beschwerden" in page
    assert "Freigabe entzogen" in words(await ada.page("/channels"))
