"""From the composer to the provider: gate, claim, permit, attempt, result (I3, I4, I5)."""

import asyncio
import json
from typing import Any
from uuid import UUID

import httpx
import pytest
import respx

from hub.channels import service as channels
from hub.channels.accounts import read_channel
from hub.consent.gate import SendBlocked
from hub.core import ids, lanes
from hub.core.errors import InvalidInput, NotFound
from hub.inbox.models import BULK
from hub.inbox.sending import actions, claiming, dispatch
from tests.support import TOKEN, Connected, HubUnderTest, telegram_text

NOW = 1795510800
SEND = f"https://api.telegram.org/bot{TOKEN}/sendMessage"


@pytest.fixture
async def telegram(hub: HubUnderTest) -> Connected:
    """A Telegram channel on which Jörg (5123456789) has written."""
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(1, "Hallo", message_id=1))
    await hub.settle()
    return channel


@pytest.fixture
async def conversation(hub: HubUnderTest, telegram: Connected) -> UUID:
    return UUID(str(await hub.value("SELECT id FROM conversation")))


def accepted(message_id: int = 5050) -> httpx.Response:
    chat = {"id": 5123456789, "first_name": "Jörg", "type": "private"}
    bot = {"id": 7012345678, "is_bot": True, "first_name": "Muster Optik"}
    result = {"message_id": message_id, "from": bot, "chat": chat, "date": NOW + 60, "text": "…"}
    return httpx.Response(200, json={"ok": True, "result": result})


def refused(code: int, description: str, **parameters: Any) -> httpx.Response:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    if parameters:
        body["parameters"] = parameters
    return httpx.Response(code, json=body)


async def state(hub: HubUnderTest, message_id: UUID) -> tuple[str, str]:
    row = (await hub.rows("SELECT state, failure FROM message WHERE id = $1", message_id))[0]
    return row["state"], row["failure"]


async def outcomes(hub: HubUnderTest) -> list[str]:
    return [row["outcome"] for row in await hub.rows("SELECT outcome FROM attempt ORDER BY permit_at, no")]


@respx.mock
async def test_a_reply_reaches_the_customer_once(hub: HubUnderTest, conversation: UUID) -> None:
    route = respx.post(SEND).mock(return_value=accepted())
    message_id = await hub.reply(conversation, "Guten Tag!")
    assert await state(hub, message_id) == ("queued", "")
    await hub.settle()
    assert route.call_count == 1
    sent = json.loads(route.calls[0].request.content)
    assert (sent["chat_id"], sent["text"]) == (5123456789, "Guten Tag!")
    assert await state(hub, message_id) == ("sent", "")
    assert await outcomes(hub) == ["accepted"]
    assert await hub.value("SELECT message_id FROM provider_key WHERE key = 'm::5123456789:5050'") == message_id
    row = (await hub.rows("SELECT turn, last_text, last_direction FROM conversation"))[0]
    assert tuple(row) == ("customer", "Guten Tag!", "out")


@respx.mock
async def test_the_record_of_a_message_names_member_and_session(hub: HubUnderTest, conversation: UUID) -> None:
    """R-047: sending user and session id are present."""
    message_id = await hub.reply(conversation, "Guten Tag!")
    row = (await hub.rows("SELECT author_id, session_id FROM message WHERE id = $1", message_id))[0]
    assert (row["author_id"], row["session_id"]) == (hub.owner.member_id, hub.owner.session_id)


@respx.mock
async def test_a_double_click_sends_once(hub: HubUnderTest, conversation: UUID) -> None:
    route = respx.post(SEND).mock(return_value=accepted())
    same = await asyncio.gather(*(hub.reply(conversation, "Ja", client_key="click-1") for _ in range(4)))
    await hub.settle()
    assert len(set(same)) == 1
    assert route.call_count == 1


@respx.mock
async def test_every_decision_is_kept(hub: HubUnderTest, conversation: UUID) -> None:
    """I4: the decision at submit is a row beside the message; the attempt carries permit time and facts version."""
    respx.post(SEND).mock(return_value=accepted())
    message_id = await hub.reply(conversation, "Guten Tag!")
    await hub.settle()
    rows = await hub.rows("SELECT stage, verdict, rule, message_id, member_id FROM gate_decision")
    assert [tuple(row) for row in rows] == [("submit", "allow", "reply", message_id, hub.owner.member_id)]
    assert len(await hub.value("SELECT facts_version FROM attempt")) > 0


