"""What people say on the messenger itself: agree, confirm, stop, ask for their data (R-220 to R-223, R-227)."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest
import respx

from hub.channels.flows import open_flow
from hub.consent import purposes
from hub.consent.agreeing.flows import Flow, FlowTerms, define_flow, read_flow
from hub.consent.agreeing.roads import read_grants
from hub.consent.books import chain
from hub.consent.gate import SendBlocked
from hub.consent.purposes import Wording
from hub.core import clock as clocks
from hub.core import ids
from hub.core.clock import FakeClock
from hub.core.errors import NotFound
from hub.inbox.arriving import ingest
from hub.inbox.sending import notices, outbound
from hub.inbox.sending.outbound import Program
from tests.support import TOKEN, Connected, HubUnderTest, telegram_text

USER = "5123456789"
WORDS = {
    "de": Wording("Radpost", "Ich möchte die Radpost erhalten."),
    "en": Wording("Bike letter", "I want to get the bike letter."),
}
AT = 1795510800 - 60
"""A minute before 2026-11-24 09:00 UTC, where the clock stands."""


@dataclass
class Chat:
    """A Telegram bot and the person who writes to it."""

    hub: HubUnderTest
    channel: Connected
    purpose_id: UUID
    sent: list[str] = field(default_factory=list)
    number: int = 0

    async def say(self, text: str, at: int = 0) -> None:
        """The person writes; everything that is due happens."""
        self.number += 1
        payload = telegram_text(self.number, text, message_id=self.number, at=AT + (at or self.number))
        assert await self.hub.deliver(self.channel, payload) == 200
        await self.hub.settle()

    async def flow(self, **terms: Any) -> Flow:
        values = {"keywords": {"de": "Radpost", "en": "Bikes"}, "language": "de", **terms}
        async with self.hub.runtime.database.unit_of_work(self.hub.organisation_id) as unit:
            given = FlowTerms(channel_id=self.channel.id, purpose_ids=[self.purpose_id], **values)
            return await read_flow(unit, await open_flow(self.hub.runtime, unit, self.hub.owner, given))

    async def state(self) -> str:
        async with self.hub.runtime.database.unit_of_work(self.hub.organisation_id) as unit:
            grants, stopped_at, _ = await read_grants(unit, ("telegram", "", USER))
        return grants[self.purpose_id].state(stopped_at, clocks.now()) if self.purpose_id in grants else "unknown"

    async def evidence(self, kind: str) -> dict[str, str]:
        """What the newest entry of this kind says."""
        rows = await self.hub.rows(
            """
            SELECT e.subject_id, s.key_sealed, e.details_sealed FROM consent_entry e
            JOIN consent_subject s ON s.organisation_id = e.organisation_id AND s.id = e.subject_id
            WHERE e.kind = $1 ORDER BY e.seq DESC LIMIT 1
            """,
            kind,
        )
        said = chain.open_details(self.hub.runtime.vault, self.hub.organisation_id, *rows[0])
        return dict(said["evidence"])

    async def conversation(self) -> UUID:
        found: UUID = await self.hub.value("SELECT id FROM conversation")
        return found


@pytest.fixture
async def chat(hub: HubUnderTest) -> AsyncIterator[Chat]:
    channel = await hub.connect()
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        purpose_id = await purposes.define_purpose(unit, hub.owner, key="newsletter", kind="marketing", words=WORDS)
    one = Chat(hub, channel, purpose_id)

    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        one.sent.append(body["text"])
        chat = {"id": int(USER), "first_name": "Jörg", "type": "private"}
        result = {"message_id": 9000 + len(one.sent), "chat": chat, "date": AT + 60, "text": "…"}
        return httpx.Response(200, json={"ok": True, "result": result})

    with respx.mock(assert_all_called=False) as provider:
        provider.post(f"https://api.telegram.org/bot{TOKEN}/sendMessage").mock(side_effect=answer)
        yield one


async def news(chat: Chat) -> UUID:
    """The business writes its newsletter to the person."""
    return await outbound.submit(
        chat.hub.runtime,
        Program(chat.hub.organisation_id),
        await chat.conversation(),
        purpose_id=chat.purpose_id,
        text="Herbst",
        client_key=ids.new_id().hex,
    )


async def test_a_word_on_the_messenger_agrees_with_its_message_as_proof(chat: Chat) -> None:
    """R-220, R-222: without a grant the newsletter is refused; with the word it goes, and the evidence has every field."""
    flow = await chat.flow()
    await chat.say("Hallo")
    with pytest.raises(SendBlocked) as refused:
        await news(chat)
    assert refused.value.decision.rule == "no_consent"
    await chat.say("radpost!")
    assert await chat.state() == "granted"
    assert chat.sent == [
        "Danke. Sie erhalten ab jetzt „Radpost“ von Radwerk Lindau. Mit STOPP melden Sie sich jederzeit ab, mit MEINE DATEN "
        "sehen Sie, was Sie uns erlaubt haben."
    ]
    said = await chat.evidence("granted")
    message_id = await chat.hub.value("SELECT id FROM message WHERE text = 'radpost!'")
    assert said == {
        "source": "message",
        "method": "keyword",
        "message_id": str(message_id),
        "answer": "radpost!",
        "flow": flow.key,
        "purpose": "Radpost",
        "text": WORDS["de"].text,
        "text_version": "1",
        "text_hash": WORDS["de"].text_hash.hex(),
        "language": "de",
    }
    await news(chat)
    await chat.hub.settle()
    assert chat.sent[-1] == "Herbst"


async def test_the_payload_of_a_link_names_the_flow_and_an_unknown_one_nothing(chat: Chat) -> None:
    flow = await chat.flow(confirmations={"de": "Willkommen bei der Radpost."})
    await chat.say("/start made-up")
    assert (await chat.state(), chat.sent) == ("unknown", [])
    await chat.say(f"/start {flow.key}")
    assert (await chat.state(), chat.sent) == ("granted", ["Willkommen bei der Radpost."])


async def test_double_opt_in_asks_once_and_sends_nothing_before_the_answer(chat: Chat, clock: FakeClock) -> None:
    """R-227: an unconfirmed sign-up refuses sending; the request is sent once; JA grants; a question that is void grants
    nothing."""
    await chat.flow(double_opt_in=True)
    await chat.say("Radpost")
    await chat.say("Radpost")
    assert len(chat.sent) == 1
    assert WORDS["de"].text in chat.sent[0] and "JA" in chat.sent[0] and "27.11.2026, 10:00" in chat.sent[0]
    assert await chat.state() == "asked"
    with pytest.raises(SendBlocked) as refused:
        await news(chat)
    assert refused.value.decision.evidence == {"grant": "asked"}
    await chat.say("Ja!")
    assert await chat.state() == "granted"
    said = await chat.evidence("granted")
    assert (said["method"], said["answer"], said["text_version"]) == ("double_opt_in", "Ja!", "1")
    await news(chat)


async def test_a_question_that_is_void_is_answered_by_nothing(chat: Chat, clock: FakeClock) -> None:
    """R-227: it expires after 72 hours."""
    await chat.flow(double_opt_in=True)
    await chat.say("Radpost")
    clock.advance(hours=73)
    await chat.say("JA", at=73 * 3600)
    assert await chat.state() == "unknown"
    assert len(chat.sent) == 1


async def test_a_yes_to_nothing_is_an_ordinary_message(chat: Chat) -> None:
    await chat.flow(double_opt_in=True)
    await chat.say("Ja")
    assert (await chat.state(), chat.sent) == ("unknown", [])


async def test_five_queued_messages_and_a_stop(chat: Chat) -> None:
    """R-223: none is sent after STOP, and the consent shows "withdrawn" with the message id; the receipt comes once for each
    stop."""
    await chat.flow()
    await chat.say("Radpost")
    await news(chat)
    for _ in range(4):
        await chat.hub.reply(await chat.conversation(), "Herbst")
    chat.sent.clear()
    await chat.hub.deliver(chat.channel, telegram_text(50, "STOPP", message_id=50, at=AT + 50))
    await ingest.drain(chat.hub.runtime, chat.hub.organisation_id, chat.channel.id, chat.hub.worker_id)
    await chat.hub.settle()
    assert await chat.state() == "withdrawn"
    failed = await chat.hub.rows("SELECT failure FROM message WHERE text = 'Herbst'")
    assert [row["failure"] for row in failed] == ["opted_out"] * 5
    assert (await chat.evidence("opt_out"))["message_id"] == str(
        await chat.hub.value("SELECT id FROM message WHERE text = 'STOPP'")
    )
    assert [text[:21] for text in chat.sent] == ["Sie sind abgemeldet: "]
    await chat.say("Stop", at=60)
    assert len(chat.sent) == 1, "at most one receipt for each stop"


async def test_one_purpose_is_stopped_by_its_name(chat: Chat) -> None:
    """Everything else stays, and what remains is said."""
    await chat.flow()
    await chat.say("Radpost")
    waiting = await news(chat)
    chat.sent.clear()
    await chat.hub.deliver(chat.channel, telegram_text(50, "Stopp Radpost", message_id=50, at=AT + 50))
    await ingest.drain(chat.hub.runtime, chat.hub.organisation_id, chat.channel.id, chat.hub.worker_id)
    await chat.hub.settle()
    assert await chat.state() == "withdrawn"
    assert await chat.hub.value("SELECT failure FROM message WHERE id = $1", waiting) == "no_consent"
    assert await chat.hub.value("SELECT choice FROM consent_state WHERE address = $1", USER) == "opted_in"
    [receipt] = chat.sent
    assert "„Radpost“" in receipt and "Antworten auf Ihre Fragen erhalten Sie weiter" in receipt
    await chat.hub.reply(await chat.conversation(), "Gerne.")
    await chat.hub.settle()
    assert chat.sent[-1] == "Gerne."


async def test_after_a_stop_the_word_agrees_anew(chat: Chat) -> None:
    await chat.flow(double_opt_in=True)
    await chat.say("Radpost")
    await chat.say("Ja")
    await chat.say("Stop")
    await chat.say("Radpost")
    assert await chat.state() == "asked"
    await chat.say("yes")
    assert await chat.state() == "granted"
    assert len(chat.sent) == 5, "question, welcome, receipt, question, welcome"


async def test_subscribing_is_the_active_registration_where_it_counts(hub: HubUnderTest) -> None:
    """R-221: subscribing to the account can be configured as the active registration, and is then stored as consent evidence."""
    probe = await hub.connect("probe")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        purpose_id = await purposes.define_purpose(unit, hub.owner, key="newsletter", kind="marketing", words=WORDS)
    chat = Chat(hub, probe, purpose_id)
    subscribed: dict[str, Any] = {"type": "opted_in", "key": "c1", "from": USER, "at": AT}

    async def tell(event: dict[str, Any]) -> list[str]:
        assert await hub.deliver(probe, [event]) == 200
        await ingest.drain(hub.runtime, hub.organisation_id, probe.id, hub.worker_id)
        return [row["kind"] for row in await hub.rows("SELECT kind FROM consent_entry ORDER BY seq")]

    assert await tell(subscribed) == ["opted_in"]
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        terms = FlowTerms(channel_id=probe.id, purpose_ids=[purpose_id], language="de", counts_subscription=True)
        await define_flow(unit, hub.owner, terms)
    assert await tell({**subscribed, "key": "c2"}) == ["opted_in", "opted_in", "granted"]
    said = await chat.evidence("granted")
    assert (said["method"], said["source"], said["key"], said["text"]) == ("subscription", "provider", "c2", WORDS["de"].text)


async def test_a_person_erased_meanwhile_stops_no_other_notice(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The conversation of one is gone between finding and writing: its notice ends, and the sweeper goes on."""
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(1, "STOP"))
    await ingest.drain(hub.runtime, hub.organisation_id, channel.id, hub.worker_id)

    async def gone(*_: Any, **__: Any) -> UUID:
        raise NotFound("no such conversation")

    monkeypatch.setattr(notices, "submit", gone)
    assert (await notices.send_due(hub.runtime), await notices.send_due(hub.runtime)) == (1, 0)
    assert tuple((await hub.rows("SELECT state, rule FROM notice"))[0]) == ("refused", "gone")
