"""How people agree: the roads of an organisation, and the public page of each.

GET  /o/{slug}/consent/flows                      all open roads with word, link and square; the form for one more
POST /o/{slug}/consent/flows                      open one
POST /o/{slug}/consent/flows/{flow}/archive       close one
GET  /w/{flow}                                    for anybody: the exact text, and where the messenger has addresses that people
                                                  know, a form with an unticked box
POST /w/{flow}                                    sign up

The form never grants: whoever can type an address can type anybody's. It only ever asks, once, on the messenger itself, and what is
answered there grants (R-227). The page says the same whether the question was sent, had been asked before or is not needed, so that
it tells nobody who gets what. It needs no CSRF token, since it carries nobody's power; pages of other sites cannot post to it, but
may link to it. How often one address of the internet may use it is counted.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from hub.channels import queries
from hub.channels.accounts import scope_of
from hub.channels.flows import Road, list_roads, open_flow, read_road
from hub.channels.qr import qr_svg
from hub.consent import purposes
from hub.consent.agreeing import flows, hearing, requests, roads, texts
from hub.consent.agreeing.addresses import clean_address
from hub.consent.agreeing.flows import FlowTerms
from hub.consent.pages_purposes import errors_of, typed_in
from hub.core import clock, ids
from hub.core.errors import Conflict, HubError, InvalidInput, NotFound
from hub.core.i18n import LOCALES, Translator
from hub.core.limits import Limit, take
from hub.core.pages import locale_of, render
from hub.organisations.access import public, requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right
from hub.runtime import Runtime

router = APIRouter()

Manager = Annotated[Access, requires(Right.MANAGE_CONSENT)]
Typed = Annotated[str, Form(max_length=500)]
ANYBODY: Final = Depends(public("people who are no members agree here to what the page shows"))
LOOKS: Final = Limit("flow_page", 120, 60)
SIGN_UPS: Final = Limit("flow_sign_up", 10, 3600)
"""Sign-ups from one address of the internet: a shop's tablet at the counter manages, a script does not."""


def _flow_id(flow: str) -> UUID:
    return ids.read("flow", flow)


FlowId = Annotated[UUID, Depends(_flow_id)]


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


async def _page(
    request: Request, access: Access, *, error: HubError | None = None, typed: Mapping[str, Any] | None = None
) -> Response:
    runtime = _runtime(request)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        found = await list_roads(runtime, unit)
        offered = await purposes.list_purposes(unit)
        channels = await queries.list_channels(unit, runtime.connectors)
    return render(
        request,
        "consent/flows.html",
        status=error.http_status if error else 200,
        roads=found,
        squares={road.flow.id: qr_svg(road.link if road.carries else road.page) for road in found},
        purposes=offered,
        channels=channels,
        errors=errors_of(request, error),
        typed=typed or {},
        locales=LOCALES,
    )


@router.get("/o/{slug}/consent/flows")
async def flows_page(request: Request, access: Manager) -> Response:
    """All open roads."""
    return await _page(request, access)


@router.post("/o/{slug}/consent/flows")
async def define(request: Request, access: Manager) -> Response:
    """Open one more."""
    form = await request.form()
    typed = await typed_in(request)
    chosen = [value for value in form.getlist("purpose") if isinstance(value, str)]
    runtime = _runtime(request)
    try:
        terms = FlowTerms(
            channel_id=_read("chn", typed.get("channel", ""), "channel"),
            purpose_ids=[_read("pur", one, "purposes") for one in chosen],
            language=typed.get("language", ""),
            double_opt_in="double_opt_in" in typed,
            counts_subscription="counts_subscription" in typed,
            keywords={code: typed.get(f"keyword_{code}", "") for code in LOCALES},
            confirmations={code: typed.get(f"confirmation_{code}", "") for code in LOCALES},
        )
        async with runtime.database.unit_of_work(access.organisation_id) as unit:
            flow_id = await open_flow(runtime, unit, access, terms)
    except (InvalidInput, Conflict) as error:
        return await _page(request, access, error=error, typed={**typed, "chosen": chosen})
    return RedirectResponse(f"/o/{access.slug}/consent/flows#{ids.show('flow', flow_id)}", 303)


