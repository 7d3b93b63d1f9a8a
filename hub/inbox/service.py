"""What an agent does with a conversation besides answering: note, assign, done, reopen, read (R-300).

Each is one transaction that locks the conversation, writes its line into the thread, tells the audit log who did it (R-047) and
the open pages what changed. Notes and event lines have no state and no parts, so nothing can ever send them.
"""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput, NotFound
from hub.core.feed import note_change
from hub.inbox.content import clean
from hub.organisations import audit
from hub.organisations.access import Access
from hub.organisations.rights import ROLE_RIGHTS, Right
from hub.runtime import Runtime


@dataclass(frozen=True, slots=True)
class _Locked:
    """A conversation whose row is ours until the commit."""

    id: UUID
    state: str
    assignee_id: UUID | None
    unread: int
    last_seq: int

    @property
    def shown(self) -> str:
        return ids.show("conv", self.id)


async def _lock(unit: UnitOfWork, conversation_id: UUID) -> _Locked:
    row = await unit.sql.fetchrow(
        "SELECT id, state, assignee_id, unread, last_seq FROM conversation WHERE organisation_id = $1 AND id = $2 FOR UPDATE",
        unit.tenant,
        conversation_id,
    )
    if row is None:
        raise NotFound("no such conversation")
    return _Locked(**row)


async def _write_line(
    unit: UnitOfWork, access: Access, conversation: _Locked, direction: str, *, text: str = "", content: dict[str, Any]
) -> UUID:
    """Add a note or event line at the end of the thread."""
    message_id, now = ids.new_id(), clock.now()
    await unit.sql.execute(
        """
        WITH counted AS (
            UPDATE conversation SET last_seq = last_seq + 1 WHERE organisation_id = $1 AND id = $3 RETURNING last_seq
        )
        INSERT INTO message (organisation_id, id, conversation_id, seq, direction, kind, text, content, at, sequence, arrived_at,
                             author_id, session_id, failure, failure_text)
        SELECT $1, $2, $3, last_seq, $4, 'text', $5, $6::jsonb, $7, 0, $7, $8, $9, '', '' FROM counted
        """,
        unit.tenant,
        message_id,
        conversation.id,
        direction,
        text,
        json.dumps(content),
        now,
        access.member_id,
        access.session_id,
    )
    shown = {"conversation": conversation.shown, "message": ids.show("msg", message_id), "direction": direction}
    note_change(unit, "message", shown)
    return message_id


async def add_note(runtime: Runtime, access: Access, conversation_id: UUID, text: str) -> UUID:
    """Write an internal note; its id. InvalidInput when it is empty."""
    text = clean(text.replace("\r\n", "\n")).strip()
    if not text:
        raise InvalidInput("the note is empty", field="text")
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        conversation = await _lock(unit, conversation_id)
        message_id = await _write_line(unit, access, conversation, "note", text=text, content={})
        await audit.record(unit, access, "conversation.noted", conversation.shown, {"message": ids.show("msg", message_id)})
    return message_id


async def assign(runtime: Runtime, access: Access, conversation_id: UUID, member_id: UUID | None) -> None:
    """Give a conversation to a member, or to nobody. InvalidInput for someone who is not here any more or may not answer."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        conversation = await _lock(unit, conversation_id)
        if conversation.assignee_id == member_id:
            return
        if member_id is not None and not await _may_answer(unit, member_id):
            raise InvalidInput("this member cannot take conversations", field="to")
        await unit.sql.execute(
            "UPDATE conversation SET assignee_id = $3 WHERE organisation_id = $1 AND id = $2",
            unit.tenant,
            conversation_id,
            member_id,
        )
        handed = {
            "from": ids.show("mem", conversation.assignee_id) if conversation.assignee_id else None,
            "to": ids.show("mem", member_id) if member_id else None,
        }
        await _write_line(unit, access, conversation, "event", content={"event": "assigned", **handed})
        await _tell(unit, access, conversation, "conversation.assigned", handed)


async def _may_answer(unit: UnitOfWork, member_id: UUID) -> bool:
    role = await unit.sql.fetchval(
        "SELECT role FROM member WHERE organisation_id = $1 AND id = $2 AND deactivated_at IS NULL", unit.tenant, member_id
    )
    return role is not None and Right.WRITE_INBOX in ROLE_RIGHTS[role]


async def set_done(runtime: Runtime, access: Access, conversation_id: UUID) -> None:
    """Nothing more to do here, until the customer writes again."""
    await _set_state(runtime, access, conversation_id, "done")


async def reopen(runtime: Runtime, access: Access, conversation_id: UUID) -> None:
    """There is something to do after all."""
    await _set_state(runtime, access, conversation_id, "open")


async def _set_state(runtime: Runtime, access: Access, conversation_id: UUID, state: str) -> None:
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        conversation = await _lock(unit, conversation_id)
        if conversation.state == state:
            return
        is_done = state == "done"
        await unit.sql.execute(
            """
            UPDATE conversation SET state = $3, done_at = $4, unread = CASE WHEN $5 THEN 0 ELSE unread END,
                   turn = CASE WHEN $5 OR last_direction = 'out' THEN 'customer' ELSE 'us' END
            WHERE organisation_id = $1 AND id = $2
            """,
            unit.tenant,
            conversation_id,
            state,
            clock.now() if is_done else None,
            is_done,
        )
        event = "done" if is_done else "reopened"
        await _write_line(unit, access, conversation, "event", content={"event": event})
        await _tell(unit, access, conversation, f"conversation.{event}", {})


async def _tell(unit: UnitOfWork, access: Access, conversation: _Locked, action: str, detail: dict[str, Any]) -> None:
    await audit.record(unit, access, action, conversation.shown, detail)
    note_change(unit, "conversation", {"conversation": conversation.shown})


async def mark_read(runtime: Runtime, access: Access, conversation_id: UUID) -> None:
    """An agent has seen what came in. No line and no audit entry: reading changes nothing for the customer or the record."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        conversation = await _lock(unit, conversation_id)
        if conversation.unread:
            await unit.sql.execute(
                "UPDATE conversation SET unread = 0 WHERE organisation_id = $1 AND id = $2", unit.tenant, conversation_id
            )
            note_change(unit, "conversation", {"conversation": conversation.shown})
