"""The pages around a person and a team: log in and out, choose an organisation, one's own account, members and invitations.

    GET  POST  /login          POST /logout
    GET  /                     to the only organisation, or the choice between several
    GET  /o/{slug}             to the first place that the member's role may enter
    GET  POST  /account        POST /account/password, /account/sessions/{session}/end, /account/sessions/end
    GET  POST  /o/{slug}/team  POST /o/{slug}/team/invitations/{invitation}/…, /o/{slug}/team/members/{member}/…
                               POST /o/{slug}/team/teams, /o/{slug}/team/teams/{team}/…
    GET  POST  /join/{token}   accept an invitation

A form that worked is answered by sending the browser on; one that did not is drawn again with the field named, with what was typed
(never a password), and with the error's status. The one exception: the link of an invitation stands in the answer to the form that
made it, because it is kept nowhere and shown once.
"""

from collections.abc import Mapping
from enum import StrEnum
from math import ceil
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from hub.core import clock, ids
from hub.core.errors import HubError, InvalidInput, NotFound
from hub.core.i18n import LOCALES, Translator
from hub.core.mail import MailFailed, can_send, send_mail
from hub.core.pages import DEFAULT_ZONE, page_values, render
from hub.organisations import domains, service, sessions, team, teams
from hub.organisations.access import public, requires, signed_in
from hub.organisations.actor import Access, SignedIn
from hub.organisations.domains import ForeignDomain
from hub.organisations.passwords import MINIMUM_LENGTH, WeakPassword
from hub.organisations.rights import ROLE_RIGHTS, Right, may_manage
from hub.organisations.service import LoginPaused, NoMembership, WrongPassword
from hub.organisations.sessions import Origin
from hub.organisations.team import AlreadyInvited, AlreadyMember, LastOwner, Link
from hub.organisations.teams import TeamExists
from hub.runtime import Runtime

router = APIRouter()

Person = Annotated[SignedIn, signed_in()]
TeamReader = Annotated[Access, requires(Right.READ_MEMBERS)]
TeamManager = Annotated[Access, requires(Right.MANAGE_MEMBERS)]
OrganisationManager = Annotated[Access, requires(Right.MANAGE_ORGANISATION)]
LOGIN_IS_PUBLIC: Final = Depends(public("who logs in has no session yet"))
LINK_IS_PUBLIC: Final = Depends(public("the link itself is the proof that this person was invited"))

Typed = Annotated[str, Form(max_length=2000, pattern=r"^[^\x00]*$")]
Ticked = Annotated[bool, Form()]
Next = Annotated[str, Query(alias="next")]

PLACES: Final = ((Right.READ_INBOX, "inbox"), (Right.READ_CHANNELS, "channels"), (Right.READ_MEMBERS, "team"))
"""Where a member arrives: the first of these that the role may enter."""


class LeftBy(StrEnum):
    """How a person came back to the log-in."""

    OUT = "out"
    EVERYWHERE = "everywhere"


class AccountChange(StrEnum):
    """What was just changed on the account page."""

    PROFILE = "profile"
    PASSWORD = "password"
    SESSION = "session"


class TeamChange(StrEnum):
    """What was just changed on the team page."""

    ROLE = "role"
    DEACTIVATED = "deactivated"
    REACTIVATED = "reactivated"
    WITHDRAWN = "withdrawn"
    TEAM_MADE = "team_made"
    TEAM = "team"
    TEAM_REMOVED = "team_removed"
    DOMAIN = "domain"


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


# Words of an error


def _errors(error: HubError, t: Translator, field: str = "", *, wrong: str = "error.wrong_password") -> Mapping[str, str]:
    """The words of an expected error at the field it names, else at `field`; `""` is the top of the form. `wrong` is the text of
    a wrong password where the e-mail cannot be the reason."""
    return {str(error.values.get("field", field)): _words(error, t, wrong)}


def _words(error: HubError, t: Translator, wrong: str) -> str:
    match error:
        case LoginPaused():
            return f"{t('error.login_paused')} {_pause(error, t)}"
        case WrongPassword():
            left = error.values["left"]
            return f"{t(wrong)} {t('login.left', count=left) if left else _pause(error, t)}"
        case WeakPassword():
            return t(f"password.{error.values['reason']}", **error.values)
        case InvalidInput():
            return t(f"form.{error.values['field']}")
        case _:
            return t(f"error.{error.code}", **error.values)


