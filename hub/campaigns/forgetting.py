"""What newsletters forget of an erased person."""

from hub.consent.hooks import PersonErased
from hub.core.db import UnitOfWork


async def forget(unit: UnitOfWork, event: PersonErased) -> None:
    """That they were a recipient, and that a test was looked at in their conversation; what a newsletter counts gets less."""
    conversations = list(event.conversation_ids)
    await unit.sql.execute(
        "DELETE FROM campaign_recipient WHERE organisation_id = $1 AND conversation_id = ANY($2::uuid[])",
        unit.tenant,
        conversations,
    )
    await unit.sql.execute(
        """
        UPDATE campaign SET test_conversation_id = NULL
        WHERE organisation_id = $1 AND test_conversation_id = ANY($2::uuid[])
        """,
        unit.tenant,
        conversations,
    )
