"""What this room tells higher ones."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ChannelBlocked:
    """The kill switch was set (R-183): nothing of this channel may leave any more. Published in the same transaction."""

    channel_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class ChannelOpened:
    """The channel was checked with its provider and is on: what waited for it may go now."""

    channel_id: UUID


@dataclass(frozen=True, slots=True)
class AccountReplaced:
    """The channel stands for another account at its messenger from now on: keys of the former one mean nothing there, and may mean
    another thing. Published in the same transaction."""

    channel_id: UUID
