"""A provider may tell us what we sent ourselves before it has answered that request: the echo came first and was taken for a
message that was written elsewhere. Once the receipt names the same key, it is the hub's message."""

from collections.abc import Collection
from uuid import UUID

from hub.core.db import UnitOfWork
from hub.inbox.page.preview import redraw_previews


async def adopt_echoes(unit: UnitOfWork, channel_id: UUID, sent: Collection[tuple[str, UUID, UUID]]) -> None:
    """Give (key, message, part) of ours the keys that an echo holds, and what was reported of it; the echo goes. Keys that are ours
    already stay as they are."""
    if not sent:
        return
    rows = await unit.sql.fetch(
        """
        WITH sent AS (SELECT * FROM unnest($3::text[], $4::uuid[], $5::uuid[]) AS row(key, message_id, part_id)), echo AS (
            SELECT sent.key, sent.message_id, sent.part_id, m.id AS echo_id, m.conversation_id, m.state
            FROM sent
            JOIN provider_key k ON k.organisation_id = $1 AND k.channel_id = $2 AND k.key = sent.key
            JOIN message m ON m.organisation_id = $1 AND m.id = k.message_id AND m.id <> sent.message_id
            WHERE m.direction = 'out' AND m.provider_key = sent.key
              AND NOT EXISTS (SELECT FROM message_part p WHERE p.organisation_id = $1 AND p.message_id = m.id)
        ), owned AS (
            UPDATE provider_key AS k SET message_id = echo.message_id, part_no = p.part_no
            FROM echo JOIN message_part p ON p.organisation_id = $1 AND p.id = echo.part_id
            WHERE k.organisation_id = $1 AND k.channel_id = $2 AND k.message_id = echo.echo_id
        ), moved AS (
            UPDATE message_part AS p SET state = echo.state FROM echo
            WHERE p.organisation_id = $1 AND p.id = echo.part_id AND p.state IN ('accepted', 'sent')
              AND echo.state IN ('delivered', 'read')
        ), files AS (
            DELETE FROM attachment AS a USING echo WHERE a.organisation_id = $1 AND a.message_id = echo.echo_id
        )
        SELECT echo_id, conversation_id FROM echo
        """,
        unit.tenant,
        channel_id,
        *(list(column) for column in zip(*sent, strict=True)),
    )
    if rows:
        await unit.sql.execute(
            "DELETE FROM message WHERE organisation_id = $1 AND id = ANY($2::uuid[])", unit.tenant, [row["echo_id"] for row in rows]
        )
        await redraw_previews(unit, {row["conversation_id"] for row in rows})
