"""What the pages send, checked before it becomes anything. The forms stand in `frontend/templates/inbox/`."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Depends, Form, Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from hub.connectors.events import Location
from hub.core import clock, ids
from hub.core.errors import InvalidInput, NotFound
from hub.inbox.page.queries import VIEWS
from hub.inbox.page.when import Choice, read_choice
from hub.inbox.sending.compose import DraftCard, Filled, Times
from hub.inbox.sending.outbound import CLIENT_KEY_LENGTH
from hub.inbox.sending.wording import LONGEST
from hub.inbox.service import Charge

LONGEST_TEXT = 20_000
"""Characters of a reply or note. Messengers allow fewer or split (R-302); this bounds what is stored."""
MINUTES_OF_A_DAY = 24 * 60
MOST_IDS = 100
"""How many rows or messages a page may ask for at once."""


def _view(name: str) -> str:
    if name not in VIEWS:
        try:
            ids.read("team", name)
        except NotFound as error:
            raise ValueError("no such list") from error
    return name


View = Annotated[str, AfterValidator(_view)]
"""A list: one that everybody has, or a team's, named by its shown id. `open` is everything that is to do now."""

Text = Annotated[str, StringConstraints(max_length=LONGEST_TEXT)]
Word = Annotated[str, StringConstraints(max_length=300)]


class _Posted(BaseModel):
    model_config = ConfigDict(extra="ignore")

    view: View = "open"
    """The list that the page without script goes back to."""


class _WithPlace(_Posted):
    """What may have a place, as four fields of the form."""

    latitude: Word = ""
    longitude: Word = ""
    title: Word = ""
    address: Word = ""

    @property
    def location(self) -> Location | None:
        """InvalidInput for what is no place on earth."""
        if not (self.latitude or self.longitude):
            return None
        latitude, longitude = _degrees(self.latitude, "latitude", 90), _degrees(self.longitude, "longitude", 180)
        return Location(latitude=latitude, longitude=longitude, title=self.title.strip(), address=self.address.strip())


Files = Annotated[list[str], Field(max_length=MOST_IDS)]
"""Shown ids of uploads, in their order."""


class Reply(_WithPlace):
    """A reply: text, uploaded files with a caption, a question with answers to press or times to pick, cards, or a place.
    `client_key` is made when the form is drawn: the same key twice is one message. `reply_to`: the shown id of the message that is
    answered. Each card has its place in all four lists of cards; its answers are lines of one value."""

    text: Text = ""
    client_key: Annotated[str, Field(min_length=1, max_length=CLIENT_KEY_LENGTH)]
    files: Files = []
    options: Annotated[list[Word], Field(max_length=MOST_IDS)] = []
    slots: Annotated[list[Word], Field(max_length=MOST_IDS)] = []
    minutes: Annotated[int, Field(ge=1, le=MINUTES_OF_A_DAY)] = 30
    event_title: Word = ""
    card_titles: Annotated[list[Word], Field(max_length=MOST_IDS)] = []
    card_texts: Annotated[list[Text], Field(max_length=MOST_IDS)] = []
    card_files: Annotated[list[str], Field(max_length=MOST_IDS)] = []
    card_options: Annotated[list[Text], Field(max_length=MOST_IDS)] = []
    reply_to: str = ""

    @property
    def file_ids(self) -> list[UUID]:
        return [ids.read("file", file) for file in self.files]

    @property
    def reply_to_id(self) -> UUID | None:
        return ids.read("msg", self.reply_to) if self.reply_to else None

    def times(self, zone: str) -> Times | None:
        """InvalidInput for what is no time, or over."""
        typed = [slot for slot in self.slots if slot]
        if not typed:
            return None
        starts = [read_choice(Choice.OWN, slot, ZoneInfo(zone), clock.now()) for slot in typed]
        return Times(self.event_title, starts, self.minutes)

    @property
    def cards(self) -> list[DraftCard]:
        """InvalidInput where the lists do not belong together."""
        try:
            rows = list(zip(self.card_titles, self.card_texts, self.card_files, self.card_options, strict=True))
        except ValueError as error:
            raise InvalidInput("the parts of a card are not complete", field="cards") from error
        return [
            DraftCard(title, text, ids.read("file", file) if file else None, options.splitlines())
            for title, text, file, options in rows
        ]


class TemplatePick(_WithPlace):
    """A template, by its shown id, what stands in its blanks, and the files that it needs."""

    template: str
    client_key: Annotated[str, Field(min_length=1, max_length=CLIENT_KEY_LENGTH)]
    parameters: Annotated[list[Annotated[str, StringConstraints(max_length=LONGEST)]], Field(max_length=MOST_IDS)] = []
    files: Files = []

    @property
    def file_ids(self) -> list[UUID]:
        return [ids.read("file", file) for file in self.files]

    def filled(self, zone: str) -> Filled:
        return Filled(ids.read("tpl", self.template), self.parameters, ZoneInfo(zone))


