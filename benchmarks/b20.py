"""B20: nothing is lost. `hub serve` under load, while its processes are killed and its servers stopped.

Webhooks come in and answers go out to the simulator all the time. After the last round every webhook that was answered 200 must be
one message, and no answer may be on a phone twice. `tests/long/test_kill.py` asserts what is only counted here.
"""

import asyncio
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import asyncpg
import httpx
from redis.exceptions import RedisError

from benchmarks.b3 import TOKEN, people_at_the_simulator
from benchmarks.load import FIRST_NUMBER, FIRST_PERSON, Job, Target
from benchmarks.place import Child, Generator, Place, Shop, free_port, wait_for
from benchmarks.report import Figure, Section
from hub.core.db import STORE_TROUBLE
from hub.core.hooks import Hooks
from hub.core.services import running_urls
from hub.core.services.place import described, mark_of
from hub.core.services.processes import all_pids, command_line, find, owner_of, send
from hub.core.settings import Settings
from hub.inbox.sending import outbound
from hub.listeners import subscribe
from hub.runtime import Runtime, open_runtime

KINDS: Final = ("web", "worker", "postgres", "valkey", "serve", "postgres stopped", "valkey stopped")
"""What happens in a round: SIGKILL to that process (`serve`: the supervisor itself), or a server told to stop."""
PEOPLE: Final = 40
WEBHOOKS_PER_TICK: Final = 15
TICK_SECONDS: Final = 0.05
ANSWER_EVERY_SECONDS: Final = 0.05
CALM_SECONDS: Final = 1.5
"""Load before each blow."""
READY_SECONDS: Final = 60.0
REST_SECONDS: Final = 120.0
DOWN_SECONDS: Final = 1.5
DOWN: Final[tuple[type[Exception], ...]] = (RedisError, *STORE_TROUBLE)


@dataclass
class Losses:
    """What was counted after all rounds."""

    rounds: list[str] = field(default_factory=list)
    accepted: int = 0
    missing: int = 0
    """Webhooks answered 200 without a message."""
    doubled: int = 0
    """Webhooks with more than one message."""
    refused: Counter[int] = field(default_factory=Counter)
    """Answers but 200, by status; 0: the connection was cut off."""
    while_down: Counter[int] = field(default_factory=Counter)
    """Answers of the door while PostgreSQL was held down."""
    submitted: int = 0
    on_phones: int = 0
    twice: int = 0
    """Answers that are on a phone more than once."""
    only_claimed: int = 0
    """Answers that the hub calls sent and no phone has."""
    unmarked: int = 0
    """Answers on a phone that the hub calls neither sent nor unknown."""
    unknown: int = 0
    back_seconds: list[float] = field(default_factory=list)
    """From each blow until the hub said again that it is ready."""


class Served:
    """`hub serve` on a data folder of its own."""

    def __init__(self, place: Place) -> None:
        self.data = place.folder / "served"
        self.port = free_port()
        self._place = place
        self._environment = {
            "HUB_DATA": str(self.data),
            "HUB_PORT": str(self.port),
            "HUB_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "HUB_TRUSTED_HOSTS": f"127.0.0.1:{place.sandbox_port}",
            "HUB_LOG_LEVEL": "WARNING",
        }
        self._serve: Child

    def start(self) -> None:
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        self._serve = Child("serve", ["hub", "serve"], self._environment, self._place.folder)

    def stop(self) -> None:
        self._serve.stop()

    def wait_until_ready(self) -> None:
        wait_for(f"http://127.0.0.1:{self.port}/readyz", self._serve, READY_SECONDS)

    def settings(self) -> Settings:
        urls = running_urls(self.data)
        return Settings(
            data=self.data,
            database_url=urls.database_url,
            database_admin_url=urls.admin_url,
            redis_url=urls.redis_url,
            port=self.port,
            public_url=f"http://127.0.0.1:{self.port}",
            trusted_hosts=self._environment["HUB_TRUSTED_HOSTS"],
        )

    def strike(self, kind: str) -> None:
        """Let the round's event happen."""
        number = signal.SIGKILL
        if kind.endswith("stopped"):
            number = signal.SIGINT if kind.startswith("postgres") else signal.SIGTERM
        if kind == "serve":
            self._serve.process.kill()
            self._serve.process.wait()
            self.launch()
            return
        for pid in self._pids(kind.partition(" ")[0]):
            send(pid, number)

    def _pids(self, name: str) -> list[int]:
        if name in ("web", "worker"):
            ending = ["-m", "hub", name, "--wait"]
            mine = [pid for pid in all_pids() if command_line(pid)[1:] == ending and _parent(pid) == self._serve.pid]
            assert len(mine) == 1, (name, mine)
            return mine
        home = Path(described(self.data)["home"])
        cluster = home / "postgres"
        if name == "postgres":
            return [int((cluster / "postmaster.pid").read_text().split()[0])]
        owner = owner_of(int((cluster / "postmaster.pid").read_text().split()[0]))
        assert owner is not None
        return find("valkey-server", mark_of(home), owner)

    def hold_down_and_ask(self, target: Target) -> Counter[int]:
        """Kill PostgreSQL while the supervisor may not repair, and ask the door meanwhile."""
        send(self._serve.pid, signal.SIGSTOP)
        try:
            self.strike("postgres")
            time.sleep(0.3)
            statuses: Counter[int] = Counter()
            end = time.monotonic() + DOWN_SECONDS
            while time.monotonic() < end:
                statuses[self._ask(target)] += 1
                time.sleep(0.02)
        finally:
            send(self._serve.pid, signal.SIGCONT)
        return statuses

    def _ask(self, target: Target) -> int:
        request = Request(
            f"http://127.0.0.1:{self.port}{target.path}",
            data=b'{"update_id": 1, "poll_answer": {}}',
            headers={"x-telegram-bot-api-secret-token": target.secret, "content-type": "application/json"},
        )
        try:
            with urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code
        except OSError:
            return 0


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


