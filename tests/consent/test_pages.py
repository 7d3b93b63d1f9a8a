"""Pages that set up how people agree: purposes and their versions, texts, roads (R-222)."""

import pytest

from hub.consent.versions import differences
from tests.organisations.support import signed_in
from tests.support import HubUnderTest


async def test_purposes_are_proposed_taken_over_and_reworded(hub: HubUnderTest) -> None:
    """Who has none is offered two with their name in it; another wording is another version, shown beside the one before."""
    browser, path = await signed_in(hub), f"/o/{hub.slug}/consent/purposes"
    page = await browser.page(path)
    assert "Ich möchte von Radwerk Lindau über diesen Messenger Neuigkeiten" in page and page.count(">Übernehmen<") == 2
    words = {"name_de": "Radpost", "text_de": "Einmal im Monat.", "name_en": "Bike letter", "text_en": "Once a month."}
    assert "gibt es schon" not in (await browser.submit(path, words, key="newsletter", kind="marketing")).text
    assert "gibt es schon" in (await browser.submit(path, words, key="newsletter", kind="marketing")).text
    assert "Striche" in (await browser.submit(path, words, key="Ä", kind="marketing")).text
    one = f"{path}/{_id(await browser.page(path))}"
    assert "Übernehmen" not in await browser.page(path)
    assert (await browser.submit(f"{one}/words", {**words, "text_de": "Zweimal im Monat."})).status_code == 303
    page = await browser.page(one)
    assert "<del><span" in page and "Einmal</del>" in page and "Zweimal</ins>" in page and "Als Fassung 3 speichern" in page
    assert (await browser.submit(f"{one}/archive")).status_code == 303
    assert "Dieser Zweck ist abgelegt." in await browser.page(one)


def _id(page: str) -> str:
    return "pur_" + page.split('id="pur_')[1].split('"')[0]


def test_what_a_version_changed() -> None:
    assert differences("Einmal im Monat.", "Einmal je Woche.") == [
        ("same", "Einmal "),
        ("gone", "im"),
        ("new", "je"),
        ("same", " "),
        ("gone", "Monat"),
        ("new", "Woche"),
        ("same", "."),
    ]


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("request", "Sind Sie dabei?", "{text} muss darin stehen"),
        ("own_data", "Hier.", "{link} muss"),
        ("stopped", "x" * 601, "Höchstens"),
    ],
)
async def test_a_text_keeps_what_makes_it_true(hub: HubUnderTest, kind: str, text: str, words: str) -> None:
    browser, path = await signed_in(hub), f"/o/{hub.slug}/consent/texts"
    assert words in (await browser.submit(path, kind=kind, language="de", text=text)).text
    assert (await browser.submit(path, kind="stopped", language="de", text="Schade, {organisation}.")).status_code == 303
    assert "Schade, {organisation}." in await browser.page(path)


async def test_a_road_is_opened_shown_and_closed(hub: HubUnderTest) -> None:
    """Its word, its link with the payload, its square and its page; a word that means something already is refused."""
    browser, room = await signed_in(hub), f"/o/{hub.slug}/consent"
    await hub.connect()
    words = {"name_de": "Radpost", "text_de": "Einmal im Monat.", "name_en": "Bike letter", "text_en": "Once a month."}
    await browser.submit(f"{room}/purposes", words, key="newsletter", kind="marketing")
    purpose = _id(await browser.page(f"{room}/purposes"))
    page = await browser.page(f"{room}/flows")
    channel = page.split('<option value="chn_')[1].split('"')[0]
    form = {"channel": f"chn_{channel}", "purpose": purpose, "language": "de", "keyword_de": "Radpost"}
    assert "mindestens einen Zweck" in (await browser.submit(f"{room}/flows", {**form, "purpose": ""})).text
    assert "hat schon eine Bedeutung" in (await browser.submit(f"{room}/flows", {**form, "keyword_de": "Stopp"})).text
    opened = await browser.submit(f"{room}/flows", form)
    assert opened.status_code == 303
    flow = opened.headers["location"].split("#")[1]
    page = await browser.page(f"{room}/flows")
    key = await hub.value("SELECT key FROM optin_flow")
    assert "RADPOST" in page and f"?start={key}" in page and f"http://hub.test/w/{flow}" in page and "<svg" in page
    assert "gehört schon einem anderen Weg" in (await browser.submit(f"{room}/flows", form)).text
    assert (await browser.open(f"/w/{flow}")).status_code == 200
    assert (await browser.submit(f"{room}/flows/{flow}/archive")).status_code == 303
    assert (await browser.open(f"/w/{flow}")).status_code == 404
