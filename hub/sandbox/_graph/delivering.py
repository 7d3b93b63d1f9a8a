"""Signed webhooks: what of an account goes to the app's address, as Meta writes and signs it (messenger.md, 2 and 3)."""

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any, Final

from hub.core import clock
from hub.sandbox._graph.world import APP_SECRET, Page, Thread, World
from hub.sandbox.courier import Courier, Outgoing

KINDS: Final = {
    "message": "messages",
    "echo": "message_echoes",
    "postback": "messaging_postbacks",
    "delivery": "message_deliveries",
    "read": "message_reads",
    "reaction": "message_reactions",
    "message_edit": "message_edits",
    "referral": "messaging_referrals",
    "optin": "messaging_optins",
    "pass_thread_control": "messaging_handovers",
    "policy_enforcement": "messaging_policy_enforcement",
}
"""Which field of the subscription each kind of event belongs to, as Messenger calls them."""


def milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


class Webhooks:
    """Tells the app what happens on its accounts."""

    def __init__(self, world: World, courier: Courier) -> None:
        self._world = world
        self._courier = courier

    def event(self, page: Page, thread: Thread, kind: str, value: Any, at: datetime | None = None) -> None:
        """Something a person did: to the app, or beside it while another program owns the thread."""
        person, account = {"id": thread.person.id}, {"id": page.id}
        element = {"sender": person, "recipient": account, "timestamp": milliseconds(at or clock.now()), kind: value}
        self._tell(page, kind, element, thread)

    def echo(self, page: Page, thread: Thread, message: Any) -> None:
        """A message of the account, whoever wrote it."""
        person, account = {"id": thread.person.id}, {"id": page.id}
        element = {"sender": account, "recipient": person, "timestamp": milliseconds(clock.now()), "message": message}
        self._tell(page, "echo", element, thread)

    def about(self, page: Page, kind: str, value: Any, **more: Any) -> None:
        """Something that no person of a thread did."""
        element = {"recipient": {"id": page.id}, "timestamp": milliseconds(clock.now()), **more, kind: value}
        self._tell(page, kind, element, None)

    def deliver(self, entries: list[Any], queue: str) -> None:
        """One POST, if Meta knows an address."""
        subscription = self._world.subscription
        if not (subscription.is_active and subscription.callback_url):
            return
        told = {"object": self._world.flavour.topic, "entry": entries}
        body = json.dumps(told, separators=(",", ":")).replace("/", "\\/").encode()  # escaped as Meta does
        digest = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "content-type": "application/json",
            "user-agent": "facebookexternalua",
            "facebook-api-version": "v26.0",
            "x-hub-signature-256": f"sha256={digest}",
        }
        self._courier.send(Outgoing(subscription.callback_url, body, headers), queue=queue)

    def _tell(self, page: Page, kind: str, element: Any, thread: Thread | None) -> None:
        if not self._is_wanted(page, kind):
            return
        road = "standby" if thread is not None and thread.owner and self._is_wanted(page, "standby") else "messaging"
        entry = {"id": page.id, "time": milliseconds(clock.now()), road: [element]}
        self.deliver([entry], thread.person.id if thread is not None else page.id)

    def _is_wanted(self, page: Page, kind: str) -> bool:
        """Whether the app asked for such events, and the account lets it have them. At Instagram an account that lets it have
        anything lets it have all that the app asked for (Meta, "Setup Webhooks Subscriptions")."""
        name = self._world.flavour.fields.get(kind, KINDS.get(kind, kind))
        of_account = bool(page.subscribed) if self._world.flavour.topic == "instagram" else name in page.subscribed
        return bool(name) and name in self._world.subscription.fields and of_account
