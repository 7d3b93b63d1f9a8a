"""What consents were used for: uses are attempts and no entries of the ledger; one entry a day seals those of the day (design 8).

    seal_day     the entry `uses` of one day: how many attempts the providers accepted, and the SHA-256 over them
    keep_books   the daily care of every organisation whose time has come (`hub/consent/books/watch.py`)

A use belongs to the day of its permit, the moment of sending. The hash is over 40 bytes for each accepted attempt, in the order of
their ids: id of the attempt (16), id of the part (16), permit in microseconds since 1970 (8). A day without a use has no entry.
"""

from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from hub.consent.books import ledger, watch
from hub.core.calendar import end_of_day
from hub.core.db import UnitOfWork
from hub.core.vault import Vault
from hub.runtime import Runtime

_USES: Final = """
SELECT count(*) AS count,
       encode(sha256(coalesce(string_agg(
           uuid_send(id) || uuid_send(part_id) || int8send((extract(epoch FROM permit_at) * 1000000)::bigint), '' ORDER BY id
       ), '')), 'hex') AS hash
FROM attempt WHERE organisation_id = $1 AND permit_at >= $2 AND permit_at < $3 AND outcome = 'accepted'
"""


async def seal_day(unit: UnitOfWork, vault: Vault, day: date, zone: ZoneInfo) -> None:
    """Write the day's uses into the ledger."""
    begins, ends = end_of_day(day - timedelta(days=1), zone), end_of_day(day, zone)
    row = await unit.sql.fetchrow(_USES, unit.tenant, begins, ends)
    if row["count"]:
        evidence = {
            "source": "attempts",
            "day": day.isoformat(),
            "zone": zone.key,
            "count": str(row["count"]),
            "sha256": row["hash"],
        }
        await ledger.note(unit, vault, "uses", evidence)
    await watch.note_sealed(unit, day)


async def keep_books(runtime: Runtime) -> None:
    """Care for every organisation whose time has come."""
    async with runtime.database.system() as unit:
        due = await watch.due_books(unit)
    for organisation_id, zone in due:
        async with runtime.database.unit_of_work(organisation_id) as unit:
            days = await watch.claim(unit, zone)
        if days is None:
            continue
        for day in days:
            async with runtime.database.unit_of_work(organisation_id) as unit:
                await seal_day(unit, runtime.vault, day, zone)
        await watch.check(runtime, organisation_id, zone)
