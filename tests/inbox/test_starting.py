"""A conversation with somebody who has not written: opened and never doubled, and nothing leaves by it."""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from httpx import AsyncClient

from hub.channels import service as channels
from hub.connectors.contract import Account
from hub.connectors.errors import AccountPaused, AuthFailed, RateLimited, Rejected, SendError, Unavailable, Unreachable
from hub.connectors.events import Sender
from hub.connectors.registry import Registry
from hub.connectors.telegram.connector import connector as telegram
from hub.consent.gate import SendBlocked
from hub.core import ids
from hub.inbox.arriving import ingest
from tests.inbox.pages_support import PAGE, Visitor, conv, rows_in, visit
from tests.probe import Probe, ProbeSettings
from tests.support import Connected, HubUnderTest

NOW = 1795510800
OPT_IN = "Dafür fehlt die Einwilligung der Person."


@dataclass
class Directory:
    """The provider's list of people by number."""

    people: dict[str, Sender] = field(default_factory=dict)
    refuses: SendError | None = None
    asked: list[str] = field(default_factory=list)


directory = Directory()


class Reachable(Probe):
    """The probe as a messenger on which one can write first; it has no reply window."""

    connector = "threema"  # whose words it borrows
    label = "Threema"

    def read_address(self, typed: str) -> Sender | None:
        return Sender(provider_user_id=typed.strip()) if typed.strip().startswith("+") else None

    async def find(self, query: str, account: Account[ProbeSettings], http: AsyncClient) -> Sender | None:
        directory.asked.append(query)
        if directory.refuses:
            raise directory.refuses
        return directory.people.get(query)


class Windowed(Probe):
    """The same with the probe's reply window, and nobody to ask."""

    connector = "sms"
    label = "SMS"

    def read_address(self, typed: str) -> Sender | None:
        return Sender(provider_user_id=typed.strip())


@pytest.fixture
def connectors() -> Registry:
    from dataclasses import replace

    Reachable.capabilities = replace(Probe.capabilities, reply_window_hours=None)
    return Registry([Reachable(), Windowed(), telegram])


@pytest.fixture(autouse=True)
def _fresh() -> None:
    vars(directory).update(vars(Directory()))
    directory.people["+49151"] = Sender(provider_user_id="ANNA0001", aliases=("+49151",))


async def begin(who: Visitor, channel: Connected, address: str = "+49151", **more: str) -> UUID:
    """Open a conversation as the form does; its id."""
    answer = await who.post("/conversations", headers=PAGE, channel=ids.show("chn", channel.id), address=address, **more)
    assert answer.status_code == 303, answer.text
    return ids.read("conv", answer.headers["location"].rpartition("/")[2])


async def hear(hub: HubUnderTest, channel: Connected, who: str, **more: object) -> None:
    await hub.deliver(channel, [{"type": "message", "key": ids.new_id().hex, "at": NOW, "from": who, "text": "Hallo", **more}])
    await ingest.drain(hub.runtime, hub.organisation_id, channel.id, hub.worker_id)


async def test_a_conversation_is_opened_and_nothing_is_sent(hub: HubUnderTest) -> None:
    """R-221: the first word waits for the person's agreement; their own first word opens the rest."""
    jonas, channel = await visit(hub), await hub.connect("threema", token="t")
    conversation = await begin(jonas, channel, name="Anna Öz")

    listed = await jonas.page("/inbox/mine")
    assert rows_in(listed) == [conv(conversation)] and "noch nichts geschrieben" in listed
    thread = await jonas.page(f"/inbox/open/{conv(conversation)}")
    assert "Anna Öz" in thread and "Jonas Keller hat die Unterhaltung begonnen" in thread and OPT_IN in thread
    assert await hub.value("SELECT count(*) FROM message WHERE direction <> 'event'") == 0
    (entry,) = await hub.rows("SELECT target, member_id FROM audit_entry WHERE action = 'conversation.started'")
    assert (entry["target"], entry["member_id"]) == (conv(conversation), jonas.member_id)
    with pytest.raises(SendBlocked) as blocked:
        await hub.reply(conversation, "Guten Tag")
    assert blocked.value.decision.rule == "opt_in_needed"
    assert await hub.value("SELECT count(*) FROM attempt") == 0

    await hear(hub, channel, "ANNA0001", name="annchen")
    assert await hub.value("SELECT count(*) FROM conversation") == 1
    assert [row["name"] for row in await hub.rows("SELECT name FROM contact")] == ["Anna Öz"]
    await hub.reply(conversation, "Guten Tag")


