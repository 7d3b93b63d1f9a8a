"""All routes of the hub, and what each asks of its caller (R-040, R-048, R-263).

`ROUTES` is written by hand: a new route, or another rule on an old one, fails here until somebody has thought about it. Everything
else walks the application itself. Two doors are no FastAPI routes and stand apart: `/static/…`, which serves public files, and
`/hooks/…` (`hub/inbox/arriving/door.py`), which asks the provider's signature instead of a person.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from hub.app import Hub
from hub.channels import documents
from hub.connectors.events import Media
from hub.consent.abuse import cases, spam
from hub.core import clock, ids
from hub.core.settings import Settings
from hub.inbox.arriving import ingest
from hub.inbox.stored.attachments import Item, add_items
from hub.organisations import sessions, team, teams
from hub.organisations.access import Rule
from hub.organisations.rights import ROLE_RIGHTS, Right
from tests.files import paper
from tests.organisations.support import DATA, ELSEWHERE, HERE, PAGE, Browser, browse, hire, signed_in
from tests.support import HubUnderTest, telegram_text

ROUTES: Final = """
GET  /healthz                                              public
GET  /readyz                                               public
GET  /metrics                                              public
GET  /login                                                public
POST /login                                                public
GET  /join/{token}                                         public
POST /join/{token}                                         public

GET  /                                                     session
POST /logout                                               session
GET  /account                                              session
POST /account                                              session
POST /account/password                                     session
POST /account/sessions/end                                 session
POST /account/sessions/{session}/end                       session
GET  /o/{slug}                                             session

GET  /o/{slug}/team                                        read_members
POST /o/{slug}/team                                        manage_members
POST /o/{slug}/team/domains                                manage_organisation
POST /o/{slug}/team/invitations/{invitation}/renew         manage_members
POST /o/{slug}/team/invitations/{invitation}/withdraw      manage_members
POST /o/{slug}/team/members/{member}/role                  manage_members
POST /o/{slug}/team/members/{member}/deactivate            manage_members
POST /o/{slug}/team/members/{member}/reactivate            manage_members
POST /o/{slug}/team/teams                                  manage_members
POST /o/{slug}/team/teams/{team}/rename                    manage_members
POST /o/{slug}/team/teams/{team}/members                   manage_members
POST /o/{slug}/team/teams/{team}/remove                    manage_members

GET  /o/{slug}/consent/decisions                           read_consent
GET  /o/{slug}/consent/decisions/{decision}                read_consent
POST /o/{slug}/consent/decisions/{decision}/override       override_consent
GET  /o/{slug}/consent/overrides                           read_consent
GET  /o/{slug}/consent/reviews                             write_inbox
POST /o/{slug}/consent/reviews/{message}/release           write_inbox
POST /o/{slug}/consent/reviews/{message}/reject            write_inbox

GET  /o/{slug}/channels                                    read_channels
POST /o/{slug}/channels                                    manage_channels
GET  /o/{slug}/channels/red                                read_channels
POST /o/{slug}/channels/stop                               manage_channels
POST /o/{slug}/channels/go                                 manage_channels
GET  /o/{slug}/channels/{channel}                          read_channels
POST /o/{slug}/channels/documents/{connector}/{kind}       manage_channels
GET  /o/{slug}/channels/documents/{document}               manage_channels
GET  /o/{slug}/channels/{channel}/test                     manage_channels
POST /o/{slug}/channels/{channel}/test                     manage_channels
POST /o/{slug}/channels/{channel}/account                  manage_channels
POST /o/{slug}/channels/{channel}/declare                  manage_channels
POST /o/{slug}/channels/{channel}/welcome                  manage_channels
GET  /o/{slug}/channels/{channel}/templates                read_channels
POST /o/{slug}/channels/{channel}/templates                manage_channels
POST /o/{slug}/channels/{channel}/templates/{template}/delete manage_channels
POST /o/{slug}/channels/{channel}/reach                    manage_channels
POST /o/{slug}/channels/{channel}/on                       manage_channels
POST /o/{slug}/channels/{channel}/off                      manage_channels
POST /o/{slug}/channels/{channel}/block                    manage_channels
POST /o/{slug}/channels/{channel}/unblock                  manage_channels
POST /o/{slug}/channels/{channel}/settings                 manage_channels

