"""The channels page: which accounts are connected, how they are, and the acts that open and close them."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from hub.channels import queries, service
from hub.channels.providers import provider_of
from hub.connectors.errors import ConnectorError, CredentialsRejected
from hub.core import ids
from hub.core.errors import HubError, InvalidInput
from hub.core.pages import render
from hub.organisations.access import Access, requires
from hub.organisations.rights import Right
from hub.runtime import Runtime

router = APIRouter()

Reader = Annotated[Access, requires(Right.READ_CHANNELS)]
Manager = Annotated[Access, requires(Right.MANAGE_CHANNELS)]


@router.get("/o/{slug}/channels")
async def channels_page(request: Request, access: Reader) -> Response:
    """All channels, with the form that connects one more."""
    return await _page(request, access)


async def _page(
    request: Request, access: Access, *, status: int = 200, problem: HubError | None = None, connect: str = "", field: str = ""
) -> Response:
    runtime: Runtime = request.app.state.runtime
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        channels = await queries.list_channels(unit, runtime.connectors)
    kinds = sorted(runtime.connectors.values(), key=lambda connector: connector.label)
    return render(
        request,
        "channels/page.html",
        status=status,
        channels=channels,
        kinds=[(kind, provider_of(kind.connector)) for kind in kinds],
        problem=problem,
        connect=connect,
        field=field,
        show_id=lambda channel_id: ids.show("chn", channel_id),
    )


@router.post("/o/{slug}/channels")
async def connect_channel(request: Request, access: Manager) -> Response:
    """Accept the terms, store the account and switch it on: one form, and each step's error names its field."""
    runtime: Runtime = request.app.state.runtime
    form = await request.form()
    connector = str(form.get("connector", ""))
    values = {name.removeprefix("set_"): str(value) for name, value in form.items() if name.startswith("set_") and value}
    if form.get("terms") != "accepted":
        problem: HubError = InvalidInput("the provider's terms must be accepted", field="terms")
        return await _page(request, access, status=422, problem=problem, connect=connector, field="terms")
    try:
        await service.accept_terms(runtime, access, connector)
        channel_id = await service.connect_channel(
            runtime, access, connector=connector, title=str(form.get("title", "")), values=values
        )
    except InvalidInput as error:
        return await _page(request, access, status=422, problem=error, connect=connector, field=str(error.values["field"]))
    try:
        await service.switch_on(runtime, access, channel_id)
    except ConnectorError as error:
        await service.discard_channel(runtime, access, channel_id)
        field = error.field if isinstance(error, CredentialsRejected) else ""
        return await _page(request, access, status=error.http_status, problem=error, connect=connector, field=field)
    return RedirectResponse(f"/o/{access.slug}/channels", 303)


@router.post("/o/{slug}/channels/{channel}/on")
async def switch_on(request: Request, access: Manager, channel: str) -> Response:
    """Open the channel for sending after checking it with the provider."""
    try:
        await service.switch_on(request.app.state.runtime, access, ids.read("chn", channel))
    except ConnectorError as error:
        return await _page(request, access, status=error.http_status, problem=error)
    return RedirectResponse(f"/o/{access.slug}/channels", 303)


@router.post("/o/{slug}/channels/{channel}/off")
async def switch_off(request: Request, access: Manager, channel: str) -> Response:
    """Stop sending; what comes in is kept."""
    await service.switch_off(request.app.state.runtime, access, ids.read("chn", channel))
    return RedirectResponse(f"/o/{access.slug}/channels", 303)


@router.post("/o/{slug}/channels/{channel}/block")
async def block(request: Request, access: Manager, channel: str, reason: Annotated[str, Form()] = "") -> Response:
    """The kill switch (R-183)."""
    await service.block_channel(request.app.state.runtime, access, ids.read("chn", channel), reason)
    return RedirectResponse(f"/o/{access.slug}/channels", 303)
