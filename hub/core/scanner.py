"""Malware screening of files (R-231): the test signature by ourselves, everything else by the operator's ClamAV if there is one.

A file that no scanner has looked at is `unscanned` and marked so; an unreachable or confused scanner never makes a file clean.
"""

import asyncio
import re
import struct
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal

import structlog

log = structlog.get_logger()

EICAR_NAME: Final = "EICAR-Test-File"
# in two halves, so that no scanner takes this very file for one
EICAR: Final = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}" + rb"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
EICAR_LONGEST: Final = 128
"""Bytes of a test file, with white space behind the 68 that matter (EICAR's definition of 1 May 2003)."""
CHUNK: Final = 65_536
CONNECT_SECONDS: Final = 5.0
WHOLE_SECONDS: Final = 20.0
"""For one file; clamd looks through 100 MB in a few."""
LONGEST_ANSWER: Final = 4096

_EICAR: Final = re.compile(re.escape(EICAR) + rb"[ \t\r\n\x1a]*")
_FOUND: Final = re.compile(r"stream: (.{1,200}) FOUND")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known about a file. `name` is the scanner's name of what it found, or why it could not look."""

    state: Literal["clean", "infected", "unscanned"]
    name: str = ""


class Scanner:
    """Looks at one file after the other; safe to share. `clamd` is `host:port` or the path of a socket; None: there is none."""

    def __init__(self, clamd: str | None) -> None:
        self._clamd = clamd

    async def scan(self, file: BinaryIO) -> Verdict:
        """Read the file from its start to its end. Trouble with the scanner is a verdict, not an error."""
        file.seek(0)
        if is_eicar(file.read(EICAR_LONGEST + 1)):
            return Verdict("infected", EICAR_NAME)
        if self._clamd is None:
            return Verdict("unscanned", "no_scanner")
        file.seek(0)
        try:
            async with asyncio.timeout(WHOLE_SECONDS):
                answer = await _ask(self._clamd, file)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.warning("scanner_unreachable", error=type(error).__name__)
            return Verdict("unscanned", "scanner_unreachable")
        return _read(answer)


def is_eicar(start: bytes) -> bool:
    """Whether a file that starts so is the test file: its 68 bytes, then nothing but white space, at most 128 bytes in all."""
    return len(start) <= EICAR_LONGEST and _EICAR.fullmatch(start) is not None


async def _ask(clamd: str, file: BinaryIO) -> str:
    """clamd's INSTREAM command: pieces with their length in front, an empty one at the end, one answer with a zero byte."""
    async with asyncio.timeout(CONNECT_SECONDS):
        reader, writer = await _connect(clamd)
    try:
        writer.write(b"zINSTREAM\0")
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            writer.write(struct.pack(">I", len(chunk)) + chunk)
            await writer.drain()
        writer.write(struct.pack(">I", 0))
        await writer.drain()
        return (await reader.readuntil(b"\0"))[:-1].decode("utf-8", "replace")
    finally:
        writer.close()


async def _connect(clamd: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if clamd.startswith("/"):
        return await asyncio.open_unix_connection(clamd, limit=LONGEST_ANSWER)
    host, _, port = clamd.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port), limit=LONGEST_ANSWER)


def _read(answer: str) -> Verdict:
    if answer == "stream: OK":
        return Verdict("clean")
    found = _FOUND.fullmatch(answer)
    if found is not None:
        return Verdict("infected", found[1])
    log.warning("scanner_refused", answer=answer[:200])  # clamd's own words: a limit of its, or an error in its set-up
    return Verdict("unscanned", "scanner_refused")
