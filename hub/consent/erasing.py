"""What the consent room forgets of an erased person, and what it has to keep (design 8).

goes     the subjects with their keys, so that no entry about the person can be read any more; states, grants, links, questions
stays    the chain, which still verifies; a keyed hash where there was a stop or a block (`suppression.py`); sealed proofs of what
         went over Viber, with the day on which they are destroyed (R-200); the entry `erased`; an entry of the list that a
         restore applies again (R-259)
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.consent import ledger, suppression
from hub.consent.chain import open_details
from hub.consent.locks import Key
from hub.consent.retention import last_day_of_proof
from hub.consent.suppression import Suppressed
from hub.core import clock, ids
from hub.core.calendar import day_of
from hub.core.db import UnitOfWork
from hub.core.vault import Vault
from hub.organisations import policy


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for one address: what is kept when its person is erased follows from it."""

    key: Key
    choice: str
    choice_at: datetime | None
    bar: str
    bar_at: datetime | None

    @property
    def suppressed(self) -> list[Suppressed]:
        """What has to be remembered of it."""
        found = []
        if self.choice == "opted_out" and self.choice_at:
            found.append(Suppressed(self.key, "opt_out", self.choice_at))
        if self.bar == "barred" and self.bar_at:
            found.append(Suppressed(self.key, "barred", self.bar_at))
        return found


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays of an erased person: how many addresses are suppressed, and until when proofs are kept (None: none are)."""

    suppressed: int
    delete_on: date | None


async def delete_day(unit: UnitOfWork, last_message_at: datetime, zone: ZoneInfo) -> date:
    """The day on which proofs of a recipient are destroyed: the one after the last on which they have to be kept."""
    retention = (await policy.resolve(unit, "proof.retention")).value
    return last_day_of_proof(last_message_at, zone, retention) + timedelta(days=1)


async def read_standings(unit: UnitOfWork, keys: Collection[Key]) -> list[Standing]:
    """What holds for these addresses; nothing for those of whom nothing was ever said."""
    rows = await unit.sql.fetch(
        """
        SELECT s.messenger, s.scope, s.address, s.choice, s.choice_at, s.bar, s.bar_at FROM consent_state s
        JOIN unnest($2::text[], $3::text[], $4::text[]) AS w(messenger, scope, address) USING (messenger, scope, address)
        WHERE s.organisation_id = $1 ORDER BY s.messenger, s.scope, s.address
        """,
        unit.tenant,
        *_columns(keys),
    )
    return [
        Standing((row["messenger"], row["scope"], row["address"]), row["choice"], row["choice_at"], row["bar"], row["bar_at"])
        for row in rows
    ]


async def forget(
    unit: UnitOfWork,
    vault: Vault,
    keys: Collection[Key],
    *,
    proofs: Mapping[Key, datetime],
    never_again: bool,
    zone: ZoneInfo,
    member_id: UUID | None,
    counts: dict[str, int],
) -> Kept:
    """Forget these addresses of one person; the caller holds their locks and takes away the rest.

    `proofs`: addresses whose proofs have to be kept, with the time of the last message to them. `never_again`: suppress every
    address, also where nothing was said. `counts`: what goes elsewhere, for the list of erasures.
    """
    standings = await read_standings(unit, keys)
    suppressed = [one for standing in standings for one in standing.suppressed]
    if never_again:
        suppressed += [Suppressed(key, "request", clock.now()) for key in keys]
    lifted = [standing.key for standing in standings if standing.choice != "opted_out"]
    await suppression.lift(unit, vault, lifted, ["opt_out"])
    await suppression.suppress(unit, vault, suppressed)
    delete_on = await _archive(unit, vault, proofs, zone)
    subjects = await _take(unit, keys)
    await ledger.note(unit, vault, "erased", {"source": "erasure", "subjects": " ".join(str(one) for one in sorted(subjects))})
    secret = await suppression.need_secret(unit, vault)
    addresses = [[*key[:2], suppression.digest_of(secret, key).hex()] for key in sorted(keys)]
    await unit.sql.execute(
        """
        INSERT INTO erasure (organisation_id, id, at, member_id, addresses, counts)
        VALUES ($1, $2, $3, $4, $5::jsonb, $6::jsonb)
        """,
        unit.tenant,
        ids.new_id(),
        clock.now(),
        member_id,
        json.dumps(addresses),
        json.dumps(counts),
    )
    return Kept(len({one.key for one in suppressed}), delete_on)


async def _archive(unit: UnitOfWork, vault: Vault, proofs: Mapping[Key, datetime], zone: ZoneInfo) -> date | None:
    """Seal what the ledger says of these addresses, until the last of them may go; the day."""
    if not proofs:
        return None
    entries = await unit.sql.fetch(
        """
        SELECT e.seq, e.subject_id, e.details_sealed, s.key_sealed FROM consent_entry e
        JOIN consent_subject s ON s.organisation_id = e.organisation_id AND s.id = e.subject_id
        JOIN unnest($2::text[], $3::text[], $4::text[]) AS w(messenger, scope, address) USING (messenger, scope, address)
        WHERE e.organisation_id = $1 ORDER BY e.seq
        """,
        unit.tenant,
        *_columns(proofs),
    )
    said = [
        {"seq": one["seq"], **open_details(vault, unit.tenant, one["subject_id"], one["key_sealed"], one["details_sealed"])}
        for one in entries
    ]
    content = {
        "recipients": [[*key, last_at.isoformat()] for key, last_at in sorted(proofs.items())],
        "entries": said,
    }
    archive_id, delete_on = ids.new_id(), await delete_day(unit, max(proofs.values()), zone)
    await unit.sql.execute(
        """
        INSERT INTO proof_archive (organisation_id, id, made_at, delete_on, entries, content_sealed)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        unit.tenant,
        archive_id,
        clock.now(),
        delete_on,
        len(said),
        vault.seal(json.dumps(content, sort_keys=True), **archive_place(unit.tenant, archive_id)),
    )
    return delete_on


