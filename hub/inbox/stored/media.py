"""Files, from a row to bytes in the store: the lane of direction `media`.

    claim      due attachments, a few at once; each claim is counted and moves `due_at`, so a file that kills its worker waits
    fetch      `fetching.py`: from the provider into the store
    examine    `examining.py`: malware, type by content, a small picture
    record     stored, refused, quarantined, gone or failed, with the reason; or waiting for another try

Dying anywhere in between leaves a row that is due again and, at most, an object that the next try replaces. An object that no row
keeps goes with `clearing.py`. While webhooks of the channel wait to be applied, files step back for a while: messages come first.
"""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from httpx import AsyncClient
from prometheus_client import Counter

from hub.channels.accounts import OpenChannel, read_channel
from hub.channels.health import mark_attention
from hub.connectors.http import connector_client
from hub.core import clock, lanes
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, NotFound
from hub.core.lanes import LANE_TROUBLE, RENEW_SECONDS, Lane
from hub.core.media import Refusal
from hub.inbox.arriving.effects import note_messages_changed
from hub.inbox.stored.attachments import nudge_fetching
from hub.inbox.stored.fetching import Again, Due, Ended, Kept, Outcome, fetch
from hub.runtime import Runtime

log = structlog.get_logger()

AT_ONCE: Final = 4
"""Files of one channel that are fetched at the same time."""
TURN_SECONDS: Final = 10.0
"""How long one job takes on new files before it lets the next job go on; a job has a time limit."""
CLAIMED: Final = timedelta(minutes=3)
"""When a claimed file is due again if nothing is heard of it: longer than FILE_SECONDS."""
MOST_TRIES: Final = 300
"""About a day, at five minutes each in the end."""
BEHIND: Final = timedelta(milliseconds=250)
"""Webhooks that have waited for so long say that the way in does not keep up."""
STEPS_BACK: Final = timedelta(minutes=1)
"""How long a due file lets webhooks go first, then it is fetched whatever waits: far less than the hour for which the addresses of
files hold that end first (viber.md, telegram.md)."""

REASONS: Final = (
    *("too_large", "infected", *(one.value for one in Refusal), "gone", "rejected", "internal"),
    *("provider_unavailable", "rate_limited", "auth_failed", "outcome_unknown", "not_stored"),
)
"""Why a file is not there (`attachment.reason`); the words are `file.reason.<reason>`. Those of the second line are tried again
and stay when that did not help for a day."""

fetched = Counter("hub_files_total", "Fetched files by what became of them", ["connector", "state"])


async def drain(runtime: Runtime, organisation_id: UUID, channel_id: UUID, worker_id: UUID) -> None:
    """Fetch everything that is due on one channel. Returns at once when another worker has the lane, or nothing may be fetched yet:
    the nudge's flag stays then, so that each new file asks again only when that is over, and the sweeper looks in any case."""
    async with runtime.database.unit_of_work(organisation_id) as unit:
        if await _steps_back(unit, channel_id):
            return
        lane = await lanes.take_in(runtime.database, unit, channel_id, "media", worker_id)
        if lane is None:
            return
    until = time.monotonic() + TURN_SECONDS
    try:
        async with connector_client(runtime.settings.trusted_hosts) as http:
            while True:
                is_empty = await _work(runtime, lane, http, until)
                await runtime.queue.unflag(channel_id, "media")
                if is_empty:
                    is_empty = await _work(runtime, lane, http, until)
                if await lane.let_go():
                    break
        if not is_empty:
            await runtime.queue.nudge_lane(organisation_id, channel_id, "media")
    except LANE_TROUBLE as error:
        log.warning("lane_left", direction="media", error=type(error).__name__)


