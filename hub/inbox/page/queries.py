"""What the pages read: lists, counters, threads, contacts. Everything as hub_app, paged by key, never by offset.

A list has those whose due time runs first, the most urgent on top, then those in which it is our turn, then those in which it is
the customer's, the newest first in each: (`urgency`, `place`, `id`) backwards. A thread goes by (`at`, `sequence`, `seq`). See
`models`. Keys are shown as text, so that a page can carry them: `1795521600000000.0.17` is a line, `1.1795521600000000.<hex>` a
row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from hub.core import ids
from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput, NotFound
from hub.inbox.page.lines import Details, load_details

ROWS: Final = 50
LINES: Final = 50
EARLIER: Final = 10
"""How many other conversations of a contact the panel names."""
GROUPS: Final = ("customer", "us", "due")
"""The groups of a list by `urgency`, the last one on top."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Colleague:
    """A member as others see them; deactivated ones stay for the record."""

    id: UUID
    name: str
    role: str
    active: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A conversation as the list shows it. `out_state` is the state of our last message if ours was the last word."""

    id: UUID
    name: str
    connector: str
    channel_id: UUID
    channel_title: str
    contact_id: UUID
    state: str
    turn: str
    urgency: int
    place: int
    unread: int
    assignee_id: UUID | None
    team_id: UUID | None
    due_at: datetime | None
    due_from: datetime | None
    snoozed_until: datetime | None
    last_text: str
    last_direction: str
    last_kind: str
    sort_at: datetime
    out_state: str | None
    settled: bool

    @property
    def key(self) -> str:
        """Its place in every list that holds it."""
        return f"{self.urgency}.{self.place}.{self.id.hex}"

    @property
    def group(self) -> str:
        """What stands above it in a list of open ones."""
        return GROUPS[self.urgency]

    def belongs(self, view: str, member_id: UUID) -> bool:
        """Whether the list `view` of this member holds it."""
        if self.state != "open" or view in CLOSED_VIEWS:
            return view == self.state
        match view:
            case "open":
                return True
            case "mine":
                return self.assignee_id == member_id
            case "unassigned":
                return self.assignee_id is None and self.team_id is None
            case _:
                return self.team_id == ids.read("team", view)


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt to send a part."""

    at: datetime
    finished_at: datetime | None
    outcome: str
    error: str
    provider_code: str
    provider_text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A message, note or event of a thread."""

    id: UUID
    seq: int
    sequence: int
    direction: str
    kind: str
    text: str
    content: dict[str, Any]
    at: datetime
    arrived_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    author_id: UUID | None
    client_key: str | None
    state: str | None
    failure: str
    failure_text: str
    has_key: bool
    details: Details = field(default_factory=Details)
    tries: list[Try] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Its place in the thread."""
        return f"{to_micros(self.at)}.{self.sequence}.{self.seq}"


@dataclass(frozen=True, slots=True)
class Record:
    """A line of the protocol: a note, or a change of what a conversation is to us. Nobody is the author of what time or the
    customer changed."""

    seq: int
    direction: str
    at: datetime
    text: str
    content: dict[str, Any]
    author_id: UUID | None
    session_id: UUID | None


@dataclass(frozen=True, slots=True)
class Known:
    """An address of a contact. `id` is of its conversation."""

    id: UUID
    connector: str
    channel_id: UUID
    channel_title: str
    address: str
    username: str


@dataclass(frozen=True, slots=True)
class Contact:
    """A person, the addresses we know and what else was said with them."""

    name: str
    language: str
    since: datetime
    known: list[Known]
    earlier: list[Row]


