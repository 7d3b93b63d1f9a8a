"""The pages of newsletters.

GET  /o/{slug}/campaigns                        all of them; POST one more
GET  /o/{slug}/campaigns/{campaign}             a draft with its simulation, or how a started one runs and what came of it
POST /o/{slug}/campaigns/{campaign}             keep what was typed, and simulate it
POST /o/{slug}/campaigns/{campaign}/…           test, start, back, pause, resume, stop, copy
GET  /o/{slug}/campaigns/{campaign}/recipients  every recipient's decision, page by page
GET  /o/{slug}/campaigns/{campaign}/export      the same as CSV
"""

import csv
import io
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from hub.campaigns import reading, service
from hub.campaigns.deciding import OWN_RULES
from hub.campaigns.forms import Typed, draft_of, read_typed, typed_of
from hub.campaigns.models import Campaign
from hub.campaigns.simulation import read_counts
from hub.campaigns.writing import NameUnknown, can_carry, fill_in
from hub.channels.queries import list_channels
from hub.channels.templates import list_templates
from hub.consent.gate import STEP_OF, SendBlocked
from hub.consent.purposes import list_purposes, read_purpose
from hub.core import ids
from hub.core.db import UnitOfWork
from hub.core.errors import HubError, InvalidInput
from hub.core.i18n import LOCALES, Translator, catalogue
from hub.core.pages import locale_of, render
from hub.inbox.models import MESSAGE_STATES
from hub.inbox.page.composer import failure_words
from hub.inbox.sending.wording import read_wording
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right
from hub.runtime import Runtime

router = APIRouter()

Reader = Annotated[Access, requires(Right.READ_CAMPAIGNS)]
Writer = Annotated[Access, requires(Right.WRITE_CAMPAIGNS)]
EXPORTED: Final = 500
"""Rows that an export reads at once."""
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for a formula."""
TONES: Final = {"person": "bad", "consent": "quiet", "frequency": "warn", "form": "warn", "organisation": "bad", "channel": "bad"}
"""The colour of a rule, by the gate's step at which it speaks."""


def _campaign_id(campaign: str) -> UUID:
    return ids.read("cmp", campaign)


CampaignId = Annotated[UUID, Depends(_campaign_id)]


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def _at(access: Access, campaign_id: UUID, **query: str) -> Response:
    said = f"?{urlencode(query)}" if query else ""
    return RedirectResponse(f"/o/{access.slug}/campaigns/{ids.show('cmp', campaign_id)}{said}", 303)


@router.get("/o/{slug}/campaigns")
async def campaigns_page(request: Request, access: Reader) -> Response:
    """All newsletters."""
    return await _list(request, access)


async def _list(request: Request, access: Access, *, error: InvalidInput | None = None, name: str = "") -> Response:
    async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
        campaigns = await service.list_all(unit)
        purposes = await list_purposes(unit, with_archived=True)
        counts = await reading.counts_of(unit)
    return render(
        request,
        "campaigns/page.html",
        status=error.http_status if error else 200,
        campaigns=campaigns,
        names={one.id: one.name(locale_of(request)) for one in purposes},
        purposes=[one for one in purposes if not one.is_archived],
        counts=counts,
        simulated={one.id: read_counts(one.simulation or ()) for one in campaigns},
        wrong=_wrong(request, error),
        name=name,
    )


@router.post("/o/{slug}/campaigns")
async def create(
    request: Request, access: Writer, name: Annotated[str, Form()] = "", purpose: Annotated[str, Form()] = ""
) -> Response:
    """One more draft."""
    try:
        async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
            campaign_id = await service.create(unit, access, name, ids.read("pur", purpose))
    except InvalidInput as error:
        return await _list(request, access, error=error, name=name)
    return _at(access, campaign_id)


@router.get("/o/{slug}/campaigns/{campaign}")
async def campaign_page(request: Request, access: Reader, campaign: CampaignId, said: str = "") -> Response:
    """A draft, or a started newsletter."""
    return await _page(request, access, campaign, said="tested" if said == "tested" else "")


async def _page(
    request: Request,
    access: Access,
    campaign_id: UUID,
    *,
    typed: Typed | None = None,
    error: HubError | None = None,
    said: str = "",
) -> Response:
    async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
        campaign = await service.read(unit, campaign_id)
        if campaign.state == "draft":
            values = await _draft_values(request, access, unit, campaign, typed)
        else:
            values = await _run_values(request, unit, campaign)
    return render(
        request,
        "campaigns/draft.html" if campaign.state == "draft" else "campaigns/run.html",
        status=error.http_status if error else 200,
        campaign=campaign,
        shown=ids.show("cmp", campaign.id),
        wrong=_wrong(request, error),
        said=said,
        **values,
    )


