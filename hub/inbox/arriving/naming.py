"""What people are called, where their messages do not say it (`NamesPeople`): the lane of direction `names`.

A new identity without a name is due at once, and the provider is asked once, with no transaction open. What it does not tell stays
untold; where it could not be asked, the same person is asked for again a day later, so that a permission that is missing costs one
question a day and no message.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from hub.channels.accounts import OpenChannel, read_channel
from hub.connectors.contract import NamesPeople
from hub.connectors.errors import AuthFailed, RateLimited, Rejected, SendError
from hub.connectors.events import Sender
from hub.connectors.http import connector_client
from hub.core import clock, ids, lanes
from hub.core.feed import note_change
from hub.core.lanes import LANE_TROUBLE, Lane
from hub.inbox.arriving.people import learn_names
from hub.runtime import Runtime

log = structlog.get_logger()

AT_ONCE: Final = 20
"""Names that are asked for one after the other before they are written down; the sweeper comes back for more."""
AGAIN: Final = timedelta(days=1)
"""When somebody is asked for again for whom the provider had no answer of either kind."""
SOON: Final = timedelta(hours=1)
"""When others of the channel are asked for, after a provider that was away."""


@dataclass(frozen=True, slots=True)
class _Nameless:
    """Somebody of whom only the address is known."""

    identity_id: UUID
    conversation_id: UUID
    address: str


@dataclass(slots=True)
class _Asked:
    """What came of asking. `rest`: how long the whole channel is left alone; zero: not at all."""

    named: list[tuple[_Nameless, Sender]] = field(default_factory=list)
    untold: list[_Nameless] = field(default_factory=list)
    again: list[_Nameless] = field(default_factory=list)
    rest: timedelta = timedelta()


async def drain(runtime: Runtime, organisation_id: UUID, channel_id: UUID, worker_id: UUID) -> None:
    """Ask for those of one channel who are due. Returns at once when another worker does."""
    lane = await lanes.take(runtime.database, organisation_id, channel_id, "names", worker_id)
    if lane is None:
        return
    try:
        await lanes.hold_while(runtime.database, lane, _ask(runtime, lane))
        await runtime.queue.unflag(channel_id, "names")
        while not await lane.let_go():
            pass  # whoever asked for another look gets it from the sweeper
    except LANE_TROUBLE as error:
        log.warning("lane_left", direction="names", error=type(error).__name__)


async def _ask(runtime: Runtime, lane: Lane) -> None:
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        channel = await read_channel(runtime, unit, lane.channel_id)
        rows = await unit.sql.fetch(
            """
            SELECT i.id AS identity_id, c.id AS conversation_id, i.provider_user_id AS address FROM identity i
            JOIN conversation c ON c.organisation_id = i.organisation_id AND c.identity_id = i.id
            WHERE i.organisation_id = $1 AND i.channel_id = $2 AND i.name_due_at <= $3 ORDER BY i.name_due_at, i.id LIMIT $4
            """,
            unit.tenant,
            lane.channel_id,
            clock.now(),
            AT_ONCE,
        )
    if rows:
        await _keep(runtime, lane, await _answers(runtime, channel, [_Nameless(**row) for row in rows]))


async def _answers(runtime: Runtime, channel: OpenChannel, due: Sequence[_Nameless]) -> _Asked:
    """Ask for one after the other; whoever comes after a provider that is not to be asked now is left out."""
    assert isinstance(channel.connector, NamesPeople)
    asked = _Asked()
    async with connector_client(runtime.settings.trusted_hosts) as http:
        for one in due:
            try:
                told = await channel.connector.name_of(one.address, channel.account, http)
            except SendError as error:
                log.warning("name_waits", error=error.code, channel=ids.show("chn", channel.channel_id))
                asked.again.append(one)
                if isinstance(error, Rejected):
                    continue  # it is about this person
                asked.rest = _rest_after(error)
                break
            if told is not None and (told.display_name or told.username):
                asked.named.append((one, told))
            else:
                asked.untold.append(one)
    return asked


def _rest_after(error: SendError) -> timedelta:
    if isinstance(error, RateLimited):
        return timedelta(seconds=error.retry_after)
    return AGAIN if isinstance(error, AuthFailed) else SOON


async def _keep(runtime: Runtime, lane: Lane, asked: _Asked) -> None:
    now = clock.now()
    async with runtime.database.unit_of_work(lane.organisation_id) as unit:
        await lane.hold(unit)
        await learn_names(unit, [(one.identity_id, told) for one, told in asked.named])
        await unit.sql.execute(
            """
            UPDATE identity SET name_due_at = CASE
                WHEN id = ANY($3::uuid[]) THEN NULL
                WHEN id = ANY($4::uuid[]) THEN $5::timestamptz
                ELSE GREATEST(name_due_at, $6) END
            WHERE organisation_id = $1 AND channel_id = $2 AND name_due_at IS NOT NULL
            """,
            unit.tenant,
            lane.channel_id,
            [one.identity_id for one in asked.untold],
            [one.identity_id for one in asked.again],
            now + AGAIN,
            now + asked.rest,
        )
        for one, _ in asked.named:
            note_change(unit, "conversation", {"conversation": ids.show("conv", one.conversation_id)})
