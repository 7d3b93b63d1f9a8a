"""The transport under outgoing requests: what may be repeated and what not (I5), and that nobody's server can fill our memory."""

import asyncio
import gzip
import socket
import tempfile
import threading
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial

import httpx
import pytest

from hub.connectors.errors import OutcomeUnknown
from hub.connectors.http import exchange
from hub.core import http as module
from hub.core.http import Guard, GuardedTransport, outbound_client
from hub.core.http1 import LARGEST_PIECE, MOST_HELD, MOST_OVERHEAD
from tests.tls import Authority

pytestmark = pytest.mark.asyncio(loop_scope="module")  # on asyncio's loop and on uvloop: conftest.py

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PATIENCE = httpx.Timeout(5)
Reply = Callable[["Served"], Awaitable[None]]


@dataclass
class Served:
    """One request as the server saw it, and the way back to who sent it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: str
    connection: int

    async def body(self) -> bytes:
        length = int(self.head.lower().partition("content-length: ")[2].partition("\r\n")[0] or 0)
        return await self.reader.readexactly(length)


@dataclass
class Server:
    """Notes what it was asked; `closed` are the connections that the client hung up."""

    port: int = 0
    connections: int = 0
    requests: list[Served] = field(default_factory=list)
    closed: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    partial: list[bytes] = field(default_factory=list)
    """What such a connection had sent that nobody took."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/send"

    @property
    def trusted(self) -> frozenset[str]:
        return frozenset({f"127.0.0.1:{self.port}"})


@asynccontextmanager
async def server(reply: Reply) -> AsyncIterator[Server]:
    """A server that hands the head of each request to `reply`."""
    served = Server()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.connections += 1
        number = served.connections
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                request = Served(reader, writer, head, number)
                served.requests.append(request)
                await reply(request)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            served.partial.append(error.partial if isinstance(error, asyncio.IncompleteReadError) else b"")
            served.closed.put_nowait(number)
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    served.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield served


def saying(*answers: bytes) -> Reply:
    """Answers in this order, the last one again and again; takes the bodies of requests."""
    waiting = list(answers)

    async def reply(request: Served) -> None:
        await request.body()
        request.writer.write(waiting.pop(0) if len(waiting) > 1 else waiting[0])

    return reply


async def hangs_up(request: Served) -> None:
    request.writer.close()


async def ask(served: Server, method: str = "POST") -> httpx.Response:
    async with outbound_client(served.trusted, timeout=PATIENCE) as http:
        return await http.request(method, served.url)


# --- what an answer may look like -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK, b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\nX-After: 1\r\n\r\n", b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, b"ok"),
    ],
    ids=["length", "no content", "empty", "1.0", "chunked", "interim"],
)
async def test_an_answer_is_read_to_its_end(answer: bytes, body: bytes) -> None:
    async with server(saying(answer)) as served, outbound_client(served.trusted, timeout=PATIENCE) as http:
        for _ in range(2):
            response = await http.get(served.url)
            assert (response.content, "link" in response.headers, "x-after" in response.headers) == (body, False, False)
    assert served.connections == (2 if b"1.0" in answer else 1)


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async def reply(request: Served) -> None:
        request.writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        request.writer.close()

    async with server(reply) as served:
        assert (await ask(served)).content == b"all of it"


async def test_each_byte_may_come_alone() -> None:
    async def reply(request: Served) -> None:
        for byte in OK:
            request.writer.write(bytes([byte]))
            await request.writer.drain()
            await asyncio.sleep(0)

    async with server(reply) as served:
        assert (await ask(served)).content == b"ok"


@pytest.mark.parametrize(
    "answer",
    [
        b"220 mail.example ESMTP\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * (MOST_OVERHEAD + 1),
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * (MOST_OVERHEAD // 28 + 2),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: " + b"x" * (8 * MOST_OVERHEAD),
    ],
    ids=["smtp", "2", "upgrade", "two lengths", "length and chunks", "huge head", "endless hints", "huge trailer"],
)
async def test_what_is_no_answer_leaves_the_outcome_unknown(answer: bytes) -> None:
    """I5: something at the other end took the bytes and may have understood them. Nothing is kept without bounds meanwhile."""
    async with server(saying(answer)) as served:
        with pytest.raises(httpx.RemoteProtocolError):
            await ask(served)
    assert len(served.requests) == 1


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    ],
    ids=["nothing", "half a head", "short of its length", "short of its last chunk"],
)
async def test_half_an_answer_is_no_answer(part: bytes) -> None:
    async def reply(request: Served) -> None:
        request.writer.write(part)
        request.writer.close()

    async with server(reply) as served:
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await ask(served)
    assert len(served.requests) == 1


