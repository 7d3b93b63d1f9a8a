"""`hub doctor`: one line for each thing the hub stands on. Everything is broken once, and the line read (design.md, 4 and 9)."""

import asyncio
import base64
import json
import os
import shutil
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import uvicorn
from pydantic import SecretStr

from hub import doctor
from hub.core.services import EmbeddedServices
from hub.core.settings import Settings
from hub.core.vault import KEY_FILE, new_key, put_key_first
from hub.doctor import Connections, Finding, Level
from hub.migrations.run import known_revisions
from tests.smtp import MailServer
from tests.support import HubUnderTest, command, telegram_text

OK, WARNING, FAULT = Level.OK, Level.WARNING, Level.FAULT


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def whole(settings: Settings, free_port: int) -> Settings:
    """Settings of an installation that is well."""
    return settings.model_copy(update={"port": free_port, "public_url": "https://hub.example.org", "minimum_free_disk_mb": 1})


async def findings(settings: Settings) -> dict[str, Finding]:
    return {finding.about: finding async for finding in doctor.examine(settings, "nothing runs here")}


def judged(finding: Finding) -> tuple[Level, str]:
    """Level and line. Every warning and fault says what to do."""
    assert finding.level is OK or finding.do.endswith((".", "migrate", "rotate", "SUPERUSER")) or "chmod" in finding.do, finding
    return finding.level, str(finding)


async def admin(settings: Settings, statement: str) -> None:
    assert settings.database_admin_url is not None
    connection = await asyncpg.connect(settings.database_admin_url.get_secret_value())
    await connection.execute(statement)
    await connection.close()


async def test_a_hub_that_is_well(hub: HubUnderTest, whole: Settings) -> None:
    """On whatever servers the suite runs: our own, or Debian's."""
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(1, "STOP"))
    await hub.settle()
    await hub.runtime.queue.redis.set("hub:worker", b"1", ex=15)
    found = await findings(whole)
    assert [str(one) for one in found.values() if one.level is not OK] == []
    assert list(found) == [
        "Python",
        "disk",
        "data folder",
        "port",
        "public address",
        "mail",
        next(name for name in found if name in ("Valkey", "Redis")),
        "Valkey's delay",
        "Valkey's memory",
        "worker",
        "PostgreSQL",
        "clock",
        "database log-in",
        "database roles",
        "connections",
        "schema",
        "organisations apart",
        "master key",
    ]
    assert "sealed all 3 values" in found["master key"].says
    assert "acts as hub_app" in found["organisations apart"].says


