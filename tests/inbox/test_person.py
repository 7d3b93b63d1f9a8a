"""A person as a whole: block, mute and opt-out are three things; suppression, the access request, and the page where one
chooses."""

import io
import json
import zipfile

import pytest
import respx

from hub.consent import suppression
from hub.consent.gate import SendBlocked
from hub.core import ids
from hub.core.errors import InvalidInput
from hub.inbox.persons import suppressing, wishes
from tests.inbox.pages_support import PAGE, visit
from tests.inbox.people_support import NAME, PHRASE, USER, meet, telegram_takes_everything, tell
from tests.support import HubUnderTest, telegram_text


@respx.mock
async def test_mute_stop_and_block_are_three_things(hub: HubUnderTest) -> None:
    """What is written is work or not, what is answered leaves or not, and consent is touched or not: as the page says."""
    customer = await meet(hub)
    telegram_takes_everything()
    conversation = await customer.conversation(customer.telegram)

    await wishes.set_mute(hub.runtime, hub.owner, customer.contact_id, True)
    await customer.writes("Noch etwas", 10)
    muted = await customer.conversation(customer.telegram)
    assert (muted["unread"], muted["last_text"], muted["muted_at"] is not None) == (0, "Noch etwas", True)
    await hub.reply(conversation["id"], "Wir antworten trotzdem")
    assert await hub.value("SELECT count(*) FROM consent_entry") == 0
    await wishes.set_mute(hub.runtime, hub.owner, customer.contact_id, False)
    await customer.writes("Und noch etwas", 11)
    assert (await customer.conversation(customer.telegram))["unread"] == 1

    hub.clock.advance(seconds=30)
    await wishes.record_stop(hub.runtime, hub.owner, customer.contact_id, "Am Telefon, heute früh")
    with pytest.raises(SendBlocked):
        await hub.reply(conversation["id"], "Angebot")
    assert await hub.value("SELECT count(*) FROM consent_state WHERE choice = 'opted_out'") == 3  # on every messenger
    hub.clock.advance(seconds=60)
    await customer.writes("Eine Frage habe ich doch", 120)
    assert (await customer.conversation(customer.telegram))["unread"] == 2
    await hub.reply(conversation["id"], "Gern")

    await wishes.block(hub.runtime, hub.owner, customer.contact_id, "Drohungen")
    await customer.writes("Was soll das", 130)
    blocked = await customer.conversation(customer.telegram)
    assert (blocked["state"], blocked["unread"], blocked["last_text"]) == ("done", 0, "Was soll das")
    with pytest.raises(SendBlocked) as refused:
        await hub.reply(conversation["id"], "Nein")
    assert refused.value.decision.rule == "barred"


async def test_a_suppressed_address_is_blocked_when_it_becomes_known(hub: HubUnderTest) -> None:
    """Only the hash is kept; an address is blocked with its first message, and nobody else is."""
    channel = await hub.connect("probe")
    await tell(hub, channel, {"type": "message", "key": "m0", "from": "bea", "text": "Hallo"})
    key = ("probe", str(channel.id), "anna")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await suppression.suppress(unit, hub.runtime.vault, [suppression.Suppressed(key, "request", hub.clock())])
    await tell(hub, channel, {"type": "message", "key": "m1", "from": "anna", "text": "Hallo"})
    rows = await hub.rows("SELECT address, bar FROM consent_state")
    assert [tuple(row) for row in rows] == [("anna", "barred")]
    assert await hub.value("SELECT count(*) FROM suppression WHERE digest = convert_to('anna', 'UTF8')") == 0


async def test_who_is_blocked_is_no_new_work_on_another_channel_either(hub: HubUnderTest) -> None:
    """Where an address means the same person on every channel of the messenger."""
    customer = await meet(hub)
    await wishes.block(hub.runtime, hub.owner, customer.contact_id, "Drohungen")
    other = await hub.connect()
    assert await hub.deliver(other, telegram_text(40, "Dann eben hier", user=USER)) == 200
    await hub.settle()
    (row,) = await hub.rows("SELECT state, unread, barred_at FROM conversation WHERE channel_id = $1", other.id)
    assert (row["state"], row["unread"], row["barred_at"] is not None) == ("done", 0, True)


async def test_a_list_is_taken_whole_or_not_at_all(hub: HubUnderTest) -> None:
    with pytest.raises(InvalidInput) as refused:
        await suppressing.suppress_list(hub.runtime, hub.owner, "whatsapp", "+49 151 23456789\n0151 9", "Verlangt")
    assert refused.value.values == {"field": "addresses", "number": 2}
    listed = "+49 151 23456789\n\n004915123456789\n+43 660 1234567"
    assert await suppressing.suppress_list(hub.runtime, hub.owner, "whatsapp", listed, "Verlangt") == 2
    assert await hub.value("SELECT count(*) FROM suppression") == 2


async def test_an_access_request_holds_all_channels(hub: HubUnderTest) -> None:
    """R-260: one file with messages, consents and notes of all three channels; and the name can be corrected."""
    customer = await meet(hub)
    await customer.writes("Stopp", 2)
    boss, agent = await visit(hub, "Ute Umsicht", role="admin"), await visit(hub)
    at = f"/people/{ids.show('con', customer.contact_id)}"
    assert (await agent.post(f"{at}/export")).status_code == 403
    answer = await boss.post(f"{at}/export")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        told, page = json.loads(archive.read("person.json")), archive.read("person.html").decode()
    assert {one["messenger"] for one in told["conversations"]} == {"Telegram", "Probe", "Website-Chat"}
    assert all(any(PHRASE in said["text"] for said in one["messages"]) for one in told["conversations"])
    assert [one["evidence"]["text"] for one in told["consents"]] == ["Stopp"]
    assert page.count(PHRASE) == 3 and "Einwilligungen" in page
    await agent.post(f"{at}/name", headers=PAGE, name="Jörg  Özdemir-Klein")
    assert "Jörg Özdemir-Klein" in await agent.page(at)


async def test_the_page_says_what_each_does_and_what_an_erasure_keeps(hub: HubUnderTest) -> None:
    """R-260: an agent sees and records, only the administration blocks and erases; the name has to be typed."""
    customer = await meet(hub)
    boss, agent = await visit(hub, "Ute Umsicht", role="admin"), await visit(hub)
    at = f"/people/{ids.show('con', customer.contact_id)}"
    html = await agent.page(at)
    assert "Stummschalten" in html and "Stopp der Person eintragen" in html and "Endgültig löschen" not in html
    assert (await agent.post(f"{at}/block", reason="x")).status_code == 403
    assert (await agent.post(f"{at}/stop", headers=PAGE, note="")).status_code == 422
    assert "Der Stopp ist eingetragen" in await agent.page(f"{at}?said=stopped")
    await agent.post(f"{at}/stop", headers=PAGE, note="Am Telefon")
    html = await boss.page(at)
    assert "Prüfwerte von 3 Adressen" in html and "Stopp gesagt am" in html
    wrong = await boss.post(f"{at}/erase", headers=PAGE, name="Jemand")
    assert wrong.status_code == 422 and "Es wurde nichts gelöscht" in wrong.text
    done = await boss.post(f"{at}/erase", headers=PAGE, name=NAME.lower())
    assert "Die Person ist gelöscht" in done.text
    await boss.page(at, 404)
    assert await hub.value("SELECT count(*) FROM identity WHERE provider_user_id = $1", str(USER)) == 0
