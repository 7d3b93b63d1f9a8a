"""Answers of both interfaces -> a result or one of our errors (provider file, 8.2 and 15).

Order: an error of Meta's by its code, then the words of 360dialog's own layer, then `is_transient`, then the status. The status
alone says little: the same code comes with 400, 403, 429 and 500.

Why server errors are unclear and not "again": there is no key that makes repeating safe, and behind 1, 2, 131000, 131016, 131057,
133004 and a bare 5xx the message may be out already (8.1).
"""

from typing import Any, Final

from hub.connectors.errors import (
    AccountPaused,
    AuthFailed,
    MarketingStopped,
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
from hub.connectors.whatsapp.reading import Json, a_text, an_object, objects, read_json

PAIR_LIMIT: Final = 131056
MARKETING_STOPPED: Final = 131050
WAITS: Final[dict[int, float]] = {4: 60.0, 613: 60.0, 80007: 60.0, 130429: 10.0}
"""Seconds after which a limit is tried again. Meta names none: calls of an app or account are counted over an hour, messages of a
number over a second (14)."""
PAIR_SECONDS: Final = 16.0
"""4² seconds, the third of Meta's steps: the first two (1 and 4) are shorter than the 6 that one message costs (14)."""
PAUSED: Final[dict[int, str]] = {
    368: "policy",
    131031: "locked",
    131042: "payment",
    131045: "not_registered",
    131048: "spam",
    131064: "spam",
    133010: "not_registered",
}
"""What stops the whole account until a person acts: the end of `channel.whatsapp.health.<cause>`."""
UNCLEAR: Final = frozenset({1, 2, 131000, 131016, 131057, 133004})
CREDENTIALS: Final = frozenset({0, 3, 10, 190, 131005, *range(200, 300)})
REFUSALS: Final[dict[int, type[SendError]]] = {
    470: WindowClosed,
    131026: Unreachable,
    131047: WindowClosed,
    MARKETING_STOPPED: MarketingStopped,
    134101: Unavailable,  # the template is still on its way to the interface for marketing: refused, and taken in some minutes
}
FINAL: Final = frozenset(
    {
        33,  # the number is gone
        100,
        130403,  # blocked by the business itself
        130472,  # withheld by WhatsApp, as 131049: sending again changes nothing
        130497,  # not into this country
        131008,
        131009,
        131021,
        131030,
        131037,
        131049,
        131051,
        131052,
        131053,  # a file that WhatsApp could not take
        131055,
        131062,
        131063,
        132000,
        132001,
        132005,
        132007,
        132008,
        132012,
        132015,
        132016,
        132018,
        132068,
        132069,
        133005,
        133008,
        133009,
        133016,
        134100,
        134102,
        135000,  # wrong parameters, though it sounds like a fault of the server
        137000,
        *range(139100, 139104),
        *range(2593107, 2593110),
        *(2388019, 2388039, 2388040, 2388047, 2388072, 2388073, 2388293, 2388299),
    }
)
"""Rejected whatever the status says. A code in no row is judged by the status."""

WAIT_WITHOUT_NUMBER: Final = 60.0
LONGEST_TEXT: Final = 300


def result_of(answer: Answer, secrets: list[str]) -> Json:
    """What a request returned. Raises the SendError that the answer means; `secrets` are kept out of its text."""
    body = _body(answer)
    if 200 <= answer.status_code < 300:
        if isinstance(body, dict) and "error" not in body:
            return body
        if not isinstance(body, dict):
            raise OutcomeUnknown("unreadable_answer")
    raise _cleaned(_refusal(answer, body), secrets)


def code_of(body: Any) -> int | None:
    """The number of Meta's error, in either of its two shapes; None where there is none."""
    error = an_object(body, "error") or next(iter(objects(body, "errors")), {})
    code = error.get("code")
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) < 10:
        code = int(code)
    return code if type(code) is int else None


def _refusal(answer: Answer, body: Any) -> SendError:
    code, text = code_of(body), _text(body)
    if code is not None:
        return _by_code(code, answer, body, text)
    if isinstance(body, dict):
        return _by_words(answer, text)
    return _foreign(answer)


def _by_code(code: int, answer: Answer, body: Any, text: str) -> SendError:
    shown = str(code)
    if code in WAITS:
        return RateLimited(_seconds(answer, WAITS[code]), shown, text)
    if code == PAIR_LIMIT:
        return RecipientLimited(_seconds(answer, PAIR_SECONDS), shown, text)
    if code in PAUSED:
        return AccountPaused(PAUSED[code], shown, text)
    if code in CREDENTIALS:
        return AuthFailed(shown, text)
    if code in REFUSALS:
        return REFUSALS[code](shown, text)
    if code in UNCLEAR or an_object(body, "error").get("is_transient") is True:
        return OutcomeUnknown(shown, text)
    return Rejected(shown, text) if code in FINAL else _by_status(answer, shown, text)


def _by_words(answer: Answer, text: str) -> SendError:
    """360dialog's own layer, which says in words what is wrong (15). One of its 400 is a limit, two are the account's."""
    status, said = answer.status_code, text.lower()
    shown = str(status)
    if "rate limit" in said:
        return RateLimited(_seconds(answer, WAIT_WITHOUT_NUMBER), shown, text)
    if status == 400 and ("lack of payment" in said or "invoice" in said):
        return AccountPaused("payment", shown, text)
    if status == 400 and "disabled" in said:
        return AccountPaused("disabled", shown, text)
    return _by_status(answer, shown, text)


def _by_status(answer: Answer, shown: str, text: str) -> SendError:
    status = answer.status_code
    if status == 429:
        return RateLimited(_seconds(answer, WAIT_WITHOUT_NUMBER), shown, text)
    if status == 401:
        return AuthFailed(shown, text)
    return Rejected(shown, text) if 400 <= status < 500 else OutcomeUnknown(shown, text)


def _foreign(answer: Answer) -> SendError:
    """An answer that neither interface wrote: some server before it. What it refused it let through to nobody."""
    status = answer.status_code
    if status in (401, 413, 429):
        return _by_status(answer, str(status), "")
    text = answer.content[: LONGEST_TEXT * 4].decode("utf-8", "replace")
    if "rate limit" in text.lower():
        return RateLimited(_seconds(answer, WAIT_WITHOUT_NUMBER), str(status))
    return Unavailable(str(status)) if 300 <= status < 500 else OutcomeUnknown(str(status))


def _text(body: Any) -> str:
    """What an error says: Meta's object, 360dialog's `meta`, a plain text, or the old list (15)."""
    error = an_object(body, "error") or next(iter(objects(body, "errors")), {})
    data = error.get("error_data")
    details = data if isinstance(data, str) else a_text(data, "details")
    said = a_text(error, "error_user_msg") or a_text(error, "message") or a_text(error, "title")
    details = details or a_text(error, "details")
    other = a_text(an_object(body, "meta"), "developer_message") or a_text(body, "error") or a_text(body, "message")
    return ": ".join(one for one in (said, details) if one) or other


def _cleaned(error: SendError, secrets: list[str]) -> SendError:
    text = error.provider_text
    for secret in secrets:
        text = text.replace(secret, "…")
    error.provider_text = text[:LONGEST_TEXT]
    return error


def _body(answer: Answer) -> Any:
    try:
        return read_json(answer.content)
    except ValueError:
        return None


def _seconds(answer: Answer, otherwise: float) -> float:
    """Of the header Retry-After, at least one; a date is not read."""
    text = str(answer.headers.get("retry-after", ""))
    return max(1.0, float(text)) if text.isascii() and text.isdigit() and len(text) < 7 else otherwise
