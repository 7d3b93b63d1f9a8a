"""Whether the ledger is what was written into it (I7): `hub consent verify`, and the daily check.

    the chain       every entry in its order: number, link to the one before, hash over all its columns; the head; the signed
                    checkpoints with their roots (`verify_chain.py`)
    subjects        each entry's subject exists, or an `erased` entry names it
    what they say   entries of living subjects open with their subject's key, and match the commitment in the chain
    the tables      `consent_state` and `consent_grant` are what the entries say (`fold.py`)

All of it in one snapshot, so that writers go on meanwhile and nothing is reported that was only half seen. The first two read the
ledger once in the order of its numbers, the others once in the order of the addresses, both in batches of a fixed size: time grows
with the number of entries, memory does not, and a batch costs the same few queries however full it is.
"""

import dataclasses
import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final, get_args
from uuid import UUID

from hub.consent import aliases
from hub.consent.chain import SALT_BYTES, Opener, commitment_of
from hub.consent.fold import Fold, Said, fold, read_said
from hub.consent.ledger import OWN, read_grant, read_state
from hub.consent.locks import Key
from hub.consent.states import Axis, Grant, Moment, State, Word
from hub.consent.verify_chain import BATCH, Broken, Problem, verify_chain
from hub.core.db import UnitOfWork
from hub.core.vault import SealBroken, Vault


