"""Every page and state is accessible as far as a machine can tell (look.md, 13): WCAG 2.2 A and AA and the best practices of axe,
in both themes, wide in German and narrow in English. A new page or state is a line in `SCENES`.

A scene opens a path as one of the people below and perhaps does something there; `{name}` in a path is a thing of `Things`. Paths
are below the organisation, those with `//` below the hub; `{phone}` is the page of the sandbox, which has an address of its own.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import pytest
from playwright.async_api import Page

from hub.channels import providers
from hub.consent.abuse import spam
from hub.core import ids
from hub.core.clock import FakeClock
from hub.inbox import alarm, service
from hub.inbox.persons import case_work
from hub.inbox.sending import actions
from hub.inbox.service import Charge
from hub.organisations import service as organisations
from hub.organisations import team, teams
from hub.sandbox.app import create_sandbox_app
from hub.sandbox.telegram import samples
from tests.browser.conftest import Site
from tests.campaigns import support as newsletters
from tests.consent.support import define_purpose, grant
from tests.inbox.pages_support import Visitor, conv, receive, visit
from tests.inbox.thread_support import NOW, customer, receive_everything
from tests.sandbox.support import BOT, TOKEN, Simulated, serve_app
from tests.support import HubUnderTest

VENDOR: Final = Path(__file__).parent / "vendor"
DAY: Final = 86_400
TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WAYS: Final = {"wide-de": ("de", 1440, 900), "narrow-en": ("en", 390, 844)}
"""Language and size of the window; each in light and dark."""


@dataclass(frozen=True)
class Scene:
    path: str
    who: str = "owner"
    act: Callable[[Page], Awaitable[None]] | None = None
    part: str = ""
    """What is new here and looked at alone, such as a menu that covers others; else the whole page."""
    wide_only: bool = False
    """What is done is not on a small screen."""
    colleague: str = ""
    """What a colleague does in this conversation meanwhile: reply or note."""
    status: int = 200


def click(*selectors: str) -> Callable[[Page], Awaitable[None]]:
    async def act(page: Page) -> None:
        for selector in selectors:
            await page.locator(selector).first.click()

    return act


def press(key: str) -> Callable[[Page], Awaitable[None]]:
    async def act(page: Page) -> None:
        await page.keyboard.press(key)

    return act


async def wrong_password(page: Page) -> None:
    await page.fill("[name=email]", "niemand@radwerk.example")
    await page.fill("[name=password]", "ein falsches Passwort")
    await page.click("main .btn.main")
    await page.wait_for_selector("[role=alert], [aria-invalid]")


def see(selector: str) -> Callable[[Page], Awaitable[None]]:
    async def act(page: Page) -> None:
        await page.locator(selector).first.wait_for()

    return act


async def two_drafts(page: Page) -> None:
    other = await page.context.new_page()
    await other.goto(page.url)
    await other.fill("#text", "Aus dem anderen Fenster")
    await other.wait_for_selector("#saved:not(:empty)")
    await other.close()
    await page.fill("#text", "Aus diesem Fenster")
    await page.wait_for_selector("[data-moved]")


PHONE: Final = f"{{phone}}/?connector=telegram&account={BOT}&person=501"
SILENT: Final = "{phone}/?connector=sms&account=%2B4915199000000&person=%2B4915110000001"
"""Somebody who has written nothing yet."""
MORE: Final = "#reply .tools > .pop > summary"
EMPTY: Final = (
    Scene("/campaigns"),
    Scene("/inbox/open"),
    Scene("/channels"),
    Scene("/deliveries"),
    Scene("/team"),
    Scene(SILENT, "nobody", see("#no-message")),
)
"""Before there is anything."""
SCENES: Final = (
    Scene("//login", "nobody"),
    Scene("//login", "nobody", wrong_password),
    Scene("//join/{invitation}", "nobody"),
    Scene("//"),
    Scene("//account"),
    Scene("/team"),
    Scene("/team", act=click("#teams summary"), part="details[open]"),
    Scene("/team", act=click(".mates summary"), part="details[open]"),
    Scene("/channels"),
    Scene("/channels?connect=telegram"),
    Scene("/channels", act=click("[popovertarget=stop-all]"), part="#stop-all"),
    Scene("/channels/{channel}"),
    Scene("/channels/{channel}?form=settings"),
    Scene("/channels/{channel}?form=account&reached=certificate&said=off"),
    Scene("/channels/{channel}", act=click("[popovertarget=block]"), part="#block"),
    Scene("/channels/{channel}/test"),
    Scene("/campaigns"),
    Scene("/campaigns/{letter}"),
    Scene("/campaigns/{letter}", act=click("[popovertarget=start]"), part="#start"),
    Scene("/campaigns/{running}"),
    Scene("/campaigns/{running}/recipients"),
    Scene("/inbox/open"),
    Scene("/inbox/snoozed"),
    Scene("/inbox/done"),
    Scene("/inbox/open/{late}"),
    Scene("/inbox/open/{late}", act=click("#head [data-menu=assign] summary"), part="details[open]"),
    Scene("/inbox/open/{late}", act=click("#head [data-menu=due] summary"), part="details[open]", wide_only=True),
    Scene("/inbox/open/{late}", act=press("?"), part="dialog"),
    Scene("/inbox/open/{late}", act=click("#reply [data-mode=note]")),
    Scene("/inbox/open/{late}/contact"),
    Scene("/inbox/open/{late}", "readonly"),
    Scene("/inbox/open/{failed}"),
    Scene("/inbox/open/{unclear}", act=click("details[id^=tries] summary")),
    Scene("/inbox/open/{refused}"),
    Scene("/inbox/open/{waits}"),
    Scene("/inbox/open/{plain}", act=click("#reply .split summary"), part="#reply .split"),
    Scene("/inbox/open/{plain}", act=click(MORE, "[data-tool=place]"), part="#place"),
    Scene("/inbox/open/{plain}", act=click(MORE, "[data-tool=choice]"), part="#composer"),
    Scene("/inbox/open/{plain}", act=see("#soft"), colleague="reply"),
    Scene("/inbox/open/{plain}", act=see("[data-present]"), colleague="note"),
    Scene("/inbox/snoozed/{snoozed}", act=click("#contact details summary"), part="details[open]", wide_only=True),
    Scene("/inbox/open/{plain}", act=two_drafts),
    Scene("/conversations/{late}/protocol"),
    Scene("/people/{person}"),
    Scene("/consent/cases"),
    Scene("/consent/cases/{case}"),
    Scene("/consent/suppression"),
    Scene("/deliveries"),
    Scene("/deliveries?kind=ignored"),
    Scene("/consent"),
    Scene("/consent/person?messenger=telegram&address=603"),
    Scene("/consent/person?messenger=telegram&address=603", act=click("[popovertarget=w-all]"), part="#w-all"),
    Scene("/consent/hand-out"),
    Scene("/deliveries?kind=parked"),
    Scene("/deliveries/{dead}"),
    Scene("/inbox/open/{nothing}", status=404),
    Scene("/deliveries", "readonly", status=403),
    Scene(PHONE, "nobody", see(".talk .msg")),
    Scene(PHONE, "nobody", click("#attach summary"), part="#attach"),
    Scene(PHONE, "nobody", click("#of-faults summary"), part="#of-faults"),
    Scene(PHONE, "nobody", click("[data-do=block]")),
)
CONTENTS: Final = (
    Scene("/inbox/open/{everything}"),
    Scene("/inbox/open/{everything}", act=click(MORE, "[data-tool=times]"), part="#composer"),
    Scene("/inbox/open/{everything}", act=click(MORE, "[data-tool=cards]"), part="#composer"),
    Scene("/inbox/open/{everything}", act=click("[data-look=video]"), part="#viewer"),
    Scene("/inbox/open/{closed}"),
)
"""What only the probe can send. It comes last: of a messenger that nobody can connect there is no page of channels."""


@dataclass(frozen=True)
class Things:
    """What the scenes' paths name."""

    late: str
    failed: str
    unclear: str
    refused: str
    waits: str
    snoozed: str
    plain: str
    channel: str
    dead: str
    invitation: str
    person: str
    case: str
    nothing: str
    letter: str
    running: str


