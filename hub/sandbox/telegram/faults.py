"""What goes wrong with Telegram on demand besides what goes wrong with every messenger (`hub/sandbox/faults.py`).

blocked        403, as if the person had blocked the bot
deactivated    403, as if the person had deleted their account
flood_limits   Telegram's rate limits hold (`limits.py`); off: a demo and tests may write as fast as they like
file_too_big   getFile answers 400 `file is too big`, whatever the size
file_limited   429 of getFile alone; `retry_after` as for rate_limited
expired_path   a download answers 404, as after the hour that a path is good for
slow_download  the bytes come in small portions that take `delay` seconds (default 10) in all
half_download  the connection is cut after half of the bytes

Those that strike a method may name it (`methods`). `file_gone`: getFile answers 400 `wrong file_id or the file is temporarily
unavailable`. `refused`: `code` is the error's, `description` its text.
"""

from typing import Final

from hub.sandbox import faults
from hub.sandbox.faults import Fault, Faults

KINDS: Final = (
    *faults.KINDS, "blocked", "deactivated", "flood_limits", "file_too_big", "file_limited", "expired_path", "slow_download",
    "half_download",
)  # fmt: skip
UNTOUCHED: Final = frozenset({"getme", "getupdates", "getwebhookinfo", "setwebhook", "deletewebhook"})
"""Methods that faults leave alone unless they name them: a demo should stay connected."""


def take(on: Faults, kind: str, method: str) -> Fault | None:
    """The fault, if it strikes this method (name in lower case) now: one occasion of it is used up."""
    fault = on.active().get(kind)
    return on.take(kind) if fault is not None and _touches(fault, method) else None


def _touches(fault: Fault, method: str) -> bool:
    named = fault.values.get("methods")
    return method not in UNTOUCHED if named is None else method in {name.lower() for name in named}
