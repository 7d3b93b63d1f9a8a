"""`hub demo`: the sample organisation is made once, whatever interrupts it, and each start gives the simulator its memory back."""

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from asgi_lifespan import LifespanManager

from hub.app import Hub
from hub.consent.agreeing.words import is_opt_out
from hub.core import clock
from hub.core.hooks import Hooks
from hub.core.i18n import catalogue
from hub.core.queue import WORKER_ALIVE
from hub.core.services.place import described, mark_of
from hub.core.services.processes import all_pids, command_line
from hub.core.settings import Settings
from hub.listeners import subscribe
from hub.runtime import open_runtime
from hub.sandbox import demo, registry, stories
from hub.sandbox.acts import Album, Answer, Assign, Block, Done, Note, Press, Send, Start, Story, Write
from hub.sandbox.app import Sandbox, create_sandbox_app
from hub.sandbox.demo import starting
from hub.sandbox.registry import find_simulators
from hub.sandbox.sms.simulator import SmsSimulator
from hub.sandbox.telegram.simulator import SAMPLE_TOKEN
from hub.sandbox.telegram.webhook import Options
from tests.sandbox.support import Stage, serve_app, telegram_sandbox

BOT = int(SAMPLE_TOKEN.partition(":")[0])
TELEGRAM = tuple(one for one in stories.STORIES if one.connector == "telegram")
FAST = Options(set_webhook_interval=0)
Row = dict[str, Any]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def ports() -> tuple[int, int]:
    """For the hub and for the simulator."""
    return free_port(), free_port()


@pytest.fixture
def every_messenger() -> None:
    """For tests that want all of them."""


@pytest.fixture(autouse=True)
def _few_messengers(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two are enough for most tests: connecting all of them and playing their stories takes a while."""
    if "every_messenger" in request.fixturenames:
        return
    for name in ("telegram", "sms"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "simulator.py").touch()
    monkeypatch.setattr(registry, "FOLDER", tmp_path)


def at(settings: Settings, ports: tuple[int, int]) -> Settings:
    """The settings of a demo on these ports of the hub and of the simulator, as `hub demo` makes them."""
    hub, simulator = ports
    values = {"port": hub, "public_url": f"http://127.0.0.1:{hub}", "trusted_hosts": frozenset({f"127.0.0.1:{simulator}"})}
    return settings.model_copy(update=values)


@pytest.fixture
def settings(settings: Settings, ports: tuple[int, int]) -> Settings:
    return at(settings, ports)


SAID: Final = "COALESCE(m.client_key, '') NOT LIKE 'campaign-%'"
"""Messages of the stories, and not of a newsletter."""


async def seed(settings: Settings, ports: tuple[int, int], say: demo.Say = lambda _: None) -> None:
    await demo.seed(settings, subscribe(Hooks()), ports[1], say)


async def rows(settings: Settings, statement: str) -> list[Row]:
    """Read as hub_app of the sample organisation."""
    async with open_runtime(settings, Hooks(), pool=1) as runtime:
        async with runtime.database.system() as unit:
            organisation_id = await unit.sql.fetchval("SELECT id FROM organisation WHERE slug = $1", stories.SLUG)
        async with runtime.database.unit_of_work(organisation_id) as unit:
            return [dict(row) for row in await unit.sql.fetch(statement)]


async def threads(settings: Settings) -> dict[str, list[tuple[str, str]]]:
    """What stands in each thread of Telegram beside newsletters, in order: (direction, text or what happened). What is no text is
    "other", an album once; how the inbox shows them is tried there."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in await rows(
        settings,
        f"""
        SELECT i.provider_user_id, m.direction, m.kind, m.text, m.content FROM message m
        JOIN conversation c ON c.organisation_id = m.organisation_id AND c.id = m.conversation_id
        JOIN identity i ON i.organisation_id = c.organisation_id AND i.id = c.identity_id
        JOIN channel h ON h.organisation_id = i.organisation_id AND h.id = i.channel_id AND h.connector = 'telegram'
        WHERE {SAID} ORDER BY i.provider_user_id, m.seq
        """,
    ):
        said = row["content"].get("event") or (row["text"] if row["kind"] in ("text", "note") else "other")
        lines = found.setdefault(row["provider_user_id"], [])
        if row["kind"] != "interactive" and not (said == "other" and lines[-1:] == [("in", "other")]):
            lines.append((row["direction"], said))
    return found


