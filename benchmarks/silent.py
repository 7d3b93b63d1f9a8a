"""What B4 compares open streams with: an ASGI application whose every answer begins like a stream and never goes on.

    python -m benchmarks.silent PORT

It runs on uvicorn with the settings of `hub web`, sends what the hub's streams begin with, and waits for the reader to go away.
"""

import sys
from typing import Any

import uvicorn

from benchmarks.bare import UVICORN

PADDING = b":" + b" " * 2048 + b"\n\n"
HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8")]


async def silent(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": PADDING, "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass


def main() -> None:
    uvicorn.run(silent, port=int(sys.argv[1]), **UVICORN)


if __name__ == "__main__":
    main()