def _wrong(request: Request, error: HubError | None) -> str:
    """What is wrong and what to do, by the field or the gate's rule."""
    if error is None:
        return ""
    t = Translator(locale_of(request))
    if isinstance(error, SendBlocked):
        return t("campaigns.wrong.refused", reason=t(f"deciding.rule.{error.decision.rule}"))
    key = f"campaigns.wrong.{error.values.get('field', error.code)}"
    return t(key if key in catalogue(t.locale) else f"error.{error.code}")


async def _draft_values(
    request: Request, access: Access, unit: UnitOfWork, campaign: Campaign, typed: Typed | None
) -> dict[str, Any]:
    channels = await list_channels(unit, _runtime(request).connectors)
    templates: dict[str, list[Any]] = {}
    for row in channels:
        if row.connector.capabilities.templates:
            kept = [(one, read_wording(one.components)) for one in await list_templates(unit, row.id, only_approved=True)]
            templates[row.shown] = [(one, wording) for one, wording in kept if can_carry(wording)]
    typed = typed or typed_of(campaign, ZoneInfo(access.zone))
    chosen = [ids.read("chn", one) for one in typed.channels]
    places = await reading.test_places(unit, chosen, campaign.test_conversation_id)
    name = places[0].name if places else Translator(locale_of(request))("campaigns.sample_name")
    return {
        "typed": typed,
        "channels": channels,
        "templates": templates,
        "previews": {channel: _preview(letter.text, name) for channel, letter in typed.letters.items() if letter.text},
        "preview_name": name,
        "places": places,
        "purposes": await list_purposes(unit),
        "purpose": await read_purpose(unit, campaign.purpose_id),
        "locales": LOCALES,
        "counts": read_counts(campaign.simulation) if campaign.simulation is not None else None,
        "tone": _tone,
    }


def _preview(text: str, name: str) -> str:
    try:
        return fill_in(text, name)
    except NameUnknown:
        return text


def _tone(rule: str) -> str:
    return "quiet" if rule in OWN_RULES else TONES.get(STEP_OF.get(rule, ""), "quiet")


async def _run_values(request: Request, unit: UnitOfWork, campaign: Campaign) -> dict[str, Any]:
    t = Translator(locale_of(request))
    progress = await reading.read_progress(unit, campaign)
    members = await unit.sql.fetch(
        """
        SELECT m.id, p.name FROM member m JOIN person p ON p.id = m.person_id
        WHERE m.organisation_id = $1 AND m.id = ANY($2::uuid[])
        """,
        unit.tenant,
        [one for one in (campaign.started_by, campaign.stopped_by) if one],
    )
    return {
        "progress": progress,
        "expected": read_counts(campaign.simulation or ()),
        "purpose": await read_purpose(unit, campaign.purpose_id),
        "causes": [(failure_words(cause, t)[0], number) for cause, number in progress.causes],
        "members": {row["id"]: row["name"] for row in members},
        "tone": _tone,
    }


@router.post("/o/{slug}/campaigns/{campaign}")
async def save(request: Request, access: Writer, campaign: CampaignId) -> Response:
    """Keep what was typed; with `simulate` also ask the gate about everybody."""
    form = await request.form()
    typed = read_typed(form)
    runtime = _runtime(request)
    try:
        draft = draft_of(typed, ZoneInfo(access.zone))
        async with runtime.database.unit_of_work(access.organisation_id) as unit:
            await service.change(unit, campaign, draft)
    except InvalidInput as error:
        return await _page(request, access, campaign, typed=typed, error=error)
    if "simulate" in form:
        try:
            async with runtime.database.unit_of_work(access.organisation_id) as unit:
                await service.try_out(runtime, unit, campaign)
        except InvalidInput as error:
            return await _page(request, access, campaign, error=error)
    return _at(access, campaign)


@router.post("/o/{slug}/campaigns/{campaign}/test")
async def send_test(request: Request, access: Writer, campaign: CampaignId, conversation: Annotated[str, Form()] = "") -> Response:
    """Send it to one conversation, to be looked at there."""
    try:
        await service.send_test(_runtime(request), access, campaign, ids.read("conv", conversation))
    except (InvalidInput, SendBlocked) as error:
        return await _page(request, access, campaign, error=error)
    return _at(access, campaign, said="tested")


