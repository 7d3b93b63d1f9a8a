"""The hosted chat page, and for members the page that says how a website gets the chat and which ones have it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from hub.channels.accounts import read_channel
from hub.connectors.webchat.settings import WebchatSettings
from hub.core import ids
from hub.core.errors import NotFound
from hub.core.pages import render
from hub.organisations.access import public, requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right
from hub.runtime import Runtime
from hub.webchat import visitors
from hub.webchat.embedded import OfChat
from hub.webchat.places import list_places

router = APIRouter()

Reader = Annotated[Access, requires(Right.READ_CHANNELS)]


@router.get("/webchat/{key}", dependencies=[Depends(public("the hosted chat page, for anybody with its address"))])
async def hosted(request: Request, chat: OfChat) -> Response:
    """The chat without a website around it. ChatClosed."""
    runtime: Runtime = request.app.state.runtime
    async with runtime.database.unit_of_work(chat.channel.organisation_id) as unit:
        await visitors.check_open(unit, chat.channel.channel_id)
    return render(request, "webchat/page.html", title=chat.settings.title, key=chat.key)


@router.get("/o/{slug}/webchat/{channel}")
async def embedding(request: Request, access: Reader, channel: str) -> Response:
    """How a website gets this chat, and which ones have shown it (R-297)."""
    runtime: Runtime = request.app.state.runtime
    channel_id = ids.read("chn", channel)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        opened = await read_channel(runtime, unit, channel_id)
        settings = opened.account.settings
        if not isinstance(settings, WebchatSettings):
            raise NotFound("no website chat")
        places = await list_places(unit, channel_id)
    page = f"{runtime.settings.base_url}/webchat/{channel}"
    return render(request, "webchat/embedding.html", settings=settings, page=page, places=places, origins=sorted(settings.allowed))
