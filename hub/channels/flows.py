"""Flows on their channels: what a messenger's links carry, where they lead, and which flows make sense there
(`consent/agreeing/flows.py`)."""

from dataclasses import dataclass
from uuid import UUID

from hub.channels import queries
from hub.channels.queries import ChannelRow
from hub.consent.agreeing import flows
from hub.consent.agreeing.addresses import TYPED
from hub.consent.agreeing.flows import Flow, FlowTerms
from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput, NotFound
from hub.organisations.actor import Access
from hub.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Road:
    """A flow on its channel. `link`: what starts it on the messenger; `page`: the public page that shows what is agreed to."""

    flow: Flow
    channel: ChannelRow
    page: str

    @property
    def link(self) -> str:
        channel = self.channel
        return channel.provider.start_of(channel.own_id, channel.address, payload=self.flow.key, text=self.flow.keyword)

    @property
    def carries(self) -> bool:
        """Whether the link alone says what somebody comes for; else they write the word."""
        return bool(self.channel.provider.starts_with)

    @property
    def takes_addresses(self) -> bool:
        """Whether people can type where they are reached (`consent/agreeing/addresses.py`)."""
        return self.channel.connector.connector in TYPED


async def open_flow(runtime: Runtime, unit: UnitOfWork, access: Access, terms: FlowTerms) -> UUID:
    """Open a road on a channel; its id. Raises what `define_flow` raises, and InvalidInput where the messenger's link carries
    nothing but a text and there is no word, or where no question could be sent."""
    try:
        channel = await queries.get_channel(unit, runtime.connectors, terms.channel_id)
    except NotFound:
        raise InvalidInput("no such channel", field="channel") from None
    if channel.provider.starts_with != "payload" and not any(word.strip() for word in terms.keywords.values()):
        raise InvalidInput("this messenger's links need a word", field=f"keyword_{terms.language}", reason="needed")
    if terms.double_opt_in and channel.connector.capabilities.opt_in_always:
        raise InvalidInput("here nothing may be sent before an opt-in", field="double_opt_in", reason="impossible")
    return await flows.define_flow(unit, access, terms)


async def list_roads(runtime: Runtime, unit: UnitOfWork) -> list[Road]:
    """All open flows with their channels."""
    channels = {channel.id: channel for channel in await queries.list_channels(unit, runtime.connectors)}
    return [_road(runtime, flow, channels[flow.channel_id]) for flow in await flows.living_flows(unit)]


async def read_road(runtime: Runtime, unit: UnitOfWork, flow_id: UUID) -> Road:
    """One of them; NotFound."""
    flow = await flows.read_flow(unit, flow_id)
    return _road(runtime, flow, await queries.get_channel(unit, runtime.connectors, flow.channel_id))


def _road(runtime: Runtime, flow: Flow, channel: ChannelRow) -> Road:
    return Road(flow, channel, f"{runtime.settings.base_url}/w/{flow.shown}")
