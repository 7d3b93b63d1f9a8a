"""`hub demo`: a sample organisation whose customers live in the Telegram simulator. `stories.py` says what happened there.

    seed      once, before any other process of the hub runs: the stories are played over the real road, at their own times
    prepare   at each start: wait for hub and simulator, give the simulator its memory back, open the channel, say how to begin
    keep      for as long as the demo runs: a simulator that had to be started again gets its memory back too

The simulator forgets everything when its process ends; the hub's own records say what it knew. An interrupted `seed` goes on
where it was: each step of a story leaves one line in its thread, and the lines are counted.
"""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
import uvicorn
from sqlalchemy.exc import DBAPIError

from hub.channels import service as channels
from hub.channels.accounts import ACCOUNT_COLUMNS, open_channel
from hub.connectors.http import connector_client
from hub.core import clock, ids
from hub.core.clock import FakeClock
from hub.core.db import UnitOfWork
from hub.core.errors import HubError
from hub.core.hooks import Hooks
from hub.core.i18n import Translator
from hub.core.settings import Settings
from hub.inbox import dispatch, ingest, outbound, service
from hub.inbox.door import Door
from hub.organisations import audit, sessions
from hub.organisations import service as organisations
from hub.organisations.access import Access
from hub.runtime import Runtime, open_runtime
from hub.sandbox import stories
from hub.sandbox.app import Sandbox, create_sandbox_app
from hub.sandbox.stories import Answer, Assign, Block, Colleague, Done, Note, Send, Start, Step, Story, Write

Say = Callable[[str], None]

CONNECTOR: Final = "telegram"
BOT_ID: Final = int(stories.BOT_TOKEN.partition(":")[0])
READY_SECONDS: Final = 120.0
DELIVERY_SECONDS: Final = 20.0
ASK_SECONDS: Final = 0.2
KEEP_SECONDS: Final = 2.0
REMEMBERED: Final = 200
"""Messages of one chat that the simulator gets back."""
FOUNDED_BEFORE: Final = timedelta(days=7)
SEEDED: Final = "demo.seeded"
"""The audit entry that says: all stories have been played."""


