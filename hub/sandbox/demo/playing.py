"""The stories on their stage: each step happens at its own time, over the real road, and leaves its line in the thread."""

from datetime import datetime
from typing import Final
from uuid import UUID

from hub.channels import service as channels
from hub.core import clock, ids
from hub.core.clock import FakeClock
from hub.inbox import dispatch, ingest, outbound, service
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.runtime import Runtime
from hub.sandbox import stories
from hub.sandbox.acts import Album, Answer, Assign, Block, Colleague, Doing, Done, Note, Press, Send, Start, Step, Story, Write
from hub.sandbox.demo.basics import CONNECTOR, Place, Say, words
from hub.sandbox.demo.client import Simulator
from hub.sandbox.demo.company import find_channel, find_people
from hub.sandbox.demo.memory import give_memory

SEEDED: Final = "demo.seeded"
"""The audit entry that says: all stories have been played."""


class Stage:
    """Where the stories are played."""

    def __init__(self, runtime: Runtime, simulator: Simulator, sandbox_port: int, say: Say) -> None:
        self._runtime = runtime
        self._simulator = simulator
        self._sandbox_port = sandbox_port
        self._say = say
        self._worker_id = ids.new_id()
        self._clients = dispatch.Clients(runtime.settings.trusted_hosts, at_once=2)

    async def play(self, now: datetime, story_clock: FakeClock) -> None:
        """Everything that has not happened yet, each step at its own time."""
        runtime, t = self._runtime, words()
        try:
            people = await find_people(runtime)
            place = await find_channel(runtime, people[stories.OWNER], self._sandbox_port)
            await give_memory(runtime, place, self._simulator)
            await channels.switch_on(runtime, people[stories.OWNER], place.channel_id)
            await self._settle(place)
            done = {story.id: await _lines(runtime, place, story) for story in stories.STORIES}
            steps = list(stories.in_order(now))
            for count, (at, story, number, step) in enumerate(steps):
                if count % 20 == 0:
                    self._say(t("sandbox.demo.played", count=count, all=len(steps)))
                if number >= done[story.id]:
                    story_clock.set(at)
                    await self._step(place, people, story, number, step)
            story_clock.set(now)
            async with runtime.database.unit_of_work(place.organisation_id) as unit:
                await audit.record(unit, None, SEEDED, stories.SLUG, {})
        finally:
            await self._clients.close()

    async def _step(self, place: Place, people: dict[Colleague, Access], story: Story, number: int, step: Step) -> None:
        if isinstance(step, Doing):
            await self._act(story.id, step)
            await self._settle(place)
            return
        author, runtime = people[step.author], self._runtime
        conversation_id = await _conversation(runtime, place, story)
        await service.mark_read(runtime, author, conversation_id)
        match step:
            case Answer():
                if step.fault is not None:
                    await self._simulator.set_fault(step.fault)
                client_key = f"demo-{story.id}-{number}"
                await outbound.submit(runtime, author, conversation_id, text=step.text, client_key=client_key)
                await self._settle(place)
            case Note():
                await service.add_note(runtime, author, conversation_id, step.text)
            case Assign():
                await service.assign(runtime, author, conversation_id, service.Charge(people[step.to].member_id))
            case Done():
                await service.set_done(runtime, author, conversation_id)

    async def _act(self, person: int, step: Doing) -> None:
        """What the customer does on the phone."""
        at = {"date": int(clock.now().timestamp())}
        match step:
            case Write():
                await self._simulator.act(person, "messages", {"text": step.text} | at)
            case Start():
                await self._simulator.act(person, "messages", {"start": step.payload} | at)
            case Send():
                await self._simulator.act(person, "messages", {"sample": step.sample, "caption": step.caption} | at)
            case Album():
                album = [{"sample": name} for name in step.samples]
                album[0]["caption"] = step.caption
                await self._simulator.act(person, "messages", {"album": album} | at)
            case Press():
                await self._simulator.press(person, step.question, step.buttons, step.pressed)
            case Block():
                await self._simulator.act(person, "block", at)

    async def _settle(self, place: Place) -> None:
        """What a worker does."""
        await ingest.drain(self._runtime, place.organisation_id, place.channel_id, self._worker_id)
        await dispatch.drain(self._runtime, self._clients, place.organisation_id, place.channel_id, self._worker_id)


async def _lines(runtime: Runtime, place: Place, story: Story) -> int:
    """How many steps of a story have left their line. That a customer's message reopened something is no step; a `Block` leaves
    no line and counts once the hub knows of it."""
    async with runtime.database.unit_of_work(place.organisation_id) as unit:
        row = await unit.sql.fetchrow(
            """
            SELECT count(m.id) AS lines, COALESCE(bool_or(s.reach = 'blocked'), false) AS is_blocked
            FROM identity i
            JOIN conversation c ON c.organisation_id = i.organisation_id AND c.identity_id = i.id
            JOIN message m ON m.organisation_id = c.organisation_id AND m.conversation_id = c.id
                 AND NOT (m.direction = 'event' AND m.content->>'event' = 'reopened')
            LEFT JOIN consent_state s ON s.organisation_id = i.organisation_id AND s.messenger = $4 AND s.scope = ''
                 AND s.address = i.provider_user_id
            WHERE i.organisation_id = $1 AND i.channel_id = $2 AND i.provider_user_id = $3
            """,
            unit.tenant,
            place.channel_id,
            str(story.id),
            CONNECTOR,
        )
    ends_blocked = isinstance(story.steps[-1][1], Block)
    return int(row["lines"]) + (1 if ends_blocked and row["is_blocked"] else 0)


async def _conversation(runtime: Runtime, place: Place, story: Story) -> UUID:
    async with runtime.database.unit_of_work(place.organisation_id) as unit:
        found: UUID = await unit.sql.fetchval(
            """
            SELECT c.id FROM conversation c JOIN identity i ON i.organisation_id = c.organisation_id AND i.id = c.identity_id
            WHERE c.organisation_id = $1 AND i.channel_id = $2 AND i.provider_user_id = $3
            """,
            unit.tenant,
            place.channel_id,
            str(story.id),
        )
    return found
