"""What the pages send, checked before it becomes anything. The forms stand in `frontend/templates/inbox/`."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Form, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

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


class _Posted(BaseModel):
    model_config = ConfigDict(extra="ignore")

    view: View = View.OPEN
    """The list that the page without script goes back to."""


class Reply(_Posted):
    """A reply. `client_key` is made when the form is drawn: the same key twice is one message."""

    text: Text
    client_key: Annotated[str, Field(min_length=1, max_length=CLIENT_KEY_LENGTH)]


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
NoteForm = Annotated[Note, Form()]
AssignmentForm = Annotated[Assignment, Form()]
PressForm = Annotated[Press, Form()]


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
