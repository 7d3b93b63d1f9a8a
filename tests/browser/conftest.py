"""Fixtures of the tests that need Debian's chromium: the hub behind a real socket, and browsers that are signed in."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from hub.organisations import sessions
from tests.inbox.pages_support import Visitor, serve
from tests.support import HubUnderTest

CHROMIUM: Final = Path("/usr/bin/chromium")
ARGUMENTS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass
class Site:
    """The hub at an address, and chromium to look at it."""

    hub: HubUnderTest
    address: str
    browser: Browser
    errors: list[str] = field(default_factory=list)

    async def context(self, who: Visitor, **options: Any) -> BrowserContext:
        """A browser of its own in which this person is signed in. Errors of its pages fail the test."""
        context = await self.browser.new_context(base_url=self.address, viewport={"width": 1440, "height": 900}, **options)
        name = sessions.cookie_name(self.hub.runtime.settings)
        await context.add_cookies([{"name": name, "value": who.token, "url": self.address}])
        context.set_default_timeout(8_000)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        return context

    async def open(self, who: Visitor, path: str, **options: Any) -> Page:
        """A page that is live."""
        page = await (await self.context(who, **options)).new_page()
        await page.goto(who.base + path)
        await page.wait_for_selector("[data-connection=live]", state="attached")
        return page


@pytest.fixture
async def site(hub: HubUnderTest) -> AsyncIterator[Site]:
    async with serve(hub) as address, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        site = Site(hub, address, browser)
        yield site
        await browser.close()
    assert not site.errors
