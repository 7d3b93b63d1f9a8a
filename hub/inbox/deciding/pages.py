"""The gate's decisions, held messages and overrides.

GET  /o/{slug}/consent/decisions                          what the gate said, by verdict and rule, paged by key
GET  /o/{slug}/consent/decisions/{decision}               one of them, explained step by step
POST /o/{slug}/consent/decisions/{decision}/override      answer by name for writing without a recorded consent (R-226)
GET  /o/{slug}/consent/reviews                            messages that wait for a second person (R-238)
POST /o/{slug}/consent/reviews/{message}/release
POST /o/{slug}/consent/reviews/{message}/reject
GET  /o/{slug}/consent/overrides                          the overrides of a month with what left under them
"""

from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from hub.consent.gate import STEP_OF, SendBlocked
from hub.consent.purposes import list_purposes
from hub.core import ids
from hub.core.errors import HubError, InvalidInput, NotFound
from hub.core.pages import page_values, render, wants_page
from hub.inbox.deciding import overriding, reviews
from hub.inbox.deciding.decisions import Kept, explain, list_decisions, read_kept
from hub.inbox.page.composer import read_decision
from hub.inbox.page.deliveries import key_of_place, read_place
from hub.inbox.page.screen import runtime_of
from hub.inbox.sending.outbound import may_write
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right

router = APIRouter()
Reader = Annotated[Access, requires(Right.READ_CONSENT)]
Writer = Annotated[Access, requires(Right.WRITE_INBOX)]
Answerable = Annotated[Access, requires(Right.OVERRIDE_CONSENT)]
LIFTED: Final = frozenset({"no_consent", "opt_in_needed"})
"""Rules that an override lifts, where the messenger does not always need an opt-in."""


class Verdict(StrEnum):
    """The lists of decisions."""

    REFUSE = "refuse"
    HOLD = "hold"
    DEFER = "defer"
    ALLOW = "allow"


def _decision_id(decision: str) -> UUID:
    return ids.read("dec", decision)


def _message_id(message: str) -> UUID:
    return ids.read("msg", message)


DecisionId = Annotated[UUID, Depends(_decision_id)]
MessageId = Annotated[UUID, Depends(_message_id)]


@router.get("/o/{slug}/consent/decisions")
async def decisions_page(
    request: Request, access: Reader, verdict: Verdict = Verdict.REFUSE, rule: str = "", after: str = ""
) -> Response:
    """What the gate said, the newest first."""
    if rule and rule not in STEP_OF:
        raise NotFound("no such rule")
    async with runtime_of(request).database.unit_of_work(access.organisation_id) as unit:
        rows, place = await list_decisions(unit, verdict=verdict.value, rule=rule, place=read_place(after))
    query = {"verdict": verdict.value, **({"rule": rule} if rule else {})}
    return render(
        request,
        "inbox/deciding/decisions.html",
        rows=rows,
        verdicts=list(Verdict),
        verdict=verdict,
        rule=rule,
        more=urlencode({**query, "after": key_of_place(*place)}) if place else "",
        connectors=dict(runtime_of(request).connectors.items()),
    )


@router.get("/o/{slug}/consent/decisions/{decision}")
async def decision_page(request: Request, access: Reader, decision: DecisionId) -> Response:
    """One decision, explained step by step, with what is lawful instead."""
    return await _decision(request, access, decision)


async def _decision(
    request: Request, access: Access, decision_id: UUID, error: HubError | None = None, reason: str = ""
) -> Response:
    runtime = runtime_of(request)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        kept = await read_kept(unit, decision_id)
        purposes = {one.id: one for one in await list_purposes(unit, with_archived=True)}
        is_now = None
        if kept.conversation_id is not None:
            is_now = await may_write(runtime, unit, kept.conversation_id, kept.purpose_id)
    t = page_values(request)["t"]
    return render(
        request,
        "inbox/deciding/decision.html",
        status=error.http_status if error else 200,
        one=kept,
        words=read_decision(kept.as_decision(), t, ZoneInfo(access.zone)),
        steps=explain(kept.verdict, kept.rule),
        purpose=purposes.get(kept.purpose_id) if kept.purpose_id else None,
        now=read_decision(is_now, t, ZoneInfo(access.zone)) if is_now else None,
        may_override=_may_override(access, kept) and is_now is not None and is_now.rule in LIFTED,
        shortest=overriding.SHORTEST,
        error=error,
        reason=reason,
        connectors=dict(runtime.connectors.items()),
    )


def _may_override(access: Access, kept: Kept) -> bool:
    return access.may(Right.OVERRIDE_CONSENT) and kept.rule in LIFTED and kept.purpose_id is not None


@router.post("/o/{slug}/consent/decisions/{decision}/override")
async def override(request: Request, access: Answerable, decision: DecisionId, reason: Annotated[str, Form()] = "") -> Response:
    """Answer by name for writing to this person for this purpose, for a day."""
    runtime = runtime_of(request)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        kept = await read_kept(unit, decision)
    if kept.conversation_id is None or kept.purpose_id is None:
        raise NotFound("no such decision")
    try:
        await overriding.override(runtime, access, kept.conversation_id, kept.purpose_id, reason)
    except (InvalidInput, overriding.NoOverride) as error:
        if not wants_page(request):
            raise
        return await _decision(request, access, decision, error, reason)
    return RedirectResponse(f"/o/{access.slug}/consent/decisions/{ids.show('dec', decision)}", 303)


@router.get("/o/{slug}/consent/reviews")
async def reviews_page(request: Request, access: Writer) -> Response:
    """What waits for a second person."""
    return await _reviews(request, access)


async def _reviews(request: Request, access: Access, error: HubError | None = None) -> Response:
    async with runtime_of(request).database.unit_of_work(access.organisation_id) as unit:
        rows = await reviews.list_held(unit)
    return render(
        request,
        "inbox/deciding/reviews.html",
        status=error.http_status if error else 200,
        rows=rows,
        error=error,
        connectors=dict(runtime_of(request).connectors.items()),
    )


@router.post("/o/{slug}/consent/reviews/{message}/release")
async def release(request: Request, access: Writer, message: MessageId) -> Response:
    """A second person lets it go."""
    try:
        await reviews.release(runtime_of(request), access, message)
    except (reviews.NeedsSecondPerson, SendBlocked) as error:
        if not wants_page(request):
            raise
        return await _reviews(request, access, error)
    return RedirectResponse(f"/o/{access.slug}/consent/reviews", 303)


@router.post("/o/{slug}/consent/reviews/{message}/reject")
async def reject(request: Request, access: Writer, message: MessageId) -> Response:
    """Nobody lets it go: it ends as failed, with the reason."""
    await reviews.reject(runtime_of(request), access, message)
    return RedirectResponse(f"/o/{access.slug}/consent/reviews", 303)


@router.get("/o/{slug}/consent/overrides")
async def overrides_page(request: Request, access: Reader, month: str = "") -> Response:
    """The overrides of a month (`2026-11`), the present one where none is named."""
    runtime = runtime_of(request)
    found = overriding.read_month(month, ZoneInfo(access.zone))
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        rows = await overriding.overrides_between(unit, runtime.vault, found.begins, found.ends)
        purposes = {one.id: one for one in await list_purposes(unit, with_archived=True)}
    return render(
        request,
        "inbox/deciding/overrides.html",
        rows=rows,
        month=found,
        purposes=purposes,
        connectors=dict(runtime.connectors.items()),
    )