@pytest.mark.parametrize("text", ["", "   \n ", "\x00"[:0]])
async def test_an_empty_message_is_refused(hub: HubUnderTest, conversation: UUID, text: str) -> None:
    with pytest.raises(InvalidInput):
        await hub.reply(conversation, text)


async def test_a_foreign_conversation_is_not_found(hub: HubUnderTest, conversation: UUID) -> None:
    with pytest.raises(NotFound):
        await hub.reply(ids.new_id(), "Hallo")


@respx.mock
async def test_who_said_stop_is_not_written_to(hub: HubUnderTest, telegram: Connected, conversation: UUID) -> None:
    """R-223 in part: the word is recorded with the message and confirmed once, the reply refused, only the decision kept."""
    route = respx.post(SEND).mock(return_value=accepted())
    await hub.deliver(telegram, telegram_text(2, "Stopp!", at=NOW + 5))
    await hub.settle()
    with pytest.raises(SendBlocked) as refusal:
        await hub.reply(conversation, "Aber …")
    assert refusal.value.decision.rule == "opted_out"
    assert (refusal.value.http_status, route.call_count) == (409, 1)
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'out' AND author_id IS NOT NULL") == 0
    assert {row["rule"] for row in await hub.rows("SELECT rule FROM gate_decision")} == {"opt_out_receipt", "opted_out"}
    assert await hub.value("SELECT kind FROM consent_entry") == "opt_out"
    await hub.deliver(telegram, telegram_text(3, "Doch noch eine Frage", at=NOW + 60))
    await hub.settle()
    route.mock(return_value=accepted())
    await hub.reply(conversation, "Gern.")
    await hub.settle()
    assert route.call_count == 2


def blocked(update_id: int, status: str, at: int) -> dict[str, Any]:
    """telegram.md, 5.12."""
    bot = {"id": 7012345678, "is_bot": True, "first_name": "Muster Optik", "username": "muster_optik_bot"}
    return {
        "update_id": update_id,
        "my_chat_member": {
            "chat": {"id": 5123456789, "first_name": "Jörg", "username": "joerg_oe", "type": "private"},
            "from": {"id": 5123456789, "is_bot": False, "first_name": "Jörg"},
            "date": at,
            "old_chat_member": {"user": bot, "status": "member" if status == "kicked" else "kicked"},
            "new_chat_member": {"user": bot, "status": status},
        },
    }


@respx.mock
async def test_a_block_stops_what_is_queued_and_unblocking_makes_reachable(
    hub: HubUnderTest, telegram: Connected, conversation: UUID
) -> None:
    """R-223: five queued messages, none is sent after it."""
    route = respx.post(SEND).mock(return_value=accepted())
    queued = [await hub.reply(conversation, f"Nr. {number}") for number in range(5)]
    await hub.deliver(telegram, blocked(882100120, "kicked", NOW + 10))
    await ingest_only(hub, telegram)
    assert {await state(hub, message_id) for message_id in queued} == {("failed", "person_blocked")}
    await hub.settle()
    assert route.call_count == 0
    await hub.deliver(telegram, blocked(882100131, "member", NOW + 3600))
    await hub.settle()
    await hub.reply(conversation, "Willkommen zurück")
    await hub.settle()
    assert route.call_count == 1


async def ingest_only(hub: HubUnderTest, channel: Connected) -> None:
    from hub.inbox.arriving import ingest

    await ingest.drain(hub.runtime, hub.organisation_id, channel.id, hub.worker_id)


@respx.mock
async def test_five_queued_messages_and_a_stop_send_nothing(hub: HubUnderTest, telegram: Connected, conversation: UUID) -> None:
    """R-223: given 5 queued messages (not yet claimed), when STOP is recorded, then none is sent after it."""
    route = respx.post(SEND).mock(return_value=accepted())
    for number in range(5):
        await hub.reply(conversation, f"Nr. {number}")
    await hub.deliver(telegram, telegram_text(2, "STOP", at=NOW + 5))
    await ingest_only(hub, telegram)
    await hub.settle()
    texts = [json.loads(call.request.content)["text"] for call in route.calls]
    assert len(texts) == 1 and texts[0].startswith("Sie sind abgemeldet"), "the one message that a stop is answered with"
    failed = await hub.rows("SELECT failure FROM message WHERE direction = 'out' AND state = 'failed'")
    assert [row["failure"] for row in failed] == ["opted_out"] * 5


