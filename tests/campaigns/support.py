"""Newsletters as tests need them: people on a messenger who agreed or not, and the worker's looks."""

from typing import Any
from uuid import UUID

from hub.campaigns import running, service
from hub.campaigns.audience import Audience
from hub.campaigns.models import Campaign
from hub.campaigns.service import Draft
from hub.campaigns.simulation import Counts
from hub.campaigns.writing import Letter
from tests.consent.support import grant
from tests.inbox.pages_support import receive
from tests.support import Connected, HubUnderTest

WORDS = "Hallo {{first_name|liebe Kundschaft}}, die Winterreifen sind da."


async def people(hub: HubUnderTest, channel: Connected, purpose_id: UUID, *, agreed: int, silent: int = 0) -> list[UUID]:
    """So many conversations; those of people who agreed to the purpose first."""
    talks = []
    for number in range(agreed + silent):
        user = 7001 + number
        talks.append(await receive(hub, channel, "Hallo", user=user))
        if number < agreed:
            await grant(hub, purpose_id, ("telegram", "", str(user)))
    return talks


async def draft(hub: HubUnderTest, channel: Connected, purpose_id: UUID, text: str = WORDS, **more: Any) -> UUID:
    """A newsletter to everybody on a channel."""
    audience = Audience((channel.id,), **{name: more.pop(name) for name in ("written_since", "granted_since") if name in more})
    values = {"prices": {channel.id: "0,05"}, "send_at": None, **more}
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        campaign_id = await service.create(unit, hub.owner, "Winterreifen", purpose_id)
        letters = {channel.id: Letter(text)}
        await service.change(unit, campaign_id, Draft("Winterreifen", purpose_id, audience, letters, **values))
    return campaign_id


async def try_out(hub: HubUnderTest, campaign_id: UUID) -> Counts:
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        return await service.try_out(hub.runtime, unit, campaign_id)


async def start(hub: HubUnderTest, campaign_id: UUID) -> None:
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await service.start(unit, hub.owner, campaign_id)


async def read(hub: HubUnderTest, campaign_id: UUID) -> Campaign:
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        return await service.read(unit, campaign_id)


async def work(hub: HubUnderTest) -> None:
    """The worker looks until no newsletter is due."""
    while await running.look(hub.runtime):
        pass
