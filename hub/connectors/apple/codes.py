"""Apple's answers -> nothing, or one of our errors (provider file, 9). Bodies are empty, but for the reason of a 400."""

from typing import Final

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
    400: Rejected,
    401: AuthFailed,  # no token
    403: AuthFailed,  # the token is refused: another secret or another provider
    404: Unreachable,  # this business knows nobody of this id
    410: Unreachable,  # the customer closed the conversation: the close itself is the opt-out, which ends when they write again
    413: Rejected,
    503: Unavailable,
}
"""500, 502 and 504 leave a doubt: nobody says that Apple knows a message again by its id."""
WAIT_WITHOUT_NUMBER: Final = 30.0
LONGEST_TEXT: Final = 300


def check(answer: Answer) -> None:
    """Raises the SendError that an answer means."""
    if answer.status_code < 300:
        return
    code, text = str(answer.status_code), answer.content.decode("utf-8", "replace")[:LONGEST_TEXT]
    if answer.status_code == 429:
        after = answer.headers.get("retry-after", "")
        raise RateLimited(max(1.0, float(after)) if after.isascii() and after.isdigit() else WAIT_WITHOUT_NUMBER, code, text)
    kind = STATUSES.get(answer.status_code)
    if kind is None:
        kind = Rejected if 400 <= answer.status_code < 500 else Unavailable if answer.status_code < 400 else OutcomeUnknown
    raise kind(code, text)