async def test_bytes_behind_an_answer_are_not_taken_for_the_next_one() -> None:
    """Of one client for many organisations, no request is answered with what was meant for another."""
    mine = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine"
    async with server(saying(OK + OK, mine)) as served, outbound_client(served.trusted, timeout=PATIENCE) as http:
        assert (await http.get(served.url)).text == "ok"
        assert (await http.get(served.url)).text == "mine"
    assert served.connections == 2


async def test_bytes_that_nobody_asked_for_end_the_connection() -> None:
    async def reply(request: Served) -> None:
        request.writer.write(OK)
        await request.writer.drain()
        await asyncio.sleep(0.05)
        request.writer.write(OK)

    async with server(reply) as served, outbound_client(served.trusted, timeout=PATIENCE) as http:
        await http.post(served.url)
        assert await asyncio.wait_for(served.closed.get(), 5) == 1


# --- kept connections -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_request_on_a_kept_connection_is_never_sent_twice(method: str) -> None:
    """I5: the server hung up when the second request came. It may have taken it, so it is not repeated on a new connection."""
    count = 0

    async def reply(request: Served) -> None:
        nonlocal count
        count += 1
        if count == 1:
            request.writer.write(OK)
        else:
            request.writer.close()

    async with server(reply) as served, outbound_client(served.trusted, timeout=PATIENCE) as http:
        await http.request(method, served.url)
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await http.request(method, served.url)
    assert [request.connection for request in served.requests] == [1, 1]


async def test_a_kept_connection_that_was_closed_is_not_used_again() -> None:
    """Nothing of the request has left when the closed connection is seen, so a new one takes it: no doubt, no double."""

    async def reply(request: Served) -> None:
        request.writer.write(OK)
        request.writer.close()

    async with server(reply) as served, outbound_client(served.trusted, timeout=PATIENCE) as http:
        for _ in range(3):
            assert (await http.post(served.url)).text == "ok"
            await asyncio.sleep(0.01)
    assert [request.connection for request in served.requests] == [1, 2, 3]


@contextmanager
def blocking_server(farewell: threading.Event, closed: threading.Event) -> Iterator[int]:
    """In a thread: answers once, closes at `farewell`; then answers whoever comes next."""

    def run(listening: socket.socket) -> None:
        first, _ = listening.accept()
        with first:
            first.recv(65536)
            first.sendall(OK)
            farewell.wait(5)
        closed.set()
        second, _ = listening.accept()
        with second:
            second.recv(65536)
            second.sendall(OK)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=run, args=(listening,))
        thread.start()
        yield listening.getsockname()[1]
        thread.join(5)


async def test_a_farewell_that_the_loop_has_not_seen_yet_is_seen_before_a_request() -> None:
    """A busy worker learns late that a connection was closed; a message written into it would be unclear for no reason."""
    farewell, closed = threading.Event(), threading.Event()
    with blocking_server(farewell, closed) as port:
        async with outbound_client(frozenset({f"127.0.0.1:{port}"}), timeout=PATIENCE) as http:
            await http.post(f"http://127.0.0.1:{port}/")
            farewell.set()
            closed.wait(5)  # on purpose without the loop
            assert (await http.post(f"http://127.0.0.1:{port}/")).text == "ok"


async def test_an_unused_connection_is_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_SECONDS", 0.05)
    async with server(saying(OK)) as served, outbound_client(served.trusted, timeout=PATIENCE) as http:
        await asyncio.gather(http.post(served.url), http.post(served.url))
        assert {await asyncio.wait_for(served.closed.get(), 5) for _ in range(2)} == {1, 2}
        assert (await http.post(served.url)).text == "ok"


