"""Caps: as many messages as may leave in a window (R-198). The rule itself: tests/consent/test_gate.py."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
import respx

from hub.channels import caps
from hub.channels.caps import Cap, Counters, read_caps, window
from hub.consent.gate import SendBlocked
from tests.inbox.pages_support import receive
from tests.inbox.test_outbound import SEND, accepted
from tests.support import HubUnderTest

BERLIN = ZoneInfo("Europe/Berlin")
ZONE_START = datetime(2026, 11, 23, 23, tzinfo=UTC)
"""00:00 of 2026-11-24 in Berlin."""


@pytest.mark.parametrize(
    ("at", "span", "began", "ends"),
    [
        ("2026-11-24T22:59:59", "day", "2026-11-23T23:00", "2026-11-24T23:00"),
        ("2026-11-24T23:00:00", "day", "2026-11-24T23:00", "2026-11-25T23:00"),
        ("2026-10-25T12:00:00", "day", "2026-10-24T22:00", "2026-10-25T23:00"),  # 25 hours
        ("2026-03-29T12:00:00", "day", "2026-03-28T23:00", "2026-03-29T22:00"),  # 23 hours
        ("2026-11-24T09:30:10", "hour", "2026-11-24T09:00", "2026-11-24T10:00"),
        ("2026-12-31T23:30:00", "month", "2026-12-31T23:00", "2027-01-31T23:00"),
        ("2026-02-10T00:00:00", "month", "2026-01-31T23:00", "2026-02-28T23:00"),
    ],
)
def test_windows_begin_in_the_zone_of_the_contract(at: str, span: str, began: str, ends: str) -> None:
    """R-198: the counter resets at 00:00 in the zone of R-002."""
    found = window(datetime.fromisoformat(at).replace(tzinfo=UTC), span, BERLIN)
    assert found == tuple(datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (began, ends))


def test_message_1001() -> None:
    """R-198: given a cap of 1,000 per day, when message 1,001 is sent, then queued or refused as configured, with code
    `cap_reached`."""
    day = (ZONE_START, ZONE_START + timedelta(days=1))
    for then in ("queue", "refuse"):
        caps_ = read_caps([{"messenger": "viber", "per": "channel", "most": 1000, "span": "day", "then": then}])
        counters, talks = Counters(uuid4(), uuid4(), caps_, {"day": day}), [uuid4() for _ in range(7)]
        for number in range(1000):
            assert counters.reached(talks[number % 7]) is None, number
            counters.take(talks[number % 7])
        found = counters.reached(talks[0])
        assert found is not None
        assert (found.per, found.most, found.until, found.waits) == ("channel", 1000, day[1], then == "queue")


def test_each_recipient_has_a_cap_of_their_own_and_refusing_goes_first() -> None:
    day = {"day": (ZONE_START, ZONE_START + timedelta(days=1))}
    caps_ = [Cap("", "recipient", 1, "day", "queue"), Cap("", "organisation", 2, "day", "refuse")]
    counters, ann, bob = Counters(uuid4(), uuid4(), caps_, day), uuid4(), uuid4()
    counters.take(ann)
    assert counters.reached(ann) is not None and counters.reached(bob) is None
    counters.take(bob)
    found = counters.reached(ann)
    assert found is not None and found.per == "organisation" and not found.waits


@pytest.mark.parametrize("wrong", [{"per": "person"}, {"span": "week"}, {"then": "drop"}, {"most": -1}])
def test_what_is_no_cap(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        read_caps([{"messenger": "", "per": "channel", "most": 1, "span": "day", "then": "queue"} | wrong])


async def cap(hub: HubUnderTest, most: int, then: str, per: str = "channel") -> None:
    """What the contract of the main organisation says."""
    entry = {"messenger": "telegram", "per": per, "most": most, "span": "day", "then": then}
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute(
            """
            INSERT INTO policy_override (organisation_id, name, level, parameter, source, created_at)
            VALUES ($1, 'caps', 'individual', $2::jsonb, 'Vertrag', $3)
            """,
            unit.tenant,
            json.dumps([entry]),
            hub.clock(),
        )


async def reply_all(hub: HubUnderTest, talks: list[UUID]) -> list[UUID]:
    """An answer in each, one after the other."""
    sent = []
    for talk in talks:
        sent.append(await hub.reply(talk, "Guten Tag"))
        hub.clock.advance(seconds=1)
    return sent


async def states(hub: HubUnderTest, messages: list[UUID]) -> list[tuple[str, str]]:
    rows = await hub.rows("SELECT id, state, failure FROM message WHERE id = ANY($1::uuid[])", messages)
    found = {row["id"]: (row["state"], row["failure"]) for row in rows}
    return [found[one] for one in messages]


@respx.mock
async def test_one_more_waits_until_midnight(hub: HubUnderTest) -> None:
    """R-198 over the road: the third of two waits, whoever it is for, and leaves with the next day; edits and retries are not
    counted."""
    keys = iter(range(5000, 6000))
    respx.post(SEND).mock(side_effect=lambda _: accepted(next(keys)))
    await cap(hub, 2, "queue")
    channel = await hub.connect()
    talks = [await receive(hub, channel, "Hallo", user=user) for user in (1001, 1002, 1003)]
    sent = await reply_all(hub, talks)
    await hub.settle()
    assert [state for state, _ in await states(hub, sent)] == ["sent", "sent", "queued"]
    decision = (await hub.rows("SELECT verdict, rule, evidence, until FROM gate_decision WHERE rule = 'cap_reached'"))[0]
    assert (decision["verdict"], decision["evidence"]["most"]) == ("defer", 2)
    assert decision["until"] == datetime(2026, 11, 24, 23, tzinfo=UTC)
    late = await hub.reply(talks[0], "Noch etwas")  # known when it is written
    assert await hub.value("SELECT due_at FROM message_part WHERE message_id = $1", late) == decision["until"]
    hub.clock.set(datetime(2026, 11, 24, 22, 59, 59, tzinfo=UTC))
    await hub.settle()
    assert [state for state, _ in await states(hub, [sent[2], late])] == ["queued", "queued"]
    hub.clock.set(datetime(2026, 11, 24, 23, tzinfo=UTC))
    await hub.settle()
    assert [state for state, _ in await states(hub, [sent[2], late])] == ["sent", "sent"]
    assert await hub.value("SELECT sum(sent) FROM cap_count") == 4


@respx.mock
async def test_one_more_is_refused_where_it_is_agreed(hub: HubUnderTest) -> None:
    """At the claim what was written in time fails with the code, and afterwards nothing more is taken on."""
    respx.post(SEND).mock(return_value=accepted())
    await cap(hub, 1, "refuse")
    channel = await hub.connect()
    talks = [await receive(hub, channel, "Hallo", user=user) for user in (1001, 1002)]
    sent = await reply_all(hub, talks)
    await hub.settle()
    assert await states(hub, sent) == [("sent", ""), ("failed", "cap_reached")]
    with pytest.raises(SendBlocked, match="cap_reached"):
        await hub.reply(talks[0], "Noch etwas")


async def test_workers_of_several_channels_never_pass_a_cap_together(hub: HubUnderTest) -> None:
    """The rows are held: of ten claims at once, each with one message, exactly as many as may leave count."""
    await cap(hub, 3, "queue", per="organisation")
    channels = [await hub.connect() for _ in range(4)]
    talks = [await receive(hub, one, "Hallo", user=2000 + number) for number, one in enumerate(channels)]

    async def claim(number: int) -> bool:
        async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
            place = number % 4
            counters = await caps.open_counters(unit, "telegram", channels[place].id, [talks[place]], hold=True)
            if counters.reached(talks[place]) is not None:
                return False
            await asyncio.sleep(0)
            await caps.keep(unit, counters, [talks[place]])
            return True

    assert sum(await asyncio.gather(*(claim(number) for number in range(10)))) == 3
    assert await hub.value("SELECT sent FROM cap_count") == 3
    hub.clock.advance(days=63)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await caps.forget(unit)
    assert await hub.value("SELECT count(*) FROM cap_count") == 0


@respx.mock
async def test_a_messenger_without_a_cap_has_no_counter(hub: HubUnderTest) -> None:
    respx.post(SEND).mock(return_value=accepted())
    channel = await hub.connect()
    await hub.reply(await receive(hub, channel, "Hallo"), "Guten Tag")
    await hub.settle()
    assert await hub.value("SELECT count(*) FROM cap_count") == 0
