"""The simulated Signal: signal-cli's daemon, the wrapper around it, and the people's apps. Nobody delivers: the hub asks.

Faults strike what is sent; `unauthorised` whatever reaches Signal's servers, `file_gone` files, `lost`, `duplicate` and `reorder`
what comes in. `captcha` is one more: the next send makes Signal ask for one, until it is solved.
"""

import asyncio
from typing import Any, Final

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from hub.sandbox.faults import KINDS, Faults
from hub.sandbox.signal.daemon import Daemon
from hub.sandbox.signal.mailbox import Mailbox
from hub.sandbox.signal.phone import SignalPhone
from hub.sandbox.signal.rest import ANSWER, Rest
from hub.sandbox.signal.sending import Sending
from hub.sandbox.signal.service import SignalCli
from hub.sandbox.signal.world import SAMPLE_NUMBER, World

SENDS: Final = frozenset({"send", "remoteDelete", "sendReaction", "sendReceipt", "sendTyping"})


class SignalSimulator:
    """`quiet`: see `Mailbox`."""

    connector = "signal"
    label = "Signal"
    mark = "sg"

    def __init__(self, *, quiet: float | None = None) -> None:
        self.faults = Faults((*KINDS, "captcha"))
        self.courier = Mailbox(self.faults, quiet)
        self.world = World()
        self.phone = SignalPhone(self.world, self.courier)
        service, sending = SignalCli(self.world, self.faults, self.courier), Sending(self.world, self.faults, self.phone)
        daemon, self.rest = Daemon(self.world, service, sending), Rest(self.world, service, sending)
        self._app = Starlette(
            routes=[
                Route("/api/v1/check", daemon.check),
                Route("/api/v1/rpc", self._if_it_sends(daemon.rpc), methods=["POST"]),
                *self.rest.routes(self._fails),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def sample_settings(self, origin: str) -> dict[str, Any]:
        return {"road": "daemon", "base_url": f"{origin}/signal", "number": SAMPLE_NUMBER}

    def point_to(self, callback_url: str) -> None:
        """signal-cli delivers nowhere."""

    async def stop(self) -> None:
        """Nothing is under way."""

    def _if_it_sends(self, do: ANSWER) -> ANSWER:
        failing = self._fails(do)

        async def answer(request: Request) -> Response:
            try:
                asked = await request.json()
            except ValueError:
                asked = None
            sends = isinstance(asked, dict) and asked.get("method") in SENDS
            return await (failing if sends else do)(request)

        return answer

    def _fails(self, do: ANSWER) -> ANSWER:
        """Faults of the machine around signal-cli; those of Signal's servers are in `Sending`."""

        async def answer(request: Request) -> Response:
            if broken := self.faults.take("server_error"):
                return Response(status_code=int(broken.values.get("status", 500)))
            response = await do(request)
            if slow := self.faults.take("slow"):
                await asyncio.sleep(float(slow.values.get("delay", 3.0)))
            if lost := self.faults.take("lost_answer"):
                return _Silence(float(lost.values.get("delay", 60.0)))
            return response

        return answer


class _Silence(Response):
    """It is done, but the answer never comes: after some seconds the connection is cut in the middle of one."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(self._seconds)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})


def create(http: httpx.AsyncClient) -> SignalSimulator:
    """`http` would carry webhooks, of which there are none."""
    return SignalSimulator()
