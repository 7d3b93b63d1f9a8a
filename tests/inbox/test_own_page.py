"""The customer's own page and the public form: what people see and change without log-in (R-222, R-223, R-227)."""

import io
import re
from datetime import timedelta
from urllib.parse import urlsplit

from PIL import Image

from hub.consent import purposes
from hub.consent.agreeing import own_link
from hub.core import ids
from hub.core.clock import FakeClock
from hub.core.tokens import make_token
from hub.inbox.sending import notices
from hub.organisations import sessions
from tests.inbox.test_consent_roads import USER, WORDS, Chat, chat, news
from tests.organisations.support import ELSEWHERE, HERE, browse, signed_in
from tests.support import HubUnderTest

__all__ = ["chat"]


async def own_link_of(chat: Chat) -> str:
    """The person asks, and gets their link; its path."""
    await chat.say("Meine Daten", at=100)
    link = re.search(r"http://hub\.test(/c/\S+)", chat.sent[-1])
    assert link
    return link[1]


async def test_my_data_is_answered_with_a_link_to_every_choice(chat: Chat) -> None:
    """What they allowed, since when, in which words, and what is stored; each can be taken back and given."""
    await chat.flow()
    await chat.say("Hallo")
    path = await own_link_of(chat)
    visitor = browse(chat.hub)
    answer = await visitor.open(path)
    assert answer.headers["x-robots-tag"] == "noindex, nofollow" and answer.headers["cache-control"] == "no-store"
    assert WORDS["de"].text in answer.text and "nicht erlaubt" in answer.text and "Jörg Özdemir" in answer.text
    assert "3 Nachrichten seit 24.11.2026" in answer.text
    english = await visitor.page(path.replace("lang=de", "lang=en"))
    assert WORDS["en"].text in english and "not allowed" in english
    token, purpose = urlsplit(path).path, ids.show("pur", chat.purpose_id)
    assert (await visitor.submit(f"{token}/grant?lang=en", purpose=purpose)).status_code == 303
    assert await chat.state() == "granted"
    said = await chat.evidence("granted")
    assert (said["method"], said["source"], said["text"]) == ("active_registration", "own_page", WORDS["en"].text)
    waiting = await news(chat)
    assert (await visitor.submit(f"{token}/withdraw", purpose=purpose)).status_code == 303
    assert await chat.hub.value("SELECT failure FROM message WHERE id = $1", waiting) == "no_consent"
    assert "nicht mehr" in await visitor.page(path)
    assert (await visitor.submit(f"{token}/stop")).status_code == 303
    assert "Sie haben am 24.11.2026" in await visitor.page(path)
    assert (await visitor.submit_from({"origin": ELSEWHERE}, f"{token}/stop")).status_code == 403


async def test_nobody_guesses_or_keeps_a_link(chat: Chat, clock: FakeClock) -> None:
    """Changed by a letter, made for another use, or over: all look like none."""
    await chat.say("Hallo")
    path = urlsplit(await own_link_of(chat)).path
    hub, visitor = chat.hub, browse(chat.hub)
    subject_id = await hub.value("SELECT id FROM consent_subject")
    other = make_token(hub.runtime.vault, hub.organisation_id, subject_id, timedelta(hours=1), table="attachment", use="link")
    swapped = path[:-3] + ("A" if path[-3] != "A" else "B") + path[-2:]
    for wrong in (swapped, f"/c/{other}", "/c/x"):
        assert (await visitor.open(wrong)).status_code == 404
    assert (await visitor.open(path)).status_code == 200
    clock.advance(seconds=own_link.LIFETIME.total_seconds())
    assert (await visitor.open(path)).status_code == 404


async def test_requests_for_own_pages_are_counted(hub: HubUnderTest) -> None:
    visitor = browse(hub)
    found = [(await visitor.open("/c/x")).status_code for _ in range(61)]
    assert (found[59], found[60]) == (404, 429)


async def test_the_form_asks_and_never_grants(hub: HubUnderTest) -> None:
    """R-227: whoever can type an address can type anybody's. The exact text, a box nobody has ticked, and one question."""
    channel = await hub.connect("threema", gateway_id="*RADWERK", api_secret="a1b2c3d4e5f6g7h8", private_key="ab" * 32)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        purpose_id = await purposes.define_purpose(unit, hub.owner, key="newsletter", kind="marketing", words=WORDS)
    flow = await Chat(hub, channel, purpose_id).flow()
    visitor, path = browse(hub), f"/w/{flow.shown}"
    page = await visitor.page(path)
    assert WORDS["de"].text in page and 'name="agree" value="yes" required>' in page and "das Wort RADPOST" in page
    assert "Bitte stimmen Sie dem Text zu" in (await visitor.submit(path, address="4F7K9RTX")).text
    assert "acht Buchstaben" in (await visitor.submit(path, address="4F7K", agree="yes")).text
    for _ in range(2):
        done = await visitor.submit(path, address="4f7k9rtx", agree="yes")
        assert done.status_code == 200 and "Noch ein Schritt." in done.text
    kinds = [row["kind"] for row in await hub.rows("SELECT kind FROM consent_entry ORDER BY seq")]
    assert kinds == ["asked"], "asked once, however often somebody types it"
    assert await hub.value("SELECT count(*) FROM notice WHERE purpose = 'opt_in_request'") == 1
    await notices.send_due(hub.runtime)
    assert await hub.value("SELECT text FROM message") == await hub.value("SELECT text FROM notice")
    assert (await visitor.submit_from({"origin": ELSEWHERE}, path, agree="yes")).status_code == 403
    assert (await visitor.open(f"/w/{ids.show('flow', ids.new_id())}")).status_code == 404


async def test_what_a_member_writes_down_is_proved_by_note_or_scan(chat: Chat) -> None:
    """R-222: who, when, how; paper needs its scan, and the scan stands there with its checksum."""
    browser = await signed_in(chat.hub)
    form = {
        "channel": ids.show("chn", chat.channel.id),
        "address": USER,
        "purpose": ids.show("pur", chat.purpose_id),
        "kind": "granted",
        "language": "de",
        "at": "2026-11-23T17:05",
        "method": "agent",
    }
    path = f"/o/{chat.hub.slug}/consent/record"
    assert "wie die Person es gesagt hat" in (await browser.submit(path, form)).text
    assert (await browser.submit(path, form, note="Anruf, möchte die Radpost")).status_code == 303
    said = await chat.evidence("granted")
    assert (said["method"], said["note"], said["actor"]) == ("agent", "Anruf, möchte die Radpost", "Olga Inhaber")
    assert await chat.state() == "granted"
    assert "fehlt der Scan" in (await browser.submit(path, form, method="paper", note="Karte")).text
    assert "nicht in der Zukunft" in (await browser.submit(path, form, note="x", at="2027-01-01T10:00")).text
    png = io.BytesIO()
    Image.new("RGB", (4, 4)).save(png, "PNG")
    scan = await browser.client.post(
        f"{path}/file",
        files={"file": ("karte.png", png.getvalue(), "image/png")},
        headers={"origin": HERE, "x-csrf-token": sessions.csrf_token(browser.token)},
    )
    file = re.search(r'name="file" value="(file_\w+)"', scan.text)
    assert file, scan.text
    assert (await browser.submit(path, form, method="paper", file=file[1], kind="withdrawn")).status_code == 303
    assert (await chat.evidence("withdrawn"))["file"].startswith(f"{file[1]} sha256:")
    assert await chat.hub.value("SELECT used_at IS NOT NULL FROM consent_file")
