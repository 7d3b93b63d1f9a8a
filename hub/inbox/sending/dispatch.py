"""The lane of direction `out`: turns of one transaction each, requests in between.

    a turn (one transaction)      hold the lease, record what came back, claim what may go next
    requests                      at most 64 at once per worker, with no transaction open

A worker that takes a lane over finds the attempts its predecessor left open: nobody knows whether they arrived, so they become
`unknown` and are never repeated by themselves (I5).
"""

import asyncio
import time
from uuid import UUID

import structlog
from prometheus_client import Counter
from redis.exceptions import RedisError
from structlog.contextvars import bound_contextvars

from hub.channels.accounts import OpenChannel, read_channel
from hub.connectors.contract import KnowsPeers, OutboundAction, Permit, PermitInvalid, Receipt, ShowTyping
from hub.connectors.errors import OutcomeUnknown, SendError
from hub.connectors.http import connector_client
from hub.connectors.sharing import SharesBudget
from hub.core import clock, ids, lanes
from hub.core.db import STORE_TROUBLE
from hub.core.lanes import LANE_TROUBLE, Lane
from hub.inbox.arriving.ingest import load_channel
from hub.inbox.arriving.peers import keys_for_waiting
from hub.inbox.sending.claiming import Claim, Sign, claim, permit_sign
from hub.inbox.sending.rate import Rate, SharedBudget, Tokens
from hub.inbox.sending.results import NotSent, Result, abandon_open_attempts, record_results
from hub.runtime import Runtime

log = structlog.get_logger()

AT_ONCE = 64
TURN_SECONDS = 20.0
"""How long one job works a lane before it lets the next job go on."""
CLAIM_BATCH = 64
SHORTEST_TURN = 0.01
"""Seconds between two turns that no answer asked for: tokens that come in between are used together."""
RESCUES, RESCUE_SECONDS = 15, 1.0
LOOK_SECONDS = 0.2
"""How often the lane is looked at while requests are under way: renews the lease, finds what was queued meanwhile."""

attempts = Counter("hub_attempts_total", "Requests to messengers for messages, by outcome", ["connector", "outcome"])


class Clients:
    """The HTTP client of one worker, and the places at it: `free` is taken before a claim and given back by `send`."""

    def __init__(self, trusted: frozenset[str], *, at_once: int = AT_ONCE) -> None:
        self._http = connector_client(trusted)
        self.free = asyncio.Semaphore(at_once)

    async def send(self, channel: OpenChannel, claim: Claim) -> Result:
        """One attempt for a claimed part. Whatever is logged meanwhile names attempt, part and message."""
        shown = {"attempt": ids.show("att", claim.action.attempt_id), "part": ids.show("prt", claim.action.part_id)}
        with bound_contextvars(**shown, message=ids.show("msg", claim.message_id)):
            answer = await self.attempt(channel, claim.permit, claim.action)
            outcome = answer.status if isinstance(answer, Receipt) else answer.code
            log.info("attempt", outcome=outcome)
        attempts.labels(channel.connector.connector, outcome).inc()
        return Result(claim, answer)

    async def attempt(self, channel: OpenChannel, permit: Permit, action: OutboundAction) -> Receipt | SendError:
        """Use a permit in a place that was acquired (`free`). Never raises: whatever happened is the result."""
        try:
            return await channel.connector.send(permit, action, channel.account, self._http)
        except SendError as error:
            return error
        except PermitInvalid:
            return NotSent()
        except Exception as error:  # noqa: BLE001 - the edge: a defect of a connector must not stop the lane
            log.error("connector_defect", error=type(error).__name__, connector=channel.connector.connector)
            return OutcomeUnknown("internal")
        finally:
            self.free.release()

    async def close(self) -> None:
        await self._http.aclose()