async def test_no_more_connections_than_allowed() -> None:
    """Requests beyond wait; one that waits too long has not left, so it may be tried again (I5)."""
    arrived, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def reply(request: Served) -> None:
        arrived.release()
        await go_on.wait()
        request.writer.write(OK)

    async with server(reply) as served:
        transport = GuardedTransport(Guard(served.trusted), Authority().client, connections=2)
        async with httpx.AsyncClient(transport=transport, timeout=PATIENCE) as http:
            asked = [asyncio.create_task(http.post(served.url)) for _ in range(2)]
            for _ in asked:
                await arrived.acquire()
            with pytest.raises(httpx.PoolTimeout):
                await http.post(served.url, timeout=httpx.Timeout(5, pool=0.1))
            go_on.set()
            await asyncio.gather(*asked)
            await asyncio.gather(*(http.post(served.url) for _ in range(20)))
    assert (served.connections, len(served.requests)) == (2, 22)


async def test_kept_connections_give_way_to_another_server() -> None:
    """The number of connections is that of open ones, used or not."""
    async with server(saying(OK)) as one, server(saying(OK)) as two:
        transport = GuardedTransport(Guard(one.trusted | two.trusted), Authority().client, connections=2)
        async with httpx.AsyncClient(transport=transport, timeout=PATIENCE) as http:
            for other in (one, two):
                await asyncio.gather(http.post(other.url), http.post(other.url))
            assert {await asyncio.wait_for(one.closed.get(), 5) for _ in range(2)} == {1, 2}


# --- what is given up -------------------------------------------------------------------------------------------------


async def test_a_cancelled_request_closes_its_connection() -> None:
    arrived = asyncio.Event()

    async def reply(request: Served) -> None:
        arrived.set()
        await request.reader.read()
        raise ConnectionError

    async with server(reply) as served, outbound_client(served.trusted, timeout=PATIENCE) as http:
        asked = asyncio.create_task(http.post(served.url))
        await arrived.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert await asyncio.wait_for(served.closed.get(), 5) == 1


async def test_an_answer_that_is_not_wanted_to_its_end_closes_its_connection() -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"

    async def reply(request: Served) -> None:
        request.writer.write(endless)
        while True:
            request.writer.write(b"x" * 65536)
            await request.writer.drain()

    async with server(reply) as served, outbound_client(served.trusted, timeout=PATIENCE) as http:
        async with http.stream("GET", served.url) as response:
            assert response.status_code == 200
        assert await asyncio.wait_for(served.closed.get(), 5) == 1


async def test_a_client_that_is_closed_leaves_no_connection() -> None:
    async with server(saying(OK)) as served:
        await ask(served)
        assert await asyncio.wait_for(served.closed.get(), 5) == 1


# --- large bodies -----------------------------------------------------------------------------------------------------


async def test_a_large_file_goes_out_as_fast_as_it_is_taken() -> None:
    """50 MB, multipart: what the server has not taken stays in the file."""
    size = 50_000_000
    position = 0

    async def reply(request: Served) -> None:
        nonlocal position
        await asyncio.sleep(0.1)
        position = file.tell()
        body = await request.body()
        request.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n%08d" % (len(body) // 1000))

    with tempfile.TemporaryFile() as file:
        file.truncate(size)
        async with server(reply) as served, outbound_client(served.trusted, timeout=PATIENCE) as http:
            response = await http.post(served.url, files={"document": ("large.bin", file)})
    assert response.text == "00050000"
    assert 0 < position < size / 2  # the kernel's buffers hold some megabytes


async def test_a_body_of_unknown_length_goes_out_in_chunks() -> None:
    taken = b""

    async def reply(request: Served) -> None:
        nonlocal taken
        taken = await request.reader.readuntil(b"0\r\n\r\n")
        request.writer.write(OK)

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        yield b""
        yield b"second"

    async with server(reply) as served, outbound_client(served.trusted, timeout=PATIENCE) as http:
        await http.post(served.url, content=body())
    assert taken == b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"


