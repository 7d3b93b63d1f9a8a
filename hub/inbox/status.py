"""The order of an outgoing message's states. Status only moves forward, on the provider's evidence (I3).

    queued < sending < unknown < accepted < sent < failed < delivered < read

`failed` ranks above `sent`, because a provider may give up after accepting, and below `delivered`, because arrival is evidence
against a failure. Taking the highest rank ever reported makes the result the same in whatever order the reports come.
"""

from uuid import UUID

from hub.core.db import UnitOfWork

ORDER = ("queued", "sending", "unknown", "accepted", "sent", "failed", "delivered", "read")
_RANK = {state: rank for rank, state in enumerate(ORDER)}


def furthest(now: str, reported: str) -> str:
    """The state after a report."""
    return reported if _RANK[reported] > _RANK[now] else now


def of_message(parts: list[str]) -> str:
    """What a message shows: an unclear part first, then a failed one, else the least advanced."""
    for bad in ("unknown", "failed"):
        if bad in parts:
            return bad
    return min(parts, key=_RANK.__getitem__)


async def draw_messages(unit: UnitOfWork, message_ids: list[UUID]) -> list[tuple[UUID, UUID]]:
    """Draw messages' states anew from their parts; (message, conversation) of those that changed."""
    rows = await unit.sql.fetch(
        """
        SELECT p.message_id, m.conversation_id, m.state, array_agg(p.state) AS parts
        FROM message_part p JOIN message m ON m.organisation_id = p.organisation_id AND m.id = p.message_id
        WHERE p.organisation_id = $1 AND p.message_id = ANY($2::uuid[])
        GROUP BY 1, 2, 3
        """,
        unit.tenant,
        message_ids,
    )
    changed = [
        (row["message_id"], row["conversation_id"], of_message(row["parts"]))
        for row in rows
        if of_message(row["parts"]) != row["state"]
    ]
    if changed:
        await unit.sql.execute(
            """
            UPDATE message SET state = row.state FROM unnest($2::uuid[], $3::text[]) AS row(id, state)
            WHERE message.organisation_id = $1 AND message.id = row.id
            """,
            unit.tenant,
            [message_id for message_id, _, _ in changed],
            [state for _, _, state in changed],
        )
    return [(message_id, conversation_id) for message_id, conversation_id, _ in changed]
