"""R-302: one inbox for all messengers."""

import importlib
import importlib.resources
from typing import Any

from hub.channels import service
from hub.connectors.registry import discover
from hub.inbox.arriving.ingest import load_channel
from tests.inbox.pages_support import conv, rows_in, visit
from tests.support import HubUnderTest

SERVICES = ("apple", "google", "instagram", "messenger", "sms", "telegram", "viber", "webchat", "whatsapp", "x")
"""Those that deliver by webhook; the hub asks Signal, and Threema's key of a sender has to be fetched first."""


async def connect(hub: HubUnderTest, name: str, samples: Any) -> tuple[Any, str, str]:
    """The account of a connector's samples: channel, path of its webhook, and the secret that signs them."""
    connected = await hub.connect(name, None, **samples.SETTINGS)
    channel = await load_channel(hub.runtime, hub.organisation_id, connected.id)
    endpoint = service.endpoint_of(channel.connector, channel.account)
    await hub.value(
        "UPDATE channel SET own_id = $2, endpoint = $3 WHERE id = $1 RETURNING true", connected.id, samples.OWN_ID, endpoint
    )
    url = service.callback_url(hub.runtime, name, connected.id, endpoint)
    secret = samples.SECRETS[0] if hasattr(samples, "SIGNED_WITH") else connected.secret
    return connected.id, url.removeprefix("http://hub.test"), secret


async def test_ten_services_are_ten_conversations_in_one_list_with_the_right_mark(hub: HubUnderTest) -> None:
    """R-302: one webhook from each; the same webhooks again give nothing more."""
    jonas, sent, connectors = await visit(hub), [], discover()
    for name in SERVICES:
        samples = importlib.import_module(f"hub.connectors.{name}.samples")
        channel_id, path, secret = await connect(hub, name, samples)
        file = {"sms": "message", "webchat": "message"}.get(name, "text")
        body = (importlib.resources.files(samples) / f"{file}.json").read_bytes()
        sent.append((name, channel_id, path, body, dict(samples.sign(body, secret).headers)))
    for _ in range(2):
        for name, _, path, body, headers in sent:
            answer = await hub.browser().post(path, content=body, headers=headers)
            assert answer.status_code == 200, name
        await hub.settle()
        found = await hub.rows(
            """
            SELECT c.id, i.channel_id, count(m.id) AS messages FROM conversation c
            JOIN identity i ON i.id = c.identity_id JOIN message m ON m.conversation_id = c.id GROUP BY c.id, i.channel_id
            """
        )
        assert [row["messages"] for row in found] == [1] * len(SERVICES)
        by_channel = {row["channel_id"]: conv(row["id"]) for row in found}
        html = await jonas.page("/inbox/open")
        assert set(rows_in(html)) == set(by_channel.values())
        for name, channel_id, *_ in sent:
            row = html[html.index(f'id="{by_channel[channel_id]}"') :].partition("</a>")[0]
            assert f'class="mark {connectors.get(name).mark}' in row, name