PASSING: Final = (httpx.HTTPError, OSError, HubError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What happens while something is being started again: the next look tries anew."""


class DemoFailed(HubError):
    """The demo cannot be prepared; the message is for the person at the terminal."""

    code = "demo_failed"


@dataclass(frozen=True, slots=True)
class Place:
    """The sample organisation and its channel."""

    organisation_id: UUID
    channel_id: UUID


def _words() -> Translator:
    """German: the first language of the product."""
    return Translator("de")


# The simulator, as its phone page sees it


class Simulator:
    """The control API of the simulator."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def has_bot(self) -> bool:
        """Whether the bot of the demo is there. Raises httpx.TransportError while the simulator does not answer."""
        answer = await self._ask("GET", "/control")
        return any(bot["id"] == BOT_ID for bot in answer["bots"])

    async def create_bot(self) -> None:
        bot = {"token": stories.BOT_TOKEN, "name": stories.ORGANISATION, "username": stories.BOT_USERNAME}
        await self._ask("POST", "/control/bots", bot)

    async def create_person(self, person: dict[str, Any]) -> None:
        await self._ask("POST", "/control/people", person)

    async def restore(self, person: int, messages: list[dict[str, Any]], is_blocked: bool) -> None:
        """Give a chat its past, unless something was said in it already."""
        chat = f"/control/bots/{BOT_ID}/chats/{person}"
        if not (await self._ask("GET", chat))["entries"]:
            await self._ask("PUT", chat, {"messages": messages, "is_blocked": is_blocked})

    async def act(self, person: int, what: str, body: dict[str, Any]) -> None:
        """Something a person does, and until the hub has got to know it."""
        await self._ask("POST", f"/control/bots/{BOT_ID}/chats/{person}/{what}", body)
        end = time.monotonic() + DELIVERY_SECONDS
        while (await self._ask("GET", f"/control/bots/{BOT_ID}"))["webhook"]["pending_update_count"]:
            if time.monotonic() > end:
                raise DemoFailed(_words()("sandbox.demo.undelivered"))
            await asyncio.sleep(0.002)

    async def set_fault(self, fault: dict[str, Any]) -> None:
        await self._ask("PUT", f"/control/bots/{BOT_ID}/faults", fault)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = await self._http.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json()


async def _give_memory(runtime: Runtime, place: Place, simulator: Simulator) -> None:
    """Bot, people and chats as the hub's records know them. Safe to repeat."""
    await simulator.create_bot()
    known: dict[int, dict[str, Any]] = {story.id: _person_of(story) for story in stories.STORIES}
    async with runtime.database.unit_of_work(place.organisation_id) as unit:
        rows = await unit.sql.fetch(
            """
            SELECT i.provider_user_id, i.display_name, i.username, i.language, c.id AS conversation_id,
                   COALESCE(s.reach = 'blocked', false) AS is_blocked
            FROM identity i
            JOIN conversation c ON c.organisation_id = i.organisation_id AND c.identity_id = i.id
            LEFT JOIN consent_state s ON s.organisation_id = i.organisation_id AND s.messenger = $3 AND s.scope = ''
                 AND s.address = i.provider_user_id
            WHERE i.organisation_id = $1 AND i.channel_id = $2 ORDER BY i.created_at, i.id
            """,
            place.organisation_id,
            place.channel_id,
            CONNECTOR,
        )
        chats = [(int(row["provider_user_id"]), row, await _past(unit, row["conversation_id"])) for row in rows]
    for number, row, _ in chats:
        first, _, last = row["display_name"].partition(" ")
        told = {"first_name": first[:64], "last_name": last[:64] or None, "username": row["username"] or None}
        known.setdefault(number, {"id": number, "language_code": row["language"] or None} | told)
    for person in known.values():
        await simulator.create_person(person)
    for number, row, past in chats:
        await simulator.restore(number, past, row["is_blocked"])


def _person_of(story: Story) -> dict[str, Any]:
    names = {"first_name": story.first_name, "last_name": story.last_name, "username": story.username}
    return {"id": story.id, "language_code": story.language} | names


async def _past(unit: UnitOfWork, conversation_id: UUID) -> list[dict[str, Any]]:
    """What the simulator knew of a chat. A message that may have arrived without its number coming back gets a free one near
    its place: it did appear on the phone."""
    rows = await unit.sql.fetch(
        """
        SELECT direction, kind, text, content, at, sequence FROM message
        WHERE organisation_id = $1 AND conversation_id = $2
          AND (direction = 'in' OR direction = 'out' AND state IN ('accepted', 'sent', 'delivered', 'read', 'unknown'))
        ORDER BY at DESC, sequence DESC, seq DESC LIMIT $3
        """,
        unit.tenant,
        conversation_id,
        REMEMBERED,
    )
    taken = {row["sequence"] for row in rows}
    number, past = 0, []
    for row in reversed(rows):
        number = row["sequence"] or number + 1
        while not row["sequence"] and number in taken:
            number += 1
        taken.add(number)
        is_text = row["kind"] == "text" and row["text"]
        content = {"text": row["text"]} if is_text else {"content": {row["content"].get("kind", "text"): {}}}
        from_bot = row["direction"] == "out"
        past.append({"message_id": number, "date": int(row["at"].timestamp()), "from_bot": from_bot, **content})
    return past


# Once: play the stories


class _Server(uvicorn.Server):
    """A server inside this process, which keeps its own signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def seed(settings: Settings, hooks: Hooks, sandbox_port: int, say: Say) -> None:
    """Found the sample organisation and play its stories, unless that was done before. Nothing else of the hub may run meanwhile:
    for this process the time is that of the stories, which would not be so for others.

    Raises DemoFailed when a port of the demo is taken.
    """
    t = _words()
    with _listen(settings.host, settings.port), _listen("127.0.0.1", sandbox_port) as listener:
        async with open_runtime(settings, hooks, pool=4, door_pool=2) as runtime:
            if await _is_seeded(runtime):
                return
            say(t("sandbox.demo.seeding"))
            now = clock.now()
            story_clock = FakeClock(now - FOUNDED_BEFORE)
            clock.set_clock(story_clock)
            try:
                async with _playing(runtime, listener) as simulator:
                    await _Stage(runtime, simulator, sandbox_port, say).play(now, story_clock)
            finally:
                clock.set_clock(None)


@contextlib.contextmanager
def _listen(host: str, port: int) -> Generator[socket.socket, None, None]:
    try:
        listener = socket.create_server((host, port))
    except OSError:
        raise DemoFailed(_words()("sandbox.demo.port_taken", port=port)) from None
    with listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio sets it only on sockets it made itself
        yield listener


@contextlib.asynccontextmanager
async def _playing(runtime: Runtime, listener: socket.socket) -> AsyncIterator[Simulator]:
    """A simulator in this process behind a real socket; its updates go through the hub's door."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Door(runtime))) as to_hub:
        sandbox = create_sandbox_app(http=to_hub)
        server = _Server(uvicorn.Config(sandbox, lifespan="off", log_level="critical", ws="none", timeout_graceful_shutdown=1))
        running = asyncio.create_task(server.serve([listener]))
        try:
            async with _control(sandbox) as http:
                yield Simulator(http)
        finally:
            server.should_exit = True
            await sandbox.stop()
            await running


def _control(sandbox: Sandbox) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(sandbox), base_url="http://127.0.0.1")


