"""Invitations, roles and leavers: who may do what to whom, for how long a link is good, and what is written down."""

import asyncio
import dataclasses
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hub.core import ids
from hub.core.clock import FakeClock
from hub.organisations import service, sessions, team
from hub.organisations.team import LastOwner
from tests.organisations.support import ELSEWHERE, Browser, browse, hire, member_of, signed_in
from tests.smtp import MailServer
from tests.support import PASSWORD, HubUnderTest

TEAM = "/o/radwerk/team"
BERLIN = ZoneInfo("Europe/Berlin")
NEW = {"name": "Nora Neu", "email": "nora.neu@radwerk.example", "role": "agent"}


async def invite(browser: Browser, path: str = TEAM, **form: str) -> str:
    """Make an invitation; the path of its link."""
    response = await browser.submit(path, NEW, **form)
    assert response.status_code == 200, response.text
    return link_in(response.text)


def link_in(html: str) -> str:
    found = re.search(r'value="http://hub\.test(/join/[\w-]{43})" readonly', html)
    assert found, html
    return found[1]


async def join(hub: HubUnderTest, link: str, **form: str) -> tuple[Browser, Any]:
    browser = browse(hub)
    return browser, await browser.submit(link, {"password": PASSWORD, "again": PASSWORD}, **form)


async def open_invitation(hub: HubUnderTest) -> str:
    return ids.show("inv", await hub.value("SELECT id FROM invitation WHERE accepted_at IS NULL"))


async def test_invited_person_joins(hub: HubUnderTest) -> None:
    """R-025, R-027: the link names organisation, person and role; a password makes the person a member and signs them in."""
    link = await invite(await signed_in(hub))
    shown = await browse(hub).page(link)
    assert "Nora Neu, Sie sind zu Radwerk Lindau eingeladen. Ihre Rolle: Bearbeitung." in shown
    browser, joined = await join(hub, link)
    assert (joined.status_code, joined.headers["location"]) == (303, "/o/radwerk")
    assert (await browser.open("/o/radwerk")).headers["location"] == "/o/radwerk/inbox"
    assert (await browse(hub).log_in(NEW["email"])).status_code == 303
    assert "Nora Neu" in await (await signed_in(hub)).page(TEAM)


async def test_link_is_shown_once_and_kept_nowhere(hub: HubUnderTest) -> None:
    """R-025, I10: only its hash is stored; loading the page again shows the invitation without the link."""
    owner = await signed_in(hub)
    token = (await invite(owner)).removeprefix("/join/")
    html = await owner.page(TEAM)
    assert NEW["email"] in html and token not in html and "/join/" not in html
    stored = await hub.rows("SELECT token_hash, row_to_json(i)::text AS all FROM invitation i")
    assert [row["token_hash"] for row in stored] == [sessions.digest(token)]
    audit = await hub.value("SELECT string_agg(detail::text, ' ') FROM audit_entry")
    assert token not in stored[0]["all"] and token not in audit


async def test_link_is_good_once(hub: HubUnderTest) -> None:
    """R-025: a second time it is refused, with the way to a new one."""
    link = await invite(await signed_in(hub))
    await join(hub, link)
    _, again = await join(hub, link)
    assert again.status_code == 410
    assert "um einen neuen" in again.text
    assert "Dieser Link gilt nicht mehr" in await browse(hub).page(link, status=410)


async def test_link_used_twice_at_the_same_moment_works_once(hub: HubUnderTest) -> None:
    """R-025: two browsers with one link make one member."""
    link = await invite(await signed_in(hub))
    answers = await asyncio.gather(*(join(hub, link) for _ in range(3)))
    assert sorted(response.status_code for _, response in answers) == [303, 410, 410]
    assert await hub.value("SELECT count(*) FROM member") == 2


@pytest.mark.parametrize(
    ("issued", "last_second"),
    [
        pytest.param("2026-06-09 10:15:00", "2026-06-10 10:14:59", id="plain"),
        pytest.param("2026-03-28 12:00:00", "2026-03-29 12:59:59", id="to summer time"),
        pytest.param("2026-10-24 12:00:00", "2026-10-25 10:59:59", id="to winter time"),
    ],
)
async def test_link_is_good_for_24_real_hours(hub: HubUnderTest, clock: FakeClock, issued: str, last_second: str) -> None:
    """R-007, R-025: the hours run on elapsed time; at the full 24 hours it is over."""
    last = datetime.fromisoformat(last_second).replace(tzinfo=BERLIN)
    for used, status in ((last, 303), (last.astimezone(UTC) + timedelta(seconds=1), 410)):
        clock.set(datetime.fromisoformat(issued).replace(tzinfo=BERLIN))
        link = await invite(await signed_in(hub), email=f"p{status}@radwerk.example")
        clock.set(used)
        assert (await browse(hub).open(link)).status_code == (200 if status == 303 else 410)
        assert (await join(hub, link))[1].status_code == status


