"""The Bot API over HTTP: `/bot<token>/<method>` and `/file/bot<token>/<path>`. Plain ASGI. What the methods do: `methods/`."""

import asyncio
from functools import partial
from http import HTTPStatus
from typing import Final

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hub.sandbox.downloads import Download, bytes_of
from hub.sandbox.telegram import faults
from hub.sandbox.telegram.arguments import Arguments, limited, read_arguments
from hub.sandbox.telegram.errors import Cut, Refused, blocked, too_many
from hub.sandbox.telegram.methods import METHODS
from hub.sandbox.telegram.methods.call import Call, Done
from hub.sandbox.telegram.webhook import Options
from hub.sandbox.telegram.wire import TOKEN, Json, dump
from hub.sandbox.telegram.world import Bot, World

HANG_SECONDS: Final = 60.0
SLOW_SECONDS: Final = 3.0
SLOW_DOWNLOAD_SECONDS: Final = 10.0
FILES: Final = "/file/bot"


class TelegramServer:
    """The simulated api.telegram.org."""

    def __init__(self, world: World, options: Options, http: httpx.AsyncClient) -> None:
        """`http` carries updates to webhooks; closed by whoever made it."""
        self._world = world
        self._options = options
        self._http = http

    async def stop(self) -> None:
        """End deliveries and open polls."""
        for bot in self._world.bots.values():
            if bot.poll is not None:
                bot.poll.cancel()
            if bot.webhook is not None:
                await bot.webhook.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, limited(receive))
        is_file = request.url.path.startswith(FILES)
        try:
            response = await (self._download(request) if is_file else self._answer(request))
        except ClientDisconnect:
            return
        except Cut as cut:
            await _hang_up(receive, send, cut.after)
            return
        await response(scope, receive, send)

    async def run(self, bot: Bot, method: str, arguments: Arguments) -> Done:
        """Execute a method (name in lower case) with the faults of the bot. Raises Refused."""
        handler = METHODS.get(method)
        if handler is None:
            raise Refused(404, "Not Found: method not found")
        _fail(bot, method)
        slow = faults.take(bot.faults, "slow", method)
        lost = faults.take(bot.faults, "lost_answer", method)
        quietly = partial(self._run_quietly, bot)
        done = await handler(Call(self._world, bot, arguments, self._options, self._http, quietly))
        if slow is not None:
            await asyncio.sleep(slow.values.get("delay", SLOW_SECONDS))
        if lost is not None:
            raise Cut(lost.values.get("delay", HANG_SECONDS))
        return done

    async def _answer(self, request: Request) -> Response:
        try:
            token, _, method = request.url.path.removeprefix("/bot").partition("/")
            if request.method not in ("GET", "POST"):
                raise Refused(404, "Not Found")
            bot = self._bot(token)
            done = await self.run(bot, method.lower(), await read_arguments(request))
        except Refused as refused:
            return _refusal(refused)
        body: Json = {"ok": True, "result": done.result}
        if done.description:
            body["description"] = done.description
        return Response(dump(body), 200, media_type="application/json")

    async def _download(self, request: Request) -> Response | Download:
        """The bytes behind a path that getFile told."""
        try:
            token, _, path = request.url.path.removeprefix(FILES).partition("/")
            if request.method not in ("GET", "HEAD"):
                raise Refused(404, "Not Found")
            bot = self._bot(token)
            file = bot.files.at_path(path)
            if file is None or bot.faults.take("expired_path"):
                raise Refused(404, "Not Found")
        except Refused as refused:
            return _refusal(refused)
        slow, half = bot.faults.take("slow_download"), bot.faults.take("half_download")
        seconds = 0.0 if slow is None else slow.values.get("delay", SLOW_DOWNLOAD_SECONDS)
        answer = bytes_of(file.data, "application/octet-stream", request.headers.get("range", ""))
        return Download(answer, seconds=seconds, is_cut=half is not None)

    def _bot(self, token: str) -> Bot:
        """Raises Refused: 404 for what is no token at all, 401 for one that nobody has."""
        if not TOKEN.fullmatch(token):
            raise Refused(404, "Not Found")
        bot = self._world.by_token(token)
        if bot is None:
            raise Refused(401, "Unauthorized")
        return bot

    async def _run_quietly(self, bot: Bot, method: str, body: Json) -> None:
        """A method that the webhook's answer asked for: nobody hears what becomes of it."""
        try:
            await self.run(bot, method, Arguments.of_json(body))
        except (Refused, Cut):
            return


def _refusal(refused: Refused) -> Response:
    body: Json = {"ok": False, "error_code": refused.code, "description": refused.description}
    headers = {}
    if refused.parameters:
        body["parameters"] = refused.parameters
        headers = {"retry-after": str(wait)} if (wait := refused.parameters.get("retry_after")) else {}
    return Response(dump(body), refused.code, headers, "application/json")


def _fail(bot: Bot, method: str) -> None:
    """The faults that keep a call from being done."""
    if faults.take(bot.faults, "unauthorised", method):
        raise Refused(401, "Unauthorized")
    limited = faults.take(bot.faults, "rate_limited", method)
    if limited is not None:
        raise too_many(limited.wait())
    broken = faults.take(bot.faults, "server_error", method)
    if broken is not None:
        status = HTTPStatus(broken.values.get("status", 500))
        raise Refused(status, status.phrase)
    refused = faults.take(bot.faults, "refused", method)
    if refused is not None:
        raise Refused(refused.values.get("code", 400), refused.values.get("description", "Bad Request: refused by the sandbox"))
    if method.startswith("send") and faults.take(bot.faults, "blocked", method):
        raise blocked()
    if method.startswith("send") and faults.take(bot.faults, "deactivated", method):
        raise Refused(403, "Forbidden: user is deactivated")


async def _hang_up(receive: Receive, send: Send, seconds: float) -> None:
    """Say nothing for so long, then break off in the middle of an answer; or nothing at all when the caller gave up before."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    try:
        await asyncio.wait_for(gone(), seconds)
    except TimeoutError:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