async def _organisation(runtime: Runtime) -> UUID | None:
    async with runtime.database.system() as unit:
        found: UUID | None = await unit.sql.fetchval("SELECT id FROM organisation WHERE slug = $1", stories.SLUG)
    return found


async def _is_seeded(runtime: Runtime) -> bool:
    organisation_id = await _organisation(runtime)
    if organisation_id is None:
        return False
    async with runtime.database.unit_of_work(organisation_id) as unit:
        return bool(
            await unit.sql.fetchval(
                "SELECT true FROM audit_entry WHERE organisation_id = $1 AND action = $2 LIMIT 1", unit.tenant, SEEDED
            )
        )


class _Stage:
    """Where the stories are played."""

    def __init__(self, runtime: Runtime, simulator: Simulator, sandbox_port: int, say: Say) -> None:
        self._runtime = runtime
        self._simulator = simulator
        self._sandbox_port = sandbox_port
        self._say = say
        self._worker_id = ids.new_id()
        self._clients = dispatch.Clients(runtime.settings.trusted_hosts, at_once=2)

    async def play(self, now: Any, story_clock: FakeClock) -> None:
        """Everything that has not happened yet, each step at its own time."""
        runtime, t = self._runtime, _words()
        try:
            people = await _people(runtime)
            place = await _channel(runtime, people[stories.OWNER], self._sandbox_port)
            await _give_memory(runtime, place, self._simulator)
            await channels.switch_on(runtime, people[stories.OWNER], place.channel_id)
            await self._settle(place)
            done = {story.id: await _lines(runtime, place, story) for story in stories.STORIES}
            steps = list(stories.in_order(now))
            for count, (at, story, number, step) in enumerate(steps):
                if count % 20 == 0:
                    self._say(t("sandbox.demo.played", count=count, all=len(steps)))
                if number >= done[story.id]:
                    story_clock.set(at)
                    await self._step(place, people, story, number, step)
            story_clock.set(now)
            async with runtime.database.unit_of_work(place.organisation_id) as unit:
                await audit.record(unit, None, SEEDED, stories.SLUG, {})
        finally:
            await self._clients.close()

    async def _step(self, place: Place, people: dict[Colleague, Access], story: Story, number: int, step: Step) -> None:
        if isinstance(step, Write | Start | Send | Block):
            what, body = _told(step)
            await self._simulator.act(story.id, what, body | {"date": int(clock.now().timestamp())})
            await self._settle(place)
            return
        author, runtime = people[step.author], self._runtime
        conversation_id = await _conversation(runtime, place, story)
        await service.mark_read(runtime, author, conversation_id)
        match step:
            case Answer():
                if step.fault is not None:
                    await self._simulator.set_fault(step.fault)
                client_key = f"demo-{story.id}-{number}"
                await outbound.submit(runtime, author, conversation_id, text=step.text, client_key=client_key)
                await self._settle(place)
            case Note():
                await service.add_note(runtime, author, conversation_id, step.text)
            case Assign():
                await service.assign(runtime, author, conversation_id, people[step.to].member_id)
            case Done():
                await service.set_done(runtime, author, conversation_id)

    async def _settle(self, place: Place) -> None:
        """What a worker does."""
        await ingest.drain(self._runtime, place.organisation_id, place.channel_id, self._worker_id)
        await dispatch.drain(self._runtime, self._clients, place.organisation_id, place.channel_id, self._worker_id)


