"""Connecting an account: whose token it is, that it lasts, and that Meta delivers here (instagram.md, 1)."""

from collections.abc import Awaitable
from typing import Final, TypeVar

from httpx import AsyncClient

from hub.connectors._meta.graph import ask_set_up
from hub.connectors._meta.reading import Json, a_text, an_id, an_object, objects
from hub.connectors._meta.subscriptions import PAGE_FIELDS, App, subscribe_account
from hub.connectors._meta.tokens import inspect_page_token, seconds_left
from hub.connectors.contract import Account, SetupResult
from hub.connectors.errors import AuthFailed, CredentialsRejected, RateLimited, Rejected, Unavailable
from hub.connectors.instagram.login import account_of, lasting_token
from hub.connectors.instagram.settings import InstagramSettings

FIELDS: Final = (
    "messages",
    "messaging_postbacks",
    "messaging_seen",
    "message_reactions",
    "messaging_referral",
    "message_edit",
    "standby",
)
"""All that may come. Echoes are among the messages."""
PERMISSIONS: Final = frozenset({"instagram_manage_messages", "pages_manage_metadata"})
LINKED: Final = "instagram_business_account"

T = TypeVar("T")


def app_of(account: Account[InstagramSettings]) -> App:
    settings = account.settings
    return App(settings.base_url, settings.app_id, settings.app_secret.get_secret_value(), "instagram")


def subscribed(account: Account[InstagramSettings]) -> tuple[str, tuple[str, ...]]:
    """The app that the account is subscribed to, and to what. By a page it is the page's list, which both messengers of it share;
    otherwise Meta names the app by the id of its Instagram product, which we do not know: empty."""
    return ("", FIELDS) if account.settings.is_own_login else (account.settings.app_id, PAGE_FIELDS)


async def connect(account: Account[InstagramSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
    """As `Connector.setup`."""
    if callback_url is None:
        raise Rejected("needs_public_address")
    is_own = account.settings.is_own_login
    me, lasts = await (_own(account, http) if is_own else _linked(account, http))
    own_id = an_id(me, "user_id") or an_id(me, "id")
    if account.own_id not in ("", own_id):
        raise CredentialsRejected("access_token", reason="another_account")
    notes = ["webhook_replaced"] if await app_of(account).ensure(http, callback_url, FIELDS) else []
    is_whole = await subscribe_account(account_of(account), http, *subscribed(account), "access_token")
    notes += [] if is_whole else ["fields_missing"]
    new = None
    if is_own:  # last of all: the old token may be worthless afterwards, and a set-up that fails keeps nothing
        new, lasts = await as_set_up(lasting_token(account.settings, http))
    return SetupResult(
        own_id=own_id,
        address=f"@{a_text(me, 'username') or own_id}",
        title=a_text(me, "name") or a_text(me, "username"),
        notes=tuple(f"channel.instagram.note.{note}" for note in notes),
        settings=new,
        lasts_seconds=lasts,
    )


async def as_set_up(doing: Awaitable[T]) -> T:
    """The same, with the errors of a set-up: CredentialsRejected, Unavailable or Rejected."""
    try:
        return await doing
    except AuthFailed as error:
        raise CredentialsRejected("access_token", error.provider_text or error.provider_code) from None
    except RateLimited as error:
        raise Unavailable(error.provider_code, error.provider_text) from None


async def _own(account: Account[InstagramSettings], http: AsyncClient) -> tuple[Json, int | None]:
    """The account of a token of Instagram's own login. Deliveries name `user_id`; `id` is another, for this app only. The answer
    comes flat, or in a list."""
    query = {"fields": "user_id,username,name"}
    me = await ask_set_up(account_of(account), http, "GET", "me", field="access_token", query=query)
    found = next(iter(objects(me, "data")), me)
    if not an_id(found, "user_id"):
        raise CredentialsRejected("access_token", reason="no_instagram_account")
    return found, None


async def _linked(account: Account[InstagramSettings], http: AsyncClient) -> tuple[Json, int | None]:
    """The account that a page is linked to, and how many seconds the page's token lasts."""
    token = account.settings.access_token.get_secret_value()
    told = await inspect_page_token(app_of(account), http, token, field="access_token", permissions=PERMISSIONS)
    query = {"fields": f"{LINKED}{{id,username,name}}"}
    page = await ask_set_up(account_of(account), http, "GET", "me", field="access_token", query=query)
    found = an_object(page, LINKED)
    if not an_id(found, "id"):
        raise CredentialsRejected("access_token", reason="no_instagram_account")
    return found, seconds_left(told)
