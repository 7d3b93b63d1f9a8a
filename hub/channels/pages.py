"""The channels page: which accounts are connected, how they are, and the acts that open and close them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, get_args, get_origin
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic.fields import FieldInfo

from hub.channels import queries, service
from hub.channels.providers import Provider, provider_of
from hub.channels.queries import ChannelRow
from hub.channels.settings import is_secret
from hub.connectors.contract import AnyConnector
from hub.connectors.errors import ConnectorError, CredentialsRejected
from hub.connectors.registry import Registry
from hub.core import ids
from hub.core.errors import HubError, InvalidInput, NotFound
from hub.core.pages import render
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right
from hub.runtime import Runtime

router = APIRouter()

Reader = Annotated[Access, requires(Right.READ_CHANNELS)]
Manager = Annotated[Access, requires(Right.MANAGE_CHANNELS)]

NOTE: Final = re.compile(r"channel\.[a-z]+\.note\.[a-z_]+")
"""What a set-up may leave to tell: a key of the connectors' catalogue."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a connector's settings in the set-up form. `label` and `hint` are catalogue keys; an optional field has its
    `usual` value filled in; what was typed into a secret one is never shown again. One with `choices` takes one of them, whose
    words are `<label>.<choice>`; one that `has_lines` takes several lines."""

    name: str
    label: str
    hint: str
    is_secret: bool
    is_optional: bool
    usual: str
    value: str
    choices: tuple[str, ...] = ()
    has_lines: bool = False

    @property
    def is_changed(self) -> bool:
        return self.value != self.usual


@dataclass(frozen=True, slots=True)
class SetUp:
    """The set-up form of one messenger, with what was typed and is no secret. `renews` is the shown id of the connected account
    whose settings it changes; empty where it connects a new one."""

    kind: AnyConnector
    provider: Provider
    fields: list[FormField]
    title: str
    is_accepted: bool
    renews: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """What kept an act from being done: `about` names the channel or the messenger, `field` what to mend, `missing` that nothing
    stands there."""

    error: HubError
    about: str
    field: str = ""
    missing: bool = False

    @property
    def provider_text(self) -> str:
        """The provider's own words, free of secrets."""
        return str(getattr(self.error, "provider_text", ""))

    @property
    def reason(self) -> str:
        """Why we refused the credentials by ourselves: the end of a key of the connector's catalogue."""
        return self.error.reason if isinstance(self.error, CredentialsRejected) else ""


@router.get("/o/{slug}/channels")
async def channels_page(
    request: Request,
    access: Reader,
    connect: str = "",
    renew: str = "",
    renewed: str = "",
    note: Annotated[Sequence[str], Query()] = (),
) -> Response:
    """All channels; with `connect` the form that connects an account of this messenger, with `renew` the form that changes the
    settings of this channel. `renewed` and `note` say what was just done."""
    if not access.may(Right.MANAGE_CHANNELS):
        connect = renew = ""
    return await _page(request, access, typed={"connector": connect}, renew=renew, renewed=renewed, notes=note)


async def _page(
    request: Request,
    access: Access,
    *,
    problem: Problem | None = None,
    typed: dict[str, str] | None = None,
    renew: str = "",
    renewed: str = "",
    notes: Sequence[str] = (),
) -> Response:
    runtime: Runtime = request.app.state.runtime
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        channels = await queries.list_channels(unit, runtime.connectors)
    by_id = {ids.show("chn", row.id): row for row in channels}
    kinds = _kinds(runtime.connectors)
    if renew:
        set_up: SetUp | None = await _renewal(runtime, access, by_id, renew, typed or {})
    else:
        set_up = _set_up(kinds, typed or {})
    return render(
        request,
        "channels/page.html",
        status=problem.error.http_status if problem else 200,
        channels=channels,
        kinds=kinds,
        set_up=set_up,
        problem=problem,
        renewed=by_id.get(renewed),
        notes=[note for note in notes if NOTE.fullmatch(note)],
        webhook=lambda row: service.callback_url(runtime, row.connector.connector, row.id, row.endpoint),
    )


def _kinds(connectors: Registry) -> list[tuple[AnyConnector, Provider]]:
    """The messengers that can be connected, by name; one without a provider record cannot (R-180)."""
    kinds = []
    for connector in sorted(connectors.values(), key=lambda one: one.label):
        try:
            kinds.append((connector, provider_of(connector.connector)))
        except NotFound:
            continue
    return kinds


def _set_up(kinds: list[tuple[AnyConnector, Provider]], typed: dict[str, str]) -> SetUp | None:
    for kind, provider in kinds:
        if kind.connector == typed.get("connector"):
            return SetUp(kind, provider, _fields(kind, typed), typed.get("title", ""), typed.get("terms") == "accepted")
    return None


async def _renewal(runtime: Runtime, access: Access, channels: dict[str, ChannelRow], renew: str, typed: dict[str, str]) -> SetUp:
    """The form with what is stored and no secret, below what was typed. NotFound for a channel that is not there."""
    if renew not in channels:
        raise NotFound("no such channel")
    row = channels[renew]
    stored = await service.shown_settings(runtime, access, row.id)
    fields = _fields(row.connector, {f"set_{name}": value for name, value in stored.items()} | typed)
    return SetUp(row.connector, row.provider, fields, row.title, row.terms_accepted_at is not None, renew)


