"""The visitors of the sample shop: they use the website chat as its widget does, by the same functions."""

from dataclasses import dataclass
from typing import Final

from hub.connectors.webchat.settings import WebchatSettings
from hub.core import ids
from hub.inbox.arriving.door import Door
from hub.runtime import Runtime
from hub.sandbox.acts import Doing, Story, Write
from hub.sandbox.demo.basics import DemoFailed, Place, words
from hub.sandbox.demo.phones import Person
from hub.webchat import visitors
from hub.webchat.embedded import Chat
from hub.webchat.visitors import Visitor

WEBCHAT: Final = "webchat"


@dataclass(frozen=True, slots=True)
class Website:
    """The chat of the sample shop, with the people who have visited it."""

    runtime: Runtime
    door: Door
    place: Place

    async def introduce(self, story: Story) -> Person:
        """The visitor of a story: the one with this name, else a new one."""
        visitor = await self._known(story.name) or await self._start(story)
        return Person(str(visitor.id), visitor.name, visitor.address)

    async def do(self, person: Person, step: Doing) -> None:
        """All that a visitor does in a story is to write; it is at the hub when this returns."""
        assert isinstance(step, Write)
        visitor = await self._known(person.name)
        assert visitor is not None
        await visitors.tell(self.door, await self._chat(), visitor, "message", ids.new_id().hex, text=step.text)

    async def delivered(self) -> None:
        """At once: nobody is in between."""

    async def _start(self, story: Story) -> Visitor:
        visitor, _ = await visitors.start(self.runtime, await self._chat(), name=story.name, email="", language=story.language)
        return visitor

    async def _known(self, name: str) -> Visitor | None:
        async with self.runtime.database.unit_of_work(self.place.organisation_id) as unit:
            row = await unit.sql.fetchrow(
                """
                SELECT id, name, email, language FROM webchat_visitor
                WHERE organisation_id = $1 AND channel_id = $2 AND name = $3
                """,
                unit.tenant,
                self.place.channel_id,
                name,
            )
        return Visitor(**row) if row else None

    async def _chat(self) -> Chat:
        key = ids.show("chn", self.place.channel_id)
        channel = await self.door.channel(WEBCHAT, key)
        if channel is None or not isinstance(channel.account.settings, WebchatSettings):
            raise DemoFailed(words()("sandbox.demo.undelivered", messenger=words()("sandbox.shop.chat")))
        return Chat(channel, channel.account.settings, key, host="")