def expected() -> dict[str, list[tuple[str, str]]]:
    """The threads that the stories tell."""
    told: dict[str, list[tuple[str, str]]] = {}
    for story in TELEGRAM:
        lines = told.setdefault(story.address, [])
        is_done = False
        for _, step in story.steps:
            if is_done and isinstance(step, Write | Start | Send | Album):
                lines.append(("event", "reopened"))
                is_done = False
            match step:
                case Write(text):
                    lines.append(("in", text))
                    if is_opt_out(text):
                        receipt = catalogue(story.language)["consent.say.stopped"]
                        lines.append(("out", receipt.format(organisation=stories.ORGANISATION)))
                case Start(payload):
                    lines.append(("in", f"/start {payload}".strip()))
                case Send() | Album():
                    if lines[-1:] != [("in", "other")]:
                        lines.append(("in", "other"))
                case Answer(_, text):
                    lines.append(("out", text))
                case Note(_, text):
                    lines.append(("note", text))
                case Assign():
                    lines.append(("event", "assigned"))
                case Done():
                    lines.append(("event", "done"))
                    is_done = True
                case Block() | Press():
                    continue
    return told


async def test_stories_are_played_over_the_real_road(settings: Settings, ports: tuple[int, int]) -> None:
    """Each line is there once, at the time it is said to have happened, through door, ingest, gate, claim and simulator."""
    await seed(settings, ports)
    assert await threads(settings) == expected()
    states = Counter(
        row["state"] for row in await rows(settings, f"SELECT m.state FROM message m WHERE m.direction = 'out' AND {SAID}")
    )
    assert set(states) <= {"sent", "delivered", "read", "failed", "unknown"} and (states["failed"], states["unknown"]) == (1, 1)
    assert Counter(row["state"] for row in await rows(settings, "SELECT state FROM conversation"))["done"] == 2
    consent = {(row["choice"], row["reach"]) for row in await rows(settings, "SELECT choice, reach FROM consent_state")}
    assert any(choice == "opted_out" for choice, _ in consent) and any(reach == "blocked" for _, reach in consent)
    assert {row["state"] for row in await rows(settings, "SELECT state FROM webhook_delivery")} <= {"applied", "ignored"}
    attempts = await rows(
        settings,
        f"""
        SELECT count(*) AS count FROM attempt a JOIN message_part p ON p.organisation_id = a.organisation_id AND p.id = a.part_id
        JOIN message m ON m.organisation_id = p.organisation_id AND m.id = p.message_id WHERE p.action = 'message' AND {SAID}
        """,
    )
    assert attempts[0]["count"] == sum(states.values())
    late = await rows(
        settings, "SELECT max(abs(extract(epoch FROM arrived_at - at))) AS seconds FROM message WHERE direction = 'in'"
    )
    assert late[0]["seconds"] < 1
    days = {row["day"] for row in await rows(settings, "SELECT DISTINCT at::date AS day FROM message")}
    assert len(days) >= 6
    assert abs(clock.now().timestamp() - time.time()) < 1
    newsletters = await rows(settings, "SELECT state FROM campaign ORDER BY send_at NULLS FIRST")
    assert [row["state"] for row in newsletters] == ["running", "planned"]  # the worker ends it
    rules = {row["rule"] for row in await rows(settings, "SELECT rule FROM campaign_recipient")}
    assert "no_consent" in rules and rules & {"granted", "quiet_hours"}  # by day or by night


