"""Every expected error of the hub, as a tree.

    HubError            code, http_status, text for people through the catalogue (`error.<code>`)
      InvalidInput 422    NotFound 404    Forbidden 403    NotSignedIn 401    Conflict 409    TooMany 429    Unavailable 503
      PaymentRequired 402
      ConnectorError      hub/connectors/errors.py
      SendBlocked 409     hub/consent/gate.py

Expected errors are answered, not logged as crashes. The words a person reads are the catalogue's; `str(error)` is for
engineers and never contains a secret or a message body (I10).
"""

from typing import ClassVar


class HubError(Exception):
    """Base of all expected errors.

    `code` is stable and machine-readable; `values` fill the placeholders of the catalogue text `error.<code>`.
    """

    code: ClassVar[str] = "error"
    http_status: int = 500

    def __init__(self, detail: str = "", **values: object) -> None:
        super().__init__(detail or self.code)
        self.values = values


class InvalidInput(HubError):
    """The request is malformed; `field` in values names what to mend."""

    code = "invalid_input"
    http_status = 422


class NotSignedIn(HubError):
    code = "not_signed_in"
    http_status = 401


class Forbidden(HubError):
    code = "forbidden"
    http_status = 403


class NotFound(HubError):
    """Does not exist, or belongs to another organisation: both look the same from outside (R-263)."""

    code = "not_found"
    http_status = 404


class Conflict(HubError):
    code = "conflict"
    http_status = 409


class PaymentRequired(HubError):
    code = "payment_required"
    http_status = 402


class TooMany(HubError):
    """A rate limit (R-232). `retry_after` in values is whole seconds."""

    code = "too_many"
    http_status = 429


class Unavailable(HubError):
    """The store cannot be reached; nothing was taken on. The caller shall try again."""

    code = "unavailable"
    http_status = 503
