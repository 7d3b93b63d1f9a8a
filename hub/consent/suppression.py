"""What is remembered of addresses that we hold no more, or not yet: a person's stop and the business's own block outlive erasure.

Only a keyed hash is kept, under a key of the organisation that the vault seals. The gate never looks here: this is the memory, and
`consent_state` the working copy. When an address becomes known, the ledger asks once for all new addresses of a batch
(`ledger.record`) and writes down what is remembered, at its old time:

    opt_out             as an opt-out; who was erased and writes again can be answered, as after every opt-out
    barred, request     as a block; nothing goes out, whoever writes first
"""

import hashlib
import hmac
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from hub.consent.chain import Change
from hub.consent.locks import Key
from hub.consent.states import Kind
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.vault import Vault

Cause = Literal["opt_out", "barred", "request"]
KEY_BYTES: Final = 32
SOURCE: Final = "suppression"
_SAYS: Final[dict[str, Kind]] = {"opt_out": "opt_out", "barred": "barred", "request": "barred"}


@dataclass(frozen=True, slots=True)
class Suppressed:
    """An address that is not to be written to. `at`: since when; `reason`: what the business wrote down, without names."""

    key: Key
    cause: Cause
    at: datetime
    reason: str = ""


def digest_of(secret: bytes, key: Key) -> bytes:
    """What is kept in place of an address: HMAC-SHA256."""
    return hmac.digest(secret, "\x1f".join(key).encode(), hashlib.sha256)


async def find_secret(unit: UnitOfWork, vault: Vault) -> bytes | None:
    """The organisation's key, None as long as it needed none."""
    row = await unit.sql.fetchrow("SELECT id, key_sealed FROM suppression_key WHERE organisation_id = $1", unit.tenant)
    return vault.open(row["key_sealed"], **_place(unit, row["id"])) if row else None


async def need_secret(unit: UnitOfWork, vault: Vault) -> bytes:
    """The organisation's key; made where there is none."""
    row_id = ids.new_id()
    await unit.sql.execute(
        """
        INSERT INTO suppression_key (organisation_id, id, key_sealed) VALUES ($1, $2, $3) ON CONFLICT (organisation_id) DO NOTHING
        """,
        unit.tenant,
        row_id,
        vault.seal(os.urandom(KEY_BYTES), **_place(unit, row_id)),
    )
    secret = await find_secret(unit, vault)
    assert secret is not None
    return secret


def _place(unit: UnitOfWork, row_id: Any) -> dict[str, Any]:
    return {"organisation_id": unit.tenant, "table": "suppression_key", "column": "key_sealed", "row_id": row_id}


async def suppress(unit: UnitOfWork, vault: Vault, suppressed: Sequence[Suppressed]) -> None:
    """Remember these addresses. What was lifted holds again; what is remembered keeps its first time."""
    if not suppressed:
        return
    secret = await need_secret(unit, vault)
    await unit.sql.execute(
        """
        INSERT INTO suppression AS s (organisation_id, messenger, scope, digest, cause, at, reason)
        SELECT DISTINCT ON (messenger, scope, digest, cause) $1::uuid, *
        FROM unnest($2::text[], $3::text[], $4::bytea[], $5::text[], $6::timestamptz[], $7::text[])
            AS row(messenger, scope, digest, cause, at, reason)
        ORDER BY messenger, scope, digest, cause, at
        ON CONFLICT (organisation_id, messenger, scope, digest, cause) DO UPDATE
        SET at = CASE WHEN s.lifted_at IS NULL THEN s.at ELSE excluded.at END, lifted_at = NULL, reason = excluded.reason
        """,
        unit.tenant,
        [one.key[0] for one in suppressed],
        [one.key[1] for one in suppressed],
        [digest_of(secret, one.key) for one in suppressed],
        [one.cause for one in suppressed],
        [one.at for one in suppressed],
        [one.reason for one in suppressed],
    )


async def lift(unit: UnitOfWork, vault: Vault, keys: Collection[Key], causes: Collection[Cause]) -> None:
    """Remember these causes of these addresses no more."""
    secret = await find_secret(unit, vault)
    if secret is None or not keys:
        return
    await unit.sql.execute(
        """
        UPDATE suppression s SET lifted_at = $2
        FROM unnest($3::text[], $4::text[], $5::bytea[]) AS row(messenger, scope, digest)
        WHERE s.organisation_id = $1 AND s.messenger = row.messenger AND s.scope = row.scope AND s.digest = row.digest
          AND s.cause = ANY($6::text[]) AND s.lifted_at IS NULL
        """,
        unit.tenant,
        clock.now(),
        *_digests(secret, keys),
        list(causes),
    )


async def recall(unit: UnitOfWork, vault: Vault, keys: Collection[Key]) -> list[Change]:
    """What is remembered of addresses that become known, as changes for the ledger."""
    secret = await find_secret(unit, vault) if keys else None
    if secret is None:
        return []
    known = {(*key[:2], digest_of(secret, key)): key for key in keys}
    rows = await unit.sql.fetch(
        """
        SELECT s.messenger, s.scope, s.digest, s.cause, s.at, s.reason FROM suppression s
        JOIN unnest($2::text[], $3::text[], $4::bytea[]) AS row(messenger, scope, digest) USING (messenger, scope, digest)
        WHERE s.organisation_id = $1 AND s.lifted_at IS NULL ORDER BY s.at, s.cause
        """,
        unit.tenant,
        *_digests(secret, keys),
    )
    changes = []
    for row in rows:
        evidence = {"source": SOURCE, "reason": row["reason"] or row["cause"]}
        key = known[row["messenger"], row["scope"], row["digest"]]
        changes.append(Change(*key, _SAYS[row["cause"]], row["at"], evidence))
    return changes


def _digests(secret: bytes, keys: Collection[Key]) -> list[list[Any]]:
    return [[key[0] for key in keys], [key[1] for key in keys], [digest_of(secret, key) for key in keys]]
