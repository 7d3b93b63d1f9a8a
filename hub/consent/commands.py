"""What `hub consent` and `hub audit` do: a small runtime for one command."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from hub.consent.hand_out import File, prove_person
from hub.consent.proof import NothingOnRecord, subjects_with
from hub.consent.verify import Found, verify_ledger
from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput, NotFound
from hub.core.hooks import Hooks
from hub.core.i18n import LOCALES
from hub.core.settings import Settings
from hub.organisations.audit_check import Checked, verify_audit
from hub.runtime import Runtime, open_runtime

T = TypeVar("T")


async def verify_from_command_line(settings: Settings, slug: str) -> dict[str, Found]:
    """What the check of the ledger finds, by the slug of the organisation; without one all are checked. NotFound."""
    async with open_runtime(settings, Hooks(), pool=1) as runtime:
        return await _each(runtime, slug, lambda unit: verify_ledger(unit, runtime.vault))


async def verify_audit_from_command_line(settings: Settings, slug: str) -> dict[str, Checked]:
    """The same for the audit log."""
    async with open_runtime(settings, Hooks(), pool=1) as runtime:
        return await _each(runtime, slug, verify_audit)


async def _each(runtime: Runtime, slug: str, check: Callable[[UnitOfWork], Awaitable[T]]) -> dict[str, T]:
    async with runtime.database.system() as unit:
        rows = await unit.sql.fetch("SELECT id, slug FROM organisation WHERE $1 IN ('', slug) ORDER BY slug", slug)
    if slug and not rows:
        raise NotFound(f"no organisation is called {slug}")
    found = {}
    for row in rows:
        async with runtime.database.unit_of_work(row["id"]) as unit:
            found[row["slug"]] = await check(unit)
    return found


async def prove_from_command_line(
    settings: Settings, hooks: Hooks, slug: str, address: str, messenger: str, language: str
) -> list[File]:
    """The proof for one address. NotFound: no such organisation, or nothing is on record; InvalidInput: several organisations."""
    if language not in LOCALES:
        raise InvalidInput(f"--language is one of {', '.join(LOCALES)}")
    async with open_runtime(settings, hooks, pool=1) as runtime:
        async with runtime.database.system() as unit:
            rows = await unit.sql.fetch("SELECT id, slug, zone FROM organisation WHERE $1 IN ('', slug) ORDER BY slug", slug)
        if not rows:
            raise NotFound(f"no organisation is called {slug}")
        if len(rows) > 1:
            raise InvalidInput(f"say which with --organisation: {', '.join(row['slug'] for row in rows)}")
        [row] = rows
        async with runtime.database.unit_of_work(row["id"]) as unit:
            keys = await subjects_with(unit, address, messenger)
        if not keys:
            raise NothingOnRecord(f"nothing is on record about {address}")
        return await prove_person(runtime, row["id"], None, keys, language, row["zone"])
