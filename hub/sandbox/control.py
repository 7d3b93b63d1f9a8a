"""The control API: to be a person with a phone, to make things go wrong, and to see what happened. JSON.

    GET    /control                                        all bots and people
    POST   /control/bots                                   CreateBot; the same bot id again renames it
    GET    /control/bots/{bot}                             webhook, faults, last deliveries
    PUT    /control/bots/{bot}/faults                      SetFault
    POST   /control/bots/{bot}/updates                     RawUpdate
    POST   /control/bots/{bot}/files?kind=…&name=…         the bytes of a file; fields of a Message that Write takes as `content`
    GET    /control/bots/{bot}/files/{file}                the bytes of a file of either side
    POST   /control/people                                 CreatePerson; the same id again renames them
    GET    /control/bots/{bot}/chats/{person}              what the phone shows
    PUT    /control/bots/{bot}/chats/{person}              Restore what an earlier process knew of this chat; no update
    POST   /control/bots/{bot}/chats/{person}/messages     Write; of an album the answer is its first message
    PATCH  /control/bots/{bot}/chats/{person}/messages/{message}   Edit
    POST   /control/bots/{bot}/chats/{person}/open         the person wrote some time ago: the bot may write; no update
    POST   /control/bots/{bot}/chats/{person}/block        When       …/unblock   When
    POST   /control/bots/{bot}/chats/{person}/press        Press an inline button

Groups, channels and business chats: `elsewhere.py`. A bot is named by its id, the number before the colon of its token. Times are
unix seconds. Refusals are `{"error": code, "detail": …}` with 404, 409, 413 or 422.
"""

from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from hub.core.errors import InvalidInput, NotFound
from hub.sandbox import access, writing
from hub.sandbox.bodies import CreateBot, CreatePerson, Edit, Press, RawUpdate, Restore, SetFault, When, Write
from hub.sandbox.downloads import bytes_of
from hub.sandbox.shown import show_bot, show_chat, show_entry, show_person, show_update
from hub.sandbox.telegram import doing
from hub.sandbox.telegram.chats import Chat
from hub.sandbox.telegram.entities import text_content
from hub.sandbox.telegram.errors import Refused
from hub.sandbox.telegram.media import MediaKind, Medium, content_of
from hub.sandbox.telegram.wire import Json
from hub.sandbox.telegram.world import Bot, World

LARGEST_FILE: Final = 64 << 20
"""Bytes of one file from the phone. Telegram takes 2 GB; a bot can fetch 20 MB."""


def _world(request: Request) -> World:
    world: World = request.app.state.world
    return world


def _bot(bot: int, world: Annotated[World, Depends(_world)]) -> Bot:
    return world.bot(bot)


def _chat(bot: int, person: int, world: Annotated[World, Depends(_world)]) -> tuple[Bot, Chat]:
    return world.chat(bot, person)


TheWorld = Annotated[World, Depends(_world)]
TheBot = Annotated[Bot, Depends(_bot)]
TheChat = Annotated[tuple[Bot, Chat], Depends(_chat)]

router = APIRouter()


@router.get("/control")
async def overview(world: TheWorld) -> Json:
    return {
        "bots": [show_bot(bot) for bot in world.bots.values()],
        "people": [show_person(person) for person in world.people.values()],
    }


@router.post("/control/bots")
async def create_bot(body: CreateBot, world: TheWorld) -> Json:
    return show_bot(world.create_bot(body.token, body.name, body.username))


@router.get("/control/bots/{bot}")
async def see_bot(bot: TheBot) -> Json:
    return show_bot(bot)


@router.put("/control/bots/{bot}/faults")
async def set_fault(body: SetFault, bot: TheBot) -> Json:
    if body.on:
        methods = None if body.methods is None else frozenset(name.lower() for name in body.methods)
        bot.faults.switch_on(
            body.kind,
            next_=body.next,
            seconds=body.seconds,
            retry_after=body.retry_after,
            status=body.status,
            delay=body.delay,
            methods=methods,
        )
    else:
        bot.faults.switch_off(body.kind)
    return show_bot(bot)


@router.post("/control/bots/{bot}/updates")
async def happen(body: RawUpdate, bot: TheBot) -> Json:
    return show_update(doing.happen(bot, body.kind, body.payload))


@router.post("/control/bots/{bot}/files", response_model=None)
async def upload(request: Request, bot: TheBot, kind: MediaKind, name: str = "", media_type: str = "") -> Json | Response:
    if int(request.headers.get("content-length", 0)) > LARGEST_FILE:
        return access.answer(413, "too_large", f"at most {LARGEST_FILE >> 20} MB")
    try:
        return content_of(bot.files, Medium(kind, await request.body(), name, media_type))
    except Refused as refused:
        raise InvalidInput(refused.description, field="file") from None


@router.get("/control/bots/{bot}/files/{file}")
async def see_file(request: Request, bot: TheBot, file: str) -> Response:
    """Always as an attachment: what somebody sends is never a page of this site. Pictures and players do not mind."""
    found = bot.files.find(file)
    if found is None:
        raise NotFound("no such file")
    name = quote(found.name or found.path.rpartition("/")[2])
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{name}", "cache-control": "private, max-age=3600"}
    return bytes_of(found.data, found.media_type or "application/octet-stream", request.headers.get("range", ""), headers)


@router.post("/control/people")
async def create_person(body: CreatePerson, world: TheWorld) -> Json:
    return show_person(world.create_person(body.first_name, body.last_name, body.username, body.language_code, body.id))


@router.get("/control/bots/{bot}/chats/{person}")
async def see_chat(found: TheChat) -> Json:
    return show_chat(*found)


@router.put("/control/bots/{bot}/chats/{person}")
async def restore(body: Restore, found: TheChat) -> Json:
    past = [
        doing.Past(
            one.message_id,
            one.date,
            one.from_bot,
            text_content(one.text) if one.text is not None else dict(one.content or {}),
        )
        for one in body.messages
    ]
    doing.restore(*found, past, is_blocked=body.is_blocked)
    return show_chat(*found)


@router.post("/control/bots/{bot}/chats/{person}/messages")
async def write(body: Write, found: TheChat) -> Json:
    return show_entry(writing.write(*found, body)[0])


@router.patch("/control/bots/{bot}/chats/{person}/messages/{message}")
async def edit(message: int, body: Edit, found: TheChat) -> Json:
    return show_entry(doing.edit(*found, message, body.text, location=body.location, at=body.date))


@router.post("/control/bots/{bot}/chats/{person}/open")
async def open_chat(found: TheChat) -> Json:
    bot, chat = found
    chat.is_open = True
    return show_chat(bot, chat)


@router.post("/control/bots/{bot}/chats/{person}/block")
async def block(body: When, found: TheChat) -> Json:
    doing.set_blocked(*found, True, body.date)
    return show_chat(*found)


@router.post("/control/bots/{bot}/chats/{person}/unblock")
async def unblock(body: When, found: TheChat) -> Json:
    doing.set_blocked(*found, False, body.date)
    return show_chat(*found)


@router.post("/control/bots/{bot}/chats/{person}/press")
async def press(body: Press, found: TheChat) -> Json:
    return show_update(doing.press(*found, body.message_id, body.data))
