"""The only way out to other people's servers: an httpx client that cannot be talked into reaching our own network.

The guard sits where connections are opened, below the pool of kept connections. A host name is looked up there once; every
address found must be public; and the connection goes to an address that was looked at, so a name that changes its address
between the check and the connection (DNS rebinding) gains nothing. The pool still knows the connection by its host name:
TLS checks the certificate for that name, the Host header is untouched, and two names on one address never share a
connection. A kept connection is used again without any look-up; nothing else is remembered.

Requests are httpx's, the transport is our own (`http1.py`, docs/decisions/0006-outbound-transport.md). Redirects are not followed,
proxies and other settings from the environment are ignored, cookies are not kept (one client serves many organisations).

`trusted` names `host:port` pairs of the operator (HUB_TRUSTED_HOSTS: the demo's simulators). They skip the rule about public
addresses and our look-up, nothing else.

Tests: respx takes a request over above the guard (`tests/outbound.py` shows it the transport), so routes name the provider's real
address and nothing is looked up:

    with respx.mock:
        respx.post("https://api.telegram.org/bot123:abc/sendMessage").respond(json={"ok": True})
        async with outbound_client() as http: ...

For a real server of the test's own: `outbound_client(frozenset({"127.0.0.1:4711"}))`.
"""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import httpx

from hub.core.errors import HubError
from hub.core.http1 import Connection, dial

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> its addresses as text, the preferred one first. Raises OSError when there are none."""

Dial = Callable[[str, int], Awaitable[Connection]]
"""(host or address, port) -> a connection. Raises OSError."""

TIMEOUT: Final = httpx.Timeout(connect=5, read=15, write=15, pool=5)
"""Seconds. `connect` covers look-up and TCP together; the TLS handshake has the same time again."""
MOST_CONNECTIONS: Final = 100
"""Of one client, kept ones included; a request that finds all in use waits."""
KEPT_SECONDS: Final = 30.0
"""A connection without use is closed after so long: well before the 60 s and more after which servers usually hang up."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PAIR: Final = re.compile(r"(?:\[[0-9a-f:.]+\]|[^\s\[\]:/@]+):[0-9]{1,5}")
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")  # all else is mapped, translated, local, multicast or unassigned
_DENIED: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",  # IETF protocol assignments (RFC 6890), of which Python knows only parts
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "2002::/16",  # 6to4: carries any IPv4 address, a private one too (RFC 3056)
        "3fff::/20",  # documentation (RFC 9637), newer than Python 3.11
    )
)


class AddressDenied(HubError, httpx.ConnectError):
    """The host has an address that is not public; nothing was sent.

    Also a ConnectError: code that handles a connection which could not be opened handles this one with it.
    """

    code = "address_denied"
    http_status = 422


def outbound_client(trusted: frozenset[str] = frozenset(), *, timeout: httpx.Timeout = TIMEOUT) -> httpx.AsyncClient:
    """A client for requests to the outside, any number at once. Make few, keep them open for long, close them.

    Its requests raise AddressDenied and httpx's own errors. Raises ValueError for an unfit entry of `trusted`.
    """
    transport = GuardedTransport(Guard(trusted), _tls())
    return _Client(transport=transport, timeout=timeout, follow_redirects=False, trust_env=False)


async def look_up(host: str, port: int) -> Sequence[str]:
    """The system's resolver, asked once."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def is_public(address: _Address) -> bool:
    """Whether anybody on the internet could mean this address: no private, local, translated, reserved or multicast one.

    Stricter than Python's `is_global`, which in 3.11 also says yes to NAT64, 6to4, mapped and site-local addresses.
    """
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not any(address in network for network in _DENIED)


class Guard:
    """Opens connections to public addresses and to trusted `host:port` pairs, to nothing else."""

    def __init__(self, trusted: frozenset[str], *, resolve: Resolve = look_up, dial: Dial = dial) -> None:
        """`dial` opens the connections that passed (default: the real network)."""
        self._trusted = frozenset(pair.lower() for pair in trusted)
        for pair in self._trusted:
            if not _PAIR.fullmatch(pair):
                raise ValueError(f"trusted host {pair!r} is not host:port")
        self._resolve = resolve
        self._dial = dial

    async def connect(self, host: str, port: int, seconds: float | None) -> Connection:
        """A connection, without TLS, within `seconds`. Raises AddressDenied, httpx.ConnectError or ConnectTimeout.

        One address of each family is tried, in the resolver's order, so that a host with a broken IPv6 route still gets out.
        """
        end = None if seconds is None else asyncio.get_running_loop().time() + seconds
        if (f"[{host}]:{port}" if ":" in host else f"{host}:{port}") in self._trusted:
            return await self._open(host, port, end)
        addresses = await self._public_addresses(host, port, end)
        second = next((other for other in addresses if other.version != addresses[0].version), None)
        if second is None:
            return await self._open(str(addresses[0]), port, end)
        try:
            return await self._open(str(addresses[0]), port, _half_way(end))
        except (httpx.ConnectError, httpx.ConnectTimeout):
            return await self._open(str(second), port, end)

    async def _open(self, host: str, port: int, end: float | None) -> Connection:
        try:
            async with asyncio.timeout_at(end):
                return await self._dial(host, port)
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"{host} did not take the connection in time") from error
        except OSError as error:
            raise httpx.ConnectError(f"{host} cannot be connected to: {error}") from error

    async def _public_addresses(self, host: str, port: int, end: float | None) -> list[_Address]:
        try:
            async with asyncio.timeout_at(end):
                addresses = [ipaddress.ip_address(text) for text in await self._resolve(host, port)]
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"looking up {host} took too long") from error
        except (OSError, UnicodeError) as error:  # UnicodeError: a label longer than 63 characters
            raise httpx.ConnectError(f"{host} cannot be looked up: {error}") from error
        if not all(is_public(address) for address in addresses):
            raise AddressDenied(f"{host} is not a public address")
        return addresses


def _half_way(end: float | None) -> float | None:
    """The middle between now and then, in the loop's time."""
    return None if end is None else (asyncio.get_running_loop().time() + end) / 2


