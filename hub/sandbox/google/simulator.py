"""The API of RCS for Business, its webhooks, and its console as far as `point_to` is that.

POST   /token                                              a service account's assertion for an access token
GET    /v1/phones/{phone}/capabilities                     404 for a phone without RCS
POST   /v1/users:batchGet                                  which of many phones take RCS
POST   /v1/phones/{phone}/agentMessages                    200 is accepted; an id that repeats is ignored
DELETE /v1/phones/{phone}/agentMessages/{message}          200 whether or not it worked
POST   /v1/phones/{phone}/agentEvents                      READ, IS_TYPING
GET    /files/{file}                                       what people sent
"""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import httpx
import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from hub.core import clock
from hub.core.errors import NotFound
from hub.sandbox.courier import Courier, Outgoing
from hub.sandbox.faults import Faults
from hub.sandbox.google.phone import GooglePhone
from hub.sandbox.google.rules import buttons_of, problem_of, words_of
from hub.sandbox.google.world import ACCOUNT, AGENT, CLIENT_TOKEN, TOKEN_SECONDS, Handset, World

SCOPE: Final = "https://www.googleapis.com/auth/rcsbusinessmessaging"
AUDIENCE: Final = "https://oauth2.googleapis.com/token"
TYPING_SECONDS: Final = 20.0
FEATURES: Final = ["RICHCARD_STANDALONE", "RICHCARD_CAROUSEL", "ACTION_OPEN_URL", "ACTION_DIAL", "ACTION_VIEW_LOCATION"]
MOST_USERS: Final = 10_000


