"""The supervisor with real processes: keeps children up, ends all of them, survives being killed (design.md, 9; issue 2)."""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.core.services import EmbeddedServices
from hub.core.services.place import described, mark_of
from hub.core.services.processes import all_pids, command_line, program_of
from hub.core.supervisor import Child, Supervisor

SUPERVISE = """
import asyncio, sys
from pathlib import Path
from hub.core.services import EmbeddedServices
from hub.core.supervisor import Child, Supervisor

async def main(data, *scripts):
    async with Supervisor(name="test", data=data, say=lambda text: print(text, flush=True)) as supervisor:
        if "services" in scripts:
            await supervisor.start_services(EmbeddedServices(data))
        for number, script in enumerate(scripts):
            if script != "services":
                supervisor.start(Child(f"child-{number}", [sys.executable, "-c", script, str(data)], {}, stop_seconds=0.5))
        print("up", flush=True)
        await supervisor.wait()

asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
"""
SLEEPS = "import time, sys; time.sleep(600)"
STUBBORN = (
    "import signal, time, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); open(sys.argv[1] + '.deaf', 'w'); time.sleep(600)"
)
FAMILY = "import subprocess, sys; subprocess.run(['sleep', '600'])"


@pytest.fixture
def data() -> Iterator[Path]:
    """A path nobody else uses; every process of the test carries it in its command line or environment."""
    folder = Path("/tmp") / f"hub-test-{secrets.token_hex(6)}"
    yield folder
    for pid in marked(folder):
        os.kill(pid, signal.SIGKILL)
    if sockets := described(folder).get("sockets"):
        shutil.rmtree(sockets, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_suffix(".deaf").unlink(missing_ok=True)


def marked(data: Path) -> list[int]:
    """Living processes of this test: by the data path on their command line, or the title of the servers."""
    words = (str(data), mark_of(data))
    return [pid for pid in all_pids() if any(word in " ".join(command_line(pid)) for word in words)]


def children(data: Path, script: str) -> list[int]:
    return [pid for pid in marked(data) if command_line(pid)[1:3] == ["-c", script]]


def until(condition: Callable[[], object], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def supervise(data: Path, *scripts: str) -> subprocess.Popen[str]:
    """A supervisor in its own process; returns once it has started its children."""
    process = subprocess.Popen([sys.executable, "-c", SUPERVISE, str(data), *scripts], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line == "up\n":
            break
    for script in scripts:
        if script != "services":
            until(lambda script=script: children(data, script))  # type: ignore[misc]
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_everything(data: Path, number: signal.Signals) -> None:
    """Issue 2: Ctrl-C or SIGTERM leaves no process behind, neither children nor servers, and the exit is clean."""
    with supervise(data, "services", SLEEPS) as process:
        assert any(program_of(pid) == "postgres" for pid in marked(data))
        process.send_signal(number)
        assert process.wait(20) == 0
        assert process.stdout is not None
        assert process.stdout.read().splitlines() == ["child-1 stopped", "stopping PostgreSQL and Valkey"]
    assert marked(data) == []


def test_a_child_that_ignores_the_signal_is_killed_in_time(data: Path) -> None:
    """Issue 2: stopping is bounded; children stop in reverse order of their start."""
    with supervise(data, SLEEPS, STUBBORN) as process:
        until(data.with_suffix(".deaf").exists)
        process.terminate()
        assert process.wait(10) == 0
        assert process.stdout is not None
        said = process.stdout.read().splitlines()
    assert said == ["child-1 did not stop within 0.5 s and is killed", "child-1 stopped", "child-0 stopped"]
    assert marked(data) == []


async def test_a_child_that_ends_is_started_again_with_growing_pauses(tmp_path: Path) -> None:
    """Dependencies 5: the arq worker exits when Redis restarts, so a restart is normal work; it must not become a storm."""
    said: list[str] = []
    seen = tmp_path / "seen"
    script = f"import os; open({str(seen)!r}, 'a').write(os.environ['HUB_TOLD'] + '\\n'); os._exit(3)"
    async with Supervisor(name="test", data=tmp_path, say=said.append) as supervisor:
        supervisor.start(Child("worker", [sys.executable, "-c", script], {"HUB_TOLD": "yes"}))
        await asyncio.wait_for(_until(lambda: len(said) >= 3), 15)
    assert said[:3] == [f"worker ended with exit code 3; next start in {delay} s" for delay in ("0.2", "0.4", "0.8")]
    assert seen.read_text().splitlines() == ["yes"] * 3


async def test_a_child_loads_at_once_and_begins_when_it_may(tmp_path: Path) -> None:
    """A cold start loads modules while servers and schema get ready; after that nobody waits, a restarted child neither."""
    said: list[str] = []
    seen = tmp_path / "seen"
    note = f"open({str(seen)!r}, 'a').write"
    script = f"import os, sys; {note}('loaded '); sys.stdin.read(); {note}('begun '); os._exit(3)"

    def notes() -> str:
        return seen.read_text() if seen.exists() else ""

    async with Supervisor(name="test", data=tmp_path, say=said.append) as supervisor:
        supervisor.start(Child("worker", [sys.executable, "-c", script]))
        await asyncio.wait_for(_until(lambda: notes() == "loaded "), 15)
        await asyncio.sleep(0.2)
        assert notes() == "loaded "
        supervisor.release()
        await asyncio.wait_for(_until(lambda: notes().startswith("loaded begun loaded begun ")), 15)


async def test_killed_servers_and_children_come_back_while_running(data: Path) -> None:
    """Issue 2: after kill -9 of any process, PostgreSQL and Valkey too, the running hub recovers by itself."""
    said: list[str] = []
    async with Supervisor(name="test", data=data, say=said.append) as supervisor:
        await supervisor.start_services(EmbeddedServices(data, say=said.append))
        supervisor.start(Child("web", [sys.executable, "-c", SLEEPS, str(data)]))
        await asyncio.wait_for(_until(lambda: children(data, SLEEPS)), 10)
        victims = [pid for pid in marked(data) if program_of(pid) == "valkey-server" or "-D" in command_line(pid)]
        victims += children(data, SLEEPS)
        assert len(victims) == 3
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        await asyncio.wait_for(_until(lambda: children(data, SLEEPS) and len(said) >= 4), 20)

        def back() -> bool:
            programs = {program_of(pid) for pid in marked(data)}
            return {"postgres", "valkey-server"} <= programs and not set(victims) & set(marked(data))

        await asyncio.wait_for(_until(back), 20)
        assert "worker" not in " ".join(said)
    assert [pid for pid in marked(data) if pid != os.getpid()] == []


def test_a_killed_supervisor_takes_its_children_along(data: Path) -> None:
    """Issue 2: after kill -9 of the supervisor nothing of it lives for ever."""
    with supervise(data, SLEEPS) as process:
        process.kill()
        process.wait()
        until(lambda: not marked(data))


def test_what_survived_a_killed_supervisor_is_ended_by_the_next_one(data: Path) -> None:
    """Issue 2: the next start recovers; a child deaf to SIGTERM and a grandchild are not doubled."""
    with supervise(data, "services", STUBBORN, FAMILY) as process:
        until(data.with_suffix(".deaf").exists)
        orphan = children(data, STUBBORN)[0]
        grandchild = _descendant(children(data, FAMILY)[0])
        process.kill()
        process.wait()
    assert command_line(orphan) and command_line(grandchild)
    with supervise(data, "services", SLEEPS) as process:
        assert not command_line(orphan) and not command_line(grandchild)
        process.terminate()
        assert process.wait(20) == 0
    assert marked(data) == []


def test_the_children_of_a_living_supervisor_are_left_alone(data: Path) -> None:
    """Two hubs on outside servers may run from one folder; the second one must not end the children of the first."""
    with supervise(data, SLEEPS) as first:
        child = children(data, SLEEPS)
        with supervise(data, SLEEPS) as second:
            assert child[0] in children(data, SLEEPS)
            second.terminate()
            assert second.wait(10) == 0
        assert children(data, SLEEPS) == child
        first.terminate()
        assert first.wait(10) == 0


async def _until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - the state of other processes announces itself to nobody
        await asyncio.sleep(0.02)


def _descendant(parent: int) -> int:
    found: list[int] = []

    def look() -> list[int]:
        text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        found[:] = [int(word) for word in text.split()]
        return found

    until(look)
    return found[0]