class _Turns:
    """The work on one lane while it is held."""

    def __init__(self, runtime: Runtime, clients: Clients, lane: Lane, channel: OpenChannel) -> None:
        self._runtime = runtime
        self._clients = clients
        self._lane = lane
        self._channel = channel
        self._rate = Rate(runtime.queue, lane.channel_id, channel.per_second)
        connector = channel.connector
        shared = connector.budget(channel.account) if isinstance(connector, SharesBudget) else None
        self._budget = SharedBudget(runtime.queue, shared) if shared else None
        self._running: set[asyncio.Task[Result]] = set()
        self._results: list[Result] = []

    async def work(self, until: float) -> bool:
        """Work until nothing is due (True) or the time is up (False); all requests are answered and recorded then."""
        while True:
            may_start = time.monotonic() < until
            if isinstance(self._channel.connector, KnowsPeers):
                await keys_for_waiting(self._runtime, self._lane, self._channel)
            tokens = await self._tokens() if may_start else Tokens(0, 0, 0.0)
            claimed = await self._turn(tokens)
            if not self._running and not self._results:
                if not may_start:
                    return False
                if not claimed and (tokens.any or not await self._is_due()):
                    return True
            await self._wait(tokens, claimed)

    async def _is_due(self) -> bool:
        """Whether it is worth waiting for a token: on a slow channel that may take a minute."""
        async with self._runtime.database.unit_of_work(self._lane.organisation_id) as unit:
            return bool(
                await unit.sql.fetchval(
                    """
                    SELECT EXISTS (SELECT FROM message_part
                                   WHERE organisation_id = $1 AND channel_id = $2 AND state = 'queued' AND due_at <= $3)
                    """,
                    unit.tenant,
                    self._lane.channel_id,
                    clock.now(),
                )
            )

    async def _tokens(self) -> Tokens:
        """Places for new requests, each with a rate token."""
        places = 0
        while places < CLAIM_BATCH and not self._clients.free.locked():
            await self._clients.free.acquire()
            places += 1
        if not places:
            return Tokens(0, 0, 0.0)
        try:
            tokens = await self._rate.take(places)
            if self._budget and tokens.any:
                tokens = await self._within_budget(self._budget, tokens)
        except (RedisError, OSError) as error:
            log.warning("rate_unknown", error=type(error).__name__)
            tokens = Tokens(0, 0, 1.0)
        for _ in range(places - tokens.any):
            self._clients.free.release()
        return tokens

    async def _within_budget(self, budget: SharedBudget, tokens: Tokens) -> Tokens:
        """As many of these as all accounts together may use now; the rest goes back."""
        left, wait = await budget.take(tokens.any)
        bulk = min(tokens.bulk, left)
        await self._rate.give_back(tokens.any - left, tokens.bulk - bulk)
        return Tokens(left, bulk, max(tokens.wait, wait))

    async def _turn(self, tokens: Tokens) -> int:
        """One transaction; the requests it permitted are started after its commit."""
        recorded, self._results = self._results, []
        claims: list[Claim] = []
        try:
            async with self._runtime.database.unit_of_work(self._lane.organisation_id) as unit:
                await self._lane.hold(unit)
                if recorded:
                    await record_results(self._runtime, unit, self._channel, recorded)
                if tokens.any:
                    claims = await claim(
                        self._runtime, unit, self._lane.channel_id, self._lane.fence, any_=tokens.any, bulk=tokens.bulk
                    )
                if claims:  # credentials may have been renewed since the last turn
                    self._channel = await read_channel(self._runtime, unit, self._lane.channel_id)
        except BaseException:
            self._results = recorded + self._results
            await self._return(tokens, [])
            raise
        await self._return(tokens, claims)
        hold = max((result.hold_seconds for result in recorded), default=0.0)
        if hold:
            await self._rate.hold(hold)
        for one in claims:
            self._running.add(asyncio.create_task(self._clients.send(self._channel, one)))
        return len(claims)

    async def _return(self, tokens: Tokens, claims: list[Claim]) -> None:
        unused = tokens.any - len(claims)
        for _ in range(unused):
            self._clients.free.release()
        if unused:
            try:
                await self._rate.give_back(unused, min(unused, tokens.bulk))
                if self._budget:
                    await self._budget.give_back(unused)
            except (RedisError, OSError) as error:
                log.warning("rate_unknown", error=type(error).__name__)

    async def _wait(self, tokens: Tokens, claimed: int) -> None:
        """Until a request is answered, the next token is there, or it is time to look again: a slow answer must neither cost the
        lease nor keep other conversations waiting."""
        if self._running:
            wants_tokens = claimed == tokens.any and tokens.wait and not self._clients.free.locked()
            timeout = min(max(tokens.wait, SHORTEST_TURN), LOOK_SECONDS) if wants_tokens else LOOK_SECONDS
            done, self._running = await asyncio.wait(self._running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            self._results += [task.result() for task in done]
        elif not self._results:
            await asyncio.sleep(min(tokens.wait, 1.0))

    async def rescue(self) -> None:
        """After losing the lease or the database: wait for what is under way and record it by its attempts, for evidence is never
        thrown away. While the database is away this tries again for a while; then the attempts stay open and become `unknown`."""
        if self._running:
            done, self._running = await asyncio.wait(self._running)
            self._results += [task.result() for task in done]
        for _ in range(RESCUES):
            if not self._results:
                return
            try:
                async with self._runtime.database.unit_of_work(self._lane.organisation_id) as unit:
                    await record_results(self._runtime, unit, self._channel, self._results)
                self._results = []
            except STORE_TROUBLE as error:
                log.warning("rescue_waits", error=type(error).__name__)
                await asyncio.sleep(RESCUE_SECONDS)


async def show_sign(runtime: Runtime, clients: Clients, organisation_id: UUID, conversation_id: UUID, sign: Sign) -> None:
    """Show a customer that somebody writes or has read, if the gate lets us, a token and a place are free. Nothing is stored or
    tried again."""
    async with runtime.database.unit_of_work(organisation_id) as unit:
        leave = await permit_sign(runtime, unit, conversation_id, sign)
        if leave is None:
            return
        permit, action, channel_id = leave
        channel = await read_channel(runtime, unit, channel_id)
    if clients.free.locked() or not (await Rate(runtime.queue, channel_id, channel.per_second).take(1)).any:
        return
    await clients.free.acquire()
    answer = await clients.attempt(channel, permit, action)
    if isinstance(answer, Receipt) and isinstance(action, ShowTyping):  # a widget of our own chat shows it (`webchat/stream.py`)
        await runtime.live.whisper(organisation_id, {"shown_typing": ids.show("conv", conversation_id)})


async def drain(runtime: Runtime, clients: Clients, organisation_id: UUID, channel_id: UUID, worker_id: UUID) -> None:
    """Send everything that is due on one channel. Returns at once when another worker has the lane."""
    lane = await lanes.take(runtime.database, organisation_id, channel_id, "out", worker_id)
    if lane is None:
        return
    channel = await load_channel(runtime, organisation_id, channel_id)
    turns = _Turns(runtime, clients, lane, channel)
    until = time.monotonic() + TURN_SECONDS
    try:
        async with runtime.database.unit_of_work(organisation_id) as unit:
            await lane.hold(unit)
            await abandon_open_attempts(unit, channel_id)
        while True:
            is_empty = await turns.work(until)
            await runtime.queue.unflag(channel_id, "out")
            if is_empty and not await turns.work(until):
                is_empty = False
            if await lane.let_go():
                break
        if not is_empty:
            await runtime.queue.nudge_lane(organisation_id, channel_id, "out")
    except LANE_TROUBLE as error:
        log.warning("lane_left", direction="out", error=type(error).__name__)
        await turns.rescue()
