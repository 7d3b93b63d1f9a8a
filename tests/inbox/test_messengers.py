"""What messengers tell besides messages: echoes, deletions, reactions, watermarks, prices, addresses of one person, sheets,
health."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import respx

from hub.channels import history
from hub.consent.books.chain import open_details
from hub.consent.gate import SendBlocked
from hub.core.live import Whisper
from hub.inbox.arriving import ingest
from tests.inbox.pages_support import conv, visit
from tests.probe import Probe
from tests.support import Connected, HubUnderTest

NOW = 1795510800  # 2026-11-24 09:00 UTC
URL = "https://probe.example/send"


@pytest.fixture
async def probe(hub: HubUnderTest) -> Connected:
    return await hub.connect("probe")


async def tell(hub: HubUnderTest, probe: Connected, *events: dict[str, Any]) -> None:
    """The provider delivers these events at once."""
    assert await hub.deliver(probe, [{"at": NOW, **event} for event in events]) == 200
    await ingest.drain(hub.runtime, hub.organisation_id, probe.id, hub.worker_id)
    assert await hub.value("SELECT count(*) FROM delivery_result WHERE state = 'dead'") == 0


def message(key: str, text: str = "Hallo", **more: Any) -> dict[str, Any]:
    return {"type": "message", "key": key, "from": "anna", "text": text, **more}


async def conversation(hub: HubUnderTest, address: str = "anna") -> Any:
    rows = await hub.rows(
        "SELECT c.*, i.provider_user_id FROM conversation c JOIN identity i ON i.id = c.identity_id WHERE i.provider_user_id = $1",
        address,
    )
    return rows[0] if rows else None


async def thread_page(hub: HubUnderTest, conversation_id: UUID, name: str = "Jonas Keller") -> str:
    return await (await visit(hub, name)).page(f"/inbox/open/{conv(conversation_id)}")


# what is written elsewhere


async def test_what_a_colleague_writes_on_the_phone_stands_in_the_thread_as_our_answer(hub: HubUnderTest, probe: Connected) -> None:
    await tell(hub, probe, message("m1"))
    await tell(hub, probe, {"type": "echo", "key": "e1", "to": "anna", "text": "Bin dran", "by": "Telefon", "at": NOW + 5})
    row = await conversation(hub)
    assert (row["turn"], row["unread"], row["last_direction"], row["last_text"]) == ("customer", 0, "out", "Bin dran")
    html = await thread_page(hub, row["id"])
    assert "geschrieben in: Telefon" in html and html.count('class="msg out') == 1


async def test_an_echo_opens_the_conversation_of_whom_it_was_written_to(hub: HubUnderTest, probe: Connected) -> None:
    await tell(hub, probe, {"type": "echo", "key": "e1", "to": "bea", "text": "Ihr Rad ist fertig"})
    row = await conversation(hub, "bea")
    assert (row["state"], row["turn"], row["last_inbound_at"]) == ("open", "customer", None)
    with pytest.raises(SendBlocked):  # her window was never opened
        await hub.reply(row["id"], "Noch etwas")
    await tell(hub, probe, {**message("m1", "Danke"), "from": "bea", "name": "Bea Lang", "at": NOW + 60})
    assert await hub.value("SELECT name FROM contact") == "Bea Lang"
    assert await hub.value("SELECT count(*) FROM conversation") == 1


async def test_an_older_echo_does_not_take_the_customers_turn_away(hub: HubUnderTest, probe: Connected) -> None:
    await tell(hub, probe, message("m1", at=NOW + 60))
    await tell(hub, probe, {"type": "echo", "key": "e1", "to": "anna", "text": "Vorher", "at": NOW})
    row = await conversation(hub)
    assert (row["turn"], row["unread"], row["last_text"]) == ("us", 1, "Hallo")


@respx.mock
async def test_an_echo_of_what_the_hub_sent_is_no_second_message(hub: HubUnderTest, probe: Connected) -> None:
    """Before and after the answer to the request that sent it."""
    await tell(hub, probe, message("m1"))
    conversation_id = (await conversation(hub))["id"]
    respx.post(URL).respond(json={"id": "out-1", "at": NOW + 1})
    first = await hub.reply(conversation_id, "Guten Tag")
    # the echo and a status overtake the answer to our request
    await tell(hub, probe, {"type": "echo", "key": "out-1", "to": "anna", "text": "Guten Tag", "at": NOW + 1})
    await tell(hub, probe, {"type": "status", "key": "s1", "target": "out-1", "status": "delivered", "at": NOW + 2})
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'out'") == 2
    await hub.settle()
    rows = await hub.rows("SELECT id, state FROM message WHERE direction = 'out'")
    assert [(row["id"], row["state"]) for row in rows] == [(first, "delivered")]
    await tell(hub, probe, {"type": "echo", "key": "out-1", "to": "anna", "text": "Guten Tag", "at": NOW + 1})
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'out'") == 1
    await tell(hub, probe, {"type": "status", "key": "s2", "target": "out-1", "status": "read", "at": NOW + 3})
    assert await hub.value("SELECT state FROM message WHERE direction = 'out'") == "read"


async def test_an_echo_is_neither_changed_nor_taken_back_from_here(hub: HubUnderTest, probe: Connected) -> None:
    await tell(hub, probe, message("m1"), {"type": "echo", "key": "e1", "to": "anna", "text": "Bin dran", "at": NOW + 5})
    html = await thread_page(hub, (await conversation(hub))["id"])
    acts = html.split('class="msg out')[1].split(">")[0]
    assert 'data-acts="copy reply"' in acts


# what happens to messages that exist


async def test_a_message_that_the_customer_took_back_leaves_its_trace(hub: HubUnderTest, probe: Connected) -> None:
    await tell(hub, probe, {"type": "delete", "key": "d1", "target": "m1", "at": NOW + 9})  # overtakes its message
    await tell(hub, probe, message("m1", "Vertraulich", name="Anna Bach"))
    row = await conversation(hub)
    assert (row["last_kind"], row["last_text"]) == ("deleted", "")
    html = await thread_page(hub, row["id"])
    assert "Vertraulich" not in html and "Von Anna Bach zurückgenommen" in html
    assert await hub.value("SELECT text FROM message WHERE direction = 'in'") == "Vertraulich"


def edit(key: str, target: str, text: str, at: int) -> dict[str, Any]:
    return {"type": "edit", "key": key, "target": target, "text": text, "at": NOW + at}


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
@pytest.mark.parametrize("at_once", [True, False], ids=["one batch", "one by one"])
async def test_an_edit_may_name_the_edit_before_it(
    hub: HubUnderTest, probe: Connected, order: tuple[int, ...], at_once: bool
) -> None:
    """Signal: to it an edit is a message of its own (signal.md, 3)."""
    chain = {1: edit("e1", "m1", "Eins", 1), 2: edit("e2", "e1", "Zwei", 2), 3: edit("e3", "e2", "Drei", 3)}
    edits = [chain[number] for number in order]
    for events in [[message("m1"), *edits]] if at_once else [[one] for one in [*edits[:1], message("m1"), *edits[1:]]]:
        await tell(hub, probe, *events)
    assert [row["text"] for row in await hub.rows("SELECT text FROM message")] == ["Drei"]
    assert await hub.value("SELECT count(*) FROM pending_effect") == 0
    await tell(hub, probe, edit("e4", "m1", "Vier", 4))  # the first name is still one
    await tell(hub, probe, message("m2", "Und noch etwas", reply_to="e3", at=NOW + 9))
    html = await thread_page(hub, (await conversation(hub))["id"])
    assert html.count("Vier") == 2 and "Drei" not in html  # the message, and above the one that answers it


async def test_an_edit_of_an_edit_finds_the_file(hub: HubUnderTest, probe: Connected) -> None:
    file = {"media": {"kind": "document", "ref": "r1", "unique": "u1"}}
    await tell(hub, probe, message("m1", "Alt", **file))
    await tell(hub, probe, {**edit("e1", "m1", "Neu", 1), **file})
    await tell(hub, probe, {**edit("e2", "e1", "Neuer", 2), **file})
    assert [row["caption"] for row in await hub.rows("SELECT caption FROM attachment")] == ["Neuer"]
    assert (await conversation(hub))["last_text"] == "Neuer"


async def test_what_was_written_elsewhere_is_changed_there(hub: HubUnderTest, probe: Connected) -> None:
    file = {"media": {"kind": "document", "ref": "r1", "unique": "u1"}}
    await tell(hub, probe, message("m1"))
    await tell(hub, probe, {"type": "echo", "key": "o1", "to": "anna", "text": "Um 10", "at": NOW + 5})
    await tell(hub, probe, {"type": "echo", "key": "o2", "to": "anna", "text": "Plan", "at": NOW + 6, **file})
    other = {"media": {"kind": "document", "ref": "r2", "unique": "u2"}}
    await tell(hub, probe, edit("e1", "o1", "Um 11", 7), {**edit("e2", "o2", "Neuer Plan", 8), **other})
    row = await conversation(hub)
    assert (row["last_text"], row["turn"]) == ("Neuer Plan", "customer")
    html = await thread_page(hub, row["id"])
    assert "Um 11" in html and "Um 10<" not in html and "bearbeitet " in html
    assert [file["ref"] for file in await hub.rows("SELECT ref FROM attachment")] == ["r2"]


@respx.mock
async def test_what_the_hub_sent_is_changed_on_a_colleagues_phone(hub: HubUnderTest, probe: Connected) -> None:
    await tell(hub, probe, message("m1"))
    conversation_id = (await conversation(hub))["id"]
    respx.post(URL).respond(json={"id": "out-1", "at": NOW + 1})
    await hub.reply(conversation_id, "Um 10")
    await hub.settle()
    await tell(hub, probe, edit("e1", "out-1", "Um 11", 7))
    assert await hub.value("SELECT text FROM message WHERE direction = 'out'") == "Um 11"


# what a provider wants deleted


@pytest.fixture
def erases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Probe, "capabilities", replace(Probe.capabilities, erases_deleted=True))


@pytest.mark.usefixtures("erases")
async def test_what_has_to_be_deleted_leaves_a_trace_and_no_words(hub: HubUnderTest, probe: Connected) -> None:
    """Meta's terms (instagram.md, 3): also what an edit brought, what the list showed, and what arrived raw."""
    file = {"media": {"kind": "image", "ref": "r1", "name": "Ausweis.png"}}
    await tell(hub, probe, message("m1", "Vertraulich", name="Anna Bach", **file), message("m1b", "Geheim", piece_of="m1"))
    await tell(hub, probe, message("m2", "Das bleibt", at=NOW + 1))
    await tell(hub, probe, edit("e1", "m1", "Verschwiegen", 5))
    await tell(hub, probe, {"type": "delete", "key": "d1", "target": "m1", "at": NOW + 9}, edit("e2", "m1", "Nachtrag", 6))
    rows = await hub.rows("SELECT text, content, deleted_at IS NOT NULL AS gone FROM message ORDER BY seq")
    assert [(row["text"], row["content"], row["gone"]) for row in rows] == [
        ("", {}, True),
        ("", {}, True),
        ("Das bleibt", {}, False),
    ]
    assert await hub.value("SELECT count(*) FROM attachment") == 0
    tables = ("message", "conversation", "webhook_delivery", "pending_effect", "feed_entry")
    kept = str([dict(row) for table in tables for row in await hub.rows(f"SELECT * FROM {table}")])
    assert not [word for word in ("Vertraulich", "Geheim", "Verschwiegen", "Nachtrag", "Ausweis") if word in kept]
    html = await thread_page(hub, (await conversation(hub))["id"])
    assert html.count("zurückgenommen") == 2


