"""Roles and what they open (R-040), where a member arrives, and that one organisation's address is nobody else's."""

import re

import pytest

from hub.organisations import service
from hub.organisations.rights import ROLE_RIGHTS, Right, may_manage
from tests.organisations.support import DATA, browse, hire, signed_in
from tests.support import HubUnderTest

TABLE = {
    # right                 owner  admin  billing agent readonly
    "read_inbox": ("x", "x", "-", "x", "x"),
    "write_inbox": ("x", "x", "-", "x", "-"),
    "read_consent": ("x", "x", "-", "x", "-"),
    "manage_consent": ("x", "x", "-", "-", "-"),
    "override_consent": ("x", "-", "-", "-", "-"),
    "read_campaigns": ("x", "x", "-", "x", "-"),
    "write_campaigns": ("x", "x", "-", "-", "-"),
    "read_channels": ("x", "x", "-", "x", "-"),
    "manage_channels": ("x", "x", "-", "-", "-"),
    "read_members": ("x", "x", "-", "-", "-"),
    "manage_members": ("x", "x", "-", "-", "-"),
    "read_billing": ("x", "x", "x", "-", "-"),
    "manage_billing": ("x", "-", "x", "-", "-"),
    "read_operations": ("x", "x", "-", "-", "-"),
    "manage_organisation": ("x", "x", "-", "-", "-"),
}
ROLES = ("owner", "admin", "billing", "agent", "readonly")
MANAGES = {
    "owner": {"owner", "admin", "billing", "agent", "readonly"},
    "admin": {"admin", "agent", "readonly"},
    "billing": set(),
    "agent": set(),
    "readonly": set(),
}
"""Nobody hands out a right that they do not hold."""


def test_rights_table() -> None:
    """R-040: the table as it was agreed; a change of it is a change of this test."""
    held = {right.value: tuple("x" if right in ROLE_RIGHTS[role] else "-" for role in ROLES) for right in Right}
    assert held == TABLE
    assert tuple(ROLE_RIGHTS) == ROLES


@pytest.mark.parametrize("actor", ROLES)
def test_who_may_give_which_role(actor: str) -> None:
    """R-040: an admin makes no owner and no billing user, an agent nobody."""
    assert {role for role in ROLES if may_manage(actor, role)} == MANAGES[actor]


async def test_billing_user_cannot_open_the_inbox(hub: HubUnderTest) -> None:
    """R-040: given a billing user, when opening the inbox, then 403, and the page says who can change that."""
    browser = await signed_in(hub, await hire(hub, "billing"))
    for path in ("/o/radwerk/inbox", "/o/radwerk/inbox/open", "/o/radwerk/channels", "/o/radwerk/team"):
        assert "Rolle Inhaber oder Verwaltung" in await browser.page(path, status=403)
    assert (await browser.open("/o/radwerk/changes?after=0", headers=DATA)).json()["error"] == "forbidden"


async def test_agent_cannot_open_the_team(hub: HubUnderTest) -> None:
    """R-040: an agent neither sees the team page nor acts on it."""
    browser = await signed_in(hub, await hire(hub, "agent"))
    await browser.page("/o/radwerk/team", status=403)
    refused = await browser.submit("/o/radwerk/team", name="Neu", email="neu@radwerk.example", role="agent")
    assert refused.status_code == 403
    assert await hub.value("SELECT count(*) FROM invitation") == 0


@pytest.mark.parametrize(
    ("role", "place"),
    [("owner", "inbox"), ("admin", "inbox"), ("agent", "inbox"), ("readonly", "inbox")],
)
async def test_member_arrives_at_the_first_place_of_their_role(hub: HubUnderTest, role: str, place: str) -> None:
    """R-040: nobody is led to a page that refuses them."""
    browser = await signed_in(hub, await hire(hub, role, "Rita Rolle"))
    assert (await browser.open("/")).headers["location"] == "/o/radwerk"
    arrived = (await browser.open("/o/radwerk")).headers["location"]
    assert arrived == f"/o/radwerk/{place}"
    assert (await browser.open(arrived)).status_code in (200, 303)


async def test_role_without_a_place_is_told_so(hub: HubUnderTest) -> None:
    """R-040: the honest page of a billing member: what is missing, and the way to the account and out."""
    browser = await signed_in(hub, await hire(hub, "billing"))
    html = await browser.page("/o/radwerk")
    assert "Für Ihre Rolle gibt es hier noch keine Seite" in html
    assert 'href="/account"' in html and 'action="/logout"' in html
    assert "/o/radwerk/inbox" not in html


