"""The page on which a conversation with somebody who has not written is opened (`starting.py`).

GET  /o/{slug}/conversations/new    channel, address, name
POST /o/{slug}/conversations        open it: on to the thread, or the page again with what was found
"""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from hub.connectors.contract import AnyConnector, WritesFirst
from hub.core import ids
from hub.core.i18n import Translator, catalogue
from hub.core.pages import page_values, render, wants_page
from hub.inbox.arriving.starting import NotStarted, Start, list_starts, start
from hub.inbox.page.schemas import NewConversation, NewConversationForm
from hub.inbox.page.screen import runtime_of
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right

router = APIRouter()
Writer = Annotated[Access, requires(Right.WRITE_INBOX)]


@router.get("/o/{slug}/conversations/new")
async def new(request: Request, access: Writer) -> Response:
    """Whom to write to first."""
    return await _page(request, access, NewConversation())


@router.post("/o/{slug}/conversations")
async def create(request: Request, access: Writer, form: NewConversationForm) -> Response:
    """Open the conversation, the existing one where there is one. Nothing is sent. 422 with what was found where nobody can be
    reached."""
    try:
        conversation_id = await start(runtime_of(request), access, ids.read("chn", form.channel), form.address, form.name)
    except NotStarted as problem:
        if not wants_page(request):
            raise
        return await _page(request, access, form, problem)
    return RedirectResponse(f"/o/{access.slug}/inbox/open/{ids.show('conv', conversation_id)}", 303)


async def _page(request: Request, access: Access, form: NewConversation, problem: NotStarted | None = None) -> Response:
    runtime = runtime_of(request)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        starts = await list_starts(unit, runtime.connectors)
    t: Translator = page_values(request)["t"]
    chosen = next((one for one in starts if one.shown == form.channel), starts[0] if starts else None)
    told: dict[str, Any] = {"problem": "", "wrong": "", "provider_text": ""}
    if problem and chosen:
        place = "wrong" if problem.reason == "no_address" else "problem"
        told |= {place: _words(problem, chosen, form.address.strip(), t), "provider_text": problem.provider_text}
    return render(
        request,
        "inbox/start.html",
        status=problem.http_status if problem else 200,
        starts=starts,
        chosen=chosen.shown if chosen else "",
        address=form.address,
        name=form.name,
        messengers=", ".join(one.label for one in runtime.connectors.values() if isinstance(one, WritesFirst)),
        **told,
    )


def _words(problem: NotStarted, chosen: Start, address: str, t: Translator) -> str:
    """What was found, in the messenger's own words where it has some."""
    kind: AnyConnector = chosen.connector
    if problem.reason == "nobody":
        return t(f"channel.{kind.connector}.first.nobody", address=address)
    cause = f"channel.{kind.connector}.health.{problem.cause}"
    if cause in catalogue(t.locale):
        return t(cause)
    return t(f"inbox.start.{problem.reason}", messenger=kind.label, address=address)
