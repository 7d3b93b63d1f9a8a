"""The Graph API as far as messages need it: tokens, subscriptions, sending, files, people.

GET              /v26.0/debug_token
GET              /v26.0/me, /v26.0/{account}, /v26.0/{person}
GET, POST        /v26.0/{app}/subscriptions
GET, POST, DELETE /v26.0/{account}/subscribed_apps
POST             /v26.0/{account}/messages, /v26.0/{account}/message_attachments
GET              /v26.0/access_token, /v26.0/refresh_access_token    Instagram's own login
GET              /files/{id}
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from hub.core import clock
from hub.sandbox._graph import sending
from hub.sandbox._graph.delivering import Webhooks
from hub.sandbox._graph.files import fetch_link, keep_attachment
from hub.sandbox._graph.flavour import Flavour
from hub.sandbox._graph.phone import GraphPhone
from hub.sandbox._graph.refusals import Refused, invalid
from hub.sandbox._graph.wire import Asked, need_app, read
from hub.sandbox._graph.world import APP_ID, APP_NAME, INSTAGRAM_APP_ID, INSTAGRAM_APP_SECRET, Page, Subscription, World
from hub.sandbox.courier import Courier
from hub.sandbox.faults import Faults
from hub.sandbox.messengers import PhonePerson

SCOPES: Final = ["pages_messaging", "pages_manage_metadata", "pages_show_list", "pages_read_engagement",
                 "instagram_basic", "instagram_manage_messages"]  # fmt: skip
TOKEN_LASTS, TOKEN_RESTS = timedelta(days=60), timedelta(hours=24)
"""Of Instagram's own tokens: how long they are good, and how old they must be to be renewed (instagram.md, 1)."""
VERSION: Final = "v26.0"
HANG_SECONDS: Final = 60.0

Handler = Callable[[Request, Asked], Awaitable[Response]]


class Cut(Exception):
    """The answer never comes."""

    def __init__(self, after: float) -> None:
        super().__init__()
        self.after = after


