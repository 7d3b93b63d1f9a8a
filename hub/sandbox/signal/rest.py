"""signal-cli-rest-api in mode `native`, around the same signal-cli: nearly every trouble is a 400 with the words that signal-cli
printed, its JSON first (its `api.go` and `cli.go`)."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub.sandbox.signal.calls import Failure
from hub.sandbox.signal.envelopes import Json
from hub.sandbox.signal.sending import Sending
from hub.sandbox.signal.service import SignalCli
from hub.sandbox.signal.world import World

NAMES: Final = {"quote_timestamp": "quoteTimestamp", "quote_author": "quoteAuthor", "edit_timestamp": "editTimestamp"}
"""The wrapper's word and that of signal-cli."""
SEND: Final = frozenset({"number", "recipients", "message", "base64_attachments", "text_mode", "notify_self", *NAMES})
IGNORES: Final = frozenset({"ignore_attachments", "ignore_stories", "ignore_avatars", "ignore_stickers"})
RECEIVE: Final = IGNORES | {"timeout", "max_messages", "send_read_receipts"}
NAME: Final = re.compile(r"(;filename=)([^;]*)(;base64,)")
ANSWER = Callable[[Request], Awaitable[Response]]


class Rest:
    def __init__(self, world: World, service: SignalCli, sending: Sending) -> None:
        self._world = world
        self._service = service
        self._sending = sending
        self.mode = "native"
        """`json-rpc` pushes, and refuses to be asked."""

    def routes(self, asked: Callable[[ANSWER], ANSWER]) -> list[Route]:
        """`asked` wraps what sends."""
        caught = self._caught
        return [
            Route("/v1/about", self._about),
            Route("/v1/health", self._health),
            Route("/v1/accounts", self._accounts),
            Route("/v1/receive/{number}", caught(self._receive)),
            Route("/v1/search", caught(self._search)),
            Route("/v1/search/{number}", caught(self._search)),
            Route("/v1/identities/{number}", caught(self._identities)),
            Route("/v1/identities/{number}/trust/{who}", caught(self._trust), methods=["PUT"]),
            Route("/v1/accounts/{number}/rate-limit-challenge", caught(self._challenge), methods=["POST"]),
            Route("/v1/attachments/{id}", self._attachment),
            Route("/v2/send", asked(caught(self._send)), methods=["POST"]),
            Route("/v1/remote-delete/{number}", asked(caught(self._remote_delete)), methods=["DELETE"]),
            Route("/v1/reactions/{number}", asked(caught(self._react)), methods=["POST", "DELETE"]),
            Route("/v1/receipts/{number}", asked(caught(self._receipt)), methods=["POST"]),
            Route("/v1/typing-indicator/{number}", asked(caught(self._typing)), methods=["PUT", "DELETE"]),
        ]

    def _caught(self, do: ANSWER) -> ANSWER:
        async def answer(request: Request) -> Response:
            try:
                if "number" in request.path_params:
                    self._service.account(request.path_params["number"])
                return await do(request)
            except Failure as failure:
                printed = json.dumps({"timestamp": 0, "results": failure.results}) + "\n" if failure.results else ""
                return JSONResponse({"error": printed + failure.words}, 400)

        return answer

    async def _about(self, request: Request) -> Response:
        can = {"v2/send": ["quotes", "mentions"]}
        return JSONResponse({"versions": ["v1", "v2"], "build": 2, "mode": self.mode, "version": "0.98", "capabilities": can})

    async def _health(self, request: Request) -> Response:
        return Response(status_code=204)

    async def _accounts(self, request: Request) -> Response:
        return JSONResponse([self._world.account.number])

    async def _receive(self, request: Request) -> Response:
        if self.mode == "json-rpc":
            return Response('Bad Request\n{"error":"websocket: the client is not using the websocket protocol"}', 400)
        query = request.query_params
        if unknown := query.keys() - RECEIVE:
            raise Failure(-1, f"unknown parameter {', '.join(unknown)}")
        try:
            timeout, most = int(query.get("timeout", "1")), int(query.get("max_messages", "0"))
        except ValueError:
            raise Failure(-1, "Couldn't process request - timeout needs to be numeric!") from None
        return JSONResponse(await self._service.receive({"timeout": timeout, "maxMessages": most or -1}))

    async def _search(self, request: Request) -> Response:
        numbers = request.query_params.getlist("numbers")
        if not numbers:
            return JSONResponse({"error": "Please provide numbers to query for"}, 400)
        found = self._service.status({"recipient": numbers})
        return JSONResponse([{"number": one["number"], "registered": one["isRegistered"]} for one in found])

    async def _identities(self, request: Request) -> Response:
        found = self._service.identities()
        names = {"number": "number", "status": "trustLevel", "fingerprint": "fingerprint", "uuid": "uuid"}
        return JSONResponse([{theirs: one[ours] or "" for theirs, ours in names.items()} for one in found])

    async def _trust(self, request: Request) -> Response:
        body = await _body(request, {"verified_safety_number", "trust_all_known_keys"})
        names = {"verified_safety_number": "verifiedSafetyNumber", "trust_all_known_keys": "trustAllKnownKeys"}
        self._service.trust({"recipient": request.path_params["who"]} | {names[name]: value for name, value in body.items()})
        return Response(status_code=204)

    async def _challenge(self, request: Request) -> Response:
        body = await _body(request, {"challenge_token", "captcha"})
        self._service.submit_challenge({"challenge": body.get("challenge_token"), "captcha": body.get("captcha")})
        return Response(status_code=204)

    async def _attachment(self, request: Request) -> Response:
        try:
            content = self._service.attachment(request.path_params["id"])
        except Failure:
            return JSONResponse({"error": "No attachment with that name found"}, 404)
        return Response(content, media_type="application/octet-stream")

    async def _send(self, request: Request) -> Response:
        body = await _body(request, SEND)
        recipients = body.get("recipients")
        if not isinstance(recipients, list) or not recipients:
            return JSONResponse({"error": "Couldn't process request - please provide at least one recipient"}, 400)
        if body.get("text_mode", "normal") != "normal":
            raise Failure(-1, "the sandbox reads no signs inside of texts")
        self._service.account(body.get("number"))
        params: Json = {"recipient": recipients, "message": body.get("message", "")}
        params |= {NAMES[name]: body[name] for name in NAMES if name in body}
        if files := body.get("base64_attachments"):
            params["attachments"] = [_as_file(one) for one in files]
        sent = self._sending.send(params)
        return JSONResponse([{"timestamp": str(sent["timestamp"])}], 201)

    async def _remote_delete(self, request: Request) -> Response:
        body = await _body(request, {"recipient", "timestamp"})
        sent = self._sending.remote_delete({"recipient": [body.get("recipient")], "targetTimestamp": body.get("timestamp")})
        return JSONResponse({"timestamp": str(sent["timestamp"])}, 201)

    async def _react(self, request: Request) -> Response:
        body = await _body(request, {"recipient", "reaction", "target_author", "timestamp"})
        for name in ("recipient", "target_author", "timestamp"):
            if not body.get(name):
                return JSONResponse({"error": f"Couldn't process request - {name} missing"}, 400)
        params: Json = {
            "recipient": [body["recipient"]],
            "emoji": body.get("reaction") or "👍",
            "targetAuthor": body["target_author"],
            "targetTimestamp": body["timestamp"],
        }
        self._sending.react(params | ({"remove": True} if request.method == "DELETE" else {}))
        return Response(status_code=204)

    async def _receipt(self, request: Request) -> Response:
        body = await _body(request, {"recipient", "receipt_type", "timestamp"})
        if body.get("receipt_type") not in ("read", "viewed"):
            return JSONResponse({"error": "Couldn't process request - receipt type must be read or viewed"}, 400)
        params = {"recipient": body.get("recipient"), "targetTimestamp": [body.get("timestamp")], "type": body["receipt_type"]}
        self._sending.receipt(params)
        return Response(status_code=204)

    async def _typing(self, request: Request) -> Response:
        body = await _body(request, {"recipient"})
        self._sending.typing({"recipient": [body.get("recipient")]} | ({"stop": True} if request.method == "DELETE" else {}))
        return Response(status_code=204)


async def _body(request: Request, known: frozenset[str] | set[str]) -> Mapping[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Failure(-1, "Couldn't process request - invalid request")
    if unknown := body.keys() - known:
        raise Failure(-1, f"unknown field {', '.join(sorted(unknown))}")
    return body


def _as_file(uri: object) -> str:
    """The wrapper writes a file under the name as it stands; plain base64 is a file without one."""
    if not isinstance(uri, str):
        raise Failure(-1, "Couldn't process request - invalid request")
    if not uri.startswith("data:"):
        return f"data:application/octet-stream;base64,{uri}"
    return NAME.sub(
        lambda found: f"{found[1]}{found[2].replace('%', '%25').replace('+', '%2B').replace(',', '%2C')}{found[3]}", uri
    )
