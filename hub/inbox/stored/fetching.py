"""One try to bring one file: the connector streams it into the store, with no transaction open and at most HUB_MEDIA_LIMIT, and it
is examined. Whatever happened is an outcome, which `media.py` writes down."""

import asyncio
import tempfile
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Final
from uuid import UUID

import structlog
from httpx import AsyncClient

from hub.channels.accounts import OpenChannel
from hub.connectors.contract import FetchesMedia, FileHead
from hub.connectors.errors import (
    AuthFailed,
    FetchError,
    FileGone,
    FileTooLarge,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SendError,
    Unavailable,
)
from hub.core import picture
from hub.core.media import inspect
from hub.core.storage import Form, TooLarge, Writing
from hub.inbox.sending.results import backoff
from hub.inbox.stored.examining import SMALL_BYTES, SMALL_PIXELS, Examined, examine, store_small_picture
from hub.runtime import Runtime

log = structlog.get_logger()

FILE_SECONDS: Final = 130.0
"""For one file from the first byte to the end of its examination; with `media.TURN_SECONDS` it ends before its job does."""
COPY_BYTES: Final = 262_144


@dataclass(frozen=True, slots=True)
class Due:
    """A claimed attachment."""

    id: UUID
    conversation_id: UUID
    message_id: UUID
    kind: str
    ref: str
    name: str
    size: int | None
    small_ref: str
    tries: int


@dataclass(frozen=True, slots=True)
class Kept:
    """The file is in the store, or was and had to go again."""

    examined: Examined
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The file will not come: `state` gone, refused or failed."""

    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Again:
    """Another try after `seconds`."""

    reason: str
    seconds: float
    needs_attention: bool = False


Outcome = Kept | Ended | Again


class _Sink:
    """Where a connector writes: the store, with the error that the contract names."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing

    async def write(self, piece: bytes) -> None:
        try:
            await self._writing.write(piece)
        except TooLarge:
            raise FileTooLarge from None


class _SmallSink:
    """Where a small picture goes before it is drawn anew."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = 0

    async def write(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > SMALL_BYTES:
            raise FileTooLarge
        self._file.write(piece)


async def fetch(runtime: Runtime, channel: OpenChannel, http: AsyncClient, due: Due) -> Outcome:
    """One try. Whatever happened is the outcome; only what speaks of our own database or lease is raised."""
    try:
        async with asyncio.timeout(FILE_SECONDS):
            return await _fetch_and_examine(runtime, channel, http, due)
    except FileTooLarge:
        return Ended("refused", "too_large")
    except FileGone:
        return Ended("gone", "gone")
    except (RateLimited, AuthFailed, Unavailable, OutcomeUnknown) as error:
        seconds = error.retry_after if isinstance(error, RateLimited) else backoff(due.tries)
        return Again(error.code, seconds, needs_attention=isinstance(error, AuthFailed))
    except Rejected:
        return Ended("failed", "rejected")
    except TimeoutError:
        return Again(Unavailable.code, backoff(due.tries))
    except OSError as error:  # the disk
        log.warning("file_not_stored", error=type(error).__name__)
        return Again("not_stored", backoff(due.tries))
    except Exception as error:  # noqa: BLE001 - the edge: a defect of a connector must not stop the lane
        log.error("connector_defect", error=type(error).__name__, connector=channel.connector.connector)
        return Ended("failed", "internal")


async def _fetch_and_examine(runtime: Runtime, channel: OpenChannel, http: AsyncClient, due: Due) -> Kept:
    limit = runtime.settings.media_limit
    async with runtime.storage.writing(channel.organisation_id, due.id, limit=limit) as writing:
        head = await _bring(runtime, channel, http, due, _Sink(writing))
    name = due.name or head.name or due.kind
    examined = await examine(runtime, channel.organisation_id, due.id, name=name, size=writing.size)
    connector = channel.connector
    if isinstance(connector, FetchesMedia) and examined.state == "stored" and examined.mime.startswith("video/") and due.small_ref:
        examined = replace(examined, has_small=await _fetch_small_picture(runtime, connector, channel, http, due))
    return Kept(examined, writing.size, writing.sha256)


async def _bring(runtime: Runtime, channel: OpenChannel, http: AsyncClient, due: Due, sink: _Sink) -> FileHead:
    """Let the connector fetch it, or take it from what was set aside in our own store (`Capabilities.media_at_hand`)."""
    connector = channel.connector
    if connector.capabilities.media_at_hand:
        return await _take_aside(runtime, channel.organisation_id, due.ref, sink)
    if not isinstance(connector, FetchesMedia):
        raise TypeError("this connector names files that it cannot fetch")
    head: FileHead = await connector.fetch(due.ref, channel.account, http, sink, size=due.size)
    return head


async def _take_aside(runtime: Runtime, organisation_id: UUID, ref: str, sink: _Sink) -> FileHead:
    """Copy what was set aside: it stays there as long as its raw delivery, which may be replayed."""
    try:
        file = runtime.storage.open(organisation_id, UUID(hex=ref), Form.ASIDE)
    except FileNotFoundError:
        raise FileGone from None
    with file:
        while piece := await asyncio.to_thread(file.read, COPY_BYTES):
            await sink.write(piece)
    return FileHead()


async def _fetch_small_picture(
    runtime: Runtime, connector: FetchesMedia[Any], channel: OpenChannel, http: AsyncClient, due: Due
) -> bool:
    """The provider's small picture of a film. Whether it came, once tried: a film without has a plain ground."""
    with tempfile.TemporaryFile() as file:
        sink = _SmallSink(file)
        try:
            await connector.fetch(due.small_ref, channel.account, http, sink)
            mime = (await asyncio.to_thread(inspect, file, sink.size, "")).mime
            if mime not in picture.FORMATS:
                return False
            small = await picture.thumbnail(file, mime, SMALL_PIXELS)
        except (FetchError, SendError, picture.PictureRefused) as error:
            log.info("no_small_picture", error=type(error).__name__)
            return False
    await store_small_picture(runtime, channel.organisation_id, due.id, small)
    return True
