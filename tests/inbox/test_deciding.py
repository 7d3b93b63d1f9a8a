"""The gate's word as people see it and answer it: held messages, overrides, explained decisions (R-199, R-221, R-226, R-238)."""

from datetime import UTC, datetime
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
import respx

from hub.connectors.events import Text
from hub.consent.books.chain import Change
from hub.consent.gate import SendBlocked
from hub.core import clock, ids
from hub.core.errors import InvalidInput
from hub.inbox.deciding import overriding, reviews
from hub.inbox.deciding.decisions import explain
from hub.inbox.deciding.report import report_overrides
from hub.inbox.sending import bulk
from hub.inbox.sending.outbound import Program, submit
from tests.channels.support import with_mail
from tests.consent.support import define_purpose, grant, record
from tests.inbox.pages_support import visit
from tests.smtp import MailServer
from tests.support import HubUnderTest, telegram_text

RIVAL = "Schreiben Sie uns doch auf Telegram: https://t.me/radwerk"
ADDRESS = "5123456789"


async def conversation(hub: HubUnderTest, connector: str = "telegram") -> UUID:
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(1, "Hallo"))
    await hub.settle()
    if connector == "viber":  # what the content rules look at is the messenger's; the rest of the road is the same for all
        async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
            await unit.sql.execute("UPDATE channel SET connector = 'viber'")
        key = ("viber", str(channel.id), ADDRESS)
        await grant(hub, await define_purpose(hub, "orders", "service"), key)
    found: UUID = await hub.value("SELECT id FROM conversation")
    return found


async def state_of(hub: HubUnderTest, message_id: UUID) -> tuple[str, str]:
    row = (await hub.rows("SELECT state, failure FROM message WHERE id = $1", message_id))[0]
    return row["state"], row["failure"]


async def test_an_invitation_to_a_rival_waits_for_a_second_person(hub: HubUnderTest) -> None:
    """R-199, R-238: a Viber message that names a listed rival with an invitation link is held; who wrote it cannot let it go, and
    with a second person's word it leaves with both names."""
    talk = await conversation(hub, "viber")
    message_id = await hub.reply(talk, RIVAL)
    assert await state_of(hub, message_id) == ("held", "")
    [held] = await hub.rows("SELECT verdict, rule, evidence FROM gate_decision ORDER BY at DESC LIMIT 1")
    assert (held["verdict"], held["rule"]) == ("hold", "content_review")
    assert held["evidence"]["findings"] == ["invitation:t.me", "rival:Telegram"]
    with pytest.raises(reviews.NeedsSecondPerson):
        await reviews.release(hub.runtime, hub.owner, message_id)
    rita = await visit(hub, "Rita Roth")
    page = await rita.page("/consent/reviews")
    assert "Telegram" in page and "Olga Inhaber" in page
    await rita.post(f"/consent/reviews/{ids.show('msg', message_id)}/release")
    assert await state_of(hub, message_id) == ("queued", "")
    names = await hub.rows(
        """
        SELECT p.name FROM message m JOIN member b ON b.id IN (m.author_id, m.reviewed_by) JOIN person p ON p.id = b.person_id
        WHERE m.id = $1 ORDER BY b.id = m.author_id DESC
        """,
        message_id,
    )
    assert [row["name"] for row in names] == ["Olga Inhaber", "Rita Roth"]
    assert "Nichts wartet auf Prüfung" in await rita.page("/consent/reviews")


async def test_who_started_a_newsletter_cannot_let_its_messages_go(hub: HubUnderTest) -> None:
    """R-238: it has no author, and still needs a second person."""
    talk = await conversation(hub, "viber")
    purpose_id = await hub.value("SELECT id FROM purpose")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        judged = await bulk.decide_all(hub.runtime, unit, purpose_id, [bulk.Meant(talk, Text(text=RIVAL))])
        written = await bulk.write_all(hub.runtime, unit, purpose_id, judged, "letter", by=hub.owner.member_id)
    with pytest.raises(reviews.NeedsSecondPerson):
        await reviews.release(hub.runtime, hub.owner, written[talk])
    await (await visit(hub, "Rita Roth")).post(f"/consent/reviews/{ids.show('msg', written[talk])}/release")
    assert await state_of(hub, written[talk]) == ("queued", "")


