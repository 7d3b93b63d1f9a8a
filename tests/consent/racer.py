"""The other process of `test_race.py`: for each line `organisation channel` it claims what waits there, once, and prints how many
parts it may send."""

import asyncio
import sys
from uuid import UUID

from hub.core import ids, lanes
from hub.core.hooks import Hooks
from hub.core.settings import Settings
from hub.inbox.sending import claiming
from hub.listeners import subscribe
from hub.runtime import open_runtime


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main() -> None:
    async with open_runtime(Settings(), subscribe(Hooks()), pool=2) as runtime:
        say("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            organisation_id, channel_id = map(UUID, line.split())
            lane = await lanes.take(runtime.database, organisation_id, channel_id, "out", ids.new_id())
            if lane is None:
                raise RuntimeError("the lane is taken")
            async with runtime.database.unit_of_work(organisation_id) as unit:
                claims = await claiming.claim(runtime, unit, channel_id, lane.fence, any_=5, bulk=5)
            await lane.let_go()
            say(str(len(claims)))


asyncio.run(main())
