"""The audit log: who did what, with member and session (R-047). Append-only: no role may change or delete an entry."""

from typing import Any
from uuid import UUID

from hub.core import clock
from hub.core.db import UnitOfWork
from hub.organisations.actor import Access
from hub.organisations.models import AuditEntry


async def record(unit: UnitOfWork, access: Access | None, action: str, target: str, detail: dict[str, Any]) -> None:
    """Write down one change in the transaction that makes it.

    `action` is `thing.done` (`member.deactivated`), `target` the shown id of what changed, `detail` what was agreed or set, never
    a secret or a message body (I10). `access` is None when no signed-in person acted.
    """
    member_id, session_id = (access.member_id, access.session_id) if access else (None, None)
    await record_by(unit, member_id, session_id, action, target, detail)


async def record_by(
    unit: UnitOfWork, member_id: UUID | None, session_id: UUID | None, action: str, target: str, detail: dict[str, Any]
) -> None:
    """The same for who became a member in this very transaction and has no `Access` yet."""
    unit.session.add(
        AuditEntry(
            organisation_id=unit.tenant,
            at=clock.now(),
            member_id=member_id,
            session_id=session_id,
            action=action,
            target=target,
            detail=detail,
        )
    )
    await unit.session.flush()
