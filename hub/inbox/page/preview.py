"""What the list shows of a conversation: the newest message by the thread's own order (decision 0004)."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from hub.core.db import UnitOfWork

PREVIEW: Final = 200
"""Characters of a message that the list shows."""

NEWEST: Final = """
SELECT CASE WHEN m.deleted_at IS NULL THEN COALESCE(m.content ->> 'media', m.content ->> 'sheet', m.kind) ELSE 'deleted' END
       AS kind, m.direction,
       CASE WHEN m.deleted_at IS NOT NULL THEN '' WHEN m.kind = 'unsupported' THEN m.content ->> 'kind' ELSE left(m.text, {preview})
       END AS preview
FROM message m
WHERE m.organisation_id = $1 AND m.conversation_id = {conversation} AND m.direction IN ('in', 'out')
ORDER BY m.at DESC, m.sequence DESC, m.seq DESC LIMIT 1
"""


async def redraw_previews(unit: UnitOfWork, conversation_ids: Collection[UUID]) -> None:
    """After an edit or a deletion: what the list shows of these conversations, which the caller has locked."""
    if not conversation_ids:
        return
    newest = NEWEST.format(conversation="row.id", preview="$3")
    await unit.sql.execute(
        f"""
        UPDATE conversation AS c SET last_text = newest.preview, last_kind = newest.kind, last_direction = newest.direction
        FROM unnest($2::uuid[]) AS row(id) CROSS JOIN LATERAL ({newest}) AS newest
        WHERE c.organisation_id = $1 AND c.id = row.id
        """,
        unit.tenant,
        list(conversation_ids),
        PREVIEW,
    )