async def kill_rounds(place: Place, rounds: int, seed: int = 1) -> Losses:
    """Strike `rounds` times under load and count. Needs the simulator running."""
    losses = Losses()
    people = [FIRST_PERSON + number for number in range(PEOPLE)]
    await people_at_the_simulator(place, people)
    served = Served(place)
    await asyncio.to_thread(served.start)
    try:
        async with open_runtime(served.settings(), subscribe(Hooks()), pool=4) as runtime:
            shop = await place.found(runtime, "shop", channels=1, token=TOKEN)
            await _sql(runtime, shop, "UPDATE channel SET per_second = 1000")
            await _run(place, served, runtime, shop, people, rounds, random.Random(seed), losses)
    finally:
        await asyncio.to_thread(served.stop)
    return losses


async def _run(
    place: Place,
    served: Served,
    runtime: Runtime,
    shop: Shop,
    people: list[int],
    rounds: int,
    chance: random.Random,
    losses: Losses,
) -> None:
    generator = await Generator.start(
        Job(served.port, shop.targets, "window", 3600.0, people=len(people), connections=8, again=True)
    )  # fmt: skip
    reading = asyncio.create_task(generator.outcome())
    over = asyncio.Event()
    feeding = asyncio.create_task(_feed(generator, over))
    await _until(runtime, shop, "SELECT count(*) >= $1 FROM conversation", len(people))
    answering = asyncio.create_task(_answer(runtime, shop, over, losses))
    kinds: list[str] = []
    for _ in range(rounds):
        if not kinds:
            kinds = chance.sample(KINDS, len(KINDS))
        kind = kinds.pop()
        losses.rounds.append(kind)
        await asyncio.sleep(CALM_SECONDS * chance.uniform(0.5, 1.5))
        struck = time.monotonic()
        await asyncio.to_thread(served.strike, kind)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(served.wait_until_ready)
        losses.back_seconds.append(time.monotonic() - struck)
    losses.while_down = await asyncio.to_thread(served.hold_down_and_ask, shop.targets[0])
    await asyncio.to_thread(served.wait_until_ready)
    await asyncio.sleep(CALM_SECONDS)
    over.set()
    await answering
    await feeding
    outcome = await reading
    losses.refused = Counter(status for _, status in outcome.refused_at)
    await _until(runtime, shop, "SELECT NOT EXISTS (SELECT FROM webhook_delivery WHERE state = 'received')")
    await _until(runtime, shop, "SELECT NOT EXISTS (SELECT FROM message WHERE state IN ('queued', 'sending'))")
    await _count_in(runtime, shop, outcome.accepted, losses)
    await _count_out(place, runtime, shop, people, losses)


async def _feed(generator: Generator, over: asyncio.Event) -> None:
    """Let the generator send a few more every tick; at the end it hears so and finishes what was refused."""
    limit = FIRST_NUMBER
    while not over.is_set():
        limit += WEBHOOKS_PER_TICK
        generator.tell(str(limit))
        await asyncio.sleep(TICK_SECONDS)
    generator.close()


