"""R-300: work is handed over, scheduled and put away, time alone brings it back, and the protocol tells all of it."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from hub.core import ids
from hub.core.clock import FakeClock
from hub.core.errors import InvalidInput
from hub.inbox import alarm, service
from hub.inbox.page import when
from hub.inbox.page.when import Choice, TimePassed, read_choice
from hub.inbox.service import Charge
from hub.organisations import teams
from tests.inbox.pages_support import PAGE, Visitor, conv, counters, receive, rows_in, visit
from tests.support import HubUnderTest

BERLIN = ZoneInfo("Europe/Berlin")


async def make_team(hub: HubUnderTest, name: str, *members: Visitor) -> UUID:
    team_id = await teams.create_team(hub.runtime, hub.owner, name)
    await teams.set_members(hub.runtime, hub.owner, team_id, [one.member_id for one in members])
    return team_id


async def events(hub: HubUnderTest, conversation_id: UUID) -> list[str]:
    rows = await hub.rows(
        "SELECT content ->> 'event' AS event FROM message WHERE conversation_id = $1 AND direction = 'event' ORDER BY seq",
        conversation_id,
    )
    return [row["event"] for row in rows]


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


async def test_due_time_passes(hub: HubUnderTest, clock: FakeClock) -> None:
    """R-300: given an assigned conversation with due 15:00, when 15:00 passes, then it is marked overdue and the protocol lists
    every hand-over."""
    jonas, sara, channel = await visit(hub), await visit(hub, "Sara Lang"), await hub.connect()
    workshop = await make_team(hub, "Werkstatt", jonas)
    conversation = await receive(hub, channel, "Hallo")
    path = f"/conversations/{conv(conversation)}"
    await jonas.post(f"{path}/assign", to=ids.show("team", workshop))
    await jonas.post(f"{path}/assign", to=jonas.member)
    await jonas.post(f"{path}/assign", to=sara.member)
    assert (await jonas.post(f"{path}/due", when="own", at="2026-11-24T15:00")).status_code == 200
    before = await sara.page("/inbox/mine")
    assert 'class="sig"' in before and "Frist 15:00" in before and "Überfällig" not in before

    clock.set(datetime(2026, 11, 24, 15, 0, tzinfo=BERLIN))
    assert await alarm.ring(hub.runtime) == 1
    after = await sara.page("/inbox/mine")
    assert 'class="sig late"' in after and "Überfällig 15:00" in after
    assert '<span class="count late" data-count="mine">1</span>' in after
    assert await hub.value("SELECT overdue FROM conversation")
    assert "Die Frist ist verstrichen" in await sara.page(f"/inbox/mine/{conv(conversation)}")

    protocol = text_of(await sara.page(f"{path}/protocol"))
    told = [
        "Überfällig 15:00 Zeitablauf",
        "Frist keine → nach 15:00 Jonas Keller",
        "Übergabe Werkstatt › Jonas Keller → nach Werkstatt › Sara Lang Jonas Keller",
        "Übergabe Werkstatt → nach Werkstatt › Jonas Keller Jonas Keller",
        "Übergabe niemand → nach Werkstatt Jonas Keller",
    ]
    places = [protocol.index(line) for line in told]
    assert places == sorted(places)
    assert protocol.count(ids.show("ses", jonas.session_id)) == 4


async def test_overdue_is_told_once_and_to_open_pages(hub: HubUnderTest, clock: FakeClock) -> None:
    """R-300, I11: two workers that look at the same time tell it once; the feed carries it to open pages."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = await receive(hub, channel, "Hallo")
    await service.set_due(hub.runtime, hub.owner, conversation, clock() + timedelta(hours=1))
    before = (await jonas.data("/updates"))["seq"]
    clock.advance(minutes=59)
    assert await alarm.ring(hub.runtime) == 0
    clock.advance(minutes=1)
    assert sum(await asyncio.gather(alarm.ring(hub.runtime), alarm.ring(hub.runtime))) == 1
    assert await alarm.ring(hub.runtime) == 0
    assert await events(hub, conversation) == ["due", "overdue"]
    (change,) = (await jonas.data("/changes", after=before))["changes"]
    assert (change["kind"], change["data"]["conversation"]) == ("message", conv(conversation))


