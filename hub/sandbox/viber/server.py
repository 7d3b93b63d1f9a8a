"""The Bot API as strict as its documents: JSON in, JSON out, and 200 whatever happens: `status` says it.

POST /pa/get_account_info   /set_webhook   /send_message   /broadcast_message   /get_user_details   /get_online
GET  /media/{id}/{name}     a file that somebody sent, for about an hour
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Protocol

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from hub.core import clock
from hub.sandbox.faults import Faults
from hub.sandbox.viber.checks import NAMES, Refused, check_message
from hub.sandbox.viber.world import Bot, Chat, Json, Person, World

HOST: Final = "SN-CHAT-05_"
ALWAYS: Final = ("message", "subscribed", "unsubscribed")
"""Events that cannot be switched off."""
EVENTS: Final = ("delivered", "seen", "failed", "subscribed", "unsubscribed", "conversation_started", "client_status")
MOST_RECEIVERS: Final = 300
MOST_UNANSWERED: Final = 100
"""Messages to one person in a clock hour without a reply."""


class Side(Protocol):
    """The people and the way to the hub: the phone."""

    async def test(self, bot: Bot, url: str) -> int | str:
        """Call an address with the event `webhook`; its status, or what went wrong."""

    def take(self, bot: Bot, person: Person, token: int, message: Json) -> None:
        """A message that was taken."""


class Silence(Response):
    """It is done, but the answer never comes: after some seconds the connection is cut in the middle of one."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(self._seconds)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})


