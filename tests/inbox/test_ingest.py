"""From the stored bytes to the inbox: each thing once (I2), in the order of the provider's time, honest about what is unknown."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.connectors.contract import Account, RawRequest
from hub.connectors.events import Event
from hub.core import ids
from hub.inbox import sweeper
from hub.inbox.arriving import apply, ingest
from hub.inbox.sending.status import ORDER, furthest
from tests.support import HubUnderTest, telegram_text

NOW = 1795510800  # 2026-11-24 09:00 UTC


async def thread(hub: HubUnderTest) -> list[str]:
    rows = await hub.rows("SELECT text FROM message WHERE direction = 'in' ORDER BY at, sequence, seq")
    return [row["text"] for row in rows]


async def counters(hub: HubUnderTest) -> dict[str, int]:
    rows = await hub.rows("SELECT list, sum(change)::int AS n FROM conversation_counter GROUP BY 1 HAVING sum(change) <> 0")
    return {row["list"]: row["n"] for row in rows}


async def test_one_webhook_makes_one_conversation_with_the_person_and_the_text(hub: HubUnderTest) -> None:
    """R-302: an incoming message is in the one inbox with its channel."""
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(882100101, "👋 Ist das noch gültig?", message_id=5012))
    await hub.settle()
    row = (
        await hub.rows(
            """
            SELECT c.state, c.turn, c.unread, c.last_text, c.last_inbound_at, c.channel_id, i.provider_user_id, i.display_name,
                   m.text, m.at, m.sequence, m.seq
            FROM conversation c JOIN identity i ON i.id = c.identity_id JOIN message m ON m.conversation_id = c.id
            """
        )
    )[0]
    assert (row["state"], row["turn"], row["unread"], row["seq"]) == ("open", "us", 1, 1)
    assert (row["provider_user_id"], row["display_name"]) == ("5123456789", "Jörg Özdemir")
    assert row["text"] == row["last_text"] == "👋 Ist das noch gültig?"
    assert (row["at"], row["sequence"]) == (datetime(2026, 11, 24, 9, tzinfo=UTC), 5012)
    assert row["channel_id"] == channel.id
    assert await counters(hub) == {"all": 1, "all.us": 1, "unassigned": 1, "unassigned.us": 1}


async def test_two_messengers_share_one_list_and_the_same_webhook_twice_is_one_message(hub: HubUnderTest) -> None:
    """R-302: one conversation per service in one list; the same webhook twice gives one message."""
    telegram, probe = await hub.connect(), await hub.connect("probe")
    letter = [{"type": "message", "key": "p1", "at": NOW, "from": "anna", "text": "Hallo"}]
    for _ in range(2):
        await hub.deliver(telegram, telegram_text(1, "Guten Tag"))
        await hub.deliver(probe, letter)
        await hub.settle()
    rows = await hub.rows("SELECT channel_id, last_text FROM conversation")
    assert {(row["channel_id"], row["last_text"]) for row in rows} == {(telegram.id, "Guten Tag"), (probe.id, "Hallo")}
    assert await hub.value("SELECT count(*) FROM message") == 2


async def test_duplicates_inside_one_batch_are_one_message(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    for _ in range(5):
        await hub.deliver(channel, telegram_text(7, "einmal"))
    await hub.settle()
    assert await thread(hub) == ["einmal"]
    assert {row["state"] for row in await hub.rows("SELECT state FROM delivery_result")} == {"applied"}


async def test_two_requests_at_the_same_instant_are_one_message(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    statuses = await asyncio.gather(*(hub.deliver(channel, telegram_text(9, "gleichzeitig")) for _ in range(20)))
    assert set(statuses) == {200}
    await hub.settle()
    assert await thread(hub) == ["gleichzeitig"]


async def test_the_thread_follows_the_providers_time_whatever_the_order_of_arrival(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    for number, text in ((3, "drei"), (1, "eins"), (4, "vier"), (2, "zwei")):
        await hub.deliver(channel, telegram_text(number, text, at=NOW + number // 3))
        await hub.settle()
    assert await thread(hub) == ["eins", "zwei", "drei", "vier"]
    assert await hub.value("SELECT last_text FROM conversation") == "vier"


async def test_a_late_message_counts_but_does_not_take_the_newest_ones_place(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(20, "neu", at=NOW))
    await hub.settle()
    await hub.deliver(channel, telegram_text(19, "alt", at=NOW - 600))
    await hub.settle()
    row = (await hub.rows("SELECT last_text, unread, last_inbound_at FROM conversation"))[0]
    assert (row["last_text"], row["unread"]) == ("neu", 2)
    assert row["last_inbound_at"] == datetime(2026, 11, 24, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("Nul\x00byte", "Nul\ufffdbyte"),
        ("Halbes \ud83d Zeichen", "Halbes ? Zeichen"),
        ("مرحبا", "مرحبا"),
    ],
)
async def test_hostile_text_is_text(hub: HubUnderTest, text: str, shown: str) -> None:
    channel = await hub.connect()
    await hub.deliver(channel, json.dumps(telegram_text(1, text)).encode())
    await hub.settle()
    assert await thread(hub) == [shown]


async def test_a_kind_we_cannot_show_is_kept_as_an_honest_card(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    update = telegram_text(5, "x")
    del update["message"]["text"]
    update["message"]["dice"] = {"emoji": "🎲", "value": 4}
    await hub.deliver(channel, update)
    await hub.settle()
    row = (await hub.rows("SELECT kind, content FROM message"))[0]
    assert (row["kind"], row["content"]["kind"]) == ("unsupported", "dice")


async def test_a_press_stands_where_it_happened_and_not_at_its_question(hub: HubUnderTest) -> None:
    """Telegram does not say when a button was pressed: the hub's own time stands for it."""
    channel = await hub.connect()
    question = telegram_text(7, "Passt Dienstag?", message_id=70)["message"]
    question["reply_markup"] = {"inline_keyboard": [[{"text": "Ja", "callback_data": "1"}]]}
    hub.clock.advance(days=2)
    await hub.deliver(channel, telegram_text(8, "Moment …", message_id=71, at=int(hub.clock().timestamp()) - 60))
    query = {"id": "22010000123456789", "from": question["from"], "message": question, "data": "1"}
    await hub.deliver(channel, {"update_id": 9, "callback_query": query})
    await ingest.drain(hub.runtime, hub.organisation_id, channel.id, hub.worker_id)
    rows = await hub.rows("SELECT kind, text, content FROM message ORDER BY at, sequence, seq")
    assert [(row["kind"], row["text"]) for row in rows] == [("text", "Moment …"), ("interactive", "Ja")]
    assert rows[1]["content"] == {"option": "1", "reply_to": "m::5123456789:70"}


