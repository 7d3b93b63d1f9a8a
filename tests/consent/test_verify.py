"""What the check of the books finds: a changed byte of any column, and what was taken away, put in, moved or forged (I7, R-310)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel

from hub.consent import ledger, locks, purposes
from hub.consent.chain import Change, entry_hash
from hub.consent.checkpoints import make_checkpoint
from hub.consent.merkle import Tree, levels_of, path_to, root_by
from hub.consent.purposes import Wording
from hub.consent.states import Kind
from hub.consent.verify import Found, verify_ledger
from hub.consent.verify_chain import Broken
from hub.core.settings import Settings
from hub.organisations import audit
from hub.organisations.audit_check import Checked, verify_audit
from tests.support import HubUnderTest, command

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


async def record(hub: HubUnderTest, *changes: Change) -> None:
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await locks.lock_addresses(unit, [change.key for change in changes])
        await ledger.record(unit, hub.runtime.vault, hub.runtime.hooks, changes)


async def checkpoint(hub: HubUnderTest) -> None:
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await make_checkpoint(unit, hub.runtime.vault)


async def check(hub: HubUnderTest) -> Found:
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        return await verify_ledger(unit, hub.runtime.vault)


def said(kind: Kind, seconds: int, address: str = "a", **more: Any) -> Change:
    return Change("telegram", "", address, kind, AT + timedelta(seconds=seconds), {"source": "test"}, **more)


async def newsletter(hub: HubUnderTest) -> UUID:
    words = {language: Wording("Radpost", "Ja, bitte.") for language in ("de", "en")}
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        return await purposes.define_purpose(unit, hub.owner, key="newsletter", kind="marketing", words=words)


async def small_ledger(hub: HubUnderTest) -> UUID:
    """Seven entries of three addresses, two of which are one person's; the first four are under a checkpoint."""
    purpose = await newsletter(hub)
    await record(hub, said("opt_out", 0), said("blocked", 1, "b"))
    await record(hub, said("linked", 2, other="c"), said("restart", 3, "c"))
    await checkpoint(hub)
    await record(hub, said("granted", 4, "c", purpose_id=purpose), said("withdrawn", 5, purpose_id=purpose))
    await record(hub, said("asked", 6, "b", purpose_id=purpose, until=AT + timedelta(days=3)))
    return purpose


@asynccontextmanager
async def behind_its_back(settings: Settings) -> AsyncIterator[Any]:
    """A connection with the triggers asleep, whose changes are undone at the end."""
    connection = await asyncpg.connect(settings.database_admin_url.get_secret_value())  # type: ignore[union-attr]
    await connection.execute("SET session_replication_role = replica")
    yield connection
    await connection.close()


async def test_an_honest_ledger_is_whole(hub: HubUnderTest) -> None:
    await small_ledger(hub)
    assert await check(hub) == Found(7, 4, None)
    await checkpoint(hub)
    await checkpoint(hub)
    assert await check(hub) == Found(7, 7, None)
    assert await hub.value("SELECT count(*) FROM ledger_checkpoint") == 2


TURNED = {
    "at": "at + interval '1 microsecond' * (1::bigint << {bit})",
    "kind": "convert_from(set_bit(convert_to(kind, 'UTF8'), {bit} % 3, 1 - get_bit(convert_to(kind, 'UTF8'), {bit} % 3)), 'UTF8')",
    "subject_id": "encode(set_bit(decode(replace(subject_id::text, '-', ''), 'hex'), {bit}, "
    "1 - get_bit(decode(replace(subject_id::text, '-', ''), 'hex'), {bit})), 'hex')::uuid",
    "organisation_id": "encode(set_bit(decode(replace(organisation_id::text, '-', ''), 'hex'), {bit}, "
    "1 - get_bit(decode(replace(organisation_id::text, '-', ''), 'hex'), {bit})), 'hex')::uuid",
    "seq": "seq + 100 + {bit}",
} | {
    column: f"set_bit({column}, {{bit}}, 1 - get_bit({column}, {{bit}}))"
    for column in ("commitment", "details_sealed", "previous_hash", "hash")
}
"""How one bit of each column is turned."""


