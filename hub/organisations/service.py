"""Founding an organisation, signing in, and what a person does with their own account. `team.py` has members and invitations."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.core import clock
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, Forbidden, InvalidInput, NotFound, NotSignedIn, TooMany
from hub.core.feed import create_feed
from hub.core.i18n import LOCALES
from hub.core.ids import new_id, show
from hub.organisations import audit, domains, passwords, policy, sessions
from hub.organisations.actor import SignedIn
from hub.organisations.limits import login_limits
from hub.organisations.models import Member, Organisation, Person
from hub.organisations.people import clean_email, clean_name
from hub.organisations.rights import ROLE_RIGHTS
from hub.organisations.sessions import Origin
from hub.runtime import Runtime

_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?")


class WrongPassword(NotSignedIn):
    """E-mail or password is wrong; which one is not told. `left` in values: tries until the pause; `pause_until` when it is 0."""

    code = "wrong_password"


class LoginPaused(TooMany):
    """Too many wrong tries. `pause_until` in values is the instant from which the next one is looked at."""

    code = "login_paused"


class NoMembership(Forbidden):
    """The password is right, but the person is an active member of no organisation (any more)."""

    code = "no_membership"


@dataclass(frozen=True, slots=True)
class Founded:
    organisation_id: UUID
    member_id: UUID


@dataclass(frozen=True, slots=True)
class Login:
    """A person who has just signed in. `token` belongs into the cookie and nowhere else."""

    person_id: UUID
    session_id: UUID
    token: str


@dataclass(frozen=True, slots=True)
class Membership:
    """An organisation in which a person is active."""

    slug: str
    name: str
    role: str
    zone: str


async def found_organisation(
    runtime: Runtime,
    *,
    name: str,
    slug: str,
    owner_email: str,
    owner_name: str,
    owner_password: str,
    profile: str = policy.DEFAULT_PROFILE,
    zone: str = "Europe/Berlin",
    locale: str = "de",
) -> Founded:
    """Create an organisation with its owner, feed and ledger, under the newest version of its policy profile.

    Raises InvalidInput (names the field), WeakPassword, Conflict when slug or owner's e-mail is taken, LookupError for a profile
    that was never written down.
    """
    name, owner_name, owner_email = clean_name(name), clean_name(owner_name), clean_email(owner_email)
    if not _SLUG.fullmatch(slug):
        raise InvalidInput("1 to 48 lower-case letters, digits and hyphens", field="slug")
    _check_locale(locale)
    ZoneInfo(zone)
    passwords.check_new(owner_password, email=owner_email, name=owner_name)
    password_hash = await passwords.hash_password(owner_password)
    now = clock.now()
    async with runtime.database.system() as unit:
        if await unit.sql.fetchval("SELECT true FROM organisation WHERE slug = $1", slug):
            raise Conflict(f"an organisation is called {slug} already", field="slug")
        organisation = Organisation(
            slug=slug,
            name=name,
            zone=zone,
            locale=locale,
            policy_profile=profile,
            policy_version=await policy.newest_version(unit, profile),
            created_at=now,
        )
        unit.session.add(organisation)
        await unit.session.flush()
        unit.organisation_id = organisation.id  # from here on the unit works in the organisation it founds
        member_id = await _join(unit, owner_email, owner_name, password_hash, "owner", locale)
        await create_feed(unit)
        await domains.add_domain(unit, domains.domain_of(owner_email))
        await unit.sql.execute("INSERT INTO ledger_head (organisation_id, seq, hash) VALUES ($1, 0, $2)", unit.tenant, bytes(32))
        await audit.begin_audit(unit)
        await audit.record(unit, None, "organisation.founded", slug, {"profile": profile, "owner": show("mem", member_id)})
    return Founded(organisation.id, member_id)


async def add_member(
    runtime: Runtime, organisation_id: UUID, *, email: str, name: str, role: str, password: str, locale: str = "de"
) -> UUID:
    """Add a person with a password, without an invitation: for set-up from the command line; the member's id.

    Raises InvalidInput, WeakPassword, or Conflict when the e-mail is taken.
    """
    email, name = clean_email(email), clean_name(name)
    if role not in ROLE_RIGHTS:
        raise InvalidInput(f"no such role: {role}", field="role")
    _check_locale(locale)
    passwords.check_new(password, email=email, name=name)
    password_hash = await passwords.hash_password(password)
    async with runtime.database.system() as unit:
        unit.organisation_id = organisation_id
        member_id = await _join(unit, email, name, password_hash, role, locale)
        await audit.record(unit, None, "member.added", show("mem", member_id), {"role": role})
    return member_id


async def _join(unit: UnitOfWork, email: str, name: str, password_hash: str, role: str, locale: str) -> UUID:
    """A new person as a member of the unit's organisation."""
    if await unit.sql.fetchval("SELECT true FROM person WHERE email = $1", email):
        raise Conflict("this e-mail belongs to somebody already", field="email")
    now = clock.now()
    person = Person(email=email, name=name, locale=locale, password_hash=password_hash, created_at=now)
    unit.session.add(person)
    await unit.session.flush()
    return await add_membership(unit, person.id, role)


