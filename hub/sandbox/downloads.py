"""Bytes over HTTP: whole or a range of them (RFC 9110, section 14), and slowly or only half when a fault says so."""

import asyncio
import re
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PORTIONS: Final = 20
"""In how many pieces a slow download comes."""


def bytes_of(data: bytes, media_type: str, wanted: str, headers: dict[str, str] | None = None) -> Response:
    """The answer for these bytes. `wanted` is the Range header; what is not one readable range means the whole."""
    headers = {"accept-ranges": "bytes"} | (headers or {})
    match = re.fullmatch(r"bytes=(\d{0,15})-(\d{0,15})", wanted.strip())
    if match is None or not (match[1] or match[2]):
        return Response(data, 200, headers, media_type)
    size = len(data)
    if match[1]:
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
    else:
        first, last = max(size - int(match[2]), 0), size - 1
    if first > last or first >= size:
        return Response(b"", 416, headers | {"content-range": f"bytes */{size}"})
    return Response(data[first : last + 1], 206, headers | {"content-range": f"bytes {first}-{last}/{size}"}, media_type)


class Download:
    """An answer that takes its time, or breaks off after half of its bytes."""

    def __init__(self, answer: Response, *, seconds: float, is_cut: bool) -> None:
        self._answer = answer
        self._seconds = seconds
        self._is_cut = is_cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD" or not (self._seconds or self._is_cut):
            await self._answer(scope, receive, send)
            return
        body = bytes(self._answer.body)
        await send({"type": "http.response.start", "status": self._answer.status_code, "headers": self._answer.raw_headers})
        step = max(1, -(-len(body) // PORTIONS))
        end = len(body) // 2 if self._is_cut else len(body)
        for at in range(0, end, step):
            await asyncio.sleep(self._seconds / PORTIONS)
            await send({"type": "http.response.body", "body": body[at : min(at + step, end)], "more_body": True})
        if not self._is_cut:
            await send({"type": "http.response.body", "body": b""})