def _told(step: Write | Start | Send | Block) -> tuple[str, dict[str, Any]]:
    """The act of the control API."""
    match step:
        case Write():
            return "messages", {"text": step.text}
        case Start():
            return "messages", {"start": step.payload}
        case Send():
            return "messages", {"content": step.content}
        case Block():
            return "block", {}


async def _lines(runtime: Runtime, place: Place, story: Story) -> int:
    """How many steps of a story have left their line. That a customer's message reopened something is no step; a `Block` leaves
    no line and counts once the hub knows of it."""
    async with runtime.database.unit_of_work(place.organisation_id) as unit:
        row = await unit.sql.fetchrow(
            """
            SELECT count(m.id) AS lines, COALESCE(bool_or(s.reach = 'blocked'), false) AS is_blocked
            FROM identity i
            JOIN conversation c ON c.organisation_id = i.organisation_id AND c.identity_id = i.id
            JOIN message m ON m.organisation_id = c.organisation_id AND m.conversation_id = c.id
                 AND NOT (m.direction = 'event' AND m.content->>'event' = 'reopened')
            LEFT JOIN consent_state s ON s.organisation_id = i.organisation_id AND s.messenger = $4 AND s.scope = ''
                 AND s.address = i.provider_user_id
            WHERE i.organisation_id = $1 AND i.channel_id = $2 AND i.provider_user_id = $3
            """,
            unit.tenant,
            place.channel_id,
            str(story.id),
            CONNECTOR,
        )
    ends_blocked = isinstance(story.steps[-1][1], Block)
    return int(row["lines"]) + (1 if ends_blocked and row["is_blocked"] else 0)


async def _conversation(runtime: Runtime, place: Place, story: Story) -> UUID:
    async with runtime.database.unit_of_work(place.organisation_id) as unit:
        found: UUID = await unit.sql.fetchval(
            """
            SELECT c.id FROM conversation c JOIN identity i ON i.organisation_id = c.organisation_id AND i.id = c.identity_id
            WHERE c.organisation_id = $1 AND i.channel_id = $2 AND i.provider_user_id = $3
            """,
            unit.tenant,
            place.channel_id,
            str(story.id),
        )
    return found


# Organisation, people, channel


async def _people(runtime: Runtime) -> dict[Colleague, Access]:
    """Everybody of the sample organisation, signed in; founded and added when they are missing.

    Raises DemoFailed when the organisation's short name or somebody's e-mail belongs to others.
    """
    organisation_id = await _organisation(runtime)
    if organisation_id is None:
        founded = await organisations.found_organisation(
            runtime,
            name=stories.ORGANISATION,
            slug=stories.SLUG,
            owner_email=stories.OWNER.email,
            owner_name=stories.OWNER.name,
            owner_password=stories.PASSWORD,
            zone=stories.ZONE,
            locale=stories.OWNER.locale,
        )
        organisation_id = founded.organisation_id
    people = {}
    for colleague in stories.COLLEAGUES:
        access = await _sign_in(runtime, organisation_id, colleague)
        if access is None:
            await organisations.add_member(
                runtime,
                organisation_id,
                email=colleague.email,
                name=colleague.name,
                role=colleague.role,
                password=stories.PASSWORD,
                locale=colleague.locale,
            )
            access = await _sign_in(runtime, organisation_id, colleague)
        if access is None:
            raise DemoFailed(_words()("sandbox.demo.not_ours", slug=stories.SLUG))
        people[colleague] = access
    return people


