"""The Gateway's API as strict as its documents: forms in, one word out. Statuses are the documents'; the words beside are ours.

POST /send_simple   /send_e2e   /send_e2e_bulk   /upload_blob
GET  /pubkeys/{id}  /lookup/{what}/{value}  /capabilities/{id}  /credits  /blobs/{id}
"""

import asyncio
import os
import re
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from hub.sandbox.faults import Faults
from hub.sandbox.threema.world import Gateway, Person, World

LONGEST_TEXT: Final = 3500
LONGEST_BOX: Final = 7812
LARGEST_BLOB: Final = 20 << 20
ID: Final = re.compile(r"[*0-9A-Z][0-9A-Z]{7}")
HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
HASH: Final = re.compile(r"[0-9a-f]{64}")


class Takes(Protocol):
    """Where accepted messages go: the phone."""

    def take_text(self, gateway: Gateway, person: Person, message: str, text: str) -> None: ...

    def take_box(self, gateway: Gateway, person: Person, message: str, nonce: bytes, box: bytes, *, confirms: bool) -> None: ...


class Refused(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, text: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers


class Silence(Response):
    """It is done, but the answer never comes: after some seconds the connection is cut in the middle of one."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(self._seconds)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})


class GatewayServer:
    """The simulated msgapi.threema.ch."""

    def __init__(self, world: World, faults: Faults, phone: Takes) -> None:
        self._world = world
        self._faults = faults
        self._phone = phone
        self._app = Starlette(
            routes=[
                Route("/send_simple", self._asked(self._send_simple), methods=["POST"]),
                Route("/send_e2e", self._asked(self._send_e2e), methods=["POST"]),
                Route("/send_e2e_bulk", self._asked(self._send_bulk), methods=["POST"]),
                Route("/upload_blob", self._asked(self._upload), methods=["POST"]),
                Route("/blobs/{blob}", self._asked(self._download)),
                Route("/pubkeys/{id}", self._asked(self._public_key)),
                Route("/lookup/{what}/{value}", self._asked(self._lookup)),
                Route("/capabilities/{id}", self._asked(self._capabilities)),
                Route("/credits", self._asked(self._credits)),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def _asked(self, do: Callable[[Request, Gateway], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Faults, then the account, then what is asked. `from` and `secret` stand in the form of a message, else in the address."""

        async def answer(request: Request) -> Response:
            try:
                self._fail()
                given = request.query_params if request.url.path not in ("/send_simple", "/send_e2e") else await request.form()
                gateway = self._account(str(given.get("from", "")), str(given.get("secret", "")))
                response = await do(request, gateway)
            except Refused as refused:
                return PlainTextResponse(refused.text, refused.status, refused.headers)
            if slow := self._faults.take("slow"):
                await asyncio.sleep(float(slow.values.get("delay", 3.0)))
            if request.method == "POST" and (lost := self._faults.take("lost_answer")):
                return Silence(float(lost.values.get("delay", 60.0)))
            return response

        return answer

    def _fail(self) -> None:
        if limited := self._faults.take("rate_limited"):
            after = limited.values.get("retry_after")
            raise Refused(429, "Too many requests", {"retry-after": str(after)} if after else None)
        if broken := self._faults.take("server_error"):
            raise Refused(int(broken.values.get("status", 500)), "Internal server error")
        if refused := self._faults.take("refused"):
            raise Refused(int(refused.values["code"]), "Refused")

    def _account(self, id_: str, secret: str) -> Gateway:
        gateway = self._world.gateways.get(id_)
        if gateway is None or gateway.secret != secret or self._faults.take("unauthorised"):
            raise Refused(401, "API identity or secret incorrect")
        return gateway

    async def _send_simple(self, request: Request, gateway: Gateway) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        if gateway.private_key is None:
            raise Refused(400, "The account is not set up for basic mode")
        named = [name for name in ("to", "phone", "email") if name in form]
        if len(named) != 1 or not form.get("text"):
            raise Refused(400, "Exactly one recipient and a text are needed")
        if len(form["text"].encode()) > LONGEST_TEXT:
            raise Refused(413, "Message is too long")
        if named == ["to"]:
            person = self._recipient(form["to"])
        else:
            found = self._world.find(named[0], form[named[0]])
            if found is None:
                raise Refused(404, "Not found")
            person = found
        message = self._pay(gateway)
        self._phone.take_text(gateway, person, message, form["text"])
        return PlainTextResponse(message)

    async def _send_e2e(self, request: Request, gateway: Gateway) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        self._need_keys(gateway)
        if not (HEX.fullmatch(form.get("nonce", "")) and HEX.fullmatch(form.get("box", ""))):
            raise Refused(400, "nonce and box are hexadecimal")
        nonce, box = bytes.fromhex(form["nonce"]), bytes.fromhex(form["box"])
        return PlainTextResponse(self._take(gateway, form.get("to", ""), nonce, box, form.get("noDeliveryReceipts") != "1"))

    async def _send_bulk(self, request: Request, gateway: Gateway) -> Response:
        """Each for itself: the answer is 200 with single failures inside. Nonce and box are Base64 here."""
        self._need_keys(gateway)
        answers: list[dict[str, Any]] = []
        for one in await request.json():
            try:
                nonce, box = b64decode(one["nonce"], validate=True), b64decode(one["box"], validate=True)
                message = self._take(gateway, one["to"], nonce, box, one.get("noDeliveryReceipts") is not True)
            except Refused as refused:
                answers.append({"errorCode": refused.status})
            else:
                answers.append({"messageId": message})
        return JSONResponse(answers)

    def _take(self, gateway: Gateway, to: str, nonce: bytes, box: bytes, confirms: bool) -> str:
        if len(nonce) != 24:
            raise Refused(400, "the nonce has 24 bytes")
        if len(box) > LONGEST_BOX:
            raise Refused(413, "Message is too long")
        person = self._recipient(to)
        message = self._pay(gateway)
        self._phone.take_box(gateway, person, message, nonce, box, confirms=confirms)
        return message

    def _need_keys(self, gateway: Gateway) -> None:
        if gateway.private_key is not None:
            raise Refused(400, "The account is not set up for end-to-end mode")

    def _recipient(self, to: str) -> Person:
        if not ID.fullmatch(to) or to not in self._world.people:
            raise Refused(400, "The recipient identity is invalid")
        return self._world.people[to]

    def _pay(self, gateway: Gateway) -> str:
        """One credit; the id of a message."""
        if gateway.credits <= 0:
            raise Refused(402, "No credits remain")
        gateway.credits -= 1
        return os.urandom(8).hex()

    async def _upload(self, request: Request, gateway: Gateway) -> Response:
        async with request.form() as form:
            blob = form.get("blob")
            content = b"" if blob is None or isinstance(blob, str) else await blob.read()
        if not content:
            raise Refused(400, "blob is missing or empty")
        if len(content) > LARGEST_BLOB + 16:
            raise Refused(413, "The blob is too big")
        self._pay(gateway)
        return PlainTextResponse(self._world.keep_blob(content))

    async def _download(self, request: Request, gateway: Gateway) -> Response:
        content = self._world.blobs.get(request.path_params["blob"])
        if content is None or self._faults.take("file_gone"):
            raise Refused(404, "Not found")
        return Response(content, media_type="application/octet-stream")

    async def _public_key(self, request: Request, gateway: Gateway) -> Response:
        key = self._world.public_key(request.path_params["id"])
        if key is None:
            raise Refused(404, "Not found")
        return PlainTextResponse(bytes(key).hex())

    async def _lookup(self, request: Request, gateway: Gateway) -> Response:
        what, value = request.path_params["what"], request.path_params["value"]
        if what not in ("phone", "phone_hash", "email", "email_hash"):
            raise Refused(404, "Not found")
        if what.endswith("_hash") and not HASH.fullmatch(value):
            raise Refused(400, "The hash has the wrong length")
        found = self._world.find(what, value)
        if found is None:
            raise Refused(404, "Not found")
        return PlainTextResponse(found.id)

    async def _capabilities(self, request: Request, gateway: Gateway) -> Response:
        person = self._world.people.get(request.path_params["id"])
        if person is None:
            raise Refused(404, "Not found")
        return PlainTextResponse(",".join(person.capabilities))

    async def _credits(self, request: Request, gateway: Gateway) -> Response:
        return PlainTextResponse(str(gateway.credits))
