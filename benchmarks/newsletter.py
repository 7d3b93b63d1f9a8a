"""Chat behind a newsletter: how long a chat message waits for its claim while a long queue of bulk messages leaves through the same
channel, beside the same with nothing else waiting (part of B7)."""

import asyncio
from typing import Final

from benchmarks.b3 import PACE, Run, set_up
from benchmarks.load import FIRST_PERSON
from benchmarks.place import Place
from benchmarks.report import Figure, Section
from hub.core import ids
from hub.inbox.models import BULK
from hub.inbox.sending import outbound
from hub.runtime import Runtime

PAUSE_SECONDS: Final = 0.1
"""Between two chat messages: a busy desk, and far below the channel's rate."""
LEAD_SECONDS: Final = 2.0
"""So long the newsletter has been leaving before the first chat message is written."""


async def _waits(run: Run, runtime: Runtime, count: int) -> list[float]:
    """Milliseconds from writing to the claim of so many chat messages, one after the other, as an agent sends them."""
    written = []
    for number in range(count):
        talk = run.conversations[number % len(run.conversations)]
        key = ids.new_id().hex
        written.append(await outbound.submit(runtime, run.shop.access, talk, text=f"Antwort {number}", client_key=key))
        await asyncio.sleep(PAUSE_SECONDS)
    waiting = True
    while waiting:
        waiting = await run.place.value(
            """
            SELECT EXISTS (SELECT FROM message_part WHERE message_id = ANY($1::uuid[]) AND state IN ('queued', 'sending'))
            """,
            written,
        )
        await asyncio.sleep(0.1)
    rows = await run.place.fetch(
        """
        SELECT extract(epoch FROM min(a.permit_at) - m.arrived_at)::float8 * 1000 AS wait FROM message m
        JOIN message_part p ON p.message_id = m.id
        JOIN attempt a ON a.part_id = p.id
        WHERE m.id = ANY($1::uuid[]) GROUP BY m.id, m.arrived_at
        """,
        written,
    )
    return sorted(row["wait"] for row in rows)


def _share(waits: list[float], part: float) -> float:
    return waits[min(len(waits) - 1, int(len(waits) * part))]


async def measure(place: Place, *, quick: bool) -> Section:
    """Both runs, the queue of the second one given up at its end."""
    section = Section("newsletter", "B7 Chat behind a newsletter")
    chats, length = (50, 2000) if quick else (500, 100_000)
    place.start_hub()
    async with place.runtime() as runtime:
        run = await set_up(place, runtime, [FIRST_PERSON + number for number in range(500 if quick else 2000)])
        await run.dispatch(200)
        await run.pace(PACE)
        await place.settle()
        section.note_load()
        alone = await _waits(run, runtime, chats)
        await run.queue(length, priority=BULK)
        await place.fetch("ANALYZE message_part")
        await run.start()
        await asyncio.sleep(LEAD_SECONDS)
        section.note_load()
        behind = await _waits(run, runtime, chats)
        left = await place.value("SELECT count(*) FROM message_part WHERE state = 'queued'")
        await place.fetch("UPDATE message_part SET state = 'failed' WHERE state = 'queued'")
    section.figures = [
        Figure("nothing waits: half of the chat messages claimed within", [_share(alone, 0.5)], "ms", better="less", digits=1),
        Figure("nothing waits: 99 % within", [_share(alone, 0.99)], "ms", better="less", digits=1),
        Figure(f"{length:,} wait: half within", [_share(behind, 0.5)], "ms", better="less", digits=1),
        Figure(f"{length:,} wait: 99 % within", [_share(behind, 0.99)], "ms", better="less", digits=1),
        Figure("99 % as a multiple", [_share(behind, 0.99) / _share(alone, 0.99)], goal=2.0, better="less", digits=2),
    ]
    section.notes = [
        f"One channel at {PACE:.0f} messages a second, of which bulk may take 80 %. {chats:,} chat messages, one every "
        f"{PAUSE_SECONDS * 1000:.0f} ms; from the row of the message to its claim. {left:,} newsletter messages still waited at "
        "the end.",
    ]
    return section
