"""X's API v2 for direct messages, and what it delivers.

POST   /2/oauth2/token                                   a refresh token, good once, for new tokens
GET    /2/users/me,  /2/users/{id},  /2/users/by/username/{username}
GET POST /2/webhooks,  PUT /2/webhooks/{id}              each is tested with a challenge before it counts
GET POST /2/activity/subscriptions,  DELETE …/{id}
POST   /2/media/upload                                   multipart, good for one message
POST   /2/dm_conversations/with/{person}/messages
GET    /2/dm_conversations/media/{message}/{media}/{file}      a file, with OAuth 2.0
GET    /ton/{message}/{media}/{file}                     the same, signed with OAuth 1.0a
"""

import asyncio
import base64
import hashlib
import hmac
import json
import re
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import httpx
from oauthlib import oauth1
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from hub.core import clock
from hub.sandbox.courier import Courier, Outgoing
from hub.sandbox.faults import Faults
from hub.sandbox.messengers import PhoneFile, PhoneLine
from hub.sandbox.x.phone import XPhone
from hub.sandbox.x.world import (
    API_KEY,
    API_SECRET,
    BEARER,
    CLIENT_ID,
    CLIENT_SECRET,
    OWN,
    TOKEN_SECONDS,
    USER_SECRET,
    USER_TOKEN,
    USERNAME,
    Chat,
    World,
)

KINDS: Final = frozenset({"dm.received", "dm.sent", "dm.read", "dm.indicate_typing", "chat.received", "chat.sent"})
CATEGORIES: Final = {"dm_image": ("image/", 5 << 20), "dm_gif": ("image/gif", 15 << 20), "dm_video": ("video/", 512 << 20)}
LONGEST_TEXT: Final = 10_000
USER_FIELDS: Final = frozenset({"receives_your_dm"})
HANDLE: Final = re.compile(r"[a-z0-9_]{1,15}")


