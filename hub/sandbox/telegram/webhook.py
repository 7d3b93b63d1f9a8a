"""How updates reach the address a bot has set: WebhookActor of `tdlib/telegram-bot-api`, without its connection handling.

One update per POST. One queue per chat and kind of update: its next update goes out only after the one before was answered
2xx, while other queues go on; at most `max_connections` requests at once. Anything but 2xx repeats: at once after the first
failure, then with doubling delays. An update whose life ends before its next attempt is dropped.
"""

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

import httpx

from hub.core import clock
from hub.sandbox.telegram.updates import Address, Delivery, State, Update
from hub.sandbox.telegram.wire import Json, dump, unix_now
from hub.sandbox.telegram.world import Bot

LONGEST_RETRY_AFTER: Final = 3600
RESEND_TIMEOUT: Final = (60, 120)
"""Where between the two numbers of seconds the delays stop doubling is chosen anew each time."""
GONE_LIFE: Final = timedelta(hours=23)
"""An address that answers nothing but 410 for so long loses its webhook."""
LONGEST_ANSWER: Final = 1_000_000
NOT_FROM_ANSWERS: Final = frozenset({"deletewebhook", "setwebhook", "close", "logout"})
"""Methods that are not run from a webhook's answer, besides all that begin with `get`."""

RunMethod = Callable[[str, Json], Awaitable[None]]


def retry_delay(failures: int, retry_after: int) -> float:
    """Seconds until the next attempt after that many failures of one update; `retry_after` is the header's, 0 for none."""
    if retry_after > 0:
        return min(retry_after, LONGEST_RETRY_AFTER)
    if failures <= 1:
        return 0
    doubled: int = 2 ** min(failures - 1, 10)
    return min(random.randint(*RESEND_TIMEOUT), doubled)


@dataclass(frozen=True, slots=True)
class Options:
    """What tests change."""

    retry_delay: Callable[[int, int], float] = retry_delay
    """Failures of the update so far and Retry-After -> seconds to wait."""
    answer_timeout: float = 60.0
    """Seconds a webhook may take to answer."""
    hold_seconds: float = 10.0
    """How long a reordered update waits for another to pass it."""
    set_webhook_interval: float = 1.0
    """Seconds between two setWebhook of one bot; earlier ones get 429."""
    is_local: bool = True
    """As the server's `--local`: any port, and http without encryption, so that a hub on loopback can be reached."""


