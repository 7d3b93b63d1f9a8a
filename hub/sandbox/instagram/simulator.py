"""Instagram for one professional account, connected by Instagram's own login: the Graph API, its webhooks, and the phones of its
people."""

from datetime import timedelta
from typing import Any, Final

import httpx

from hub.core import clock
from hub.sandbox._graph.api import GraphSimulator
from hub.sandbox._graph.flavour import Flavour
from hub.sandbox._graph.world import APP_ID, APP_SECRET, INSTAGRAM_APP_SECRET
from hub.sandbox.messengers import PhonePerson

TOKEN: Final = "IGAAsandboxTokenOfTheAccountRadwerk0123456789"
TOKEN_LASTS: Final = timedelta(days=60)
EXTRAS: Final = (
    "story_reply", "story_mention", "heart", "ig_post", "ephemeral", "unsupported", "ad", "product", "link", "inbox",
    "inbox_release", "unsubscribe",
)  # fmt: skip
FLAVOUR: Final = Flavour(
    topic="instagram",
    connector="instagram",
    account_id="17841455900412287",
    account_title="Radwerk Lindau",
    account_name="radwerk.lindau",
    people=(
        PhonePerson(id="6120448830917745", name="Katrin Aigner", address="6120448830917745"),
        PhonePerson(id="6120448830917792", name="Björn Süß", address="6120448830917792"),
    ),
    token=TOKEN,
    mid="aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlESandbox{number:06d}ZD",
    longest_text=1000,
    size=lambda text: len(text.encode("utf-8", "replace")),
    attachments={
        "image": frozenset({"image/png", "image/jpeg", "image/gif"}),
        "audio": frozenset({"audio/aac", "audio/mp4", "audio/m4a", "audio/x-m4a", "audio/wav", "audio/x-wav"}),
        "video": frozenset({"video/mp4", "video/ogg", "video/x-msvideo", "video/quicktime", "video/webm"}),
        "file": frozenset({"application/pdf"}),
    },
    fields={
        "echo": "messages",
        "delivery": "",
        "read": "messaging_seen",
        "message_edit": "message_edit",
        "referral": "messaging_referral",
        "pass_thread_control": "messaging_handover",
        "policy_enforcement": "",
    },
    closed=(10, 2534022, "(#10) This message is sent outside of allowed window."),
    reactions={"love": "❤"},
    can=frozenset({"write", "file", "voice", "reply", "react", "edit", "delete", "press", "read", "block"}),
    extras={name: f"channel.instagram.extra.{name}" for name in EXTRAS},
)


class InstagramSimulator(GraphSimulator):
    label = "Instagram"
    mark = "ig"

    def __init__(self, http: httpx.AsyncClient) -> None:
        super().__init__(http, FLAVOUR)
        page = self.world.page(FLAVOUR.account_id)
        page.token_ends = clock.now() + TOKEN_LASTS - timedelta(days=2)

    def sample_settings(self, origin: str) -> dict[str, Any]:
        return {
            "app_id": APP_ID,
            "app_secret": APP_SECRET,
            "access_token": TOKEN,
            "instagram_app_secret": INSTAGRAM_APP_SECRET,
            "base_url": f"{origin}/instagram",
            "instagram_url": f"{origin}/instagram",
        }


def create(http: httpx.AsyncClient) -> InstagramSimulator:
    return InstagramSimulator(http)
