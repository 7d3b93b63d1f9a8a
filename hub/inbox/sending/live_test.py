"""The answer of a channel's live test (`channels/live_test.py`): an ordinary reply, over the one road.

POST /o/{slug}/channels/{channel}/test    answer who wrote, with a text of the catalogue or one's own
"""

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from hub.channels import live_test
from hub.consent.gate import SendBlocked
from hub.core import ids
from hub.core.errors import Conflict, NotFound
from hub.inbox.page.screen import runtime_of
from hub.inbox.sending import outbound
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right

router = APIRouter()


def _channel_id(channel: str) -> UUID:
    return ids.read("chn", channel)


@router.post("/o/{slug}/channels/{channel}/test")
async def answer(
    request: Request,
    access: Annotated[Access, requires(Right.MANAGE_CHANNELS)],
    channel_id: Annotated[UUID, Depends(_channel_id)],
    text: Annotated[str, Form(max_length=500)],
    client_key: Annotated[str, Form()],
) -> Response:
    """Answer the person who wrote to the channel. Conflict while nobody has."""
    runtime = runtime_of(request)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        if not await unit.sql.fetchval("SELECT true FROM channel WHERE organisation_id = $1 AND id = $2", unit.tenant, channel_id):
            raise NotFound("no such channel")
        seen = await live_test.look(unit, channel_id)
    if seen.conversation_id is None:
        raise Conflict("nobody has written to this channel yet")
    refused = ""
    try:
        await outbound.submit(runtime, access, seen.conversation_id, text=text, client_key=client_key)
    except SendBlocked as error:
        refused = "?" + urlencode({"refused": error.decision.rule})
    return RedirectResponse(f"/o/{access.slug}/channels/{ids.show('chn', channel_id)}/test{refused}", 303)
