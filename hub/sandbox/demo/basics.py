"""What all parts of the demo share."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from hub.core.errors import HubError
from hub.core.i18n import Translator

Say = Callable[[str], None]
"""Tells the person at the terminal."""


class DemoFailed(HubError):
    """The demo cannot be prepared; the message is for the person at the terminal."""

    code = "demo_failed"


@dataclass(frozen=True, slots=True)
class Place:
    """The sample organisation and its channel on one messenger."""

    organisation_id: UUID
    connector: str
    channel_id: UUID


def words() -> Translator:
    """German: the first language of the product."""
    return Translator("de")
