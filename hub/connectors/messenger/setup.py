"""Connecting a page: whose token it is, and that Meta delivers here (messenger.md, 1)."""

import time
from collections.abc import Mapping
from typing import Final

from httpx import AsyncClient

from hub.connectors._meta.graph import Graph, ask, ask_set_up
from hub.connectors._meta.reading import Json, a_text, an_id, an_object, texts
from hub.connectors._meta.subscriptions import App, subscribe_account
from hub.connectors.contract import Account, SetupResult
from hub.connectors.errors import AuthFailed, CredentialsRejected, RateLimited, Rejected, Unavailable
from hub.connectors.messenger.settings import MessengerSettings
from hub.core.http import AddressDenied

FIELDS: Final = (
    "messages",
    "messaging_postbacks",
    "messaging_optins",
    "messaging_referrals",
    "message_deliveries",
    "message_reads",
    "message_reactions",
    "message_echoes",
    "message_edits",
    "messaging_handovers",
    "standby",
    "messaging_policy_enforcement",
)
"""All that may come. `standby`: what is written while another program owns the thread."""
PERMISSIONS: Final = frozenset({"pages_messaging", "pages_manage_metadata"})
BLAMED: Final[Mapping[str, str]] = {"100": "page_token", "101": "app_id"}
"""Which field Meta's refusal to look at a token speaks of: a token of another app, an app that does not exist; else the app's
secret."""


def page_of(account: Account[MessengerSettings]) -> Graph:
    """The Graph API as the page."""
    settings = account.settings
    return Graph(settings.base_url, settings.page_token.get_secret_value(), settings.app_secret.get_secret_value())


def app_of(account: Account[MessengerSettings]) -> App:
    settings = account.settings
    return App(settings.base_url, settings.app_id, settings.app_secret.get_secret_value(), "page")


async def connect(account: Account[MessengerSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
    """As `Connector.setup`."""
    if callback_url is None:
        raise Rejected("needs_public_address")
    token = await inspect_token(account, http)
    own_id = an_id(token, "profile_id")
    if account.own_id not in ("", own_id):
        raise CredentialsRejected("page_token", reason="another_page")
    page = await ask_set_up(page_of(account), http, "GET", "me", field="page_token", query={"fields": "id,name,username"})
    notes = ["webhook_replaced"] if await app_of(account).ensure(http, callback_url, FIELDS) else []
    is_whole = await subscribe_account(page_of(account), http, account.settings.app_id, FIELDS, "page_token")
    notes += [] if is_whole else ["fields_missing"]
    return SetupResult(
        own_id=own_id,
        address=f"m.me/{a_text(page, 'username') or own_id}",
        title=a_text(page, "name"),
        notes=tuple(f"channel.messenger.note.{note}" for note in notes),
        lasts_seconds=_lasts(token),
    )


async def inspect_token(account: Account[MessengerSettings], http: AsyncClient) -> Json:
    """What Meta says of the token. Raises CredentialsRejected unless it is a page's, of this app and with what is needed."""
    try:
        told = await ask(
            app_of(account).graph,
            http,
            "GET",
            "debug_token",
            query={"input_token": "{input_token}"},
            secrets={"input_token": account.settings.page_token.get_secret_value()},
        )
    except (AuthFailed, Rejected) as error:
        raise CredentialsRejected(BLAMED.get(error.provider_code, "app_secret"), error.provider_text) from None
    except RateLimited as error:
        raise Unavailable(error.provider_code, error.provider_text) from None
    except Unavailable as error:
        if error.provider_code == AddressDenied.code:
            raise CredentialsRejected("base_url", reason="not_public") from None
        raise
    token = an_object(told, "data")
    if token.get("is_valid") is not True:
        raise CredentialsRejected("page_token", a_text(an_object(token, "error"), "message"), reason="not_valid")
    if an_id(token, "app_id") != account.settings.app_id:
        raise CredentialsRejected("page_token", reason="another_app")
    if a_text(token, "type") != "PAGE" or not an_id(token, "profile_id"):
        raise CredentialsRejected("page_token", reason="no_page_token")
    if not set(texts(token, "scopes")) >= PERMISSIONS:
        raise CredentialsRejected("page_token", reason="permissions_missing")
    return token


def _lasts(token: Json) -> int | None:
    """Seconds until the token ends; None for one without end, which Meta writes as 0."""
    end = token.get("expires_at")
    return max(0, end - int(time.time())) if type(end) is int and end > 0 else None
