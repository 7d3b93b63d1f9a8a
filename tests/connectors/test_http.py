"""What a failure on the way means for the message (I5), and that records of exchanges hold no secret (I10)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from typing import BinaryIO

import httpx
import pytest
import respx
import structlog

from hub.connectors import http as module
from hub.connectors.contract import OutboundFile
from hub.connectors.errors import FileTooLarge, OutcomeUnknown, SendError, Unavailable, UnsupportedContent
from hub.connectors.http import Answer, connector_client, download, exchange, upload, whole_seconds

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[int]:
    """A server of the test's own; each connection gets its request read and is then handed to `serve`."""

    handling: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await serve(reader, writer)
        finally:
            writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling.add(asyncio.create_task(handle(reader, writer)))

    running = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield int(running.sockets[0].getsockname()[1])
    finally:
        for _ in range(10):  # who hung up while being let in is still on the way to a handler; a closed server would drop it open
            await asyncio.sleep(0)
        running.close()
        await running.wait_closed()
        await asyncio.gather(*handling, return_exceptions=True)


async def ask(port: int) -> Answer:
    async with connector_client(frozenset({f"127.0.0.1:{port}"})) as http:
        http.timeout = httpx.Timeout(0.2)
        return await exchange(http, "POST", f"http://127.0.0.1:{port}/send", json={"text": "Hallo"})


async def test_an_answer_is_read_to_its_end() -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 418 Teapot\r\nX-Kind: Test\r\nContent-Length: 11\r\n\r\n" + b'{"ok":true}')

    async with server(serve) as port:
        answer = await ask(port)
    assert (answer.status_code, answer.headers["x-kind"], answer.json()) == (418, "Test", {"ok": True})


async def test_without_a_connection_the_provider_certainly_did_not_take_it() -> None:
    """I5: nothing left, so the message may be sent again by itself."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("never reached")

    async with server(serve) as port:
        pass
    with pytest.raises(Unavailable) as failure:
        await ask(port)
    assert failure.value.provider_code == "ConnectError"


async def test_a_connection_dropped_after_the_request_left_is_unclear() -> None:
    """I5: the provider may have taken it before it hung up."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with server(serve) as port:
        with pytest.raises(OutcomeUnknown) as failure:
            await ask(port)
    assert failure.value.provider_code in ("RemoteProtocolError", "ReadError")


async def test_no_answer_in_time_is_unclear() -> None:
    done = asyncio.Event()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()

    async with server(serve) as port:
        with pytest.raises(OutcomeUnknown) as failure:
            await ask(port)
        done.set()
    assert failure.value.provider_code == "ReadTimeout"


async def test_what_is_lost_when_nobody_waits_is_waited_for() -> None:
    """`patience` is how long the first byte may take; connecting and writing take no longer for it."""
    with respx.mock:
        route = respx.post("https://api.example/receive").respond(json=[])
        async with connector_client(frozenset()) as http:
            usual = http.timeout
            await exchange(http, "POST", "https://api.example/receive", json={}, patience=100.0)
            await exchange(http, "POST", "https://api.example/receive", json={})
    long, short = (call.request.extensions["timeout"] for call in route.calls)
    assert long == usual.as_dict() | {"read": 100.0} and short == usual.as_dict()


async def test_an_answer_that_drips_in_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that sends a byte now and then cannot hold a worker: the whole exchange has one limit."""
    monkeypatch.setattr(module, "WHOLE_SECONDS", 0.3)
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not reader.at_eof():
            writer.write(b" ")
            await asyncio.wait({asyncio.ensure_future(gone.wait())}, timeout=0.05)
            if gone.is_set():
                return

    async with server(serve) as port:
        with pytest.raises(OutcomeUnknown) as failure:
            await ask(port)
        gone.set()
    assert failure.value.provider_code == "TimeoutError"


@respx.mock
async def test_a_huge_answer_is_not_read_to_its_end() -> None:
    """One organisation's odd server cannot fill the memory of the worker that serves all."""
    respx.post("https://api.example/send").respond(content=b"x" * (module.LARGEST_ANSWER + 1))
    async with connector_client(frozenset()) as http:
        with pytest.raises(OutcomeUnknown) as failure:
            await exchange(http, "POST", "https://api.example/send")
    assert failure.value.provider_code == "answer_too_large"


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (httpx.ConnectError("x"), Unavailable),
        (httpx.ConnectTimeout("x"), Unavailable),
        (httpx.PoolTimeout("x"), Unavailable),
        (httpx.UnsupportedProtocol("x"), Unavailable),
        (httpx.ReadTimeout("x"), OutcomeUnknown),
        (httpx.ReadError("x"), OutcomeUnknown),
        (httpx.WriteTimeout("x"), OutcomeUnknown),
        (httpx.WriteError("x"), OutcomeUnknown),
        (httpx.CloseError("x"), OutcomeUnknown),
        (httpx.RemoteProtocolError("x"), OutcomeUnknown),
        (httpx.LocalProtocolError("x"), OutcomeUnknown),
        (httpx.DecodingError("x"), OutcomeUnknown),
        (TimeoutError(), OutcomeUnknown),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_a_failure_means(error: httpx.HTTPError | TimeoutError, meaning: type[SendError]) -> None:
    """I5: certain only where nothing can have left; every other failure, one unknown today too, is unclear."""
    assert type(module.failure_of(error)) is meaning


