"""The consent lock: a claim and a change of consent for the same address never overlap.

The claim takes the shared form, every change of consent, block or reply window the exclusive one; both hold it to the end of their
transaction. So either the change waits for a claim that has begun, or the claim leaves that address for later. Whoever waits takes
the locks before any row, and all of a batch in one order.
"""

import hashlib
from collections.abc import Iterable
from uuid import UUID

from hub.core.db import UnitOfWork

Key = tuple[str, str, str]
"""(messenger, scope, address): what consent is keyed by inside an organisation."""


async def lock_addresses(unit: UnitOfWork, keys: Iterable[Key]) -> None:
    """Wait for the exclusive locks of these addresses; they are held until the transaction ends."""
    numbers = sorted({number_of(unit.tenant, key) for key in keys})
    if numbers:
        await unit.sql.execute("SELECT pg_advisory_xact_lock(number) FROM unnest($1::bigint[]) AS number", numbers)


async def share_addresses(unit: UnitOfWork, keys: Iterable[Key]) -> set[Key]:
    """Take the shared locks of these addresses without waiting; those that were free. The others are being changed right now.

    Not waiting is what allows the claim to hold rows already: nobody who waits for its rows can be waited for by it.
    """
    numbers = {key: number_of(unit.tenant, key) for key in keys}
    rows = await unit.sql.fetch(
        "SELECT number FROM unnest($1::bigint[]) AS number WHERE pg_try_advisory_xact_lock_shared(number)",
        list(set(numbers.values())),
    )
    free = {row["number"] for row in rows}
    return {key for key, number in numbers.items() if number in free}


def number_of(organisation_id: UUID, key: Key) -> int:
    """64 bits for an address. Two addresses that share a number only wait for each other once more than needed."""
    text = "\x1f".join((organisation_id.hex, *key))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), signed=True)