async def _sign_in(runtime: Runtime, organisation_id: UUID, colleague: Colleague) -> Access | None:
    """A session of the demo for this member, as a route would get it; None when there is no such member."""
    async with runtime.database.system() as unit:
        row = await unit.sql.fetchrow(
            """
            SELECT p.id AS person_id, p.name AS person_name, p.email, p.locale, o.id AS organisation_id, o.slug,
                   o.name AS organisation_name, o.zone, m.id AS member_id, m.role
            FROM member m JOIN person p ON p.id = m.person_id JOIN organisation o ON o.id = m.organisation_id
            WHERE m.organisation_id = $1 AND p.email = $2 AND m.deactivated_at IS NULL
            """,
            organisation_id,
            colleague.email,
        )
        if row is None:
            return None
        origin = sessions.Origin("127.0.0.1", "hub demo")
        session_id, token = await sessions.start(unit, runtime.settings, row["person_id"], origin, stay=False)
    return Access(session_id=session_id, csrf_token=sessions.csrf_token(token), **row)


async def _sign_out(runtime: Runtime, access: Access) -> None:
    async with runtime.database.system() as unit:
        await sessions.end(unit, access.person_id, only=access.session_id)


async def _channel(runtime: Runtime, owner: Access, sandbox_port: int) -> Place:
    """The channel of the demo; connected when there is none, and pointed to the simulator's present port."""
    await channels.accept_terms(runtime, owner, CONNECTOR)
    values = {"bot_token": stories.BOT_TOKEN, "base_url": f"http://127.0.0.1:{sandbox_port}"}
    async with runtime.database.unit_of_work(owner.organisation_id) as unit:
        row = await unit.sql.fetchrow(
            f"SELECT {ACCOUNT_COLUMNS} FROM channel WHERE organisation_id = $1 AND connector = $2 ORDER BY created_at, id LIMIT 1",
            unit.tenant,
            CONNECTOR,
        )
        if row is not None:
            channel = open_channel(runtime.vault, runtime.connectors, row)
            if channel.account.settings.base_url != values["base_url"]:
                place: dict[str, Any] = {"organisation_id": unit.tenant, "table": "channel", "row_id": row["id"]}
                sealed = runtime.vault.seal(json.dumps(values), column="settings_sealed", **place)
                await unit.sql.execute(
                    "UPDATE channel SET settings_sealed = $3 WHERE organisation_id = $1 AND id = $2", unit.tenant, row["id"], sealed
                )
            return Place(unit.tenant, row["id"])
    channel_id = await channels.connect_channel(runtime, owner, connector=CONNECTOR, title=stories.ORGANISATION, values=values)
    return Place(owner.organisation_id, channel_id)


# At each start


async def prepare(settings: Settings, sandbox_port: int, say: Say) -> None:
    """Wait until hub and simulator answer, give the simulator its memory back, open the channel, and say how to begin.

    Safe to repeat. Raises DemoFailed when something does not come up.
    """
    t = _words()
    hub = f"http://{'127.0.0.1' if settings.host in ('0.0.0.0', '::') else settings.host}:{settings.port}"
    async with _simulator_at(sandbox_port) as (http, simulator):
        await _wait(lambda: _missing(http, f"{hub}/readyz"), say)
        await _wait(lambda: _missing(http, "/control"), say)
        async with open_runtime(settings, Hooks(), pool=2) as runtime:
            await _open(runtime, simulator, sandbox_port, say)
    say(_how_to_begin(t, settings.base_url, f"http://127.0.0.1:{sandbox_port}/"))


