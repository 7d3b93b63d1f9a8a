"""The channels page: which accounts are connected, how they are, what else can be connected, and what opens and closes them.

GET  /o/{slug}/channels                          all channels and the catalogue; with `connect` the form for one more
POST /o/{slug}/channels                          connect an account; on to its live test
GET  /o/{slug}/channels/red                      how many open channels do not work, for the mark on every page
POST /o/{slug}/channels/stop, …/channels/go      the kill switch of a messenger or of all, and lifting it
GET  /o/{slug}/channels/{channel}                one channel; with `form` the form that changes its settings or its account
POST /o/{slug}/channels/{channel}/…              settings, account, declare, welcome, on, off, block, unblock, reach
GET  /o/{slug}/channels/{channel}/test           the live test; its answer is sent by `hub/inbox/sending/live_test.py`
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from hub.channels import (
    blocks,
    catalogue,
    conditions,
    documents,
    history,
    live_test,
    outages,
    queries,
    replacing,
    self_test,
    service,
    templates,
)
from hub.channels.catalogue import Messenger
from hub.channels.causes import cause_words
from hub.channels.endings import read_endings
from hub.channels.forms import Problem, Purpose, SetUp, fields_of, problem_of, read_form
from hub.channels.history import Happened
from hub.channels.providers import provider_of
from hub.channels.qr import qr_svg
from hub.channels.queries import ChannelRow
from hub.connectors.contract import AnswersInline
from hub.connectors.errors import ConnectorError
from hub.core import ids
from hub.core.errors import Conflict, InvalidInput
from hub.core.i18n import Translator
from hub.core.mail import can_send
from hub.core.pages import locale_of, render
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right
from hub.runtime import Runtime

router = APIRouter()

Reader = Annotated[Access, requires(Right.READ_CHANNELS)]
Manager = Annotated[Access, requires(Right.MANAGE_CHANNELS)]
Reason = Annotated[str, Form(max_length=200)]
Welcome = Annotated[str, Form(max_length=20_000)]
Notes = Annotated[Sequence[str], Query()]

NOTE: Final = re.compile(r"channel\.[a-z]+\.note\.[a-z_]+")
"""What a set-up may leave to tell: a key of the connectors' catalogue."""


class Said(StrEnum):
    """What was just done, for the page that comes next."""

    RENEWED = "renewed"
    REPLACED = "replaced"
    SAME = "same"
    """The account in place of the former one turned out to be the same."""
    ON = "on"
    OFF = "off"
    UNBLOCKED = "unblocked"
    BLOCKED = "blocked"
    DECLARED = "declared"
    WELCOMED = "welcomed"
    STOPPED = "stopped"
    GOES = "goes"


def _channel_id(channel: str) -> UUID:
    return ids.read("chn", channel)


ChannelId = Annotated[UUID, Depends(_channel_id)]


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


# All channels


@router.get("/o/{slug}/channels")
async def channels_page(request: Request, access: Reader, connect: str = "", said: Said | None = None) -> Response:
    """All channels and the catalogue; with `connect` the form that connects an account of this messenger."""
    typed = {"connector": connect} if access.may(Right.MANAGE_CHANNELS) else {}
    return await _page(request, access, typed=typed, said=said)


async def _page(
    request: Request,
    access: Access,
    *,
    problem: Problem | None = None,
    typed: dict[str, str] | None = None,
    said: Said | None = None,
) -> Response:
    runtime = _runtime(request)
    messengers = catalogue.messengers(runtime.connectors)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        channels = await queries.list_channels(unit, runtime.connectors)
        stopped = await blocks.read_blocks(unit)
        endings = await read_endings(unit)
        set_up = _set_up(messengers, typed or {})
        asked = await conditions.conditions_of(unit, set_up.messenger.name) if set_up else conditions.Conditions()
        papers = await documents.read_documents(unit, set_up.messenger.name) if set_up and asked.fields else {}
    return render(
        request,
        "channels/page.html",
        status=problem.error.http_status if problem else 200,
        channels=channels,
        asked=asked,
        papers=papers,
        says_for=set_up.messenger.name if set_up else "",
        messengers=messengers,
        labels={one.name: one.label for one in messengers},
        blocks=stopped,
        endings=endings,
        set_up=set_up,
        typed=typed or {},
        problem=problem,
        said=said,
        **_words(request, access, runtime),
    )