def _pause(error: HubError, t: Translator) -> str:
    """How long until the next try: whole minutes, which mean the same in every time zone."""
    until: Any = error.values["pause_until"]
    return t("login.pause", count=max(1, ceil((until - clock.now()).total_seconds() / 60)))


def _t(request: Request, lang: str = "") -> Translator:
    """The language chosen below a public form, else the page's own."""
    t: Translator = page_values(request)["t"]
    return Translator(lang) if lang in LOCALES else t


def _check_same(password: str, again: str) -> None:
    """A new password is typed twice, because nobody sees what they typed. Raises InvalidInput(field="again")."""
    if password != again:
        raise InvalidInput("the passwords differ", field="again")


# Log in and out


def _local_path(wanted: str) -> str:
    """`wanted` if it is a path of this hub, else the start page: a log-in sends nobody to another site."""
    is_local = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted and wanted.isprintable()
    return wanted if is_local else "/"


def _login_page(request: Request, lang: str, wanted: str, *, status: int = 200, **more: Any) -> Response:
    values = {"email": "", "stay": False, "errors": {}, "left_by": None, **more}
    links = {code: "/login?" + urlencode({"lang": code, "next": _local_path(wanted)}) for code in LOCALES}
    return render(
        request,
        "organisations/login.html",
        status=status,
        t=_t(request, lang),
        lang=lang,
        wanted=_local_path(wanted),
        links=links,
        days=_runtime(request).settings.session_days,
        **values,
    )


@router.get("/login", dependencies=[LOGIN_IS_PUBLIC])
async def login_page(request: Request, wanted: Next = "/", lang: str = "", left: LeftBy | None = None) -> Response:
    """The form. `next` is where the person wanted to go, `lang` the language they chose on this page."""
    return _login_page(request, lang, wanted, left_by=left)


@router.post("/login", dependencies=[LOGIN_IS_PUBLIC])
async def login(
    request: Request,
    email: Typed = "",
    password: Typed = "",
    stay: Ticked = False,
    wanted: Annotated[str, Form(alias="next")] = "/",
    lang: Annotated[str, Form()] = "",
) -> Response:
    """Start a session. 401 for a wrong e-mail or password, 429 in the pause after too many of them (R-033)."""
    runtime = _runtime(request)
    before = request.cookies.get(sessions.cookie_name(runtime.settings))
    try:
        signed = await service.sign_in(runtime, email, password, Origin.of(request), stay=stay, replaces=before)
    except (WrongPassword, LoginPaused, NoMembership) as error:
        errors = _errors(error, _t(request, lang), "" if isinstance(error, NoMembership) else "password")
        return _login_page(request, lang, wanted, status=error.http_status, email=email, stay=stay, errors=errors)
    answer = RedirectResponse(_local_path(wanted), 303)
    sessions.set_cookie(answer, runtime.settings, signed.token, stay=stay)
    return answer


@router.post("/logout")
async def logout(request: Request, who: Person) -> Response:
    """End this session."""
    await service.sign_out(_runtime(request), who)
    return _left(request, LeftBy.OUT)


def _left(request: Request, how: LeftBy) -> Response:
    answer = RedirectResponse(f"/login?left={how}", 303)
    sessions.delete_cookie(answer, _runtime(request).settings)
    return answer


# Where to


@router.get("/")
async def home(request: Request, who: Person) -> Response:
    """To the only organisation, or the choice. Raises NoMembership when the last one has just ended."""
    found = await service.memberships(_runtime(request), who.person_id)
    if not found:
        raise NoMembership
    if len(found) == 1:
        return RedirectResponse(f"/o/{found[0].slug}", 303)
    return render(request, "organisations/choose.html", memberships=found)


@router.get("/o/{slug}")
async def organisation(request: Request, who: Person, slug: str) -> Response:
    """To the first place of the organisation that the role may enter; a role without one is told so.

    No single right opens this address, so it looks the membership up itself. NotFound where the person is no active member.
    """
    found = await service.memberships(_runtime(request), who.person_id)
    here = next((one for one in found if one.slug == slug), None)
    if here is None:
        raise NotFound("no such organisation for this person")
    for right, place in PLACES:
        if right in ROLE_RIGHTS[here.role]:
            return RedirectResponse(f"/o/{slug}/{place}", 303)
    return render(request, "organisations/nothing.html", here=here, others=len(found) > 1)


