"""The page an agent works in: views, list, thread, composer, contact. The parts of an open page that change are in `updates.py`.

    GET  /o/{slug}/inbox/{view}                          the list; `after` pages on
    GET  /o/{slug}/inbox/{view}/{conversation}           list and thread
    GET  /o/{slug}/inbox/{view}/{conversation}/contact   on a small screen the contact, else the same page
    GET  /o/{slug}/conversations/{conversation}/protocol who did what with it and when
    POST /o/{slug}/conversations/{conversation}/…        messages, template, notes, typing, draft, assign, due, snooze,
                                                         done, reopen, read
    POST /o/{slug}/messages/{message}/…                  edit, delete, react, resend, settle

A browser gets pages and is sent on after a form; the page's own script asks for JSON and draws anew what changed.
"""

from collections.abc import Awaitable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from hub.connectors.contract import CountsPieces
from hub.consent.gate import SendBlocked
from hub.core import ids
from hub.core.errors import HubError, InvalidInput
from hub.core.i18n import Translator
from hub.core.pages import draw, page_values, render, wants_page
from hub.inbox import service
from hub.inbox.deciding import pages as deciding
from hub.inbox.page import deliveries, presence, start_page, stream, updates
from hub.inbox.page.composer import read_decision, wrong_input
from hub.inbox.page.drafts import DraftMoved, save_draft
from hub.inbox.page.schemas import (
    AssignmentForm,
    ChangeForm,
    ConversationId,
    DraftForm,
    DueForm,
    MessageId,
    MomentForm,
    NoteForm,
    PressForm,
    ReactionForm,
    Reply,
    ReplyForm,
    TemplateForm,
    TypedForm,
    View,
)
from hub.inbox.page.screen import Screen, runtime_of
from hub.inbox.persons import case_pages, person_pages, suppressing
from hub.inbox.sending import actions, live_test, outbound
from hub.inbox.sending.typing import note_typing
from hub.inbox.stored import files
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right

router = APIRouter()
router.include_router(stream.router)
router.include_router(updates.router)
router.include_router(files.router)
router.include_router(deliveries.router)
router.include_router(presence.router)
router.include_router(live_test.router)
router.include_router(person_pages.router)
router.include_router(case_pages.router)
router.include_router(suppressing.router)
router.include_router(start_page.router)
router.include_router(deciding.router)
Reader = Annotated[Access, requires(Right.READ_INBOX)]
Writer = Annotated[Access, requires(Right.WRITE_INBOX)]
Below = Annotated[int | None, Query(ge=1, lt=2**63)]


def _home(access: Access, view: View, conversation: str = "") -> str:
    return f"/o/{access.slug}/inbox/{view}" + (f"/{conversation}" if conversation else "")


@router.get("/o/{slug}/inbox")
async def inbox(access: Reader) -> RedirectResponse:
    """The first list: one's own for those who answer, else everything."""
    return RedirectResponse(_home(access, "mine" if access.may(Right.WRITE_INBOX) else "open"), 303)


@router.get("/o/{slug}/inbox/{view}")
async def list_page(request: Request, access: Reader, view: View, after: str | None = None) -> Response:
    """A list without an open conversation."""
    return await _page(request, access, view, after=after)


@router.get("/o/{slug}/inbox/{view}/{conversation}")
async def thread_page(request: Request, access: Reader, view: View, conversation: ConversationId) -> Response:
    """A list with an open conversation."""
    return await _page(request, access, view, conversation)


@router.get("/o/{slug}/inbox/{view}/{conversation}/contact")
async def contact_page(request: Request, access: Reader, view: View, conversation: ConversationId) -> Response:
    """The same with the contact in front."""
    return await _page(request, access, view, conversation, pane="side")


async def _page(
    request: Request,
    access: Access,
    view: View,
    conversation_id: UUID | None = None,
    *,
    pane: str = "",
    after: str | None = None,
    status: int = 200,
    **kept: Any,
) -> Response:
    """The whole page for a browser; for its script only the panes that depend on the conversation."""
    context: dict[str, Any] = {"view": view, "pane": pane or ("thread" if conversation_id else "list"), "talk": None, **kept}
    context.setdefault("client_key", ids.new_id().hex)
    async with runtime_of(request).database.unit_of_work(access.organisation_id) as unit:
        screen = Screen(request, access, unit)
        context |= await screen.frame(view) | screen.words()
        if conversation_id is not None:
            context["talk"] = await screen.talk(conversation_id)
        if wants_page(request):
            context |= await screen.rows(view, after)
            return render(request, "inbox/page.html", status=status, **context)
    name = context["talk"].row.row.name if context["talk"] else context["title"]
    panes = {part: draw(request, f"inbox/{part}.html", **context) for part in ("thread", "side")}
    return JSONResponse({"title": f"{name} · {access.organisation_name}", "pane": context["pane"], **panes})


