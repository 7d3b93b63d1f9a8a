"""The consent ledger (I7): one append-only hash chain per organisation, and the state that follows from it.

    record      under the address lock: folds changes into `consent_state`, tells higher rooms, and notes the entries
    _append     right before the commit: locks `ledger_head`, numbers and chains the entries

What an entry says is sealed under a key of its subject; the chain holds only a salted commitment to it. Erasing the subject's row
destroys the key: nobody can read the entry any more, and the chain still verifies.

    commitment  SHA-256(salt, details)                       details: canonical JSON
    hash        SHA-256(previous hash, organisation, seq, at, subject, commitment, kind)

Changes come late and out of order, so state follows the provider's times, not the order of arrival; of two changes at the same
instant the stricter one holds. Addresses of one person are linked by an entry (`aliases.py`): from then on the strictest of what
was known holds for all of them, and a change at one is a change at all.
"""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, get_args
from uuid import UUID

from hub.consent import aliases
from hub.consent.hooks import ConsentWithdrawn, PersonBlocked
from hub.consent.locks import Key
from hub.core import clock, ids
from hub.core.db import Last, UnitOfWork
from hub.core.hooks import Hooks
from hub.core.vault import Vault

Kind = Literal["opt_out", "restart", "opted_in", "marketing_stopped", "marketing_resumed", "blocked", "unblocked", "linked"]
"""
opt_out             the person, or the messenger on their behalf, wants nothing more that is not an answer
restart             the person began anew (Telegram's /start): lifts an opt-out and is no consent to advertising
opted_in            the person agreed, in words that the evidence names; lifts an opt-out and a stop of marketing
marketing_stopped   no advertising; answers and service go on
marketing_resumed   lifts that stop and is no consent
blocked             nothing reaches them
unblocked           reachable again, and no consent either
linked              this address and `Change.other` are one person's
"""
Axis = Literal["choice", "marketing", "reach"]

_SAYS: Final[dict[Kind, dict[Axis, str]]] = {
    "opt_out": {"choice": "opted_out"},
    "restart": {"choice": "none", "reach": "reachable"},
    "opted_in": {"choice": "opted_in", "marketing": "free"},
    "marketing_stopped": {"marketing": "stopped"},
    "marketing_resumed": {"marketing": "free"},
    "blocked": {"reach": "blocked"},
    "unblocked": {"reach": "reachable"},
    "linked": {},
}
"""What each kind says about each part of the state (`ConsentState`)."""
_STRICTNESS: Final = {"opted_in": 0, "none": 1, "opted_out": 2, "free": 0, "stopped": 1, "reachable": 0, "blocked": 1}