class Refused(Exception):
    """An answer in Google's words."""

    def __init__(self, code: int, status: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.answer = JSONResponse({"error": {"code": code, "message": message, "status": status, "details": []}}, code, headers)


class GoogleSimulator:
    connector = "google"
    label = "Google RCS"
    mark = "rc"

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.faults = Faults()
        self.courier = Courier(http, self.faults)
        self.world = World()
        self.phone = GooglePhone(self)
        self.webhook_url = ""
        self.origin = ""
        """Where files of people can be fetched."""
        self._app = Starlette(
            routes=[
                Route("/token", self._token, methods=["POST"]),
                Route("/files/{file}", self._file, methods=["GET"]),
                Route("/v1/users:batchGet", self._guarded(self._batch), methods=["POST"]),
                Route("/v1/phones/{phone}/capabilities", self._guarded(self._capabilities), methods=["GET"]),
                Route("/v1/phones/{phone}/agentMessages", self._guarded(self._send), methods=["POST"]),
                Route("/v1/phones/{phone}/agentMessages/{message}", self._guarded(self._revoke), methods=["DELETE"]),
                Route("/v1/phones/{phone}/agentEvents", self._guarded(self._event), methods=["POST"]),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def sample_settings(self, origin: str) -> dict[str, Any]:
        self.origin = f"{origin}/google"
        return {
            "agent_id": AGENT,
            "service_account": self.world.service_account(),
            "client_token": CLIENT_TOKEN,
            "region": self.origin,
        }

    def point_to(self, callback_url: str) -> None:
        """The webhook is saved in the console, which tests it with a handshake."""
        self.webhook_url = callback_url
        body = json.dumps({"clientToken": CLIENT_TOKEN, "secret": "1234567890"}).encode()
        headers = {"content-type": "application/json", "x-goog-webhook-type": "verification"}
        self.courier.send(Outgoing(callback_url, body, headers, self._shaken), queue="handshake")

    def _shaken(self, answer: httpx.Response) -> None:
        """An address that does not answer with the secret alone is not saved."""
        if answer.text != "1234567890":
            self.webhook_url = ""

    async def stop(self) -> None:
        await self.courier.stop()

    def tell(self, item: dict[str, Any], phone: str) -> None:
        """Deliver one item in its envelope; nobody hears of it while no address is saved."""
        if not self.webhook_url:
            return
        data = json.dumps({**item, "agentId": AGENT}, ensure_ascii=False).encode()
        envelope = {
            "message": {
                "data": base64.b64encode(data).decode(),
                "attributes": {"product": "RBM", "business_id": AGENT},
                "messageId": self.world.next_id("12"),
                "publishTime": clock.now().isoformat().replace("+00:00", "Z"),
            },
            "subscription": "projects/radwerk-sandbox/subscriptions/rbm-agent-subscription",
        }
        signature = base64.b64encode(hmac.new(CLIENT_TOKEN.encode(), data, hashlib.sha512).digest()).decode()
        headers = {"content-type": "application/json", "x-goog-signature": signature, "x-goog-webhook-type": "message_callback"}
        self.courier.send(Outgoing(self.webhook_url, json.dumps(envelope).encode(), headers), queue=phone)

    def happened(self, kind: str, phone: str, message: str = "", **more: Any) -> None:
        """Tell an event of a phone."""
        item = {"senderPhoneNumber": phone, "eventType": kind, "eventId": self.world.next_id("Ev"), "sendTime": _now(), **more}
        self.tell(item | ({"messageId": message} if message else {}), phone)

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        try:
            claims = jwt.decode(
                str(form.get("assertion", "")), self.world.key.public_key(), algorithms=["RS256"], audience=AUDIENCE, leeway=60
            )
        except jwt.PyJWTError as error:
            return JSONResponse({"error": "invalid_grant", "error_description": f"Invalid JWT: {error}"}, 400)
        has_scope = SCOPE in str(claims.get("scope", "")).split()
        if claims.get("iss") != ACCOUNT or not has_scope or claims["exp"] - claims["iat"] > 3600:
            return JSONResponse({"error": "invalid_grant", "error_description": "Invalid JWT: claims"}, 400)
        return JSONResponse({"access_token": self.world.new_token(), "expires_in": TOKEN_SECONDS, "token_type": "Bearer"})

    def _guarded(self, call: Any) -> Any:
        """Token, agent and faults before a call; its refusals in Google's words."""

        async def guarded(request: Request) -> Response:
            try:
                self._check(request)
                answer: Response = await call(request)
            except Refused as refused:
                return refused.answer
            if slow := self.faults.take("slow"):
                await asyncio.sleep(float(slow.values.get("delay", 3)))
            return answer

        return guarded

    def _check(self, request: Request) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.world.tokens or self.faults.take("unauthorised"):
            raise Refused(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if "batchGet" not in request.url.path and request.query_params.get("agentId") != AGENT:
            raise Refused(403, "PERMISSION_DENIED", "The caller does not have permission for this agent.")
        if limited := self.faults.take("rate_limited"):
            wait = limited.values.get("retry_after")
            headers = {"retry-after": str(wait)} if wait else None
            raise Refused(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", headers)
        if broken := self.faults.take("server_error"):
            code = int(broken.values.get("status", 503))
            raise Refused(code, "UNAVAILABLE", HTTPStatus(code).phrase)
        if refused := self.faults.take("refused"):
            raise Refused(400, "INVALID_ARGUMENT", str(refused.values.get("code", "refused")))

    def _handset(self, request: Request) -> Handset:
        handset = self.world.handsets.get(request.path_params["phone"])
        if handset is None or not handset.has_rcs:
            raise Refused(404, "NOT_FOUND", "Requested entity was not found.")
        return handset

    async def _capabilities(self, request: Request) -> Response:
        _need_uuid(request, "requestId")
        self._handset(request)
        return JSONResponse({"features": FEATURES})

    async def _batch(self, request: Request) -> Response:
        body = await _json(request)
        users = body.get("users")
        if body.get("agentId") != AGENT or not isinstance(users, list) or not 0 < len(users) <= MOST_USERS:
            raise Refused(400, "INVALID_ARGUMENT", "users and agentId")
        reachable = [user for user in users if (found := self.world.handsets.get(user)) and found.has_rcs]
        return JSONResponse({"reachableUsers": reachable, "totalRandomSampleUserCount": 0, "reachableRandomSampleUserCount": 0})

    async def _send(self, request: Request) -> Response:
        number = _need_uuid(request, "messageId")
        handset = self._handset(request)
        body = await _json(request)
        if problem := problem_of(body):
            raise Refused(400, "INVALID_ARGUMENT", problem)
        phone, content = handset.person.id, body["contentMessage"]
        if number not in self.world.used_ids:
            self.world.used_ids.add(number)
            handset.is_typing_until = 0.0
            self.world.put(handset, id=number, is_theirs=True, text=words_of(content), buttons=buttons_of(content))
            self.happened("DELIVERED", phone, number)
        name = f"phones/{phone}/agentMessages/{number}"
        return JSONResponse({"name": name, "sendTime": _now(), "contentMessage": content})

    async def _revoke(self, request: Request) -> Response:
        handset = self._handset(request)
        try:
            handset.change(request.path_params["message"], is_deleted=True)
        except NotFound:
            return JSONResponse({})
        return JSONResponse({})

    async def _event(self, request: Request) -> Response:
        number, handset = _need_uuid(request, "eventId"), self._handset(request)
        body = await _json(request)
        if number in self.world.used_ids:
            return JSONResponse({})
        self.world.used_ids.add(number)
        match body:
            case {"eventType": "IS_TYPING"}:
                handset.is_typing_until = time.monotonic() + TYPING_SECONDS
            case {"eventType": "READ", "messageId": str(message)}:
                try:
                    handset.change(message, state="read")
                except NotFound:
                    raise Refused(400, "INVALID_ARGUMENT", "messageId is not a message of this user") from None
            case _:
                raise Refused(400, "INVALID_ARGUMENT", "eventType must be READ or IS_TYPING")
        return JSONResponse(body)

    async def _file(self, request: Request) -> Response:
        found = self.world.files.get(request.path_params["file"])
        if found is None or self.faults.take("file_gone"):
            return PlainTextResponse("", 404)
        return Response(found[1], media_type=found[0].mime)


def create(http: httpx.AsyncClient) -> GoogleSimulator:
    return GoogleSimulator(http)


def _now() -> str:
    return clock.now().isoformat().replace("+00:00", "Z")


def _need_uuid(request: Request, name: str) -> str:
    try:
        return str(UUID(request.query_params.get(name, "")))
    except ValueError:
        raise Refused(400, "INVALID_ARGUMENT", f"{name} must be a UUID") from None


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refused(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
    return body
