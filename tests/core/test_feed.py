"""The feed has no gaps and no doubles, whatever writers do (I11)."""

import asyncio
import random

import pytest

from hub.core.feed import changes_after, note_change
from tests.support import HubUnderTest


class Undo(Exception):
    """Roll back on purpose."""


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_eight_writers_with_random_roll_backs_and_a_reader_that_sees_every_number(hub: HubUnderTest, seed: int) -> None:
    chance = random.Random(seed)
    database, organisation_id = hub.runtime.database, hub.organisation_id
    start = (await hub.value("SELECT seq FROM feed_head")) or 0
    seen: list[int] = []
    done = asyncio.Event()

    async def write(writer: int) -> int:
        kept = 0
        for number in range(15):
            entries = chance.randint(1, 3)
            undone = chance.random() < 0.3
            try:
                async with database.unit_of_work(organisation_id) as unit:
                    for entry in range(entries):
                        note_change(unit, "test", {"writer": writer, "number": number, "entry": entry})
                    await asyncio.sleep(0)
                    if undone:
                        raise Undo
            except Undo:
                continue
            kept += entries
        return kept

    async def read() -> None:
        after = start
        while True:
            is_last = done.is_set()
            changes = await changes_after(database, organisation_id, after, limit=7)
            assert changes is not None
            seen.extend(change.seq for change in changes)
            after = seen[-1] if seen else after
            if is_last and not changes:
                return

    reader = asyncio.create_task(read())
    kept = sum(await asyncio.gather(*(write(writer) for writer in range(8))))
    done.set()
    await reader
    assert seen == list(range(start + 1, start + kept + 1))


async def test_a_cursor_older_than_the_feed_is_told_to_reload(hub: HubUnderTest) -> None:
    from datetime import timedelta

    from hub.core import clock
    from hub.core.feed import trim_feed

    for number in range(3):
        async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
            note_change(unit, "test", {"number": number})
    hub.clock.advance(days=8)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        assert await trim_feed(unit, clock.now() - timedelta(days=7)) >= 3
        note_change(unit, "test", {"number": 4})
    assert await changes_after(hub.runtime.database, hub.organisation_id, 0) is None
    last = await hub.value("SELECT seq FROM feed_head")
    assert await changes_after(hub.runtime.database, hub.organisation_id, last) == []


async def test_a_stream_gets_what_others_commit_and_catches_up_from_its_cursor(hub: HubUnderTest) -> None:
    database, organisation_id = hub.runtime.database, hub.organisation_id
    start = await hub.value("SELECT seq FROM feed_head")
    for number in range(3):
        async with database.unit_of_work(organisation_id) as unit:
            note_change(unit, "test", {"number": number})
    got: list[int] = []

    async def follow() -> None:
        with hub.runtime.live.follow(organisation_id, start) as follower:
            while len(got) < 6:
                change = await follower.next(5)
                assert change is not None
                got.append(change.data["number"])

    follower = asyncio.create_task(follow())
    await asyncio.sleep(0)
    for number in range(3, 6):
        async with database.unit_of_work(organisation_id) as unit:
            note_change(unit, "test", {"number": number})
    await asyncio.wait_for(follower, 5)
    assert got == [0, 1, 2, 3, 4, 5]
