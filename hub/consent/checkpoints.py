"""Signed checkpoints of the ledger: what is written up to here was written by this hub, and at that time (design 8).

A checkpoint says two things about the entries after the checkpoint before it: the hash of the last one, which stands for the whole
chain behind it, and the Merkle root over the hashes of all of them, to which a proof leads from one entry without showing another.
What is signed (Ed25519), byte by byte:

    "hub ledger checkpoint 1", 0x00, organisation (16), after_seq (8), seq (8), microseconds since 1970 (8), head (32), root (32)

A checkpoint covers at most PIECE entries, so that a path out of it is found quickly; after a large import several are made at once.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hub.consent.chain import micros
from hub.consent.merkle import Tree
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.vault import Vault

PIECE: Final = 16_384
"""Entries under one checkpoint: a path of 14 hashes."""
PREFIX: Final = b"hub ledger checkpoint 1\x00"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A row of `ledger_checkpoint`."""

    seq: int
    after_seq: int
    at: datetime
    head: bytes
    root: bytes
    signature: bytes
    key_id: UUID

    def statement(self, organisation_id: UUID) -> bytes:
        """What is signed."""
        numbers = self.after_seq.to_bytes(8) + self.seq.to_bytes(8) + micros(self.at)
        return PREFIX + organisation_id.bytes + numbers + self.head + self.root


@dataclass(frozen=True, slots=True)
class Signer:
    """The organisation's signing key, opened. `public`: 32 bytes."""

    id: UUID
    public: bytes
    private: Ed25519PrivateKey

    def sign(self, statement: bytes) -> bytes:
        return self.private.sign(statement)


async def make_checkpoint(unit: UnitOfWork, vault: Vault) -> Checkpoint | None:
    """Cover everything that is written so far, and give the newest checkpoint; None while there is no entry.

    Locks the head of the ledger: call it last, or in a transaction of its own.
    """
    head = await unit.sql.fetchval("SELECT seq FROM ledger_head WHERE organisation_id = $1 FOR UPDATE", unit.tenant)
    newest = await newest_checkpoint(unit)
    if newest is not None and newest.seq == head:
        return newest
    signer = await signer_of(unit, vault)
    after = newest.seq if newest else 0
    while after < head:
        newest = await _cover(unit, signer, after)
        after = newest.seq
    return newest


async def _cover(unit: UnitOfWork, signer: Signer, after: int) -> Checkpoint:
    rows = await unit.sql.fetch(
        "SELECT seq, hash FROM consent_entry WHERE organisation_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        unit.tenant,
        after,
        PIECE,
    )
    tree = Tree()
    for row in rows:
        tree.add(row["hash"])
    bare = Checkpoint(rows[-1]["seq"], after, clock.now(), rows[-1]["hash"], tree.root, b"", signer.id)
    signature = signer.sign(bare.statement(unit.tenant))
    await unit.sql.execute(
        """
        INSERT INTO ledger_checkpoint (organisation_id, seq, after_seq, at, head, root, signature, key_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        unit.tenant,
        bare.seq,
        bare.after_seq,
        bare.at,
        bare.head,
        bare.root,
        signature,
        signer.id,
    )
    return Checkpoint(bare.seq, bare.after_seq, bare.at, bare.head, bare.root, signature, signer.id)


async def newest_checkpoint(unit: UnitOfWork) -> Checkpoint | None:
    """The last one that was made."""
    row = await unit.sql.fetchrow(
        f"SELECT {_COLUMNS} FROM ledger_checkpoint WHERE organisation_id = $1 ORDER BY seq DESC LIMIT 1", unit.tenant
    )
    return Checkpoint(**row) if row else None


async def all_checkpoints(unit: UnitOfWork) -> list[Checkpoint]:
    """All, the oldest first: a few a day at most."""
    rows = await unit.sql.fetch(f"SELECT {_COLUMNS} FROM ledger_checkpoint WHERE organisation_id = $1 ORDER BY seq", unit.tenant)
    return [Checkpoint(**row) for row in rows]


_COLUMNS: Final = "seq, after_seq, at, head, root, signature, key_id"


def is_signed(checkpoint: Checkpoint, organisation_id: UUID, public_key: bytes) -> bool:
    """Whether its signature is by this key and over these words."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(checkpoint.signature, checkpoint.statement(organisation_id))
    except InvalidSignature:
        return False
    return True


async def public_keys(unit: UnitOfWork) -> dict[UUID, bytes]:
    """The public halves of the organisation's keys."""
    return {row["id"]: row["public_key"] for row in await _rows(unit)}


async def signer_of(unit: UnitOfWork, vault: Vault) -> Signer:
    """The organisation's signing key; made when it is first needed. Raises SealBroken."""
    rows = await _rows(unit)
    if not rows:
        key_id, private = ids.new_id(), Ed25519PrivateKey.generate()
        await unit.sql.execute(
            """
            INSERT INTO ledger_key (organisation_id, id, public_key, private_sealed, created_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (organisation_id) DO NOTHING
            """,
            unit.tenant,
            key_id,
            private.public_key().public_bytes_raw(),
            vault.seal(private.private_bytes_raw(), **_place(unit.tenant, key_id)),
            clock.now(),
        )
        rows = await _rows(unit)
    row = rows[0]
    private = Ed25519PrivateKey.from_private_bytes(vault.open(row["private_sealed"], **_place(unit.tenant, row["id"])))
    return Signer(row["id"], row["public_key"], private)


async def _rows(unit: UnitOfWork) -> list[Any]:
    found: list[Any] = await unit.sql.fetch(
        "SELECT id, public_key, private_sealed FROM ledger_key WHERE organisation_id = $1", unit.tenant
    )
    return found


def _place(organisation_id: UUID, key_id: UUID) -> dict[str, Any]:
    return {"organisation_id": organisation_id, "table": "ledger_key", "column": "private_sealed", "row_id": key_id}
