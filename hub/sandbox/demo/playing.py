"""The stories on their stage: each step happens at its own time, over the real road, and leaves its line in the thread."""

from datetime import datetime
from typing import Final
from uuid import UUID

import httpx

from hub.core import ids
from hub.core.clock import FakeClock
from hub.inbox import service
from hub.inbox.arriving import ingest, listening
from hub.inbox.arriving.door import Door
from hub.inbox.sending import dispatch, notices, outbound
from hub.inbox.stored import media
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.runtime import Runtime
from hub.sandbox import stories
from hub.sandbox.acts import Answer, Assign, Block, Colleague, Doing, Done, Note, Step, Story
from hub.sandbox.demo.basics import Place, Say, words
from hub.sandbox.demo.company import find_people
from hub.sandbox.demo.connecting import connect, open_shop
from hub.sandbox.demo.consent import set_up_consent, show_consent
from hub.sandbox.demo.newsletters import CLIENT_KEY, plan_newsletter, send_newsletter
from hub.sandbox.demo.phones import SIGNAL, TELEGRAM, Messenger, Person, find_messengers
from hub.sandbox.demo.website import WEBCHAT, Website

SEEDED: Final = "demo.seeded"
"""The audit entry that says: all stories have been played."""


class Stage:
    """Where the stories are played."""

    def __init__(self, runtime: Runtime, door: Door, sandbox: httpx.AsyncClient, say: Say) -> None:
        self._runtime = runtime
        self._door = door
        self._sandbox = sandbox
        self._say = say
        self._messengers: dict[str, Messenger | Website] = {}
        self._worker_id = ids.new_id()
        self._clients = dispatch.Clients(runtime.settings.trusted_hosts, at_once=2)
        self._places: dict[str, Place] = {}
        self._persons: dict[str, Person] = {}
        """By the key of their story."""

    async def play(self, now: datetime, story_clock: FakeClock) -> None:
        """Everything that has not happened yet, each step at its own time; stories of messengers that could not be connected are
        left out."""
        runtime, t = self._runtime, words()
        try:
            people = await find_people(runtime)
            await self._connect(people[stories.OWNER])
            await set_up_consent(runtime, people[stories.OWNER], self._places.values())
            played = [story for story in stories.STORIES if story.connector in self._places]
            for story in played:
                self._persons[story.key] = await self._messengers[story.connector].introduce(story)
            done = {story.key: await self._lines(story) for story in played}
            steps = list(stories.in_order(now, played))
            for count, (at, story, number, step) in enumerate(steps):
                if count % 20 == 0:
                    self._say(t("sandbox.demo.played", count=count, all=len(steps)))
                if number >= done[story.key]:
                    story_clock.set(at)
                    await self._step(people, story, number, step)
            story_clock.set(now)
            if TELEGRAM in self._places:
                await show_consent(runtime, people[stories.OWNER], self._places[TELEGRAM])
                await send_newsletter(runtime, people[stories.OWNER], self._places[TELEGRAM])
                await self._settle(self._places[TELEGRAM])
                await plan_newsletter(runtime, people[stories.OWNER], self._places[TELEGRAM], now)
            async with runtime.database.unit_of_work(people[stories.OWNER].organisation_id) as unit:
                await audit.record(unit, None, SEEDED, stories.SLUG, {})
        finally:
            await self._clients.close()

    async def _connect(self, owner: Access) -> None:
        """Every messenger of the sandbox that can be, and the website chat; whatever still waits there is worked first."""
        for messenger in await find_messengers(self._sandbox):
            if place := await connect(self._runtime, owner, messenger, self._say):
                self._places[place.connector], self._messengers[place.connector] = place, messenger
                await self._settle(place)
        if shop := await open_shop(self._runtime, owner, self._sandbox, self._say):
            self._places[WEBCHAT], self._messengers[WEBCHAT] = shop, Website(self._runtime, self._door, shop)
            await self._settle(shop)

    async def _step(self, people: dict[Colleague, Access], story: Story, number: int, step: Step) -> None:
        messenger, place = self._messengers[story.connector], self._places[story.connector]
        if isinstance(step, Doing):
            await messenger.do(self._persons[story.key], step)
            await self._settle(place)
            return
        author, runtime = people[step.author], self._runtime
        conversation_id = await self._conversation(story)
        await service.mark_read(runtime, author, conversation_id)
        match step:
            case Answer():
                if step.fault is not None:
                    assert isinstance(messenger, Messenger)
                    await messenger.set_fault(step.fault)
                client_key = f"demo-{story.key}-{number}"
                await outbound.submit(runtime, author, conversation_id, text=step.text, client_key=client_key)
                await self._settle(place)
                await self._settle(place)  # what the provider tells of it
            case Note():
                await service.add_note(runtime, author, conversation_id, step.text)
            case Assign():
                await service.assign(runtime, author, conversation_id, service.Charge(people[step.to].member_id))
            case Done():
                await service.set_done(runtime, author, conversation_id)

    async def _settle(self, place: Place) -> None:
        """Whatever is on its way to the hub arrives, and then what a worker does. Signal delivers nothing: the hub asks. Files are
        fetched at once where the simulator forgets them with its process; Telegram's samples have the same ids in each."""
        if place.connector == SIGNAL:
            await listening.drain(self._runtime, place.organisation_id, place.channel_id, self._worker_id, seconds=0)
        await self._messengers[place.connector].delivered()
        await ingest.drain(self._runtime, place.organisation_id, place.channel_id, self._worker_id)
        if place.connector != TELEGRAM:
            await media.drain(self._runtime, place.organisation_id, place.channel_id, self._worker_id)
        await notices.send_due(self._runtime)
        await dispatch.drain(self._runtime, self._clients, place.organisation_id, place.channel_id, self._worker_id)

    async def _lines(self, story: Story) -> int:
        """How many steps of a story have left their line. That a customer's message reopened something is no step, and neither is
        what the hub itself writes; a `Block` leaves no line and counts once the hub knows of it."""
        place = self._places[story.connector]
        async with self._runtime.database.unit_of_work(place.organisation_id) as unit:
            row = await unit.sql.fetchrow(
                f"""
                SELECT count(m.id) AS lines, COALESCE(bool_or(s.reach = 'blocked'), false) AS is_blocked
                FROM identity i
                JOIN conversation c ON c.organisation_id = i.organisation_id AND c.identity_id = i.id
                JOIN message m ON m.organisation_id = c.organisation_id AND m.conversation_id = c.id
                     AND NOT (m.direction = 'event' AND m.content->>'event' = 'reopened')
                     AND COALESCE(m.client_key, '') NOT LIKE '{CLIENT_KEY}%'
                     AND NOT EXISTS (SELECT FROM notice n WHERE n.organisation_id = m.organisation_id AND n.message_id = m.id)
                LEFT JOIN consent_state s ON s.organisation_id = i.organisation_id AND s.messenger = $5 AND s.scope = ''
                     AND s.address = i.provider_user_id
                WHERE {OF_PERSON}
                """,
                unit.tenant,
                place.channel_id,
                self._persons[story.key].address,
                story.name,
                place.connector,
            )
        ends_blocked = isinstance(story.steps[-1][1], Block)
        return int(row["lines"]) + (1 if ends_blocked and row["is_blocked"] else 0)

    async def _conversation(self, story: Story) -> UUID:
        place = self._places[story.connector]
        async with self._runtime.database.unit_of_work(place.organisation_id) as unit:
            found: UUID = await unit.sql.fetchval(
                f"""
                SELECT c.id FROM conversation c JOIN identity i ON i.organisation_id = c.organisation_id AND i.id = c.identity_id
                WHERE {OF_PERSON}
                """,
                unit.tenant,
                place.channel_id,
                self._persons[story.key].address,
                story.name,
            )
        return found


OF_PERSON: Final = "i.organisation_id = $1 AND i.channel_id = $2 AND (i.provider_user_id = $3 OR i.display_name = $4)"
"""Some messengers tell another address than the one a phone shows, but then with the name."""
