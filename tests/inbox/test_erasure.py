"""Erasing one person: nothing of them is left, the ledger still verifies, and what has to be remembered is."""

import json
from datetime import date
from typing import Any

import asyncpg
import pytest
import respx

from hub.consent import erasing
from hub.consent.books.chain import entry_hash
from hub.consent.gate import SendBlocked
from hub.core.errors import InvalidInput
from hub.core.settings import Settings
from hub.inbox import service
from hub.inbox.page.drafts import save_draft
from hub.inbox.persons import erasure, restoring, wishes
from tests.inbox.people_support import NAME, PHRASE, USER, Customer, escaped, found_anywhere, meet, telegram_takes_everything, tell
from tests.support import HubUnderTest

SAID = (NAME, escaped(NAME), str(USER), "joerg", PHRASE, "Werkstattnotiz")


async def verify(hub: HubUnderTest) -> int:
    """How many entries the chain has; every link of it is checked."""
    previous, count = bytes(32), 0
    for row in await hub.rows("SELECT * FROM consent_entry ORDER BY seq"):
        assert row["previous_hash"] == previous
        fields = (row["seq"], row["at"], row["subject_id"], row["commitment"], row["details_sealed"], row["kind"])
        previous = entry_hash(previous, hub.organisation_id, *fields)
        assert row["hash"] == previous
        count += 1
    assert await hub.value("SELECT hash FROM ledger_head") == previous
    return count


async def erase(hub: HubUnderTest, customer: Customer, **options: Any) -> erasing.Kept:
    values = {"typed_name": NAME, "never_again": False, **options}
    return await erasure.erase(hub.runtime, hub.owner, customer.contact_id, **values)


@respx.mock
async def test_nothing_of_an_erased_person_is_left(hub: HubUnderTest) -> None:
    """R-260, R-259, I7: after erasing, no column of any table holds name, address or words; the ledger verifies."""
    customer = await meet(hub)
    telegram_takes_everything()
    conversation = await customer.conversation(customer.telegram)
    await hub.reply(conversation["id"], f"Zur {PHRASE}: fertig")
    await service.add_note(hub.runtime, hub.owner, conversation["id"], "Werkstattnotiz: zahlt bar")
    await save_draft(hub.runtime, hub.owner, conversation["id"], "reply", f"Entwurf {PHRASE}", 0)
    await hub.settle()
    await tell(hub, customer.probe, {"type": "edit", "key": "e1", "target": "m1", "text": f"Doch nicht {PHRASE}"})
    await customer.writes("Stopp", 2)
    assert await found_anywhere(hub, *SAID)  # the search finds what is there
    attempts = await hub.value("SELECT count(*) FROM attempt")
    before = await verify(hub)
    with pytest.raises(InvalidInput):
        await erase(hub, customer, typed_name="Jemand anders")
    kept = await erase(hub, customer)
    assert await found_anywhere(hub, *SAID) == set()
    assert (kept.suppressed, kept.delete_on) == (1, None)
    assert await verify(hub) == before + 1
    assert await hub.value("SELECT kind FROM consent_entry ORDER BY seq DESC LIMIT 1") == "erased"
    assert await hub.value("SELECT count(*) FROM attempt") == attempts > 0
    assert await hub.value("SELECT count(*) FROM webchat_visitor") == 0
    assert await hub.value("SELECT counts ->> 'notes' FROM erasure") == "1"


@respx.mock
async def test_who_had_said_stop_and_writes_again_can_be_answered_and_nothing_more(hub: HubUnderTest) -> None:
    """The stop outlives the erasure at its old time, and the gate needs no question more for it."""
    customer = await meet(hub)
    await customer.writes("Stopp", 2)
    await erase(hub, customer)
    await customer.writes("Ich bin wieder da", 50)
    state = (await hub.rows("SELECT choice, choice_at, bar FROM consent_state"))[0]
    assert (state["choice"], int(state["choice_at"].timestamp()) - 1795510800, state["bar"]) == ("opted_out", 2, "open")
    conversation = await customer.conversation(customer.telegram)
    telegram_takes_everything()
    await hub.reply(conversation["id"], "Schön")
    assert (conversation["state"], conversation["barred_at"]) == ("open", None)


