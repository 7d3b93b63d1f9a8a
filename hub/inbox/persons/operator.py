"""What the operator's commands do about people and what is held against organisations (`hub/cli_people.py`)."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from hub.consent.abuse import cases, spam
from hub.consent.abuse.cases import Case
from hub.consent.abuse.spam import SpamEvent
from hub.core import ids
from hub.core.db import Database, NoNudges, UnitOfWork
from hub.core.errors import NotFound
from hub.core.hooks import Hooks
from hub.core.settings import Settings
from hub.inbox.persons import restoring
from hub.runtime import open_runtime


@asynccontextmanager
async def _unit(settings: Settings, slug: str) -> AsyncIterator[UnitOfWork]:
    """A transaction in the organisation of this name; NotFound."""
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value(), NoNudges(), pool=1)
    try:
        async with database.system() as unit:
            organisation_id = await unit.sql.fetchval("SELECT id FROM organisation WHERE slug = $1", slug)
        if organisation_id is None:
            raise NotFound(f"no organisation is called {slug}")
        async with database.unit_of_work(organisation_id) as unit:
            yield unit
    finally:
        await database.close()


async def read_held(settings: Settings, slug: str) -> tuple[list[SpamEvent], list[Case]]:
    """What is held against an organisation, what waits for a decision first, and its cases."""
    async with _unit(settings, slug) as unit:
        events, known = await spam.list_events(unit), await cases.list_cases(unit)
    return sorted(events, key=lambda one: one.state != "candidate"), known


async def decide(settings: Settings, slug: str, what: str, events: Sequence[str], *, by: str, reason: str) -> Decimal:
    """Confirm, group or reject; what is proposed for the organisation in all. NotFound, Conflict, InvalidInput."""
    act = {"confirm": spam.confirm, "group": spam.group, "reject": spam.reject}[what]
    async with _unit(settings, slug) as unit:
        await act(unit, [ids.read("spam", one) for one in events], by=by, reason=reason)
        total = await unit.sql.fetchval("SELECT sum(amount) FROM proposed_charge WHERE organisation_id = $1", unit.tenant)
    return total or Decimal("0.00")


async def save(settings: Settings) -> dict[str, Any]:
    """The list of erasures of all organisations."""
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value(), NoNudges(), pool=1)
    try:
        return await restoring.save_erasures(database)
    finally:
        await database.close()


async def apply(settings: Settings, saved: dict[str, Any], hooks: Hooks) -> int:
    """Apply a list to the restored database; how many people."""
    async with open_runtime(settings, hooks, pool=2) as runtime:
        return await restoring.apply_erasures(runtime, saved)
