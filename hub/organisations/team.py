"""Members of an organisation: invite, change a role, deactivate and reactivate. Every change is in the audit log (R-047).

Nobody gives or takes a role with a right they do not hold (`rights.may_manage`), and an organisation always has an active owner.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.core import clock
from hub.core.calendar import after_hours
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, Forbidden, HubError, InvalidInput, NotFound
from hub.core.feed import note_change
from hub.core.ids import new_id, show
from hub.organisations import audit, domains, passwords, policy, sessions
from hub.organisations.actor import Access
from hub.organisations.models import Invitation, Person
from hub.organisations.people import clean_email, clean_name, is_generic_email
from hub.organisations.rights import ROLE_RIGHTS, may_manage
from hub.organisations.service import Login, add_membership, check_password
from hub.organisations.sessions import Origin
from hub.runtime import Runtime


class LastOwner(Conflict):
    """The only active owner cannot be deactivated or get another role: nobody could manage the organisation any more."""

    code = "last_owner"


class AlreadyMember(Conflict):
    """The e-mail belongs to a member, perhaps a deactivated one: reactivate instead of inviting (R-027)."""

    code = "already_member"


class AlreadyInvited(Conflict):
    """An invitation for this e-mail is open: make a new link for it instead."""

    code = "already_invited"


class InvitationGone(HubError):
    """The link was used, is older than its hours, was replaced or never existed: all look the same (R-025)."""

    code = "invitation_gone"
    http_status = 410


@dataclass(frozen=True, slots=True)
class MemberRow:
    id: UUID
    name: str
    email: str
    role: str
    created_at: datetime
    deactivated_at: datetime | None
    is_generic: bool


@dataclass(frozen=True, slots=True)
class InvitationRow:
    id: UUID
    name: str
    email: str
    role: str
    expires_at: datetime
    standing: str
    is_expired: bool
    is_generic: bool


@dataclass(frozen=True, slots=True)
class Link:
    """An invitation that was just made. `token` is shown once and stored nowhere."""

    id: UUID
    token: str
    email: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class OpenInvitation:
    """What the holder of a link gets to see. `person_id` is set when the e-mail has an account already."""

    id: UUID
    organisation_id: UUID
    organisation_name: str
    slug: str
    name: str
    email: str
    role: str
    locale: str
    person_id: UUID | None


async def list_team(runtime: Runtime, access: Access) -> tuple[list[MemberRow], list[InvitationRow]]:
    """Members, the active ones first, and the invitations nobody has accepted."""
    now = clock.now()
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        members = await unit.sql.fetch(
            """
            SELECT m.id, p.name, p.email, m.role, m.created_at, m.deactivated_at
            FROM member m JOIN person p ON p.id = m.person_id
            WHERE m.organisation_id = $1 ORDER BY m.deactivated_at IS NOT NULL, p.name, m.id
            """,
            unit.tenant,
        )
        invitations = await unit.sql.fetch(
            """
            SELECT id, name, email, role, expires_at, standing, expires_at <= $2 AS is_expired FROM invitation
            WHERE organisation_id = $1 AND accepted_at IS NULL ORDER BY name, id
            """,
            unit.tenant,
            now,
        )
    return (
        [MemberRow(**row, is_generic=is_generic_email(row["email"])) for row in members],
        [InvitationRow(**row, is_generic=is_generic_email(row["email"])) for row in invitations],
    )


async def invite(runtime: Runtime, access: Access, *, name: str, email: str, role: str, standing: str = "") -> Link:
    """Make a single-use link by which a person joins with a role; valid `activation_link_hours` real hours (R-025, R-007).

    `standing`: an owner's answer about somebody whose mail has another domain than the organisation's people (R-046).
    Raises InvalidInput (names the field), Forbidden for a role above one's own, AlreadyMember, AlreadyInvited, ForeignDomain.
    """
    name, email = clean_name(name), clean_email(email)
    _check_role(access, role)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        if await unit.sql.fetchval(
            "SELECT true FROM member m JOIN person p ON p.id = m.person_id WHERE m.organisation_id = $1 AND p.email = $2",
            unit.tenant,
            email,
        ):
            raise AlreadyMember(email=email)
        if await unit.sql.fetchval(
            "SELECT true FROM invitation WHERE organisation_id = $1 AND email = $2 AND accepted_at IS NULL", unit.tenant, email
        ):
            raise AlreadyInvited(email=email)
        standing = await domains.standing_of(unit, access, email, standing)
        token, expires_at = sessions.new_token(), await _expiry(unit)
        invitation = Invitation(
            organisation_id=unit.tenant,
            id=new_id(),
            email=email,
            name=name,
            role=role,
            token_hash=sessions.digest(token),
            invited_by=access.member_id,
            created_at=clock.now(),
            expires_at=expires_at,
            standing=standing,
        )
        unit.session.add(invitation)
        flags = ["generic_email"] if is_generic_email(email) else []
        detail = {"email": email, "role": role, "flags": flags, "standing": standing}
        await audit.record(unit, access, "invitation.made", show("inv", invitation.id), detail)
    return Link(invitation.id, token, email, expires_at)


async def renew_invitation(runtime: Runtime, access: Access, invitation_id: UUID) -> Link:
    """A new link for an open invitation; the old one stops working. Raises NotFound, Forbidden."""
    token = sessions.new_token()
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        row = await _lock_invitation(unit, access, invitation_id)
        expires_at = await _expiry(unit)
        await unit.sql.execute(
            """
            UPDATE invitation SET token_hash = $3, created_at = $4, expires_at = $5, invited_by = $6
            WHERE organisation_id = $1 AND id = $2
            """,
            unit.tenant,
            invitation_id,
            sessions.digest(token),
            clock.now(),
            expires_at,
            access.member_id,
        )
        await audit.record(unit, access, "invitation.renewed", show("inv", invitation_id), {"email": row["email"]})
    return Link(invitation_id, token, row["email"], expires_at)


async def withdraw_invitation(runtime: Runtime, access: Access, invitation_id: UUID) -> None:
    """Take an open invitation back; its link stops working. Raises NotFound, Forbidden."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        row = await _lock_invitation(unit, access, invitation_id)
        await unit.sql.execute("DELETE FROM invitation WHERE organisation_id = $1 AND id = $2", unit.tenant, invitation_id)
        await audit.record(unit, access, "invitation.withdrawn", show("inv", invitation_id), {"email": row["email"]})


