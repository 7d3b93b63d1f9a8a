"""Every fault on demand, seen from the bot and from the phone; and what keeps the control API to this machine."""

from time import monotonic
from typing import Any

import httpx
import pytest

from tests.sandbox.support import BOT, TOKEN, Hook, Simulated


async def talking(simulated: Simulated) -> int:
    """A person who has written once."""
    person = await simulated.person()
    await simulated.write(person, "Hallo")
    return person


async def shown(simulated: Simulated, person: int) -> list[str]:
    """What the bot wrote, as it stands on the phone."""
    return [line["message"]["text"] for line in (await simulated.phone(person))["entries"] if line["from"] == "bot"]


async def test_rate_limited(simulated: Simulated) -> None:
    """429 with the seconds to wait in body and header; nothing appears; it ends after its occasions."""
    person = await talking(simulated)
    await simulated.fault("rate_limited", times=1, retry_after=17)
    answer = await simulated.call("sendMessage", chat_id=person, text="x")
    assert answer.status_code == 429 and answer.headers["retry-after"] == "17"
    assert answer.json() == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 17",
        "parameters": {"retry_after": 17},
    }
    assert await shown(simulated, person) == []
    assert (await simulated.call("sendMessage", chat_id=person, text="y")).json()["ok"] is True


async def test_rate_limited_for_some_seconds(simulated: Simulated) -> None:
    """What is left of the time is what the bot is told to wait."""
    person = await talking(simulated)
    await simulated.fault("rate_limited", seconds=20)
    answers = [await simulated.call("sendMessage", chat_id=person, text="x") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429] * 3
    assert all(18 <= answer.json()["parameters"]["retry_after"] <= 20 for answer in answers)
    await simulated.fault("rate_limited", on=False)
    assert (await simulated.call("sendMessage", chat_id=person, text="y")).status_code == 200


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_server_error(simulated: Simulated, status: int) -> None:
    """Before anything was done."""
    person = await talking(simulated)
    await simulated.fault("server_error", times=1, status=status)
    answer = await simulated.call("sendMessage", chat_id=person, text="x")
    assert (answer.status_code, answer.json()["error_code"], answer.json()["ok"]) == (status, status, False)
    assert await shown(simulated, person) == []


async def test_lost_answer(simulated: Simulated) -> None:
    """Done, and it shows on the phone, but the connection breaks before the answer: nobody knows (I5)."""
    person = await talking(simulated)
    await simulated.fault("lost_answer", times=1, delay=0.05)
    with pytest.raises(httpx.RemoteProtocolError):
        await simulated.call("sendMessage", chat_id=person, text="angekommen")
    assert await shown(simulated, person) == ["angekommen"]


async def test_slow(simulated: Simulated) -> None:
    person = await talking(simulated)
    await simulated.fault("slow", times=1, delay=0.2)
    began = monotonic()
    assert (await simulated.call("sendMessage", chat_id=person, text="x")).json()["ok"] is True
    assert monotonic() - began >= 0.2
    assert await shown(simulated, person) == ["x"]


async def test_blocked(simulated: Simulated) -> None:
    """403 as if the person had blocked the bot, while the phone is open."""
    person = await talking(simulated)
    await simulated.fault("blocked", times=1)
    answer = await simulated.call("sendMessage", chat_id=person, text="x")
    assert answer.status_code == 403 and answer.json()["description"] == "Forbidden: bot was blocked by the user"
    assert (await simulated.phone(person))["is_blocked"] is False


async def test_duplicate(simulated: Simulated, hook: Hook) -> None:
    """An accepted update comes a second time, the very same."""
    await simulated.fault("duplicate", times=1)
    person = await simulated.person()
    await simulated.write(person, "doppelt")
    arrived = await hook.wait_for(2)
    assert arrived[0].update == arrived[1].update
    await simulated.settled()
    await simulated.write(person, "einmal")
    await hook.wait_for(3)
    await simulated.settled()
    assert hook.texts == ["doppelt", "doppelt", "einmal"]


async def test_reorder(simulated: Simulated, hook: Hook) -> None:
    """An update waits until one of another queue has passed it."""
    first, second = await simulated.person(501), await simulated.person(502)
    await simulated.fault("reorder", times=1)
    await simulated.write(first, "eins")
    await simulated.write(second, "zwei")
    await hook.wait_for(2)
    assert hook.texts == ["zwei", "eins"]


async def test_faults_leave_the_connection_alone(simulated: Simulated) -> None:
    """Set-up methods stay whole unless a fault names them: a demo should stay connected."""
    await simulated.fault("server_error")
    assert (await simulated.call("getMe")).status_code == 200
    assert (await simulated.call("sendChatAction", chat_id=1, action="typing")).status_code == 500
    await simulated.fault("server_error", methods=["getMe"])
    assert (await simulated.call("getMe")).status_code == 500
    assert set((await simulated.http.get(f"{simulated.address}/phone")).json()[0]["faults"]) == {"server_error"}


