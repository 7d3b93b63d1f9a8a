"""Domain events from a lower room to higher ones, the only way upwards.

A room declares its events as frozen dataclasses (`hub/consent/hooks.py`, `hub/inbox/hooks.py`); `hub/listeners.py` subscribes. A
subscriber runs inside the publisher's transaction, in the order of subscription; slow or fallible work only writes a row.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

E = TypeVar("E")


class Hooks:
    """The subscriptions of one process."""

    def __init__(self) -> None:
        self._subscribers: dict[type[Any], list[Callable[[Any, Any], Awaitable[None]]]] = defaultdict(list)

    def subscribe(self, event: type[E], subscriber: Callable[[Any, E], Awaitable[None]]) -> None:
        """Call `subscriber(unit, event)` for each published event of this type."""
        self._subscribers[event].append(subscriber)

    async def publish(self, unit: object, event: object) -> None:
        """Call every subscriber; an exception of one rolls the publisher's transaction back."""
        for subscriber in self._subscribers[type(event)]:
            await subscriber(unit, event)