async def test_hours_of_a_link_are_a_parameter(hub: HubUnderTest, clock: FakeClock) -> None:
    """R-025, R-012: `activation_link_hours` may be agreed individually."""
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute(
            """
            INSERT INTO policy_override (organisation_id, name, level, parameter, source, created_at)
            VALUES ($1, 'activation_link_hours', 'individual', '48', 'letter of 2026-11-02', $2)
            """,
            unit.tenant,
            clock(),
        )
    link = await invite(await signed_in(hub))
    clock.advance(hours=48, seconds=-1)
    await browse(hub).page(link)
    clock.advance(seconds=1)
    await browse(hub).page(link, status=410)


async def test_new_link_replaces_the_old_one(hub: HubUnderTest, clock: FakeClock) -> None:
    """R-025: re-issuable, also after it ran out; only the newest works."""
    owner = await signed_in(hub)
    old = await invite(owner)
    clock.advance(hours=30)
    owner = await signed_in(hub)
    assert "abgelaufen am 25.11.2026" in await owner.page(TEAM)
    renewed = await owner.submit(f"{TEAM}/invitations/{await open_invitation(hub)}/renew")
    assert renewed.status_code == 200
    new = link_in(renewed.text)
    assert (await join(hub, old))[1].status_code == 410
    assert (await join(hub, new))[1].status_code == 303


async def test_withdrawn_invitation_is_gone(hub: HubUnderTest) -> None:
    owner = await signed_in(hub)
    link, invitation = await invite(owner), await open_invitation(hub)
    assert (await owner.submit(f"{TEAM}/invitations/{invitation}/withdraw")).headers["location"] == f"{TEAM}?changed=withdrawn"
    assert NEW["email"] not in await owner.page(f"{TEAM}?changed=withdrawn")
    assert (await join(hub, link))[1].status_code == 410
    for act in ("withdraw", "renew"):
        assert (await owner.submit(f"{TEAM}/invitations/{invitation}/{act}")).status_code == 404


@pytest.mark.parametrize(
    ("form", "field", "status", "words"),
    [
        ({"name": " "}, "name", 422, "Bitte geben Sie einen Namen"),
        ({"email": "nora.neu"}, "email", 422, "keine vollständige E-Mail-Adresse"),
        ({"email": "a b@radwerk.example"}, "email", 422, "keine vollständige E-Mail-Adresse"),
        ({"role": ""}, "role", 422, "Bitte wählen Sie eine Rolle."),
        ({"role": "boss"}, "role", 422, "Bitte wählen Sie eine Rolle."),
        ({"email": "Owner@Radwerk.example"}, "email", 409, "gehört schon einem Mitglied"),
    ],
)
async def test_mistakes_are_told_at_their_field(
    hub: HubUnderTest, form: dict[str, str], field: str, status: int, words: str
) -> None:
    """R-027, R-303: the form comes back with what was typed, the field named, and nothing is made."""
    response = await (await signed_in(hub)).submit(TEAM, NEW, **form)
    assert response.status_code == status
    assert words in response.text
    assert (f'id="f-{field}"' in response.text and 'aria-invalid="true"' in response.text) or field == "role"
    assert f'value="{(NEW | form)["email"]}"' in response.text
    assert await hub.value("SELECT count(*) FROM invitation") == 0


async def test_second_invitation_for_an_email_is_refused(hub: HubUnderTest) -> None:
    """R-027: one person, one e-mail; the open invitation gets a new link instead."""
    owner = await signed_in(hub)
    await invite(owner)
    response = await owner.submit(TEAM, NEW)
    assert (response.status_code, "schon eine offene Einladung" in response.text) == (409, True)


async def test_shared_address_is_flagged(hub: HubUnderTest) -> None:
    """R-027: `team@` is no person: flagged on the page and in the audit log, not refused."""
    owner = await signed_in(hub)
    await invite(owner, email="team@radwerk.example")
    assert "Sammeladresse" in await owner.page(TEAM)
    detail = await hub.value("SELECT detail ->> 'flags' FROM audit_entry WHERE action = 'invitation.made'")
    assert detail == '["generic_email"]'


