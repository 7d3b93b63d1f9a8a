"""Messages that left without a valid consent become candidates; reports of people become cases whose source can be disconnected."""

from datetime import UTC, datetime, timedelta

import httpx
import respx

from hub.connectors.events import ChannelHealth
from hub.consent import locks
from hub.consent.books import ledger
from hub.consent.books.chain import Change
from hub.core import ids
from hub.inbox.sending import suspects
from tests.inbox.pages_support import PAGE, visit
from tests.inbox.people_support import NOW, tell
from tests.probe import URL
from tests.support import Connected, HubUnderTest

AT = datetime.fromtimestamp(NOW, UTC)


async def withdraw(hub: HubUnderTest, channel: Connected, seconds: int) -> None:
    key = ("probe", str(channel.id), "anna")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await locks.lock_addresses(unit, [key])
        change = Change(*key, "opt_out", AT + timedelta(seconds=seconds), {"source": "test"})
        await ledger.record(unit, hub.runtime.vault, hub.runtime.hooks, [change])


@respx.mock
async def test_a_withdrawal_before_the_acceptance_makes_one_candidate(hub: HubUnderTest) -> None:
    """R-225: both times stand in it, whether the withdrawal comes while the message is on its way or is recorded afterwards."""
    channel = await hub.connect("probe")
    await tell(hub, channel, {"type": "message", "key": "m1", "from": "anna", "text": "Hallo"})
    conversation = await hub.value("SELECT id FROM conversation")
    took = 0

    async def take(request: httpx.Request) -> httpx.Response:
        nonlocal took
        took += 1
        if took == 1:
            await withdraw(hub, channel, 5)
        return httpx.Response(200, json={"id": f"p{took}", "at": NOW + 10})

    respx.post(URL).mock(side_effect=take)
    first = await hub.reply(conversation, "Während des Widerrufs")
    await hub.settle()
    (event,) = await hub.rows("SELECT * FROM spam_event")
    assert (event["message_id"], event["grounds"], event["raised_by"]) == (first, ["withdrawn"], "gate")
    assert (event["withdrawn_at"], event["accepted_at"]) == (AT + timedelta(seconds=5), AT + timedelta(seconds=10))
    assert event["consent"]["choice"] == "opted_out"
    await withdraw(hub, channel, 6)
    assert await hub.value("SELECT count(*) FROM spam_event") == 1

    await tell(hub, channel, {"type": "message", "key": "m2", "from": "bea", "text": "Hallo"})
    bea = await hub.value("SELECT c.id FROM conversation c JOIN identity i ON i.id = c.identity_id AND i.provider_user_id = 'bea'")
    second = await hub.reply(bea, "Vorher angenommen")
    await hub.settle()
    assert await hub.value("SELECT count(*) FROM spam_event") == 1
    await tell(hub, channel, {"type": "opted_out", "key": "c1", "from": "bea", "at": NOW + 3})
    assert await hub.value("SELECT withdrawn_at FROM spam_event WHERE message_id = $1", second) == AT + timedelta(seconds=3)


@respx.mock
async def test_an_answer_after_the_person_wrote_again_is_no_candidate(hub: HubUnderTest) -> None:
    channel = await hub.connect("probe")
    respx.post(URL).respond(json={"id": "p1", "at": NOW + 60})
    await tell(hub, channel, {"type": "message", "key": "m1", "from": "anna", "text": "Stopp"})
    await tell(hub, channel, {"type": "message", "key": "m2", "from": "anna", "text": "Doch eine Frage", "at": NOW + 30})
    await hub.reply(await hub.value("SELECT id FROM conversation"), "Gern")
    await hub.settle()
    assert await hub.value("SELECT count(*) FROM spam_event") == 0


@respx.mock
async def test_one_click_reports_a_message_and_step_three_disconnects_its_source(hub: HubUnderTest) -> None:
    """R-230, R-233, R-201: all categories, a number, the five fields, and the mildest means first."""
    channel = await hub.connect("probe")
    respx.post(URL).respond(json={"id": "p1", "at": NOW + 60})
    await tell(hub, channel, {"type": "message", "key": "m1", "from": "anna", "text": "Hallo"})
    message = ids.show("msg", await hub.reply(await hub.value("SELECT id FROM conversation"), "Gewinnspiel"))
    await hub.settle()
    boss, agent = await visit(hub, "Ute Umsicht", role="owner"), await visit(hub)
    form = await agent.page(f"/messages/{message}/report")
    assert form.count('name="categories"') == 13 and "Gewinnspiel" in form
    assert (await agent.post(f"/messages/{message}/report", headers=PAGE)).status_code == 422
    filed = await agent.post(f"/messages/{message}/report", headers=PAGE, categories=["unlawful"], note="")
    at = filed.headers["location"].removeprefix(agent.base)
    html = await boss.page(at)
    assert "F-2026-0001" in html and "anna" in html and "p1" in html
    assert html.index("Teammitglied Olga Inhaber") < html.index("Kanal Probe")
    refused = await boss.post(f"{at}/close", headers=PAGE)
    assert refused.status_code == 409 and "Vor dem Abschließen" in refused.text
    await boss.post(f"{at}/disconnect", headers=PAGE, source=ids.show("chn", channel.id))
    assert await hub.value("SELECT state FROM channel") == "blocked"
    assert (await boss.post(f"{at}/close", headers=PAGE)).status_code == 303
    listed = await boss.page("/consent/cases")
    assert "Verbotener Inhalt" in listed and "Abgeschlossen" in listed
    assert (await agent.post("/consent/cases", headers=PAGE, categories=["spreading"], note="Fremde Texte")).status_code == 303
    assert "F-2026-0002" in await agent.page("/consent/cases")


async def test_complaints_of_recipients_are_held_against_the_account(hub: HubUnderTest) -> None:
    """R-225 and quality signals: the organisation sees them before anybody decides."""
    channel = await hub.connect("probe")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        for cause in ("quality", "limit"):
            told = ChannelHealth(key="h1", at=AT, level="warning", cause=cause, text="")
            await suspects.hear_complaint(unit, "whatsapp", channel.id, told)
    assert [row["grounds"] for row in await hub.rows("SELECT grounds FROM spam_event")] == [["complaint"]]
    assert "Beschwerden von Empfängern" in await (await visit(hub)).page("/consent/cases")
