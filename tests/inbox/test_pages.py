"""The pages of the inbox: lists, thread, what an agent may do, and what stays written down."""

import re
from typing import Any

import pytest

from hub.channels import service as channels
from hub.core import ids
from hub.core.clock import FakeClock
from hub.inbox.arriving import ingest
from tests.inbox.pages_support import DATA, PAGE, conv, counters, receive, rows_in, visit
from tests.support import HubUnderTest


async def test_lists_and_counters_follow_each_hand_over(hub: HubUnderTest) -> None:
    """R-300: an assigned conversation stands in its list, and the counters are exact after every step."""
    jonas, channel = await visit(hub), await hub.connect()
    first = await receive(hub, channel, "Hallo", user=501)
    second = await receive(hub, channel, "Guten Tag", user=502)
    assert set(rows_in(await jonas.page("/inbox/unassigned"))) == {conv(first), conv(second)}

    assert (await jonas.post(f"/conversations/{conv(first)}/assign", to=jonas.member)).status_code == 200
    assert rows_in(await jonas.page("/inbox/mine")) == [conv(first)]
    assert rows_in(await jonas.page("/inbox/unassigned")) == [conv(second)]
    assert (await jonas.data("/updates"))["counts"] == await counters(hub, jonas.member_id)

    await jonas.post(f"/conversations/{conv(first)}/done")
    assert rows_in(await jonas.page("/inbox/done")) == [conv(first)]
    assert rows_in(await jonas.page("/inbox/mine")) == []
    assert (await jonas.data("/updates"))["counts"] == await counters(hub, jonas.member_id)

    await jonas.post(f"/conversations/{conv(first)}/reopen")
    assert set(rows_in(await jonas.page("/inbox/open"))) == {conv(first), conv(second)}
    assert (await jonas.data("/updates"))["counts"] == await counters(hub, jonas.member_id)


async def test_protocol_lists_every_hand_over_with_its_author(hub: HubUnderTest, clock: FakeClock) -> None:
    """R-300: the thread lists every hand-over; R-047: each carries the member and the session that made it."""
    jonas, sara = await visit(hub), await visit(hub, "Sara Lang")
    channel = await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    for who, act, to in ((jonas, "assign", jonas), (jonas, "assign", sara), (sara, "assign", None), (sara, "done", None)):
        clock.advance(minutes=1)
        await who.post(f"/conversations/{conversation}/{act}", to=to.member if to else "")

    html = await jonas.page(f"/inbox/open/{conversation}")
    told = [
        "Jonas Keller hat übernommen",
        "Jonas Keller hat Sara Lang zugewiesen",
        "Sara Lang hat die Zuweisung aufgehoben",
        "Sara Lang hat erledigt",
    ]
    places = [html.index(line) for line in told]
    assert places == sorted(places)

    audit = await hub.rows("SELECT action, member_id, session_id FROM audit_entry WHERE target = $1 ORDER BY at", conversation)
    assert [(row["action"], row["member_id"], row["session_id"]) for row in audit] == [
        ("conversation.assigned", jonas.member_id, jonas.session_id),
        ("conversation.assigned", jonas.member_id, jonas.session_id),
        ("conversation.assigned", sara.member_id, sara.session_id),
        ("conversation.done", sara.member_id, sara.session_id),
    ]


async def test_same_act_twice_is_one_line(hub: HubUnderTest) -> None:
    """R-300: pressing the button twice changes nothing twice."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    for _ in range(2):
        await jonas.post(f"/conversations/{conversation}/done")
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'event'") == 1


async def test_sent_message_names_user_and_session(hub: HubUnderTest) -> None:
    """R-047: given a sent message, its record holds the sending user and the session."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = await receive(hub, channel, "Hallo")
    await jonas.post(f"/conversations/{conv(conversation)}/messages", text="Guten Tag", client_key="k1")
    (message,) = await hub.rows("SELECT author_id, session_id FROM message WHERE direction = 'out'")
    assert (message["author_id"], message["session_id"]) == (jonas.member_id, jonas.session_id)


async def test_double_click_sends_once(hub: HubUnderTest) -> None:
    """R-303: the same form twice is one message and the same answer."""
    jonas, channel = await visit(hub), await hub.connect()
    path = f"/conversations/{conv(await receive(hub, channel, 'Hallo'))}/messages"
    answers = [(await jonas.post(path, text="Guten Tag", client_key="k1")).json()["message"] for _ in range(2)]
    assert answers[0] == answers[1]
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'out'") == 1