async def test_known_person_joins_with_their_own_password(hub: HubUnderTest) -> None:
    """R-027: who has an account proves it and gets a second membership, not a second account."""
    agent = await hire(hub, "agent")
    await hub.found("velo", "Velo Bregenz")
    link = await invite(await signed_in(hub, "owner@velo.example"), "/o/velo/team", email=agent, role="admin", standing="released")
    assert "Diese E-Mail hat schon ein Konto." in await browse(hub).page(link)
    _, wrong = await join(hub, link, password="ein falsches Passwort 17")
    assert (wrong.status_code, "Noch 4 Versuche bis zur Pause." in wrong.text) == (401, True)
    browser, right = await join(hub, link)
    assert (right.status_code, right.headers["location"]) == (303, "/o/velo")
    assert re.findall(r'href="(/o/\w+)"', await browser.page("/")) == ["/o/radwerk", "/o/velo"]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"password": "kurz", "again": "kurz"}, "Es braucht mindestens 12 Zeichen."),
        ({"password": "nora.neu.nora", "again": "nora.neu.nora"}, "fast nur aus Ihrem Namen"),
        ({"again": "etwas anderes 42"}, "Die beiden Eingaben sind verschieden."),
    ],
)
async def test_password_that_is_not_taken_leaves_the_link_good(hub: HubUnderTest, form: dict[str, str], words: str) -> None:
    """R-033: the reason stands at the field, and the next try works."""
    link = await invite(await signed_in(hub))
    _, refused = await join(hub, link, **form)
    assert (refused.status_code, words in refused.text) == (422, True)
    assert (await join(hub, link))[1].status_code == 303


async def test_join_from_another_site_is_refused(hub: HubUnderTest) -> None:
    """R-263: no other site makes a browser accept an invitation."""
    link = await invite(await signed_in(hub))
    response = await browse(hub).submit_from({"origin": ELSEWHERE}, link, password=PASSWORD, again=PASSWORD)
    assert response.status_code == 403
    await browse(hub).page(link)


async def test_leaver_is_out_with_the_next_request(hub: HubUnderTest) -> None:
    """R-048: given an active session, when the user is deactivated, then the next request answers 401."""
    email = await hire(hub, "agent")
    agent, owner, member = await signed_in(hub, email), await signed_in(hub), await member_of(hub, email)
    await agent.page("/o/radwerk/inbox/mine")
    assert (await owner.submit(f"{TEAM}/members/{member}/deactivate")).headers["location"] == f"{TEAM}?changed=deactivated"
    await agent.page("/o/radwerk/inbox/mine", status=401)
    await agent.page("/account", status=401)
    assert (await browse(hub).log_in(email)).status_code == 403

    html = await owner.page(f"{TEAM}?changed=deactivated")
    assert f"members/{member}/reactivate" in html and f"members/{member}/deactivate" not in html
    assert (await owner.submit(f"{TEAM}/members/{member}/reactivate")).headers["location"] == f"{TEAM}?changed=reactivated"
    await agent.page("/account", status=401)
    assert (await browse(hub).log_in(email)).status_code == 303


async def test_leaver_of_one_organisation_stays_in_the_other(hub: HubUnderTest) -> None:
    """R-048: the deactivated membership answers 401 at once; the session goes on where the person still works."""
    agent_email = await hire(hub, "agent")
    await hub.found("velo", "Velo Bregenz")
    link = await invite(
        await signed_in(hub, "owner@velo.example"), "/o/velo/team", email=agent_email, role="agent", standing="released"
    )
    agent, _ = await join(hub, link)
    await (await signed_in(hub)).submit(f"{TEAM}/members/{await member_of(hub, agent_email)}/deactivate")
    await agent.page("/o/radwerk/inbox/mine", status=401)
    await agent.page("/o/velo/inbox/mine")


async def test_change_of_role_holds_at_once(hub: HubUnderTest) -> None:
    """R-040: with the next request the new role decides."""
    email = await hire(hub, "agent")
    agent, owner, member = await signed_in(hub, email), await signed_in(hub), await member_of(hub, email)
    await agent.page(TEAM, status=403)
    assert (await owner.submit(f"{TEAM}/members/{member}/role", role="admin")).headers["location"] == f"{TEAM}?changed=role"
    await agent.page(TEAM)
    await owner.submit(f"{TEAM}/members/{member}/role", role="billing")
    await agent.page("/o/radwerk/inbox/mine", status=403)
    assert (await owner.submit(f"{TEAM}/members/{member}/role", role="boss")).status_code == 422


