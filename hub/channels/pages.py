"""The channels page: which accounts are connected, how they are, and the acts that open and close them."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import SecretStr

from hub.channels import queries, service
from hub.channels.providers import Provider, provider_of
from hub.connectors.contract import AnyConnector
from hub.connectors.errors import ConnectorError, CredentialsRejected
from hub.connectors.registry import Registry
from hub.core import ids
from hub.core.errors import HubError, InvalidInput, NotFound
from hub.core.pages import render
from hub.organisations.access import Access, requires
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
    `usual` value filled in; what was typed into a secret one is never shown again."""

    name: str
    label: str
    hint: str
    is_secret: bool
    is_optional: bool
    usual: str
    value: str

    @property
    def is_changed(self) -> bool:
        return self.value != self.usual


@dataclass(frozen=True, slots=True)
class SetUp:
    """The set-up form of one messenger, with what was typed and is no secret."""

    kind: AnyConnector
    provider: Provider
    fields: list[FormField]
    title: str
    is_accepted: bool


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
        if isinstance(self.error, CredentialsRejected):
            return str(self.error)
        return str(getattr(self.error, "provider_text", ""))


@router.get("/o/{slug}/channels")
async def channels_page(request: Request, access: Reader, connect: str = "", note: str = "") -> Response:
    """All channels; with `connect` the form that connects an account of this messenger."""
    typed = {"connector": connect} if access.may(Right.MANAGE_CHANNELS) else {}
    return await _page(request, access, typed=typed, note=note)


async def _page(
    request: Request, access: Access, *, problem: Problem | None = None, typed: dict[str, str] | None = None, note: str = ""
) -> Response:
    runtime: Runtime = request.app.state.runtime
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        channels = await queries.list_channels(unit, runtime.connectors)
    kinds = _kinds(runtime.connectors)
    return render(
        request,
        "channels/page.html",
        status=problem.error.http_status if problem else 200,
        channels=channels,
        kinds=kinds,
        set_up=_set_up(kinds, typed or {}),
        problem=problem,
        note=note if NOTE.fullmatch(note) else "",
        webhook=lambda row: f"{runtime.settings.base_url}/hooks/{row.connector.connector}/{ids.show('chn', row.id)}",
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
            fields = [_field(name, info, typed) for name, info in kind.settings.model_fields.items()]
            return SetUp(kind, provider, fields, typed.get("title", ""), typed.get("terms") == "accepted")
    return None


def _field(name: str, info: Any, typed: dict[str, str]) -> FormField:
    is_secret = info.annotation in (SecretStr, SecretStr | None)
    usual = "" if info.is_required() or info.default is None else str(info.default)
    value = "" if is_secret else typed.get(f"set_{name}", usual)
    return FormField(name, info.title, info.description or "", is_secret, not info.is_required(), usual, value)


@router.post("/o/{slug}/channels")
async def connect_channel(request: Request, access: Manager) -> Response:
    """Accept the terms, store the account and switch it on: one form, and each step's error names its field."""
    runtime: Runtime = request.app.state.runtime
    typed = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    connector = typed.get("connector", "")
    values = {name.removeprefix("set_"): value for name, value in typed.items() if name.startswith("set_") and value.strip()}
    if typed.get("terms") != "accepted":
        unaccepted = InvalidInput("the provider's terms must be accepted", field="terms")
        return await _page(request, access, problem=Problem(unaccepted, connector, "terms", missing=True), typed=typed)
    try:
        await service.accept_terms(runtime, access, connector)
        channel_id = await service.connect_channel(
            runtime, access, connector=connector, title=typed.get("title", ""), values=values
        )
    except InvalidInput as error:
        field = str(error.values["field"])
        return await _page(request, access, problem=Problem(error, connector, field, field not in values), typed=typed)
    try:
        result = await service.switch_on(runtime, access, channel_id)
    except ConnectorError as error:
        await service.discard_channel(runtime, access, channel_id)
        field = error.field if isinstance(error, CredentialsRejected) else ""
        return await _page(request, access, problem=Problem(error, connector, field), typed=typed)
    return _back(access, *result.notes[:1])


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
    return _back(access, *result.notes[:1])


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


def _back(access: Access, note: str = "") -> Response:
    return RedirectResponse(f"/o/{access.slug}/channels" + (f"?note={note}" if note else ""), 303)
