"""The hub's own chat for websites. The hub is its own provider here: what that means stands in `README.md`.

Reads top to bottom: capabilities, verify, parse (`payloads.py`), split (`split.py`), send, setup, teardown.
"""

from collections.abc import Sequence
from typing import Final

from httpx import AsyncClient

from hub.connectors.contract import (
    Account,
    Capabilities,
    DeleteMessage,
    EditMessage,
    OutboundAction,
    OutboundMessage,
    Permit,
    RawRequest,
    Receipt,
    SetupResult,
    ShowTyping,
)
from hub.connectors.errors import SignatureInvalid, UnsupportedContent
from hub.connectors.events import Event, OutboundContent
from hub.connectors.webchat.payloads import read_body
from hub.connectors.webchat.settings import WebchatSettings
from hub.connectors.webchat.split import CHOICE, LONGEST_TEXT, MEDIA, split_content
from hub.connectors.webchat.wire import HEADER, is_signed
from hub.core import ids

PER_SECOND: Final = 100.0
"""Nobody sets a limit but us: what one lane writes without holding up the others."""


class Webchat:
    connector = "webchat"
    label = "Website-Chat"
    mark = "web"
    capabilities = Capabilities(
        max_text=LONGEST_TEXT,
        text_unit="characters",
        confirms=frozenset({"delivered", "read"}),
        reply_window_hours=None,
        address_scope="channel",
        idempotent_sends=True,  # the key of a message is that of its part: sent twice, it is there once
        per_second=PER_SECOND,
        styles=frozenset({"bold", "italic", "underline", "strike", "code", "link"}),
        media=MEDIA,
        max_caption=LONGEST_TEXT,
        choice=CHOICE,
        actions=frozenset({"edit", "delete", "typing"}),
        media_at_hand=True,
    )
    settings = WebchatSettings
    keeps_headers: frozenset[str] = frozenset()

    def verify(self, request: RawRequest, account: Account[WebchatSettings]) -> None:
        """Our own endpoints sign with the channel's webhook secret, so nobody else can speak for a visitor."""
        if not is_signed(request.body, request.headers.get(HEADER, ""), account.webhook_secrets):
            raise SignatureInvalid

    def parse(self, request: RawRequest, account: Account[WebchatSettings]) -> Sequence[Event]:
        return read_body(request)

    def split(self, content: OutboundContent) -> Sequence[OutboundContent]:
        return split_content(content)

    async def send(self, permit: Permit, action: OutboundAction, account: Account[WebchatSettings], http: AsyncClient) -> Receipt:
        """Nothing travels: once the receipt is recorded the message is in the visitor's box (`hub/webchat/box.py`), from which the
        widget takes it. What cannot be shown there is refused here."""
        permit.spend(action)
        match action:
            case OutboundMessage():
                if len(self.split(action.content)) != 1:
                    raise UnsupportedContent("not_one_message")
                return Receipt(status="sent", keys=(f"o:{ids.show('prt', action.part_id)}",))
            case EditMessage():
                if len(self.split(action.content)) != 1:
                    raise UnsupportedContent("text_too_long")
                return Receipt(status="sent")
            case DeleteMessage() | ShowTyping():
                return Receipt(status="sent")
            case _:
                raise UnsupportedContent("not_for_webchat")

    async def setup(self, account: Account[WebchatSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
        """There is nobody to ask. The account's address is the hosted chat page, where the hub has a public address."""
        shown = ids.show("chn", account.channel_id)
        if callback_url is None:
            note = ("channel.webchat.note.this_machine",)
            return SetupResult(own_id=shown, address="", title=account.settings.title, notes=note)
        address = f"{callback_url.rpartition('/hooks/')[0]}/webchat/{shown}"
        return SetupResult(own_id=shown, address=address, title=account.settings.title)

    async def teardown(self, account: Account[WebchatSettings], http: AsyncClient) -> None:
        """Nothing to take away: a channel that is not on has no chat."""


connector = Webchat()
