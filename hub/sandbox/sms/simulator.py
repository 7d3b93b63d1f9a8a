"""The gateway's API as strict as the README says, signed webhooks with what comes in and what became of each SMS, and the phones.

    POST /v1/messages    to, from, text, reference: 201 with id and status, or 4xx with a reason
    GET  /v1/balance     200 with the balance

The hub's address is not registered by request: gateways keep it in their own page. Here the control API of the sandbox says it.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from hub.core import clock
from hub.core.errors import Conflict, NotFound
from hub.sandbox.courier import Courier, Outgoing
from hub.sandbox.faults import Faults
from hub.sandbox.messengers import Act, PhoneAccount, PhoneChat, PhoneDraft, PhoneFile, PhoneLine, PhonePerson
from hub.sandbox.sms.world import KEY, SECRET, SENDER, Handset, World

LONGEST: Final = 1530
"""Characters of the GSM alphabet in ten pieces."""
STOP_WORDS: Final = frozenset({"stop", "stopp"})


class SmsSimulator:
    connector = "sms"
    label = "SMS"
    mark = "sms"

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.faults = Faults()
        self.courier = Courier(http, self.faults)
        self.world = World()
        self.phone = SmsPhone(self)
        self.webhook_url = ""
        self._app = Starlette(
            routes=[
                Route("/v1/messages", self._send, methods=["POST"]),
                Route("/v1/balance", self._balance, methods=["GET"]),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def sample_settings(self, origin: str) -> dict[str, Any]:
        return {
            "sender": SENDER,
            "send_url": f"{origin}/sms/v1/messages",
            "authorization": KEY,
            "signing_secret": SECRET,
            "check_url": f"{origin}/sms/v1/balance",
        }

    def point_to(self, callback_url: str) -> None:
        """Somebody entered the hub's address at the gateway."""
        self.webhook_url = callback_url

    async def stop(self) -> None:
        await self.courier.stop()

    def tell(self, body: Mapping[str, Any], number: str) -> None:
        """Deliver a webhook; nobody hears of it while no address is entered."""
        if not self.webhook_url:
            return
        content = json.dumps(body, ensure_ascii=False).encode()
        digest = hmac.new(SECRET.encode(), content, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", "x-signature": f"sha256={digest}"}
        self.courier.send(Outgoing(self.webhook_url, content, headers), queue=number)

    async def _balance(self, request: Request) -> Response:
        if request.headers.get("authorization") != KEY:
            return _refusal(401, "wrong key")
        return JSONResponse({"balance": self.world.balance})

    async def _send(self, request: Request) -> Response:
        if request.headers.get("authorization") != KEY or self.faults.take("unauthorised"):
            return _refusal(401, "wrong key")
        if limited := self.faults.take("rate_limited"):
            wait = str(limited.values.get("retry_after", 1))
            return JSONResponse({"reason": "too many requests"}, 429, {"retry-after": wait})
        if broken := self.faults.take("server_error"):
            return Response(status_code=int(broken.values.get("status", 503)))
        if refused := self.faults.take("refused"):
            return _refusal(400, str(refused.values.get("code", "refused")))
        if slow := self.faults.take("slow"):
            await asyncio.sleep(float(slow.values.get("delay", 3)))
        return self._accept(await _json(request))

    def _accept(self, body: Any) -> Response:
        problem = _problem(body)
        if problem:
            return _refusal(400, problem)
        if self.world.balance <= 0:
            return _refusal(402, "no balance")
        handset = self.world.handsets.get(body["to"])
        if handset is not None and handset.has_stopped:
            return JSONResponse({"status": "opted_out", "reason": "the recipient sent STOP"}, 400)
        self.world.balance -= 1
        if handset is None:
            number = self.world.next_id()
            report = {"id": number, "to": body["to"], "status": "undelivered", "reason": "unknown subscriber"}
        else:
            number = self.world.put(handset, body["text"], is_theirs=True).id
            report = {"id": number, "to": body["to"], "status": "delivered"}
        self.tell(report | {"at": clock.now().isoformat()}, body["to"])
        return JSONResponse({"id": number, "status": "accepted"}, 201)


class SmsPhone:
    """People who send and read SMS. All there is to do is to write."""

    can: frozenset[Act] = frozenset({"write"})
    extras: Mapping[str, str] = {}

    def __init__(self, simulator: SmsSimulator) -> None:
        self._simulator = simulator
        self._world = simulator.world

    def accounts(self) -> Sequence[PhoneAccount]:
        return [PhoneAccount(id=SENDER, title="Radwerk Lindau", address=SENDER)]

    def people(self, account: str) -> Sequence[PhonePerson]:
        return [handset.person for handset in self._world.handsets.values()]

    def add_person(self, account: str, name: str, address: str = "") -> PhonePerson:
        return self._world.add(name, address)

    def chat(self, account: str, person: str) -> PhoneChat:
        return PhoneChat(lines=tuple(self._handset(account, person).lines))

    def file(self, account: str, file: str) -> tuple[PhoneFile, bytes]:
        raise NotFound("SMS have no files")

    def write(self, account: str, person: str, draft: PhoneDraft) -> PhoneLine:
        handset = self._handset(account, person)
        if not draft.text.strip() or draft.file or draft.place or draft.contact:
            raise Conflict("an SMS is a text")
        handset.has_stopped = draft.text.strip().lower() in STOP_WORDS
        line = self._world.put(handset, draft.text, is_theirs=False, at=draft.at)
        told = {"id": line.id, "from": person, "to": account, "text": draft.text, "at": line.at.isoformat()}
        self._simulator.tell(told, person)
        return line

    def extra(self, account: str, person: str, name: str) -> None:
        raise NotFound("nothing besides texts")

    def press(self, account: str, person: str, line: str, button: str) -> None:
        raise Conflict("SMS have nothing to press")

    def react(self, account: str, person: str, line: str, emoji: str) -> None:
        raise Conflict("SMS have no reactions")

    def edit(self, account: str, person: str, line: str, text: str) -> None:
        raise Conflict("an SMS cannot be changed")

    def delete(self, account: str, person: str, line: str) -> None:
        raise Conflict("an SMS cannot be taken back")

    def read(self, account: str, person: str) -> None:
        """Nobody gets to know."""

    def set_typing(self, account: str, person: str, typing: bool) -> None:
        """Nobody gets to know."""

    def set_blocked(self, account: str, person: str, blocked: bool) -> None:
        raise Conflict("numbers are blocked on the phone itself, and nobody is told")

    def restore(self, account: str, person: str, lines: Sequence[PhoneLine]) -> None:
        handset = self._handset(account, person)
        known = {line.id for line in handset.lines}
        handset.lines[:0] = [line for line in lines if line.id not in known]

    def _handset(self, account: str, person: str) -> Handset:
        if account != SENDER:
            raise NotFound("no such account")
        return self._world.handset(person)


def create(http: httpx.AsyncClient) -> SmsSimulator:
    return SmsSimulator(http)


def _problem(body: Any) -> str:
    """What the gateway finds wrong with a request; empty for nothing."""
    if not isinstance(body, dict):
        return "the body is no JSON object"
    for name in ("to", "from", "text", "reference"):
        if not isinstance(body.get(name), str) or not body[name].strip():
            return f"{name} is missing"
    if unknown := body.keys() - {"to", "from", "text", "reference"}:
        return f"unknown fields: {', '.join(sorted(unknown))}"
    if not (body["to"].startswith("+") and body["to"][1:].isdigit() and 8 <= len(body["to"]) <= 16):
        return "to is not a number in international form"
    if body["from"] != SENDER:
        return "from is not a sender of this account"
    if len(body["text"]) > LONGEST:
        return "text is too long"
    return ""


def _refusal(status: int, reason: str) -> Response:
    return JSONResponse({"status": "rejected", "reason": reason}, status)


async def _json(request: Request) -> Any:
    try:
        return await request.json()
    except ValueError:
        return None
