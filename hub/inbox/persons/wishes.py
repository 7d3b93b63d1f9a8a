"""Three things that are easily mixed up, for a person over all channels:

block    the business writes there no more (`barred` in the ledger); what comes is stored and is no work
mute     the business wants no interruption; consent stays as it is, and whoever asks can be answered
opt-out  the person's own word, said elsewhere, that an agent writes down on their behalf with how they said it
"""

from typing import Final
from uuid import UUID

from hub.consent.books import ledger
from hub.consent.books.chain import Change
from hub.consent.books.states import Kind
from hub.core import clock, ids
from hub.core.errors import InvalidInput
from hub.core.feed import note_change
from hub.inbox.content import clean
from hub.inbox.persons.person import lock_person
from hub.inbox.persons.quiet import set_muted
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.runtime import Runtime

LONGEST: Final = 500
"""Characters of a reason or note."""


async def block(runtime: Runtime, access: Access, contact_id: UUID, reason: str) -> None:
    """Write to this person no more, on any channel. InvalidInput without a reason."""
    await _record(runtime, access, contact_id, "barred", {"reason": _said(reason, "reason")})


async def unblock(runtime: Runtime, access: Access, contact_id: UUID, reason: str) -> None:
    """Lift a block. A stop that the person said themselves stays. InvalidInput without a reason."""
    await _record(runtime, access, contact_id, "unbarred", {"reason": _said(reason, "reason")})


async def record_stop(runtime: Runtime, access: Access, contact_id: UUID, note: str) -> None:
    """Write down that this person wants nothing more, and how they said it. InvalidInput without that."""
    await _record(runtime, access, contact_id, "opt_out", {"method": "agent", "note": _said(note, "note")})


async def set_mute(runtime: Runtime, access: Access, contact_id: UUID, muted: bool) -> None:
    """Mute a person's conversations, or hear them again. Safe to repeat."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        person = await lock_person(unit, runtime.connectors, contact_id)
        if await set_muted(unit, person.conversation_ids, muted):
            await audit.record(unit, access, "person.muted" if muted else "person.unmuted", ids.show("con", contact_id), {})


async def correct_name(runtime: Runtime, access: Access, contact_id: UUID, name: str) -> None:
    """Call this person otherwise (R-260). InvalidInput, NotFound."""
    name = _said(" ".join(clean(name).split()), "name")
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        person = await lock_person(unit, runtime.connectors, contact_id)
        await unit.sql.execute("UPDATE contact SET name = $3 WHERE organisation_id = $1 AND id = $2", unit.tenant, contact_id, name)
        await audit.record(unit, access, "person.named", ids.show("con", contact_id), {})
        for conversation_id in person.conversation_ids:
            note_change(unit, "conversation", {"conversation": ids.show("conv", conversation_id)})


async def _record(runtime: Runtime, access: Access, contact_id: UUID, kind: Kind, said: dict[str, str]) -> None:
    evidence = {"source": "agent", "actor": access.person_name, "member": ids.show("mem", access.member_id), **said}
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        person = await lock_person(unit, runtime.connectors, contact_id)
        changes = [Change(*key, kind, clock.now(), evidence) for key in person.written_to]
        await ledger.record(unit, runtime.vault, runtime.hooks, changes)
        await audit.record(unit, access, f"person.{kind}", ids.show("con", contact_id), {})


def _said(text: str, field: str) -> str:
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise InvalidInput(f"1 to {LONGEST} characters", field=field)
    return text