async def test_last_owner_stays(hub: HubUnderTest) -> None:
    """R-040: an organisation always has an active owner, and the page says what to do first."""
    owner, own = await signed_in(hub), await member_of(hub, "owner@radwerk.example")
    for act in ("deactivate", "role"):
        response = await owner.submit(f"{TEAM}/members/{own}/{act}", role="admin")
        assert (response.status_code, "der einzige aktive Inhaber" in response.text) == (409, True)
    second = await hire(hub, "owner", "Otto Zweit")
    assert (await owner.submit(f"{TEAM}/members/{own}/role", role="admin")).status_code == 303
    assert await member_of(hub, second)
    assert await hub.value("SELECT count(*) FROM member WHERE role = 'owner' AND deactivated_at IS NULL") == 1


async def test_two_owners_cannot_remove_each_other_at_once(hub: HubUnderTest) -> None:
    """R-040: whoever comes second finds the last owner."""
    await hire(hub, "owner", "Otto Zweit")
    second_id = await hub.value("SELECT id FROM member WHERE id <> $1", hub.owner.member_id)
    second = await hub.sign_in(hub.organisation_id, second_id)
    results = await asyncio.gather(
        team.deactivate(hub.runtime, hub.owner, second_id),
        team.deactivate(hub.runtime, second, hub.owner.member_id),
        return_exceptions=True,
    )
    assert [type(result) for result in results if result is not None] == [LastOwner]
    assert await hub.value("SELECT count(*) FROM member WHERE role = 'owner' AND deactivated_at IS NULL") == 1


async def test_admin_hands_out_no_right_that_they_lack(hub: HubUnderTest) -> None:
    """R-040: an admin makes no owner and no billing user, touches none, and the page offers neither."""
    admin = await signed_in(hub, await hire(hub, "admin"))
    agent, billing = await member_of(hub, await hire(hub, "agent")), await member_of(hub, await hire(hub, "billing"))
    owner = await member_of(hub, "owner@radwerk.example")
    for role in ("owner", "billing"):
        assert (await admin.submit(TEAM, NEW, role=role)).status_code == 403
        assert (await admin.submit(f"{TEAM}/members/{agent}/role", role=role)).status_code == 403
    for member in (owner, billing):
        for act in ("deactivate", "reactivate", "role"):
            assert (await admin.submit(f"{TEAM}/members/{member}/{act}", role="agent")).status_code == 403
    await invite(await signed_in(hub), role="billing")
    for act in ("renew", "withdraw"):
        assert (await admin.submit(f"{TEAM}/invitations/{await open_invitation(hub)}/{act}")).status_code == 403
    html = await admin.page(TEAM)
    assert set(re.findall(r'type="radio" name="role" value="(\w+)"', html)) == {"admin", "agent", "readonly"}
    assert re.findall(r"members/(mem_\w+)/deactivate", html) == [agent]


async def test_nobody_acts_on_their_own_place_by_a_button(hub: HubUnderTest) -> None:
    """R-040: a slip of the finger locks nobody out of their own organisation."""
    html = await (await signed_in(hub)).page(TEAM)
    assert "/members/" not in html and ">Sie<" in html


async def test_every_change_names_member_and_session(hub: HubUnderTest) -> None:
    """R-047: every change of state carries user and session; what a new member did themself carries theirs."""
    email = await hire(hub, "agent")
    owner, member = await signed_in(hub), await member_of(hub, email)
    link = await invite(owner)
    link = link_in((await owner.submit(f"{TEAM}/invitations/{await open_invitation(hub)}/renew")).text)
    nora, _ = await join(hub, link)
    await invite(owner, email="paul@radwerk.example")
    await owner.submit(f"{TEAM}/invitations/{await open_invitation(hub)}/withdraw")
    await owner.submit(f"{TEAM}/members/{member}/role", role="readonly")
    for act in ("deactivate", "deactivate", "reactivate", "reactivate"):
        await owner.submit(f"{TEAM}/members/{member}/{act}")

    rows = await hub.rows("SELECT action, member_id, session_id FROM audit_entry WHERE session_id IS NOT NULL ORDER BY at, id")
    by_owner = (hub.owner.member_id, await owner.session_id())
    by_nora = (ids.read("mem", await member_of(hub, NEW["email"])), await nora.session_id())
    assert [row["action"] for row in rows if (row["member_id"], row["session_id"]) == by_nora] == ["invitation.accepted"]
    assert sorted(row["action"] for row in rows if (row["member_id"], row["session_id"]) == by_owner) == sorted(
        [
            "invitation.made",
            "invitation.renewed",
            "invitation.made",
            "invitation.withdrawn",
            "member.role_changed",
            "member.deactivated",
            "member.reactivated",
        ]
    )
    assert len(rows) == 8


