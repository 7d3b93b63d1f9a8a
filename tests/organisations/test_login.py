"""Log in and out, sessions and their end, and what a form from somewhere else achieves: nothing."""

import asyncio

import pytest
from arq.connections import ArqRedis

from hub.core import ids
from hub.core.clock import FakeClock
from hub.core.errors import Conflict
from hub.core.queue import Queue
from hub.core.settings import Settings
from hub.organisations import passwords, service, sessions
from hub.organisations.limits import (
    ALONE_PAUSE,
    ALONE_TRIES_PER_EMAIL,
    TRIES_PER_ADDRESS,
    TRIES_PER_EMAIL,
    LoginLimits,
    login_limits,
)
from hub.organisations.passwords import WeakPassword
from tests.organisations.support import DATA, ELSEWHERE, browse, hire, signed_in
from tests.support import PASSWORD, HubUnderTest

OWNER = "owner@radwerk.example"
WRONG = "ein falsches Passwort 17"


@pytest.fixture(autouse=True)
def _quick_hashes() -> None:
    """None: here passwords cost what they cost in earnest."""


async def test_right_password_signs_in(hub: HubUnderTest) -> None:
    """R-033: the session's token is new, stands in a cookie that scripts cannot read, and only its hash is kept."""
    browser = browse(hub)
    response = await browser.log_in(f"  {OWNER.upper()} ")
    assert (response.status_code, response.headers["location"]) == (303, "/")
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie and "path=/" in cookie and "max-age" not in cookie
    async with hub.runtime.database.system() as unit:
        kept = await unit.sql.fetch("SELECT token_hash FROM login_session")
    assert sessions.digest(browser.token) in [row["token_hash"] for row in kept]
    assert (await browser.open("/")).headers["location"] == "/o/radwerk"


async def test_password_is_kept_as_argon2id(hub: HubUnderTest) -> None:
    """R-033: what is stored is an argon2id hash, and no two are alike."""
    await hire(hub, "agent")
    async with hub.runtime.database.system() as unit:
        stored = [row["password_hash"] for row in await unit.sql.fetch("SELECT password_hash FROM person")]
    assert all(one.startswith("$argon2id$v=19$m=65536,t=3,p=4$") for one in stored)
    assert len(set(stored)) == len(stored) == 2


async def test_wrong_password_and_unknown_email_are_told_alike(hub: HubUnderTest) -> None:
    """R-033: 401, the field is named, the e-mail stays, the password does not, and nobody learns which e-mails exist."""
    known, unknown = await browse(hub).log_in(OWNER, WRONG), await browse(hub).log_in("nobody@radwerk.example", WRONG)
    assert known.status_code == unknown.status_code == 401
    assert known.text.replace(OWNER, "X") == unknown.text.replace("nobody@radwerk.example", "X")
    assert 'aria-invalid="true"' in known.text and "Noch 4 Versuche bis zur Pause." in known.text
    assert f'value="{OWNER}"' in known.text and WRONG not in known.text
    assert "set-cookie" not in known.headers


async def test_fifth_wrong_password_begins_a_pause_that_grows(hub: HubUnderTest, clock: FakeClock) -> None:
    """R-033: after five wrong tries even the right password waits a minute, after the next wrong one two."""
    browser = browse(hub)
    told = [(await browser.log_in(OWNER, WRONG)).text for _ in range(TRIES_PER_EMAIL)]
    assert "Noch 1 Versuch bis zur Pause." in told[3]
    assert "Der nächste Versuch ist in 1 Minute möglich." in told[4]

    clock.advance(seconds=59)
    refused = await browser.log_in(OWNER)
    assert refused.status_code == 429
    assert "Das waren zu viele falsche Versuche. Der nächste Versuch ist in 1 Minute möglich." in refused.text
    assert not browser.token

    clock.advance(seconds=1)
    assert "in 2 Minuten möglich" in (await browser.log_in(OWNER, WRONG)).text
    clock.advance(minutes=2)
    assert (await browser.log_in(OWNER)).status_code == 303
    assert "Noch 4 Versuche" in (await browse(hub).log_in(OWNER, WRONG)).text, "a right password ends the count"


async def test_pause_of_one_email_is_nobody_elses(hub: HubUnderTest) -> None:
    """R-033: wrong tries for one e-mail keep no colleague out."""
    agent = await hire(hub, "agent")
    for _ in range(TRIES_PER_EMAIL):
        await browse(hub).log_in(OWNER, WRONG)
    assert (await browse(hub).log_in(agent)).status_code == 303


async def test_tries_at_the_same_time_all_count(hub: HubUnderTest) -> None:
    """R-033: a burst gets no more tries than a row."""
    answers = await asyncio.gather(*(browse(hub).log_in(OWNER, WRONG) for _ in range(TRIES_PER_EMAIL + 4)))
    assert sorted(one.status_code for one in answers) == [401] * TRIES_PER_EMAIL + [429] * 4