async def test_note_has_no_way_out(hub: HubUnderTest) -> None:
    """R-300: a note has no state and no parts, and no button or address of a message works on it."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    note = (await jonas.post(f"/conversations/{conversation}/notes", text="Nur für uns")).json()["message"]
    assert "Nur für uns" in await jonas.page(f"/inbox/open/{conversation}")
    row = (await hub.rows("SELECT state, client_key FROM message WHERE id = $1", ids.read("msg", note)))[0]
    assert (row["state"], row["client_key"]) == (None, None)
    assert await hub.value("SELECT count(*) FROM message_part") == 0
    for act in ("resend", "settle"):
        assert (await jonas.post(f"/messages/{note}/{act}")).status_code in (404, 409)
    assert await hub.value("SELECT count(*) FROM message_part") == 0
    assert await hub.value("SELECT last_text FROM conversation") == "Hallo"


async def test_customer_who_writes_again_reopens(hub: HubUnderTest) -> None:
    """R-300: a done conversation comes back with a new message, and the thread says why."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = await receive(hub, channel, "Hallo")
    await jonas.post(f"/conversations/{conv(conversation)}/done")
    await receive(hub, channel, "Noch etwas", first=2)
    assert rows_in(await jonas.page("/inbox/open")) == [conv(conversation)]
    assert "Wieder geöffnet, weil eine Nachricht kam" in await jonas.page(f"/inbox/open/{conv(conversation)}")


async def test_reading_is_an_act_and_not_a_visit(hub: HubUnderTest) -> None:
    """R-302: opening a page changes nothing; the agent's page says that it was read."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    html = await jonas.page(f"/inbox/open/{conversation}")
    assert 'class="row new"' in html
    assert await hub.value("SELECT unread FROM conversation") == 1
    await jonas.post(f"/conversations/{conversation}/read")
    assert 'class="row new"' not in await jonas.page("/inbox/open")


async def test_readonly_member_reads_and_cannot_write(hub: HubUnderTest) -> None:
    """R-040: a read-only member sees the thread, no field to write in, and every act is refused."""
    leo, channel = await visit(hub, "Leo Lesend", role="readonly"), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    html = await leo.page(f"/inbox/open/{conversation}")
    assert "<textarea" not in html
    assert "Sie dürfen hier lesen, nicht schreiben." in html
    for act in ("messages", "notes", "assign", "done", "reopen", "read"):
        response = await leo.post(f"/conversations/{conversation}/{act}", text="x", client_key="k", to=leo.member)
        assert response.status_code == 403, act


async def test_other_organisations_do_not_exist(hub: HubUnderTest) -> None:
    """R-263, I6: ids of another organisation answer like unknown ones, on every address of these pages."""
    jonas = await visit(hub)
    other = await hub.found("velo", "Velo Bregenz")
    channel = await hub.connect(access=other)
    await hub.deliver(channel, {"update_id": 1, "message": _message("Geheim")})
    await ingest.drain(hub.runtime, other.organisation_id, channel.id, hub.worker_id)
    foreign = await hub.value("SELECT id FROM conversation", organisation_id=other.organisation_id)
    message = await hub.value("SELECT id FROM message", organisation_id=other.organisation_id)
    conversation, shown = conv(foreign), ids.show("msg", message)
    for path in (f"/inbox/open/{conversation}", f"/inbox/open/{conversation}/contact"):
        assert "Geheim" not in await jonas.page(path, status=404)
    older, parts = (
        f"/conversations/{conversation}/older?before=0.0.0",
        f"/updates?conversation={conversation}&oldest=0.0.0&tail=0.0.0",
    )
    for path in (older, parts):
        assert (await jonas.client.get(jonas.base + path, headers=DATA)).status_code == 404
    for act in ("messages", "notes", "assign", "done", "reopen"):
        response = await jonas.post(f"/conversations/{conversation}/{act}", text="x", client_key="k", to=jonas.member)
        assert response.status_code == 404, act
    assert (await jonas.post(f"/messages/{shown}/resend")).status_code == 404
    assert (await jonas.data("/updates", rows=conversation))["rows"] == []

    own = conv(await receive(hub, await hub.connect(), "Hallo"))
    response = await jonas.post(f"/conversations/{own}/assign", to=ids.show("mem", other.member_id))
    assert response.status_code == 422


def _message(text: str) -> dict[str, Any]:
    person = {"id": 77, "is_bot": False, "first_name": "Eva"}
    return {"message_id": 1, "from": person, "chat": {"id": 77, "type": "private"}, "date": 1795510800, "text": text}


async def test_list_pages_by_key(hub: HubUnderTest, clock: FakeClock) -> None:
    """R-302: paging loses no conversation, whatever moves between two pages; one that was answered meanwhile stands in the other
    group as well, and the browser shows it once."""
    jonas, channel = await visit(hub), await hub.connect()
    for number in range(120):
        await receive(hub, channel, f"Frage {number}", user=600 + number)
    html = await jonas.page("/inbox/open")
    seen = rows_in(html)
    assert len(seen) == 50
    clock.advance(minutes=5)
    answered = seen[40]
    await jonas.post(f"/conversations/{answered}/messages", text="Antwort", client_key="k")
    while found := re.search(r'data-more="([^"]+)"', html):
        html = (await jonas.data("/inbox-rows/open", after=found[1]))["html"]
        seen += rows_in(html)
    assert len(set(seen)) == 120
    assert [one for one in set(seen) if seen.count(one) > 1] == [answered]


async def test_ours_to_answer_stand_first(hub: HubUnderTest, clock: FakeClock) -> None:
    """Whose turn it is decides the group: a message makes it ours, an answer theirs, a failed answer ours again."""
    jonas, channel = await visit(hub), await hub.connect()
    talks = []
    for number in range(3):
        talks.append(conv(await receive(hub, channel, f"Frage {number}", user=600 + number)))
        clock.advance(minutes=1)
    for talk in talks[1:]:
        await jonas.post(f"/conversations/{talk}/messages", text="Antwort", client_key="k")
        clock.advance(minutes=1)
    html = await jonas.page("/inbox/open")
    assert rows_in(html) == [talks[0], talks[2], talks[1]]
    assert html.index('id="group-us"') < html.index(talks[0]) < html.index('id="group-customer"')
    await channels.block_channel(hub.runtime, hub.owner, channel.id, "law")
    assert rows_in(await jonas.page("/inbox/open")) == [talks[2], talks[1], talks[0]]
    assert (await jonas.data("/updates"))["counts"] == await counters(hub, jonas.member_id)


async def test_thread_pages_by_key_to_its_beginning(hub: HubUnderTest) -> None:
    """R-302: older lines load by key until the first one, each once."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, *[f"Zeile {number}" for number in range(130)]))
    html = await jonas.page(f"/inbox/open/{conversation}")
    seen = re.findall(r">Zeile (\d+)<", html.split("data-talk")[1])
    older = True
    while older:
        first = re.search(r'class="msg[^"]*" id="msg_\w+" data-key="([^"]+)"', html)
        assert first
        answer = await jonas.data(f"/conversations/{conversation}/older", before=first[1])
        html, older = answer["html"], answer["older"]
        seen = re.findall(r">Zeile (\d+)<", html)[:-1] + seen  # the last one is drawn again
    assert seen == [str(number) for number in range(130)]