@respx.mock
async def test_the_kill_switch_fails_ten_queued_messages(hub: HubUnderTest, telegram: Connected, conversation: UUID) -> None:
    """R-183: 10 queued messages, none is sent and all have `channel_blocked`; inbound is still stored."""
    route = respx.post(SEND).mock(return_value=accepted())
    for number in range(10):
        await hub.reply(conversation, f"Nr. {number}")
    await channels.block_channel(hub.runtime, hub.owner, telegram.id, "law")
    await hub.settle()
    rows = await hub.rows("SELECT state, failure FROM message WHERE direction = 'out'")
    assert [tuple(row) for row in rows] == [("failed", "channel_blocked")] * 10
    assert route.call_count == 0
    with pytest.raises(SendBlocked) as refusal:
        await hub.reply(conversation, "noch eine")
    assert refusal.value.decision.rule == "channel_blocked"


@respx.mock
async def test_429_waits_as_long_as_the_provider_says(hub: HubUnderTest, conversation: UUID) -> None:
    """telegram.md, 9: wait at least `retry_after` seconds; a retry is a new attempt."""
    route = respx.post(SEND)
    route.side_effect = [refused(429, "Too Many Requests: retry after 17", retry_after=17), accepted()]
    message_id = await hub.reply(conversation, "Hallo")
    await hub.settle()
    assert (await state(hub, message_id))[0] == "queued"
    hub.clock.advance(seconds=16)
    await hub.settle()
    assert route.call_count == 1
    hub.clock.advance(seconds=1.5)
    await hub.runtime.queue.redis.flushdb()  # the channel's pause runs on machine time
    await hub.settle()
    assert (route.call_count, await state(hub, message_id)) == (2, ("sent", ""))
    assert await outcomes(hub) == ["retry", "accepted"]


@respx.mock
async def test_403_blocked_is_an_opt_out_even_when_the_update_was_missed(hub: HubUnderTest, conversation: UUID) -> None:
    """telegram.md, 10."""
    respx.post(SEND).mock(return_value=refused(403, "Forbidden: bot was blocked by the user"))
    message_id = await hub.reply(conversation, "Hallo")
    await hub.settle()
    assert await state(hub, message_id) == ("failed", "recipient_opted_out")
    assert await hub.value("SELECT reach FROM consent_state") == "blocked"
    with pytest.raises(SendBlocked):
        await hub.reply(conversation, "Noch da?")


@respx.mock
async def test_401_pauses_the_channel_and_keeps_the_message(hub: HubUnderTest, telegram: Connected, conversation: UUID) -> None:
    """telegram.md, 10: token revoked: pause the account, alert; nothing is lost."""
    respx.post(SEND).mock(return_value=refused(401, "Unauthorized"))
    message_id = await hub.reply(conversation, "Hallo")
    await hub.settle()
    assert (await state(hub, message_id))[0] == "queued"
    assert tuple((await hub.rows("SELECT health, health_cause FROM channel"))[0]) == ("attention", "auth_failed")


@respx.mock
@pytest.mark.parametrize(
    ("code", "words", "failure"),
    [
        (400, "Bad Request: message is too long", "rejected"),
        (400, "Bad Request: chat not found", "unreachable"),
        (403, "Forbidden: bot can't initiate conversation with a user", "unreachable"),
    ],
)
async def test_a_refusal_is_final_with_the_providers_words(
    hub: HubUnderTest, conversation: UUID, code: int, words: str, failure: str
) -> None:
    respx.post(SEND).mock(return_value=refused(code, words))
    message_id = await hub.reply(conversation, "Hallo")
    await hub.settle()
    assert await state(hub, message_id) == ("failed", failure)
    assert await hub.value("SELECT failure_text FROM message WHERE id = $1", message_id) == words


@respx.mock
@pytest.mark.parametrize("error", [httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("gone"), httpx.ReadError("cut")])
async def test_an_ambiguous_send_is_unknown_and_never_repeated(hub: HubUnderTest, conversation: UUID, error: Exception) -> None:
    """I5, telegram.md 7: there is no idempotency key, so after a time-out the send may have happened."""
    route = respx.post(SEND).mock(side_effect=error)
    message_id = await hub.reply(conversation, "Hallo")
    await hub.settle()
    hub.clock.advance(hours=5)
    await hub.settle()
    assert (route.call_count, await state(hub, message_id)) == (1, ("unknown", "outcome_unknown"))
    await actions.settle_unknown(hub.runtime, hub.owner, message_id)
    assert (await state(hub, message_id))[0] == "unknown"
    assert "settled_by" in await hub.value("SELECT content FROM message WHERE id = $1", message_id)


