"""The daily care for the books: uses are sealed, a checkpoint is signed, everything is checked (design 8)."""

import hashlib
from datetime import UTC, datetime, timedelta

import httpx
import respx

from hub.consent.books.chain import Change, open_details
from hub.inbox.sending.uses import keep_books
from tests.consent.test_proof import record
from tests.support import TOKEN, HubUnderTest, telegram_text

SEND = f"https://api.telegram.org/bot{TOKEN}/sendMessage"
SENT = {"ok": True, "result": {"message_id": 900, "date": 1795510900, "chat": {"id": 5123456789, "type": "private"}, "text": "x"}}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@respx.mock
async def test_the_books_are_kept_once_a_day(hub: HubUnderTest) -> None:
    respx.post(SEND).mock(return_value=httpx.Response(200, json=SENT))
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(1, "Hallo"))
    await record(hub, Change("telegram", "", "5123456789", "restart", hub.clock(), {"source": "test"}))
    await hub.settle()
    await keep_books(hub.runtime)
    first = (await hub.rows("SELECT uses_until, due_at, checked_at, ledger_seq FROM ledger_watch"))[0]
    assert first["uses_until"].isoformat() == "2026-11-23"
    assert (first["due_at"], first["ledger_seq"]) == (datetime(2026, 11, 25, 5, tzinfo=UTC), 1)

    await hub.reply(await hub.value("SELECT id FROM conversation"), "Guten Tag")
    await hub.settle()
    assert await hub.value("SELECT last_used_at FROM consent_state WHERE address = '5123456789'") == hub.clock()

    await keep_books(hub.runtime)
    assert await hub.value("SELECT count(*) FROM consent_entry") == 1  # not due yet
    hub.clock.advance(hours=20)
    await keep_books(hub.runtime)
    await keep_books(hub.runtime)
    [entry] = await hub.rows(
        "SELECT e.subject_id, e.details_sealed, s.key_sealed FROM consent_entry e JOIN consent_subject s ON s.id = e.subject_id "
        "WHERE e.kind = 'uses'"
    )
    said = open_details(hub.runtime.vault, hub.organisation_id, entry["subject_id"], entry["key_sealed"], entry["details_sealed"])
    [use] = await hub.rows("SELECT id, part_id, permit_at FROM attempt WHERE outcome = 'accepted'")
    micros = (use["permit_at"] - EPOCH) // timedelta(microseconds=1)
    assert said["evidence"] == {
        "source": "attempts",
        "day": "2026-11-24",
        "zone": "Europe/Berlin",
        "count": "1",
        "sha256": hashlib.sha256(use["id"].bytes + use["part_id"].bytes + micros.to_bytes(8)).hexdigest(),
    }
    watch = (await hub.rows("SELECT uses_until, checked_at, ledger_seq, ledger_problem, audit_problem FROM ledger_watch"))[0]
    assert watch["uses_until"].isoformat() == "2026-11-24"
    assert (watch["checked_at"], watch["ledger_seq"], watch["ledger_problem"], watch["audit_problem"]) == (hub.clock(), 2, "", "")
    assert [row["seq"] for row in await hub.rows("SELECT seq FROM ledger_checkpoint ORDER BY seq")] == [1, 2]
