"""Files of this room in the store: scans that prove an agreement, and lists that are imported. What is refused leaves nothing."""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput, NotFound
from hub.core.media import inspect, safe_name
from hub.core.scanner import Scanner
from hub.core.uploads import FileUpload
from hub.organisations.actor import Access
from hub.runtime import Runtime

SCANS: Final = frozenset({"application/pdf", "image/jpeg", "image/png"})
LISTS: Final = frozenset({"text/csv", "text/plain"})
LARGEST: Final = 50_000_000
"""Bytes: a list of 100,000 rows has about 20 million."""


@dataclass(frozen=True, slots=True)
class Paper:
    """A stored file."""

    id: UUID
    name: str
    size: int
    sha256: bytes

    @property
    def shown(self) -> str:
        return ids.show("file", self.id)

    @property
    def reference(self) -> str:
        """How evidence names it."""
        return f"{self.shown} sha256:{self.sha256.hex()}"


async def take_paper(
    runtime: Runtime, access: Access, *, content_type: str, body: AsyncIterator[bytes], types: Collection[str]
) -> Paper:
    """Store the file of a form (field `file`). InvalidInput(field="file") says why it is not taken; TooLarge."""
    form = FileUpload(content_type, body, field="file")
    typed_name = await form.name()
    paper_id, storage, organisation_id = ids.new_id(), runtime.storage, access.organisation_id
    async with storage.writing(organisation_id, paper_id, limit=LARGEST) as writing:
        async for piece in form.pieces():
            await writing.write(piece)
    try:
        with storage.open(organisation_id, paper_id) as file:
            if (await Scanner(runtime.settings.clamd).scan(file)).state == "infected":
                raise InvalidInput("malware", field="file", reason="infected")
            inspection = await asyncio.to_thread(inspect, file, writing.size, typed_name)
        if inspection.refusal is not None or inspection.mime not in types:
            raise InvalidInput(f"{inspection.mime} is not taken", field="file", reason="kind")
        paper = Paper(paper_id, safe_name(typed_name, inspection.mime), writing.size, writing.sha256)
        async with runtime.database.unit_of_work(organisation_id) as unit:
            await unit.sql.execute(
                """
                INSERT INTO consent_file (organisation_id, id, name, mime, size, sha256, member_id, created_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                """,
                unit.tenant,
                paper.id,
                paper.name,
                inspection.mime,
                paper.size,
                paper.sha256,
                access.member_id,
                clock.now(),
            )
    except BaseException:
        storage.delete(organisation_id, paper_id)
        raise
    return paper


async def use_paper(unit: UnitOfWork, paper_id: UUID) -> Paper:
    """A stored file that an entry is about to name: it stays from now on. NotFound."""
    row = await unit.sql.fetchrow(
        """
        UPDATE consent_file SET used_at = COALESCE(used_at, $3) WHERE organisation_id = $1 AND id = $2
        RETURNING id, name, size, sha256
        """,
        unit.tenant,
        paper_id,
        clock.now(),
    )
    if row is None:
        raise NotFound("no such file")
    return Paper(**row)