def archive_place(organisation_id: UUID, archive_id: UUID) -> dict[str, Any]:
    """Where the vault seals an archive to."""
    return {"organisation_id": organisation_id, "table": "proof_archive", "column": "content_sealed", "row_id": archive_id}


async def _take(unit: UnitOfWork, keys: Collection[Key]) -> list[UUID]:
    """Take away every row that names these addresses; the ids of their subjects."""
    rows = await unit.sql.fetch(
        """
        DELETE FROM consent_subject s USING unnest($2::text[], $3::text[], $4::text[]) AS w(messenger, scope, address)
        WHERE s.organisation_id = $1 AND s.messenger = w.messenger AND s.scope = w.scope AND s.address = w.address
        RETURNING s.id
        """,
        unit.tenant,
        *_columns(keys),
    )
    for table, column in (
        ("consent_state", "address"),
        ("consent_grant", "address"),
        ("consent_alias", "address"),
        ("consent_alias", "other"),
        ("optin_request", "address"),
    ):
        await unit.sql.execute(
            f"""
            DELETE FROM {table} t USING unnest($2::text[], $3::text[], $4::text[]) AS w(messenger, scope, address)
            WHERE t.organisation_id = $1 AND t.messenger = w.messenger AND t.scope = w.scope AND t.{column} = w.address
            """,
            unit.tenant,
            *_columns(keys),
        )
    return [row["id"] for row in rows]


async def destroy_archives(unit: UnitOfWork) -> int:
    """Destroy proofs whose day has come in the organisation's zone; how many."""
    zone = ZoneInfo(await unit.sql.fetchval("SELECT zone FROM organisation WHERE id = $1", unit.tenant))
    status: str = await unit.sql.execute(
        "DELETE FROM proof_archive WHERE organisation_id = $1 AND delete_on <= $2", unit.tenant, day_of(clock.now(), zone)
    )
    return int(status.split()[-1])


def _columns(keys: Collection[Key]) -> list[list[str]]:
    return [[key[part] for key in keys] for part in range(3)]