async def keep(settings: Settings, sandbox_port: int, say: Say) -> None:
    """Give the simulator its memory back whenever it was started anew. Runs until cancelled."""
    t = _words()
    async with _simulator_at(sandbox_port) as (_, simulator), open_runtime(settings, Hooks(), pool=1) as runtime:
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            with contextlib.suppress(*PASSING):
                if not await simulator.has_bot():
                    await _open(runtime, simulator, sandbox_port, say)
                    say(t("sandbox.demo.again"))


@contextlib.asynccontextmanager
async def _simulator_at(port: int) -> AsyncIterator[tuple[httpx.AsyncClient, Simulator]]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as http:
        yield http, Simulator(http)


async def _missing(http: httpx.AsyncClient, url: str) -> str:
    """What does not answer yet; empty when all is well."""
    try:
        answer = await http.get(url)
    except httpx.TransportError:
        return "web" if url.endswith("/readyz") else "sandbox"
    return "" if answer.status_code == 200 else ", ".join(answer.json().get("missing", [])) or str(answer.status_code)


async def _wait(look: Callable[[], Awaitable[str]], say: Say) -> None:
    """Until nothing is missing, telling what is. Raises DemoFailed after READY_SECONDS."""
    t, told, end = _words(), "", time.monotonic() + READY_SECONDS
    while missing := await look():
        if time.monotonic() > end:
            raise DemoFailed(t("sandbox.demo.silent", parts=missing, seconds=int(READY_SECONDS)))
        if missing != told:
            say(t("sandbox.demo.waiting", parts=missing))
            told = missing
        await asyncio.sleep(ASK_SECONDS)


async def _open(runtime: Runtime, simulator: Simulator, sandbox_port: int, say: Say) -> None:
    """The simulator knows what it knew; the channel is open for sending unless somebody closed it: then it only receives."""
    people = await _people(runtime)
    owner = people[stories.OWNER]
    try:
        place = await _channel(runtime, owner, sandbox_port)
        await _give_memory(runtime, place, simulator)
        async with runtime.database.unit_of_work(place.organisation_id) as unit:
            row = await unit.sql.fetchrow(
                f"SELECT state, {ACCOUNT_COLUMNS} FROM channel WHERE organisation_id = $1 AND id = $2",
                unit.tenant,
                place.channel_id,
            )
        if row["state"] == "on" or not row["own_id"]:
            await channels.switch_on(runtime, owner, place.channel_id)
            return
        say(_words()("sandbox.demo.closed"))
        channel = open_channel(runtime.vault, runtime.connectors, row)
        callback_url = f"{runtime.settings.base_url}/hooks/{CONNECTOR}/{ids.show('chn', place.channel_id)}"
        async with connector_client(runtime.settings.trusted_hosts) as http:
            await channel.connector.setup(channel.account, callback_url, http)
    finally:
        for access in people.values():
            await _sign_out(runtime, access)


def _how_to_begin(t: Translator, hub: str, phone: str) -> str:
    """Address, log-ins and what to try, in a few lines."""
    width = max(len(colleague.email) for colleague in stories.COLLEAGUES)
    people = [
        f"    {colleague.email.ljust(width)}  {t(f'sandbox.demo.role.{colleague.role}')}, {colleague.name}"
        for colleague in stories.COLLEAGUES
    ]
    lines = [
        "",
        t("sandbox.demo.ready", organisation=stories.ORGANISATION),
        f"  {t('sandbox.demo.hub')}  {hub}/",
        f"  {t('sandbox.demo.phone')}  {phone}",
        f"  {t('sandbox.demo.login', password=stories.PASSWORD)}",
        *people,
        f"  {t('sandbox.demo.try')}",
        *[f"    {number}. {t(f'sandbox.demo.try.{number}')}" for number in range(1, 6)],
        f"  {t('sandbox.demo.english')}",
        f"  {t('sandbox.demo.end')}",
    ]
    return "\n".join(lines)
