"""HTTP/1.1 as a client, on one connection: what the transport in `http.py` sends its requests over.

    connection = await dial("149.154.167.220", 443)
    await connection.secure(tls, "api.telegram.org", 5)
    status, headers = await connection.ask(request, write=15, read=15)
    while (piece := await connection.piece(15)) is not None: ...
    connection.is_reusable

llhttp (`httptools`, which the web process has under uvicorn) reads the answers, in its strict form. No request is ever repeated
here, and every failure is an error of httpx that says how far the request got:

    nothing was written     ConnectError; LocalProtocolError for an unfit request
    from the first byte on  WriteTimeout, ReadTimeout, ReadError, RemoteProtocolError; LocalProtocolError for an unfit body

Who gives an exchange up half-way closes the connection: nobody could tell where the next answer begins.
"""

import asyncio
import re
import select
import ssl
from collections import deque
from collections.abc import AsyncIterator
from typing import Final, cast

import httptools
import httpx

MOST_OVERHEAD: Final = 65_536
"""Bytes of an answer that are no body: its head, or the framing between two pieces and behind the last."""
MOST_HELD: Final = 262_144
"""Bytes of a body that wait to be taken; beyond it the server is not read until half of them are gone."""
LARGEST_PIECE: Final = 16_384
"""Bytes of a body handed out at once: unpacking makes at most about a thousand times as much of it (deflate)."""

_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token (RFC 9110, 5.6.2)
_UNFIT_IN_VALUE: Final = re.compile(rb"[\x00\r\n]")
_UNFIT_IN_TARGET: Final = re.compile(rb"[\x00-\x20\x7f]")

Headers = list[tuple[bytes, bytes]]


async def dial(host: str, port: int) -> "Connection":
    """A connection without TLS. Raises OSError."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, host, port)
    return connection


class Connection(asyncio.Protocol):
    """One connection to a server, for one exchange after the other."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._poll = select.poll()
        self._waiter: asyncio.Future[None] | None = None
        self._failure: httpx.TransportError | None = None
        self._is_lost = self._is_full = self._is_paused = False
        self._parser: httptools.HttpResponseParser | None = None
        self._status = 0
        self._headers: Headers = []
        self._pieces: deque[bytes] = deque()
        self._held = self._overhead = 0
        self._has_head = self._is_complete = self._is_kept = False

    async def secure(self, tls: ssl.SSLContext, name: str, seconds: float | None) -> None:
        """TLS from here on; the server must prove to be `name`. Raises OSError, of which ssl.SSLError is one."""
        transport = await self._loop.start_tls(
            self._transport, self, tls, server_hostname=name, ssl_handshake_timeout=seconds
        )  # fmt: skip
        if transport is None:
            raise ConnectionResetError("the connection was closed during the TLS handshake")
        self._transport = transport

    async def ask(self, request: httpx.Request, *, write: float | None, read: float | None) -> tuple[int, Headers]:
        """Send a request; status and headers of the answer. `write` and `read`: seconds without progress. Raises TransportError."""
        head = _head(request)
        if self._is_lost or self._transport.is_closing():
            raise httpx.ConnectError("the server closed the connection before the request")
        self._parser = httptools.HttpResponseParser(self)
        self._headers = []
        self._overhead = 0
        self._has_head = self._is_complete = self._is_kept = False
        fields = {name.lower(): value for name, value in request.headers.raw}
        is_last = b"close" in fields.get(b"connection", b"").lower()
        async for part in _parts(request, head, fields):
            if self._has_head:  # an answer before the end of the question, as 413: it counts, the rest is not wanted
                is_last = True
                break
            if self._failure is not None:
                raise self._failure
            self._transport.write(part)
            while self._is_full and not self._has_head:
                await self._progress(write, httpx.WriteTimeout)
        while not self._has_head:
            await self._progress(read, httpx.ReadTimeout)
        self._is_kept = not is_last
        return self._status, self._headers

    async def piece(self, read: float | None) -> bytes | None:
        """The next bytes of the body, None at its end. Raises TransportError."""
        while not self._pieces:
            if self._is_complete:
                return None
            await self._progress(read, httpx.ReadTimeout)
        piece = self._pieces.popleft()
        if len(piece) > LARGEST_PIECE:
            self._pieces.appendleft(piece[LARGEST_PIECE:])
            piece = piece[:LARGEST_PIECE]
        self._held -= len(piece)
        if self._is_paused and self._held <= MOST_HELD // 2 and not self._transport.is_closing():
            self._is_paused = False
            self._transport.resume_reading()
        return piece

    @property
    def is_reusable(self) -> bool:
        """Whether another request may follow: all was said and taken, and the server has not hung up. The socket itself is asked
        too, because the loop may not have got round to a farewell that has arrived."""
        is_finished = self._is_complete and self._is_kept and not self._pieces
        return is_finished and not self._is_lost and not self._transport.is_closing() and not self._poll.poll(0)

    def close(self) -> None:
        """At once; what was not sent or read is dropped."""
        self._transport.abort()

    async def _progress(self, seconds: float | None, late: type[httpx.TimeoutException]) -> None:
        """Wait until anything has happened. Raises what makes waiting vain."""
        if self._failure is None:
            self._waiter = self._loop.create_future()
            timer = None if seconds is None else self._loop.call_later(seconds, self._expire, late)
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        if self._failure is not None:
            raise self._failure

    def _expire(self, late: type[httpx.TimeoutException]) -> None:
        self._fail(late("nothing happened for too long"))

    def _fail(self, failure: httpx.TransportError) -> None:
        self._failure = failure
        self._transport.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- called by asyncio ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def connection_lost(self, error: Exception | None) -> None:
        self._is_lost = True
        if self._parser is not None and not self._is_complete and self._failure is None:
            if error is not None:
                self._failure = httpx.ReadError(str(error))
            elif self._has_head and not any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self._headers):
                self._is_complete = True  # an answer without a length ends with its connection
            else:
                self._failure = httpx.RemoteProtocolError("the server closed the connection before its answer was whole")
        self._wake()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._wake()

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self._is_complete:
            self.close()  # nobody asked
            return
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self._is_complete:
                self.close()  # what stands behind a whole answer is not part of it
            else:
                self._fail(httpx.RemoteProtocolError(f"not an answer in HTTP/1.1: {error}"))
            return
        if not self._is_complete:
            self._bound()
        self._wake()

    def _bound(self) -> None:
        """No answer takes more memory than its reader has room for."""
        if self._overhead > MOST_OVERHEAD:
            self._fail(httpx.RemoteProtocolError("too much around the body"))
        elif self._held > MOST_HELD and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    # --- called by llhttp -----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._is_complete:
            raise httptools.HttpParserError("a second answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._has_head:  # else a trailer
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        self._status = self._parser.get_status_code()
        self._has_head = self._status >= 200

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)
        self._held += len(body)
        self._overhead = 0

    def on_message_complete(self) -> None:
        assert self._parser is not None
        if not self._has_head:  # an interim answer (RFC 9110, 15.2); the real one follows
            self._headers = []
            return
        self._is_complete = True
        if not self._parser.should_keep_alive():
            self.close()