class GraphSimulator:
    """One messenger of Meta's."""

    def __init__(self, http: httpx.AsyncClient, flavour: Flavour) -> None:
        self.connector = flavour.connector
        self.faults = Faults()
        self.courier = Courier(http, self.faults)
        self.world = World(flavour)
        self.webhooks = Webhooks(self.world, self.courier)
        self.phone = GraphPhone(self.world, self.webhooks)
        self._http = http
        routes = [
            ("/{version}/debug_token", self._debug_token, ["GET"]),
            ("/{version}/{app}/subscriptions", self._subscriptions, ["GET", "POST"]),
            ("/{version}/{account}/subscribed_apps", self._subscribed_apps, ["GET", "POST", "DELETE"]),
            ("/{version}/{account}/message_attachments", self._attach, ["POST"]),
            ("/{version}/{account}/messages", self._send, ["POST"]),
            ("/{version}/{account}/message_templates", self._templates, ["GET", "POST", "DELETE"]),
            ("/{version}/{node}", self._node, ["GET"]),
        ]
        self._app = Starlette(
            routes=[
                Route("/files/{file}", self._file, methods=["GET"]),
                Route("/access_token", self._answering(self._access_token), methods=["GET"]),
                Route("/refresh_access_token", self._answering(self._refresh_token), methods=["GET"]),
                *(Route(path, self._answering(handler), methods=methods) for path, handler, methods in routes),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Cut as cut:
            await asyncio.sleep(cut.after)
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})

    def point_to(self, callback_url: str) -> None:
        """The hub enters its address by request."""

    async def stop(self) -> None:
        await self.courier.stop()

    def _answering(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            self.phone.origin = str(request.base_url)
            try:
                version = request.path_params.get("version", VERSION)
                if not (version.startswith("v") and version.removeprefix("v").replace(".", "").isdigit()):
                    raise Refused(2500, "Unknown path components", status=400)
                asked = await read(request)
                self._fail()
                return await handler(request, asked)
            except Refused as refused:
                return refused.answer()

        return answer

    def _fail(self) -> None:
        """The faults that keep a call from being done."""
        if self.faults.take("unauthorised"):
            raise Refused(190, "Error validating access token: The session has been invalidated.", subcode=460, status=401)
        if limited := self.faults.take("rate_limited"):
            minutes = -(-limited.wait() // 60)
            used = f'{{"{self.world.flavour.account_id}":[{{"type":"messenger","estimated_time_to_regain_access":{minutes}}}]}}'
            raise Refused(
                613, "(#613) Calls to this api have exceeded the rate limit.", headers={"x-business-use-case-usage": used}
            )
        if broken := self.faults.take("server_error"):
            raise Refused(2, "Service temporarily unavailable", status=int(broken.values.get("status", 503)))
        if refused := self.faults.take("refused"):
            code, _, subcode = str(refused.values.get("code", "100")).partition("/")
            raise Refused(int(code), f"(#{code}) refused by the sandbox", subcode=int(subcode or 0))

    def _page(self, request: Request, asked: Asked) -> Page:
        """The account whose token it is, which the path must name. Raises Refused."""
        page = next((one for one in self.world.pages.values() if asked.token in (one.token, one.first_token)), None)
        if page is None:
            raise Refused(190, "Invalid OAuth access token - Cannot parse access token", status=401)
        if page.token_ends is not None and page.token_ends <= clock.now():
            raise Refused(190, "Error validating access token: Session has expired", subcode=463, status=401)
        if request.path_params.get("account", "me") not in ("me", page.id):
            raise invalid("Unsupported request: the object does not exist", subcode=33)
        return page

    async def _debug_token(self, request: Request, asked: Asked) -> Response:
        need_app(asked)
        token = asked.text("input_token")
        page = next((one for one in self.world.pages.values() if one.token == token), None)
        if page is None:
            error = {"code": 190, "message": "Invalid OAuth access token."}
            return JSONResponse({"data": {"error": error, "is_valid": False, "scopes": []}})
        told = {"app_id": APP_ID, "application": APP_NAME, "type": "PAGE", "profile_id": page.id}
        return JSONResponse({"data": told | {"expires_at": 0, "is_valid": True, "scopes": SCOPES}})

    async def _node(self, request: Request, asked: Asked) -> Response:
        page, node = self._page(request, asked), request.path_params["node"]
        fields = asked.text("fields").partition("{")[0].split(",")
        if node in ("me", page.id):
            known = _account(page)
        elif node in page.threads:
            known = self._person(page.threads[node].person, fields)
        else:
            raise invalid(f"Object with ID '{node}' does not exist", subcode=33)
        return JSONResponse({"id": known["id"]} | {name: known[name] for name in fields if name in known})

    def _person(self, person: PhonePerson, fields: list[str]) -> dict[str, Any]:
        """What a person's profile has (messenger.md, 1; instagram.md, 12). Raises Refused for a field that it has not."""
        first, _, last = person.name.partition(" ")
        known = {"id": person.id, "name": person.name}
        if self.world.flavour.topic == "page":
            known |= {"first_name": first, "last_name": last}
        else:
            known |= {"username": f"{first}.{last}".lower()}
        if strange := set(fields) - known.keys() - {""}:
            raise invalid(f"Tried accessing nonexisting field ({min(strange)})")
        return known

    async def _subscriptions(self, request: Request, asked: Asked) -> Response:
        need_app(asked)
        now, topic = self.world.subscription, self.world.flavour.topic
        if request.method == "GET":
            fields = [{"name": name, "version": "v26.0"} for name in now.fields]
            told = {"object": topic, "callback_url": now.callback_url, "active": now.is_active, "fields": fields}
            return JSONResponse({"data": [told] if now.callback_url else []})
        if asked.text("object") != topic or not asked.names("fields"):
            raise invalid(f"Param object must be {topic}, with fields")
        await self._test(asked.text("callback_url"), asked.text("verify_token"))
        self.world.subscription = Subscription(asked.text("callback_url"), asked.names("fields"), True)
        return JSONResponse({"success": True})

    async def _test(self, url: str, token: str) -> None:
        """Meta asks the address for the challenge before it delivers there. Raises Refused."""
        challenge = str(secrets.randbelow(10**9))
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": token}
        try:
            answer = await self._http.get(url, params=query)
        except httpx.HTTPError as error:
            raise Refused(2200, f"(#2200) Callback verification failed: {type(error).__name__}") from None
        if answer.status_code != 200 or answer.text != challenge:
            raise Refused(2200, f"(#2200) Callback verification failed: HTTP Status Code = {answer.status_code}")

    async def _subscribed_apps(self, request: Request, asked: Asked) -> Response:
        page = self._page(request, asked)
        if request.method == "DELETE":
            page.subscribed.clear()
            return JSONResponse({"success": True})
        if request.method == "GET":
            told = {"id": APP_ID, "name": APP_NAME, "subscribed_fields": sorted(page.subscribed)}
            if page.is_own_login:
                told = {"app_id": INSTAGRAM_APP_ID, "subscribed_fields": sorted(page.subscribed)}
            return JSONResponse({"data": [told] if page.subscribed else []})
        page.subscribed = set(asked.names("subscribed_fields"))
        return JSONResponse({"success": True})

    async def _attach(self, request: Request, asked: Asked) -> Response:
        self._page(request, asked)
        message, file = asked.values.get("message"), asked.files.get("filedata")
        given = message.get("attachment") if isinstance(message, dict) else None
        kind = given.get("type") if isinstance(given, dict) else None
        if file is None:
            raise Refused(100, "(#100) Upload attachment failure.", subcode=2018047)
        return JSONResponse({"attachment_id": keep_attachment(self.world, str(kind), file)})

    async def _templates(self, request: Request, asked: Asked) -> Response:
        templates = self._page(request, asked).templates
        if self.world.flavour.topic != "page":
            raise invalid("Unsupported request: the object does not exist", subcode=33)
        if request.method == "POST":
            kept = templates.create(asked.values)
            return JSONResponse({"id": kept.id, "status": kept.status, "category": "UTILITY"})
        if request.method == "DELETE":
            templates.delete(asked.text("name"))
            return JSONResponse({"success": True})
        shown = [one.as_json() for one in templates.kept.values()]
        start, limit = int(asked.text("after") or 0), int(asked.text("limit") or 25)
        more = {"next": str(request.url)} if start + limit < len(shown) else {}
        return JSONResponse({"data": shown[start : start + limit], "paging": {"cursors": {"after": str(start + limit)}} | more})

    async def _send(self, request: Request, asked: Asked) -> Response:
        page = self._page(request, asked)
        thread = sending.find_thread(self.world, page, asked)
        if slow := self.faults.take("slow"):
            await asyncio.sleep(float(slow.values.get("delay", 3)))
        if "sender_action" in asked.values:
            sending.act(self.world, page, thread, asked)
            return JSONResponse({"recipient_id": thread.person.id})
        await fetch_link(self.world, self._http, asked.values.get("message"))
        line = sending.receive(self.world, page, thread, asked)
        self.phone.told(page, thread, line, APP_ID)
        if lost := self.faults.take("lost_answer"):
            raise Cut(float(lost.values.get("delay", HANG_SECONDS)))
        return JSONResponse({"recipient_id": thread.person.id, "message_id": line.id})

    async def _access_token(self, request: Request, asked: Asked) -> Response:
        """A short token for one that lasts 60 days."""
        if asked.text("grant_type") != "ig_exchange_token" or asked.text("client_secret") != INSTAGRAM_APP_SECRET:
            raise Refused(1, "Error validating client secret.")
        page = self._page(request, asked)
        if page.token_ends is None or page.token_ends - clock.now() > timedelta(hours=1):
            raise invalid("Session key invalid. This could be because the token lasts already.")
        return self._renewed(page)

    async def _refresh_token(self, request: Request, asked: Asked) -> Response:
        """Allowed from a day after it was made, and until its end."""
        page = self._page(request, asked)
        if asked.text("grant_type") != "ig_refresh_token":
            raise invalid("Param grant_type must be ig_refresh_token")
        if page.token_made is not None and clock.now() - page.token_made < TOKEN_RESTS:
            raise invalid("The token must be at least 24 hours old")
        return self._renewed(page)

    def _renewed(self, page: Page) -> Response:
        page.token = f"IGAA{secrets.token_hex(24)}"
        page.token_made, page.token_ends = clock.now(), clock.now() + TOKEN_LASTS
        seconds = int(TOKEN_LASTS.total_seconds())
        return JSONResponse({"access_token": page.token, "token_type": "bearer", "expires_in": seconds})

    async def _file(self, request: Request) -> Response:
        found = self.world.files.get(request.path_params["file"])
        if found is None or self.faults.take("file_gone"):
            return Response("URL signature expired", 403)
        return Response(found[1], media_type=found[0].mime)


def _account(page: Page) -> dict[str, Any]:
    """What an account says of itself: a page, an Instagram account of its own login, or a page with the account it is linked to."""
    known: dict[str, Any] = {"id": page.id, "name": page.title, "username": page.name}
    linked = {"id": page.id, "name": page.title, "username": page.name}
    return known | {"user_id": page.id, "instagram_business_account": linked}
