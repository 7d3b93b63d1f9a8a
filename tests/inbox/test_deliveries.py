"""What did not become a message is seen with its cause, replayed one by one or as a span, and nothing happens twice (I1, I3)."""

from datetime import timedelta
from typing import Any

import pytest

from hub.connectors.contract import Account, RawRequest
from hub.core import clock as time
from hub.core import ids
from hub.core.clock import FakeClock
from tests.inbox.pages_support import PAGE, Visitor, visit
from tests.support import Connected, HubUnderTest, telegram_text


async def dead(hub: HubUnderTest, channel: Connected, *bodies: bytes) -> list[str]:
    for body in bodies:
        assert await hub.deliver(channel, body) == 200
        await hub.settle()
    rows = await hub.rows("SELECT id FROM webhook_delivery WHERE state = 'dead' ORDER BY received_at, id")
    return [ids.show("dlv", row["id"]) for row in rows]


async def operator(hub: HubUnderTest) -> Visitor:
    return await visit(hub, "Ada Admin", role="admin")


async def test_dead_letter_is_seen_and_replayed(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """I1: an admin sees it with cause and body, replays it after the mend, and sees what came of it; R-047: who did."""
    ada, channel = await operator(hub), await hub.connect()
    kind = hub.runtime.connectors.get("telegram")
    real = kind.parse

    def broken(self: Any, request: RawRequest, account: Account[Any]) -> Any:
        raise AttributeError("a defect")

    with monkeypatch.context() as patched:
        patched.setattr(type(kind), "parse", broken)
        await hub.deliver(channel, telegram_text(1, "Endlich"))
        await hub.settle()
    (one,) = await dead(hub, channel)
    page = await ada.page("/deliveries")
    assert "apply: AttributeError" in page and "trat ein Fehler im Hub auf" in page and one in page
    assert (await ada.data("/deliveries/count")) == {"dead": 1}
    assert "Endlich" in await ada.page(f"/deliveries/{one}")
    assert kind.parse == real
    response = await ada.post(f"/deliveries/{one}/replay", headers=PAGE)
    assert response.headers["location"] == f"/o/{hub.slug}/deliveries/{one}"
    assert "Wird gelesen" in await ada.page(f"/deliveries/{one}")
    await hub.settle()
    assert "Verarbeitet" in await ada.page(f"/deliveries/{one}")
    assert await hub.value("SELECT text FROM message") == "Endlich"
    assert one not in await ada.page("/deliveries")
    assert (await ada.post(f"/deliveries/{one}/replay")).status_code == 404
    audit = (await hub.rows("SELECT member_id, session_id FROM audit_entry WHERE action = 'deliveries.replayed'"))[0]
    assert tuple(audit) == (ada.member_id, ada.session_id)


async def test_selected_ones_and_a_span_are_replayed(hub: HubUnderTest, clock: FakeClock) -> None:
    """I1: several at once; a span is meant in the page's zone and takes only its channel's."""
    ada, channel, other = await operator(hub), await hub.connect(), await hub.connect("probe")
    first = await dead(hub, channel, b"a", b"b")
    clock.advance(hours=1)
    await dead(hub, channel, b"c", b"d", b"e")
    await dead(hub, other, b"f")
    response = await ada.client.post(
        f"{ada.base}/deliveries/replay",
        data={"delivery": first},
        headers={**PAGE, "x-csrf-token": await token(ada)},
    )
    assert response.headers["location"].endswith("/deliveries?replayed=2")
    shown = ids.show("chn", channel.id)
    response = await ada.post("/deliveries/replay", headers=PAGE, since="2026-11-24T10:30", until="2026-11-24T11:30", channel=shown)
    assert response.headers["location"].endswith(f"/deliveries?replayed=3&channel={shown}")
    assert await hub.value("SELECT count(*) FROM webhook_delivery WHERE state = 'dead'") == 1
    await hub.settle()
    assert await hub.value("SELECT count(*) FROM webhook_delivery WHERE state = 'dead'") == 6
    assert "werden noch einmal gelesen" in await ada.page("/deliveries?replayed=3")


async def token(who: Visitor) -> str:
    from hub.organisations import sessions

    return sessions.csrf_token(who.token)


@pytest.mark.parametrize(("form", "says"), [({}, "Wählen Sie"), ({"since": "gestern"}, "lässt sich nicht lesen")])
async def test_nothing_or_nonsense_is_refused_in_words(hub: HubUnderTest, form: dict[str, str], says: str) -> None:
    ada, channel = await operator(hub), await hub.connect()
    await dead(hub, channel, b"a")
    response = await ada.post("/deliveries/replay", headers=PAGE, **form)
    assert response.status_code == 422 and says in response.text
    assert await hub.value("SELECT count(*) FROM webhook_delivery WHERE state = 'dead'") == 1


async def test_lists_page_by_key_and_by_channel(hub: HubUnderTest, clock: FakeClock) -> None:
    """Each once, the newest first; the ignored ones with their reason."""
    ada, channel = await operator(hub), await hub.connect()
    other = await hub.connect("probe")
    for number in range(60):
        clock.advance(seconds=1)
        await hub.deliver(channel, {"update_id": number + 1, "poll_answer": {}})
    await hub.deliver(other, b"broken")
    await hub.settle()
    page = await ada.page("/deliveries?kind=ignored")
    assert page.count("/deliveries/dlv_") == 50 and "poll_answer" in page
    more = page.split("?kind=ignored&amp;after=")[1].split('"')[0]
    assert (await ada.page(f"/deliveries?kind=ignored&after={more}")).count("/deliveries/dlv_") == 10
    assert (await ada.page(f"/deliveries?channel={ids.show('chn', other.id)}")).count("/deliveries/dlv_") == 1
    assert (await ada.page(f"/deliveries?channel={ids.show('chn', channel.id)}")).count("/deliveries/dlv_") == 0
    await ada.page(f"/deliveries?channel={ids.show('chn', ada.member_id)}", status=404)
    assert (await ada.client.get(f"{ada.base}/deliveries?after=x", headers=PAGE)).status_code == 422


async def test_effects_that_wait_for_a_day_are_shown(hub: HubUnderTest, clock: FakeClock) -> None:
    """I3: a status whose message never came is shown after 24 hours."""
    ada, channel = await operator(hub), await hub.connect()
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        for age, key in ((timedelta(hours=25), "m:alt"), (timedelta(hours=23), "m:neu")):
            await unit.sql.execute(
                "INSERT INTO pending_effect (organisation_id, id, channel_id, target_key, kind, at, content, created_at) "
                "VALUES ($1, $2, $3, $4, 'status', $5, '{}', $5)",
                unit.tenant,
                ids.new_id(),
                channel.id,
                key,
                time.now() - age,
            )
    page = await ada.page("/deliveries?kind=parked")
    assert "m:alt" in page and "m:neu" not in page


async def test_body_is_text_of_limited_length_and_only_for_the_right(hub: HubUnderTest) -> None:
    """R-040, R-302: what was sent is shown as written, not run, at most 64 kB of it, marked as personal, to who holds the right."""
    ada, jonas, channel = await operator(hub), await visit(hub), await hub.connect()
    (one,) = await dead(hub, channel, b"<script>alert(1)</script>\x00\xff" + b"x" * 70_000)
    page = await ada.page(f"/deliveries/{one}")
    assert "<script>alert(1)" not in page and "&lt;script&gt;alert(1)" in page and "\x00" not in page
    assert "Enthält personenbezogene Daten." in page and "Gezeigt sind 65.536 von 70.027 Bytes." in page
    assert "x" * 66_000 not in page
    await jonas.page(f"/deliveries/{one}", status=403)
    assert "/deliveries" not in await jonas.page("/inbox/open")
