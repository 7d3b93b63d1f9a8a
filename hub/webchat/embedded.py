"""Pages of other sites call us: which may, and how their browsers are told.

    chat: Annotated[Chat, Depends(chat_of)]      the chat in the address; 404 for none, 403 for a page of a site that is not named

The key in the address is the channel's shown id. It is no secret: whoever looks at a website's source has it, and it opens nothing
but this chat on the websites that the channel names (R-297). Requests without an origin come from no foreign page; what they may do
is limited by token and rate alone.
"""

from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Path, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.channels.accounts import OpenChannel
from hub.connectors.webchat.settings import WebchatSettings
from hub.core.errors import Forbidden, NotFound
from hub.inbox.arriving.door import Door
from hub.organisations.access import public

FROM_ELSEWHERE: Final = Depends(public("visitors of websites: named origins, a token of their own, no cookie", from_elsewhere=True))
_ALLOWED: Final = "hub.webchat.origin"
"""Where the origin lies in a request's scope that may read the answer."""


class OriginNotAllowed(Forbidden):
    """The chat is asked for by a page of a website that the channel does not name."""

    code = "origin_not_allowed"


@dataclass(frozen=True, slots=True)
class Chat:
    """A website chat that is spoken to. `key` stands in its address; `host` is how the caller reached us."""

    channel: OpenChannel
    settings: WebchatSettings
    key: str
    host: str

    def check_origin(self, origin: str) -> None:
        """OriginNotAllowed unless pages of this origin may show the chat: those that the channel names, and our own."""
        if origin not in self.settings.allowed and urlsplit(origin).netloc != self.host:
            raise OriginNotAllowed(origin)


async def chat_of(request: Request, key: Annotated[str, Path()]) -> Chat:
    """The chat in the address. NotFound; OriginNotAllowed. Its answer may be read by the page that asks."""
    door: Door = request.app.state.door
    channel = await door.channel("webchat", key)
    if channel is None:
        raise NotFound("no such chat")
    chat = Chat(channel, channel.account.settings, key, request.headers.get("host", ""))
    origin = request.headers.get("origin")
    if origin is not None:
        chat.check_origin(origin)
        request.scope[_ALLOWED] = origin
    return chat


def place_of(request: Request) -> str:
    """The origin of the page that loads the script; empty where the browser does not say. Old ones name only the page."""
    parts = urlsplit(request.headers.get("referer", ""))
    return request.headers.get("origin") or (f"{parts.scheme}://{parts.netloc}" if parts.netloc else "")


OfChat = Annotated[Chat, Depends(chat_of)]


class AllowOrigin:
    """Lets the page read an answer, errors too, once `chat_of` has allowed it (CORS)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/webchat/"):
            await self._app(scope, receive, send)
            return

        async def with_origin(message: Message) -> None:
            if message["type"] == "http.response.start" and _ALLOWED in scope:
                headers = MutableHeaders(scope=message)
                headers["access-control-allow-origin"] = scope[_ALLOWED]
                headers["access-control-expose-headers"] = "retry-after"
                headers.add_vary_header("Origin")
            await send(message)

        await self._app(scope, receive, with_origin)