async def test_who_was_blocked_stays_blocked_after_erasure(hub: HubUnderTest) -> None:
    """What comes is stored and no work; nothing goes out."""
    customer = await meet(hub)
    await wishes.block(hub.runtime, hub.owner, customer.contact_id, "Beschimpft das Team")
    await erase(hub, customer)
    assert await hub.value("SELECT count(*) FROM suppression WHERE cause = 'barred'") == 3
    await customer.writes("Ich bin wieder da", 50)
    conversation = await customer.conversation(customer.telegram)
    assert (conversation["state"], conversation["unread"], conversation["barred_at"] is not None) == ("done", 0, True)
    with pytest.raises(SendBlocked):
        await hub.reply(conversation["id"], "Nein")
    contact_id = conversation["contact_id"]
    await wishes.unblock(hub.runtime, hub.owner, contact_id, "Entschuldigt")
    assert await hub.value("SELECT count(*) FROM suppression WHERE lifted_at IS NULL") == 2


async def test_on_demand_every_address_is_suppressed(hub: HubUnderTest) -> None:
    customer = await meet(hub)
    assert (await erase(hub, customer, never_again=True)).suppressed == 3
    await customer.writes("Wieder da", 50)
    assert await hub.value("SELECT bar FROM consent_state") == "barred"


@respx.mock
async def test_nobody_is_erased_while_a_message_is_on_its_way(hub: HubUnderTest) -> None:
    customer = await meet(hub)
    conversation = await customer.conversation(customer.telegram)
    await hub.reply(conversation["id"], "Gleich")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE message_part SET state = 'sending'")
    with pytest.raises(erasure.OnItsWay):
        await erase(hub, customer)
    assert await hub.value("SELECT count(*) FROM contact") == 1


async def test_proofs_of_what_went_over_viber_are_kept_sealed_to_their_day(
    hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-200: the archive is readable with the master key, is shown with its day, and is destroyed on it."""
    customer = await meet(hub)
    monkeypatch.setattr(erasure, "PROVED", frozenset({"probe"}))
    await tell(hub, customer.probe, {"type": "opted_in", "key": "o1", "from": "joerg", "text": f"Ja {PHRASE}"})
    await tell(hub, customer.probe, {"type": "echo", "key": "e1", "to": "joerg", "text": "Fertig"})
    kept = await erase(hub, customer)
    assert kept.delete_on == date(2030, 1, 1)
    assert await found_anywhere(hub, PHRASE, "joerg") == set()
    archive = (await hub.rows("SELECT id, content_sealed FROM proof_archive"))[0]
    content = hub.runtime.vault.open(archive["content_sealed"], **erasing.archive_place(hub.organisation_id, archive["id"]))
    assert [one["evidence"]["text"] for one in json.loads(content)["entries"]] == [f"Ja {PHRASE}"]
    for days, left in ((1133, 1), (1, 0)):  # 2029-12-31, 2030-01-01
        hub.clock.advance(days=days)
        async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
            await erasing.destroy_archives(unit)
        assert await hub.value("SELECT count(*) FROM proof_archive") == left


async def test_a_restore_applies_the_list_of_erasures_again(hub: HubUnderTest, settings: Settings) -> None:
    """R-259: the restored database still holds the person; the saved list erases them once more, and only once."""
    customer = await meet(hub)
    await customer.writes("Stopp", 2)
    tables = ("contact", "identity", "conversation", "consent_subject", "consent_state")
    before = {table: [dict(row) for row in await hub.rows(f"SELECT * FROM {table}")] for table in tables}
    await erase(hub, customer)
    saved = json.loads(json.dumps(await restoring.save_erasures(hub.runtime.database)))
    assert not any(text in json.dumps(saved, ensure_ascii=False) for text in (NAME, str(USER), "joerg"))
    await restore(hub, settings, before)
    assert await found_anywhere(hub, NAME, str(USER))
    assert await restoring.apply_erasures(hub.runtime, saved) == 1
    assert await found_anywhere(hub, NAME, str(USER), "joerg") == set()
    assert await hub.value("SELECT count(*) FROM suppression") == 1
    assert await restoring.apply_erasures(hub.runtime, saved) == 0


async def restore(hub: HubUnderTest, settings: Settings, before: dict[str, list[dict[str, Any]]]) -> None:
    """The database as a backup from before the erasure has it: what it took is back, what it wrote is not there."""
    computed = {"urgency", "place", "rings_at"}
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        for table, rows in before.items():
            for row in rows:
                values = {name: value for name, value in row.items() if name not in computed}
                places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
                await unit.sql.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", *values.values())
    connection = await asyncpg.connect(settings.database_admin_url.get_secret_value())  # type: ignore[union-attr]
    await connection.execute("TRUNCATE erasure, suppression, suppression_key")
    await connection.close()