@pytest.mark.usefixtures("erases")
async def test_a_message_that_comes_after_it_was_taken_back_is_not_kept(hub: HubUnderTest, probe: Connected) -> None:
    await tell(hub, probe, {"type": "delete", "key": "d1", "target": "m1", "at": NOW + 9})
    await tell(hub, probe, message("m1", "Vertraulich"))
    row = await conversation(hub)
    assert (row["last_kind"], row["last_text"]) == ("deleted", "")
    assert await hub.value("SELECT text FROM message WHERE direction = 'in'") == ""


@pytest.mark.usefixtures("erases")
async def test_what_could_not_be_shown_is_kept_raw(hub: HubUnderTest, probe: Connected) -> None:
    await tell(hub, probe, {"type": "message", "key": "m1", "from": "anna", "unsupported": "hologram"})
    assert await hub.value("SELECT count(*) FROM webhook_delivery WHERE body <> ''") == 1


async def test_pieces_of_one_message_go_together(hub: HubUnderTest, probe: Connected) -> None:
    await tell(hub, probe, message("m1", "Text"), message("m1:1", "Karte", piece_of="m1"), message("m2", "Davon getrennt"))
    await tell(hub, probe, {"type": "delete", "key": "d1", "target": "m1", "at": NOW + 9})
    assert [row["text"] for row in await hub.rows("SELECT text FROM message WHERE deleted_at IS NULL")] == ["Davon getrennt"]


