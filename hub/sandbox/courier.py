"""Carries webhooks to the hub as providers do: in order within a queue, again after a failure, and with faults on demand."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import httpx

from hub.core import clock
from hub.sandbox.faults import Faults

KEPT: Final = 100
"""Deliveries that are remembered, for those who look."""
HOLD_SECONDS: Final = 10.0
"""How long a reordered webhook waits for another one to pass it."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request to the hub. `answered` hears of the answer that ended it."""

    url: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    answered: Callable[[httpx.Response], None] | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One try: the address, the answer's status or what went wrong, when, and how long the hub took (0: never carried)."""

    url: str
    outcome: int | str
    at: datetime
    milliseconds: float


class Courier:
    """`delays`: seconds before each further try of a webhook that was not answered 2xx; after the last one it is given up."""

    def __init__(self, http: httpx.AsyncClient, faults: Faults, *, delays: Sequence[float] = (0.2, 1.0, 5.0, 30.0)) -> None:
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT)
        self._http = http
        self._faults = faults
        self._delays = delays
        self._queues: dict[str, deque[Outgoing]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._passed = asyncio.Event()

    def send(self, outgoing: Outgoing, *, queue: str = "") -> None:
        """Deliver this after everything else of its queue."""
        waiting = self._queues.get(queue)
        if waiting is not None:
            waiting.append(outgoing)
            return
        self._queues[queue] = deque([outgoing])
        task = asyncio.create_task(self._drain(queue))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    @property
    def waiting(self) -> int:
        """How many are not delivered yet."""
        return sum(len(queue) for queue in self._queues.values())

    async def settled(self) -> None:
        """Until everything is delivered, lost or given up."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.result()

    async def _drain(self, queue: str) -> None:
        waiting = self._queues[queue]
        try:
            while waiting:
                await self._carry(waiting[0])
                waiting.popleft()
        finally:
            del self._queues[queue]

    async def _carry(self, outgoing: Outgoing) -> None:
        if self._faults.take("lost"):
            self.deliveries.append(Delivery(outgoing.url, "lost", clock.now(), 0))
            return
        if self._faults.take("reorder"):
            await self._let_pass()
        for delay in (*self._delays, None):
            response = await self._post(outgoing)
            if response is not None and response.is_success:
                self._passed.set()
                if outgoing.answered is not None:
                    outgoing.answered(response)
                if self._faults.take("duplicate"):
                    await self._post(outgoing)
                return
            if delay is not None:
                await asyncio.sleep(delay)

    async def _let_pass(self) -> None:
        self._passed.clear()
        try:
            await asyncio.wait_for(self._passed.wait(), HOLD_SECONDS)
        except TimeoutError:
            return

    async def _post(self, outgoing: Outgoing) -> httpx.Response | None:
        """The answer; None when there was none."""
        at, started = clock.now(), time.monotonic()
        response = None
        try:
            response = await self._http.post(outgoing.url, content=outgoing.body, headers=dict(outgoing.headers))
        except httpx.HTTPError as error:
            outcome: int | str = type(error).__name__
        else:
            outcome = response.status_code
        self.deliveries.append(Delivery(outgoing.url, outcome, at, (time.monotonic() - started) * 1000))
        return response
