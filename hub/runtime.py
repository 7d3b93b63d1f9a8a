"""What one process of the hub holds while it runs: settings, pools, queue, push, vault, connectors, hooks.

Opened once by the web process, the worker, the demo and the tests; handed to the rooms as an argument.
"""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hub.connectors.registry import Registry, discover
from hub.core.db import Database
from hub.core.hooks import Hooks
from hub.core.live import Live
from hub.core.queue import Queue, open_queue
from hub.core.settings import Settings
from hub.core.storage import Storage
from hub.core.vault import Vault, load_vault


@dataclass(frozen=True)
class Runtime:
    settings: Settings
    database: Database
    queue: Queue
    live: Live
    vault: Vault
    hooks: Hooks
    connectors: Registry
    storage: Storage


@asynccontextmanager
async def open_runtime(
    settings: Settings, hooks: Hooks, *, pool: int, door_pool: int = 0, connectors: Registry | None = None
) -> AsyncIterator[Runtime]:
    """Connect to both servers; raises OSError when one cannot be reached. Both URLs must be set by now (`hub serve` sets them)."""
    if settings.database_url is None or settings.redis_url is None:
        raise ValueError("HUB_DATABASE_URL and HUB_REDIS_URL must be set; `hub serve` runs its own servers and sets them")
    queue = await open_queue(settings.redis_url.get_secret_value())
    database = Database(settings.database_url.get_secret_value(), queue, pool=pool, door_pool=door_pool)
    await database.open()
    live = Live(database, queue)
    try:
        storage = Storage(settings.media_folder)
        yield Runtime(settings, database, queue, live, load_vault(settings), hooks, connectors or discover(), storage)
    finally:
        await live.stop()
        await database.close()
        await queue.redis.aclose()


def settle_memory() -> None:
    """Called once everything is loaded: what is there now stays for ever, and the garbage collector need not look at it again."""
    gc.collect()
    gc.freeze()
