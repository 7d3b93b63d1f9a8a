"""Live, the other way: a visitor's box whenever it changes (I11).

    the stream      first the whole box, then each message that looks different, typing, a beat every 15 s
    `next_box`      the box once it is another one than the caller has, for where streams do not get through

Neither holds a database session while it waits, and neither has a cursor: whoever comes back gets the box as it is.
"""

import asyncio
from typing import Any, Final

import orjson
import structlog
from starlette.types import Receive, Send

from hub.core.db import STORE_TROUBLE
from hub.core.errors import NotSignedIn
from hub.core.feed import Change, last_seq
from hub.core.live import Follower, Outdated, Whisper
from hub.inbox.page.stream import BEAT_SECONDS, PADDING, piece, until_gone
from hub.runtime import Runtime
from hub.webchat import visitors
from hub.webchat.box import Box, load_box, with_links
from hub.webchat.embedded import Chat
from hub.webchat.visitors import Visitor

log = structlog.get_logger()

LONGEST_POLL: Final = 20.0
"""Seconds that a poll waits: proxies give up after 30."""
BEAT: Final = b"event: beat\ndata: 1\n\n"


async def read_box(runtime: Runtime, chat: Chat, visitor: Visitor) -> Box:
    """The visitor's box as it is now."""
    async with runtime.database.unit_of_work(chat.channel.organisation_id) as unit:
        return await load_box(unit, chat.channel.channel_id, visitor.address)


async def next_box(runtime: Runtime, chat: Chat, visitor: Visitor, known: str) -> Box:
    """The box once its version is not `known`, or as it is after LONGEST_POLL."""
    loop = asyncio.get_running_loop()
    until = loop.time() + LONGEST_POLL
    with runtime.live.follow(chat.channel.organisation_id, await _seq(runtime, chat)) as follower:
        box = await read_box(runtime, chat, visitor)
        while box.version == known and (left := until - loop.time()) > 0:
            try:
                told = await follower.next(left)
            except Outdated:
                return box
            if _is_about(told, box):
                box = await read_box(runtime, chat, visitor)
    return box


async def _seq(runtime: Runtime, chat: Chat) -> int:
    async with runtime.database.unit_of_work(chat.channel.organisation_id) as unit:
        return await last_seq(unit)


def _is_about(told: Change | Whisper | None, box: Box) -> bool:
    """Whether a change may be one of this box. While there is no conversation yet every message that comes in may begin it."""
    if not isinstance(told, Change):
        return False
    return told.data.get("conversation") == box.conversation if box.conversation else told.data.get("direction") == "in"


class VisitorStream:
    """An open widget."""

    __slots__ = ("_box", "_chat", "_known", "_runtime", "_token", "_visitor")

    def __init__(self, runtime: Runtime, chat: Chat, visitor: Visitor, token: str) -> None:
        self._runtime = runtime
        self._chat = chat
        self._visitor = visitor
        self._token = token
        self._known: dict[str, int] | None = None
        self._box = Box("", ())

    @property
    def beginning(self) -> bytes:
        return PADDING + BEAT

    async def tell(self, receive: Receive, send: Send) -> None:
        """Until the page goes, its visitor ended the conversation, or the store is away: then the widget comes again."""
        gone = asyncio.create_task(until_gone(receive))
        try:
            with self._runtime.live.follow(self._chat.channel.organisation_id, await _seq(self._runtime, self._chat)) as follower:
                gone.add_done_callback(lambda _: follower.wake())
                await self._tell(follower, gone, send)
        except (Outdated, NotSignedIn):
            log.debug("webchat_stream_ends")
        except STORE_TROUBLE as error:
            log.warning("webchat_stream_ends", error=type(error).__name__)
        finally:
            gone.cancel()
        await send(piece(b"", more=False))

    async def _tell(self, follower: Follower, gone: asyncio.Task[None], send: Send) -> None:
        loop = asyncio.get_running_loop()
        beaten = loop.time()
        await self._tell_box(send)
        while True:
            told = await follower.next(max(0.0, beaten + BEAT_SECONDS - loop.time()))
            if gone.done():
                return
            if _is_about(told, self._box):
                await self._tell_box(send)
            elif isinstance(told, Whisper) and self._box.conversation and told.data.get("shown_typing") == self._box.conversation:
                await send(piece(b"event: typing\ndata: 1\n\n"))
            if loop.time() - beaten >= BEAT_SECONDS:
                await visitors.find(self._runtime, self._chat, self._token)
                await send(piece(BEAT))
                beaten = loop.time()

    async def _tell_box(self, send: Send) -> None:
        """What looks different from what was told before; the first time everything, even if that is nothing."""
        self._box = await read_box(self._runtime, self._chat, self._visitor)
        looks = {one["id"]: hash(orjson.dumps(one)) for one in self._box.messages}
        known, self._known = self._known, looks
        changed = [one for one in self._box.messages if known is None or known.get(one["id"]) != looks[one["id"]]]
        if changed or known is None:
            await send(piece(b"event: box\ndata: %s\n\n" % orjson.dumps(shown(self._runtime, self._chat, self._box, changed))))


def shown(runtime: Runtime, chat: Chat, box: Box, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Messages of a box as the widget gets them."""
    linked = with_links(runtime.vault, chat.channel.organisation_id, chat.key, messages)
    return {"version": box.version, "messages": linked}
