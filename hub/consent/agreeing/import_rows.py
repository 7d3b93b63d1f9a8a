"""Rows of a list of agreements: each carries its own evidence, or it is refused by its number (R-222). Pure.

address        as people write it; numbers in international form
messenger      `whatsapp`, `telegram`, …
channel        the channel's shown id; only where an address means somebody on one channel alone
purpose        the purpose's key
text_version   the version of its words that was agreed to
language       `de` or `en`
method         how: METHODS
source         where: a form's address, a fair, a shop
time           when: ISO 8601; without an offset in the organisation's zone
actor          who took it down, or the system
note, proof    more that proves it; may be empty
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.consent.agreeing.addresses import clean_address
from hub.consent.locks import Key
from hub.consent.purposes import Wording
from hub.core.errors import InvalidInput

NEEDED: Final = ("address", "messenger", "purpose", "text_version", "language", "method", "source", "time", "actor")
OPTIONAL: Final = ("channel", "note", "proof")
METHODS: Final = frozenset({"sign_up", "double_opt_in", "active_registration", "keyword", "agent", "paper"})
LONGEST: Final = 500
"""Characters of one field."""


@dataclass(frozen=True, slots=True)
class Known:
    """What rows are read against. `messengers`: whether an address there means somebody on one channel alone; `channels`: by shown
    id, their messenger and id; `words`: by key, version and language."""

    messengers: Mapping[str, bool]
    channels: Mapping[str, tuple[str, UUID]]
    purposes: Mapping[str, UUID]
    words: Mapping[tuple[str, int, str], Wording]
    zone: ZoneInfo
    now: datetime


@dataclass(frozen=True, slots=True)
class GoodRow:
    """A row that can be taken over."""

    number: int
    key: Key
    purpose_id: UUID
    version: int
    language: str
    wording: Wording
    at: datetime
    evidence: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is refused: the number of its line and why (`consent.import.reason.<reason>`)."""

    number: int
    reason: str


class _Bad(Exception):
    """Why a row is refused."""


def read_rows(lines: Iterable[str], known: Known) -> Iterator[GoodRow | BadRow]:
    """All rows in their order. InvalidInput(field="file") when columns are missing, before the first."""
    lines = iter(lines)
    head = next(lines, "").removeprefix("\ufeff")
    delimiter = ";" if head.count(";") > head.count(",") else ","
    names = [name.strip().lower() for name in next(csv.reader([head], delimiter=delimiter), [])]
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise InvalidInput(f"columns are missing: {', '.join(missing)}", field="file", reason="columns", columns=", ".join(missing))
    rows = csv.reader(lines, delimiter=delimiter)
    seen: set[tuple[Key, UUID]] = set()
    for values in rows:
        if not any(value.strip() for value in values):
            continue
        number = rows.line_num + 1
        try:
            if len(values) != len(names):
                raise _Bad("fields")
            row = _read(number, dict(zip(names, (value.strip() for value in values), strict=True)), known)
            if (row.key, row.purpose_id) in seen:
                raise _Bad("twice")
        except _Bad as bad:
            yield BadRow(number, str(bad))
            continue
        seen.add((row.key, row.purpose_id))
        yield row


def _read(number: int, row: Mapping[str, str], known: Known) -> GoodRow:
    if any(len(value) > LONGEST or "\x00" in value for value in row.values()):
        raise _Bad("long")
    for name in NEEDED:
        if not row[name]:
            raise _Bad(name)
    messenger = row["messenger"].lower()
    if messenger not in known.messengers:
        raise _Bad("messenger")
    scope = ""
    if known.messengers[messenger]:
        found, channel_id = known.channels.get(row.get("channel", ""), ("", None))
        if found != messenger:
            raise _Bad("channel")
        scope = str(channel_id)
    try:
        address = clean_address(messenger, row["address"])
    except InvalidInput:
        raise _Bad("address") from None
    purpose_id = known.purposes.get(row["purpose"])
    if purpose_id is None:
        raise _Bad("purpose")
    if row["method"] not in METHODS:
        raise _Bad("method")
    version = int(row["text_version"]) if row["text_version"].isascii() and row["text_version"].isdigit() else 0
    wording = known.words.get((row["purpose"], version, row["language"].lower()))
    if wording is None:
        raise _Bad("text_version")
    at = _moment(row["time"], known)
    evidence = {name: row[name] for name in ("method", "source", "actor", "note", "proof") if row.get(name)}
    return GoodRow(number, (messenger, scope, address), purpose_id, version, row["language"].lower(), wording, at, evidence)


def _moment(typed: str, known: Known) -> datetime:
    try:
        at = datetime.fromisoformat(typed)
    except ValueError:
        raise _Bad("time") from None
    if len(typed) < len("2026-01-01T00"):
        raise _Bad("time")  # a day alone is no time
    at = at if at.tzinfo else at.replace(tzinfo=known.zone)
    if at > known.now:
        raise _Bad("future")
    return at