def to_micros(at: datetime) -> int:
    """Whole microseconds since 1970: exact, as PostgreSQL keeps them."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: str) -> datetime:
    """The instant that a key carries. ValueError, OverflowError."""
    return _EPOCH + int(micros) * _MICROSECOND


def read_row_key(key: str) -> tuple[int, int, UUID]:
    """The place behind a row's key; InvalidInput for anything else."""
    try:
        urgency, place, shown = key.split(".")
        found = int(urgency), int(place), UUID(hex=shown)
    except ValueError as error:
        raise InvalidInput("not a place in a list", field="after") from error
    if not 0 <= found[0] < len(GROUPS) or abs(found[1]) >= 2**63:
        raise InvalidInput("not a place in a list", field="after")
    return found


def read_line_key(key: str) -> tuple[datetime, int, int]:
    """The place behind a line's key; InvalidInput for anything else."""
    try:
        micros, sequence, seq = key.split(".")
        place = from_micros(micros), int(sequence), int(seq)
    except (ValueError, OverflowError) as error:
        raise InvalidInput("not a place in a thread", field="before") from error
    if max(abs(place[1]), abs(place[2])) >= 2**63:
        raise InvalidInput("not a place in a thread", field="before")
    return place


async def colleagues(unit: UnitOfWork) -> dict[UUID, Colleague]:
    """All members by id, in the order of their names."""
    rows = await unit.sql.fetch(
        """
        SELECT m.id, p.name, m.role, m.deactivated_at IS NULL AS active
        FROM member m JOIN person p ON p.id = m.person_id WHERE m.organisation_id = $1 ORDER BY p.name, m.id
        """,
        unit.tenant,
    )
    return {row["id"]: Colleague(**row) for row in rows}


async def counts(unit: UnitOfWork, member_id: UUID, team_ids: Sequence[UUID]) -> dict[str, int]:
    """How many conversations each list, each of its groups and what is overdue in it holds (`mine`, `mine.due`, `mine.us`,
    `mine.customer`, `mine.late` …), exactly: sums of `conversation_counter`, never counted."""
    lists = {"mine": str(member_id), "unassigned": "unassigned", "open": "all"}
    lists |= {ids.show("team", team_id): str(team_id) for team_id in team_ids}
    rows = await unit.sql.fetch(
        """
        SELECT list, sum(change)::bigint AS total FROM conversation_counter
        WHERE organisation_id = $1 AND list = ANY($2::text[]) GROUP BY list
        """,
        unit.tenant,
        ["snoozed", *(name + part for name in lists.values() for part in ("", ".due", ".us", ".late"))],
    )
    total = {row["list"]: row["total"] for row in rows}
    found = {"snoozed": total.get("snoozed", 0)}
    for view, name in lists.items():
        found[view] = total.get(name, 0)
        for part in ("due", "us", "late"):
            found[f"{view}.{part}"] = total.get(f"{name}.{part}", 0)
        found[f"{view}.customer"] = found[view] - found[f"{view}.due"] - found[f"{view}.us"]
    return found


_ROW: Final = """
SELECT c.id, k.name, h.connector, h.id AS channel_id, h.title AS channel_title, c.contact_id, c.state, c.turn, c.urgency, c.place,
       c.unread, c.assignee_id, c.team_id, c.due_at, c.due_from, c.snoozed_until, c.last_text, c.last_direction, c.last_kind,
       c.sort_at, said.state AS out_state, coalesce(said.content ? 'settled_at', false) AS settled
FROM conversation c
JOIN contact k ON k.organisation_id = c.organisation_id AND k.id = c.contact_id
JOIN channel h ON h.organisation_id = c.organisation_id AND h.id = c.channel_id
LEFT JOIN LATERAL (
    SELECT m.state, m.content FROM message m
    WHERE m.organisation_id = c.organisation_id AND m.conversation_id = c.id AND m.direction = 'out'
    ORDER BY m.seq DESC LIMIT 1
) said ON c.last_direction = 'out'
WHERE c.organisation_id = $1 AND
"""
_IN_VIEW: Final = {
    "mine": "c.state = 'open' AND c.assignee_id = $2",
    "unassigned": "c.state = 'open' AND c.assignee_id IS NULL AND c.team_id IS NULL AND $2::uuid IS NOT NULL",
    "open": "c.state = 'open' AND $2::uuid IS NOT NULL",
    "snoozed": "c.state = 'snoozed' AND $2::uuid IS NOT NULL",
    "done": "c.state = 'done' AND $2::uuid IS NOT NULL",
}
_OF_TEAM: Final = "c.state = 'open' AND c.team_id = $2"
VIEWS: Final = tuple(_IN_VIEW)
"""The lists that everybody has; each team has one more, named by its shown id."""
CLOSED_VIEWS: Final = ("snoozed", "done")
"""Those without groups."""
_TOP: Final = (len(GROUPS), 0, UUID(int=0))


