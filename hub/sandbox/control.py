"""The control API: to be a person with a phone, to make things go wrong, and to see what happened. JSON; and the phone page.

    GET    /control                                        all bots and people
    POST   /control/bots                                   CreateBot; the same bot id again renames it
    GET    /control/bots/{bot}                             webhook, faults, last deliveries
    PUT    /control/bots/{bot}/faults                      SetFault
    POST   /control/bots/{bot}/updates                     RawUpdate
    POST   /control/people                                 CreatePerson; the same id again renames them
    GET    /control/bots/{bot}/chats/{person}              what the phone shows
    PUT    /control/bots/{bot}/chats/{person}              Restore what an earlier process knew of this chat; no update
    POST   /control/bots/{bot}/chats/{person}/messages     Write
    PATCH  /control/bots/{bot}/chats/{person}/messages/{message}   Edit
    POST   /control/bots/{bot}/chats/{person}/open         the person wrote some time ago: the bot may write; no update
    POST   /control/bots/{bot}/chats/{person}/block        When       …/unblock   When
    POST   /control/bots/{bot}/chats/{person}/press        Press an inline button

A bot is named by its id, the number before the colon of its token. Times are unix seconds. Refusals are
`{"error": code, "detail": …}` with 404, 409 or 422.

Whoever reaches this API may be any customer of a demo, so it is kept to programs and pages of this machine: LoopbackOnly.
"""

from collections.abc import Collection
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.core import pages
from hub.core.errors import HubError
from hub.sandbox.telegram import world as telegram
from hub.sandbox.telegram.faults import Kind as FaultKind
from hub.sandbox.telegram.server import webhook_info
from hub.sandbox.telegram.world import Bot, Chat, Entry, Json, Person, Update, World

DELIVERIES_SHOWN: Final = 20
HIGHEST_ID: Final = 2**52
"""Telegram's ids have at most 52 significant bits."""
LATEST: Final = 2**31 - 1

Date = Annotated[int | None, Field(default=None, ge=0, le=LATEST)]
Words = Annotated[str, Field(min_length=1, max_length=64)]


class LoopbackOnly:
    """Keeps other sites out, which the person's browser may show at the same time: only known host names (no rebinding of a
    foreign name), only the own origin, and only JSON where something is changed, which no form of another site can send."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        response = self._refusal(scope)
        await (response or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        name = host if host.endswith("]") else host.rsplit(":", 1)[0]
        if name not in self._hosts:
            return _answer(403, "forbidden", f"not asked as one of {', '.join(sorted(self._hosts))}")
        if origin is not None and origin != f"{scope['scheme']}://{host}":
            return _answer(403, "forbidden", "asked by another site")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if scope["method"] not in ("GET", "HEAD") and kind != "application/json":
            return _answer(415, "unsupported_media_type", "what changes something is sent as application/json")
        return None


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CreateBot(Strict):
    token: str
    name: Words
    username: Words


class CreatePerson(Strict):
    first_name: Words
    last_name: Words | None = None
    username: Words | None = None
    language_code: str | None = Field(default=None, pattern="^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$")
    id: int | None = Field(default=None, gt=0, lt=HIGHEST_ID)


class When(Strict):
    date: Date


class Write(When):
    """Exactly one of `text`, `start` (the payload, may be empty) and `content` (fields of a Message of any kind)."""

    text: str | None = Field(default=None, min_length=1)
    start: str | None = None
    content: Json | None = Field(default=None, min_length=1)
    reply_to: int | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "Write":
        if sum(value is not None for value in (self.text, self.start, self.content)) != 1:
            raise ValueError("exactly one of text, start and content")
        return self


class PastMessage(Strict):
    """One of `text` and `content`, as in Write."""

    message_id: int = Field(gt=0, le=LATEST)
    date: int = Field(ge=0, le=LATEST)
    from_bot: bool = False
    text: str | None = Field(default=None, min_length=1)
    content: Json | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _exactly_one(self) -> "PastMessage":
        if (self.text is None) == (self.content is None):
            raise ValueError("exactly one of text and content")
        return self


class Restore(Strict):
    """What was said before, in any order; the person has written at least once."""

    messages: list[PastMessage]
    is_blocked: bool = False


class Edit(When):
    text: str = Field(min_length=1)


class Press(Strict):
    message_id: int
    data: str


class RawUpdate(Strict):
    """An update of any kind as it stands in the provider's documents, without its id."""

    kind: str = Field(pattern="^[a-z_]{1,64}$")
    payload: Json


class SetFault(Strict):
    """`next` occasions, or `seconds`, or neither: until it is switched off. The rest: see `telegram/faults.py`."""

    kind: FaultKind
    on: bool = True
    next: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    retry_after: int | None = Field(default=None, ge=1)
    status: int = Field(default=500, ge=500, le=511)
    delay: float | None = Field(default=None, ge=0)
    methods: list[str] | None = None


