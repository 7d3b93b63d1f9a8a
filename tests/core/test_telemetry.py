"""Logs: one form for all lines, ids that can be followed, and nothing of a customer's in them (I10, R-266)."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import httpx2
import pytest
import respx
import structlog
from asgi_lifespan import LifespanManager

from hub.app import Hub
from hub.core.requests import DOOR
from hub.core.settings import Settings
from hub.core.telemetry import set_up_logging
from hub.inbox.arriving import ingest
from tests.inbox.pages_support import conv, receive, visit
from tests.scenarios.test_main_job import SEND, accepted
from tests.support import TOKEN, HubUnderTest, telegram_text

PHRASE = "Erdbeerkuchen im Fahrradkorb"
Lines = list[dict[str, Any]]


class Written(io.StringIO):
    """Standard error while a test logs."""

    def lines(self) -> Lines:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def of(self, event: str) -> Lines:
        return [line for line in self.lines() if line["event"] == event]


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Written]]:
    """Called inside a test (between set-up and call pytest puts its own standard error in place): from then on everything is
    logged into what it returns, at level debug. The root logger is put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level

    def begin() -> Written:
        stream = Written()
        monkeypatch.setattr("sys.stderr", stream)
        structlog.reset_defaults()
        set_up_logging(Settings(log_level="DEBUG"))
        return stream

    yield begin
    root.handlers, root.level = handlers, level


Listen = Callable[[], Written]


@respx.mock
async def test_a_webhook_and_its_answer_can_be_followed_by_their_ids(hub: HubUnderTest, listen: Listen) -> None:
    """From the request at the door to the message in the thread, and from the request of a reply to the provider's answer."""
    written = listen()
    respx.post(SEND).mock(return_value=accepted())
    channel, jonas = await hub.connect(), await visit(hub)
    answer = await hub.browser().post(
        channel.path,
        json=telegram_text(1, "Haben Sie offen?"),
        headers={"x-telegram-bot-api-secret-token": channel.secret, "x-request-id": "proxy-4711.a"},
    )
    assert answer.headers["x-request-id"] == "proxy-4711.a"
    (stored,) = written.of("stored")
    (request,) = [line for line in written.of("request") if line["route"] == DOOR]
    assert stored["request"] == request["request"] == "proxy-4711.a"
    assert (request["method"], request["status"], request["level"]) == ("POST", 200, "info")
    await hub.settle()
    (delivery,) = written.of("delivery")
    assert (delivery["delivery"], delivery["state"], len(delivery["messages"])) == (stored["delivery"], "applied", 1)
    assert "request" not in delivery

    conversation = conv(await hub.value("SELECT id FROM conversation"))
    reply = await jonas.post(f"/conversations/{conversation}/messages", text="Ja, bis 18 Uhr.", client_key="k1")
    (submitted,) = written.of("submitted")
    assert submitted["request"] == reply.headers["x-request-id"]
    await hub.settle()
    (exchange,), (attempt,) = written.of("exchange"), written.of("attempt")
    for line in (exchange, attempt):
        assert (line["message"], line["attempt"][:4], line["part"][:4]) == (submitted["message"], "att_", "prt_")
    assert exchange["attempt"] == attempt["attempt"]
    assert (exchange["status"], attempt["outcome"]) == (200, "sent")
    assert {line["event"] for line in written.lines() if submitted["message"] in str(line)} == {"submitted", "exchange", "attempt"}


