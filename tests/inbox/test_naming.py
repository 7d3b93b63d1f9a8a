"""Names that messages do not say: asked for once, in their own time, and never over a name that was given here."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from httpx import AsyncClient

from hub.connectors.contract import Account
from hub.connectors.errors import AuthFailed, RateLimited, SendError
from hub.connectors.events import Sender
from hub.connectors.registry import Registry
from hub.core import ids
from hub.core.clock import FakeClock
from hub.inbox.arriving import ingest
from tests.probe import Probe, ProbeSettings
from tests.support import Connected, HubUnderTest

NOW = 1795510800


@dataclass
class Directory:
    """What the provider tells of people; who is not in it hides their name."""

    names: dict[str, str] = field(default_factory=dict)
    refuses: list[SendError] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


directory = Directory()


class Nameless(Probe):
    """The probe as a messenger whose messages name nobody."""

    connector = "nameless"

    async def name_of(self, address: str, account: Account[ProbeSettings], http: AsyncClient) -> Sender | None:
        directory.asked.append(address)
        if directory.refuses:
            raise directory.refuses.pop(0)
        name = directory.names.get(address)
        return Sender(provider_user_id=address, display_name=name, username="n") if name else None


@pytest.fixture
def connectors() -> Registry:
    return Registry([Nameless(), Probe()])


@pytest.fixture(autouse=True)
def _fresh() -> None:
    vars(directory).update(vars(Directory(names={"1": "Jörg Müller", "2": "Anna Öz"})))


async def hear(hub: HubUnderTest, channel: Connected, *people: str, **more: Any) -> None:
    """Each of these people writes."""
    usual = {"type": "message", "at": NOW, "text": "Hallo", **more}
    said = [{**usual, "key": ids.new_id().hex, "from": who} for who in people]
    await hub.deliver(channel, said)
    await ingest.drain(hub.runtime, hub.organisation_id, channel.id, hub.worker_id)


async def names(hub: HubUnderTest) -> dict[str, str]:
    rows = await hub.rows(
        """
        SELECT i.provider_user_id, k.name FROM identity i
        JOIN contact k ON k.organisation_id = i.organisation_id AND k.id = i.contact_id
        """
    )
    return {row["provider_user_id"]: row["name"] for row in rows}


async def test_somebody_new_is_asked_for_once(hub: HubUnderTest, clock: FakeClock) -> None:
    """A name that was given here stays, one that is hidden stays unknown, and one that came along needs no question."""
    channel, other = await hub.connect("nameless", token="t"), await hub.connect("probe")
    await hear(hub, channel, "1", "2", "3")
    await hear(hub, channel, "4", name="Deniz Kaya")
    await hear(hub, other, "5")
    assert directory.asked == []  # the lane of what comes in asks nobody
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE contact SET name = 'Frau Öz' WHERE name = '2'")
    seq = await hub.value("SELECT seq FROM feed_head")
    await hub.settle()

    assert sorted(directory.asked) == ["1", "2", "3"]
    assert await names(hub) == {"1": "Jörg Müller", "2": "Frau Öz", "3": "3", "4": "Deniz Kaya", "5": "5"}
    assert await hub.value("SELECT username FROM identity WHERE provider_user_id = '1'") == "n"
    assert await hub.value("SELECT count(*) FROM feed_entry WHERE seq > $1 AND kind = 'conversation'", seq) == 2
    clock.advance(days=2)
    await hear(hub, channel, "1", "3")
    await hub.settle()
    assert len(directory.asked) == 3


async def test_a_provider_that_wants_to_be_left_alone_is(hub: HubUnderTest, clock: FakeClock) -> None:
    """Nobody is asked for twice within a day; the others wait as long as the provider says."""
    channel = await hub.connect("nameless", token="t")
    await hear(hub, channel, "1", "2")
    directory.refuses = [RateLimited(600.0)]
    await hub.settle()
    assert len(directory.asked) == 1
    clock.advance(minutes=11)
    await hub.settle()
    assert len(directory.asked) == 2 and len(set(directory.asked)) == 2
    clock.advance(days=1)
    await hub.settle()
    assert len(directory.asked) == 3 and await names(hub) == {"1": "Jörg Müller", "2": "Anna Öz"}


async def test_a_missing_permission_costs_one_question_a_day(hub: HubUnderTest, clock: FakeClock) -> None:
    channel = await hub.connect("nameless", token="t")
    await hear(hub, channel, "1", "2")
    directory.refuses = [AuthFailed("200"), AuthFailed("200")]
    for day in (1, 2):
        await hub.settle()
        assert len(directory.asked) == day
        clock.advance(days=1, seconds=1)
    await hub.settle()
    assert await names(hub) == {"1": "Jörg Müller", "2": "Anna Öz"}
