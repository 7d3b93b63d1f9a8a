"""People at browsers: who presses the buttons in the tests of this room."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import httpx2

from hub.core import ids
from hub.organisations import service, sessions
from tests.support import PASSWORD, HubUnderTest

PAGE = {"accept": "text/html"}
DATA = {"accept": "application/json"}
HERE = "http://hub.test"
ELSEWHERE = "https://evil.example"


@dataclass
class Browser:
    """A browser that asks for pages, sends forms with the origin of the page they stand on, and follows no redirect by itself."""

    hub: HubUnderTest
    client: httpx2.AsyncClient

    @property
    def _cookie(self) -> str:
        return sessions.cookie_name(self.hub.runtime.settings)

    @property
    def token(self) -> str:
        """The session's token; empty while nobody is signed in."""
        return self.client.cookies.get(self._cookie) or ""

    def put_cookie(self, token: str) -> None:
        self.client.cookies.set(self._cookie, token, domain="hub.test", path="/")

    async def open(self, path: str, *, headers: dict[str, str] | None = None) -> httpx2.Response:
        return await self.client.get(path, headers=headers or PAGE)

    async def page(self, path: str, status: int = 200) -> str:
        """A page's HTML; the status is checked."""
        response = await self.open(path)
        assert response.status_code == status, response.text
        return response.text

    async def submit(self, path: str, form: Mapping[str, str] | None = None, /, **fields: str) -> httpx2.Response:
        """Send a form of a page of this session."""
        return await self.submit_from({"origin": HERE}, path, form, **fields)

    async def submit_from(
        self, headers: Mapping[str, str], path: str, form: Mapping[str, str] | None = None, /, **fields: str
    ) -> httpx2.Response:
        """The same with these headers, e.g. the origin of another site."""
        csrf = {"csrf": sessions.csrf_token(self.token)} if self.token else {}
        return await self.client.post(path, data={**csrf, **(form or {}), **fields}, headers={**PAGE, **headers})

    async def log_in(self, email: str, password: str = PASSWORD, **fields: str) -> httpx2.Response:
        return await self.submit("/login", email=email, password=password, **fields)

    async def session_id(self) -> UUID:
        """The id of this browser's session."""
        async with self.hub.runtime.database.system() as unit:
            found: UUID = await unit.sql.fetchval("SELECT id FROM login_session WHERE token_hash = $1", sessions.digest(self.token))
        return found


def browse(hub: HubUnderTest) -> Browser:
    """A browser in which nobody is signed in."""
    return Browser(hub, hub.browser())


async def signed_in(hub: HubUnderTest, email: str = "owner@radwerk.example") -> Browser:
    """A browser of this person, signed in without the form."""
    async with hub.runtime.database.system() as unit:
        person_id = await unit.sql.fetchval("SELECT id FROM person WHERE email = $1", email)
        origin = sessions.Origin("127.0.0.1", "Firefox/140 Linux")
        _, token = await sessions.start(unit, hub.runtime.settings, person_id, origin, stay=False)
    browser = browse(hub)
    browser.put_cookie(token)
    return browser


async def hire(hub: HubUnderTest, role: str, name: str = "", *, organisation_id: UUID | None = None, slug: str = "radwerk") -> str:
    """A new member `<role>@<slug>.example`; the e-mail."""
    email = f"{(name or role).split()[0].lower()}@{slug}.example"
    await service.add_member(
        hub.runtime, organisation_id or hub.organisation_id, email=email, name=name or f"Rolle {role}", role=role, password=PASSWORD
    )
    return email


async def member_of(hub: HubUnderTest, email: str, *, organisation_id: UUID | None = None) -> str:
    """The shown id of a person's membership."""
    found = await hub.value(
        "SELECT m.id FROM member m JOIN person p ON p.id = m.person_id WHERE p.email = $1", email, organisation_id=organisation_id
    )
    return ids.show("mem", found)
