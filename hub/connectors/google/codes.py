"""Google's answers -> a result or one of our errors (provider file, 9). A message id that repeats is ignored."""

from typing import Any, Final

from hub.connectors.errors import (
    AuthFailed,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SendError,
    Unavailable,
    Unreachable,
)
from hub.connectors.http import Answer

STATUSES: Final[dict[int, type[SendError]]] = {
    400: Rejected,  # INVALID_ARGUMENT: bad JSON, too long, or the phone lacks a feature
    401: AuthFailed,  # UNAUTHENTICATED: the access token is over or taken away
    403: AuthFailed,  # PERMISSION_DENIED: not this service account's agent, or an agent that is not launched
    404: Unreachable,  # NOT_FOUND: no RCS on this phone, or not launched at its carrier
    409: Rejected,  # ALREADY_EXISTS: the id belongs to another message
    500: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
"""5xx are said by Google's own front, and the same id makes a repetition safe."""
WAIT_WITHOUT_NUMBER: Final = 30.0
LONGEST_TEXT: Final = 300


def result_of(answer: Answer) -> dict[str, Any]:
    """What an accepted call returned. Raises the SendError that the answer means."""
    body = _json(answer)
    if answer.status_code < 300:
        if body is None:
            raise OutcomeUnknown("unreadable_answer")
        return body
    code, text = _words(body, answer.status_code)
    if answer.status_code == 429:
        after = answer.headers.get("retry-after", "")
        raise RateLimited(max(1.0, float(after)) if after.isascii() and after.isdigit() else WAIT_WITHOUT_NUMBER, code, text)
    kind = STATUSES.get(answer.status_code)
    if kind is None:
        kind = Rejected if 400 <= answer.status_code < 500 else Unavailable if answer.status_code < 400 else OutcomeUnknown
    raise kind(code, text)


def _json(answer: Answer) -> dict[str, Any] | None:
    try:
        body = answer.json() if answer.content else {}
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _words(body: dict[str, Any] | None, status: int) -> tuple[str, str]:
    """Google's word for the failure and its explanation."""
    told = body.get("error") if body else None
    if not isinstance(told, dict):
        return str(status), ""
    word, text = told.get("status"), told.get("message")
    return word if isinstance(word, str) else str(status), text[:LONGEST_TEXT] if isinstance(text, str) else ""
