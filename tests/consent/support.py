"""Purposes, and what people agreed to, as tests need them."""

from datetime import datetime
from uuid import UUID

from hub.consent import locks, purposes
from hub.consent.books import ledger
from hub.consent.books.chain import Change
from hub.consent.locks import Key
from hub.consent.purposes import Wording
from hub.core import clock
from tests.support import HubUnderTest

WORDS = {
    "de": Wording("Radpost", "Ich möchte die Radpost erhalten."),
    "en": Wording("Bike letter", "I want to get the bike letter."),
}


async def define_purpose(hub: HubUnderTest, key: str = "newsletter", kind: str = "marketing") -> UUID:
    """A purpose of the hub's main organisation."""
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        return await purposes.define_purpose(unit, hub.owner, key=key, kind=kind, words=WORDS)


async def record(hub: HubUnderTest, *changes: Change) -> None:
    """Changes of consent, as whoever notes them writes them."""
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await locks.lock_addresses(unit, {change.key for change in changes})
        await ledger.record(unit, hub.runtime.vault, hub.runtime.hooks, changes)


async def grant(hub: HubUnderTest, purpose_id: UUID, key: Key, at: datetime | None = None) -> None:
    """The person agrees to one purpose, now or at another time."""
    await record(hub, Change(*key, "granted", at or clock.now(), {"source": "test"}, purpose_id=purpose_id))
