"""What can happen in a story of the demo: acts of customers and of colleagues, and when."""

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

ZONE: Final = "Europe/Berlin"


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody who works at the sample organisation."""

    email: str
    name: str
    role: str
    locale: str = "de"


@dataclass(frozen=True, slots=True)
class Write:
    """The customer writes."""

    text: str


@dataclass(frozen=True, slots=True)
class Start:
    """The customer presses Start, or opens a deep link with this payload (Telegram)."""

    payload: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """The customer sends a file, one of `samples.py` by its kind; on Telegram anything of `telegram/samples.py` by its name."""

    sample: str
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Album:
    """The customer sends several files as one message (Telegram)."""

    samples: tuple[str, ...]
    caption: str


@dataclass(frozen=True, slots=True)
class Press:
    """The customer presses a button below a question that another program of the shop sent through the same bot
    (Telegram)."""

    question: str
    buttons: tuple[str, ...]
    pressed: str


@dataclass(frozen=True, slots=True)
class Block:
    """The customer blocks the bot."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An agent answers; `fault` strikes the simulator at this very message."""

    author: Colleague
    text: str
    fault: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """An agent writes an internal note."""

    author: Colleague
    text: str


@dataclass(frozen=True, slots=True)
class Assign:
    """An agent gives the conversation to somebody."""

    author: Colleague
    to: Colleague


@dataclass(frozen=True, slots=True)
class Done:
    """An agent has nothing more to do here."""

    author: Colleague


Doing = Write | Start | Send | Album | Press | Block
"""What a customer does."""
Step = Doing | Answer | Note | Assign | Done


@dataclass(frozen=True, slots=True)
class At:
    """When: `days` ago at a time of day in Lindau, or `minutes` ago."""

    days: int = 0
    clock: str = ""
    minutes: float = 0

    def before(self, now: datetime) -> datetime:
        if not self.clock:
            return now - timedelta(minutes=self.minutes)
        day = now.astimezone(ZoneInfo(ZONE)).date() - timedelta(days=self.days)
        return datetime.combine(day, time.fromisoformat(self.clock), ZoneInfo(ZONE))


@dataclass(frozen=True, slots=True)
class Story:
    """One customer and what happened with them, oldest first. `address`: their number on Telegram; on other messengers the
    simulator gives them one, and the website chat its visitors."""

    address: str
    first_name: str
    last_name: str
    language: str
    username: str | None = None
    steps: tuple[tuple[At, Step], ...] = field(default=())
    connector: str = "telegram"

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def key(self) -> str:
        """What makes it this story and no other."""
        return f"{self.connector}-{self.name}"