# One's own account


def _session_id(session: str) -> UUID:
    return ids.read("ses", session)


SessionId = Annotated[UUID, Depends(_session_id)]


async def _account_page(request: Request, who: SignedIn, *, status: int = 200, **more: Any) -> Response:
    runtime = _runtime(request)
    found = await service.memberships(runtime, who.person_id)
    values = {"name": who.person_name, "locale": who.locale, "errors": {}, "changed": None, "mail": "", **more}
    return render(
        request,
        "organisations/account.html",
        status=status,
        memberships=found,
        browsers=await service.browsers(runtime, who),
        locales=LOCALES,
        minimum=MINIMUM_LENGTH,
        zone=ZoneInfo(found[0].zone if found else DEFAULT_ZONE),
        **values,
    )


@router.get("/account")
async def account_page(request: Request, who: Person, changed: AccountChange | None = None) -> Response:
    """Name, language, password and the browsers that are signed in."""
    return await _account_page(request, who, changed=changed)


@router.post("/account")
async def change_profile(request: Request, who: Person, name: Typed = "", locale: Typed = "") -> Response:
    """Set name and language."""
    try:
        await service.change_profile(_runtime(request), who, name=name, locale=locale)
    except InvalidInput as error:
        errors = _errors(error, _t(request))
        return await _account_page(request, who, status=error.http_status, errors=errors, name=name, locale=locale)
    return RedirectResponse(f"/account?changed={AccountChange.PROFILE}", 303)


@router.post("/account/password")
async def change_password(request: Request, who: Person, old: Typed = "", new: Typed = "", again: Typed = "") -> Response:
    """Set a new password for who knows the present one; every other browser is signed out."""
    try:
        _check_same(new, again)
        await service.change_password(_runtime(request), who, old=old, new=new, origin=Origin.of(request))
    except (InvalidInput, WrongPassword, LoginPaused) as error:
        field = "new" if isinstance(error, WeakPassword) else "old"
        errors = _errors(error, _t(request), field, wrong="account.wrong_password")
        return await _account_page(request, who, status=error.http_status, errors=errors)
    return RedirectResponse(f"/account?changed={AccountChange.PASSWORD}", 303)


@router.post("/account/sessions/{session}/end")
async def end_session(request: Request, who: Person, session: SessionId) -> Response:
    """Sign one browser out; 404 for a session that is somebody else's or over."""
    await service.end_session(_runtime(request), who, session)
    if session == who.session_id:
        return _left(request, LeftBy.OUT)
    return RedirectResponse(f"/account?changed={AccountChange.SESSION}", 303)


@router.post("/account/sessions/end")
async def end_all_sessions(request: Request, who: Person) -> Response:
    """Sign out everywhere, here too."""
    await service.sign_out_everywhere(_runtime(request), who)
    return _left(request, LeftBy.EVERYWHERE)


# The team


def _member_id(member: str) -> UUID:
    return ids.read("mem", member)


def _invitation_id(invitation: str) -> UUID:
    return ids.read("inv", invitation)


MemberId = Annotated[UUID, Depends(_member_id)]
InvitationId = Annotated[UUID, Depends(_invitation_id)]


async def _team_page(request: Request, access: Access, *, status: int = 200, link: Link | None = None, **more: Any) -> Response:
    members, invitations = await team.list_team(_runtime(request), access)
    async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
        own_domains = await domains.list_domains(unit)
    nothing = {"name": "", "email": "", "role": "agent", "team_name": "", "domain": "", "is_foreign": False}
    values = {**nothing, "errors": {}, "changed": None, **more}
    return render(
        request,
        "organisations/team.html",
        teams=await teams.list_teams(_runtime(request), access),
        status=status,
        members=members,
        invitations=invitations,
        domains=own_domains,
        answers=domains.ANSWERS,
        link=link,
        address=_address(request, link) if link else "",
        roles=[role for role in ROLE_RIGHTS if may_manage(access.role, role)],
        **values,
    )


