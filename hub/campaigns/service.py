"""What people do with a newsletter.

    draft -> planned -> running <-> paused      the worker makes planned ones running when their time has come
    planned -> draft                            taken back, to be changed
    running, paused -> stopped                  the emergency stop: what waits is given up
    running -> finished                         nothing waits any more

A draft is started only as it was simulated: every change forgets the simulation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final
from uuid import UUID

from sqlmodel import col, select

from hub.campaigns.audience import Audience, read_audience
from hub.campaigns.deciding import load_plan
from hub.campaigns.models import Campaign
from hub.campaigns.simulation import Counts, read_counts, simulate
from hub.campaigns.writing import Letter, checked, fill_in, read_letter
from hub.consent.purposes import read_purpose
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, InvalidInput, NotFound
from hub.core.feed import note_change
from hub.inbox.models import BULK
from hub.inbox.sending import bulk_queue, outbound
from hub.inbox.sending.compose import Filled
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.runtime import Runtime

NAME_LENGTH: Final = 80
STOPPED: Final = "campaign_stopped"
"""Why a message failed that an emergency stop has caught."""
MOST_EXPENSIVE: Final = Decimal(10)


@dataclass(frozen=True, slots=True)
class Draft:
    """A newsletter as it was typed. `prices`: euros for one message by channel, as typed; empty where nobody knows."""

    name: str
    purpose_id: UUID
    audience: Audience
    letters: Mapping[UUID, Letter]
    prices: Mapping[UUID, str]
    send_at: datetime | None


class NotNow(Conflict):
    """The newsletter is not in a state in which this can be done."""

    code = "campaign_not_now"


async def read(unit: UnitOfWork, campaign_id: UUID, *, lock: bool = False) -> Campaign:
    """A newsletter; NotFound."""
    wanted = select(Campaign).where(Campaign.organisation_id == unit.tenant, Campaign.id == campaign_id)
    found = (await unit.session.exec(wanted.with_for_update() if lock else wanted)).one_or_none()
    if found is None:
        raise NotFound("no such campaign")
    return found


async def list_all(unit: UnitOfWork) -> list[Campaign]:
    """All newsletters, the newest first."""
    wanted = select(Campaign).where(Campaign.organisation_id == unit.tenant)
    return list((await unit.session.exec(wanted.order_by(col(Campaign.created_at).desc(), col(Campaign.id).desc()))).all())


async def create(unit: UnitOfWork, access: Access, name: str, purpose_id: UUID) -> UUID:
    """A new draft; its id. InvalidInput, NotFound."""
    await read_purpose(unit, purpose_id)
    campaign = Campaign(
        organisation_id=unit.tenant,
        name=_name(name),
        purpose_id=purpose_id,
        audience=Audience().store(),
        letters={},
        prices={},
        created_at=clock.now(),
        created_by=access.member_id,
    )
    unit.session.add(campaign)
    await unit.session.flush()
    return campaign.id


async def copy(unit: UnitOfWork, access: Access, campaign_id: UUID, name: str) -> UUID:
    """A new draft that says the same to the same; its id."""
    old = await read(unit, campaign_id)
    new_id = await create(unit, access, name[:NAME_LENGTH], old.purpose_id)
    new = await read(unit, new_id)
    new.audience, new.letters, new.prices = old.audience, old.letters, old.prices
    new.test_conversation_id = old.test_conversation_id
    unit.session.add(new)
    return new_id


async def change(unit: UnitOfWork, campaign_id: UUID, draft: Draft) -> None:
    """Keep what was typed; the simulation is forgotten. InvalidInput names the field; NotFound, NotNow."""
    campaign = await _in(unit, campaign_id, "draft")
    await read_purpose(unit, draft.purpose_id)
    known = {row["id"] for row in await unit.sql.fetch("SELECT id FROM channel WHERE organisation_id = $1", unit.tenant)}
    if not set(draft.audience.channel_ids) <= known:
        raise NotFound("no such channel")
    campaign.name, campaign.purpose_id = _name(draft.name), draft.purpose_id
    campaign.audience = draft.audience.store()
    campaign.letters = {str(channel): checked(letter).store() for channel, letter in draft.letters.items() if channel in known}
    campaign.prices = {str(channel): _price(typed) for channel, typed in draft.prices.items() if channel in known and typed.strip()}
    campaign.send_at = draft.send_at
    campaign.simulation = campaign.simulated_at = None
    unit.session.add(campaign)


def _name(typed: str) -> str:
    name = " ".join(typed.split())
    if not 0 < len(name) <= NAME_LENGTH:
        raise InvalidInput(f"1 to {NAME_LENGTH} characters", field="name")
    return name


def _price(typed: str) -> str:
    try:
        price = Decimal(typed.strip().replace(",", "."))
    except InvalidOperation as error:
        raise InvalidInput("a price in euros", field="price") from error
    if not price.is_finite() or not 0 <= price <= MOST_EXPENSIVE or abs(price.normalize().as_tuple().exponent) > 6:  # type: ignore[arg-type]
        raise InvalidInput(f"a price in euros, at most {MOST_EXPENSIVE}", field="price")
    return str(price)


async def try_out(runtime: Runtime, unit: UnitOfWork, campaign_id: UUID) -> Counts:
    """Simulate a draft now and keep the counts. InvalidInput where something is missing; NotFound, NotNow."""
    campaign = await _in(unit, campaign_id, "draft")
    _whole(campaign)
    counts = await simulate(runtime, unit, campaign)
    campaign.simulation, campaign.simulated_at = counts.store(), clock.now()
    unit.session.add(campaign)
    return counts


def _whole(campaign: Campaign) -> None:
    """InvalidInput where nobody is chosen, or nothing is written for somebody who is."""
    channels = read_audience(campaign.audience).channel_ids
    if not channels:
        raise InvalidInput("no channel is chosen", field="channels")
    for channel_id in channels:
        letter = read_letter(campaign.letters.get(str(channel_id), {"text": ""}))
        if not letter.text and letter.template_id is None:
            raise InvalidInput("nothing is written for a channel", field="letter")


async def send_test(runtime: Runtime, access: Access, campaign_id: UUID, conversation_id: UUID) -> UUID:
    """Send the newsletter to one conversation, its author's own, as it would be sent there; the message's id. The gate decides as
    always: SendBlocked. InvalidInput where nothing is written for that messenger; NotFound."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        campaign = await read(unit, campaign_id, lock=True)
        row = await unit.sql.fetchrow(
            """
            SELECT c.channel_id, k.name FROM conversation c
            JOIN contact k ON k.organisation_id = c.organisation_id AND k.id = c.contact_id
            WHERE c.organisation_id = $1 AND c.id = $2
            """,
            unit.tenant,
            conversation_id,
        )
        if row is None:
            raise NotFound("no such conversation")
        plan = await load_plan(runtime, unit, campaign)
        letter = plan.letters.get(row["channel_id"], Letter())
        text, values = fill_in(letter.text, row["name"]), [fill_in(value, row["name"]) for value in letter.values]
        campaign.test_conversation_id = conversation_id
        unit.session.add(campaign)
    return await outbound.submit(
        runtime,
        access,
        conversation_id,
        purpose_id=campaign.purpose_id,
        text=text,
        template=Filled(letter.template_id, values, plan.zone) if letter.template_id else None,
        client_key=f"test-{ids.new_id().hex}",
        priority=BULK,
    )


