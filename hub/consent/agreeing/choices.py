"""What one person has allowed at one address, as they see it on their own page, and what they change there.

Agreeing there counts as active registration (R-221): the link was sent to exactly this address of this messenger. Only purposes
that are offered can be granted; what was agreed to can always be taken back, also for one that is offered no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hub.consent import purposes
from hub.consent.agreeing import roads
from hub.consent.agreeing.roads import agreed_to
from hub.consent.books import ledger
from hub.consent.books.chain import Change
from hub.consent.books.states import Grant, GrantState
from hub.consent.locks import Key
from hub.consent.purposes import KnownPurpose
from hub.core import clock
from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput
from hub.runtime import Runtime

SOURCE = "own_page"


@dataclass(frozen=True, slots=True)
class Choice:
    """One purpose and what holds for it. `since`: when that was said last; None for unknown."""

    purpose: KnownPurpose
    state: GrantState
    since: datetime | None

    @property
    def is_granted(self) -> bool:
        return self.state == "granted"


@dataclass(frozen=True, slots=True)
class Choices:
    """All of an address. `stopped_at`: since when they want nothing more at all; `entries`: what the ledger has of them."""

    choices: Sequence[Choice]
    stopped_at: datetime | None
    entries: int


async def read_choices(unit: UnitOfWork, key: Key, subject_id: UUID) -> Choices:
    """What this person has allowed: every purpose that is offered, and each that they ever said something about."""
    grants, stopped_at, choice = await roads.read_grants(unit, key)
    now = clock.now()
    found = []
    for purpose in await purposes.list_purposes(unit, with_archived=True):
        grant = grants.get(purpose.id, Grant())
        state = grant.state(stopped_at, now)
        if purpose.is_archived and state != "granted":
            continue
        found.append(Choice(purpose, state, _since(grant, state, stopped_at)))
    entries = await unit.sql.fetchval(
        "SELECT count(*) FROM consent_entry WHERE organisation_id = $1 AND subject_id = $2", unit.tenant, subject_id
    )
    return Choices(found, stopped_at if choice == "opted_out" else None, entries)


def _since(grant: Grant, state: GrantState, stopped_at: datetime | None) -> datetime | None:
    match state:
        case "granted":
            return grant.granted.at
        case "asked":
            return grant.asked.at
        case "withdrawn":
            return max((at for at in (grant.withdrawn.at, stopped_at) if at), default=None)
        case _:
            return None


async def grant(runtime: Runtime, unit: UnitOfWork, key: Key, purpose_id: UUID, language: str) -> None:
    """The person agrees on their own page, to the words that stand there. InvalidInput for what is offered no more."""
    purpose = await purposes.read_purpose(unit, purpose_id)
    if purpose.is_archived:
        raise InvalidInput("this purpose is offered no more", field="purpose")
    evidence = {"source": SOURCE, "method": "active_registration", **agreed_to(purpose, language)}
    await roads.write(runtime, unit, [Change(*key, "granted", clock.now(), evidence, purpose_id=purpose_id)])


async def withdraw(runtime: Runtime, unit: UnitOfWork, key: Key, purpose_id: UUID) -> None:
    """The person takes one of them back. Safe to repeat: what is taken back already is no news."""
    purpose = await purposes.read_purpose(unit, purpose_id)
    await roads.lock_families(unit, [key])
    grants, stopped_at, _ = await roads.read_grants(unit, key)
    known = grants.get(purpose_id)
    if known is not None and known.state(stopped_at, clock.now()) == "withdrawn":
        return
    evidence = {"source": SOURCE, "method": "active_registration", "purpose": purpose.words["de"].name}
    change = Change(*key, "withdrawn", clock.now(), evidence, purpose_id=purpose_id)
    await ledger.record(unit, runtime.vault, runtime.hooks, [change])


async def stop(runtime: Runtime, unit: UnitOfWork, key: Key) -> None:
    """The person wants nothing more at all. Safe to repeat."""
    await roads.lock_families(unit, [key])
    _, _, choice = await roads.read_grants(unit, key)
    if choice != "opted_out":
        evidence = {"source": SOURCE, "method": "active_registration"}
        await ledger.record(unit, runtime.vault, runtime.hooks, [Change(*key, "opt_out", clock.now(), evidence)])
