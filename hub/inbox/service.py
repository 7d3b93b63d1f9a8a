"""What an agent does with a conversation besides answering: note, assign, due time, snooze, done, reopen, read (R-300).

Each is one transaction that locks the conversation, writes its line into the thread, tells the audit log who did it (R-047) and
the open pages what changed. Notes and event lines have no state and no parts, so nothing can ever send them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput, NotFound
from hub.core.feed import note_change
from hub.inbox.content import clean
from hub.inbox.page.drafts import remove_draft
from hub.inbox.sending.outbound import load_recipient
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.organisations.hooks import TeamRemoved
from hub.organisations.rights import ROLE_RIGHTS, Right
from hub.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Locked:
    """A conversation whose row is ours until the commit."""

    id: UUID
    state: str
    assignee_id: UUID | None
    team_id: UUID | None
    due_at: datetime | None
    snoozed_until: datetime | None
    unread: int

    @property
    def shown(self) -> str:
        return ids.show("conv", self.id)


@dataclass(frozen=True, slots=True)
class Charge:
    """Who is in charge: a member, a team, both or nobody."""

    member_id: UUID | None = None
    team_id: UUID | None = None

    @property
    def shown(self) -> dict[str, str | None]:
        return {
            "member": ids.show("mem", self.member_id) if self.member_id else None,
            "team": ids.show("team", self.team_id) if self.team_id else None,
        }


async def lock(unit: UnitOfWork, conversation_id: UUID) -> Locked:
    """Lock a conversation until the commit; NotFound."""
    row = await unit.sql.fetchrow(
        """
        SELECT id, state, assignee_id, team_id, due_at, snoozed_until, unread FROM conversation
        WHERE organisation_id = $1 AND id = $2 FOR UPDATE
        """,
        unit.tenant,
        conversation_id,
    )
    if row is None:
        raise NotFound("no such conversation")
    return Locked(**row)


async def write_line(
    unit: UnitOfWork, access: Access, conversation: Locked, direction: str, *, text: str = "", content: dict[str, Any]
) -> UUID:
    """Add a note or event line at the end of the thread."""
    (message_id,) = await _write_lines(unit, access, [conversation], [content], direction=direction, text=text)
    return message_id


async def _write_lines(
    unit: UnitOfWork,
    access: Access,
    conversations: Sequence[Locked],
    contents: Sequence[dict[str, Any]],
    *,
    direction: str = "event",
    text: str = "",
) -> list[UUID]:
    """The same in each of several threads."""
    message_ids, now = [ids.new_id() for _ in conversations], clock.now()
    await unit.sql.execute(
        """
        WITH row AS (
            SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::text[]) AS row(conversation_id, message_id, content)
        ), counted AS (
            UPDATE conversation AS c SET last_seq = c.last_seq + 1 FROM row
            WHERE c.organisation_id = $1 AND c.id = row.conversation_id RETURNING c.id, c.last_seq
        )
        INSERT INTO message (organisation_id, id, conversation_id, seq, direction, kind, text, content, at, sequence, arrived_at,
                             author_id, session_id, failure, failure_text)
        SELECT $1, row.message_id, row.conversation_id, counted.last_seq, $5, 'text', $6, row.content::jsonb, $7, 0, $7, $8, $9, '',
               ''
        FROM row JOIN counted ON counted.id = row.conversation_id
        """,
        unit.tenant,
        [one.id for one in conversations],
        message_ids,
        [json.dumps(content) for content in contents],
        direction,
        text,
        now,
        access.member_id,
        access.session_id,
    )
    for one, message_id in zip(conversations, message_ids, strict=True):
        note_change(unit, "message", {"conversation": one.shown, "message": ids.show("msg", message_id), "direction": direction})
    return message_ids


async def add_note(runtime: Runtime, access: Access, conversation_id: UUID, text: str) -> UUID:
    """Write an internal note; its id. InvalidInput when it is empty."""
    text = clean(text.replace("\r\n", "\n")).strip()
    if not text:
        raise InvalidInput("the note is empty", field="text")
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        conversation = await lock(unit, conversation_id)
        message_id = await write_line(unit, access, conversation, "note", text=text, content={})
        await remove_draft(unit, access.member_id, conversation_id, "note")
        await audit.record(unit, access, "conversation.noted", conversation.shown, {"message": ids.show("msg", message_id)})
    return message_id


async def assign(runtime: Runtime, access: Access, conversation_id: UUID, to: Charge) -> None:
    """Hand a conversation over: to a member (its team stays), to a team (nobody of it yet), or to nobody. InvalidInput for a member
    who is not here any more or may not answer, and for a team that is not there."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        if to.team_id is not None and not await _is_team(unit, to.team_id):
            raise InvalidInput("no such team", field="to")
        conversation = await lock(unit, conversation_id)
        before = Charge(conversation.assignee_id, conversation.team_id)
        after = Charge(to.member_id, before.team_id) if to.member_id else to
        if after == before:
            return
        if to.member_id is not None and not await _may_answer(unit, to.member_id):
            raise InvalidInput("this member cannot take conversations", field="to")
        await unit.sql.execute(
            "UPDATE conversation SET assignee_id = $3, team_id = $4 WHERE organisation_id = $1 AND id = $2",
            unit.tenant,
            conversation_id,
            after.member_id,
            after.team_id,
        )
        handed = {"from": before.shown, "to": after.shown}
        await write_line(unit, access, conversation, "event", content={"event": "assigned", **handed})
        await _tell(unit, access, conversation, "conversation.assigned", handed)


