"""Viber's answers -> the answer or one of our errors. Creators documentation, "Error codes"; provider file, A7.

Viber answers 200 whatever happens: `status` says it, and a token in the answer proves nothing (status 12 carries one too).
"""

import time
from typing import Final

import orjson

from hub.connectors.errors import (
    AccountPaused,
    AuthFailed,
    OutcomeUnknown,
    RateLimited,
    RecipientLimited,
    RecipientOptedOut,
    Rejected,
    SendError,
    Unavailable,
    Unreachable,
    WindowClosed,
)
from hub.connectors.http import Answer
from hub.connectors.viber.reading import Json, a_text

OK: Final = 0
HOUR_LIMIT: Final = 12
ERRORS: Final[dict[int, type[SendError]]] = {
    1: Rejected,  # invalidUrl
    2: AuthFailed,  # invalidAuthToken
    3: Rejected,  # badData
    4: Rejected,  # missingData
    5: Unreachable,  # receiverNotRegistered
    6: RecipientOptedOut,  # receiverNotSubscribed
    8: AuthFailed,  # publicAccountNotFound
    11: Unreachable,  # receiverNoSuitableDevice
    13: Rejected,  # apiVersionNotSupported
    14: Rejected,  # incompatibleWithVersion
    16: Rejected,
    17: Rejected,
    18: Rejected,  # inline messages, chat extensions, public chats
    19: Rejected,  # cannotSendBroadcast
    20: Rejected,  # broadcastNotAllowed
    21: Unreachable,  # unsupportedCountry
    22: Rejected,  # paymentUnsupported
    23: WindowClosed,  # freeMessagesExceeded: only answers until the next month
}
"""Others are general errors: Unavailable."""
PAUSES: Final = {7: "blocked", 9: "suspended", 10: "webhook_missing", 15: "not_authorised", 24: "no_balance"}
"""Statuses of the account itself: its queue waits for a person."""
HTTP: Final[dict[int, type[SendError]]] = {401: AuthFailed, 403: AuthFailed, 413: Rejected, 503: Unavailable}
"""Others of 3xx and 4xx are Unavailable, since some server before Viber's let nothing through; others of 5xx are OutcomeUnknown."""
HOUR: Final = 3600.0
WAIT_WITHOUT_NUMBER: Final = 60.0
"""Seconds to leave the bot alone after a 429 that names no time."""
LONGEST_TEXT: Final = 300


def result_of(answer: Answer, token: str) -> Json:
    """An answer with status 0. Raises the SendError that another one means; `token` is kept out of its text."""
    if answer.status_code == 429:
        raise RateLimited(_seconds(answer.headers.get("retry-after")), "429")
    if answer.status_code >= 300:
        status = answer.status_code
        raise HTTP.get(status, Unavailable if status < 500 else OutcomeUnknown)(str(status))
    try:
        body = orjson.loads(answer.content)
    except ValueError:
        body = None
    found = status_of(body) if isinstance(body, dict) else None
    if not isinstance(body, dict) or found is None:
        raise OutcomeUnknown("unreadable_answer")
    if found != OK:
        raise error_of(found, a_text(body, "status_message").replace(token, "…"))
    return body


def status_of(body: Json) -> int | None:
    """It comes as a number and as a text."""
    found = body.get("status")
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) < 9:
        return int(found)
    return found if type(found) is int else None


def error_of(status: int, text: str) -> SendError:
    """What a status other than 0 means. Of the limit of 100 messages in a clock hour without an answer the wait is until the next
    one (provider file, A6)."""
    code, text = str(status), text[:LONGEST_TEXT]
    if status == HOUR_LIMIT:
        return RecipientLimited(max(1.0, HOUR - time.time() % HOUR), code, text)
    if status in PAUSES:
        return AccountPaused(PAUSES[status], code, text)
    return ERRORS.get(status, Unavailable)(code, text)


def _seconds(told: str | None) -> float:
    """At least one second; a Retry-After that is a date is not read."""
    return max(1.0, float(told)) if told and told.isascii() and told.isdigit() else WAIT_WITHOUT_NUMBER