async def test_new_due_time_is_not_overdue(hub: HubUnderTest, clock: FakeClock) -> None:
    """R-300: moving the due time takes the mark away, and the new one is watched again."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = await receive(hub, channel, "Hallo")
    for _ in range(2):
        await service.set_due(hub.runtime, hub.owner, conversation, clock() + timedelta(hours=1))
        assert not await hub.value("SELECT overdue FROM conversation")
        clock.advance(hours=2)
        assert await alarm.ring(hub.runtime) == 1
        assert await hub.value("SELECT overdue FROM conversation")
    await jonas.post(f"/conversations/{conv(conversation)}/due", when="none")
    assert (await hub.rows("SELECT due_at, overdue FROM conversation"))[0]["due_at"] is None
    assert await counters(hub, jonas.member_id) == (await jonas.data("/updates"))["counts"]


async def test_snoozed_leaves_the_lists_until_its_time_comes(hub: HubUnderTest, clock: FakeClock) -> None:
    """R-300: snoozed until five: gone from the lists, back at five as our turn and above what came later."""
    jonas, channel = await visit(hub), await hub.connect()
    first = await receive(hub, channel, "Hallo", user=501)
    path = f"/conversations/{conv(first)}"
    await jonas.post(f"{path}/assign", to=jonas.member)
    await jonas.post(f"{path}/messages", text="Wir melden uns.", client_key="k")
    assert (await jonas.post(f"{path}/snooze", when="evening")).status_code == 200
    assert rows_in(await jonas.page("/inbox/mine")) == rows_in(await jonas.page("/inbox/open")) == []
    page = await jonas.page("/inbox/snoozed")
    assert rows_in(page) == [conv(first)] and "17:00" in page
    assert (await jonas.data("/updates"))["counts"] == await counters(hub, jonas.member_id)

    clock.advance(hours=2)
    second = await receive(hub, channel, "Später", user=502)
    clock.set(datetime(2026, 11, 24, 17, 0, tzinfo=BERLIN))
    assert await alarm.ring(hub.runtime) == 1
    page = await jonas.page("/inbox/open")
    assert rows_in(page) == [conv(first), conv(second)] and "zurück seit 17:00" in page
    assert rows_in(await jonas.page("/inbox/mine")) == [conv(first)]
    assert await events(hub, first) == ["assigned", "snoozed", "back"]
    assert (await jonas.data("/updates"))["counts"] == await counters(hub, jonas.member_id)


async def test_customer_who_writes_ends_the_snooze(hub: HubUnderTest, clock: FakeClock) -> None:
    """R-300: a message brings a snoozed conversation back at once, and its time does not ring any more."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = await receive(hub, channel, "Hallo")
    await jonas.post(f"/conversations/{conv(conversation)}/snooze", when="monday")
    await receive(hub, channel, "Doch noch etwas", first=2)
    assert rows_in(await jonas.page("/inbox/open")) == [conv(conversation)]
    assert "Wieder geöffnet, weil eine Nachricht kam" in await jonas.page(f"/inbox/open/{conv(conversation)}")
    clock.advance(days=8)
    assert await alarm.ring(hub.runtime) == 0


async def test_due_time_ends_a_longer_snooze(hub: HubUnderTest, clock: FakeClock) -> None:
    """R-300: what is put away for longer than its due time comes back when that passes: nothing is missed by snoozing it."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = await receive(hub, channel, "Hallo")
    await jonas.post(f"/conversations/{conv(conversation)}/due", when="hour")
    await jonas.post(f"/conversations/{conv(conversation)}/snooze", when="monday")
    clock.advance(hours=1)
    assert await alarm.ring(hub.runtime) == 1
    assert rows_in(await jonas.page("/inbox/open")) == [conv(conversation)]
    clock.advance(days=8)
    assert await alarm.ring(hub.runtime) == 0
    assert await events(hub, conversation) == ["due", "snoozed", "overdue"]


async def test_done_ends_the_due_time_when_the_customer_comes_back(hub: HubUnderTest, clock: FakeClock) -> None:
    """R-300: the due time belongs to the finished piece of work; undoing "done" brings it back, a new message does not."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = await receive(hub, channel, "Hallo")
    path = f"/conversations/{conv(conversation)}"
    await jonas.post(f"{path}/due", when="hour")
    await jonas.post(f"{path}/done")
    clock.advance(hours=2)
    assert await alarm.ring(hub.runtime) == 0
    await jonas.post(f"{path}/reopen")
    assert await alarm.ring(hub.runtime) == 1
    await jonas.post(f"{path}/done")
    await receive(hub, channel, "Etwas Neues", first=2)
    row = (await hub.rows("SELECT due_at, due_from, overdue, state FROM conversation"))[0]
    assert tuple(row) == (None, None, False, "open")


