"""What goes from the store: uploads that nobody sent, what crashes left, and objects that no row keeps."""

import asyncio
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from hub.core import clock
from hub.core.storage import PARTS
from hub.runtime import Runtime

KEPT_UNSENT: Final = timedelta(days=1)
"""How long an upload waits to be sent."""
ORPHAN_SECONDS: Final = 86_400.0
"""How old an object without a row must be (machine time) before it goes: longer than any transaction that would still name it."""
SWEEP_SECONDS: Final = 60
"""The store is swept in PARTS steps, one for each minute: all of it in about four hours."""


async def sweep(runtime: Runtime, organisation_id: UUID) -> None:
    """Clear away uploads that nobody sent, and of one part of the store what crashes left and what no row keeps."""
    async with runtime.database.unit_of_work(organisation_id) as unit:
        unsent: list[Any] = await unit.sql.fetch(
            "DELETE FROM attachment WHERE organisation_id = $1 AND message_id IS NULL AND created_at < $2 RETURNING id",
            unit.tenant,
            clock.now() - KEPT_UNSENT,
        )
        unsent += await unit.sql.fetch(
            "DELETE FROM consent_file WHERE organisation_id = $1 AND used_at IS NULL AND created_at < $2 RETURNING id",
            unit.tenant,
            clock.now() - KEPT_UNSENT,
        )
    _delete(runtime, organisation_id, (row["id"] for row in unsent))
    await sweep_part(runtime, organisation_id, int(time.time()) // SWEEP_SECONDS % PARTS)


async def sweep_part(runtime: Runtime, organisation_id: UUID, part: int) -> None:
    """Of one part of the store: remove unfinished objects, and those whose attachment is gone or holds no file."""
    storage = runtime.storage
    await asyncio.to_thread(storage.sweep_unfinished, organisation_id, part, older_than=ORPHAN_SECONDS)
    await asyncio.to_thread(storage.sweep_aside, organisation_id, part, older_than=_aside_seconds(runtime))
    found = await asyncio.to_thread(storage.listed, organisation_id, part, older_than=ORPHAN_SECONDS)
    if not found:
        return
    async with runtime.database.unit_of_work(organisation_id) as unit:
        kept = await unit.sql.fetch(
            """
            SELECT id FROM attachment
            WHERE organisation_id = $1 AND id = ANY($2::uuid[]) AND state IN ('waiting', 'stored', 'quarantined')
            UNION ALL
            SELECT id FROM consent_file WHERE organisation_id = $1 AND id = ANY($2::uuid[])
            UNION ALL
            SELECT id FROM consent_document WHERE organisation_id = $1 AND id = ANY($2::uuid[])
            """,
            unit.tenant,
            list(found),
        )
    _delete(runtime, organisation_id, found - {row["id"] for row in kept})


def _aside_seconds(runtime: Runtime) -> float:
    """As long as the raw delivery that names it, and a day more."""
    return timedelta(days=runtime.settings.keep_raw_days + 1).total_seconds()


def _delete(runtime: Runtime, organisation_id: UUID, object_ids: Iterable[UUID]) -> None:
    for object_id in object_ids:
        runtime.storage.delete(organisation_id, object_id)
