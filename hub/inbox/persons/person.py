"""A person as a whole: the contact with all addresses on all channels, for what concerns the person and not one conversation."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hub.connectors.contract import AnyConnector
from hub.connectors.registry import Registry
from hub.consent.books import aliases
from hub.consent.locks import Key, lock_addresses
from hub.core.db import UnitOfWork
from hub.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a person with its conversation. `names`: all addresses by which the provider knows them there, this one among
    them. `last_sent_at`: when the provider last took a message for it."""

    identity_id: UUID
    conversation_id: UUID
    channel_id: UUID
    channel_title: str
    connector: AnyConnector
    address: str
    username: str
    names: tuple[str, ...]
    muted_at: datetime | None
    barred_at: datetime | None
    last_sent_at: datetime | None

    @property
    def scope(self) -> str:
        return str(self.channel_id) if self.connector.capabilities.address_scope == "channel" else ""

    @property
    def keys(self) -> list[Key]:
        """What the consent ledger calls them, the address that is written to first."""
        return [(self.connector.connector, self.scope, name) for name in self.names]


@dataclass(frozen=True, slots=True)
class Person:
    """A contact with its addresses."""

    contact_id: UUID
    name: str
    language: str
    since: datetime
    addresses: tuple[Address, ...]

    @property
    def keys(self) -> set[Key]:
        return {key for address in self.addresses for key in address.keys}

    @property
    def written_to(self) -> list[Key]:
        """The address of each conversation, once."""
        return list(dict.fromkeys(address.keys[0] for address in self.addresses))

    @property
    def conversation_ids(self) -> list[UUID]:
        return sorted(address.conversation_id for address in self.addresses)

    @property
    def muted_at(self) -> datetime | None:
        """Since when all of their conversations are muted."""
        return _all(address.muted_at for address in self.addresses)

    @property
    def barred_at(self) -> datetime | None:
        """Since when all of their conversations are blocked."""
        return _all(address.barred_at for address in self.addresses)


def _all(times: Iterable[datetime | None]) -> datetime | None:
    """The newest of these times, None where one is missing."""
    every = list(times)
    known = [at for at in every if at is not None]
    return max(known) if known and len(known) == len(every) else None


async def read_person(unit: UnitOfWork, connectors: Registry, contact_id: UUID) -> Person:
    """A contact with all addresses; NotFound."""
    contact = await unit.sql.fetchrow(
        "SELECT id, name, language, created_at FROM contact WHERE organisation_id = $1 AND id = $2", unit.tenant, contact_id
    )
    if contact is None:
        raise NotFound("no such person")
    rows = await unit.sql.fetch(
        """
        SELECT i.id AS identity_id, c.id AS conversation_id, h.id AS channel_id, h.title AS channel_title, h.connector,
               i.provider_user_id AS address, i.username, c.muted_at, c.barred_at,
               ARRAY(SELECT alias FROM identity_alias a WHERE a.organisation_id = i.organisation_id AND a.identity_id = i.id
                     ORDER BY alias) AS aliases,
               (SELECT max(m.at) FROM message m WHERE m.organisation_id = c.organisation_id AND m.conversation_id = c.id
                AND m.state IN ('accepted', 'sent', 'delivered', 'read')) AS last_sent_at
        FROM identity i
        JOIN conversation c ON c.organisation_id = i.organisation_id AND c.identity_id = i.id
        JOIN channel h ON h.organisation_id = i.organisation_id AND h.id = i.channel_id
        WHERE i.organisation_id = $1 AND i.contact_id = $2 ORDER BY i.created_at, i.id
        """,
        unit.tenant,
        contact_id,
    )
    addresses = []
    for row in rows:
        values = dict(row)
        names = tuple(dict.fromkeys((values["address"], *values.pop("aliases"))))
        addresses.append(Address(**{**values, "connector": connectors.get(row["connector"])}, names=names))
    return Person(contact["id"], contact["name"], contact["language"], contact["created_at"], tuple(addresses))


async def lock_person(unit: UnitOfWork, connectors: Registry, contact_id: UUID) -> Person:
    """The same with all of their addresses and conversations locked, those of the ledger's families among them; NotFound."""
    person = await read_person(unit, connectors, contact_id)
    families = await aliases.families(unit, person.keys)
    await lock_addresses(unit, person.keys.union(*families.values()))
    person = await read_person(unit, connectors, contact_id)
    await unit.sql.execute(
        "SELECT FROM conversation WHERE organisation_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR UPDATE",
        unit.tenant,
        person.conversation_ids,
    )
    return person