def _words(request: Request, access: Access, runtime: Runtime) -> dict[str, Any]:
    """What the templates of this room say through the connectors' own words."""
    t = Translator(locale_of(request))
    zone = ZoneInfo(access.zone)

    def cause(row: ChannelRow) -> tuple[str, str]:
        return cause_words(t, row.connector.connector, row.connector.label, row.health_cause, row.health_since, zone)

    def happened(one: Happened, row: ChannelRow) -> str:
        if one.level == "change":
            text = t(f"channels.reach.{one.text}") if one.cause == "self_tested" else one.text
            return t(f"channels.history.{one.cause}", text=text)
        if one.level == "ok":
            return t("channels.history.ok")
        what, _ = cause_words(t, row.connector.connector, row.connector.label, one.cause, None, zone)
        return f"{what} {one.text}".strip()

    return {
        "about": lambda name: catalogue.about(t, name),
        "can_do": lambda kind: catalogue.can_do(t, kind.capabilities),
        "cause": cause,
        "happened": happened,
        "warning": lambda row: cause_words(t, row.connector.connector, row.connector.label, row.warning_cause, None, zone)[0],
        "sends_mail": can_send(runtime.settings),
        "countries": lambda: conditions.countries(t.locale),
        "industries": (conditions.NONE, *conditions.INDUSTRIES),
    }


def _set_up(messengers: list[Messenger], typed: dict[str, str]) -> SetUp | None:
    for one in messengers:
        if one.connector and one.name == typed.get("connector"):
            fields = fields_of(one.connector, typed)
            return SetUp(
                Purpose.CONNECT,
                one,
                fields,
                typed.get("title", ""),
                typed.get("terms") == "accepted",
                welcome=typed.get("welcome", ""),
            )
    return None


@router.post("/o/{slug}/channels")
async def connect_channel(request: Request, access: Manager) -> Response:
    """Store the account, accept the terms and switch it on: one form, and each step's error names its field. The acceptance is
    written only for an account whose fields are valid."""
    runtime = _runtime(request)
    typed, values = await read_form(request)
    connector = typed.get("connector", "")
    if typed.get("terms") != "accepted":
        unaccepted = InvalidInput("the provider's terms must be accepted", field="terms")
        return await _page(request, access, problem=Problem(unaccepted, connector, "terms", missing=True), typed=typed)
    provider_of(connector)  # NotFound here, before an account is stored that could never be switched on
    try:
        channel_id = await service.connect_channel(
            runtime, access, connector=connector, title=typed.get("title", ""), values=values, answers=_answers(typed)
        )
    except (InvalidInput, service.NotInTariff, conditions.ConditionNotMet) as error:
        return await _page(request, access, problem=problem_of(error, connector, values), typed=typed)
    await service.accept_terms(runtime, access, connector)
    if greeting := typed.get("welcome", ""):
        await service.set_welcome(runtime, access, channel_id, greeting)
    try:
        result = await service.switch_on(runtime, access, channel_id)
    except ConnectorError as error:
        await service.discard_channel(runtime, access, channel_id)
        return await _page(request, access, problem=problem_of(error, connector, values), typed=typed)
    return RedirectResponse(_address(access, ids.show("chn", channel_id), "/test", notes=result.notes), 303)


def _answers(typed: dict[str, str]) -> dict[str, str]:
    """What a business declares, by the names of `conditions.py`."""
    return {name.removeprefix("says_"): value for name, value in typed.items() if name.startswith("says_")}


@router.get("/o/{slug}/channels/red")
async def red(request: Request, access: Reader) -> JSONResponse:
    """Which open channels do not work, in words for the mark and the banner of every page; empty when all do."""
    runtime, t = _runtime(request), Translator(locale_of(request))
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        found = await queries.list_red(unit)
    if not found:
        return JSONResponse({"count": 0})
    channel_id, name = found[0]
    one = len(found) == 1
    return JSONResponse(
        {
            "count": len(found),
            "mark": t("channels.red.mark", count=len(found)),
            "text": t("channels.red.text", count=len(found), name=name),
            "link": t("channels.red.link", count=len(found)),
            "href": _address(access, ids.show("chn", channel_id)) if one else _address(access),
        }
    )


@router.post("/o/{slug}/channels/stop")
async def stop(request: Request, access: Manager, reason: Reason = "", connector: Annotated[str, Form()] = "") -> Response:
    """The kill switch of one messenger, or of all when none is named (R-183)."""
    try:
        await blocks.block_messenger(_runtime(request), access, connector, reason)
    except (InvalidInput, Conflict) as error:
        return await _page(request, access, problem=Problem(error, f"stop {connector}", "reason"))
    return RedirectResponse(_address(access, said=Said.STOPPED), 303)


@router.post("/o/{slug}/channels/go")
async def go(request: Request, access: Manager, reason: Reason = "", connector: Annotated[str, Form()] = "") -> Response:
    """Lift it."""
    try:
        await blocks.lift_block(_runtime(request), access, connector, reason)
    except (InvalidInput, Conflict) as error:
        return await _page(request, access, problem=Problem(error, f"stop {connector}", "reason"))
    return RedirectResponse(_address(access, said=Said.GOES), 303)