async def things(hub: HubUnderTest, clock: FakeClock, owner: Visitor) -> Things:
    """One conversation in each state, and what stands beside them."""
    channel, broken = await hub.connect(), await hub.connect()
    workshop = await teams.create_team(hub.runtime, hub.owner, "Werkstatt")
    await teams.set_members(hub.runtime, hub.owner, workshop, [owner.member_id])
    talks = {}
    for number, name in enumerate(("late", "failed", "unclear", "refused", "snoozed", "plain")):
        talks[name] = await receive(hub, channel, f"Frage {number}: Wann ist mein Rad fertig?", user=600 + number)
    talks["waits"] = await receive(hub, broken, "Sind Sie da?", user=700)
    await service.assign(hub.runtime, hub.owner, talks["late"], Charge(team_id=workshop))
    await service.assign(hub.runtime, hub.owner, talks["late"], Charge(owner.member_id))
    await service.add_note(hub.runtime, hub.owner, talks["late"], "Bitte zurückrufen")
    await service.set_due(hub.runtime, hub.owner, talks["late"], clock() + timedelta(minutes=1))
    await service.set_due(hub.runtime, hub.owner, talks["plain"], clock() + timedelta(hours=1))
    await service.snooze(hub.runtime, hub.owner, talks["snoozed"], clock() + timedelta(days=1))
    for name, state in (("failed", "failed"), ("unclear", "unknown")):
        message = await hub.reply(talks[name], "Morgen um neun")
        async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
            await unit.sql.execute("UPDATE message SET state = $2, failure = 'rejected' WHERE id = $1", message, state)
            await unit.sql.execute("UPDATE message_part SET state = $2 WHERE message_id = $1", message, state)
            await unit.sql.execute(
                """
                INSERT INTO attempt (organisation_id, id, part_id, channel_id, no, permit_at, facts_version, fence, finished_at,
                                     outcome, error, provider_code, provider_text)
                SELECT organisation_id, $2, id, channel_id, 1, $3, '', 0, $3, $4, 'rejected', '400', 'Bad Request'
                FROM message_part WHERE message_id = $1
                """,
                message,
                ids.new_id(),
                clock(),
                state,
            )
    await receive(hub, channel, "STOP", user=603, first=2)
    clock.advance(minutes=2)
    await alarm.ring(hub.runtime)
    await hub.deliver(channel, b"broken")
    await hub.deliver(channel, {"update_id": 9, "poll_answer": {}})
    await hub.settle()
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute(
            """
            UPDATE channel SET health = 'failing', health_cause = 'unavailable', health_since = $2, health_until = $3
            WHERE id = $1
            """,
            broken.id,
            clock(),
            clock() + timedelta(hours=1),
        )
        await unit.sql.execute("UPDATE channel SET title = 'Verkauf' WHERE id = $1", broken.id)
        await unit.sql.execute(
            "INSERT INTO pending_effect (organisation_id, id, channel_id, target_key, kind, at, content, created_at) "
            "VALUES ($1, $2, $3, 'm:1', 'status', $4, '{}', $4)",
            unit.tenant,
            ids.new_id(),
            channel.id,
            clock() - timedelta(days=2),
        )
    link = await team.invite(hub.runtime, hub.owner, name="Nora Neu", email="nora@radwerk.example", role="agent")
    dead = await hub.value("SELECT id FROM webhook_delivery WHERE state = 'dead'")
    contact = await hub.value("SELECT contact_id FROM conversation WHERE id = $1", talks["plain"])
    said = await hub.value("SELECT id FROM message WHERE conversation_id = $1 AND direction = 'in' LIMIT 1", talks["plain"])
    case_id, _ = await case_work.report_message(hub.runtime, hub.owner, said, categories=["hate"], note="Beleidigung")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await spam.raise_candidates(unit, [spam.Suspect("viber", channel.id, "complaint", "provider", accepted_at=clock())])
    purpose_id = await define_purpose(hub)
    await grant(hub, purpose_id, ("telegram", "", "605"))
    letters = [await newsletters.draft(hub, channel, purpose_id) for _ in range(2)]
    for letter in letters:
        await newsletters.try_out(hub, letter)
    await newsletters.start(hub, letters[1])
    await newsletters.work(hub)
    return Things(
        **{name: conv(talk) for name, talk in talks.items()},
        channel=ids.show("chn", channel.id),
        dead=ids.show("dlv", dead),
        invitation=link.token,
        person=ids.show("con", contact),
        case=ids.show("case", case_id),
        nothing=conv(channel.id),
        letter=ids.show("cmp", letters[0]),
        running=ids.show("cmp", letters[1]),
    )