@respx.mock
async def test_a_customers_reaction_shows_at_the_message_and_the_newest_wins(hub: HubUnderTest, probe: Connected) -> None:
    await tell(hub, probe, {"type": "reaction", "key": "r1", "target": "out-1", "emoji": "👍", "at": NOW + 10})
    await tell(hub, probe, message("m1", name="Anna Bach"))
    conversation_id = (await conversation(hub))["id"]
    respx.post(URL).respond(json={"id": "out-1", "at": NOW + 1})
    await hub.reply(conversation_id, "Guten Tag")
    await hub.settle()
    assert "Anna Bach reagiert mit 👍" in await thread_page(hub, conversation_id)
    await tell(hub, probe, {"type": "reaction", "key": "r2", "target": "out-1", "emoji": "", "at": NOW + 12})
    await tell(hub, probe, {"type": "reaction", "key": "r3", "target": "out-1", "emoji": "🔥", "at": NOW + 11})
    html = await thread_page(hub, conversation_id, "Rita Roth")
    assert "reagiert mit" not in html


@respx.mock
async def test_a_watermark_moves_all_messages_up_to_its_time(hub: HubUnderTest, probe: Connected) -> None:
    await tell(hub, probe, message("m1"))
    conversation_id = (await conversation(hub))["id"]
    sent = []
    for number in (1, 2, 3):
        respx.post(URL).respond(json={"id": f"out-{number}", "at": NOW + number})
        sent.append(await hub.reply(conversation_id, f"Nummer {number}"))
        await hub.settle()
        if number == 2:
            await tell(hub, probe, {"type": "up_to", "key": "u1", "from": "anna", "up_to": NOW + 3, "status": "delivered"})
            await tell(hub, probe, {"type": "up_to", "key": "u2", "from": "anna", "up_to": NOW + 1, "status": "read"})
    states = {row["id"]: row["state"] for row in await hub.rows("SELECT id, state FROM message WHERE direction = 'out'")}
    assert [states[one] for one in sent] == ["read", "delivered", "delivered"]  # the third one's receipt came after its mark