class ViberServer:
    """The simulated chatapi.viber.com."""

    def __init__(self, world: World, faults: Faults, side: Side) -> None:
        self._world = world
        self._faults = faults
        self._side = side
        methods = {
            "get_account_info": self._account_info,
            "set_webhook": self._set_webhook,
            "send_message": self._send_message,
            "broadcast_message": self._broadcast,
            "get_user_details": self._user_details,
            "get_online": self._online,
        }
        routes = [Route(f"/pa/{name}", self._asked(do), methods=["POST"]) for name, do in methods.items()]
        self._app = Starlette(routes=[*routes, Route("/media/{id}/{name}", self._media)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def _asked(self, do: Callable[[Bot, Json, int], Awaitable[Json]]) -> Callable[[Request], Awaitable[Response]]:
        """Faults, then the bot, then what is asked. The token stands in a header, in older programs in the body."""

        async def answer(request: Request) -> Response:
            if limited := self._faults.take("rate_limited"):
                after = limited.values.get("retry_after")
                return Response(status_code=429, headers={"retry-after": str(after)} if after else None)
            if broken := self._faults.take("server_error"):
                return Response("<html>", int(broken.values.get("status", 500)))
            raw = await request.body()
            try:
                if refused := self._faults.take("refused"):
                    raise Refused(int(refused.values["code"]))
                body = orjson.loads(raw) if raw else {}
                token = request.headers.get("x-viber-auth-token") or body.get("auth_token", "")
                bot = self._world.by_token(token)
                if bot is None or self._faults.take("unauthorised"):
                    raise Refused(2)
                told: Json = {"status": 0, "status_message": "ok", "chat_hostname": HOST, **await do(bot, body, len(raw))}
            except Refused as refusal:
                told = {"status": refusal.status, "status_message": refusal.text, "chat_hostname": HOST}
            except orjson.JSONDecodeError:
                told = {"status": 3, "status_message": NAMES[3]}
            if slow := self._faults.take("slow"):
                await asyncio.sleep(float(slow.values.get("delay", 3.0)))
            if request.url.path.endswith("_message") and (lost := self._faults.take("lost_answer")):
                return Silence(float(lost.values.get("delay", 60.0)))
            return Response(orjson.dumps(told), media_type="application/json")

        return answer

    async def _account_info(self, bot: Bot, body: Json, size: int) -> Json:
        return {
            "id": bot.id,
            "name": bot.name,
            "uri": bot.uri,
            "icon": "",
            "category": "Local Businesses",
            "country": "DE",
            "webhook": bot.webhook,
            "event_types": list(bot.events),
            "members": [],
            "subscribers_count": self._world.subscribers(bot.id),
        }

    async def _set_webhook(self, bot: Bot, body: Json, size: int) -> Json:
        """The address is called before this is answered, and must answer 200."""
        url = body.get("url")
        if not isinstance(url, str):
            raise Refused(4, "url is missing")
        if not url:
            bot.webhook, bot.events = "", ()
            return {"event_types": []}
        asked = body.get("event_types", list(EVENTS))
        if not isinstance(asked, list) or not all(one in (*EVENTS, "message") for one in asked):
            raise Refused(3, "event_types is wrong")
        if not url.startswith(("https://", "http://")):
            raise Refused(1)
        outcome = await self._side.test(bot, url)
        if outcome != 200:
            raise Refused(1, f"Result of webhook: {outcome}")
        bot.webhook = url
        bot.events = tuple(dict.fromkeys([*asked, *ALWAYS, "client_status"]))
        bot.wants_names = body.get("send_name") is True
        return {"event_types": list(bot.events)}

    async def _send_message(self, bot: Bot, body: Json, size: int) -> Json:
        check_message(body, size)
        self._need_webhook(bot)
        receiver = body.get("receiver")
        if not isinstance(receiver, str) or not receiver:
            raise Refused(4, "receiver is missing")
        person, chat = self._receiver(bot, receiver)
        self._count(chat, clock.now())
        token = self._world.next_token()
        self._side.take(bot, person, token, body)
        return {"message_token": token, "billing_status": 1}

    async def _broadcast(self, bot: Bot, body: Json, size: int) -> Json:
        """One token for all; who is not subscribed stands in `failed_list` of an answer with status 0."""
        if not bot.may_broadcast:
            raise Refused(19)
        check_message(body, size)
        self._need_webhook(bot)
        receivers = body.get("broadcast_list")
        if not isinstance(receivers, list) or not receivers or len(receivers) > MOST_RECEIVERS:
            raise Refused(3, "broadcast_list is wrong")
        token, failed = self._world.next_token(), []
        for receiver in receivers:
            try:
                person, _ = self._receiver(bot, receiver)
            except Refused as refusal:
                failed.append({"receiver": receiver, "status": refusal.status, "status_message": refusal.text})
            else:
                self._side.take(bot, person, token, body)
        return {"message_token": token, "failed_list": failed}

    async def _user_details(self, bot: Bot, body: Json, size: int) -> Json:
        person, _ = self._receiver(bot, str(body.get("id", "")))
        user = {"id": person.id, "name": person.name, "language": person.language, "country": "DE", "api_version": 10}
        return {"message_token": self._world.next_token(), "user": user}

    async def _online(self, bot: Bot, body: Json, size: int) -> Json:
        users = [{"id": one, "online_status": 0, "online_status_message": "online"} for one in body.get("ids", [])]
        return {"users": users}

    def _need_webhook(self, bot: Bot) -> None:
        if not bot.webhook:
            raise Refused(10)

    def _receiver(self, bot: Bot, receiver: str) -> tuple[Person, Chat]:
        if receiver not in self._world.people:
            raise Refused(5)
        chat = self._world.chat(bot.id, receiver)
        if not chat.is_subscribed:
            raise Refused(6)
        return self._world.people[receiver], chat

    def _count(self, chat: Chat, now: datetime) -> None:
        hour = now.replace(minute=0, second=0, microsecond=0)
        if chat.hour != hour:
            chat.hour, chat.unanswered = hour, 0
        if chat.unanswered >= MOST_UNANSWERED:
            raise Refused(12)
        chat.unanswered += 1

    async def _media(self, request: Request) -> Response:
        found = self._world.files.get(request.path_params["id"])
        if found is None or self._faults.take("file_gone"):
            return Response(status_code=403)
        return Response(found[1], media_type=found[0].mime)
