"""No organisation sees another's rows (I6, R-263), and no application transaction can leave its role."""

import inspect
import re
from pathlib import Path

import asyncpg
import pytest
from sqlmodel import SQLModel

from hub.core import ids
from hub.core.db import Role
from hub.core.settings import Settings
from hub.migrations import tables
from hub.migrations.run import check
from tests.support import HubUnderTest, telegram_text

ABOVE_ORGANISATIONS = {"organisation", "person", "login_session", "messenger_end", "policy_version", "unrouted_delivery"}
"""The named list of tables without `organisation_id`."""
SOURCE = Path(inspect.getfile(tables)).parent.parent


def tenant_tables() -> set[str]:
    return {name for name, table in SQLModel.metadata.tables.items() if "organisation_id" in table.columns}


def test_every_table_belongs_to_an_organisation_or_to_the_named_list() -> None:
    assert set(SQLModel.metadata.tables) - tenant_tables() == ABOVE_ORGANISATIONS


def test_every_tenant_tables_key_leads_with_the_organisation() -> None:
    for name in tenant_tables():
        assert next(iter(SQLModel.metadata.tables[name].primary_key.columns)).name == "organisation_id", name


async def test_row_level_security_is_forced_on_every_tenant_table(hub: HubUnderTest, settings: Settings) -> None:
    connection = await asyncpg.connect(settings.database_admin_url.get_secret_value())  # type: ignore[union-attr]
    rows = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity AND relnamespace = 'public'::regnamespace"
    )
    policies = await connection.fetch("SELECT tablename FROM pg_policies WHERE policyname = 'tenant'")
    await connection.close()
    assert tenant_tables() <= {row["relname"] for row in rows}
    assert tenant_tables() <= {row["tablename"] for row in policies}


async def test_models_and_migrations_agree(settings: Settings) -> None:
    import asyncio

    await asyncio.to_thread(check, settings.database_admin_url.get_secret_value())  # type: ignore[union-attr]


async def test_an_application_transaction_is_never_superuser(hub: HubUnderTest) -> None:
    for unit_of_work in (hub.runtime.database.unit_of_work(hub.organisation_id), hub.runtime.database.system()):
        async with unit_of_work as unit:
            row = await unit.sql.fetchrow("SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
            assert row["rolname"] == unit.role.value
            assert not row["rolsuper"] and not row["rolbypassrls"]
    async with hub.runtime.database.door() as connection:
        assert await connection.fetchval("SELECT current_user") == Role.DOOR.value


async def test_without_an_organisation_hub_app_reads_nothing(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(1, "geheim"))
    await hub.settle()
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("SELECT set_config('app.tenant', '', true)")
        for table in sorted(tenant_tables() | {"organisation", "person"}):
            columns = "id" if table == "person" else "*"
            assert await unit.sql.fetch(f"SELECT {columns} FROM {table}") == [], table


async def test_every_row_of_one_organisation_is_invisible_and_untouchable_for_another(hub: HubUnderTest) -> None:
    """R-263: each id of organisation A, tried as B, in every table: nothing to read, to change or to take over."""
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(1, "STOP"))
    await hub.settle()
    other = await hub.found("anderswo", "Anderswo GmbH")
    async with hub.runtime.database.unit_of_work(other.organisation_id) as unit:
        for table in sorted(tenant_tables()):
            found = await unit.sql.fetchval(f"SELECT count(*) FROM {table} WHERE organisation_id = $1", hub.organisation_id)
            assert found == 0, table
        moved = await unit.sql.execute("UPDATE conversation SET state = 'done' WHERE organisation_id = $1", hub.organisation_id)
        assert moved == "UPDATE 0"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with hub.runtime.database.unit_of_work(other.organisation_id) as unit:
            await unit.sql.execute(
                "INSERT INTO feed_head (organisation_id, seq) VALUES ($1, 7) ON CONFLICT DO NOTHING", hub.organisation_id
            )


