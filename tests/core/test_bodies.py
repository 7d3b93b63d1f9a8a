"""A body ends before it fills memory or disk, whoever sends it."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hub.core.bodies import LARGEST_BODY
from tests.inbox.pages_support import DATA, PAGE
from tests.support import HubUnderTest

TOO_MUCH = b"x" * (LARGEST_BODY + 1)
FORM = "application/x-www-form-urlencoded"
PATHS = ["/login", "/o/radwerk/team", "/o/radwerk/conversations/conv_01h455vb4pex5vsknk084sn02q/messages"]


async def in_pieces() -> AsyncIterator[bytes]:
    """A body that does not say beforehand how long it will be, and would never end."""
    while True:
        yield b"x" * 65_536


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "sent",
    [
        lambda: {"files": {"text": ("a.bin", TOO_MUCH)}, "headers": DATA},
        lambda: {"content": TOO_MUCH, "headers": {**DATA, "content-type": FORM}},
        lambda: {"content": in_pieces(), "headers": {**DATA, "content-type": FORM}},
    ],
    ids=["file", "form", "endless"],
)
async def test_a_form_that_is_too_large_is_not_kept(hub: HubUnderTest, path: str, sent: Callable[[], dict[str, Any]]) -> None:
    """Also of who is not signed in: the framework reads a form before any rule is asked."""
    answer = await hub.browser().post(path, **sent())
    assert answer.status_code == 413
    assert answer.json()["error"] == "body_too_large"


async def test_a_person_reads_what_to_do(hub: HubUnderTest) -> None:
    answer = await hub.browser().post("/login", content=TOO_MUCH, headers={**PAGE, "content-type": FORM})
    assert answer.status_code == 413
    assert "Bitte kürzen Sie den Text" in answer.text