async def test_a_closed_window_stays_closed_for_free_text(hub: HubUnderTest) -> None:
    """With the agreement a messenger that has a reply window still takes nothing free: nobody has opened it."""
    jonas, channel = await visit(hub), await hub.connect("sms", token="t")
    conversation = await begin(jonas, channel, "49151")
    await hub.deliver(channel, [{"type": "opted_in", "key": "c1", "at": NOW, "from": "49151"}])
    await ingest.drain(hub.runtime, hub.organisation_id, channel.id, hub.worker_id)
    with pytest.raises(SendBlocked) as blocked:
        await hub.reply(conversation, "Guten Tag")
    assert blocked.value.decision.rule == "window_closed"


async def test_somebody_known_is_opened_and_never_doubled(hub: HubUnderTest) -> None:
    """Whoever wrote first, whichever of their addresses is typed, and however often the button is pressed."""
    jonas, sara = await visit(hub), await visit(hub, "Sara Lang")
    channel = await hub.connect("threema", token="t")
    first, second = await asyncio.gather(begin(jonas, channel), begin(sara, channel))
    assert first == second
    asked = len(directory.asked)
    assert await begin(sara, channel) == first  # the number is an alias by now, so nobody has to be asked
    assert len(directory.asked) == asked
    assert await hub.value("SELECT count(*) FROM identity") == 1
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'event'") == 1
    assert {row["kind"] for row in await hub.rows("SELECT kind FROM consent_entry")} == {"linked"}

    await hear(hub, channel, "BERT0002", name="Bert")
    directory.people["+49152"] = Sender(provider_user_id="BERT0002")
    bert = await begin(jonas, channel, "+49152", name="Wer anders")
    (row,) = await hub.rows(
        "SELECT k.name, c.assignee_id FROM contact k JOIN conversation c ON c.contact_id = k.id WHERE c.id = $1", bert
    )
    assert (row["name"], row["assignee_id"]) == ("Bert", None)


@pytest.mark.parametrize("locale", ["de", "en"])
async def test_what_was_found_is_said_and_nothing_opened(hub: HubUnderTest, locale: str) -> None:
    jonas, channel = await visit(hub, locale=locale), await hub.connect("threema", token="t")
    german = locale == "de"
    told: list[tuple[SendError | None, str, str]] = [
        (None, "+49999", "Unter +49999 ist niemand auf Threema" if german else "Nobody can be found on Threema with +49999"),
        (None, "Anna", "Das ist keine Adresse für Threema" if german else "This is no address for Threema"),
        (RateLimited(60.0), "+49151", "keine weitere Suche" if german else "no further look-up"),
        (AccountPaused("no_credits"), "+49151", "Guthaben bei Threema ist aufgebraucht" if german else "credits"),
        (AuthFailed(), "+49151", "Seite der Kanäle" if german else "channels page"),
        (Unreachable(), "+49151", "nimmt auf Threema keine Nachrichten" if german else "takes no messages"),
        (Rejected("7", "not &lt; today"), "+49151", "not &amp;lt; today"),
        (Unavailable("503"), "+49151", "antwortet gerade nicht" if german else "does not answer"),
    ]
    shown = ids.show("chn", channel.id)
    for refusal, address, words in told:
        directory.refuses = refusal
        answer = await jonas.post("/conversations", headers=PAGE, name="Anna", channel=shown, address=address)
        assert (answer.status_code, words in answer.text) == (422, True), (words, answer.text)
        assert f'value="{address}"' in answer.text and 'value="Anna"' in answer.text
    assert (await jonas.post("/conversations", channel=shown, address="+49151")).json()["error"] == "not_started"
    assert await hub.value("SELECT count(*) FROM identity") == 0


async def test_only_channels_that_can_begin_are_offered(hub: HubUnderTest) -> None:
    """Not one that only answers, not one that is off, and nobody else's."""
    jonas, other = await visit(hub), await hub.found("anderswo", "Anderswo GmbH")
    assert "Auf keinem Kanal können Sie zuerst schreiben" in await jonas.page("/conversations/new")
    answers, off, foreign = await hub.connect(), await hub.connect("sms", token="t"), await hub.connect("threema", other, token="t")
    begins = await hub.connect("threema", token="t")
    await channels.switch_off(hub.runtime, hub.owner, off.id)
    page = await jonas.page("/conversations/new")
    assert ids.show("chn", begins.id) in page
    for channel in (answers, off, foreign):
        shown = ids.show("chn", channel.id)
        assert shown not in page
        assert (await jonas.post("/conversations", channel=shown, address="+49151")).status_code == 404
    assert directory.asked == []
