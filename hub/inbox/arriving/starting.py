"""A conversation with somebody who has not written: found at the provider where it can be asked, opened, and nothing sent.

    read     what was typed, by the connector (`WritesFirst`); who is known already is opened at once
    find     the provider is asked (`FindsPeople`), with no transaction open
    open     identity, contact and conversation in one transaction, under the address's lock: never doubled, whoever was faster

What may be said in it is the gate's word, as everywhere.
"""

from dataclasses import dataclass
from uuid import UUID

import structlog

from hub.channels.accounts import OpenChannel, read_channel
from hub.connectors.contract import AnyConnector, FindsPeople, WritesFirst
from hub.connectors.errors import AccountPaused, AuthFailed, RateLimited, Rejected, SendError, Unreachable
from hub.connectors.events import Sender
from hub.connectors.http import connector_client
from hub.connectors.registry import Registry
from hub.consent import locks
from hub.consent.books import ledger
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import HubError, NotFound
from hub.inbox.arriving.apply import consent_key, linked
from hub.inbox.arriving.people import Named, Talk, conversations_of, names_of, open_talks
from hub.inbox.content import clean
from hub.inbox.service import lock, write_line
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.runtime import Runtime

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Start:
    """A channel on which one can write first."""

    channel_id: UUID
    connector: AnyConnector
    title: str
    address: str

    @property
    def shown(self) -> str:
        return ids.show("chn", self.channel_id)


class NotStarted(HubError):
    """There is nobody to open a conversation with. `reason` is a word of the catalogue (`inbox.start.…`):

    no_address     what was typed is no address of this messenger
    nobody         the provider knows nobody there, or nobody whom we can reach
    takes_none     it knows them, and they take no messages from us
    limited        it was asked too often
    attention      it does not answer our account (credentials, credits): `cause` says why where the provider does
    refused        it refused to say, in the words of `provider_text`
    unavailable    it does not answer
    """

    code = "not_started"
    http_status = 422

    def __init__(self, reason: str, *, cause: str = "", provider_text: str = "") -> None:
        super().__init__(reason, reason=reason)
        self.reason = reason
        self.cause = cause
        self.provider_text = provider_text


async def list_starts(unit: UnitOfWork, connectors: Registry) -> list[Start]:
    """The channels that are on and on which one can write first, oldest first."""
    names = [name for name, connector in connectors.items() if isinstance(connector, WritesFirst)]
    rows = await unit.sql.fetch(
        """
        SELECT id, connector, title, address FROM channel
        WHERE organisation_id = $1 AND state = 'on' AND connector = ANY($2::text[]) ORDER BY created_at, id
        """,
        unit.tenant,
        names,
    )
    return [Start(row["id"], connectors.get(row["connector"]), row["title"], row["address"]) for row in rows]


async def start(runtime: Runtime, access: Access, channel_id: UUID, typed: str, name: str = "") -> UUID:
    """Open the conversation with whoever is meant; its id. One that exists is opened as it is; a new one is the member's, and
    `name` is what its contact is called. NotFound, NotStarted."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        if channel_id not in {one.channel_id for one in await list_starts(unit, runtime.connectors)}:
            raise NotFound("no such channel")
        channel = await read_channel(runtime, unit, channel_id)
        assert isinstance(channel.connector, WritesFirst)
        meant = channel.connector.read_address(clean(typed))
        if meant is None:
            raise NotStarted("no_address")
        known = await conversations_of(unit, channel_id, names_of(meant))
    if known:
        return next(iter(known.values()))
    found = await _find(runtime, channel, meant)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        return await _open(runtime, unit, access, channel, found, clean(name).strip())


async def _find(runtime: Runtime, channel: OpenChannel, meant: Sender) -> Sender:
    """Who that is, by the provider where it can be asked. NotStarted."""
    if not isinstance(channel.connector, FindsPeople):
        return meant
    try:
        async with connector_client(runtime.settings.trusted_hosts) as http:
            found = await channel.connector.find(meant.provider_user_id, channel.account, http)
    except SendError as error:
        log.warning("lookup_failed", error=error.code, channel=ids.show("chn", channel.channel_id))
        raise _reason(error) from error
    if found is None:
        raise NotStarted("nobody")
    return found


def _reason(error: SendError) -> NotStarted:
    match error:
        case RateLimited():
            return NotStarted("limited")
        case AuthFailed():
            return NotStarted("attention", cause=error.cause if isinstance(error, AccountPaused) else "")
        case Unreachable():
            return NotStarted("takes_none")
        case Rejected():
            return NotStarted("refused", provider_text=error.provider_text)
        case _:
            return NotStarted("unavailable")


async def _open(runtime: Runtime, unit: UnitOfWork, access: Access, channel: OpenChannel, found: Sender, name: str) -> UUID:
    await locks.lock_addresses(unit, [consent_key(channel, address) for address in names_of(found)])
    key = f"start:{ids.new_id().hex}"
    (talk,), links = await open_talks(unit, channel, [Named(found, key, clock.now())])
    if talk.is_new:
        await _begin(unit, access, talk, name)
    met = {consent_key(channel, talk.address)} if talk.is_new else set()
    await ledger.record(unit, runtime.vault, runtime.hooks, linked(channel, links), met=met)
    return talk.conversation_id


async def _begin(unit: UnitOfWork, access: Access, talk: Talk, name: str) -> None:
    """The new conversation is the member's, and stands where one stands whose turn is not ours."""
    await unit.sql.execute(
        """
        UPDATE conversation SET assignee_id = $3, turn = 'customer', sort_at = $4 WHERE organisation_id = $1 AND id = $2
        """,
        unit.tenant,
        talk.conversation_id,
        access.member_id,
        clock.now(),
    )
    if name:
        await unit.sql.execute(
            "UPDATE contact SET name = $3 WHERE organisation_id = $1 AND id = $2", unit.tenant, talk.contact_id, name
        )
    conversation = await lock(unit, talk.conversation_id)
    await write_line(unit, access, conversation, "event", content={"event": "started", "address": talk.address})
    await audit.record(unit, access, "conversation.started", conversation.shown, {})