@router.post("/o/{slug}/campaigns/{campaign}/start")
async def start(request: Request, access: Writer, campaign: CampaignId) -> Response:
    """Let it go, now or at its time."""
    try:
        async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
            await service.start(unit, access, campaign)
    except InvalidInput as error:
        return await _page(request, access, campaign, error=error)
    return _at(access, campaign)


@router.post("/o/{slug}/campaigns/{campaign}/back")
async def take_back(request: Request, access: Writer, campaign: CampaignId) -> Response:
    """Make a planned one a draft again."""
    async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
        await service.take_back(unit, access, campaign)
    return _at(access, campaign)


@router.post("/o/{slug}/campaigns/{campaign}/pause")
async def pause(request: Request, access: Writer, campaign: CampaignId) -> Response:
    """Let nothing more leave for now."""
    async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
        await service.pause(unit, access, campaign)
    return _at(access, campaign)


@router.post("/o/{slug}/campaigns/{campaign}/resume")
async def resume(request: Request, access: Writer, campaign: CampaignId) -> Response:
    """Go on."""
    async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
        await service.resume(_runtime(request), unit, access, campaign)
    return _at(access, campaign)


@router.post("/o/{slug}/campaigns/{campaign}/stop")
async def stop(request: Request, access: Writer, campaign: CampaignId) -> Response:
    """The emergency stop."""
    async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
        await service.stop(unit, access, campaign)
    return _at(access, campaign)


@router.post("/o/{slug}/campaigns/{campaign}/copy")
async def copy(request: Request, access: Writer, campaign: CampaignId) -> Response:
    """A new draft that says the same."""
    t = Translator(locale_of(request))
    async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
        old = await service.read(unit, campaign)
        new_id = await service.copy(unit, access, campaign, t("campaigns.copy_of", name=old.name))
    return _at(access, new_id)


@router.get("/o/{slug}/campaigns/{campaign}/recipients")
async def recipients_page(
    request: Request,
    access: Reader,
    campaign: CampaignId,
    rule: Annotated[str, Query(pattern="^[a-z_]{0,40}$")] = "",
    state: Annotated[str, Query(pattern="^[a-z]{0,20}$")] = "",
    after: str = "",
) -> Response:
    """Every recipient's decision, and what became of their message."""
    async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
        one = await service.read(unit, campaign)
        progress = await reading.read_progress(unit, one)
        place = ids.read("conv", after) if after else None
        rows, following = await reading.list_recipients(unit, campaign, rule=rule, state=state, after=place)
        channels = {row.id: row for row in await list_channels(unit, _runtime(request).connectors)}
    query = {name: value for name, value in (("rule", rule), ("state", state)) if value}
    return render(
        request,
        "campaigns/recipients.html",
        campaign=one,
        shown=ids.show("cmp", campaign),
        rows=rows,
        channels=channels,
        rules=sorted({(row.verdict, row.rule) for row in progress.counts.rows}),
        states=[state for state in MESSAGE_STATES if state in progress.states],
        rule=rule,
        state=state,
        more=urlencode({**query, "after": ids.show("conv", following)}) if following else "",
    )


@router.get("/o/{slug}/campaigns/{campaign}/export")
async def export(request: Request, access: Reader, campaign: CampaignId) -> Response:
    """Every recipient's decision as CSV in UTF-8, read in batches."""
    runtime = _runtime(request)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await service.read(unit, campaign)
        titles = {row.id: (row.connector.connector, row.title) for row in await list_channels(unit, runtime.connectors)}

    async def lines() -> AsyncIterator[str]:
        head = ("conversation", "name", "address", "messenger", "channel", "decided_at", "verdict", "rule", "state", "failure")
        yield "\ufeff" + _line(head)  # the mark by which spreadsheets know UTF-8
        after: UUID | None = None
        while True:
            async with runtime.database.unit_of_work(access.organisation_id) as unit:
                rows, after = await reading.list_recipients(unit, campaign, after=after, limit=EXPORTED)
            for row in rows:
                talk = ids.show("conv", row.conversation_id)
                decided = (row.at.isoformat(), row.verdict, row.rule, row.state, row.failure)
                yield _line((talk, row.name, row.address, *titles[row.channel_id], *decided))
            if after is None:
                return

    headers = {"content-disposition": f'attachment; filename="{ids.show("cmp", campaign)}.csv"'}
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)


def _line(values: tuple[str, ...]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow([f"'{value}" if value.startswith(FORMULA) else value for value in values])
    return written.getvalue()