@respx.mock
async def test_what_a_message_costs_is_kept_beside_it(hub: HubUnderTest, probe: Connected) -> None:
    """R-222 of billing comes later; the provider's word is kept from now on."""
    await tell(hub, probe, message("m1"))
    respx.post(URL).respond(json={"id": "out-1", "at": NOW + 1})
    await hub.reply((await conversation(hub))["id"], "Guten Tag")
    await hub.settle()
    price = {"category": "service", "model": "PMP", "is_billable": False}
    await tell(hub, probe, {"type": "status", "key": "s1", "target": "out-1", "status": "delivered", "price": price})
    assert await hub.value("SELECT price FROM message_part") == price


# who it is


async def test_a_person_is_found_by_every_address_that_the_provider_named(hub: HubUnderTest, probe: Connected) -> None:
    await tell(hub, probe, {**message("m1"), "from": "+491", "aliases": ["BS.1"]})
    await tell(hub, probe, {**message("m2", at=NOW + 1), "from": "BS.1"})
    again = {**message("m4", at=NOW + 3), "from": "BS.1", "aliases": ["+491"]}
    await tell(hub, probe, {**message("m3", at=NOW + 2), "from": "+491"}, again)
    assert await hub.value("SELECT count(*) FROM conversation") == 1
    assert await hub.value("SELECT unread FROM conversation") == 4
    keys = {key for row in await hub.rows("SELECT identity_keys FROM delivery_result") for key in row["identity_keys"]}
    assert keys == {"+491", "BS.1"}


async def test_two_names_in_one_delivery_are_one_person(hub: HubUnderTest, probe: Connected) -> None:
    await tell(hub, probe, {**message("m1"), "from": "+491"}, {**message("m2"), "from": "BS.1", "aliases": ["+491"]})
    assert await hub.value("SELECT count(*) FROM conversation") == 1