async def test_one_address_may_not_try_many_emails(hub: HubUnderTest) -> None:
    """R-033: tries of one address over many e-mails are limited too; another address goes on."""
    limits = login_limits(hub.runtime.queue)
    tries = [await limits.take(f"p{number}@radwerk.example", "203.0.113.7") for number in range(TRIES_PER_ADDRESS + 1)]
    assert [one.allowed for one in tries] == [True] * TRIES_PER_ADDRESS + [False]
    assert (await limits.take(OWNER, "203.0.113.8")).allowed


async def test_limits_hold_without_valkey(clock: FakeClock) -> None:
    """R-033: while Valkey is away the process counts by itself, more strictly, and log-in goes on working."""
    nowhere = ArqRedis(host="127.0.0.1", port=1)
    limits = LoginLimits(Queue(nowhere))
    tries = [await limits.take(OWNER, "203.0.113.7") for _ in range(ALONE_TRIES_PER_EMAIL + 1)]
    assert [one.allowed for one in tries] == [True] * ALONE_TRIES_PER_EMAIL + [False]
    clock.advance(seconds=ALONE_PAUSE.total_seconds())
    assert (await limits.take(OWNER, "203.0.113.7")).allowed
    await limits.was_right(OWNER, "203.0.113.7")
    assert (await limits.take(OWNER, "203.0.113.7")).left == ALONE_TRIES_PER_EMAIL - 1
    await nowhere.aclose()


