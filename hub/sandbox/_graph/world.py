"""The app at Meta, its accounts (pages, Instagram accounts), their people and threads."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hub.core import clock
from hub.core.errors import NotFound
from hub.sandbox._graph.flavour import Flavour
from hub.sandbox._graph.templates import Templates
from hub.sandbox.messengers import PhoneFile, PhoneLine, PhonePerson
from hub.sandbox.numbers import first_number

APP_ID = "990017744120055"
APP_SECRET = "5f4dcc3b5aa765d61d8327deb882cf99"
APP_NAME = "Radwerk Hub"
INSTAGRAM_APP_ID = "990017744120777"
INSTAGRAM_APP_SECRET = "9b74c9897bac770ffc029102a200c5de"
"""Of the app's Instagram product, which Meta numbers apart."""


@dataclass(slots=True)
class Thread:
    """What one person and one account wrote. `acted_at`: when the person last did what opens the window. `owner`: the id of another
    program that answers them now; empty: the app."""

    person: PhonePerson
    lines: list[PhoneLine] = field(default_factory=list)
    acted_at: datetime | None = None
    is_blocked: bool = False
    is_typing: bool = False
    owner: str = ""

    def line(self, line_id: str) -> PhoneLine:
        """Raises NotFound."""
        found = next((line for line in self.lines if line.id == line_id), None)
        if found is None:
            raise NotFound("no such message")
        return found

    def change(self, line: PhoneLine) -> None:
        """Put it in the place of the one with its id."""
        self.lines = [line if one.id == line.id else one for one in self.lines]

    def acted(self, at: datetime) -> None:
        """The person did something that may be answered."""
        self.acted_at = max(at, self.acted_at or at)


@dataclass(slots=True)
class Page:
    """An account. `subscribed`: what of it the app gets; `token` is its access token, which ends at
    `token_ends`; `first_token`, that of the sample settings, stays good beside it: the demo connects with it at each start."""

    id: str
    title: str
    name: str
    token: str
    threads: dict[str, Thread] = field(default_factory=dict)
    subscribed: set[str] = field(default_factory=set)
    token_ends: datetime | None = None
    token_made: datetime | None = None
    first_token: str = ""
    templates: Templates = field(default_factory=Templates)

    @property
    def is_own_login(self) -> bool:
        """Connected by Instagram's own login, without a page."""
        return self.token.startswith("IG")

    def thread(self, person: str) -> Thread:
        """Raises NotFound."""
        if person not in self.threads:
            raise NotFound("no such person")
        return self.threads[person]


@dataclass(slots=True)
class Subscription:
    """Where the app's events go."""

    callback_url: str = ""
    fields: tuple[str, ...] = ()
    is_active: bool = False


class World:
    """Everything there is. Ids are numbers in their order."""

    def __init__(self, flavour: Flavour) -> None:
        self.flavour = flavour
        self.subscription = Subscription()
        self.pages: dict[str, Page] = {}
        self.files: dict[str, tuple[PhoneFile, bytes]] = {}
        self.attachments: dict[str, tuple[str, PhoneFile]] = {}
        self.tickets: dict[str, tuple[Page, Thread]] = {}
        """People by what is not their id: ticked boxes and tokens of topics."""
        self.quick: set[str] = set()
        """Messages whose buttons are quick replies, which go when one is pressed."""
        self._numbers: Iterator[int] = itertools.count(first_number())
        page = self.add_page(flavour.account_id, flavour.account_title, flavour.account_name, flavour.token)
        for person in flavour.people:
            page.threads[person.id] = Thread(person)

    def add_page(self, page_id: str, title: str, name: str, token: str) -> Page:
        page = self.pages[page_id] = Page(
            page_id, title, name, token, token_made=clock.now() - timedelta(days=2), first_token=token
        )
        return page

    def page(self, account: str) -> Page:
        """Raises NotFound."""
        if account not in self.pages:
            raise NotFound("no such account")
        return self.pages[account]

    def add_person(self, page: Page, name: str, address: str) -> PhonePerson:
        known = page.threads.get(address)
        person = PhonePerson(id=address or str(7318840026700000 + next(self._numbers)), name=name, address="")
        person = replace(person, address=person.id)
        if known is None:
            page.threads[person.id] = Thread(person)
        else:
            known.person = person
        return person

    def next_mid(self) -> str:
        return self.flavour.mid.format(number=next(self._numbers))

    def next_number(self) -> int:
        return next(self._numbers)

    def keep_file(self, file: PhoneFile, content: bytes) -> PhoneFile:
        kept = replace(file, id=str(2457235337600000 + next(self._numbers)), size=len(content))
        self.files[kept.id] = (kept, content)
        return kept
