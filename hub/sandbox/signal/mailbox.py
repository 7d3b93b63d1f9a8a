"""What waits at Signal's servers for signal-cli to be asked. It is handed out once: what was taken is gone, also when the
answer never arrives (provider file, 4)."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from hub.core import clock
from hub.sandbox.courier import Delivery
from hub.sandbox.faults import Faults

KEPT: Final = 100


class Mailbox:
    """`quiet`: seconds after the last message that end a receive, whatever was asked for; None: as it was asked."""

    def __init__(self, faults: Faults, quiet: float | None) -> None:
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT)
        self._faults = faults
        self.quiet = quiet
        self._waiting: deque[dict[str, Any]] = deque()
        self._came = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def put(self, envelope: dict[str, Any]) -> None:
        """One that is lost never arrives; one that is reordered arrives before the one that came before it."""
        if self._faults.take("lost"):
            self.deliveries.append(Delivery("receive", "lost", clock.now(), 0))
            return
        self._waiting.append(envelope)
        if self._faults.take("duplicate"):
            self._waiting.append(envelope)
        if len(self._waiting) > 1 and self._faults.take("reorder"):
            last = self._waiting.pop()
            self._waiting.insert(len(self._waiting) - 1, last)
        self._empty.clear()
        self._came.set()

    async def take(self, quiet: float, most: int) -> Sequence[dict[str, Any]]:
        """At most so many, until nothing came for so long."""
        taken: list[dict[str, Any]] = []
        while len(taken) < most or most < 0:
            if self._waiting:
                taken.append(self._waiting.popleft())
                self.deliveries.append(Delivery("receive", 200, clock.now(), 0))
                continue
            self._empty.set()
            self._came.clear()
            try:
                await asyncio.wait_for(self._came.wait(), quiet if self.quiet is None else self.quiet)
            except TimeoutError:
                break
        if not self._waiting:
            self._empty.set()
        return taken

    async def settled(self) -> None:
        """Until somebody has fetched everything."""
        await self._empty.wait()
