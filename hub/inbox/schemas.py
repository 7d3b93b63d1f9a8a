"""What the pages send, checked before it becomes anything. The forms stand in `frontend/templates/inbox/`."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Form, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hub.connectors.events import Location
from hub.core import ids
from hub.core.errors import InvalidInput
from hub.inbox.outbound import CLIENT_KEY_LENGTH

LONGEST_TEXT = 20_000
"""Characters of a reply or note. Messengers allow fewer or split (R-302); this bounds what is stored."""
MOST_IDS = 100
"""How many rows or messages a page may ask for at once."""


class View(StrEnum):
    """The lists. `open` is everything that is not done."""

    MINE = "mine"
    UNASSIGNED = "unassigned"
    OPEN = "open"
    DONE = "done"


Text = Annotated[str, StringConstraints(max_length=LONGEST_TEXT)]
Word = Annotated[str, StringConstraints(max_length=300)]


class _Posted(BaseModel):
    model_config = ConfigDict(extra="ignore")

    view: View = View.OPEN
    """The list that the page without script goes back to."""


class Reply(_Posted):
    """A reply: text, uploaded files with a caption, a question with answers to press, or a place. `client_key` is made when the
    form is drawn: the same key twice is one message. `reply_to`: the shown id of the message that is answered."""

    text: Text = ""
    client_key: Annotated[str, Field(min_length=1, max_length=CLIENT_KEY_LENGTH)]
    files: Annotated[list[str], Field(max_length=MOST_IDS)] = []
    options: Annotated[list[Word], Field(max_length=MOST_IDS)] = []
    reply_to: str = ""
    latitude: Word = ""
    longitude: Word = ""
    title: Word = ""
    address: Word = ""

    @property
    def file_ids(self) -> list[UUID]:
        return [ids.read("att", file) for file in self.files]

    @property
    def reply_to_id(self) -> UUID | None:
        return ids.read("msg", self.reply_to) if self.reply_to else None

    @property
    def location(self) -> Location | None:
        """InvalidInput for what is no place on earth."""
        if not (self.latitude or self.longitude):
            return None
        latitude, longitude = _degrees(self.latitude, "latitude", 90), _degrees(self.longitude, "longitude", 180)
        return Location(latitude=latitude, longitude=longitude, title=self.title.strip(), address=self.address.strip())


class Change(_Posted):
    """The new words of a message of ours."""

    text: Text


class Reaction(_Posted):
    """Our reaction to a customer's message; empty takes it back."""

    emoji: Annotated[str, StringConstraints(max_length=32)] = ""


class Note(_Posted):
    """An internal note. It has no key for sending and goes to another address than a reply."""

    text: Text


class Assignment(_Posted):
    """Who shall take care: a shown member id, or nothing for nobody."""

    to: str = ""

    @property
    def member_id(self) -> UUID | None:
        return ids.read("mem", self.to) if self.to else None


class Press(_Posted):
    """A button without further content."""


ReplyForm = Annotated[Reply, Form()]
ChangeForm = Annotated[Change, Form()]
ReactionForm = Annotated[Reaction, Form()]
NoteForm = Annotated[Note, Form()]
AssignmentForm = Annotated[Assignment, Form()]
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

    view: View = View.OPEN
    rows: str = ""
    conversation: str = ""
    messages: str = ""
    oldest: str = ""
    tail: str = ""


WantedQuery = Annotated[Wanted, Query()]
