"""The parameters of a call. They come as query, form, multipart or JSON; the real server turns all of them into texts first, and so
does this one. Nested objects are JSON texts then."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message, Receive

from hub.sandbox.telegram.errors import Refused, bad
from hub.sandbox.telegram.files import LARGEST_UPLOAD
from hub.sandbox.telegram.wire import Json, dump

LARGEST_TEXT_PART: Final = 1 << 20
MOST_PARTS: Final = 100


@dataclass(frozen=True, slots=True)
class Upload:
    """One uploaded part."""

    name: str
    media_type: str
    data: bytes


class Arguments:
    """The parameters of a call, all texts, as the real server sees them."""

    def __init__(self, values: dict[str, str], files: dict[str, Upload] | None = None) -> None:
        self._values = values
        self.files: dict[str, Upload] = files or {}
        """Uploaded parts by name."""

    @classmethod
    def of_json(cls, body: Json) -> "Arguments":
        """From a JSON object: numbers, booleans and nested objects become texts; null is absent."""
        return cls(_texts(body))

    def text(self, name: str) -> str:
        return self._values.get(name, "")

    def required(self, name: str) -> str:
        """Raises Refused when it is missing or empty."""
        if not self.text(name):
            raise bad(f'parameter "{name}" is required')
        return self.text(name)

    def integer(self, name: str, default: int = 0, low: int = -(2**31), high: int = 2**31 - 1) -> int:
        """A whole number moved into its limits; 0 for a text that is none."""
        text = self.text(name).strip()
        value = default if not text else int(text) if re.fullmatch(r"[+-]?[0-9]{1,19}", text) else 0
        return min(max(value, low), high)

    def decimal(self, name: str) -> float:
        """A number; 0 for a text that is none."""
        text = self.text(name).strip()
        return float(text) if re.fullmatch(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?", text) else 0.0

    def boolean(self, name: str) -> bool:
        return self.text(name).strip().lower() in ("true", "yes", "1")

    def json(self, name: str, refusal: str) -> Any:
        """The value of nested JSON, None when it is absent. Raises Refused with this text."""
        if not self.text(name):
            return None
        try:
            return json.loads(self.text(name))
        except (ValueError, RecursionError):
            raise bad(refusal) from None


def limited(receive: Receive) -> Receive:
    """Reads no more than LARGEST_UPLOAD bytes of a request, whether its length was told or not. Raises Refused."""
    total = 0

    async def receive_some() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > LARGEST_UPLOAD:
            raise Refused(413, "Request Entity Too Large")
        return message

    return receive_some


async def read_arguments(request: Request) -> Arguments:
    """All parameters of a request; those of the body win over those of the address. Raises Refused."""
    values = dict(request.query_params)
    if request.method == "GET":
        return Arguments(values)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return Arguments(values | _texts(await _json(request)))
    files: dict[str, Upload] = {}
    if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        try:
            async with request.form(max_part_size=LARGEST_TEXT_PART, max_files=MOST_PARTS, max_fields=MOST_PARTS) as form:
                for name, value in form.multi_items():
                    if isinstance(value, UploadFile):
                        files[name] = Upload(value.filename or "", value.content_type or "", await value.read())
                    else:
                        values[name] = value
        except MultiPartException:
            raise bad("can't parse request: can't parse multipart body") from None
    return Arguments(values, files)


async def _json(request: Request) -> Json:
    try:
        body = json.loads(await request.body() or b"{}")
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise bad("can't parse request: can't parse JSON object")
    return body


def _texts(body: Json) -> dict[str, str]:
    return {name: value if isinstance(value, str) else dump(value) for name, value in body.items() if value is not None}
