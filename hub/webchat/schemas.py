"""What the widget may say: the shapes of its requests. Nothing longer than this is read."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from hub.connectors.webchat.split import CHOICE, LONGEST_TEXT
from hub.core.bodies import BodyTooLarge
from hub.core.errors import InvalidInput

LARGEST_BODY: Final = 64_000
"""Bytes: LONGEST_TEXT in the widest script, and the page it is written on."""

ClientId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
"""The widget's own id of what it sends: sent again it is the same thing."""
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=80, pattern=r"^[^\x00-\x1f]*$")]
Email = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200, pattern=r"^([^@\s]+@[^@\s]+)?$")]


class Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Start(Said):
    name: Name = ""
    email: Email = ""
    language: Annotated[str, StringConstraints(pattern=r"^[A-Za-z-]{0,12}$")] = ""


class Page(Said):
    """Where the visitor writes from."""

    url: Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://\S+$")]
    title: Annotated[str, StringConstraints(max_length=300)] = ""


class Message(Said):
    id: ClientId
    text: Annotated[str, StringConstraints(max_length=LONGEST_TEXT, pattern=r"\S")]
    page: Page | None = None


class Press(Said):
    """An answer that was pressed."""

    id: ClientId
    option: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    label: Annotated[str, StringConstraints(min_length=1, max_length=CHOICE.label)]


class Marks(Said):
    """Messages of ours that the widget shows, or that were read."""

    status: Literal["delivered", "read"]
    messages: Annotated[Sequence[str], Field(min_length=1, max_length=100)]


class Typing(Said):
    is_typing: bool


S = TypeVar("S", bound=Said)


async def read(request: Request, kind: type[S]) -> S:
    """The request's body. BodyTooLarge as soon as it is, InvalidInput names the field."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise BodyTooLarge
    try:
        return kind.model_validate_json(bytes(body))
    except ValidationError as error:
        place = error.errors()[0]["loc"]
        raise InvalidInput("malformed request", field=str(place[-1]) if place else "body") from None
