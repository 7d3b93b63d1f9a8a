"""The way in after the door: a channel's lane is drained in batches.

    take the lane                 one worker per channel and direction (`core/lanes.py`)
    fetch received deliveries     in order of arrival, at most 200
    peers' keys                   where messages are encrypted between the ends; what lacks its key waits (`peers.py`)
    connector.parse               bytes to events; what cannot be read is a dead letter with its cause
    apply.apply_events            all events of the batch in one transaction of set-based statements
    finish                        each delivery is applied, ignored (why) or dead (cause); the feed tells the pages

A batch that fails is rolled back and its deliveries are applied one by one, so that one bad delivery costs nobody else anything.
Losing the database or the lease in between changes nothing: the deliveries are still `received` and are drained again.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import structlog
from prometheus_client import Counter

from hub.channels.accounts import OpenChannel, read_channel
from hub.connectors.contract import KnowsPeers, RawRequest
from hub.connectors.errors import MalformedPayload
from hub.connectors.events import MessageReceived, MessageSent, Unrecognised, Unsupported
from hub.core import clock, ids, lanes
from hub.core.db import Database, UnitOfWork, text_array
from hub.core.lanes import LANE_TROUBLE, Lane, LeaseLost
from hub.core.telemetry import is_told
from hub.inbox.arriving.apply import Delivery, apply_events
from hub.inbox.arriving.peers import Peers, keys_for, look_for_changes, peer_of
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.runtime import Runtime

log = structlog.get_logger()

BATCH = 200
AT_ONCE = 2
"""Batches a worker applies at the same time. Lanes take turns: what waits meanwhile makes the next batch larger, and a large batch
costs far less than many small ones."""
TURN_SECONDS = 20.0
"""How long one job works a lane that never gets empty before it lets the next job go on: a job has a time limit."""

_turns: WeakKeyDictionary[Database, asyncio.Semaphore] = WeakKeyDictionary()

finished = Counter("hub_deliveries_total", "Deliveries by result", ["connector", "state"])


async def drain(runtime: Runtime, organisation_id: UUID, channel_id: UUID, worker_id: UUID) -> None:
    """Apply everything that waits for one channel. Returns at once when another worker has the lane: it will look again."""
    async with runtime.database.unit_of_work(organisation_id) as unit:
        lane = await lanes.take_in(runtime.database, unit, channel_id, "in", worker_id)
        if lane is None:
            return
        channel = await read_channel(runtime, unit, channel_id)
    until = time.monotonic() + TURN_SECONDS
    try:
        while time.monotonic() < until:
            peers = await _peers(runtime, lane, channel)
            if await _drain_batch(runtime, lane, channel, peers) > 1:
                continue  # where several came at once there are probably more
            await runtime.queue.unflag(channel_id, "in")
            if peers and peers.waits:
                break  # the sweeper comes back in a moment
            if await _let_go_when_empty(runtime, lane):
                return
        await runtime.queue.unflag(channel_id, "in")
        while not await lane.let_go():
            pass  # whoever asked for another look gets it from the next job
        await runtime.queue.nudge_lane(organisation_id, channel_id, "in")
    except LeaseLost:
        log.warning("lease_lost", direction="in")


async def _let_go_when_empty(runtime: Runtime, lane: Lane) -> bool:
    """The last look and the end of the lease in one transaction."""
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        waits = await unit.sql.fetchval(
            "SELECT EXISTS (SELECT FROM webhook_delivery WHERE organisation_id = $1 AND channel_id = $2 AND state = 'received')",
            unit.tenant,
            lane.channel_id,
        )
        return not waits and await lane.let_go_in(unit)


async def load_channel(runtime: Runtime, organisation_id: UUID, channel_id: UUID) -> OpenChannel:
    """The channel with its opened account."""
    async with runtime.database.unit_of_work(organisation_id) as unit:
        return await read_channel(runtime, unit, channel_id)


async def _peers(runtime: Runtime, lane: Lane, channel: OpenChannel) -> Peers | None:
    """The keys for the next batch; None where messages need none."""
    if not isinstance(channel.connector, KnowsPeers):
        return None
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        waiting = await _fetch(unit, lane.channel_id, BATCH)
    return await keys_for(runtime, lane, channel, [_request(delivery) for delivery in waiting])


async def _drain_batch(runtime: Runtime, lane: Lane, channel: OpenChannel, peers: Peers | None) -> int:
    """Apply one batch; how many deliveries it had."""
    try:
        async with _turns.setdefault(runtime.database, asyncio.Semaphore(AT_ONCE)):
            return await _apply_batch(runtime, lane, channel, peers, BATCH)
    except LANE_TROUBLE:
        raise
    except Exception as error:  # noqa: BLE001 - the edge: whatever one delivery sets off must not stop the lane (I1)
        log.error("batch_failed", error=type(error).__name__)
    count = 0
    while count < BATCH and await _apply_one(runtime, lane, channel, peers):
        count += 1
    return count


async def _apply_one(runtime: Runtime, lane: Lane, channel: OpenChannel, peers: Peers | None) -> int:
    """Apply the oldest delivery alone; if it fails by itself it is dead, with the kind of failure as cause."""
    try:
        return await _apply_batch(runtime, lane, channel, peers, 1)
    except LANE_TROUBLE:
        raise
    except Exception as error:  # noqa: BLE001 - the edge, as above
        cause = f"apply: {type(error).__name__}"
        log.error("delivery_dead", cause=cause)
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        deliveries = await _fetch(unit, lane.channel_id, 1)
        for delivery in deliveries:
            delivery.state, delivery.why = "dead", cause
        await _finish(unit, channel, deliveries)
    _tell(deliveries)
    return len(deliveries)


def _tell(deliveries: Sequence[Delivery]) -> None:
    """A line for each delivery that is finished: its id is the door's, the messages' go on to the pages. `why` may quote a body."""
    if not is_told(logging.INFO):
        return
    for one in deliveries:
        messages = [ids.show("msg", message_id) for message_id in one.message_ids]
        log.info("delivery", delivery=ids.show("dlv", one.id), state=one.state, messages=messages)


async def _apply_batch(runtime: Runtime, lane: Lane, channel: OpenChannel, peers: Peers | None, limit: int) -> int:
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        deliveries = await _fetch(unit, lane.channel_id, limit)
        for delivery in deliveries:
            _parse(channel, delivery, peers)
        deliveries = [delivery for delivery in deliveries if delivery.state != "received"]
        if not deliveries:
            return 0
        await apply_events(runtime, unit, channel, deliveries)
        await _finish(unit, channel, deliveries)
    _tell(deliveries)
    if peers:
        suspects = {one.id: one.peer for one in deliveries if one.state == "dead" and one.peer in peers.keys}
        await look_for_changes(runtime, lane, channel, suspects)
    return len(deliveries)


async def _fetch(unit: UnitOfWork, channel_id: UUID, limit: int) -> list[Delivery]:
    rows = await unit.sql.fetch(
        """
        SELECT id, received_at, headers, body FROM webhook_delivery
        WHERE organisation_id = $1 AND channel_id = $2 AND state = 'received'
        ORDER BY received_at, id LIMIT $3
        """,
        unit.tenant,
        channel_id,
        limit,
    )
    return [Delivery(**row) for row in rows]


def _request(delivery: Delivery) -> RawRequest:
    return RawRequest("POST", delivery.headers, delivery.body, delivery.received_at)


def _parse(channel: OpenChannel, delivery: Delivery, peers: Peers | None) -> None:
    """Fill in the events; the delivery is dead when it cannot be read, ignored when it speaks of nothing we handle. One whose key
    is not there yet stays as it is."""
    request = _request(delivery)
    if peers and (address := peer_of(channel, request)):
        if address not in peers.keys:
            delivery.state, delivery.why = ("dead", "peer: no such address") if address in peers.refused else ("received", "")
            return
        delivery.peer = address
        request = replace(request, peer_key=peers.keys[address])
    try:
        delivery.events = channel.connector.parse(request, channel.account)
    except MalformedPayload as error:
        delivery.state, delivery.why = "dead", f"malformed: {error}"
        return
    unhandled = [event for event in delivery.events if isinstance(event, Unrecognised)]
    if len(unhandled) == len(delivery.events):
        delivery.state = "ignored"
        delivery.why = "; ".join(f"{event.kind}: {event.why}" for event in unhandled) or "empty"


def _keeps_body(channel: OpenChannel, delivery: Delivery) -> bool:
    """Whether the raw bytes stay. Where the provider may want words deleted one day they are not kept twice: once they are applied,
    only a delivery with something that could not be shown."""
    if delivery.state != "applied" or not channel.connector.capabilities.erases_deleted:
        return True
    return any(
        isinstance(event, Unrecognised)
        or (isinstance(event, MessageReceived | MessageSent) and isinstance(event.content, Unsupported))
        for event in delivery.events
    )


async def _finish(unit: UnitOfWork, channel: OpenChannel, deliveries: list[Delivery]) -> None:
    """Write what became of each delivery, beside it and in the result that outlives the raw bytes."""
    await unit.sql.execute(
        """
        WITH result AS (
            SELECT * FROM unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::bytea[], $7::text[], $10::bool[])
                AS row(id, received_at, state, why, body_sha256, identity_keys, keeps_body)
        ), moved AS (
            UPDATE webhook_delivery AS d SET state = result.state, body = CASE WHEN result.keeps_body THEN d.body ELSE '' END
            FROM result
            WHERE d.organisation_id = $1 AND d.id = result.id AND d.received_at = result.received_at
        )
        INSERT INTO delivery_result (organisation_id, delivery_id, channel_id, received_at, finished_at, state, why,
                                     body_sha256, identity_keys)
        SELECT $1, id, $8, received_at, $9, state, why, body_sha256, identity_keys::text[]
        FROM result
        ON CONFLICT (organisation_id, delivery_id) DO UPDATE
        SET state = excluded.state, why = excluded.why, finished_at = excluded.finished_at,
            identity_keys = excluded.identity_keys
        """,
        unit.tenant,
        [delivery.id for delivery in deliveries],
        [delivery.received_at for delivery in deliveries],
        [delivery.state for delivery in deliveries],
        [delivery.why for delivery in deliveries],
        [hashlib.sha256(delivery.body).digest() for delivery in deliveries],
        [text_array(delivery.identity_keys) for delivery in deliveries],
        channel.channel_id,
        clock.now(),
        [_keeps_body(channel, delivery) for delivery in deliveries],
    )
    for delivery in deliveries:
        finished.labels(channel.connector.connector, delivery.state).inc()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery that could not be applied, with its cause."""

    id: UUID
    received_at: datetime
    connector: str
    channel_id: UUID
    cause: str


