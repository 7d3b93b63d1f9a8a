"""The parts of an open page that changed, drawn anew: the page asks with what it holds, and swaps what comes back by id.

GET /o/{slug}/updates                                  counters, rows by id, and of the open conversation the end of the
                                                       thread, head, composer and contact
GET /o/{slug}/inbox-rows/{view}                        a page of a list: the next one, or the first in its present order
GET /o/{slug}/conversations/{conversation}/older       the lines before a key
"""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from hub.core import ids
from hub.core.pages import draw
from hub.inbox.page import queries
from hub.inbox.page.schemas import ConversationId, View, WantedQuery, read_ids
from hub.inbox.page.screen import Screen, runtime_of
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right

router = APIRouter()
Reader = Annotated[Access, requires(Right.READ_INBOX)]


@router.get("/o/{slug}/updates")
async def updates(request: Request, access: Reader, wanted: WantedQuery) -> JSONResponse:
    """Everything in one transaction and one answer, so that the parts agree with each other."""
    answer: dict[str, Any] = {}
    async with runtime_of(request).database.unit_of_work(access.organisation_id) as unit:
        screen = Screen(request, access, unit)
        frame = await screen.frame(wanted.view)
        answer |= {name: frame[name] for name in ("seq", "counts")}
        rows = await queries.rows_by_id(unit, read_ids("conv", wanted.rows))
        answer["rows"] = [
            {
                "id": row.id,
                "key": row.row.key,
                "here": row.row.belongs(wanted.view, access.member_id),
                "html": draw(request, "inbox/_row.html", row=row, view=wanted.view),
            }
            for row in await screen.draw_rows(rows)
        ]
        if wanted.conversation:
            talk = await screen.talk_from(
                ids.read("conv", wanted.conversation),
                oldest=wanted.oldest,
                tail=wanted.tail,
                changed=read_ids("msg", wanted.messages),
            )
            context = {"talk": talk, "view": wanted.view, "client_key": ids.new_id().hex, **screen.words()}
            answer["thread"] = draw(
                request, "inbox/_lines.html", pieces=talk.pieces, name=talk.row.row.name, offer=talk.offer, **context
            )
            answer["parts"] = {part: draw(request, f"inbox/_{part}.html", **context) for part in ("head", "composer", "contact")}
            answer["reason"] = draw(request, "inbox/_reason.html", may=talk.may, fielded=True)
            answer["may"] = talk.may.state
    return JSONResponse(answer)


@router.get("/o/{slug}/inbox-rows/{view}")
async def rows(request: Request, access: Reader, view: View, after: str | None = None) -> JSONResponse:
    """A page of a list as HTML."""
    async with runtime_of(request).database.unit_of_work(access.organisation_id) as unit:
        screen = Screen(request, access, unit)
        context = await screen.frame(view) | await screen.rows(view, after)
    return JSONResponse({"html": draw(request, "inbox/_rows.html", view=view, **context), "counts": context["counts"]})


@router.get("/o/{slug}/conversations/{conversation}/older")
async def older(request: Request, access: Reader, conversation: ConversationId, before: str, view: View = "open") -> JSONResponse:
    """The lines before a key as HTML, with the line at the key drawn again."""
    async with runtime_of(request).database.unit_of_work(access.organisation_id) as unit:
        context = await Screen(request, access, unit).older(conversation, before)
    return JSONResponse({"html": draw(request, "inbox/_lines.html", view=view, **context), "older": context["older"]})
