"""Apple's gateway for messaging service providers, its storage for files, and what it posts.

POST /v1/message            200 with an empty body; 404 for a stranger, 410 once the conversation is deleted
GET  /v1/preUpload          a place for a sealed file
POST /storage/up/{place}    its bytes
GET  /v1/preDownload        where a stored file can be fetched, once
GET  /storage/down/{place}  its bytes, without a token
POST /v1/decodePayload      a packed answer as JSON
"""

import asyncio
import base64
import binascii
import gzip
import json
import secrets
import time
import zlib
from http import HTTPStatus
from typing import Any, Final

import httpx
import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from hub.sandbox.apple.phone import ApplePhone
from hub.sandbox.apple.rules import BID, PLACEHOLDER, buttons_of, problem_of
from hub.sandbox.apple.world import BUSINESS, MSP, SECRET, Chat, World, crypt
from hub.sandbox.courier import Courier, Outgoing
from hub.sandbox.faults import Faults
from hub.sandbox.messengers import FileKind, PhoneFile

KEY: Final = base64.b64decode(SECRET)
LONGEST_AGE, SKEW = 3600.0, 300.0
CAPABILITIES: Final = "AUTH,AUTH2,FORM,LIST,QUICK,TIME"
KINDS: Final[dict[str, FileKind]] = {"image": "image", "video": "video", "audio": "audio"}


