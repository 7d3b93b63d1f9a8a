"""Whom a newsletter is meant for: a filter over the conversations, read in batches by id.

Somebody who writes on several of the chosen messengers is met several times and gets one message: through the first conversation,
in the order of ids, where the gate allows it (`deciding.py`).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final
from uuid import UUID

from hub.core.db import UnitOfWork
from hub.runtime import Runtime

BATCH: Final = 500
"""Recipients that are decided in one transaction."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Everybody on these channels whose conversation is not muted; of them, where it is set: whose language this is, who has
    written since the day, who has agreed to the newsletter's purpose since the day. Days begin in UTC."""

    channel_ids: tuple[UUID, ...] = ()
    language: str = ""
    written_since: date | None = None
    granted_since: date | None = None

    def store(self) -> dict[str, Any]:
        """As a row keeps it."""
        return {name: value for name, value in asdict(self).items() if value} | {
            "channel_ids": [str(one) for one in self.channel_ids],
            **{name: day.isoformat() for name, day in self.days().items()},
        }

    def days(self) -> dict[str, date]:
        """The days that are set."""
        days = {"written_since": self.written_since, "granted_since": self.granted_since}
        return {name: day for name, day in days.items() if day}


def read_audience(kept: dict[str, Any]) -> Audience:
    """The filter of a row."""
    days = {name: date.fromisoformat(kept[name]) for name in ("written_since", "granted_since") if name in kept}
    return Audience(tuple(UUID(one) for one in kept["channel_ids"]), kept.get("language", ""), **days)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Somebody whom the filter chose, through this conversation."""

    conversation_id: UUID
    contact_id: UUID
    channel_id: UUID
    name: str


_CHOSEN: Final = """
SELECT c.id AS conversation_id, c.contact_id, c.channel_id, k.name
FROM conversation c
JOIN contact k ON k.organisation_id = c.organisation_id AND k.id = c.contact_id
WHERE c.organisation_id = $1 AND c.channel_id = ANY($2::uuid[]) AND ($3::uuid IS NULL OR c.id > $3)
  AND c.muted_at IS NULL
  AND ($4 = '' OR k.language = $4 OR k.language LIKE $4 || '-%')
  AND ($5::timestamptz IS NULL OR c.last_inbound_at >= $5)
  AND ($6::timestamptz IS NULL OR EXISTS (
      SELECT FROM identity i
      JOIN channel h ON h.organisation_id = i.organisation_id AND h.id = i.channel_id
      JOIN consent_grant g ON g.organisation_id = i.organisation_id AND g.messenger = h.connector AND g.address = i.provider_user_id
           AND g.scope = CASE WHEN h.connector = ANY($8::text[]) THEN h.id::text ELSE '' END AND g.purpose_id = $7
      WHERE i.organisation_id = c.organisation_id AND i.id = c.identity_id AND g.granted_at >= $6))
ORDER BY c.id LIMIT $9
"""


async def read_batch(
    runtime: Runtime, unit: UnitOfWork, audience: Audience, purpose_id: UUID, after: UUID | None
) -> Sequence[Chosen]:
    """The next BATCH recipients after a conversation; fewer, or none, at the end."""
    narrow = [name for name, one in runtime.connectors.items() if one.capabilities.address_scope == "channel"]
    rows = await unit.sql.fetch(
        _CHOSEN,
        unit.tenant,
        list(audience.channel_ids),
        after,
        audience.language,
        _begins(audience.written_since),
        _begins(audience.granted_since),
        purpose_id,
        narrow,
        BATCH,
    )
    return [Chosen(**row) for row in rows]


def _begins(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), UTC) if day else None
