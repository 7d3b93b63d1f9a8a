"""The two interfaces over HTTP: paths with Meta's version in front are the Cloud API, others 360dialog's. Plain Starlette."""

import asyncio
import json
import re
from typing import Any, Final

import httpx
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from hub.core import clock
from hub.sandbox.faults import Faults
from hub.sandbox.whatsapp.cutting import Cut, hang_up
from hub.sandbox.whatsapp.errors import OwnRefusal, Refused
from hub.sandbox.whatsapp.sending import Sending
from hub.sandbox.whatsapp.templates import MOST
from hub.sandbox.whatsapp.webhooks import sign
from hub.sandbox.whatsapp.world import Hook, Number

Json = dict[str, Any]

VERSION: Final = re.compile(r"/v[0-9]+\.[0-9]+(/.*)")
FILES: Final = "/whatsapp_business/attachments/"
FILE_SECONDS: Final = 300
"""How long the address of a file works."""
LARGEST_FILE: Final = 100_000_000


class Server:
    def __init__(self, number: Number, sending: Sending, faults: Faults, http: httpx.AsyncClient) -> None:
        """`http` asks the hub's address whether it knows the token."""
        self._number = number
        self._sending = sending
        self._faults = faults
        self._http = http

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        meta = VERSION.fullmatch(scope["path"])
        path = meta[1] if meta else scope["path"]
        try:
            if path == FILES:
                response = self._file(request)
            else:
                self._fail(bool(meta))
                response = await (self._at_meta if meta else self._at_360dialog)(request, path)
        except Refused as refused:
            response = JSONResponse(refused.body(), refused.status)
        except OwnRefusal as refusal:
            response = JSONResponse(refusal.body(), refusal.status)
        except Cut as cut:
            await hang_up(receive, send, cut.after)
            return
        await response(scope, receive, send)

    def _fail(self, at_meta: bool) -> None:
        """The faults that keep a request from being done."""
        if self._faults.take("unauthorised"):
            raise _wrong_key(at_meta)
        if self._faults.take("rate_limited"):
            raise Refused(130429, "Too many messages from this number", status=429) if at_meta else _own_limit()
        if broken := self._faults.take("server_error"):
            raise Refused(1, "An unknown error occurred", status=int(broken.values.get("status", 500)))
        if refused := self._faults.take("refused"):
            raise Refused(int(refused.values.get("code", 131009)), "switched on in the sandbox")

    async def _at_360dialog(self, request: Request, path: str) -> Response:
        number, method = self._number, request.method
        if request.headers.get("d360-api-key") != number.api_key:
            raise _wrong_key(False)
        match method, path:
            case "POST", "/messages":
                return await self._message(request)
            case "POST", "/media":
                return await self._upload(request)
            case "GET", "/health_status":
                return JSONResponse(self._health(request.query_params.get("fields", "")))
            case "GET", "/v1/configs/webhook":
                return JSONResponse({"url": number.at_360dialog.url, "headers": dict(number.at_360dialog.headers)})
            case "POST", "/v1/configs/webhook":
                return self._register(await _json(request))
            case _, "/v1/configs/templates":
                return await self._templates(request, at_360dialog=True)
            case "DELETE", _ if path.startswith("/v1/configs/templates/"):
                if not number.templates.delete(path.rpartition("/")[2]):
                    raise OwnRefusal(404, "Template not found")
                return JSONResponse({"success": True})
            case "GET" | "DELETE", _ if path[1:].isdigit():
                return self._medium(request, path[1:], "https://lookaside.fbsbx.com")
        raise OwnRefusal(403, "The endpoint is blocked")

    async def _at_meta(self, request: Request, path: str) -> Response:
        number, method = self._number, request.method
        parts = path.strip("/").split("/")
        app_key = f"{number.app_id}|{number.app_secret}"
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if parts == [number.app_id, "subscriptions"] and method == "POST":
            form = {**request.query_params, **{name: str(value) for name, value in (await request.form()).items()}}
            if app_key not in (given, form.get("access_token")):
                raise _wrong_key(True)
            return await self._subscribe(form)
        if given != number.access_token:
            raise _wrong_key(True)
        match method, parts:
            case "POST", [number.id, "messages"]:
                return await self._message(request)
            case "POST", [number.id, "media"]:
                return await self._upload(request)
            case "GET", [number.id]:
                return JSONResponse({"id": number.id} | self._fields(request.query_params.get("fields", "")))
            case "GET" | "POST" | "DELETE", [number.waba_id, "subscribed_apps"]:
                return self._apps(method)
            case "GET", [number.waba_id, "phone_numbers"]:
                return JSONResponse({"data": [{"id": number.id}]})
            case _, [number.waba_id, "message_templates"]:
                return await self._templates(request, at_360dialog=False)
            case "GET" | "DELETE", [media_id] if media_id in number.media:
                return self._medium(request, media_id, str(request.base_url).rstrip("/"))
        raise Refused(100, "Unsupported request: the object does not exist or the token may not see it", subcode=33)

    async def _message(self, request: Request) -> Response:
        slow, lost = self._faults.take("slow"), self._faults.take("lost_answer")
        answer = self._sending.take(await _json(request))
        if slow is not None:
            await asyncio.sleep(float(slow.values.get("delay", 3.0)))
        if lost is not None:
            raise Cut(float(lost.values.get("delay", 60.0)))
        return JSONResponse(answer)

    async def _upload(self, request: Request) -> Response:
        async with request.form() as form:
            file, kind = form.get("file"), str(form.get("type") or "")
            if form.get("messaging_product") != "whatsapp":
                raise Refused(100, "The parameter messaging_product is required.")
            if not isinstance(file, UploadFile) or not kind:
                raise Refused(100, "The parameters file and type are required.")
            content = await file.read()
            if not content or len(content) > LARGEST_FILE:
                raise Refused(131053, "The file is empty or larger than 100 MB")
            kept = self._number.keep(kind_of(kind), file.filename or "", kind, content, is_ours=True)
        return JSONResponse({"id": kept.id})

    def _medium(self, request: Request, media_id: str, host: str) -> Response:
        medium = self._number.media.get(media_id)
        if medium is None or self._faults.take("file_gone"):
            raise Refused(100, "The media does not exist", subcode=33)
        if request.method == "DELETE":
            del self._number.media[media_id]
            return JSONResponse({"success": True})
        ends = int(clock.now().timestamp()) + FILE_SECONDS
        url = f"{host}{FILES}?mid={media_id}&ext={ends}&hash={self._seal(media_id, ends)}"
        about = {"messaging_product": "whatsapp", "url": url, "mime_type": medium.file.mime}
        return JSONResponse(about | {"file_size": medium.file.size, "id": media_id})

    def _file(self, request: Request) -> Response:
        """The bytes behind an address: whole, in time, and with one of the two keys."""
        number, asked = self._number, request.query_params
        keys = (request.headers.get("d360-api-key") == number.api_key, _bearer(request) == number.access_token)
        media_id, ends = asked.get("mid", ""), asked.get("ext", "")
        in_time = ends.isdigit() and int(ends) > clock.now().timestamp()
        if not any(keys) or not in_time or asked.get("hash") != self._seal(media_id, int(ends)):
            return Response(status_code=401)
        if media_id not in number.media:
            return Response(status_code=404)
        medium = number.media[media_id]
        return Response(medium.content, media_type=medium.file.mime)

    def _seal(self, media_id: str, ends: int) -> str:
        return f"AR{sign(f'{media_id}:{ends}'.encode(), self._number.app_secret)[:20]}"

    async def _templates(self, request: Request, *, at_360dialog: bool) -> Response:
        templates, asked = self._number.templates, request.query_params
        if request.method == "POST":
            kept = templates.create(await _json(request))
            return JSONResponse(kept.as_json(at_360dialog=at_360dialog), 201 if at_360dialog else 200)
        if request.method == "DELETE":
            if not templates.delete(asked.get("name", ""), asked.get("hsm_id", "")):
                raise Refused(100, "Message template not found", status=404)
            return JSONResponse({"success": True})
        shown = [one.as_json(at_360dialog=at_360dialog) for one in templates.kept.values()]
        limit = max(1, int(asked.get("limit", 25)))
        start = int(asked.get("offset") or asked.get("after") or 0)
        page = shown[start : start + limit]
        if at_360dialog:
            return JSONResponse({"waba_templates": page, "count": len(page), "total": len(shown), "offset": start})
        more = {"next": f"{request.url}&after={start + limit}"} if start + limit < len(shown) else {}
        cursors = {"before": str(start), "after": str(start + limit)}
        counts = {"total_count": len(shown), "message_template_count": len(shown), "message_template_limit": MOST}
        summary = {"summary": counts | {"are_translations_complete": True}} if "summary" in asked else {}
        return JSONResponse({"data": page, "paging": {"cursors": cursors} | more} | summary)

    def _register(self, body: Json) -> Response:
        url, headers = body.get("url"), body.get("headers") or {}
        if not isinstance(url, str) or not (url == "" or url.startswith(("https://", "http://127.0.0.1", "http://localhost"))):
            raise OwnRefusal(400, "Invalid URL")
        self._number.at_360dialog = Hook(url, {str(name): str(value) for name, value in headers.items()})
        return JSONResponse({"url": url, "headers": headers})

    async def _subscribe(self, form: dict[str, str]) -> Response:
        """Meta tests the address at once, and takes it only with the right answer."""
        url, challenge = form.get("callback_url", ""), str(int(clock.now().timestamp() * 1000))
        if form.get("object") != "whatsapp_business_account" or not url:
            raise Refused(100, "object and callback_url are required")
        asked = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": form.get("verify_token", "")}
        try:
            answer = await self._http.get(url, params=asked)
        except httpx.HTTPError:
            answer = httpx.Response(503)
        if answer.status_code != 200 or answer.text != challenge:
            details = f"The URL couldn't be validated. Response does not match challenge, http status: {answer.status_code}"
            raise Refused(2200, details)
        self._number.at_meta = Hook(url, fields=frozenset(filter(None, form.get("fields", "").split(","))))
        return JSONResponse({"success": True})

    def _apps(self, method: str) -> Response:
        number = self._number
        if method != "GET":
            number.is_subscribed = method == "POST"
            return JSONResponse({"success": True})
        app = {"whatsapp_business_api_data": {"id": number.app_id, "name": "Hub", "link": "https://hub.example.org/"}}
        return JSONResponse({"data": [app] if number.is_subscribed else []})

    def _health(self, fields: str) -> Json:
        return self._fields(f"health_status,{fields}")

    def _fields(self, names: str) -> Json:
        number = self._number
        ids = {"PHONE_NUMBER": number.id, "WABA": number.waba_id, "BUSINESS": "2729063490586005", "APP": number.app_id}
        word = "LIMITED" if number.is_restricted else "AVAILABLE"
        entities = [{"entity_type": kind, "id": id_, "can_send_message": word} for kind, id_ in ids.items()]
        known: Json = {
            "display_phone_number": number.display,
            "verified_name": number.name,
            "quality_rating": number.quality,
            "throughput": {"level": "STANDARD"},
            "health_status": {"can_send_message": word, "entities": entities},
        }
        return {name: known[name] for name in names.split(",") if name in known}


def kind_of(mime: str) -> str:
    """WhatsApp's kind of a file of this type."""
    start = mime.partition("/")[0]
    return "sticker" if mime == "image/webp" else start if start in ("image", "video", "audio") else "document"


async def _json(request: Request) -> Json:
    try:
        body = json.loads(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refused(100, "The body is no JSON object")
    return body


def _bearer(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _wrong_key(at_meta: bool) -> Exception:
    return Refused(190, "Invalid OAuth access token", status=401) if at_meta else OwnRefusal(401, "Invalid api_key")


def _own_limit() -> OwnRefusal:
    return OwnRefusal(400, "You have exceeded the endpoint rate limit.")
