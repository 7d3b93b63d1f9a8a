"""Live: what changed in an organisation, pushed to open pages (I11).

    GET /o/{slug}/stream?after=N     server-sent events: one per change with `id:` = its number; `Last-Event-ID` wins over `after`;
                                     between them what is whispered (`presence.py`), which has no number and is not caught up
    GET /o/{slug}/changes?after=N    the same as JSON, for catching up and where streams do not get through

A stream holds no database session. It asks every second and before each change whether its person may still look, so it ends within
a second of log-out or deactivation; what the page then asks for is answered 401.

Thousands of streams stand open at once, so each holds as little as it can: the route checks who asks and sends the beginning, then
it and all around it (middleware, FastAPI) return, and `hub/app.py` lets the stream tell the rest from outside of them.
"""

import asyncio
from typing import Annotated, Any, Final, Protocol

import orjson
import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from hub.core.db import STORE_TROUBLE
from hub.core.errors import InvalidInput
from hub.core.feed import Change, changes_after
from hub.core.live import Follower, Outdated, Whisper
from hub.organisations.access import requires, still_allowed
from hub.organisations.actor import Access
from hub.organisations.rights import Right
from hub.runtime import Runtime

log = structlog.get_logger()

router = APIRouter()
Reader = Annotated[Access, requires(Right.READ_INBOX)]
After = Annotated[int, Query(ge=0, lt=2**63)]

CHECK_SECONDS: Final = 0.8
"""How often a quiet stream asks whether it may go on: design 9 wants the end within 1 s."""
BEAT_SECONDS: Final = 15.0
"""Proxies and sleeping radios drop silent connections; the page takes 40 s of silence for a dead one."""
PADDING: Final = b":" + b" " * 2048 + b"\n\n"
"""Buffering proxies hold back the first kilobytes."""
HEADERS: Final = {"x-accel-buffering": "no", "cache-control": "no-store"}
_OPEN: Final = "hub.stream"
"""Where a begun stream lies in its request's scope."""


@router.get("/o/{slug}/stream")
async def stream(request: Request, access: Reader, after: After) -> Response:
    """Every change after a number, for ever."""
    last = request.headers.get("last-event-id", "")
    if last and not last.isdecimal():
        raise InvalidInput("not a feed number", field="last-event-id")
    return Beginning(Stream(request.app.state.runtime, access, int(last or after)))


@router.get("/o/{slug}/changes")
async def changes(request: Request, access: Reader, after: After) -> JSONResponse:
    """The changes after a number; `reload` when they are no longer kept."""
    found = await changes_after(request.app.state.runtime.database, access.organisation_id, after)
    entries = [_entry(change) for change in found or ()]
    return JSONResponse({"reload": found is None, "changes": entries, "seq": entries[-1]["seq"] if entries else after})


def _entry(change: Change) -> dict[str, Any]:
    return {"seq": change.seq, "kind": change.kind, "data": change.data}


class Told(Protocol):
    """A stream that somebody listens to."""

    @property
    def beginning(self) -> bytes:
        """The first bytes, sent with the head."""

    async def tell(self, receive: Receive, send: Send) -> None:
        """The rest, until it ends."""


class Stream:
    """An open page."""

    __slots__ = ("_access", "_after", "_runtime")

    def __init__(self, runtime: Runtime, access: Access, after: int) -> None:
        self._runtime = runtime
        self._access = access
        self._after = after

    @property
    def beginning(self) -> bytes:
        return PADDING + _beat(self._after)

    async def tell(self, receive: Receive, send: Send) -> None:
        """Until the page goes, its person may not look any more, the page must reload, or the store is away: then it asks again."""
        gone = asyncio.create_task(until_gone(receive))
        try:
            with self._runtime.live.follow(self._access.organisation_id, self._after) as follower:
                gone.add_done_callback(lambda _: follower.wake())
                await self._tell(follower, gone, send)
        except Outdated:
            await send(piece(b'data: {"kind": "reload"}\n\n'))
        except STORE_TROUBLE as error:
            log.warning("stream_ends", error=type(error).__name__)
        finally:
            gone.cancel()
        await send(piece(b"", more=False))

    async def _tell(self, follower: Follower, gone: asyncio.Task[None], send: Send) -> None:
        loop = asyncio.get_running_loop()
        beaten = loop.time()
        while True:
            told = await follower.next(CHECK_SECONDS)
            if gone.done() or not await still_allowed(self._runtime, self._access):
                return
            if isinstance(told, Whisper):
                await send(piece(b"event: whisper\ndata: %s\n\n" % orjson.dumps(told.data)))
            elif told is not None:
                await send(piece(b"id: %d\ndata: %s\n\n" % (told.seq, orjson.dumps(_entry(told)))))
            elif loop.time() - beaten >= BEAT_SECONDS:
                await send(piece(_beat(follower.seq)))
                beaten = loop.time()


class Beginning(Response):
    """Head and first bytes of a stream, sent as any answer of the application is; the rest is left to `hub/app.py`."""

    media_type = "text/event-stream"

    def __init__(self, stream: Told) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send(piece(self._stream.beginning))
        scope[_OPEN] = self._stream


def opened(scope: Scope) -> Told | None:
    """The stream that the application has begun in answering this request, if it has."""
    return scope.get(_OPEN)


async def until_gone(receive: Receive) -> None:
    """Returns when the listener has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


def piece(body: bytes, *, more: bool = True) -> Message:
    """Bytes of an answer that goes on, unless there is no `more`."""
    return {"type": "http.response.body", "body": body, "more_body": more}


def _beat(seq: int) -> bytes:
    return b"event: beat\ndata: %d\n\n" % seq