def _read(prefix: str, shown: str, field: str) -> UUID:
    try:
        return ids.read(prefix, shown)
    except NotFound:
        raise InvalidInput("not chosen", field=field) from None


@router.post("/o/{slug}/consent/flows/{flow}/archive")
async def archive(request: Request, access: Manager, flow: FlowId) -> Response:
    """Close a road. NotFound."""
    async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
        await flows.archive_flow(unit, access, flow)
    return RedirectResponse(f"/o/{access.slug}/consent/flows", 303)


# For anybody


async def _find(runtime: Runtime, flow_id: UUID) -> tuple[UUID, Road, texts.Texts]:
    """Whose flow it is, and what its page shows. NotFound, also for one that was closed."""
    async with runtime.database.system() as unit:
        organisation_id = await unit.sql.fetchval(
            "SELECT organisation_id FROM optin_flow WHERE id = $1 AND archived_at IS NULL", flow_id
        )
    if organisation_id is None:
        raise NotFound("no such flow")
    async with runtime.database.unit_of_work(organisation_id) as unit:
        return organisation_id, await read_road(runtime, unit, flow_id), await texts.load_texts(unit)


def _show(request: Request, found: tuple[UUID, Road, texts.Texts], lang: str, **more: Any) -> Response:
    _, road, said = found
    language = lang if lang in LOCALES else locale_of(request)
    values = {"error": "", "address": "", "is_done": False, "status": 200, **more}
    answer = render(
        request,
        "consent/sign_up.html",
        t=Translator(language),
        organisation=said.organisation,
        road=road,
        square=qr_svg(road.link) if road.link else "",
        links={code: f"/w/{road.flow.shown}?lang={code}" for code in LOCALES},
        **values,
    )
    answer.headers["x-robots-tag"] = "noindex"
    return answer


@router.get("/w/{flow}", dependencies=[ANYBODY])
async def public_page(request: Request, flow: FlowId, lang: Annotated[str, Query(max_length=5)] = "") -> Response:
    """What people agree to here, and how. NotFound, TooMany."""
    runtime = _runtime(request)
    await take(runtime.queue, LOOKS, _caller(request))
    return _show(request, await _find(runtime, flow), lang)


@router.post("/w/{flow}", dependencies=[ANYBODY])
async def sign_up(request: Request, flow: FlowId, address: Typed = "", agree: Typed = "", lang: Typed = "") -> Response:
    """Somebody typed an address: it is asked. NotFound, TooMany."""
    runtime = _runtime(request)
    await take(runtime.queue, SIGN_UPS, _caller(request))
    found = await _find(runtime, flow)
    organisation_id, road, said = found
    language = lang if lang in LOCALES else locale_of(request)
    messenger = road.channel.connector.connector
    try:
        if not road.takes_addresses:
            raise InvalidInput("nobody can be signed up here", field="address", reason="unknown")
        if agree != "yes":
            raise InvalidInput("the box is not ticked", field="agree")
        key = (messenger, scope_of(road.channel.connector, road.channel.id), clean_address(messenger, address))
    except InvalidInput as error:
        words = Translator(language)(f"consent.sign_up.wrong.{error.values.get('reason', error.values['field'])}")
        return _show(request, found, lang, error=words, address=address, status=422)
    now = clock.now()
    evidence = {"source": requests.FORM, "page": road.page, "caller": _caller(request)}
    async with runtime.database.unit_of_work(organisation_id) as unit:
        await roads.lock_families(unit, [key])
        if not await hearing.is_granted(unit, road.flow, key):
            await requests.ask(
                runtime, unit, said, road.flow, key, language=language, at=now, method="sign_up", evidence=evidence, restarts=False
            )
    return _show(request, found, lang, is_done=True)


def _caller(request: Request) -> str:
    return request.client.host if request.client else ""
