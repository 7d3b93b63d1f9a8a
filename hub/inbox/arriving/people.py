"""Whom events speak of: identity, contact and conversation, made in this order and never doubled.

A person is found by whatever address the provider names: the one that they are written to, or another one that was named with it
before (`identity_alias`). An address that was not known yet is kept, and the ledger is told that two addresses are one person's.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from hub.channels.accounts import OpenChannel
from hub.connectors.contract import NamesPeople
from hub.connectors.events import Sender
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.inbox.content import clean


@dataclass(frozen=True, slots=True)
class Link:
    """Two addresses of one person: the one that we write to, and another one. `key` and `at` are the event that says so."""

    address: str
    other: str
    key: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody as an event names them."""

    sender: Sender
    key: str
    at: datetime


@dataclass(slots=True)
class Talk:
    """One person's conversation while events are applied. `address` is what they are written to, `name` how we call them;
    `is_quiet`: it is muted or blocked, so that what they write is no new work."""

    named: Named
    address: str
    name: str
    identity_id: UUID
    contact_id: UUID
    conversation_id: UUID
    is_new: bool = False
    state: str = "open"
    seq: int = 0
    is_quiet: bool = False

    @property
    def sender(self) -> Sender:
        return self.named.sender


@dataclass(slots=True)
class _Person:
    """Somebody whom the events of one batch name."""

    named: Named
    talk: Talk | None = None


def names_of(sender: Sender) -> list[str]:
    """All addresses by which the provider names somebody; the one to write to first."""
    return list(dict.fromkeys(clean(name) for name in (sender.provider_user_id, *sender.aliases) if name))


_KNOWN: Final = """
SELECT asked.address AS asked, i.provider_user_id AS address, i.display_name AS name, i.id AS identity_id, i.contact_id,
       c.id AS conversation_id, c.state, c.last_seq AS seq, (c.muted_at IS NOT NULL OR c.barred_at IS NOT NULL) AS is_quiet
FROM unnest($3::text[]) AS asked(address)
JOIN LATERAL (
    SELECT id FROM identity WHERE organisation_id = $1 AND channel_id = $2 AND provider_user_id = asked.address
    UNION ALL
    SELECT identity_id FROM identity_alias WHERE organisation_id = $1 AND channel_id = $2 AND alias = asked.address
) AS found ON true
JOIN identity i ON i.organisation_id = $1 AND i.id = found.id
JOIN conversation c ON c.organisation_id = i.organisation_id AND c.identity_id = i.id
ORDER BY c.id
"""


async def conversations_of(unit: UnitOfWork, channel_id: UUID, names: Collection[str]) -> dict[str, UUID]:
    """Whose conversation it is, by address; nothing is locked."""
    rows = await unit.sql.fetch(_KNOWN, unit.tenant, channel_id, list(names))
    return {row["asked"]: row["conversation_id"] for row in rows}


async def find_talks(unit: UnitOfWork, channel_id: UUID, named: Sequence[Named]) -> list[Talk | None]:
    """The conversation of each of these people, locked in the order of ids; None for who is not known."""
    persons = _persons(named)
    await _find(unit, channel_id, persons)
    return [persons[names_of(one.sender)[0]].talk for one in named]


async def open_talks(unit: UnitOfWork, channel: OpenChannel, named: Sequence[Named]) -> tuple[list[Talk], list[Link]]:
    """The same, where unknown people get identity, contact and conversation; and the addresses that were not known to be theirs.
    The caller holds the addresses' locks: nobody is made twice."""
    persons = _persons(named)
    await _find(unit, channel.channel_id, persons)
    talks: dict[str, Talk] = {}
    for name, person in persons.items():
        if person.talk is None:
            sender = person.named.sender
            address = clean(sender.provider_user_id)
            shown = clean(sender.display_name or sender.username or address)
            person.talk = Talk(person.named, address, shown, ids.new_id(), ids.new_id(), ids.new_id(), is_new=True)
        talks[name] = person.talk
    everybody = {talk.identity_id: talk for talk in talks.values()}.values()
    await _insert(unit, channel, [talk for talk in everybody if talk.is_new])
    nameless = [talk for talk in everybody if talk.name == talk.address and talk.sender.display_name]
    await learn_names(unit, [(talk.identity_id, talk.sender) for talk in nameless])
    links = await keep_aliases(unit, channel.channel_id, [(talk, name) for name, talk in talks.items() if name != talk.address])
    return [talks[names_of(one.sender)[0]] for one in named], links


async def name_people(unit: UnitOfWork, channel_id: UUID, named: Sequence[Named]) -> list[UUID]:
    """Name people whom we know by their address only; the conversations of those who got a name."""
    if not named:
        return []
    talks = {talk.identity_id: talk for talk in await find_talks(unit, channel_id, named) if talk is not None}
    nameless = [talk for talk in talks.values() if talk.name == talk.address and talk.sender.display_name]
    await learn_names(unit, [(talk.identity_id, talk.sender) for talk in nameless])
    return [talk.conversation_id for talk in nameless]


def _persons(named: Sequence[Named]) -> dict[str, _Person]:
    """People by each of their names; who shares a name is one person. What was said of them last counts."""
    persons: dict[str, _Person] = {}
    for one in named:
        names = names_of(one.sender)
        person = next((persons[name] for name in names if name in persons), None) or _Person(one)
        person.named = one
        persons |= dict.fromkeys(names, person)
    return persons