GET  /o/{slug}/people/{contact}                            read_consent
POST /o/{slug}/people/{contact}/block                      manage_consent
POST /o/{slug}/people/{contact}/unblock                    manage_consent
POST /o/{slug}/people/{contact}/mute                       write_inbox
POST /o/{slug}/people/{contact}/unmute                     write_inbox
POST /o/{slug}/people/{contact}/stop                       write_inbox
POST /o/{slug}/people/{contact}/name                       write_inbox
POST /o/{slug}/people/{contact}/export                     manage_consent
POST /o/{slug}/people/{contact}/erase                      manage_consent
GET  /o/{slug}/consent/suppression                         manage_consent
POST /o/{slug}/consent/suppression                         manage_consent
GET  /o/{slug}/consent/cases                               read_consent
POST /o/{slug}/consent/cases                               write_inbox
GET  /o/{slug}/consent/cases/{case}                        read_consent
POST /o/{slug}/consent/cases/{case}/export                 manage_consent
POST /o/{slug}/consent/cases/{case}/disconnect             manage_consent
POST /o/{slug}/consent/cases/{case}/keep                   manage_consent
POST /o/{slug}/consent/cases/{case}/close                  manage_consent
POST /o/{slug}/consent/spam/{event}/answer                 manage_consent
POST /o/{slug}/consent/spam/{event}/file                   manage_consent
GET  /o/{slug}/consent/spam/{event}/file                   read_consent
GET  /o/{slug}/messages/{message}/report                   write_inbox
POST /o/{slug}/messages/{message}/report                   write_inbox
GET  /o/{slug}/consent                                     read_consent
GET  /o/{slug}/consent/person                              read_consent
POST /o/{slug}/consent/person/withdraw                     write_inbox
POST /o/{slug}/consent/person/proof                        read_consent
GET  /o/{slug}/consent/hand-out                            manage_consent
POST /o/{slug}/consent/hand-out                            manage_consent
GET  /o/{slug}/campaigns                                   read_campaigns
POST /o/{slug}/campaigns                                   write_campaigns
GET  /o/{slug}/campaigns/{campaign}                        read_campaigns
POST /o/{slug}/campaigns/{campaign}                        write_campaigns
POST /o/{slug}/campaigns/{campaign}/test                   write_campaigns
POST /o/{slug}/campaigns/{campaign}/start                  write_campaigns
POST /o/{slug}/campaigns/{campaign}/back                   write_campaigns
POST /o/{slug}/campaigns/{campaign}/pause                  write_campaigns
POST /o/{slug}/campaigns/{campaign}/resume                 write_campaigns
POST /o/{slug}/campaigns/{campaign}/stop                   write_campaigns
POST /o/{slug}/campaigns/{campaign}/copy                   write_campaigns
GET  /o/{slug}/campaigns/{campaign}/recipients             read_campaigns
GET  /o/{slug}/campaigns/{campaign}/export                 read_campaigns

GET  /o/{slug}/deliveries                                  read_operations
GET  /o/{slug}/deliveries/count                            read_operations
POST /o/{slug}/deliveries/replay                           read_operations
GET  /o/{slug}/deliveries/{delivery}                       read_operations
POST /o/{slug}/deliveries/{delivery}/replay                read_operations
POST /o/{slug}/deliveries/{delivery}/trust                 manage_channels

