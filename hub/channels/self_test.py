"""Does a provider reach us? The hub calls its own public address as a provider would, without a signature.

Two answers of the door prove the whole way (name, TLS, proxy, door): 401 for this channel's address, since the signature is
missing, and 404 for one of a channel that nobody has. A hub that is somebody else's, or a page in between, gives others.
"""

import ssl
from typing import Final
from uuid import UUID

import httpx

from hub.channels import history
from hub.channels.service import callback_url
from hub.core import ids
from hub.core.errors import Conflict, NotFound
from hub.core.http import AddressDenied, outbound_client
from hub.organisations.actor import Access
from hub.runtime import Runtime

TIMEOUT: Final = httpx.Timeout(10)
"""Seconds: a provider waits no longer either."""
REACHED: Final = "reached"
RESULTS: Final = (REACHED, "no_address", "certificate", "slow", "redirected", "unavailable", "something_else")
"""What can be found out; the words are `channels.self_test.<result>`."""


class NoPublicAddress(Conflict):
    """This hub has no address that a provider could reach (HUB_PUBLIC_URL); it asks for what comes in instead."""

    code = "no_public_address"


async def try_callback(runtime: Runtime, access: Access, channel_id: UUID) -> str:
    """Call the channel's own address; one of RESULTS, also kept in its history. NoPublicAddress; NotFound."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        row = await unit.sql.fetchrow(
            "SELECT connector, endpoint FROM channel WHERE organisation_id = $1 AND id = $2", unit.tenant, channel_id
        )
    if row is None:
        raise NotFound("no such channel")
    url = callback_url(runtime, row["connector"], channel_id, row["endpoint"])
    if not url:
        raise NoPublicAddress("nobody delivers to this channel, or HUB_PUBLIC_URL is not set")
    result = await _probe(runtime, url, callback_url(runtime, row["connector"], ids.new_id()))
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await history.note(unit, channel_id, "change", "self_tested", result, by=access)
    return result


async def _probe(runtime: Runtime, ours: str, nobodys: str) -> str:
    here = httpx.URL(ours)
    port = here.port or {"https": 443, "http": 80}[here.scheme]
    # the operator's own address, which may be a private one
    trusted = runtime.settings.trusted_hosts | {f"{here.host}:{port}"}
    try:
        async with outbound_client(trusted, timeout=TIMEOUT) as http:
            statuses = [(await http.post(url, content=b"{}")).status_code for url in (ours, nobodys)]
    except (AddressDenied, httpx.HTTPError) as error:
        return _failure(error)
    if statuses == [401, 404]:
        return REACHED
    if any(300 <= status < 400 for status in statuses):
        return "redirected"
    return "unavailable" if any(status >= 500 for status in statuses) else "something_else"


def _failure(error: Exception) -> str:
    """Which step of the way broke."""
    if isinstance(error, httpx.TimeoutException):
        return "slow"
    if any(isinstance(one, ssl.SSLError) for one in _causes(error)):
        return "certificate"
    return "no_address" if isinstance(error, httpx.ConnectError) else "something_else"


def _causes(error: BaseException) -> list[BaseException]:
    """An error with what led to it. The chain may be a ring where an error was raised anew."""
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found
