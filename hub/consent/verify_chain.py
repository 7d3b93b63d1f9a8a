"""The chain of the ledger, walked once in the order of its numbers: the first half of `verify.py`. Nothing is opened here."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from hub.consent.chain import entry_hash
from hub.consent.checkpoints import Checkpoint, all_checkpoints, is_signed, public_keys
from hub.consent.merkle import Tree
from hub.core.db import UnitOfWork

BATCH: Final = 1000
"""Entries, or addresses, that are held in memory at a time."""

Problem = Literal[
    "missing", "link", "hash", "behind_head", "head", "checkpoint_gap", "signature", "root", "subject_gone", "key", "commitment"
]
"""
missing         there is no entry of this number, and there are later ones, or the head names it
link            it does not name the hash of the entry before it
hash            a column was changed: its hash is another one
behind_head     it stands behind the last entry that the head names
head            the head names another hash for it
checkpoint_gap  the checkpoint that covers it is gone
signature       the signature of the checkpoint that covers it is not by the organisation's key
root            it, or another entry under the same checkpoint, was written anew after the checkpoint was signed
subject_gone    its subject is gone, and no entry says that it was erased
key             it does not open: the key of its subject was changed
commitment      what it says is not what the chain holds
"""


@dataclass(frozen=True, slots=True)
class Broken:
    """The first entry that is not as it was written, and what is wrong with it."""

    seq: int
    problem: Problem


@dataclass(frozen=True, slots=True)
class Walked:
    """What the walk found. `entries`: how many it came through; `signed_until`: the number that the last checkpoint covers."""

    entries: int
    signed_until: int
    broken: Broken | None


async def verify_chain(unit: UnitOfWork) -> Walked:
    """Check the chain and its checkpoints alone; nothing is opened, so an organisation's key is not needed."""
    head = await unit.sql.fetchrow("SELECT seq, hash FROM ledger_head WHERE organisation_id = $1", unit.tenant)
    seals = _Seals(unit.tenant, await all_checkpoints(unit), await public_keys(unit))
    seq, previous, tree = 0, bytes(32), Tree()
    async for rows in _entries(unit):
        for row in rows:
            seq += 1
            if row["seq"] != seq:
                return seals.found(seq, Broken(min(row["seq"], seq), "behind_head" if row["seq"] < seq else "missing"))
            if row["previous_hash"] != previous:
                return seals.found(seq, Broken(seq, "link"))
            if row["hash"] != _hash_of(unit.tenant, row, previous):
                return seals.found(seq, Broken(seq, "hash"))
            if seq > head["seq"]:
                return seals.found(seq, Broken(seq, "behind_head"))
            previous = row["hash"]
            tree.add(previous)
            if seq == seals.next_seq:
                if broken := seals.check(previous, tree.root):
                    return seals.found(seq, broken)
                tree = Tree()
    if seq < head["seq"]:
        return seals.found(seq, Broken(seq + 1, "missing"))
    if previous != head["hash"]:
        return seals.found(seq, Broken(seq, "head"))
    return seals.found(seq, seals.left(seq))


def _hash_of(organisation_id: UUID, row: Any, previous: bytes) -> bytes:
    return entry_hash(
        previous, organisation_id, row["seq"], row["at"], row["subject_id"], row["commitment"], row["details_sealed"], row["kind"]
    )


async def _entries(unit: UnitOfWork) -> AsyncIterator[list[Any]]:
    """All entries in the order of their numbers, a batch at a time."""
    after: int | None = None
    while True:
        rows = await unit.sql.fetch(
            "SELECT * FROM consent_entry WHERE organisation_id = $1 AND ($2::bigint IS NULL OR seq > $2) ORDER BY seq LIMIT $3",
            unit.tenant,
            after,
            BATCH,
        )
        if rows:
            yield rows
        if len(rows) < BATCH:
            return
        after = rows[-1]["seq"]


class _Seals:
    """The checkpoints, as the walk comes to them."""

    def __init__(self, organisation_id: UUID, checkpoints: list[Checkpoint], keys: dict[UUID, bytes]) -> None:
        self._organisation_id, self._keys = organisation_id, keys
        self._waiting = checkpoints[::-1]
        self._signed = 0

    @property
    def next_seq(self) -> int | None:
        return self._waiting[-1].seq if self._waiting else None

    def check(self, head: bytes, root: bytes) -> Broken | None:
        """The checkpoint that the walk has come to."""
        one = self._waiting.pop()
        first = self._signed + 1
        if one.after_seq != self._signed:
            return Broken(first, "checkpoint_gap")
        key = self._keys.get(one.key_id)
        if key is None or not is_signed(one, self._organisation_id, key):
            return Broken(first, "signature")
        if (one.head, one.root) != (head, root):
            return Broken(first, "root")
        self._signed = one.seq
        return None

    def left(self, last: int) -> Broken | None:
        """A checkpoint that names an entry behind the last one."""
        return Broken(last + 1, "missing") if self._waiting else None

    def found(self, entries: int, broken: Broken | None) -> Walked:
        return Walked(entries, self._signed, broken)