async def _find(unit: UnitOfWork, channel_id: UUID, persons: dict[str, _Person]) -> None:
    talks: dict[UUID, Talk] = {}
    rows = await unit.sql.fetch(f"{_KNOWN} FOR UPDATE OF c", unit.tenant, channel_id, list(persons))
    for row in sorted(rows, key=lambda row: row["asked"] != row["address"]):  # their own address before a former one
        values = dict(row)
        person = persons[values.pop("asked")]
        if person.talk is None:
            person.talk = talks.setdefault(row["identity_id"], Talk(named=person.named, **values))


async def _insert(unit: UnitOfWork, channel: OpenChannel, new: list[Talk]) -> None:
    if not new:
        return
    now = clock.now()
    asks = isinstance(channel.connector, NamesPeople)
    await unit.sql.execute(
        """
        WITH row AS (
            SELECT * FROM unnest($3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[],
                                 $12::timestamptz[])
                AS row(address, identity_id, contact_id, conversation_id, name, username, language, name_due_at)
        ), identities AS (
            INSERT INTO identity (organisation_id, id, channel_id, provider_user_id, contact_id, display_name, username, language,
                                  created_at, name_due_at)
            SELECT $1, identity_id, $2, address, contact_id, name, username, language, $10, name_due_at FROM row
        ), contacts AS (
            INSERT INTO contact (organisation_id, id, name, language, created_at)
            SELECT $1, contact_id, name, language, $10 FROM row
        )
        INSERT INTO conversation (organisation_id, id, identity_id, channel_id, contact_id, state, turn, last_seq, unread,
                                  last_text, last_direction, last_kind, sort_at, created_at)
        SELECT $1, conversation_id, identity_id, $2, contact_id, 'open', 'us', 0, 0, '', 'in', 'text', $11, $10 FROM row
        """,
        unit.tenant,
        channel.channel_id,
        [talk.address for talk in new],
        [talk.identity_id for talk in new],
        [talk.contact_id for talk in new],
        [talk.conversation_id for talk in new],
        [talk.name for talk in new],
        [clean(talk.sender.username) for talk in new],
        [clean(talk.sender.language) for talk in new],
        now,
        datetime.fromtimestamp(0, now.tzinfo),
        [now if asks and not talk.sender.display_name else None for talk in new],
    )


async def learn_names(unit: UnitOfWork, told: Sequence[tuple[UUID, Sender]]) -> None:
    """What people are called, by identity, where only their address was known: somebody we wrote to first says it when they answer,
    or the provider was asked (`naming.py`). A name that was given to the contact here stays."""
    if not told:
        return
    await unit.sql.execute(
        """
        WITH row AS (
            SELECT * FROM unnest($2::uuid[], $3::text[], $4::text[]) AS row(identity_id, name, username)
        ), named AS (
            UPDATE identity AS i SET display_name = row.name, username = COALESCE(NULLIF(row.username, ''), i.username),
                   name_due_at = NULL
            FROM row WHERE i.organisation_id = $1 AND i.id = row.identity_id
            RETURNING i.contact_id, i.provider_user_id AS address, row.name
        )
        UPDATE contact AS k SET name = named.name
        FROM named WHERE k.organisation_id = $1 AND k.id = named.contact_id AND k.name = named.address
        """,
        unit.tenant,
        [identity_id for identity_id, _ in told],
        [clean(sender.display_name or sender.username) for _, sender in told],
        [clean(sender.username) for _, sender in told],
    )


async def keep_aliases(unit: UnitOfWork, channel_id: UUID, named: Collection[tuple[Talk, str]]) -> list[Link]:
    """Keep other addresses of people; those that are new."""
    if not named:
        return []
    talks = {name: talk for talk, name in named}
    rows = await unit.sql.fetch(
        """
        INSERT INTO identity_alias (organisation_id, channel_id, alias, identity_id, created_at)
        SELECT $1, $2, alias, identity_id, $3 FROM unnest($4::text[], $5::uuid[]) AS row(alias, identity_id)
        ON CONFLICT DO NOTHING RETURNING alias
        """,
        unit.tenant,
        channel_id,
        clock.now(),
        list(talks),
        [talk.identity_id for talk in talks.values()],
    )
    new = [(talks[row["alias"]], row["alias"]) for row in rows]
    return [Link(talk.address, alias, clean(talk.named.key), talk.named.at) for talk, alias in new]


async def move_talk(unit: UnitOfWork, channel_id: UUID, talk: Talk, now: Sender) -> bool:
    """Write to this person under another address from here on; the former one stays a name of theirs. False where somebody with
    that address has a conversation of their own already: it stays, and belongs to the same contact now."""
    address = clean(now.provider_user_id)
    other: Any = await unit.sql.fetchrow(
        """
        SELECT i.id, c.id AS conversation_id FROM identity i
        JOIN conversation c ON c.organisation_id = i.organisation_id AND c.identity_id = i.id
        WHERE i.organisation_id = $1 AND i.channel_id = $2 AND i.provider_user_id = $3
        """,
        unit.tenant,
        channel_id,
        address,
    )
    if other is None:
        await unit.sql.execute(
            "UPDATE identity SET provider_user_id = $3 WHERE organisation_id = $1 AND id = $2",
            unit.tenant,
            talk.identity_id,
            address,
        )
        talk.address = address
        return True
    for table, row_id in (("identity", other["id"]), ("conversation", other["conversation_id"])):
        await unit.sql.execute(
            f"UPDATE {table} SET contact_id = $3 WHERE organisation_id = $1 AND id = $2", unit.tenant, row_id, talk.contact_id
        )
    return False
