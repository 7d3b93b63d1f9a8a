"""What newsletters hold of a person goes when they are erased; how many were chosen and why stays in the simulation's counts."""

from hub.consent.hooks import PersonErased
from hub.core.db import UnitOfWork


async def forget(unit: UnitOfWork, event: PersonErased) -> None:
    """Drop what was decided about them, and that a test went to them."""
    for statement in (
        "DELETE FROM campaign_recipient WHERE organisation_id = $1 AND conversation_id = ANY($2::uuid[])",
        "UPDATE campaign SET test_conversation_id = NULL WHERE organisation_id = $1 AND test_conversation_id = ANY($2::uuid[])",
    ):
        await unit.sql.execute(statement, unit.tenant, list(event.conversation_ids))
