"""What may go wrong between a provider and us, as a tree.

ConnectorError
  SignatureInvalid      the request does not come from the provider: 401, counted, not stored
  MalformedPayload      the bytes cannot be read: the delivery becomes a dead letter with this cause
  CredentialsRejected   the provider refuses the account's credentials; `field` names the form field
  SendError             one attempt did not succeed; the class says what happens next:
    RateLimited           again, not before `retry_after` seconds; the whole channel waits
      RecipientLimited      again, not before `retry_after` seconds; only messages to this person wait
    Unavailable           again with back-off; the provider certainly did not take the message
    AuthFailed            the channel needs attention; its queue pauses, the message stays queued
      AccountPaused         the same for another cause than its credentials (no credits, a ban): `cause` says which
    Rejected              final: the provider refused the message
      Unreachable           final: it knows no conversation with this person that we may write in
      WindowClosed          final: the provider's reply window is over, whatever we thought
      MarketingStopped      final: they want no marketing from us, and consent records that; answers and service still reach them
    UnsupportedContent    final, raised before any request: this messenger cannot express it
    TakenElsewhere        a poll only: another program, or a webhook, takes what comes in for this account
    RecipientOptedOut     final, and consent records it
    OutcomeUnknown        never repeated by itself (I5): a person decides
  FetchError            a file could not be fetched and will not be:
    FileTooLarge          larger than the provider hands out or than we keep
    FileGone              the provider has it no more
"""

from hub.core.errors import HubError


class ConnectorError(HubError):
    code = "connector_error"
    http_status = 502


class SignatureInvalid(ConnectorError):
    code = "signature_invalid"
    http_status = 401


class MalformedPayload(ConnectorError):
    code = "malformed_payload"
    http_status = 400


class CredentialsRejected(ConnectorError):
    """`field` is the name of the settings field to mend. `provider_text` is the provider's own words, free of secrets; where we
    refuse by ourselves, `reason` is the key of ours: `channel.<connector>.rejected.<reason>` in the catalogue."""

    code = "credentials_rejected"
    http_status = 422

    def __init__(self, field: str, provider_text: str = "", *, reason: str = "") -> None:
        super().__init__(provider_text or f"rejected: {field} {reason}".rstrip(), field=field)
        self.field = field
        self.provider_text = provider_text
        self.reason = reason


class SendError(ConnectorError):
    """One attempt that did not succeed. `provider_code` and `provider_text` are the provider's own words, free of secrets."""

    code = "send_error"

    def __init__(self, provider_code: str = "", provider_text: str = "") -> None:
        super().__init__(f"{type(self).code} {provider_code}".strip())
        self.provider_code = provider_code
        self.provider_text = provider_text


class RateLimited(SendError):
    code = "rate_limited"

    def __init__(self, retry_after: float, provider_code: str = "", provider_text: str = "") -> None:
        super().__init__(provider_code, provider_text)
        self.retry_after = retry_after


class RecipientLimited(RateLimited):
    code = "recipient_limited"


class Unavailable(SendError):
    code = "provider_unavailable"


class AuthFailed(SendError):
    code = "auth_failed"


class AccountPaused(AuthFailed):
    """`cause` is the end of a catalogue key: `channel.<connector>.health.<cause>`."""

    code = "account_paused"

    def __init__(self, cause: str, provider_code: str = "", provider_text: str = "") -> None:
        super().__init__(provider_code, provider_text)
        self.cause = cause


class TakenElsewhere(SendError):
    code = "taken_elsewhere"


class Rejected(SendError):
    code = "rejected"


class Unreachable(Rejected):
    code = "unreachable"


class WindowClosed(Rejected):
    code = "window_closed"


class MarketingStopped(Rejected):
    code = "marketing_stopped"


class UnsupportedContent(SendError):
    code = "unsupported_content"


class RecipientOptedOut(SendError):
    code = "recipient_opted_out"


class OutcomeUnknown(SendError):
    code = "outcome_unknown"


class FetchError(ConnectorError):
    """A file that will not come. The class is the reason."""

    code = "fetch_error"


class FileTooLarge(FetchError):
    code = "too_large"


class FileGone(FetchError):
    code = "gone"
