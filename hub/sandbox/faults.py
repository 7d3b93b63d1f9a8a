"""What goes wrong on demand, for every simulator; one may have kinds of its own besides. A fault holds for the next n occasions,
for some seconds, or until switched off.

rate_limited   the messenger's answer for too many requests; `retry_after` seconds where it says so
server_error   the messenger is broken (500 to 599) before anything was done; `status`
lost_answer    done, and it shows on the phone, but the answer never comes: after `delay` seconds the connection is cut
slow           done and answered `delay` seconds late
refused        the messenger's refusal with this `code`, whatever is asked
unauthorised   the credentials are refused
duplicate      a webhook that was accepted is delivered once more
reorder        a webhook waits until another one has passed it
lost           a webhook is never delivered
file_gone      a file that is fetched is not there any more
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from hub.core import clock

KINDS: Final[tuple[str, ...]] = (
    "rate_limited", "server_error", "lost_answer", "slow", "refused", "unauthorised", "duplicate", "reorder", "lost", "file_gone",
)  # fmt: skip


@dataclass(slots=True)
class Fault:
    """One fault that is on. `left`: occasions that are left; None: no such end. `values`: what the kind wants to know."""

    left: int | None
    until: datetime | None
    values: Mapping[str, Any] = field(default_factory=dict)

    def wait(self) -> int:
        """What an answer for too many requests tells to wait, in seconds: `retry_after`, else what is left of the fault, else 1."""
        if "retry_after" in self.values:
            return int(self.values["retry_after"])
        return 1 if self.until is None else max(1, math.ceil((self.until - clock.now()).total_seconds()))


class Faults:
    """The faults of one simulated messenger. `kinds`: those it has, where it has not all, or more than these."""

    def __init__(self, kinds: tuple[str, ...] = KINDS) -> None:
        self.kinds = kinds
        self._on: dict[str, Fault] = {}

    def switch_on(self, kind: str, *, times: int | None = None, seconds: float | None = None, **values: Any) -> None:
        """Replaces what this kind was set to. Raises ValueError for an unknown kind."""
        if kind not in self.kinds:
            raise ValueError(f"no such fault: {kind}")
        self._on[kind] = Fault(times, None if seconds is None else clock.now() + timedelta(seconds=seconds), values)

    def switch_off(self, kind: str) -> None:
        self._on.pop(kind, None)

    def active(self) -> dict[str, Fault]:
        """What is on now."""
        now = clock.now()
        self._on = {kind: fault for kind, fault in self._on.items() if fault.until is None or now < fault.until}
        return dict(self._on)

    def take(self, kind: str) -> Fault | None:
        """The fault, if it strikes now: one occasion of it is used up."""
        fault = self.active().get(kind)
        if fault is not None and fault.left is not None:
            fault.left -= 1
            if fault.left <= 0:
                self.switch_off(kind)
        return fault
