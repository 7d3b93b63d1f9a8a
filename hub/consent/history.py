"""Everything the ledger says of one person: the entries of all their addresses, opened, and what follows from them (R-224)."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from hub.consent import aliases
from hub.consent.chain import SALT_BYTES, Opener
from hub.consent.fold import Fold, Said, fold, read_said
from hub.consent.hooks import Known, PeopleAsked
from hub.consent.locks import Key
from hub.consent.states import Grant, GrantState, Moment, State
from hub.core.db import UnitOfWork
from hub.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Record:
    """An entry of the ledger, opened, with all that its hash covers. `details`: the exact text that the commitment is over."""

    said: Said
    subject_id: UUID
    salt: bytes
    details: str
    commitment: bytes
    sealed_hash: bytes
    previous_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Person:
    """One person: the addresses that were asked for and all others of theirs, what higher rooms know of them, and their entries in
    the order of the ledger."""

    addresses: tuple[Key, ...]
    known: dict[Key, Known]
    records: tuple[Record, ...]

    @property
    def name(self) -> str:
        """How they are called; '' when nobody knows."""
        return next((self.known[key].name for key in self.addresses if key in self.known), "")

    def state_at(self, at: datetime | None) -> Fold:
        """What held at an instant, by the provider's times; None: what holds now."""
        return fold((record.said for record in self.records), at)


def ground_of(grant: Grant, state: State, value: GrantState) -> Moment | None:
    """What a grant's state rests on: a general stop ends a grant as a withdrawal does."""
    match value:
        case "granted":
            return grant.granted
        case "asked":
            return grant.asked
        case "withdrawn":
            return max(grant.withdrawn, state.stopped, key=lambda moment: moment.order)
        case "unknown":
            return None


async def read_person(runtime: Runtime, unit: UnitOfWork, keys: Collection[Key], *, until_seq: int | None = None) -> Person:
    """The person behind these addresses, with every address of theirs that the ledger or a contact links to them. `until_seq`: no
    entries after that number. Raises SealBroken when an entry was changed: `hub consent verify` says which."""
    contact = {key for one in (await name_people(runtime, unit, keys)).values() for key in one.addresses if _is_kept(runtime, key)}
    addresses = sorted(set(keys).union(*(await aliases.families(unit, contact | set(keys))).values()))
    rows = await unit.sql.fetch(_ENTRIES, unit.tenant, *(list(column) for column in zip(*addresses, strict=True)), until_seq)
    opener, records = Opener(runtime.vault, unit.tenant), []
    for row in rows:
        salted = opener.open(row["subject_id"], row["key_sealed"], row["details_sealed"])
        details = salted[SALT_BYTES:].decode()
        records.append(
            Record(
                read_said(row["seq"], json.loads(details)),
                row["subject_id"],
                salted[:SALT_BYTES],
                details,
                row["commitment"],
                hashlib.sha256(row["details_sealed"]).digest(),
                row["previous_hash"],
                row["hash"],
            )
        )
    return Person(tuple(addresses), await name_people(runtime, unit, addresses), tuple(records))


def _is_kept(runtime: Runtime, key: Key) -> bool:
    """Whether consent of this messenger is kept under keys like this one: with the channel as scope, or without."""
    connector = runtime.connectors.get(key[0])
    return (connector.capabilities.address_scope == "channel") == bool(key[1])


_ENTRIES: Final = """
SELECT e.seq, e.subject_id, e.commitment, e.details_sealed, e.previous_hash, e.hash, s.key_sealed FROM consent_subject s
JOIN unnest($2::text[], $3::text[], $4::text[]) AS w(messenger, scope, address) USING (messenger, scope, address)
JOIN consent_entry e ON e.organisation_id = s.organisation_id AND e.subject_id = s.id
WHERE s.organisation_id = $1 AND ($5::bigint IS NULL OR e.seq <= $5)
ORDER BY e.seq
"""


async def name_people(runtime: Runtime, unit: UnitOfWork, keys: Collection[Key]) -> dict[Key, Known]:
    """What higher rooms know of these addresses."""
    asked = PeopleAsked(keys)
    await runtime.hooks.publish(unit, asked)
    return asked.known
