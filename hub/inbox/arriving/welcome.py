"""The one message that rides in the answer to a webhook (`AnswersInline`): what somebody who opens the chat is told first.

One transaction stores the delivery, asks the gate (nobody is greeted without an opt-in on record, R-221) and writes message,
decision and attempt. The message stays `unknown` until a receipt says more, and is never sent again: nobody can know whether the
answer arrived."""

from dataclasses import replace

import structlog

from hub.channels import caps
from hub.channels.accounts import OpenChannel
from hub.connectors.contract import AnswersInline, Reply
from hub.connectors.errors import SendError
from hub.connectors.events import Sender
from hub.consent import gate, locks
from hub.inbox.arriving.arrivals import Arrival, append_in, note_stored
from hub.inbox.arriving.people import Named, conversations_of, open_talks
from hub.inbox.content import clean
from hub.inbox.sending.claiming import write_welcome
from hub.inbox.sending.facts import load_recipients, load_stranger
from hub.inbox.sending.outbound import keep_decisions
from hub.runtime import Runtime

log = structlog.get_logger()


async def greet(runtime: Runtime, channel: OpenChannel, arrived: Arrival, sender: Sender) -> Reply | None:
    """Keep this delivery and answer it. None, with nothing written, where the business greets nobody. Raises STORE_ERRORS."""
    permit = None
    async with runtime.database.unit_of_work(channel.organisation_id) as unit:
        text = await unit.sql.fetchval(
            "SELECT welcome FROM channel WHERE organisation_id = $1 AND id = $2", unit.tenant, channel.channel_id
        )
        if not text:
            return None
        address = clean(sender.provider_user_id)
        await locks.lock_addresses(unit, [(channel.connector.connector, channel.scope, address)])
        known = (await conversations_of(unit, channel.channel_id, [address])).get(address)
        if known:
            facts = (await load_recipients(unit, runtime.connectors, [known]))[known].facts
        else:
            facts = await load_stranger(unit, runtime.connectors, channel.channel_id, address)
        counters = await caps.open_counters(
            unit, channel.connector.connector, channel.channel_id, [known] if known else [], hold=True
        )
        facts = replace(facts, cap=counters.reached(known))
        decision = gate.decide(facts, gate.Request(purpose="welcome", by="program"))
        await append_in(unit.sql, [arrived])
        if decision.verdict == "allow":
            named = Named(replace(sender, aliases=()), "", arrived.received_at)
            (talk,), _ = await open_talks(unit, channel, [named])
            await caps.keep(unit, counters, [talk.conversation_id])
            permit, message = await write_welcome(unit, channel, talk, text, decision, facts.version())
        else:
            await keep_decisions(unit, "submit", [(decision, known, None, None)])
        unit.after_commit(lambda: runtime.queue.nudge_lane(channel.organisation_id, channel.channel_id, "in"))
    note_stored([arrived])
    if permit is None or not isinstance(channel.connector, AnswersInline):
        return Reply(status=200)
    try:
        return channel.connector.render_inline(permit, message, channel.account)
    except SendError as error:
        log.warning("welcome_not_rendered", error=error.code, connector=channel.connector.connector)
        return Reply(status=200)
