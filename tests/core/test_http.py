"""Outgoing requests cannot be talked into reaching our own network (R-263)."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
import respx

from hub.core.errors import HubError
from hub.core.http import (
    KEPT_SECONDS,
    MOST_CONNECTIONS,
    TIMEOUT,
    AddressDenied,
    Guard,
    GuardedTransport,
    is_public,
    look_up,
    outbound_client,
)
from hub.core.http1 import Connection, dial
from tests.tls import Authority

pytestmark = pytest.mark.asyncio(loop_scope="module")  # on asyncio's loop and on uvloop: conftest.py

PUBLIC, OTHER_PUBLIC, PUBLIC_6 = "149.154.167.220", "8.8.8.8", "2606:4700:4700::1111"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
AUTHORITY = Authority()


@dataclass
class Network:
    """The internet: whatever address the guard let through leads to a server that answers every request with `ok`, on port 443
    with TLS and a certificate for the name it was asked by. `dead` addresses never answer."""

    secure_port: int
    plain_port: int
    dead: frozenset[str]
    reached: list[tuple[str, int]] = field(default_factory=list)
    given_up: list[float] = field(default_factory=list)
    """After how many seconds a dead address was left alone."""
    written: bytes = b""

    async def dial(self, host: str, port: int) -> Connection:
        self.reached.append((host, port))
        if host in self.dead:
            loop = asyncio.get_running_loop()
            started = loop.time()
            try:
                await asyncio.Event().wait()
            finally:
                self.given_up.append(loop.time() - started)
        return await dial("127.0.0.1", self.secure_port if port == 443 else self.plain_port)

    @property
    def addresses(self) -> list[str]:
        return [host for host, _ in self.reached]

    @property
    def tls_names(self) -> list[str | None]:
        return AUTHORITY.asked


@asynccontextmanager
async def internet(dead: frozenset[str] = frozenset()) -> AsyncIterator[Network]:
    network = Network(0, 0, dead)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                network.written += await reader.readuntil(b"\r\n\r\n")
                writer.write(OK)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            writer.close()

    AUTHORITY.asked.clear()
    secure = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=AUTHORITY.server())
    plain = await asyncio.start_server(handle, "127.0.0.1", 0)
    network.secure_port, network.plain_port = (server.sockets[0].getsockname()[1] for server in (secure, plain))
    async with secure, plain:
        yield network


class Names:
    """A name server whose answers are scripted, one per look-up."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.answers.pop(0)


def client(
    network: Network, names: Names, trusted: frozenset[str] = frozenset(), *, timeout: httpx.Timeout = TIMEOUT
) -> httpx.AsyncClient:
    guard = Guard(trusted, resolve=names, dial=network.dial)
    return httpx.AsyncClient(transport=GuardedTransport(guard, AUTHORITY.client), timeout=timeout, trust_env=False)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%2",
        "fec0::1",
        "ff02::1",
    ],
)
async def test_an_address_that_is_not_public_is_never_reached(address: str) -> None:
    """dependencies.md, 7: private, local, shared, mapped, translated, 6to4, documentation and multicast ranges."""
    assert not is_public(ipaddress.ip_address(address))
    async with internet() as network, client(network, Names([address])) as http:
        with pytest.raises(AddressDenied, match=r"internal\.example is not a public address") as caught:
            await http.get("https://internal.example/")
    assert network.reached == []
    assert caught.value.request.url.host == "internal.example"
    assert isinstance(caught.value, HubError)
    assert isinstance(caught.value, httpx.ConnectError)


@pytest.mark.parametrize("address", [PUBLIC, OTHER_PUBLIC, PUBLIC_6, "192.0.1.1", "2a00:1450:4001:82b::200e"])
async def test_a_public_address_is_reached_under_the_hosts_own_name(address: str) -> None:
    """The connection goes to the address that was looked at; certificate and Host header are those of the name."""
    names = Names([address])
    async with internet() as network, client(network, names) as http:
        response = await http.get("https://api.telegram.org/getMe")
    assert response.text == "ok"
    assert names.asked == [("api.telegram.org", 443)]
    assert network.addresses == [address]
    assert network.tls_names == ["api.telegram.org"]
    assert b"\r\nHost: api.telegram.org\r\n" in network.written


@pytest.mark.parametrize("addresses", [[PUBLIC, "10.0.0.1"], ["10.0.0.1", PUBLIC], [PUBLIC_6, "::1"], [PUBLIC, "::ffff:10.0.0.1"]])
async def test_one_address_that_is_not_public_spoils_the_name(addresses: list[str]) -> None:
    async with internet() as network, client(network, Names(addresses)) as http:
        with pytest.raises(AddressDenied):
            await http.get("https://mixed.example/")
    assert network.reached == []


