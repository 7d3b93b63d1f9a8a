"""Telegram's answers -> a result or one of our errors. Bot API 10.2, "Making requests"; provider file, section 10.

The description is the only thing that tells one 400 or 403 from another, and Telegram moves answers between the two numbers;
so these rows match a piece of the description under both. First match counts.

Why 5xx fall apart: `ok:false` with 500 or 503 is the Bot API server's own word that it did not do it. 502 and 504 are the word
of a gateway that got no answer from the server behind it, and api.telegram.org's gateway dresses them in the same JSON
(`{"ok":false,"error_code":502,"description":"Bad Gateway"}`); any 5xx without that JSON comes from some gateway too. The
message may have been sent, and Telegram takes no idempotency key: OutcomeUnknown.
"""

from typing import Any, Final

from hub.connectors.errors import (
    AuthFailed,
    OutcomeUnknown,
    RateLimited,
    RecipientOptedOut,
    Rejected,
    SendError,
    Unavailable,
    Unreachable,
)
from hub.connectors.http import Answer
from hub.connectors.telegram.reading import read_json

REFUSALS: Final[tuple[tuple[frozenset[int], str, type[SendError]], ...]] = (
    (frozenset({400, 403}), "bot was blocked by the user", RecipientOptedOut),
    (frozenset({400, 403}), "user is deactivated", RecipientOptedOut),
    (frozenset({400, 403}), "bot can't initiate conversation", Unreachable),  # the person never pressed Start
    (frozenset({400, 403}), "chat not found", Unreachable),
    (frozenset({400, 403}), "bot was kicked", Unreachable),
    (frozenset({400, 403}), "not a member", Unreachable),
    (frozenset({400, 403}), "chat was deleted", Unreachable),
    (frozenset({400}), "file is temporarily unavailable", Unavailable),  # or a wrong file_id, in the same words (8)
    (frozenset({401}), "", AuthFailed),
    (frozenset({404}), "", AuthFailed),  # a malformed token or a wrong base address: a chat not found is a 400
    (frozenset({409}), "", AuthFailed),  # another program uses this bot
    (frozenset({500, 503}), "", Unavailable),
)
"""Codes, piece of the description in lower case, error. Other 5xx are OutcomeUnknown, other 4xx Rejected: with them goes what
the table of section 10 calls fixable, since a second request is a second attempt and a person's decision: entities that are not
understood, an answered message that is not there, a group that moved. Refusals that mean "it is so already" stand with the
request that meets them (`send.py`)."""

WITHOUT_BODY: Final[dict[int, type[SendError]]] = {401: AuthFailed, 404: AuthFailed, 413: Rejected}
"""Answers that are no Bot API's: some server before it. Other 3xx and 4xx are Unavailable (it let nothing through), others
OutcomeUnknown."""

WAIT_WITHOUT_NUMBER: Final = 60.0
"""Seconds to leave the bot alone after a 429 that names no time: what Telegram asks for when too many requests are open (9)."""
LONGEST_TEXT: Final = 300


def result_of(answer: Answer, token: str) -> Any:
    """What the method returned. Raises the SendError that the answer means; `token` is kept out of its text."""
    body = _body(answer)
    if body is None:
        raise _foreign(answer)
    if body["ok"] is True and answer.status_code < 300 and "result" in body:
        return body["result"]
    number, description, parameters = body.get("error_code"), body.get("description"), body.get("parameters")
    code = number if type(number) is int else answer.status_code
    text = description.replace(token, "…")[:LONGEST_TEXT] if isinstance(description, str) else ""
    if code == 429:
        wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
        raise RateLimited(_seconds(wait if type(wait) is int else answer.headers.get("retry-after")), str(code), text)
    raise _refusal(code, text)(str(code), text)


def _refusal(code: int, text: str) -> type[SendError]:
    for codes, piece, error in REFUSALS:
        if code in codes and piece in text.lower():
            return error
    return Rejected if 400 <= code < 500 else OutcomeUnknown


def _foreign(answer: Answer) -> SendError:
    """An answer that no Bot API server wrote."""
    status = answer.status_code
    if status == 429:
        return RateLimited(_seconds(answer.headers.get("retry-after")), str(status))
    return WITHOUT_BODY.get(status, Unavailable if 300 <= status < 500 else OutcomeUnknown)(str(status))


def _body(answer: Answer) -> dict[str, Any] | None:
    try:
        body = read_json(answer.content)
    except ValueError:
        return None
    return body if isinstance(body, dict) and isinstance(body.get("ok"), bool) else None


def _seconds(value: int | str | None) -> float:
    """At least one second; a Retry-After that is a date is not read, Telegram sends numbers."""
    text = str(value)
    return max(1.0, float(text)) if text.isascii() and text.isdigit() else WAIT_WITHOUT_NUMBER