async def test_what_nobody_lets_go_ends_with_its_reason_and_a_rivals_name_alone_is_no_advertising(hub: HubUnderTest) -> None:
    talk = await conversation(hub, "viber")
    held, plain = await hub.reply(talk, RIVAL), await hub.reply(talk, "Ihre Nachricht auf Telegram ist angekommen.")
    assert [await state_of(hub, one) for one in (held, plain)] == [("held", ""), ("queued", "")]
    await (await visit(hub, "Rita Roth")).post(f"/consent/reviews/{ids.show('msg', held)}/reject")
    assert await state_of(hub, held) == ("failed", "review_rejected")


async def test_advertising_needs_consent_for_just_this_purpose_and_messenger(hub: HubUnderTest) -> None:
    """R-220: an opt-in for one messenger is none for another: refused with `no_consent`, and the refusal is kept."""
    talk, letter = await conversation(hub), await define_purpose(hub)
    await grant(hub, letter, ("whatsapp", "", ADDRESS))
    news = partial(submit, hub.runtime, Program(hub.organisation_id), talk, text="Neue Lastenräder", purpose_id=letter)
    with pytest.raises(SendBlocked):
        await news(client_key="n1")
    [kept] = await hub.rows("SELECT verdict, rule, purpose_id, message_id FROM gate_decision ORDER BY at DESC LIMIT 1")
    assert tuple(kept) == ("refuse", "no_consent", letter, None)
    await grant(hub, letter, ("telegram", "", ADDRESS))
    message_id = await news(client_key="n2")
    [kept] = await hub.rows("SELECT rule, evidence FROM gate_decision WHERE message_id = $1", message_id)
    assert (kept["rule"], kept["evidence"]["entry"]) == ("granted", 2)


@respx.mock
async def test_an_override_is_a_decision_by_name_and_is_in_the_months_report(hub: HubUnderTest) -> None:
    """R-226: it needs the right and a reason, lifts the missing consent for a day and nothing else, and is listed at the month's
    end with what left under it."""
    respx.post(url__regex=".*/sendMessage").mock(
        return_value=httpx.Response(200, json={"ok": True, "result": {"message_id": 9, "chat": {"id": 1}, "date": 1795510900}})
    )
    talk, letter = await conversation(hub), await define_purpose(hub)
    news = partial(submit, hub.runtime, Program(hub.organisation_id), talk, text="Neue Lastenräder", purpose_id=letter)
    with pytest.raises(SendBlocked):
        await news(client_key="n1")
    decision = ids.show("dec", await hub.value("SELECT id FROM gate_decision WHERE rule = 'no_consent'"))
    rita, jonas = await visit(hub, "Rita Roth"), await visit(hub)
    assert "override" not in await rita.page(f"/consent/decisions/{decision}")
    with pytest.raises(InvalidInput):
        await overriding.override(hub.runtime, hub.owner, talk, letter, "darf ich")
    reason = "Hat am Telefon am 3. November zugestimmt, Frau Bach war dabei."
    await overriding.override(hub.runtime, hub.owner, talk, letter, reason)
    assert "Inzwischen wäre es erlaubt" in await jonas.page(f"/consent/decisions/{decision}")
    await news(client_key="n2")
    await hub.settle()
    hub.clock.advance(days=1, seconds=1)
    with pytest.raises(SendBlocked):
        await news(client_key="n3")
    anna = await visit(hub, "Anna Nowak")
    november = overriding.read_month("2026-11", ZoneInfo("Europe/Berlin"))
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        [listed] = await overriding.overrides_between(unit, hub.runtime.vault, november.begins, november.ends)
    assert (listed.by, listed.reason, listed.address, listed.sent) == ("Olga Inhaber", reason, ADDRESS, 1)
    assert reason in await anna.page("/consent/overrides?month=2026-11")
    assert "Keine Ausnahmen" in await anna.page("/consent/overrides?month=2026-12")