async def refuse(request: Request, error: Exception) -> Response:
    """An expected error as JSON."""
    assert isinstance(error, HubError)
    return _answer(error.http_status, error.code, str(error))


def _answer(status: int, code: str, detail: str) -> Response:
    return JSONResponse({"error": code, "detail": detail}, status)


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


@router.get("/")
async def phone(request: Request) -> Response:
    """The phone page. Everything on it comes from the control API."""
    return pages.render(request, "sandbox/phone.html")


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
    return show_update(telegram.happen(bot, body.kind, body.payload))


@router.post("/control/people")
async def create_person(body: CreatePerson, world: TheWorld) -> Json:
    return show_person(world.create_person(body.first_name, body.last_name, body.username, body.language_code, body.id))


@router.get("/control/bots/{bot}/chats/{person}")
async def see_chat(found: TheChat) -> Json:
    return show_chat(*found)


@router.put("/control/bots/{bot}/chats/{person}")
async def restore(body: Restore, found: TheChat) -> Json:
    past = [
        telegram.Past(
            one.message_id,
            one.date,
            one.from_bot,
            telegram.text_content(one.text) if one.text is not None else dict(one.content or {}),
        )
        for one in body.messages
    ]
    telegram.restore(*found, past, is_blocked=body.is_blocked)
    return show_chat(*found)


@router.post("/control/bots/{bot}/chats/{person}/messages")
async def write(body: Write, found: TheChat) -> Json:
    bot, chat = found
    if body.start is not None:
        return show_entry(telegram.start(bot, chat, body.start, body.date))
    content = telegram.text_content(body.text) if body.text is not None else dict(body.content or {})
    return show_entry(telegram.write(bot, chat, content, body.date, body.reply_to))


@router.patch("/control/bots/{bot}/chats/{person}/messages/{message}")
async def edit(message: int, body: Edit, found: TheChat) -> Json:
    return show_entry(telegram.edit(*found, message, body.text, body.date))


@router.post("/control/bots/{bot}/chats/{person}/open")
async def open_chat(found: TheChat) -> Json:
    bot, chat = found
    chat.is_open = True
    return show_chat(bot, chat)


@router.post("/control/bots/{bot}/chats/{person}/block")
async def block(body: When, found: TheChat) -> Json:
    telegram.set_blocked(*found, True, body.date)
    return show_chat(*found)


@router.post("/control/bots/{bot}/chats/{person}/unblock")
async def unblock(body: When, found: TheChat) -> Json:
    telegram.set_blocked(*found, False, body.date)
    return show_chat(*found)


@router.post("/control/bots/{bot}/chats/{person}/press")
async def press(body: Press, found: TheChat) -> Json:
    return show_update(telegram.press(*found, body.message_id, body.data))


def show_person(person: Person) -> Json:
    return {
        "id": person.id,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "username": person.username,
        "language_code": person.language_code,
    }


def show_bot(bot: Bot) -> Json:
    """Without its token."""
    deliveries = list(bot.deliveries)[-DELIVERIES_SHOWN:]
    return {
        "id": bot.id,
        "name": bot.name,
        "username": bot.username,
        "webhook": webhook_info(bot),
        "faults": {
            kind: {"left": fault.left, "until": None if fault.until is None else fault.until.timestamp()}
            for kind, fault in bot.faults.active().items()
        },
        "deliveries": [
            {
                "update_id": delivery.update_id,
                "kind": delivery.kind,
                "attempt": delivery.attempt,
                "at": delivery.at.timestamp(),
                "status": delivery.status,
                "milliseconds": round(delivery.milliseconds, 1),
                "error": delivery.error,
                "again_in": delivery.again_in,
            }
            for delivery in deliveries
        ],
    }


def show_update(update: Update) -> Json:
    return {"update_id": update.id, "kind": update.kind, "state": update.state}


def show_chat(bot: Bot, chat: Chat) -> Json:
    """`entries` are ordered by time; `update` of one tells what became of it on the way to the bot."""
    return {
        "bot": {"id": bot.id, "name": bot.name, "username": bot.username},
        "person": show_person(chat.person),
        "is_open": chat.is_open,
        "is_blocked": chat.is_blocked,
        "is_typing": chat.is_typing(),
        "entries": [show_entry(entry) for entry in telegram.timeline(chat)],
    }


def show_entry(entry: Entry) -> Json:
    """A message of either side (`message` is Telegram's object), or an event: blocked, unblocked, answer."""
    return {
        "at": entry.at,
        "from": "bot" if entry.from_bot else "person",
        "message": None if entry.is_deleted else entry.message,
        "message_id": entry.message["message_id"] if entry.message else None,
        "event": entry.event,
        "text": entry.text,
        "is_deleted": entry.is_deleted,
        "reaction": entry.reaction,
        "update": show_update(entry.update) if entry.update else None,
    }