def _address(request: Request, link: Link) -> str:
    """The address to hand on: under the public one if there is one, else where this browser reached the hub."""
    base = _runtime(request).settings.public_url or str(request.base_url).rstrip("/")
    return f"{base}/join/{link.token}"


def _team_changed(access: Access, change: TeamChange) -> Response:
    return RedirectResponse(f"/o/{access.slug}/team?changed={change}", 303)


@router.get("/o/{slug}/team")
async def team_page(request: Request, access: TeamReader, changed: TeamChange | None = None) -> Response:
    """Members, open invitations, and the form for one more."""
    return await _team_page(request, access, changed=changed)


@router.post("/o/{slug}/team")
async def invite(
    request: Request, access: TeamManager, name: Typed = "", email: Typed = "", role: Typed = "", standing: Typed = ""
) -> Response:
    """Make an invitation and show its link, once. Somebody with a mail domain of others needs an owner's answer first (R-046)."""
    try:
        link = await team.invite(_runtime(request), access, name=name, email=email, role=role, standing=standing)
    except (InvalidInput, AlreadyMember, AlreadyInvited, ForeignDomain) as error:
        typed: dict[str, Any] = {"name": name, "email": email, "role": role, "is_foreign": isinstance(error, ForeignDomain)}
        errors = _errors(error, _t(request), "email")
        return await _team_page(request, access, status=error.http_status, errors=errors, **typed)
    return await _invited(request, access, link)


@router.post("/o/{slug}/team/domains")
async def change_domains(request: Request, access: OrganisationManager, domain: Typed = "", act: Typed = "add") -> Response:
    """Count a mail domain as the organisation's own, or no more. Forbidden for all but owners."""
    try:
        async with _runtime(request).database.unit_of_work(access.organisation_id) as unit:
            await domains.change_domains(unit, access, domain, remove=act == "remove")
    except InvalidInput as error:
        return await _team_page(request, access, status=error.http_status, errors=_errors(error, _t(request)), domain=domain)
    return _team_changed(access, TeamChange.DOMAIN)


async def _invited(request: Request, access: Access, link: Link) -> Response:
    """The page with the link, which also goes out by mail where the installation can send any."""
    settings, t = _runtime(request).settings, _t(request)
    mail = ""
    if can_send(settings):
        values = {"organisation": access.organisation_name, "link": _address(request, link)}
        try:
            await send_mail(settings, to=link.email, subject=t("team.mail.subject", **values), text=t("team.mail.text", **values))
            mail = "sent"
        except MailFailed:
            mail = "failed"
    return await _team_page(request, access, link=link, mail=mail)


@router.post("/o/{slug}/team/invitations/{invitation}/renew")
async def renew(request: Request, access: TeamManager, invitation: InvitationId) -> Response:
    """A new link for an open invitation, shown once; the old one ends (R-025)."""
    return await _invited(request, access, await team.renew_invitation(_runtime(request), access, invitation))


@router.post("/o/{slug}/team/invitations/{invitation}/withdraw")
async def withdraw(request: Request, access: TeamManager, invitation: InvitationId) -> Response:
    """Take an open invitation back."""
    await team.withdraw_invitation(_runtime(request), access, invitation)
    return _team_changed(access, TeamChange.WITHDRAWN)


@router.post("/o/{slug}/team/members/{member}/role")
async def change_role(request: Request, access: TeamManager, member: MemberId, role: Typed = "") -> Response:
    """Give a member another role."""
    try:
        await team.change_role(_runtime(request), access, member, role)
    except LastOwner as error:
        return await _team_page(request, access, status=error.http_status, errors=_errors(error, _t(request)))
    return _team_changed(access, TeamChange.ROLE)


@router.post("/o/{slug}/team/members/{member}/deactivate")
async def deactivate(request: Request, access: TeamManager, member: MemberId) -> Response:
    """Remove a leaver: from now on every request of theirs is answered 401 (R-048)."""
    try:
        await team.deactivate(_runtime(request), access, member)
    except LastOwner as error:
        return await _team_page(request, access, status=error.http_status, errors=_errors(error, _t(request)))
    return _team_changed(access, TeamChange.DEACTIVATED)


