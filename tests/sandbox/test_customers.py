"""What people do on their phones has the shapes of the provider file, section 5: each update against its sample there."""

from typing import Any

import pytest

from hub.core import clock
from hub.core.clock import FakeClock
from tests.sandbox.support import BOT, Hook, Simulated

CHATS = f"/bots/{BOT}/chats"
GROUP = -1001987654321


def shape(value: Any) -> Any:
    """Names of fields and kinds of values; the values themselves do not matter."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    return [shape(one) for one in value[:1]] if isinstance(value, list) else type(value).__name__


PERSON = {"id": 5123456789, "is_bot": False, "first_name": "Jörg"}
CHAT = {"id": 5123456789, "first_name": "Jörg", "type": "private"}
FRAME = {"message_id": 5023, "from": PERSON, "chat": CHAT, "date": 1765441330}
PLACE = {"latitude": 47.376887, "longitude": 8.541694}
OPTION = {"persistent_id": "0", "text": "Rot", "voter_count": 0}
SAMPLES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"text": "Hallo"}, {"text": "Hallo"}),
    ({"start": "optin_c7Yx2-Qk"}, {"text": "x", "entities": [{"offset": 0, "length": 6, "type": "bot_command"}]}),
    ({"sample": "location"}, {"location": PLACE}),
    ({"sample": "live_location"}, {"location": PLACE | {"horizontal_accuracy": 35.0, "live_period": 900}}),
    ({"sample": "venue"}, {"location": PLACE, "venue": {"location": PLACE, "title": "x", "address": "x"}}),
    ({"sample": "contact"}, {"contact": {"phone_number": "491701234567", "first_name": "Jörg", "user_id": 5123456789}}),
    ({"sample": "contact_foreign"}, {"contact": {"phone_number": "x", "first_name": "x", "last_name": "x"}}),
    (
        {"sample": "poll"},
        {
            "poll": {"id": "5312345678901234567", "question": "Welche Farbe?", "options": [OPTION], "total_voter_count": 0}
            | {"is_closed": False, "is_anonymous": True, "type": "regular", "allows_multiple_answers": False}
            | {"allows_revoting": True, "members_only": False}
        },
    ),
    ({"sample": "dice"}, {"dice": {"emoji": "🎲", "value": 5}}),
    (
        {"text": "Weitergeleitet", "forward": "K. M."},
        {"forward_origin": {"type": "hidden_user", "date": 1765000000, "sender_user_name": "K. M."}, "text": "Weitergeleitet"},
    ),
    ({"text": "**fett**", "is_typed": True}, {"text": "fett", "entities": [{"offset": 0, "length": 4, "type": "bold"}]}),
]


@pytest.mark.parametrize(("what", "fields"), SAMPLES)
async def test_messages(simulated: Simulated, hook: Hook, what: dict[str, Any], fields: dict[str, Any]) -> None:
    person = await simulated.person()
    await simulated.send(person, **what)
    (arrived,) = await hook.wait_for(1)
    assert shape(arrived.update) == shape({"update_id": 1, "message": FRAME | fields})


async def test_an_own_contact_is_proven(simulated: Simulated) -> None:
    """5.8: `user_id` equals `from.id` only on the own card."""
    person = await simulated.person()
    assert (await simulated.send(person, sample="contact"))["contact"]["user_id"] == person
    assert "user_id" not in (await simulated.send(person, sample="contact_foreign"))["contact"]


async def test_a_reply_with_a_quote(simulated: Simulated, hook: Hook) -> None:
    """5.9: the whole original, and the part of it that is meant, in UTF-16 units."""
    person = await simulated.person()
    await simulated.write(person, "Hallo")
    sent = (await simulated.call("sendMessage", chat_id=person, text="😀 Ihr Termin ist um 10 Uhr.")).json()["result"]
    await simulated.send(person, text="Geht auch 11?", reply_to=sent["message_id"], quote="um 10 Uhr")
    message = (await hook.wait_for(2))[1].update["message"]
    assert message["reply_to_message"] == sent
    assert message["quote"] == {"text": "um 10 Uhr", "position": 18, "is_manual": True}


async def test_edits(simulated: Simulated, hook: Hook) -> None:
    """5.8 and 5.10: the same message_id and date, a new edit_date; a caption and a live location change as well as a text."""
    person = await simulated.person()
    text = await simulated.send(person, text="eins", date=1765441201)
    photo = await simulated.send(person, sample="photo", caption="alt")
    live = await simulated.send(person, sample="live_location")
    path = f"{CHATS}/{person}/messages"
    await simulated.control("PATCH", f"{path}/{text['message_id']}", {"text": "zwei"})
    await simulated.control("PATCH", f"{path}/{photo['message_id']}", {"text": "neu"})
    await simulated.control("PATCH", f"{path}/{live['message_id']}", {"location": {"latitude": 47.6}})
    one, two, three = [arrived.update["edited_message"] for arrived in (await hook.wait_for(6))[3:]]
    assert (one["message_id"], one["date"], one["text"]) == (text["message_id"], 1765441201, "zwei") and one["edit_date"]
    assert (two["caption"], two["photo"]) == ("neu", photo["photo"])
    assert three["location"] == live["location"] | {"latitude": 47.6}
    fixed = await simulated.send(person, sample="location")
    refused = await simulated.http.patch(
        f"{simulated.address}/control{path}/{fixed['message_id']}", json={"location": {"latitude": 1}}
    )
    assert refused.status_code == 409


@pytest.mark.parametrize("blocked", [True, False])
async def test_block_and_unblock(simulated: Simulated, hook: Hook, blocked: bool) -> None:
    """5.12, to the field."""
    person = await simulated.person(username="joerg_oe", language_code="de")
    await simulated.block(person)
    if not blocked:
        await simulated.block(person, False)
    update = (await hook.wait_for(1 if blocked else 2))[-1].update
    bot = {"id": BOT, "is_bot": True, "first_name": "Muster Optik", "username": "muster_optik_bot"}
    member, kicked = {"user": bot, "status": "member"}, {"user": bot, "status": "kicked", "until_date": 0}
    user = {"id": person, "is_bot": False, "first_name": "Jörg", "username": "joerg_oe"}
    assert update["my_chat_member"] == {
        "chat": {"id": person, "first_name": "Jörg", "username": "joerg_oe", "type": "private"},
        "from": user | {"language_code": "de"},
        "date": update["my_chat_member"]["date"],
        "old_chat_member": member if blocked else kicked,
        "new_chat_member": kicked if blocked else member,
    }


# Groups and channels


async def test_a_group(simulated: Simulated, hook: Hook) -> None:
    """People write and react there, the bot answers, is removed (403), and the group moves to another id (400 with the new one)."""
    await simulated.call("setWebhook", url=hook.address, allowed_updates=["message", "message_reaction", "my_chat_member"])
    person = await simulated.person()
    group = f"/bots/{BOT}/groups/{GROUP}"
    await simulated.control("POST", f"/bots/{BOT}/groups", {"id": GROUP, "title": "Team", "person": person})
    said = await simulated.control("POST", f"{group}/messages", {"person": person, "text": "Wer fährt mit?"})
    await simulated.control("POST", f"{group}/reactions", {"person": person, "message_id": said["message_id"], "emoji": "👍"})
    await hook.wait_for(2)
    updates = {list(one.update)[1]: one.update for one in hook.arrived}
    assert updates["message"]["message"]["chat"] == {"id": GROUP, "title": "Team", "type": "supergroup"}
    reaction = updates["message_reaction"]["message_reaction"]
    assert (reaction["old_reaction"], reaction["new_reaction"]) == ([], [{"type": "emoji", "emoji": "👍"}])
    assert (await simulated.call("sendMessage", chat_id=GROUP, text="Ich")).json()["result"]["chat"]["id"] == GROUP
    await simulated.control("POST", f"{group}/block", {})
    kicked = await simulated.call("sendMessage", chat_id=GROUP, text="Ich")
    assert (kicked.status_code, kicked.json()["description"]) == (403, "Forbidden: bot was kicked from the supergroup chat")
    await simulated.control("POST", f"{group}/unblock", {})
    moved = await simulated.control("POST", f"{group}/migrate", {"to": -1002233445566})
    assert moved["message"]["migrate_to_chat_id"] == -1002233445566
    answer = (await simulated.call("sendMessage", chat_id=GROUP, text="Ich")).json()
    assert answer["description"] == "Bad Request: group chat was upgraded to a supergroup chat"
    assert answer["parameters"] == {"migrate_to_chat_id": -1002233445566}
    assert (await simulated.call("sendMessage", chat_id=-1002233445566, text="Ich")).json()["ok"] is True
    own_chat = (await simulated.phone(person))["entries"]
    assert [line["text"] for line in own_chat] == ["message", "message_reaction"]


async def test_a_channel_post_has_no_person(simulated: Simulated, hook: Hook) -> None:
    person = await simulated.person()
    await simulated.control("POST", f"/bots/{BOT}/groups", {"id": GROUP, "title": "News", "type": "channel", "person": person})
    await simulated.control("POST", f"/bots/{BOT}/groups/{GROUP}/messages", {"person": person, "text": "Neu"})
    (arrived,) = await hook.wait_for(1)
    post = arrived.update["channel_post"]
    assert "from" not in post and post["sender_chat"] == post["chat"] == {"id": GROUP, "title": "News", "type": "channel"}


# Business accounts


async def test_a_business_account(simulated: Simulated, hook: Hook) -> None:
    """5.13: connection, both directions, edit, deletion; the bot answers with the connection's id and without a keyboard."""
    person, owner = await simulated.person(), await simulated.person(611222333, "Optik")
    base, connection = f"/bots/{BOT}/business", "bc_Xk29aLq0"
    await simulated.control("POST", base, {"id": connection, "owner": owner})
    chat = f"{base}/{connection}/chats/{person}"
    asked = await simulated.control("POST", f"{chat}/messages", {"text": "Hallo, noch offen?"})
    await simulated.control("POST", f"{chat}/messages", {"text": "Ja, bis 18 Uhr", "by_owner": True})
    await simulated.control("PATCH", f"{chat}/messages/{asked['message_id']}", {"text": "Hallo, heute noch offen?"})
    await simulated.control("POST", f"{chat}/delete", {"message_ids": [asked["message_id"]]})
    arrived = [one.update for one in await hook.wait_for(5)]
    (made,) = [one["business_connection"] for one in arrived if "business_connection" in one]
    assert (made["id"], made["user_chat_id"], made["rights"]["can_reply"], made["is_enabled"]) == (connection, owner, True, True)
    messages = [one["business_message"] for one in arrived if "business_message" in one]
    assert [(one["from"]["id"], one["chat"]["id"], one["business_connection_id"]) for one in messages] == [
        (person, person, connection),
        (owner, person, connection),
    ]
    (deleted,) = [one["deleted_business_messages"] for one in arrived if "deleted_business_messages" in one]
    assert deleted == {"business_connection_id": connection, "chat": CHAT, "message_ids": [asked["message_id"]]}
    told: dict[str, Any] = {"chat_id": person, "business_connection_id": connection, "text": "Gern"}
    sent = (await simulated.call("sendMessage", **told)).json()["result"]
    assert (sent["business_connection_id"], sent["sender_business_bot"]["id"]) == (connection, BOT)
    keys = await simulated.call("sendMessage", reply_markup={"keyboard": [["x"]]}, **told)
    assert keys.json()["description"] == "Bad Request: BUSINESS_REPLY_MARKUP_INVALID"
    fake = FakeClock(clock.now())
    clock.set_clock(fake)
    try:
        fake.advance(hours=25)
        late = await simulated.call("sendMessage", **told)
        assert late.json()["description"] == "Bad Request: BUSINESS_PEER_INVALID"
    finally:
        clock.set_clock(None)
    await simulated.control("POST", base, {"id": connection, "owner": owner, "is_enabled": False})
    assert (await simulated.call("sendMessage", **told)).json()["description"] == "Bad Request: business connection not found"