@pytest.mark.usefixtures("every_messenger")
async def test_every_messenger_has_its_channel_and_its_stories(settings: Settings, ports: tuple[int, int]) -> None:
    """What a simulator exists for is connected, open and alive; each of its stories is one conversation with all that was said."""
    told: list[str] = []
    await seed(settings, ports, told.append)
    assert [line for line in told if "nicht verbunden" in line] == []
    async with httpx.AsyncClient() as http:
        simulated = {one.connector for one in find_simulators(http)}
    channels = await rows(settings, "SELECT connector, state FROM channel")
    assert {row["connector"] for row in channels} == simulated | {"webchat"} and {row["state"] for row in channels} == {"on"}
    found = await rows(
        settings,
        """
        SELECT h.connector, array_agg(m.text ORDER BY m.seq) AS texts
        FROM message m
        JOIN conversation c ON c.organisation_id = m.organisation_id AND c.id = m.conversation_id
        JOIN channel h ON h.organisation_id = c.organisation_id AND h.id = c.channel_id
        WHERE m.kind = 'text' AND m.direction <> 'event' AND h.connector <> 'telegram' GROUP BY h.connector, c.id
        """,
    )
    said = [(one.connector, [step.text for _, step in one.steps if isinstance(step, Write | Answer)]) for one in stories.STORIES]
    assert sorted((row["connector"], row["texts"]) for row in found) == sorted(
        (connector, texts) for connector, texts in said if connector != "telegram"
    )
    assert {connector for connector, _ in said} == simulated | {"webchat"}
    async with running(settings, ports, create_sandbox_app()):  # the next start: simulators that know nothing
        await demo.prepare(settings, ports[1], told.append)
    assert [line for line in told if "nicht verbunden" in line] == []


