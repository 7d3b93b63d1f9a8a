"""How many requests of one kind may come in a minute (R-232): counted in Valkey for all processes together.

    address        everything that one address asks of the pages and the API
    token          what comes with one session, whoever holds it
    organisation   what members ask of one organisation

The window begins with the first request and ends a minute later; what is too much is answered 429 with the seconds that are left.
Providers' webhooks are no part of it (the door stands beside the pages), nor are the files that providers fetch by a signed link,
nor what a machine asks to see whether we live. While Valkey cannot be reached everything passes: an overload that nobody counts is
better than a hub that nobody can use.
"""

import hashlib
from collections.abc import Awaitable, Mapping
from typing import Any, Final, cast

import structlog
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.core.errors import TooMany
from hub.core.pages import answer_error
from hub.core.queue import Queue

log = structlog.get_logger()

WINDOW_SECONDS: Final = 60
NOT_COUNTED: Final = ("/static/", "/files/", "/healthz", "/readyz", "/metrics")
"""Beginnings of paths. Small public files, files for providers (signed links), and what machines ask."""

_COUNT: Final = """
local longest = 0
for number, key in ipairs(KEYS) do
    local count = redis.call('INCR', key)
    if count == 1 then redis.call('PEXPIRE', key, ARGV[1]) end
    if count > tonumber(ARGV[number + 1]) then longest = math.max(longest, redis.call('PTTL', key), 1) end
end
return longest
"""


async def count(queue: Queue, limits: Mapping[str, int]) -> None:
    """Count one request under each of these names, which may have so many in a window. TooMany says how long to wait."""
    if not limits:
        return
    keys = [f"requests:{name}" for name in limits]
    arguments = map(str, (WINDOW_SECONDS * 1000, *limits.values()))
    try:
        milliseconds = int(await cast(Awaitable[Any], queue.redis.eval(_COUNT, len(keys), *keys, *arguments)))
    except (RedisError, OSError) as error:
        log.warning("requests_not_counted", error=type(error).__name__)
        return
    if milliseconds:
        raise TooMany(retry_after=-(-milliseconds // 1000))


class RateLimits:
    """`app` with at most so many requests a minute from one address and with one session. What is too much costs no more than the
    count."""

    def __init__(self, app: ASGIApp, *, address: int, token: int, cookie: str) -> None:
        self._app = app
        self._address = address
        self._token = token
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith(NOT_COUNTED):
            request = Request(scope)
            try:
                await count(request.app.state.runtime.queue, self._limits(request))
            except TooMany as error:
                await answer_error(request, error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _limits(self, request: Request) -> dict[str, int]:
        """Sessions stand in Valkey as a hash only. One that does not exist counts for itself and harms nobody."""
        limits = {f"address:{request.client.host}": self._address} if request.client else {}
        token = request.cookies.get(self._cookie)
        if token:
            limits[f"token:{hashlib.sha256(token.encode()).hexdigest()}"] = self._token
        return limits
