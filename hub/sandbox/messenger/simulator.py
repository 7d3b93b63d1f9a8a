"""Messenger for one page, with a page more on demand: the Graph API, its webhooks, and the phones of its people."""

from typing import Any, Final

import httpx

from hub.sandbox._graph.api import GraphSimulator
from hub.sandbox._graph.flavour import Flavour
from hub.sandbox._graph.world import APP_ID, APP_SECRET
from hub.sandbox.messengers import PhonePerson

TOKEN: Final = "EAABsandboxTokenOfThePageRadwerk0123456789"
EXTRAS: Final = (
    "sticker", "post", "appointment", "ad", "link", "optin", "optin_stop", "optin_resume", "tick", "inbox", "inbox_release",
    "policy_block", "policy_unblock", "unsubscribe",
)  # fmt: skip
FLAVOUR: Final = Flavour(
    topic="page",
    connector="messenger",
    account_id="104772930015588",
    account_title="Radwerk Lindau",
    account_name="radwerklindau",
    people=(
        PhonePerson(id="7318840026614092", name="Jörg Müller", address="7318840026614092"),
        PhonePerson(id="7318840026614117", name="Anneliese Grünwald", address="7318840026614117"),
    ),
    token=TOKEN,
    mid="m_Sandbox{number:06d}ZbW8tLp0sNfJ6uHcEaGoViTrCqKyPMexample",
    longest_text=2000,
    size=len,
    attachments={
        "image": frozenset({"image/png", "image/jpeg", "image/gif"}),
        "audio": frozenset({"audio/aac", "audio/mp4", "audio/m4a", "audio/x-m4a", "audio/wav", "audio/x-wav"}),
        "video": frozenset({"video/mp4", "video/ogg", "video/x-msvideo", "video/quicktime", "video/webm"}),
        "file": frozenset(),
    },
    fields={},
    closed=(10, 2018278, "(#10) This message is sent outside of allowed window."),
    reactions={},
    can=frozenset({"write", "file", "voice", "place", "reply", "react", "edit", "delete", "press", "read", "block"}),
    extras={name: f"channel.messenger.extra.{name}" for name in EXTRAS},
)


class MessengerSimulator(GraphSimulator):
    label = "Facebook Messenger"
    mark = "fb"

    def __init__(self, http: httpx.AsyncClient) -> None:
        super().__init__(http, FLAVOUR)

    def sample_settings(self, origin: str) -> dict[str, Any]:
        return {"app_id": APP_ID, "app_secret": APP_SECRET, "page_token": TOKEN, "base_url": f"{origin}/messenger"}


def create(http: httpx.AsyncClient) -> MessengerSimulator:
    return MessengerSimulator(http)
