"""What `hub doctor` does: looks at everything an installation stands on and says of each, in a line, whether it is well and what to
do if not. It changes nothing, and works against the servers of `hub serve` and against outside ones.

A check that can be judged from a few values is a function of those values; `examine` measures and asks them in order. What lies in
a database that is not there, or is not as it should be, is not looked at, and its line says so.
"""

import asyncio
import errno
import itertools
import os
import shutil
import stat
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import httpx
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlmodel import SQLModel

from hub.core import ids
from hub.core.db import STORE_ERRORS, Database, NoNudges
from hub.core.mail import MailFailed, check_server
from hub.core.queue import WORKER_ALIVE
from hub.core.services.place import recorded_home
from hub.core.services.processes import all_pids, command_line
from hub.core.settings import Settings
from hub.core.vault import KEY_FILE, MasterKeyUnusable, SealBroken, Vault
from hub.keys import held_vault, key_uses, organisation_ids, sealed_counts
from hub.migrations.run import known_revisions
from hub.migrations.tables import ALL_ROOMS

POSTGRES_AT_LEAST: Final = 15
REDIS_AT_LEAST: Final = 7
PATIENCE_SECONDS: Final = 3.0
MOST_SKEW: Final = timedelta(seconds=2)
"""Leases are machine time and last 10 seconds (core/lanes.py); machines that differ by more would take over living lanes."""
SLOW_MILLISECONDS: Final = 20.0
"""Each message costs some round trips to Valkey and to the database."""
DISK_MARGIN: Final = 3
"""Below this many times HUB_MINIMUM_FREE_DISK_MB it is time to look after the disk."""
NAMED: Final = 5
"""How many things of a kind a line names."""
APPLICATION_ROLES: Final = ("hub_app", "hub_system", "hub_door")
assert ALL_ROOMS  # importing it fills the metadata


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAULT = "FAULT"


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of the doctor's. `do`: what to do now; every fault has it."""

    about: str
    level: Level
    says: str
    do: str = ""

    def __str__(self) -> str:
        return f"{self.level:<8} {self.about}: {self.says}" + (f" {self.do}" if self.do else "")


def _ok(about: str, says: str) -> Finding:
    return Finding(about, Level.OK, says)


def _warning(about: str, says: str, do: str) -> Finding:
    return Finding(about, Level.WARNING, says, do)


def _fault(about: str, says: str, do: str) -> Finding:
    return Finding(about, Level.FAULT, says, do)


async def examine(settings: Settings, absent: str = "") -> AsyncIterator[Finding]:
    """Every finding, in the order in which things depend on each other. `absent` says why a server's address is not known."""
    yield check_python(sys.version_info[:2])
    for finding in check_disks(settings):
        yield finding
    yield check_folder(settings.data)
    yield await check_port(settings.host, settings.port)
    yield check_public_address(settings)
    yield await check_mail(settings)
    async for finding in _examine_redis(settings, absent):
        yield finding
    async for finding in _examine_database(settings, absent):
        yield finding


def check_python(version: Sequence[int]) -> Finding:
    shown = ".".join(map(str, version))
    if tuple(version) < (3, 11):
        return _fault("Python", f"{shown} is too old.", "Install Python 3.11 or newer and make .venv anew.")
    return _ok("Python", shown)


def check_disks(settings: Settings) -> list[Finding]:
    """The data folder's disk, and that of the embedded database where it lives elsewhere."""
    folders = [settings.data]
    if settings.data.exists() and (home := recorded_home(settings.data)) is not None:
        folders.append(home)
    return [check_disk(folder, _free(folder), settings.minimum_free_disk_mb) for folder in folders]


def _free(folder: Path) -> int:
    """Free bytes where `folder` is or would be made."""
    return shutil.disk_usage(next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())).free


def check_disk(folder: Path, free: int, minimum_mb: int) -> Finding:
    says = f"{free // 1_000_000} MB are free in {folder}"
    if free < minimum_mb * 1_000_000:
        return _fault(
            "disk", f"{says}, fewer than HUB_MINIMUM_FREE_DISK_MB = {minimum_mb}: webhooks are refused.", "Make room now."
        )
    if free < minimum_mb * 1_000_000 * DISK_MARGIN:
        return _warning("disk", f"{says}; below {minimum_mb} webhooks are refused.", "Make room soon.")
    return _ok("disk", says)