class Typed(BaseModel):
    """What stands in the field of a reply."""

    text: Text = ""


class Change(_Posted):
    """The new words of a message of ours."""

    text: Text


class Reaction(_Posted):
    """Our reaction to a customer's message; empty takes it back."""

    emoji: Annotated[str, StringConstraints(max_length=32)] = ""


class NewConversation(_Posted):
    """Whom to write to first: a channel, by its shown id, what they are reached by there, and what to call them."""

    channel: str = ""
    address: Word = ""
    name: Annotated[str, StringConstraints(max_length=80)] = ""


class Note(_Posted):
    """An internal note. It has no key for sending and goes to another address than a reply."""

    text: Text


class DraftText(BaseModel):
    """What a member has begun to write; `version` is the one that the page knows."""

    kind: Literal["reply", "note"]
    text: Text = ""
    version: Annotated[int, Field(ge=0, lt=2**62)]


class Sign(BaseModel):
    """What a page says about its person: they look at a conversation, write a reply or a note there, or are gone. `tab` tells the
    pages of one person apart."""

    state: Literal["looks", "reply", "note", "gone"]
    tab: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]


class Assignment(_Posted):
    """Who shall take care: a shown member id, a shown team id, or nothing for nobody."""

    to: str = ""

    @property
    def charge(self) -> Charge:
        if self.to.startswith("team_"):
            return Charge(team_id=ids.read("team", self.to))
        return Charge(member_id=ids.read("mem", self.to) if self.to else None)


class Moment(_Posted):
    """A point in time: a quick choice, or `own` with `at` as a date and time field sends it, in the page's zone."""

    when: Choice = Choice.OWN
    at: Annotated[str, StringConstraints(max_length=32)] = ""

    def read(self, zone: str) -> datetime:
        """The instant, after now. Raises InvalidInput."""
        return read_choice(self.when, self.at, ZoneInfo(zone), clock.now())


class Due(_Posted):
    """A due time, or `when=none` for none."""

    when: Choice | Literal["none"] = Choice.OWN
    at: Annotated[str, StringConstraints(max_length=32)] = ""

    def read(self, zone: str) -> datetime | None:
        """The instant, after now. Raises InvalidInput."""
        return None if self.when == "none" else read_choice(self.when, self.at, ZoneInfo(zone), clock.now())


class Press(_Posted):
    """A button without further content."""


ReplyForm = Annotated[Reply, Form()]
TemplateForm = Annotated[TemplatePick, Form()]
ChangeForm = Annotated[Change, Form()]
ReactionForm = Annotated[Reaction, Form()]
NoteForm = Annotated[Note, Form()]
TypedForm = Annotated[Typed, Form()]
NewConversationForm = Annotated[NewConversation, Form()]
DraftForm = Annotated[DraftText, Form()]
SignForm = Annotated[Sign, Form()]
AssignmentForm = Annotated[Assignment, Form()]
MomentForm = Annotated[Moment, Form()]
DueForm = Annotated[Due, Form()]
PressForm = Annotated[Press, Form()]


def _degrees(typed: str, field: str, most: int) -> float:
    try:
        degrees = float(typed.strip().replace(",", "."))
    except ValueError as error:
        raise InvalidInput("no number", field=field) from error
    if not -most <= degrees <= most:
        raise InvalidInput(f"not between -{most} and {most}", field=field)
    return degrees


def _conversation_id(conversation: Annotated[str, Path()]) -> UUID:
    return ids.read("conv", conversation)


def _message_id(message: Annotated[str, Path()]) -> UUID:
    return ids.read("msg", message)


ConversationId = Annotated[UUID, Depends(_conversation_id)]
MessageId = Annotated[UUID, Depends(_message_id)]


def read_ids(prefix: str, shown: str) -> list[UUID]:
    """A comma separated list of shown ids, at most `MOST_IDS`."""
    listed = [one for one in shown.split(",") if one]
    if len(listed) > MOST_IDS:
        raise InvalidInput(f"more than {MOST_IDS} ids", field=prefix)
    return [ids.read(prefix, one) for one in listed]


class Wanted(BaseModel):
    """Which parts of an open page shall be drawn anew: rows by id, and of the open conversation the lines from the earliest
    changed one on, at least from `tail`, at most from `oldest`."""

    view: View = "open"
    rows: str = ""
    conversation: str = ""
    messages: str = ""
    oldest: str = ""
    tail: str = ""


WantedQuery = Annotated[Wanted, Query()]
