"""Each messenger of the sandbox gets its channel in the hub, as a business would connect it; one that fails stops no other."""

from collections.abc import AsyncIterator
from typing import Final

import httpx

from hub.channels import conditions, documents
from hub.channels import service as channels
from hub.channels.accounts import ACCOUNT_COLUMNS, open_channel
from hub.channels.approval import set_approval
from hub.core import ids
from hub.core.errors import HubError
from hub.organisations.actor import Access
from hub.runtime import Runtime
from hub.sandbox import stories
from hub.sandbox.demo.basics import Place, Say, words
from hub.sandbox.demo.company import find_channel
from hub.sandbox.demo.memory import give_memory
from hub.sandbox.demo.phones import Messenger
from hub.sandbox.demo.website import WEBCHAT

DECLARED: Final = {"seat": "DE", "consent": "Demo", "industry": conditions.NONE, "region": "Demo"}
"""The sample organisation sits in Lindau, repairs bikes, and has every consent."""


async def connect(runtime: Runtime, owner: Access, messenger: Messenger, say: Say) -> Place | None:
    """The channel, checked with its provider and open for sending, its simulator with its memory back. A channel that somebody
    closed stays closed: it receives only. None, said in words, when it cannot be connected."""
    try:
        place = await find_channel(runtime, owner, messenger.connector, await messenger.settings())
        await _declare(runtime, owner, place)
        await give_memory(runtime, place, messenger)
        if url := await _address(runtime, place):
            await messenger.point_to(url)
        await _open(runtime, owner, place, messenger.label, say)
    except (HubError, httpx.HTTPStatusError) as error:
        say(words()("sandbox.demo.not_connected", messenger=messenger.label, reason=str(error)))
        return None
    return place


async def _declare(runtime: Runtime, owner: Access, place: Place) -> None:
    """What the contract asks of the sample business, and the provider's word, where the messenger needs them."""
    async with runtime.database.unit_of_work(place.organisation_id) as unit:
        try:
            await conditions.require(unit, place.connector)
        except conditions.ConditionNotMet:
            for kind in documents.KINDS:
                await documents.add_document(runtime, owner, place.connector, kind, name="Demo.pdf", pieces=_paper())
            await conditions.declare(unit, owner, place.connector, DECLARED)
        approval = await unit.sql.fetchval(
            "SELECT approval FROM channel WHERE organisation_id = $1 AND id = $2", unit.tenant, place.channel_id
        )
    if approval == "applied":
        await set_approval(runtime, place.channel_id, "approved", words()("sandbox.demo.approved"))


async def _paper() -> AsyncIterator[bytes]:
    """A sheet of paper without words."""
    yield b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    yield b"trailer<</Root 1 0 R>>\n%%EOF\n"


async def _address(runtime: Runtime, place: Place) -> str:
    """Where the provider delivers: to the channel's own address, or to the one that it shares."""
    async with runtime.database.unit_of_work(place.organisation_id) as unit:
        endpoint = await unit.sql.fetchval(
            "SELECT endpoint FROM channel WHERE organisation_id = $1 AND id = $2", unit.tenant, place.channel_id
        )
    return channels.callback_url(runtime, place.connector, place.channel_id, endpoint)


async def _open(runtime: Runtime, owner: Access, place: Place, label: str, say: Say) -> None:
    async with runtime.database.unit_of_work(place.organisation_id) as unit:
        row = await unit.sql.fetchrow(
            f"SELECT state, {ACCOUNT_COLUMNS} FROM channel WHERE organisation_id = $1 AND id = $2", unit.tenant, place.channel_id
        )
    if row["state"] == "on" or not row["own_id"]:
        await channels.switch_on(runtime, owner, place.channel_id)
        return
    say(words()("sandbox.demo.closed", messenger=label))
    await channels.check_with_provider(runtime, open_channel(runtime.vault, runtime.connectors, row))


async def open_shop(runtime: Runtime, owner: Access, sandbox: httpx.AsyncClient, say: Say) -> Place | None:
    """The website chat has no simulator: the sample shop of the sandbox shows it. None, said in words, when it cannot be."""
    t, origin = words(), str(sandbox.base_url).rstrip("/")
    values = {
        "title": stories.ORGANISATION,
        "origins": origin,
        "privacy_url": f"{origin}/shop",
        "greeting": t("sandbox.shop.greeting"),
    }
    try:
        place = await find_channel(runtime, owner, WEBCHAT, values)
        await _declare(runtime, owner, place)
        await _open(runtime, owner, place, t("sandbox.shop.chat"), say)
        script = f"{runtime.settings.base_url}/webchat/{ids.show('chn', place.channel_id)}.js"
        (await sandbox.put("/shop", json={"script": script})).raise_for_status()
    except (HubError, httpx.HTTPStatusError) as error:
        say(t("sandbox.demo.not_connected", messenger=t("sandbox.shop.chat"), reason=str(error)))
        return None
    return place
