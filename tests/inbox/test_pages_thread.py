"""What a thread and its composer tell: states, failures, times, kinds, and why something may not be sent."""

from datetime import timedelta
from uuid import UUID

import pytest

from hub.core import ids
from hub.core.clock import FakeClock
from tests.inbox.pages_support import PAGE, conv, receive, visit
from tests.inbox.thread_support import NOW, customer
from tests.support import HubUnderTest, telegram_text


async def set_state(hub: HubUnderTest, state: str, failure: str = "", text: str = "") -> None:
    """Put our last message and its part into a state, as results do."""
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE message_part SET state = $1", state)
        await unit.sql.execute(
            "UPDATE message SET state = $1, failure = $2, failure_text = $3 WHERE direction = 'out'", state, failure, text
        )


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("queued", "wartet auf das Senden"),
        ("sending", "wird gesendet"),
        ("accepted", "vom Messenger angenommen"),
        ("sent", "gesendet"),
        ("delivered", "zugestellt"),
        ("read", "gelesen"),
    ],
)
async def test_each_state_has_its_word(hub: HubUnderTest, state: str, word: str) -> None:
    """Issue 2 C: ticks with words."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = await receive(hub, channel, "Hallo")
    await hub.reply(conversation, "Guten Tag")
    await set_state(hub, state)
    assert f'title="{word}"' in await jonas.page(f"/inbox/open/{conv(conversation)}")


async def test_failure_names_cause_next_step_and_attempts(hub: HubUnderTest) -> None:
    """Issue 2 C: a failure says why in plain words, offers the next step and shows what was tried."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = await receive(hub, channel, "Hallo")
    await hub.reply(conversation, "Guten Tag")
    await set_state(hub, "failed", "rejected", "Bad Request: message is too long")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute(
            """
            INSERT INTO attempt (organisation_id, id, part_id, channel_id, no, permit_at, facts_version, fence, finished_at,
                                 outcome, error, provider_code, provider_text)
            SELECT organisation_id, gen_random_uuid(), id, channel_id, 1, due_at, 'v', 1, due_at, 'failed', 'rejected', '400',
                   'Bad Request' FROM message_part
            """
        )
    html = await jonas.page(f"/inbox/open/{conv(conversation)}")
    for told in ("Nicht zugestellt", "Der Messenger hat die Nachricht abgelehnt.", "Erneut senden", "1 Versuch", "Code 400"):
        assert told in html
    assert "Der Messenger schreibt: Bad Request: message is too long" in html
    assert "Fehlgeschlagen" in html


async def test_unclear_message_is_never_repeated_by_itself(hub: HubUnderTest) -> None:
    """I5: an unclear message says so; a person notes it as arrived, and the page stops asking."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = await receive(hub, channel, "Hallo")
    await hub.reply(conversation, "Guten Tag")
    await set_state(hub, "unknown", "outcome_unknown")
    path = f"/inbox/open/{conv(conversation)}"
    html = await jonas.page(path)
    assert "Unklar, ob sie ankam" in html and "Wir senden sie nicht von selbst noch einmal." in html
    message = await hub.value("SELECT id FROM message WHERE direction = 'out'")
    assert (await jonas.post(f"/messages/{_msg(message)}/settle")).status_code == 200
    html = await jonas.page(path)
    assert "Unklar, ob sie ankam" not in html and "als angekommen vermerkt" in html


def _msg(message_id: UUID) -> str:
    return ids.show("msg", message_id)


async def test_resend_queues_again(hub: HubUnderTest) -> None:
    """Issue 2 C: the next step of a failure works."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = await receive(hub, channel, "Hallo")
    message = await hub.reply(conversation, "Guten Tag")
    await set_state(hub, "failed", "rejected")
    assert (await jonas.post(f"/messages/{_msg(message)}/resend")).status_code == 200
    assert await hub.value("SELECT state FROM message WHERE id = $1", message) == "queued"


async def test_late_and_edited_messages_say_so(hub: HubUnderTest, clock: FakeClock) -> None:
    """Issue 2 C: provider time is shown; what came later than it was written says by how much, an edit says when."""
    jonas, channel = await visit(hub), await hub.connect()
    clock.advance(minutes=4)
    conversation = await receive(hub, channel, "Hallo")
    edited = telegram_text(99, "Hallo!", user=5123456789, message_id=1)
    edited["edited_message"] = edited.pop("message") | {"edit_date": 1795510800 + 120}
    await hub.deliver(channel, edited)
    await receive(hub, channel)
    html = await jonas.page(f"/inbox/open/{conv(conversation)}")
    assert "kam 4 min später an" in html
    assert "bearbeitet 10:02" in html
    assert ">Hallo!<" in html


