"""The consent ledger: a chain that holds, a state that follows the provider's times, and a withdrawal that races a claim."""

import asyncio
import hashlib
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

import asyncpg
import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from hub.consent import locks
from hub.consent.books import ledger
from hub.consent.books.chain import Change, open_details
from hub.consent.books.states import Kind, State
from hub.core import clock, ids, lanes
from hub.core.settings import Settings
from hub.inbox.sending import claiming
from tests.support import TOKEN, Connected, HubUnderTest, telegram_text

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
KINDS: tuple[Kind, ...] = get_args(Kind)
ADDRESS = ("telegram", "", "5123456789")


async def record(hub: HubUnderTest, *changes: Change) -> None:
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await locks.lock_addresses(unit, [change.key for change in changes])
        await ledger.record(unit, hub.runtime.vault, hub.runtime.hooks, changes)


def change(kind: Kind, seconds: int, address: str = ADDRESS[2]) -> Change:
    return Change("telegram", "", address, kind, AT + timedelta(seconds=seconds), {"source": "test", "text": "STOP"})


async def test_a_word_becomes_an_entry_with_its_evidence(hub: HubUnderTest) -> None:
    """R-223, R-222 in part: the entry names message, exact text, source and time; the state names the entry it rests on."""
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(1, "Stopp!"))
    await hub.settle()
    [entry] = await hub.rows(
        "SELECT e.*, s.key_sealed FROM consent_entry e JOIN consent_subject s ON s.id = e.subject_id AND s.address = '5123456789'"
    )
    said = open_details(hub.runtime.vault, hub.organisation_id, entry["subject_id"], entry["key_sealed"], entry["details_sealed"])
    assert (said["kind"], said["address"], said["at"]) == ("opt_out", "5123456789", "2026-11-24T09:00:00+00:00")
    assert said["evidence"]["text"] == "Stopp!"
    assert UUID(said["evidence"]["message_id"]) == await hub.value("SELECT id FROM message WHERE direction = 'in'")
    state = (await hub.rows("SELECT choice, choice_at, choice_seq, reach_seq FROM consent_state"))[0]
    assert tuple(state) == ("opted_out", AT, entry["seq"], None)


async def test_each_entry_is_chained_to_the_one_before(hub: HubUnderTest) -> None:
    """I7: previous hash, sequence and hash follow from the entries alone, and the head is the last one."""
    for number in range(3):
        await record(hub, change("opt_out", number, f"a{number}"), change("blocked", number, f"b{number}"))
    rows = await hub.rows("SELECT * FROM consent_entry ORDER BY seq")
    previous = bytes(32)
    for number, row in enumerate(rows, start=1):
        microseconds = int((row["at"] - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
        link = (
            previous
            + hub.organisation_id.bytes
            + number.to_bytes(8, "big")
            + microseconds.to_bytes(8, "big")
            + row["subject_id"].bytes
            + row["commitment"]
            + hashlib.sha256(row["details_sealed"]).digest()
            + row["kind"].encode()
        )
        assert (row["seq"], row["previous_hash"]) == (number, previous)
        previous = hashlib.sha256(link).digest()
        assert row["hash"] == previous
    head = (await hub.rows("SELECT seq, hash FROM ledger_head"))[0]
    assert (head["seq"], head["hash"]) == (6, previous)


async def test_nobody_can_change_an_entry(hub: HubUnderTest, settings: Settings) -> None:
    """I7: not even the owner of the table, as long as the trigger stands."""
    await record(hub, change("opt_out", 0))
    connection = await asyncpg.connect(settings.database_admin_url.get_secret_value())  # type: ignore[union-attr]
    try:
        for statement in (
            "UPDATE consent_entry SET kind = 'restart'",
            "DELETE FROM consent_entry",
            "TRUNCATE consent_entry",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_rolled_back_change_leaves_no_trace(hub: HubUnderTest) -> None:
    with pytest.raises(RuntimeError):
        async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
            await locks.lock_addresses(unit, [ADDRESS])
            await ledger.record(unit, hub.runtime.vault, hub.runtime.hooks, [change("opt_out", 0)])
            raise RuntimeError
    await record(hub, change("opt_out", 0))
    assert [row["seq"] for row in await hub.rows("SELECT seq FROM consent_entry")] == [1]


async def test_writers_at_once_make_one_chain(hub: HubUnderTest) -> None:
    await asyncio.gather(*(record(hub, change("opt_out", number, f"p{number}")) for number in range(8)))
    rows = await hub.rows("SELECT seq, previous_hash, hash FROM consent_entry ORDER BY seq")
    assert [row["seq"] for row in rows] == list(range(1, 9))
    assert all(later["previous_hash"] == earlier["hash"] for earlier, later in itertools.pairwise(rows))


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5)), min_size=1, max_size=6), st.randoms())
def test_the_order_of_arrival_does_not_matter(changes: list[tuple[Kind, int]], chance: Any) -> None:
    """Consent changes compare provider times (telegram.md, 3: kinds of updates overtake each other)."""

    def fold(ordered: list[tuple[Kind, int]]) -> State:
        state = State()
        for kind, seconds in ordered:
            state.apply(kind, AT + timedelta(seconds=seconds))
        return state

    shuffled = list(changes)
    chance.shuffle(shuffled)
    assert fold(changes) == fold(shuffled)
    words = [(seconds, kind == "opt_out") for kind, seconds in changes if kind in ("opt_out", "restart", "opted_in", "granted")]
    assert (fold(changes).choice.value == "opted_out") == (bool(words) and max(words)[1])