def check_folder(data: Path) -> Finding:
    """What customers sent and the master key lie in there: nobody else may read or write it."""
    if not data.exists():
        return _ok("data folder", f"{data} does not exist yet; the first start makes it")
    mode = stat.S_IMODE(data.stat().st_mode)
    if mode & (stat.S_IRGRP | stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH):
        return _fault("data folder", f"{data} has mode {mode:04o}, so others may look into it.", f"Run: chmod go-rw {data}")
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        return _fault("data folder", f"this user may not use {data}.", "Run hub as the owner of the folder.")
    return _ok("data folder", f"{data} has mode {mode:04o}")


async def check_port(host: str, port: int) -> Finding:
    """Free, or held by a hub."""
    where = f"{host}:{port}"
    try:
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return _fault("port", f"{where} cannot be used: {os.strerror(error.errno or 0)}.", "Set another HUB_HOST or HUB_PORT.")
        if await _is_hub(host, port):
            return _ok("port", f"a hub answers on {where}")
        return _fault("port", f"another program holds {where}.", "End it, or set another HUB_PORT.")
    server.close()
    await server.wait_closed()
    return _ok("port", f"{where} is free")


async def _is_hub(host: str, port: int) -> bool:
    reached = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as http:
            return bool((await http.get(f"http://{reached}:{port}/healthz")).json() == {"status": "ok"})
    except (httpx.HTTPError, ValueError):
        return False


def check_public_address(settings: Settings) -> Finding:
    about, url = "public address", settings.public_url
    if url is None:
        return _warning(
            about,
            f"HUB_PUBLIC_URL is not set: Telegram is polled, other messengers cannot deliver, and links name {settings.base_url}.",
            "Set it to the https address of your reverse proxy, unless this hub is meant to have none.",
        )
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or url.endswith("/"):
        return _fault(
            about, f"{url!r} is no address.", "Set HUB_PUBLIC_URL like https://hub.example.org, without a slash at the end."
        )
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        return _fault(about, f"{url} is not encrypted, and messengers deliver to https only.", "Set up TLS: docs/deploy.md.")
    if parts.scheme == "http":
        return _warning(about, f"{url} is reached from this machine only.", "Set HUB_PUBLIC_URL to an https address for real use.")
    return _ok(about, url)


async def check_mail(settings: Settings) -> Finding:
    if settings.smtp_url is None:
        return _ok("mail", "HUB_SMTP_URL is not set: invitations are shown as links instead of being sent")
    server = urlsplit(settings.smtp_url.get_secret_value())
    try:
        await check_server(settings)
    except MailFailed as error:
        return _fault(
            "mail", f"{server.hostname} does not take mail from us ({error}).", "Check HUB_SMTP_URL: server, port, user, password."
        )
    return _ok("mail", f"{server.hostname} takes our log-in")


async def _examine_redis(settings: Settings, absent: str) -> AsyncIterator[Finding]:
    if settings.redis_url is None:
        yield _fault("Valkey", f"{absent}.", "Run hub serve, or set HUB_REDIS_URL.")
        return
    url = settings.redis_url.get_secret_value()
    redis = Redis.from_url(url, socket_connect_timeout=PATIENCE_SECONDS, socket_timeout=PATIENCE_SECONDS)
    try:
        delays = []
        for _ in range(5):
            started = time.monotonic()
            await redis.ping()
            delays.append((time.monotonic() - started) * 1000)
        info = await redis.info()
        is_alive = await redis.exists(WORKER_ALIVE)
    except (RedisError, OSError) as error:
        yield _fault("Valkey", f"it cannot be reached ({type(error).__name__}).", "Start it, or correct HUB_REDIS_URL.")
        return
    finally:
        await redis.aclose()
    yield check_redis_version(info)
    yield check_redis_delay(statistics.median(delays))
    yield check_redis_memory(info)
    yield check_worker(bool(is_alive))


def check_redis_version(info: Mapping[str, Any]) -> Finding:
    """Valkey names itself beside the version of Redis that it stands for."""
    name, version = ("Valkey", info["valkey_version"]) if "valkey_version" in info else ("Redis", info["redis_version"])
    if int(str(version).split(".")[0]) < REDIS_AT_LEAST:
        return _warning(name, f"{version} was never tried with this hub.", f"Use Valkey, or Redis {REDIS_AT_LEAST} or newer.")
    return _ok(name, str(version))


