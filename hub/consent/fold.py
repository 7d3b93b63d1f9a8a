"""The state that follows from entries of the ledger alone, in their order: now, or on a day that is past (R-224). Pure.

`ledger.record` draws the state of an address anew with each change; here the same rules are applied from the beginning. The check
of the ledger compares the tables with it, and a page asks it what held on a date.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.consent.locks import Key
from hub.consent.states import OF_PURPOSE, Grant, Kind, State, join_grants, join_states


@dataclass(frozen=True, slots=True)
class Said:
    """What one entry says, opened."""

    seq: int
    key: Key
    kind: Kind
    at: datetime
    evidence: dict[str, str]
    recorded_at: datetime
    other: str = ""
    purpose_id: UUID | None = None
    until: datetime | None = None


def read_said(seq: int, details: dict[str, Any]) -> Said:
    """The details of an entry as `chain.seal_entry` wrote them."""
    until, purpose = details.get("until"), details.get("purpose")
    return Said(
        seq,
        (details["messenger"], details["scope"], details["address"]),
        details["kind"],
        datetime.fromisoformat(details["at"]),
        details["evidence"],
        datetime.fromisoformat(details["recorded_at"]),
        details.get("other", ""),
        UUID(purpose) if purpose else None,
        datetime.fromisoformat(until) if until else None,
    )


@dataclass(slots=True)
class Fold:
    """States and grants by address. An address of which nothing was said is in none of them."""

    states: dict[Key, State] = field(default_factory=lambda: defaultdict(State))
    grants: dict[tuple[Key, UUID], Grant] = field(default_factory=lambda: defaultdict(Grant))
    _families: dict[Key, set[Key]] = field(default_factory=dict)

    def family(self, key: Key) -> set[Key]:
        """All addresses that are known to be this person's, itself among them."""
        return self._families.setdefault(key, {key})

    def take(self, said: Said) -> None:
        """One more entry."""
        if said.kind == "linked":
            self._join(said.key, (*said.key[:2], said.other))
        for key in self.family(said.key):
            self.states[key].apply(said.kind, said.at, said)
            if said.purpose_id and said.kind in OF_PURPOSE:
                self.grants[key, said.purpose_id].apply(said.kind, said.at, said, said.until)

    def _join(self, one: Key, other: Key) -> None:
        family = self.family(one) | self.family(other)
        for key in family:
            self._families[key] = family
        join_states([self.states[key] for key in family])
        for purpose_id in {purpose_id for key, purpose_id in self.grants if key in family}:
            join_grants([self.grants[key, purpose_id] for key in family])


def fold(entries: Iterable[Said], until: datetime | None = None) -> Fold:
    """Fold entries in the order of their numbers; with `until` only what had happened by then, by the provider's times."""
    folded = Fold()
    for said in sorted(entries, key=lambda said: said.seq):
        if until is None or said.at <= until:
            folded.take(said)
    return folded