@pytest.mark.parametrize("key", ["x", "1.2", "1.2.3.4", f"{10**30}.0.0", f"1.{2**70}.1"])
async def test_places_that_are_none_are_refused(hub: HubUnderTest, key: str) -> None:
    """R-303: a made-up place is a malformed request, not a crash."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    response = await jonas.client.get(f"{jonas.base}/conversations/{conversation}/older?before={key}", headers=DATA)
    assert response.status_code == 422


async def test_markup_of_customers_is_text(hub: HubUnderTest) -> None:
    """R-302: HTML and scripts in messages and names are shown as what was written; the policy forbids the rest."""
    jonas, channel = await visit(hub), await hub.connect()
    text = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    conversation = conv(await receive(hub, channel, text))
    response = await jonas.client.get(f"{jonas.base}/inbox/open/{conversation}", headers=PAGE)
    assert "<script>alert" not in response.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in response.text
    policy = response.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert not re.search(r"\son\w+=|\sstyle=", re.sub(r">[^<]*<", "><", response.text))


async def test_every_page_in_german_and_english(hub: HubUnderTest) -> None:
    """Issue 2 C: the same page in both languages, each person in theirs."""
    channel = await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    german = await (await visit(hub)).page(f"/inbox/open/{conversation}")
    english = await (await visit(hub, "Anna Nowak", locale="en")).page(f"/inbox/open/{conversation}")
    assert '<html lang="de">' in german and "Nicht zugewiesen" in german and "Antwort schreiben" in german
    assert '<html lang="en">' in english and "Unassigned" in english and "Write a reply" in english


async def test_static_files_may_be_kept_for_ever(hub: HubUnderTest) -> None:
    """The address changes with the content, so browsers keep what they have; nothing outside the folder is served."""
    jonas = await visit(hub)
    html = await jonas.page("/inbox/open")
    for address in set(re.findall(r'"(/static/[^"#]+)', html)):
        response = await jonas.client.get(address)
        assert response.status_code == 200, address
        assert "immutable" in response.headers["cache-control"]
    assert (await jonas.client.get("/static/old/base.css")).headers["cache-control"] == "no-cache"
    for address in ("/static/x/../../pyproject.toml", "/static/x/%2e%2e/locales/de.json", "/static/x/none.css"):
        assert (await jonas.client.get(address)).status_code == 404


async def test_errors_are_pages_for_people_and_json_for_scripts(hub: HubUnderTest) -> None:
    """R-303: an address that does not exist is told in words, in the form that was asked for."""
    jonas = await visit(hub)
    assert "Das gibt es hier nicht" in await jonas.page("/inbox/nonsense", status=404)
    response = await jonas.client.get(f"{jonas.base}/inbox/open/conv_x", headers=DATA)
    assert (response.status_code, response.json()["error"]) == (404, "not_found")
