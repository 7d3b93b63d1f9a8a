"""Erase one person over all channels (design 4, R-260).

    goes     contact, identities, conversations, messages with notes and files, drafts, what is parked for them, raw deliveries that
             name them or their messages, what decisions know of them; every other room takes away its own (`PersonErased`)
    stays    that something left at a time, without words and address (attempts, decisions, audit entries by id); what the consent
             room keeps (`hub/consent/erasing.py`); sealed evidence of cases and spam events

Everything happens in one transaction; the files' bytes go right after it, and the sweeper takes what a crash leaves there.
"""

import asyncio
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.consent import erasing
from hub.consent.books import aliases
from hub.consent.erasing import Kept, delete_day
from hub.consent.hooks import PersonErased
from hub.consent.locks import Key
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, InvalidInput
from hub.core.feed import note_change
from hub.inbox.persons.person import Person, lock_person
from hub.inbox.sending.suspects import freeze_evidence
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.runtime import Runtime

PROVED: Final = frozenset({"viber"})
"""Messengers whose proofs outlive a recipient (R-200)."""


class OnItsWay(Conflict):
    """A message to this person is being handed to the provider right now; in a moment it can be said what came of it."""

    code = "message_on_its_way"


@dataclass(frozen=True, slots=True)
class Preview:
    """What an erasure would take and keep. `delete_on`: when the proofs that must be kept are destroyed."""

    counts: dict[str, int]
    suppressed: int
    delete_on: date | None


async def preview(unit: UnitOfWork, person: Person, zone: ZoneInfo) -> Preview:
    """What would go and what would stay, before anybody confirms it."""
    counts = await _count(unit, person)
    standings = await erasing.read_standings(unit, person.keys)
    proofs = await _proofs(unit, person, zone)
    return Preview(
        counts,
        len({one.key for one in standings if one.suppressed}),
        await delete_day(unit, max(proofs.values()), zone) if proofs else None,
    )


