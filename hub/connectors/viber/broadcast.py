"""One message to many at once (provider file, A5), and what became of each receiver; README, "Broadcasts"."""

from collections.abc import Sequence
from typing import Final

from hub.connectors.contract import Broadcast, OutboundMessage, Receipt
from hub.connectors.errors import OutcomeUnknown, SendError, UnsupportedContent
from hub.connectors.viber.codes import OK, error_of, status_of
from hub.connectors.viber.payloads import message_key
from hub.connectors.viber.reading import Json, a_text, a_token
from hub.connectors.viber.send import message_for
from hub.connectors.viber.settings import ViberSettings

MOST_RECEIVERS: Final = 300


def body_for_many(messages: Sequence[OutboundMessage], settings: ViberSettings) -> Json:
    """Raises UnsupportedContent for what Viber cannot express: that, too many receivers, one of them twice, different contents."""
    users = [message.address for message in messages]
    if not 0 < len(users) <= MOST_RECEIVERS or len(set(users)) < len(users):
        raise UnsupportedContent("receivers")
    if any(message.content != messages[0].content for message in messages):
        raise UnsupportedContent("not_one_message")
    return {**message_for(messages[0], settings), "broadcast_list": users}


def read_broadcast(answer: Json, users: Sequence[str]) -> Broadcast:
    """An answer with status 0: the receivers in `failed_list` failed all the same, each for its own reason; whoever is not named
    got it. All share one token, which is a key only with the person. Raises OutcomeUnknown."""
    token, failed = a_token(answer), answer.get("failed_list", [])
    if not token or not isinstance(failed, list):
        raise OutcomeUnknown("unreadable_answer")
    reasons: dict[str, SendError] = {}
    for one in failed:
        if not isinstance(one, dict) or not (user := a_text(one, "receiver")):
            raise OutcomeUnknown("unreadable_answer")
        status = status_of(one)
        reasons[user] = error_of(-1 if status in (None, OK) else status, a_text(one, "status_message"))
    taken = {user: Receipt(status="accepted", keys=(message_key(user, token),)) for user in users if user not in reasons}
    return Broadcast(receipts=taken, failed=reasons)
