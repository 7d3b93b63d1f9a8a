"""Files of messages, handed out and taken in.

    GET  /o/{slug}/files/{attachment}                    the file; `?inline=1` to show it in place where its type allows that
    GET  /o/{slug}/files/{attachment}/thumb              its small picture (WebP)
    POST /o/{slug}/files/{attachment}/fetch              fetch it again from the provider, after it failed
    POST /o/{slug}/files/{attachment}/remove             take back an upload that was not sent
    POST /o/{slug}/conversations/{conversation}/files    attach a file (form field `file`, CSRF token in the header)
    GET  /files/{token}                                  one file for a provider, by a signed link (`links.py`)

Only what is `stored` is handed out (`core/handing.py` says how): nothing refused, nothing in quarantine, nothing of a message that
was taken back.
"""

from typing import Annotated, Any, Final
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.requests import ClientDisconnect

from hub.core import ids
from hub.core.bodies import takes_file
from hub.core.errors import InvalidInput, NotFound
from hub.core.handing import file_response
from hub.core.pages import page_values, wants_page
from hub.core.storage import Form
from hub.inbox.page.schemas import ConversationId, PressForm
from hub.inbox.page.screen import runtime_of
from hub.inbox.stored import media, uploads
from hub.inbox.stored.links import Linked, read_link
from hub.organisations.access import public, requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right

log = structlog.get_logger()

router = APIRouter()
Reader = Annotated[Access, requires(Right.READ_INBOX)]
Writer = Annotated[Access, requires(Right.WRITE_INBOX)]

READ: Final = ["GET", "HEAD"]
SMALL_TYPE: Final = "image/webp"


def _attachment_id(attachment: Annotated[str, Path()]) -> UUID:
    return ids.read("file", attachment)


AttachmentId = Annotated[UUID, Depends(_attachment_id)]


@router.api_route("/o/{slug}/files/{attachment}", methods=READ)
async def file(request: Request, access: Reader, attachment: AttachmentId, inline: bool = False) -> Response:
    """A stored file of this organisation."""
    return await hand_out(request, Linked(access.organisation_id, attachment), inline=inline)


@router.api_route("/o/{slug}/files/{attachment}/thumb", methods=READ)
async def thumb(request: Request, access: Reader, attachment: AttachmentId) -> Response:
    """The small picture of a stored image."""
    return await hand_out(request, Linked(access.organisation_id, attachment), form=Form.SMALL, inline=True)


@router.api_route(
    "/files/{token}", methods=READ, dependencies=[Depends(public("providers fetch what we send: signed, one object, expiring"))]
)
async def linked_file(request: Request, token: str) -> Response:
    """The file that a signed link names."""
    return await hand_out(request, read_link(runtime_of(request).vault, token), inline=False)


async def hand_out(request: Request, linked: Linked, *, inline: bool, form: Form = Form.FILE) -> Response:
    """A stored file, or its small picture; NotFound for everything else. `inline`: shown in place where its type allows that."""
    runtime = runtime_of(request)
    async with runtime.database.unit_of_work(linked.organisation_id) as unit:
        row = await unit.sql.fetchrow(
            """
            SELECT a.name, a.mime, a.sha256, a.has_thumbnail FROM attachment a
            LEFT JOIN message m ON m.organisation_id = a.organisation_id AND m.id = a.message_id
            WHERE a.organisation_id = $1 AND a.id = $2 AND a.state = 'stored' AND m.deleted_at IS NULL
            """,
            unit.tenant,
            linked.attachment_id,
        )
    if row is None or (form is Form.SMALL and not row["has_thumbnail"]):
        raise NotFound("no such file")
    path = runtime.storage.path(linked.organisation_id, linked.attachment_id, form)
    mime = SMALL_TYPE if form is Form.SMALL else row["mime"]
    version = f"{row['sha256'].hex()}{form}"
    try:
        return file_response(request, path, name=row["name"], mime=mime, version=version, inline=inline)
    except FileNotFoundError:
        log.error("object_missing", attachment=ids.show("file", linked.attachment_id))
        raise NotFound("the store has no such object") from None


@router.post("/o/{slug}/conversations/{conversation}/files")
@takes_file
async def upload(request: Request, access: Writer, conversation: ConversationId) -> Response:
    """Attach a file. Refused: 422 with `reason` and the words for it, and nothing is kept."""
    content_type = request.headers.get("content-type", "")
    try:
        added = await uploads.add_upload(
            runtime_of(request), access, conversation, content_type=content_type, body=request.stream()
        )
    except uploads.FileRefused as refused:
        t = page_values(request)["t"]
        text = t(f"file.upload.{refused.reason}", **refused.values)
        body = {"error": refused.code, "reason": refused.reason, "text": text, "field": "file"}
        return JSONResponse(body, status_code=refused.http_status)
    except ClientDisconnect:
        raise InvalidInput("the sender hung up", field="file") from None
    shown = ids.show("file", added.id)
    told: dict[str, Any] = {"id": shown, "name": added.name, "size": added.size, "kind": added.kind, "mime": added.mime}
    if added.has_thumbnail:
        told["thumb"] = f"/o/{access.slug}/files/{shown}/thumb"
    return JSONResponse(told, status_code=201)


@router.post("/o/{slug}/files/{attachment}/fetch")
async def fetch(request: Request, access: Writer, attachment: AttachmentId, form: PressForm) -> Response:
    """Fetch a file again that could not be fetched."""
    conversation_id, message_id = await media.fetch_again(runtime_of(request), access.organisation_id, attachment)
    conversation = ids.show("conv", conversation_id)
    if wants_page(request):
        return RedirectResponse(f"/o/{access.slug}/inbox/{form.view}/{conversation}", 303)
    return JSONResponse({"conversation": conversation, "message": ids.show("msg", message_id)})


@router.post("/o/{slug}/files/{attachment}/remove")
async def remove(request: Request, access: Writer, attachment: AttachmentId) -> Response:
    """Take back an upload that was not sent."""
    await uploads.remove_upload(runtime_of(request), access, attachment)
    return Response(status_code=204)
