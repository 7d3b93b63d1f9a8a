"""Malware screening (R-231): the test signature, clamd's protocol, and that no trouble makes a file clean."""

import asyncio
import io
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hub.core import scanner
from hub.core.scanner import CHUNK, EICAR, EICAR_NAME, Scanner, Verdict, is_eicar
from hub.core.settings import Settings

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def clamd(serve: Serve, path: str = "") -> AsyncIterator[str]:
    """A server on a port of its own, or on a socket file; its address."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await (asyncio.start_unix_server(served, path) if path else asyncio.start_server(served, "127.0.0.1", 0))
    async with server:
        yield path or f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def read_stream(reader: asyncio.StreamReader) -> bytes:
    """The command and the file, as clamd reads them."""
    assert await reader.readuntil(b"\0") == b"zINSTREAM\0"
    body = b""
    while length := struct.unpack(">I", await reader.readexactly(4))[0]:
        assert length <= CHUNK
        body += await reader.readexactly(length)
    return body


def answers(answer: bytes, wants: bytes | None = None) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = await read_stream(reader)
        writer.write(answer if wants is None or body == wants else b"stream: other bytes ERROR\0")
        await writer.drain()

    return serve


@pytest.mark.parametrize("behind", [b"", b"\n", b"\r\n", b" \t\r\n\x1a" * 12])
async def test_the_test_file_is_always_found(behind: bytes) -> None:
    """R-231: 68 bytes and white space, 128 in all; also where no scanner is connected."""
    assert await Scanner(None).scan(io.BytesIO(EICAR + behind)) == Verdict("infected", EICAR_NAME)


def test_only_the_test_file_is_the_test_file() -> None:
    """Its definition: at the start of the file, and nothing but white space behind it."""
    assert len(EICAR) == 68
    for other in (b"", b"x" + EICAR, EICAR + b"x", EICAR[:-1], EICAR.lower(), EICAR + b" " * 61, EICAR + b"\0"):
        assert not is_eicar(other)


async def test_without_a_scanner_a_file_is_unscanned() -> None:
    for body in (b"Guten Tag", EICAR + b"x"):
        assert await Scanner(None).scan(io.BytesIO(body)) == Verdict("unscanned", "no_scanner")


async def test_clamd_sees_the_whole_file() -> None:
    """In pieces, from its start, whatever was read before; the answer decides."""
    body = bytes(range(256)) * 1000
    file = io.BytesIO(body)
    file.seek(5)
    async with clamd(answers(b"stream: OK\0", wants=body)) as address:
        assert await Scanner(address).scan(file) == Verdict("clean")
    async with clamd(answers(b"stream: Win.Test.Wurm-1 FOUND\0", wants=body)) as address:
        assert await Scanner(address).scan(file) == Verdict("infected", "Win.Test.Wurm-1")


async def test_clamd_is_reached_over_a_socket_file(tmp_path: Path) -> None:
    async with clamd(answers(b"stream: OK\0"), str(tmp_path / "clamd")) as address:
        assert await Scanner(address).scan(io.BytesIO(b"Guten Tag")) == Verdict("clean")


@pytest.mark.parametrize(
    "answer", [b"INSTREAM size limit exceeded. ERROR\0", b"stream: x ERROR\0", b"OK\0", b"stream: OK FOUND or not\0", b"\0"]
)
async def test_an_answer_that_is_no_verdict_is_none(answer: bytes) -> None:
    async with clamd(answers(answer)) as address:
        assert await Scanner(address).scan(io.BytesIO(b"Guten Tag")) == Verdict("unscanned", "scanner_refused")


async def test_an_unreachable_scanner_makes_nothing_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody there, hung up in the middle, an answer without end, no answer at all."""
    unreachable = Verdict("unscanned", "scanner_unreachable")
    async with clamd(answers(b"")) as address:
        pass
    assert await Scanner(address).scan(io.BytesIO(b"Guten Tag")) == unreachable

    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\0")

    async with clamd(hangs_up) as address:
        assert await Scanner(address).scan(io.BytesIO(bytes(5_000_000))) == unreachable
    async with clamd(answers(b"x" * 100_000)) as address:
        assert await Scanner(address).scan(io.BytesIO(b"Guten Tag")) == unreachable

    done = asyncio.Event()

    async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_stream(reader)
        await done.wait()

    monkeypatch.setattr(scanner, "WHOLE_SECONDS", 0.05)
    async with clamd(says_nothing) as address:
        assert await Scanner(address).scan(io.BytesIO(b"Guten Tag")) == unreachable
        done.set()


@pytest.mark.parametrize("address", ["/run/clamav/clamd.ctl", "clamd:3310", "127.0.0.1:3310", "[::1]:3310"])
def test_addresses_of_a_scanner(address: str) -> None:
    assert Settings(clamd=address).clamd == address


@pytest.mark.parametrize("address", ["clamd", "clamd:", ":3310", "clamd:port", "http://clamd:3310", "run/clamd.ctl", ""])
def test_a_wrong_address_stops_the_start(address: str) -> None:
    with pytest.raises(ValueError, match="clamd"):
        Settings(clamd=address)