async def test_kinds_we_cannot_show_are_an_honest_card(hub: HubUnderTest) -> None:
    """Issue 2 B: unknown kinds are shown as a card, never as nothing."""
    jonas, channel = await visit(hub), await hub.connect()
    update = telegram_text(1, "x")
    update["message"].pop("text")
    await hub.deliver(channel, update | {"message": update["message"] | {"dice": {"emoji": "🎲", "value": 3}}})
    conversation = await receive(hub, channel)
    html = await jonas.page(f"/inbox/open/{conv(conversation)}")
    assert "Würfel" in html
    assert "Hub kann diese Art noch nicht zeigen. Nichts ging verloren." in html


async def test_refusal_gives_reason_and_keeps_the_text(hub: HubUnderTest) -> None:
    """I4: after an opt-out the composer says why and what now; a reply written before is refused with 409 and not lost."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo", "STOPP"))
    html = await jonas.page(f"/inbox/open/{conversation}")
    assert '<textarea id="text"' not in html
    assert "Gesperrt" in html
    path, text = f"/conversations/{conversation}/messages", "Schade, & auf Wiedersehen"
    answer = await jonas.post(path, text=text, client_key="k1")
    assert answer.status_code == 409
    assert answer.json()["text"] and answer.json()["text"] in html.replace("&#34;", '"')
    page = await jonas.post(path, headers=PAGE, text=text, client_key="k1")
    assert page.status_code == 409
    assert "Schade, &amp; auf Wiedersehen</textarea>" in page.text
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'out'") == 0


async def test_channel_down_lets_write_and_says_that_it_waits(hub: HubUnderTest, clock: FakeClock) -> None:
    """Issue 2 C: while the channel is down the button says queue, and what is written waits."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute(
            "UPDATE channel SET health = 'failing', health_cause = 'provider_unavailable', health_until = $1",
            clock() + timedelta(minutes=5),
        )
    html = await jonas.page(f"/inbox/open/{conversation}")
    assert "In die Warteschlange" in html and "Später senden" in html
    assert (await jonas.post(f"/conversations/{conversation}/messages", text="Später", client_key="k")).status_code == 200


@pytest.mark.parametrize(
    ("locale", "tab", "told"),
    [
        ("de", "Einwilligung</button>", "Von sich aus schreiben Sie erst wieder mit einer neuen Einwilligung."),
        ("en", "Opt-in</button>", "Writing first again needs a new opt-in."),
    ],
)
async def test_after_a_stop_the_composer_names_the_opt_in(hub: HubUnderTest, locale: str, tab: str, told: str) -> None:
    """Issue 3: the state "ask for an opt-in" says what is needed, and that asking from here is still to come."""
    jonas, channel = await visit(hub, locale=locale), await hub.connect()
    html = await jonas.page(f"/inbox/open/{conv(await receive(hub, channel, 'Hallo', 'STOPP'))}")
    assert tab in html and told in html
    assert 'id="send"' not in html


@pytest.mark.parametrize(
    ("locale", "tab", "told"),
    [
        ("de", "Vorlage</button>", "Außerhalb des Fensters geht nur eine freigegebene Vorlage."),
        ("en", "Template</button>", "Outside the window only an approved template may go."),
    ],
)
async def test_after_the_window_the_composer_names_the_template(hub: HubUnderTest, locale: str, tab: str, told: str) -> None:
    """Issue 3: the state "template only" says so, and that templates are still to come."""
    jonas, channel = await visit(hub, locale=locale), await hub.connect("probe")
    conversation = await customer(hub, channel, {"key": "k1", "text": "Hallo", "at": NOW - 25 * 3600})
    html = await jonas.page(f"/inbox/open/{conv(conversation)}")
    assert tab in html and told in html
    assert 'id="send"' not in html


@pytest.mark.parametrize(
    ("locale", "name", "told"),
    [
        ("de", "Später senden", "Ein späterer Teil des Hubs sendet zu der Zeit, die Sie wählen."),
        ("en", "Send later", "A later part of Hub sends at the time you choose."),
    ],
)
async def test_sending_later_is_explained_beside_send(hub: HubUnderTest, locale: str, name: str, told: str) -> None:
    """Issue 3: the state "scheduled" arrives later and says so, with what to do until then."""
    jonas, channel = await visit(hub, locale=locale), await hub.connect()
    html = await jonas.page(f"/inbox/open/{conv(await receive(hub, channel, 'Hallo'))}")
    assert f'aria-label="{name}"' in html and told in html


async def test_updates_redraw_what_changed(hub: HubUnderTest) -> None:
    """I11: a page that names what it holds gets the end of the thread from the first changed line on, with its neighbours."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, *[f"Zeile {number}" for number in range(40)]))
    answer = await jonas.data(
        "/updates", view="open", rows=conversation, conversation=conversation, oldest="0.0.0", tail="9999999999999999.0.0"
    )
    assert answer["thread"].strip() == ""
    first = await hub.value("SELECT id FROM message WHERE text = 'Zeile 20'")
    answer = await jonas.data(
        "/updates", conversation=conversation, messages=_msg(first), oldest="0.0.0", tail="9999999999999999.0.0"
    )
    assert answer["thread"].count("<article") == 20
    assert 'class="day"' not in answer["thread"]
    assert answer["may"] == "free"