async def rows_of_view(unit: UnitOfWork, view: str, member_id: UUID, after: str | None) -> tuple[list[Row], str | None]:
    """One page of a list, and the key after which the next one goes on (None: that was all)."""
    place = read_row_key(after) if after else _TOP
    found = await unit.sql.fetch(
        f"""
        {_ROW} {_IN_VIEW.get(view, _OF_TEAM)} AND (c.urgency, c.place, c.id) < ($3, $4, $5)
        ORDER BY c.urgency DESC, c.place DESC, c.id DESC LIMIT $6
        """,
        unit.tenant,
        member_id if view in _IN_VIEW else ids.read("team", view),
        *place,
        ROWS + 1,
    )
    rows = [Row(**row) for row in found]
    return rows[:ROWS], rows[ROWS - 1].key if len(rows) > ROWS else None


async def rows_by_id(unit: UnitOfWork, conversation_ids: Sequence[UUID]) -> list[Row]:
    """These conversations, as far as they exist, the newest first."""
    found = await unit.sql.fetch(
        f"{_ROW} c.id = ANY($2::uuid[]) ORDER BY c.urgency DESC, c.place DESC, c.id DESC", unit.tenant, list(conversation_ids)
    )
    return [Row(**row) for row in found]


async def row_by_id(unit: UnitOfWork, conversation_id: UUID) -> Row:
    """One conversation; NotFound."""
    rows = await rows_by_id(unit, [conversation_id])
    if not rows:
        raise NotFound("no such conversation")
    return rows[0]


_LINE: Final = """
SELECT id, seq, sequence, direction, kind, text, content, at, arrived_at, edited_at, deleted_at, author_id, client_key, state,
       failure, failure_text, provider_key IS NOT NULL AS has_key
FROM message WHERE organisation_id = $1 AND conversation_id = $2
"""


async def lines_before(unit: UnitOfWork, conversation_id: UUID, before: str | None) -> tuple[list[Line], bool]:
    """A page of a thread in reading order, ending at its end or before a key; and whether there are older lines."""
    place = read_line_key(before) if before else (datetime.max.replace(tzinfo=UTC), 0, 0)
    found = await unit.sql.fetch(
        f"{_LINE} AND (at, sequence, seq) < ($3, $4, $5) ORDER BY at DESC, sequence DESC, seq DESC LIMIT $6",
        unit.tenant,
        conversation_id,
        *place,
        LINES + 1,
    )
    lines = await _lines(unit, conversation_id, found[::-1])
    return (lines[1:], True) if len(lines) > LINES else (lines, False)


async def lines_from(
    unit: UnitOfWork, conversation_id: UUID, start: str, limit: int | None = None
) -> tuple[list[Line], Line | None]:
    """A thread from a key on in reading order, to its end or `limit` lines; and the line before it."""
    place = read_line_key(start)
    found = await unit.sql.fetch(
        f"{_LINE} AND (at, sequence, seq) >= ($3, $4, $5) ORDER BY at, sequence, seq LIMIT $6",
        unit.tenant,
        conversation_id,
        *place,
        limit,
    )
    earlier = await unit.sql.fetchrow(
        f"{_LINE} AND (at, sequence, seq) < ($3, $4, $5) ORDER BY at DESC, sequence DESC, seq DESC LIMIT 1",
        unit.tenant,
        conversation_id,
        *place,
    )
    return await _lines(unit, conversation_id, found), _line(earlier) if earlier else None