GET  /o/{slug}/stream                                      read_inbox
GET  /o/{slug}/changes                                     read_inbox
GET  /o/{slug}/updates                                     read_inbox
GET  /o/{slug}/inbox-rows/{view}                           read_inbox
GET  /o/{slug}/inbox                                       read_inbox
GET  /o/{slug}/inbox/{view}                                read_inbox
GET  /o/{slug}/inbox/{view}/{conversation}                 read_inbox
GET  /o/{slug}/inbox/{view}/{conversation}/contact         read_inbox
GET  /o/{slug}/conversations/new                           write_inbox
POST /o/{slug}/conversations                               write_inbox
GET  /o/{slug}/conversations/{conversation}/older          read_inbox
GET  /o/{slug}/conversations/{conversation}/protocol       read_inbox
POST /o/{slug}/conversations/{conversation}/messages       write_inbox
POST /o/{slug}/conversations/{conversation}/template       write_inbox
POST /o/{slug}/conversations/{conversation}/notes          write_inbox
POST /o/{slug}/conversations/{conversation}/draft          write_inbox
POST /o/{slug}/conversations/{conversation}/typing         write_inbox
POST /o/{slug}/conversations/{conversation}/pieces         write_inbox
POST /o/{slug}/conversations/{conversation}/assign         write_inbox
POST /o/{slug}/conversations/{conversation}/due            write_inbox
POST /o/{slug}/conversations/{conversation}/snooze         write_inbox
POST /o/{slug}/conversations/{conversation}/done           write_inbox
POST /o/{slug}/conversations/{conversation}/reopen         write_inbox
POST /o/{slug}/conversations/{conversation}/read           write_inbox
POST /o/{slug}/conversations/{conversation}/presence       read_inbox
POST /o/{slug}/messages/{message}/edit                     write_inbox
POST /o/{slug}/messages/{message}/delete                   write_inbox
POST /o/{slug}/messages/{message}/react                    write_inbox
POST /o/{slug}/messages/{message}/resend                   write_inbox
POST /o/{slug}/messages/{message}/settle                   write_inbox

GET  /o/{slug}/files/{attachment}                          read_inbox
HEAD /o/{slug}/files/{attachment}                          read_inbox
GET  /o/{slug}/files/{attachment}/thumb                    read_inbox
HEAD /o/{slug}/files/{attachment}/thumb                    read_inbox
POST /o/{slug}/files/{attachment}/fetch                    write_inbox
POST /o/{slug}/files/{attachment}/remove                   write_inbox
POST /o/{slug}/conversations/{conversation}/files          write_inbox
GET  /files/{token}                                        public
HEAD /files/{token}                                        public

GET  /o/{slug}/consent/purposes                            manage_consent
POST /o/{slug}/consent/purposes                            manage_consent
GET  /o/{slug}/consent/purposes/{purpose}                  manage_consent
POST /o/{slug}/consent/purposes/{purpose}/words            manage_consent
POST /o/{slug}/consent/purposes/{purpose}/archive          manage_consent
GET  /o/{slug}/consent/texts                               manage_consent
POST /o/{slug}/consent/texts                               manage_consent
GET  /o/{slug}/consent/flows                               manage_consent
POST /o/{slug}/consent/flows                               manage_consent
POST /o/{slug}/consent/flows/{flow}/archive                manage_consent
GET  /o/{slug}/consent/record                              write_inbox
POST /o/{slug}/consent/record                              write_inbox
POST /o/{slug}/consent/record/file                         write_inbox
GET  /o/{slug}/consent/import                              manage_consent
POST /o/{slug}/consent/import                              manage_consent
GET  /o/{slug}/consent/import/{imported}                   manage_consent
POST /o/{slug}/consent/import/{imported}/start             manage_consent
GET  /w/{flow}                                             public
POST /w/{flow}                                             public
GET  /c/{token}                                            public
POST /c/{token}/grant                                      public
POST /c/{token}/withdraw                                   public
POST /c/{token}/stop                                       public

