"""What goes wrong on demand. A fault holds for the next n occasions, for some seconds, or until it is switched off.

rate_limited   429; `retry_after` seconds, by default what is left of the fault, else 1
server_error   `status` (500 to 599, default 500) before anything was done
lost_answer    done, and it shows on the phone, but the answer never comes: after `delay` seconds (default 60) the
               connection is cut
slow           done and answered `delay` seconds (default 3) late
blocked        403, as if the person had blocked the bot
deactivated    403, as if the person had deleted their account
flood_limits   Telegram's rate limits hold (`limits.py`); off: a demo and tests may write as fast as they like
duplicate      an accepted update is delivered once more
reorder        an update waits until one of another queue has passed it, at most Options.hold_seconds

Of files:

file_too_big   getFile answers 400 `file is too big`, whatever the size
file_gone      getFile answers 400 `wrong file_id or the file is temporarily unavailable`
file_limited   429 of getFile alone; `retry_after` as above
expired_path   a download answers 404, as after the hour that a path is good for
slow_download  the bytes come in small portions that take `delay` seconds (default 10) in all
half_download  the connection is cut after half of the bytes
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

from hub.core import clock

Kind = Literal[
    "rate_limited", "server_error", "lost_answer", "slow", "blocked", "deactivated", "flood_limits", "duplicate", "reorder",
    "file_too_big", "file_gone", "file_limited", "expired_path", "slow_download", "half_download",
]  # fmt: skip
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

UNTOUCHED: Final = frozenset({"getme", "getupdates", "getwebhookinfo", "setwebhook", "deletewebhook"})
"""Methods that faults leave alone unless they name them: a demo should stay connected."""


@dataclass(slots=True)
class Fault:
    """One fault that is on."""

    left: int | None = None
    """Occasions that are left; None: no such end."""
    until: datetime | None = None
    retry_after: int | None = None
    status: int = 500
    delay: float | None = None
    methods: frozenset[str] | None = None
    """Names of methods in lower case; None: all but UNTOUCHED."""

    def touches(self, method: str) -> bool:
        return method not in UNTOUCHED if self.methods is None else method in self.methods

    def wait(self) -> int:
        """What a 429 tells the bot to wait, in seconds."""
        if self.retry_after is not None:
            return self.retry_after
        return 1 if self.until is None else max(1, math.ceil((self.until - clock.now()).total_seconds()))


class Faults:
    """The faults of one bot."""

    def __init__(self) -> None:
        self._on: dict[Kind, Fault] = {}

    def switch_on(
        self,
        kind: Kind,
        *,
        next_: int | None = None,
        seconds: float | None = None,
        retry_after: int | None = None,
        status: int = 500,
        delay: float | None = None,
        methods: frozenset[str] | None = None,
    ) -> None:
        """Replaces what this kind was set to."""
        until = None if seconds is None else clock.now() + timedelta(seconds=seconds)
        self._on[kind] = Fault(next_, until, retry_after, status, delay, methods)

    def switch_off(self, kind: Kind) -> None:
        self._on.pop(kind, None)

    def active(self) -> dict[Kind, Fault]:
        """What is on now."""
        now = clock.now()
        self._on = {kind: fault for kind, fault in self._on.items() if fault.until is None or now < fault.until}
        return dict(self._on)

    def take(self, kind: Kind, method: str | None = None) -> Fault | None:
        """The fault, if it strikes now: one occasion of it is used up."""
        fault = self.active().get(kind)
        if fault is None or (method is not None and not fault.touches(method)):
            return None
        if fault.left is not None:
            fault.left -= 1
            if fault.left <= 0:
                self.switch_off(kind)
        return fault
