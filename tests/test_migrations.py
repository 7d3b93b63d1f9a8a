"""The operator's road as docs/deploy.md tells it, on a server that has never seen a hub: log-ins, migration, backup, restore."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from pydantic import SecretStr

from hub import doctor
from hub.core.hooks import Hooks
from hub.core.services import EmbeddedServices
from hub.core.services.place import recorded_home
from hub.core.settings import Settings
from hub.core.vault import KEY_FILE
from hub.migrations.run import migrate
from hub.organisations.policy import sync_policies
from hub.organisations.service import found_organisation
from hub.runtime import open_runtime
from tests.support import PASSWORD

ROOT = Path(__file__).parents[1]
SQL = re.findall(r"```sql\n(.*?)```", (ROOT / "docs/deploy.md").read_text(), re.S)[0]
LOGINS = {"hub_admin": "our_admin", "hub_login": "our_login"}
"""The names in the document are those of the hub's own server too, so others stand for them here."""


@pytest.fixture
async def fresh() -> AsyncIterator[EmbeddedServices]:
    data = Path(f"/tmp/hub-fresh-{os.getpid()}")
    services = EmbeddedServices(data)
    await asyncio.to_thread(services.start)
    yield services
    home = recorded_home(data)
    await asyncio.to_thread(services.stop)
    for folder in (data, home):
        if folder is not None:
            shutil.rmtree(folder)


def address(services: EmbeddedServices, name: str, database: str) -> str:
    parts = urlsplit(services.urls(database).admin_url)
    return f"postgresql://{LOGINS[name]}:geheim@/{database}?{parts.query}"


async def as_superuser(services: EmbeddedServices, *statements: str, database: str = "postgres") -> Any:
    connection = await asyncpg.connect(services.urls(database).admin_url)
    try:
        for statement in statements:
            result = await connection.fetch(statement)
        return result
    finally:
        await connection.close()


def documented(database: str) -> list[str]:
    """The statements of the document with passwords and names filled in."""
    text = SQL.replace("…", "geheim").replace("DATABASE hub ", f"DATABASE {database} ")
    for name, ours in LOGINS.items():
        text = text.replace(name, ours)
    return [statement.strip() for statement in text.split(";") if statement.strip()]


def migration(services: EmbeddedServices, database: str) -> list[str]:
    code = "import sys; from hub.migrations.run import migrate; migrate(*sys.argv[1:])"
    return [sys.executable, "-c", code, address(services, "hub_admin", database), address(services, "hub_login", database)]


async def test_an_owner_who_is_no_superuser_migrates_and_two_databases_do_so_at_once(fresh: EmbeddedServices) -> None:
    *logins, database = documented("one")
    await as_superuser(fresh, *logins, database, database.replace("one", "two"))
    running = [await asyncio.create_subprocess_exec(*migration(fresh, name), cwd=ROOT) for name in ("one", "two")]
    assert [await one.wait() for one in running] == [0, 0]

    await as_superuser(fresh, f"ALTER ROLE {LOGINS['hub_admin']} NOCREATEROLE")
    await asyncio.to_thread(migrate, address(fresh, "hub_admin", "one"), address(fresh, "hub_login", "one"))
    settings = Settings(
        data=Path("/nonexistent"),
        database_url=SecretStr(address(fresh, "hub_login", "one")),
        redis_url=SecretStr(fresh.urls().redis_url),
        public_url="https://hub.example.org",
    )
    found = {finding.about: finding async for finding in doctor.examine(settings)}
    for about in ("database log-in", "database roles", "schema", "organisations apart", "master key"):
        assert found[about].level is doctor.Level.OK, found[about]


def run(services: EmbeddedServices, program: str, *arguments: str) -> None:
    done = subprocess.run([services.postgres_programs / program, *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


async def test_a_dump_is_restored_in_the_documented_order_and_holds_no_key(fresh: EmbeddedServices, tmp_path: Path) -> None:
    """R-263: the recovery test, and the dump alone opens nothing."""
    await as_superuser(fresh, *documented("one"))
    admin_url, database_url = address(fresh, "hub_admin", "one"), address(fresh, "hub_login", "one")
    settings = Settings(data=tmp_path / "data", database_url=SecretStr(database_url), redis_url=SecretStr(fresh.urls().redis_url))
    await asyncio.to_thread(migrate, admin_url, database_url)
    await sync_policies(settings)
    async with open_runtime(settings, Hooks(), pool=2) as runtime:
        founded = await found_organisation(
            runtime, name="Radwerk", slug="radwerk", owner_email="o@radwerk.example", owner_name="Olga", owner_password=PASSWORD
        )
        async with runtime.database.system() as unit:
            await unit.sql.execute("SELECT keep_delivery_days($1, 14)", date(2026, 11, 24))
    superuser = fresh.urls("one").admin_url
    dump = tmp_path / "hub.dump"
    await asyncio.to_thread(run, fresh, "pg_dump", "--format=custom", "--compress=none", f"--file={dump}", superuser)
    key = (settings.data / KEY_FILE).read_text().strip().partition(":")[2].encode()
    assert b"radwerk" in dump.read_bytes() and key not in dump.read_bytes()

    fresh.drop_database("one")
    await as_superuser(fresh, documented("one")[-1])
    await asyncio.to_thread(run, fresh, "pg_restore", "--single-transaction", f"--dbname={superuser}", str(dump))
    await asyncio.to_thread(migrate, admin_url, database_url)
    async with open_runtime(settings, Hooks(), pool=2) as runtime:
        async with runtime.database.system() as unit:
            assert await unit.sql.fetchval("SELECT slug FROM organisation") == "radwerk"
        async with runtime.database.unit_of_work(founded.organisation_id) as unit:
            assert await unit.sql.fetchval("SELECT count(*) FROM member") == 1
    found = {finding.about: finding async for finding in doctor.examine(settings)}
    for about in ("database log-in", "database roles", "schema", "organisations apart", "master key"):
        assert found[about].level is doctor.Level.OK, found[about]


async def test_the_image_of_postgresql_makes_the_log_in(fresh: EmbeddedServices) -> None:
    """deploy/create-login.sh as docker-compose.yml has it run, with a password that wants quoting."""
    await as_superuser(fresh, "DROP ROLE hub_login")
    parts = urlsplit(fresh.urls().admin_url)
    sockets = parts.query.partition("host=")[2].partition("&")[0]
    environment = {
        "PATH": f"{fresh.postgres_programs}:{os.defpath}",
        "PGHOST": sockets,
        "PGPASSWORD": parts.password or "",
        "POSTGRES_USER": parts.username or "",
        "POSTGRES_DB": "hub",
        "HUB_LOGIN_PASSWORD": "it's; secret",
    }
    await asyncio.to_thread(subprocess.run, [ROOT / "deploy/create-login.sh"], check=True, env=environment, capture_output=True)
    connection = await asyncpg.connect(host=sockets, user="hub_login", password="it's; secret", database="hub")
    row = await connection.fetchrow("SELECT rolsuper, rolinherit, rolcreaterole FROM pg_roles WHERE rolname = current_user")
    await connection.close()
    assert tuple(row) == (False, False, False)