def _fields(kind: AnyConnector, typed: dict[str, str]) -> list[FormField]:
    fields = kind.settings.model_fields.items()
    return [_field(name, info, typed) for name, info in fields if name not in kind.settings.given]


def _field(name: str, info: FieldInfo, typed: dict[str, str]) -> FormField:
    usual = "" if info.is_required() or info.default is None else str(info.default)
    value = "" if is_secret(info) else typed.get(f"set_{name}", usual)
    choices = get_args(info.annotation) if get_origin(info.annotation) is Literal else ()
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    return FormField(
        name,
        info.title or name,
        info.description or "",
        is_secret(info),
        not info.is_required(),
        usual,
        value,
        choices,
        has_lines="lines" in extra,
    )


async def _typed(request: Request) -> tuple[dict[str, str], dict[str, str]]:
    """What a form says, and of it the settings that are not left empty, by their own names."""
    typed = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    values = {name.removeprefix("set_"): value for name, value in typed.items() if name.startswith("set_") and value.strip()}
    return typed, values


def _problem(error: HubError, about: str, values: dict[str, str]) -> Problem:
    """The field that an error names is missing unless something was typed there."""
    if isinstance(error, InvalidInput):
        field = str(error.values["field"])
        return Problem(error, about, field, field not in values)
    return Problem(error, about, error.field if isinstance(error, CredentialsRejected) else "")


@router.post("/o/{slug}/channels")
async def connect_channel(request: Request, access: Manager) -> Response:
    """Store the account, accept the terms and switch it on: one form, and each step's error names its field. The acceptance is
    written only for an account whose fields are valid."""
    runtime: Runtime = request.app.state.runtime
    typed, values = await _typed(request)
    connector = typed.get("connector", "")
    if typed.get("terms") != "accepted":
        unaccepted = InvalidInput("the provider's terms must be accepted", field="terms")
        return await _page(request, access, problem=Problem(unaccepted, connector, "terms", missing=True), typed=typed)
    provider_of(connector)  # NotFound here, before an account is stored that could never be switched on
    try:
        channel_id = await service.connect_channel(
            runtime, access, connector=connector, title=typed.get("title", ""), values=values
        )
    except InvalidInput as error:
        return await _page(request, access, problem=_problem(error, connector, values), typed=typed)
    await service.accept_terms(runtime, access, connector)
    try:
        result = await service.switch_on(runtime, access, channel_id)
    except ConnectorError as error:
        await service.discard_channel(runtime, access, channel_id)
        return await _page(request, access, problem=_problem(error, connector, values), typed=typed)
    return _back(access, notes=result.notes)


@router.post("/o/{slug}/channels/{channel}/settings")
async def change_settings(request: Request, access: Manager, channel: str) -> Response:
    """Renew the credentials: in force once the provider takes them, and an error names the field."""
    runtime: Runtime = request.app.state.runtime
    typed, values = await _typed(request)
    try:
        result = await service.change_settings(runtime, access, ids.read("chn", channel), values)
    except (InvalidInput, ConnectorError, service.TermsNotAccepted) as error:
        return await _page(request, access, problem=_problem(error, channel, values), typed=typed, renew=channel)
    return _back(access, renewed=channel, notes=result.notes)


@router.post("/o/{slug}/channels/{channel}/on")
async def switch_on(request: Request, access: Manager, channel: str, accept: Annotated[str, Form()] = "") -> Response:
    """Open the channel for sending after checking it with the provider. `accept` names the messenger whose present terms are
    accepted with it: they have changed since the channel was connected (R-180)."""
    runtime: Runtime = request.app.state.runtime
    try:
        if accept:
            await service.accept_terms(runtime, access, accept)
        result = await service.switch_on(runtime, access, ids.read("chn", channel))
    except (ConnectorError, service.TermsNotAccepted) as error:
        return await _page(request, access, problem=Problem(error, channel))
    return _back(access, notes=result.notes)


@router.post("/o/{slug}/channels/{channel}/off")
async def switch_off(request: Request, access: Manager, channel: str) -> Response:
    """Stop sending; what comes in is kept."""
    await service.switch_off(request.app.state.runtime, access, ids.read("chn", channel))
    return _back(access)


@router.post("/o/{slug}/channels/{channel}/block")
async def block(request: Request, access: Manager, channel: str, reason: Annotated[str, Form()] = "") -> Response:
    """The kill switch (R-183)."""
    try:
        await service.block_channel(request.app.state.runtime, access, ids.read("chn", channel), reason)
    except InvalidInput as error:
        return await _page(request, access, problem=Problem(error, channel, "reason", missing=True))
    return _back(access)


def _back(access: Access, *, renewed: str = "", notes: Sequence[str] = ()) -> Response:
    said = urlencode([*([("renewed", renewed)] if renewed else []), *(("note", note) for note in notes)])
    return RedirectResponse(f"/o/{access.slug}/channels" + (f"?{said}" if said else ""), 303)