async def _answer(runtime: Runtime, shop: Shop, over: asyncio.Event, losses: Losses) -> None:
    """Answer people one after the other. A submit that failed is repeated with its key, as a page does."""
    rows = await _sql(runtime, shop, "SELECT id FROM conversation ORDER BY id")
    while not over.is_set():
        number = losses.submitted
        conversation_id = rows[number % len(rows)]["id"]
        try:
            await outbound.submit(
                runtime, shop.access, conversation_id, text=f"Antwort {number}", client_key=f"answer-{number}"
            )  # fmt: skip
        except DOWN:
            await asyncio.sleep(0.1)
            continue
        losses.submitted += 1
        await asyncio.sleep(ANSWER_EVERY_SECONDS)


async def _sql(runtime: Runtime, shop: Shop, statement: str, *values: object) -> list[asyncpg.Record]:
    async with runtime.database.unit_of_work(shop.organisation_id) as unit:
        rows: list[asyncpg.Record] = await unit.sql.fetch(statement, *values)
    return rows


async def _until(runtime: Runtime, shop: Shop, question: str, *values: object) -> None:
    deadline = time.monotonic() + REST_SECONDS
    while True:
        try:
            if (await _sql(runtime, shop, question, *values))[0][0]:
                return
        except DOWN:
            pass
        if time.monotonic() > deadline:
            raise AssertionError(f"never true: {question}")
        await asyncio.sleep(0.2)


async def _count_in(runtime: Runtime, shop: Shop, accepted: list[int], losses: Losses) -> None:
    rows = await _sql(runtime, shop, "SELECT sequence, count(*) AS n FROM message WHERE direction = 'in' GROUP BY 1")
    stored = {row["sequence"]: row["n"] for row in rows}
    losses.accepted = len(accepted)
    losses.missing = sum(number not in stored for number in accepted)
    losses.doubled = sum(count > 1 for count in stored.values())


async def _count_out(place: Place, runtime: Runtime, shop: Shop, people: list[int], losses: Losses) -> None:
    bot = TOKEN.partition(":")[0]
    phones: Counter[str] = Counter()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{place.sandbox_port}/control", trust_env=False) as control:
        for person in people:
            chat = (await control.get(f"/bots/{bot}/chats/{person}")).json()
            phones.update(entry["message"]["text"] for entry in chat["entries"] if entry["from"] == "bot")
    states = {
        row["text"]: row["state"] for row in await _sql(runtime, shop, "SELECT text, state FROM message WHERE direction = 'out'")
    }
    losses.on_phones = sum(phones.values())
    losses.twice = sum(count > 1 for count in phones.values())
    losses.only_claimed = sum(state == "sent" and not phones[text] for text, state in states.items())
    losses.unmarked = sum(states[text] not in ("sent", "unknown") for text in phones)
    losses.unknown = sum(state == "unknown" for state in states.values())
    assert len(states) == losses.submitted


async def measure(place: Place, *, quick: bool) -> Section:
    """All of B20."""
    section = Section("b20", "B20 Nothing is lost")
    rounds = 3 if quick else 20
    place.start_sandbox()
    section.note_load()
    losses = await kill_rounds(place, rounds)
    not_503 = sum(losses.while_down.values()) - losses.while_down[503]
    section.figures = [
        Figure("webhooks answered 200 without a message", [losses.missing], goal=0, better="less"),
        Figure("webhooks with two messages", [losses.doubled], goal=0, better="less"),
        Figure("answers of the door but 503 while PostgreSQL was down", [not_503], goal=0, better="less"),
        Figure("answers twice on a phone", [losses.twice], goal=0, better="less"),
        Figure("answers called sent that no phone has", [losses.only_claimed], goal=0, better="less"),
        Figure("answers on a phone that are neither sent nor unknown", [losses.unmarked], goal=0, better="less"),
        Figure("answers left unknown, for a person to decide", [losses.unknown]),
        Figure("from the blow until all is ready again", losses.back_seconds, "s", digits=1),
    ]
    happened = ", ".join(f"{kind} {count}" for kind, count in sorted(Counter(losses.rounds).items()))
    refused = ", ".join(f"{status or 'cut off'} {count:,}" for status, count in sorted(losses.refused.items()))
    section.notes = [
        f"{rounds} rounds on `hub serve` ({happened}); kill -9 where nothing else is said, `serve` is the supervisor itself.",
        f"{losses.accepted:,} webhooks were answered 200; refused and sent again by the generator: {refused or 'none'}.",
        f"{losses.submitted:,} answers were submitted, {losses.on_phones:,} are on phones.",
        f"After the rounds PostgreSQL was held down; the door was asked {sum(losses.while_down.values())} times.",
    ]
    return section
