"""How a thread is laid out: days, groups, and what stands under a bubble. Pure: lines in, pieces for the templates out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.core import ids
from hub.inbox.page.queries import Colleague, Line
from hub.organisations.teams import Team

GROUP: Final = timedelta(minutes=5)
"""Messages of one person this close to each other stand together; the face and, for the customer, the time appear once."""
LATE: Final = timedelta(minutes=2)
"""From here on the thread says that a message came later than it was written (webhooks may be delayed by hours)."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One element of the thread. `shape`: day, event, note or message."""

    shape: str
    id: str
    line: Line
    cont: bool = False
    """Goes on from the one before: no face."""
    turn: bool = False
    """The other side speaks now: some room above."""
    foot: bool = True
    """Author, time and state stand below."""
    late_minutes: int = 0
    author: Colleague | None = None
    to: Colleague | Team | None = None
    """Whom a hand-over names: the member, else the team."""
    at: datetime | None = None
    """The due time or the end of a snooze that an event names."""


def lay_out(
    lines: Sequence[Line],
    people: Mapping[UUID, Colleague],
    zone: ZoneInfo,
    *,
    before: Line | None = None,
    after: Line | None = None,
    teams: Mapping[UUID, Team],
) -> list[Piece]:
    """The pieces of consecutive lines; `before` and `after` are their neighbours outside of what is drawn."""
    pieces = []
    previous = before
    for at, line in enumerate(lines):
        following = lines[at + 1] if at + 1 < len(lines) else after
        day = line.at.astimezone(zone).date()
        if previous is None or previous.at.astimezone(zone).date() != day:
            pieces.append(Piece("day", f"day-{day.isoformat()}", line))
        pieces.append(_piece(line, previous, following, people, teams, zone))
        previous = line
    return pieces


def _piece(
    line: Line,
    previous: Line | None,
    following: Line | None,
    people: Mapping[UUID, Colleague],
    teams: Mapping[UUID, Team],
    zone: ZoneInfo,
) -> Piece:
    shown = ids.show("msg", line.id)
    author = people.get(line.author_id) if line.author_id else None
    if line.direction == "event":
        return Piece("event", shown, line, author=author, to=_taker(line, people, teams), at=_time(line))
    if line.direction == "note":
        return Piece("note", shown, line, author=author)
    cont = previous is not None and _together(previous, line, zone)
    goes_on = following is not None and _together(line, following, zone)
    late = line.arrived_at - line.at if line.direction == "in" else timedelta(0)
    late_minutes = round(late / timedelta(minutes=1)) if late > LATE else 0
    return Piece(
        "message",
        shown,
        line,
        cont=cont,
        turn=previous is not None and not cont,
        foot=line.direction == "out" or not goes_on or bool(late_minutes) or line.edited_at is not None,
        late_minutes=late_minutes,
        author=author,
    )


def _taker(line: Line, people: Mapping[UUID, Colleague], teams: Mapping[UUID, Team]) -> Colleague | Team | None:
    if line.content["event"] != "assigned":
        return None
    to = line.content["to"]
    if to["member"]:
        return people.get(ids.read("mem", to["member"]))
    return teams.get(ids.read("team", to["team"])) if to["team"] else None


def _time(line: Line) -> datetime | None:
    stamp = line.content.get({"due": "to", "snoozed": "until"}.get(line.content["event"], ""))
    return datetime.fromisoformat(stamp) if stamp else None


def _together(one: Line, other: Line, zone: ZoneInfo) -> bool:
    return (
        one.direction == other.direction
        and one.direction in ("in", "out")
        and one.author_id == other.author_id
        and other.at - one.at <= GROUP
        and one.at.astimezone(zone).date() == other.at.astimezone(zone).date()
    )