async def _after_act(
    request: Request, access: Access, view: View, conversation_id: UUID, message_id: UUID | None = None
) -> Response:
    """A script learns what to draw anew, a browser is sent back to the thread."""
    shown = ids.show("conv", conversation_id)
    if wants_page(request):
        return RedirectResponse(_home(access, view, shown), 303)
    return JSONResponse({"conversation": shown, "message": ids.show("msg", message_id) if message_id else None})


@router.get("/o/{slug}/conversations/{conversation}/protocol")
async def protocol(request: Request, access: Reader, conversation: ConversationId, below: Below = None) -> Response:
    """Every hand-over, due time, snooze, note, done and reopening, with who, when and in which session."""
    async with runtime_of(request).database.unit_of_work(access.organisation_id) as unit:
        context = await Screen(request, access, unit).protocol(conversation, below)
        return render(request, "inbox/protocol.html", **context)


@router.post("/o/{slug}/conversations/{conversation}/messages")
async def send(request: Request, access: Writer, conversation: ConversationId, form: ReplyForm) -> Response:
    """Answer the customer. Refused: 409 (402 where payment lifts it) with the reason, and the text stays."""
    try:
        message_id = await outbound.submit(
            runtime_of(request),
            access,
            conversation,
            text=form.text,
            client_key=form.client_key,
            files=form.file_ids,
            options=form.options,
            location=form.location,
            times=form.times(access.zone),
            cards=form.cards,
            reply_to=form.reply_to_id,
        )
    except SendBlocked as blocked:
        return await _refused(request, access, form, conversation, blocked)
    except InvalidInput as error:
        return _in_words(request, error, wrong_input(error, page_values(request)["t"]))
    return await _after_act(request, access, form.view, conversation, message_id)


@router.post("/o/{slug}/conversations/{conversation}/template")
async def send_template(request: Request, access: Writer, conversation: ConversationId, form: TemplateForm) -> Response:
    """Send what the provider has approved: it may go when nothing else may. Refused as `send` is."""
    try:
        message_id = await outbound.submit(
            runtime_of(request),
            access,
            conversation,
            client_key=form.client_key,
            files=form.file_ids,
            location=form.location,
            template=form.filled(access.zone),
        )
    except SendBlocked as blocked:
        return await _refused(request, access, form, conversation, blocked)
    except InvalidInput as error:
        return _in_words(request, error, wrong_input(error, page_values(request)["t"]))
    return await _after_act(request, access, form.view, conversation, message_id)


async def _refused(
    request: Request, access: Access, form: ReplyForm | TemplateForm, conversation_id: UUID, blocked: SendBlocked
) -> Response:
    if wants_page(request):
        kept = {"text": form.text, "client_key": form.client_key} if isinstance(form, Reply) else {}
        return await _page(request, access, form.view, conversation_id, status=blocked.http_status, **kept)
    values = page_values(request)
    may = read_decision(blocked.decision, values["t"], values["zone"])
    reason = draw(request, "inbox/_reason.html", may=may, fielded=True)
    return JSONResponse({"error": blocked.code, "text": may.reason, "reason": reason}, status_code=blocked.http_status)


def _in_words(request: Request, error: HubError, words: str) -> Response:
    """An expected error whose words say more than its code does."""
    if wants_page(request):
        html = draw(request, "error.html", status=error.http_status, text=words)
        return HTMLResponse(html, status_code=error.http_status)
    return JSONResponse({"error": error.code, "text": words}, status_code=error.http_status)


@router.post("/o/{slug}/conversations/{conversation}/typing")
async def typing(request: Request, access: Writer, conversation: ConversationId) -> JSONResponse:
    """The page says every few seconds that somebody types a reply."""
    await note_typing(runtime_of(request), access, conversation)
    return JSONResponse({})


@router.post("/o/{slug}/conversations/{conversation}/pieces")
async def pieces(request: Request, access: Writer, conversation: ConversationId, form: TypedForm) -> JSONResponse:
    """What a text would cost where the provider charges by the piece, in words; empty for one piece, and elsewhere."""
    runtime = runtime_of(request)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        connector = (await outbound.load_recipient(runtime, unit, conversation)).connector
    count = connector.count_pieces(form.text) if isinstance(connector, CountsPieces) else 1
    told = page_values(request)["t"]("inbox.pieces", count=count, messenger=connector.label) if count > 1 else ""
    return JSONResponse({"text": told})


@router.post("/o/{slug}/conversations/{conversation}/notes")
async def note(request: Request, access: Writer, conversation: ConversationId, form: NoteForm) -> Response:
    """Write an internal note; nothing of it can leave."""
    message_id = await service.add_note(runtime_of(request), access, conversation, form.text)
    return await _after_act(request, access, form.view, conversation, message_id)