async def erase(runtime: Runtime, access: Access, contact_id: UUID, *, typed_name: str, never_again: bool) -> Kept:
    """Erase a person whom somebody with the right names once more; what is kept. NotFound, InvalidInput where the name is another
    one, OnItsWay."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        person = await lock_person(unit, runtime.connectors, contact_id)
        if " ".join(typed_name.split()).casefold() != " ".join(person.name.split()).casefold():
            raise InvalidInput("another name", field="name")
        return await erase_person(runtime, unit, person, never_again=never_again, zone=ZoneInfo(access.zone), access=access)


async def erase_person(
    runtime: Runtime, unit: UnitOfWork, person: Person, *, never_again: bool, zone: ZoneInfo, access: Access | None
) -> Kept:
    """Take a locked person away. `access` is None when a restore repeats an erasure. Raises OnItsWay."""
    counts = await _count(unit, person)
    families = await aliases.families(unit, person.keys)
    keys = person.keys.union(*families.values())
    messages = await unit.sql.fetch(
        """
        SELECT id FROM message WHERE organisation_id = $1 AND conversation_id = ANY($2::uuid[]) ORDER BY id FOR UPDATE
        """,
        unit.tenant,
        person.conversation_ids,
    )
    message_ids = [row["id"] for row in messages]
    await freeze_evidence(unit, runtime.vault, message_ids)
    await runtime.hooks.publish(unit, PersonErased(frozenset(keys), tuple(person.conversation_ids), tuple(message_ids)))
    await _take_deliveries(unit, person, message_ids)
    files = await _take_rows(unit, person, message_ids)
    kept = await erasing.forget(
        unit,
        runtime.vault,
        keys,
        proofs=await _proofs(unit, person, zone),
        never_again=never_again,
        zone=zone,
        member_id=access.member_id if access else None,
        counts=counts,
    )
    await audit.record(unit, access, "person.erased", ids.show("con", person.contact_id), {"counts": counts})
    for conversation_id in person.conversation_ids:
        note_change(unit, "conversation", {"conversation": ids.show("conv", conversation_id)})
    tenant = unit.tenant

    async def remove_files() -> None:
        for file_id in files:
            await asyncio.to_thread(runtime.storage.delete, tenant, file_id)

    unit.after_commit(remove_files)
    return kept


async def _proofs(unit: UnitOfWork, person: Person, zone: ZoneInfo) -> dict[Key, datetime]:
    """Addresses whose proofs still have to be kept, with the time of the last message there."""
    today = clock.now().astimezone(zone).date()
    return {
        key: address.last_sent_at
        for address in person.addresses
        if address.connector.connector in PROVED
        and address.last_sent_at
        and await delete_day(unit, address.last_sent_at, zone) > today
        for key in address.keys
    }


async def _count(unit: UnitOfWork, person: Person) -> dict[str, int]:
    row = await unit.sql.fetchrow(
        """
        SELECT count(*) FILTER (WHERE direction IN ('in', 'out')) AS messages, count(*) FILTER (WHERE direction = 'note') AS notes,
               (SELECT count(*) FROM attachment WHERE organisation_id = $1 AND conversation_id = ANY($2::uuid[])) AS files,
               (SELECT count(*) FROM draft WHERE organisation_id = $1 AND conversation_id = ANY($2::uuid[])) AS drafts
        FROM message WHERE organisation_id = $1 AND conversation_id = ANY($2::uuid[])
        """,
        unit.tenant,
        person.conversation_ids,
    )
    return {**dict(row), "addresses": len(person.keys)}


async def _take_deliveries(unit: UnitOfWork, person: Person, message_ids: list[UUID]) -> None:
    """Raw deliveries that name the person, or speak of one of their messages, and unreadable ones in which their address stands.
    What became of a delivery stays, without the name."""
    for channel_id, names in _names(person).items():
        keys = await _message_keys(unit, channel_id, message_ids)
        rows = await unit.sql.fetch(
            """
            UPDATE delivery_result SET identity_keys = '{}'
            WHERE organisation_id = $1 AND channel_id = $2 AND identity_keys && $3::text[] RETURNING delivery_id
            """,
            unit.tenant,
            channel_id,
            [*names, *keys],
        )
        await unit.sql.execute(
            """
            DELETE FROM webhook_delivery
            WHERE organisation_id = $1 AND channel_id = $2
              AND (id = ANY($3::uuid[]) OR state IN ('dead', 'ignored')
                   AND EXISTS (SELECT FROM unnest($4::bytea[]) AS name WHERE position(name IN body) > 0))
            """,
            unit.tenant,
            channel_id,
            [row["delivery_id"] for row in rows],
            [name.encode() for name in names],
        )
        await unit.sql.execute(
            """
            DELETE FROM provider_key
            WHERE organisation_id = $1 AND channel_id = $2
              AND (message_id = ANY($3::uuid[]) OR EXISTS (SELECT FROM unnest($4::text[]) AS name WHERE position(name IN key) > 0))
            """,
            unit.tenant,
            channel_id,
            message_ids,
            names,
        )
        await unit.sql.execute(
            """
            DELETE FROM pending_effect
            WHERE organisation_id = $1 AND channel_id = $2
              AND EXISTS (SELECT FROM unnest($3::text[]) AS name WHERE position(name IN target_key) > 0)
            """,
            unit.tenant,
            channel_id,
            names,
        )
        await unit.sql.execute(
            "DELETE FROM peer_key WHERE organisation_id = $1 AND channel_id = $2 AND address = ANY($3::text[])",
            unit.tenant,
            channel_id,
            names,
        )


def _names(person: Person) -> dict[UUID, list[str]]:
    """All addresses of a person on each channel."""
    names: dict[UUID, list[str]] = {}
    for address in person.addresses:
        names.setdefault(address.channel_id, []).extend(address.names)
    return names


async def _message_keys(unit: UnitOfWork, channel_id: UUID, message_ids: list[UUID]) -> list[str]:
    """How the provider calls these messages."""
    rows = await unit.sql.fetch(
        "SELECT key FROM provider_key WHERE organisation_id = $1 AND channel_id = $2 AND message_id = ANY($3::uuid[])",
        unit.tenant,
        channel_id,
        message_ids,
    )
    return [row["key"] for row in rows]


async def _take_rows(unit: UnitOfWork, person: Person, message_ids: list[UUID]) -> list[UUID]:
    """The rows themselves, children first; the ids of files whose bytes have to go. Raises OnItsWay."""
    conversation_ids = person.conversation_ids
    parts = await unit.sql.fetch(
        "SELECT id, state FROM message_part WHERE organisation_id = $1 AND message_id = ANY($2::uuid[]) ORDER BY id FOR UPDATE",
        unit.tenant,
        message_ids,
    )
    if any(row["state"] == "sending" for row in parts):
        raise OnItsWay("a message is being sent")
    await unit.sql.execute(
        "UPDATE attempt SET provider_text = '' WHERE organisation_id = $1 AND part_id = ANY($2::uuid[]) AND provider_text <> ''",
        unit.tenant,
        [row["id"] for row in parts],
    )
    await unit.sql.execute(
        """
        UPDATE gate_decision SET evidence = '{}'
        WHERE organisation_id = $1 AND (message_id = ANY($2::uuid[]) OR conversation_id = ANY($3::uuid[]))
        """,
        unit.tenant,
        message_ids,
        conversation_ids,
    )
    files = await unit.sql.fetch(
        "DELETE FROM attachment WHERE organisation_id = $1 AND conversation_id = ANY($2::uuid[]) RETURNING id",
        unit.tenant,
        conversation_ids,
    )
    identity_ids = [address.identity_id for address in person.addresses]
    for table, column, values in (
        ("draft", "conversation_id", conversation_ids),
        ("message_part", "message_id", message_ids),
        ("message", "id", message_ids),
        ("conversation", "id", conversation_ids),
        ("identity_alias", "identity_id", identity_ids),
        ("identity", "id", identity_ids),
        ("contact", "id", [person.contact_id]),
    ):
        await unit.sql.execute(
            f"DELETE FROM {table} WHERE organisation_id = $1 AND {column} = ANY($2::uuid[])", unit.tenant, values
        )
    return [row["id"] for row in files]
