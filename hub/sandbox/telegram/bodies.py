"""What the control API takes. Times are unix seconds."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from hub.sandbox.telegram import samples
from hub.sandbox.telegram.wire import Json

HIGHEST_ID: Final = 2**52
"""Telegram's ids have at most 52 significant bits."""
LATEST: Final = 2**31 - 1

Date = Annotated[int | None, Field(default=None, ge=0, le=LATEST)]
Words = Annotated[str, Field(min_length=1, max_length=64)]


def _sample(name: str) -> str:
    if name not in samples.NAMES:
        raise ValueError(f"one of {', '.join(samples.NAMES)}")
    return name


Sample = Annotated[str, AfterValidator(_sample)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CreateBot(Strict):
    token: str
    name: Words
    username: Words


class CreatePerson(Strict):
    first_name: Words
    last_name: Words | None = None
    username: Words | None = None
    language_code: str | None = Field(default=None, pattern="^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$")
    id: int | None = Field(default=None, gt=0, lt=HIGHEST_ID)


class When(Strict):
    date: Date


class Item(Strict):
    """One of an album: `sample` or `content`."""

    sample: Sample | None = None
    content: Json | None = Field(default=None, min_length=1)
    caption: str = ""

    @model_validator(mode="after")
    def _exactly_one(self) -> "Item":
        if (self.sample is None) == (self.content is None):
            raise ValueError("exactly one of sample and content")
        return self


class Write(When):
    """Exactly one of `text`, `start` (the payload, may be empty), `sample` (a file or another kind by its name), `content` (fields
    of a Message of any kind) and `album`."""

    text: str | None = Field(default=None, min_length=1)
    start: str | None = None
    sample: Sample | None = None
    content: Json | None = Field(default=None, min_length=1)
    album: list[Item] | None = Field(default=None, min_length=2, max_length=10)
    caption: str = ""
    """Of `sample` and `content`."""
    is_typed: bool = False
    """Read `**bold**`, `__italic__`, `~~struck~~` and `code` in text and caption, as Telegram's apps do."""
    shuffled: bool = False
    """The parts of an album reach the bot in another order than they were sent."""
    reply_to: int | None = None
    quote: str | None = Field(default=None, min_length=1)
    """The part of that message that is quoted."""
    forward: str | None = Field(default=None, min_length=1)
    """Passed on from somebody of this name, who hides the account."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "Write":
        if sum(value is not None for value in (self.text, self.start, self.sample, self.content, self.album)) != 1:
            raise ValueError("exactly one of text, start, sample, content and album")
        return self


class WriteInGroup(Write):
    person: int


class WriteInBusiness(Write):
    by_owner: bool = False
    """Typed by the owner of the business account, on their own phone."""


class Edit(When):
    """Exactly one: a new text or caption, or where a live location is now."""

    text: str | None = Field(default=None, min_length=1)
    location: Json | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "Edit":
        if (self.text is None) == (self.location is None):
            raise ValueError("exactly one of text and location")
        return self


class CreateGroup(Strict):
    """A group or channel the bot belongs to; the same id again renames it."""

    id: int = Field(lt=0, gt=-HIGHEST_ID)
    title: Words
    type: Literal["group", "supergroup", "channel"] = "supergroup"
    person: int


class React(When):
    person: int
    message_id: int
    emoji: str | None = None


class Migrate(Strict):
    to: int = Field(lt=0, gt=-HIGHEST_ID)


class Connect(When):
    """A business account lets the bot work for it, or no longer."""

    id: Words
    owner: int
    is_enabled: bool = True
    can_reply: bool = True


class Delete(Strict):
    message_ids: list[int] = Field(min_length=1)


class RawUpdate(Strict):
    """An update of any kind as it stands in the provider's documents, without its id."""

    kind: str = Field(pattern="^[a-z_]{1,64}$")
    payload: Json
