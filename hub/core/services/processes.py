"""Finding and ending the servers of one data folder, also those that an earlier, killed parent left behind.

A process is recognised by what it is now (program name, user, the folder's mark in its command line), never by a number in
a file: process ids are used again, and a stale pid file must not cost another program its life. `/proc/<pid>/exe` and
`/cwd` would say the same but are closed even to root in a container without CAP_SYS_PTRACE.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

POLL_SECONDS = 0.02
_PROC = Path("/proc")


def command_line(pid: int) -> list[str]:
    """The arguments of a living process; empty for one that is gone or a zombie."""
    try:
        raw = (_PROC / str(pid) / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return raw.decode(errors="replace").rstrip("\0").split("\0") if raw else []


def program_of(pid: int) -> str:
    """The program's name (at most 15 characters, as the kernel keeps it); empty when the process is gone."""
    try:
        return (_PROC / str(pid) / "comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def find(program: str, mark: str, uid: int) -> list[int]:
    """Living processes of `program`, run by user `uid`, that carry `mark` in their command line."""
    named = [pid for pid in all_pids() if program_of(pid) == program and owner_of(pid) == uid]
    return sorted(pid for pid in named if mark in "\0".join(command_line(pid)))


def end(living: Callable[[], list[int]], steps: list[tuple[signal.Signals, float]]) -> None:
    """Send each signal to what `living` returns and wait up to its seconds, until nothing lives. End the list with SIGKILL."""
    for number, seconds in steps:
        for pid in living():
            send(pid, number)
        if wait_until(lambda: not living(), seconds):
            return


def send(pid: int, number: signal.Signals) -> None:
    """Signal a process; one that is already gone is what the caller wanted."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether `condition` became true within `seconds` of machine time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def all_pids() -> list[int]:
    return [int(name) for name in os.listdir(_PROC) if name.isdecimal()]


def owner_of(pid: int) -> int | None:
    try:
        return (_PROC / str(pid)).stat().st_uid
    except (FileNotFoundError, ProcessLookupError):
        return None
