"""What a provider wants deleted once it was taken back there (`Capabilities.erases_deleted`): its words and its files, for good.
Who wrote, when, and that it was taken back stay. The raw delivery that brought it has no body any more (`ingest.py`)."""

from collections.abc import Sequence
from uuid import UUID

from hub.core.db import UnitOfWork
from hub.runtime import Runtime


async def erase_messages(runtime: Runtime, unit: UnitOfWork, message_ids: Sequence[UUID]) -> None:
    """Leave nothing of what these messages say. The bytes of files go once this transaction has committed."""
    if not message_ids:
        return
    for statement in (
        "UPDATE message SET kind = 'text', text = '', content = '{}' WHERE organisation_id = $1 AND id = ANY($2::uuid[])",
        "UPDATE message_part SET text = '', content = '{}' WHERE organisation_id = $1 AND message_id = ANY($2::uuid[])",
    ):
        await unit.sql.execute(statement, unit.tenant, list(message_ids))
    files = await unit.sql.fetch(
        "DELETE FROM attachment WHERE organisation_id = $1 AND message_id = ANY($2::uuid[]) RETURNING id",
        unit.tenant,
        list(message_ids),
    )
    tenant, object_ids = unit.tenant, [file["id"] for file in files]

    async def remove() -> None:
        for object_id in object_ids:
            runtime.storage.delete(tenant, object_id)

    unit.after_commit(remove)
