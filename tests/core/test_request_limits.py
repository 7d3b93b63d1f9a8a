"""Rate limits of pages and API per address, session and organisation (R-232)."""

import pytest

from hub.core import request_limits
from hub.core.errors import TooMany
from hub.core.settings import Settings
from tests.inbox.pages_support import DATA, PAGE, visit
from tests.support import HubUnderTest, telegram_text


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """With the limits that a test asks for."""
    return settings.model_copy(update=getattr(request, "param", {}))


@pytest.mark.parametrize("settings", [{"requests_address": 60}], indirect=True)
async def test_request_61_of_one_address(hub: HubUnderTest) -> None:
    """R-232: given a limit of 60 per minute, when request 61 comes, then 429 with Retry-After; a verified webhook is never
    refused."""
    channel, nobody = await hub.connect(), hub.browser()
    for number in range(60):
        assert (await nobody.get("/login")).status_code == 200, number
    for headers in (PAGE, DATA):
        answer = await nobody.get("/login", headers=headers)
        assert answer.status_code == 429 and 1 <= int(answer.headers["retry-after"]) <= 60
        assert "content-security-policy" in answer.headers
    assert "Das waren zu viele Anfragen" in (await nobody.get("/login", headers=PAGE)).text
    assert (await nobody.get("/o/radwerk/inbox", headers=PAGE)).status_code == 429
    for number in range(100):
        assert await hub.deliver(channel, telegram_text(number, "Hallo")) == 200
    assert (await nobody.get("/healthz")).status_code == 200
    assert (await nobody.get("/static/x/base.css")).status_code == 200


@pytest.mark.parametrize(
    "settings", [{"requests_token": 60}, {"requests_organisation": 60}], indirect=True, ids=["token", "organisation"]
)
async def test_request_61_of_one_session_and_of_one_organisation(hub: HubUnderTest, settings: Settings) -> None:
    """R-232: whoever has used up a session can log in elsewhere; an organisation that is used up is so for all its members."""
    ada, jonas = await visit(hub, "Ada Admin", role="admin"), await visit(hub)
    other = await hub.found("velo", "Velo Bregenz")
    for _ in range(60):
        assert (await ada.client.get(f"{ada.base}/channels/red")).status_code == 200
    answer = await ada.client.get(f"{ada.base}/channels/red")
    assert answer.status_code == 429 and "retry-after" in answer.headers
    is_shared = settings.requests_organisation == 60
    assert (await jonas.client.get(f"{jonas.base}/channels/red")).status_code == (429 if is_shared else 200)
    assert (await hub.browser().get("/login")).status_code == 200
    assert other.organisation_id != hub.organisation_id


async def test_a_window_ends_and_nobody_counts_without_valkey(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = hub.runtime.queue
    await request_limits.count(queue, {"address:a": 1})
    with pytest.raises(TooMany):
        await request_limits.count(queue, {"address:a": 1})
    await request_limits.count(queue, {"address:b": 1})
    assert 0 < await queue.redis.pttl("requests:address:a") <= request_limits.WINDOW_SECONDS * 1000
    await queue.redis.delete("requests:address:a")  # which is what it does by itself then
    await request_limits.count(queue, {"address:a": 1})

    async def gone(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(queue.redis, "eval", gone)
    for _ in range(3):
        await request_limits.count(queue, {"address:a": 1})
