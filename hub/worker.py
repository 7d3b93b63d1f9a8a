"""The worker process: drains lanes when nudged, sweeps, and lets arq do nothing but carry nudges."""

import asyncio
import contextlib
from typing import Any
from uuid import UUID

from arq.connections import RedisSettings
from arq.worker import Worker, func
from prometheus_client import start_http_server
from structlog.contextvars import bound_contextvars

from hub.campaigns import running as campaigns
from hub.channels import care
from hub.core import ids
from hub.core.hooks import Hooks
from hub.core.queue import QUEUE
from hub.core.settings import Settings
from hub.core.telemetry import set_up_logging
from hub.inbox import sweeper
from hub.inbox.arriving import ingest, listening, naming
from hub.inbox.sending import dispatch
from hub.inbox.sending.claiming import Sign
from hub.inbox.stored import media
from hub.listeners import subscribe
from hub.runtime import Runtime, open_runtime, settle_memory

JOB_SECONDS = 150
"""A job ends after 20 seconds of new work and the answer to its last request: at most 80 more, for the largest file."""


async def drain_lane(context: dict[str, Any], organisation: str, channel: str, direction: str) -> None:
    """Work a lane. Safe to run twice, late or for nothing; the rows are the truth."""
    runtime: Runtime = context["runtime"]
    organisation_id, channel_id, worker_id = UUID(hex=organisation), UUID(hex=channel), context["worker_id"]
    with bound_contextvars(channel=ids.show("chn", channel_id), direction=direction):
        match direction:
            case "in":
                await ingest.drain(runtime, organisation_id, channel_id, worker_id)
            case "out":
                await dispatch.drain(runtime, context["clients"], organisation_id, channel_id, worker_id)
            case "listen":
                await listening.drain(runtime, organisation_id, channel_id, worker_id)
            case "media":
                await media.drain(runtime, organisation_id, channel_id, worker_id)
            case "care":
                await care.drain(runtime, organisation_id, channel_id, worker_id)
            case "names":
                await naming.drain(runtime, organisation_id, channel_id, worker_id)


async def show_sign(context: dict[str, Any], organisation: str, conversation: str, sign: Sign) -> None:
    """Show a customer that somebody writes or has read. Lossy by nature."""
    await dispatch.show_sign(context["runtime"], context["clients"], UUID(hex=organisation), UUID(hex=conversation), sign)


async def run_worker(settings: Settings) -> None:
    """Run until cancelled or until Valkey goes away; the supervisor starts it again then."""
    set_up_logging(settings)
    if settings.worker_metrics_port is not None:
        start_http_server(settings.worker_metrics_port, addr="127.0.0.1")
    async with open_runtime(settings, subscribe(Hooks()), pool=settings.pool_worker, door_pool=1) as runtime:
        clients = dispatch.Clients(settings.trusted_hosts)
        assert settings.redis_url is not None
        worker = Worker(
            functions=[
                # arq types a job as taking any arguments
                func(drain_lane, name="drain_lane", keep_result=0, max_tries=1, timeout=JOB_SECONDS),  # type: ignore[arg-type]
                func(show_sign, name="show_sign", keep_result=0, max_tries=1, timeout=JOB_SECONDS),  # type: ignore[arg-type]
            ],
            queue_name=QUEUE,
            redis_settings=RedisSettings.from_dsn(settings.redis_url.get_secret_value()),
            ctx={"runtime": runtime, "clients": clients, "worker_id": ids.new_id()},
            poll_delay=0.01,
            max_jobs=32,
            health_check_interval=60,
            handle_signals=False,
        )
        sweeping = [asyncio.create_task(one.run(runtime)) for one in (sweeper, campaigns)]
        settle_memory()
        try:
            await worker.async_run()
        finally:
            for task in sweeping:
                task.cancel()
            for task in sweeping:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await worker.close()
            await clients.close()
