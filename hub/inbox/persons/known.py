"""Who is behind an address of the consent register: the inbox knows names, channels, and which addresses are one contact's."""

from collections import defaultdict
from typing import Any, Final
from uuid import UUID

from hub.consent.hooks import Known, PeopleAsked, PeopleSought
from hub.consent.locks import Key
from hub.core.db import UnitOfWork

_NAMED: Final = """
WITH asked AS (
    SELECT DISTINCT i.contact_id
    FROM unnest($2::text[], $3::text[], $4::text[]) AS w(messenger, scope, address)
    JOIN channel h ON h.organisation_id = $1 AND h.connector = w.messenger AND (w.scope = '' OR h.id::text = w.scope)
    JOIN identity i ON i.organisation_id = $1 AND i.channel_id = h.id AND i.provider_user_id = w.address
)
SELECT i.contact_id, k.name, i.provider_user_id AS address, i.username, h.id AS channel_id, h.connector, h.title
FROM asked
JOIN contact k ON k.organisation_id = $1 AND k.id = asked.contact_id
JOIN identity i ON i.organisation_id = $1 AND i.contact_id = k.id
JOIN channel h ON h.organisation_id = $1 AND h.id = i.channel_id
ORDER BY i.created_at DESC, i.id DESC
"""
_SOUGHT: Final = """
SELECT h.connector, h.id AS channel_id, i.provider_user_id AS address
FROM contact k
JOIN identity i ON i.organisation_id = k.organisation_id AND i.contact_id = k.id
JOIN channel h ON h.organisation_id = i.organisation_id AND h.id = i.channel_id
WHERE k.organisation_id = $1 AND (strpos(lower(k.name), lower($2)) > 0 OR strpos(lower(i.username), lower($2)) > 0)
LIMIT $3
"""


def _keys(row: Any) -> tuple[Key, Key]:
    """An identity as consent knows it: by messenger, and by channel."""
    return (row["connector"], "", row["address"]), (row["connector"], str(row["channel_id"]), row["address"])


async def name_people(unit: UnitOfWork, asked: PeopleAsked) -> None:
    """Subscribes to `PeopleAsked`. Of an address that is on several channels the newest name is told."""
    if not asked.keys:
        return
    people: dict[UUID, list[Any]] = defaultdict(list)
    for row in await unit.sql.fetch(_NAMED, unit.tenant, *(list(column) for column in zip(*asked.keys, strict=True))):
        people[row["contact_id"]].append(row)
    wanted = set(asked.keys)
    for contact_id, rows in people.items():
        addresses = tuple(dict.fromkeys(key for row in rows for key in _keys(row)))
        for row in rows:
            shown = f"@{row['username']}" if row["username"] else row["address"]
            for key in wanted.intersection(_keys(row)):
                asked.known.setdefault(key, Known(contact_id, row["name"], shown, row["title"] if key[1] else "", addresses))


async def seek_people(unit: UnitOfWork, sought: PeopleSought) -> None:
    """Subscribes to `PeopleSought`."""
    for row in await unit.sql.fetch(_SOUGHT, unit.tenant, sought.text, sought.limit):
        sought.found.update(_keys(row))