def check_redis_delay(milliseconds: float) -> Finding:
    says = f"it answers in {milliseconds:.1f} ms"
    if milliseconds > SLOW_MILLISECONDS:
        return _warning("Valkey's delay", f"{says}, which each message waits for.", "Put it nearer to web and worker.")
    return _ok("Valkey's delay", says)


def check_redis_memory(info: Mapping[str, Any]) -> Finding:
    """It may be emptied at any moment, so it need not write to disk; but what it throws away by itself, nobody notices."""
    saves = " (it writes to disk, which the hub does not need)" if info.get("aof_enabled") else ""
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if info.get("maxmemory") and policy != "noeviction":
        return _warning(
            "Valkey's memory",
            f"it throws keys away when it is full ({policy}): limits on log-in attempts begin anew then.",
            "Set maxmemory-policy noeviction.",
        )
    return _ok("Valkey's memory", f"keeps what it is given{saves}")


def check_worker(is_alive: bool) -> Finding:
    if not is_alive:
        return _warning(
            "worker", "none has swept in the last 15 seconds: nothing is applied or sent.", "Start hub worker (or hub serve)."
        )
    return _ok("worker", "one sweeps")


async def _examine_database(settings: Settings, absent: str) -> AsyncIterator[Finding]:
    if settings.database_url is None:
        do = "Run hub serve, or set HUB_DATABASE_URL."
        yield _fault("PostgreSQL", f"{absent}; what lies in it was not looked at.", do)
        return
    url = settings.database_url.get_secret_value()
    try:
        connection = await asyncpg.connect(url, timeout=PATIENCE_SECONDS, command_timeout=PATIENCE_SECONDS)
    except STORE_ERRORS as error:
        do = "Start it, or correct HUB_DATABASE_URL."
        yield _fault("PostgreSQL", f"it cannot be reached ({type(error).__name__}); what lies in it was not looked at.", do)
        return
    try:
        yield check_postgres_version(await connection.fetchval("SHOW server_version"))
        yield check_clock(await _clock_ahead(connection))
        yield check_login(await connection.fetchrow(_LOGIN))
        roles = check_roles(await connection.fetch(_ROLES, APPLICATION_ROLES))
        yield roles
        yield check_connections(await _connections(connection, settings))
    finally:
        await connection.close()
    if roles.level is Level.FAULT:
        return  # the log-in gets at nothing that could be looked at
    async with _opened(url) as database:
        schema = check_schema(await _revision(database), known_revisions())
        yield schema
        if schema.level is Level.FAULT:
            return  # another schema has other tables
        yield check_isolation(await _acting_role(database), await _visible_tables(database))
        yield await check_keys(settings, database)


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Database]:
    database = Database(url, NoNudges(), pool=1)
    try:
        yield database
    finally:
        await database.close()


def check_postgres_version(version: str) -> Finding:
    if int(version.split(".")[0].split()[0]) < POSTGRES_AT_LEAST:
        return _fault("PostgreSQL", f"{version} is too old.", f"Move to PostgreSQL {POSTGRES_AT_LEAST} or newer.")
    return _ok("PostgreSQL", version.split()[0])


async def _clock_ahead(connection: Any) -> timedelta:
    """How far the database server's clock is ahead of this machine's. Both are the machines' own, not `core.clock`."""
    before = datetime.now(UTC)
    there: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return there - (before + (datetime.now(UTC) - before) / 2)


def check_clock(ahead: timedelta) -> Finding:
    says = f"this machine and the database server differ by {abs(ahead).total_seconds():.1f} s"
    if abs(ahead) > MOST_SKEW:
        return _fault("clock", f"{says}; leases last 10 s.", "Let both be set by NTP (timedatectl set-ntp true).")
    return _ok("clock", says)


_LOGIN: Final = """
SELECT u.rolname, u.rolsuper, u.rolbypassrls, COALESCE(pg_has_role(u.oid, o.oid, 'MEMBER'), false) AS is_owner
FROM pg_roles u LEFT JOIN pg_roles o ON o.rolname = 'hub_owner' WHERE u.rolname = session_user
"""