async def test_our_own_network_is_not_reached() -> None:
    """R-263: an address typed into a form cannot be used to ask our own servers."""
    async with connector_client(frozenset()) as http:
        with pytest.raises(Unavailable) as failure:
            await exchange(http, "POST", "https://127.0.0.1/send")
    assert failure.value.provider_code == "address_denied"


@respx.mock
@pytest.mark.parametrize("url", ["http://api.example/bot{token}/send", "http://api.example:8443/bot{token}/send"])
async def test_a_token_does_not_travel_unencrypted(url: str) -> None:
    """Requests carry credentials: plain HTTP only to the operator's own trusted hosts."""
    route = respx.route().respond()
    async with connector_client(frozenset({"api.example:443"})) as http:
        with pytest.raises(Unavailable) as failure:
            await exchange(http, "POST", url, secrets={"token": "geheim"})
    assert (failure.value.provider_code, route.call_count) == ("address_denied", 0)


@respx.mock
@pytest.mark.parametrize(("url", "pair"), [("http://sim.example/x", "sim.example:80"), ("http://[::1]:81/x", "[::1]:81")])
async def test_a_trusted_host_is_asked_without_encryption(url: str, pair: str) -> None:
    respx.post(url).respond(204)
    async with connector_client(frozenset({pair})) as http:
        assert (await exchange(http, "POST", url)).status_code == 204


@respx.mock
@pytest.mark.parametrize("status", [200, 403])
async def test_the_record_names_the_exchange_without_its_secret(status: int) -> None:
    """I10: method, host, path with placeholders, status and duration; no token, query or body."""
    respx.post("https://api.example/botgeheim/send").respond(status, text="vertraulich")
    with structlog.testing.capture_logs() as records:
        async with connector_client(frozenset()) as http:
            url = "https://api.example/bot{token}/send?key={token}"
            await exchange(http, "POST", url, secrets={"token": "geheim"}, json={"text": "privat"})
    (record,) = records
    assert record.pop("milliseconds") >= 0
    assert record == {
        "event": "exchange",
        "log_level": "debug" if status == 200 else "info",
        "method": "POST",
        "host": "api.example",
        "path": "/bot{token}/send",
        "status": status,
    }


@respx.mock
async def test_a_failure_carries_no_address_with_the_token() -> None:
    """I10: httpx's errors hold the request with its whole address; none of them hangs on ours."""
    respx.post("https://api.example/botgeheim/send").mock(side_effect=httpx.ReadTimeout("geheim"))
    async with connector_client(frozenset()) as http:
        with pytest.raises(OutcomeUnknown) as failure:
            await exchange(http, "POST", "https://api.example/bot{token}/send", secrets={"token": "geheim"})
    assert (failure.value.__cause__, failure.value.__context__) == (None, None)


# --- files ------------------------------------------------------------------------------------------------------------


def a_file(opened: list[BytesIO], size: int = 200_000) -> OutboundFile:
    def open_() -> BinaryIO:
        opened.append(BytesIO(b"x" * size))
        return opened[-1]

    return OutboundFile(name="Rezept März.pdf", mime="application/pdf", size=size, open=open_)