async def test_a_stop_at_one_address_holds_for_the_other(hub: HubUnderTest, probe: Connected) -> None:
    """Design 8: linked addresses are one person; the entry names the provider's event."""
    await tell(hub, probe, {**message("m1", "STOP"), "from": "+491"})
    await tell(hub, probe, {**message("m2", at=NOW + 1), "from": "BS.1", "aliases": ["+491"]})
    rows = await hub.rows("SELECT address, choice, choice_seq FROM consent_state ORDER BY address")
    assert [tuple(row) for row in rows] == [("+491", "opted_out", 1), ("BS.1", "opted_out", 1)]
    entries = await hub.rows(
        """
        SELECT e.kind, e.details_sealed, s.id, s.address, s.key_sealed FROM consent_entry e
        JOIN consent_subject s ON s.id = e.subject_id ORDER BY e.seq
        """
    )
    assert [(row["kind"], row["address"]) for row in entries] == [("opt_out", "+491"), ("linked", "+491"), ("linked", "BS.1")]
    entry = entries[1]
    said = open_details(hub.runtime.vault, hub.organisation_id, entry["id"], entry["key_sealed"], entry["details_sealed"])
    assert (said["other"], said["evidence"]) == ("BS.1", {"source": "provider", "key": "m2"})
    await tell(hub, probe, {"type": "opted_in", "key": "o1", "from": "BS.1", "text": "Ja, gern", "at": NOW + 2})
    assert {row["choice"] for row in await hub.rows("SELECT choice FROM consent_state")} == {"opted_in"}


@respx.mock
async def test_a_changed_number_moves_the_conversation_there(hub: HubUnderTest, probe: Connected) -> None:
    await tell(hub, probe, {**message("m1"), "from": "+491"})
    await tell(hub, probe, {"type": "moved", "key": "i1", "from": "+491", "now": "+492", "at": NOW + 1})
    await tell(hub, probe, {**message("m2", "Neue Nummer", at=NOW + 2), "from": "+492"})
    row = await conversation(hub, "+492")
    assert await hub.value("SELECT count(*) FROM conversation") == 1 and row["unread"] == 2
    html = await thread_page(hub, row["id"])
    assert "Hat jetzt eine andere Adresse: +492, vorher +491." in html
    route = respx.post(URL).respond(json={"id": "out-1", "at": NOW + 3})
    await hub.reply(row["id"], "Notiert")
    await hub.settle()
    assert json.loads(route.calls[0].request.content)["to"] == "+492"
    await tell(hub, probe, {**message("m3", "Alte Nummer", at=NOW + 4), "from": "+491"})  # it still finds the way
    assert await hub.value("SELECT count(*) FROM conversation") == 1


async def test_a_number_that_has_a_conversation_already_keeps_it_and_both_belong_to_one_contact(
    hub: HubUnderTest, probe: Connected
) -> None:
    await tell(hub, probe, {**message("m1", "STOP"), "from": "+491"}, {**message("m2"), "from": "+492"})
    await tell(hub, probe, {"type": "moved", "key": "i1", "from": "+491", "now": "+492", "at": NOW + 1})
    assert await hub.value("SELECT count(*) FROM conversation") == 2
    assert await hub.value("SELECT count(DISTINCT contact_id) FROM conversation") == 1
    assert {row["choice"] for row in await hub.rows("SELECT choice FROM consent_state")} == {"opted_out"}
    assert "Dort gibt es schon eine Unterhaltung." in await thread_page(hub, (await conversation(hub, "+491"))["id"])


# what they want


@respx.mock
async def test_a_stop_of_marketing_leaves_answers_free(hub: HubUnderTest, probe: Connected) -> None:
    await tell(hub, probe, message("m1"), {"type": "marketing_stopped", "key": "c1", "from": "anna", "at": NOW + 1})
    row = (await hub.rows("SELECT choice, marketing, marketing_at FROM consent_state"))[0]
    assert tuple(row) == ("none", "stopped", datetime.fromtimestamp(NOW + 1, UTC))
    respx.post(URL).respond(json={"id": "out-1", "at": NOW + 3})
    await hub.reply((await conversation(hub))["id"], "Ihre Frage")
    await tell(hub, probe, {"type": "marketing_resumed", "key": "c2", "from": "anna", "at": NOW + 2})
    row = (await hub.rows("SELECT choice, marketing FROM consent_state"))[0]
    assert tuple(row) == ("none", "free")  # lifting the stop is no consent
    kinds = [row["kind"] for row in await hub.rows("SELECT kind FROM consent_entry ORDER BY seq")]
    assert kinds == ["marketing_stopped", "marketing_resumed"]


async def test_an_opt_in_lifts_what_was_said_before(hub: HubUnderTest, probe: Connected) -> None:
    await tell(hub, probe, message("m1", "STOP"), {"type": "marketing_stopped", "key": "c1", "from": "anna"})
    await tell(hub, probe, {"type": "opted_in", "key": "c2", "from": "anna", "at": NOW + 1, "text": "Angebote, ja"})
    row = (await hub.rows("SELECT choice, marketing FROM consent_state"))[0]
    assert tuple(row) == ("opted_in", "free")


