"""Connecting a page: whose token it is, and that Meta delivers here (messenger.md, 1)."""

from typing import Final

from httpx import AsyncClient

from hub.connectors._meta.graph import Graph, ask_set_up
from hub.connectors._meta.reading import a_text, an_id
from hub.connectors._meta.subscriptions import PAGE_FIELDS, App, subscribe_account
from hub.connectors._meta.tokens import inspect_page_token, seconds_left
from hub.connectors.contract import Account, SetupResult
from hub.connectors.errors import CredentialsRejected, Rejected
from hub.connectors.messenger.settings import MessengerSettings

PERMISSIONS: Final = frozenset({"pages_messaging", "pages_manage_metadata"})


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
    app, settings = app_of(account), account.settings
    page_token = settings.page_token.get_secret_value()
    token = await inspect_page_token(app, http, page_token, field="page_token", permissions=PERMISSIONS)
    own_id = an_id(token, "profile_id")
    if account.own_id not in ("", own_id):
        raise CredentialsRejected("page_token", reason="another_page")
    page = await ask_set_up(page_of(account), http, "GET", "me", field="page_token", query={"fields": "id,name,username"})
    notes = ["webhook_replaced"] if await app.ensure(http, callback_url, PAGE_FIELDS) else []
    is_whole = await subscribe_account(page_of(account), http, settings.app_id, PAGE_FIELDS, "page_token")
    notes += [] if is_whole else ["fields_missing"]
    return SetupResult(
        own_id=own_id,
        address=f"m.me/{a_text(page, 'username') or own_id}",
        title=a_text(page, "name"),
        notes=tuple(f"channel.messenger.note.{note}" for note in notes),
        lasts_seconds=seconds_left(token),
    )