class Webhook:
    """Carries one bot's updates to one address until it is stopped."""

    def __init__(self, bot: Bot, address: Address, options: Options, http: httpx.AsyncClient, run: RunMethod) -> None:
        """`run` executes a method that the webhook's answer asked for."""
        self.address = address
        self.last_error: tuple[int, str] | None = None
        """Unix seconds, and what went wrong; for getWebhookInfo."""
        self._bot = bot
        self._options = options
        self._http = http
        self._run = run
        self._slots = asyncio.Semaphore(address.max_connections)
        self._waiting: dict[tuple[str, int], deque[Update]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: asyncio.Event | None = None
        self._gone_since: datetime | None = None
        self._is_stopped = False
        for update in bot.live_pending():
            self.add(update)

    def add(self, update: Update) -> None:
        """Deliver this too."""
        queue = self._waiting.get(update.queue)
        if queue is not None:
            queue.append(update)
            return
        queue = self._waiting[update.queue] = deque([update])
        task = asyncio.create_task(self._drain(update.queue, queue))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def settled(self) -> None:
        """Until everything is accepted or dropped."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        """Leave everything that was not accepted to whatever comes next."""
        self._is_stopped = True
        others = self._tasks - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.result()

    async def _drain(self, name: tuple[str, int], queue: deque[Update]) -> None:
        while queue and not self._is_stopped:
            await self._carry(queue[0])
            queue.popleft()
        del self._waiting[name]

    async def _carry(self, update: Update) -> None:
        """Until the update is accepted or its life is over."""
        if self._bot.faults.take("lost"):
            self._bot.settle(update, State.DROPPED)
            self._bot.deliveries.append(Delivery(update.id, update.kind, 0, clock.now(), None, 0, "lost"))
            return
        if self._bot.faults.active().get("reorder") and self._held is None:
            await self._hold()
        failures = 0
        while update.state is State.WAITING:
            if clock.now() > update.expires_at:
                self._bot.settle(update, State.DROPPED)
                return
            async with self._slots:
                delivery, retry_after = await self._post(update, failures + 1)
            if delivery.is_accepted:
                self._bot.settle(update, State.ACCEPTED)
                self._bot.deliveries.append(delivery)
                if self._held is not None:
                    self._held.set()
                if self._bot.faults.take("duplicate"):
                    async with self._slots:
                        again, _ = await self._post(update, failures + 2)
                    self._bot.deliveries.append(again)
                return
            failures += 1
            delay = self._options.retry_delay(failures, retry_after)
            is_over = clock.now() + timedelta(seconds=delay) > update.expires_at
            self._bot.deliveries.append(replace(delivery, again_in=None if is_over else delay))
            if is_over:
                self._bot.settle(update, State.DROPPED)
            elif await self._is_gone(delivery):
                return
            else:
                await asyncio.sleep(delay)

    async def _hold(self) -> None:
        """Let an update of another queue pass. One at a time waits: two that wait for each other would change nothing."""
        self._bot.faults.take("reorder")
        self._held = asyncio.Event()
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._held.wait(), self._options.hold_seconds)
        finally:
            self._held = None

    async def _post(self, update: Update, attempt: int) -> tuple[Delivery, int]:
        """One attempt; what came of it and the seconds of its Retry-After."""
        headers = {"content-type": "application/json"}
        if self.address.secret_token:
            headers["x-telegram-bot-api-secret-token"] = self.address.secret_token
        at, started = clock.now(), time.monotonic()
        status, error, retry_after, answer = None, "", 0, None
        try:
            answer = await self._http.post(
                self.address.url,
                content=dump(update.as_json()).encode(),
                headers=headers,
                timeout=self._options.answer_timeout,
            )
            status = answer.status_code
        except httpx.TimeoutException:
            error = "Read timeout expired"
        except httpx.ConnectError:
            error = "Connection refused"
        except httpx.HTTPError:
            error = "Webhook connection closed"
        milliseconds = (time.monotonic() - started) * 1000
        if answer is not None and not answer.is_success:
            error = f"Wrong response from the webhook: {status} {_phrase(answer.status_code)}"
            header = answer.headers.get("retry-after", "")
            retry_after = int(header) if header.isascii() and header.isdigit() else 0
        if error:
            self.last_error = (unix_now(), error)
        elif answer is not None:
            await self._run_answer(answer)
        return Delivery(update.id, update.kind, attempt, at, status, milliseconds, error), retry_after

    async def _run_answer(self, answer: httpx.Response) -> None:
        """A 2xx answer with a `method` is a call of the Bot API."""
        if not answer.headers.get("content-type", "").startswith("application/json") or len(answer.content) > LONGEST_ANSWER:
            return
        try:
            body = answer.json()
        except ValueError:
            return
        method = body.get("method") if isinstance(body, dict) else None
        if not isinstance(method, str) or not method:
            return
        name = method.lower()
        if name not in NOT_FROM_ANSWERS and not name.startswith("get"):
            await self._run(name, {key: value for key, value in body.items() if key != "method"})

    async def _is_gone(self, delivery: Delivery) -> bool:
        """Whether the address answered 410 for so long that it lost its webhook just now."""
        if delivery.status != HTTPStatus.GONE:
            self._gone_since = None
            return False
        if self._gone_since is None:
            self._gone_since = delivery.at
        if clock.now() - self._gone_since <= GONE_LIFE:
            return False
        self._bot.webhook = None
        await self.stop()
        return True


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