async def test_a_late_stop_does_not_undo_a_newer_start(hub: HubUnderTest) -> None:
    """The unblock, the start and an older STOP come in the wrong order; what is queued since stays queued."""
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(3, "/start neu", at=1795510830))
    await hub.settle()
    conversation = await hub.value("SELECT id FROM conversation")
    message_id = await hub.reply(conversation, "Willkommen")
    await hub.deliver(channel, telegram_text(2, "STOP", at=1795510810))
    from hub.inbox.arriving import ingest

    await ingest.drain(hub.runtime, hub.organisation_id, channel.id, hub.worker_id)
    assert await hub.value("SELECT choice FROM consent_state") == "none"
    assert await hub.value("SELECT state FROM message WHERE id = $1", message_id) == "queued"
    assert await hub.value("SELECT count(*) FROM consent_entry") == 2


async def claim(hub: HubUnderTest, channel: Connected) -> int:
    lane = await lanes.take(hub.runtime.database, hub.organisation_id, channel.id, "out", ids.new_id())
    if lane is None:
        return 0
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        claims = await claiming.claim(hub.runtime, unit, channel.id, lane.fence, any_=5, bulk=0)
    await lane.let_go()
    return len(claims)


@respx.mock
@pytest.mark.parametrize("round_", range(5))
async def test_a_withdrawal_and_a_claim_never_overlap(hub: HubUnderTest, round_: int) -> None:
    """Design 5: either the claim came first and its attempt is on record, or the withdrawal did and nothing left."""
    respx.post(f"https://api.telegram.org/bot{TOKEN}/sendMessage").mock(return_value=httpx.Response(200, json={}))
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(1, "Hallo"))
    await hub.settle()
    message_id = await hub.reply(await hub.value("SELECT id FROM conversation"), "Antwort")
    stop = Change(*ADDRESS, "opt_out", clock.now() + timedelta(seconds=5), {"source": "test"})
    claimed, _ = await asyncio.gather(claim(hub, channel), record(hub, stop))
    state = await hub.value("SELECT state FROM message_part WHERE message_id = $1", message_id)
    attempts = await hub.value("SELECT count(*) FROM attempt")
    assert (claimed, state, attempts) in [(1, "sending", 1), (0, "failed", 0)]
    assert await claim(hub, channel) == 0
