"""What `hub keys` does: which master key sealed what, a new key in place of the old ones, and taking away what nothing needs.

Sealing anew works in batches, organisation by organisation as hub_app, each row under its lock, while web and worker run: they
follow the key file (`core/vault.py`). Whatever interrupts it, the next `hub keys rotate` goes on where it stopped and makes no
further key.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from hub.core.db import Database, NoNudges
from hub.core.errors import Conflict, NotFound
from hub.core.settings import Settings
from hub.core.vault import KEY_FILE, MasterKeyUnusable, SealBroken, Vault, load_vault, new_key, put_key_first, remove_key

SEALED: Final = (
    ("channel", "settings_sealed"),
    ("channel", "secrets_sealed"),
    ("consent_subject", "key_sealed"),
    ("ledger_key", "private_sealed"),
    ("suppression_key", "key_sealed"),
    ("proof_archive", "content_sealed"),
    ("case_message", "evidence_sealed"),
    ("spam_event", "evidence_sealed"),
    ("spam_event", "answer_file_sealed"),
)
"""Every column that a master key seals; the row's id is `id`. What consent_entry holds is sealed with the keys of its subjects."""
BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key: what it does (`seals`, `opens`, or `missing`: named by values and not held), and how many values it sealed."""

    id: str
    does: str
    values: int


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many values were sealed anew, and how many no key at hand opens: those stay as they are."""

    count: int = 0
    broken: int = 0

    def __add__(self, other: "Resealed") -> "Resealed":
        return Resealed(self.count + other.count, self.broken + other.broken)


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value(), NoNudges(), pool=1)
    try:
        yield database
    finally:
        await database.close()


def held_vault(settings: Settings) -> Vault:
    """The keys at hand. Unlike a start of the hub this makes no key: beside values that were sealed it would be the wrong one.

    Raises MasterKeyUnusable.
    """
    path = settings.data / KEY_FILE
    if settings.master_key is None and not path.exists():
        raise MasterKeyUnusable(f"there is no key: HUB_MASTER_KEY is not set, and {path} does not exist")
    return load_vault(settings)


async def organisation_ids(database: Database) -> list[UUID]:
    async with database.system() as unit:
        return [row["id"] for row in await unit.sql.fetch("SELECT id FROM organisation ORDER BY id")]


async def sealed_counts(database: Database) -> Counter[str]:
    """How many values each key sealed, by its id."""
    counts: Counter[str] = Counter()
    for organisation_id in await organisation_ids(database):
        async with database.unit_of_work(organisation_id) as unit:
            for table, column in SEALED:
                rows = await unit.sql.fetch(
                    f"SELECT split_part(encode(substring({column} FOR 33), 'escape'), ':', 1) AS key_id, count(*) AS values "
                    f"FROM {table} WHERE organisation_id = $1 AND {column} IS NOT NULL GROUP BY 1",
                    organisation_id,
                )
                for row in rows:
                    counts[row["key_id"]] += row["values"]
    return counts


def key_uses(counts: Counter[str], vault: Vault) -> list[KeyUse]:
    """The keys at hand, the one that seals first, then those that are missing."""
    held = [KeyUse(key_id, "seals" if key_id == vault.current else "opens", counts[key_id]) for key_id in vault.key_ids]
    return held + [KeyUse(key_id, "missing", counts[key_id]) for key_id in sorted(counts.keys() - set(vault.key_ids))]


async def list_keys(settings: Settings) -> list[KeyUse]:
    """`hub keys list`. Raises MasterKeyUnusable."""
    async with _database(settings) as database:
        return key_uses(await sealed_counts(database), held_vault(settings))


async def reseal(database: Database, vault: Vault) -> Resealed:
    """Seal with the current key whatever another one sealed."""
    done = Resealed()
    for organisation_id in await organisation_ids(database):
        for table, column in SEALED:
            done += await _reseal_column(database, vault, organisation_id, table, column)
    return done


async def _reseal_column(database: Database, vault: Vault, organisation_id: UUID, table: str, column: str) -> Resealed:
    done, prefix, after, is_last = Resealed(), f"{vault.current}:".encode(), UUID(int=0), False
    while not is_last:
        async with database.unit_of_work(organisation_id) as unit:
            rows = await unit.sql.fetch(
                f"SELECT id, {column} AS sealed FROM {table} WHERE organisation_id = $1 AND id > $2 "
                f"AND substring({column} FOR $3) <> $4 ORDER BY id LIMIT $5 FOR NO KEY UPDATE",
                organisation_id,
                after,
                len(prefix),
                prefix,
                BATCH,
            )
            fresh: list[tuple[UUID, bytes]] = []
            for row in rows:
                place = {"organisation_id": organisation_id, "table": table, "column": column, "row_id": row["id"]}
                try:
                    fresh.append((row["id"], vault.seal(vault.open(row["sealed"], **place), **place)))
                except SealBroken:
                    done += Resealed(broken=1)
            await unit.sql.execute(
                f"UPDATE {table} AS t SET {column} = row.sealed FROM unnest($2::uuid[], $3::bytea[]) AS row(id, sealed) "
                "WHERE t.organisation_id = $1 AND t.id = row.id",
                organisation_id,
                [row_id for row_id, _ in fresh],
                [sealed for _, sealed in fresh],
            )
        done += Resealed(len(fresh))
        is_last = len(rows) < BATCH
        after = rows[-1]["id"] if rows else after
    return done


async def rotate(settings: Settings, say: Callable[[str], None]) -> None:
    """`hub keys rotate`: finish a rotation that was begun, else make a new key and seal everything with it.

    With HUB_MASTER_KEY the new key can only be printed: once it stands first there, the next call seals with it.
    Raises MasterKeyUnusable.
    """
    async with _database(settings) as database:
        vault = held_vault(settings)
        done = await reseal(database, vault)
        if done.count:
            say(f"{done.count} values are now sealed with {vault.current}; this rotation was begun earlier.")
        elif settings.master_key is not None:
            say("Everything is sealed with the first key of HUB_MASTER_KEY. To change over, put this new one in front of it, with")
            say("a comma between, start every web and worker process anew, and run hub keys rotate again (docs/deploy.md, Keys):")
            say(new_key())
            return
        else:
            put_key_first(settings.data / KEY_FILE, new_key())
            vault = held_vault(settings)
            done = await reseal(database, vault)
            say(f"{done.count} values are now sealed with the new key {vault.current}.")
        if done.broken:
            say(
                f"{done.broken} values open with no key at hand and stay as they are: hub doctor says which channels are concerned."
            )
        say("Back up the keys now, apart from the database. Older ones go with: hub keys drop ID")


async def drop(settings: Settings, key_id: str) -> str:
    """`hub keys drop`: take away a key that nothing needs; what was done, in words.

    Raises NotFound for a key that is not at hand, Conflict for one that seals or that values still need.
    """
    async with _database(settings) as database:
        uses = {use.id: use for use in key_uses(await sealed_counts(database), held_vault(settings))}
    use = uses.get(key_id)
    if use is None or use.does == "missing":
        raise NotFound(f"no key at hand is called {key_id}")
    if use.does == "seals":
        raise Conflict(f"{key_id} is the key that seals; make another one first: hub keys rotate")
    if use.values:
        raise Conflict(f"{use.values} values still need {key_id}; seal them anew first: hub keys rotate")
    if settings.master_key is not None:
        return f"Nothing needs {key_id} any more: take it out of HUB_MASTER_KEY and start web and worker anew."
    remove_key(settings.data / KEY_FILE, key_id)
    return f"{key_id} is gone. Keep its backup for as long as a backup of the database holds what it sealed."
