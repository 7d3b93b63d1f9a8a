"""The Graph API's refusals -> one of our errors (messenger.md, 11; instagram.md, 10).

The code with its subcode first, then the code alone: 200/1545041 speaks of one person, 200 without a subcode of the whole account,
and one contact that blocks a page must not stop it. For the same reason 10 and 200 to 299 with a subcode that we do not know
concern the message and not the account.

An `error` in the body is Meta's own word that nothing was sent, whatever the status, 200 too; except 1/1357046, which came although
messages went out. Answers without it come from a gateway before Meta.
"""

from typing import Final

import orjson

from hub.connectors._meta.reading import Json, a_text, an_object
from hub.connectors.errors import (
    AccountPaused,
    AuthFailed,
    OutcomeUnknown,
    RateLimited,
    RecipientLimited,
    Rejected,
    SendError,
    Unavailable,
    Unreachable,
    WindowClosed,
)
from hub.connectors.http import Answer

EXACT: Final[dict[tuple[int, int], type[SendError]]] = {
    (1, 1357046): OutcomeUnknown,  # "invalid JSON reply"
    (10, 2018278): WindowClosed,
    (10, 2018065): WindowClosed,  # the older number
    (10, 2534022): WindowClosed,  # Instagram's
    (10, 2018108): Unreachable,  # the person takes nothing now
    (10, 2018028): AuthFailed,  # the app may write to its own people only
    (200, 2018028): AuthFailed,
    (200, 1545041): Unreachable,
    (100, 2018001): Unreachable,  # no such person
    (100, 2534014): Unreachable,  # the same at Instagram
    (100, 2018008): Unavailable,  # Meta could not fetch the file from our address
}
BY_CODE: Final[dict[int, type[SendError]]] = {
    3: AuthFailed,
    102: AuthFailed,
    190: AuthFailed,  # the token: expired, password changed, role lost
    230: Unreachable,  # the person does not allow it
    551: Unreachable,  # blocked the page, or deleted the thread
    9010: Unreachable,  # no such Instagram account
    -1: Unavailable,
    1: Unavailable,
    2: Unavailable,
    1200: Unavailable,
}
LIMITED: Final = frozenset({4, 17, 32, 613, 80001, 80002, 80006})
"""Too many calls: of the app, the user, the page, this call, a page, Instagram, Messenger."""
MARKETING: Final = (4, 2018354)
"""Too many marketing messages to one person, who gets one a day at most (messenger.md, 8)."""
MARKETING_SECONDS: Final = 86_400.0
BLOCKED: Final = 368
RESTRICTED: Final = (10, 1893063)
"""The account is blocked, or the page restricted, for what it did."""

WAIT_WITHOUT_NUMBER: Final = 60.0
"""Seconds to leave an account alone when Meta names no time."""
LONGEST_TEXT: Final = 300


def graph_error(answer: Answer, *secrets: str) -> SendError | None:
    """The error that an answer means; None for one that went well. `secrets` are kept out of its text: Meta repeats tokens that it
    does not like."""
    body = body_of(answer)
    error = an_object(body, "error")
    if not error:
        return None if body is not None and answer.status_code < 300 else _foreign(answer)
    code, subcode = _number(error, "code"), _number(error, "error_subcode")
    shown = f"{code}/{subcode}" if subcode else str(code)
    text = a_text(error, "message")
    for secret in secrets:
        text = text.replace(secret, "…")
    text = text[:LONGEST_TEXT]
    if (code, subcode) == MARKETING:
        return RecipientLimited(MARKETING_SECONDS, shown, text)
    if code == BLOCKED or (code, subcode) == RESTRICTED:
        return AccountPaused("policy", shown, text)
    known = EXACT.get((code, subcode))
    if known is not None:
        return known(shown, text)
    if code in LIMITED or answer.status_code == 429:
        return RateLimited(_wait(answer), shown, text)
    return _by_code(answer, error, code, subcode)(shown, text)


def body_of(answer: Answer) -> Json | None:
    """What an answer says, if it is an object."""
    try:
        body = orjson.loads(answer.content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _by_code(answer: Answer, error: Json, code: int, subcode: int) -> type[SendError]:
    if code in BY_CODE:
        return BY_CODE[code]
    if code == 10 or 200 <= code < 300:
        return Rejected if subcode else AuthFailed
    if error.get("is_transient") is True or answer.status_code >= 500:
        return Unavailable
    return Rejected


def _foreign(answer: Answer) -> SendError:
    """An answer that is not the Graph API's: what a server before it let through is not known, what it turned away certainly is."""
    status = answer.status_code
    if status == 429:
        return RateLimited(_wait(answer), str(status))
    if status == 401:
        return AuthFailed(str(status))
    return (Unavailable if 300 <= status < 500 else OutcomeUnknown)(str(status))


def _number(error: Json, name: str) -> int:
    found = error.get(name)
    return found if type(found) is int else 0


def _wait(answer: Answer) -> float:
    """Seconds: the longest that Meta names for any of the account's limits, in minutes (messenger.md, 10), else `Retry-After`."""
    try:
        told = orjson.loads(answer.headers.get("x-business-use-case-usage", "{}"))
    except ValueError:
        told = {}
    uses = [use for uses in told.values() if isinstance(uses, list) for use in uses] if isinstance(told, dict) else []
    minutes = max((_number(use, "estimated_time_to_regain_access") for use in uses if isinstance(use, dict)), default=0)
    after = answer.headers.get("retry-after", "")
    if minutes > 0:
        return minutes * 60.0
    return max(1.0, float(after)) if after.isascii() and after.isdigit() else WAIT_WITHOUT_NUMBER