async def protocol(unit: UnitOfWork, conversation_id: UUID, before: int | None, limit: int) -> tuple[list[Record], int | None]:
    """What was done with a conversation, the newest first: one page, and the number before which the next one goes on."""
    found = await unit.sql.fetch(
        """
        SELECT seq, direction, at, text, content, author_id, session_id FROM message
        WHERE organisation_id = $1 AND conversation_id = $2 AND direction IN ('note', 'event') AND seq < $3
        ORDER BY seq DESC LIMIT $4
        """,
        unit.tenant,
        conversation_id,
        before or 2**63 - 1,
        limit + 1,
    )
    records = [Record(**row) for row in found]
    return records[:limit], records[limit - 1].seq if len(records) > limit else None


async def earliest_key(unit: UnitOfWork, conversation_id: UUID, message_ids: Sequence[UUID]) -> str | None:
    """The place of the first of these messages in the thread."""
    row = await unit.sql.fetchrow(
        f"{_LINE} AND id = ANY($3::uuid[]) ORDER BY at, sequence, seq LIMIT 1", unit.tenant, conversation_id, list(message_ids)
    )
    return _line(row).key if row else None


def _line(row: Any) -> Line:
    return Line(**row)


async def _lines(unit: UnitOfWork, conversation_id: UUID, rows: Sequence[Any]) -> list[Line]:
    details = await load_details(unit, conversation_id, rows)
    return await _with_tries(unit, [Line(**row, details=details[row["id"]]) for row in rows])


async def _with_tries(unit: UnitOfWork, lines: list[Line]) -> list[Line]:
    """Failed and unclear messages get what was tried."""
    troubled = {line.id: line for line in lines if line.state in ("failed", "unknown")}
    if troubled:
        for row in await unit.sql.fetch(
            """
            SELECT p.message_id, a.permit_at AS at, a.finished_at, a.outcome, a.error, a.provider_code, a.provider_text
            FROM message_part p JOIN attempt a ON a.organisation_id = p.organisation_id AND a.part_id = p.id
            WHERE p.organisation_id = $1 AND p.message_id = ANY($2::uuid[]) ORDER BY a.permit_at, a.no
            """,
            unit.tenant,
            list(troubled),
        ):
            values = dict(row)
            troubled[values.pop("message_id")].tries.append(Try(**values))
    return lines


async def contact_of(unit: UnitOfWork, conversation: Row) -> Contact:
    """The person of a conversation."""
    person = await unit.sql.fetchrow(
        "SELECT name, language, created_at FROM contact WHERE organisation_id = $1 AND id = $2",
        unit.tenant,
        conversation.contact_id,
    )
    known = await unit.sql.fetch(
        """
        SELECT c.id, h.connector, h.id AS channel_id, h.title AS channel_title, i.provider_user_id AS address, i.username
        FROM identity i
        JOIN conversation c ON c.organisation_id = i.organisation_id AND c.identity_id = i.id
        JOIN channel h ON h.organisation_id = i.organisation_id AND h.id = i.channel_id
        WHERE i.organisation_id = $1 AND i.contact_id = $2 ORDER BY i.created_at, i.id
        """,
        unit.tenant,
        conversation.contact_id,
    )
    earlier = await unit.sql.fetch(
        f"{_ROW} c.contact_id = $2 AND c.id <> $3 ORDER BY c.sort_at DESC LIMIT $4",
        unit.tenant,
        conversation.contact_id,
        conversation.id,
        EARLIER,
    )
    return Contact(
        person["name"], person["language"], person["created_at"], [Known(**row) for row in known], [Row(**row) for row in earlier]
    )


async def has_channel(unit: UnitOfWork) -> bool:
    """Whether any account is connected at all: an empty inbox says why it is empty."""
    return bool(await unit.sql.fetchval("SELECT EXISTS (SELECT FROM channel WHERE organisation_id = $1)", unit.tenant))