async def change_role(runtime: Runtime, access: Access, member_id: UUID, role: str) -> None:
    """Give a member another role. Raises InvalidInput, NotFound, Forbidden, LastOwner."""
    _check_role(access, role)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        row = await _lock_member(unit, access, member_id, loses_owner=role != "owner")
        if row["role"] == role:
            return
        await unit.sql.execute("UPDATE member SET role = $3 WHERE organisation_id = $1 AND id = $2", unit.tenant, member_id, role)
        await _note(unit, access, member_id, "member.role_changed", {"from": row["role"], "to": role})


async def deactivate(runtime: Runtime, access: Access, member_id: UUID) -> None:
    """Remove a leaver (R-048): from the commit on every request to this organisation answers 401. Sessions end at once when the
    person is active nowhere else. Safe to repeat. Raises NotFound, Forbidden, LastOwner.
    """
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        row = await _lock_member(unit, access, member_id, loses_owner=True)
        if row["deactivated_at"] is None:
            await unit.sql.execute(
                "UPDATE member SET deactivated_at = $3 WHERE organisation_id = $1 AND id = $2",
                unit.tenant,
                member_id,
                clock.now(),
            )
            await _note(unit, access, member_id, "member.deactivated", {"role": row["role"]})
    async with runtime.database.system() as unit:
        if not await unit.sql.fetchval(
            "SELECT true FROM member WHERE person_id = $1 AND deactivated_at IS NULL LIMIT 1", row["person_id"]
        ):
            await sessions.end(unit, row["person_id"])