async def test_most_urgent_stand_on_top(hub: HubUnderTest, clock: FakeClock) -> None:
    """Look 5: first what has a due time, the earliest on top, then our turn, then the customer's; each page of it by key."""
    jonas, channel = await visit(hub), await hub.connect()
    talks = []
    for number in range(5):
        talks.append(await receive(hub, channel, f"Frage {number}", user=600 + number))
        clock.advance(minutes=1)
    await jonas.post(f"/conversations/{conv(talks[4])}/messages", text="Antwort", client_key="k")
    await service.set_due(hub.runtime, hub.owner, talks[0], clock() + timedelta(hours=3))
    await service.set_due(hub.runtime, hub.owner, talks[1], clock() + timedelta(hours=1))
    page = await jonas.page("/inbox/open")
    assert rows_in(page) == [conv(talks[number]) for number in (1, 0, 3, 2, 4)]
    heads = [page.index(f'id="group-{group}"') for group in ("due", "us", "customer")]
    assert heads == sorted(heads)
    keys = re.findall(r'class="row[^>]*data-key="([^"]+)"', page)
    for number, key in enumerate(keys[:-1]):
        rest = (await jonas.data("/inbox-rows/open", after=key))["html"]
        assert rows_in(rest) == rows_in(page)[number + 1 :]


async def test_list_of_a_team(hub: HubUnderTest) -> None:
    """R-300: what a team has stands in its list, which its members find beside theirs; a member who takes it leaves it there."""
    jonas, sara, channel = await visit(hub), await visit(hub, "Sara Lang"), await hub.connect()
    workshop = await make_team(hub, "Werkstatt", jonas)
    shown = ids.show("team", workshop)
    conversation = await receive(hub, channel, "Hallo")
    await jonas.post(f"/conversations/{conv(conversation)}/assign", to=shown)
    assert rows_in(await jonas.page("/inbox/unassigned")) == []
    page = await jonas.page(f"/inbox/{shown}")
    assert rows_in(page) == [conv(conversation)] and f'data-count="{shown}">1<' in page
    assert f"/inbox/{shown}" not in await sara.page("/inbox/open")
    await sara.post(f"/conversations/{conv(conversation)}/assign", to=sara.member)
    assert rows_in(await sara.page(f"/inbox/{shown}")) == rows_in(await sara.page("/inbox/mine")) == [conv(conversation)]
    assert (await jonas.data("/updates", view=shown))["counts"] == await counters(hub, jonas.member_id, workshop)
    await sara.post(f"/conversations/{conv(conversation)}/assign", to="")
    assert rows_in(await jonas.page("/inbox/unassigned")) == [conv(conversation)]


async def test_removed_team_hands_its_work_back(hub: HubUnderTest) -> None:
    """R-300: nothing is lost in a team that is no more: its conversations are free again, and the protocol still names it."""
    jonas, channel = await visit(hub), await hub.connect()
    workshop = await make_team(hub, "Werkstatt", jonas)
    conversation = await receive(hub, channel, "Hallo")
    await jonas.post(f"/conversations/{conv(conversation)}/assign", to=ids.show("team", workshop))
    await teams.remove_team(hub.runtime, hub.owner, workshop)
    assert rows_in(await jonas.page("/inbox/unassigned")) == [conv(conversation)]
    protocol = text_of(await jonas.page(f"/conversations/{conv(conversation)}/protocol"))
    assert "Übergabe Werkstatt → nach niemand Olga Inhaber" in protocol
    await jonas.page(f"/inbox/{ids.show('team', workshop)}", status=404)
    response = await jonas.post(f"/conversations/{conv(conversation)}/assign", to=ids.show("team", workshop))
    assert response.status_code == 422
    assert (await jonas.data("/updates"))["counts"] == await counters(hub, jonas.member_id)


async def test_foreign_team_does_not_exist(hub: HubUnderTest) -> None:
    """R-263: the list of another organisation's team is unknown, and nothing can be given to it."""
    jonas, channel = await visit(hub), await hub.connect()
    other = await hub.found("velo", "Velo Bregenz")
    theirs = ids.show("team", await teams.create_team(hub.runtime, other, "Verkauf"))
    conversation = conv(await receive(hub, channel, "Hallo"))
    await jonas.page(f"/inbox/{theirs}", status=404)
    response = await jonas.client.get(f"{jonas.base}/updates?view={theirs}", headers={"accept": "application/json"})
    assert response.status_code == 404
    assert (await jonas.post(f"/conversations/{conversation}/assign", to=theirs)).status_code == 422


