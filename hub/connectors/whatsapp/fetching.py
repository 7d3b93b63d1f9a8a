"""Fetching a file: its address first, which is good for five minutes, then the file (provider file, 9)."""

import re
from typing import Final

from httpx import URL, AsyncClient, InvalidURL

from hub.connectors.contract import Account, FileHead, FileSink
from hub.connectors.errors import AuthFailed, FileGone, FileTooLarge, RateLimited, Rejected, SendError, Unavailable
from hub.connectors.http import Answer, download, whole_seconds
from hub.connectors.whatsapp.api import ask, base, key_header
from hub.connectors.whatsapp.codes import result_of
from hub.connectors.whatsapp.reading import Json, a_text, an_id
from hub.connectors.whatsapp.settings import WhatsAppSettings

LARGEST: Final = 100_000_000
"""Bytes of the largest file that WhatsApp carries."""
REF: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
HOSTS: Final = re.compile(r"(?:lookaside\.fbsbx\.com|[a-z0-9.-]+\.fbcdn\.net)")
"""Where Meta keeps files: a token goes nowhere else."""
GONE: Final = frozenset({"100", "33", "404", "131052"})
THROTTLED_SECONDS: Final = 1800.0
"""360dialog blocks the way to files for so long after 20 refusals in an hour."""
ORDINARY: Final = {"User-Agent": "Mozilla/5.0 (compatible; hub)"}
"""Some user agents are refused by the servers of files (9, unconfirmed)."""


async def fetch_file(ref: str, account: Account[WhatsAppSettings], http: AsyncClient, sink: FileSink, size: int | None) -> FileHead:
    """One file into the sink. A refusal at 360dialog counts against a limit, so that nothing is asked for twice here."""
    if size is not None and size > LARGEST:
        raise FileTooLarge
    if not REF.fullmatch(ref):
        raise FileGone
    found = await _find(ref, account, http)
    told = an_id(found, "file_size")
    length = int(told) if told.isascii() and told.isdigit() and len(told) < 15 else None
    if length is not None and length > LARGEST:
        raise FileTooLarge
    url = _address(a_text(found, "url"), account.settings)
    headers = key_header(account.settings) | ORDINARY
    answer = await download(http, url, secrets={}, sink=sink, headers=headers, seconds=whole_seconds(length or size or LARGEST))
    if answer.status_code != 200:
        raise _no_file(answer, account.settings)
    return FileHead(mime=a_text(found, "mime_type").partition(";")[0].strip(), size=length)


async def _find(ref: str, account: Account[WhatsAppSettings], http: AsyncClient) -> Json:
    settings = account.settings
    query = f"?phone_number_id={settings.phone_number_id}" if settings.uses_meta else ""
    gone = False
    found: Json = {}
    try:
        found = await ask(account, http, "GET", f"{base(settings)}/{ref}{query}")
    except Rejected as error:
        if error.provider_code not in GONE:
            raise
        gone = True
    except RateLimited as error:
        wait = max(error.retry_after, 0.0 if settings.uses_meta else THROTTLED_SECONDS)
        raise RateLimited(wait, error.provider_code, error.provider_text) from None
    if gone:
        raise FileGone
    return found


def _address(url: str, settings: WhatsAppSettings) -> str:
    """360dialog: Meta's address with 360dialog's host before the same path and query, whatever host it was. Meta: as it is, where
    the host is one of Meta's or the interface's own. Raises Unavailable for another one: the key is not for it."""
    try:
        parts, root = URL(url), URL(settings.root)
    except InvalidURL:
        parts = root = URL("")
    if not parts.host:
        raise Unavailable("no_address")
    if not settings.uses_meta:
        return f"{settings.root}{parts.raw_path.decode()}"
    is_own = (parts.scheme, parts.netloc) == (root.scheme, root.netloc)
    if not is_own and not (parts.scheme == "https" and HOSTS.fullmatch(parts.host)):
        raise Unavailable("foreign_address")
    return url


def _no_file(answer: Answer, settings: WhatsAppSettings) -> SendError | FileGone:
    """Why a file did not come whose address was just told. An address that has run out is 401 or 404, but this one had not."""
    if answer.status_code in (404, 410):
        return FileGone()
    try:
        result_of(answer, settings.secret_values())
    except (AuthFailed, RateLimited, Rejected) as error:
        return error
    except SendError as error:
        return Unavailable(error.provider_code)
    return Unavailable(str(answer.status_code))