@router.post("/o/{slug}/team/members/{member}/reactivate")
async def reactivate(request: Request, access: TeamManager, member: MemberId) -> Response:
    """Let a deactivated member in again."""
    await team.reactivate(_runtime(request), access, member)
    return _team_changed(access, TeamChange.REACTIVATED)


# Teams


def _team_id(team: str) -> UUID:
    return ids.read("team", team)


TeamId = Annotated[UUID, Depends(_team_id)]


@router.post("/o/{slug}/team/teams")
async def create_team(request: Request, access: TeamManager, name: Typed = "") -> Response:
    """Make a team; who is in it is said afterwards."""
    try:
        await teams.create_team(_runtime(request), access, name)
    except (InvalidInput, TeamExists) as error:
        return await _team_page(request, access, status=error.http_status, errors=_team_errors(request, error), team_name=name)
    return _team_changed(access, TeamChange.TEAM_MADE)


def _team_errors(request: Request, error: HubError) -> Mapping[str, str]:
    """The words at the one field that names a team."""
    return {"team": _words(error, _t(request), "")}


@router.post("/o/{slug}/team/teams/{team}/rename")
async def rename_team(request: Request, access: TeamManager, team: TeamId, name: Typed = "") -> Response:
    """Give a team another name."""
    try:
        await teams.rename_team(_runtime(request), access, team, name)
    except (InvalidInput, TeamExists) as error:
        return await _team_page(request, access, status=error.http_status, errors={"": _words(error, _t(request), "")})
    return _team_changed(access, TeamChange.TEAM)


@router.post("/o/{slug}/team/teams/{team}/members")
async def set_team_members(
    request: Request, access: TeamManager, team: TeamId, members: Annotated[list[str], Form(default_factory=list)]
) -> Response:
    """Say who is in a team."""
    await teams.set_members(_runtime(request), access, team, [ids.read("mem", one) for one in members])
    return _team_changed(access, TeamChange.TEAM)


@router.post("/o/{slug}/team/teams/{team}/remove")
async def remove_team(request: Request, access: TeamManager, team: TeamId) -> Response:
    """End a team; its work is nobody's then."""
    await teams.remove_team(_runtime(request), access, team)
    return _team_changed(access, TeamChange.TEAM_REMOVED)


# Join


def _join_page(request: Request, invitation: team.OpenInvitation, lang: str, *, status: int = 200, **more: Any) -> Response:
    values = {"stay": False, "errors": {}, **more}
    return render(
        request,
        "organisations/join.html",
        status=status,
        t=_t(request, lang),
        lang=lang,
        invitation=invitation,
        links={code: f"?lang={code}" for code in LOCALES},
        minimum=MINIMUM_LENGTH,
        days=_runtime(request).settings.session_days,
        **values,
    )


@router.get("/join/{token}", dependencies=[LINK_IS_PUBLIC])
async def join_page(request: Request, token: str, lang: str = "") -> Response:
    """What the holder of a link accepts. 410 for a link that was used, replaced or has run out (R-025)."""
    return _join_page(request, await team.open_invitation(_runtime(request), token), lang)


@router.post("/join/{token}", dependencies=[LINK_IS_PUBLIC])
async def join(
    request: Request,
    token: str,
    password: Typed = "",
    again: Typed = "",
    stay: Ticked = False,
    lang: Annotated[str, Form()] = "",
) -> Response:
    """Accept: a new person chooses a password, an existing one proves theirs. Both are signed in afterwards."""
    runtime = _runtime(request)
    before = request.cookies.get(sessions.cookie_name(runtime.settings))
    invitation = await team.open_invitation(runtime, token)
    try:
        if invitation.person_id is None:
            _check_same(password, again)
        accepted, signed = await team.accept(runtime, token, password, Origin.of(request), stay=stay, replaces=before)
    except (InvalidInput, WrongPassword, LoginPaused) as error:
        errors = _errors(error, _t(request, lang), "password", wrong="account.wrong_password")
        return _join_page(request, invitation, lang, status=error.http_status, errors=errors, stay=stay)
    answer = RedirectResponse(f"/o/{accepted.slug}", 303)
    sessions.set_cookie(answer, runtime.settings, signed.token, stay=stay)
    return answer