async def test_a_messenger_that_fails_stops_no_other(
    settings: Settings, ports: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named in words, its stories are left out, and the demo goes on."""
    monkeypatch.setattr(SmsSimulator, "sample_settings", lambda *_: {})
    told: list[str] = []
    await seed(settings, ports, told.append)
    assert [line for line in told if line.startswith("SMS ist nicht verbunden: ")]
    assert await threads(settings) == expected()
    assert await rows(settings, "SELECT id FROM channel WHERE connector = 'sms'") == []


async def test_seeding_twice_changes_nothing(settings: Settings, ports: tuple[int, int]) -> None:
    await seed(settings, ports)
    audit = await rows(settings, "SELECT count(*) AS count FROM audit_entry")
    told: list[str] = []
    await seed(settings, ports, told.append)
    assert told == []
    assert await threads(settings) == expected()
    assert await rows(settings, "SELECT count(*) AS count FROM audit_entry") == audit


@pytest.mark.parametrize("after", [1, 2, 4])
async def test_an_interrupted_start_goes_on_where_it_was(settings: Settings, ports: tuple[int, int], after: int) -> None:
    """Killed before anything, after the organisation, or between two steps: the next start completes it, nothing is there twice."""

    class Killed(Exception):
        pass

    told: list[str] = []

    def say(text: str) -> None:
        told.append(text)
        if len(told) == after:
            raise Killed

    with pytest.raises(Killed):
        await seed(settings, ports, say)
    assert abs(clock.now().timestamp() - time.time()) < 1
    await seed(settings, ports)
    assert await threads(settings) == expected()
    people = await rows(settings, "SELECT p.email, m.role FROM member m JOIN person p ON p.id = m.person_id ORDER BY m.created_at")
    assert sorted((row["email"], row["role"]) for row in people) == sorted((one.email, one.role) for one in stories.COLLEAGUES)
    assert set(Counter(row["connector"] for row in await rows(settings, "SELECT connector FROM channel")).values()) == {1}


async def test_a_taken_port_is_named(settings: Settings, ports: tuple[int, int]) -> None:
    with socket.create_server(("127.0.0.1", ports[1])), pytest.raises(demo.DemoFailed, match=f"Port {ports[1]} ist belegt"):
        await seed(settings, ports)


@contextlib.asynccontextmanager
async def running(settings: Settings, ports: tuple[int, int], sandbox: Sandbox | None = None) -> AsyncIterator[Stage]:
    """The hub's web process and the simulators (Telegram's alone by default) at their ports; a worker is said to sweep."""
    app, stage = Hub(settings), Stage()
    stage.app = sandbox or telegram_sandbox(FAST)
    async with LifespanManager(app), serve_app(app, ports[0]), serve_app(stage, ports[1]):
        await app.web.state.runtime.queue.redis.set(WORKER_ALIVE, b"1", ex=60)
        yield stage
        await stop(stage)


async def stop(stage: Stage) -> None:
    await stage.app.stop()  # type: ignore[union-attr]


async def control(ports: tuple[int, int], path: str) -> Any:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"http://127.0.0.1:{ports[1]}/control{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def phone(ports: tuple[int, int], story: Story) -> list[tuple[str, str]]:
    chat = await control(ports, f"/bots/{BOT}/chats/{story.address}")
    return [(line["from"], (line["message"] or {}).get("text", "")) for line in chat["entries"]]


def story(first_name: str) -> Story:
    return next(one for one in stories.STORIES if one.first_name == first_name)


async def test_prepare_twice(settings: Settings, ports: tuple[int, int]) -> None:
    """The simulator knows people, chats and webhook again; the terminal says where, as whom and what to try; repeating changes
    nothing."""
    await seed(settings, ports)
    async with running(settings, ports):
        for _ in range(2):
            told: list[str] = []
            await demo.prepare(settings, ports[1], told.append)
            for shown in (
                f"http://127.0.0.1:{ports[0]}/",
                f"http://127.0.0.1:{ports[1]}/",
                stories.PASSWORD,
                *(one.email for one in stories.COLLEAGUES),
            ):
                assert shown in told[-1]
        seen = await control(ports, "")
        assert [bot["webhook"]["url"].rpartition("/")[0] for bot in seen["bots"]] == [f"http://127.0.0.1:{ports[0]}/hooks/telegram"]
        assert sorted(one["id"] for one in seen["people"]) == sorted(int(one.address) for one in TELEGRAM)
        aylin = await phone(ports, story("Aylin"))
        assert aylin == [
            ("person" if isinstance(step, Write | Start) else "bot", "/start" if isinstance(step, Start) else step.text)
            for _, step in story("Aylin").steps
            if isinstance(step, Write | Start | Answer)
        ]
        assert (await phone(ports, story("Nina")))[-1][0] == "bot"  # lost on the way back, but it did arrive
        assert (await control(ports, f"/bots/{BOT}/chats/{story('Florian').address}"))["is_blocked"] is True
        assert (await control(ports, f"/bots/{BOT}"))["webhook"]["pending_update_count"] == 0
    assert await threads(settings) == expected()
    open_sessions = await _living_sessions(settings)
    assert open_sessions == 0


async def _living_sessions(settings: Settings) -> int:
    async with open_runtime(settings, Hooks(), pool=1) as runtime, runtime.database.system() as unit:
        count: int = await unit.sql.fetchval(
            "SELECT count(*) FROM login_session WHERE ended_at IS NULL AND expires_at > $1", clock.now()
        )
    return count


async def test_a_closed_channel_stays_closed(settings: Settings, ports: tuple[int, int]) -> None:
    """What was switched off while playing is not opened by the next start; it still receives."""
    await seed(settings, ports)
    async with running(settings, ports):
        await demo.prepare(settings, ports[1], lambda _: None)
        await _execute(settings, "UPDATE channel SET state = 'off'")
        told: list[str] = []
        await demo.prepare(settings, ports[1], told.append)
        assert any("bleibt es" in one for one in told)
        assert (await control(ports, f"/bots/{BOT}"))["webhook"]["url"]
    assert {row["state"] for row in await rows(settings, "SELECT state FROM channel")} == {"off"}


async def _execute(settings: Settings, statement: str) -> None:
    async with open_runtime(settings, Hooks(), pool=1) as runtime:
        async with runtime.database.system() as unit:
            organisation_id = await unit.sql.fetchval("SELECT id FROM organisation WHERE slug = $1", stories.SLUG)
        async with runtime.database.unit_of_work(organisation_id) as unit:
            await unit.sql.execute(statement)


async def test_another_port_is_no_other_demo(settings: Settings, ports: tuple[int, int]) -> None:
    """The same data with another HUB_PORT: the channel follows the simulator."""
    await seed(settings, ports)
    moved = free_port(), free_port()
    later = at(settings, moved)
    async with running(later, moved):
        await demo.prepare(later, moved[1], lambda _: None)
        assert (await control(moved, f"/bots/{BOT}"))["webhook"]["url"].startswith(f"http://127.0.0.1:{moved[0]}/")


async def test_a_restarted_simulator_gets_its_memory_back(
    settings: Settings, ports: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process was killed and started again while the demo runs: people and chats return without a restart of the demo."""
    monkeypatch.setattr(starting, "KEEP_SECONDS", 0.02)
    await seed(settings, ports)
    async with running(settings, ports) as stage:
        await demo.prepare(settings, ports[1], lambda _: None)
        await stop(stage)
        stage.app = telegram_sandbox(FAST)
        again = asyncio.Event()
        keeping = asyncio.create_task(demo.keep(settings, ports[1], lambda _: again.set()))
        async with asyncio.timeout(10):
            await again.wait()
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        assert len(await phone(ports, story("Aylin"))) == 6
        assert (await control(ports, f"/bots/{BOT}"))["webhook"]["url"]