async def test_the_first_entry_with_a_changed_byte_is_named(hub: HubUnderTest, settings: Settings) -> None:
    """One bit of every column, in every entry at some time."""
    await small_ledger(hub)
    columns = set(SQLModel.metadata.tables["consent_entry"].columns.keys())
    assert columns == set(TURNED)
    cases = [(column, 1 + number % 7, number * 5 % 40) for number, column in enumerate(sorted(columns) * 3)]
    async with behind_its_back(settings) as owner:
        for column, seq, bit in cases:
            kept = await owner.fetch("SELECT * FROM consent_entry ORDER BY seq")
            await owner.execute(f"UPDATE consent_entry SET {column} = {TURNED[column].format(bit=bit)} WHERE seq = $1", seq)
            found = await check(hub)
            assert found.broken is not None and found.broken.seq == seq, (column, seq, bit, found)
            await _put_back(owner, kept)
        assert (await check(hub)).is_whole


async def _put_back(owner: Any, kept: list[Any]) -> None:
    names = list(kept[0].keys())
    await owner.execute("DELETE FROM consent_entry")
    await owner.copy_records_to_table("consent_entry", records=[tuple(row) for row in kept], columns=names)


async def test_what_else_is_found(hub: HubUnderTest, settings: Settings) -> None:
    """Removed, moved, put in, forged, the head, a subject and its key, and states that no entry says."""
    purpose = await small_ledger(hub)
    tables = ("consent_entry", "ledger_head", "consent_subject", "ledger_checkpoint", "consent_state", "consent_grant")
    async with behind_its_back(settings) as owner:
        subject = await owner.fetchval("SELECT id FROM consent_subject WHERE address = 'b'")
        forged = await _forged(owner, hub.organisation_id, 3)
        cases: list[tuple[str, Broken | None, list[str]]] = [
            ("DELETE FROM consent_entry WHERE seq = 1", Broken(1, "missing"), []),
            ("DELETE FROM consent_entry WHERE seq = 5", Broken(5, "missing"), []),
            ("DELETE FROM consent_entry WHERE seq = 7", Broken(7, "missing"), []),
            ("UPDATE consent_entry SET seq = -6 WHERE seq = 5; UPDATE consent_entry SET seq = 5 WHERE seq = 6; "
             "UPDATE consent_entry SET seq = 6 WHERE seq = -6", Broken(5, "link"), []),
            ("INSERT INTO consent_entry SELECT organisation_id, 8, at, kind, subject_id, commitment, details_sealed, hash, hash "
             "FROM consent_entry WHERE seq = 7", Broken(8, "hash"), []),
            ("UPDATE ledger_head SET seq = 6", Broken(7, "behind_head"), []),
            ("UPDATE ledger_head SET hash = set_bit(hash, 0, 1 - get_bit(hash, 0))", Broken(7, "head"), []),
            (f"UPDATE consent_subject SET key_sealed = key_sealed || '\\x00' WHERE id = '{subject}'", Broken(2, "key"), ["choice"]),
            (f"DELETE FROM consent_subject WHERE id = '{subject}'", Broken(2, "subject_gone"), []),
            ("UPDATE ledger_checkpoint SET at = at + interval '1 second'", Broken(1, "signature"), []),
            (forged, Broken(1, "root"), []),
            ("UPDATE consent_state SET choice = 'opted_in' WHERE address = 'b'", None, ["choice"]),
            ("UPDATE consent_state SET stopped_seq = 4 WHERE address = 'a'", None, ["stopped"]),
            ("DELETE FROM consent_state WHERE address = 'b'", None, ["reach"]),
            ("UPDATE consent_grant SET granted_at = granted_at + interval '1 hour' WHERE address = 'c'", None, ["granted"]),
            ("UPDATE consent_grant SET asked_until = NULL WHERE address = 'b'", None, ["until"]),
            (f"INSERT INTO consent_grant (organisation_id, messenger, scope, address, purpose_id, granted_at) "
             f"VALUES ('{hub.organisation_id}', 'telegram', '', 'nobody', '{purpose}', '2026-01-01')", None, ["granted"]),
        ]  # fmt: skip
        for statement, broken, columns in cases:
            kept = {table: await owner.fetch(f"SELECT * FROM {table}") for table in tables}
            await owner.execute(statement)
            found = await check(hub)
            assert found.broken == broken, (statement, found)
            if broken is None:
                assert [list(one.columns) for one in found.astray] == [columns], (statement, found)
            for table in reversed(tables):
                await owner.execute(f"DELETE FROM {table}")
            for table, rows in kept.items():
                await owner.copy_records_to_table(table, records=[tuple(row) for row in rows], columns=list(rows[0].keys()))
        assert (await check(hub)).is_whole


