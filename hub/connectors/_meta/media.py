"""Files that people send: addresses at Meta's, signed and good for a while, without credentials (messenger.md, 7)."""

from typing import Final
from urllib.parse import urljoin, urlsplit

from httpx import AsyncClient

from hub.connectors.contract import FileHead, FileSink
from hub.connectors.errors import AuthFailed, ConnectorError, FileGone, RateLimited, Rejected, Unavailable
from hub.connectors.http import Answer, download, whole_seconds

HOSTS: Final = ("fbcdn.net", "fbsbx.com", "cdninstagram.com")
"""Where Meta keeps files. An address comes from outside, so nothing else is asked; that it is public the client sees to."""
LARGEST: Final = 25_000_000
"""Bytes that Meta takes of one file; for the time a file of unknown size may take."""
GONE: Final = frozenset({403, 404, 410})
"""Deleted, or its address has ended: Meta answers both alike."""
MOVED: Final = frozenset({301, 302, 303, 307, 308})
MOST_MOVES: Final = 4
WAIT_SECONDS: Final = 60.0


async def fetch_file(ref: str, base_url: str, http: AsyncClient, sink: FileSink, *, size: int | None) -> FileHead:
    """As `FetchesMedia.fetch`. `base_url` is where the Graph API is asked: a server of one's own keeps its files itself. Only fetch
    what may be kept: of stories there is nothing but their address (instagram.md, 7)."""
    answer = await _follow(ref, base_url, http, sink, whole_seconds(size or LARGEST))
    if answer.status_code != 200:
        raise _no_file(answer.status_code)
    told = answer.headers.get("content-length", "")
    mime = answer.headers.get("content-type", "").partition(";")[0].strip()
    return FileHead(mime=mime, size=int(told) if told.isascii() and told.isdigit() else None)


async def _follow(ref: str, base_url: str, http: AsyncClient, sink: FileSink, seconds: float) -> Answer:
    """The file, from where Meta sends us for it, as long as that is its own. Raises Rejected for an address that is not."""
    for _ in range(MOST_MOVES):
        if not _is_known(ref, base_url):
            raise Rejected("foreign_address")
        answer = await download(http, ref, secrets={}, sink=sink, seconds=seconds)
        if answer.status_code not in MOVED:
            return answer
        ref = urljoin(ref, answer.headers.get("location", ""))
    raise Unavailable("moved_too_often")


def _is_known(ref: str, base_url: str) -> bool:
    try:
        asked, own = urlsplit(ref), urlsplit(base_url)
        host = asked.hostname or ""
    except ValueError:  # a broken IPv6 address
        return False
    return asked.netloc == own.netloc or any(host == one or host.endswith(f".{one}") for one in HOSTS)


def _no_file(status: int) -> ConnectorError:
    if status in GONE:
        return FileGone()
    if status == 429:
        return RateLimited(WAIT_SECONDS, str(status))
    return AuthFailed(str(status)) if status == 401 else Unavailable(str(status))
