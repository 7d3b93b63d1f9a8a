"""What the hub is compared with: an ASGI application that checks the same secret in the same way and answers 200.

    python -m benchmarks.bare PORT SECRET

It runs on uvicorn with the settings of `hub web`. It reads no body, stores nothing and has no other route.
"""

import hmac
import sys
from typing import Any, Final

import uvicorn

UVICORN: Final[dict[str, Any]] = {
    "host": "127.0.0.1",
    "http": "httptools",
    "loop": "uvloop",
    "ws": "none",
    "lifespan": "off",
    "proxy_headers": True,
    "forwarded_allow_ips": "127.0.0.1",
    "access_log": False,
    "log_level": "warning",
    "server_header": False,
}
"""The settings of `hub web`."""
HEADER = b"x-telegram-bot-api-secret-token"


class Bare:
    """Answers 200 to who knows the secret, else 401."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        given = next((value for name, value in scope["headers"] if name == HEADER), b"")
        status = 200 if hmac.compare_digest(given, self._secret) else 401
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def main() -> None:
    port, secret = sys.argv[1:]
    uvicorn.run(Bare(secret.encode()), port=int(port), **UVICORN)


if __name__ == "__main__":
    main()
