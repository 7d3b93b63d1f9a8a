"""What leaves by a messenger's own rules: templates after the window, people's extra days, links of files, limits, read marks."""

import asyncio
import dataclasses
import json
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
import respx
from httpx import AsyncClient

from hub.channels import templates
from hub.connectors.contract import Account, OutboundAction, OutboundMessage, Permit, Receipt, TemplateRecord
from hub.connectors.errors import AccountPaused, RecipientLimited, SendError, WindowClosed
from hub.connectors.events import Card, Cards, ContactCard, Location, Media, Option, Slot, Template, Text, TimeChoice
from hub.connectors.registry import Registry
from hub.connectors.sharing import Budget
from hub.consent.gate import SendBlocked
from hub.core import clock, ids
from hub.core.errors import InvalidInput
from hub.inbox import service
from hub.inbox.arriving import ingest
from hub.inbox.content import read_part, store_part
from hub.inbox.sending import dispatch
from hub.inbox.sending.compose import Filled
from hub.inbox.sending.rate import SharedBudget
from hub.inbox.sending.wording import fill, read_wording
from tests.consent.support import define_purpose, grant
from tests.inbox.pages_support import conv, visit
from tests.inbox.thread_support import uploaded
from tests.probe import Probe, ProbeSettings
from tests.support import Connected, HubUnderTest

