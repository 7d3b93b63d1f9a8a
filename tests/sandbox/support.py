"""Real sockets for the tests of the sandbox: an ASGI application served on loopback, and a bot's webhook that tests steer."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.sandbox.app import Sandbox, create_sandbox_app
from hub.sandbox.telegram import simulator as telegram
from hub.sandbox.telegram.webhook import Options
from hub.sandbox.telegram.world import Bot, World

TOKEN = "7012345678:AAE-test_token_of_thirty_five_chars"
BOT = 7012345678
SECRET = "S3cr_t-Token_9f2c7a"
PATIENCE_SECONDS = 5.0


def telegram_sandbox(options: Options, http: httpx.AsyncClient | None = None) -> Sandbox:
    """A sandbox with Telegram alone."""
    return create_sandbox_app(create=lambda own: [telegram.create(own, options)], http=http)


@contextlib.asynccontextmanager
async def serve_app(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """The application behind a real socket in this process; its address."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio sets it only on sockets it made itself
        config = uvicorn.Config(app, lifespan="off", log_level="critical", timeout_graceful_shutdown=1, ws="none")
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


class Stage:
    """An application that another one takes the place of, so that one server lasts for all tests."""

    def __init__(self) -> None:
        self.address = ""
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


async def until(is_so: Callable[[], bool]) -> None:
    """Look again and again until it is so, with bounded patience: nothing tells us."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@dataclass
class Arrived:
    """One POST to the webhook."""

    headers: dict[str, str]
    update: dict[str, Any]

    @property
    def text(self) -> str:
        return str(self.update["message"]["text"])


@dataclass
class Hook:
    """A bot's webhook. `answer` decides about each update; a coroutine function may take its time."""

    address: str = ""
    arrived: list[Arrived] = field(default_factory=list)
    answer: Callable[[Arrived], Any] = lambda _: Response(status_code=200)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        one = Arrived(dict(request.headers), orjson.loads(await request.body()))
        async with self._changed:
            self.arrived.append(one)
            self._changed.notify_all()
        answer = self.answer(one)
        response = await answer if asyncio.iscoroutine(answer) else answer
        await response(scope, receive, send)

    async def wait_for(self, count: int) -> list[Arrived]:
        """As soon as so many have arrived."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: len(self.arrived) >= count)
        return self.arrived

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.arrived]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Status and description of an answer whose body says the same as its status."""
    body = answer.json()
    assert body["ok"] is False and body["error_code"] == answer.status_code
    return answer.status_code, body["description"]


@dataclass
class Simulated:
    """A simulator with one bot at an address."""

    sandbox: Sandbox
    address: str
    http: httpx.AsyncClient

    @property
    def world(self) -> World:
        simulator = self.sandbox.simulators.get("telegram")
        assert isinstance(simulator, telegram.TelegramSimulator)
        return simulator.world

    @property
    def bot(self) -> Bot:
        return self.world.bot(BOT)

    async def call(self, method: str, token: str = TOKEN, **parameters: Any) -> httpx.Response:
        """A method of the Bot API with a JSON body."""
        return await self.http.post(f"{self.address}/bot{token}/{method}", json=parameters)

    async def upload(self, method: str, files: dict[str, Any], **parameters: Any) -> httpx.Response:
        """A method of the Bot API with files: multipart, nested objects as JSON texts."""
        data = {name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in parameters.items()}
        return await self.http.post(f"{self.address}/bot{TOKEN}/{method}", data=data, files=files)

    async def fetch(self, file_id: str, **headers: str) -> httpx.Response:
        """What getFile and the path it tells give."""
        told = (await self.call("getFile", file_id=file_id)).json()["result"]
        return await self.http.get(f"{self.address}/file/bot{TOKEN}/{told['file_path']}", headers=headers)

    async def send(self, person: int, **what: Any) -> dict[str, Any]:
        """The person sends something (`Write` of the control API); the message as the bot sees it."""
        entry = await self.control("POST", f"/bots/{BOT}/chats/{person}/messages", what)
        message: dict[str, Any] = entry["message"]
        return message

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """The control API; what it answered, which must be 200."""
        answer = await self.http.request(method, f"{self.address}/control{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def person(self, id_: int = 5123456789, first_name: str = "Jörg", **more: Any) -> int:
        created = await self.control("POST", "/people", {"first_name": first_name, "id": id_, **more})
        return int(created["id"])

    async def write(self, person: int, text: str, **more: Any) -> dict[str, Any]:
        """The person writes; what the phone shows of it."""
        entry: dict[str, Any] = await self.control("POST", f"/bots/{BOT}/chats/{person}/messages", {"text": text, **more})
        return entry

    async def phone(self, person: int) -> dict[str, Any]:
        chat: dict[str, Any] = await self.control("GET", f"/bots/{BOT}/chats/{person}")
        return chat

    async def act(self, act: str, person: int, **body: Any) -> Any:
        """Something every messenger has (`hub/sandbox/phones.py`); what it answered, which must be 200."""
        path = f"{self.address}/phone/telegram/{BOT}/{act}"
        answer = await self.http.post(path, json={"person": str(person), **body})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def block(self, person: int, is_blocked: bool = True) -> None:
        await self.act("block", person, is_blocked=is_blocked)

    async def press(self, person: int, message_id: int, data: str) -> None:
        await self.act("press", person, line=str(message_id), button=data)

    async def fault(
        self, kind: str, on: bool = True, times: int | None = None, seconds: float | None = None, **values: Any
    ) -> None:
        body = {"kind": kind, "on": on, "times": times, "seconds": seconds, "values": values}
        answer = await self.http.put(f"{self.address}/phone/telegram/faults", json=body)
        assert answer.status_code == 200, answer.text

    async def settled(self) -> None:
        """When no update waits any more."""
        await until(lambda: not self.bot.live_pending())
