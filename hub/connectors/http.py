"""What a connector's requests stand on: a guarded client, one way to ask, and what a failure on the way means.

    answer = await exchange(http, "POST", "https://api.example/bot{token}/send", secrets={"token": token}, json={...})

The question after a failure is whether the provider may have taken the message (I5). Before a connection stands nothing has
left: Unavailable, try again. From then on nobody knows: OutcomeUnknown, never repeated by itself. That a write failed proves
nothing either, since part of the bytes, or all of them, may have arrived before.

`upload` sends files with a request, `download` fetches one; both have longer than an exchange without, by the size of the files.

A record of each exchange goes to the log, for support: method, host, path with its placeholders, status or failure, duration.
Bodies, headers, queries and secrets are in no record. httpx logs whole addresses, the token in them too, so its own request
lines are withheld here.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

import httpx
import orjson
import structlog

from hub.connectors.contract import FileSink, OutboundFile
from hub.connectors.errors import FetchError, OutcomeUnknown, SendError, Unavailable, UnsupportedContent
from hub.core.http import AddressDenied, outbound_client

log = structlog.get_logger()

WHOLE_SECONDS: Final = 30.0
"""For one exchange from start to end: httpx's own limits start anew with each piece of an answer that drips in."""
SLOWEST: Final = 1_000_000
"""Bytes per second that a file must make in the mean: a worker's place is taken for so long (`worker.JOB_SECONDS`)."""
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
    http: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    secrets: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    json: object = None,
    form: Mapping[str, str] | None = None,
    content: bytes | None = None,
    largest: int = LARGEST_ANSWER,
    patience: float | None = None,
) -> Answer:
    """One request and its whole answer, whatever its status. Raises Unavailable or OutcomeUnknown.

    The body is `json`, an urlencoded `form` or raw `content`. `url` may hold `{name}` placeholders that are filled from `secrets`;
    records show the placeholder, and no header. At most `largest` bytes of the answer are read. `patience`: seconds that the
    answer may let wait for its first byte, where what it brings is lost when nobody waits for it.
    """
    seconds = whole_seconds(len(content or b"")) + (patience or 0.0)
    asked = _ask(
        http, method, url, secrets or {}, seconds, largest,
        headers=headers, json=json, data=form, content=content, patience=patience,
    )  # fmt: skip
    return await asked


async def upload(
    http: httpx.AsyncClient,
    url: str,
    *,
    secrets: Mapping[str, str],
    fields: Mapping[str, str],
    files: Mapping[str, OutboundFile],
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One POST of a form with files (multipart/form-data), read from where they lie as they are sent. As `exchange`; besides it
    raises UnsupportedContent, before any request, when a file of ours cannot be opened."""
    seconds = whole_seconds(sum(file.size for file in files.values()))
    with ExitStack() as opened:
        try:
            parts = {name: (file.name, opened.enter_context(file.open()), file.mime) for name, file in files.items()}
        except OSError:
            parts = None
        if parts is None:
            raise UnsupportedContent("file_unreadable")  # here, so that no path hangs on it as context
        return await _ask(http, "POST", url, secrets, seconds, LARGEST_ANSWER, headers=headers, data=fields, files=parts)


async def download(
    http: httpx.AsyncClient,
    url: str,
    *,
    secrets: Mapping[str, str],
    sink: FileSink,
    headers: Mapping[str, str] | None = None,
    seconds: float = WHOLE_SECONDS,
) -> Answer:
    """GET a file into the sink. An answer other than 200 leaves the sink alone and is read as by `exchange`. Raises Unavailable,
    since asking again does no harm, and what the sink raises."""
    started = time.monotonic()
    outcome: Answer | SendError | FetchError
    try:
        async with asyncio.timeout(seconds), http.stream("GET", _filled(url, secrets), headers=headers) as response:
            outcome = await _read(response, LARGEST_ANSWER) if response.status_code != 200 else await _pour(response, sink)
    except (httpx.HTTPError, TimeoutError) as error:
        outcome = Unavailable(failure_of(error).provider_code)
    except FetchError as error:
        outcome = error
    _record("GET", url, outcome, time.monotonic() - started)
    if isinstance(outcome, OutcomeUnknown):
        raise Unavailable(outcome.provider_code)
    if not isinstance(outcome, Answer):
        raise outcome
    return outcome


def whole_seconds(size: int) -> float:
    """How long an exchange with files of this many bytes may take."""
    return WHOLE_SECONDS + size / SLOWEST


async def _ask(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    secrets: Mapping[str, str],
    seconds: float,
    largest: int,
    *,
    headers: Mapping[str, str] | None = None,
    json: object = None,
    data: Mapping[str, str] | None = None,
    content: bytes | None = None,
    files: Mapping[str, tuple[str, BinaryIO, str]] | None = None,
    patience: float | None = None,
) -> Answer:
    started = time.monotonic()
    outcome: Answer | SendError
    body: dict[str, Any] = {"json": json, "data": data, "content": content, "files": files}
    if patience is not None:
        body["timeout"] = httpx.Timeout(**{**http.timeout.as_dict(), "read": patience})
    try:
        asked = http.stream(method, _filled(url, secrets), headers=headers, **body)
        async with asyncio.timeout(seconds), asked as response:
            outcome = await _read(response, largest)
    except (httpx.HTTPError, TimeoutError) as error:
        outcome = failure_of(error)
    _record(method, url, outcome, time.monotonic() - started)
    if isinstance(outcome, SendError):
        raise outcome  # here, so that no httpx error with the filled address hangs on it as context
    return outcome


def _filled(url: str, secrets: Mapping[str, str]) -> str:
    for name, value in secrets.items():
        url = url.replace(f"{{{name}}}", value)
    return url


def _record(method: str, url: str, outcome: Answer | SendError | FetchError, seconds: float) -> None:
    """What went well only at level `debug`."""
    shown = urlsplit(url)
    if isinstance(outcome, Answer):
        status: int | str = outcome.status_code
    else:
        status = outcome.provider_code if isinstance(outcome, SendError) else outcome.code
    note = log.debug if isinstance(outcome, Answer) and outcome.status_code < 400 else log.info
    note("exchange", method=method, host=shown.hostname, path=shown.path, status=status, milliseconds=round(seconds * 1000))


async def _pour(response: httpx.Response, sink: FileSink) -> Answer:
    async for piece in response.aiter_bytes():
        await sink.write(piece)
    return Answer(response.status_code, response.headers, b"")


async def _read(response: httpx.Response, largest: int) -> Answer | SendError:
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > largest:
            return OutcomeUnknown("answer_too_large")
    return Answer(response.status_code, response.headers, bytes(content))


def failure_of(error: httpx.HTTPError | TimeoutError) -> SendError:
    """What a request without an answer means for the message in it; `provider_code` names the kind of failure."""
    if isinstance(error, AddressDenied):
        return Unavailable(AddressDenied.code)
    kind = type(error).__name__
    return Unavailable(kind) if isinstance(error, NOTHING_LEFT) else OutcomeUnknown(kind)
