"""Meta demands that an organisation is stopped (R-187, whappodo III.3.2): for a breach or the suspicion of one, or because of
negative effects.

The demand is recorded, and both Meta messengers stop at once and without prior notice: the operator's kill switch (`blocks.py`),
which only the operator lifts. What comes in is kept, all other messengers go on. The owners are told afterwards, by mail and on
their pages.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.channels import blocks, history
from hub.channels.models import ProviderDemand
from hub.channels.owners import owners_of, send_letters, write_letter
from hub.core import clock, i18n, ids
from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput, NotFound
from hub.organisations import audit
from hub.runtime import Runtime

META: Final = "Meta"
MESSENGERS: Final = ("instagram", "messenger")
"""What a demand of Meta's stops, both of them whatever it names."""
GROUNDS: Final = ("i", "ii")
"""Of whappodo III.3.2, as Meta names them."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What Meta wants: on which ground, in which words, who asked and when."""

    ground: str
    text: str
    demanded_by: str
    demanded_at: datetime


async def organisation_of(unit: UnitOfWork, slug: str) -> UUID:
    """The organisation with this name in addresses; NotFound. Needs a system unit."""
    found: UUID | None = await unit.sql.fetchval("SELECT id FROM organisation WHERE slug = $1", slug)
    if found is None:
        raise NotFound(f"no organisation is called {slug}")
    return found


async def execute(runtime: Runtime, slug: str, demand: Demand) -> int:
    """Record a demand, stop both messengers, then tell the owners; how many had a mail. Raises InvalidInput for another ground or
    missing words, NotFound."""
    if demand.ground not in GROUNDS:
        raise InvalidInput(f"one of {', '.join(GROUNDS)}", field="ground")
    for name in ("text", "demanded_by"):
        if not getattr(demand, name).strip():
            raise InvalidInput(f"{name} is needed", field=name)
    async with runtime.database.system() as unit:
        organisation_id = await organisation_of(unit, slug)
    now, text = clock.now(), demand.text.strip()
    labels = ", ".join(runtime.connectors.get(one).label for one in MESSENGERS)
    async with runtime.database.unit_of_work(organisation_id) as unit:
        record = ProviderDemand(
            organisation_id=organisation_id,
            provider=META,
            ground=demand.ground,
            text=text,
            demanded_by=demand.demanded_by.strip(),
            demanded_at=demand.demanded_at,
            executed_at=now,
        )
        unit.session.add(record)
        await unit.session.flush()
        detail = {"demand": ids.show("dem", record.id), "ground": demand.ground, "by": demand.demanded_by.strip()}
        await audit.record(unit, None, "provider.demanded", META, detail)
        for connector in MESSENGERS:
            await history.note_messenger(unit, connector, "demanded", text)
            await blocks.stop(runtime, unit, None, connector, text)
        owners = await owners_of(unit)
    letters = [
        write_letter(
            runtime.settings,
            owner,
            "channels.mail.demand",
            provider=META,
            messengers=labels,
            ground=demand.ground,
            text=text,
            day=i18n.format_date(now, owner.locale, ZoneInfo(owner.zone)),
            time=i18n.format_time(now, owner.locale, ZoneInfo(owner.zone)),
        )
        for owner in owners
    ]
    return await send_letters(runtime.settings, letters)


async def release(runtime: Runtime, slug: str, reason: str) -> None:
    """Lift what a demand stopped. InvalidInput without a reason, NotFound, Conflict when nothing is stopped."""
    async with runtime.database.system() as unit:
        organisation_id = await organisation_of(unit, slug)
    async with runtime.database.unit_of_work(organisation_id) as unit:
        for connector in MESSENGERS:
            await blocks.lift(unit, None, connector, reason)
