"""Answers that are not ok. The texts are those of `tdlib/telegram-bot-api` and of the library it stands on (provider file,
section 10); a text that could not be read there is marked."""

from typing import Final

CONFLICT_WEBHOOK: Final = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
CONFLICT_SET_WEBHOOK: Final = "Conflict: terminated by setWebhook request"
CONFLICT_GET_UPDATES: Final = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
NOT_MODIFIED: Final = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content and "
    "reply markup of the message"
)
QUERY_TOO_OLD: Final = "query is too old and response timeout expired or query ID is invalid"
FILE_UNAVAILABLE: Final = "wrong file_id or the file is temporarily unavailable"
FILE_TOO_BIG: Final = "file is too big"


class Refused(Exception):
    """An answer that is not ok."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


class Cut(Exception):
    """Done, but nobody gets to know: the connection is cut after so many seconds."""

    def __init__(self, after: float) -> None:
        super().__init__()
        self.after = after


def bad(description: str) -> Refused:
    """400, which stands before most texts."""
    return Refused(400, f"Bad Request: {description}")


def too_many(seconds: int) -> Refused:
    return Refused(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


def blocked() -> Refused:
    return Refused(403, "Forbidden: bot was blocked by the user")
