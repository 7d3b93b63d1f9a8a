"""Written consents as documents: Google's (R-190), Viber's for consumer credit (R-197), the business's own that messages leave the
allowed regions (R-262).

A business uploads the paper as PDF or picture; who may manage channels may read it. It is examined like any other file, kept in the
media store, and never changed or taken away: the newest of its kind is the one that counts. What is refused leaves nothing in the
store and a line in the audit log.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from hub.channels import history
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import HubError, NotFound
from hub.core.media import inspect, safe_name
from hub.core.scanner import Scanner
from hub.core.storage import TooLarge
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.runtime import Runtime

KINDS: Final = ("consent", "industry_consent", "region")
"""What is proved, by the name of the answer in the declaration (`conditions.py`)."""
TYPES: Final = frozenset({"application/pdf", "image/png", "image/jpeg", "image/webp"})
LARGEST: Final = 10_000_000
"""Bytes: a scanned letter of some pages."""


class DocumentRefused(HubError):
    """A file that is not taken; `no_document`: it is of another type than papers have."""

    code = "document_refused"
    http_status = 422

    def __init__(self, reason: str, **values: object) -> None:
        super().__init__(reason, **values)
        self.reason = reason

    @property
    def words(self) -> str:
        """Where the catalogue says why: as of every upload."""
        return "channels.paper.no_document" if self.reason == "no_document" else f"file.upload.{self.reason}"


@dataclass(frozen=True, slots=True)
class Document:
    """A document that is kept. `by` is who uploaded it."""

    id: UUID
    connector: str
    kind: str
    name: str
    mime: str
    size: int
    sha256: bytes
    by: str
    uploaded_at: datetime

    @property
    def shown(self) -> str:
        return ids.show("doc", self.id)


async def add_document(
    runtime: Runtime, access: Access, connector: str, kind: str, *, name: str, pieces: AsyncIterator[bytes]
) -> UUID:
    """Keep a file under the name that its owner gave it; its id. NotFound for a messenger or kind that there is not,
    DocumentRefused, and what `pieces` raises."""
    runtime.connectors.get(connector)
    if kind not in KINDS:
        raise NotFound("no such kind of document")
    document_id = ids.new_id()
    try:
        try:
            async with runtime.storage.writing(access.organisation_id, document_id, limit=LARGEST) as writing:
                async for piece in pieces:
                    await writing.write(piece)
        except TooLarge as error:
            raise DocumentRefused("too_large", **error.values) from None
        name, mime, scanned = await _examine(runtime, access, document_id, name, writing.size)
        async with runtime.database.unit_of_work(access.organisation_id) as unit:
            await unit.sql.execute(
                """
                INSERT INTO consent_document (organisation_id, id, connector, kind, name, mime, size, sha256, scanned, uploaded_by,
                                              uploaded_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
                """,
                unit.tenant,
                document_id,
                connector,
                kind,
                name,
                mime,
                writing.size,
                writing.sha256,
                scanned,
                access.member_id,
                clock.now(),
            )
            detail = {"kind": kind, "name": name, "sha256": writing.sha256.hex(), "document": ids.show("doc", document_id)}
            await audit.record(unit, access, "messenger.document_added", connector, detail)
            await history.note_messenger(unit, connector, "document_added", name, by=access)
    except BaseException:
        runtime.storage.delete(access.organisation_id, document_id)
        raise
    return document_id


async def _examine(runtime: Runtime, access: Access, document_id: UUID, given: str, size: int) -> tuple[str, str, str]:
    """Name, type and the scanner's word of what was written just now. DocumentRefused."""
    if not size:
        raise DocumentRefused("empty")
    with runtime.storage.open(access.organisation_id, document_id) as file:
        verdict = await Scanner(runtime.settings.clamd).scan(file)
        inspection = await asyncio.to_thread(inspect, file, size, given)
    name = safe_name(given, inspection.mime)
    refusal = "infected" if verdict.state == "infected" else inspection.refusal.value if inspection.refusal else ""
    if not refusal and inspection.mime not in TYPES:
        refusal = "no_document"
    if refusal:
        async with runtime.database.unit_of_work(access.organisation_id) as unit:
            detail = {"reason": refusal, "found": verdict.name, "name": name, "mime": inspection.mime}
            await audit.record(unit, access, "file.refused", access.organisation_name, detail)
        raise DocumentRefused(refusal, found=verdict.name)
    return name, inspection.mime, verdict.state


_READ: Final = """
SELECT DISTINCT ON (d.kind) d.id, d.connector, d.kind, d.name, d.mime, d.size, d.sha256, p.name AS by, d.uploaded_at
FROM consent_document d
JOIN member m ON m.organisation_id = d.organisation_id AND m.id = d.uploaded_by
JOIN person p ON p.id = m.person_id
"""


async def read_documents(unit: UnitOfWork, connector: str) -> dict[str, Document]:
    """The documents that count for a messenger, by kind."""
    query = f"{_READ} WHERE d.organisation_id = $1 AND d.connector = $2 ORDER BY d.kind, d.uploaded_at DESC, d.id DESC"
    return {row["kind"]: Document(**row) for row in await unit.sql.fetch(query, unit.tenant, connector)}


async def get_document(unit: UnitOfWork, document_id: UUID) -> Document:
    """One of them; NotFound."""
    row = await unit.sql.fetchrow(f"{_READ} WHERE d.organisation_id = $1 AND d.id = $2", unit.tenant, document_id)
    if row is None:
        raise NotFound("no such document")
    return Document(**row)
