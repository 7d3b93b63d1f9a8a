"""A newsletter from its simulation to its end: who gets it, and what stops it."""

import json
from collections import Counter
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
import respx

from hub.campaigns import audience, running, service
from hub.campaigns.simulation import count
from hub.channels.hooks import ChannelOpened
from hub.consent.hooks import PersonErased
from hub.core import clock
from hub.core.errors import InvalidInput
from hub.inbox.persons import erasure
from hub.inbox.sending import waiting
from tests.campaigns.support import draft, people, read, start, try_out, work
from tests.consent.support import define_purpose, grant
from tests.inbox.pages_support import receive
from tests.support import TOKEN, HubUnderTest

API = f"https://api.telegram.org/bot{TOKEN}"


class Telegram:
    """The provider: takes every message and remembers who got what."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.got.append((str(body["chat_id"]), body["text"]))
        chat = {"id": body["chat_id"], "type": "private"}
        result = {"message_id": 10_000 + len(self.got), "chat": chat, "date": int(clock.now().timestamp())}
        return httpx.Response(200, json={"ok": True, "result": result})


@pytest.fixture
def telegram() -> Telegram:
    provider = Telegram()
    respx.post(f"{API}/sendMessage").mock(side_effect=provider)
    return provider


async def decided(hub: HubUnderTest, campaign_id: UUID) -> Counter[tuple[UUID, str, str]]:
    rows = await hub.rows("SELECT channel_id, verdict, rule FROM campaign_recipient WHERE campaign_id = $1", campaign_id)
    return Counter((row["channel_id"], row["verdict"], row["rule"]) for row in rows)


@respx.mock
async def test_the_run_equals_the_simulation_and_nobody_without_a_grant_gets_it(
    hub: HubUnderTest, telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-220, R-221: in several batches, each person once, with a kept decision for each; a look more changes nothing."""
    monkeypatch.setattr(audience, "BATCH", 2)
    monkeypatch.setattr(running, "BATCH", 2)
    monkeypatch.setattr("hub.campaigns.simulation.BATCH", 2)
    channel, purpose_id = await hub.connect(), await define_purpose(hub)
    await people(hub, channel, purpose_id, agreed=3, silent=2)
    campaign_id = await draft(hub, channel, purpose_id)
    counts = await try_out(hub, campaign_id)
    assert (counts.chosen, counts.going, counts.rules()) == (5, 3, [("no_consent", 2)])
    assert counts.cost((await read(hub, campaign_id)).prices)[0].to_eng_string() == "0.15"
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'out'") == 0
    await start(hub, campaign_id)
    await work(hub)
    assert count(await decided(hub, campaign_id)) == counts
    await hub.settle()
    assert telegram.got and {who for who, _ in telegram.got} == {"7001", "7002", "7003"} and len(telegram.got) == 3
    assert telegram.got[0][1] == "Hallo Jörg, die Winterreifen sind da."
    hub.clock.advance(seconds=3)
    await work(hub)
    assert (await read(hub, campaign_id)).state == "finished"
    assert await hub.value("SELECT count(*) FROM gate_decision WHERE stage = 'submit' AND purpose_id = $1", purpose_id) == 5
    assert await hub.value("SELECT count(*) FROM conversation WHERE turn = 'us'") == 5  # a newsletter is no answer
    assert await hub.value("SELECT count(*) FROM audit_entry WHERE action = 'campaign.started'") == 1


@respx.mock
async def test_a_person_with_two_conversations_gets_it_once(hub: HubUnderTest, telegram: Telegram) -> None:
    channel, purpose_id = await hub.connect(), await define_purpose(hub)
    talks = await people(hub, channel, purpose_id, agreed=2)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:  # as if an agent had found out that they are one
        await unit.sql.execute("UPDATE conversation SET contact_id = (SELECT contact_id FROM conversation WHERE id = $1)", talks[0])
    campaign_id = await draft(hub, channel, purpose_id)
    counts = await try_out(hub, campaign_id)
    assert counts.rules() == [("already_addressed", 1)]
    await start(hub, campaign_id)
    await work(hub)
    assert count(await decided(hub, campaign_id)) == counts
    await hub.settle()
    assert len(telegram.got) == 1


@respx.mock
async def test_a_planned_one_waits_for_its_time_and_for_the_end_of_the_night(hub: HubUnderTest, telegram: Telegram) -> None:
    channel, purpose_id = await hub.connect(), await define_purpose(hub)
    await people(hub, channel, purpose_id, agreed=1)
    late = clock.now() + timedelta(hours=13)  # 23:00 in Berlin
    campaign_id = await draft(hub, channel, purpose_id, send_at=late)
    await try_out(hub, campaign_id)
    await start(hub, campaign_id)
    await work(hub)
    assert (await read(hub, campaign_id)).state == "planned"
    hub.clock.advance(hours=13)
    await work(hub)
    await hub.settle()
    [(key, number)] = (await decided(hub, campaign_id)).items()
    assert key[1:] == ("defer", "quiet_hours") and number == 1 and telegram.got == []
    hub.clock.advance(hours=12)
    await hub.settle()
    await work(hub)
    assert len(telegram.got) == 1 and (await read(hub, campaign_id)).state == "finished"


@respx.mock
async def test_pause_holds_what_is_queued_and_resume_lets_it_go(hub: HubUnderTest, telegram: Telegram) -> None:
    channel, purpose_id = await hub.connect(), await define_purpose(hub)
    await people(hub, channel, purpose_id, agreed=2)
    campaign_id = await draft(hub, channel, purpose_id)
    await try_out(hub, campaign_id)
    await start(hub, campaign_id)
    await work(hub)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await service.pause(unit, hub.owner, campaign_id)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await waiting.wake_channel(unit, ChannelOpened(channel.id))  # a channel that recovers does not undo it
    await work(hub)
    await hub.settle()
    assert telegram.got == []
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await service.resume(hub.runtime, unit, hub.owner, campaign_id)
    await hub.settle()
    assert len(telegram.got) == 2