async def test_what_is_written_for_many_requests_names_none(
    hub: HubUnderTest, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deliveries share a commit: when that fails, each request has its own line with 503, and the commit's belongs to nobody."""
    written = listen()
    channel = await hub.connect()
    assert await hub.deliver(channel, telegram_text(1, "Hallo")) == 200

    async def fails(*arguments: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr("hub.inbox.arriving.door.append", fails)
    assert await hub.deliver(channel, telegram_text(2, "Hallo")) == 503
    assert [line["status"] for line in written.of("request")] == [200, 503]
    assert len(written.of("stored")) == 1
    (down,) = written.of("door_store_down")
    assert "request" not in down


@respx.mock
async def test_no_line_holds_a_text_a_token_or_a_secret(hub: HubUnderTest, listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-266, I10: at level debug, with failures of every part: refused and unreadable webhooks, a crash whose words quote the body,
    a task that nobody waited for, a library that logs it."""
    written = listen()
    channel, jonas = await hub.connect(), await visit(hub)
    conversation = conv(await receive(hub, channel, PHRASE))
    respx.post(SEND).mock(side_effect=[httpx.Response(400, text=PHRASE), httpx.ReadTimeout(PHRASE), accepted()])
    for number in range(3):
        await jonas.post(f"/conversations/{conversation}/messages", text=f"{PHRASE} {number}", client_key=f"k{number}")
        await hub.settle()
        hub.clock.advance(minutes=10)
    await hub.deliver(channel, f"{{ {PHRASE}".encode())
    await hub.deliver(channel, PHRASE.encode(), secret=f"falsch-{PHRASE}")
    await hub.browser().get(f"/o/{hub.slug}/inbox/{PHRASE}?q={PHRASE}", headers={"x-request-id": PHRASE})

    async def crashes(*arguments: Any) -> None:
        try:
            raise ValueError(f"invalid input: {PHRASE}")
        except ValueError as error:
            raise RuntimeError(f"{PHRASE} {TOKEN}") from error

    with monkeypatch.context() as patch:
        patch.setattr(ingest, "apply_events", crashes)
        await hub.deliver(channel, telegram_text(99, PHRASE))
        await hub.settle()
    log = logging.getLogger("somelibrary")
    log.warning("row %s of %d: %r", PHRASE, 7, {"text": PHRASE})
    log.warning(f"quoted\n{PHRASE}")
    try:
        await crashes()
    except RuntimeError as error:
        log.exception("failed: %s", error)
    lost = asyncio.get_running_loop().create_task(crashes())
    await asyncio.sleep(0)
    del lost
    await asyncio.sleep(0)

    text = written.getvalue()
    assert len(written.of("exchange")) == 3 and written.of("delivery_dead")
    for secret in (PHRASE, TOKEN, channel.secret, jonas.token, "Erdbeer", "Jörg"):
        assert secret not in text
    (row,) = [line for line in written.lines() if line["event"].startswith("row ")]
    assert (row["event"], row["logger"], row["level"]) == ("row … of 7: '…'", "somelibrary", "warning")
    (failed,) = [line for line in written.lines() if line["event"].startswith("failed: ")]
    assert (failed["event"], failed["error"]) == ("failed: RuntimeError", "RuntimeError from ValueError")
    assert failed["trace"][-1].endswith(" crashes")


async def test_a_crash_is_one_line_with_its_request_and_place(settings: Settings, listen: Listen) -> None:
    written = listen()
    app = Hub(settings.model_copy(update={"log_level": "INFO"}))

    @app.web.get("/crash/{what}")
    async def crash(what: str) -> None:
        raise ValueError(what)

    async with LifespanManager(app):
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://hub.test") as browser:
            answer = await browser.get("/crash/geheim")
    (crashed,) = written.of("crashed")
    (request,) = written.of("request")
    assert answer.status_code == request["status"] == 500
    assert answer.headers["x-request-id"] == crashed["request"] == request["request"]
    assert (crashed["error"], crashed["route"]) == ("ValueError", "/crash/{what}")
    assert crashed["trace"][-1].endswith(" crash")
    assert "geheim" not in written.getvalue()
    logging.getLogger("uvicorn.error").error("Exception in ASGI application\n")
    assert len(written.lines()) == 2, "uvicorn says it once more, without the request; that line is withheld"


@pytest.mark.parametrize(
    ("peer", "sent", "taken"),
    [
        ("127.0.0.1", "0f3c9a1e-77", True),
        ("203.0.113.9", "0f3c9a1e-77", False),
        ("127.0.0.1", "kurz", False),
        ("127.0.0.1", "x" * 65, False),
        ("127.0.0.1", 'a"b c{d}e', False),
    ],
)
async def test_only_a_trusted_proxy_may_name_a_request(hub: HubUnderTest, peer: str, sent: str, taken: bool) -> None:
    transport = httpx2.ASGITransport(hub.app, client=(peer, 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub.test") as browser:
        answer = await browser.get("/healthz", headers={"x-request-id": sent, "x-forwarded-for": "198.51.100.7"})
    assert (answer.headers["x-request-id"] == sent) == taken
    assert taken or answer.headers["x-request-id"].startswith("req_")


async def test_questions_of_a_load_balancer_are_quiet(hub: HubUnderTest, listen: Listen) -> None:
    written = listen()
    for path in ("/healthz", "/metrics", "/login"):
        await hub.browser().get(path)
    assert [(line["route"], line["level"]) for line in written.of("request")] == [
        ("/healthz", "debug"),
        ("/metrics", "debug"),
        ("/login", "info"),
    ]


def test_what_the_system_says_is_told(listen: Listen) -> None:
    """A port that is in use is what an operator needs to read."""
    written = listen()
    logging.getLogger("somelibrary").error(OSError(98, "address already in use"))
    assert written.lines()[0]["event"] == "[Errno 98] address already in use"
