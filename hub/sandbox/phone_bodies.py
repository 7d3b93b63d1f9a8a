"""What the phone page's API takes."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from hub.sandbox.messengers import FileKind, PhoneLine

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewPerson(Strict):
    name: Name
    address: str = ""


class OfPerson(Strict):
    """Something a person does in their chat."""

    person: str


class Write(OfPerson):
    """A text, a place (latitude, longitude), a contact (name, phone) or a sample of `samples.py`, by its kind; a sample may have a
    text besides."""

    text: str = ""
    reply_to: str = ""
    place: tuple[Latitude, Longitude] | None = None
    contact: tuple[Name, Name] | None = None
    sample: FileKind | None = None
    at: datetime | None = None

    @model_validator(mode="after")
    def _is_one_message(self) -> "Write":
        alone = sum(value is not None for value in (self.place, self.contact))
        if alone + (self.sample is not None or bool(self.text)) != 1:
            raise ValueError("one of text, place, contact and sample")
        return self


class OfLine(OfPerson):
    line: str


class Press(OfLine):
    button: str


class React(OfLine):
    emoji: str = Field(max_length=32)
    """Empty: taken back."""


class Edit(OfLine):
    text: str = Field(min_length=1)


class Typing(OfPerson):
    is_typing: bool


class Block(OfPerson):
    is_blocked: bool


class Extra(OfPerson):
    name: str


class Restore(OfPerson):
    """What was said before, oldest first."""

    lines: list[PhoneLine]


class PointTo(Strict):
    url: str = Field(pattern="^https?://")


class SetFault(Strict):
    """`times` occasions, or `seconds`, or neither: until it is switched off. `values`: what the kind wants to know."""

    kind: str
    on: bool = True
    times: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    values: dict[str, Any] = {}