async def _forged(owner: Any, organisation_id: UUID, seq: int) -> str:
    """Statements by which a forger who knows the rules changes one entry and writes the chain and the head anew."""
    previous, statements = bytes(32), []
    for row in await owner.fetch("SELECT * FROM consent_entry ORDER BY seq"):
        kind = "restart" if row["seq"] == seq else row["kind"]
        here = entry_hash(
            previous, organisation_id, row["seq"], row["at"], row["subject_id"], row["commitment"], row["details_sealed"], kind
        )
        statements.append(
            f"UPDATE consent_entry SET kind = '{kind}', previous_hash = '\\x{previous.hex()}', hash = '\\x{here.hex()}' "
            f"WHERE seq = {row['seq']}"
        )
        previous = here
    return "; ".join([*statements, f"UPDATE ledger_head SET hash = '\\x{previous.hex()}'"])


async def test_an_erased_person_leaves_a_whole_ledger(hub: HubUnderTest) -> None:
    """I7: the subject is gone, an entry names it, and the sealed details of its entries are still covered."""
    await small_ledger(hub)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await locks.lock_addresses(unit, [("telegram", "", "b")])
        subject = await unit.sql.fetchval("DELETE FROM consent_subject WHERE address = 'b' RETURNING id")
        await unit.sql.execute("DELETE FROM consent_grant WHERE address = 'b'")
        await ledger.note(unit, hub.runtime.vault, "erased", {"source": "erasure", "subjects": str(subject)})
    assert await check(hub) == Found(8, 4, None)


async def test_a_forger_of_the_audit_log_is_found(hub: HubUnderTest, settings: Settings) -> None:
    """R-310: given one changed row, the first broken link is named."""
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        for number in range(4):
            await audit.record(unit, hub.owner, "thing.done", f"t{number}", {"ü": 0.5, "b": [1, None], "a": number})
    first = await hub.value("SELECT min(seq) FROM audit_entry WHERE action = 'thing.done'")
    assert await _audit(hub) == Checked(first + 3)
    async with behind_its_back(settings) as owner:
        kept = await owner.fetch("SELECT * FROM audit_entry")
        for column, value in (
            ("action", "'x'"), ("target", "'x'"), ("detail", "'{}'"), ("at", "at + interval '1 microsecond'"),
            ("member_id", "NULL"), ("session_id", "NULL"), ("id", "organisation_id"), ("previous_hash", "hash"),
            ("hash", "previous_hash"),
        ):  # fmt: skip
            await owner.execute(f"UPDATE audit_entry SET {column} = {value} WHERE seq = $1", first + 1)
            found = await _audit(hub)
            assert (found.seq, bool(found.problem)) == (first + 1, True), column
            await owner.execute("DELETE FROM audit_entry")
            await owner.copy_records_to_table("audit_entry", records=[tuple(row) for row in kept], columns=list(kept[0].keys()))
        await owner.execute("DELETE FROM audit_entry WHERE seq = $1", first + 2)
        assert await _audit(hub) == Checked(first + 2, "missing")


async def _audit(hub: HubUnderTest) -> Checked:
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        return await verify_audit(unit)


@pytest.mark.usefixtures("environment")
async def test_the_command_names_what_is_broken_and_fails(hub: HubUnderTest, settings: Settings) -> None:
    await small_ledger(hub)
    whole = await command("consent", "verify")
    assert (whole.exit_code, "7 entries" in whole.output) == (0, True), whole.output
    assert (await command("audit", "verify", "radwerk")).exit_code == 0
    async with behind_its_back(settings) as owner:
        await owner.execute("UPDATE consent_entry SET kind = 'restart' WHERE seq = 1")
        await owner.execute("UPDATE audit_entry SET action = 'x' WHERE seq = 1")
    broken = await command("consent", "verify", "radwerk")
    assert (broken.exit_code, "entry 1" in broken.output) == (1, True), broken.output
    broken = await command("audit", "verify")
    assert (broken.exit_code, "entry 1" in broken.output) == (1, True), broken.output
    assert (await command("consent", "verify", "unknown")).exit_code == 1


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40))
@settings(max_examples=50)
def test_every_path_leads_to_the_root(leaves: list[bytes]) -> None:
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    levels = levels_of(leaves)
    assert levels[-1] == [tree.root]
    assert all(root_by(path_to(levels, index), leaf) == tree.root for index, leaf in enumerate(leaves))
