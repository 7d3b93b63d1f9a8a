"""What signal-cli says went wrong -> one of our errors (provider file, 6).

The daemon answers with a number and, for each recipient, a type; the wrapper passes only the words on, so they are matched as well:
those of signal-cli (`SendMessageResultUtils`) and the types that stand in its output. First match counts.

There is no idempotency key. Whatever broke on the way to Signal's servers may have arrived there: OutcomeUnknown.
"""

import re
from typing import Any, Final

from hub.connectors.errors import (
    AccountPaused,
    AuthFailed,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SendError,
    TakenElsewhere,
    Unavailable,
    Unreachable,
)
from hub.connectors.http import Answer
from hub.connectors.signal.reading import Json, a_text, an_object, objects

UNTRUSTED: Final = "IDENTITY_FAILURE"
LIMITED: Final = "RATE_LIMIT_FAILURE"
TYPES: Final[dict[str, type[SendError]]] = {
    "UNREGISTERED_FAILURE": Unreachable,
    UNTRUSTED: Rejected,  # a person decides about this one contact: nothing else of the channel waits
    "INVALID_PRE_KEY_FAILURE": Unavailable,  # their phone has to be online once
    "NETWORK_FAILURE": OutcomeUnknown,
}
"""`results[].type` of a send."""
NUMBERS: Final[dict[int, type[SendError]]] = {
    -1: Rejected,
    -3: OutcomeUnknown,
    -4: Rejected,
    -32600: Rejected,
    -32601: Rejected,
    -32602: Rejected,
    -32603: OutcomeUnknown,
    -32700: Rejected,
}
"""`error.code` of JSON-RPC where neither a type nor the words say more; others are OutcomeUnknown."""
WORDS: Final[tuple[tuple[str, type[SendError]], ...]] = (
    ("already being received", TakenElsewhere),
    ("websocket", TakenElsewhere),  # the wrapper in a mode that pushes
    ("authorization failed", AuthFailed),
    ("authorizationfailed", AuthFailed),
    ("specified account does not exist", AuthFailed),
    ("requires valid account", AuthFailed),
    ("does not have an account", AuthFailed),
    ("unregistered user", Unreachable),
    ("unregistered_failure", Unreachable),
    ("untrusted identit", Rejected),
    ("untrusted recipient keys", Rejected),
    ("identity_failure", Rejected),
    ("invalid_pre_key_failure", Unavailable),
    ("no prekeys available", Unavailable),
    ("network failure", OutcomeUnknown),
    ("network_failure", OutcomeUnknown),
    ("timeout reached", OutcomeUnknown),
)
"""Pieces of what is said, in lower case."""
FOREIGN: Final[dict[int, type[SendError]]] = {401: AuthFailed, 403: AuthFailed, 413: Rejected}
"""Statuses of some server before signal-cli. Others of 3xx and 4xx are Unavailable: it let nothing through; 5xx OutcomeUnknown."""
WAIT_WITHOUT_NUMBER: Final = 300.0
"""Ours: seconds to leave the account alone where Signal names no time."""
LONGEST_WORDS: Final = 300
SECONDS: Final = re.compile(r"(?:retry after|or wait|retryafterseconds)\W{1,4}(\d{1,7})")
CAPTCHA: Final = "captcha_needed"


def rpc_error(error: Json, number: str) -> SendError:
    """The `error` of a JSON-RPC answer."""
    code, words = error.get("code"), _shorter(a_text(error, "message"))
    results = objects(an_object(an_object(error, "data"), "response"), "results")
    failed = next((one for one in results if a_text(one, "type") != "SUCCESS"), None)
    if failed is not None and (found := result_error(failed, words)) is not None:
        return found
    if code == -5:
        return RateLimited(_seconds(words), "-5", words)
    if code == -6:
        return AccountPaused(CAPTCHA, "-6", words)
    known = NUMBERS.get(code, OutcomeUnknown) if type(code) is int else OutcomeUnknown
    return words_error(str(code), words, number) or known(str(code), words)


def result_error(result: Json, words: str) -> SendError | None:
    """What became of one recipient; None for a type that is not known. A `token` asks for a captcha: only a person can solve it."""
    kind, token, wait = a_text(result, "type"), a_text(result, "token"), result.get("retryAfterSeconds")
    if kind == LIMITED and token:
        return AccountPaused(CAPTCHA, kind, _shorter(f"{words} (challenge token {token})"))
    if kind == LIMITED:
        return RateLimited(float(wait) if type(wait) is int and wait > 0 else WAIT_WITHOUT_NUMBER, kind, words)
    error = TYPES.get(kind)
    return None if error is None else error(kind, words)


def words_error(code: str, words: str, number: str) -> SendError | None:
    """What the words alone say; None for nothing that is known. "… is not registered" may mean either end."""
    lower = words.lower()
    if ("captcha" in lower and "proof required" in lower) or '"token"' in lower:
        return AccountPaused(CAPTCHA, code, words)
    if "rate limit" in lower or "ratelimit" in lower or "rate_limit" in lower:
        return RateLimited(_seconds(lower), code, words)
    if "is not registered" in lower:
        return (AuthFailed if number in words else Unreachable)(code, words)
    return next((error(code, words) for piece, error in WORDS if piece in lower), None)


def rest_error(answer: Answer, told: Any, number: str) -> SendError:
    """An answer of the wrapper that is no success: `told` is its JSON, None where it is none."""
    words = _shorter(a_text(told, "error"))
    status = answer.status_code
    if not words:
        return foreign_error(answer)
    if status == 429:
        tokens = [one for one in told.get("challenge_tokens") or () if isinstance(one, str) and one]
        if tokens:
            return AccountPaused(CAPTCHA, "429", _shorter(f"{words} (challenge token {tokens[0]})"))
        return RateLimited(_seconds(words.lower()), "429", words)
    found = words_error(str(status), words, number)
    return found or (Rejected if 400 <= status < 500 else OutcomeUnknown)(str(status), words)


def foreign_error(answer: Answer) -> SendError:
    """An answer that is not signal-cli's."""
    status = answer.status_code
    if status == 429:
        wait = answer.headers.get("retry-after")
        return RateLimited(float(wait) if wait and wait.isascii() and wait.isdigit() else WAIT_WITHOUT_NUMBER, "429")
    if status < 300:
        return OutcomeUnknown("unreadable_answer")
    return FOREIGN.get(status, Unavailable if status < 500 else OutcomeUnknown)(str(status))


def _seconds(words: str) -> float:
    """At least one."""
    found = SECONDS.search(words)
    return max(1.0, float(found[1])) if found else WAIT_WITHOUT_NUMBER


def _shorter(words: str) -> str:
    """On one line."""
    return " ".join(words.split())[:LONGEST_WORDS]
