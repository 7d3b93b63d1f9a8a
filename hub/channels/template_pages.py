"""The templates of a channel: what the provider keeps, what became of each, a form for a new one.

GET  /o/{slug}/channels/{channel}/templates                      all of them, each with its history
POST /o/{slug}/channels/{channel}/templates                      submit one; the provider mostly decides later
POST /o/{slug}/channels/{channel}/templates/{template}/delete    take one away
"""

from enum import StrEnum
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from hub.channels import queries, templates
from hub.channels.forms import Problem, problem_of, read_form
from hub.channels.pages import ChannelId, Manager, Reader
from hub.channels.template_forms import CATEGORIES, LONGEST, read_template
from hub.connectors.errors import ConnectorError
from hub.core import ids
from hub.core.errors import InvalidInput
from hub.core.i18n import catalogue
from hub.core.pages import locale_of, render
from hub.organisations.actor import Access
from hub.runtime import Runtime

router = APIRouter()


class Done(StrEnum):
    """What was just done."""

    SUBMITTED = "submitted"
    DELETED = "deleted"


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


@router.get("/o/{slug}/channels/{channel}/templates")
async def templates_page(request: Request, access: Reader, channel: ChannelId, done: Done | None = None) -> Response:
    """NoTemplates where the messenger has none."""
    return await _page(request, access, channel, done=done)


async def _page(
    request: Request,
    access: Access,
    channel_id: UUID,
    *,
    typed: dict[str, str] | None = None,
    problem: Problem | None = None,
    done: Done | None = None,
) -> Response:
    runtime = _runtime(request)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        row = await queries.get_channel(unit, runtime.connectors, channel_id)
        templates.syncing(row.connector)
        kept = await templates.list_templates(unit, channel_id)
        became = await templates.histories_of(unit, [one.id for one in kept])
    return render(
        request,
        "channels/templates.html",
        status=problem.error.http_status if problem else 200,
        row=row,
        kept=[(ids.show("tpl", one.id), one, became[one.id]) for one in kept],
        typed=typed or {},
        problem=problem,
        done=done,
        categories=CATEGORIES,
        longest=LONGEST,
        known=catalogue(locale_of(request)),
    )


@router.post("/o/{slug}/channels/{channel}/templates")
async def submit(request: Request, access: Manager, channel: ChannelId) -> Response:
    """Errors name their field, and the provider's own words stand beside them."""
    typed, _ = await read_form(request)
    try:
        await templates.create(_runtime(request), access, channel, read_template(typed))
    except (InvalidInput, ConnectorError) as error:
        return await _page(request, access, channel, typed=typed, problem=problem_of(error, "new", typed))
    return RedirectResponse(_address(access, channel, Done.SUBMITTED), 303)


@router.post("/o/{slug}/channels/{channel}/templates/{template}/delete")
async def delete(request: Request, access: Manager, channel: ChannelId, template: str) -> Response:
    """Take one away at the provider; its history stays."""
    try:
        await templates.delete(_runtime(request), access, channel, ids.read("tpl", template))
    except ConnectorError as error:
        return await _page(request, access, channel, problem=Problem(error, template))
    return RedirectResponse(_address(access, channel, Done.DELETED), 303)


def _address(access: Access, channel_id: UUID, done: Done) -> str:
    return f"/o/{access.slug}/channels/{ids.show('chn', channel_id)}/templates?done={done}"
