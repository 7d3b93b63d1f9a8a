"""The sample organisation's newsletters: one that its customers on Telegram got yesterday, and one that waits for a button."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.campaigns import running, service
from hub.campaigns.audience import Audience
from hub.campaigns.service import Draft
from hub.campaigns.writing import Letter
from hub.consent import ledger, locks, purposes
from hub.consent.chain import Change
from hub.core import clock
from hub.organisations.actor import Access
from hub.runtime import Runtime
from hub.sandbox.acts import ZONE
from hub.sandbox.demo.basics import Place, words
from hub.sandbox.demo.phones import TELEGRAM

AGREED: Final = 6
"""So many of those who wrote first have agreed, on paper at the counter; the others show why somebody gets nothing."""
CLIENT_KEY: Final = "campaign-"
"""How the key of every message of a newsletter begins."""


def sent_at(now: datetime) -> datetime:
    """Yesterday at eleven in the shop's own time: in nobody's quiet hours."""
    return (now.astimezone(ZoneInfo(ZONE)) - timedelta(days=1)).replace(hour=11, minute=0, second=0, microsecond=0)


async def send_newsletters(runtime: Runtime, owner: Access, places: Mapping[str, Place]) -> None:
    """Let the first be decided and queued, unless there is one already; whoever plays the stories lets it leave."""
    t, place = words(), places.get(TELEGRAM)
    if place is None or await _is_there(runtime, owner):
        return
    purpose_id = await _agree(runtime, owner, place)
    async with runtime.database.unit_of_work(owner.organisation_id) as unit:
        first = await service.create(unit, owner, t("sandbox.demo.newsletter.first"), purpose_id)
        await service.change(unit, first, _draft(place, purpose_id, "first", None))
        await service.try_out(runtime, unit, first)
        await service.start(unit, owner, first)
    while await running.look(runtime):
        pass


async def plan_newsletter(runtime: Runtime, owner: Access, places: Mapping[str, Place], now: datetime) -> None:
    """One that begins in two days at ten, simulated and planned; what is left of the first one is finished."""
    place = places.get(TELEGRAM)
    async with runtime.database.unit_of_work(owner.organisation_id) as unit:
        known = await service.list_all(unit)
        if place is None or len(known) != 1:
            return
        day = now.astimezone(ZoneInfo(ZONE)) + timedelta(days=2)
        send_at = day.replace(hour=10, minute=0, second=0, microsecond=0)
        purpose_id = known[0].purpose_id
        second = await service.create(unit, owner, words()("sandbox.demo.newsletter.second"), purpose_id)
        await service.change(unit, second, _draft(place, purpose_id, "second", send_at))
        await service.try_out(runtime, unit, second)
        await service.start(unit, owner, second)
    while await running.look(runtime):
        pass


def _draft(place: Place, purpose_id: UUID, name: str, send_at: datetime | None) -> Draft:
    t = words()
    letters = {place.channel_id: Letter(t(f"sandbox.demo.newsletter.{name}.text"))}
    prices = {place.channel_id: "0"}
    return Draft(t(f"sandbox.demo.newsletter.{name}"), purpose_id, Audience((place.channel_id,)), letters, prices, send_at)


async def _is_there(runtime: Runtime, owner: Access) -> bool:
    async with runtime.database.unit_of_work(owner.organisation_id) as unit:
        return bool(await service.list_all(unit))


async def _agree(runtime: Runtime, owner: Access, place: Place) -> UUID:
    """Record the signed forms of the first customers; the purpose that they agreed to."""
    async with runtime.database.unit_of_work(owner.organisation_id) as unit:
        purpose = next(one for one in await purposes.list_purposes(unit) if one.kind == "marketing")
        said = purpose.words["de"]
        evidence = {
            "source": "paper",
            "method": "paper",
            "text_version": str(purpose.version),
            "text_hash": said.text_hash.hex(),
            "language": "de",
            "text": said.text,
            "actor": str(owner.member_id),
        }
        rows = await unit.sql.fetch(
            """
            SELECT i.provider_user_id AS address FROM conversation c
            JOIN identity i ON i.organisation_id = c.organisation_id AND i.id = c.identity_id
            LEFT JOIN consent_state s ON s.organisation_id = i.organisation_id AND s.messenger = $4 AND s.scope = ''
                 AND s.address = i.provider_user_id
            WHERE c.organisation_id = $1 AND c.channel_id = $2 AND COALESCE(s.choice, '') <> 'opted_out'
            ORDER BY c.created_at, c.id LIMIT $3
            """,
            unit.tenant,
            place.channel_id,
            AGREED,
            place.connector,
        )
        keys = [(place.connector, "", row["address"]) for row in rows]
        await locks.lock_addresses(unit, set(keys))
        changes = [Change(*key, "granted", clock.now(), evidence, purpose_id=purpose.id) for key in keys]
        await ledger.record(unit, runtime.vault, runtime.hooks, changes)
    return purpose.id
