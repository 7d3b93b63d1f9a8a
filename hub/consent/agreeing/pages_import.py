"""Lists of agreements that come from elsewhere, in two steps.

GET  /o/{slug}/consent/import                      the lists so far, and the form that checks one
POST /o/{slug}/consent/import                      check a list: nothing is taken over yet
GET  /o/{slug}/consent/import/{imported}             what is in it, what is refused and why; while it runs, how far it is
POST /o/{slug}/consent/import/{imported}/start       take the good rows over
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.requests import ClientDisconnect

from hub.consent.agreeing import import_rows, imports, papers
from hub.core import ids
from hub.core.bodies import takes_file
from hub.core.errors import HubError, InvalidInput
from hub.core.i18n import Translator
from hub.core.pages import locale_of, render
from hub.core.storage import TooLarge
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right
from hub.runtime import Runtime

router = APIRouter()

Manager = Annotated[Access, requires(Right.MANAGE_CONSENT)]


def _import_id(imported: str) -> UUID:
    return ids.read("imp", imported)


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


async def _page(request: Request, access: Access, error: HubError | None = None) -> Response:
    async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
        known = await imports.list_imports(unit)
    t = Translator(locale_of(request))
    reason = "large" if isinstance(error, TooLarge) else error.values.get("reason", "file") if error else ""
    return render(
        request,
        "consent/import.html",
        status=error.http_status if error else 200,
        imports=known,
        columns=imports.COLUMNS,
        needed=import_rows.NEEDED,
        wrong=t(f"consent.wrong.file.{reason}", columns=error.values.get("columns", "")) if error else "",
    )


@router.get("/o/{slug}/consent/import")
async def import_page(request: Request, access: Manager) -> Response:
    """The lists so far, and the form for one more."""
    return await _page(request, access)


@router.post("/o/{slug}/consent/import")
@takes_file
async def check(request: Request, access: Manager) -> Response:
    """Check a list. The form is sent by script, with its token in a header; the answer says where to look on."""
    runtime = _runtime(request)
    content_type = request.headers.get("content-type", "")
    try:
        paper = await papers.take_paper(runtime, access, content_type=content_type, body=request.stream(), types=papers.LISTS)
        import_id = await imports.check(runtime, access, paper)
    except (InvalidInput, TooLarge) as error:
        return await _page(request, access, error)
    except ClientDisconnect:
        raise InvalidInput("the sender hung up", field="file") from None
    return RedirectResponse(f"/o/{access.slug}/consent/import/{ids.show('imp', import_id)}", 303)


@router.get("/o/{slug}/consent/import/{imported}")
async def one_import(request: Request, access: Manager, import_id: Annotated[UUID, Depends(_import_id)]) -> Response:
    """One list. NotFound."""
    async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
        found = await imports.read_import(unit, import_id)
    return render(request, "consent/import_one.html", one=found, listed=imports.LISTED)


@router.post("/o/{slug}/consent/import/{imported}/start")
async def start(request: Request, access: Manager, import_id: Annotated[UUID, Depends(_import_id)]) -> Response:
    """Take the good rows over. Conflict when that was said before."""
    await imports.start(_runtime(request), access, import_id)
    return RedirectResponse(f"/o/{access.slug}/consent/import/{ids.show('imp', import_id)}", 303)
