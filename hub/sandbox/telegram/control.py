"""The control API: what only Telegram has, for tests and measurements. What every messenger has is `hub/sandbox/phones.py`. JSON.

    GET    /control                                        all bots and people
    POST   /control/bots                                   CreateBot; the same bot id again renames it
    GET    /control/bots/{bot}                             webhook and last deliveries
    POST   /control/bots/{bot}/updates                     RawUpdate
    POST   /control/bots/{bot}/files?kind=…&name=…         the bytes of a file; fields of a Message that Write takes as `content`
    POST   /control/people                                 CreatePerson; the same id again renames them
    GET    /control/bots/{bot}/chats/{person}              what the bot's side knows of this chat
    POST   /control/bots/{bot}/chats/{person}/messages     Write; of an album the answer is its first message
    PATCH  /control/bots/{bot}/chats/{person}/messages/{message}   Edit
    POST   /control/bots/{bot}/chats/{person}/open         the person wrote some time ago: the bot may write; no update

Groups, channels and business chats: `elsewhere.py`. A bot is named by its id, the number before the colon of its token. Times are
unix seconds. Refusals are `{"error": code, "detail": …}` with 404, 409 or 422.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from hub.core.errors import InvalidInput
from hub.sandbox.telegram import doing, writing
from hub.sandbox.telegram.bodies import CreateBot, CreatePerson, Edit, RawUpdate, Write
from hub.sandbox.telegram.chats import Chat
from hub.sandbox.telegram.errors import Refused
from hub.sandbox.telegram.media import MediaKind, Medium, content_of
from hub.sandbox.telegram.shown import show_bot, show_chat, show_entry, show_person, show_update
from hub.sandbox.telegram.wire import Json
from hub.sandbox.telegram.world import Bot, World


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


@router.post("/control/bots/{bot}/updates")
async def happen(body: RawUpdate, bot: TheBot) -> Json:
    return show_update(doing.happen(bot, body.kind, body.payload))


@router.post("/control/bots/{bot}/files")
async def upload(request: Request, bot: TheBot, kind: MediaKind, name: str = "", media_type: str = "") -> Json:
    try:
        return content_of(bot.files, Medium(kind, await request.body(), name, media_type))
    except Refused as refused:
        raise InvalidInput(refused.description, field="file") from None


@router.post("/control/people")
async def create_person(body: CreatePerson, world: TheWorld) -> Json:
    return show_person(world.create_person(body.first_name, body.last_name, body.username, body.language_code, body.id))


@router.get("/control/bots/{bot}/chats/{person}")
async def see_chat(found: TheChat) -> Json:
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