@respx.mock
async def test_an_unreachable_provider_is_tried_again_with_back_off(hub: HubUnderTest, conversation: UUID) -> None:
    route = respx.post(SEND)
    route.side_effect = [httpx.ConnectError("refused"), httpx.ConnectError("refused"), accepted()]
    message_id = await hub.reply(conversation, "Hallo")
    await hub.settle()
    assert (await state(hub, message_id))[0] == "queued"
    assert await hub.value("SELECT health FROM channel") == "failing"
    for _ in range(4):
        hub.clock.advance(seconds=30)
        await hub.settle()
    assert (route.call_count, await state(hub, message_id)) == (3, ("sent", ""))
    assert await outcomes(hub) == ["retry", "retry", "accepted"]
    assert await hub.value("SELECT health FROM channel") == "healthy"


@respx.mock
async def test_after_a_day_of_trying_the_message_fails_honestly(hub: HubUnderTest, conversation: UUID) -> None:
    respx.post(SEND).mock(side_effect=httpx.ConnectError("refused"))
    message_id = await hub.reply(conversation, "Hallo")
    await hub.settle()
    hub.clock.advance(hours=25)
    await hub.settle()
    assert await state(hub, message_id) == ("failed", "gave_up")


@respx.mock
async def test_a_slow_answer_keeps_nobody_else_waiting(hub: HubUnderTest, telegram: Connected, conversation: UUID) -> None:
    """While one request hangs, what is queued for another person on the same lane leaves."""
    await hub.deliver(telegram, telegram_text(77, "Ich auch", user=777))
    await hub.settle()
    other = await hub.value(
        "SELECT c.id FROM conversation c JOIN identity i ON i.id = c.identity_id WHERE i.provider_user_id = '777'"
    )
    hanging, other_left = asyncio.Event(), asyncio.Event()

    async def provider(request: httpx.Request) -> httpx.Response:
        if json.loads(request.content)["chat_id"] == 777:
            other_left.set()
        else:
            hanging.set()
            await other_left.wait()
        return accepted()

    respx.post(SEND).mock(side_effect=provider)
    await hub.reply(conversation, "Hallo")
    settling = asyncio.create_task(hub.settle())
    async with asyncio.timeout(10):
        await hanging.wait()
        await hub.reply(other, "Hallo auch")
        await settling
    assert [row["state"] for row in await hub.rows("SELECT state FROM message WHERE direction = 'out'")] == ["sent", "sent"]


@respx.mock
async def test_the_order_of_a_conversation_is_kept_over_retries(hub: HubUnderTest, conversation: UUID) -> None:
    route = respx.post(SEND)
    route.side_effect = [httpx.ConnectError("refused"), accepted(1), accepted(2), accepted(3)]
    for number in (1, 2, 3):
        await hub.reply(conversation, f"Nr. {number}")
    await hub.settle()
    assert route.call_count == 1
    for _ in range(3):
        hub.clock.advance(seconds=30)
        await hub.settle()
    assert [json.loads(call.request.content)["text"] for call in route.calls] == ["Nr. 1", "Nr. 1", "Nr. 2", "Nr. 3"]


@respx.mock
async def test_unknown_never_blocks_the_next_message(hub: HubUnderTest, conversation: UUID) -> None:
    route = respx.post(SEND)
    route.side_effect = [httpx.ReadTimeout("slow"), accepted()]
    await hub.reply(conversation, "Nr. 1")
    second = await hub.reply(conversation, "Nr. 2")
    await hub.settle()
    assert (await state(hub, second))[0] == "sent"


@respx.mock
async def test_chat_goes_before_bulk(hub: HubUnderTest, telegram: Connected, conversation: UUID) -> None:
    route = respx.post(SEND).mock(return_value=accepted())
    for number in range(6):
        await hub.reply(conversation, f"Rundbrief {number}", priority=BULK)
    await hub.reply(conversation, "Antwort")
    await hub.settle()
    texts = [json.loads(call.request.content)["text"] for call in route.calls]
    assert texts[0] == "Antwort"
    assert len(texts) == 7


