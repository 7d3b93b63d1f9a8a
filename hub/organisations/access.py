"""Who is asking, and may they: the rule that every route carries.

    access: Annotated[Access, requires(Right.READ_INBOX)]      a member of the organisation in the path, with this right
    who: Annotated[SignedIn, signed_in()]                      anybody with a session, outside organisations
    dependencies=[Depends(public("why"))]                      everybody, for a reason

What is answered:

    no session, or one that expired                         pages go to the log-in, everything else 401
    a session that was ended, or a deactivated member       401 (R-048)
    an organisation that is unknown or somebody else's      404 (R-263)
    a role without the right                                403 (R-040)
    an unsafe method without the session's CSRF token       403, also when it comes from another site
    more requests than the organisation may make            429 (R-232)

A test walks all routes and asks each for its `Rule`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlsplit
from uuid import UUID
from weakref import WeakKeyDictionary

from fastapi import Depends, HTTPException, Request

from hub.core import clock, request_limits
from hub.core.db import Database
from hub.core.errors import Forbidden, HubError, NotFound, NotSignedIn
from hub.organisations import sessions
from hub.organisations.actor import Access, SignedIn
from hub.organisations.rights import Right
from hub.runtime import Runtime

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
FORM_TYPE: Final = "application/x-www-form-urlencoded"
"""Forms that carry their token as a field. A form with files carries it in the header: it is read only once it is allowed."""


class NotFromHere(Forbidden):
    """The request carries no valid CSRF token or comes from another site. Reloading the page gives a fresh token."""

    code = "not_from_here"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route asks of its caller: everybody (`why` says the reason), a session, or a right in the path's organisation.

    `from_elsewhere`: pages of other sites may call it too; which ones, the route itself decides. It carries no cookie's power."""

    right: Right | None = None
    why: str = ""
    from_elsewhere: bool = False

    async def __call__(self, request: Request) -> SignedIn | None:
        """The caller, also kept as `request.state.access` for the page; None for everybody. Raises as told on top of this file."""
        if not self.from_elsewhere:
            _check_origin(request)
        if self.why:
            request.state.access = None
            return None
        token = request.cookies.get(sessions.cookie_name(_runtime(request).settings))
        if token is None:
            raise _sign_in_first(request)
        slug = request.path_params["slug"] if self.right else None
        if slug is not None and "\x00" in slug:  # no text for PostgreSQL, and no organisation's name
            raise NotFound("no such organisation")
        row = await _look_up(_runtime(request).database, token, slug)
        if row is None or (row["ended_at"] is None and row["expires_at"] <= clock.now()):
            raise _sign_in_first(request)
        if row["ended_at"] is not None:
            raise NotSignedIn("this session was ended")
        who = _caller(row, token, slug)
        if self.right and isinstance(who, Access) and not who.may(self.right):
            raise Forbidden(f"{who.role} has no {self.right}")
        if request.method not in SAFE_METHODS and not sessions.same(await _sent_csrf(request), who.csrf_token):
            raise NotFromHere("csrf token missing or wrong")
        request.state.access = who
        if isinstance(who, Access):
            runtime = _runtime(request)
            name = f"organisation:{who.organisation_id.hex}"
            await request_limits.count(runtime.queue, {name: runtime.settings.requests_organisation})
        return who


def requires(right: Right) -> Any:
    """A dependency: the caller is an active member of the organisation `{slug}` and holds `right`. Gives the `Access`."""
    return Depends(Rule(right=right))


def signed_in() -> Any:
    """A dependency: the caller has a session, whatever their organisations. Gives the `SignedIn`."""
    return Depends(Rule())


def public(why: str, *, from_elsewhere: bool = False) -> Callable[[Request], Awaitable[SignedIn | None]]:
    """The rule of a route for everybody, to be wrapped in Depends: `why` is for the reader and for the test of all routes."""
    if not why:
        raise ValueError("a public route needs a reason")
    return Rule(why=why, from_elsewhere=from_elsewhere)


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def _check_origin(request: Request) -> None:
    """Browsers name the page's origin in every unsafe request; another host than ours is another site. Clients that are no
    browser send none, and carry no cookie that they did not fetch themselves."""
    origin = request.headers.get("origin")
    if request.method in SAFE_METHODS or origin is None:
        return
    ours = {request.headers.get("host", ""), urlsplit(_runtime(request).settings.base_url).netloc}
    if urlsplit(origin).netloc not in ours - {""}:
        raise NotFromHere("the request comes from another site")