@pytest.mark.parametrize(
    ("wanted", "goes_to"),
    [
        ("/o/radwerk/inbox/mine", "/o/radwerk/inbox/mine"),
        ("/o/radwerk/team?changed=role", "/o/radwerk/team?changed=role"),
        ("", "/"),
        ("o/radwerk", "/"),
        ("//evil.example", "/"),
        ("///evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("https://evil.example/o/radwerk", "/"),
        ("https:evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
        ("/\n/evil.example", "/"),
        (" //evil.example", "/"),
        ("/o/radwerk\r\nset-cookie: a=b", "/"),
    ],
)
async def test_log_in_goes_to_local_paths_only(hub: HubUnderTest, wanted: str, goes_to: str) -> None:
    """R-263: `next` sends nobody to another site."""
    response = await browse(hub).log_in(OWNER, next=wanted)
    assert (response.status_code, response.headers["location"]) == (303, goes_to)
    assert "a=b" not in response.headers["set-cookie"]


async def test_opening_a_page_without_a_session_leads_there_after_log_in(hub: HubUnderTest) -> None:
    browser = browse(hub)
    led = (await browser.open("/o/radwerk/team?changed=role")).headers["location"]
    assert led == "/login?next=/o/radwerk/team%3Fchanged%3Drole"
    assert 'name="next" value="/o/radwerk/team?changed=role"' in await browser.page(led)
    assert 'name="next" value="/"' in await browser.page("/login?next=//evil.example")


@pytest.mark.parametrize(("stay", "hours"), [("", 12), ("true", 30 * 24)])
async def test_session_ends_by_itself(hub: HubUnderTest, clock: FakeClock, stay: str, hours: int) -> None:
    """R-263: a session lives for a working day, or for thirty days if the person asked for it."""
    browser = browse(hub)
    response = await browser.log_in(OWNER, **({"stay": stay} if stay else {}))
    assert ("max-age=2592000" in response.headers["set-cookie"].lower()) is bool(stay)
    clock.advance(hours=hours, seconds=-1)
    assert (await browser.open("/account")).status_code == 200
    clock.advance(seconds=1)
    assert (await browser.open("/account")).headers["location"] == "/login?next=/account"
    assert (await browser.open("/account", headers=DATA)).status_code == 401
    assert (await browser.submit("/account", name="Olga", locale="de")).status_code == 401


async def test_log_out_ends_the_session_and_not_only_the_cookie(hub: HubUnderTest) -> None:
    browser, thief = await signed_in(hub), browse(hub)
    thief.put_cookie(browser.token)
    response = await browser.submit("/logout")
    assert (response.status_code, response.headers["location"]) == (303, "/login?left=out")
    assert "Sie haben sich abgemeldet." in await browser.page("/login?left=out")
    assert (await thief.open("/account")).status_code == 401
    assert (await thief.open("/o/radwerk/inbox/mine")).status_code == 401


async def test_log_out_everywhere(hub: HubUnderTest) -> None:
    """R-033, R-048: one act ends all sessions of the person at once, and nobody else's."""
    agent = await signed_in(hub, await hire(hub, "agent"))
    here, there = await signed_in(hub), await signed_in(hub)
    assert (await here.submit("/account/sessions/end")).headers["location"] == "/login?left=everywhere"
    for browser in (here, there):
        assert (await browser.open("/o/radwerk/inbox/mine", headers=DATA)).status_code == 401
    assert (await there.open("/account")).status_code == 401
    await agent.page("/account")


async def test_one_browser_is_signed_out_from_another(hub: HubUnderTest) -> None:
    here, there = await signed_in(hub), await signed_in(hub)
    other = ids.show("ses", await there.session_id())
    html = await here.page("/account")
    assert "Firefox auf Linux" in html and f"/account/sessions/{other}/end" in html
    assert f"/account/sessions/{ids.show('ses', await here.session_id())}/end" not in html
    assert (await here.submit(f"/account/sessions/{other}/end")).status_code == 303
    assert (await there.open("/account")).status_code == 401
    await here.page("/account")
    assert (await here.submit(f"/account/sessions/{other}/end")).status_code == 404, "it is over"

    own = ids.show("ses", await here.session_id())
    assert (await here.submit(f"/account/sessions/{own}/end")).headers["location"] == "/login?left=out"


async def test_log_in_again_ends_the_session_that_the_browser_held(hub: HubUnderTest) -> None:
    """R-263: a token known from before a log-in is worth nothing after it."""
    browser, thief = await signed_in(hub), browse(hub)
    thief.put_cookie(browser.token)
    await browser.log_in(OWNER)
    assert browser.token != thief.token
    assert (await thief.open("/account")).status_code == 401


async def test_new_password(hub: HubUnderTest) -> None:
    """R-033: the present password is asked for, the new one must be good and typed twice, other browsers are signed out."""
    here, there = await signed_in(hub), await signed_in(hub)
    new = "vier ruhige Möwen am See"
    wrong = await here.submit("/account/password", old=WRONG, new=new, again=new)
    assert (wrong.status_code, "Das Passwort stimmt nicht. Noch 4 Versuche" in wrong.text) == (401, True)
    differs = await here.submit("/account/password", old=PASSWORD, new=new, again=new + "s")
    assert (differs.status_code, "Die beiden Eingaben sind verschieden." in differs.text) == (422, True)
    weak = await here.submit("/account/password", old=PASSWORD, new="kurz", again="kurz")
    assert (weak.status_code, "Es braucht mindestens 12 Zeichen." in weak.text) == (422, True)
    for response in (wrong, differs, weak):
        assert PASSWORD not in response.text and new not in response.text
    await there.page("/account")

    assert (await here.submit("/account/password", old=PASSWORD, new=new, again=new)).status_code == 303
    await here.page("/account?changed=password")
    assert (await there.open("/account")).status_code == 401
    assert (await browse(hub).log_in(OWNER)).status_code == 401
    assert (await browse(hub).log_in(OWNER, new)).status_code == 303


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("elf Zeichen", "too_short"),
        ("x" * 1001, "too_long"),
        ("olga.inhaber", "personal"),
        ("Olga Inhaber Olga", "personal"),
        ("passwort123456", "common"),
        ("aaaaaaaaaaaaaa", "common"),
        ("Sommer 2026 2026", "common"),
    ],
)
def test_weak_passwords_are_refused(password: str, reason: str) -> None:
    """R-033: strong password policy."""
    with pytest.raises(WeakPassword) as refused:
        passwords.check_new(password, email="olga@radwerk.example", name="Olga Inhaber")
    assert refused.value.values["reason"] == reason


async def test_same_letters_are_the_same_password() -> None:
    """Two systems may send `ö` as one or two characters."""
    composed, decomposed = "Möwen am See 42", "Mo\u0308wen am See 42"
    assert composed != decomposed
    assert await passwords.verify(await passwords.hash_password(composed), decomposed)
    assert not await passwords.verify(None, composed)


async def test_forms_from_another_site_change_nothing(hub: HubUnderTest) -> None:
    """R-263: without, with a wrong, or with another session's CSRF token, and from a foreign origin, the answer is 403."""
    browser, other = await signed_in(hub), await signed_in(hub)
    good = sessions.csrf_token(browser.token)
    form = {"name": "Fremd", "locale": "de"}
    for csrf in ("", "x", sessions.csrf_token(other.token), good[:-1]):
        assert (await browser.submit("/account", form, csrf=csrf)).status_code == 403, csrf
    assert (await browser.client.post("/account", data=form)).status_code == 403
    for origin in (ELSEWHERE, "null", "http://hub.test.evil.example", "http://evil.example/http://hub.test"):
        response = await browser.submit_from({"origin": origin}, "/account", form)
        assert response.status_code == 403, origin
        assert "nicht von seiner eigenen, aktuellen Seite" in response.text
    assert (await browser.submit("/logout", csrf="")).status_code == 403
    assert "Fremd" not in await browser.page("/account")
    sent = {"x-csrf-token": good, **DATA}
    assert (await browser.client.post("/account", data=form, headers=sent)).status_code == 303, "scripts send it in a header"