async def test_protocol_pages_by_key(hub: HubUnderTest) -> None:
    """R-300: every entry once, the newest first."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    for number in range(55):
        await jonas.post(f"/conversations/{conversation}/notes", text=f"Notiz {number}.")
    html = await jonas.page(f"/conversations/{conversation}/protocol")
    seen = re.findall(r"Notiz (\d+)\.", html)
    more = re.search(r"\?below=(\d+)", html)
    assert more
    seen += re.findall(r"Notiz (\d+)\.", await jonas.page(f"/conversations/{conversation}/protocol?below={more[1]}"))
    assert seen == [str(number) for number in reversed(range(55))]


@pytest.mark.parametrize(
    ("choice", "at", "expected"),
    [
        (Choice.HOUR, "", datetime(2026, 11, 24, 10, 0, tzinfo=UTC)),
        (Choice.EVENING, "", datetime(2026, 11, 24, 16, 0, tzinfo=UTC)),
        (Choice.TOMORROW, "", datetime(2026, 11, 25, 8, 0, tzinfo=UTC)),
        (Choice.MONDAY, "", datetime(2026, 11, 30, 8, 0, tzinfo=UTC)),
        (Choice.OWN, "2027-07-01T12:30", datetime(2027, 7, 1, 10, 30, tzinfo=UTC)),
    ],
)
def test_choices_mean_the_pages_zone(choice: Choice, at: str, expected: datetime) -> None:
    """R-300: tomorrow at nine is nine in the organisation's zone, in summer as in winter."""
    assert read_choice(choice, at, BERLIN, datetime(2026, 11, 24, 9, 0, 31, tzinfo=UTC)) == expected


@pytest.mark.parametrize("own", ["", "morgen", "2026-11-25T10:00+01:00", "0001-01-01T00:00", "9999-12-31T23:59"])
def test_unreadable_time_is_refused(own: str) -> None:
    with pytest.raises(InvalidInput):
        read_choice(Choice.OWN, own, BERLIN, datetime(2026, 11, 24, 9, 0, tzinfo=UTC))


async def test_time_that_has_passed_is_refused_in_words(hub: HubUnderTest) -> None:
    """R-300: nobody sets a due time in the past by mistake."""
    jonas, channel = await visit(hub), await hub.connect()
    path = f"/conversations/{conv(await receive(hub, channel, 'Hallo'))}/due"
    response = await jonas.post(path, when="own", at="2026-11-24T09:59")
    assert (response.status_code, response.json()["error"]) == (422, "time_passed")
    assert "schon vorbei" in (await jonas.post(path, headers=PAGE, when="own", at="2026-11-24T09:59")).text
    with pytest.raises(TimePassed):
        read_choice(Choice.EVENING, "", BERLIN, datetime(2026, 11, 24, 16, 0, tzinfo=UTC))
    assert Choice.EVENING not in when.choices(BERLIN, datetime(2026, 11, 24, 16, 0, tzinfo=UTC))


def test_signal_turns_amber_in_the_last_fifth() -> None:
    """Look 5: grey, amber under 20 %, red when late."""
    start = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    due = start + timedelta(minutes=100)
    tones = {0: "", 79: "", 80: "soon", 99: "soon", 100: "late", 500: "late"}
    for minutes, tone in tones.items():
        signal = when.read_signal("open", "us", due, start, None, start + timedelta(minutes=minutes))
        assert signal and signal.tone == tone, minutes


async def test_same_act_twice_is_one_line(hub: HubUnderTest, clock: FakeClock) -> None:
    """R-300: setting the same time or handing over to the same person again changes nothing."""
    channel = await hub.connect()
    conversation = await receive(hub, channel, "Hallo")
    at = clock() + timedelta(hours=1)
    for _ in range(2):
        await service.assign(hub.runtime, hub.owner, conversation, Charge(hub.owner.member_id))
        clock.advance(seconds=1)
        await service.set_due(hub.runtime, hub.owner, conversation, at)
        clock.advance(seconds=1)
        await service.snooze(hub.runtime, hub.owner, conversation, at)
    assert await events(hub, conversation) == ["assigned", "due", "snoozed"]
    audit = await hub.rows("SELECT action FROM audit_entry WHERE target = $1 ORDER BY at, id", conv(conversation))
    assert [row["action"] for row in audit] == ["conversation.assigned", "conversation.due", "conversation.snoozed"]
