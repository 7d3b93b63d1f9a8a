"""Addresses of one person: what is wanted at one of them holds for the others (design 8)."""

from collections import defaultdict
from collections.abc import Collection
from typing import Final

from hub.consent.locks import Key
from hub.core.db import UnitOfWork

_FAMILIES: Final = """
WITH RECURSIVE family AS (
    SELECT messenger, scope, address AS asked, address
    FROM unnest($2::text[], $3::text[], $4::text[]) AS row(messenger, scope, address)
    UNION
    SELECT f.messenger, f.scope, f.asked, a.other
    FROM family f
    JOIN consent_alias a ON a.organisation_id = $1 AND a.messenger = f.messenger AND a.scope = f.scope AND a.address = f.address
)
SELECT messenger, scope, asked, address FROM family
"""


async def families(unit: UnitOfWork, keys: Collection[Key]) -> dict[Key, set[Key]]:
    """Each of these addresses with all addresses of its person, itself among them."""
    found: dict[Key, set[Key]] = defaultdict(set)
    if keys:
        for row in await unit.sql.fetch(_FAMILIES, unit.tenant, *(list(column) for column in zip(*keys, strict=True))):
            messenger, scope = row["messenger"], row["scope"]
            found[messenger, scope, row["asked"]].add((messenger, scope, row["address"]))
    return found


async def link(unit: UnitOfWork, pairs: Collection[tuple[Key, str]]) -> None:
    """Keep that an address and another one of the same messenger and scope are one person's. Called by the ledger, which writes the
    entry that says why."""
    if not pairs:
        return
    both = [(*key, other) for key, other in pairs] + [(*key[:2], other, key[2]) for key, other in pairs]
    await unit.sql.execute(
        """
        INSERT INTO consent_alias (organisation_id, messenger, scope, address, other)
        SELECT $1, messenger, scope, address, other
        FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS row(messenger, scope, address, other)
        ON CONFLICT DO NOTHING
        """,
        unit.tenant,
        *(list(column) for column in zip(*both, strict=True)),
    )
