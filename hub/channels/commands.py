"""What `hub channels` does: a small runtime for one command."""

from datetime import date

from hub.channels.approval import set_approval
from hub.channels.endings import end_messenger
from hub.core import ids
from hub.core.hooks import Hooks
from hub.core.settings import Settings
from hub.runtime import open_runtime


async def end_from_command_line(settings: Settings, connector: str, from_day: date, reason: str) -> tuple[int, int]:
    """How many organisations use the messenger, and how many owners got a mail. Raises what `end_messenger` raises."""
    async with open_runtime(settings, Hooks(), pool=1) as runtime:
        return await end_messenger(runtime, connector, from_day, reason)


async def approve_from_command_line(settings: Settings, channel: str, word: str, reason: str) -> None:
    """Raises what `set_approval` raises, and NotFound for a malformed id."""
    async with open_runtime(settings, Hooks(), pool=1) as runtime:
        await set_approval(runtime, ids.read("chn", channel), word, reason)
