"""Nonces that messages used up (`MessageReceived.nonce`): a sealed message that comes again under another id is a replay.

They stand among the provider's keys, which outlive the raw deliveries and are unique for each channel.
"""

from collections.abc import Mapping
from uuid import UUID

from hub.core.db import UnitOfWork


async def find_replays(unit: UnitOfWork, channel_id: UUID, nonces: Mapping[str, str]) -> set[str]:
    """Of these messages (key to nonce) those whose nonce was used before; the others' are used from now on."""
    if not nonces:
        return set()
    first: dict[str, str] = {}
    for key, nonce in nonces.items():
        first.setdefault(f"nonce:{nonce}", key)
    rows = await unit.sql.fetch(
        """
        INSERT INTO provider_key (organisation_id, channel_id, key) SELECT $1, $2, nonce FROM unnest($3::text[]) AS nonce
        ON CONFLICT DO NOTHING RETURNING key
        """,
        unit.tenant,
        channel_id,
        list(first),
    )
    return set(nonces) - {first[row["key"]] for row in rows}