def _head(request: httpx.Request) -> bytes:
    """Request line and headers. Raises LocalProtocolError for what would be read as something else at the other end."""
    if request.method in ("HEAD", "CONNECT") or not _NAME.fullmatch(request.method.encode()):
        raise httpx.LocalProtocolError("this method is not spoken here")
    target = request.url.raw_path
    if _UNFIT_IN_TARGET.search(target):
        raise httpx.LocalProtocolError("unfit address")
    lines = [b"%s %s HTTP/1.1" % (request.method.encode(), target)]
    for name, value in request.headers.raw:
        if not _NAME.fullmatch(name) or _UNFIT_IN_VALUE.search(value):
            raise httpx.LocalProtocolError("unfit header")
        lines.append(b"%s: %s" % (name, value))
    return b"\r\n".join([*lines, b"", b""])


async def _parts(request: httpx.Request, head: bytes, fields: dict[bytes, bytes]) -> AsyncIterator[bytes]:
    """What is written piece by piece, the head together with the first. Raises LocalProtocolError for a body that is not as
    long as the head says."""
    is_chunked = b"transfer-encoding" in fields
    left = int(fields.get(b"content-length", 0))
    ahead = head
    async for piece in cast(httpx.AsyncByteStream, request.stream):
        if is_chunked:
            if piece:  # an empty chunk would be the end
                yield b"%s%x\r\n%s\r\n" % (ahead, len(piece), piece)
                ahead = b""
            continue
        left -= len(piece)
        if left < 0:
            break
        yield ahead + piece
        ahead = b""
    if left and not is_chunked:
        raise httpx.LocalProtocolError("the body is not as long as announced")
    if is_chunked:
        yield ahead + b"0\r\n\r\n"
    elif ahead:
        yield ahead
