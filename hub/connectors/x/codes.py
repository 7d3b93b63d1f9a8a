"""X's answers -> a result or one of our errors (provider file, 8)."""

from typing import Any, Final

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

BY_NUMBER: Final[dict[int, type[SendError]]] = {
    32: AuthFailed,
    89: AuthFailed,
    150: Unreachable,  # does not follow us and has not opened messages
    349: Unreachable,  # messages closed, or blocked
    476: Unreachable,  # takes messages of verified accounts only
    151: Rejected,
}
"""Codes of the older error body. X reports blocks to nobody, so none of them is an opt-out."""
PAUSES: Final[dict[int, str]] = {64: "suspended", 326: "locked", 226: "looks_automated"}
"""The account itself is stopped: every further try makes it worse."""
BY_TYPE: Final[dict[str, type[SendError]]] = {
    "not-authorized-for-resource": Unreachable,
    "client-forbidden": AuthFailed,
    "unsupported-authentication": AuthFailed,
    "resource-not-found": Rejected,
    "invalid-request": Rejected,
}
"""The last part of a problem's `type`."""
LONGEST_WAIT: Final = 900.0
WAIT_WITHOUT_NUMBER: Final = 60.0
LONGEST_TEXT: Final = 300


def result_of(answer: Answer, now: float) -> dict[str, Any]:
    """What was returned. `now` is unix time, for the moment at which a limit ends. Raises the SendError that the answer means."""
    body = _object(answer)
    if answer.status_code < 300:
        if body is None:
            raise OutcomeUnknown("unreadable_answer")
        if body.get("errors") and not body.get("data"):  # 200 with nothing but errors (8)
            raise _refusal(answer, body, now)
        return body
    raise _refusal(answer, body or {}, now)


def _refusal(answer: Answer, body: dict[str, Any], now: float) -> SendError:
    status, (number, kind, text) = answer.status_code, _words(body)
    code = str(number or kind or status)
    if "usage-capped" in kind or "usage-capped" in text.lower():
        return AccountPaused("credits_used_up", code, text)
    if status == 429:
        return RateLimited(_wait(answer, now), code, text)
    if number in PAUSES:
        return AccountPaused(PAUSES[number], code, text)
    if number in BY_NUMBER:
        return BY_NUMBER[number](code, text)
    if kind in BY_TYPE:
        return BY_TYPE[kind](code, text)
    match status:
        case 401:
            return AuthFailed(code, text)
        case 403:
            return Rejected(code, text)  # a bare 403 may mean the person: it never stops the account (8)
        case 404:
            return Unreachable(code, text)
        case 503:
            return Unavailable(code, text)
        case _ if 300 <= status < 400:
            return Unavailable(code, text)
        case _ if 400 <= status < 500 or status < 300:
            return Rejected(code, text)
        case _:
            return OutcomeUnknown(code, text)


def _wait(answer: Answer, now: float) -> float:
    """Until `x-rate-limit-reset`, at most the 15 minutes that a window lasts."""
    reset = answer.headers.get("x-rate-limit-reset", "")
    if not (reset.isascii() and reset.isdigit()):
        return WAIT_WITHOUT_NUMBER
    return min(LONGEST_WAIT, max(1.0, float(reset) - now))


def _words(body: dict[str, Any]) -> tuple[int, str, str]:
    """Number (older body), last part of the type (newer body) and words of a refusal."""
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    told = body if isinstance(body.get("type"), str) or not first else first
    kind = told.get("type")
    text = told.get("detail") or told.get("message") or told.get("title")
    number = first.get("code")
    return (
        number if type(number) is int else 0,
        kind.rpartition("/")[2] if isinstance(kind, str) and kind != "about:blank" else "",
        text[:LONGEST_TEXT] if isinstance(text, str) else "",
    )


def _object(answer: Answer) -> dict[str, Any] | None:
    try:
        body = answer.json() if answer.content else {}
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
