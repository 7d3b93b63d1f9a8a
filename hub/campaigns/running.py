"""What the worker does for newsletters: a row that is due is looked at; every look is a transaction and safe to repeat.

    planned, its time has come   it runs
    running                      the next batch is decided and written, with the decision of everybody in it, in one transaction;
                                 when all are decided: it is finished once nothing waits
    paused                       what comes back from an attempt for another try is put off, too
    stopped                      the same is given up; then its messages show that they were stopped, batch by batch

A process that dies in between has written whole batches or nothing: nobody is met twice, nobody is left out.
"""

import asyncio
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlmodel import col, select

from hub.campaigns import service
from hub.campaigns.audience import BATCH, read_audience, read_batch
from hub.campaigns.deciding import Outcome, decide, load_plan
from hub.campaigns.models import Campaign
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.feed import note_change
from hub.inbox.sending import bulk_queue
from hub.inbox.sending.bulk import write_all
from hub.inbox.sweeper import LOOK_FAILED
from hub.runtime import Runtime

log = structlog.get_logger()

LOOK_SECONDS: Final = 1.0
LOOK_AGAIN: Final = timedelta(seconds=2)
"""When a newsletter is looked at again that only waits for its messages."""


async def run(runtime: Runtime) -> None:
    """Look until cancelled; an unreachable database is waited for."""
    while True:
        try:
            while await look(runtime):
                pass
        except LOOK_FAILED as error:
            log.error("campaigns_failed", error=type(error).__name__)
        await asyncio.sleep(LOOK_SECONDS)


async def look(runtime: Runtime) -> int:
    """One step for each newsletter that is due; how many there were."""
    async with runtime.database.system() as unit:
        due = await unit.sql.fetch(
            "SELECT organisation_id, id FROM campaign WHERE due_at <= $1 ORDER BY due_at LIMIT 100", clock.now()
        )
    for row in due:
        async with runtime.database.unit_of_work(row["organisation_id"]) as unit:
            await _step(runtime, unit, row["id"])
    return len(due)


async def _step(runtime: Runtime, unit: UnitOfWork, campaign_id: UUID) -> None:
    wanted = select(Campaign).where(
        Campaign.organisation_id == unit.tenant, Campaign.id == campaign_id, col(Campaign.due_at) <= clock.now()
    )
    campaign = (await unit.session.exec(wanted.with_for_update(skip_locked=True))).one_or_none()
    if campaign is None:  # another worker has it, or somebody presses a button
        return
    match campaign.state:
        case "planned":
            campaign.state, campaign.started_at = "running", clock.now()
            _tell(unit, campaign)
        case "running" if campaign.decided_at is None:
            await _fan_out(runtime, unit, campaign)
        case "running":
            await _finish(unit, campaign)
        case "paused":
            waiting = await _waiting(unit, campaign)
            await bulk_queue.put_off(unit, read_audience(campaign.audience).channel_ids, await service.written(unit, campaign.id))
            campaign.due_at = clock.now() + LOOK_AGAIN if waiting.get("sending") else None
        case _:
            await _clear_up(unit, campaign)
    unit.session.add(campaign)


async def _fan_out(runtime: Runtime, unit: UnitOfWork, campaign: Campaign) -> None:
    batch = await read_batch(runtime, unit, read_audience(campaign.audience), campaign.purpose_id, campaign.reached)
    if batch:
        addressed = {
            row["contact_id"]
            for row in await unit.sql.fetch(
                """
                SELECT contact_id FROM campaign_recipient
                WHERE organisation_id = $1 AND campaign_id = $2 AND contact_id = ANY($3::uuid[]) AND message_id IS NOT NULL
                """,
                unit.tenant,
                campaign.id,
                [one.contact_id for one in batch],
            )
        }
        outcomes = await decide(runtime, unit, await load_plan(runtime, unit, campaign), batch, addressed)
        judged = [one.judged for one in outcomes if one.by_gate]
        messages = await write_all(
            runtime, unit, campaign.purpose_id, judged, f"campaign-{campaign.id.hex}", by=campaign.started_by
        )
        await _keep(unit, campaign.id, [(one, messages.get(one.chosen.conversation_id)) for one in outcomes])
        campaign.reached = batch[-1].conversation_id
    if len(batch) < BATCH:
        campaign.decided_at = clock.now()
    _tell(unit, campaign)


