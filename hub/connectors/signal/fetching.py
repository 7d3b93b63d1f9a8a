"""Fetching a file that signal-cli has downloaded already, before it handed the message out (provider file, 7)."""

import base64
import binascii
from typing import Any, Final
from urllib.parse import quote

from httpx import AsyncClient

from hub.connectors.contract import Account, FileHead, FileSink
from hub.connectors.errors import (
    FileGone,
    FileTooLarge,
    OutcomeUnknown,
    Rejected,
    Unavailable,
)
from hub.connectors.http import download, whole_seconds
from hub.connectors.signal.codes import rest_error
from hub.connectors.signal.content import FILE, STICKER
from hub.connectors.signal.reading import a_text, read_json
from hub.connectors.signal.roads import Call, ask, authorization
from hub.connectors.signal.settings import SignalSettings

LARGEST_FETCH: Final = 100_000_000
"""Bytes of a file that the apps send (provider file, 7)."""
PIECE: Final = 1 << 16
UNREADABLE: Final = "unreadable_answer"


async def fetch_file(
    ref: str, account: Account[SignalSettings], http: AsyncClient, sink: FileSink, *, size: int | None
) -> FileHead:
    if size is not None and size > LARGEST_FETCH:
        raise FileTooLarge
    sticker = STICKER.fullmatch(ref)
    if sticker is None and not FILE.fullmatch(ref):
        raise Rejected("no_such_file")
    if account.settings.road == "rest":
        return await _by_rest(ref, account, http, sink, size)
    if sticker is None:
        asked = Call("getAttachment", {"id": ref})
    else:
        asked = Call("getSticker", {"packId": sticker[1], "stickerId": int(sticker[2])})
    content = await _by_daemon(asked, account, http, size)
    for start in range(0, len(content), PIECE):
        await sink.write(content[start : start + PIECE])
    return FileHead(size=len(content))


async def _by_daemon(asked: Call, account: Account[SignalSettings], http: AsyncClient, size: int | None) -> bytes:
    """A file as base64 in an answer: it is in memory as a whole."""
    expected = size if size is not None else LARGEST_FETCH
    try:
        told = await ask(account, http, asked, largest=expected * 4 // 3 + 1_000_000, patience=whole_seconds(expected))
    except Unavailable as error:
        if error.provider_code == "answer_too_large":
            raise FileTooLarge from None
        raise
    except Rejected as error:
        if "could not find" in error.provider_text.lower():
            raise FileGone from None
        raise
    try:
        return base64.b64decode(a_text(told, "data"), validate=True)
    except (binascii.Error, ValueError):
        raise Unavailable(UNREADABLE) from None


async def _by_rest(ref: str, account: Account[SignalSettings], http: AsyncClient, sink: FileSink, size: int | None) -> FileHead:
    url = f"{account.settings.base_url}/v1/attachments/{quote(ref, safe='')}"
    seconds = whole_seconds(size if size is not None else LARGEST_FETCH)
    answer = await download(http, url, secrets={}, headers=authorization(account), sink=sink, seconds=seconds)
    if answer.status_code == 404:
        raise FileGone
    if answer.status_code == 200:
        return FileHead()
    told: Any = None
    try:
        told = read_json(answer.content)
    except ValueError:
        told = None
    error = rest_error(answer, told, account.settings.number)
    raise Unavailable(error.provider_code) if isinstance(error, OutcomeUnknown) else error
