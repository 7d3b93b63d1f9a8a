"""The consent lock: a claim and a change of consent for the same address never overlap.

The claim takes the shared form, every change of consent, block or reply window the exclusive one; both hold it to the end of their
transaction. So either the change waits for a claim that has begun, or the claim sees the change. Addresses are always locked before
any row, and all of a batch in one order.
"""

import hashlib
from collections.abc import Iterable
from uuid import UUID

from hub.core.db import UnitOfWork

Key = tuple[str, str, str]
"""(messenger, scope, address): what consent is keyed by inside an organisation."""


async def lock_addresses(unit: UnitOfWork, keys: Iterable[Key], *, exclusive: bool) -> None:
    """Wait for the locks of these addresses; they are held until the transaction ends."""
    numbers = sorted({_number(unit.tenant, key) for key in keys})
    if numbers:
        lock = "pg_advisory_xact_lock" if exclusive else "pg_advisory_xact_lock_shared"
        await unit.sql.execute(f"SELECT {lock}(number) FROM unnest($1::bigint[]) AS number", numbers)


def _number(organisation_id: UUID, key: Key) -> int:
    """64 bits for an address. Two addresses that share a number only wait for each other once more than needed."""
    text = "\x1f".join((organisation_id.hex, *key))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), signed=True)