async def test_audit_log_cannot_be_rewritten(hub: HubUnderTest) -> None:
    """R-047: no role of the application changes or deletes an entry."""
    import asyncpg

    await invite(await signed_in(hub))
    for statement in ("UPDATE audit_entry SET action = 'x'", "DELETE FROM audit_entry"):
        with pytest.raises(asyncpg.PostgresError):
            async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
                await unit.sql.execute(statement)
    assert await hub.value("SELECT count(*) FROM audit_entry WHERE action = 'invitation.made'") == 1


async def test_an_invitation_goes_out_by_mail_where_there_is_a_server(hub: HubUnderTest, smtp: MailServer) -> None:
    """The link still stands on the page: a mail may be lost."""
    mail = {"smtp_url": smtp.settings().smtp_url, "mail_from": "hub@radwerk.example"}
    hub.app.web.state.runtime = dataclasses.replace(hub.runtime, settings=hub.runtime.settings.model_copy(update=mail))
    owner = await signed_in(hub)
    answer = await owner.submit(TEAM, NEW)
    [sent] = smtp.inbox.mails
    assert sent["to"] == NEW["email"]
    assert link_in(answer.text) in sent.get_content()
    assert "gesendet" in answer.text

    elsewhere = await owner.submit(TEAM, NEW, email="nora@elsewhere.example", standing="released")
    assert elsewhere.status_code == 200
    assert "/join/" in link_in(elsewhere.text) and "nicht angenommen" in elsewhere.text


async def test_who_became_a_member_by_other_means_is_told(hub: HubUnderTest) -> None:
    link = await invite(await signed_in(hub))
    await service.add_member(
        hub.runtime, hub.organisation_id, email=NEW["email"], name=NEW["name"], role="readonly", password=PASSWORD
    )
    _, answer = await join(hub, link)
    assert answer.status_code == 409
    assert await hub.value("SELECT role FROM member WHERE role = 'readonly'") == "readonly"


async def test_a_foreign_domain_needs_an_owners_answer(hub: HubUnderTest) -> None:
    """R-046: the owner must confirm "own personnel or released", and the answer is kept; nobody else can give it."""
    admin = await signed_in(hub, await hire(hub, "admin"))
    refused = await admin.submit(TEAM, NEW, email="nora@agentur.example", standing="released")
    assert refused.status_code == 409 and "agentur.example ist keine Domain Ihrer Organisation" in refused.text
    owner = await signed_in(hub)
    asked = await owner.submit(TEAM, NEW, email="nora@agentur.example")
    assert asked.status_code == 409 and 'name="standing" value="own_personnel"' in asked.text
    assert await hub.value("SELECT count(*) FROM invitation") == 0
    await invite(owner, email="nora@agentur.example", standing="released")
    assert "Schriftlich freigegeben" in await owner.page(TEAM)
    kept = await hub.rows("SELECT member_id, detail FROM audit_entry WHERE action = 'invitation.made'")
    assert [(row["member_id"], row["detail"]["standing"]) for row in kept] == [(hub.owner.member_id, "released")]


async def test_owners_say_which_domains_are_their_own(hub: HubUnderTest) -> None:
    """R-046: the one that the organisation was founded from is; who is no owner cannot change the list."""
    owner, path = await signed_in(hub), f"{TEAM}/domains"
    assert (await (await signed_in(hub, await hire(hub, "admin"))).submit(path, domain="agentur.example")).status_code == 403
    assert "wie example.org" in (await owner.submit(path, domain="nora@")).text
    assert (await owner.submit(path, domain="@Agentur.example")).status_code == 303
    await invite(owner, email="nora@agentur.example")
    assert (await owner.submit(path, domain="radwerk.example", act="remove")).status_code == 303
    assert [row["domain"] for row in await hub.rows("SELECT domain FROM mail_domain")] == ["agentur.example"]
