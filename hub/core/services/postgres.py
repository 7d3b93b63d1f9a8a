"""The hub's own PostgreSQL: one cluster, one postmaster, reached by a Unix socket and a password only.

The settings stand on the command line, so they are the same whatever a file in the cluster says; who wants to tune runs a
server of their own and sets HUB_DATABASE_URL.
"""

import os
import re
import secrets
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from hub.core.services.errors import ServicesError, WrongMajor
from hub.core.services.place import Place, make_folder, open_log, write_private
from hub.core.services.processes import command_line, end, find, program_of, send, wait_until

MAJOR = 18
"""The PostgreSQL major of the wheel. Data of another one are not readable by it (PostgreSQL manual, 18.6 Upgrading)."""
ADMIN = "hub_admin"
"""Superuser, for migrations only."""
LOGIN = "hub_login"
"""What web and worker connect as; it becomes hub_app, hub_door or hub_system by SET LOCAL ROLE (migrations grant these)."""
DATABASE = "hub"
PORT = 5432
"""Only the name of the socket file (`.s.PGSQL.5432`); there is no TCP listener."""
START_SECONDS = 300.0
"""Patience for a start: after a crash the write-ahead log (at most about max_wal_size) is replayed first."""
FAST_SECONDS = 20.0
IMMEDIATE_SECONDS = 5.0
KILL_SECONDS = 5.0
QUERY_SECONDS = 60.0

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    # what was acknowledged is on disk (I1)
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # a small server beside its web and worker processes
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "min_wal_size": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    # a new installation plans for empty tables until its first statistics: seconds, not a minute
    "autovacuum_naptime": "10s",
    "timezone": "UTC",
    # a ring of seven log files, without statements and without the DETAIL line, which quotes rows (I10)
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_truncate_on_rotation": "on",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class PostgresService:
    """The postmaster of one place. Not thread-safe; `EmbeddedServices` calls it under its lock."""

    name = "PostgreSQL"

    def __init__(self, place: Place, passwords: dict[str, str], closing: threading.Event, say: Callable[[str], None]) -> None:
        self._place = place
        self._passwords = passwords
        self._closing = closing
        self._say = say
        self._cluster = place.home / "postgres"
        self._start_log = place.home / "postgres-start.log"
        self._child: subprocess.Popen[bytes] | None = None
        settings = SETTINGS | {"unix_socket_directories": str(place.sockets), "cluster_name": place.mark}
        self._command = [str(place.programs.postgres_bin / "postgres"), "-D", str(self._cluster)]
        self._command += [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]

    def start(self) -> None:
        """Running and ready when this returns: adopted if a healthy one of this cluster lives, else started.

        Raises WrongMajor for data of another major, ServicesError when the server does not come up.
        """
        self._refuse_other_major()
        if self._adopt():
            self._say("PostgreSQL was still running and has been taken over")
        else:
            self._end_all()
            if not (self._cluster / "PG_VERSION").exists():
                self._create_cluster()
            self._clear_stale_files()
            self._spawn()
        self._ensure_login()

    def alive(self) -> bool:
        """Whether the postmaster process is there. Does not ask it anything."""
        return self._postmaster() is not None

    def stop(self) -> None:
        """Fast shutdown (open transactions roll back), then immediate, then kill: at most 30 seconds, nothing is left."""
        postmaster = self._postmaster()
        if postmaster is not None:
            send(postmaster, signal.SIGINT)
            wait_until(lambda: self._postmaster() is None, FAST_SECONDS)
        self._end_all()
        self._child = None

    def run_sql(self, sql: str, database: str = "postgres") -> str:
        """Run statements as the superuser over the socket and return the rows as text. Raises ServicesError on any error."""
        command = [str(self._place.programs.postgres_bin / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        environment = {
            "PGHOST": str(self._place.sockets),
            "PGPORT": str(PORT),
            "PGUSER": ADMIN,
            "PGPASSWORD": self._passwords["admin"],
            "PGDATABASE": database,
            "PGCONNECT_TIMEOUT": "5",
            "LC_ALL": "C.UTF-8",
        }
        try:
            result = subprocess.run(
                command,
                input=sql,
                capture_output=True,
                text=True,
                env=environment,
                timeout=QUERY_SECONDS,
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ServicesError(f"PostgreSQL did not answer within {QUERY_SECONDS:.0f} seconds") from error
        if result.returncode != 0:
            raise ServicesError(f"PostgreSQL: {result.stderr.strip()}")
        return result.stdout.strip()

    def create_database(self, name: str, template: str | None) -> None:
        _check_name(name)
        if template is not None:
            _check_name(template)
        self.run_sql(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))

    def drop_database(self, name: str) -> None:
        _check_name(name)
        self.run_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _refuse_other_major(self) -> None:
        binary = subprocess.run([self._command[0], "--version"], capture_output=True, text=True, check=True).stdout
        if f" {MAJOR}." not in binary:
            raise WrongMajor(f"this hub needs PostgreSQL {MAJOR}, installed is: {binary.strip()}; install the requirements again")
        try:
            found = (self._cluster / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return
        if found != str(MAJOR):
            raise WrongMajor(f"{self._cluster} is of PostgreSQL {found}, this hub carries {MAJOR}: run hub upgrade-data")

    def _adopt(self) -> bool:
        """Take over a postmaster that an earlier parent left, if it runs with today's program and settings and answers."""
        postmaster = self._postmaster()
        if postmaster is None or command_line(postmaster) != self._command or not self._wait_ready(postmaster):
            return False
        try:
            self.run_sql("SELECT 1")
        except ServicesError:
            return False
        return True

    def _spawn(self) -> None:
        with open_log(self._start_log) as log:
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={"LC_ALL": "C.UTF-8", "PATH": os.defpath},
                user=self._place.account.user,
                group=self._place.account.group,
                extra_groups=self._place.account.groups,
                start_new_session=True,
            )
        if not self._wait_ready(self._child.pid):
            raise ServicesError(f"PostgreSQL did not start; its last words:\n{self._last_words()}")

    def _wait_ready(self, postmaster: int) -> bool:
        """Whether this postmaster got ready. Gives up when it ends, when the hub stops, or after START_SECONDS."""
        pid_file = self._cluster / "postmaster.pid"

        def ready() -> bool:
            # line 1 is the PID, line 8 the state, padded (PostgreSQL source, src/include/utils/pidfile.h)
            lines = _lines(pid_file)
            return len(lines) >= 8 and lines[0] == str(postmaster) and lines[7].strip() == "ready"

        wait_until(lambda: ready() or self._closing.is_set() or self._postmaster() is None, START_SECONDS)
        return ready()

    def _postmaster(self) -> int | None:
        """Its PID: our living child, or the process that the cluster's pid file names and that proves to be ours."""
        if self._child is not None:
            return self._child.pid if self._child.poll() is None else None
        lines = _lines(self._cluster / "postmaster.pid")
        living = self._living()
        return next((pid for pid in living if lines and str(pid) == lines[0]), None)

    def _living(self) -> list[int]:
        """Every PostgreSQL process of this cluster: their titles carry `cluster_name`."""
        if self._child is not None:
            self._child.poll()  # a child that ended stays a zombie until asked
        return find("postgres", self._place.mark, self._place.account.uid)

    def _end_all(self) -> None:
        """End what lives of this cluster: a sick postmaster, or back ends whose postmaster was killed."""
        end(self._living, [(signal.SIGQUIT, IMMEDIATE_SECONDS), (signal.SIGKILL, KILL_SECONDS)])
        if left := self._living():
            raise ServicesError(f"PostgreSQL processes {left} of {self._cluster} cannot be ended; end them, then start again")
        if self._child is not None:
            self._child.wait(KILL_SECONDS)

    def _create_cluster(self) -> None:
        """initdb beside the final name, then rename: a cluster is whole or not there."""
        self._say(f"creating the database in {self._cluster}")
        for old in self._place.home.glob("postgres.new-*"):
            for pid in find("initdb", str(old), self._place.account.uid):
                send(pid, signal.SIGKILL)
            shutil.rmtree(old, ignore_errors=True)  # a killed initdb may still be letting go; what stays goes next time
        fresh = self._place.home / f"postgres.new-{secrets.token_hex(4)}"
        make_folder(fresh, self._place.account)
        password = self._place.home / "initdb-password"
        write_private(password, self._passwords["admin"] + "\n")
        self._place.account.own(password)
        command = [str(self._place.programs.postgres_bin / "initdb"), "-D", str(fresh), "-U", ADMIN, f"--pwfile={password}"]
        command += ["--auth=scram-sha-256", "--data-checksums", "--encoding=UTF8"]
        # sorts and folds alike on every machine; LC_CTYPE too, since text search and trigrams ask that one about letters
        command += ["--locale=C.UTF-8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--lc-messages=C"]
        try:
            result = subprocess.run(
                command,
                capture_output=True,
                text=True,
                cwd="/",
                env={"LC_ALL": "C.UTF-8", "PATH": os.defpath},
                user=self._place.account.user,
                group=self._place.account.group,
                extra_groups=self._place.account.groups,
                start_new_session=True,
                check=False,
            )
        finally:
            password.unlink(missing_ok=True)
        if result.returncode != 0:
            raise ServicesError(f"the database cannot be created in {self._cluster}: {result.stderr.strip()}")
        fresh.rename(self._cluster)

    def _clear_stale_files(self) -> None:
        """Remove what would keep a start away although no server of this cluster lives.

        PostgreSQL believes a pid file whose number is alive again as any program of the same user. We hold the lock and
        have just looked, so we know better. A postmaster that may work on this cluster under an older path of it (the
        folder was moved) is left for PostgreSQL itself to refuse.
        """
        for path in (self._cluster / "postmaster.pid", self._place.sockets / f".s.PGSQL.{PORT}.lock"):
            lines = _lines(path)
            if lines and lines[0].isdecimal() and not self._may_be_ours(int(lines[0])):
                path.unlink()

    def _may_be_ours(self, pid: int) -> bool:
        arguments = command_line(pid)
        if program_of(pid) != "postgres" or arguments[1:2] != ["-D"]:
            return False
        folder = Path(arguments[2])
        return not folder.exists() or folder.samefile(self._cluster)

    def _ensure_login(self) -> None:
        """Database and login role exist and the role's password is the one on file. Repeatable."""
        self.run_sql(
            f"""
            SELECT 'CREATE DATABASE {DATABASE}' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec
            SELECT 'CREATE ROLE {LOGIN}' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{LOGIN}') \\gexec
            ALTER ROLE {LOGIN} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS
                PASSWORD '{self._passwords["login"]}';
            """
        )

    def _last_words(self) -> str:
        logs = [self._start_log, *sorted((self._cluster / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)[-1:]]
        return "\n".join(line for path in logs for line in path.read_text(errors="replace").splitlines()[-10:])


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except FileNotFoundError:
        return []


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a plain database name: {name!r}")