@dataclass(frozen=True, slots=True)
class _Origin:
    """Whom a connection belongs to: requests of another origin never travel on it."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class _Kept:
    origin: _Origin
    connection: Connection
    since: float
    """In the loop's time."""


class GuardedTransport(httpx.AsyncBaseTransport):
    """Keeps connections that the guard opened, and sends each request over one of its own."""

    def __init__(self, guard: Guard, tls: ssl.SSLContext, connections: int = MOST_CONNECTIONS) -> None:
        self._guard = guard
        self._tls = tls
        self._most = connections
        self._free = asyncio.Semaphore(connections)
        self._taken = 0
        self._busy: set[Connection] = set()
        self._kept: list[_Kept] = []  # the longest unused first
        self._sweep: asyncio.TimerHandle | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Returns when the head of the answer is there. Raises AddressDenied and httpx.TransportError, see `http1.py`."""
        if request.url.scheme not in ("https", "http"):
            raise httpx.UnsupportedProtocol("only https and http are spoken here")
        host = request.url.raw_host.decode("ascii")
        origin = _Origin(request.url.scheme, host, request.url.port or (443 if request.url.scheme == "https" else 80))
        seconds: dict[str, float | None] = request.extensions.get("timeout", {})
        await self._take_place(seconds.get("pool"))
        connection = None
        try:
            connection = self._reuse(origin) or await self._open(origin, seconds.get("connect"))
            self._busy.add(connection)
            status, headers = await connection.ask(request, write=seconds.get("write"), read=seconds.get("read"))
        except BaseException:
            if connection is not None:
                connection.close()
                self._busy.discard(connection)
            self._leave_place()
            raise
        return httpx.Response(status, headers=headers, stream=_Body(self, origin, connection, seconds.get("read")))

    async def aclose(self) -> None:
        """Everything is closed, answers that are being read too."""
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in [*self._busy, *(kept.connection for kept in self._kept)]:
            connection.close()
        self._kept.clear()

    def give_back(self, origin: _Origin, connection: Connection) -> None:
        """The answer was read, or nobody wants the rest of it."""
        self._busy.discard(connection)
        if connection.is_reusable:
            loop = asyncio.get_running_loop()
            self._kept.append(_Kept(origin, connection, loop.time()))
            self._sweep = self._sweep or loop.call_later(KEPT_SECONDS, self._close_unused)
        else:
            connection.close()
        self._leave_place()

    async def _take_place(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._free.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("all connections are in use") from error
        self._taken += 1

    def _leave_place(self) -> None:
        self._taken -= 1
        self._free.release()

    def _reuse(self, origin: _Origin) -> Connection | None:
        """The connection that was used last: the most likely one to be alive."""
        for index in range(len(self._kept) - 1, -1, -1):
            if self._kept[index].origin == origin:
                connection = self._kept.pop(index).connection
                if connection.is_reusable:
                    return connection
                connection.close()
        return None

    async def _open(self, origin: _Origin, seconds: float | None) -> Connection:
        if self._kept and self._taken + len(self._kept) > self._most:
            self._kept.pop(0).connection.close()
        connection = await self._guard.connect(origin.host, origin.port, seconds)
        if origin.scheme == "https":
            try:
                await connection.secure(self._tls, origin.host, seconds)
            except OSError as error:
                connection.close()
                raise httpx.ConnectError(f"no TLS with {origin.host}: {error}") from error
            except BaseException:
                connection.close()
                raise
        return connection

    def _close_unused(self) -> None:
        loop = asyncio.get_running_loop()
        while self._kept and self._kept[0].since + KEPT_SECONDS <= loop.time():
            self._kept.pop(0).connection.close()
        self._sweep = loop.call_at(self._kept[0].since + KEPT_SECONDS, self._close_unused) if self._kept else None


class _Body(httpx.AsyncByteStream):
    """The body of an answer, as it comes in."""

    def __init__(self, transport: GuardedTransport, origin: _Origin, connection: Connection, read: float | None) -> None:
        self._transport = transport
        self._origin = origin
        self._connection: Connection | None = connection
        self._read = read

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert self._connection is not None
        while (piece := await self._connection.piece(self._read)) is not None:
            yield piece

    async def aclose(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            self._transport.give_back(self._origin, connection)


class _NoCookies(httpx.Cookies):
    """What a server sets is not even looked at; httpx's own jar takes a tenth of a request's time to find nothing."""

    def extract_cookies(self, response: httpx.Response) -> None:
        return


class _Client(httpx.AsyncClient):
    _no_cookies: Final = _NoCookies()

    @property
    def cookies(self) -> httpx.Cookies:
        """Always none."""
        return self._no_cookies

    @cookies.setter
    def cookies(self, cookies: object) -> None:
        raise TypeError("this client serves many organisations and keeps no cookies")


@cache
def _tls() -> ssl.SSLContext:
    """One per process: reading the certificates takes milliseconds."""
    return httpx.create_ssl_context(trust_env=False)