async def reactivate(runtime: Runtime, access: Access, member_id: UUID) -> None:
    """Let a deactivated member in again, with the role they had. Safe to repeat. Raises NotFound, Forbidden."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        row = await _lock_member(unit, access, member_id, loses_owner=False)
        if row["deactivated_at"] is None:
            return
        await unit.sql.execute(
            "UPDATE member SET deactivated_at = NULL WHERE organisation_id = $1 AND id = $2", unit.tenant, member_id
        )
        await _note(unit, access, member_id, "member.reactivated", {"role": row["role"]})


async def open_invitation(runtime: Runtime, token: str) -> OpenInvitation:
    """The invitation behind a link. Raises InvitationGone."""
    async with runtime.database.system() as unit:
        return await _read_invitation(unit, token, lock=False)


async def accept(
    runtime: Runtime, token: str, password: str, origin: Origin, *, stay: bool, replaces: str | None = None
) -> tuple[OpenInvitation, Login]:
    """Join through a link and sign in: a new person chooses `password`, an existing one proves it. `replaces` is the token the
    browser still held, whose session ends.

    Works once: of two at the same time one gets InvitationGone. Raises also WeakPassword, WrongPassword, LoginPaused, and
    AlreadyMember for who was made a member by other means since.
    """
    invitation = await open_invitation(runtime, token)
    password_hash = None
    if invitation.person_id is not None:
        await check_password(runtime, invitation.email, password, origin)
    else:
        passwords.check_new(password, email=invitation.email, name=invitation.name)
        password_hash = await passwords.hash_password(password)
    async with runtime.database.system() as unit:
        invitation = await _read_invitation(unit, token, lock=True)
        unit.organisation_id = invitation.organisation_id
        person_id = invitation.person_id
        if person_id is None:
            person = Person(
                email=invitation.email,
                name=invitation.name,
                locale=invitation.locale,
                password_hash=password_hash,
                created_at=clock.now(),
            )
            unit.session.add(person)
            await unit.session.flush()
            person_id = person.id
        elif password_hash is not None:  # somebody joined with this e-mail meanwhile: the password was not checked
            raise Conflict("this e-mail has got an account meanwhile")
        if await unit.sql.fetchval(
            "SELECT true FROM member WHERE organisation_id = $1 AND person_id = $2", invitation.organisation_id, person_id
        ):
            raise AlreadyMember(email=invitation.email)
        if replaces is not None:
            await sessions.end_token(unit, replaces)
        member_id = await add_membership(unit, person_id, invitation.role)
        await unit.sql.execute("UPDATE invitation SET accepted_at = $2 WHERE token_hash = $1", sessions.digest(token), clock.now())
        session_id, session_token = await sessions.start(unit, runtime.settings, person_id, origin, stay=stay)
        detail = {"invitation": show("inv", invitation.id), "role": invitation.role}
        await audit.record_by(unit, member_id, session_id, "invitation.accepted", show("mem", member_id), detail)
    async with runtime.database.unit_of_work(invitation.organisation_id) as unit:
        note_change(unit, "member", {"member": show("mem", member_id)})
    return invitation, Login(person_id, session_id, session_token)


def _check_role(access: Access, role: str) -> None:
    if role not in ROLE_RIGHTS:
        raise InvalidInput(f"no such role: {role}", field="role")
    if not may_manage(access.role, role):
        raise Forbidden(f"{access.role} cannot give the role {role}")


async def _expiry(unit: UnitOfWork) -> datetime:
    return after_hours(clock.now(), (await policy.resolve(unit, "activation_link_hours")).value)


async def _lock_member(unit: UnitOfWork, access: Access, member_id: UUID, *, loses_owner: bool) -> Any:
    """The member's row, locked. The active owners are locked first, so that two owners cannot remove each other at once."""
    owners = await unit.sql.fetch(
        "SELECT id FROM member WHERE organisation_id = $1 AND role = 'owner' AND deactivated_at IS NULL ORDER BY id FOR UPDATE",
        unit.tenant,
    )
    row = await unit.sql.fetchrow(
        "SELECT person_id, role, deactivated_at FROM member WHERE organisation_id = $1 AND id = $2 FOR UPDATE",
        unit.tenant,
        member_id,
    )
    if row is None:
        raise NotFound("no such member")
    if not may_manage(access.role, row["role"]):
        raise Forbidden(f"{access.role} cannot manage a member with the role {row['role']}")
    if loses_owner and [owner["id"] for owner in owners] == [member_id]:
        raise LastOwner
    return row


async def _lock_invitation(unit: UnitOfWork, access: Access, invitation_id: UUID) -> Any:
    row = await unit.sql.fetchrow(
        "SELECT email, role FROM invitation WHERE organisation_id = $1 AND id = $2 AND accepted_at IS NULL FOR UPDATE",
        unit.tenant,
        invitation_id,
    )
    if row is None:
        raise NotFound("no such open invitation")
    if not may_manage(access.role, row["role"]):
        raise Forbidden(f"{access.role} cannot give the role {row['role']}")
    return row


async def _read_invitation(unit: UnitOfWork, token: str, *, lock: bool) -> OpenInvitation:
    row = await unit.sql.fetchrow(
        f"""
        SELECT i.id, i.organisation_id, o.name AS organisation_name, o.slug, i.name, i.email, i.role, o.locale, p.id AS person_id
        FROM invitation i
        JOIN organisation o ON o.id = i.organisation_id
        LEFT JOIN person p ON p.email = i.email
        WHERE i.token_hash = $1 AND i.accepted_at IS NULL AND i.expires_at > $2
        {"FOR UPDATE OF i" if lock else ""}
        """,
        sessions.digest(token),
        clock.now(),
    )
    if row is None:
        raise InvitationGone
    return OpenInvitation(**row)


async def _note(unit: UnitOfWork, access: Access, member_id: UUID, action: str, detail: dict[str, Any]) -> None:
    await audit.record(unit, access, action, show("mem", member_id), detail)
    note_change(unit, "member", {"member": show("mem", member_id)})