def check_login(row: Mapping[str, Any]) -> Finding:
    """The log-in of web and worker must not be one that row-level security does not bind."""
    about, name = "database log-in", row["rolname"]
    do = "Give HUB_DATABASE_URL a log-in of its own and keep this one for HUB_DATABASE_ADMIN_URL (docs/deploy.md, Database)."
    if row["rolsuper"] or row["rolbypassrls"]:
        what = "a superuser" if row["rolsuper"] else "allowed to pass row-level security by (BYPASSRLS)"
        return _fault(about, f"{name} is {what}.", do)
    if row["is_owner"]:
        return _warning(about, f"{name} may also change the schema.", do)
    return _ok(about, f"{name} sees nothing until it takes a role")


_ROLES: Final = """
SELECT wanted.name, r.oid IS NOT NULL AS is_there, COALESCE(r.rolsuper OR r.rolbypassrls, false) AS is_unbound,
       COALESCE(pg_has_role(session_user, r.oid,
                CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END), false) AS is_granted
FROM unnest($1::text[]) WITH ORDINALITY AS wanted(name, no) LEFT JOIN pg_roles r ON r.rolname = wanted.name ORDER BY no
"""


def check_roles(rows: Sequence[Mapping[str, Any]]) -> Finding:
    """The three roles of the application are there, bound by row-level security, and this log-in may take them."""
    about = "database roles"
    if absent := [row["name"] for row in rows if not row["is_there"]]:
        return _fault(about, f"{', '.join(absent)} are missing.", "Run: hub migrate")
    if unbound := [row["name"] for row in rows if row["is_unbound"]]:
        return _fault(
            about,
            f"{', '.join(unbound)} pass row-level security by.",
            f"As superuser: ALTER ROLE {unbound[0]} NOBYPASSRLS NOSUPERUSER",
        )
    if refused := [row["name"] for row in rows if not row["is_granted"]]:
        return _fault(
            about, f"this log-in may not take {', '.join(refused)}.", "Run hub migrate with the HUB_DATABASE_URL of web and worker."
        )
    return _ok(about, f"{', '.join(row['name'] for row in rows)} are there and granted")


@dataclass(frozen=True, slots=True)
class Connections:
    """What is there and what is wanted. `places`: those for log-ins that are no superuser."""

    places: int
    others: int
    webs: int
    workers: int
    each_web: int
    each_worker: int

    @property
    def wanted(self) -> int:
        return self.webs * self.each_web + self.workers * self.each_worker


async def _connections(connection: Any, settings: Settings) -> Connections:
    row = await connection.fetchrow(
        "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int "
        "- COALESCE(current_setting('reserved_connections', true), '0')::int AS places, "
        "(SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL AND usename <> session_user) AS others"
    )
    webs, workers = _processes("web", settings), _processes("worker", settings)
    return Connections(
        row["places"],
        row["others"],
        webs=max(webs, 1),
        workers=max(workers, 1),
        each_web=settings.pool_web + settings.pool_door,
        each_worker=settings.pool_worker + 1,  # a worker appends what it polled by one connection of the door's kind
    )


def _processes(kind: str, settings: Settings) -> int:
    """Processes `hub web` or `hub worker` of this machine that use the same database, as far as this user may look."""
    assert settings.database_url is not None
    ours = f"HUB_DATABASE_URL={settings.database_url.get_secret_value()}".encode()
    found = 0
    for pid in all_pids():
        words = command_line(pid)
        if any(Path(word).name == "hub" and after == kind for word, after in itertools.pairwise(words)):
            try:
                found += ours in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            except (PermissionError, FileNotFoundError, ProcessLookupError):
                continue
    return found


def check_connections(there: Connections) -> Finding:
    about, do = "connections", "Raise max_connections, or lower HUB_POOL_WEB, HUB_POOL_WORKER, HUB_POOL_DOOR."
    says = (
        f"{there.webs} web and {there.workers} worker processes of this machine may open {there.wanted} "
        f"of {there.places} ({there.webs} × {there.each_web} + {there.workers} × {there.each_worker})"
    )
    if there.wanted > there.places:
        return _fault(about, f"{says}.", do)
    if there.wanted + there.others > there.places:
        return _warning(about, f"{says}, and other log-ins hold {there.others}.", do)
    return _ok(about, says)


async def _revision(database: Database) -> str | None:
    """The schema that the database has; None for none that this hub made."""
    async with database.system() as unit:
        if not await unit.sql.fetchval("SELECT has_table_privilege(to_regclass('alembic_version'), 'SELECT')"):
            return None
        revision: str | None = await unit.sql.fetchval("SELECT version_num FROM alembic_version")
        return revision


