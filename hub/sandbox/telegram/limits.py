"""Telegram's rate limits, as far as they are told (provider file, section 9). They hold while the fault `flood_limits` is on.

The real server keeps its exact numbers secret; these are those of its FAQ: about one message a second in one chat where short
bursts pass, 30 a second over all chats, 20 a minute in one group.
"""

import math
from collections import defaultdict, deque
from typing import Final

from hub.core import clock

BURST: Final = 5
"""Messages that may follow each other in one chat before the pace of one a second counts. Our choice: "short bursts pass"."""
ALL_PER_SECOND: Final = 30
GROUP_PER_MINUTE: Final = 20


class FloodLimits:
    """What one bot has sent lately."""

    def __init__(self) -> None:
        self._all: deque[float] = deque()
        self._chats: defaultdict[int, deque[float]] = defaultdict(deque)

    def wait(self, chat_id: int, count: int = 1) -> int:
        """Seconds until so many messages may go to this chat; 0 when they may now, and then they are counted."""
        now = clock.now().timestamp()
        of_chat = self._chats[chat_id]
        limits = [(self._all, ALL_PER_SECOND, 1.0)]
        limits.append((of_chat, GROUP_PER_MINUTE, 60.0) if chat_id < 0 else (of_chat, BURST, float(BURST)))
        waits = [_wait(sent, most, seconds, now, count) for sent, most, seconds in limits]
        if not max(waits):
            self._all.extend([now] * count)
            of_chat.extend([now] * count)
        return max(waits)


def _wait(sent: deque[float], most: int, seconds: float, now: float, count: int) -> int:
    while sent and sent[0] <= now - seconds:
        sent.popleft()
    if not sent or len(sent) + count <= most:
        return 0
    until = sent[min(len(sent) + count - most, len(sent)) - 1] + seconds
    return max(1, math.ceil(until - now))
