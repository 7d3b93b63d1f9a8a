"""Outages of providers are listed with their cause and are no downtime (R-184)."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from hub.channels import health, outages, service
from hub.channels.outages import Outage, cause_of, summed
from hub.connectors.errors import Unavailable
from hub.core import ids
from hub.core.errors import InvalidInput, NotFound
from tests.channels.support import PAGE_ACCOUNT, card, words
from tests.inbox.pages_support import visit
from tests.support import Connected, HubUnderTest, command

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def outage(fault: str, began: int, ended: int | None) -> Outage:
    """Minutes after noon."""
    at = NOON + timedelta(minutes=began)
    end = None if ended is None else NOON + timedelta(minutes=ended)
    return Outage(uuid4(), uuid4(), "telegram", "Werkstatt", at, end, fault, "answered", "503")


def test_only_what_is_not_the_providers_counts() -> None:
    """Given 300 min provider outage, when the report runs, then listed, not counted; an outage counts as far as it lies inside."""
    report = summed([outage("provider", 0, 300)], NOON, NOON + timedelta(days=1))
    assert (report.listed_minutes, report.downtime_minutes, len(report.outages)) == (300, 0, 1)
    mixed = [outage("provider", -60, 10), outage("network", 0, 5), outage("ours", 50, None)]
    report = summed(mixed, NOON, NOON + timedelta(hours=1))
    assert (report.listed_minutes, report.downtime_minutes) == (10, 15)


@pytest.mark.parametrize(("code", "cause"), [("503", "answered"), ("ConnectError", "unreachable"), ("PoolTimeout", "own")])
def test_what_an_attempt_knows_of_the_cause(code: str, cause: str) -> None:
    assert cause_of(Unavailable(code)) == cause


async def fail(hub: HubUnderTest, channel: Connected, code: str) -> None:
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await health.mark_failing(unit, channel.id, outages.CAUSE, hub.clock(), Unavailable(code, "gateway down"))


async def mend(hub: HubUnderTest, channel: Connected) -> None:
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await health.mark_healthy(unit, channel.id)


@pytest.mark.usefixtures("environment")
async def test_three_hundred_minutes_of_the_provider_are_listed_and_not_counted(hub: HubUnderTest) -> None:
    """R-184: given 300 min provider outage, when the report runs, then listed, not counted; the operator may know better."""
    channel = await hub.connect()
    await fail(hub, channel, "503")
    hub.clock.advance(minutes=200)
    await fail(hub, channel, "502")  # still the same
    hub.clock.advance(minutes=100)
    await mend(hub, channel)
    days = ("--from", "2026-11-24", "--to", "2026-11-24")
    told = await command("channels", "outages", *days)
    assert told.exit_code == 0, told.output
    assert "300 min" in told.output and "provider, does not count: answered 503 gateway down" in told.output
    assert "300 minutes of providers, listed and not counted. 0 minutes of downtime." in told.output
    assert "0 minutes of providers" in (await command("channels", "outages", "--from", "2026-11-25", "--to", "2026-11-25")).output
    ada = await visit(hub, "Ada Admin", role="admin")
    page = words(await card(ada, channel))
    assert "Ausfälle" in page and "300 Anbieter, zählt nicht nahm nichts an 503 gateway down" in page

    shown = ids.show("out", await hub.value("SELECT id FROM channel_outage"))
    assert (await command("channels", "judge", "radwerk", shown, "ours", "--reason", "Unser Zertifikat")).exit_code == 0
    told = await command("channels", "outages", *days, "--organisation", "radwerk")
    assert "0 minutes of providers, listed and not counted. 300 minutes of downtime." in told.output
    assert "Der Ausfall lag an uns. Unser Zertifikat" in words(await card(ada, channel))
    assert (await command("channels", "outages", *days, "--organisation", "nobody")).exit_code == 1
    with pytest.raises(InvalidInput):
        await outages.judge(hub.runtime, hub.organisation_id, ids.new_id(), "nobody", "x")
    with pytest.raises(NotFound):
        await outages.judge(hub.runtime, hub.organisation_id, ids.new_id(), "ours", "x")


async def test_two_providers_at_once_mean_the_way_there(hub: HubUnderTest) -> None:
    """One that cannot be reached is the provider's; with another one it is the network. One that answers stays the provider's."""
    telegram, other, page = await hub.connect(), await hub.connect(), await hub.connect("messenger", **PAGE_ACCOUNT)
    await fail(hub, telegram, "ConnectError")
    await fail(hub, other, "ConnectError")
    assert {row["fault"] for row in await hub.rows("SELECT fault FROM channel_outage")} == {"provider"}
    await fail(hub, page, "ConnectTimeout")
    assert {row["fault"] for row in await hub.rows("SELECT fault FROM channel_outage")} == {"network"}
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await health.mark_attention(unit, page.id, "auth_failed")
        assert [one.ended_at for one in await outages.newest(unit, page.id)] == [hub.clock()]
    await service.switch_off(hub.runtime, hub.owner, other.id)  # nobody wants to send there any more
    assert await hub.value("SELECT count(*) FROM channel_outage WHERE ended_at IS NULL") == 1