@router.post("/o/{slug}/conversations/{conversation}/draft")
async def draft(request: Request, access: Writer, conversation: ConversationId, form: DraftForm) -> JSONResponse:
    """Keep what this member has begun to write. 409 with what is kept, when another of their pages was faster."""
    try:
        version = await save_draft(runtime_of(request), access, conversation, form.kind, form.text, form.version)
    except DraftMoved as moved:
        body = {"error": moved.code, "kept": moved.kept.text, "version": moved.kept.version}
        return JSONResponse(body, status_code=moved.http_status)
    return JSONResponse({"version": version})


@router.post("/o/{slug}/conversations/{conversation}/assign")
async def assign(request: Request, access: Writer, conversation: ConversationId, form: AssignmentForm) -> Response:
    """Hand it over to a member, a team or nobody."""
    await service.assign(runtime_of(request), access, conversation, form.charge)
    return await _after_act(request, access, form.view, conversation)


@router.post("/o/{slug}/conversations/{conversation}/due")
async def due(request: Request, access: Writer, conversation: ConversationId, form: DueForm) -> Response:
    """Until when it shall be done."""
    await service.set_due(runtime_of(request), access, conversation, form.read(access.zone))
    return await _after_act(request, access, form.view, conversation)


@router.post("/o/{slug}/conversations/{conversation}/snooze")
async def snooze(request: Request, access: Writer, conversation: ConversationId, form: MomentForm) -> Response:
    """Put it away until then."""
    await service.snooze(runtime_of(request), access, conversation, form.read(access.zone))
    return await _after_act(request, access, form.view, conversation)


@router.post("/o/{slug}/conversations/{conversation}/done")
async def done(request: Request, access: Writer, conversation: ConversationId, form: PressForm) -> Response:
    """Nothing more to do here."""
    await service.set_done(runtime_of(request), access, conversation)
    return await _after_act(request, access, form.view, conversation)


@router.post("/o/{slug}/conversations/{conversation}/reopen")
async def reopen(request: Request, access: Writer, conversation: ConversationId, form: PressForm) -> Response:
    """There is something to do after all."""
    await service.reopen(runtime_of(request), access, conversation)
    return await _after_act(request, access, form.view, conversation)


@router.post("/o/{slug}/conversations/{conversation}/read")
async def read(request: Request, access: Writer, conversation: ConversationId, form: PressForm) -> Response:
    """What came in has been seen."""
    await service.mark_read(runtime_of(request), access, conversation)
    return await _after_act(request, access, form.view, conversation)


@router.post("/o/{slug}/messages/{message}/edit")
async def edit(request: Request, access: Writer, message: MessageId, form: ChangeForm) -> Response:
    """Change the words of a message of ours. 409 with the reason where that is not possible (any more)."""
    return await _done(request, access, form.view, message, actions.edit(runtime_of(request), access, message, form.text))


@router.post("/o/{slug}/messages/{message}/delete")
async def delete(request: Request, access: Writer, message: MessageId, form: PressForm) -> Response:
    """Take a message of ours back at the provider; the record of it stays here."""
    return await _done(request, access, form.view, message, actions.delete(runtime_of(request), access, message))


@router.post("/o/{slug}/messages/{message}/react")
async def react(request: Request, access: Writer, message: MessageId, form: ReactionForm) -> Response:
    """Set our reaction to a customer's message, or take it back."""
    return await _done(request, access, form.view, message, actions.react(runtime_of(request), access, message, form.emoji))


async def _done(request: Request, access: Access, view: View, message_id: UUID, act: Awaitable[None]) -> Response:
    """Do something to a message; what cannot be done is answered with the reason in words."""
    t: Translator = page_values(request)["t"]
    try:
        await act
    except actions.NotPossible as error:
        return _in_words(request, error, t(f"inbox.not_possible.{error.values['reason']}"))
    except InvalidInput as error:
        return _in_words(request, error, wrong_input(error, t))
    return await _after_act(request, access, view, await _conversation_of(request, access, message_id), message_id)


@router.post("/o/{slug}/messages/{message}/resend")
async def resend(request: Request, access: Writer, message: MessageId, form: PressForm) -> Response:
    """Send a failed or unclear message again, after the gate's word."""
    await actions.resend(runtime_of(request), access, message)
    return await _after_act(request, access, form.view, await _conversation_of(request, access, message), message)


@router.post("/o/{slug}/messages/{message}/settle")
async def settle(request: Request, access: Writer, message: MessageId, form: PressForm) -> Response:
    """A person knows that an unclear message arrived."""
    await actions.settle_unknown(runtime_of(request), access, message)
    return await _after_act(request, access, form.view, await _conversation_of(request, access, message), message)


async def _conversation_of(request: Request, access: Access, message_id: UUID) -> UUID:
    async with runtime_of(request).database.unit_of_work(access.organisation_id) as unit:
        found: UUID = await unit.sql.fetchval(
            "SELECT conversation_id FROM message WHERE organisation_id = $1 AND id = $2", unit.tenant, message_id
        )
    return found
