"""The documents that open a messenger, handed in and out.

POST /o/{slug}/channels/documents/{connector}/{kind}     keep one (form field `file`, CSRF token in the header)
GET  /o/{slug}/channels/documents/{document}             the file
"""

from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from hub.channels import documents
from hub.core import ids
from hub.core.bodies import takes_file
from hub.core.errors import InvalidInput, NotFound
from hub.core.handing import file_response
from hub.core.pages import page_values
from hub.core.uploads import FileUpload
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right
from hub.runtime import Runtime

log = structlog.get_logger()

router = APIRouter()
Manager = Annotated[Access, requires(Right.MANAGE_CHANNELS)]


def _document_id(document: str) -> UUID:
    return ids.read("doc", document)


@router.post("/o/{slug}/channels/documents/{connector}/{kind}")
@takes_file
async def add(request: Request, access: Manager, connector: str, kind: str) -> Response:
    """Keep a document. Refused: 422 with `reason` and the words for it, and nothing is kept."""
    runtime: Runtime = request.app.state.runtime
    content_type = request.headers.get("content-type", "")
    try:
        form = FileUpload(content_type, request.stream(), field="file")
        name = await form.name()
        added = await documents.add_document(runtime, access, connector, kind, name=name, pieces=form.pieces())
    except documents.DocumentRefused as refused:
        text = page_values(request)["t"](refused.words, **refused.values)
        return JSONResponse({"error": refused.code, "reason": refused.reason, "text": text}, status_code=refused.http_status)
    except ClientDisconnect:
        raise InvalidInput("the sender hung up", field="file") from None
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        document = await documents.get_document(unit, added)
    href = f"/o/{access.slug}/channels/documents/{document.shown}"
    return JSONResponse({"id": document.shown, "name": document.name, "href": href}, status_code=201)


@router.get("/o/{slug}/channels/documents/{document}")
async def hand_out(request: Request, access: Manager, document: Annotated[UUID, Depends(_document_id)]) -> Response:
    """A document of this organisation."""
    runtime: Runtime = request.app.state.runtime
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        kept = await documents.get_document(unit, document)
    path = runtime.storage.path(access.organisation_id, kept.id)
    try:
        return file_response(request, path, name=kept.name, mime=kept.mime, version=kept.sha256.hex(), inline=False)
    except FileNotFoundError:
        log.error("object_missing", document=kept.shown)
        raise NotFound("the store has no such object") from None
