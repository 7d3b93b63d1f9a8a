"""What the gateway is asked for besides messages: places for files, and long answers that lie there (provider file, 4 and 6)."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from httpx import AsyncClient

from hub.connectors.apple.codes import WAIT_WITHOUT_NUMBER, check
from hub.connectors.apple.sealing import Place, machine, written_key
from hub.connectors.apple.settings import AppleSettings
from hub.connectors.apple.token import bearer
from hub.connectors.contract import FileSink, OutboundFile
from hub.connectors.errors import AuthFailed, FileGone, OutcomeUnknown, RateLimited, Unavailable, UnsupportedContent
from hub.connectors.http import Answer, download, exchange, whole_seconds


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file at Apple's storage, as a message names it."""

    name: str
    mime: str
    size: int
    place: Place

    def write(self) -> dict[str, str]:
        """`size` is text: Apple's sample says that it must be (7)."""
        return {
            "name": self.name,
            "mimeType": self.mime,
            "size": str(self.size),
            "signature-base64": self.place.signature,
            "url": self.place.url,
            "owner": self.place.owner,
            "key": self.place.key,
        }


async def ask(
    settings: AppleSettings, http: AsyncClient, method: str, path: str, headers: Mapping[str, str], *, content: bytes | None = None
) -> Answer:
    """One call that sends nobody a message. What is in doubt may be asked again: Unavailable. Raises the SendError that the answer
    means."""
    own = {"authorization": bearer(settings), "source-id": settings.business_id}
    try:
        answer = await exchange(http, method, f"{settings.base_url}/v1/{path}", headers={**own, **headers}, content=content)
        check(answer)
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code, error.provider_text) from None
    return answer


async def put_file(file: OutboundFile, settings: AppleSettings, http: AsyncClient) -> Uploaded:
    """Seal a file with a key of its own and store it. Raises UnsupportedContent before any request, or a SendError of which no
    message has left."""
    key = os.urandom(32)
    sealed = _sealed(file, key)
    told = _object(await ask(settings, http, "GET", "preUpload", {"mmcs-size": str(len(sealed))}))
    try:
        answer = await exchange(http, "POST", _word(told, "upload-url"), content=sealed)
        check(answer)
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code, error.provider_text) from None
    stored = _object(answer).get("singleFile")
    place = Place(
        url=_word(told, "mmcs-url"),
        owner=_word(told, "mmcs-owner"),
        signature=_word(stored, "fileChecksum"),
        key=written_key(key),
    )
    return Uploaded(name=file.name, mime=file.mime, size=len(sealed), place=place)


def _sealed(file: OutboundFile, key: bytes) -> bytes:
    content = read_file(file)
    return machine(key).update(content)


def read_file(file: OutboundFile) -> bytes:
    """Raises UnsupportedContent, with no path in it, for a file of ours that cannot be read."""
    try:
        with file.open() as opened:
            content: bytes | None = opened.read()
    except OSError:
        content = None
    if content is None:
        raise UnsupportedContent("file_unreadable")
    return content


async def get_file(place: Place, settings: AppleSettings, http: AsyncClient, sink: FileSink, size: int | None) -> int:
    """Fetch a file and open it on its way into the sink; how many bytes came. The storage is asked without our token (6). Raises
    NoRef, a SendError, FileGone, or what the sink raises."""
    opening = _Opening(place.opens_with, sink)
    headers = {"mmcs-url": place.url, "mmcs-signature": place.signature, "mmcs-owner": place.owner}
    own = {"authorization": bearer(settings), "source-id": settings.business_id}
    try:
        asked = await exchange(http, "GET", f"{settings.base_url}/v1/preDownload", headers={**own, **headers})
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code) from None
    _check_file(asked)
    answer = await download(
        http, _word(_object(asked), "download-url"), secrets={}, sink=opening, seconds=whole_seconds(size or 100_000_000)
    )
    _check_file(answer, ours=False)
    if size is not None and opening.size != size:
        raise Unavailable("cut_short")  # counter mode has no check sum: the length is all there is (6)
    return opening.size


def _check_file(answer: Answer, *, ours: bool = True) -> None:
    """The storage knows no accounts: what it refuses has ended."""
    match answer.status_code:
        case 200:
            return
        case 404 | 410:
            raise FileGone
        case 401 | 403 if ours:
            raise AuthFailed(str(answer.status_code))
        case 401 | 403:
            raise FileGone
        case 429:
            raise RateLimited(WAIT_WITHOUT_NUMBER, "429")
        case status:
            raise Unavailable(str(status))


class _Opening:
    """Opens what comes, piece by piece."""

    def __init__(self, key: bytes, sink: FileSink) -> None:
        self._machine, self._sink = machine(key), sink
        self.size = 0

    async def write(self, piece: bytes) -> None:
        self.size += len(piece)
        await self._sink.write(self._machine.update(piece))


def _object(answer: Answer) -> dict[str, Any]:
    """Raises Unavailable: of what is asked for here, nothing has happened yet."""
    try:
        told = answer.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise Unavailable("unreadable_answer")
    return told


def _word(told: object, name: str) -> str:
    word = told.get(name) if isinstance(told, dict) else None
    if not isinstance(word, str) or not word:
        raise Unavailable("unreadable_answer")
    return word