@respx.mock
async def test_a_long_text_is_split_and_a_failed_part_stops_the_later_ones(hub: HubUnderTest, conversation: UUID) -> None:
    route = respx.post(SEND)
    route.side_effect = [accepted(1), refused(400, "Bad Request: message is too long")]
    message_id = await hub.reply(conversation, "Wort " * 2000)
    parts = await hub.value("SELECT count(*) FROM message_part WHERE message_id = $1", message_id)
    assert parts == 3
    await hub.settle()
    assert (route.call_count, await state(hub, message_id)) == (2, ("failed", "rejected"))
    route.side_effect = [accepted(2), accepted(3)]
    await actions.resend(hub.runtime, hub.owner, message_id)
    await hub.settle()
    assert (route.call_count, (await state(hub, message_id))[0]) == (4, "sent")


@respx.mock
async def test_an_attempt_left_open_by_a_crash_becomes_unknown(hub: HubUnderTest, telegram: Connected, conversation: UUID) -> None:
    """I5: a message found in `sending` after a crash is not resent by itself."""
    route = respx.post(SEND).mock(return_value=accepted())
    message_id = await hub.reply(conversation, "Hallo")
    lane = await lanes.take(hub.runtime.database, hub.organisation_id, telegram.id, "out", ids.new_id())
    assert lane is not None
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        claims = await claiming.claim(hub.runtime, unit, telegram.id, lane.fence, any_=5, bulk=0)
    assert len(claims) == 1
    assert await lane.let_go()
    await hub.settle()
    assert (route.call_count, await state(hub, message_id)) == (0, ("unknown", "interrupted"))


@respx.mock
async def test_a_result_that_comes_after_the_lane_was_lost_still_counts(
    hub: HubUnderTest, telegram: Connected, conversation: UUID
) -> None:
    """Evidence is never thrown away: the late receipt turns `unknown` into `sent`."""
    from hub.inbox.arriving.ingest import load_channel
    from hub.inbox.sending.results import Result, record_results

    message_id = await hub.reply(conversation, "Hallo")
    lane = await lanes.take(hub.runtime.database, hub.organisation_id, telegram.id, "out", ids.new_id())
    assert lane is not None
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        claims = await claiming.claim(hub.runtime, unit, telegram.id, lane.fence, any_=5, bulk=0)
    await lane.let_go()
    await hub.settle()
    assert (await state(hub, message_id))[0] == "unknown"
    channel = await load_channel(hub.runtime, hub.organisation_id, telegram.id)
    respx.post(SEND).mock(return_value=accepted())
    async with httpx.AsyncClient() as http:
        receipt = await channel.connector.send(claims[0].permit, claims[0].action, channel.account, http)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await record_results(hub.runtime, unit, channel, [Result(claims[0], receipt)])
    assert (await state(hub, message_id))[0] == "sent"


@respx.mock
async def test_a_closed_reply_window_refuses_where_the_messenger_has_one(hub: HubUnderTest) -> None:
    probe = await hub.connect("probe")
    await hub.deliver(probe, [{"type": "message", "key": "p1", "at": NOW, "from": "anna", "text": "Hallo"}])
    await hub.settle()
    conversation_id = await hub.value("SELECT id FROM conversation")
    hub.clock.advance(hours=23, minutes=59)
    await hub.reply(conversation_id, "noch im Fenster")
    hub.clock.advance(minutes=2)
    with pytest.raises(SendBlocked) as refusal:
        await hub.reply(conversation_id, "zu spät")
    assert refusal.value.decision.rule == "window_closed"


@respx.mock
async def test_delivery_and_read_receipts_reach_the_message(hub: HubUnderTest) -> None:
    probe = await hub.connect("probe")
    await hub.deliver(probe, [{"type": "message", "key": "p1", "at": NOW, "from": "anna", "text": "Hallo"}])
    await hub.settle()
    respx.post("https://probe.example/send").respond(json={"id": "out-1", "at": NOW + 1})
    await hub.deliver(probe, [{"type": "status", "key": "s1", "at": NOW + 2, "target": "out-1", "status": "delivered"}])
    await hub.settle()
    message_id = await hub.reply(await hub.value("SELECT id FROM conversation"), "Guten Tag")
    await hub.settle()
    assert (await state(hub, message_id))[0] == "delivered"  # the receipt overtook the answer and waited for it
    await hub.deliver(probe, [{"type": "status", "key": "s2", "at": NOW + 3, "target": "out-1", "status": "read"}])
    await hub.settle()
    assert (await state(hub, message_id))[0] == "read"