async def test_an_update_that_is_no_message_is_parked_with_its_reason(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    await hub.deliver(channel, {"update_id": 6, "poll_answer": {"poll_id": "1", "option_ids": [0]}})
    await hub.settle()
    row = (await hub.rows("SELECT state, why FROM delivery_result"))[0]
    assert row["state"] == "ignored"
    assert row["why"].startswith("poll_answer: ")
    assert await hub.value("SELECT count(*) FROM webhook_delivery WHERE state = 'ignored'") == 1


async def test_a_nonce_serves_one_message(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """threema.md, 3: a sealed message that comes again under another id is dropped, in one batch as in two."""
    channel = await hub.connect()
    kind = hub.runtime.connectors.get("telegram")
    real = kind.parse

    def sealed(self: object, request: RawRequest, account: Account[Any]) -> list[Event]:
        events: list[Any] = list(real(request, account))
        return [replace(event, nonce=event.content.text[0]) for event in events]

    monkeypatch.setattr(type(kind), "parse", sealed)
    for number, text in enumerate(("a eins", "a eins", "b zwei"), start=1):
        await hub.deliver(channel, telegram_text(number, text))
    await hub.settle()
    for number, text in ((3, "b zwei"), (4, "b zwei"), (5, "c drei")):
        await hub.deliver(channel, telegram_text(number, text))
    await hub.settle()
    assert await thread(hub) == ["a eins", "b zwei", "c drei"]
    assert await hub.value("SELECT count(*) FROM delivery_result WHERE state = 'applied'") == 6


async def test_a_start_carries_its_payload(hub: HubUnderTest) -> None:
    """telegram.md, 5.2."""
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(2, "/start optin_c7Yx2-Qk"))
    await hub.settle()
    assert (await hub.value("SELECT content FROM message"))["start"] == "optin_c7Yx2-Qk"


async def test_a_new_message_reopens_a_done_conversation_with_an_event_line(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(1, "erste"))
    await hub.settle()
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE conversation SET state = 'done'")
    assert await counters(hub) == {"done": 1}
    await hub.deliver(channel, telegram_text(2, "zweite"))
    await hub.settle()
    assert await counters(hub) == {"all": 1, "all.us": 1, "unassigned": 1, "unassigned.us": 1}
    events = await hub.rows("SELECT content FROM message WHERE direction = 'event'")
    assert [row["content"] for row in events] == [{"event": "reopened"}]
    assert await hub.value("SELECT count(*) FROM conversation") == 1


async def test_one_bad_delivery_costs_the_others_nothing(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """I1: the failing delivery is dead with its cause, the rest of its batch is applied, and a replay heals it."""
    channel = await hub.connect()
    for number in range(1, 6):
        await hub.deliver(channel, telegram_text(number, f"Nr. {number}"))
    real = apply.apply_events

    async def fails_on_three(*arguments: Any) -> None:
        if any(b"Nr. 3" in delivery.body for delivery in arguments[3]):
            raise ValueError("cannot")
        await real(*arguments)

    monkeypatch.setattr(ingest, "apply_events", fails_on_three)
    await hub.settle()
    assert await thread(hub) == ["Nr. 1", "Nr. 2", "Nr. 4", "Nr. 5"]
    dead = await hub.rows("SELECT delivery_id, why FROM delivery_result WHERE state = 'dead'")
    assert [row["why"] for row in dead] == ["apply: ValueError"]
    monkeypatch.setattr(ingest, "apply_events", real)
    assert await ingest.replay(hub.runtime, hub.organisation_id, delivery_ids=[dead[0]["delivery_id"]]) == 1
    await hub.settle()
    assert await thread(hub) == ["Nr. 1", "Nr. 2", "Nr. 3", "Nr. 4", "Nr. 5"]


async def test_a_statement_that_is_wrong_is_not_tried_for_ever(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """I1: a defect of ours is no trouble of the store, although the driver uses the same word for both: a dead letter at once."""
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(1, "Nr. 1"))

    async def wrong(*arguments: Any) -> None:
        await arguments[1].sql.fetchval("SELECT $1::int")

    monkeypatch.setattr(ingest, "apply_events", wrong)
    await hub.settle()
    assert await hub.value("SELECT why FROM delivery_result WHERE state = 'dead'") == "apply: DriverMisused"


async def test_a_defect_of_a_connector_stops_no_lane(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """I1: whatever goes wrong with one delivery, it ends as a dead letter with its cause, and the others are applied."""
    channel = await hub.connect()
    for number in (1, 2, 3):
        await hub.deliver(channel, telegram_text(number, f"Nr. {number}"))
    kind = hub.runtime.connectors.get("telegram")
    real = kind.parse

    def broken(request: RawRequest, account: Account[Any]) -> Sequence[Event]:
        if b"Nr. 2" in request.body:
            raise AttributeError("a defect")
        return real(request, account)

    monkeypatch.setattr(type(kind), "parse", lambda self, request, account: broken(request, account))
    await hub.settle()
    assert await thread(hub) == ["Nr. 1", "Nr. 3"]
    assert [tuple(row) for row in await hub.rows("SELECT state, why FROM delivery_result WHERE state = 'dead'")] == [
        ("dead", "apply: AttributeError")
    ]


async def test_a_range_of_dead_letters_is_replayed_and_still_applied_once(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    await hub.deliver(channel, b"broken")
    hub.clock.advance(hours=1)
    for _ in range(3):
        await hub.deliver(channel, b"broken too")
    await hub.settle()
    since = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
    assert await ingest.replay(hub.runtime, hub.organisation_id, since=since) == 3
    await hub.settle()
    assert await hub.value("SELECT count(*) FROM webhook_delivery WHERE state = 'dead'") == 4


async def test_a_replay_of_what_was_applied_before_doubles_nothing(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(1, "einmal"))
    await hub.settle()
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE webhook_delivery SET state = 'dead'")
    await ingest.replay(hub.runtime, hub.organisation_id, since=datetime(2026, 1, 1, tzinfo=UTC))
    await hub.settle()
    assert await thread(hub) == ["einmal"]


async def probe_message(hub: HubUnderTest) -> Any:
    """An outgoing message whose provider key is `sent-1`."""
    probe = await hub.connect("probe")
    await hub.deliver(probe, [{"type": "message", "key": "p1", "at": NOW, "from": "anna", "text": "Hallo"}])
    await hub.settle()
    return probe


async def sent_by_us(hub: HubUnderTest, channel_id: Any, key: str) -> Any:
    """A message of ours that the provider has accepted under this key."""
    conversation_id = await hub.value("SELECT id FROM conversation WHERE channel_id = $1", channel_id)
    message_id = await hub.reply(conversation_id, "Guten Tag!")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE message SET state = 'accepted' WHERE id = $1", message_id)
        await unit.sql.execute("UPDATE message_part SET state = 'accepted' WHERE message_id = $1", message_id)
        await unit.sql.execute(
            "INSERT INTO provider_key VALUES ($1, $2, $3, $4, 0)", hub.organisation_id, channel_id, key, message_id
        )
    return message_id


@given(st.lists(st.sampled_from(["sent", "delivered", "read", "failed"]), max_size=8), st.randoms())
def test_status_order_does_not_depend_on_the_order_of_reports(reports: list[str], random: Any) -> None:
    """I3: status only moves forward; any order of the same reports ends the same."""

    def after(sequence: list[str]) -> str:
        state = "accepted"
        for report in sequence:
            before, state = state, furthest(state, report)
            assert ORDER.index(state) >= ORDER.index(before)
        return state

    shuffled = list(reports)
    random.shuffle(shuffled)
    assert after(reports) == after(shuffled)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(["sent", "delivered", "read"]), batch=st.booleans())
async def test_statuses_in_any_order_end_at_read(hub: HubUnderTest, order: list[str], batch: bool) -> None:
    """I3: a late `delivered` never undoes `read`."""
    if not await hub.value("SELECT count(*) FROM channel"):
        await probe_message(hub)
    channel_id = await hub.value("SELECT id FROM channel")
    channel = await ingest.load_channel(hub.runtime, hub.organisation_id, channel_id)
    key = f"sent-{ids.new_id().hex}"
    message_id = await sent_by_us(hub, channel_id, key)
    events = [{"type": "status", "key": f"{key}-{status}", "at": NOW, "target": key, "status": status} for status in order]
    for delivery in [events] if batch else [[event] for event in events]:
        headers = {"x-probe-secret": channel.account.webhook_secrets[0]}
        path = f"/hooks/probe/{ids.show('chn', channel_id)}"
        await hub.browser().post(path, content=json.dumps(delivery).encode(), headers=headers)
        await ingest.drain(hub.runtime, hub.organisation_id, channel_id, hub.worker_id)
    assert await hub.value("SELECT state FROM message WHERE id = $1", message_id) == "read"


async def test_an_edit_for_a_message_not_known_yet_waits_for_it(hub: HubUnderTest) -> None:
    """I3: parked in pending_effect, applied when the key appears."""
    probe = await hub.connect("probe")
    await hub.deliver(probe, [{"type": "edit", "key": "e1", "at": NOW + 5, "target": "p1", "text": "verbessert"}])
    await hub.settle()
    assert await hub.value("SELECT count(*) FROM pending_effect") == 1
    await hub.deliver(probe, [{"type": "message", "key": "p1", "at": NOW, "from": "anna", "text": "vertippt"}])
    await hub.settle()
    row = (await hub.rows("SELECT text, edited_at FROM message"))[0]
    assert (row["text"], row["edited_at"]) == ("verbessert", datetime(2026, 11, 24, 9, 0, 5, tzinfo=UTC))
    assert await hub.value("SELECT count(*) FROM pending_effect") == 0


async def test_edits_in_any_order_end_with_the_newest(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(1, "eins", message_id=50))
    for number, text, at in ((3, "drei", NOW + 30), (2, "zwei", NOW + 20)):
        edit = telegram_text(number, text, message_id=50)
        edit["edited_message"] = edit.pop("message") | {"edit_date": at}
        await hub.deliver(channel, edit)
        await hub.settle()
    assert await thread(hub) == ["drei"]


async def test_parked_effects_are_dropped_after_30_days(hub: HubUnderTest) -> None:
    probe = await hub.connect("probe")
    await hub.deliver(probe, [{"type": "edit", "key": "e1", "at": NOW, "target": "never", "text": "x"}])
    await hub.settle()
    hub.clock.advance(days=29)
    await sweeper.keep_house(hub.runtime)
    assert await hub.value("SELECT count(*) FROM pending_effect") == 1
    hub.clock.advance(days=2)
    await sweeper.keep_house(hub.runtime)
    assert await hub.value("SELECT count(*) FROM pending_effect") == 0


async def test_counters_are_the_same_before_and_after_folding(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    for number in range(1, 8):
        await hub.deliver(channel, telegram_text(number, "x", user=1000 + number))
    await hub.settle()
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE conversation SET state = 'done' WHERE id IN (SELECT id FROM conversation LIMIT 3)")
    before = await counters(hub)
    assert before == {"all": 4, "all.us": 4, "unassigned": 4, "unassigned.us": 4, "done": 3}
    await sweeper.keep_house(hub.runtime)
    assert await counters(hub) == before
    assert await hub.value("SELECT count(*) FROM conversation_counter") == 5


async def test_raw_days_are_dropped_by_age_and_dead_letters_stay(hub: HubUnderTest) -> None:
    """Raw bodies 14 days, dead letters until decided; hash, state and result stay."""
    channel = await hub.connect()
    await sweeper.keep_house(hub.runtime)
    await hub.deliver(channel, telegram_text(1, "gut"))
    await hub.deliver(channel, b"broken")
    await hub.settle()
    hub.clock.advance(days=16)
    await sweeper.keep_house(hub.runtime)
    rows = await hub.rows("SELECT state, body FROM webhook_delivery")
    assert [(row["state"], row["body"]) for row in rows] == [("dead", b"broken")]
    assert await hub.value("SELECT count(*) FROM delivery_result") == 2


@pytest.mark.parametrize("message_id", [2**63, 2**64 - 1])
async def test_a_number_that_fits_nowhere_stops_no_lane(hub: HubUnderTest, message_id: int) -> None:
    """I1: a number beyond 64 bits is the delivery's fault and not the database's: a dead letter, and the lane goes on."""
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(1, "Zu groß", message_id=message_id))
    await hub.deliver(channel, telegram_text(2, "Danach"))
    await hub.settle()
    assert await thread(hub) == ["Danach"]
    assert await hub.value("SELECT state FROM delivery_result WHERE state = 'dead'") == "dead"
