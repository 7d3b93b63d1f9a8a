"""Questions about the account and about people: to set it up, to check it, to find somebody. None of them changes anything."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from httpx import AsyncClient

from hub.connectors.contract import Account, SetupResult
from hub.connectors.errors import (
    AccountPaused,
    AuthFailed,
    CredentialsRejected,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SendError,
    Unavailable,
)
from hub.connectors.events import Sender
from hub.connectors.signal.reading import Json, a_text
from hub.connectors.signal.roads import Call, ask, request, rest_answer
from hub.connectors.signal.settings import NUMBER, SignalSettings
from hub.core.http import AddressDenied

PULLS: Final = frozenset({"normal", "native"})
"""Modes of the wrapper in which it can be asked for what came in; `json-rpc` throws away what nobody listens to."""
NOT_THERE: Final = frozenset({"404", "405", "415", "421", "unreadable_answer"})
"""What a server says that is not signal-cli, or not at this address."""


async def check_account(account: Account[SignalSettings], http: AsyncClient) -> SetupResult:
    """Raises CredentialsRejected, Unavailable or Rejected."""
    number = account.settings.number
    if account.own_id not in ("", number):
        raise CredentialsRejected("number", reason="another_number")
    await must_know(account, http)
    if not await is_registered(account, http):
        raise CredentialsRejected("number", reason="not_registered")
    notes = ("channel.signal.note.unofficial", "channel.signal.note.keep_receiving")
    return SetupResult(own_id=number, address=number, title=number, notes=notes)


async def must_know(account: Account[SignalSettings], http: AsyncClient) -> None:
    """That there is a signal-cli which has this account and hands out what comes in. Raises what `setup` raises."""
    if account.settings.road == "rest":
        about = await _set_up(account, _get(account, http, "/v1/about"))
        if a_text(about, "mode") not in PULLS:
            raise CredentialsRejected("road", reason="pushes" if a_text(about, "mode") else "no_wrapper")
        numbers = await _set_up(account, _get(account, http, "/v1/accounts"))
    else:
        told = await _set_up(account, ask(account, http, Call("version", {})))
        if not a_text(told, "version"):
            raise CredentialsRejected("base_url", reason="not_signal")
        listed = await _set_up(account, ask(account, http, Call("listAccounts", {})))
        numbers = [a_text(one, "number") for one in listed] if isinstance(listed, list) else []
    if not isinstance(numbers, list) or account.settings.number not in numbers:
        raise CredentialsRejected("number", reason="not_in_signal_cli")


async def is_registered(account: Account[SignalSettings], http: AsyncClient) -> bool:
    """Whether Signal itself knows our number: asked with our account, so that one that was logged out shows."""
    return await _set_up(account, _status(account, http, {"recipient": [account.settings.number]})) is not None


async def list_identities(account: Account[SignalSettings], http: AsyncClient) -> Sequence[Json]:
    """Everybody's keys and whether they are trusted."""
    if account.settings.road == "rest":
        listed = await _set_up(account, _get(account, http, f"/v1/identities/{quote(account.settings.number, safe='')}"))
    else:
        listed = await _set_up(account, ask(account, http, Call("listIdentities", {})))
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


async def look_up(query: str, account: Account[SignalSettings], http: AsyncClient) -> Sender | None:
    """Somebody by number or name. By the wrapper only by number, which is all that it tells then. Raises a SendError."""
    if NUMBER.fullmatch(query):
        found = await _status(account, http, {"recipient": [query]})
        uuid = a_text(found, "uuid").lower()
        return None if found is None else Sender(provider_user_id=uuid or query, phone=query, aliases=(query,) if uuid else ())
    if account.settings.road == "rest" or "." not in query or len(query) > 64:
        return None
    found = await _status(account, http, {"username": [query]})
    uuid = a_text(found, "uuid").lower()
    return Sender(provider_user_id=uuid, username=query) if uuid else None


async def _status(account: Account[SignalSettings], http: AsyncClient, whom: Json) -> Json | None:
    """What Signal says of somebody; None: nobody. Raises a SendError."""
    if account.settings.road == "rest":
        own, asked = quote(account.settings.number, safe=""), quote(whom["recipient"][0], safe="")
        listed = await _get(account, http, f"/v1/search/{own}?numbers={asked}")
    else:
        listed = await ask(account, http, Call("getUserStatus", whom))
    found = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    return found if found.get("isRegistered") is True or found.get("registered") is True else None


async def _get(account: Account[SignalSettings], http: AsyncClient, path: str) -> Any:
    """A question to the wrapper. Raises a SendError."""
    try:
        return rest_answer(await request(account, http, "GET", path), account.settings.number)
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code, error.provider_text) from None


async def _set_up(account: Account[SignalSettings], asked: Any) -> Any:
    """A question of the set-up: whose fault it is when there is no answer. Raises CredentialsRejected or Unavailable."""
    try:
        return await asked
    except AccountPaused as error:
        raise Unavailable(error.provider_code, error.provider_text) from None
    except AuthFailed as error:
        is_proxy = error.provider_code in ("401", "403")
        raise CredentialsRejected("authorization" if is_proxy else "number", error.provider_text) from None
    except RateLimited as error:
        raise Unavailable(error.provider_code, error.provider_text) from None
    except Rejected as error:
        reason = "single_account" if error.provider_code == "-32601" else "not_signal"
        raise CredentialsRejected("base_url", error.provider_text, reason=reason) from None
    except SendError as error:
        if error.provider_code == AddressDenied.code:
            raise CredentialsRejected("base_url", reason="not_trusted") from None
        if error.provider_code in NOT_THERE:
            raise CredentialsRejected("base_url", reason="not_signal") from None
        raise