class Refused(Exception):
    """An answer as a problem of API v2."""

    def __init__(self, status: int, kind: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        type_ = f"https://api.x.com/2/problems/{kind}" if kind else "about:blank"
        body = {"title": HTTPStatus(status).phrase, "detail": detail, "type": type_, "status": status}
        self.answer = JSONResponse(body, status, headers, "application/problem+json")


class XSimulator:
    connector = "x"
    label = "X"
    mark = "x"

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.faults = Faults()
        self.courier = Courier(http, self.faults)
        self.world = World()
        self.phone = XPhone(self)
        self.origin = ""
        self.webhooks: dict[str, dict[str, Any]] = {}
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self._http = http
        self._app = Starlette(
            routes=[
                Route("/2/oauth2/token", self._token, methods=["POST"]),
                Route("/2/users/me", self._guarded(self._me), methods=["GET"]),
                Route("/2/users/by/username/{username}", self._guarded(self._user), methods=["GET"]),
                Route("/2/users/{id}", self._guarded(self._user), methods=["GET"]),
                Route("/2/webhooks", self._guarded(self._webhooks, app=True), methods=["GET", "POST"]),
                Route("/2/webhooks/{id}", self._guarded(self._test_again, app=True), methods=["PUT"]),
                Route("/2/activity/subscriptions", self._guarded(self._list, app=True), methods=["GET"]),
                Route("/2/activity/subscriptions", self._guarded(self._subscribe), methods=["POST"]),
                Route("/2/activity/subscriptions/{id}", self._guarded(self._unsubscribe, app=True), methods=["DELETE"]),
                Route("/2/media/upload", self._guarded(self._upload), methods=["POST"]),
                Route("/2/dm_conversations/with/{person}/messages", self._guarded(self._send), methods=["POST"]),
                Route("/2/dm_conversations/media/{message}/{media}/{file}", self._guarded(self._file), methods=["GET"]),
                Route("/ton/{message}/{media}/{file}", self._guarded(self._file), methods=["GET"]),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def sample_settings(self, origin: str) -> dict[str, Any]:
        self.origin = f"{origin}/x"
        return {
            "api_key": API_KEY,
            "api_secret": API_SECRET,
            "bearer_token": BEARER,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": self.world.refresh_token,
            "base_url": self.origin,
        }

    def point_to(self, callback_url: str) -> None:
        """Nothing: an app registers its webhook by request."""

    async def stop(self) -> None:
        await self.courier.stop()

    # what is delivered

    def happened(self, kind: str, payload: dict[str, Any]) -> None:
        """Deliver an event to every webhook that is subscribed to it."""
        for subscription in list(self.subscriptions.values()):
            if subscription["event_type"] == kind:
                told = {"filter": subscription["filter"], "tag": subscription.get("tag", ""), "payload": payload}
                self._deliver(subscription["webhook_id"], kind, told)

    def revoked(self) -> None:
        """The business took the app's access away. It comes without anybody having asked for it, and with an empty filter."""
        payload = {"user_id": OWN, "date_time": clock.now().isoformat(), "app_id": "268278"}
        self.world.access_tokens.clear()
        for webhook in self.webhooks:
            self._deliver(webhook, "oauth.revoke", {"filter": {}, "payload": payload})

    def _deliver(self, webhook_id: str, kind: str, told: dict[str, Any]) -> None:
        """To a webhook that is in force."""
        webhook = self.webhooks.get(webhook_id, {})
        if not webhook.get("valid"):
            return
        data = {"event_uuid": str(-int(self.world.next_id())), "event_type": kind, **told}
        body = json.dumps({"data": data}, ensure_ascii=False).encode()
        headers = {"content-type": "application/json", "x-twitter-webhooks-signature": signed(body)}
        self.courier.send(Outgoing(webhook["url"], body, headers), queue=kind.partition(".")[0])

    def told(self, chat: Chat, line: PhoneLine, data: dict[str, Any] | None = None) -> None:
        """A message of either end: received, or the echo of the business's own."""
        sender, target = (OWN, chat.person.id) if line.is_theirs else (chat.person.id, OWN)
        message = {"text": escape(line.text), "entities": {"hashtags": [], "symbols": [], "user_mentions": [], "urls": []}}
        event = {
            "type": "message_create",
            "id": line.id,
            "created_timestamp": _milliseconds(line),
            "message_create": {"target": {"recipient_id": target}, "sender_id": sender, "message_data": message | (data or {})},
        }
        payload = {"direct_message_events": [event], "users": self.world.users(chat)}
        self.happened("dm.sent" if line.is_theirs else "dm.received", payload)

    # the API

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        pair = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {pair}" or form.get("client_id") != CLIENT_ID:
            return JSONResponse({"error": "unauthorized_client", "error_description": "Missing valid authorization header"}, 401)
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self.world.refresh_token:
            return JSONResponse({"error": "invalid_request", "error_description": "Value passed for the token was invalid."}, 400)
        access, refresh = self.world.new_tokens()
        told = {"token_type": "bearer", "expires_in": TOKEN_SECONDS, "access_token": access, "refresh_token": refresh}
        return JSONResponse(told | {"scope": "dm.read dm.write users.read media.write offline.access"})

    def _guarded(self, call: Any, *, app: bool = False) -> Any:
        """Credentials and faults before a call; its refusals as problems."""

        async def guarded(request: Request) -> Response:
            try:
                self._check(request, app=app)
                answer: Response = await call(request)
            except Refused as refused:
                return refused.answer
            if slow := self.faults.take("slow"):
                await asyncio.sleep(float(slow.values.get("delay", 3)))
            return answer

        return guarded

    def _check(self, request: Request, *, app: bool) -> None:
        given = request.headers.get("authorization", "")
        fits = given == f"Bearer {BEARER}" if app else self._is_user(request, given)
        if not fits or self.faults.take("unauthorised"):
            raise Refused(401, "", "Unauthorized")
        if limited := self.faults.take("rate_limited"):
            reset = int(clock.now().timestamp()) + int(limited.values.get("retry_after", 1))
            raise Refused(429, "", "Too Many Requests", {"x-rate-limit-reset": str(reset)})
        if broken := self.faults.take("server_error"):
            raise Refused(int(broken.values.get("status", 503)), "", "Service Unavailable")

    def _is_user(self, request: Request, given: str) -> bool:
        if given.startswith("OAuth "):
            query = f"?{request.url.query}" if request.url.query else ""
            return given == _signature_of(request.method, f"{self.origin}{request.scope['path']}{query}", given)
        return given.removeprefix("Bearer ") in self.world.access_tokens

    async def _me(self, request: Request) -> Response:
        return JSONResponse({"data": {"id": OWN, "username": USERNAME, "name": "Radwerk Lindau"}})

    async def _user(self, request: Request) -> Response:
        """A user by number or name, with the fields that are asked for. Somebody unknown is a problem in an answer of 200."""
        asked = {field for field in request.query_params.get("user.fields", "").split(",") if field}
        if strange := (request.query_params.keys() - {"user.fields"}) | (asked - USER_FIELDS):
            raise Refused(400, "invalid-request", f"The query parameter [{min(strange)}] is not valid")
        number, username = request.path_params.get("id", ""), request.path_params.get("username", "").lower()
        if (number and not number.isdecimal()) or (username and not HANDLE.fullmatch(username)):
            raise Refused(400, "invalid-request", "id or username does not match")
        chat = next((one for one in self.world.chats.values() if number == one.person.id or username == one.username.lower()), None)
        if chat is None:
            name = "id" if number else "username"
            detail = f"Could not find user with {name}: [{number or username}]."
            kind = "https://api.twitter.com/2/problems/resource-not-found"
            return JSONResponse({"errors": [{"title": "Not Found Error", "detail": detail, "parameter": name, "type": kind}]})
        told: dict[str, Any] = {"id": chat.person.id, "username": chat.username, "name": chat.person.name}
        return JSONResponse({"data": told | ({"receives_your_dm": not chat.is_closed} if asked else {})})

    async def _webhooks(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"data": list(self.webhooks.values()), "meta": {"result_count": len(self.webhooks)}})
        url = (await _json(request)).get("url")
        if not isinstance(url, str) or not url.startswith(("https://", "http://127.0.0.1")):
            raise Refused(400, "invalid-request", "UrlValidationFailed")
        if any(webhook["url"] == url for webhook in self.webhooks.values()):
            raise Refused(400, "invalid-request", "DuplicateUrlFailed")
        if self.webhooks:
            raise Refused(400, "invalid-request", "WebhookLimitExceeded")
        if not await self._passes(url):
            raise Refused(400, "invalid-request", "CrcValidationFailed")
        webhook = {"id": self.world.next_id(), "url": url, "valid": True, "created_at": clock.now().isoformat()}
        self.webhooks[str(webhook["id"])] = webhook
        return JSONResponse({"data": webhook})

    async def _test_again(self, request: Request) -> Response:
        webhook = self.webhooks.get(request.path_params["id"])
        if webhook is None:
            raise Refused(404, "resource-not-found", "no such webhook")
        webhook["valid"] = await self._passes(webhook["url"])
        return JSONResponse({"data": {"valid": webhook["valid"]}})

    async def _passes(self, url: str) -> bool:
        """The challenge: the address must answer with the signed token."""
        token = f"crc+ü {self.world.next_id()}"
        try:
            answer = await self._http.get(f"{url}?crc_token={quote(token)}")
            return bool(answer.json().get("response_token") == signed(token.encode()))
        except (httpx.HTTPError, ValueError):
            return False

    async def _list(self, request: Request) -> Response:
        found = list(self.subscriptions.values())
        return JSONResponse({"data": found, "meta": {"total_subscriptions": len(found)}})

    async def _subscribe(self, request: Request) -> Response:
        body = await _json(request)
        match body:
            case {"event_type": str(kind), "filter": {"user_id": user}, "webhook_id": str(webhook)} if (
                kind in KINDS and user == OWN and webhook in self.webhooks
            ):
                one = {**body, "subscription_id": self.world.next_id(), "created_at": clock.now().isoformat()}
                self.subscriptions[one["subscription_id"]] = one
                return JSONResponse({"data": [one], "meta": {"total_subscriptions": len(self.subscriptions)}})
        raise Refused(400, "invalid-request", "event_type, filter and webhook_id")

    async def _unsubscribe(self, request: Request) -> Response:
        if self.subscriptions.pop(request.path_params["id"], None) is None:
            raise Refused(404, "resource-not-found", "no such subscription")
        return JSONResponse({"data": {"deleted": True}})

    async def _upload(self, request: Request) -> Response:
        form = await request.form()
        media, category = form.get("media"), str(form.get("media_category", ""))
        if not isinstance(media, UploadFile) or category not in CATEGORIES:
            raise Refused(400, "invalid-request", "media and media_category")
        content, (kind, most) = await media.read(), CATEGORIES[category]
        await form.close()
        if not content or len(content) > most or not (media.content_type or "").startswith(kind):
            raise Refused(400, "invalid-request", "this file is not taken")
        number = self.world.next_id()
        file = PhoneFile(id=number, kind="image", name=media.filename or "", mime=media.content_type or "", size=len(content))
        self.world.uploads[number] = (file, content)
        return JSONResponse({"data": {"id": number, "media_key": f"3_{number}", "expires_after_secs": 86_400}})

    async def _send(self, request: Request) -> Response:
        if refused := self.faults.take("refused"):
            code = int(refused.values.get("code", 349))
            return JSONResponse({"errors": [{"code": code, "message": "You cannot send messages to this user."}]}, 403)
        body = await _json(request)
        if unknown := body.keys() - {"text", "attachments"}:
            raise Refused(400, "invalid-request", f"unknown key {min(unknown)}")
        text, attachments = body.get("text"), body.get("attachments", [])
        if (text is not None and (not isinstance(text, str) or not text)) or not (text or attachments):
            raise Refused(400, "invalid-request", "text or attachments")
        if len(text or "") > LONGEST_TEXT or len(attachments) > 1:
            raise Refused(400, "invalid-request", "too long, or more than one attachment")
        chat = self.world.chats.get(request.path_params["person"])
        if chat is None:
            raise Refused(404, "", "Not Found")
        if chat.is_closed:
            return JSONResponse({"errors": [{"code": 349, "message": "You cannot send messages to this user."}]}, 403)
        files = tuple(self._uploaded(one) for one in attachments)
        line = self.world.put(chat, is_theirs=True, text=text or "", files=files)
        self.told(chat, line)
        conversation = "-".join(sorted((OWN, chat.person.id)))
        return JSONResponse({"data": {"dm_conversation_id": conversation, "dm_event_id": line.id}}, 201)

    def _uploaded(self, attachment: Any) -> PhoneFile:
        number = attachment.get("media_id") if isinstance(attachment, dict) else None
        found = self.world.uploads.pop(str(number), None)
        if found is None:
            raise Refused(400, "invalid-request", "foreign or expired media_id")
        self.world.files[found[0].id] = found
        return found[0]

    async def _file(self, request: Request) -> Response:
        found = self.world.files.get(request.path_params["file"])
        if found is None or self.faults.take("file_gone"):
            return Response(status_code=404)
        return Response(found[1], media_type=found[0].mime)


def create(http: httpx.AsyncClient) -> XSimulator:
    return XSimulator(http)


def signed(message: bytes) -> str:
    return f"sha256={base64.b64encode(hmac.new(API_SECRET.encode(), message, hashlib.sha256).digest()).decode()}"


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _milliseconds(line: PhoneLine) -> str:
    return str(int(line.at.timestamp() * 1000))


def _signature_of(method: str, url: str, given: str) -> str:
    """The header as its own nonce and time make it with the secrets that we know."""
    parts = dict(part.strip().split("=", 1) for part in given.removeprefix("OAuth ").split(","))
    client = oauth1.Client(
        API_KEY,
        client_secret=API_SECRET,
        resource_owner_key=USER_TOKEN,
        resource_owner_secret=USER_SECRET,
        nonce=parts.get("oauth_nonce", "").strip('"'),
        timestamp=parts.get("oauth_timestamp", "").strip('"'),
    )
    _, headers, _ = client.sign(url, http_method=method)
    return str(headers["Authorization"])


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refused(400, "invalid-request", "One or more parameters to your request was invalid.")
    return body