async def dead_letters(runtime: Runtime, organisation_id: UUID) -> list[DeadLetter]:
    """All dead letters of an organisation, oldest first."""
    async with runtime.database.unit_of_work(organisation_id) as unit:
        rows = await unit.sql.fetch(
            """
            SELECT d.id, d.received_at, h.connector, d.channel_id, r.why AS cause
            FROM webhook_delivery d
            JOIN delivery_result r ON r.organisation_id = d.organisation_id AND r.delivery_id = d.id
            JOIN channel h ON h.organisation_id = d.organisation_id AND h.id = d.channel_id
            WHERE d.organisation_id = $1 AND d.state = 'dead' ORDER BY d.received_at, d.id
            """,
            organisation_id,
        )
    return [DeadLetter(**row) for row in rows]


async def replay(
    runtime: Runtime,
    organisation_id: UUID,
    *,
    delivery_ids: Sequence[UUID] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    channel_id: UUID | None = None,
    by: Access | None = None,
) -> int:
    """Put dead letters back into their lane: those named, and all that arrived from `since` on and before `until`, of one channel
    or of all; how many. `by` is who did it, None for the operator at the console.

    What they say happens once all the same: the provider's keys end repetitions (I2).
    """
    async with runtime.database.unit_of_work(organisation_id) as unit:
        rows: list[Any] = await unit.sql.fetch(
            """
            UPDATE webhook_delivery SET state = 'received'
            WHERE organisation_id = $1 AND state = 'dead' AND ($5::uuid IS NULL OR channel_id = $5)
              AND (id = ANY($2::uuid[])
                   OR received_at >= $3::timestamptz AND ($4::timestamptz IS NULL OR received_at < $4))
            RETURNING channel_id
            """,
            organisation_id,
            list(delivery_ids),
            since,
            until,
            channel_id,
        )
        span = {name: at.isoformat() for name, at in (("since", since), ("until", until)) if at}
        named = [ids.show("dlv", delivery_id) for delivery_id in delivery_ids]
        if rows:
            await audit.record(unit, by, "deliveries.replayed", "", {"count": len(rows), "named": named, **span})
        lanes_due = [(organisation_id, channel_id) for channel_id in {row["channel_id"] for row in rows}]
        unit.after_commit(lambda: runtime.queue.nudge_lanes(lanes_due, "in"))
    return len(rows)