async def test_a_server_that_stops_taking_is_given_up() -> None:
    """What it has taken may be all it needs, so the outcome is unknown."""

    async def reply(request: Served) -> None:
        request.writer.transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's transports can
        await asyncio.sleep(0.3)
        request.writer.close()

    async with server(reply) as served, outbound_client(served.trusted, timeout=httpx.Timeout(5, write=0.1)) as http:
        with pytest.raises(httpx.WriteTimeout):
            await http.post(served.url, content=b"x" * 20_000_000)


async def test_an_answer_before_the_end_of_the_question_counts() -> None:
    """413 in the middle of an upload is a refusal, not a riddle."""
    sent = 0

    async def reply(request: Served) -> None:
        request.writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(10_000):
            sent += 1
            yield b"x" * 65536
            await asyncio.sleep(0)

    async with server(reply) as served, outbound_client(served.trusted, timeout=PATIENCE) as http:
        for connections in (1, 2):
            response = await http.post(served.url, content=body(), headers={"Content-Length": str(10_000 * 65536)})
            assert (response.status_code, response.text, served.connections) == (413, "no", connections)
    assert sent < 5000


async def test_an_answer_that_is_not_taken_is_not_read() -> None:
    """A slow disk at our end slows the server down instead of filling our memory."""
    size = 30_000_000
    written = 0

    async def reply(request: Served) -> None:
        nonlocal written
        request.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while written < size:
            request.writer.write(b"x" * 10_000)
            written += 10_000
            await request.writer.drain()

    async with (
        server(reply) as served,
        outbound_client(served.trusted, timeout=PATIENCE) as http,
        http.stream("GET", served.url) as response,
    ):
        pieces = response.aiter_raw()
        sizes = [len(await anext(pieces))]
        await asyncio.sleep(0.2)
        assert written < size
        sizes += [len(piece) async for piece in pieces]
    assert sum(sizes) == size
    assert max(sizes) <= LARGEST_PIECE < MOST_HELD


async def test_a_bomb_does_not_go_off() -> None:
    """200 MB of nothing, packed to 200 kB: the answer is given up at its first megabyte."""
    packed = gzip.compress(bytes(200_000_000), compresslevel=9)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with server(saying(head + packed)) as served, outbound_client(served.trusted, timeout=PATIENCE) as http:
        tracemalloc.start()
        try:
            with pytest.raises(OutcomeUnknown, match="answer_too_large"):
                await exchange(http, "POST", served.url)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 60_000_000


# --- unfit requests ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unfit",
    [
        partial(httpx.Request, "POST", headers={"X": "a\r\nHost: other.example"}),
        partial(httpx.Request, "POST", headers={"X Y": "a"}),
        partial(httpx.Request, "POST", headers={"X": "a\0"}),
        partial(httpx.Request, "GET / HTTP/1.1\r\nX:"),
        partial(httpx.Request, "HEAD"),
    ],
    ids=["line break", "space in a name", "nul", "method", "head"],
)
async def test_a_request_that_reads_as_something_else_does_not_leave(unfit: Callable[..., httpx.Request]) -> None:
    """A credential typed into a form cannot add headers or requests of its own."""
    async with server(saying(OK)) as served, outbound_client(served.trusted, timeout=PATIENCE) as http:
        with pytest.raises(httpx.LocalProtocolError):
            await http.send(unfit(url=served.url))
    assert served.requests == []


@pytest.mark.parametrize(("length", "left_over"), [(1, b""), (3, b"ok")])
async def test_a_body_of_another_length_than_announced_does_not_become_the_next_request(length: int, left_over: bytes) -> None:

    async def body() -> AsyncIterator[bytes]:
        yield b"o"
        yield b"k"

    async with server(saying(OK)) as served, outbound_client(served.trusted, timeout=PATIENCE) as http:
        with pytest.raises(httpx.LocalProtocolError):
            await http.post(served.url, content=body(), headers={"Content-Length": str(length)})
        assert await asyncio.wait_for(served.closed.get(), 5) == 1
        assert (await http.post(served.url)).text == "ok"
    assert [request.connection for request in served.requests] == [1, 2]
    assert served.partial[0] == left_over


async def test_only_http_is_spoken() -> None:
    async with outbound_client() as http:
        with pytest.raises(httpx.UnsupportedProtocol):
            await http.get("ftp://files.example/")
