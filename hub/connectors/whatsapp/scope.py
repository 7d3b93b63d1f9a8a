"""What the elements of one delivery share while they are read."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.connectors.events import Unrecognised
from hub.connectors.whatsapp.reading import Json, fingerprint

LONGEST_ID: Final = 300
"""Characters of a message's id; real ones have about 70."""
LONGEST_KIND: Final = 64


@dataclass(frozen=True, slots=True)
class Scope:
    """`at`: when the provider sent it (`entry[].time`), else when the hub got it: for what carries no time of its own. `stamp` is
    the former in seconds, 0 without it. `own_id`: the account's number; empty while it is not known."""

    at: datetime
    stamp: int
    own_id: str

    def key(self, kind: str, element: Json) -> str:
        """A key for what has no id of its own: the same element of the same time is the same thing however often it comes."""
        return f"{kind}:{fingerprint(kind, element, self.stamp)}"

    def unrecognised(self, kind: str, element: Json, why: str) -> Unrecognised:
        return Unrecognised(key=f"u:{self.key(kind, element)}", at=self.at, kind=kind[:LONGEST_KIND], why=why)
