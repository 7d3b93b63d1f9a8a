"""One message to many at once (provider file, A5): the lists it goes out in, and what became of each receiver.

A campaign takes `lists_of` its receivers, sends `body_for_many` to `broadcast_message` for each list, and keeps for every receiver
either the key of `Broadcast.key_of` or its error; README, "Broadcasts".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hub.connectors.contract import OutboundMessage
from hub.connectors.errors import OutcomeUnknown, SendError
from hub.connectors.viber.codes import OK, error_of, status_of
from hub.connectors.viber.payloads import message_key
from hub.connectors.viber.reading import Json, a_text, a_token
from hub.connectors.viber.send import message_for
from hub.connectors.viber.settings import ViberSettings

MOST_RECEIVERS: Final = 300


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Who got it and who did not. All receivers share one token: only with the person it is a key."""

    token: str
    failed: Mapping[str, SendError] = field(default_factory=dict)

    def key_of(self, user: str) -> str:
        return message_key(user, self.token)


def lists_of(users: Sequence[str]) -> list[tuple[str, ...]]:
    """Receivers in lists of at most 300, each once."""
    once = tuple(dict.fromkeys(users))
    return [once[start : start + MOST_RECEIVERS] for start in range(0, len(once), MOST_RECEIVERS)]


def body_for_many(message: OutboundMessage, users: Sequence[str], settings: ViberSettings) -> Json:
    """Raises UnsupportedContent for what Viber cannot express."""
    return {**message_for(message, settings), "broadcast_list": list(users)}


def read_broadcast(answer: Json) -> Broadcast:
    """An answer with status 0: the receivers in `failed_list` failed all the same, each for its own reason; whoever is not named
    got it. Raises OutcomeUnknown."""
    token, failed = a_token(answer), answer.get("failed_list", [])
    if not token or not isinstance(failed, list):
        raise OutcomeUnknown("unreadable_answer")
    reasons: dict[str, SendError] = {}
    for one in failed:
        if not isinstance(one, dict) or not (user := a_text(one, "receiver")):
            raise OutcomeUnknown("unreadable_answer")
        status = status_of(one)
        reasons[user] = error_of(-1 if status in (None, OK) else status, a_text(one, "status_message"))
    return Broadcast(token, reasons)
