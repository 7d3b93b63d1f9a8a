"""What all calls of signal-cli have in common: how they fail, and what is wrong with their parameters."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hub.sandbox.faults import Faults
from hub.sandbox.signal.envelopes import Json
from hub.sandbox.signal.world import Person, World

NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")
UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Params = Mapping[str, Any]


class Failure(Exception):
    """A call that did not succeed: code and words of JSON-RPC, and what became of each recipient."""

    def __init__(self, code: int, words: str, results: Sequence[Json] = ()) -> None:
        super().__init__(words)
        self.code = code
        self.words = words
        self.results = list(results)


def must_be_known(world: World, faults: Faults) -> None:
    """Signal's servers refuse an account that was logged out."""
    if faults.take("unauthorised") or not world.account.is_registered:
        raise Failure(-3, "[401] Authorization failed! (AuthorizationFailedException)")


def only(params: Params, known: set[str], *, code: int = -1) -> None:
    if unknown := params.keys() - known:
        raise Failure(code, f"Unrecognized field {', '.join(sorted(unknown))}")


def texts(params: Params, name: str) -> list[str]:
    """A list, or a single value that stands for one."""
    value = params.get(name, [])
    values = value if isinstance(value, list) else [value]
    if any(not isinstance(one, str) for one in values):
        raise Failure(-32600, f"Cannot deserialize value of {name}")
    return values


def recipient_of(world: World, params: Params) -> tuple[str, Person | None]:
    """The one that is named, and who that is; None for nobody on Signal."""
    named = texts(params, "recipient")
    if len(named) != 1:
        raise Failure(-1, "No recipients given" if not named else "one recipient at a time")
    if not (NUMBER.fullmatch(named[0]) or UUID.fullmatch(named[0])):
        raise Failure(-1, f"Invalid phone number '{named[0]}'")
    return named[0], world.find(named[0])