async def test_the_owners_are_told_once_after_the_month(hub: HubUnderTest, smtp: MailServer) -> None:
    """R-226: given an override, when the month ends, then it is in the owner's report."""
    talk, letter = await conversation(hub), await define_purpose(hub)
    await overriding.override(hub.runtime, hub.owner, talk, letter, "Hat am Telefon am 3. November zugestimmt.")
    runtime = with_mail(hub, smtp)
    assert await report_overrides(runtime) == 0
    hub.clock.advance(days=7)  # 1 December
    assert (await report_overrides(runtime), await report_overrides(runtime)) == (1, 0)
    [mail] = smtp.inbox.mails
    assert mail["subject"] == "Ausnahmen im November 2026: Radwerk Lindau"
    assert "Olga Inhaber: Hat am Telefon am 3. November zugestimmt." in mail.get_content()


async def test_an_override_lifts_no_stop(hub: HubUnderTest) -> None:
    """R-226: only what law and provider leave to the business."""
    talk, letter = await conversation(hub), await define_purpose(hub)
    await record(hub, Change("telegram", "", ADDRESS, "opt_out", clock.now(), {"source": "agent"}))
    with pytest.raises(overriding.NoOverride) as refusal:
        await overriding.override(hub.runtime, hub.owner, talk, letter, "Hat gestern am Telefon zugestimmt.")
    assert refusal.value.values["rule"] == "opted_out"


async def test_frequency_counts_a_person_and_quiet_hours_are_theirs(hub: HubUnderTest) -> None:
    """Issue 5, 8: the fifth newsletter within a week is refused, and at night the message waits for the morning there."""
    talk, letter = await conversation(hub), await define_purpose(hub)
    await grant(hub, letter, ("telegram", "", ADDRESS))
    program = Program(hub.organisation_id)
    for number in range(4):
        await submit(hub.runtime, program, talk, text=f"Nr. {number}", purpose_id=letter, client_key=f"n{number}")
    with pytest.raises(SendBlocked) as refusal:
        await submit(hub.runtime, program, talk, text="Nr. 5", purpose_id=letter, client_key="n5")
    assert refusal.value.decision.rule == "frequency_cap"
    await hub.reply(talk, "Eine Antwort geht immer.")
    hub.clock.advance(days=8, hours=12)  # 22:00 in Berlin
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE message_part SET state = 'failed'")
        await unit.sql.execute("UPDATE contact SET zone = 'Europe/Berlin'")
    message_id = await submit(hub.runtime, program, talk, text="Nr. 6", purpose_id=letter, client_key="n6")
    due = await hub.value("SELECT due_at FROM message_part WHERE message_id = $1", message_id)
    assert due == datetime(2026, 12, 3, 7, 0, tzinfo=UTC)


async def test_a_withdrawal_after_submit_stops_what_waits_for_the_purpose(hub: HubUnderTest) -> None:
    """R-223: in the transaction of the withdrawal."""
    talk, letter = await conversation(hub), await define_purpose(hub)
    key = ("telegram", "", ADDRESS)
    await grant(hub, letter, key)
    message_id = await submit(hub.runtime, Program(hub.organisation_id), talk, text="Nr. 1", purpose_id=letter, client_key="n1")
    hub.clock.advance(seconds=1)
    await record(hub, Change(*key, "withdrawn", clock.now(), {"source": "page"}, purpose_id=letter))
    assert await state_of(hub, message_id) == ("failed", "no_consent")


def test_each_step_is_told_as_far_as_it_was_asked() -> None:
    told = explain("refuse", "opted_out")
    assert [outcome for _, outcome in told] == ["passed", "passed", "stopped", "later", "later", "later", "later"]
    assert [outcome for _, outcome in explain("hold", "content_review")][-1] == "waits"
    assert {outcome for _, outcome in explain("allow", "granted")} == {"passed"}