# what is shown


async def test_a_sheet_is_a_card_with_its_lines(hub: HubUnderTest, probe: Connected) -> None:
    order: dict[str, Any] = {
        "sheet": "order",
        "title": "2 Artikel",
        "details": [["quantity", "2"], ["Farbe", "blau"]],
        "text": "Bitte bis Freitag",
    }
    await tell(hub, probe, message("m1", **order, url="https://shop.example/o/1") | {"text": "Bitte bis Freitag"})
    await tell(hub, probe, message("m2", sheet="link", title="Böse", url="javascript:alert(1)", at=NOW + 1) | {"text": ""})
    html = await thread_page(hub, (await conversation(hub))["id"])
    assert all(word in html for word in ("Bestellung", "2 Artikel", "Menge", "Farbe", "blau", "Bitte bis Freitag"))
    assert 'href="https://shop.example/o/1"' in html and "javascript:" not in html
    assert (await conversation(hub))["last_kind"] == "link"


async def test_what_led_somebody_here_stands_above_their_words(hub: HubUnderTest, probe: Connected) -> None:
    ad = {"source": "ad", "id": "42", "payload": "Winterreifen", "url": "https://ads.example/42"}
    await tell(hub, probe, message("m1", "Was kostet das?", referral=ad, phone="+49 171 1"))
    html = await thread_page(hub, (await conversation(hub))["id"])
    assert "Kam über eine Anzeige" in html and "Winterreifen" in html and 'href="https://ads.example/42"' in html
    assert await hub.value("SELECT content ->> 'from_phone' FROM message") == "+49 171 1"


async def test_the_open_pages_see_a_customer_typing_and_nothing_of_it_is_kept(hub: HubUnderTest, probe: Connected) -> None:
    await tell(hub, probe, message("m1"))
    shown = conv((await conversation(hub))["id"])
    heard = []
    with hub.runtime.live.follow(hub.organisation_id, 0) as follower:
        await asyncio.sleep(0.1)
        await tell(hub, probe, {"type": "typing", "key": "t1", "from": "anna"})
        while (one := await follower.next(1)) is not None:
            heard += [one] if isinstance(one, Whisper) else []
    assert [one.data for one in heard] == [{"conversation": shown, "customer_writes": True}]
    assert await hub.value("SELECT count(*) FROM provider_key WHERE key = 't1'") == 0
    assert await hub.value("SELECT state FROM delivery_result ORDER BY received_at DESC LIMIT 1") == "applied"


# how the account is


async def test_health_that_the_provider_tells_pauses_warns_and_is_over(hub: HubUnderTest, probe: Connected) -> None:
    await tell(hub, probe, message("m1"))
    conversation_id = (await conversation(hub))["id"]
    await tell(hub, probe, {"type": "health", "key": "h1", "level": "warning", "cause": "quality", "text": "LOW"})
    row = (await hub.rows("SELECT health, warning_cause, warning_text FROM channel"))[0]
    assert tuple(row) == ("healthy", "quality", "LOW")
    await tell(hub, probe, {"type": "health", "key": "h2", "level": "attention", "cause": "banned", "at": NOW + 2})
    message_id = await hub.reply(conversation_id, "Wartet")
    await hub.settle()
    assert await hub.value("SELECT state FROM message WHERE id = $1", message_id) == "queued"
    await tell(hub, probe, {"type": "health", "key": "h0", "level": "ok", "cause": "", "at": NOW + 1})  # came late
    assert await hub.value("SELECT health FROM channel") == "attention"
    with respx.mock:
        respx.post(URL).respond(json={"id": "out-1", "at": NOW + 3})
        await tell(hub, probe, {"type": "health", "key": "h3", "level": "ok", "cause": "", "at": NOW + 3})
        await hub.settle()
    row = (await hub.rows("SELECT health, warning_cause FROM channel"))[0]
    assert tuple(row) == ("healthy", "") and await hub.value("SELECT state FROM message WHERE id = $1", message_id) == "accepted"
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        lines = await history.list_history(unit, probe.id, 20)
    assert [(one.level, one.cause) for one in lines if one.source == "provider"] == [
        ("ok", ""), ("attention", "banned"), ("ok", ""), ("warning", "quality"),
    ]  # fmt: skip
    assert [one.member for one in lines if one.cause == "connected"] == ["Olga Inhaber"]
