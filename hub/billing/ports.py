"""What other rooms ask the billing room. Signatures are final; the answers are honest defaults until there are tariffs.

Both take a unit of work of the organisation, so that the answer belongs to the caller's transaction.
"""

from dataclasses import dataclass
from enum import StrEnum

from hub.core.db import UnitOfWork


class Standing(StrEnum):
    """Where an organisation stands with its contract; what each one stops is the gate's and the pages' business (R-061, R-133)."""

    TRIAL = "trial"
    ACTIVE = "active"
    RESTRICTED = "restricted"
    LOCKED = "locked"
    SUSPENDED = "suspended"
    TRIAL_ENDED = "trial_ended"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Entitlement:
    """Whether a thing is in the tariff. `limit` is how many of it at most, None for no limit; `reason` is machine-readable."""

    what: str
    allowed: bool
    limit: int | None
    reason: str


async def entitled(unit: UnitOfWork, what: str) -> Entitlement:
    """Whether the unit's organisation may use `what` (`seats`, `channels`, a module's name).

    Without tariffs everything is allowed, reason `no_tariff`.
    """
    return Entitlement(what, allowed=True, limit=None, reason="no_tariff")


async def standing(unit: UnitOfWork) -> Standing:
    """The standing of the unit's organisation. Without subscriptions every organisation is `active`."""
    return Standing.ACTIVE