NOW = 1795510800
BERLIN = ZoneInfo("Europe/Berlin")
BODY = {"type": "BODY", "text": "Guten Tag {{1}}, Ihr Termin ist am {{2}}."}
COMPONENTS = (
    {"type": "HEADER", "format": "TEXT", "text": "Termin in {{1}}"},
    BODY,
    {"type": "FOOTER", "text": "Radwerk"},
    {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Ansehen", "url": "https://r.example/{{1}}"}]},
)
sent: list[OutboundAction] = []
refusals: list[SendError] = []


class Able(Probe):
    """A probe with a reply window, templates and read marks, whose requests stay here."""

    connector = "able"
    capabilities = dataclasses.replace(
        Probe.capabilities,
        templates=True,
        actions=frozenset({"react", "typing", "read"}),
        media_by_link=True,
        contact=True,
    )

    async def send(self, permit: Permit, action: OutboundAction, account: Account[ProbeSettings], http: AsyncClient) -> Receipt:
        permit.spend(action)
        if isinstance(action, OutboundMessage) and refusals:
            raise refusals.pop(0)
        sent.append(action)
        if not isinstance(action, OutboundMessage):
            return Receipt(status="accepted")
        return Receipt(status="accepted", keys=(f"out-{len(sent)}",), at=clock.now())


class Human(Able):
    """After the window a person, and no program, may answer for a week."""

    connector = "human"
    capabilities = dataclasses.replace(Able.capabilities, templates=False, human_agent_days=7)


class Budgeted(Able):
    connector = "budgeted"

    def budget(self, account: Account[ProbeSettings]) -> Budget:
        return Budget(name="app-1", most=10, seconds=1000.0)


class Charged(Able):
    connector = "charged"

    def count_pieces(self, text: str) -> int:
        return 1 + len(text) // 160


@pytest.fixture
def connectors() -> Registry:
    return Registry([Able(), Human(), Budgeted(), Charged()])


@pytest.fixture(autouse=True)
def _fresh() -> None:
    sent.clear()
    refusals.clear()


async def wrote(hub: HubUnderTest, channel: Connected, who: str = "anna", key: str = "m1") -> UUID:
    """A customer wrote; the conversation's id."""
    at = clock.now().timestamp()
    await hub.deliver(channel, [{"type": "message", "key": key, "at": at, "from": who, "name": who.title(), "text": "Hallo"}])
    await ingest.drain(hub.runtime, hub.organisation_id, channel.id, hub.worker_id)
    found: UUID = await hub.value(
        "SELECT c.id FROM conversation c JOIN identity i ON i.id = c.identity_id WHERE i.provider_user_id = $1", who
    )
    return found


async def keep(hub: HubUnderTest, channel: Connected, *records: TemplateRecord) -> dict[str, UUID]:
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await templates._keep(unit, channel.id, records)
        return {one.name: one.id for one in await templates.list_templates(unit, channel.id)}


def record(name: str, *, status: str = "approved", category: str = "utility", components: Any = COMPONENTS) -> TemplateRecord:
    return TemplateRecord(provider_id=name, name=name, language="de", category=category, status=status, components=components)


# templates


def test_a_templates_blanks_are_filled_where_they_stand() -> None:
    wording = read_wording(COMPONENTS)
    assert [(one.part, one.name) for one in wording.blanks] == [("header", "1"), ("body", "1"), ("body", "2"), ("button:0", "1")]
    parameters, text = fill(wording, ["Lindau", "Frau Bach", "3. Mai", "t/77"], BERLIN)
    assert parameters == {"header": ("Lindau",), "body": ("Frau Bach", "3. Mai"), "button:0": ("t/77",)}
    assert text == "Termin in Lindau\n\nGuten Tag Frau Bach, Ihr Termin ist am 3. Mai.\n\nRadwerk"
    named = read_wording([{"type": "BODY", "text": "Am {{date}} um {{time}}"}])
    assert fill(named, ["3. Mai", "9 Uhr"], BERLIN) == ({"body:date": ("3. Mai",), "body:time": ("9 Uhr",)}, "Am 3. Mai um 9 Uhr")
    tenth = read_wording([{"type": "BODY", "text": "".join(f"{{{{{number}}}}}" for number in (10, 2, 1))}])
    assert fill(tenth, ["a", "b", "j"], BERLIN) == ({"body": ("a", "b", "j")}, "jba")
    for values in ([], ["a", "b", "c"], ["a", "b", "c", " "]):
        with pytest.raises(InvalidInput):
            fill(wording, values, BERLIN)


def card(words: str) -> dict[str, Any]:
    button = {"type": "URL", "text": "Ansehen", "url": "https://r.example/{{1}}"}
    header = {"type": "HEADER", "format": "IMAGE"}
    return {"components": [header, {"type": "BODY", "text": words}, {"type": "BUTTONS", "buttons": [button]}]}


def test_cards_offers_and_vouchers_are_filled_part_by_part() -> None:
    """Issue 4.1: templates with every component."""
    beside = read_wording([BODY, {"type": "CAROUSEL", "cards": [card("Rad {{1}}"), card("Helm")]}])
    assert beside.files == (("image", 1), ("image", 2))
    on_cards = [(one.key, one.card) for one in beside.blanks[2:]]
    assert on_cards == [("card:0:body", 1), ("card:0:button:0", 1), ("card:1:button:0", 2)]
    parameters, text = fill(beside, ["Anna", "heute", "blau", "r", "h"], BERLIN)
    assert parameters["card:0:body"] == ("blau",) and parameters["card:1:button:0"] == ("h",)
    assert text == "Guten Tag Anna, Ihr Termin ist am heute.\n\nRad blau\n\nHelm"
    offer = {"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"text": "Nur kurz", "has_expiration": True}}
    voucher = {"type": "BUTTONS", "buttons": [{"type": "COPY_CODE", "example": "RAD"}]}
    limited = read_wording([offer, {"type": "BODY", "text": "Greifen Sie zu"}, voucher])
    assert [one.sort for one in limited.blanks] == ["moment", "code"]
    filled, text = fill(limited, ["2026-12-01T18:00", "RAD20"], BERLIN)
    assert filled == {"limited_time_offer": ("1796144400000",), "button:0:copy_code": ("RAD20",)}
    assert text == "Nur kurz\n\nGreifen Sie zu"
    with pytest.raises(InvalidInput):
        fill(limited, ["morgen", "RAD20"], BERLIN)


@pytest.mark.parametrize(
    "components",
    [
        [
            {"type": "BODY", "add_security_recommendation": True},
            {"type": "BUTTONS", "buttons": [{"type": "OTP"}]},
        ],
        [
            {"type": "BODY", "text": "{{1}} ist Ihr Code."},
            {
                "type": "BUTTONS",
                "buttons": [{"type": "URL", "text": "Kopieren", "url": "https://www.whatsapp.com/otp/code/?code=otp{{1}}"}],
            },
        ],
    ],
)
def test_a_code_is_typed_once_and_goes_into_text_and_button(components: list[dict[str, Any]]) -> None:
    """8: the code appears twice; either form of the provider's list."""
    wording = read_wording(components)
    assert len(wording.blanks) == 1
    assert fill(wording, ["482913"], BERLIN)[0] == {"body": ("482913",), "button:0": ("482913",)}


@pytest.mark.parametrize(
    "part", [{"type": "HEADER", "format": "PRODUCT"}, {"type": "BUTTONS", "buttons": [{"type": "CATALOG"}]}, {"type": "CALL"}]
)
def test_what_the_hub_cannot_fill_is_named(part: dict[str, Any]) -> None:
    assert read_wording([BODY, part]).foreign in ("product", "catalog", "call")


async def test_after_the_window_only_an_approved_template_goes(hub: HubUnderTest) -> None:
    channel = await hub.connect("able", token="t")
    conversation_id = await wrote(hub, channel)
    kept = await keep(hub, channel, record("termin", components=(BODY,)), record("neu", status="pending", components=(BODY,)))
    hub.clock.advance(hours=25)
    with pytest.raises(SendBlocked) as refusal:
        await hub.reply(conversation_id, "Noch da?")
    assert refusal.value.decision.rule == "template_needed"
    with pytest.raises(InvalidInput):
        await hub.reply(conversation_id, "", template=Filled(kept["neu"], ["a", "b"], BERLIN))
    message_id = await hub.reply(conversation_id, "", template=Filled(kept["termin"], ["Frau Bach", "3. Mai"], BERLIN))
    await hub.settle()
    (action,) = sent
    assert isinstance(action, OutboundMessage) and isinstance(action.content, Template)
    assert (action.content.name, action.content.parameters) == ("termin", {"body": ("Frau Bach", "3. Mai")})
    row = (await hub.rows("SELECT state, kind, text FROM message WHERE id = $1", message_id))[0]
    assert tuple(row) == ("accepted", "template", "Guten Tag Frau Bach, Ihr Termin ist am 3. Mai.")
    assert await hub.value("SELECT rule FROM gate_decision WHERE message_id = $1", message_id) == "template"


async def test_advertising_needs_consent_to_its_purpose_even_as_a_template(hub: HubUnderTest) -> None:
    """R-220: what the provider asked by itself is no consent to a newsletter; a template that is advertising goes for the first
    purpose that is, and the stop that comes while it waits holds."""
    channel = await hub.connect("able", token="t")
    conversation_id = await wrote(hub, channel)
    kept = await keep(hub, channel, record("angebot", category="marketing", components=({"type": "BODY", "text": "Rabatt"},)))
    purpose_id = await define_purpose(hub)
    for said in ("opted_in", None):
        if said:
            await hub.deliver(channel, [{"type": said, "key": "c1", "at": NOW, "from": "anna", "text": "Ja"}])
            await hub.settle()
        with pytest.raises(SendBlocked) as refusal:
            await hub.reply(conversation_id, "", template=Filled(kept["angebot"], [], BERLIN))
        assert refusal.value.decision.rule == "no_consent"
    refused = (await hub.rows("SELECT purpose_id FROM gate_decision ORDER BY at LIMIT 1"))[0]
    assert refused["purpose_id"] == purpose_id
    await grant(hub, purpose_id, ("able", str(channel.id), "anna"))
    message_id = await hub.reply(conversation_id, "", template=Filled(kept["angebot"], [], BERLIN))
    await hub.deliver(channel, [{"type": "marketing_stopped", "key": "c2", "at": NOW + 1, "from": "anna"}])
    await hub.settle()  # the gate is asked again at the claim
    row = (await hub.rows("SELECT state, failure, purpose_id FROM message WHERE id = $1", message_id))[0]
    assert tuple(row) == ("failed", "marketing_stopped", purpose_id) and not sent


async def test_the_composer_offers_what_may_go_with_its_words_and_blanks(hub: HubUnderTest) -> None:
    channel = await hub.connect("able", token="t")
    conversation_id = await wrote(hub, channel)
    catalogue = (BODY, {"type": "BUTTONS", "buttons": [{"type": "CATALOG"}]})
    await keep(hub, channel, record("termin"), record("waren", components=catalogue), record("neu", status="pending"))
    assert 'id="templates"' not in await (await visit(hub, "Rita Roth")).page(f"/inbox/open/{conv(conversation_id)}")
    hub.clock.advance(hours=25)
    jonas = await visit(hub)
    page = await jonas.page(f"/inbox/open/{conv(conversation_id)}")
    assert "Jetzt geht nur eine freigegebene Vorlage" in page
    picks = page.split('id="templates"')[1].split("</section>")[0]
    assert "Guten Tag <mark" in picks and "neu" not in picks
    assert "den der Hub nicht füllen kann (catalog)" in picks
    assert picks.count('name="parameters"') == 4
    shown = picks.split('name="template" value="')[1].split('"')[0]
    form: dict[str, Any] = {"template": shown, "client_key": "k1"}
    answer = await jonas.post(
        f"/conversations/{conv(conversation_id)}/template", **form, parameters=["Lindau", "Frau Bach", "3. Mai", ""]
    )
    assert answer.status_code == 422 and "Leerstelle" in answer.json()["text"]
    answer = await jonas.post(
        f"/conversations/{conv(conversation_id)}/template", **form, parameters=["Lindau", "Frau Bach", "3. Mai", "7"]
    )
    assert answer.status_code == 200
    await hub.settle()
    assert len(sent) == 1
    page = await jonas.page(f"/inbox/open/{conv(conversation_id)}")
    assert "Guten Tag Frau Bach" in page and "Vorlage termin" in page


async def test_a_template_goes_with_the_files_of_its_header_and_cards(hub: HubUnderTest) -> None:
    channel = await hub.connect("able", token="t")
    conversation_id = await wrote(hub, channel)
    header = {"type": "HEADER", "format": "DOCUMENT"}
    beside = {"type": "CAROUSEL", "cards": [{"components": [{"type": "HEADER", "format": "IMAGE"}]}] * 2}
    kept = await keep(hub, channel, record("sommer", components=(header, {"type": "BODY", "text": "Unser Sommer"}, beside)))
    hub.clock.advance(hours=25)
    jonas = await visit(hub)
    page = await jonas.page(f"/inbox/open/{conv(conversation_id)}")
    assert page.count("data-file=") == 3 and "Karte 2" in page
    sheet = ids.show("file", await uploaded(hub, conversation_id, jonas.member_id))
    look = {"kind": "image", "mime": "image/png", "name": "rad.png"}
    one, two = [ids.show("file", await uploaded(hub, conversation_id, jonas.member_id, b"x", **look)) for _ in range(2)]
    form: dict[str, Any] = {"template": ids.show("tpl", kept["sommer"]), "client_key": "k1"}
    answer = await jonas.post(f"/conversations/{conv(conversation_id)}/template", **form, files=[one, sheet, two])
    assert answer.status_code == 422 and "andere Dateien" in answer.json()["text"]
    answer = await jonas.post(f"/conversations/{conv(conversation_id)}/template", **form, files=[sheet, two, one])
    assert answer.status_code == 200
    await hub.settle()
    (message,) = [one for one in sent if isinstance(one, OutboundMessage)]
    assert isinstance(message.content, Template) and isinstance(message.content.header, Media)
    refs = [message.content.header.ref, *(media.ref for media in message.content.cards)]
    assert refs == [ids.read("file", name).hex for name in (sheet, two, one)] and set(refs) == set(message.files)
    page = await jonas.page(f"/inbox/open/{conv(conversation_id)}")
    assert all(file in page for file in (sheet, one, two))


@pytest.mark.parametrize(
    ("locale", "tab", "told"),
    [
        ("de", "Vorlage</button>", "hat der Messenger noch keine Vorlage freigegeben"),
        ("en", "Template</button>", "has not approved a template for this channel yet"),
    ],
)
async def test_a_channel_without_templates_says_so(hub: HubUnderTest, locale: str, tab: str, told: str) -> None:
    channel = await hub.connect("able", token="t")
    conversation_id = await wrote(hub, channel)
    hub.clock.advance(hours=25)
    page = await (await visit(hub, locale=locale)).page(f"/inbox/open/{conv(conversation_id)}")
    assert tab in page and told in page and 'id="templates"' not in page and 'id="send"' not in page


# people's extra days


async def test_after_the_window_a_person_answers_marked_as_such(hub: HubUnderTest) -> None:
    channel = await hub.connect("human", token="t")
    conversation_id = await wrote(hub, channel)
    await hub.reply(conversation_id, "Sofort")
    await hub.settle()
    hub.clock.advance(days=2)
    await hub.reply(conversation_id, "Später")
    await hub.settle()
    assert [action.tag for action in sent if isinstance(action, OutboundMessage)] == ["", "human_agent"]
    await hub.reply(conversation_id, "Am Ende")
    hub.clock.advance(days=6)
    await hub.settle()
    assert await hub.value("SELECT failure FROM message WHERE text = 'Am Ende'") == "window_closed"


# files that the provider fetches


async def test_a_file_goes_with_a_link_of_its_own(hub: HubUnderTest) -> None:
    channel = await hub.connect("able", token="t")
    conversation_id = await wrote(hub, channel)
    file = await uploaded(hub, conversation_id, hub.owner.member_id)
    await hub.rows("UPDATE attachment SET sha256 = $1 RETURNING true", b"x" * 32)
    await hub.reply(conversation_id, "", files=[file])
    await hub.settle()
    (action,) = sent
    assert isinstance(action, OutboundMessage)
    (one,) = action.files.values()
    assert one.link.startswith("http://hub.test/files/") and one.link not in repr(action)
    path = one.link.removeprefix("http://hub.test")
    assert (await hub.browser().get(path)).status_code == 200
    hub.clock.advance(hours=24)
    assert (await hub.browser().get(path)).status_code == 404


async def test_without_an_address_such_a_file_is_refused_in_words(hub: HubUnderTest) -> None:
    channel = await hub.connect("able", token="t")
    conversation_id = await wrote(hub, channel)
    file = await uploaded(hub, conversation_id, hub.owner.member_id)
    runtime = dataclasses.replace(hub.runtime, settings=hub.runtime.settings.model_copy(update={"public_url": None}))
    hub.runtime = runtime
    with pytest.raises(InvalidInput) as refusal:
        await hub.reply(conversation_id, "", files=[file])
    assert refusal.value.values["reason"] == "no_public_address"


# what the provider says to one attempt


async def test_a_limit_of_one_person_keeps_nobody_else_waiting(hub: HubUnderTest) -> None:
    channel = await hub.connect("able", token="t")
    anna, bea = await wrote(hub, channel), await wrote(hub, channel, "bea", "m2")
    refusals.append(RecipientLimited(60, "131056", "pair rate limit"))
    await hub.reply(anna, "eins")
    await hub.settle()
    await hub.reply(anna, "zwei")
    await hub.reply(bea, "drei")
    await hub.settle()
    assert [action.address for action in sent] == ["bea"]
    hub.clock.advance(seconds=61)
    await hub.settle()
    texts = [action.content.text for action in sent if isinstance(action, OutboundMessage) and isinstance(action.content, Text)]
    assert texts == ["drei", "eins", "zwei"]


async def test_an_account_that_is_paused_says_why_and_keeps_the_message(hub: HubUnderTest) -> None:
    channel = await hub.connect("able", token="t")
    refusals.append(AccountPaused("no_credits", "402", "out of credits"))
    message_id = await hub.reply(await wrote(hub, channel), "Guten Tag")
    await hub.settle()
    row = (await hub.rows("SELECT health, health_cause, health_text FROM channel"))[0]
    assert tuple(row) == ("attention", "no_credits", "out of credits")
    assert await hub.value("SELECT state FROM message WHERE id = $1", message_id) == "queued"
    assert await hub.value("SELECT cause FROM channel_event WHERE level = 'attention'") == "no_credits"


async def test_a_window_that_the_provider_sees_closed_is_final_and_said_in_words(hub: HubUnderTest) -> None:
    channel = await hub.connect("able", token="t")
    conversation_id = await wrote(hub, channel)
    refusals.append(WindowClosed("131047", "re-engagement message"))
    await hub.reply(conversation_id, "Guten Tag")
    await hub.settle()
    row = (await hub.rows("SELECT state, failure FROM message WHERE direction = 'out'"))[0]
    assert tuple(row) == ("failed", "window_closed")
    assert "Das Antwortfenster dieses Messengers war zu" in await (await visit(hub)).page(f"/inbox/open/{conv(conversation_id)}")


# what is shown and not kept


async def test_the_customer_is_shown_that_we_read_and_that_we_write(hub: HubUnderTest) -> None:
    channel = await hub.connect("able", token="t")
    conversation_id = await wrote(hub, channel)
    clients = dispatch.Clients(frozenset(), at_once=2)
    for sign in ("typing", "read", "typing"):  # the first one meets an empty bucket
        await dispatch.show_sign(hub.runtime, clients, hub.organisation_id, conversation_id, sign)
        await asyncio.sleep(0.1)
    await clients.close()
    assert [(type(action).__name__, getattr(action, "target_key", "")) for action in sent] == [
        ("MarkRead", "m1"),
        ("ShowTyping", "m1"),
    ]
    assert await hub.value("SELECT count(*) FROM attempt") == 0


async def test_opening_and_answering_tell_that_it_was_read_once(hub: HubUnderTest) -> None:
    channel = await hub.connect("able", token="t")
    conversation_id = await wrote(hub, channel)
    redis = hub.runtime.queue.redis
    await service.mark_read(hub.runtime, hub.owner, conversation_id)
    assert await redis.exists(f"read:{conversation_id.hex}")
    await redis.delete(f"read:{conversation_id.hex}")
    await service.mark_read(hub.runtime, hub.owner, conversation_id)  # nothing new
    assert not await redis.exists(f"read:{conversation_id.hex}")
    await wrote(hub, channel, key="m2")
    await hub.reply(conversation_id, "Guten Tag")
    assert await redis.exists(f"read:{conversation_id.hex}")


# budgets


async def test_accounts_of_one_app_share_their_budget(hub: HubUnderTest) -> None:
    budget = Budget(name="app", most=100, seconds=1.0)
    one, two = SharedBudget(hub.runtime.queue, budget), SharedBudget(hub.runtime.queue, budget)
    assert (await one.take(50))[0] == 1  # a bucket that nobody knows holds one
    await asyncio.sleep(0.3)
    taken = [(await which.take(8))[0] for which in (one, two)]
    assert taken[0] == 8 and taken[1] <= 4  # a tenth at once, for both together
    await two.give_back(2)
    left, wait = await one.take(100)
    assert left >= 2 and wait > 0


async def test_a_spent_budget_keeps_messages_waiting_and_loses_none(hub: HubUnderTest) -> None:
    first, second = await hub.connect("budgeted", token="a"), await hub.connect("budgeted", token="b")
    anna, bea = await wrote(hub, first), await wrote(hub, second, "bea", "m2")
    await hub.reply(anna, "eins")
    await hub.reply(bea, "zwei")
    clients = dispatch.Clients(frozenset(), at_once=2)
    await asyncio.sleep(0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatch, "TURN_SECONDS", 0.5)
        for channel in (first, second):
            await dispatch.drain(hub.runtime, clients, hub.organisation_id, channel.id, ids.new_id())
    await clients.close()
    assert len(sent) == 1
    assert {row["state"] for row in await hub.rows("SELECT state FROM message WHERE direction = 'out'")} == {"accepted", "queued"}


async def test_the_composer_says_what_a_text_costs_in_pieces(hub: HubUnderTest) -> None:
    """Issue 4.10: SMS is charged by the piece; its connector counts them."""
    jonas = await visit(hub)
    told = {}
    for name in ("able", "charged"):
        conversation_id = await wrote(hub, await hub.connect(name, token="t"), who=name)
        page = await jonas.page(f"/inbox/open/{conv(conversation_id)}")
        assert ('id="pieces"' in page) == (name == "charged")
        for text in ("kurz", "x" * 320):
            answer = await jonas.post(f"/conversations/{conv(conversation_id)}/pieces", text=text)
            told[name, len(text)] = answer.json()["text"]
    assert told.pop(("charged", 320)).startswith("3 ") and set(told.values()) == {""}


# how they are kept


def test_each_kind_that_leaves_is_read_as_it_was_written() -> None:
    cards = Cards(
        text="Wählen Sie", items=(Card(title="Rad", text="blau", options=(Option(id="1", label="Ja"),)), Card(title="Helm"))
    )
    times = TimeChoice(text=Text(text="Wann?"), event_title="Termin", slots=(Slot(id="s", start=clock.now(), minutes=30),))
    template = Template(name="termin", language="de", text="Guten Tag", parameters={"body": ("Anna",)})
    place = dataclasses.replace(template, header=Location(latitude=47.5, longitude=9.7, title="Laden", address="Hafen 3"))
    files = {ref: Media(kind="image", ref=ref, mime="image/png", size=3) for ref in ("a", "b", "c")}
    pictured = dataclasses.replace(template, header=files["a"])
    beside = dataclasses.replace(template, cards=(files["b"], files["c"]))
    both = dataclasses.replace(beside, header=files["a"])
    contact = ContactCard(name="Anna", phone="+49 171 1")
    for content in (cards, times, template, place, pictured, beside, both, contact):
        stored = store_part(content)
        assert read_part(stored.text, json.loads(json.dumps(stored.content)), files) == content


@respx.mock
async def test_each_kind_that_leaves_is_shown(hub: HubUnderTest) -> None:
    channel = await hub.connect("able", token="t")
    conversation_id = await wrote(hub, channel)
    respx.route().mock(return_value=httpx.Response(200))
    written = (
        Cards(text="Wählen Sie", items=(Card(title="Rad", text="blau", options=(Option(id="1", label="Nehmen"),)),)),
        TimeChoice(text=Text(text="Wann?"), event_title="Termin", slots=(Slot(id="s", start=clock.now(), minutes=30),)),
        ContactCard(name="Anna Bach", phone="+49 171 1"),
    )
    for content in written:
        message_id = await hub.reply(conversation_id, "x")
        stored = store_part(content)
        await hub.rows(
            "UPDATE message SET kind = $2, text = $3, content = $4::jsonb WHERE id = $1 RETURNING true",
            message_id,
            stored.kind,
            stored.text,
            json.dumps(stored.content),
        )
    page = await (await visit(hub)).page(f"/inbox/open/{conv(conversation_id)}")
    assert all(word in page for word in ("Rad", "blau", "Nehmen", "Wann?", "30 Minuten", "Anna Bach", "+49 171 1"))