# One channel


@router.get("/o/{slug}/channels/{channel}")
async def channel_page(
    request: Request,
    access: Reader,
    channel: ChannelId,
    form: Purpose | None = None,
    said: Said | None = None,
    reached: str = "",
    note: Notes = (),
) -> Response:
    """One channel with its history; with `form` the form that changes its settings or its account. `said`, `reached` (the result of
    a self-test) and `note` tell what was just done."""
    return await _channel_page(request, access, channel, form=form, said=said, reached=reached, notes=note)


async def _channel_page(
    request: Request,
    access: Access,
    channel_id: UUID,
    *,
    form: Purpose | None = None,
    typed: dict[str, str] | None = None,
    problem: Problem | None = None,
    said: Said | None = None,
    reached: str = "",
    notes: Sequence[str] = (),
) -> Response:
    runtime = _runtime(request)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await live_test.settle(unit, channel_id)
        row = await queries.get_channel(unit, runtime.connectors, channel_id)
        asked = await conditions.conditions_of(unit, row.connector.connector)
        said_before = await conditions.read_answers(unit, row.connector.connector)
        papers = await documents.read_documents(unit, row.connector.connector) if asked.fields else {}
        kept_templates = await templates.list_templates(unit, channel_id)
        failures = await outages.newest(unit, channel_id)
        happenings = await history.list_history(unit, channel_id, queries.HISTORY)
    manages = access.may(Right.MANAGE_CHANNELS)
    stored = await service.shown_settings(runtime, access, channel_id)
    return render(
        request,
        "channels/channel.html",
        status=problem.error.http_status if problem else 200,
        row=row,
        asked=asked,
        papers=papers,
        says_for=row.connector.connector,
        typed={f"says_{name}": value for name, value in said_before.items()} | (typed or {}),
        greets=isinstance(row.connector, AnswersInline),
        stored=fields_of(row.connector, {f"set_{name}": value for name, value in stored.items()}),
        happenings=happenings,
        templates=kept_templates,
        outages=failures,
        set_up=_change(row, form, stored, typed or {}) if manages and form in (Purpose.SETTINGS, Purpose.ACCOUNT) else None,
        problem=problem,
        said=said,
        reached=reached if reached in self_test.RESULTS else "",
        notes=[note for note in notes if NOTE.fullmatch(note)],
        webhook=service.callback_url(runtime, row.connector.connector, row.id, row.endpoint),
        **_words(request, access, runtime),
    )


def _change(row: ChannelRow, purpose: Purpose, stored: dict[str, str], typed: dict[str, str]) -> SetUp:
    """The form with what is stored and no secret, below what was typed. Another account begins empty."""
    shown = {f"set_{name}": value for name, value in stored.items()} if purpose is Purpose.SETTINGS else {}
    name = row.connector.connector
    messenger = Messenger(name, row.connector.label, row.connector.mark, row.connector, row.provider)
    return SetUp(
        purpose, messenger, fields_of(row.connector, shown | typed), row.name, row.terms_accepted_at is not None, row.shown
    )


@router.post("/o/{slug}/channels/{channel}/settings")
async def change_settings(request: Request, access: Manager, channel: ChannelId) -> Response:
    """Renew the credentials: in force once the provider takes them, and an error names the field."""
    typed, values = await read_form(request)
    try:
        result = await service.change_settings(_runtime(request), access, channel, values)
    except (InvalidInput, ConnectorError, service.TermsNotAccepted) as error:
        problem = problem_of(error, ids.show("chn", channel), values)
        return await _channel_page(request, access, channel, form=Purpose.SETTINGS, typed=typed, problem=problem)
    return _back(access, channel, Said.RENEWED, result.notes)


@router.post("/o/{slug}/channels/{channel}/account")
async def replace_account(request: Request, access: Manager, channel: ChannelId) -> Response:
    """Put another account in the place of the present one; conversations stay."""
    typed, values = await read_form(request)
    try:
        is_other, result = await replacing.replace_account(_runtime(request), access, channel, values)
    except (InvalidInput, ConnectorError, service.TermsNotAccepted) as error:
        problem = problem_of(error, ids.show("chn", channel), values)
        return await _channel_page(request, access, channel, form=Purpose.ACCOUNT, typed=typed, problem=problem)
    return _back(access, channel, Said.REPLACED if is_other else Said.SAME, result.notes)


