"""What a connector's requests stand on: a guarded client, one way to ask, and what a failure on the way means.

    answer = await exchange(http, "POST", "https://api.example/bot{token}/send", secrets={"token": token}, json={...})

The question after a failure is whether the provider may have taken the message (I5). Before a connection stands nothing has
left: Unavailable, try again. From then on nobody knows: OutcomeUnknown, never repeated by itself. That a write failed proves
nothing either, since part of the bytes, or all of them, may have arrived before.

A record of each exchange goes to the log, for support: method, host, path with its placeholders, status or failure, duration.
Bodies, headers, queries and secrets are in no record. httpx logs whole addresses, the token in them too, so its own request
lines are withheld here.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import orjson
import structlog

from hub.connectors.errors import OutcomeUnknown, SendError, Unavailable
from hub.core.http import AddressDenied, outbound_client

log = structlog.get_logger()

WHOLE_SECONDS: Final = 30.0
"""For one exchange from start to end: httpx's own limits start anew with each piece of an answer that drips in."""
LARGEST_ANSWER: Final = 1_000_000
"""Bytes of an answer, unpacked. Providers answer a send with a few kilobytes."""
NOTHING_LEFT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


def _withhold(record: logging.LogRecord) -> bool:
    return False


logging.getLogger("httpx").addFilter(_withhold)


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer, read to its end. `headers` know no upper and lower case."""

    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    def json(self) -> Any:
        """Raises ValueError for what is not JSON."""
        return orjson.loads(self.content)


def connector_client(trusted: frozenset[str]) -> httpx.AsyncClient:
    """A client that reaches public addresses and the operator's `trusted` `host:port` pairs, the former only encrypted:
    requests carry credentials. Close it after use."""
    client = outbound_client(trusted)

    async def refuse_plain_text(request: httpx.Request) -> None:
        if request.url.scheme != "https" and _pair(request.url) not in trusted:
            raise AddressDenied(f"{request.url.host} is not asked without encryption", request=request)

    client.event_hooks = {"request": [refuse_plain_text]}
    return client


def _pair(url: httpx.URL) -> str:
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{host}:{url.port or 80}"


async def exchange(
    http: httpx.AsyncClient, method: str, url: str, *, secrets: Mapping[str, str] | None = None, json: object = None
) -> Answer:
    """One request and its whole answer, whatever its status. Raises Unavailable or OutcomeUnknown.

    `url` may hold `{name}` placeholders that are filled from `secrets`; records show the placeholder.
    """
    filled = url
    for name, value in (secrets or {}).items():
        filled = filled.replace(f"{{{name}}}", value)
    started = time.monotonic()
    outcome: Answer | SendError
    try:
        async with asyncio.timeout(WHOLE_SECONDS), http.stream(method, filled, json=json) as response:
            outcome = await _read(response)
    except (httpx.HTTPError, TimeoutError) as error:
        outcome = failure_of(error)
    _record(method, url, outcome, time.monotonic() - started)
    if isinstance(outcome, SendError):
        raise outcome  # here, so that no httpx error with the filled address hangs on it as context
    return outcome


def _record(method: str, url: str, outcome: Answer | SendError, seconds: float) -> None:
    """What went well only at level `debug`."""
    shown = urlsplit(url)
    status = outcome.status_code if isinstance(outcome, Answer) else outcome.provider_code
    note = log.debug if isinstance(outcome, Answer) and outcome.status_code < 400 else log.info
    note("exchange", method=method, host=shown.hostname, path=shown.path, status=status, milliseconds=round(seconds * 1000))


async def _read(response: httpx.Response) -> Answer | SendError:
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > LARGEST_ANSWER:
            return OutcomeUnknown("answer_too_large")
    return Answer(response.status_code, response.headers, bytes(content))


def failure_of(error: httpx.HTTPError | TimeoutError) -> SendError:
    """What a request without an answer means for the message in it; `provider_code` names the kind of failure."""
    if isinstance(error, AddressDenied):
        return Unavailable(AddressDenied.code)
    kind = type(error).__name__
    return Unavailable(kind) if isinstance(error, NOTHING_LEFT) else OutcomeUnknown(kind)