async def _work(runtime: Runtime, lane: Lane, http: AsyncClient, until: float) -> bool:
    """Fetch until nothing is due (True) or the time is up (False). What is under way is finished in either case."""
    running: set[asyncio.Task[None]] = set()
    try:
        while True:
            may_start = time.monotonic() < until
            channel, due = await _claim(runtime, lane, AT_ONCE - len(running) if may_start else 0)
            running |= {asyncio.create_task(_fetch_and_record(runtime, lane, channel, http, one)) for one in due}
            if not running:
                return may_start
            done, running = await asyncio.wait(running, timeout=RENEW_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _steps_back(unit: UnitOfWork, channel_id: UUID) -> bool:
    """Whether every file that is due lets webhooks go first."""
    now = clock.now()
    latest = await _latest_due(unit, channel_id, now)
    if latest == now:
        return False
    is_late = await unit.sql.fetchval(
        """
        SELECT EXISTS (SELECT FROM attachment
                       WHERE organisation_id = $1 AND channel_id = $2 AND state = 'waiting' AND due_at <= $3)
        """,
        unit.tenant,
        channel_id,
        latest,
    )
    return not is_late


async def _latest_due(unit: UnitOfWork, channel_id: UUID, now: datetime) -> datetime:
    """Files that were due by then are fetched now."""
    is_behind = await unit.sql.fetchval(
        """
        SELECT EXISTS (SELECT FROM webhook_delivery
                       WHERE organisation_id = $1 AND channel_id = $2 AND state = 'received' AND received_at < $3)
        """,
        unit.tenant,
        channel_id,
        now - BEHIND,
    )
    return now - STEPS_BACK if is_behind else now


async def _claim(runtime: Runtime, lane: Lane, limit: int) -> tuple[OpenChannel, list[Due]]:
    """Renew the lease and take what is due and need not step back."""
    now = clock.now()
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        rows = await unit.sql.fetch(
            """
            UPDATE attachment AS a SET tries = tries + 1, due_at = $4
            FROM (
                SELECT id FROM attachment
                WHERE organisation_id = $1 AND channel_id = $2 AND state = 'waiting' AND due_at <= $3
                ORDER BY due_at, id LIMIT $5
            ) AS due
            WHERE a.organisation_id = $1 AND a.id = due.id
            RETURNING a.id, a.conversation_id, a.message_id, a.kind, a.ref, a.name, a.size, a.small_ref, a.tries
            """,
            unit.tenant,
            lane.channel_id,
            await _latest_due(unit, lane.channel_id, now),
            now + CLAIMED,
            limit,
        )
        return await read_channel(runtime, unit, lane.channel_id), [Due(**row) for row in rows]


async def _fetch_and_record(runtime: Runtime, lane: Lane, channel: OpenChannel, http: AsyncClient, due: Due) -> None:
    outcome = await fetch(runtime, channel, http, due)
    if isinstance(outcome, Again) and due.tries >= MOST_TRIES:
        outcome = Ended("failed", outcome.reason)
    if isinstance(outcome, Kept) and outcome.examined.state == "refused":
        runtime.storage.delete(lane.organisation_id, due.id)
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        is_wanted = await _record(unit, channel, due, outcome)
    if not is_wanted:  # its message was edited or taken back meanwhile
        runtime.storage.delete(lane.organisation_id, due.id)


async def _record(unit: UnitOfWork, channel: OpenChannel, due: Due, outcome: Outcome) -> bool:
    """Write what came of a claimed file and tell the pages. False when it is not wanted any more: it has no row."""
    match outcome:
        case Kept():
            wanted = await _record_kept(unit, due, outcome)
            state = outcome.examined.state
        case Ended():
            wanted = await _record_state(unit, due, outcome.state, outcome.reason, 0.0)
            state = outcome.state
        case Again():
            wanted = await _record_state(unit, due, "waiting", outcome.reason, outcome.seconds)
            state = "again"
            if outcome.needs_attention:
                await mark_attention(unit, channel.channel_id, "auth_failed")
    if wanted and (state != "again" or due.tries == 1):
        note_messages_changed(unit, [(due.message_id, due.conversation_id)])
    fetched.labels(channel.connector.connector, state).inc()
    return wanted


async def _record_kept(unit: UnitOfWork, due: Due, kept: Kept) -> bool:
    examined = kept.examined
    row = await unit.sql.fetchval(
        """
        UPDATE attachment SET state = $3, reason = $4, name = $5, mime = $6, size = $7, sha256 = $8, scanned = $9,
               has_thumbnail = $10, width = COALESCE($11, width), height = COALESCE($12, height), stored_at = $13
        WHERE organisation_id = $1 AND id = $2 AND state = 'waiting' RETURNING true
        """,
        unit.tenant,
        due.id,
        examined.state,
        examined.reason,
        examined.name,
        examined.mime,
        kept.size,
        kept.sha256,
        examined.scanned,
        examined.has_small,
        examined.width,
        examined.height,
        clock.now(),
    )
    return bool(row)


async def _record_state(unit: UnitOfWork, due: Due, state: str, reason: str, seconds: float) -> bool:
    row = await unit.sql.fetchval(
        """
        UPDATE attachment SET state = $3, reason = $4, due_at = $5
        WHERE organisation_id = $1 AND id = $2 AND state = 'waiting' RETURNING true
        """,
        unit.tenant,
        due.id,
        state,
        reason,
        clock.now() + timedelta(seconds=seconds),
    )
    return bool(row)


async def fetch_again(runtime: Runtime, organisation_id: UUID, attachment_id: UUID) -> tuple[UUID, UUID]:
    """Try once more to fetch a file that failed; its conversation and message. NotFound; Conflict when it did not fail."""
    async with runtime.database.unit_of_work(organisation_id) as unit:
        row = await unit.sql.fetchrow(
            """
            SELECT state, channel_id, conversation_id, message_id FROM attachment WHERE organisation_id = $1 AND id = $2 FOR UPDATE
            """,
            unit.tenant,
            attachment_id,
        )
        if row is None:
            raise NotFound("no such file")
        if row["state"] != "failed":
            raise Conflict("this file did not fail")
        await unit.sql.execute(
            """
            UPDATE attachment SET state = 'waiting', reason = '', due_at = $3, tries = 0 WHERE organisation_id = $1 AND id = $2
            """,
            unit.tenant,
            attachment_id,
            clock.now(),
        )
        note_messages_changed(unit, [(row["message_id"], row["conversation_id"])])
        nudge_fetching(runtime, unit, row["channel_id"])
    return row["conversation_id"], row["message_id"]
