"""The process that `hub serve` and `hub demo` are: starts the children and the embedded servers, keeps them up, ends them all.

    async with Supervisor(name="serve", data=settings.data, say=print) as supervisor:
        services = EmbeddedServices(settings.data, say=print)
        urls = services.prepare()
        supervisor.start(Child("web", [sys.executable, "-m", "hub", "web", "--wait"], env))
        supervisor.start(Child("worker", [sys.executable, "-m", "hub", "worker", "--wait"], env))
        await supervisor.start_services(services)
        ...migrations...
        supervisor.release()
        await supervisor.wait()

Children may be started before what they need is there: their standard input stays open until `release`, and one that waits for its
end loads its modules meanwhile, which takes longer than all the rest.

A child that ends is started again, whatever its exit code: the arq worker ends when Redis restarts, so that is normal work.
On SIGTERM, SIGINT or SIGHUP `wait` returns and leaving the block stops the children in reverse order, then the servers.
A killed supervisor (SIGKILL) takes its children along by the kernel's parent-death signal; what ignores even that is ended
by the next supervisor of the same name and data folder. Linux only.
"""

import asyncio
import contextlib
import hashlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from hub.core.services import EmbeddedServices, ServicesError, ServiceUrls
from hub.core.services.processes import all_pids, send, wait_until

FIRST_DELAY = 0.2
LONGEST_DELAY = 10.0
STEADY_SECONDS = 30.0
"""A child that lived this long starts again with FIRST_DELAY."""
WATCH_SECONDS = 0.5
"""How often the embedded servers are looked at."""
LEFTOVER_SECONDS = 5.0
_MARK = "HUB_SUPERVISED_BY"
"""Environment variable of every child, inherited by its children: place, PID and start time of the supervisor."""

# PR_SET_PDEATHSIG is 1 (linux/prctl.h); it survives exec. Done in the child by a small program that then becomes the real
# one, because code between fork and exec of a process with threads may deadlock. If the parent died before the call, the
# child has been given to another parent and ends itself.
_GUARD = """
import ctypes, os, signal, sys
if ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM, 0, 0, 0) != 0:
    sys.exit("prctl: " + os.strerror(ctypes.get_errno()))
if os.getppid() != int(sys.argv[1]):
    sys.exit("the supervisor is gone")
os.execvp(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True)
class Child:
    """One process to keep running. `env` is added to the supervisor's own; it may hold secrets and is never shown."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    stop_seconds: float = 10.0
    """How long it may take to end after SIGTERM; then its whole process group is killed."""


class Supervisor:
    """One per process, used in the main thread: signals and the parent-death signal belong to that thread."""

    def __init__(self, name: str, data: Path, say: Callable[[str], None]) -> None:
        """`name` and `data` tell this supervisor's leftovers from those of others; `say` receives progress."""
        self._place = f"{name}-{hashlib.sha256(os.fsencode(data.absolute())).hexdigest()[:12]}"
        self._say = say
        self._stopping = asyncio.Event()
        self._keepers: list[_Keeper] = []
        self._released = asyncio.Event()
        self._services: EmbeddedServices | None = None
        self._watch: asyncio.Task[None] | None = None
        self._signals: list[signal.Signals] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup
            loop.add_signal_handler(number, self.stop)
            self._signals.append(number)
        await asyncio.to_thread(_end_leftovers, self._place, self._say)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        try:
            for keeper in reversed(self._keepers):
                await keeper.stop()
        finally:
            if self._services is not None:
                self._say("stopping PostgreSQL and Valkey")
                await asyncio.to_thread(self._services.stop)
            if self._watch is not None:
                await self._watch
            for number in self._signals:
                asyncio.get_running_loop().remove_signal_handler(number)

    async def start_services(self, services: EmbeddedServices) -> ServiceUrls:
        """Start the embedded servers and watch over them. Raises ServicesError when they cannot run."""
        self._services = services
        urls = await asyncio.to_thread(services.start)
        self._watch = asyncio.create_task(self._keep_services(services))
        return urls

    def start(self, child: Child) -> None:
        """Start a child and keep it up. Returns at once; whether it is ready is the caller's to ask."""
        mark = f"{self._place}:{os.getpid()}:{_start_time(os.getpid())}"
        self._keepers.append(_Keeper(child, mark, self._released, self._say))

    def release(self) -> None:
        """What the children wait for is there: from now on their standard input is at its end."""
        self._released.set()

    def stop(self) -> None:
        """Let `wait` return; what a signal does."""
        self._stopping.set()

    async def wait(self) -> None:
        """Until a signal or `stop`."""
        await self._stopping.wait()

    async def _keep_services(self, services: EmbeddedServices) -> None:
        delay = WATCH_SECONDS
        while not await _set_within(self._stopping, delay):
            try:
                await asyncio.to_thread(services.repair)
                delay = WATCH_SECONDS
            except (ServicesError, OSError) as error:  # OSError: disk full, no process left
                delay = min(delay * 2, LONGEST_DELAY)
                self._say(f"{error} (next try in {delay:.0f} s)")


