"""Is this process alive (`/healthz`), and is the hub ready to work (`/readyz`): database, Valkey, and a worker that sweeps."""

import asyncio

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError

from hub.core.db import STORE_ERRORS
from hub.core.queue import WORKER_ALIVE
from hub.organisations.access import public
from hub.runtime import Runtime

router = APIRouter()
PATIENCE_SECONDS = 2.0


@router.get("/healthz", dependencies=[Depends(public("tells only that the process answers"))])
async def alive() -> JSONResponse:
    """200 as long as the process can answer at all."""
    return JSONResponse({"status": "ok"})


async def missing(runtime: Runtime) -> list[str]:
    """What is not there, in the words of the parts: database, valkey, worker."""
    parts = []
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), runtime.database.system() as unit:
            await unit.sql.fetchval("SELECT 1")
    except STORE_ERRORS:
        parts.append("database")
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            if not await runtime.queue.redis.exists(WORKER_ALIVE):
                parts.append("worker")
    except (OSError, TimeoutError, RedisError):
        parts += ["valkey", "worker"]
    return parts


@router.get("/readyz", dependencies=[Depends(public("tells a load balancer which parts are up"))])
async def ready(request: Request) -> JSONResponse:
    """200 when all is up, else 503 with the names of the missing parts."""
    parts = await missing(request.app.state.runtime)
    return JSONResponse({"status": "not ready" if parts else "ok", "missing": parts}, status_code=503 if parts else 200)
