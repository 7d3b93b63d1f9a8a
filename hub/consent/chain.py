"""The chain of the ledger (I7): how a change becomes an entry, and an entry a link.

What an entry says is sealed under a key of its subject; the chain holds only a salted commitment to it. Erasing the subject's row
destroys the key: nobody can read the entry any more, and the chain still verifies.

    commitment  SHA-256(salt, details)                       details: canonical JSON
    hash        SHA-256(previous hash, organisation, seq, at, subject, commitment, SHA-256(what is sealed), kind)
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from hub.consent.locks import Key
from hub.consent.states import Kind
from hub.core import clock
from hub.core.db import UnitOfWork
from hub.core.vault import Vault

SALT_BYTES: Final = 32
KEY_BYTES: Final = 32
_SUBJECT_KEY: Final = "subject"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to the consent of one address. `at` is the provider's time; `evidence` names the source and what
    proves it (message id and exact text, or the provider's event). `other`: the address that a link links it to. `purpose_id`:
    what it is about, for the kinds that speak of one purpose; `until`: when a question that was asked is void."""

    messenger: str
    scope: str
    address: str
    kind: Kind
    at: datetime
    evidence: dict[str, str]
    other: str = ""
    purpose_id: UUID | None = None
    until: datetime | None = None

    @property
    def key(self) -> Key:
        return (self.messenger, self.scope, self.address)


@dataclass(slots=True)
class Entry:
    """A change on its way into the chain. `seq` is known when it is appended."""

    change: Change
    subject_id: UUID
    salt: bytes
    details: bytes
    sealed: bytes
    seq: int | None = None

    @property
    def commitment(self) -> bytes:
        return commitment_of(self.salt + self.details)


def seal_entry(organisation_id: UUID, subject_id: UUID, key: bytes, change: Change) -> Entry:
    """Seal what a change says under its subject's key."""
    said: dict[str, object] = {
        "messenger": change.messenger,
        "scope": change.scope,
        "address": change.address,
        "kind": change.kind,
        "at": change.at.isoformat(),
        "recorded_at": clock.now().isoformat(),
        "evidence": change.evidence,
    }
    if change.other:
        said["other"] = change.other
    if change.purpose_id:
        said["purpose"] = str(change.purpose_id)
    if change.until:
        said["until"] = change.until.isoformat()
    salt = os.urandom(SALT_BYTES)
    details = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    sealed = Vault({_SUBJECT_KEY: key}, _SUBJECT_KEY).seal(salt + details, **_entry_place(organisation_id, subject_id))
    return Entry(change, subject_id, salt, details, sealed)


async def append(unit: UnitOfWork, entries: Sequence[Entry]) -> None:
    """Number these entries and chain them to the organisation's head, which stays locked until the commit: the last thing before it
    but the feed."""
    head = await unit.sql.fetchrow("SELECT seq, hash FROM ledger_head WHERE organisation_id = $1 FOR UPDATE", unit.tenant)
    if head is None:
        raise RuntimeError("the organisation has no ledger head")
    seq, previous = head["seq"], head["hash"]
    rows = []
    for entry in entries:
        seq += 1
        entry.seq = seq
        change = entry.change
        here = entry_hash(previous, unit.tenant, seq, change.at, entry.subject_id, entry.commitment, entry.sealed, change.kind)
        rows.append((seq, change.at, change.kind, entry.subject_id, entry.commitment, entry.sealed, previous, here))
        previous = here
    await unit.sql.execute(
        """
        INSERT INTO consent_entry (organisation_id, seq, at, kind, subject_id, commitment, details_sealed, previous_hash, hash)
        SELECT $1, * FROM unnest($2::bigint[], $3::timestamptz[], $4::text[], $5::uuid[], $6::bytea[], $7::bytea[], $8::bytea[],
                                 $9::bytea[])
        """,
        unit.tenant,
        *(list(column) for column in zip(*rows, strict=True)),
    )
    await unit.sql.execute("UPDATE ledger_head SET seq = $2, hash = $3 WHERE organisation_id = $1", unit.tenant, seq, previous)


def entry_hash(
    previous: bytes, organisation_id: UUID, seq: int, at: datetime, subject_id: UUID, commitment: bytes, sealed: bytes, kind: str
) -> bytes:
    """The link of the chain. Every part but the last has a fixed length, so no two entries give the same bytes."""
    fixed = organisation_id.bytes + seq.to_bytes(8, signed=True) + micros(at) + subject_id.bytes
    return hashlib.sha256(previous + fixed + commitment + hashlib.sha256(sealed).digest() + kind.encode()).digest()


def micros(at: datetime) -> bytes:
    """An instant as it is hashed and signed: microseconds since 1970 in eight bytes."""
    return ((at - _EPOCH) // timedelta(microseconds=1)).to_bytes(8, signed=True)


def commitment_of(salted: bytes) -> bytes:
    """What the chain holds of an entry's details, with their salt before them."""
    return hashlib.sha256(salted).digest()


class Opener:
    """Opens many entries; the key of each subject is opened once."""

    def __init__(self, vault: Vault, organisation_id: UUID) -> None:
        self._vault, self._organisation_id = vault, organisation_id
        self._subjects: dict[UUID, Vault] = {}

    def open(self, subject_id: UUID, key_sealed: bytes, details_sealed: bytes) -> bytes:
        """Salt and details of an entry. Raises SealBroken when key or details were changed."""
        subject = self._subjects.get(subject_id)
        if subject is None:
            key = open_key(self._vault, self._organisation_id, subject_id, key_sealed)
            subject = self._subjects[subject_id] = Vault({_SUBJECT_KEY: key}, _SUBJECT_KEY)
        return subject.open(details_sealed, **_entry_place(self._organisation_id, subject_id))


def open_details(vault: Vault, organisation_id: UUID, subject_id: UUID, key_sealed: bytes, details_sealed: bytes) -> dict[str, Any]:
    """What an entry says, as long as its subject was not erased. Raises SealBroken when key or details were changed."""
    said: dict[str, Any] = json.loads(Opener(vault, organisation_id).open(subject_id, key_sealed, details_sealed)[SALT_BYTES:])
    return said


def new_key(vault: Vault, organisation_id: UUID, subject_id: UUID) -> bytes:
    """A key for a new subject, sealed."""
    return vault.seal(os.urandom(KEY_BYTES), **_subject_place(organisation_id, subject_id))


def open_key(vault: Vault, organisation_id: UUID, subject_id: UUID, key_sealed: bytes) -> bytes:
    """A subject's key; SealBroken."""
    return vault.open(key_sealed, **_subject_place(organisation_id, subject_id))


def _subject_place(organisation_id: UUID, subject_id: UUID) -> dict[str, Any]:
    return {"organisation_id": organisation_id, "table": "consent_subject", "column": "key_sealed", "row_id": subject_id}


def _entry_place(organisation_id: UUID, subject_id: UUID) -> dict[str, Any]:
    return {"organisation_id": organisation_id, "table": "consent_entry", "column": "details_sealed", "row_id": subject_id}