class _Keeper:
    """Keeps one child up until told to stop."""

    def __init__(self, child: Child, mark: str, released: asyncio.Event, say: Callable[[str], None]) -> None:
        self._child = child
        self._released = released
        self._say = say
        self._environment = {**os.environ, **child.env, _MARK: mark}
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        self._stopping.set()
        self._signal(signal.SIGTERM)
        _, unfinished = await asyncio.wait([self._task], timeout=self._child.stop_seconds)
        if unfinished:
            self._say(f"{self._child.name} did not stop within {self._child.stop_seconds:g} s and is killed")
            self._signal(signal.SIGKILL)
        await self._task
        self._say(f"{self._child.name} stopped")

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        delay = FIRST_DELAY
        while True:
            started = loop.time()
            try:
                what = await self._run()
            except OSError as error:  # no memory or no process left for a fork
                what = f"cannot start ({error.strerror})"
            if self._stopping.is_set():
                return
            if loop.time() - started >= STEADY_SECONDS:
                delay = FIRST_DELAY
            self._say(f"{self._child.name} {what}; next start in {delay:g} s")
            if await _set_within(self._stopping, delay):
                return
            delay = min(delay * 2, LONGEST_DELAY)

    async def _run(self) -> str:
        """From start to end of one process, and of what it leaves in its group; says how it ended."""
        guard = [sys.executable, "-I", "-S", "-c", _GUARD, str(os.getpid())]
        self._process = await asyncio.create_subprocess_exec(
            *guard, *self._child.argv, stdin=asyncio.subprocess.PIPE, env=self._environment, start_new_session=True
        )
        if self._stopping.is_set():  # told so while the process was being made
            self._signal(signal.SIGTERM)
        releasing = asyncio.create_task(self._release(self._process))
        code = await self._process.wait()
        releasing.cancel()
        self._signal(signal.SIGKILL)
        return f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"

    async def _release(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        await self._released.wait()
        process.stdin.close()

    def _signal(self, number: signal.Signals) -> None:
        """To the whole process group; that it is gone is fine."""
        with contextlib.suppress(ProcessLookupError):
            if self._process is not None:
                os.killpg(self._process.pid, number)


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _end_leftovers(place: str, say: Callable[[str], None]) -> None:
    """End processes whose supervisor was of this place and lives no more; those of a living one are left alone."""
    leftovers = [pid for pid in all_pids() if _is_leftover(pid, place)]
    if not leftovers:
        return
    say(f"ending {len(leftovers)} process(es) of an earlier run")
    for pid in leftovers:
        send(pid, signal.SIGTERM)
    if not wait_until(lambda: not any(_is_leftover(pid, place) for pid in leftovers), LEFTOVER_SECONDS):
        for pid in leftovers:
            if _is_leftover(pid, place):
                send(pid, signal.SIGKILL)


def _is_leftover(pid: int, place: str) -> bool:
    mark = None if pid == os.getpid() else _mark_of(pid)
    if mark is None or not mark.startswith(f"{place}:") or _namespace(pid) != _namespace(os.getpid()):
        return False
    _, supervisor, start_time = mark.rsplit(":", 2)
    return _start_time(int(supervisor)) != start_time


def _mark_of(pid: int) -> str | None:
    """The supervisor mark in a process's environment; None without one, or where we may not look (another user's)."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except (PermissionError, FileNotFoundError, ProcessLookupError):
        return None
    found = [entry for entry in environment.split(b"\0") if entry.startswith(_MARK.encode() + b"=")]
    return found[0].decode(errors="replace").partition("=")[2] if found else None


def _namespace(pid: int) -> str | None:
    """Process ids only mean something inside one PID namespace: a container's are not ours."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except (PermissionError, FileNotFoundError, ProcessLookupError):
        return None


def _start_time(pid: int) -> str | None:
    """Clock ticks since boot when the process started (field 22 of /proc/<pid>/stat, proc(5)); with the PID it is unique."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return stat.rpartition(")")[2].split()[19]