async def test_dns_rebinding_gains_nothing() -> None:
    """A name that is public when checked and private a moment later: one look-up serves check and connection, each time."""
    async with internet() as network, client(network, Names([PUBLIC], ["127.0.0.1"])) as http:
        response = await http.get("https://rebind.example/", headers={"Connection": "close"})  # so the next one opens its own
        assert response.text == "ok"
        assert network.addresses == [PUBLIC]
        with pytest.raises(AddressDenied):
            await http.get("https://rebind.example/")
    assert network.addresses == [PUBLIC]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/",
        "http://localhost:9/",
        "http://2130706433:9/",
        "http://0x7f.1:9/",
        "http://0177.0.1:9/",
        "http://[::1]:9/",
        "http://[::ffff:127.0.0.1]:9/",
        "http://[::ffff:7f00:1]:9/",
    ],
)
async def test_our_own_machine_is_not_reached_however_it_is_spelled(url: str) -> None:
    """Through the system's resolver: octal, hexadecimal and decimal forms are what connecting would make of them."""
    async with outbound_client() as http:
        with pytest.raises(AddressDenied):
            await http.get(url)


async def test_two_names_on_one_address_share_no_connection() -> None:
    """A certificate checked for one name must not vouch for another that points to the same machine."""
    async with internet() as network, client(network, Names([PUBLIC], [PUBLIC])) as http:
        await http.get("https://one.example/")
        await http.get("https://two.example/")
    assert network.tls_names == ["one.example", "two.example"]


async def test_a_kept_connection_is_used_again_without_a_look_up() -> None:
    names = Names([PUBLIC])
    async with internet() as network, client(network, names) as http:
        for _ in range(3):
            await http.get("https://api.telegram.org/getMe")
    assert len(network.reached) == len(names.asked) == 1


async def test_a_broken_route_of_one_family_leaves_time_for_the_other() -> None:
    """The connect time-out is shared: half of what is left for IPv6, then IPv4."""
    names = Names([PUBLIC_6, "2606:4700:4700::1001", PUBLIC, OTHER_PUBLIC])
    patience = httpx.Timeout(5, connect=0.4)
    async with internet(dead=frozenset({PUBLIC_6})) as network, client(network, names, timeout=patience) as http:
        assert (await http.get("https://both.example/")).text == "ok"
    assert network.addresses == [PUBLIC_6, PUBLIC]
    assert 0.15 < network.given_up[0] < 0.4


async def test_a_server_that_does_not_answer_the_connection_is_a_connect_error() -> None:
    """Nothing left the machine, so a connector may try again."""
    patience = httpx.Timeout(5, connect=0.05)
    async with internet(dead=frozenset({PUBLIC})) as network, client(network, Names([PUBLIC]), timeout=patience) as http:
        with pytest.raises(httpx.ConnectTimeout):
            await http.get("https://dead.example/")


async def test_a_certificate_for_another_name_is_a_connect_error() -> None:
    """The server behind the address must prove to be the host that was asked; not a byte of the request leaves before."""
    async with local_server(AUTHORITY.server("other.example")) as server:
        network = Network(server.port, server.port, frozenset())
        async with client(network, Names([PUBLIC])) as http:
            with pytest.raises(httpx.ConnectError, match="certificate"):
                await http.get("https://api.telegram.org/getMe")
    assert server.requests == []


async def test_a_certificate_that_nobody_vouches_for_is_a_connect_error() -> None:
    """The authorities are those of httpx, whatever the environment names."""
    async with local_server(AUTHORITY.server()) as server, outbound_client(frozenset({f"localhost:{server.port}"})) as http:
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await http.get(f"https://localhost:{server.port}/")
    assert server.requests == []


async def test_a_server_that_speaks_no_tls_is_a_connect_error() -> None:
    async with internet() as network:
        network.secure_port = network.plain_port
        async with client(network, Names([PUBLIC])) as http:
            with pytest.raises(httpx.ConnectError, match="no TLS with"):
                await http.get("https://plain.example/")
    assert network.written == b""


async def test_a_name_that_cannot_be_looked_up_is_a_connect_error() -> None:
    async def nobody(host: str, port: int) -> Sequence[str]:
        raise OSError("Name or service not known")

    async with httpx.AsyncClient(transport=GuardedTransport(Guard(frozenset(), resolve=nobody), AUTHORITY.client)) as http:
        with pytest.raises(httpx.ConnectError, match=r"nobody\.example cannot be looked up"):
            await http.get("https://nobody.example/")
    async with outbound_client() as http:
        with pytest.raises(httpx.ConnectError, match="cannot be looked up"):
            await http.get(f"https://{'a' * 64}.example/")


async def test_a_look_up_that_hangs_ends_with_the_connect_time_out() -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    transport = GuardedTransport(Guard(frozenset(), resolve=never), AUTHORITY.client)
    async with httpx.AsyncClient(transport=transport, timeout=httpx.Timeout(5, connect=0.01)) as http:
        with pytest.raises(httpx.ConnectTimeout):
            await http.get("https://slow.example/")


async def test_the_systems_resolver() -> None:
    assert await look_up("127.0.0.1", 80) == ["127.0.0.1"]


# --- trusted pairs, against a real server on loopback -----------------------------------------------------------------


