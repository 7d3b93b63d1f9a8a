"""The only way out to other people's servers: an httpx client that cannot be talked into reaching our own network.

The guard sits where connections are opened, below httpx's connection pool. A host name is looked up there once; every
address found must be public; and the connection goes to an address that was looked at, so a name that changes its address
between the check and the connection (DNS rebinding) gains nothing. The pool still knows the connection by its host name:
TLS checks the certificate for that name, the Host header is untouched, and two names on one address never share a
connection. A kept connection is used again without any look-up; nothing else is remembered.

Redirects are not followed, proxies and other settings from the environment are ignored, cookies are not kept (one client
serves many organisations).

`trusted` names `host:port` pairs of the operator (HUB_TRUSTED_HOSTS: the demo's simulators). They skip the rule about public
addresses and our look-up, nothing else.

Tests: respx works as it is. It takes a request over above the guard, so routes name the provider's real address and nothing
is looked up:

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
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpcore
import httpx

from hub.core.errors import HubError

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> its addresses as text, the preferred one first. Raises OSError when there are none."""

TIMEOUT: Final = httpx.Timeout(connect=5, read=15, write=15, pool=5)
"""Seconds. `connect` covers look-up and TCP together; the TLS handshake has the same time again."""
LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=100, keepalive_expiry=30)
"""Kept connections of one client; 30 s without use stays below the 60 s and more after which servers usually hang up."""

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


def outbound_client(
    trusted: frozenset[str] = frozenset(), *, timeout: httpx.Timeout = TIMEOUT, limits: httpx.Limits = LIMITS
) -> httpx.AsyncClient:
    """A client for requests to the outside. Make few, keep them open for long, close them.

    Its requests raise AddressDenied and httpx's own errors. httpcore walks its whole pool for each request, so many requests
    at once slow each other down: parallel senders hold one client each. Raises ValueError for an unfit entry of `trusted`.
    """
    return httpx.AsyncClient(
        transport=GuardedTransport(Guard(trusted), limits),
        timeout=timeout,
        follow_redirects=False,
        trust_env=False,
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
    )


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


class Guard(httpcore.AsyncNetworkBackend):
    """Opens connections to public addresses and to trusted `host:port` pairs, to nothing else."""

    def __init__(
        self, trusted: frozenset[str], *, resolve: Resolve = look_up, network: httpcore.AsyncNetworkBackend | None = None
    ) -> None:
        """`network` opens the connections that passed (default: the real network)."""
        self._trusted = frozenset(pair.lower() for pair in trusted)
        for pair in self._trusted:
            if not _PAIR.fullmatch(pair):
                raise ValueError(f"trusted host {pair!r} is not host:port")
        self._resolve = resolve
        self._network = network or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """One connection within `timeout` seconds. Raises AddressDenied, httpcore.ConnectError or ConnectTimeout.

        One address of each family is tried, in the resolver's order, so that a host with a broken IPv6 route still gets out.
        """
        if (f"[{host}]:{port}" if ":" in host else f"{host}:{port}") in self._trusted:
            return await self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        loop = asyncio.get_running_loop()
        end = None if timeout is None else loop.time() + timeout
        addresses = await self._public_addresses(host, port, end)
        second = next((other for other in addresses if other.version != addresses[0].version), None)

        async def connect(address: _Address, part: int) -> httpcore.AsyncNetworkStream:
            left = None if end is None else max(end - loop.time(), 0) / part
            return await self._network.connect_tcp(str(address), port, left, local_address, socket_options)

        if second is None:
            return await connect(addresses[0], 1)
        try:
            return await connect(addresses[0], 2)
        except (httpcore.ConnectError, httpcore.ConnectTimeout):
            return await connect(second, 1)

    async def _public_addresses(self, host: str, port: int, end: float | None) -> list[_Address]:
        try:
            async with asyncio.timeout_at(end):
                addresses = [ipaddress.ip_address(text) for text in await self._resolve(host, port)]
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"looking up {host} took too long") from error
        except (OSError, UnicodeError) as error:  # UnicodeError: a label longer than 63 characters
            raise httpcore.ConnectError(f"{host} cannot be looked up: {error}") from error
        if not all(is_public(address) for address in addresses):
            raise AddressDenied(f"{host} is not a public address")
        return addresses


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport over a pool whose connections the guard opens."""

    def __init__(self, guard: Guard, limits: httpx.Limits = LIMITS) -> None:
        super().__init__(verify=_tls(), trust_env=False, limits=limits)
        # httpcore's pool takes a network backend; httpx has no parameter to hand it on.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_tls(),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=guard,
        )


@cache
def _tls() -> ssl.SSLContext:
    """One per process: reading the certificates takes milliseconds, and clients come in dozens."""
    return httpx.create_ssl_context(trust_env=False)