async def start(unit: UnitOfWork, access: Access, campaign_id: UUID) -> None:
    """Let a simulated draft go, at its time or, where that is over or there is none, now. NotFound, NotNow, InvalidInput."""
    campaign = await _in(unit, campaign_id, "draft")
    _whole(campaign)
    if campaign.simulation is None:
        raise NotNow("simulate it first", field="simulation")
    now = clock.now()
    campaign.state, campaign.due_at = "planned", campaign.send_at if campaign.send_at and campaign.send_at > now else now
    campaign.started_by = access.member_id
    counts = read_counts(campaign.simulation)
    detail = {"name": campaign.name, "chosen": counts.chosen, "going": counts.going, "at": campaign.due_at.isoformat()}
    await _note(unit, access, campaign, "started", detail)


async def take_back(unit: UnitOfWork, access: Access, campaign_id: UUID) -> None:
    """Make a planned newsletter a draft again. NotFound, NotNow."""
    campaign = await _in(unit, campaign_id, "planned")
    campaign.state, campaign.due_at, campaign.started_by = "draft", None, None
    await _note(unit, access, campaign, "taken_back", {"name": campaign.name})


async def pause(unit: UnitOfWork, access: Access, campaign_id: UUID) -> None:
    """Let nothing more leave until it is resumed. NotFound, NotNow."""
    campaign = await _in(unit, campaign_id, "running")
    campaign.state, campaign.due_at = "paused", clock.now()
    await _note(unit, access, campaign, "paused", {"name": campaign.name})
    await bulk_queue.put_off(unit, read_audience(campaign.audience).channel_ids, await written(unit, campaign_id))


async def resume(runtime: Runtime, unit: UnitOfWork, access: Access, campaign_id: UUID) -> None:
    """Go on with a paused newsletter. NotFound, NotNow."""
    campaign = await _in(unit, campaign_id, "paused")
    channels = read_audience(campaign.audience).channel_ids
    campaign.state, campaign.due_at = "running", clock.now()
    await _note(unit, access, campaign, "resumed", {"name": campaign.name})
    await bulk_queue.wake(unit, channels, await written(unit, campaign_id))
    tenant = unit.tenant
    for channel_id in channels:
        unit.after_commit(lambda channel_id=channel_id: runtime.queue.nudge_lane(tenant, channel_id, "out"))  # type: ignore[misc]


async def stop(unit: UnitOfWork, access: Access, campaign_id: UUID) -> None:
    """The emergency stop: nothing more leaves, for ever. What was on its way may still arrive. NotFound, NotNow."""
    campaign = await _in(unit, campaign_id, "planned", "running", "paused")
    now = clock.now()
    campaign.state, campaign.due_at, campaign.stopped_by, campaign.finished_at = "stopped", now, access.member_id, now
    await _note(unit, access, campaign, "stopped", {"name": campaign.name})
    await bulk_queue.stop(unit, read_audience(campaign.audience).channel_ids, await written(unit, campaign_id), STOPPED)


async def written(unit: UnitOfWork, campaign_id: UUID) -> list[UUID]:
    """The messages of a newsletter so far."""
    rows = await unit.sql.fetch(
        """
        SELECT message_id FROM campaign_recipient
        WHERE organisation_id = $1 AND campaign_id = $2 AND message_id IS NOT NULL
        """,
        unit.tenant,
        campaign_id,
    )
    return [row["message_id"] for row in rows]


async def _in(unit: UnitOfWork, campaign_id: UUID, *states: str) -> Campaign:
    campaign = await read(unit, campaign_id, lock=True)
    if campaign.state not in states:
        raise NotNow(f"it is {campaign.state}")
    return campaign


async def _note(unit: UnitOfWork, access: Access, campaign: Campaign, what: str, detail: Mapping[str, object]) -> None:
    unit.session.add(campaign)
    shown = ids.show("cmp", campaign.id)
    await audit.record(unit, access, f"campaign.{what}", shown, dict(detail))
    note_change(unit, "campaign", {"campaign": shown})
