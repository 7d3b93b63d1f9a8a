"""`/metrics`: what a web process counted, and how the whole installation stands, for Prometheus.

The two figures to watch are `hub_oldest_delivery_age_seconds` and `hub_oldest_due_message_age_seconds`: near zero all is well, and
when they grow something stands still, whatever the cause. They are asked of the database at each scrape, as hub_system, so every
web process gives the same ones; counters and request times are each process's own. Labels name messenger, route template and state,
never an organisation, a channel or a number (I10).
"""

import asyncio
import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge, generate_latest

from hub.core import clock
from hub.core.db import STORE_ERRORS, UnitOfWork
from hub.core.errors import NotFound, NotSignedIn
from hub.organisations import sessions
from hub.organisations.access import public
from hub.runtime import Runtime

router = APIRouter()

PATIENCE_SECONDS: Final = 5.0
FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""What proxies put on a request: it may come from anywhere then, although the peer is on this machine."""

_STANDING: Final = """
WITH deliveries AS (
    SELECT channel_id, min(received_at) AS since FROM webhook_delivery WHERE state = 'received' GROUP BY channel_id
), messages AS (
    SELECT channel_id, min(due_at) AS since FROM message_part WHERE state = 'queued' AND due_at <= $1 GROUP BY channel_id
), attempts AS (
    SELECT channel_id, min(permit_at) AS since FROM attempt WHERE outcome = 'sending' GROUP BY channel_id
), files AS (
    SELECT channel_id, min(due_at) AS since FROM attachment WHERE state = 'waiting' AND due_at <= $1 GROUP BY channel_id
)
SELECT h.connector,
       extract(epoch FROM $1 - min(d.since))::float8 AS delivery,
       extract(epoch FROM $1 - min(m.since))::float8 AS message,
       extract(epoch FROM $1 - min(a.since))::float8 AS attempt,
       extract(epoch FROM $1 - min(f.since))::float8 AS file,
       count(*) FILTER (WHERE h.state = 'on' AND h.health = 'healthy') AS healthy,
       count(*) FILTER (WHERE h.state = 'on' AND h.health = 'failing') AS failing,
       count(*) FILTER (WHERE h.state = 'on' AND h.health = 'attention') AS attention,
       count(*) FILTER (WHERE h.state <> 'on') AS off
FROM channel h
LEFT JOIN deliveries d ON d.channel_id = h.id
LEFT JOIN messages m ON m.channel_id = h.id
LEFT JOIN attempts a ON a.channel_id = h.id
LEFT JOIN files f ON f.channel_id = h.id
GROUP BY h.connector
"""
_DEAD: Final = """
SELECT h.connector, count(*) AS dead FROM webhook_delivery d JOIN channel h ON h.id = d.channel_id WHERE d.state = 'dead' GROUP BY 1
"""
_LANES: Final = "SELECT direction, count(*) FILTER (WHERE lease_until > $1) AS held FROM channel_lane GROUP BY direction"
AGES: Final = {
    "delivery": ("hub_oldest_delivery_age_seconds", "Age of the oldest webhook that is stored and not applied yet"),
    "message": ("hub_oldest_due_message_age_seconds", "For how long the longest waiting message could have been sent"),
    "file": ("hub_oldest_due_file_age_seconds", "For how long the longest waiting file could have been fetched from its messenger"),
    "attempt": ("hub_oldest_open_attempt_age_seconds", "Age of the oldest request to a messenger whose outcome is not recorded"),
}


def reads_metrics(request: Request) -> None:
    """With HUB_METRICS_TOKEN whoever sends it, else programs on this machine; for all others there is no such address."""
    runtime: Runtime = request.app.state.runtime
    token = runtime.settings.metrics_token
    if token is None:
        if not _is_local(request):
            raise NotFound("metrics are for this machine only: HUB_METRICS_TOKEN is not set")
    elif not sessions.same(request.headers.get("authorization", ""), f"Bearer {token.get_secret_value()}"):
        raise NotSignedIn("metrics token missing or wrong")


def _is_local(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


@router.get(
    "/metrics", dependencies=[Depends(public("asks for HUB_METRICS_TOKEN, or answers this machine only")), Depends(reads_metrics)]
)
async def metrics(request: Request) -> Response:
    """Counters of this process and the standing of the installation; without the database the former, and `hub_database_up 0`."""
    text = generate_latest(REGISTRY) + generate_latest(await standing(request.app.state.runtime))
    return PlainTextResponse(text, media_type=CONTENT_TYPE_LATEST)


async def standing(runtime: Runtime) -> CollectorRegistry:
    """The gauges that are asked of the database."""
    registry = CollectorRegistry()
    up = Gauge("hub_database_up", "Whether the database answered this scrape", registry=registry)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), runtime.database.system() as unit:
            await _measure(unit, registry)
        up.set(1)
    except STORE_ERRORS:
        up.set(0)
    return registry


async def _measure(unit: UnitOfWork, registry: CollectorRegistry) -> None:
    channels = await unit.sql.fetch(_STANDING, clock.now())
    dead = {row["connector"]: row["dead"] for row in await unit.sql.fetch(_DEAD)}
    lanes = await unit.sql.fetch(_LANES, datetime.now(UTC))  # leases are machine time (core/lanes.py)
    for column, (name, meaning) in AGES.items():
        _fill(Gauge(name, meaning, ["connector"], registry=registry), ((row["connector"], row[column] or 0.0) for row in channels))
    letters = Gauge("hub_dead_letters", "Webhooks that could not be applied", ["connector"], registry=registry)
    _fill(letters, ((row["connector"], dead.get(row["connector"], 0)) for row in channels))
    health = Gauge("hub_channels", "Connected accounts by health", ["connector", "health"], registry=registry)
    for state in ("healthy", "failing", "attention", "off"):
        for row in channels:
            health.labels(row["connector"], state).set(row[state])
    _fill(Gauge("hub_lanes_held", "Lanes that a worker works on", ["direction"], registry=registry), (tuple(row) for row in lanes))


def _fill(gauge: Gauge, values: Iterable[tuple[Any, ...]]) -> None:
    for label, value in values:
        gauge.labels(label).set(value)
