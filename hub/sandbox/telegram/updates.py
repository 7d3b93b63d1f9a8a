"""What a bot gets to know, and what waits for it. `webhook.py` carries it to an address, `methods/polling.py` hands it out.

An `update_id` counts inside its bot. Nothing survives the process; so that a hub which already knows the ids of an earlier one
meets no old id again, update and message ids start with the time.
"""

import asyncio
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from hub.core import clock
from hub.sandbox.numbers import FIRST_DAY
from hub.sandbox.telegram.wire import Json

UPDATE_KINDS: Final = (
    "message", "edited_message", "channel_post", "edited_channel_post", "inline_query", "chosen_inline_result",
    "callback_query", "shipping_query", "pre_checkout_query", "poll", "poll_answer", "my_chat_member", "chat_member",
    "chat_join_request", "chat_boost", "removed_chat_boost", "message_reaction", "message_reaction_count",
    "business_connection", "business_message", "edited_business_message", "deleted_business_messages",
    "purchased_paid_media", "managed_bot", "guest_message", "subscription",
)  # fmt: skip
DEFAULT_UPDATES: Final = frozenset(UPDATE_KINDS) - {"chat_member", "message_reaction", "message_reaction_count"}

UPDATE_LIFE: Final = timedelta(hours=24)
QUERY_LIFE: Final = timedelta(seconds=150)
QUERIES: Final = frozenset({"callback_query", "shipping_query", "pre_checkout_query"})
DELIVERIES_KEPT: Final = 200

IDS_PER_SECOND: Final = 4
"""How far the first number of a process lies behind the first number of one that started a second earlier. Ids are 32 bits
wide: enough for 16 years from FIRST_DAY."""


def first_number() -> int:
    """Where message and update ids of this process start: higher than any that a process before it will have reached, and with no
    more than the 32 bits that Telegram's have."""
    seconds = (clock.now() - FIRST_DAY).total_seconds()
    return max(0, int(seconds * IDS_PER_SECOND)) + random.randint(1, 1000)


def known_updates(names: Iterable[object]) -> frozenset[str]:
    """The kinds of an `allowed_updates` list: unknown names are dropped in silence, none left means the default set."""
    return frozenset(str(name).lower() for name in names) & frozenset(UPDATE_KINDS) or DEFAULT_UPDATES


class State(StrEnum):
    """What became of an update."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    DROPPED = "dropped"
    """Its life was over, or the bot asked to drop what waits."""
    NOT_ASKED = "not_asked"
    """The kind is not among the bot's allowed updates: it was never queued."""


@dataclass(slots=True)
class Update:
    """Something a bot gets to know."""

    id: int
    kind: str
    payload: Json
    queue: tuple[str, int]
    """Updates of one queue are delivered strictly one after the other, those of different queues overtake each other."""
    expires_at: datetime
    state: State = State.WAITING

    def as_json(self) -> Json:
        return {"update_id": self.id, self.kind: self.payload}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST to the webhook, for the phone page and for tests."""

    update_id: int
    kind: str
    attempt: int
    """1 for the first; a duplicate of an accepted update counts on."""
    at: datetime
    status: int | None
    """None: no answer."""
    milliseconds: float
    error: str = ""
    again_in: float | None = None
    """Seconds until the next attempt; None: there is none."""

    @property
    def is_accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Address:
    """The parameters of setWebhook that make one webhook differ from another."""

    url: str
    secret_token: str = ""
    max_connections: int = 40
    ip_address: str = ""
    has_certificate: bool = False


class Carrier(Protocol):
    """Carries updates to an address."""

    address: Address
    last_error: tuple[int, str] | None
    """Unix seconds, and what went wrong; for getWebhookInfo."""

    def add(self, update: Update) -> None: ...

    async def settled(self) -> None: ...

    async def stop(self) -> None: ...


class Mailbox:
    """What waits for one bot."""

    def __init__(self) -> None:
        self.allowed_updates: frozenset[str] = DEFAULT_UPDATES
        self.pending: dict[int, Update] = {}
        """By id, oldest first."""
        self.webhook: Carrier | None = None
        self.deliveries: deque[Delivery] = deque(maxlen=DELIVERIES_KEPT)
        self.on_update: Callable[[Update], None] | None = None
        """Called for each queued update while no webhook is set (getUpdates waits for it)."""
        self.poll: asyncio.Future[str] | None = None
        """An open getUpdates; its result is why it ends in a conflict, empty for an update."""
        self.next_set_webhook = 0.0
        """When the next setWebhook may come, on the process's monotonic clock."""
        self._update_ids = itertools.count(first_number())

    def queue(self, kind: str, payload: Json, queue: tuple[str, int]) -> Update:
        """Something happened: it waits for delivery, if the bot asked for its kind. Its life counts from now, so that messages
        with an earlier date can be made for demos."""
        life = QUERY_LIFE if kind in QUERIES else UPDATE_LIFE
        if kind in UPDATE_KINDS and kind not in self.allowed_updates:
            return Update(0, kind, payload, queue, clock.now() + life, State.NOT_ASKED)
        update = Update(next(self._update_ids), kind, payload, queue, clock.now() + life)
        self.pending[update.id] = update
        if self.webhook is not None:
            self.webhook.add(update)
        elif self.on_update is not None:
            self.on_update(update)
        return update

    def settle(self, update: Update, state: State) -> None:
        """The update leaves the queue."""
        update.state = state
        self.pending.pop(update.id, None)

    def drop_pending(self) -> None:
        for update in list(self.pending.values()):
            self.settle(update, State.DROPPED)

    def live_pending(self) -> list[Update]:
        """What waits, oldest first; what is too old goes."""
        now = clock.now()
        for update in [update for update in self.pending.values() if update.expires_at < now]:
            self.settle(update, State.DROPPED)
        return list(self.pending.values())
