"""What this room tells higher ones, inside the transaction that changes it: `hub/app.py` subscribes."""

from dataclasses import dataclass
from uuid import UUID

from hub.organisations.actor import Access


@dataclass(frozen=True, slots=True)
class TeamRemoved:
    """A team is no more: whatever it had to do needs somebody else. `by` removed it."""

    team_id: UUID
    by: Access