@router.post("/o/{slug}/channels/{channel}/declare")
async def declare(request: Request, access: Manager, channel: ChannelId) -> Response:
    """Say again what the contract asks of a business that uses this messenger."""
    runtime = _runtime(request)
    typed, _ = await read_form(request)
    try:
        async with runtime.database.unit_of_work(access.organisation_id) as unit:
            row = await queries.get_channel(unit, runtime.connectors, channel)
            await conditions.declare(unit, access, row.connector.connector, _answers(typed))
    except conditions.ConditionNotMet as error:
        return await _channel_page(request, access, channel, typed=typed, problem=Problem(error, "declare", error.field))
    return _back(access, channel, Said.DECLARED)


@router.post("/o/{slug}/channels/{channel}/welcome")
async def welcome(request: Request, access: Manager, channel: ChannelId, text: Welcome = "") -> Response:
    """Change what somebody who opens the chat is told first."""
    try:
        await service.set_welcome(_runtime(request), access, channel, text)
    except InvalidInput as error:
        return await _channel_page(request, access, channel, typed={"welcome": text}, problem=Problem(error, "welcome", "welcome"))
    return _back(access, channel, Said.WELCOMED)


@router.post("/o/{slug}/channels/{channel}/on")
async def switch_on(request: Request, access: Manager, channel: ChannelId, accept: Annotated[str, Form()] = "") -> Response:
    """Open the channel for sending after checking it with the provider. `accept` names the messenger whose present terms are
    accepted with it: they have changed since the channel was connected (R-180)."""
    runtime = _runtime(request)
    try:
        if accept:
            await service.accept_terms(runtime, access, accept)
        result = await service.switch_on(runtime, access, channel)
    except (ConnectorError, service.TermsNotAccepted, service.StillBlocked, conditions.ConditionNotMet) as error:
        return await _channel_page(request, access, channel, problem=Problem(error, "check"))
    return _back(access, channel, Said.ON, result.notes)


@router.post("/o/{slug}/channels/{channel}/off")
async def switch_off(request: Request, access: Manager, channel: ChannelId) -> Response:
    """Stop sending; what comes in is kept."""
    await service.switch_off(_runtime(request), access, channel)
    return _back(access, channel, Said.OFF)


@router.post("/o/{slug}/channels/{channel}/block")
async def block(request: Request, access: Manager, channel: ChannelId, reason: Reason = "") -> Response:
    """The kill switch (R-183)."""
    try:
        await service.block_channel(_runtime(request), access, channel, reason)
    except InvalidInput as error:
        return await _channel_page(request, access, channel, problem=Problem(error, "block", "reason", missing=True))
    return _back(access, channel, Said.BLOCKED)


@router.post("/o/{slug}/channels/{channel}/unblock")
async def unblock(request: Request, access: Manager, channel: ChannelId, reason: Reason = "") -> Response:
    """Lift it; the channel stays off."""
    try:
        await service.unblock_channel(_runtime(request), access, channel, reason)
    except (InvalidInput, Conflict) as error:
        return await _channel_page(request, access, channel, problem=Problem(error, "unblock", "reason"))
    return _back(access, channel, Said.UNBLOCKED)


@router.post("/o/{slug}/channels/{channel}/reach")
async def reach(request: Request, access: Manager, channel: ChannelId) -> Response:
    """Call the channel's own public address, to see whether a provider gets through."""
    try:
        result = await self_test.try_callback(_runtime(request), access, channel)
    except self_test.NoPublicAddress as error:
        return await _channel_page(request, access, channel, problem=Problem(error, "reach"))
    return RedirectResponse(_address(access, ids.show("chn", channel), reached=result), 303)


@router.get("/o/{slug}/channels/{channel}/test")
async def test_page(
    request: Request, access: Manager, channel: ChannelId, refused: str = "", part: bool = False, note: Notes = ()
) -> Response:
    """The live test: write to the account, see it arrive, answer. `part` alone is what changes; `refused` is the gate's rule that
    kept the answer back."""
    runtime = _runtime(request)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        seen = await live_test.settle(unit, channel)
        row = await queries.get_channel(unit, runtime.connectors, channel)
    return render(
        request,
        "channels/test.html",
        block="seen" if part else None,
        row=row,
        seen=seen,
        refused=refused if re.fullmatch("[a-z_]+", refused) else "",
        notes=[one for one in note if NOTE.fullmatch(one)],
        qr=qr_svg(row.link) if row.link else "",
        client_key=ids.new_id().hex,
    )


def _back(access: Access, channel_id: UUID, said: Said, notes: Sequence[str] = ()) -> Response:
    return RedirectResponse(_address(access, ids.show("chn", channel_id), said=said, notes=notes), 303)


def _address(access: Access, channel: str = "", page: str = "", notes: Sequence[str] = (), **query: str) -> str:
    """The page of all channels, of one, or one below it."""
    path = f"/o/{access.slug}/channels" + (f"/{channel}{page}" if channel else "")
    values = [*query.items(), *(("note", note) for note in notes)]
    return path + (f"?{urlencode(values)}" if values else "")