def check_schema(revision: str | None, known: Sequence[str]) -> Finding:
    """`known` begins with the newest."""
    if revision == known[0]:
        return _ok("schema", f"the database has {revision}, the newest")
    if revision is None or revision in known:
        return _fault("schema", f"the database has {revision or 'none'}, this hub needs {known[0]}.", "Run: hub migrate")
    return _fault("schema", f"the database has {revision}, which is newer than this hub.", "Install the version that migrated it.")


async def _acting_role(database: Database) -> Mapping[str, Any]:
    async with database.unit_of_work(ids.new_id()) as unit:
        row: Mapping[str, Any] = await unit.sql.fetchrow(
            "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        )
        return row


async def _visible_tables(database: Database) -> list[str]:
    """Tables of organisations of which hub_app sees a row although no organisation is named."""
    visible = []
    async with database.unit_of_work(ids.new_id()) as unit:
        await unit.sql.execute("SELECT set_config('app.tenant', '', true)")
        for name, table in sorted(SQLModel.metadata.tables.items()):
            if "organisation_id" in table.columns and await unit.sql.fetchval(f"SELECT EXISTS (SELECT FROM {name})"):
                visible.append(name)
    return visible


def check_isolation(role: Mapping[str, Any], visible: Sequence[str]) -> Finding:
    """I6: what the rooms do runs as a role that row-level security binds, and without an organisation there is no row."""
    about, do = "organisations apart", "Stop web and worker now: the schema was changed by hand. Restore it from a backup."
    if role["rolsuper"] or role["rolbypassrls"]:
        return _fault(about, f"the application acts as {role['rolname']}, which row-level security does not bind.", do)
    if visible:
        return _fault(about, f"rows of every organisation can be seen in {', '.join(visible[:NAMED])}.", do)
    return _ok(about, f"the application acts as {role['rolname']}, and without an organisation it sees no row")


async def check_keys(settings: Settings, database: Database) -> Finding:
    """A key is there, and everything that was sealed opens with the keys at hand."""
    about = "master key"
    counts = await sealed_counts(database)
    if settings.master_key is None and not (settings.data / KEY_FILE).exists():
        if not counts:
            return _ok(about, f"none yet; the first start makes {settings.data / KEY_FILE}")
        do = "Restore it from its backup before anything is started: a start would make another one, which opens none of them."
        return _fault(about, f"{settings.data / KEY_FILE} is missing, and {counts.total()} values are sealed.", do)
    try:
        vault = held_vault(settings)
    except MasterKeyUnusable as error:
        return _fault(about, f"{error}.", "Mend it as said; without the key nothing can be sent or received.")
    uses = key_uses(counts, vault)
    shut = await _shut_channels(database, vault)
    if missing := [f"{use.id} ({use.values} values)" for use in uses if use.does == "missing"]:
        return _fault(
            about, f"not at hand: {', '.join(missing[:NAMED])}.", "Restore these keys from their backup, behind the one that seals."
        )
    if shut:
        named = ", ".join(shut[:NAMED])
        return _fault(
            about,
            f"the settings of {len(shut)} channels do not open: {named}.",
            "Restore these rows from a backup, or connect the accounts anew.",
        )
    if older := [f"{use.id} ({use.values} values)" for use in uses if use.does == "opens" and use.values]:
        return _warning(about, f"{vault.current} seals, but older ones are needed: {', '.join(older)}.", "Run: hub keys rotate")
    return _ok(about, f"{vault.current} sealed all {counts.total()} values, and the settings of every channel open")


async def _shut_channels(database: Database, vault: Vault) -> list[str]:
    """Channels whose settings or secrets do not open, as they are shown."""
    shut = []
    for organisation_id in await organisation_ids(database):
        async with database.unit_of_work(organisation_id) as unit:
            rows = await unit.sql.fetch("SELECT id, settings_sealed, secrets_sealed FROM channel ORDER BY id")
        for row in rows:
            place = {"organisation_id": organisation_id, "table": "channel", "row_id": row["id"]}
            try:
                for column in ("settings_sealed", "secrets_sealed"):
                    vault.open(row[column], column=column, **place)
            except SealBroken:
                shut.append(ids.show("chn", row["id"]))
    return shut