SALT_BYTES: Final = 32
KEY_BYTES: Final = 32
_SUBJECT_KEY: Final = "subject"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to the consent of one address. `at` is the provider's time; `evidence` names the source and what
    proves it (message id and exact text, or the provider's event). `other`: the address that a link links it to."""

    messenger: str
    scope: str
    address: str
    kind: Kind
    at: datetime
    evidence: dict[str, str]
    other: str = ""

    @property
    def key(self) -> Key:
        return (self.messenger, self.scope, self.address)


@dataclass(slots=True)
class _Entry:
    """A change on its way into the chain. `seq` is known when it is appended."""

    change: Change
    subject_id: UUID
    salt: bytes
    details: bytes
    sealed: bytes
    seq: int | None = None

    @property
    def commitment(self) -> bytes:
        return hashlib.sha256(self.salt + self.details).digest()


@dataclass(slots=True)
class Word:
    """One part of a state: what holds, since when, and the entry that it rests on: its number, or itself while it has none yet."""

    value: str
    at: datetime | None = None
    seq: int | None = None
    entry: _Entry | None = field(default=None, repr=False)

    @property
    def ground(self) -> int | None:
        return self.entry.seq if self.entry else self.seq

    def hear(self, value: str, at: datetime, entry: _Entry | None) -> None:
        """Take over what is newer, or as new and stricter."""
        if self.at is None or (at, _STRICTNESS[value]) > (self.at, _STRICTNESS[self.value]):
            self.value, self.at, self.entry = value, at, entry

    @property
    def strictness(self) -> tuple[int, bool, datetime]:
        return _STRICTNESS[self.value], self.at is not None, self.at or _EPOCH


@dataclass(slots=True)
class State:
    """What holds for an address."""

    choice: Word = field(default_factory=lambda: Word("none"))
    marketing: Word = field(default_factory=lambda: Word("free"))
    reach: Word = field(default_factory=lambda: Word("reachable"))

    def apply(self, kind: Kind, at: datetime, entry: _Entry | None = None) -> None:
        """Fold one change in. The result does not depend on the order in which changes are applied."""
        for axis, value in _SAYS[kind].items():
            word: Word = getattr(self, axis)
            word.hear(value, at, entry)


def join_states(states: Collection[State]) -> None:
    """The strictest of what each says holds for all."""
    for axis in get_args(Axis):
        strictest: Word = max((getattr(state, axis) for state in states), key=lambda word: word.strictness)
        for state in states:
            setattr(state, axis, replace(strictest))


async def record(unit: UnitOfWork, vault: Vault, hooks: Hooks, changes: Sequence[Change]) -> None:
    """Write changes into the ledger and draw the state of their addresses anew.

    The caller holds the exclusive locks of all addresses of these people (`locks.py`, `aliases.families`). Whoever is withdrawn by
    these changes is told to the higher rooms inside this transaction.
    """
    subjects = await _subjects(unit, vault, {change.key for change in changes})
    links = [change for change in changes if change.kind == "linked"]
    await aliases.link(unit, [(change.key, change.other) for change in links])
    people = await aliases.families(unit, list(subjects))
    states = await _states(unit, list(set().union(*people.values())))
    known = {address: (state.choice.value, state.reach.value) for address, state in states.items()}
    for change in links:
        join_states([states[key] for key in people[change.key]])
    entries = []
    for change in changes:
        subject_id, key = subjects[change.key]
        entry = _seal(unit.tenant, subject_id, key, change)
        for address in people[change.key]:
            states[address].apply(change.kind, change.at, entry)
        entries.append(entry)
    await _write_states(unit, states)
    unit.notes.setdefault("ledger", []).append((entries, states))
    unit.before_commit(Last.LEDGER, _append)
    for address, state in states.items():
        choice, reach = known[address]
        if state.reach.value == "blocked" and (state.reach.entry or reach != "blocked"):
            await hooks.publish(unit, PersonBlocked(*address))
        if state.choice.value == "opted_out" and (state.choice.entry or choice != "opted_out"):
            await hooks.publish(unit, ConsentWithdrawn(*address))


async def _subjects(unit: UnitOfWork, vault: Vault, keys: set[Key]) -> dict[Key, tuple[UUID, bytes]]:
    """Id and opened key of everybody's subject; unknown ones are made. In one order, as every writer of this table."""
    new = [(key, ids.new_id(), os.urandom(KEY_BYTES)) for key in sorted(keys)]
    rows = await unit.sql.fetch(
        """
        WITH wanted AS (
            SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::uuid[], $6::bytea[])
                AS row(messenger, scope, address, id, key_sealed)
        ), made AS (
            INSERT INTO consent_subject (organisation_id, id, messenger, scope, address, key_sealed)
            SELECT $1, id, messenger, scope, address, key_sealed FROM wanted
            ON CONFLICT (organisation_id, messenger, scope, address) DO NOTHING
            RETURNING id, messenger, scope, address, key_sealed
        )
        SELECT id, messenger, scope, address, key_sealed FROM made
        UNION ALL
        SELECT s.id, s.messenger, s.scope, s.address, s.key_sealed FROM consent_subject s
        JOIN wanted w USING (messenger, scope, address) WHERE s.organisation_id = $1
        """,
        unit.tenant,
        [key[0] for key, _, _ in new],
        [key[1] for key, _, _ in new],
        [key[2] for key, _, _ in new],
        [subject_id for _, subject_id, _ in new],
        [vault.seal(secret, **_subject_place(unit.tenant, subject_id)) for _, subject_id, secret in new],
    )
    return {
        (row["messenger"], row["scope"], row["address"]): (
            row["id"],
            vault.open(row["key_sealed"], **_subject_place(unit.tenant, row["id"])),
        )
        for row in rows
    }


def _subject_place(organisation_id: UUID, subject_id: UUID) -> dict[str, Any]:
    return {"organisation_id": organisation_id, "table": "consent_subject", "column": "key_sealed", "row_id": subject_id}


def _entry_place(organisation_id: UUID, subject_id: UUID) -> dict[str, Any]:
    return {"organisation_id": organisation_id, "table": "consent_entry", "column": "details_sealed", "row_id": subject_id}


def _seal(organisation_id: UUID, subject_id: UUID, key: bytes, change: Change) -> _Entry:
    said = {
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
    salt = os.urandom(SALT_BYTES)
    details = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    sealed = Vault({_SUBJECT_KEY: key}, _SUBJECT_KEY).seal(salt + details, **_entry_place(organisation_id, subject_id))
    return _Entry(change, subject_id, salt, details, sealed)


async def _states(unit: UnitOfWork, keys: list[Key]) -> dict[Key, State]:
    rows = await unit.sql.fetch(
        """
        SELECT s.messenger, s.scope, s.address, s.choice, s.choice_at, s.choice_seq, s.marketing, s.marketing_at, s.marketing_seq,
               s.reach, s.reach_at, s.reach_seq
        FROM consent_state s
        JOIN unnest($2::text[], $3::text[], $4::text[]) AS w(messenger, scope, address) USING (messenger, scope, address)
        WHERE s.organisation_id = $1
        """,
        unit.tenant,
        *(list(column) for column in zip(*keys, strict=True)),
    )
    known = {
        (row["messenger"], row["scope"], row["address"]): State(
            *(Word(row[axis], row[f"{axis}_at"], row[f"{axis}_seq"]) for axis in get_args(Axis))
        )
        for row in rows
    }
    return {key: known.get(key) or State() for key in keys}


async def _write_states(unit: UnitOfWork, states: dict[Key, State]) -> None:
    ordered = sorted(states)
    words = [(states[key].choice, states[key].marketing, states[key].reach) for key in ordered]
    await unit.sql.execute(
        """
        INSERT INTO consent_state (organisation_id, messenger, scope, address, choice, choice_at, marketing, marketing_at, reach,
                                   reach_at)
        SELECT $1, messenger, scope, address, choice, choice_at, marketing, marketing_at, reach, reach_at
        FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::timestamptz[], $9::text[],
                    $10::timestamptz[])
            AS row(messenger, scope, address, choice, choice_at, marketing, marketing_at, reach, reach_at)
        ON CONFLICT (organisation_id, messenger, scope, address) DO UPDATE
        SET choice = excluded.choice, choice_at = excluded.choice_at, marketing = excluded.marketing,
            marketing_at = excluded.marketing_at, reach = excluded.reach, reach_at = excluded.reach_at
        """,
        unit.tenant,
        *(list(column) for column in zip(*ordered, strict=True)),
        *([getattr(word, name) for word in column] for column in zip(*words, strict=True) for name in ("value", "at")),
    )


async def _append(unit: UnitOfWork) -> None:
    """Chain the entries of this transaction to the head, the last thing but the feed."""
    recorded: list[tuple[list[_Entry], dict[Key, State]]] = unit.notes.pop("ledger")
    entries = [entry for batch, _ in recorded for entry in batch]
    head = await unit.sql.fetchrow("SELECT seq, hash FROM ledger_head WHERE organisation_id = $1 FOR UPDATE", unit.tenant)
    if head is None:
        raise RuntimeError("the organisation has no ledger head")
    seq, previous = head["seq"], head["hash"]
    rows = []
    for entry in entries:
        seq += 1
        entry.seq = seq
        here = entry_hash(previous, unit.tenant, seq, entry.change.at, entry.subject_id, entry.commitment, entry.change.kind)
        rows.append((seq, entry.change.at, entry.change.kind, entry.subject_id, entry.commitment, entry.sealed, previous, here))
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
    await _name_grounds(unit, [states for _, states in recorded])


async def _name_grounds(unit: UnitOfWork, recorded: list[dict[Key, State]]) -> None:
    """Write beside each state which entry of the chain it rests on. What was recorded in several steps rests on the last of
    each."""
    grounds: dict[Key, tuple[int | None, ...]] = defaultdict(lambda: (None, None, None))
    for states in recorded:
        for key, state in states.items():
            words = (state.choice, state.marketing, state.reach)
            grounds[key] = tuple(word.ground or before for word, before in zip(words, grounds[key], strict=True))
    await unit.sql.execute(
        """
        UPDATE consent_state s
        SET choice_seq = row.choice_seq, marketing_seq = row.marketing_seq, reach_seq = row.reach_seq
        FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[])
            AS row(messenger, scope, address, choice_seq, marketing_seq, reach_seq)
        WHERE s.organisation_id = $1 AND s.messenger = row.messenger AND s.scope = row.scope AND s.address = row.address
        """,
        unit.tenant,
        *(list(column) for column in zip(*grounds, strict=True)),
        *(list(column) for column in zip(*grounds.values(), strict=True)),
    )


def entry_hash(
    previous: bytes, organisation_id: UUID, seq: int, at: datetime, subject_id: UUID, commitment: bytes, kind: str
) -> bytes:
    """The link of the chain. Every part but the last has a fixed length, so no two entries give the same bytes."""
    microseconds = (at - _EPOCH) // timedelta(microseconds=1)
    fixed = organisation_id.bytes + seq.to_bytes(8) + microseconds.to_bytes(8, signed=True) + subject_id.bytes
    return hashlib.sha256(previous + fixed + commitment + kind.encode()).digest()


def open_details(vault: Vault, organisation_id: UUID, subject_id: UUID, key_sealed: bytes, details_sealed: bytes) -> dict[str, Any]:
    """What an entry says, as long as its subject was not erased. Raises SealBroken when one of the two was changed."""
    key = vault.open(key_sealed, **_subject_place(organisation_id, subject_id))
    opened = Vault({_SUBJECT_KEY: key}, _SUBJECT_KEY).open(details_sealed, **_entry_place(organisation_id, subject_id))
    said: dict[str, Any] = json.loads(opened[SALT_BYTES:])
    return said
