"""The main job as a story: a customer's message arrives, an agent answers in the page, the answer reaches the customer; then the
customer says stop and nothing more leaves."""

import io
import json
import logging

import httpx
import pytest
import respx
import structlog

from hub.core.settings import Settings
from hub.core.telemetry import set_up_logging
from tests.inbox.pages_support import conv, receive, rows_in, visit
from tests.support import TOKEN, HubUnderTest, telegram_text

SEND = f"https://api.telegram.org/bot{TOKEN}/sendMessage"
NOW = 1795510800
PHRASE = "Erdbeerkuchen im Fahrradkorb"


def accepted(message_id: int = 901) -> httpx.Response:
    chat = {"id": 5123456789, "first_name": "Jörg", "type": "private"}
    return httpx.Response(200, json={"ok": True, "result": {"message_id": message_id, "chat": chat, "date": NOW + 30}})


@respx.mock
async def test_a_customer_writes_an_agent_answers_the_customer_says_stop(hub: HubUnderTest) -> None:
    route = respx.post(SEND).mock(return_value=accepted())
    jonas, channel = await visit(hub), await hub.connect()

    conversation = conv(await receive(hub, channel, "Haben Sie am Samstag offen?"))
    assert rows_in(await jonas.page("/inbox/unassigned")) == [conversation]
    assert "Haben Sie am Samstag offen?" in await jonas.page(f"/inbox/unassigned/{conversation}")

    await jonas.post(f"/conversations/{conversation}/assign", to=jonas.member)
    await jonas.post(f"/conversations/{conversation}/messages", text="Ja, von 9 bis 14 Uhr.", client_key="k1")
    await hub.settle()
    assert json.loads(route.calls.last.request.content) == {"chat_id": 5123456789, "text": "Ja, von 9 bis 14 Uhr."}
    assert (await hub.rows("SELECT state FROM message WHERE direction = 'out'"))[0]["state"] == "sent"

    await jonas.post(f"/conversations/{conversation}/done")
    assert rows_in(await jonas.page("/inbox/done")) == [conversation]
    await hub.deliver(channel, telegram_text(8, "Danke. STOP", at=NOW + 60))
    await hub.settle()
    assert rows_in(await jonas.page("/inbox/mine")) == [conversation], "a new message reopens it, with who it belonged to"

    await hub.deliver(channel, telegram_text(9, "STOP", at=NOW + 70))
    await hub.settle()
    refused = await jonas.post(f"/conversations/{conversation}/messages", text="Schade", client_key="k2")
    assert (refused.status_code, route.call_count) == (409, 2), "the stop itself was confirmed"
    assert "Stopp gesagt" in refused.json()["text"]


@respx.mock
async def test_no_log_holds_a_message_or_a_secret(hub: HubUnderTest, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-266, I10: given a test phrase in a message, when all logs are searched, then not found; the same for token and secrets."""
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    structlog.reset_defaults()
    set_up_logging(settings.model_copy(update={"log_level": "DEBUG"}))
    handler = logging.StreamHandler(written)
    logging.getLogger().addHandler(handler)
    monkeypatch.setattr(logging.getLogger(), "level", logging.DEBUG)
    try:
        channel = await hub.connect()
        jonas = await visit(hub)
        conversation = conv(await receive(hub, channel, PHRASE))
        answers: list[httpx.Response | Exception] = [
            httpx.Response(400, json={"ok": False, "error_code": 400, "description": f"Bad Request: {PHRASE}"}),
            httpx.Response(500, text=PHRASE),
            httpx.ReadTimeout(PHRASE),
            httpx.ConnectError(PHRASE),
            accepted(),
        ]
        respx.post(SEND).mock(side_effect=answers)
        for number in range(len(answers)):
            await jonas.post(f"/conversations/{conversation}/messages", text=f"{PHRASE} {number}", client_key=f"k{number}")
            await hub.settle()
            hub.clock.advance(minutes=10)
        await hub.deliver(channel, f"{{ {PHRASE}".encode())
        await hub.deliver(channel, PHRASE.encode(), secret="falsch-" + PHRASE)
        await hub.settle()
    finally:
        logging.getLogger().removeHandler(handler)
        structlog.reset_defaults()
    log = written.getvalue()
    assert log, "a log that is empty proves nothing"
    for secret in (PHRASE, TOKEN, channel.secret, jonas.token):
        assert secret not in log
