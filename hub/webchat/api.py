"""What the widget asks for. Public, for pages of the websites that the channel names; `{key}` is the channel's shown id.

    GET  /webchat/{key}.js              the widget itself, the only thing that is fetched before a visitor writes
    POST /webchat/{key}/start           a browser becomes a visitor with its first message; its token comes with the answer
    POST /webchat/{key}/messages        a text                 POST /webchat/{key}/presses     a pressed answer
    POST /webchat/{key}/files?id=…      a file (form field `file`)
    POST /webchat/{key}/marks           messages of ours that are shown, or read
    POST /webchat/{key}/typing          the visitor writes, or has stopped
    POST /webchat/{key}/end             forget this browser
    GET  /webchat/{key}/stream          the box and what changes in it, live (server-sent events)
    GET  /webchat/{key}/box?known=…     the box, at once or when its version is another one than `known`
    GET  /webchat/{key}/files/{token}   a file of the box
    OPTIONS /webchat/{key}/{act}        browsers ask before they send a token

The token stands in `Authorization: Bearer …`; there are no cookies. What a visitor does goes through the door like any provider's
delivery (`visitors.tell`), so it is on disk when it is answered, in the log, and applied once however often it is sent.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from hub.core import ids
from hub.core.bodies import takes_file
from hub.core.errors import InvalidInput, NotFound, NotSignedIn, TooMany
from hub.core.limits import Limit, take
from hub.core.pages import page_values
from hub.core.storage import Form
from hub.inbox.arriving.door import Door
from hub.inbox.page.stream import Beginning
from hub.inbox.stored.files import hand_out
from hub.inbox.stored.links import read_link
from hub.runtime import Runtime
from hub.webchat import limits, schemas, visitors
from hub.webchat.box import keys_of
from hub.webchat.embedded import FROM_ELSEWHERE, OfChat, place_of
from hub.webchat.loader import script_for
from hub.webchat.places import note_place
from hub.webchat.stream import VisitorStream, next_box, read_box, shown
from hub.webchat.uploads import VisitorFileRefused, take_file
from hub.webchat.visitors import Visitor

router = APIRouter(dependencies=[FROM_ELSEWHERE])

SCRIPT_SECONDS: Final = 600
"""How long a browser shows a chat that was switched off meanwhile; it takes no new visitors from the same moment on."""
PREFLIGHT_SECONDS: Final = 7200
BEARER: Final = "Bearer "


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def _door(request: Request) -> Door:
    door: Door = request.app.state.door
    return door


def _token(request: Request) -> str:
    sent = request.headers.get("authorization", "")
    if not sent.startswith(BEARER):
        raise NotSignedIn("no token")
    return sent.removeprefix(BEARER)


async def _visitor(request: Request, chat: OfChat) -> Visitor:
    """Who asks: NotSignedIn unless the token is a living one of this chat."""
    return await visitors.find(_runtime(request), chat, _token(request))


OfVisitor = Annotated[Visitor, Depends(_visitor)]


async def _count(request: Request, limit: Limit, who: str) -> None:
    await take(_runtime(request).queue, limit, who)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


@router.get("/webchat/{key}.js")
async def script(request: Request, chat: OfChat) -> Response:
    """The widget. ChatClosed (410) when it shall show nothing (R-110); OriginNotAllowed (403, R-297)."""
    place = place_of(request)
    if place:
        chat.check_origin(place)
    async with _runtime(request).database.unit_of_work(chat.channel.organisation_id) as unit:
        await visitors.check_open(unit, chat.channel.channel_id)
        if place in chat.settings.allowed:
            await note_place(unit, chat.channel.channel_id, place)
    written = script_for(chat.key, chat.settings)
    headers = {
        "etag": written.etag,
        "cache-control": f"private, max-age={SCRIPT_SECONDS}",
        "vary": "Accept-Encoding, Referer",
        "cross-origin-resource-policy": "cross-origin",
    }
    if request.headers.get("if-none-match") == written.etag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(written.gzipped, headers={**headers, "content-encoding": "gzip"}, media_type="text/javascript")
    return Response(written.body, headers=headers, media_type="text/javascript")


@router.options("/webchat/{key}/{act}")
async def preflight(chat: OfChat, act: str) -> Response:
    """What a page of an allowed website may send."""
    headers = {
        "access-control-allow-methods": "GET, POST",
        "access-control-allow-headers": "authorization, content-type",
        "access-control-max-age": str(PREFLIGHT_SECONDS),
    }
    return Response(status_code=204, headers=headers)


@router.post("/webchat/{key}/start")
async def start(request: Request, chat: OfChat) -> Response:
    """A new visitor."""
    await _count(request, limits.STARTS, _address(request))
    about = await schemas.read(request, schemas.Start)
    _, token = await visitors.start(_runtime(request), chat, name=about.name, email=about.email, language=about.language)
    return JSONResponse({"token": token}, status_code=201)


@router.post("/webchat/{key}/messages")
async def message(request: Request, chat: OfChat, visitor: OfVisitor) -> Response:
    """A text; on disk when it is answered."""
    await _count(request, limits.MESSAGES, visitor.address)
    await _count(request, limits.MESSAGES_OF_ADDRESS, _address(request))
    said = await schemas.read(request, schemas.Message)
    page = {"page": said.page.model_dump()} if said.page else {}
    await visitors.tell(_door(request), chat, visitor, "message", said.id, text=said.text, **page)
    return Response(status_code=204)


@router.post("/webchat/{key}/presses")
async def press(request: Request, chat: OfChat, visitor: OfVisitor) -> Response:
    """An answer that was pressed."""
    await _count(request, limits.MESSAGES, visitor.address)
    said = await schemas.read(request, schemas.Press)
    await visitors.tell(_door(request), chat, visitor, "press", said.id, option=said.option, label=said.label)
    return Response(status_code=204)


@router.post("/webchat/{key}/files")
@takes_file
async def file(request: Request, chat: OfChat, visitor: OfVisitor, id_: Annotated[schemas.ClientId, Query(alias="id")]) -> Response:
    """A file. Refused: 422 with the words for it, and nothing is kept."""
    await _count(request, limits.FILES, visitor.address)
    content_type = request.headers.get("content-type", "")
    try:
        aside = await take_file(_runtime(request), chat.channel.organisation_id, content_type=content_type, body=request.stream())
    except VisitorFileRefused as refused:
        text = page_values(request)["t"](f"webchat.file.{refused.reason}", **refused.values)
        return JSONResponse({"error": refused.code, "text": text, "field": "file"}, status_code=refused.http_status)
    except ClientDisconnect:
        raise InvalidInput("the sender hung up", field="file") from None
    told = {"ref": aside.id.hex, "type": aside.type, "name": aside.name, "mime": aside.mime, "size": aside.size}
    await visitors.tell(_door(request), chat, visitor, "file", id_, **told)
    return Response(status_code=204)


@router.post("/webchat/{key}/marks")
async def marks(request: Request, chat: OfChat, visitor: OfVisitor) -> Response:
    """Messages of ours that the widget shows, or that were read. Those of others are passed over."""
    await _count(request, limits.MARKS, visitor.address)
    said = await schemas.read(request, schemas.Marks)
    message_ids = [ids.read("msg", one) for one in said.messages]
    async with _runtime(request).database.unit_of_work(chat.channel.organisation_id) as unit:
        keys = await keys_of(unit, chat.channel.channel_id, visitor.address, message_ids)
    if keys:
        await visitors.tell(_door(request), chat, visitor, "marks", ids.new_id().hex, status=said.status, keys=keys)
    return Response(status_code=204)


@router.post("/webchat/{key}/typing")
async def typing(request: Request, chat: OfChat, visitor: OfVisitor) -> Response:
    """The visitor writes. Too many signs are dropped: they are worth nothing a moment later."""
    said = await schemas.read(request, schemas.Typing)
    try:
        await _count(request, limits.TYPING, visitor.address)
    except TooMany:
        return Response(status_code=204)
    await visitors.tell(_door(request), chat, visitor, "typing", ids.new_id().hex, is_typing=said.is_typing)
    return Response(status_code=204)


@router.post("/webchat/{key}/end")
async def end(request: Request, chat: OfChat, visitor: OfVisitor) -> Response:
    """Forget this browser."""
    await visitors.end(_runtime(request), chat, visitor)
    return Response(status_code=204)


@router.get("/webchat/{key}/stream")
async def stream(request: Request, chat: OfChat, visitor: OfVisitor) -> Response:
    """The box, and what changes in it, for ever."""
    await _count(request, limits.LISTENS, visitor.address)
    return Beginning(VisitorStream(_runtime(request), chat, visitor, _token(request)))


@router.get("/webchat/{key}/box")
async def box(request: Request, chat: OfChat, visitor: OfVisitor, known: Annotated[str, Query(max_length=64)] = "") -> JSONResponse:
    """The box, at once or when it has changed."""
    await _count(request, limits.LISTENS, visitor.address)
    runtime = _runtime(request)
    found = await (next_box(runtime, chat, visitor, known) if known else read_box(runtime, chat, visitor))
    told: dict[str, Any] = shown(runtime, chat, found, list(found.messages))
    return JSONResponse(told)


@router.api_route("/webchat/{key}/files/{token}", methods=["GET", "HEAD"])
async def linked_file(request: Request, chat: OfChat, token: str, small: bool = False) -> Response:
    """A file that a link of the box names; pages of the website show it in place."""
    linked = read_link(_runtime(request).vault, token)
    if linked.organisation_id != chat.channel.organisation_id:
        raise NotFound("a file of somebody else")
    answer = await hand_out(request, linked, inline=True, form=Form.SMALL if small else Form.FILE)
    answer.headers["cross-origin-resource-policy"] = "cross-origin"
    return answer