GET  /o/{slug}/webchat/{channel}                           read_channels
GET  /webchat/{key}                                        public
GET  /webchat/{key}.js                                     embedded
OPTIONS /webchat/{key}/{act}                               embedded
POST /webchat/{key}/start                                  embedded
POST /webchat/{key}/messages                               embedded
POST /webchat/{key}/presses                                embedded
POST /webchat/{key}/files                                  embedded
POST /webchat/{key}/marks                                  embedded
POST /webchat/{key}/typing                                 embedded
POST /webchat/{key}/end                                    embedded
GET  /webchat/{key}/box                                    embedded
GET  /webchat/{key}/stream                                 embedded
GET  /webchat/{key}/files/{token}                          embedded
HEAD /webchat/{key}/files/{token}                          embedded
"""
EVERYBODY: Final = ("public", "embedded")
"""Rules that ask for no session. `embedded`: pages of other websites may ask, those that the chat in the address names; there is no
cookie and no session that could be abused, and `tests/webchat/test_embedding.py` tries them from elsewhere."""
OUTSIDE: Final = {"/static"}
"""Mounts. The door for providers is not even that: `hub.app.Hub` hands `/hooks/…` to it before FastAPI."""

IDS: Final = {
    "decision": "dec",
    "session": "ses",
    "invitation": "inv",
    "member": "mem",
    "team": "team",
    "channel": "chn",
    "conversation": "conv",
    "message": "msg",
    "attachment": "file",
    "delivery": "dlv",
    "contact": "con",
    "case": "case",
    "event": "spam",
    "purpose": "pur",
    "flow": "flow",
    "imported": "imp",
    "campaign": "cmp",
    "template": "tpl",
    "document": "doc",
}
"""Path parameters that name a thing of somebody, with the prefix of its shown id."""
NO_IDS: Final = {"slug", "view", "token", "key", "act", "connector", "kind"}
"""The others: the organisation itself, words, a secret that is its own proof, and the public name of a website chat."""
FORM: Final = {
    "text": "x",
    "client_key": "k",
    "to": "",
    "when": "tomorrow",
    "role": "agent",
    "reason": "x",
    "answer": "x",
    "source": f"con_{'0' * 26}",
    "name": "x",
    "before": "1.0.0",
    "kind": "note",
    "version": "0",
    "state": "looks",
    "tab": "0123456789abcdef",
    "template": f"tpl_{'0' * 26}",
}
"""Fields that make any form or query well-formed, so that nothing but the id decides."""
ENDLESS: Final = "/o/{slug}/stream"
"""Answers for ever once it is allowed; it is asked without its number, which is malformed."""


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    rule: str

    @property
    def parameters(self) -> set[str]:
        return set(re.findall(r"{(\w+)}", self.path))

    @property
    def right(self) -> Right | None:
        return Right(self.rule) if self.rule in set(Right) else None

    def at(self, slug: str, named: dict[str, str]) -> str:
        """The address in an organisation, with these ids, else with well-formed ones that nobody has."""
        values = {name: named.get(name, ids.show(prefix, ids.new_id())) for name, prefix in IDS.items()}
        words = {"view": "open", "token": "no-such-token", "key": "no-such-chat", "act": "box"}
        return self.path.format(slug=slug, connector="telegram", kind="consent", **words, **values)


def written() -> list[Route]:
    return [Route(*line.split()) for line in ROUTES.splitlines() if line]


def _rules(dependant: Dependant) -> Iterator[Rule]:
    if isinstance(dependant.call, Rule):
        yield dependant.call
    for one in dependant.dependencies:
        yield from _rules(one)


def _name(rule: Rule) -> str:
    if rule.from_elsewhere:
        return "embedded"
    return "public" if rule.why else rule.right.value if rule.right else "session"


def real() -> list[tuple[str, str, list[str]]]:
    """Every route of the application with the rules it carries, included routers at any depth."""
    found = []
    for route in iter_route_contexts(Hub(Settings()).web.routes):
        if route.path in OUTSIDE and route.methods is None:
            continue
        assert route.path and route.methods, f"a kind of route that this test does not know: {route}"
        rules = [_name(rule) for rule in _rules(route.dependant)]
        found += [(method, route.path, rules) for method in sorted(route.methods)]
    return found


async def ask(browser: Browser, route: Route, path: str, *, headers: dict[str, str] = PAGE) -> Any:
    """The route as a browser that is signed in asks for it, with a well-formed form."""
    if route.method in ("HEAD", "OPTIONS"):
        return await browser.client.request(route.method, path, headers=headers)
    if route.method == "GET":
        query = {} if route.path == ENDLESS else FORM
        return await browser.client.get(path, params=query, headers=headers)
    return await browser.submit_from({"origin": HERE, **headers}, path, FORM)


def test_every_route_carries_exactly_one_rule() -> None:
    """R-040: no route is open by forgetting."""
    assert [(method, path) for method, path, rules in real() if len(rules) != 1] == []


def test_the_table_is_the_truth() -> None:
    """R-040: what is written above is what the application does, no more and no less."""
    assert sorted((one.method, one.path, one.rule) for one in written()) == sorted(
        (method, path, *rules) for method, path, rules in real()
    )


def test_every_path_parameter_is_known() -> None:
    """R-263: a new kind of id must be named above, so that the tests below try it across organisations."""
    assert set().union(*(route.parameters for route in written())) == set(IDS) | NO_IDS


def test_each_organisations_route_asks_for_a_right_in_it() -> None:
    """R-263: an address with an organisation in it is never public, and only its front page asks for no single right."""
    assert {route.path for route in written() if "slug" in route.parameters and route.right is None} == {"/o/{slug}"}


async def test_without_a_session(hub: HubUnderTest) -> None:
    """R-040: pages lead to the log-in, everything else is answered 401, and public routes ask for nobody."""
    for route in written():
        path = route.at(hub.slug, {})
        page, data = await ask(browse(hub), route, path, headers=PAGE), await ask(browse(hub), route, path, headers=DATA)
        if route.rule in EVERYBODY:
            assert 401 not in (page.status_code, data.status_code) or route.path == "/login", route
        else:
            assert data.status_code == 401, route
            assert page.status_code == (303 if route.method == "GET" else 401), route
            assert route.method != "GET" or page.headers["location"].startswith("/login?next="), route


async def test_after_the_session_was_ended(hub: HubUnderTest) -> None:
    """R-048: the next request is answered 401, whatever it is."""
    browser = await signed_in(hub)
    async with hub.runtime.database.system() as unit:
        await sessions.end_token(unit, browser.token)
    for route in written():
        if route.rule not in EVERYBODY:
            assert (await ask(browser, route, route.at(hub.slug, {}))).status_code == 401, route


@pytest.mark.parametrize("role", sorted(ROLE_RIGHTS))
async def test_each_role_may_do_exactly_what_its_rights_say(hub: HubUnderTest, role: str) -> None:
    """R-040: with the right the rule lets a member through (to a thing that nobody has, so nothing happens), without it 403."""
    email = await hire(hub, role, "Rita Rolle")
    for route in written():
        if route.right is None:
            continue
        response = await ask(await signed_in(hub, email), route, route.at(hub.slug, {}))
        if route.right in ROLE_RIGHTS[role]:
            assert response.status_code not in (401, 403, 500), route
            assert response.status_code == 404 or not route.parameters & set(IDS), route
        else:
            assert response.status_code == 403, route


async def test_member_of_another_organisation(hub: HubUnderTest) -> None:
    """R-263: given tenant A's session, every address of tenant B answers 404, for each role, and like one that does not exist."""
    other = await hub.found("velo", "Velo Bregenz")
    emails = [
        await hire(hub, role, "Rita Rolle", organisation_id=other.organisation_id, slug=f"{role}.velo") for role in ROLE_RIGHTS
    ]
    for email in emails:
        browser = await signed_in(hub, email)
        for route in written():
            if "slug" in route.parameters:
                assert (await ask(browser, route, route.at(hub.slug, {}))).status_code == 404, (email, route)
                assert (await ask(browser, route, route.at("nobody", {}))).status_code == 404, (email, route)


