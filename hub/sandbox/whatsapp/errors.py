"""Refusals in the shapes of both interfaces."""

from typing import Any, Final

TITLES: Final = {
    1: "API Unknown",
    100: "Invalid parameter",
    190: "Invalid OAuth access token",
    130429: "Rate limit hit",
    131008: "Required parameter is missing",
    131009: "Parameter value is not valid",
    131026: "Message undeliverable",
    131047: "Re-engagement message",
    131050: "User has stopped marketing messages",
    131051: "Unsupported message type",
    131052: "Media download error",
    131053: "Media upload error",
    131056: "(Business Account, Consumer Account) pair rate limit hit",
    131062: "Business-scoped user id is not allowed",
    132000: "Number of parameters does not match the expected number of params",
    132001: "Template name does not exist in the translation",
    132005: "Translated text too long",
    132012: "Parameter format does not match format in the created template",
    132015: "Template is paused",
    132016: "Template is disabled",
    132018: "There was an issue with the parameters in your template",
}


class Refused(Exception):
    """The interface says no: a code of Meta's with its details."""

    def __init__(self, code: int, details: str, *, status: int = 400, subcode: int | None = None) -> None:
        super().__init__(details)
        self.code = code
        self.details = details
        self.status = status
        self.subcode = subcode

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {
            "message": f"(#{self.code}) {TITLES.get(self.code, 'Error')}",
            "type": "OAuthException",
            "code": self.code,
            "error_data": {"messaging_product": "whatsapp", "details": self.details},
            "fbtrace_id": "AsandboxTrace",
        }
        return {"error": error | ({"error_subcode": self.subcode} if self.subcode else {})}


class OwnRefusal(Exception):
    """360dialog's own layer says no, in words."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text

    def body(self) -> dict[str, Any]:
        return {"meta": {"success": False, "http_code": self.status, "developer_message": self.text}}


def status_error(code: int, details: str) -> dict[str, Any]:
    """The error of a failed status."""
    title = TITLES.get(code, "Error")
    return {"code": code, "title": title, "message": title, "error_data": {"details": details}}


def missing(parameter: str) -> Refused:
    return Refused(131008, f"Required parameter is missing: {parameter}")


def invalid(details: str) -> Refused:
    return Refused(131009, details)
