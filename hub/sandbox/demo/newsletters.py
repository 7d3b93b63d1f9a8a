"""The sample organisation's newsletters: one that its customers on Telegram get at the end of the stories, and one that is planned.
Who starts the demo at night sees the first one wait: for its recipients it is quiet then."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.campaigns import running, service
from hub.campaigns.audience import Audience
from hub.campaigns.service import Draft
from hub.campaigns.writing import Letter
from hub.consent import purposes
from hub.core.db import UnitOfWork
from hub.organisations.actor import Access
from hub.runtime import Runtime
from hub.sandbox.acts import ZONE
from hub.sandbox.demo.basics import Place, words

CLIENT_KEY: Final = "campaign-"
"""How the key of every message of a newsletter begins."""


async def send_newsletter(runtime: Runtime, owner: Access, place: Place) -> None:
    """Let the first one be decided and queued, unless there is one already."""
    async with runtime.database.unit_of_work(owner.organisation_id) as unit:
        purpose_id = await purposes.first_purpose(unit, "marketing")
        if purpose_id is None or await service.list_all(unit):
            return
        await _start(runtime, unit, owner, _draft(place, purpose_id, "first", None))
    while await running.look(runtime):
        pass


async def plan_newsletter(runtime: Runtime, owner: Access, place: Place, now: datetime) -> None:
    """The second one begins in two days at ten in the shop's own time."""
    day = now.astimezone(ZoneInfo(ZONE)) + timedelta(days=2)
    send_at = day.replace(hour=10, minute=0, second=0, microsecond=0)
    async with runtime.database.unit_of_work(owner.organisation_id) as unit:
        known = await service.list_all(unit)
        if len(known) == 1:
            await _start(runtime, unit, owner, _draft(place, known[0].purpose_id, "second", send_at))


async def _start(runtime: Runtime, unit: UnitOfWork, owner: Access, draft: Draft) -> None:
    campaign_id = await service.create(unit, owner, draft.name, draft.purpose_id)
    await service.change(unit, campaign_id, draft)
    await service.try_out(runtime, unit, campaign_id)
    await service.start(unit, owner, campaign_id)


def _draft(place: Place, purpose_id: UUID, name: str, send_at: datetime | None) -> Draft:
    t = words()
    letters = {place.channel_id: Letter(t(f"sandbox.demo.newsletter.{name}.text"))}
    audience, prices = Audience((place.channel_id,)), {place.channel_id: "0"}
    return Draft(t(f"sandbox.demo.newsletter.{name}"), purpose_id, audience, letters, prices, send_at)
