"""Users of X by name or number (`GET /2/users/…`). Each question costs money (README)."""

import re
from typing import Any, Final

from httpx import AsyncClient

from hub.connectors.contract import Account
from hub.connectors.errors import Rejected, Unavailable, Unreachable
from hub.connectors.events import Sender
from hub.connectors.x.api import ask
from hub.connectors.x.settings import XSettings

HANDLE: Final = re.compile(r"(?:https://(?:www\.)?(?:x|twitter)\.com/|@)?([A-Za-z0-9_]{1,15})/?")
NOBODY: Final = frozenset({"resource-not-found", "404"})


def read_handle(typed: str) -> Sender | None:
    """A name with or without its @, or the address of a profile."""
    found = HANDLE.fullmatch(typed.strip())
    return Sender(provider_user_id=f"@{found[1]}", username=found[1]) if found else None


async def find_reachable(handle: str, account: Account[XSettings], http: AsyncClient) -> Sender | None:
    """Who has this name. Raises a SendError; Unreachable where they take no direct messages from this account."""
    user = await _user(account, http, f"by/username/{handle.removeprefix('@')}")
    if user is None:
        return None
    if user.get("receives_your_dm") is False:
        raise Unreachable("receives_your_dm")
    return _sender(user)


async def name_user(number: str, account: Account[XSettings], http: AsyncClient) -> Sender | None:
    """What somebody is called. Raises a SendError."""
    user = await _user(account, http, number) if number.isascii() and number.isdigit() else None
    return _sender(user) if user else None


async def _user(account: Account[XSettings], http: AsyncClient, path: str) -> dict[str, Any] | None:
    """None: nobody, or suspended."""
    try:
        told = await ask(account, http, "GET", f"/2/users/{path}?user.fields=receives_your_dm")
    except Rejected as error:
        if error.provider_code in NOBODY:
            return None
        raise
    data = told.get("data")
    return data if isinstance(data, dict) else {}


def _sender(user: dict[str, Any]) -> Sender:
    number, username, name = user.get("id"), user.get("username"), user.get("name")
    if not isinstance(number, str) or not number.isdecimal() or not isinstance(username, str):
        raise Unavailable("unreadable_answer")
    return Sender(provider_user_id=number, display_name=name if isinstance(name, str) else "", username=username)
