"""What comes to the hub: the app's one address at Meta, and that a page or account lets the app have its messages (messenger.md,
1).

Meta ends both in silence when deliveries fail for an hour (3), so they are looked at again and again and put right.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from httpx import AsyncClient

from hub.connectors._meta.graph import Graph, ask_set_up
from hub.connectors._meta.reading import Json, a_text, an_id, objects, texts
from hub.connectors._meta.signature import verify_token
from hub.connectors.errors import Unavailable
from hub.connectors.events import ChannelHealth

PAGE_FIELDS: Final = (
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
"""All that may come of a page. `standby`: what is written while another program owns the thread. Asking for less would take the
rest from the other messenger of the page: Messenger and Instagram share its list."""


class App:
    """An app of Meta's, as its owner."""

    def __init__(self, base_url: str, app_id: str, app_secret: str, topic: str) -> None:
        """`topic` is what is subscribed to: `page` or `instagram`."""
        self.graph = Graph(base_url, f"{app_id}|{app_secret}")
        self.id = app_id
        self._topic = topic
        self._verify_token = verify_token(app_secret)

    async def subscription(self, http: AsyncClient) -> Json:
        """The app's subscription to its topic; empty where it has none."""
        found = await ask_set_up(self.graph, http, "GET", f"{self.id}/subscriptions", field="app_secret")
        return next((one for one in objects(found, "data") if a_text(one, "object") == self._topic), {})

    async def subscribe(self, http: AsyncClient, callback_url: str, fields: Sequence[str]) -> None:
        """Meta tests the address before it answers this. Raises Rejected with its words when the test fails."""
        form = {
            "object": self._topic,
            "callback_url": callback_url,
            "verify_token": self._verify_token,
            "fields": ",".join(fields),
            "include_values": "true",
        }
        await ask_set_up(self.graph, http, "POST", f"{self.id}/subscriptions", field="app_secret", form=form)

    async def ensure(self, http: AsyncClient, callback_url: str, fields: Sequence[str]) -> bool:
        """Have the app's events delivered here; whether another address had them before."""
        now = await self.subscription(http)
        before = a_text(now, "callback_url")
        if before != callback_url or not _is_whole(now, fields):
            await self.subscribe(http, callback_url, fields)
        return before not in ("", callback_url)

    async def check(self, http: AsyncClient, fields: Sequence[str]) -> ChannelHealth:
        """How the subscription is. One that ended is made again at the address it had; where that is not known a person has to."""
        now = await self.subscription(http)
        if _is_whole(now, fields):
            return health("ok", "app_subscription")
        before = a_text(now, "callback_url")
        if not before:
            return health("attention", "app_subscription_lost")
        await self.subscribe(http, before, fields)
        return health("warning", "app_subscription")


async def subscribe_account(graph: Graph, http: AsyncClient, app_id: str, fields: Sequence[str], field: str) -> bool:
    """Let the app have the account's messages; whether all that was asked for was granted. Raises Unavailable when nothing was."""
    form = {"subscribed_fields": ",".join(fields)}
    await ask_set_up(graph, http, "POST", "me/subscribed_apps", field=field, form=form)
    granted = await subscribed_fields(graph, http, app_id, field)
    if not granted:
        raise Unavailable("not_subscribed", "the subscription is not what was asked for")
    return granted >= set(fields)


async def check_account(graph: Graph, http: AsyncClient, app_id: str, fields: Sequence[str], field: str) -> ChannelHealth:
    """How the account's subscription is, made again where it ended."""
    if await subscribed_fields(graph, http, app_id, field):
        return health("ok", "account_subscription")
    await subscribe_account(graph, http, app_id, fields, field)
    return health("warning", "account_subscription")


async def subscribed_fields(graph: Graph, http: AsyncClient, app_id: str, field: str) -> set[str]:
    """What of the account comes to this app. `app_id` empty: to any, where Meta names the app by an id that we do not know."""
    found = await ask_set_up(graph, http, "GET", "me/subscribed_apps", field=field)
    ours = [one for one in objects(found, "data") if app_id in ("", an_id(one, "id"))]
    return {name for one in ours for name in texts(one, "subscribed_fields")}


def health(level: Literal["ok", "warning", "attention"], cause: str) -> ChannelHealth:
    """How something is now."""
    at = datetime.fromtimestamp(int(time.time()), UTC)
    return ChannelHealth(key=f"health:{cause}:{int(at.timestamp())}", at=at, level=level, cause=cause)


def _is_whole(subscription: Json, fields: Sequence[str]) -> bool:
    names = {a_text(one, "name") for one in objects(subscription, "fields")}
    return subscription.get("active") is True and names >= set(fields)