async def test_log_in_from_another_site_is_refused(hub: HubUnderTest) -> None:
    """R-263: no other site signs a browser in, e.g. into an account of its own."""
    browser = browse(hub)
    for origin in (ELSEWHERE, "null"):
        response = await browser.submit_from({"origin": origin}, "/login", email=OWNER, password=PASSWORD)
        assert response.status_code == 403
        assert "set-cookie" not in response.headers


@pytest.mark.parametrize("field", ["email", "password"])
async def test_characters_that_no_store_takes_are_refused(hub: HubUnderTest, field: str) -> None:
    """R-303: a NUL is a malformed request, not a crash."""
    form = {"email": OWNER, "password": PASSWORD, field: "a\x00b"}
    assert (await browse(hub).submit("/login", form)).status_code == 422


async def test_person_without_an_active_membership_is_told_so(hub: HubUnderTest) -> None:
    """R-048: who was removed everywhere gets no session, and learns why only with the right password."""
    email = await hire(hub, "agent")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE member SET deactivated_at = $1 WHERE role = 'agent'", hub.clock())
    right, wrong = await browse(hub).log_in(email), await browse(hub).log_in(email, WRONG)
    assert (right.status_code, wrong.status_code) == (403, 401)
    assert "gehört zu keiner Organisation mehr" in right.text and "keiner Organisation" not in wrong.text
    assert "set-cookie" not in right.headers


async def test_name_and_language(hub: HubUnderTest) -> None:
    """Issue 2 C: each person sees the pages in their language; what was typed stays when it does not fit."""
    browser = await signed_in(hub)
    assert (await browser.submit("/account", name=" Olga  Brandt ", locale="en")).headers["location"] == "/account?changed=profile"
    html = await browser.page("/account?changed=profile")
    assert '<html lang="en">' in html and "<h1>Olga Brandt</h1>" in html and "Name and language are saved." in html

    for form, field in (({"name": " ", "locale": "en"}, "name"), ({"name": "O" * 121, "locale": "en"}, "name")):
        refused = await browser.submit("/account", form)
        assert refused.status_code == 422
        assert f'aria-describedby="h-{field}" aria-invalid="true"' in refused.text
        assert f'value="{form["name"]}"' in refused.text
    assert (await browser.submit("/account", name="Olga", locale="fr")).status_code == 422


@pytest.mark.parametrize(("header", "query", "language"), [("en-GB", "", "en"), ("fr", "", "de"), ("de", "&lang=en", "en")])
async def test_log_in_speaks_the_browsers_language_or_the_chosen_one(
    hub: HubUnderTest, header: str, query: str, language: str
) -> None:
    """Issue 2 C: also in front of the door, and a mistake is told in the same language."""
    headers = {"accept": "text/html", "accept-language": header}
    response = await browse(hub).open(f"/login?next=/account{query}", headers=headers)
    assert f'<html lang="{language}">' in response.text
    assert ("Stay signed in" in response.text) is (language == "en")
    form = {"email": OWNER, "password": WRONG, "lang": "en" if query else ""}
    assert f'<html lang="{language}">' in (await browse(hub).submit_from(headers, "/login", form)).text


async def test_cookie_is_bound_to_the_host_over_https() -> None:
    """R-263: behind https the cookie is sent there only."""
    settings = Settings(public_url="https://hub.radwerk.example")
    assert sessions.cookie_name(settings) == "__Host-hub_session"
    assert sessions.cookie_name(Settings()) == "hub_session"


async def test_old_hashes_are_renewed_at_log_in(hub: HubUnderTest) -> None:
    """R-033: a hash made with weaker parameters is replaced once the password is known."""
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    async with hub.runtime.database.system() as unit:
        await unit.sql.execute("UPDATE person SET password_hash = $1 WHERE email = $2", weak, OWNER)
    assert (await browse(hub).log_in(OWNER)).status_code == 303
    async with hub.runtime.database.system() as unit:
        stored = await unit.sql.fetchval("SELECT password_hash FROM person WHERE email = $1", OWNER)
    assert stored != weak and "m=65536" in stored
    assert (await browse(hub).log_in(OWNER)).status_code == 303


async def test_founding_refuses_what_is_taken(hub: HubUnderTest) -> None:
    """R-027: one person, one account, one e-mail."""
    with pytest.raises(Conflict):
        await hub.found("radwerk", "Anderes Radwerk")
    with pytest.raises(Conflict):
        await service.add_member(hub.runtime, hub.organisation_id, email=OWNER, name="Zweite Olga", role="agent", password=PASSWORD)
