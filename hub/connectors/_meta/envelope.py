"""A delivery of Meta's: `entry` by account, in each of them `messaging`, `standby` and `changes` (messenger.md, 3).

Up to a thousand elements of many pages come in one. A broken element costs the others nothing.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from hub.connectors._meta.reading import EPOCH, Json, an_id, moment, objects, read_json
from hub.connectors.contract import RawRequest
from hub.connectors.errors import MalformedPayload
from hub.connectors.sharing import Share

NOBODY: Final = "0"
"""The account of an entry that names none, as in tests from Meta's dashboard. Never an empty one: that would be all accounts."""


@dataclass(frozen=True, slots=True)
class Element:
    """One event of one account. `own_id` is the account it is for; `at` its own time, else that of its entry, else the hub's."""

    own_id: str
    at: datetime
    road: Literal["messaging", "standby", "changes"]
    value: Json


def elements(request: RawRequest) -> Iterator[Element]:
    """Every element that is an object, in its order. Raises MalformedPayload for what is no delivery at all."""
    for entry in objects(_read(request.body), "entry"):
        own_id = an_id(entry, "id")
        entered = moment(entry.get("time")) or request.received_at or EPOCH
        for road in ("messaging", "standby", "changes"):
            for value in objects(entry, road):
                yield Element(own_id, moment(value.get("timestamp")) or entered, road, value)


def shares(request: RawRequest) -> Sequence[Share]:
    """A delivery by account. Raises MalformedPayload for what is no delivery at all."""
    envelope = _read(request.body)
    by_id: dict[str, list[Json]] = {}
    for entry in objects(envelope, "entry"):
        by_id.setdefault(an_id(entry, "id") or NOBODY, []).append(entry)
    if len(by_id) == 1:  # as nearly always: the bytes stay as they came
        return [Share(own_id=own_id, body=request.body) for own_id in by_id]
    return [Share(own_id=own_id, body=_write({**envelope, "entry": entries})) for own_id, entries in by_id.items()]


def _read(body: bytes) -> Json:
    try:
        envelope = read_json(body)
    except ValueError as error:
        raise MalformedPayload("not JSON") from error
    if not isinstance(envelope, dict) or not isinstance(envelope.get("entry"), list):
        raise MalformedPayload("no entry")
    return envelope


def _write(envelope: Json) -> bytes:
    """Escaped beyond ASCII, so that half of a surrogate pair stays what it was."""
    try:
        return json.dumps(envelope, separators=(",", ":")).encode()
    except RecursionError:
        raise MalformedPayload("nested too deep") from None