async def _is_team(unit: UnitOfWork, team_id: UUID) -> bool:
    """Whether the team is there; it stays until the commit. Asked before the conversation is locked: who removes a team goes from
    it to its conversations."""
    return bool(
        await unit.sql.fetchval(
            "SELECT true FROM team WHERE organisation_id = $1 AND id = $2 AND removed_at IS NULL FOR SHARE", unit.tenant, team_id
        )
    )


async def release_team(unit: UnitOfWork, event: TeamRemoved) -> None:
    """What a removed team had to do is handed back, with a line in each thread."""
    rows = await unit.sql.fetch(
        """
        SELECT id, state, assignee_id, team_id, due_at, snoozed_until, unread FROM conversation
        WHERE organisation_id = $1 AND team_id = $2 ORDER BY id FOR UPDATE
        """,
        unit.tenant,
        event.team_id,
    )
    await unit.sql.execute(
        "UPDATE conversation SET team_id = NULL WHERE organisation_id = $1 AND team_id = $2", unit.tenant, event.team_id
    )
    conversations = [Locked(**row) for row in rows]
    contents = []
    for one in conversations:
        before, after = Charge(one.assignee_id, one.team_id), Charge(one.assignee_id)
        contents.append({"event": "assigned", "from": before.shown, "to": after.shown})
    await _write_lines(unit, event.by, conversations, contents)


async def _may_answer(unit: UnitOfWork, member_id: UUID) -> bool:
    role = await unit.sql.fetchval(
        "SELECT role FROM member WHERE organisation_id = $1 AND id = $2 AND deactivated_at IS NULL", unit.tenant, member_id
    )
    return role is not None and Right.WRITE_INBOX in ROLE_RIGHTS[role]


async def set_due(runtime: Runtime, access: Access, conversation_id: UUID, due_at: datetime | None) -> None:
    """Say until when this shall be done; None: there is no due time any more. A new due time is not overdue yet."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        conversation = await lock(unit, conversation_id)
        if conversation.due_at == due_at:
            return
        await unit.sql.execute(
            "UPDATE conversation SET due_at = $3, due_from = $4, overdue = false WHERE organisation_id = $1 AND id = $2",
            unit.tenant,
            conversation_id,
            due_at,
            clock.now() if due_at else None,
        )
        change = {"from": _stamp(conversation.due_at), "to": _stamp(due_at)}
        await write_line(unit, access, conversation, "event", content={"event": "due", **change})
        await _tell(unit, access, conversation, "conversation.due", change)


def _stamp(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


async def set_done(runtime: Runtime, access: Access, conversation_id: UUID) -> None:
    """Nothing more to do here, until the customer writes again."""
    await _set_state(runtime, access, conversation_id, "done", "done")


async def snooze(runtime: Runtime, access: Access, conversation_id: UUID, until: datetime) -> None:
    """Put it away until a time, until its due time passes or until the customer writes, whatever comes first."""
    await _set_state(runtime, access, conversation_id, "snoozed", "snoozed", until=until)


async def reopen(runtime: Runtime, access: Access, conversation_id: UUID) -> None:
    """There is something to do after all, or already."""
    await _set_state(runtime, access, conversation_id, "open", "reopened")


async def _set_state(
    runtime: Runtime, access: Access, conversation_id: UUID, state: str, event: str, *, until: datetime | None = None
) -> None:
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        conversation = await lock(unit, conversation_id)
        if conversation.state == state and (until is None or conversation.snoozed_until == until):
            return
        await unit.sql.execute(
            """
            UPDATE conversation SET state = $3::text, snoozed_until = $4,
                   done_at = CASE WHEN $3::text = 'done' THEN $5::timestamptz END,
                   unread = CASE WHEN $3::text = 'open' THEN unread ELSE 0 END,
                   turn = CASE WHEN $3::text <> 'open' OR last_direction = 'out' THEN 'customer' ELSE 'us' END
            WHERE organisation_id = $1 AND id = $2
            """,
            unit.tenant,
            conversation_id,
            state,
            until,
            clock.now(),
        )
        detail = {"until": _stamp(until)} if until else {}
        await write_line(unit, access, conversation, "event", content={"event": event, **detail})
        await _tell(unit, access, conversation, f"conversation.{event}", detail)


async def _tell(unit: UnitOfWork, access: Access, conversation: Locked, action: str, detail: dict[str, Any]) -> None:
    await audit.record(unit, access, action, conversation.shown, detail)
    note_change(unit, "conversation", {"conversation": conversation.shown})


async def mark_read(runtime: Runtime, access: Access, conversation_id: UUID) -> None:
    """An agent has seen what came in. No line and no audit entry: it changes nothing for the record. The customer is told where the
    messenger shows it."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        conversation = await lock(unit, conversation_id)
        if conversation.unread:
            await unit.sql.execute(
                "UPDATE conversation SET unread = 0 WHERE organisation_id = $1 AND id = $2", unit.tenant, conversation_id
            )
            recipient = await load_recipient(runtime, unit, conversation_id)
            if "read" in recipient.connector.capabilities.actions:
                unit.after_commit(lambda: runtime.queue.nudge_sign(access.organisation_id, conversation_id, "read"))
            note_change(unit, "conversation", {"conversation": conversation.shown})