# The whole program


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder nobody else uses; every process of the test carries it in its environment or its title."""
    folder = Path("/tmp") / f"hub-demo-{secrets.token_hex(6)}"
    yield folder
    for pid in living(folder):
        os.kill(pid, signal.SIGKILL)
    if sockets := described(folder).get("sockets"):
        shutil.rmtree(sockets, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def living(data: Path) -> list[int]:
    """Processes of this demo: of the hub by their environment, the servers by their title."""
    return [pid for pid in all_pids() if _has(pid, str(data)) or mark_of(data) in " ".join(command_line(pid))]


def _has(pid: int, data: str) -> bool:
    try:
        return f"HUB_DATA={data}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except (PermissionError, FileNotFoundError, ProcessLookupError):
        return False


class Demo:
    """A running `hub demo`."""

    def __init__(self, data: Path, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        env = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        env |= {"HUB_DATA": str(data), "HUB_PORT": str(port)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hub", "demo"], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def ready(self) -> str:
        """What it said until it had said everything."""
        told = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told.append(line)
            if line.startswith("  Strg-C"):
                return "".join(told)
        raise AssertionError("".join(told))

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        with contextlib.closing(self.process.stdout):  # type: ignore[type-var]
            return self.process.wait(20)

    def names_in_the_inbox(self) -> set[str]:
        """Who is in the list of open conversations, as a person who logs in sees it."""
        with httpx.Client(base_url=self.address, trust_env=False, follow_redirects=True, headers={"accept": "text/html"}) as http:
            assert http.get("/readyz").status_code == 200
            form = {"email": stories.JONAS.email, "password": stories.PASSWORD}
            assert http.post("/login", data=form).status_code == 200
            page = http.get(f"/o/{stories.SLUG}/inbox/open")
            assert page.status_code == 200
        return {
            name
            for name in (f"{one.first_name} {one.last_name}" for one in stories.STORIES)
            if re.search(re.escape(name), page.text)
        }


@pytest.mark.timeout(85)
def test_the_program(data: Path) -> None:
    """Issue 1: one command reaches a working inbox. A signal leaves no process; the second start keeps the data; a supervisor that
    was killed costs the next start nothing."""
    while (port := free_port()) > 65_000:
        continue
    demo_ = Demo(data, port)
    assert stories.PASSWORD in demo_.ready()
    first = demo_.names_in_the_inbox()
    assert {"Deniz Arslan", "Aylin Yıldırım", "Gerda Ammann"} <= first
    assert demo_.end(signal.SIGTERM) == 0
    assert living(data) == []

    demo_ = Demo(data, port)
    assert "Beispieldaten" not in demo_.ready()
    assert demo_.names_in_the_inbox() == first
    demo_.end(signal.SIGKILL)

    demo_ = Demo(data, port)
    demo_.ready()
    assert demo_.names_in_the_inbox() == first
    assert demo_.end(signal.SIGINT) == 0
    assert living(data) == []