@respx.mock
async def test_the_emergency_stop_gives_up_what_waits_and_nothing_else(hub: HubUnderTest, telegram: Telegram) -> None:
    """A chat message in the same queue still leaves; what was stopped says so and makes nobody's turn."""
    channel, purpose_id = await hub.connect(), await define_purpose(hub)
    talks = await people(hub, channel, purpose_id, agreed=3)
    campaign_id = await draft(hub, channel, purpose_id)
    await try_out(hub, campaign_id)
    await start(hub, campaign_id)
    await work(hub)
    await hub.reply(talks[0], "Ihr Rad ist fertig.")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await service.stop(unit, hub.owner, campaign_id)
    assert await hub.value("SELECT count(*) FROM message_part WHERE state = 'queued'") == 1
    await work(hub)
    await hub.settle()
    assert telegram.got == [("7001", "Ihr Rad ist fertig.")]
    rows = await hub.rows("SELECT DISTINCT state, failure FROM message WHERE purpose_id IS NOT NULL")
    assert [(row["state"], row["failure"]) for row in rows] == [("failed", "campaign_stopped")]
    stopped = await read(hub, campaign_id)
    assert (stopped.state, stopped.due_at) == ("stopped", None)
    assert await hub.value("SELECT count(*) FROM audit_entry WHERE action = 'campaign.stopped'") == 1


@respx.mock
async def test_a_withdrawal_after_the_fan_out_stops_that_message(hub: HubUnderTest, telegram: Telegram) -> None:
    """R-223 through a newsletter."""
    channel, purpose_id = await hub.connect(), await define_purpose(hub)
    await people(hub, channel, purpose_id, agreed=2)
    campaign_id = await draft(hub, channel, purpose_id)
    await try_out(hub, campaign_id)
    await start(hub, campaign_id)
    await work(hub)
    await receive(hub, channel, "STOP", user=7001, first=2)
    await hub.settle()
    assert "7001" not in {who for who, text in telegram.got if "Winterreifen" in text}
    assert "7002" in {who for who, _ in telegram.got}


async def test_what_was_written_meanwhile_is_not_written_twice_after_a_crash(
    hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies in a batch leaves nothing of it; the next one takes it up."""
    channel, purpose_id = await hub.connect(), await define_purpose(hub)
    await people(hub, channel, purpose_id, agreed=2)
    campaign_id = await draft(hub, channel, purpose_id)
    await try_out(hub, campaign_id)
    await start(hub, campaign_id)

    async def die(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(running, "_keep", die)
        with pytest.raises(ConnectionError):
            await work(hub)
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'out'") == 0
    await work(hub)
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'out'") == 2
    assert await hub.value("SELECT count(DISTINCT conversation_id) FROM campaign_recipient") == 2


async def test_who_is_erased_is_in_no_newsletter_any_more(hub: HubUnderTest) -> None:
    channel, purpose_id = await hub.connect(), await define_purpose(hub)
    [talk] = await people(hub, channel, purpose_id, agreed=1)
    campaign_id = await draft(hub, channel, purpose_id)
    await try_out(hub, campaign_id)
    await start(hub, campaign_id)
    await work(hub)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await hub.runtime.hooks.publish(unit, PersonErased(frozenset(), (talk,), ()))
    assert await decided(hub, campaign_id) == {}


async def test_the_filter_takes_those_who_agreed_since(hub: HubUnderTest) -> None:
    channel, purpose_id = await hub.connect(), await define_purpose(hub)
    await people(hub, channel, purpose_id, agreed=1, silent=1)
    hub.clock.advance(days=2)
    await grant(hub, purpose_id, ("telegram", "", "7002"))
    today = clock.now().date()
    assert (await try_out(hub, await draft(hub, channel, purpose_id, granted_since=today))).chosen == 1
    assert (await try_out(hub, await draft(hub, channel, purpose_id, written_since=today))).chosen == 0


async def test_a_change_forgets_the_simulation(hub: HubUnderTest) -> None:
    channel, purpose_id = await hub.connect(), await define_purpose(hub)
    campaign_id = await draft(hub, channel, purpose_id)
    with pytest.raises(service.NotNow):
        await start(hub, campaign_id)
    with pytest.raises(InvalidInput, match="nothing is written"):
        await try_out(hub, await draft(hub, channel, purpose_id, text=""))


async def test_who_is_muted_is_left_out_and_who_is_erased_is_forgotten(hub: HubUnderTest, telegram: Telegram) -> None:
    """Issue 5, 5: a muted conversation is chosen by no newsletter; erasing a recipient takes what the newsletter knew of them."""
    channel, purpose_id = await hub.connect(), await define_purpose(hub)
    talks = await people(hub, channel, purpose_id, agreed=3)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE conversation SET muted_at = $2 WHERE id = $1", talks[0], clock.now())
    campaign_id = await draft(hub, channel, purpose_id)
    assert (await try_out(hub, campaign_id)).chosen == 2
    await start(hub, campaign_id)
    await work(hub)
    await hub.settle()
    [who] = await hub.rows(
        "SELECT c.contact_id, k.name FROM conversation c JOIN contact k ON k.id = c.contact_id WHERE c.id = $1", talks[1]
    )
    await erasure.erase(hub.runtime, hub.owner, who["contact_id"], typed_name=who["name"], never_again=False)
    assert {row["conversation_id"] for row in await hub.rows("SELECT conversation_id FROM campaign_recipient")} == {talks[2]}