@pytest.mark.usefixtures("environment")
async def test_the_command_ends_with_1_on_a_fault(hub: HubUnderTest, whole: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_PORT", str(whole.port))
    monkeypatch.setenv("HUB_MINIMUM_FREE_DISK_MB", "1")
    well = await command("doctor")
    assert well.exit_code == 0, well.output
    assert "warning  public address: HUB_PUBLIC_URL is not set" in well.output
    (hub.runtime.settings.data / KEY_FILE).chmod(0o644)
    ill = await command("doctor")
    assert ill.exit_code == 1
    assert [line for line in ill.output.splitlines() if line.startswith("FAULT")] == [
        line for line in ill.output.splitlines() if "master key: " in line and "has mode 0644" in line and "chmod 600" in line
    ]


@pytest.mark.usefixtures("environment")
async def test_without_servers_the_rest_is_still_looked_at(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HUB_DATABASE_URL", "HUB_REDIS_URL"):
        monkeypatch.delenv(name)
    result = await command("doctor")
    faults = [line for line in result.output.splitlines() if line.startswith("FAULT")]
    assert (result.exit_code, len(faults)) == (1, 2)
    assert all("start hub serve first" in line and "Run hub serve" in line for line in faults)
    assert "ok       disk: " in result.output


async def test_on_the_servers_of_hub_serve(tmp_path: Path, free_port: int) -> None:
    """With no address set the doctor finds what `hub serve` runs on this data folder."""
    data = Path(f"/tmp/hub-doctor-{os.getpid()}")
    services = EmbeddedServices(data)
    await asyncio.to_thread(services.start)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HUB_DATA", str(data))
            patch.setenv("HUB_PORT", str(free_port))
            for name in ("HUB_DATABASE_URL", "HUB_DATABASE_ADMIN_URL", "HUB_REDIS_URL"):
                patch.delenv(name, raising=False)
            early = await command("doctor")
            assert "FAULT    database roles: hub_app, hub_system, hub_door are missing. Run: hub migrate" in early.output
            assert (await command("migrate")).exit_code == 0
            ready = await command("doctor")
            assert ready.exit_code == 0, ready.output
            assert f"none yet; the first start makes {data / KEY_FILE}" in ready.output
    finally:
        await asyncio.to_thread(services.stop)
        await asyncio.to_thread(_remove, data)


def _remove(data: Path) -> None:
    home = json.loads((data / "run.json").read_text())["home"]
    shutil.rmtree(home, ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)


def test_python() -> None:
    assert judged(doctor.check_python((3, 10)))[1].startswith("FAULT    Python: 3.10 is too old. Install Python 3.11")


@pytest.mark.parametrize(
    ("free", "level", "says"), [(511, FAULT, "webhooks are refused"), (1500, WARNING, "Make room soon"), (1600, OK, "1600 MB")]
)
def test_disk(free: int, level: Level, says: str) -> None:
    found, line = judged(doctor.check_disk(Path("/d"), free * 1_000_000, 512))
    assert (found, says in line) == (level, True), line


@pytest.mark.parametrize(("mode", "level"), [(0o700, OK), (0o711, OK), (0o750, FAULT), (0o777, FAULT), (0o704, FAULT)])
def test_data_folder(tmp_path: Path, mode: int, level: Level) -> None:
    """0700; mere passing through (the servers' user may need it) shows nobody anything."""
    tmp_path.chmod(mode)
    found, line = judged(doctor.check_folder(tmp_path))
    tmp_path.chmod(0o700)
    assert found is level
    assert level is OK or f"mode {mode:04o}, so others may look into it. Run: chmod go-rw {tmp_path}" in line


async def test_port_held_by_another_program(free_port: int) -> None:
    with socket.create_server(("127.0.0.1", free_port)):
        found, line = judged(await doctor.check_port("127.0.0.1", free_port))
    assert (found, f"another program holds 127.0.0.1:{free_port}. End it" in line) == (FAULT, True)


async def test_port_held_by_a_hub(hub: HubUnderTest) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(hub.app, lifespan="off", log_level="error", ws="none"))
    running = asyncio.create_task(server.serve([listener]))
    found, line = judged(await doctor.check_port("127.0.0.1", listener.getsockname()[1]))
    server.should_exit = True
    await running
    assert (found, "a hub answers" in line) == (OK, True)


async def test_an_address_that_is_not_this_machines(free_port: int) -> None:
    found, line = judged(await doctor.check_port("203.0.113.7", free_port))
    assert (found, "Set another HUB_HOST" in line) == (FAULT, True)


@pytest.mark.parametrize(
    ("url", "level", "says"),
    [
        (None, WARNING, "Telegram is polled"),
        ("https://hub.example.org", OK, "https://hub.example.org"),
        ("http://hub.example.org", FAULT, "is not encrypted"),
        ("http://localhost:8000", WARNING, "this machine only"),
        ("https://hub.example.org/", FAULT, "without a slash"),
        ("hub.example.org", FAULT, "is no address"),
    ],
)
def test_public_address(url: str | None, level: Level, says: str) -> None:
    found, line = judged(doctor.check_public_address(Settings(public_url=url)))
    assert (found, says in line) == (level, True), line


async def test_mail(smtp: MailServer, free_port: int) -> None:
    assert judged(await doctor.check_mail(Settings()))[0] is OK
    assert judged(await doctor.check_mail(smtp.settings())) == (OK, "ok       mail: 127.0.0.1 takes our log-in")
    dead = Settings(smtp_url=SecretStr(f"smtp://hub:geheim@127.0.0.1:{free_port}"))
    found, line = judged(await doctor.check_mail(dead))
    assert (found, "127.0.0.1 does not take mail from us (SMTPConnectError)" in line, "geheim" in line) == (FAULT, True, False)


def test_redis_versions() -> None:
    assert judged(doctor.check_redis_version({"redis_version": "7.0.15"})) == (OK, "ok       Redis: 7.0.15")
    assert judged(doctor.check_redis_version({"redis_version": "7.2.4", "valkey_version": "9.0.1"})) == (
        OK,
        "ok       Valkey: 9.0.1",
    )
    assert "was never tried" in judged(doctor.check_redis_version({"redis_version": "5.0.7"}))[1]


def test_redis_delay_and_memory() -> None:
    assert judged(doctor.check_redis_delay(3.21)) == (OK, "ok       Valkey's delay: it answers in 3.2 ms")
    assert judged(doctor.check_redis_delay(48.0))[0] is WARNING
    full = {"maxmemory": 1000, "maxmemory_policy": "allkeys-lru", "aof_enabled": 0}
    assert "Set maxmemory-policy noeviction." in judged(doctor.check_redis_memory(full))[1]
    assert judged(doctor.check_redis_memory(full | {"maxmemory": 0}))[0] is OK
    assert "which the hub does not need" in judged(doctor.check_redis_memory({"aof_enabled": 1}))[1]


def test_no_worker() -> None:
    assert judged(doctor.check_worker(False))[0] is WARNING


async def test_servers_that_do_not_answer(whole: Settings, free_port: int) -> None:
    """A wrong address and a wrong password: said without the password."""
    assert whole.database_url is not None
    away = {
        "redis_url": SecretStr(f"redis://:geheim@127.0.0.1:{free_port}"),
        "database_url": SecretStr(f"postgresql://hub:geheim@127.0.0.1:{free_port}/hub"),
    }
    found = await findings(whole.model_copy(update=away))
    for name in ("Valkey", "PostgreSQL"):
        level, line = judged(found[name])
        assert (level, "cannot be reached" in line, "geheim" in line) == (FAULT, True, False), line
    assert "database roles" not in found and "was not looked at" in found["PostgreSQL"].says


def test_postgres_version() -> None:
    assert judged(doctor.check_postgres_version("15.20 (Debian 15.20-0+deb12u1)")) == (OK, "ok       PostgreSQL: 15.20")
    assert judged(doctor.check_postgres_version("14.3"))[0] is FAULT


@pytest.mark.parametrize(("seconds", "level"), [(1.9, OK), (-1.9, OK), (2.1, FAULT), (-3600, FAULT)])
def test_clock(seconds: float, level: Level) -> None:
    found, line = judged(doctor.check_clock(timedelta(seconds=seconds)))
    assert (found, f"differ by {abs(seconds):.1f} s" in line) == (level, True)


def login(**values: Any) -> dict[str, Any]:
    return {"rolname": "hub", "rolsuper": False, "rolbypassrls": False, "is_owner": False} | values


def test_login_that_is_not_bound() -> None:
    assert judged(doctor.check_login(login()))[0] is OK
    for values, level, says in (
        ({"rolsuper": True}, FAULT, "hub is a superuser"),
        ({"rolbypassrls": True}, FAULT, "BYPASSRLS"),
        ({"is_owner": True}, WARNING, "may also change the schema"),
    ):
        found, line = judged(doctor.check_login(login(**values)))
        assert (found, says in line, "HUB_DATABASE_ADMIN_URL" in line) == (level, True, True)


async def test_the_superuser_as_log_in(hub: HubUnderTest, whole: Settings) -> None:
    found = await findings(whole.model_copy(update={"database_url": whole.database_admin_url}))
    level, line = judged(found["database log-in"])
    assert (level, "is a superuser" in line) == (FAULT, True)


def test_roles() -> None:
    row = {"name": "hub_app", "is_there": True, "is_unbound": False, "is_granted": True}
    assert judged(doctor.check_roles([row]))[0] is OK
    for values, says in (
        ({"is_there": False}, "hub_app are missing. Run: hub migrate"),
        ({"is_unbound": True}, "ALTER ROLE hub_app NOBYPASSRLS NOSUPERUSER"),
        ({"is_granted": False}, "may not take hub_app"),
    ):
        found, line = judged(doctor.check_roles([row | values]))
        assert (found, says in line) == (FAULT, True), line


async def test_a_log_in_without_the_roles(hub: HubUnderTest, whole: Settings) -> None:
    name = f"hub_stranger_{os.getpid()}"
    await admin(whole, f"CREATE ROLE {name} LOGIN PASSWORD 'stranger'")
    try:
        assert whole.database_admin_url is not None
        scheme, _, rest = whole.database_admin_url.get_secret_value().partition("://")
        url = f"{scheme}://{name}:stranger@{rest.partition('@')[2]}"
        found = await findings(whole.model_copy(update={"database_url": SecretStr(url)}))
        assert "may not take hub_app, hub_system, hub_door" in judged(found["database roles"])[1]
    finally:
        await admin(whole, f"DROP ROLE {name}")


@pytest.mark.parametrize(("places", "others", "level"), [(97, 0, OK), (40, 10, WARNING), (34, 0, FAULT)])
def test_connections(places: int, others: int, level: Level) -> None:
    """The sum of the pools of all processes against what the server has for log-ins that are no superuser."""
    there = Connections(places, others, webs=2, workers=1, each_web=12, each_worker=11)
    found, line = judged(doctor.check_connections(there))
    assert (found, "2 web and 1 worker processes of this machine may open 35" in line) == (level, True)


def test_schema() -> None:
    known = ["0003", "0002", "0001"]
    assert judged(doctor.check_schema("0003", known)) == (OK, "ok       schema: the database has 0003, the newest")
    assert "has 0002, this hub needs 0003. Run: hub migrate" in judged(doctor.check_schema("0002", known))[1]
    assert "has none, this hub needs 0003" in judged(doctor.check_schema(None, known))[1]
    assert "newer than this hub" in judged(doctor.check_schema("0009", known))[1]


async def test_a_database_of_another_version(hub: HubUnderTest, whole: Settings) -> None:
    await admin(whole, "UPDATE alembic_version SET version_num = '0001'")
    found = await findings(whole)
    assert judged(found["schema"]) == (
        FAULT,
        f"FAULT    schema: the database has 0001, this hub needs {known_revisions()[0]}. Run: hub migrate",
    )
    await admin(whole, "UPDATE alembic_version SET version_num = 'f00'")
    assert "newer than this hub" in judged((await findings(whole))["schema"])[1]
    await admin(whole, "DROP TABLE alembic_version")
    assert "has none" in judged((await findings(whole))["schema"])[1]


async def test_rows_that_everybody_sees(hub: HubUnderTest, whole: Settings) -> None:
    await hub.connect()
    await admin(whole, "ALTER TABLE channel DISABLE ROW LEVEL SECURITY")
    found, line = judged((await findings(whole))["organisations apart"])
    assert (found, "rows of every organisation can be seen in channel. Stop web and worker now" in line) == (FAULT, True)
    assert judged(doctor.check_isolation(login(rolsuper=True), []))[0] is FAULT


async def test_a_key_that_is_gone(hub: HubUnderTest, whole: Settings) -> None:
    """What was sealed is lost unless the key comes back; a start would hide that by making another one."""
    await hub.connect()
    (whole.data / KEY_FILE).unlink()
    found, line = judged((await findings(whole))["master key"])
    assert (found, "is missing, and 2 values are sealed. Restore it from its backup before anything is started" in line) == (
        FAULT,
        True,
    )
    assert not (whole.data / KEY_FILE).exists()


async def test_another_key_than_the_one_that_sealed(hub: HubUnderTest, whole: Settings) -> None:
    await hub.connect()
    old = (whole.data / KEY_FILE).read_text().partition(":")[0]
    other = f"k9:{base64.b64encode(bytes(32)).decode()}"
    found, line = judged((await findings(whole.model_copy(update={"master_key": SecretStr(other)})))["master key"])
    assert (found, f"not at hand: {old} (2 values)" in line, other.partition(":")[2] in line) == (FAULT, True, False)


async def test_channels_that_do_not_open_are_named(hub: HubUnderTest, whole: Settings) -> None:
    one, _ = await hub.connect(), await hub.connect()
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        sealed = (whole.data / KEY_FILE).read_text().partition(":")[0].encode() + b":" + bytes(40)
        await unit.sql.execute("UPDATE channel SET secrets_sealed = $1 WHERE id = $2", sealed, one.id)
    found, line = judged((await findings(whole))["master key"])
    assert (found, f"the settings of 1 channels do not open: {one.path.rpartition('/')[2]}." in line) == (FAULT, True)


async def test_a_rotation_that_was_not_finished(hub: HubUnderTest, whole: Settings) -> None:
    await hub.connect()
    put_key_first(whole.data / KEY_FILE, new_key())
    found, line = judged((await findings(whole))["master key"])
    assert (found, line.endswith("(2 values). Run: hub keys rotate")) == (WARNING, True)