class Refused(Exception):
    """An answer of Apple's: a status, and for a 400 its reason."""

    def __init__(self, status: int, text: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.answer = Response(text, status, headers)


class Silence(Response):
    """It is done, but the answer never comes: after some seconds the connection is cut in the middle of one."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(self._seconds)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})


class AppleSimulator:
    connector = "apple"
    label = "Apple Messages for Business"
    mark = "am"

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.faults = Faults()
        self.courier = Courier(http, self.faults)
        self.world = World()
        self.phone = ApplePhone(self)
        self.base = ""
        """The address of the provider, to which Apple appends `/message`."""
        self.origin = ""
        self._downloads: dict[str, str] = {}
        self._app = Starlette(
            routes=[
                Route("/v1/message", self._guarded(self._message), methods=["POST"]),
                Route("/v1/preUpload", self._guarded(self._pre_upload), methods=["GET"]),
                Route("/v1/preDownload", self._guarded(self._pre_download), methods=["GET"]),
                Route("/v1/decodePayload", self._guarded(self._decode), methods=["POST"]),
                Route("/storage/up/{place}", self._upload, methods=["POST"]),
                Route("/storage/down/{place}", self._download, methods=["GET"]),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def sample_settings(self, origin: str) -> dict[str, Any]:
        self.origin = f"{origin}/apple"
        return {"business_id": BUSINESS, "msp_id": MSP, "secret": SECRET, "base_url": self.origin}

    def point_to(self, callback_url: str) -> None:
        """The address is entered in Apple Business Register, without the end that Apple appends."""
        self.base = callback_url.removesuffix("/message")

    async def stop(self) -> None:
        await self.courier.stop()

    def tell(self, chat: Chat, number: str, told: dict[str, Any]) -> None:
        """Post one message of a person; nobody hears of it while no address is entered."""
        if not self.base:
            return
        person = chat.person.id
        payload = {"id": number, "v": 1, "sourceId": person, "destinationId": BUSINESS, "locale": chat.locale, **told}
        token = jwt.encode({"aud": MSP, "iat": int(time.time())}, KEY, algorithm="HS256")
        headers = {
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "id": number,
            "source-id": person,
            "destination-id": BUSINESS,
            "capability-list": CAPABILITIES,
            "device-agent": "iPhone OS",
        }
        body = gzip.compress(json.dumps(payload, ensure_ascii=False).encode())
        self.courier.send(Outgoing(f"{self.base}/message", body, headers), queue=person)

    def _guarded(self, call: Any) -> Any:
        """Token, business and faults before a call."""

        async def guarded(request: Request) -> Response:
            try:
                self._check(request)
                answer: Response = await call(request)
            except Refused as refused:
                return refused.answer
            if slow := self.faults.take("slow"):
                await asyncio.sleep(float(slow.values.get("delay", 3)))
            if request.url.path.endswith("/message") and (lost := self.faults.take("lost_answer")):
                return Silence(float(lost.values.get("delay", 60.0)))
            return answer

        return guarded

    def _check(self, request: Request) -> None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or not token:
            raise Refused(401)
        try:
            claims = jwt.decode(token, KEY, algorithms=["HS256"], issuer=MSP, leeway=SKEW, options={"require": ["iss", "iat"]})
        except jwt.PyJWTError:
            raise Refused(403) from None
        if time.time() - claims["iat"] > LONGEST_AGE or self.faults.take("unauthorised"):
            raise Refused(403)
        if request.headers.get("source-id") != BUSINESS:
            raise Refused(404)
        if limited := self.faults.take("rate_limited"):
            wait = limited.values.get("retry_after")
            raise Refused(429, headers={"retry-after": str(wait)} if wait else None)
        if broken := self.faults.take("server_error"):
            code = int(broken.values.get("status", 503))
            raise Refused(code, HTTPStatus(code).phrase)
        if refused := self.faults.take("refused"):
            raise Refused(400, str(refused.values.get("code", "refused")))

    async def _message(self, request: Request) -> Response:
        try:
            body = await request.json()
        except ValueError:
            raise Refused(400, "no JSON") from None
        if problem := problem_of(body, request.headers):
            raise Refused(400, problem)
        chat = self.world.chats.get(body["destinationId"])
        if chat is not None and chat.is_deleted:
            raise Refused(410)
        if chat is None or not chat.is_open:
            raise Refused(404)
        chat.is_typing = body["type"] == "typing_start"
        if body["type"] in ("text", "interactive", "richLink"):
            self._show(chat, body)
        return Response("", 200)

    def _show(self, chat: Chat, body: dict[str, Any]) -> None:
        match body:
            case {"type": "text", "body": str(words)}:
                files = tuple(self._opened(told) for told in body.get("attachments", []))
                text = words.replace(PLACEHOLDER, "").strip()
                self.world.put(chat, body["id"], is_theirs=True, text=text, files=files)
            case {"type": "richLink", "richLinkData": dict(link)}:
                image = link["assets"]["image"]
                shown = PhoneFile(id="", kind="image", name=link["title"], mime=image["mimeType"], size=0)
                kept = self.world.keep(shown, base64.b64decode(image["data"]))
                self.world.put(chat, body["id"], is_theirs=True, text=link["url"], files=(kept,))
            case {"interactiveData": dict(told)}:
                buttons = buttons_of(told) if told["bid"] == BID else ()
                title = told.get("receivedMessage", {}).get("title", "")
                self.world.put(chat, body["id"], is_theirs=True, text=title, buttons=buttons)
                chat.asked[body["id"]] = told

    def _opened(self, told: dict[str, str]) -> PhoneFile:
        """A file as the device opens it."""
        stored = self.world.stored(told["url"].rpartition("/")[2])
        if stored is None or stored.owner != told["owner"]:
            raise Refused(400, "no such attachment")
        if base64.b64encode(stored.signature).decode() != told["signature-base64"] or len(stored.sealed) != int(told["size"]):
            raise Refused(400, "signature or size is not that of the attachment")
        content = crypt(stored.sealed, bytes.fromhex(told["key"][2:]))
        kind = KINDS.get(told["mimeType"].partition("/")[0], "document")
        return self.world.keep(PhoneFile(id="", kind=kind, name=told["name"], mime=told["mimeType"], size=0), content)

    async def _pre_upload(self, request: Request) -> Response:
        size = request.headers.get("mmcs-size") or request.headers.get("size") or ""
        if not size.isdecimal() or int(size) == 0:
            raise Refused(400, "MMCS-Size is required")
        name = f"M{secrets.token_hex(8)}"
        self.world.uploads[name] = int(size)
        told = {"upload-url": f"{self.origin}/storage/up/{name}", "mmcs-url": f"{self.origin}/storage/{name}"}
        return JSONResponse({**told, "mmcs-owner": f"{name}.C01USN00"})

    async def _upload(self, request: Request) -> Response:
        name, content = request.path_params["place"], await request.body()
        if self.world.uploads.pop(name, None) != len(content):
            return Response("", 400)
        self.world.store(content, name)
        signature = base64.b64encode(self.world.storage[name].signature).decode()
        return JSONResponse({"singleFile": {"fileChecksum": signature, "size": len(content), "receipt": secrets.token_hex(8)}})

    async def _pre_download(self, request: Request) -> Response:
        """Headers of today or of older texts. A signature in hexadecimal is base64 too, and the wrong one (4)."""
        url, signature, owner = (
            request.headers.get(f"mmcs-{name}") or request.headers.get(name, "") for name in ("url", "signature", "owner")
        )
        name = url.rpartition("/")[2]
        stored = self.world.stored(name)
        if stored is None or self.faults.take("file_gone"):
            raise Refused(404)
        try:
            given = base64.b64decode(signature, validate=True)
        except binascii.Error:
            given = b""
        if given != stored.signature or owner != stored.owner:
            raise Refused(400, "signature or owner is not that of the attachment")
        place = secrets.token_hex(16)
        self._downloads[place] = name
        return JSONResponse({"download-url": f"{self.origin}/storage/down/{place}"})

    async def _download(self, request: Request) -> Response:
        """The storage takes no token, and hands a file out once for each address."""
        if "authorization" in request.headers:
            return Response("", 400)
        stored = self.world.stored(self._downloads.pop(request.path_params["place"], ""))
        return Response("", 404) if stored is None else Response(stored.sealed, media_type="application/octet-stream")

    async def _decode(self, request: Request) -> Response:
        if request.headers.get("bid") != BID:
            raise Refused(400, "bid is required")
        try:
            told = json.loads(gzip.decompress(await request.body()))
        except (OSError, EOFError, zlib.error, ValueError):
            raise Refused(400, "no packed payload") from None
        return JSONResponse(told)


def create(http: httpx.AsyncClient) -> AppleSimulator:
    return AppleSimulator(http)
