"""Live: what changed in an organisation, pushed to open pages (I11).

    GET /o/{slug}/stream?after=N     server-sent events: one per change with `id:` = its number; `Last-Event-ID` wins over `after`;
                                     between them what is whispered (`presence.py`), which has no number and is not caught up
    GET /o/{slug}/changes?after=N    the same as JSON, for catching up and where streams do not get through

A stream holds no database session. It asks every second and before each change whether its person may still look, so it ends within
a second of log-out or deactivation; what the page then asks for is answered 401.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any, Final, cast

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse

from hub.core.errors import InvalidInput
from hub.core.feed import Change, changes_after
from hub.core.live import Whisper
from hub.organisations.access import Access, requires, still_allowed
from hub.organisations.rights import Right
from hub.runtime import Runtime

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


@router.get("/o/{slug}/stream")
async def stream(request: Request, access: Reader, after: After) -> StreamingResponse:
    """Every change after a number, for ever."""
    last = request.headers.get("last-event-id", "")
    if last and not last.isdecimal():
        raise InvalidInput("not a feed number", field="last-event-id")
    body = _events(request.app.state.runtime, access, int(last or after))
    return StreamingResponse(body, media_type="text/event-stream", headers=HEADERS)


@router.get("/o/{slug}/changes")
async def changes(request: Request, access: Reader, after: After) -> JSONResponse:
    """The changes after a number; `reload` when they are no longer kept."""
    found = await changes_after(request.app.state.runtime.database, access.organisation_id, after)
    entries = [_entry(change) for change in found or ()]
    return JSONResponse({"reload": found is None, "changes": entries, "seq": entries[-1]["seq"] if entries else after})


def _entry(change: Change) -> dict[str, Any]:
    return {"seq": change.seq, "kind": change.kind, "data": change.data}


async def _events(runtime: Runtime, access: Access, after: int) -> AsyncIterator[bytes]:
    """The body of a stream. Ends when the person may not look any more, or when the page must reload."""
    loop = asyncio.get_running_loop()
    source = cast("AsyncGenerator[Change | Whisper | None]", runtime.live.follow(access.organisation_id, after))
    coming = asyncio.ensure_future(anext(source))
    try:
        yield PADDING + _beat(after)
        beaten = loop.time()
        while True:
            await asyncio.wait({coming}, timeout=CHECK_SECONDS)
            if not await still_allowed(runtime, access):
                return
            if coming.done():
                change = coming.result()
                if change is None:
                    yield b'data: {"kind": "reload"}\n\n'
                    return
                coming = asyncio.ensure_future(anext(source))
                if isinstance(change, Whisper):
                    yield b"event: whisper\ndata: %s\n\n" % orjson.dumps(change.data)
                    continue
                after = change.seq
                yield b"id: %d\ndata: %s\n\n" % (after, orjson.dumps(_entry(change)))
            elif loop.time() - beaten >= BEAT_SECONDS:
                yield _beat(after)
                beaten = loop.time()
    finally:
        coming.cancel()
        with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
            await coming
        await source.aclose()


def _beat(seq: int) -> bytes:
    return b"event: beat\ndata: %d\n\n" % seq