async def everything(hub: HubUnderTest) -> UUID:
    """A thread with each kind of content and each state of a file, and with what is done to messages."""
    channel = await hub.connect("probe")
    talk = await receive_everything(hub, channel)
    question = await hub.reply(talk, "Passt Ihnen Freitag?", options=["Ja", "Nein"])
    gone = await hub.reply(talk, "Das war falsch")
    first = await hub.value("SELECT id FROM message WHERE conversation_id = $1 ORDER BY seq LIMIT 1", talk)
    await actions.react(hub.runtime, hub.owner, first, "👍")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE message SET state = 'read' WHERE id = ANY($1)", [question, gone])
        await unit.sql.execute("UPDATE message SET deleted_at = at WHERE id = $1", gone)
        await unit.sql.execute("UPDATE message_part SET state = 'sent' WHERE conversation_id = $1", talk)
        await unit.sql.execute("UPDATE message_part SET keys = '{q1}' WHERE message_id = $1", question)
    pressed = {"key": "i1", "option": "1", "text": "Ja", "reply_to": "q1"}
    edited = {"type": "edit", "key": "c1", "target": "e1", "text": "Guten Tag! Ich habe *heute* das Lastenrad angeschaut."}
    return await customer(hub, channel, {**pressed, "at": NOW + DAY // 2}, {**edited, "at": NOW + DAY // 2})


async def fill_phone(simulated: Simulated) -> None:
    """A person who sent one of everything, and a bot that asks."""
    await simulated.control("POST", "/bots", {"token": TOKEN, "name": "Muster Optik", "username": "muster_optik_bot"})
    person = await simulated.person(501, "Aylin")
    await simulated.send(person, start="")
    for name in samples.NAMES:
        await simulated.send(person, sample=name)
    buttons = {"inline_keyboard": [[{"text": "Passt", "callback_data": "ok"}]]}
    await simulated.call("sendMessage", chat_id=person, text="<b>Termin</b> um 10?", parse_mode="HTML", reply_markup=buttons)


def address(path: str, owner: Visitor) -> str:
    if path.startswith("//"):
        return path[1:]
    return owner.base + path if path.startswith("/") else path


async def second_organisation(hub: HubUnderTest, owner: Visitor) -> None:
    """So that the person chooses between two after the log-in."""
    other = await hub.found("velo", "Velo Bregenz")
    async with hub.runtime.database.system() as unit:
        person_id = await unit.sql.fetchval("SELECT person_id FROM member WHERE id = $1", owner.member_id)
        unit.organisation_id = other.organisation_id
        await organisations.add_membership(unit, person_id, "agent")


async def violations(page: Page, part: str, tags: list[str] | None) -> list[str]:
    """What axe finds in a part of the page: all rules of the tags, or only the contrast, which alone depends on the theme."""
    only = {"type": "tag", "values": tags} if tags else {"type": "rule", "values": ["color-contrast"]}
    script = "([part, only]) => axe.run(part || document, {runOnly: only, resultTypes: ['violations']})"
    found = await page.evaluate(script, [part, only])
    nodes = [(one["id"], node) for one in found["violations"] for node in one["nodes"]]
    return [f"{rule}: {node['html'][:160]} ({node['failureSummary'][:200]})" for rule, node in nodes]


def test_vendored_axe_is_what_the_list_says() -> None:
    ((name, digest),) = re.findall(r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$", (VENDOR / "VENDORED.md").read_text(), re.M)
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest


@pytest.mark.timeout(300)  # some fifty pages, each looked at twice: too much for the usual limit on a busy machine
@pytest.mark.parametrize("way", WAYS)
async def test_no_page_and_no_state_violates_a_rule(
    hub: HubUnderTest, site: Site, clock: FakeClock, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Look 13: no violation anywhere."""
    monkeypatch.setitem(providers._providers(), "probe", providers.Provider("Probe", "Probe", "1", ()))
    locale, width, height = WAYS[way]
    owner = await visit(hub, "Olga Chefin", role="owner", locale=locale)
    colleague = await visit(hub, "Sara Lang", locale=locale)
    readonly = await visit(hub, "Leo Lesend", role="readonly", locale=locale)
    pages: dict[str, Page] = {}
    for name, who in (("owner", owner), ("readonly", readonly), ("nobody", owner)):
        context = await site.context(who, locale=locale, reduced_motion="reduce")
        if name == "nobody":
            await context.clear_cookies()
        await context.add_init_script(path=VENDOR / "axe.min.js")
        pages[name] = await context.new_page()
        await pages[name].set_viewport_size({"width": width, "height": height})
    found: list[str] = []

    async def walk(scenes: tuple[Scene, ...], named: dict[str, Any]) -> None:
        for number, scene in enumerate(scenes):
            if scene.wide_only and width < 768:
                continue
            page = pages[scene.who]
            path = scene.path.format(phone=phone, **named)
            if scene.colleague:
                here = f"/conversations/{path.rpartition('/')[2]}/presence"
                assert (await colleague.post(here, state=scene.colleague, tab="0" * 16)).status_code == 200
            answer = await page.goto(address(path, owner), wait_until="load")
            assert answer and answer.status == scene.status, path
            await page.emulate_media(color_scheme="light")
            if scene.act:
                await scene.act(page)
            for theme, tags in (("light", TAGS), ("dark", None)):
                if theme == "dark":
                    await page.emulate_media(color_scheme="dark")
                found.extend(f"{number} {scene.path} {theme}: {one}" for one in await violations(page, scene.part, tags))

    sandbox = create_sandbox_app()
    async with serve_app(sandbox) as phone, httpx.AsyncClient(trust_env=False) as http:
        await walk(EMPTY, {})
        await second_organisation(hub, owner)
        await fill_phone(Simulated(sandbox, phone, http))
        await walk(SCENES, vars(await things(hub, clock, owner)))
        old = {"key": "old", "text": "Noch da?", "at": NOW - 2 * DAY}
        closed = await customer(hub, await hub.connect("probe"), old)
        await walk(CONTENTS, {"everything": conv(await everything(hub)), "closed": conv(closed)})
        await sandbox.stop()
    assert found == []