@pytest.mark.parametrize("statement", ["SELECT * FROM webhook_delivery", "SELECT * FROM message", "SELECT * FROM person"])
async def test_the_door_reads_nothing_but_routes(hub: HubUnderTest, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with hub.runtime.database.door() as connection:
            await connection.fetch(statement)


@pytest.mark.parametrize("statement", ["SELECT * FROM message", "SELECT body FROM webhook_delivery", "SELECT * FROM contact"])
async def test_hub_system_reads_no_message(hub: HubUnderTest, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with hub.runtime.database.system() as unit:
            await unit.sql.fetch(statement)


async def test_a_rolled_back_role_does_not_leak_into_the_next_transaction(hub: HubUnderTest) -> None:
    other = await hub.found("anderswo", "Anderswo GmbH")
    for organisation_id in (hub.organisation_id, other.organisation_id) * 10:
        async with hub.runtime.database.unit_of_work(organisation_id) as unit:
            assert await unit.sql.fetchval("SELECT id FROM organisation") == organisation_id


def test_time_in_sql_is_a_bound_parameter() -> None:
    """R-011: no now() in SQL, defaults or policies."""
    pattern = re.compile(r"\bnow\(\)|current_timestamp|clock_timestamp|CURRENT_DATE", re.IGNORECASE)
    allowed = {"hub/core/clock.py"}
    offenders = []
    for path in [*SOURCE.rglob("*.sql"), *SOURCE.rglob("*.py")]:
        name = str(path.relative_to(SOURCE.parent))
        text = path.read_text()
        inside_sql = text if path.suffix == ".sql" else "\n".join(re.findall(r'"""(.*?)"""', text, re.S))
        if name not in allowed and pattern.search(re.sub(r"clock\.now\(\)|`[^`]*`|_now\(\)", "", inside_sql)):
            offenders.append(name)
    assert offenders == []


async def test_the_indexes_the_inbox_lives_on_are_used_under_the_application_role(hub: HubUnderTest) -> None:
    """docs/architecture.md names each with its query; row-level security must not turn one into a scan."""
    identifier = ids.new_id()
    cases = {
        "conversation_all": (
            "SELECT id FROM conversation WHERE organisation_id = $1 AND state = 'open' AND (urgency, place, id) < (1, 5, $1) "
            "ORDER BY urgency DESC, place DESC, id DESC LIMIT 50",
            [],
        ),
        "conversation_mine": (
            "SELECT id FROM conversation WHERE organisation_id = $1 AND assignee_id = $2 AND state = 'open' "
            "ORDER BY urgency DESC, place DESC, id DESC LIMIT 50",
            [identifier],
        ),
        "conversation_team": (
            "SELECT id FROM conversation WHERE organisation_id = $1 AND team_id = $2 AND state = 'open' "
            "ORDER BY urgency DESC, place DESC, id DESC LIMIT 50",
            [identifier],
        ),
        "conversation_unassigned": (
            "SELECT id FROM conversation WHERE organisation_id = $1 AND assignee_id IS NULL AND team_id IS NULL AND state = 'open' "
            "ORDER BY urgency DESC, place DESC, id DESC LIMIT 50",
            [],
        ),
        "conversation_rings": (
            "SELECT id FROM conversation WHERE organisation_id = $1 AND rings_at <= '2026-11-24'::timestamptz",
            [],
        ),
        "message_protocol": (
            "SELECT id FROM message WHERE organisation_id = $1 AND conversation_id = $2 AND direction IN ('note', 'event') "
            "AND seq < 100 ORDER BY seq DESC LIMIT 51",
            [identifier],
        ),
        "delivery_result_list": (
            "SELECT delivery_id FROM delivery_result WHERE organisation_id = $1 AND state = 'ignored' "
            "AND (received_at, delivery_id) < ('2026-11-24'::timestamptz, $1) ORDER BY received_at DESC, delivery_id DESC LIMIT 51",
            [],
        ),
        "pending_effect_age": (
            "SELECT id FROM pending_effect WHERE organisation_id = $1 AND created_at < '2026-11-24'::timestamptz "
            "ORDER BY created_at DESC, id DESC LIMIT 51",
            [],
        ),
        "message_thread": (
            "SELECT id FROM message WHERE organisation_id = $1 AND conversation_id = $2 "
            "ORDER BY at DESC, sequence DESC, seq DESC LIMIT 50",
            [identifier],
        ),
        "message_part_due": (
            "SELECT id FROM message_part WHERE organisation_id = $1 AND channel_id = $2 AND state = 'queued' "
            "AND priority BETWEEN 0 AND 1 ORDER BY priority, due_at, id LIMIT 50",
            [identifier],
        ),
        "webhook_delivery": (
            "SELECT id FROM webhook_delivery WHERE organisation_id = $1 AND channel_id = $2 AND state = 'received' "
            "ORDER BY received_at, id LIMIT 200",
            [identifier],
        ),
        "provider_key_pkey": (
            "SELECT message_id FROM provider_key WHERE organisation_id = $1 AND channel_id = $2 AND key = ANY(ARRAY['a', 'b'])",
            [identifier],
        ),
        "identity_organisation_id_channel_id_provider_user_id_key": (
            "SELECT id FROM identity WHERE organisation_id = $1 AND channel_id = $2 AND provider_user_id = ANY(ARRAY['a', 'b'])",
            [identifier],
        ),
        "feed_entry_pkey": ("SELECT data FROM feed_entry WHERE organisation_id = $1 AND seq > 5 ORDER BY seq LIMIT 500", []),
    }
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("SET LOCAL enable_seqscan = off")
        for index, (query, values) in cases.items():
            plan = "\n".join(row[0] for row in await unit.sql.fetch(f"EXPLAIN {query}", hub.organisation_id, *values))
            assert index in plan, f"{index}:\n{plan}"
            assert "Seq Scan" not in plan, plan
