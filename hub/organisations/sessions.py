"""Sessions of signed-in browsers: a random token in a cookie, its SHA-256 in `login_session`, nothing else.

A session begins at log-in with a new token, so a token known before is worth nothing afterwards. It ends by itself after
12 hours, or after `session_days` when the person asked to stay signed in. Works as hub_system; the application's role cannot
read the table.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from fastapi import Request, Response

from hub.core import clock
from hub.core.db import UnitOfWork
from hub.core.ids import new_id
from hub.core.settings import Settings
from hub.organisations.models import LoginSession

SHORT: Final = timedelta(hours=12)
"""A working day: how long a session lives without "stay signed in"."""
SEEN_EVERY: Final = timedelta(minutes=1)
TOKEN_BYTES: Final = 32
USER_AGENT_LENGTH: Final = 400


@dataclass(frozen=True, slots=True)
class Origin:
    """From where a person signs in: shown to them in the list of their sessions."""

    address: str
    user_agent: str

    @classmethod
    def of(cls, request: Request) -> "Origin":
        """Of a request; behind a trusted proxy the server has already put the client's address in place."""
        address = request.client.host if request.client else ""
        return cls(address, request.headers.get("user-agent", "")[:USER_AGENT_LENGTH])

    @property
    def device(self) -> tuple[str, str]:
        """Browser and system as far as the browser tells, e.g. ("Firefox", "Linux"); empty strings for unknown ones."""
        return _first(_BROWSERS, self.user_agent), _first(_SYSTEMS, self.user_agent)


_BROWSERS: Final = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def _first(marks: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for mark, name in marks if mark in text), "")


def new_token() -> str:
    """A token nobody can guess: 256 random bits, for sessions and invitations."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest(token: str) -> bytes:
    """What the database keeps of a token."""
    return hashlib.sha256(token.encode()).digest()


def csrf_token(token: str) -> str:
    """The proof that a form comes from a page of this session: derived from the session's token, so nothing is stored."""
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


async def start(unit: UnitOfWork, settings: Settings, person_id: UUID, origin: Origin, *, stay: bool) -> tuple[UUID, str]:
    """A new session; its id and its token, which exists nowhere else."""
    token, now = new_token(), clock.now()
    session = LoginSession(
        id=new_id(),
        person_id=person_id,
        token_hash=digest(token),
        created_at=now,
        last_seen_at=now,
        expires_at=now + (timedelta(days=settings.session_days) if stay else SHORT),
        address=origin.address,
        user_agent=origin.user_agent,
    )
    unit.session.add(session)
    await unit.session.flush()
    return session.id, token


async def end_token(unit: UnitOfWork, token: str) -> None:
    """End the session of a cookie, if it lives."""
    await unit.sql.execute(
        "UPDATE login_session SET ended_at = $2 WHERE token_hash = $1 AND ended_at IS NULL", digest(token), clock.now()
    )


async def end(unit: UnitOfWork, person_id: UUID, *, only: UUID | None = None, keep: UUID | None = None) -> int:
    """End the sessions of a person, `only` one of them or all but `keep`; how many lived."""
    return len(
        await unit.sql.fetch(
            """
            UPDATE login_session SET ended_at = $2
            WHERE person_id = $1 AND ended_at IS NULL AND expires_at > $2
              AND ($3::uuid IS NULL OR id = $3) AND ($4::uuid IS NULL OR id <> $4)
            RETURNING 1
            """,
            person_id,
            clock.now(),
            only,
            keep,
        )
    )


async def living(unit: UnitOfWork, person_id: UUID) -> list[Any]:
    """The sessions of a person that live, the last used first."""
    rows: list[Any] = await unit.sql.fetch(
        """
        SELECT id, created_at, last_seen_at, expires_at, address, user_agent FROM login_session
        WHERE person_id = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY last_seen_at DESC
        """,
        person_id,
        clock.now(),
    )
    return rows


async def note_seen(unit: UnitOfWork, session_id: UUID, last_seen_at: datetime) -> None:
    """Write down that a session is in use, at most once a minute."""
    now = clock.now()
    if now - last_seen_at >= SEEN_EVERY:
        await unit.sql.execute("UPDATE login_session SET last_seen_at = $2 WHERE id = $1", session_id, now)


def cookie_name(settings: Settings) -> str:
    """`__Host-` binds the cookie to this host over https; without https browsers refuse that prefix."""
    return "__Host-hub_session" if _secure(settings) else "hub_session"


def set_cookie(response: Response, settings: Settings, token: str, *, stay: bool) -> None:
    response.set_cookie(
        cookie_name(settings),
        token,
        max_age=settings.session_days * 86_400 if stay else None,
        httponly=True,
        samesite="lax",
        secure=_secure(settings),
        path="/",
    )


def delete_cookie(response: Response, settings: Settings) -> None:
    response.delete_cookie(cookie_name(settings), httponly=True, samesite="lax", secure=_secure(settings), path="/")


def _secure(settings: Settings) -> bool:
    return settings.base_url.startswith("https://")