async def _keep(unit: UnitOfWork, campaign_id: UUID, decided: list[tuple[Outcome, UUID | None]]) -> None:
    await unit.sql.execute(
        """
        INSERT INTO campaign_recipient (organisation_id, campaign_id, conversation_id, contact_id, channel_id, at, verdict, rule,
                                        message_id)
        SELECT $1, $2, conversation_id, contact_id, channel_id, $3, verdict, rule, message_id
        FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::uuid[])
            AS row(conversation_id, contact_id, channel_id, verdict, rule, message_id)
        """,
        unit.tenant,
        campaign_id,
        clock.now(),
        [one.chosen.conversation_id for one, _ in decided],
        [one.chosen.contact_id for one, _ in decided],
        [one.chosen.channel_id for one, _ in decided],
        [one.verdict for one, _ in decided],
        [one.rule for one, _ in decided],
        [message_id for _, message_id in decided],
    )


async def _finish(unit: UnitOfWork, campaign: Campaign) -> None:
    if await _waiting(unit, campaign):
        campaign.due_at = clock.now() + LOOK_AGAIN
        return
    campaign.state, campaign.due_at, campaign.finished_at = "finished", None, clock.now()
    _tell(unit, campaign)


async def _clear_up(unit: UnitOfWork, campaign: Campaign) -> None:
    """After a stop, in transactions of their own: first the parts, then what the messages show."""
    waiting = await _waiting(unit, campaign)
    if waiting.get("queued") or waiting.get("held"):
        channels = read_audience(campaign.audience).channel_ids
        await bulk_queue.stop(unit, channels, await service.written(unit, campaign.id), service.STOPPED)
        return
    rows = await unit.sql.fetch(
        """
        SELECT m.id FROM campaign_recipient r
        JOIN message m ON m.organisation_id = r.organisation_id AND m.id = r.message_id AND m.state IN ('queued', 'held', 'sending')
        WHERE r.organisation_id = $1 AND r.campaign_id = $2 AND NOT EXISTS (
            SELECT FROM message_part p WHERE p.organisation_id = m.organisation_id AND p.message_id = m.id AND p.state = 'sending')
        LIMIT $3
        """,
        unit.tenant,
        campaign.id,
        BATCH,
    )
    if rows:
        await bulk_queue.draw_stopped(unit, [row["id"] for row in rows], service.STOPPED)
        _tell(unit, campaign)
    elif waiting:
        campaign.due_at = clock.now() + LOOK_AGAIN
    else:
        campaign.due_at = None
        _tell(unit, campaign)


async def _waiting(unit: UnitOfWork, campaign: Campaign) -> dict[str, int]:
    """How many parts have not left yet, by state; states without any are missing."""
    rows: list[Any] = await unit.sql.fetch(
        """
        SELECT p.state, count(*) AS count FROM campaign_recipient r
        JOIN message_part p ON p.organisation_id = r.organisation_id AND p.message_id = r.message_id
        WHERE r.organisation_id = $1 AND r.campaign_id = $2 AND p.action = 'message' AND p.state IN ('held', 'queued', 'sending')
        GROUP BY 1
        """,
        unit.tenant,
        campaign.id,
    )
    return {row["state"]: row["count"] for row in rows}


def _tell(unit: UnitOfWork, campaign: Campaign) -> None:
    note_change(unit, "campaign", {"campaign": ids.show("cmp", campaign.id)})