@dataclass(frozen=True, slots=True)
class Astray:
    """A row of `consent_state` (`purpose_id` None) or `consent_grant` that is not what the entries say."""

    key: Key
    purpose_id: UUID | None
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What a check found. `entries`: how many the chain has; `signed_until`: the number that the newest checkpoint covers."""

    entries: int
    signed_until: int
    broken: Broken | None
    astray: tuple[Astray, ...] = ()

    @property
    def is_whole(self) -> bool:
        return self.broken is None and not self.astray


async def verify_ledger(unit: UnitOfWork, vault: Vault) -> Found:
    """Check everything. Must be the first thing in its transaction, which only reads."""
    await unit.sql.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    walked = await verify_chain(unit)
    said = _What(await _erased(unit, vault))
    await _subjects(unit, said)
    await _contents(unit, vault, said)
    broken = min((one for one in (walked.broken, said.broken) if one), key=lambda one: one.seq, default=None)
    return Found(walked.entries, walked.signed_until, broken, tuple(said.astray))


@dataclass(slots=True)
class _What:
    """What the second walk collects. `erased`: subjects that an entry names as erased."""

    erased: set[UUID]
    broken: Broken | None = None
    astray: list[Astray] = field(default_factory=list)

    def breaks(self, seq: int, problem: Problem) -> None:
        if self.broken is None or seq < self.broken.seq:
            self.broken = Broken(seq, problem)


_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def _erased(unit: UnitOfWork, vault: Vault) -> set[UUID]:
    """Subjects whose erasure is on record. An entry that does not open is reported with its own subject."""
    rows = await unit.sql.fetch(
        """
        SELECT e.subject_id, e.details_sealed, s.key_sealed FROM consent_entry e
        JOIN consent_subject s ON s.organisation_id = e.organisation_id AND s.id = e.subject_id
        WHERE e.organisation_id = $1 AND e.kind = 'erased'
        """,
        unit.tenant,
    )
    opener, erased = Opener(vault, unit.tenant), set[UUID]()
    for row in rows:
        try:
            salted = opener.open(row["subject_id"], row["key_sealed"], row["details_sealed"])
        except SealBroken:
            continue
        erased |= {UUID(one) for one in _ID.findall(salted[SALT_BYTES:].decode())}
    return erased


async def _subjects(unit: UnitOfWork, what: _What) -> None:
    """The first entry of each subject that is gone."""
    rows = await unit.sql.fetch(
        """
        SELECT e.subject_id, min(e.seq) AS seq FROM consent_entry e
        WHERE e.organisation_id = $1
          AND NOT EXISTS (SELECT FROM consent_subject s WHERE s.organisation_id = e.organisation_id AND s.id = e.subject_id)
        GROUP BY e.subject_id
        """,
        unit.tenant,
    )
    for row in rows:
        if row["subject_id"] not in what.erased:
            what.breaks(row["seq"], "subject_gone")


_ADDRESSES: Final = """
SELECT DISTINCT messenger, scope, address FROM (
    (SELECT messenger, scope, address FROM consent_subject WHERE organisation_id = $1 AND (messenger, scope, address) > ($2, $3, $4)
     ORDER BY messenger, scope, address LIMIT $5)
    UNION ALL
    (SELECT messenger, scope, address FROM consent_state WHERE organisation_id = $1 AND (messenger, scope, address) > ($2, $3, $4)
     ORDER BY messenger, scope, address LIMIT $5)
    UNION ALL
    (SELECT messenger, scope, address FROM consent_grant WHERE organisation_id = $1 AND (messenger, scope, address) > ($2, $3, $4)
     ORDER BY messenger, scope, address LIMIT $5)
) AS known
ORDER BY messenger, scope, address LIMIT $5
"""


async def _contents(unit: UnitOfWork, vault: Vault, what: _What) -> None:
    """Open what living subjects said, and compare the tables with it, address by address."""
    last = OWN
    await _said(unit, vault, what, [OWN])
    while True:
        rows = await unit.sql.fetch(_ADDRESSES, unit.tenant, *last, BATCH)
        keys = [(row["messenger"], row["scope"], row["address"]) for row in rows]
        if keys:
            await _compare(unit, vault, what, keys)
        if len(keys) < BATCH:
            return
        last = keys[-1]


async def _compare(unit: UnitOfWork, vault: Vault, what: _What, keys: list[Key]) -> None:
    families = await aliases.families(unit, keys)
    said = await _said(unit, vault, what, set().union(*families.values()))
    folded = fold(said)
    states = {_key(row): row for row in await _rows(unit, "consent_state", keys)}
    grants = {(_key(row), row["purpose_id"]): row for row in await _rows(unit, "consent_grant", keys)}
    grounds = {one.seq: one for one in said}
    wrong: list[tuple[Astray, Any]] = []
    for key in keys:
        row = states.get(key)
        columns = _differences(_words(row), _words_of(folded.states.get(key) or State()), grounds, key, folded)
        if columns:
            wrong.append((Astray(key, None, columns), row))
    wanted = {(key, purpose_id) for key, purpose_id in folded.grants if key in set(keys)}
    for key, purpose_id in sorted(wanted | set(grants)):
        row = grants.get((key, purpose_id))
        kept = read_grant(row) if row else Grant()
        columns = _differences(_fields(kept), _fields(folded.grants.get((key, purpose_id)) or Grant()), grounds, key, folded)
        if columns:
            wrong.append((Astray(key, purpose_id, columns), row))
    what.astray += [astray for astray, row in wrong if not await _rests_on_erased(unit, what, row)]


def _words(row: Any) -> dict[str, Any]:
    return _words_of(read_state(row) if row else State())


def _words_of(state: State) -> dict[str, Any]:
    return {axis: getattr(state, axis) for axis in get_args(Axis)} | {"stopped": state.stopped}


def _fields(grant: Grant) -> dict[str, Any]:
    return {one.name: getattr(grant, one.name) for one in dataclasses.fields(grant)}


def _differences(kept: dict[str, Any], folded: dict[str, Any], grounds: dict[int, Said], key: Key, whole: Fold) -> tuple[str, ...]:
    """Columns that hold something else than the entries say. An entry that a row names as its ground must be this person's and of
    the time that the row tells; of two that say the same at one instant either will do."""
    wrong = []
    for name, value in kept.items():
        if isinstance(value, Word):
            same, moment = value.value == folded[name].value, value.since
            other = folded[name].since
        elif isinstance(value, Moment):
            same, moment, other = True, value, folded[name]
        else:
            if value != folded[name]:
                wrong.append(name)
            continue
        ground = grounds.get(moment.seq) if moment.seq is not None else None
        rests = ground is not None and ground.at == moment.at and ground.key in whole.family(key)
        if not same or moment.at != other.at or (moment.at is not None and not rests):
            wrong.append(name)
    return tuple(wrong)


async def _rests_on_erased(unit: UnitOfWork, what: _What, row: Any) -> bool:
    """Whether a row names an entry that nobody can read any more: then nothing can be said about it."""
    numbers = [value for name, value in row.items() if name.endswith("_seq") and value is not None] if row else []
    if not numbers or not what.erased:
        return False
    found = await unit.sql.fetch(
        "SELECT subject_id FROM consent_entry WHERE organisation_id = $1 AND seq = ANY($2::bigint[])", unit.tenant, numbers
    )
    return any(one["subject_id"] in what.erased for one in found)


async def _said(unit: UnitOfWork, vault: Vault, what: _What, keys: Collection[Key]) -> list[Said]:
    """What these addresses said; what does not open or match is noted."""
    rows = await unit.sql.fetch(
        """
        SELECT e.seq, e.subject_id, e.commitment, e.details_sealed, s.key_sealed FROM consent_subject s
        JOIN unnest($2::text[], $3::text[], $4::text[]) AS w(messenger, scope, address) USING (messenger, scope, address)
        JOIN consent_entry e ON e.organisation_id = s.organisation_id AND e.subject_id = s.id
        WHERE s.organisation_id = $1 ORDER BY e.seq
        """,
        unit.tenant,
        *(list(column) for column in zip(*keys, strict=True)),
    )
    opener, said = Opener(vault, unit.tenant), []
    for row in rows:
        try:
            salted = opener.open(row["subject_id"], row["key_sealed"], row["details_sealed"])
        except SealBroken:
            what.breaks(row["seq"], "key")
            continue
        if commitment_of(salted) != row["commitment"]:
            what.breaks(row["seq"], "commitment")
        said.append(read_said(row["seq"], json.loads(salted[SALT_BYTES:])))
    return said


async def _rows(unit: UnitOfWork, table: str, keys: list[Key]) -> list[Any]:
    found: list[Any] = await unit.sql.fetch(
        f"""
        SELECT t.* FROM {table} t
        JOIN unnest($2::text[], $3::text[], $4::text[]) AS w(messenger, scope, address) USING (messenger, scope, address)
        WHERE t.organisation_id = $1
        """,
        unit.tenant,
        *(list(column) for column in zip(*keys, strict=True)),
    )
    return found


def _key(row: Any) -> Key:
    return (row["messenger"], row["scope"], row["address"])