async def _sent_csrf(request: Request) -> str:
    header = request.headers.get("x-csrf-token")
    if header is not None:
        return header
    if not request.headers.get("content-type", "").startswith(FORM_TYPE):
        return ""
    value = (await request.form()).get("csrf")
    return value if isinstance(value, str) else ""


def _sign_in_first(request: Request) -> HubError | HTTPException:
    """Opening a page without a session leads to the log-in and back; anything else is answered 401."""
    is_page = "text/html" in request.headers.get("accept", "") and "hx-request" not in request.headers
    if request.method != "GET" or not is_page:
        return NotSignedIn("no session")
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return HTTPException(303, headers={"Location": f"/login?next={quote(wanted, safe='/')}"})


_LOOK_UP: Final = """
SELECT s.id AS session_id, s.person_id, s.last_seen_at, s.expires_at, s.ended_at, p.name AS person_name, p.email, p.locale,
       o.id AS organisation_id, o.slug, o.name AS organisation_name, o.zone, m.id AS member_id, m.role, m.deactivated_at
FROM login_session s
JOIN person p ON p.id = s.person_id
LEFT JOIN organisation o ON o.slug = $2
LEFT JOIN member m ON m.organisation_id = o.id AND m.person_id = p.id
WHERE s.token_hash = $1
"""


async def _look_up(database: Database, token: str, slug: str | None) -> Any:
    """Session, person, organisation and member in one query; also notes once a minute that the session is in use."""
    async with database.system() as unit:
        row = await unit.sql.fetchrow(_LOOK_UP, sessions.digest(token), slug)
        if row is not None and row["ended_at"] is None:
            await sessions.note_seen(unit, row["session_id"], row["last_seen_at"])
    return row


def _caller(row: Any, token: str, slug: str | None) -> SignedIn:
    person = {name: row[name] for name in ("session_id", "person_id", "person_name", "email", "locale")}
    person["csrf_token"] = sessions.csrf_token(token)
    if slug is None:
        return SignedIn(**person)
    if row["member_id"] is None:
        raise NotFound("no such organisation for this person")
    if row["deactivated_at"] is not None:
        raise NotSignedIn("this member was deactivated")
    place = {name: row[name] for name in ("organisation_id", "slug", "organisation_name", "zone", "member_id", "role")}
    return Access(**person, **place)


@dataclass(eq=False)
class _Batch:
    """Questions that are answered by one query."""

    keys: set[tuple[UUID, UUID]] = field(default_factory=set)
    roles: dict[tuple[UUID, UUID], str] | None = None


class _Rechecks:
    """Questions of open streams, answered together: while one query is under way the next ones gather for the following
    query, so a thousand streams that wake at once cost one or two."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asking = asyncio.Lock()
        self._next = _Batch()

    async def role(self, session_id: UUID, member_id: UUID) -> str | None:
        """The member's role while session and membership live, else None."""
        batch = self._next
        batch.keys.add((session_id, member_id))
        async with self._asking:
            if batch.roles is None:
                if batch is self._next:
                    self._next = _Batch()
                batch.roles = await self._ask(list(batch.keys))
        return batch.roles.get((session_id, member_id))

    async def _ask(self, keys: list[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], str]:
        async with self._database.system() as unit:
            rows = await unit.sql.fetch(
                """
                SELECT s.id AS session_id, m.id AS member_id, m.role
                FROM unnest($1::uuid[], $2::uuid[]) AS asked (session_id, member_id)
                JOIN login_session s ON s.id = asked.session_id AND s.ended_at IS NULL AND s.expires_at > $3
                JOIN member m ON m.id = asked.member_id AND m.person_id = s.person_id AND m.deactivated_at IS NULL
                """,
                [session_id for session_id, _ in keys],
                [member_id for _, member_id in keys],
                clock.now(),
            )
        return {(row["session_id"], row["member_id"]): row["role"] for row in rows}


_rechecks: WeakKeyDictionary[Database, _Rechecks] = WeakKeyDictionary()


async def still_allowed(runtime: Runtime, access: Access) -> bool:
    """Whether an open stream may go on: session and membership live, and the role is the one the stream began with (after a
    change of role it begins anew). Questions asked at the same time share a query; raises what the database raises."""
    rechecks = _rechecks.setdefault(runtime.database, _Rechecks(runtime.database))
    return await rechecks.role(access.session_id, access.member_id) == access.role
