"""What a provider says about a person, the account or its templates, and what is true only now."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from hub.channels import health, templates
from hub.channels.accounts import OpenChannel
from hub.connectors.events import ChannelHealth, Event, IdentityChanged, PersonNamed, StatusUpTo, TemplateChanged, Typing
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.feed import note_change
from hub.inbox.arriving.people import Link, Named, conversations_of, find_talks, keep_aliases, move_talk, name_people, names_of
from hub.inbox.arriving.storing import write_event
from hub.inbox.arriving.watermarks import apply_marks
from hub.inbox.content import clean
from hub.inbox.sending.suspects import hear_complaint
from hub.runtime import Runtime

TYPING_LASTS: Final = timedelta(seconds=15)
"""Somebody who was typing longer ago than this has stopped or sent."""


async def apply_reports(runtime: Runtime, unit: UnitOfWork, channel: OpenChannel, events: Sequence[Event]) -> list[Link]:
    """Apply what is no message and changes none; addresses that turned out to be one person's."""
    await apply_marks(unit, channel.channel_id, [event for event in events if isinstance(event, StatusUpTo)])
    people = [Named(event.sender, event.key, event.at) for event in events if isinstance(event, PersonNamed)]
    for conversation_id in sorted(await name_people(unit, channel.channel_id, people)):
        note_change(unit, "conversation", {"conversation": ids.show("conv", conversation_id)})
    links: list[Link] = []
    for event in sorted(events, key=lambda event: event.at):
        match event:
            case IdentityChanged():
                links += await _move(unit, channel, event)
            case ChannelHealth():
                told = replace(event, cause=clean(event.cause), text=clean(event.text))
                await health.hear(runtime, unit, channel.channel_id, told)
                await hear_complaint(unit, channel.connector.connector, channel.channel_id, told)
            case TemplateChanged():
                await templates.hear(unit, channel.channel_id, _clean_template(event))
            case _:
                pass
    return links


def _clean_template(event: TemplateChanged) -> TemplateChanged:
    return replace(
        event,
        name=clean(event.name),
        language=clean(event.language),
        status=clean(event.status),
        category=clean(event.category),
        reason=clean(event.reason),
    )


async def _move(unit: UnitOfWork, channel: OpenChannel, event: IdentityChanged) -> list[Link]:
    """A person has another address: their conversation goes on there, and the thread says so. What they want holds for both."""
    before, now = clean(event.sender.provider_user_id), clean(event.now.provider_user_id)
    links = [Link(before, now, clean(event.key), event.at)]
    (talk,) = await find_talks(unit, channel.channel_id, [Named(event.sender, event.key, event.at)])
    if talk is None or before == now:
        return links
    has_moved = await move_talk(unit, channel.channel_id, talk, event.now)
    if has_moved:
        names = {*names_of(event.sender), *names_of(event.now)} - {now}
        kept = await keep_aliases(unit, channel.channel_id, [(talk, name) for name in sorted(names)])
        links += [link for link in kept if link.other != before]
    shown = {"from": clean(event.sender.phone) or before, "to": clean(event.now.phone) or now}
    await write_event(unit, talk.conversation_id, {"event": "moved" if has_moved else "moved_away", **shown})
    return links


async def whisper_typing(runtime: Runtime, unit: UnitOfWork, channel: OpenChannel, events: Sequence[Typing]) -> None:
    """Tell the open pages who of the customers writes; nothing of it is stored."""
    newest = {event.sender.provider_user_id: event for event in sorted(events, key=lambda event: event.at)}
    recent = [event for event in newest.values() if clock.now() - event.at < TYPING_LASTS]
    if not recent:
        return
    conversations = await conversations_of(unit, channel.channel_id, [name for event in recent for name in names_of(event.sender)])
    tenant = unit.tenant
    told = [
        {"conversation": ids.show("conv", conversations[name]), "customer_writes": event.is_typing}
        for event in recent
        for name in names_of(event.sender)
        if name in conversations
    ]

    async def whisper() -> None:
        for one in told:
            await runtime.live.whisper(tenant, one)

    unit.after_commit(whisper)
