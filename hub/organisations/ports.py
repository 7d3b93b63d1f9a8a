"""What other rooms ask about an organisation's agreements. The signature is final; registration (R-022, R-032) will fill it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hub.core.db import UnitOfWork


@dataclass(frozen=True, slots=True)
class Agreement:
    """A text the organisation accepted: the SHA-256 of exactly that version, who accepted it, from where and when (R-032)."""

    kind: str
    version: str
    text_sha256: bytes
    accepted_by: UUID
    address: str
    accepted_at: datetime


async def agreements(unit: UnitOfWork) -> tuple[Agreement, ...]:
    """All agreements of the unit's organisation, oldest first. None are on record before there is a registration."""
    return ()