async def test_unknown_kind_of_message(simulated: Simulated, hook: Hook) -> None:
    """Content of any kind goes out as it is, with the caption that belongs to it."""
    person = await simulated.person()
    content = {"photo": [{"file_id": "a", "file_unique_id": "b", "width": 90, "height": 67}], "caption": "Brille defekt"}
    await simulated.control("POST", f"/bots/{BOT}/chats/{person}/messages", {"content": content})
    (arrived,) = await hook.wait_for(1)
    assert {name: arrived.update["message"][name] for name in content} == content


async def test_a_chat_gets_its_past_back(simulated: Simulated, hook: Hook) -> None:
    """After a restart of the simulator: the lines are there, the bot may write, nothing is delivered, and it happens once."""
    person = await simulated.person()
    gone = {"id": "", "kind": "image", "name": "", "mime": "", "size": 0}
    lines = [
        {"id": "5012", "at": "2025-12-11T08:20:01Z", "is_theirs": False, "text": "/start werkstatt"},
        {"id": "5013", "at": "2025-12-11T08:20:30Z", "is_theirs": True, "text": "Guten Tag!"},
        {"id": "", "at": "2025-12-11T08:21:40Z", "is_theirs": True, "text": "Kam das an?"},
        {"id": "5015", "at": "2025-12-11T08:22:40Z", "is_theirs": False, "files": [gone]},
    ]
    address = f"{simulated.address}/phone/telegram/{BOT}/chat"
    shown = (await simulated.http.put(address, json={"person": str(person), "lines": lines})).json()["lines"]
    assert [(one["id"], one["at"], one["is_theirs"], one["text"]) for one in shown] == [
        ("5012", "2025-12-11T08:20:01Z", False, "/start werkstatt"),
        ("5013", "2025-12-11T08:20:30Z", True, "Guten Tag!"),
        ("5014", "2025-12-11T08:21:40Z", True, "Kam das an?"),
        ("5015", "2025-12-11T08:22:40Z", False, ""),
    ]
    assert shown[-1]["files"] == [gone]
    assert (await simulated.call("sendMessage", chat_id=person, text="Weiter")).json()["result"]["message_id"] > 5015
    again = await simulated.http.put(address, json={"person": str(person), "lines": lines})
    assert (again.status_code, again.json()["error"]) == (409, "conflict")
    await simulated.act("edit", person, line="5012", text="/start verleih")
    await hook.wait_for(1)
    assert [list(one.update)[1] for one in hook.arrived] == ["edited_message"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/control", {"host": "evil.example"}, 403),
        ("GET", "/", {"host": "evil.example:8001"}, 403),
        ("GET", "/control", {"origin": "https://evil.example"}, 403),
        ("POST", "/control/people", {"origin": "null", "content-type": "application/json"}, 403),
        ("POST", "/control/people", {"content-type": "text/plain"}, 415),
        ("POST", "/control/people", {"content-type": "application/x-www-form-urlencoded"}, 415),
        ("POST", "/control/people", {}, 415),
    ],
)
async def test_other_sites_are_kept_out(simulated: Simulated, method: str, path: str, headers: dict[str, str], status: int) -> None:
    """A page of another site that the same browser shows reaches nothing: not by name, by origin or by a form."""
    before = await simulated.control("GET", "")
    answer = await simulated.http.request(method, simulated.address + path, content=b'{"first_name": "X"}', headers=headers)
    assert answer.status_code == status
    assert await simulated.control("GET", "") == before


async def test_the_page_may_ask_its_own_control_api(simulated: Simulated) -> None:
    answer = await simulated.http.get(f"{simulated.address}/control", headers={"origin": simulated.address})
    assert answer.status_code == 200


async def test_no_token_leaves_the_control_api(simulated: Simulated) -> None:
    """The token is in no answer of the control API and not on the page (I10)."""
    for path in ("/control", f"/control/bots/{BOT}", "/"):
        answer = await simulated.http.get(simulated.address + path)
        assert answer.status_code == 200 and TOKEN.partition(":")[2] not in answer.text
    assert TOKEN.partition(":")[2] not in repr(simulated.bot)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"/bots/{BOT}/chats/4711/messages", {"text": "x"}, 404),
        ("/bots/4711/chats/1/messages", {"text": "x"}, 404),
        (f"/bots/{BOT}/chats/1/messages", {"text": "x", "start": ""}, 422),
        (f"/bots/{BOT}/chats/1/messages", {"start": "mit Leerzeichen"}, 422),
        ("/bots", {"token": "kein Token", "name": "x", "username": "x"}, 422),
        ("/people", {"first_name": "x", "id": BOT}, 409),
    ],
)
async def test_control_refuses_in_words(simulated: Simulated, path: str, body: dict[str, Any], status: int) -> None:
    await simulated.person(1)
    answer = await simulated.http.post(f"{simulated.address}/control{path}", json=body)
    assert answer.status_code == status


async def test_a_blocked_person_cannot_write(simulated: Simulated) -> None:
    """As in the app; Start unblocks first."""
    person = await talking(simulated)
    chat = f"/bots/{BOT}/chats/{person}"
    await simulated.block(person)
    refused = await simulated.http.post(f"{simulated.address}/control{chat}/messages", json={"text": "x"})
    assert refused.status_code == 409
    await simulated.control("POST", f"{chat}/messages", {"start": ""})
    assert [line["event"] for line in (await simulated.phone(person))["entries"]] == [None, "blocked", "unblocked", None]
