"""Does a provider reach us? The hub calls its own public address (R-184's neighbour: what is wrong is told apart)."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
import respx

from hub.channels import self_test
from hub.core import ids
from tests.channels.support import act, card, connect, words
from tests.inbox.pages_support import PAGE, serve, visit
from tests.sandbox.support import Simulated
from tests.support import HubUnderTest
from tests.tls import Authority


async def test_over_a_real_socket(hub: HubUnderTest) -> None:
    """The whole way to the door: 401 for this channel, 404 for nobody's; and nobody at home once the server is gone."""
    channel = await hub.connect()
    async with serve(hub) as address:
        runtime = replace(hub.runtime, settings=hub.runtime.settings.model_copy(update={"public_url": address}))
        assert await self_test.try_callback(runtime, hub.owner, channel.id) == "reached"
    assert await self_test.try_callback(runtime, hub.owner, channel.id) == "no_address"
    assert await hub.value("SELECT count(*) FROM webhook_delivery") == 0


async def test_a_certificate_that_nobody_trusts(hub: HubUnderTest) -> None:
    """As after a certificate that ran out: a provider delivers nothing there."""
    channel = await hub.connect()
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=Authority().server())
    async with server:
        address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        runtime = replace(hub.runtime, settings=hub.runtime.settings.model_copy(update={"public_url": address}))
        assert await self_test.try_callback(runtime, hub.owner, channel.id) == "certificate"


def answers(*statuses: int) -> Callable[[httpx.Request], httpx.Response]:
    left = list(statuses)
    return lambda request: httpx.Response(left.pop(0))


def raises(error: Exception) -> Callable[[httpx.Request], httpx.Response]:
    def fails(request: httpx.Request) -> httpx.Response:
        raise error

    return fails


@pytest.mark.parametrize(
    ("answer", "result", "said"),
    [
        (answers(401, 404), "reached", "Der Hub ist von außen erreichbar."),
        (answers(401, 401), "something_else", "antwortet etwas anderes als dieser Hub"),
        (answers(200, 200), "something_else", "wohin der Proxy Anfragen an /hooks/ weiterreicht"),
        (answers(404, 404), "something_else", "antwortet etwas anderes als dieser Hub"),
        (answers(301, 301), "redirected", "Messenger folgen keiner Weiterleitung."),
        (answers(502, 502), "unavailable", "Der Proxy erreicht den Hub nicht."),
        (raises(httpx.ConnectError("no")), "no_address", "antwortet niemand"),
        (raises(httpx.ReadTimeout("slow")), "slow", "nicht innerhalb von 10 Sekunden"),
    ],
)
async def test_each_result_in_words(
    hub: HubUnderTest, simulated: Simulated, answer: Callable[[httpx.Request], httpx.Response], result: str, said: str
) -> None:
    """Cause and what to do, on the page and in the history."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, simulated)
    with respx.mock(assert_all_called=False) as mock:
        mock.route(host="hub.test").mock(side_effect=answer)
        told = await act(ada, channel, "reach")
    assert told.status_code == 303 and told.headers["location"].endswith(f"?reached={result}")
    assert said in words((await ada.client.get(told.headers["location"], headers=PAGE)).text)
    assert "Erreichbarkeit geprüft:" in words(await card(ada, channel))
    assert await hub.value("SELECT text FROM channel_event WHERE cause = 'self_tested'") == result


async def test_another_organisations_channel_is_not_tested(hub: HubUnderTest) -> None:
    other = await hub.found("fremd", "Fremde GmbH")
    foreign = await hub.connect(access=other)
    ada = await visit(hub, "Ada Admin", role="admin")
    assert (await act(ada, foreign, "reach")).status_code == 404
    assert (await ada.client.get(f"{ada.base}/channels/{ids.show('chn', foreign.id)}/test", headers=PAGE)).status_code == 404
