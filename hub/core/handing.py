"""Handing out a stored file to a browser: its type by content, no guessing, a sandbox without rights, and as a download unless it
is asked for in place and its type is safe to show. Ranges, and with them seeking in sound and film, are Starlette's."""

from pathlib import Path
from typing import Final

from fastapi import Request
from fastapi.responses import FileResponse, Response

from hub.core.media import INLINE_TYPES, content_disposition

FILE_POLICY: Final = "sandbox; default-src 'none'"


def file_response(request: Request, path: Path, *, name: str, mime: str, version: str, inline: bool) -> Response:
    """The file at `path`, or 304 where the browser has this version. FileNotFoundError when the store has no such object."""
    found = path.stat()
    etag = f'"{version}"'
    headers = {
        "etag": etag,
        "cache-control": "private, no-cache",
        "content-security-policy": FILE_POLICY,
        "content-disposition": content_disposition(name, inline=inline and mime in INLINE_TYPES),
        "cross-origin-resource-policy": "same-origin",
    }
    if etag in (one.strip() for one in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    return FileResponse(path, headers=headers, media_type=mime, stat_result=found)
