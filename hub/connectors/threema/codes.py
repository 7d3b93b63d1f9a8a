"""Threema's answers -> a text or one of our errors. Threema Message API, "Status codes"; provider file, 8.

Why 5xx fall apart: 503 says that nothing was taken on. After 500, 502 and 504 nobody knows: the message may be out and paid, and
Threema takes no idempotency key.
"""

from typing import Final

from hub.connectors.errors import (
    AccountPaused,
    AuthFailed,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SendError,
    Unavailable,
    Unreachable,
)
from hub.connectors.http import Answer

ERRORS: Final[dict[int, type[SendError]]] = {
    400: Rejected,  # no such id, or one that is not set up for this mode
    401: AuthFailed,
    404: Unreachable,
    413: Rejected,  # too long
    503: Unavailable,
}
"""Others of 3xx and 4xx are Unavailable: some server before Threema's let nothing through. Others of 5xx are OutcomeUnknown."""
WAIT_WITHOUT_NUMBER: Final = 60.0
"""Seconds to leave the account alone after a 429 that names no time; Threema publishes no limits."""
LONGEST_TEXT: Final = 200


def text_of(answer: Answer, secret: str) -> str:
    """What an answer of 200 says, without space around it. Raises the SendError that the answer means; `secret` is kept out of its
    text."""
    text = answer.content.decode("utf-8", "replace").strip()
    if answer.status_code == 200:
        return text
    raise error_of(answer.status_code, answer.headers.get("retry-after"), text.replace(secret, "…")[:LONGEST_TEXT])


def error_of(status: int, retry_after: str | None = None, text: str = "") -> SendError:
    code = str(status)
    if status == 402:
        return AccountPaused("no_credits", code, text)
    if status == 429:
        return RateLimited(_seconds(retry_after), code, text)
    return ERRORS.get(status, Unavailable if 300 <= status < 500 else OutcomeUnknown)(code, text)


def _seconds(told: str | None) -> float:
    """At least one second; a Retry-After that is a date is not read."""
    return max(1.0, float(told)) if told and told.isascii() and told.isdigit() else WAIT_WITHOUT_NUMBER
