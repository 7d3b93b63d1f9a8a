"""The order of an outgoing message's states. Status only moves forward, on the provider's evidence (I3).

    held < queued < sending < unknown < accepted < sent < failed < delivered < read

`failed` ranks above `sent`, because a provider may give up after accepting, and below `delivered`, because arrival is evidence
against a failure. Taking the highest rank ever reported makes the result the same in whatever order the reports come.
"""

from collections.abc import Collection
from uuid import UUID

from hub.core.db import UnitOfWork

ORDER = ("held", "queued", "sending", "unknown", "accepted", "sent", "failed", "delivered", "read")
BAD = ("unknown", "failed")
"""Somebody has to look: it is our turn again."""
_RANK = {state: rank for rank, state in enumerate(ORDER)}


def furthest(now: str, reported: str) -> str:
    """The state after a report."""
    return reported if _RANK[reported] > _RANK[now] else now


def of_message(parts: list[str]) -> str:
    """What a message shows: an unclear part first, then a failed one, else the least advanced."""
    for bad in BAD:
        if bad in parts:
            return bad
    return min(parts, key=_RANK.__getitem__)


async def lock_messages(unit: UnitOfWork, message_ids: Collection[UUID]) -> None:
    """Lock messages and before them their conversations, each in the order of ids. Who changes a message's state comes this way."""
    await unit.sql.execute(
        """
        SELECT 1 FROM conversation WHERE organisation_id = $1 AND id IN (
            SELECT conversation_id FROM message WHERE organisation_id = $1 AND id = ANY($2::uuid[])
        ) ORDER BY id FOR UPDATE
        """,
        unit.tenant,
        list(message_ids),
    )
    await unit.sql.execute(
        "SELECT 1 FROM message WHERE organisation_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR UPDATE",
        unit.tenant,
        list(message_ids),
    )


async def draw_messages(unit: UnitOfWork, message_ids: list[UUID]) -> list[tuple[UUID, UUID]]:
    """Draw messages' states anew from their parts; (message, conversation) of those that changed."""
    rows = await unit.sql.fetch(
        """
        SELECT p.message_id, m.conversation_id, m.state, array_agg(p.state) AS parts, max(p.priority) = 2 AS is_bulk
        FROM message_part p JOIN message m ON m.organisation_id = p.organisation_id AND m.id = p.message_id
        WHERE p.organisation_id = $1 AND p.message_id = ANY($2::uuid[]) AND p.action = 'message'
        GROUP BY 1, 2, 3
        """,
        unit.tenant,
        message_ids,
    )
    changed = [
        (row["message_id"], row["conversation_id"], state) for row in rows if (state := of_message(row["parts"])) != row["state"]
    ]
    if changed:
        before = {row["message_id"]: row["state"] for row in rows}
        talk = {row["message_id"] for row in rows if not row["is_bulk"]}  # a newsletter moves nobody
        looked_at = [row for row in changed if row[0] in talk and (row[2] in BAD or before[row[0]] in BAD)]
        await pass_turn(unit, {row[1]: row[2] in BAD for row in looked_at})
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


async def pass_turn(unit: UnitOfWork, ours: dict[UUID, bool]) -> None:
    """Whose move it is in conversations where a message of ours stopped being fine (it is ours), or needs nobody's look any more,
    unless the customer wrote since."""
    if not ours:
        return
    await unit.sql.execute(
        """
        UPDATE conversation AS c SET turn = row.turn FROM unnest($2::uuid[], $3::text[]) AS row(id, turn)
        WHERE c.organisation_id = $1 AND c.id = row.id AND c.state = 'open' AND c.last_direction = 'out' AND c.turn <> row.turn
        """,
        unit.tenant,
        list(ours),
        ["us" if is_ours else "customer" for is_ours in ours.values()],
    )
