"""signal-cli's own HTTP: one address, JSON-RPC 2.0, 200 for errors too (its `HttpServerHandler`).

POST /api/v1/rpc   GET /api/v1/check
"""

import base64
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hub.sandbox.signal.calls import Failure
from hub.sandbox.signal.envelopes import Json
from hub.sandbox.signal.sending import Sending
from hub.sandbox.signal.service import VERSION, SignalCli
from hub.sandbox.signal.world import World

LONGEST_TEXT: Final = 20_000_000
"""Characters of one text in a request: the limit of the library that signal-cli reads JSON with."""


class Daemon:
    def __init__(self, world: World, service: SignalCli, sending: Sending) -> None:
        self._world = world
        self._service = service
        self._methods: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
            "receive": service.receive,
            "getUserStatus": service.status,
            "listIdentities": lambda params: service.identities(),
            "trust": service.trust,
            "submitRateLimitChallenge": service.submit_challenge,
            "getAttachment": lambda params: {"data": base64.b64encode(service.attachment(params.get("id"))).decode()},
            "getSticker": lambda params: {"data": base64.b64encode(service.sticker(params)).decode()},
            "send": sending.send,
            "remoteDelete": sending.remote_delete,
            "sendReaction": sending.react,
            "sendReceipt": sending.receipt,
            "sendTyping": sending.typing,
        }

    async def check(self, request: Request) -> Response:
        return Response(status_code=200)

    async def rpc(self, request: Request) -> Response:
        if not request.headers.get("content-type", "").startswith("application/json"):
            return Response(status_code=415)
        try:
            asked = await request.json()
        except ValueError:
            return JSONResponse(_error(None, Failure(-32700, "Unexpected character")))
        if not isinstance(asked, dict) or asked.get("jsonrpc") != "2.0":
            return JSONResponse(_error(None, Failure(-32600, "only jsonrpc version 2.0 is supported")))
        try:
            result = await self._run(asked)
        except Failure as failure:
            return JSONResponse(_error(asked.get("id"), failure))
        if "id" not in asked:
            return Response(status_code=201)
        return JSONResponse({"jsonrpc": "2.0", "id": asked["id"], "result": result})

    async def _run(self, asked: Json) -> Any:
        method, params = asked.get("method"), asked.get("params", {})
        if not isinstance(method, str) or not isinstance(params, dict):
            raise Failure(-32600, "method field must be set")
        if _longest(params) > LONGEST_TEXT:
            raise Failure(-32603, "An internal server error has occurred.")
        if method == "version":
            return {"version": VERSION}
        if method == "listAccounts":
            return [{"number": self._world.account.number}]
        run = self._methods.get(method)
        if run is None:
            raise Failure(-32601, "Method not implemented")
        if "account" not in params:
            raise Failure(-32602, "Method requires valid account parameter")
        self._service.account(params["account"])
        result = run({name: value for name, value in params.items() if name != "account"})
        return await result if isinstance(result, Awaitable) else result


def _error(id_: object, failure: Failure) -> Json:
    data = {"response": {"timestamp": 0, "results": failure.results}} if failure.results else None
    return {"jsonrpc": "2.0", "id": id_, "error": {"code": failure.code, "message": failure.words, "data": data}}


def _longest(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((_longest(one) for one in inner), default=0)
