"""What the inbox's templates get: loaded in one transaction, so that list, thread, counters and the page's cursor agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal
from fastapi import Request

from hub.channels.templates import Kept, list_templates
from hub.connectors.contract import AnyConnector, CountsPieces
from hub.connectors.events import Text
from hub.consent.gate import Decision
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import NotFound
from hub.core.feed import last_seq
from hub.core.i18n import Translator, catalogue, format_number
from hub.core.pages import page_values
from hub.inbox.content import read_spans
from hub.inbox.page import queries
from hub.inbox.page.composer import Permission, failure_words, media_rules, read_decision
from hub.inbox.page.drafts import Drafts, drafts_of
from hub.inbox.page.lines import File
from hub.inbox.page.queries import Colleague, Contact, Line, Record, Row
from hub.inbox.page.rich import draw_text
from hub.inbox.page.schemas import View
from hub.inbox.page.thread import Piece, lay_out
from hub.inbox.page.when import Choice, Signal, choices, read_signal
from hub.inbox.sending.compose import MOST_TIMES, write_text
from hub.inbox.sending.offer import Offer
from hub.inbox.sending.outbound import may_reply, may_reply_all
from hub.inbox.sending.wording import Wording, read_wording
from hub.organisations.actor import Access
from hub.organisations.rights import ROLE_RIGHTS, Right
from hub.organisations.teams import Team, read_teams
from hub.runtime import Runtime

RECENT: Final = 5
"""Lines of the protocol beside the thread; the rest has a page of its own."""
RECORDS: Final = 50


def runtime_of(request: Request) -> Runtime:
    """The runtime of the process that answers."""
    runtime: Runtime = request.app.state.runtime
    return runtime


@dataclass(frozen=True, slots=True)
class RowView:
    """A row of the list in words. `tone` is empty or `fail`."""

    row: Row
    id: str
    connector: AnyConnector
    word: str
    tone: str
    text: str
    assignee: Colleague | None
    team: Team | None
    signal: Signal | None
    draft: str
    """What this person has begun to write."""

    @property
    def is_new(self) -> bool:
        return self.row.unread > 0 and self.row.state == "open"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who was or is in charge, in a line of the protocol: team and member by name, both None for nobody."""

    team: Team | None
    member: Colleague | None

    def __bool__(self) -> bool:
        return self.team is not None or self.member is not None


@dataclass(frozen=True, slots=True)
class RecordView:
    """A line of the protocol. `was` and `now` are what changed: a Holder, an instant or None."""

    record: Record
    event: str
    author: Colleague | None
    was: Holder | datetime | None
    now: Holder | datetime | None

    @property
    def session(self) -> str:
        return ids.show("ses", self.record.session_id) if self.record.session_id else ""


@dataclass(frozen=True, slots=True)
class Pick:
    """A template that may be sent now."""

    kept: Kept
    wording: Wording

    @property
    def shown(self) -> str:
        return ids.show("tpl", self.kept.id)


@dataclass(frozen=True, slots=True)
class Talk:
    """The open conversation. `may` is what the gate says about a reply now."""

    row: RowView
    may: Permission
    offer: Offer
    pieces: list[Piece]
    older: bool
    contact: Contact
    connectors: dict[str, AnyConnector]
    takers: list[Colleague]
    teams: list[Team]
    """Who may be given the conversation."""
    choices: list[Choice]
    """Quick choices for a due time or a snooze."""
    records: list[RecordView]
    """The newest of the protocol."""
    drafts: Drafts
    templates: list[Pick]
    """What may be sent although the reply window is over."""

    @property
    def id(self) -> str:
        return self.row.id


