"""B19: cold start. `hub serve` on a data folder that was used before, to the first answer that all is ready."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from benchmarks.b20 import Served
from benchmarks.place import REPOSITORY, STOP_SECONDS, Place
from benchmarks.report import Figure, Section
from hub.core.services.place import described
from hub.core.services.processes import command_line, find, owner_of

LOOK_SECONDS: Final = 0.005
READY_SECONDS: Final = 120.0
_NAMES: Final = """
import sys
import hub.app, hub.cli, hub.worker
foreign = [name for name, module in sys.modules.items() if "site-packages" in (getattr(module, "__file__", None) or "")]
print(*[name for name in foreign if name in sys.modules and sys.modules[name].__spec__ is not None])
"""
_IMPORT: Final = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


@dataclass(frozen=True)
class Server:
    """A server as `hub serve` ran it."""

    command: list[str]
    uid: int
    settings: bytes = b""
    """For its standard input."""

    def start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"LC_ALL": "C.UTF-8", "PATH": os.defpath},
            user=self.uid,
            group=self.uid,
            extra_groups=[],
            start_new_session=True,
        )
        assert process.stdin is not None
        with process.stdin as given:
            given.write(self.settings)
        return process


class _Bare:
    """The servers of a data folder without the hub: the same commands, and nothing but waiting for them."""

    def __init__(self, data: Path) -> None:
        """While `hub serve` runs on it."""
        run = described(data)
        self._sockets = Path(run["sockets"])
        self._pid_file = Path(run["home"]) / "postgres" / "postmaster.pid"
        postmaster = int(self._pid_file.read_text().split()[0])
        self._uid = owner_of(postmaster) or 0
        self._postgres = Server(command_line(postmaster), self._uid)
        program = Path(os.readlink(f"/proc/{find('valkey-server', self._sockets.name, self._uid)[0]}/exe"))
        valkey = [str(program), "-", "--unixsocket", str(self._sockets / "valkey.sock")]
        self._valkey = Server(valkey, self._uid, b'port 0\nsave ""\nappendonly no\n')

    def start(self) -> float:
        """Seconds until both answer; they are stopped again."""
        self._sockets.mkdir(mode=0o700)
        os.chown(self._sockets, self._uid, self._uid)
        try:
            started = time.monotonic()
            servers = [self._postgres.start()]
            _wait(self._postgres_is_ready)
            servers.append(self._valkey.start())
            _wait(self._valkey_answers)
            seconds = time.monotonic() - started
            for server in servers:
                server.terminate()
                server.wait(STOP_SECONDS)
        finally:
            shutil.rmtree(self._sockets)
        return seconds

    def _postgres_is_ready(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            lines = self._pid_file.read_text().splitlines()
            return len(lines) >= 8 and lines[7].strip() == "ready"
        return False

    def _valkey_answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self._sockets / "valkey.sock"))
                connection.sendall(b"PING\r\n")
                return connection.recv(64) == b"+PONG\r\n"
            except OSError:
                return False


async def measure(place: Place, *, quick: bool) -> Section:
    """All of B19."""
    section = Section("b19", "B19 Cold start")
    runs = 3 if quick else 9
    return await asyncio.to_thread(_measure, place, section, runs)


def _measure(place: Place, section: Section, runs: int) -> Section:
    served = Served(place)
    served.start()
    bare = _Bare(served.data)
    served.stop()
    modules = _run(_NAMES).split()
    imports, servers, cold = [], [], []
    for _ in range(runs):
        section.note_load()
        started = time.monotonic()
        _run(_IMPORT, *modules)
        imports.append(time.monotonic() - started)
        servers.append(bare.start())
        started = time.monotonic()
        served.launch()
        _wait(lambda: _is_ready(served.port))
        cold.append(time.monotonic() - started)
        served.stop()
    section.figures = [
        Figure("import of its dependencies", imports, "s", digits=2),
        Figure("PostgreSQL and Valkey alone", servers, "s", digits=2),
        Figure("`hub serve` to ready", cold, "s", digits=2),
        Figure(
            "as a multiple of both",
            [value / (one + other) for value, one, other in zip(cold, imports, servers, strict=True)],
            goal=2.0,
            better="less",
            digits=2,
        ),
    ]
    section.notes = [
        "From the start of the process to the first 200 of `/readyz`, which wants database, Valkey, web process and worker; on a "
        "folder with a migrated database that was stopped in order.",
        f"The dependencies are the {len(modules):,} modules of other packages that web, worker and command line load, imported "
        "by one fresh interpreter; the servers are the same commands on the same folder, until both answer.",
    ]
    return section


def _run(program: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout


def _is_ready(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
            return True
    except OSError:
        return False


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it does not get ready"
        time.sleep(LOOK_SECONDS)