@dataclass
class LocalServer:
    port: int
    location: str = "/elsewhere"
    connections: int = 0
    requests: list[str] = field(default_factory=list)


@asynccontextmanager
async def local_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[LocalServer]:
    """Keeps connections open. `/moved` redirects, `/cookie` sets a cookie, everything else is `ok`."""
    served = LocalServer(0)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.connections += 1
        try:
            while True:
                request = (await reader.readuntil(b"\r\n\r\n")).decode()
                served.requests.append(request)
                if " /moved " in request:
                    head = f"HTTP/1.1 302 Found\r\nLocation: {served.location}\r\nContent-Length: 0\r\n\r\n"
                    writer.write(head.encode())
                elif " /cookie " in request:
                    writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: who=tenant-a\r\nContent-Length: 0\r\n\r\n")
                else:
                    writer.write(OK)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionResetError):
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    served.port = server.sockets[0].getsockname()[1]
    async with server:
        yield served


async def test_a_trusted_pair_is_reached_and_its_connection_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """HUB_TRUSTED_HOSTS: the demo's simulators on loopback work; a proxy from the environment is ignored."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with local_server() as server, outbound_client(frozenset({f"127.0.0.1:{server.port}"})) as http:
        for _ in range(3):
            assert (await http.get(f"http://127.0.0.1:{server.port}/")).text == "ok"
    assert server.connections == 1
    assert f"Host: 127.0.0.1:{server.port}\r\n" in server.requests[0]


async def test_trust_is_for_the_named_port_only() -> None:
    async with local_server() as server, outbound_client(frozenset({"127.0.0.1:1", "localhost:1"})) as http:
        with pytest.raises(AddressDenied):
            await http.get(f"http://127.0.0.1:{server.port}/")
    assert server.connections == 0


@pytest.mark.parametrize(
    ("pair", "url", "reached"),
    [
        ("127.0.0.1:8081", "http://127.0.0.1:8081/", ("127.0.0.1", 8081)),
        ("Simulator:80", "http://simulator/", ("simulator", 80)),
        ("[::1]:8081", "http://[::1]:8081/", ("::1", 8081)),
    ],
)
async def test_a_trusted_pair_costs_no_look_up(pair: str, url: str, reached: tuple[str, int]) -> None:
    names = Names()
    async with internet() as network, client(network, names, frozenset({pair})) as http:
        await http.get(url)
    assert names.asked == []
    assert network.reached == [reached]


@pytest.mark.parametrize("pair", ["", "127.0.0.1", "http://localhost:1", "localhost:", ":80", "::1:80", "a b:80", "*:x"])
async def test_an_unfit_trusted_entry_stops_the_start(pair: str) -> None:
    """A pair that could never match would fail silently at the first request."""
    with pytest.raises(ValueError, match="is not host:port"):
        Guard(frozenset({pair}))


async def test_redirects_are_not_followed() -> None:
    """A provider's answer decides nothing about where we go next."""
    async with local_server() as server, outbound_client(frozenset({f"127.0.0.1:{server.port}"})) as http:
        response = await http.get(f"http://127.0.0.1:{server.port}/moved")
    assert response.status_code == 302
    assert len(server.requests) == 1


async def test_a_followed_redirect_passes_the_guard_too() -> None:
    """Even where a caller asks for redirects, each hop is checked."""
    async with local_server() as inner, local_server() as server:
        server.location = f"http://127.0.0.1:{inner.port}/"
        async with outbound_client(frozenset({f"127.0.0.1:{server.port}"})) as http:
            with pytest.raises(AddressDenied):
                await http.get(f"http://127.0.0.1:{server.port}/moved", follow_redirects=True)
    assert (len(server.requests), inner.connections) == (1, 0)


async def test_cookies_are_not_kept() -> None:
    """One client serves many organisations: what a server set for one must not travel with another's request."""
    async with local_server() as server, outbound_client(frozenset({f"127.0.0.1:{server.port}"})) as http:
        await http.get(f"http://127.0.0.1:{server.port}/cookie")
        await http.get(f"http://127.0.0.1:{server.port}/")
    assert "cookie: who" not in server.requests[1].lower()


async def test_respx_takes_requests_over_above_the_guard() -> None:
    """How connector tests work: the provider's real address, no look-up, no connection."""
    with respx.mock:
        route = respx.post("https://api.telegram.org/bot1:a/sendMessage").respond(json={"ok": True})
        async with outbound_client() as http:
            response = await http.post("https://api.telegram.org/bot1:a/sendMessage", json={"text": "Hallo"})
    assert response.json() == {"ok": True}
    assert route.calls.last.request.url.host == "api.telegram.org"


async def test_default_timeouts_and_limits() -> None:
    """No request waits for ever: 5 s to connect, 15 s for reading and writing, 5 s for a free connection."""
    async with outbound_client() as http:
        assert http.timeout == httpx.Timeout(connect=5, read=15, write=15, pool=5)
    assert (MOST_CONNECTIONS, KEPT_SECONDS) == (100, 30)