@pytest.mark.parametrize("role", ROLES)
async def test_rail_shows_only_what_the_role_may_enter(hub: HubUnderTest, role: str) -> None:
    """R-040: every link of the rail opens."""
    browser = await signed_in(hub, await hire(hub, role, "Rita Rolle"))
    start = (await browser.open("/o/radwerk")).headers.get("location", "/account").replace("/inbox", "/inbox/open")
    links = set(re.findall(r'<a href="(/o/radwerk/\w+)"', await browser.page(start)))
    for link in links:
        assert (await browser.open(link)).status_code in (200, 303), link
    wanted = {
        "/o/radwerk/inbox": "read_inbox",
        "/o/radwerk/channels": "read_channels",
        "/o/radwerk/consent": "read_consent",
        "/o/radwerk/campaigns": "read_campaigns",
        "/o/radwerk/deliveries": "read_operations",
        "/o/radwerk/team": "read_members",
    }
    assert links == {link for link, right in wanted.items() if Right(right) in ROLE_RIGHTS[role]}


async def test_another_organisations_address_does_not_exist(hub: HubUnderTest) -> None:
    """R-263: given tenant A's session, tenant B's addresses answer 404, like those of nobody."""
    await hub.found("velo", "Velo Bregenz")
    browser = await signed_in(hub)
    for path in ("", "/inbox", "/inbox/open", "/channels", "/team", "/changes?after=0"):
        foreign, unknown = await browser.page(f"/o/velo{path}", status=404), await browser.page(f"/o/nobody{path}", status=404)
        assert foreign == unknown
        assert "Velo" not in foreign
    refused = await browser.submit("/o/velo/team", name="Neu", email="neu@radwerk.example", role="agent")
    assert refused.status_code == 404


async def test_member_of_several_organisations_chooses(hub: HubUnderTest) -> None:
    """R-027: one person, one account, several organisations; a membership that ended is no choice."""
    other = await hub.found("velo", "Velo <Bregenz>")
    email = await hire(hub, "agent")
    async with hub.runtime.database.system() as unit:
        unit.organisation_id = other.organisation_id
        person_id = await unit.sql.fetchval("SELECT id FROM person WHERE email = $1", email)
        await service.add_membership(unit, person_id, "readonly")
    browser = await signed_in(hub, email)
    html = await browser.page("/")
    assert re.findall(r'href="(/o/\w+)"', html) == ["/o/radwerk", "/o/velo"]
    assert "Velo &lt;Bregenz&gt;" in html

    async with hub.runtime.database.unit_of_work(other.organisation_id) as unit:
        await unit.sql.execute("UPDATE member SET deactivated_at = $1 WHERE role = 'readonly'", hub.clock())
    assert (await browser.open("/")).headers["location"] == "/o/radwerk"
    await browser.page("/o/velo/inbox/open", status=401)
    await browser.page("/o/velo", status=404)


async def test_hostile_names_are_text(hub: HubUnderTest) -> None:
    """R-303: markup in names of people and organisations is shown, not run; no page carries inline script or style."""
    evil = "<script>alert(1)</script>"
    other = await hub.found("evil", f"{evil} GmbH")
    await hire(hub, "agent", f"Eve {evil}", organisation_id=other.organisation_id, slug="evil")
    browser = await signed_in(hub, "owner@evil.example")
    await browser.submit("/account", name=f'" onfocus="x {evil}', locale="de")
    made = await browser.submit("/o/evil/team", name=f"Ivy {evil}", email="ivy@evil.example", role="agent")
    assert made.status_code == 200
    pages = [made.text, *[await browser.page(path) for path in ("/account", "/o/evil/team", "/o/evil/inbox/open")]]
    found = re.search(r"/join/[\w-]+", made.text)
    assert found
    pages.append(await browse(hub).page(found[0]))
    pages.append((await browse(hub).submit("/login", email=f'"><img src=x onerror=x>{evil}', password="x")).text)
    for html in pages:
        assert "<script>alert" not in html and "<img src=x" not in html
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
        assert not re.search(r"\son\w+=|\sstyle=", re.sub(r'"[^"]*"', '""', re.sub(r">[^<]*<", "><", html)))
        assert not re.search(r"<script(?![^>]*\ssrc=)", html)


async def test_each_page_in_both_languages(hub: HubUnderTest) -> None:
    """Issue 2 C: every page of this room has all its words in German and English."""
    browser = await signed_in(hub)
    for locale, words in (("de", ("Mitglieder", "Angemeldete Browser")), ("en", ("Members", "Signed-in browsers"))):
        await browser.submit("/account", name="Olga", locale=locale)
        pages = [await browser.page(path) for path in ("/o/radwerk/team", "/account")]
        for html, word in zip(pages, words, strict=True):
            assert f'<html lang="{locale}">' in html and word in html
