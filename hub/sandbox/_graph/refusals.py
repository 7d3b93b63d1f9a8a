"""Meta's refusals in their own shape (messenger.md, 6)."""

from typing import Any

from starlette.responses import JSONResponse, Response

Json = dict[str, Any]


class Refused(Exception):
    """Meta's refusal. `headers` go with it."""

    def __init__(
        self, code: int, message: str, *, subcode: int = 0, status: int = 400, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.subcode, self.status, self.headers = code, subcode, status, headers

    def answer(self) -> Response:
        error: Json = {"message": str(self), "type": "OAuthException", "code": self.code}
        if self.subcode:
            error["error_subcode"] = self.subcode
        return JSONResponse({"error": error | {"fbtrace_id": "AMusterTraceOfTheSandbox"}}, self.status, self.headers)


def invalid(what: str, *, subcode: int = 0) -> Refused:
    """A parameter that is not as it must be."""
    return Refused(100, f"(#100) {what}", subcode=subcode)