async def send_file(port: int, file: OutboundFile) -> Answer:
    async with connector_client(frozenset({f"127.0.0.1:{port}"})) as http:
        url = f"http://127.0.0.1:{port}/bot{{token}}/send"
        return await upload(
            http, url, secrets={"token": "geheim"}, fields={"chat_id": "5", "caption": "Für Sie"}, files={"f": file}
        )


async def test_a_file_is_sent_as_a_form_and_closed() -> None:
    """With its length said before, so that no server has to guess; read piece by piece from where it lies."""
    seen = bytearray()
    opened: list[BytesIO] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while b"--\r\n" not in seen[-4:]:
            seen.extend(await reader.read(65_536))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async with server(serve) as port:
        answer = await send_file(port, a_file(opened))
    assert (answer.status_code, answer.json()) == (200, {})
    assert b'name="chat_id"\r\n\r\n5\r\n' in seen and "Für Sie".encode() in seen
    assert 'name="f"; filename="Rezept März.pdf"\r\nContent-Type: application/pdf\r\n\r\n'.encode() in seen
    assert seen.count(b"x" * 200_000) == 1
    assert [one.closed for one in opened] == [True]


async def test_a_file_is_closed_when_the_connection_breaks() -> None:
    opened: list[BytesIO] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with server(serve) as port:
        with pytest.raises(OutcomeUnknown):
            await send_file(port, a_file(opened, 20_000_000))
    assert [one.closed for one in opened] == [True]


async def test_a_file_that_cannot_be_opened_costs_no_request() -> None:
    def open_() -> BinaryIO:
        raise FileNotFoundError("/srv/hub/media/01")

    with pytest.raises(UnsupportedContent) as failure:
        await send_file(9, OutboundFile(name="x", mime="text/plain", size=1, open=open_))
    assert (failure.value.provider_code, failure.value.__context__) == ("file_unreadable", None)


def test_files_have_time_by_their_size() -> None:
    assert [whole_seconds(size) for size in (0, 50_000_000)] == [30.0, 80.0]


class Sink:
    def __init__(self, room: int = 10_000_000) -> None:
        self.pieces: list[bytes] = []
        self._room = room

    async def write(self, piece: bytes) -> None:
        if sum(map(len, self.pieces)) + len(piece) > self._room:
            raise FileTooLarge
        self.pieces.append(piece)


async def load(port: int, sink: Sink, seconds: float = 5.0) -> Answer:
    async with connector_client(frozenset({f"127.0.0.1:{port}"})) as http:
        url = f"http://127.0.0.1:{port}/file/bot{{token}}/a.jpg"
        return await download(http, url, secrets={"token": "geheim"}, sink=sink, seconds=seconds)


async def hand_out(writer: asyncio.StreamWriter, size: int, status: str = "200 OK", promised: int | None = None) -> None:
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {size if promised is None else promised}\r\n\r\n".encode())
    writer.write(b"y" * size)


async def test_a_file_comes_piece_by_piece() -> None:
    sink = Sink()
    async with server(lambda _, writer: hand_out(writer, 3_000_000)) as port:
        answer = await load(port, sink)
    assert (answer.status_code, answer.content, b"".join(sink.pieces)) == (200, b"", b"y" * 3_000_000)
    assert len(sink.pieces) > 3


async def test_a_refused_file_leaves_the_sink_alone() -> None:
    sink = Sink()
    async with server(lambda _, writer: hand_out(writer, 5, "404 Not Found")) as port:
        answer = await load(port, sink)
    assert (answer.status_code, answer.content, sink.pieces) == (404, b"yyyyy", [])


async def test_a_file_that_is_too_large_is_not_read_to_its_end() -> None:
    with structlog.testing.capture_logs() as records:
        async with server(lambda _, writer: hand_out(writer, 3_000_000)) as port:
            with pytest.raises(FileTooLarge):
                await load(port, Sink(1_000_000))
    assert (records[0]["status"], records[0]["path"]) == ("too_large", "/file/bot{token}/a.jpg")


@pytest.mark.parametrize(("promised", "seconds"), [(2000, 5.0), (2000, 0.0)])
async def test_half_a_file_is_asked_for_again(promised: int, seconds: float) -> None:
    """Reading does no harm, so whatever goes wrong on the way is `Unavailable`."""
    async with server(lambda _, writer: hand_out(writer, 1000, promised=promised)) as port:
        with pytest.raises(Unavailable) as failure:
            await load(port, Sink(), seconds)
    assert (failure.value.__cause__, failure.value.__context__) == (None, None)
