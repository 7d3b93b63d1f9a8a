"""What holds for an address, folded from changes that come late and out of order. Pure.

Four words hold for the address as a whole (`State`), each the newest by the provider's time; of two at one instant the stricter:

    choice      the person's own word about hearing from us at all
    marketing   their word about advertising alone, as a provider reports it
    reach       whether the messenger lets us through
    bar         whether the business itself wrote to nobody there any more (block, suppression)

Beside them stands what was agreed to for each purpose (`Grant`). A stop ends all that was granted before it, whatever purpose it
was for, and what is granted afterwards holds again: so the time of the newest stop is kept by itself (`State.stopped`).
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Literal, Protocol, get_args

Kind = Literal[
    "opt_out",
    "restart",
    "opted_in",
    "marketing_stopped",
    "marketing_resumed",
    "blocked",
    "unblocked",
    "linked",
    "asked",
    "granted",
    "withdrawn",
    "overridden",
    "barred",
    "unbarred",
    "handed_out",
    "uses",
    "erased",
]
"""
opt_out             the person, or the messenger on their behalf, wants nothing more that is not an answer
restart             the person began anew (Telegram's /start): lifts an opt-out and is no consent to advertising
opted_in            the person agreed to be written to, in words that the evidence names; for no purpose in particular
marketing_stopped   no advertising; answers and service go on
marketing_resumed   lifts that stop and is no consent
blocked             nothing reaches them
unblocked           reachable again, and no consent either
linked              this address and `Change.other` are one person's
asked               they were asked to confirm what somebody said on a form; `Change.until` is when the question is void (R-227)
granted             they agreed to one purpose, in words that the evidence names; lifts a stop that came before
withdrawn           they take back what they granted for one purpose; everything else stays
overridden          somebody with the right to do so answers by name for writing without a grant until `Change.until` (R-226)
barred              the business writes to this address no more, whatever was granted: a block, or a demand from elsewhere
unbarred            lifts that
handed_out          the proof of this address was handed out; the evidence says to whom and what for (R-200)
uses                of the organisation itself: the hash over the messages that a day's consents were used for
erased              of the organisation itself: the subjects of a person whose keys were destroyed; the evidence names them
"""
OF_PURPOSE: Final = frozenset({"asked", "granted", "withdrawn", "overridden"})
"""Kinds that speak of one purpose; all others of the address as a whole."""
Axis = Literal["choice", "marketing", "reach", "bar"]
GrantState = Literal["unknown", "asked", "granted", "withdrawn"]
"""`unknown` is a state of its own and allows no marketing."""

_SAYS: Final[dict[Kind, dict[Axis, str]]] = {
    "opt_out": {"choice": "opted_out"},
    "restart": {"choice": "none", "reach": "reachable"},
    "opted_in": {"choice": "opted_in", "marketing": "free"},
    "marketing_stopped": {"marketing": "stopped"},
    "marketing_resumed": {"marketing": "free"},
    "blocked": {"reach": "blocked"},
    "unblocked": {"reach": "reachable"},
    "linked": {},
    "asked": {},
    "granted": {"choice": "opted_in", "marketing": "free"},
    "withdrawn": {},
    "overridden": {},
    "barred": {"bar": "barred"},
    "unbarred": {"bar": "open"},
    "handed_out": {},
    "uses": {},
    "erased": {},
}
"""What each kind says about each word of the state."""
_STRICTNESS: Final = {
    "opted_in": 0,
    "none": 1,
    "opted_out": 2,
    "free": 0,
    "stopped": 1,
    "reachable": 0,
    "blocked": 1,
    "open": 0,
    "barred": 1,
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Numbered(Protocol):
    """An entry of the ledger; `seq` is known once it is appended."""

    @property
    def seq(self) -> int | None: ...


@dataclass(slots=True)
class Moment:
    """When something was last said, and the entry it rests on: its number, or itself while it has none yet."""

    at: datetime | None = None
    seq: int | None = None
    entry: Numbered | None = field(default=None, repr=False)

    @property
    def ground(self) -> int | None:
        return self.entry.seq if self.entry else self.seq

    @property
    def order(self) -> datetime:
        return self.at or _EPOCH

    def hear(self, at: datetime, entry: Numbered | None) -> None:
        """Take over what is newer."""
        if self.at is None or at > self.at:
            self.at, self.entry = at, entry


@dataclass(slots=True)
class Word:
    """One word of a state: what holds, since when, and on which ground."""

    value: str
    since: Moment = field(default_factory=Moment)

    @property
    def at(self) -> datetime | None:
        return self.since.at

    @property
    def strictness(self) -> tuple[bool, int, datetime]:
        """Who has said nothing is no stricter than who has."""
        return self.at is not None, _STRICTNESS[self.value], self.since.order

    def hear(self, value: str, at: datetime, entry: Numbered | None) -> None:
        """Take over what is newer, or as new and stricter."""
        if self.at is None or (at, _STRICTNESS[value]) > (self.at, _STRICTNESS[self.value]):
            self.value = value
            self.since = Moment(at, None, entry)


@dataclass(slots=True)
class State:
    """What holds for an address as a whole. `stopped`: the newest opt-out, even one that something newer has lifted."""

    choice: Word = field(default_factory=lambda: Word("none"))
    marketing: Word = field(default_factory=lambda: Word("free"))
    reach: Word = field(default_factory=lambda: Word("reachable"))
    bar: Word = field(default_factory=lambda: Word("open"))
    stopped: Moment = field(default_factory=Moment)

    def apply(self, kind: Kind, at: datetime, entry: Numbered | None = None) -> None:
        """Fold one change in. The result does not depend on the order in which changes are applied."""
        for axis, value in _SAYS[kind].items():
            word: Word = getattr(self, axis)
            word.hear(value, at, entry)
        if kind == "opt_out":
            self.stopped.hear(at, entry)


@dataclass(slots=True)
class Grant:
    """What was said about one purpose at one address. `until`: when the question that was asked last is void; `overridden_until`:
    when the override that was given last ends. An override is no grant and changes no state."""

    asked: Moment = field(default_factory=Moment)
    until: datetime | None = None
    granted: Moment = field(default_factory=Moment)
    withdrawn: Moment = field(default_factory=Moment)
    overridden: Moment = field(default_factory=Moment)
    overridden_until: datetime | None = None

    def apply(self, kind: Kind, at: datetime, entry: Numbered | None = None, until: datetime | None = None) -> None:
        """Fold one change in; in any order."""
        match kind:
            case "asked":
                if self.asked.at is None or at > self.asked.at:
                    self.until = until
                self.asked.hear(at, entry)
            case "granted":
                self.granted.hear(at, entry)
            case "withdrawn":
                self.withdrawn.hear(at, entry)
            case "overridden":
                if self.overridden.at is None or at > self.overridden.at:
                    self.overridden_until = until
                self.overridden.hear(at, entry)

    def state(self, stopped_at: datetime | None, now: datetime) -> GrantState:
        """What holds at `now`. What was taken back at the instant of granting is taken back; a question is open until it is
        answered or void."""
        ended = max(self.withdrawn.order, stopped_at or _EPOCH)
        if self.granted.at is not None and self.granted.at > ended:
            return "granted"
        if self.asked.at is not None and self.asked.at > max(ended, self.granted.order) and self.until and now < self.until:
            return "asked"
        return "unknown" if self.granted.at is None and self.withdrawn.at is None else "withdrawn"


def join_states(states: Collection[State]) -> None:
    """The strictest of what each says holds for all."""
    for axis in get_args(Axis):
        strictest: Word = max((getattr(state, axis) for state in states), key=lambda word: word.strictness)
        for state in states:
            setattr(state, axis, Word(strictest.value, replace(strictest.since)))
    newest = max((state.stopped for state in states), key=lambda moment: moment.order)
    for state in states:
        state.stopped = replace(newest)


def join_grants(grants: Collection[Grant]) -> None:
    """The same for one purpose: what was taken back at one address is taken back at all, until it is granted anew."""
    said = [grant for grant in grants if grant.granted.at or grant.withdrawn.at]
    if not said:
        return
    strictest = max(said, key=_strictness)
    for grant in grants:
        grant.granted, grant.withdrawn = replace(strictest.granted), replace(strictest.withdrawn)


def _strictness(grant: Grant) -> tuple[bool, datetime, datetime]:
    return grant.withdrawn.order >= grant.granted.order, grant.withdrawn.order, grant.granted.order