class Screen:
    """One person looking at one organisation's inbox, inside one transaction."""

    def __init__(self, request: Request, access: Access, unit: UnitOfWork) -> None:
        self._runtime = runtime_of(request)
        self._access = access
        self._unit = unit
        values = page_values(request)
        self._t: Translator = values["t"]
        self._zone: ZoneInfo = values["zone"]
        self._people: dict[UUID, Colleague] | None = None
        self._teams: dict[UUID, Team] | None = None

    async def teams(self) -> dict[UUID, Team]:
        if self._teams is None:
            self._teams = await read_teams(self._unit)
        return self._teams

    async def people(self) -> dict[UUID, Colleague]:
        if self._people is None:
            self._people = await queries.colleagues(self._unit)
        return self._people

    async def frame(self, view: View) -> dict[str, Any]:
        """What stands around every view: the cursor first, so that nothing after it is missed, the person's teams, the counters,
        and the title of the list. NotFound for a team that is not there."""
        seq = await last_seq(self._unit)
        teams = await self.teams()
        mine = [team for team in teams.values() if self._access.member_id in team.members]
        shown = [team.id for team in mine]
        if view in queries.VIEWS:
            title = self._t(f"inbox.view.{view}")
        else:
            team = teams.get(ids.read("team", view))
            if team is None or not team.active:
                raise NotFound("no such team")
            title = team.name
            shown.append(team.id)
        counts = await queries.counts(self._unit, self._access.member_id, shown)
        return {"seq": seq, "counts": counts, "my_teams": mine, "title": title}

    async def rows(self, view: View, after: str | None = None) -> dict[str, Any]:
        """A page of a list."""
        found, more = await queries.rows_of_view(self._unit, view, self._access.member_id, after)
        drawn = await self.draw_rows(found)
        first_use = not drawn and not after and not await queries.has_channel(self._unit)
        return {"rows": drawn, "more": more, "first_use": first_use}

    async def draw_rows(self, rows: Sequence[Row]) -> list[RowView]:
        decisions = await may_reply_all(self._runtime, self._unit, [row.id for row in rows])
        people, teams = await self.people(), await self.teams()
        drafts = await drafts_of(self._unit, self._access.member_id, [row.id for row in rows])
        return [
            self._row(row, read_decision(decisions[row.id], self._t, self._zone), people, teams, drafts.get(row.id, Drafts()))
            for row in rows
        ]

    def _row(self, row: Row, may: Permission, people: dict[UUID, Colleague], teams: dict[UUID, Team], drafts: Drafts) -> RowView:
        word, tone = self._word(row, may)
        return RowView(
            row,
            ids.show("conv", row.id),
            self._runtime.connectors.get(row.connector),
            self._t(f"inbox.state.{word}"),
            tone,
            self._said(row.last_kind, row.last_text),
            people.get(row.assignee_id) if row.assignee_id else None,
            teams.get(row.team_id) if row.team_id else None,
            read_signal(row.state, row.turn, row.due_at, row.due_from, row.snoozed_until, clock.now()),
            drafts.reply.text or drafts.note.text,
        )

    def _word(self, row: Row, may: Permission) -> tuple[str, str]:
        """The one word for where a conversation stands, the most pressing first."""
        if row.state != "open":
            return row.state, ""
        if row.out_state == "failed" or (row.out_state == "unknown" and not row.settled):
            return row.out_state, "fail"
        if may.about_person:
            return "blocked", ""
        if row.unread:
            return "new", ""
        return ("open", "") if row.turn == "us" else ("waits", "")

    def _kind_word(self, kind: str) -> str:
        """What a kind of content is called; one that has no name yet is shown with the provider's own word."""
        key = f"inbox.kind.{kind}"
        return self._t(key) if key in catalogue(self._t.locale) else self._t("inbox.kind.other", kind=kind)

    def _detail_word(self, label: str) -> str:
        """What a line of a sheet is called; the provider's own word where it is none of ours."""
        key = f"inbox.sheet.{label}"
        return self._t(key) if key in catalogue(self._t.locale) else label

    def _said(self, kind: str, text: str) -> str:
        """A message in one line: its text, or the kind of content with the words that go with it."""
        if kind == "text":  # a text has words: without any, nobody has written yet
            return text or self._t("inbox.start.nothing_yet")
        if kind in ("choice", "interactive", "template", "cards", "times"):
            return text or self._kind_word(kind)
        if kind == "unsupported":
            return self._kind_word(text)
        return f"{self._kind_word(kind)}: {text}" if text else self._kind_word(kind)

    async def talk(self, conversation_id: UUID) -> Talk:
        """A conversation with the end of its thread; NotFound."""
        lines, older = await queries.lines_before(self._unit, conversation_id, None)
        return await self._talk(conversation_id, lines, older, before=None)

    async def talk_from(self, conversation_id: UUID, *, oldest: str, tail: str, changed: Sequence[UUID]) -> Talk:
        """A conversation with the lines from the first changed one on, at least from `tail`, never before `oldest`: what an
        open page needs to be right again."""
        places = [tail]
        if changed and (earliest := await queries.earliest_key(self._unit, conversation_id, changed)):
            places.append(earliest)
        start = max(min(places, key=queries.read_line_key), oldest, key=queries.read_line_key)
        lines, before = await queries.lines_from(self._unit, conversation_id, start)
        return await self._talk(conversation_id, lines, older=before is not None, before=before)

    async def older(self, conversation_id: UUID, before: str) -> dict[str, Any]:
        """The lines before a key, as pieces; the line at the key itself is drawn again, now that it has a neighbour."""
        row = await queries.row_by_id(self._unit, conversation_id)
        lines, older = await queries.lines_before(self._unit, conversation_id, before)
        following, _ = await queries.lines_from(self._unit, conversation_id, before, limit=2)
        people = await self.people()
        after = following[1] if len(following) > 1 else None
        pieces = lay_out([*lines, *following[:1]], people, self._zone, after=after, teams=await self.teams())
        offer = self._offer(row, await may_reply(self._runtime, self._unit, conversation_id))
        return {"pieces": pieces, "older": older, "name": row.name, "offer": offer, **self.words()}

    def _offer(self, row: Row, decision: Decision) -> Offer:
        is_open = self._access.may(Right.WRITE_INBOX) and decision.verdict != "refuse"
        return Offer(self._runtime.connectors.get(row.connector).capabilities, is_open, clock.now())

    async def _talk(self, conversation_id: UUID, lines: list[Line], older: bool, before: Line | None) -> Talk:
        row = await queries.row_by_id(self._unit, conversation_id)
        decision = await may_reply(self._runtime, self._unit, conversation_id)
        may = read_decision(decision, self._t, self._zone)
        people, teams = await self.people(), await self.teams()
        records, _ = await queries.protocol(self._unit, conversation_id, None, RECENT)
        drafts = (await drafts_of(self._unit, self._access.member_id, [conversation_id])).get(conversation_id, Drafts())
        return Talk(
            self._row(row, may, people, teams, drafts),
            may,
            self._offer(row, decision),
            lay_out(lines, people, self._zone, before=before, teams=teams),
            older,
            await queries.contact_of(self._unit, row),
            dict(self._runtime.connectors.items()),
            [one for one in people.values() if one.active and Right.WRITE_INBOX in ROLE_RIGHTS[one.role]],
            [team for team in teams.values() if team.active],
            choices(self._zone, clock.now()),
            [self._record(record, people, teams) for record in records],
            drafts,
            await self._picks(row) if may.other_way == "template" else [],
        )

    async def _picks(self, row: Row) -> list[Pick]:
        """Approved templates of the conversation's channel."""
        kept = await list_templates(self._unit, row.channel_id, only_approved=True)
        return [Pick(one, read_wording(one.components)) for one in kept]

    async def protocol(self, conversation_id: UUID, before: int | None) -> dict[str, Any]:
        """A page of everything that was done with a conversation; NotFound."""
        row = await queries.row_by_id(self._unit, conversation_id)
        found, more = await queries.protocol(self._unit, conversation_id, before, RECORDS)
        people, teams = await self.people(), await self.teams()
        records = [self._record(record, people, teams) for record in found]
        return {"row": row, "shown": ids.show("conv", row.id), "records": records, "more": more}

    def _record(self, record: Record, people: dict[UUID, Colleague], teams: dict[UUID, Team]) -> RecordView:
        author = people.get(record.author_id) if record.author_id else None
        content = record.content
        event = content["event"] if record.direction == "event" else "note"
        was: Holder | datetime | None = None
        now: Holder | datetime | None = None
        if event == "assigned":
            was, now = (_holder(content[side], people, teams) for side in ("from", "to"))
        elif event == "due":
            was, now = (_instant(content[side]) for side in ("from", "to"))
        elif event == "snoozed":
            now = _instant(content["until"])
        elif event == "overdue":
            was = _instant(content["due"])
        return RecordView(record, event, author, was, now)

    def words(self) -> dict[str, Any]:
        """Functions the thread's templates use."""
        return {
            "kind_word": self._kind_word,
            "detail_word": self._detail_word,
            "instant": datetime.fromisoformat,
            "failure_words": self._failure_words,
            "file_words": self._file_words,
            "said": self._said,
            "size": self._size,
            "degrees": self._degrees,
            "name_of": self._name_of,
            "draw_text": draw_text,
            "typed": self._typed,
            "media_rules": media_rules,
            "counts_pieces": lambda connector: isinstance(connector, CountsPieces),
            "most_times": MOST_TIMES,
        }

    def _failure_words(self, failure: str) -> tuple[str, str]:
        return failure_words(failure, self._t)

    def _file_words(self, file: File) -> str:
        """Why a file is not here."""
        known = f"file.reason.{file.reason}"
        return self._t(known if known in catalogue(self._t.locale) else f"inbox.file.why.{file.state}")

    def _size(self, size: int) -> str:
        """`840 kB`, `1,2 MB`."""
        for unit, factor, digits in (("GB", 10**9, 1), ("MB", 10**6, 1), ("kB", 1000, 0)):
            if size >= factor:
                return f"{format_number(round(size / factor, digits or None), self._t.locale)} {unit}"
        return f"{size} B"

    def _degrees(self, latitude: float, longitude: float) -> str:
        """A place as people read it: `47,54600 N, 9,68400 O`."""
        first, second = (format_decimal(abs(one), "0.00000", locale=self._t.locale) for one in (latitude, longitude))
        north, east = self._t("inbox.place.north"), self._t("inbox.place.east")
        return f"{first} {north if latitude >= 0 else 'S'}, {second} {east if longitude >= 0 else 'W'}"

    def _typed(self, line: Line) -> str:
        """The text of a message of ours as one would type it."""
        return write_text(Text(text=line.text, spans=read_spans(line.content)))

    def _name_of(self, member_id: UUID | None) -> str:
        """A member's name in a thread that was loaded before."""
        people = self._people or {}
        return people[member_id].name if member_id in people else ""


def _holder(content: dict[str, str | None], people: dict[UUID, Colleague], teams: dict[UUID, Team]) -> Holder:
    member, team = content["member"], content["team"]
    return Holder(teams.get(ids.read("team", team)) if team else None, people.get(ids.read("mem", member)) if member else None)


def _instant(stamp: str | None) -> datetime | None:
    return datetime.fromisoformat(stamp) if stamp else None