async def add_membership(unit: UnitOfWork, person_id: UUID, role: str) -> UUID:
    """Make a person a member of the unit's organisation; the member's id."""
    member = Member(organisation_id=unit.tenant, id=new_id(), person_id=person_id, role=role, created_at=clock.now())
    unit.session.add(member)
    await unit.session.flush()
    return member.id


async def check_password(runtime: Runtime, email: str, password: str, origin: Origin) -> UUID:
    """The person behind e-mail and password. Counts wrong tries; raises WrongPassword or LoginPaused."""
    email = email.strip().lower()
    limits = login_limits(runtime.queue)
    one_try = await limits.take(email, origin.address)
    if not one_try.allowed:
        raise LoginPaused(pause_until=one_try.pause_until)
    async with runtime.database.system() as unit:
        row = await unit.sql.fetchrow("SELECT id, password_hash FROM person WHERE email = $1", email)
    stored: str | None = row["password_hash"] if row else None
    if not await passwords.verify(stored, password) or row is None or stored is None:
        raise WrongPassword(left=one_try.left, pause_until=one_try.pause_until)
    await limits.was_right(email, origin.address)
    if passwords.outdated(stored):
        fresh = await passwords.hash_password(password)
        async with runtime.database.system() as unit:
            await unit.sql.execute(
                "UPDATE person SET password_hash = $2 WHERE id = $1 AND password_hash = $3", row["id"], fresh, stored
            )
    person_id: UUID = row["id"]
    return person_id


async def sign_in(runtime: Runtime, email: str, password: str, origin: Origin, *, stay: bool, replaces: str | None = None) -> Login:
    """Start a session for e-mail and password; `replaces` is the token the browser still held, whose session ends.

    Raises WrongPassword, LoginPaused, or NoMembership, which only who knows the password gets to see.
    """
    person_id = await check_password(runtime, email, password, origin)
    async with runtime.database.system() as unit:
        active = await unit.sql.fetchval(
            "SELECT true FROM member WHERE person_id = $1 AND deactivated_at IS NULL LIMIT 1", person_id
        )
        if not active:
            raise NoMembership
        if replaces is not None:
            await sessions.end_token(unit, replaces)
        session_id, token = await sessions.start(unit, runtime.settings, person_id, origin, stay=stay)
    return Login(person_id, session_id, token)


async def sign_out(runtime: Runtime, who: SignedIn) -> None:
    """End this session."""
    async with runtime.database.system() as unit:
        await sessions.end(unit, who.person_id, only=who.session_id)


async def sign_out_everywhere(runtime: Runtime, who: SignedIn) -> int:
    """End all sessions of the person, this one too; how many lived."""
    async with runtime.database.system() as unit:
        return await sessions.end(unit, who.person_id)


async def end_session(runtime: Runtime, who: SignedIn, session_id: UUID) -> None:
    """End one session of the person. NotFound when it is somebody else's or has ended."""
    async with runtime.database.system() as unit:
        if not await sessions.end(unit, who.person_id, only=session_id):
            raise NotFound("no such session")


async def change_profile(runtime: Runtime, who: SignedIn, *, name: str, locale: str) -> None:
    """Set the person's name and language. Raises InvalidInput, which names the field."""
    name = clean_name(name)
    _check_locale(locale)
    async with runtime.database.system() as unit:
        await unit.sql.execute("UPDATE person SET name = $2, locale = $3 WHERE id = $1", who.person_id, name, locale)


async def change_password(runtime: Runtime, who: SignedIn, *, old: str, new: str, origin: Origin) -> int:
    """Set a new password and end the person's other sessions; how many ended. Raises WrongPassword, LoginPaused, WeakPassword."""
    await check_password(runtime, who.email, old, origin)
    passwords.check_new(new, email=who.email, name=who.person_name)
    fresh = await passwords.hash_password(new)
    async with runtime.database.system() as unit:
        await unit.sql.execute("UPDATE person SET password_hash = $2 WHERE id = $1", who.person_id, fresh)
        return await sessions.end(unit, who.person_id, keep=who.session_id)


async def memberships(runtime: Runtime, person_id: UUID) -> list[Membership]:
    """The organisations in which a person is active, by name."""
    async with runtime.database.system() as unit:
        rows = await unit.sql.fetch(
            """
            SELECT o.slug, o.name, m.role, o.zone FROM member m JOIN organisation o ON o.id = m.organisation_id
            WHERE m.person_id = $1 AND m.deactivated_at IS NULL ORDER BY o.name, o.id
            """,
            person_id,
        )
    return [Membership(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Browser:
    """A living session as its owner sees it."""

    id: UUID
    origin: Origin
    created_at: datetime
    last_seen_at: datetime
    is_this: bool


async def browsers(runtime: Runtime, who: SignedIn) -> list[Browser]:
    """The person's living sessions, the last used first."""
    async with runtime.database.system() as unit:
        rows = await sessions.living(unit, who.person_id)
    return [
        Browser(
            row["id"],
            Origin(row["address"], row["user_agent"]),
            row["created_at"],
            row["last_seen_at"],
            row["id"] == who.session_id,
        )
        for row in rows
    ]


def _check_locale(locale: str) -> None:
    if locale not in LOCALES:
        raise InvalidInput(f"no such language: {locale}", field="locale")
