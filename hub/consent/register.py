"""The register as a page reads it: addresses of whom something was said, with what holds for each purpose."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from hub.consent import aliases, ledger, locks
from hub.consent.chain import Change
from hub.consent.history import name_people
from hub.consent.hooks import Known, PeopleSought
from hub.consent.ledger import read_grant
from hub.consent.locks import Key
from hub.consent.states import GrantState
from hub.core import clock
from hub.core.db import UnitOfWork
from hub.organisations.actor import Access
from hub.runtime import Runtime

ROWS: Final = 50
SOUGHT: Final = 500
"""Addresses that are looked for by a name at most."""
WHOLE: Final = ("opted_out", "barred", "blocked")
"""States of an address as a whole that the list can be narrowed to, beside those of a purpose."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the list is narrowed to; empty: everything. `state`: of a purpose (`GrantState`), or one of WHOLE."""

    text: str = ""
    messenger: str = ""
    purpose_id: UUID | None = None
    state: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """An address. `grants`: what holds for each purpose of which something was said."""

    key: Key
    known: Known | None
    choice: str
    reach: str
    bar: str
    last_used_at: datetime | None
    grants: Mapping[UUID, GrantState]


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of the list. `count`: of all pages; `after`: where the next one begins."""

    rows: Sequence[Row]
    count: int
    after: Key | None


_GRANT: Final = """
CASE WHEN g.granted_at > greatest(coalesce(g.withdrawn_at, '-infinity'), coalesce(s.stopped_at, '-infinity')) THEN 'granted'
     WHEN g.asked_until > $8 AND g.asked_at > greatest(coalesce(g.withdrawn_at, '-infinity'), coalesce(s.stopped_at, '-infinity'),
                                                       coalesce(g.granted_at, '-infinity')) THEN 'asked'
     WHEN g.granted_at IS NULL AND g.withdrawn_at IS NULL THEN 'unknown'
     ELSE 'withdrawn' END
"""
"""`states.Grant.state` for the list's filter: a test holds them together."""
_WHERE: Final = f"""
FROM consent_state s
WHERE s.organisation_id = $1 AND ($2 = '' OR s.messenger = $2)
  AND ($3 = '' OR strpos(lower(s.address), lower($3)) > 0
       OR (s.messenger, s.scope, s.address) IN (SELECT * FROM unnest($4::text[], $5::text[], $6::text[])))
  AND CASE $7
      WHEN 'opted_out' THEN s.choice = 'opted_out'
      WHEN 'barred' THEN s.bar = 'barred'
      WHEN 'blocked' THEN s.reach = 'blocked'
      ELSE ($7 = '' AND $9::uuid IS NULL) OR EXISTS (
          SELECT FROM purpose p LEFT JOIN consent_grant g
              ON g.organisation_id = p.organisation_id AND g.purpose_id = p.id AND g.messenger = s.messenger AND g.scope = s.scope
             AND g.address = s.address
          WHERE p.organisation_id = $1 AND ($9::uuid IS NULL OR p.id = $9)
            AND CASE $7 WHEN '' THEN g.purpose_id IS NOT NULL ELSE {_GRANT} = $7 END)
      END
"""


async def list_people(runtime: Runtime, unit: UnitOfWork, wish: Wish, after: Key) -> Listed:
    """The addresses of this wish in their order, those after `after`; who they are the higher rooms say."""
    sought = PeopleSought(wish.text, SOUGHT)
    if wish.text:
        await runtime.hooks.publish(unit, sought)
    names = [[key[part] for key in sought.found] for part in range(3)]
    values = (unit.tenant, wish.messenger, wish.text, *names, wish.state, clock.now(), wish.purpose_id)
    count = await unit.sql.fetchval(f"SELECT count(*) {_WHERE} AND $8::timestamptz IS NOT NULL", *values)
    rows = await unit.sql.fetch(
        f"""
        SELECT s.* {_WHERE} AND $8::timestamptz IS NOT NULL AND (s.messenger, s.scope, s.address) > ($10, $11, $12)
        ORDER BY s.messenger, s.scope, s.address LIMIT $13
        """,
        *values,
        *after,
        ROWS + 1,
    )
    shown = rows[:ROWS]
    keys = [(row["messenger"], row["scope"], row["address"]) for row in shown]
    known = await name_people(runtime, unit, keys)
    grants = await _grants(unit, keys, {key: row["stopped_at"] for key, row in zip(keys, shown, strict=True)})
    found = [
        Row(key, known.get(key), row["choice"], row["reach"], row["bar"], row["last_used_at"], grants[key])
        for key, row in zip(keys, shown, strict=True)
    ]
    return Listed(found, count, keys[-1] if len(rows) > ROWS else None)


async def _grants(unit: UnitOfWork, keys: list[Key], stopped: Mapping[Key, datetime | None]) -> dict[Key, dict[UUID, GrantState]]:
    rows = await unit.sql.fetch(
        """
        SELECT g.* FROM consent_grant g
        JOIN unnest($2::text[], $3::text[], $4::text[]) AS w(messenger, scope, address) USING (messenger, scope, address)
        WHERE g.organisation_id = $1
        """,
        unit.tenant,
        *([key[part] for key in keys] for part in range(3)),
    )
    now, found = clock.now(), defaultdict[Key, dict[UUID, GrantState]](dict)
    for row in rows:
        key = (row["messenger"], row["scope"], row["address"])
        found[key][row["purpose_id"]] = read_grant(row).state(stopped[key], now)
    return found


async def last_used(unit: UnitOfWork, keys: Sequence[Key]) -> datetime | None:
    """When a message to one of these addresses was last accepted."""
    used: datetime | None = await unit.sql.fetchval(
        """
        SELECT max(s.last_used_at) FROM consent_state s
        JOIN unnest($2::text[], $3::text[], $4::text[]) AS w(messenger, scope, address) USING (messenger, scope, address)
        WHERE s.organisation_id = $1
        """,
        unit.tenant,
        *([key[part] for key in keys] for part in range(3)),
    )
    return used


async def withdraw(runtime: Runtime, access: Access, key: Key, purpose_id: UUID | None, note: str) -> None:
    """A member writes down that the person wants no more of one purpose, or, without one, nothing at all (R-223)."""
    evidence: dict[str, Any] = {"source": "agent", "method": "agent", "actor": access.person_name}
    if note.strip():
        evidence["note"] = note.strip()
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        family = (await aliases.families(unit, [key]))[key]
        await locks.lock_addresses(unit, family)
        change = Change(*key, "withdrawn" if purpose_id else "opt_out", clock.now(), evidence, purpose_id=purpose_id)
        await ledger.record(unit, runtime.vault, runtime.hooks, [change])
