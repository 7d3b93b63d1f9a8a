"""Who else is here: told at once over the stream, forgotten by itself, kept in no table, and never across organisations."""

import json
from typing import Any

from redis.exceptions import ConnectionError as NoValkey

from hub.core.live import Whisper
from hub.inbox.page import presence
from tests.inbox.pages_support import DATA, Visitor, conv, receive, serve, visit
from tests.inbox.test_pages_live import opened
from tests.support import HubUnderTest

TABS = ("0123456789abcdef", "fedcba9876543210")


async def say(who: Visitor, conversation: str, state: str, tab: str = TABS[0], *, status: int = 200) -> list[tuple[str, str]]:
    response = await who.post(f"/conversations/{conversation}/presence", state=state, tab=tab)
    assert response.status_code == status, response.text
    return [(one["name"], one["state"]) for one in response.json().get("here", ())]


async def test_others_are_named_with_what_they_do(hub: HubUnderTest) -> None:
    """Look 6: who looks and who writes; of a person with two pages the strongest sign counts, and leaving one is not leaving."""
    jonas, sara, channel = await visit(hub), await visit(hub, "Sara Lang"), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    assert await say(jonas, conversation, "looks") == [("Jonas Keller", "looks")]
    assert await say(sara, conversation, "reply") == [("Sara Lang", "reply"), ("Jonas Keller", "looks")]
    assert await say(sara, conversation, "looks", TABS[1]) == [("Sara Lang", "reply"), ("Jonas Keller", "looks")]
    assert await say(sara, conversation, "gone") == [("Jonas Keller", "looks"), ("Sara Lang", "looks")]
    assert await say(sara, conversation, "gone", TABS[1]) == [("Jonas Keller", "looks")]


async def test_sign_that_is_not_repeated_is_forgotten(hub: HubUnderTest, monkeypatch: Any) -> None:
    """Look 6: a closed laptop says no farewell."""
    jonas, sara, channel = await visit(hub), await visit(hub, "Sara Lang"), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    with monkeypatch.context() as soon:
        soon.setattr(presence, "LOOKS_SECONDS", 0)
        await say(sara, conversation, "looks")
    assert await say(jonas, conversation, "looks") == [("Jonas Keller", "looks")]


async def test_change_is_whispered_to_open_pages(hub: HubUnderTest) -> None:
    """Look 6: every open page of the organisation hears it at once; a repeated look is no news; no feed entry is written."""
    jonas, sara, channel = await visit(hub), await visit(hub, "Sara Lang"), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    seq = (await jonas.data("/updates"))["seq"]
    async with serve(hub) as address, opened(address, jonas, after=seq) as live:
        assert (await live.event())["event"] == "beat"
        for state in ("looks", "looks", "reply", "gone"):
            await say(sara, conversation, state)
        told = [await live.event() for _ in range(3)]
    assert [event["event"] for event in told] == ["whisper"] * 3
    states = [[one["state"] for one in json.loads(event["data"])["here"]] for event in told]
    assert states == [["looks"], ["reply"], []]
    assert (await jonas.data("/updates"))["seq"] == seq


async def test_other_organisation_hears_nothing(hub: HubUnderTest) -> None:
    """R-263: a stream of another organisation is not told, and a foreign conversation does not exist."""
    jonas, channel = await visit(hub), await hub.connect()
    other = await hub.found("velo", "Velo Bregenz")
    conversation = conv(await receive(hub, channel, "Hallo"))
    with hub.runtime.live.follow(other.organisation_id, 0) as follower:
        async with serve(hub) as address, opened(address, jonas, after=0) as live:
            await say(jonas, conversation, "looks")
            while (await live.event()).get("event") != "whisper":
                pass
        assert not isinstance(await follower.next(0), Whisper)
    stranger = conv(hub.owner.member_id)
    await say(jonas, stranger, "looks", status=404)


async def test_without_valkey_nobody_is_seen_and_nothing_breaks(hub: HubUnderTest, monkeypatch: Any) -> None:
    """Design 4: Valkey may be away."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))

    async def away(*_: Any) -> None:
        raise NoValkey

    monkeypatch.setattr(hub.runtime.queue.redis, "eval", away)
    assert await say(jonas, conversation, "reply") == []


async def test_sign_of_another_shape_is_refused(hub: HubUnderTest) -> None:
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    await say(jonas, conversation, "sleeps", status=422)
    await say(jonas, conversation, "looks", "x" * 16, status=422)
    response = await jonas.client.post(f"{jonas.base}/conversations/{conversation}/presence", headers=DATA)
    assert response.status_code in (403, 422)
