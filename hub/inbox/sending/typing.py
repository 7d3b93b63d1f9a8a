"""Somebody writes a reply: the customer may see it. Nothing of it is stored."""

from uuid import UUID

from hub.inbox.sending.outbound import Author, load_recipient
from hub.runtime import Runtime


async def note_typing(runtime: Runtime, author: Author, conversation_id: UUID) -> None:
    """Called while a person types, every few seconds. NotFound."""
    async with runtime.database.unit_of_work(author.organisation_id) as unit:
        await load_recipient(runtime, unit, conversation_id)
    await runtime.queue.nudge_sign(author.organisation_id, conversation_id, "typing")