async def test_unsafe_requests_from_elsewhere(hub: HubUnderTest) -> None:
    """R-263: every form refuses a foreign origin; every one that needs a session refuses a missing or wrong token."""
    browser = await signed_in(hub)
    for route in written():
        if route.method != "POST":
            continue
        path = route.at(hub.slug, {})
        foreign = await browser.submit_from({"origin": ELSEWHERE}, path, FORM)
        assert foreign.status_code == (404 if route.rule == "embedded" else 403), route
        if route.rule not in EVERYBODY:
            for csrf in ("", "0" * 64):
                assert (await browser.submit(path, FORM, csrf=csrf)).status_code == 403, route
    assert (await browser.open("/account")).status_code == 200


async def things(hub: HubUnderTest) -> dict[str, str]:
    """One of each kind in the main organisation."""
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(1, "Hallo"))
    await hub.deliver(channel, b"broken")
    await ingest.drain(hub.runtime, hub.organisation_id, channel.id, hub.worker_id)
    link = await team.invite(hub.runtime, hub.owner, name="Nora Neu", email="nora@radwerk.example", role="agent")
    conversation = await hub.value("SELECT id FROM conversation")
    told = Media(kind="document", ref="x")
    message = await hub.value("SELECT id FROM message")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await add_items(unit, channel.id, [Item(message, conversation, 0, told, "x")])
        await spam.raise_candidates(unit, [spam.Suspect("telegram", channel.id, "complaint", "provider")])
        case_id, _ = await cases.open_case(unit, hub.runtime.vault, hub.owner, categories=["malware"], note="")
        await unit.sql.execute(
            """
            INSERT INTO template (organisation_id, id, channel_id, provider_id, name, language, category, status, components,
                                  reason, updated_at)
            VALUES ($1, $2, $3, '1', 'a', 'de', 'utility', 'approved', '[]', '', $4)
            """,
            unit.tenant,
            ids.new_id(),
            channel.id,
            clock.now(),
        )
    found = {
        "session": await (await signed_in(hub)).session_id(),
        "invitation": link.id,
        "member": hub.owner.member_id,
        "team": await teams.create_team(hub.runtime, hub.owner, "Werkstatt"),
        "channel": channel.id,
        "conversation": conversation,
        "message": await hub.reply(conversation, "Guten Tag"),
        "attachment": await hub.value("SELECT id FROM attachment"),
        "delivery": await hub.value("SELECT id FROM webhook_delivery WHERE state = 'dead'"),
        "contact": await hub.value("SELECT id FROM contact"),
        "case": case_id,
        "event": await hub.value("SELECT id FROM spam_event"),
        "template": await hub.value("SELECT id FROM template"),
        "document": await documents.add_document(hub.runtime, hub.owner, "telegram", "consent", name="Brief.pdf", pieces=paper()),
    }
    return {name: ids.show(IDS[name], value) for name, value in found.items()}