async def test_rates_are_shared_and_bulk_never_takes_the_last_token(hub: HubUnderTest) -> None:
    from hub.inbox.sending.rate import Rate

    channel_id = ids.new_id()
    one, two = (Rate(hub.runtime.queue, channel_id, 1000.0) for _ in range(2))
    assert (await one.take(10)).any == 0  # a bucket nobody knows counts as empty
    await asyncio.sleep(0.3)  # rates are machine time: the bucket fills to a quarter of a second
    first = await one.take(200)
    second = await two.take(1000)
    assert first.any == 200
    assert second.any <= 60
    assert second.bulk < second.any


async def test_a_slow_channel_with_nothing_to_send_holds_nobody_up(hub: HubUnderTest, telegram: Connected) -> None:
    """Its next token is a minute away: the lane is let go at once."""
    await hub.value("UPDATE channel SET per_second = 0.01 WHERE id = $1 RETURNING true", telegram.id)
    await hub.runtime.queue.redis.flushdb()  # a bucket nobody knows counts as empty
    clients = dispatch.Clients(frozenset())
    async with asyncio.timeout(5):
        await dispatch.drain(hub.runtime, clients, hub.organisation_id, telegram.id, ids.new_id())
    await clients.close()


async def test_two_workers_never_hold_one_lane(hub: HubUnderTest, telegram: Connected) -> None:
    taken = await asyncio.gather(
        *(lanes.take(hub.runtime.database, hub.organisation_id, telegram.id, "out", ids.new_id()) for _ in range(6))
    )
    holders = [lane for lane in taken if lane is not None]
    assert len(holders) == 1
    assert not await holders[0].let_go()  # the others asked for another look
    assert await holders[0].let_go()


@respx.mock
async def test_two_dispatchers_send_each_message_once(hub: HubUnderTest, telegram: Connected, conversation: UUID) -> None:
    route = respx.post(SEND).mock(return_value=accepted())
    for number in range(8):
        await hub.reply(conversation, f"Nr. {number}")
    clients = [dispatch.Clients(frozenset(), at_once=4) for _ in range(2)]
    await asyncio.gather(*(dispatch.drain(hub.runtime, each, hub.organisation_id, telegram.id, ids.new_id()) for each in clients))
    for each in clients:
        await each.close()
    texts = [json.loads(call.request.content)["text"] for call in route.calls]
    assert texts == [f"Nr. {number}" for number in range(8)]


@respx.mock
async def test_renewed_credentials_hold_for_the_next_message_of_a_running_lane(
    hub: HubUnderTest, telegram: Connected, conversation: UUID
) -> None:
    """While the lane is worked, the token is renewed: what is claimed afterwards leaves with the new one."""
    await hub.deliver(telegram, telegram_text(78, "Ich auch", user=778))
    await hub.settle()
    other = await hub.value(
        "SELECT c.id FROM conversation c JOIN identity i ON i.id = c.identity_id WHERE i.provider_user_id = '778'"
    )
    new_token = "7012345678:AAF-renewed_token_of_thirty_five_ch"
    hanging, other_left = asyncio.Event(), asyncio.Event()

    async def hangs(request: httpx.Request) -> httpx.Response:
        hanging.set()
        await other_left.wait()
        return accepted()

    async def leaves(request: httpx.Request) -> httpx.Response:
        other_left.set()
        return accepted(2)

    respx.post(SEND).mock(side_effect=hangs)
    renewed = respx.post(f"https://api.telegram.org/bot{new_token}/sendMessage").mock(side_effect=leaves)
    await hub.reply(conversation, "Hallo")
    settling = asyncio.create_task(hub.settle())
    async with asyncio.timeout(10):
        await hanging.wait()
        async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
            channel = await read_channel(hub.runtime, unit, telegram.id)
            settings = channel.connector.settings.model_validate({"bot_token": new_token})
            await channels.store_settings(hub.runtime, unit, hub.owner, channel, settings)
        await hub.reply(other, "Hallo auch")
        await settling
    assert renewed.call_count == 1
