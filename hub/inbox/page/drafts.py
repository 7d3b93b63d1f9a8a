"""Drafts: what a member has begun to write, kept here so that it outlives the browser (one reply and one note per conversation).

Who saves names the version they know. Is it the present one, the text is kept and gets a new version; else the page is told what
was kept meanwhile in another one, and the person decides. Sending or storing takes the draft away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from hub.core import clock
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, NotFound
from hub.inbox.content import clean
from hub.organisations.actor import Access
from hub.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Kept:
    """A draft as it is kept. Nothing is kept: no text, version 0."""

    text: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Drafts:
    """A member's drafts in one conversation."""

    reply: Kept = Kept()
    note: Kept = Kept()


class DraftMoved(Conflict):
    """Another page of this member has saved, sent or emptied the draft since; `kept` is what it holds now."""

    code = "draft_moved"

    def __init__(self, kept: Kept) -> None:
        super().__init__("the draft was changed elsewhere")
        self.kept = kept


async def save_draft(runtime: Runtime, access: Access, conversation_id: UUID, kind: str, text: str, known: int) -> int:
    """Keep a text; its new version, 0 for an empty one, which is not kept. Raises DraftMoved, NotFound."""
    text = clean(text.replace("\r\n", "\n"))
    now = clock.now()
    version = max(known + 1, int(now.timestamp() * 1000)) if text.strip() else 0
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        if not await unit.sql.fetchval(
            "SELECT true FROM conversation WHERE organisation_id = $1 AND id = $2", unit.tenant, conversation_id
        ):
            raise NotFound("no such conversation")
        written = await unit.sql.fetchval(
            _REMOVE if version == 0 else _REPLACE if known else _INSERT,
            unit.tenant,
            access.member_id,
            conversation_id,
            kind,
            *([known] if known or version == 0 else []),
            *([text, version, now] if version else []),
        )
        if written is None:
            kept = await _read(unit, access.member_id, conversation_id, kind)
            if version or kept.version:  # emptying what is empty is fine
                raise DraftMoved(kept)
    return version


_ONE: Final = "organisation_id = $1 AND member_id = $2 AND conversation_id = $3 AND kind = $4"
_REMOVE: Final = f"DELETE FROM draft WHERE {_ONE} AND version = $5 RETURNING version"
_REPLACE: Final = f"UPDATE draft SET text = $6, version = $7, updated_at = $8 WHERE {_ONE} AND version = $5 RETURNING version"
_INSERT: Final = """
INSERT INTO draft (organisation_id, member_id, conversation_id, kind, text, version, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING version
"""


async def _read(unit: UnitOfWork, member_id: UUID, conversation_id: UUID, kind: str) -> Kept:
    row = await unit.sql.fetchrow(
        f"SELECT text, version FROM draft WHERE {_ONE}",
        unit.tenant,
        member_id,
        conversation_id,
        kind,
    )
    return Kept(**row) if row else Kept()


async def remove_draft(unit: UnitOfWork, member_id: UUID, conversation_id: UUID, kind: str) -> None:
    """What was sent or stored is no draft any more."""
    await unit.sql.execute(f"DELETE FROM draft WHERE {_ONE}", unit.tenant, member_id, conversation_id, kind)


async def drafts_of(unit: UnitOfWork, member_id: UUID, conversation_ids: Sequence[UUID]) -> dict[UUID, Drafts]:
    """A member's drafts in these conversations; those without any are missing."""
    rows = await unit.sql.fetch(
        """
        SELECT conversation_id, kind, text, version FROM draft
        WHERE organisation_id = $1 AND member_id = $2 AND conversation_id = ANY($3::uuid[])
        """,
        unit.tenant,
        member_id,
        list(conversation_ids),
    )
    kept: dict[UUID, dict[str, Kept]] = {}
    for row in rows:
        kept.setdefault(row["conversation_id"], {})[row["kind"]] = Kept(row["text"], row["version"])
    return {conversation_id: Drafts(**by_kind) for conversation_id, by_kind in kept.items()}