async def everything(hub: HubUnderTest) -> list[Any]:
    """What the main organisation has, to compare."""
    tables = (
        "member",
        "invitation",
        "team",
        "channel",
        "conversation",
        "message",
        "message_part",
        "attempt",
        "audit_entry",
        "contact",
    )
    return [[tuple(row) for row in await hub.rows(f"SELECT * FROM {table} ORDER BY id")] for table in (*tables, "attachment")]


async def test_every_id_of_one_organisation_is_unknown_in_another(hub: HubUnderTest) -> None:
    """R-263: each id of organisation A, tried by the owner of B in B's addresses, is answered 404 and changes nothing in A."""
    await hub.found("velo", "Velo Bregenz")
    theirs = await things(hub)
    before = await everything(hub)
    browser = await signed_in(hub, "owner@velo.example")
    tried = set()
    for route in written():
        named = route.parameters & set(IDS)
        if named:
            path = route.at("velo", theirs)
            for headers in (PAGE, DATA):
                assert (await ask(browser, route, path, headers=headers)).status_code == 404, route
            tried |= named
    assert tried == set(IDS)
    assert await everything(hub) == before
    async with hub.runtime.database.system() as unit:
        assert await unit.sql.fetchval("SELECT count(*) FROM login_session WHERE ended_at IS NOT NULL") == 0


async def test_static_files_and_the_door_know_no_person(hub: HubUnderTest) -> None:
    """The two doors beside the routes: public files, and the provider's door, which answers by signature alone."""
    owner, nobody = await signed_in(hub), browse(hub)
    channel = await hub.connect()
    for browser in (owner, nobody):
        assert (await browser.open("/static/x/base.css")).status_code == 200
        assert (await browser.open("/static/x/../../../pyproject.toml")).status_code == 404
        assert (await browser.client.post("/hooks/telegram/chn_x", content=b"{}")).status_code == 404
        assert (await browser.client.post(channel.path, content=b"{}")).status_code == 401
